//! A file becomes an object: in one request, or in parts that appear together; each with the digest that the server checks.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;

use crate::hash::{digests, hex, reading};
use crate::s3::body::Source;
use crate::s3::object::{DIGEST, Object};
use crate::s3::request_error::explain;
use crate::s3::retry::RetryProfile;
use crate::{Error, Metadata, Result};

const PARTS_AT_ONCE: usize = 4;
/// S3 takes no more parts than this.
const MAX_PARTS: u64 = 10_000;

/// Timeout of the request that aborts a broken upload.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

const ACTION: &str = "write";

/// Requests that abort uploads whose caller is gone.
pub(super) type Unfinished = Mutex<JoinSet<()>>;

/// Where an object goes, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) client: &'a Client,
    pub(super) object: Object<'a>,
    pub(super) profile: RetryProfile,
    /// What the object is tagged with, as `name=value`.
    pub(super) tag: Option<&'a str>,
    pub(super) unfinished: &'a Unfinished,
}

pub(super) async fn upload(from: Source<'_>, to: Target<'_>, metadata: &Metadata) -> Result<()> {
    let length = tokio::fs::metadata(from.path).await.map_err(reading(from.path))?.len();
    let part = (length > to.profile.multipart_from())
        .then(|| to.profile.part().max(length.div_ceil(MAX_PARTS)));
    let digests = digests(from.path.to_owned(), part).await?;
    if let Some(expected) = metadata.sha256.as_ref().filter(|said| **said != digests.whole) {
        let (uri, expected, actual) = (to.object.uri.clone(), expected.clone(), digests.whole);
        return Err(Error::Digest { uri, expected, actual });
    }
    let mut labels: HashMap<_, _> = metadata.labels.clone().into_iter().collect();
    labels.insert(DIGEST.to_owned(), digests.whole.clone());
    match part {
        None => upload_whole(from, to, labels, length, &digests.whole).await,
        Some(part) => upload_parts(from, to, labels, part, digests.parts).await,
    }
}

async fn upload_whole(
    from: Source<'_>,
    to: Target<'_>,
    labels: HashMap<String, String>,
    length: u64,
    sha256: &str,
) -> Result<()> {
    let Object { bucket, key, uri, owner } = to.object;
    to.client
        .put_object()
        .bucket(bucket)
        .key(key)
        .set_expected_bucket_owner(owner.map(str::to_owned))
        .content_type(content_type(key))
        .set_metadata(Some(labels))
        .set_tagging(to.tag.map(str::to_owned))
        .checksum_sha256(to_base64(sha256))
        .body(from.body(0, None).await?)
        .customize()
        .config_override(body_timeout(to.profile, length))
        .send()
        .await
        .map_err(|error| explain(&error, ACTION, uri))?;
    Ok(())
}

async fn upload_parts(
    from: Source<'_>,
    to: Target<'_>,
    labels: HashMap<String, String>,
    part: u64,
    digests: Vec<String>,
) -> Result<()> {
    let Object { bucket, key, uri, owner } = to.object;
    let created = to
        .client
        .create_multipart_upload()
        .bucket(bucket)
        .key(key)
        .set_expected_bucket_owner(owner.map(str::to_owned))
        .content_type(content_type(key))
        .set_metadata(Some(labels))
        .set_tagging(to.tag.map(str::to_owned))
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .map_err(|error| explain(&error, ACTION, uri))?;
    let id = created.upload_id.ok_or_else(|| Error::Refused {
        action: ACTION,
        uri: uri.clone(),
        reason: "S3 gave the upload no id".to_owned(),
    })?;
    let pending = Pending { to, id, is_open: true };
    match send_parts(from, to, &pending.id, part, digests).await {
        Ok(()) => {
            pending.done();
            Ok(())
        }
        Err(error) => {
            pending.abort().await;
            Err(error)
        }
    }
}

