//! What is submitted, checked as far as it can be without a request: what the function would refuse is refused here.

use std::path::PathBuf;
use std::time::SystemTime;

use render::config::output::Format;
use serde_json::{Map, Value, json};
use store::{Limits, Uri};

use crate::actions::Event;
use crate::cli::args::SubmitArgs;
use crate::cli::config::settings;
use crate::cli::host::project_and_entry;
use crate::error::{Error, Result};
use crate::output::{check_side_outputs, output_path};
use crate::submit::deployment::{Deployment, no_deployment};
use crate::submit::naming::{Arn, checked_name, new_name};
use crate::submit::outcome::PACKED;
use crate::submit::project::Project;

/// Frames in a chunk: small enough to use a stack's width, large enough to be worth the start of a browser.
const CHUNK_SIZE: u32 = 240;

/// The most bytes that start an execution. Step Functions takes somewhat more, but what goes from state to state grows.
const MAX_INPUT_BYTES: usize = 200 << 10;

/// To hold one is to know that its project, its config and its URIs are valid.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) project: Project,
    config: Map<String, Value>,
    format: Format,
    pub(super) output: Option<PathBuf>,
    bucket: String,
    pub(super) state_machine: String,
    pub(super) memory_mib: Option<u32>,
    pub(super) log_group: Option<String>,
    pub(super) name: String,
    /// The name was generated for this submission, and no other render has it.
    pub(super) has_new_name: bool,
}

impl Submission {
    pub(super) async fn check(args: &SubmitArgs) -> Result<Self> {
        let (root, entry) = project_and_entry(&args.project)?;
        let given = args.output.as_deref();
        let mut config = args.config.config(&root, entry.as_deref(), CHUNK_SIZE, given)?;
        if let Some(capture) = args.capture {
            config.insert("capture".to_owned(), capture.name().into());
        }
        let settings = settings(&config)?;
        let format = settings.output.format;
        let output = given.map(|output| output_path(output, format)).transpose()?;
        if let Some(output) = &output {
            check_side_outputs(&settings, output)?;
        }
        let name = args.name.as_deref().or(args.idempotency_name.as_deref());
        let name = name.map(checked_name).transpose()?;
        // With both options, the file of a deployment is not needed.
        let needs_file = args.bucket.is_none() || args.state_machine.is_none();
        let found = match Deployment::find_for(&args.stack, &root) {
            Err(_unusable) if !needs_file && args.stack.deployment.is_none() => None,
            found => found?,
        };
        let limits = Limits::default();
        let project = Project::list(root, output.clone(), limits).await?;
        project.check(&settings.entry, limits)?;
        let of = |given: &Option<String>, named: fn(&Deployment) -> &String, argument| {
            let found = given.as_ref().or_else(|| found.as_ref().map(named));
            found.cloned().ok_or_else(|| no_deployment(argument))
        };
        let bucket = of(&args.bucket, |found| &found.bucket, "--bucket")?;
        let state_machine =
            of(&args.state_machine, |found| &found.state_machine, "--state-machine")?;
        // Those of another state machine's function are unknown.
        let found = found.filter(|found| found.state_machine == state_machine);
        let submission = Self {
            project,
            config,
            format,
            output,
            bucket,
            state_machine,
            memory_mib: args.stack.memory.or(found.as_ref().map(|found| found.memory_mib)),
            log_group: found.map(|found| found.log_group),
            has_new_name: name.is_none(),
            name: name.unwrap_or_else(|| new_name(SystemTime::now())),
        };
        submission.machine()?;
        // A project has its digest when it is packed, and all digests are of one length.
        check_events(&submission.input(&submission.project_uri(&"0".repeat(64))?, args)?, format)?;
        Ok(submission)
    }

    pub(super) fn machine(&self) -> Result<Arn<'_>> {
        Arn::parse(&self.state_machine, "stateMachine", "--state-machine")
    }

    /// Where a project of this digest is stored.
    pub(super) fn project_uri(&self, sha256: &str) -> Result<Uri> {
        Ok(self.uri("projects", &sha256[..32])?.join("project.tar.gz"))
    }

    fn uri(&self, area: &str, name: &str) -> Result<Uri> {
        let bucket = &self.bucket;
        Uri::parse(&format!("s3://{bucket}/{area}/{name}")).map_err(|_bad_bucket| Error::Argument {
            argument: format!("--bucket {bucket}"),
            reason: "is not the name of a bucket".to_owned(),
        })
    }

    /// The input of the execution, which has a maximum length.
    pub(super) fn input(&self, project: &Uri, args: &SubmitArgs) -> Result<Value> {
        let ending = self.format.extension().map(|ending| format!(".{ending}"));
        let name = format!("output{}", ending.as_deref().unwrap_or(PACKED));
        let mut input = json!({
            "ProjectS3Uri": project,
            "PlanOutputS3Prefix": self.uri("work", &self.name)?,
            "OutputS3Uri": self.uri("outputs", &self.name)?.join(&name),
            "Config": self.config,
        });
        if let Some(most) = args.max_concurrency {
            input["MaxConcurrency"] = most.into();
        }
        let length = input.to_string().len();
        if length > MAX_INPUT_BYTES {
            return Err(Error::Argument {
                argument: "--variables".to_owned(),
                reason: format!(
                    "with them, the input of the render has {length} bytes, and at most {MAX_INPUT_BYTES} are taken"
                ),
            });
        }
        Ok(input)
    }
}

/// Reads the events that the state machine will make of `input`, as the function will: it refuses some that are well-formed.
fn check_events(input: &Value, format: Format) -> Result<()> {
    let plan = json!({
        "Action": "plan",
        "ProjectS3Uri": input["ProjectS3Uri"],
        "PlanOutputS3Prefix": input["PlanOutputS3Prefix"],
        "Config": input["Config"],
    });
    let assemble = json!({
        "Action": "assemble",
        "PlanS3Uri": input["ProjectS3Uri"],
        "ChunkS3Uris": [],
        "OutputS3Uri": input["OutputS3Uri"],
        "Format": format.name(),
    });
    [plan, assemble].into_iter().try_for_each(|event| Event::parse(event).map(drop))
}
