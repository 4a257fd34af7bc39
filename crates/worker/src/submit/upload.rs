//! The upload of a packed project to a key made of its digest, unless it is there.

use std::time::{Duration, SystemTime};

use store::{Metadata, S3Store, Sent, Stored, Uri};

use crate::error::Result;
use crate::submit::project::Packed;
use crate::submit::show::Show;

/// Projects expire 30 days after they were written. What is older than this is written again, so that no render loses its
/// project half-way.
const FRESH_FOR: Duration = Duration::from_hours(14 * 24);

/// The interval in which the progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn upload(store: &S3Store, packed: &Packed, uri: &Uri, show: &Show) -> Result<()> {
    let there = match store.head(uri).await {
        Ok(there) => there,
        // Whoever may not list a bucket gets no "not found". And the answer to HEAD has no body with the reason of a refusal:
        // the answer to the upload has.
        Err(store::Error::Denied { .. } | store::Error::Refused { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if there.is_some_and(|there| is_fresh(&there, packed, SystemTime::now())) {
        show.say(&format!("{uri} is there already"));
        return Ok(());
    }
    let sent = Sent::default();
    let metadata = Metadata { sha256: Some(packed.sha256.clone()), ..Metadata::default() };
    let sending = store.put_counted(&packed.file, uri, &metadata, &sent);
    tokio::pin!(sending);
    show.uploading(0, packed.bytes);
    let mut ticks = tokio::time::interval(SHOW_EVERY);
    loop {
        tokio::select! {
            done = &mut sending => {
                done?;
                show.say(&format!("{uri} is uploaded, {} bytes", packed.bytes));
                return Ok(());
            }
            _ = ticks.tick() => show.uploading(sent.bytes().min(packed.bytes), packed.bytes),
        }
    }
}

fn is_fresh(there: &Stored, packed: &Packed, now: SystemTime) -> bool {
    let is_same = there.bytes == packed.bytes
        && there.metadata.sha256.as_ref().is_some_and(|sha256| *sha256 == packed.sha256);
    // A time to come is that of a clock that differs from ours.
    let is_young = there.modified.is_some_and(|modified| {
        now.duration_since(modified).is_ok_and(|age| age < FRESH_FOR) || modified > now
    });
    is_same && is_young
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_counts_only_if_it_is_the_same_and_will_stay() {
        let day = Duration::from_hours(24);
        let now = SystemTime::UNIX_EPOCH + 1000 * day;
        let sha256 = "5d4a0ecd0c8e3c1c".repeat(4);
        let packed = Packed { file: "x".into(), bytes: 10, sha256: sha256.clone() };
        let metadata = |sha256: Option<&str>| Metadata {
            sha256: sha256.map(str::to_owned),
            labels: [].into(),
        };
        for (digest, bytes, modified, expected) in [
            (Some(sha256.as_str()), 10, Some(now - 13 * day), true),
            (Some(&sha256), 10, Some(now), true),
            (Some(&sha256), 10, Some(now + day), true),
            (Some(&sha256), 10, Some(now - 15 * day), false),
            (Some(&sha256), 10, None, false),
            (Some(&sha256), 9, Some(now), false),
            (None, 10, Some(now), false),
            (Some("other"), 10, Some(now), false),
        ] {
            let there = Stored { metadata: metadata(digest), bytes, modified };
            assert_eq!(is_fresh(&there, &packed, now), expected, "{there:?}");
        }
    }
}
