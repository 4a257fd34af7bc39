//! The plan protocols that events speak: v1, where an event names a plan's archive, and v2, where it names a manifest and a prefix
//! of artifacts. Both lead to the same archive.

use serde::Deserialize;
use serde_json::{Value, json};
use store::Uri;

use crate::actions::fields::{self, Fields};
use crate::error::{Error, Result};

/// Below a plan's prefix: what v2 locators name. Upstream's worker has the same names.
const MANIFEST: &str = "v2/manifest.json";
const ARTIFACTS: &str = "v2/artifacts/sha256";

/// What an event says that it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Nothing: an answer names its plan in both ways.
    Unsaid,
    V1,
    V2,
}

/// Where an event says that its plan is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PlanLocation {
    Archive(Uri),
    /// The locators of v2, and the archive that they stand for.
    Manifest {
        manifest: Uri,
        artifacts: Uri,
        archive: Uri,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(rename = "PlanS3Uri", default, deserialize_with = "fields::some_uri")]
    archive: Option<Uri>,
    #[serde(rename = "PlanV2ManifestS3Uri", default, deserialize_with = "fields::some_uri")]
    manifest: Option<Uri>,
    #[serde(rename = "PlanV2ArtifactS3Prefix", default, deserialize_with = "fields::some_uri")]
    artifacts: Option<Uri>,
}

impl Protocol {
    pub(super) fn read(fields: &Fields) -> Result<Self> {
        match fields.get("PlanProtocol") {
            None => Ok(Self::Unsaid),
            Some(version) if version == "v1" => Ok(Self::V1),
            Some(version) if version == "v2" => Ok(Self::V2),
            Some(version) => Err(unsupported(&format!("PlanProtocol {version}"))),
        }
    }
}

impl PlanLocation {
    /// Reads where the plan is from an event that needs one, in the only way that its protocol has for that.
    pub(super) fn read(fields: &Fields) -> Result<Self> {
        let protocol = Protocol::read(fields)?;
        let Wire { archive, manifest, artifacts } = fields.read()?;
        match (protocol, archive, manifest, artifacts) {
            (Protocol::Unsaid | Protocol::V1, Some(archive), None, None) => {
                Ok(Self::Archive(archive))
            }
            (Protocol::Unsaid | Protocol::V2, None, Some(manifest), Some(artifacts)) => {
                Self::behind(manifest, artifacts)
            }
            (Protocol::Unsaid | Protocol::V1, None, None, None) => {
                Err(unsupported("an event without PlanS3Uri"))
            }
            (Protocol::Unsaid | Protocol::V2, None, ..) => {
                Err(unsupported("an event with only one of the locators of v2, or none"))
            }
            (Protocol::V1, _, _, _) => Err(unsupported("a v1 event with locators of v2")),
            (_, Some(_), _, _) => Err(unsupported("a v2 event with PlanS3Uri")),
        }
    }

    /// The plan behind the locators of v2, whose names say where it lies.
    fn behind(manifest: Uri, artifacts: Uri) -> Result<Self> {
        let prefix = |uri: &Uri, name: &str| match uri {
            Uri::S3 { bucket, key } => {
                let prefix = key.trim_end_matches('/').strip_suffix(name)?.strip_suffix('/')?;
                let key = prefix.to_owned();
                (!prefix.is_empty()).then(|| Uri::S3 { bucket: bucket.clone(), key })
            }
            Uri::File(path) => {
                let is_so = path.ends_with(name);
                let depth = name.split('/').count();
                is_so.then(|| path.ancestors().nth(depth).map(|dir| Uri::File(dir.to_owned())))?
            }
        };
        match (prefix(&manifest, MANIFEST), prefix(&artifacts, ARTIFACTS)) {
            (Some(prefix), Some(other)) if prefix == other => {
                let archive = prefix.join(archive_name(&prefix));
                Ok(Self::Manifest { manifest, artifacts, archive })
            }
            _ => Err(unsupported(&format!(
                "a plan whose locators are not PREFIX/{MANIFEST} and PREFIX/{ARTIFACTS}"
            ))),
        }
    }

    /// The tree or archive with the plan's files.
    pub(crate) fn archive(&self) -> &Uri {
        match self {
            Self::Archive(archive) | Self::Manifest { archive, .. } => archive,
        }
    }

    /// What was named, by its field, and what is read.
    pub(super) fn uris(&self) -> Vec<(String, &Uri)> {
        let named = |name: &str, uri| (name.to_owned(), uri);
        match self {
            Self::Archive(archive) => vec![named("PlanS3Uri", archive)],
            Self::Manifest { manifest, artifacts, archive } => vec![
                named("PlanV2ManifestS3Uri", manifest),
                named("PlanV2ArtifactS3Prefix", artifacts),
                named("PlanV2ManifestS3Uri", archive),
            ],
        }
    }

    /// The error for a plan that could not be fetched: behind locators of v2 that name none of ours lies a plan of another worker.
    pub(super) fn explain(&self, error: store::Error) -> Error {
        match (self, error) {
            (Self::Manifest { manifest, .. }, store::Error::Missing { .. }) => unsupported(
                &format!("the plan of {manifest}, which is missing or another worker's"),
            ),
            (_, error) => error.into(),
        }
    }
}

/// What a plan's tree is called below its prefix.
fn archive_name(prefix: &Uri) -> &'static str {
    match prefix {
        Uri::S3 { .. } => "plan.tar.gz",
        Uri::File(_) => "plan",
    }
}

/// The locators of v2 for a plan below `prefix`.
pub(super) fn locators(prefix: &Uri) -> (Uri, Uri) {
    (prefix.join(MANIFEST), prefix.join(ARTIFACTS))
}

/// What lies under the manifest's name: for people, since workers go by the names.
pub(super) fn manifest(plan_hash: &str) -> Value {
    json!({ "protocol": archive_protocol(), "planHash": plan_hash, "archive": "../plan.tar.gz" })
}

fn directory_protocol() -> Value {
    json!({
        "schemaVersion": 1, "artifactLayout": "plan-dir-v1", "hashSchema": "hyperframes-plan-hash-v1",
    })
}

/// Not upstream's second layout, whose artifacts are single files.
fn archive_protocol() -> Value {
    json!({
        "schemaVersion": 2, "artifactLayout": "framewright-plan-archive-v1",
        "hashSchema": "hyperframes-plan-hash-v1",
    })
}

/// Which plans this worker makes and takes, in the shape of upstream's descriptor.
pub(crate) fn capabilities() -> Value {
    let plans = json!([directory_protocol(), archive_protocol()]);
    let takes = json!({ "accepts": plans, "acceptsLegacyV1WithoutDescriptor": true });
    json!({ "roles": { "planner": { "produces": plans }, "chunk": takes, "assembler": takes } })
}

fn unsupported(what: &str) -> Error {
    Error::Protocol { what: what.to_owned() }
}
