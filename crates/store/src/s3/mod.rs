//! S3, or what speaks its protocol: objects come and go in parts, several at a time, and never as a whole in memory.

mod body;
mod copy;
mod download;
mod object;
mod request_error;
mod retry;
mod upload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{ResponseChecksumValidation, SharedHttpClient};
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use crate::hash::sha256_file;
use crate::s3::body::Source;
use crate::s3::object::{COPIED, DIGEST, Object};
use crate::s3::request_error::explain;
use crate::s3::upload::{Target, Unfinished};
use crate::{Error, Expected, Fetched, Limits, Links, Metadata, Result, Store, Uri, archive};

pub use crate::s3::body::Sent;
pub use crate::s3::request_error::{RequestFailure, root_cause};
pub use crate::s3::retry::RetryProfile;

/// Where a request names its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    InHostName,
    InPath,
}

fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// What the environment and its profiles say of how to reach Amazon, over our one TLS stack; `region` outweighs theirs.
pub async fn sdk_config(region: Option<String>) -> SdkConfig {
    let mut config = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client());
    if let Some(region) = region {
        config = config.region(Region::new(region));
    }
    config.load().await
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub metadata: Metadata,
    pub bytes: u64,
    /// When it was written, if the server says so.
    pub modified: Option<SystemTime>,
}

/// The tag of what is temporary, and whether what is stored is that.
#[derive(Debug, Clone, Default)]
struct Temporary {
    tag: Option<String>,
    applies: bool,
}

/// The store in the cloud.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    profile: RetryProfile,
    owner: Option<String>,
    temporary: Temporary,
    unfinished: Arc<Unfinished>,
}

impl S3Store {
    /// Connects as the environment says: region, credentials, and `AWS_ENDPOINT_URL_S3` for a server that is not Amazon's.
    pub async fn from_env(profile: RetryProfile) -> Self {
        Self::from_config(&sdk_config(None).await, profile)
    }

    /// Connects with what [`sdk_config`] has found.
    pub fn from_config(config: &SdkConfig, profile: RetryProfile) -> Self {
        // Other servers rarely have a name for each bucket.
        let is_another_server = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        let addressing =
            if is_another_server { Addressing::InPath } else { Addressing::InHostName };
        Self::new(config, addressing, profile)
    }

