//! An object becomes a file: its first part tells how many more there are, and a part that breaks off goes on where it was.

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::fs::OpenOptions;
use tokio::io::{AsyncSeekExt, AsyncWriteExt, BufWriter};

use crate::s3::object::{COPIED, DIGEST, Object};
use crate::s3::request_error::explain;
use crate::{Error, Metadata, Result};

const PART: u64 = 16 << 20;
const PARTS_AT_ONCE: usize = 4;
const WRITE_BUFFER: usize = 1 << 20;

/// How often a part is taken up again after it broke off without a byte.
const RESUMPTIONS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);

const ACTION: &str = "read";

/// Fills the existing file `to` and returns the metadata of the object.
pub(super) async fn download(client: &Client, object: Object<'_>, to: &Path) -> Result<Metadata> {
    let first = match get(client, object, 0, PART - 1, None).await {
        Ok(first) => first,
        // There is no first byte in an empty object.
        Err(Error::Refused { reason, .. }) if reason.contains("InvalidRange") => {
            return Ok(Metadata::default());
        }
        Err(error) => return Err(error),
    };
    let total = size(&first, object)?;
    let etag = first.e_tag.clone();
    let mut labels = first.metadata.clone().unwrap_or_default();
    let sha256 = labels.remove(DIGEST);
    labels.remove(COPIED);
    let whole_in_one = first.content_range.is_none();
    let first_end = if whole_in_one { total } else { total.min(PART) };
    let part = |start: u64, body| {
        let end = if start == 0 { first_end } else { total.min(start + PART) };
        fill(client, object, to, start, end, etag.as_deref(), body)
    };
    let rest = (0..).map(|i| first_end + i * PART).take_while(|start| *start < total);
    let parts = std::iter::once((0, Some(first.body))).chain(rest.map(|start| (start, None)));
    stream::iter(parts.map(|(start, body)| part(start, body)))
        .buffer_unordered(PARTS_AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(Metadata { sha256, labels: labels.into_iter().collect() })
}

async fn get(
    client: &Client,
    object: Object<'_>,
    start: u64,
    last: u64,
    etag: Option<&str>,
) -> Result<GetObjectOutput> {
    // Whoever may read the bucket decides what comes from it.
    let Object { bucket, key, uri, owner: _ } = object;
    client
        .get_object()
        .bucket(bucket)
        .key(key)
        .range(format!("bytes={start}-{last}"))
        .set_if_match(etag.map(str::to_owned))
        .send()
        .await
        .map_err(|error| explain(&error, ACTION, uri))
}

/// Bytes in the whole object.
fn size(first: &GetObjectOutput, object: Object<'_>) -> Result<u64> {
    let total = match &first.content_range {
        Some(range) => range.rsplit('/').next().and_then(|total| total.parse().ok()),
        None => first.content_length.and_then(|length| u64::try_from(length).ok()),
    };
    total.ok_or_else(|| Error::Unavailable {
        action: ACTION,
        uri: object.uri.clone(),
        reason: "S3 does not say how long it is".to_owned(),
    })
}

/// Writes the bytes from `start` to before `end` to their place.
async fn fill(
    client: &Client,
    object: Object<'_>,
    to: &Path,
    start: u64,
    end: u64,
    etag: Option<&str>,
    mut body: Option<ByteStream>,
) -> Result<()> {
    let mut at = start;
    let mut fruitless = 0;
    loop {
        let stream = match body.take() {
            Some(stream) => Ok(stream),
            None => get(client, object, at, end - 1, etag).await.map(|answer| answer.body),
        };
        let (written, broken) = match stream {
            Ok(stream) => pour(stream, to, at, end - at).await?,
            Err(Error::Unavailable { reason, .. }) => (0, Some(reason)),
            Err(error) => return Err(error),
        };
        at += written;
        let reason = match broken {
            Some(reason) => {
                // Broken after its last byte: then no byte of it is to be trusted.
                at = if written > 0 && at == end { start } else { at };
                reason
            }
            None if at == end => return Ok(()),
            None => format!("it broke off after {at} of {end} bytes"),
        };
        fruitless = if written > 0 && at > start { 0 } else { fruitless + 1 };
        tracing::debug!(uri = %object.uri, at, end, reason, "a part broke off");
        if fruitless == RESUMPTIONS {
            return Err(Error::Unavailable { action: ACTION, uri: object.uri.clone(), reason });
        }
        tokio::time::sleep(FIRST_WAIT * 2_u32.pow(fruitless)).await;
    }
}

/// Writes what comes, at most `most` bytes, and returns how many came and why no more did.
async fn pour(
    mut body: ByteStream,
    to: &Path,
    at: u64,
    most: u64,
) -> Result<(u64, Option<String>)> {
    let failed = |source| Error::Scratch { action: "write", path: to.to_owned(), source };
    let mut file = OpenOptions::new().write(true).open(to).await.map_err(failed)?;
    file.seek(SeekFrom::Start(at)).await.map_err(failed)?;
    let mut file = BufWriter::with_capacity(WRITE_BUFFER, file);
    let mut written = 0;
    let broken = loop {
        match body.try_next().await {
            Ok(Some(bytes)) => {
                written += bytes.len() as u64;
                if written > most {
                    // A server that sends more than was asked for is not to be trusted with any of it.
                    written = 0;
                    break Some("S3 sent more than was asked for".to_owned());
                }
                file.write_all(&bytes).await.map_err(failed)?;
            }
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    file.flush().await.map_err(failed)?;
    Ok((written, broken))
}