async fn send_parts(
    from: Source<'_>,
    to: Target<'_>,
    id: &str,
    part: u64,
    digests: Vec<String>,
) -> Result<()> {
    let Object { bucket, key, uri, owner } = to.object;
    let sending = (0_u64..).zip(digests).map(|(index, digest)| async move {
        let number = i32::try_from(index + 1).expect("at most ten thousand parts");
        let sum = to_base64(&digest);
        let sent = to
            .client
            .upload_part()
            .bucket(bucket)
            .key(key)
            .set_expected_bucket_owner(owner.map(str::to_owned))
            .upload_id(id)
            .part_number(number)
            .checksum_sha256(&sum)
            .body(from.body(index * part, Some(part)).await?)
            .customize()
            .config_override(body_timeout(to.profile, part))
            .send()
            .await
            .map_err(|error| explain(&error, ACTION, uri))?;
        Ok::<_, Error>(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .checksum_sha256(sum)
                .build(),
        )
    });
    let parts = stream::iter(sending).buffered(PARTS_AT_ONCE).try_collect::<Vec<_>>().await?;
    to.client
        .complete_multipart_upload()
        .bucket(bucket)
        .key(key)
        .set_expected_bucket_owner(owner.map(str::to_owned))
        .upload_id(id)
        .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
        .send()
        .await
        .map_err(|error| explain(&error, ACTION, uri))?;
    Ok(())
}

/// An upload that costs money until it is completed or taken back; taken back when dropped.
struct Pending<'a> {
    to: Target<'a>,
    id: String,
    is_open: bool,
}

impl Pending<'_> {
    fn done(mut self) {
        self.is_open = false;
    }

    async fn abort(mut self) {
        self.aborting().await;
        self.is_open = false;
    }

    fn aborting(&self) -> impl Future<Output = ()> + Send + use<> {
        let Object { bucket, key, uri, owner } = self.to.object;
        let request = self.to.client.abort_multipart_upload().bucket(bucket).key(key);
        let request = request.set_expected_bucket_owner(owner.map(str::to_owned));
        let (request, uri) = (request.upload_id(&self.id), uri.clone());
        async move {
            let aborted = tokio::time::timeout(ABORT_TIMEOUT, request.send()).await;
            if !matches!(aborted, Ok(Ok(_))) {
                tracing::warn!(%uri, "the parts of a broken upload are left to the bucket's rules");
            }
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // What this does not manage, the bucket's rule for incomplete uploads does.
            let aborting = self.aborting();
            self.to.unfinished.lock().expect("nothing panics while holding it").spawn(aborting);
        }
    }
}

/// The timeout of a request whose body has `length` bytes.
fn body_timeout(profile: RetryProfile, length: u64) -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().read_timeout(profile.body_timeout(length)).build();
    aws_sdk_s3::Config::builder().timeout_config(timeouts)
}

/// A digest as S3 writes it.
fn to_base64(hex: &str) -> String {
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("a digest is hexadecimal"))
        .collect();
    STANDARD.encode(bytes)
}

/// A digest as we write it; `None` for the digest of digests that an object in parts has.
pub(super) fn from_base64(sum: &str) -> Option<String> {
    STANDARD.decode(sum).ok().filter(|bytes| bytes.len() == 32).map(|bytes| hex(&bytes))
}

pub(super) fn content_type(key: &str) -> &'static str {
    const TYPES: &[(&str, &str)] = &[
        (".mp4", "video/mp4"),
        (".mov", "video/quicktime"),
        (".webm", "video/webm"),
        (".gif", "image/gif"),
        (".png", "image/png"),
        (".flac", "audio/flac"),
        (".m4a", "audio/mp4"),
        (".wav", "audio/wav"),
        (".json", "application/json"),
        (".gz", "application/gzip"),
    ];
    let known = TYPES.iter().find(|(suffix, _)| key.ends_with(suffix));
    known.map_or("application/octet-stream", |(_, content_type)| content_type)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn a_digest_is_the_same_in_both_notations() {
        let digest = hex(&Sha256::digest("x"));
        assert_eq!(from_base64(&to_base64(&digest)), Some(digest));
        assert_eq!(from_base64("bm90IGEgZGlnZXN0LTM="), None);
    }
}