    /// Connects with the credentials of `config`, with the timeouts and retries of `profile`.
    pub fn new(config: &SdkConfig, addressing: Addressing, profile: RetryProfile) -> Self {
        let config = aws_sdk_s3::config::Builder::from(config)
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client())
            .retry_config(profile.retries())
            .timeout_config(profile.timeouts())
            .stalled_stream_protection(profile.stall_protection())
            // Bytes are compared with the digest that was stored beside them, over all parts.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .force_path_style(addressing == Addressing::InPath)
            .build();
        let client = Client::from_conf(config);
        let temporary = Temporary::default();
        Self { client, profile, owner: None, temporary, unfinished: Arc::default() }
    }

    /// The same store, which sends nothing to a bucket that is not this account's.
    #[must_use]
    pub fn owned_by(self, account: &str) -> Self {
        Self { owner: Some(account.to_owned()), ..self }
    }

    /// The same store, in which what is temporary has `tag`, written as `name=value`, for a rule of the bucket to find.
    #[must_use]
    pub fn tagging_temporary(self, tag: Option<&str>) -> Self {
        Self { temporary: Temporary { tag: tag.map(str::to_owned), ..self.temporary }, ..self }
    }

    fn object<'a>(&'a self, uri: &'a Uri) -> Result<Object<'a>> {
        match uri {
            Uri::S3 { .. } if self.client.config().region().is_none() => Err(Error::Refused {
                action: "reach",
                uri: uri.clone(),
                reason: "the region is not known: set AWS_REGION, or `region` in the profile"
                    .to_owned(),
            }),
            Uri::S3 { bucket, key } => {
                Ok(Object { bucket, key, uri, owner: self.owner.as_deref() })
            }
            Uri::File(_) => Err(Error::Elsewhere { uri: uri.clone(), store: "S3" }),
        }
    }

    /// Waits until what was given up half-way is taken back, at most for `limit`.
    pub async fn settle(&self, limit: Duration) {
        let mut unfinished = {
            let mut kept = self.unfinished.lock().expect("nothing panics while holding it");
            std::mem::take(&mut *kept)
        };
        let all = async { while unfinished.join_next().await.is_some() {} };
        let _in_time = tokio::time::timeout(limit, all).await;
        unfinished.detach_all();
    }

    /// What is known of the object at `uri`, or `None` if there is none.
    pub async fn head(&self, uri: &Uri) -> Result<Option<Stored>> {
        let Object { bucket, key, uri: _, owner } = self.object(uri)?;
        let request = self.client.head_object().bucket(bucket).key(key);
        let request = request.set_expected_bucket_owner(owner.map(str::to_owned));
        let head = match request.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => head,
            Err(error) => {
                return match explain(&error, "read the metadata of", uri) {
                    Error::Missing { .. } => Ok(None),
                    other => Err(other),
                };
            }
        };
        let mut labels: BTreeMap<_, _> = head.metadata.unwrap_or_default().into_iter().collect();
        let said = labels.remove(DIGEST);
        let bytes = head.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
        // The server has the digest of an object that came in one piece. If its writer said another one, whoever fetches
        // the object will refuse it: then nothing is known of it.
        let known = head.checksum_sha256.and_then(|sum| upload::from_base64(&sum));
        let sha256 = match (said, known, labels.remove(COPIED)) {
            (Some(said), Some(known), _) if said != known => None,
            // Nobody has read a copy but the server.
            (_, None, Some(_)) => None,
            (_, _, Some(expected)) if expected != bytes.to_string() => None,
            (said, known, _) => known.or(said),
        };
        Ok(Some(Stored {
            metadata: Metadata { sha256, labels },
            bytes,
            modified: head.last_modified.and_then(|time| SystemTime::try_from(time).ok()),
        }))
    }

    /// Stores a file like [`Store::put_file`], and counts in `sent` how far it is.
    pub async fn put_counted(
        &self,
        from: &Path,
        uri: &Uri,
        metadata: &Metadata,
        sent: &Sent,
    ) -> Result<()> {
        let to = Target {
            client: &self.client,
            object: self.object(uri)?,
            profile: self.profile,
            tag: self.temporary.tag.as_deref().filter(|_| self.temporary.applies),
            unfinished: &self.unfinished,
        };
        upload::upload(Source { path: from, sent }, to, metadata).await
    }

    /// Brings an object into a new file in `scratch`; one that arrives with another digest is asked for once more.
    async fn fetch(&self, uri: &Uri, scratch: &Path) -> Result<Fetched> {
        match self.fetch_once(uri, scratch).await {
            Err(Error::Digest { uri, actual, .. }) => {
                tracing::warn!(%uri, actual, "it arrived with another digest, once more");
                self.fetch_once(&uri, scratch).await
            }
            fetched => fetched,
        }
    }

    async fn fetch_once(&self, uri: &Uri, scratch: &Path) -> Result<Fetched> {
        let object = self.object(uri)?;
        let file =
            tempfile::Builder::new().prefix("fetched-").tempfile_in(scratch).map_err(|source| {
                Error::Scratch { action: "make a file in", path: scratch.to_owned(), source }
            })?;
        let metadata = download::download(&self.client, object, file.path()).await?;
        if let Some(expected) = metadata.sha256 {
            let actual = sha256_file(file.path()).await?;
            if actual != expected {
                return Err(Error::Digest { uri: uri.clone(), expected, actual });
            }
        }
        let (_file, path) = file.keep().map_err(|error| Error::Scratch {
            action: "keep a file in",
            path: scratch.to_owned(),
            source: error.error,
        })?;
        Ok(Fetched { path, unchecked_sha256: None, labels: metadata.labels })
    }

    /// Fetches and unpacks a tree that may be as large as `limits` say.
    pub async fn tree_within(&self, uri: &Uri, scratch: &Path, limits: Limits) -> Result<PathBuf> {
        self.unpacked(uri, scratch, limits, Links::Refused).await
    }

    async fn unpacked(
        &self,
        uri: &Uri,
        scratch: &Path,
        limits: Limits,
        links: Links,
    ) -> Result<PathBuf> {
        let packed = self.fetch(uri, scratch).await?.path;
        let scratch_error = |action, path: &Path| {
            let path = path.to_owned();
            move |source| Error::Scratch { action, path, source }
        };
        let tree = tempfile::Builder::new()
            .prefix("tree-")
            .tempdir_in(scratch)
            .map_err(scratch_error("make a directory in", scratch))?;
        archive::unpack(&packed, &uri.to_string(), tree.path(), limits, links).await?;
        tokio::fs::remove_file(&packed).await.map_err(scratch_error("remove", &packed))?;
        Ok(tree.keep())
    }
}

