//! An object becomes another one without passing through this machine.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ChecksumAlgorithm, MetadataDirective, TaggingDirective};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::s3::object::{COPIED, DIGEST, Object};
use crate::s3::request_error::explain;
use crate::s3::upload::content_type;
use crate::{Expected, Result};

const ACTION: &str = "copy";

/// What is not written as it is in a header that holds a path.
const ENCODED: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Copies `from` to `to` with these labels and this tag alone. Reading the tags of `from` would take a right of its own. The server is
/// asked for the digest of what it writes.
pub(super) async fn copy(
    client: &Client,
    from: Object<'_>,
    to: Object<'_>,
    tag: Option<&str>,
    expected: &Expected,
    labels: &BTreeMap<String, String>,
) -> Result<()> {
    let Expected { sha256, bytes } = expected;
    let mut metadata: HashMap<_, _> = labels.clone().into_iter().collect();
    metadata.insert(DIGEST.to_owned(), sha256.clone());
    metadata.insert(COPIED.to_owned(), bytes.to_string());
    let Object { bucket, key, uri: _, owner } = to;
    client
        .copy_object()
        .copy_source(source(from))
        .set_expected_source_bucket_owner(from.owner.map(str::to_owned))
        .bucket(bucket)
        .key(key)
        .set_expected_bucket_owner(owner.map(str::to_owned))
        .content_type(content_type(key))
        .metadata_directive(MetadataDirective::Replace)
        .set_metadata(Some(metadata))
        .tagging_directive(TaggingDirective::Replace)
        .set_tagging(tag.map(str::to_owned))
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .map_err(|error| explain(&error, ACTION, from.uri))?;
    Ok(())
}

/// The source as the header has it: percent-encoded, with its slashes.
fn source(Object { bucket, key, uri: _, owner: _ }: Object<'_>) -> String {
    format!("{bucket}/{}", utf8_percent_encode(key, &ENCODED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uri;

    #[test]
    fn a_source_is_written_as_a_path_whatever_its_key_holds() {
        let uri = Uri::parse("s3://bucket/a b/größe+1.mp4").unwrap();
        let Uri::S3 { bucket, key } = &uri else { unreachable!() };
        let object = Object { bucket, key, uri: &uri, owner: None };
        assert_eq!(source(object), "bucket/a%20b/gr%C3%B6%C3%9Fe%2B1.mp4");
    }
}
