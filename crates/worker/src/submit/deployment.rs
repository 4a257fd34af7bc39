//! Where renders run: what `scripts/deploy.sh` wrote of a stack, or what the command line says instead.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::cli::args::DeploymentArgs;
use crate::error::{Error, Result};

const DEFAULT_FILE: &str = ".framewright/framewright.json";

/// What the file of a deployment says. Every field is there, or the file is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployment {
    pub(super) bucket: String,
    pub(super) state_machine: String,
    pub(super) memory_mib: u32,
    pub(super) log_group: String,
}

impl Deployment {
    /// The deployment that `args` name, or the usual one if there is one.
    pub(super) fn find(args: &DeploymentArgs) -> Result<Option<Self>> {
        match &args.deployment {
            Some(file) => Self::read(file).map(Some),
            None if Path::new(DEFAULT_FILE).exists() => {
                Self::read(Path::new(DEFAULT_FILE)).map(Some)
            }
            None => Ok(None),
        }
    }

    /// The same for the project at `root`. The usual file is not taken if it comes with the project: whoever wrote that
    /// does not say where it goes.
    pub(super) fn find_for(args: &DeploymentArgs, root: &Path) -> Result<Option<Self>> {
        let here = std::fs::canonicalize(".").unwrap_or_default();
        let file = std::fs::canonicalize(DEFAULT_FILE);
        let is_in_project = |file: &PathBuf| here.starts_with(root) || file.starts_with(root);
        match file {
            Ok(file) if args.deployment.is_none() && is_in_project(&file) => {
                let reason = "is in the project that would be sent: name the deployment to use, such as this one";
                Err(refused(Path::new(DEFAULT_FILE), reason))
            }
            _ => Self::find(args),
        }
    }

    fn read(file: &Path) -> Result<Self> {
        let bad = |reason: String| refused(file, &reason);
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(bad("is not there: run scripts/deploy.sh first".to_owned()));
            }
            Err(error) => return Err(bad(format!("cannot be read: {error}"))),
        };
        let map: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
            bad(format!("is not a JSON object: {error}; run scripts/deploy.sh again"))
        })?;
        let field = |name: &str| match map.get(name).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(bad(format!("has no {name}: run scripts/deploy.sh again"))),
        };
        let memory = field("FunctionMemoryMiB")?;
        Ok(Self {
            bucket: field("BucketName")?,
            state_machine: field("StateMachineArn")?,
            memory_mib: memory.parse().map_err(|_not_a_number| {
                bad(format!("FunctionMemoryMiB must be a number, not \"{memory}\": run scripts/deploy.sh again"))
            })?,
            log_group: field("FunctionLogGroup")?,
        })
    }
}

/// There is neither a deployment nor the arguments that replace it.
pub(super) fn no_deployment(argument: &str) -> Error {
    let reason = format!("is not there, and {argument} is not given: run scripts/deploy.sh first");
    Error::Argument { argument: shown(Path::new(DEFAULT_FILE)), reason }
}

fn refused(file: &Path, reason: &str) -> Error {
    Error::Argument { argument: shown(file), reason: reason.to_owned() }
}

fn shown(file: &Path) -> String {
    format!("--deployment {}", file.display())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(content: &str) -> Result<Deployment> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Deployment::read(file.path())
    }

    #[test]
    fn a_deployment_is_refused_by_its_file_and_field() {
        let whole = json!({
            "BucketName": "bucket", "StateMachineArn": "arn", "FunctionMemoryMiB": "4096",
            "FunctionLogGroup": "/aws/lambda/x", "Region": "us-east-1", "Later": "more",
        });
        let found = read(&whole.to_string()).unwrap();
        assert_eq!((found.bucket.as_str(), found.memory_mib), ("bucket", 4096));
        for field in ["BucketName", "StateMachineArn", "FunctionMemoryMiB", "FunctionLogGroup"] {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(field);
            let error = read(&part.to_string()).unwrap_err().to_string();
            assert!(error.contains(&format!("has no {field}: run scripts/deploy.sh")), "{error}");
        }
        let mut wrong = whole.clone();
        wrong["FunctionMemoryMiB"] = "much".into();
        let error = read(&wrong.to_string()).unwrap_err().to_string();
        assert!(error.contains("FunctionMemoryMiB must be a number"), "{error}");
        let error = read("{").unwrap_err().to_string();
        assert!(error.contains("is not a JSON object"), "{error}");
        let absent = Deployment::read(Path::new("/nonexistent/x.json")).unwrap_err().to_string();
        assert_eq!(
            absent,
            "--deployment /nonexistent/x.json: is not there: run scripts/deploy.sh first"
        );
    }
}