impl Store for S3Store {
    const TREE_SUFFIX: &'static str = ".tar.gz";

    async fn file(&self, uri: &Uri, scratch: &Path) -> Result<Fetched> {
        self.fetch(uri, scratch).await
    }

    async fn tree(&self, uri: &Uri, scratch: &Path) -> Result<PathBuf> {
        self.tree_within(uri, scratch, Limits::default()).await
    }

    async fn project(
        &self,
        uri: &Uri,
        scratch: &Path,
        left_out: &'static [&'static str],
    ) -> Result<PathBuf> {
        self.unpacked(uri, scratch, Limits::default(), Links::Followed { left_out }).await
    }

    fn temporary(&self) -> Self {
        let temporary = Temporary { applies: true, ..self.temporary.clone() };
        Self { temporary, ..self.clone() }
    }

    async fn metadata(&self, uri: &Uri) -> Result<Option<Metadata>> {
        Ok(self.head(uri).await?.map(|stored| stored.metadata))
    }

    async fn put_file(&self, from: &Path, uri: &Uri, metadata: &Metadata) -> Result<()> {
        self.put_counted(from, uri, metadata, &Sent::default()).await
    }

    async fn copy(
        &self,
        from: &Uri,
        to: &Uri,
        expected: &Expected,
        labels: &BTreeMap<String, String>,
    ) -> Result<()> {
        let tag = self.temporary.tag.as_deref().filter(|_| self.temporary.applies);
        let to_object = self.object(to)?;
        copy::copy(&self.client, self.object(from)?, to_object, tag, expected, labels).await?;
        let copied = self.head(to).await?.ok_or_else(|| Error::Missing { uri: to.clone() })?;
        let Expected { sha256, bytes } = expected;
        if copied.bytes != *bytes {
            let (uri, expected, actual) = (from.clone(), *bytes, copied.bytes);
            return Err(Error::Length { uri, expected, actual });
        }
        let actual = copied.metadata.sha256.unwrap_or_else(|| "another one".to_owned());
        if actual != *sha256 {
            return Err(Error::Digest { uri: from.clone(), expected: sha256.clone(), actual });
        }
        Ok(())
    }

    async fn put_tree(&self, from: &Path, uri: &Uri) -> Result<()> {
        let folder = from.parent().unwrap_or(Path::new("/"));
        let scratch = |source| Error::Scratch {
            action: "make a directory in",
            path: folder.to_owned(),
            source,
        };
        let dir = tempfile::Builder::new().prefix("packed-").tempdir_in(folder).map_err(scratch)?;
        let packed = dir.path().join("tree.tar.gz");
        archive::pack(from, &packed).await?;
        self.put_file(&packed, uri, &Metadata::default()).await
    }
}
