//! The plan protocol that events speak: v1, where a plan is one archive.

use crate::actions::fields::Fields;
use crate::error::{Error, Result};

/// Refuses a plan protocol other than v1.
pub(super) fn check_protocol(fields: &Fields) -> Result<()> {
    match fields.get("PlanProtocol") {
        None => Ok(()),
        Some(version) if version == "v1" => Ok(()),
        Some(version) => Err(unsupported(&format!("PlanProtocol {version}"))),
    }
}

/// The same for an event that needs a plan, which v1 has in one archive.
pub(super) fn check_plan_protocol(fields: &Fields) -> Result<()> {
    check_protocol(fields)?;
    let has = |name| fields.get(name).is_some();
    if has("PlanV2ManifestS3Uri") || has("PlanV2ArtifactS3Prefix") {
        return Err(unsupported("an event with a v2 manifest"));
    }
    if !has("PlanS3Uri") {
        return Err(unsupported("an event without PlanS3Uri"));
    }
    Ok(())
}

fn unsupported(what: &str) -> Error {
    Error::Protocol { what: what.to_owned() }
}
