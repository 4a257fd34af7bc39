//! What an invocation is asked to do: the wire shapes, field for field, read by hand so that a refusal names the field.

use render::config::output::Format;
use serde_json::{Map, Value};
use store::Uri;

use crate::actions::fields::Fields;
use crate::error::{Error, Result};

pub(crate) use crate::actions::answer::Answer;

/// How deep an event may lie in what Step Functions wraps around it.
const MAX_DEPTH: usize = 4;

const ACTIONS: [&str; 3] = ["plan", "renderChunk", "assemble"];

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Plan {
        project: Uri,
        output_prefix: Uri,
        config: Map<String, Value>,
    },
    RenderChunk {
        plan: Uri,
        plan_hash: String,
        chunk_index: u32,
        output_prefix: Uri,
        format: Format,
    },
    Assemble {
        plan: Uri,
        chunks: Vec<Uri>,
        audio: Option<Uri>,
        output: Uri,
        format: Format,
        cfr: bool,
    },
}

/// What an invocation is called in logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Label {
    /// Empty if nobody knows it.
    pub(crate) action: &'static str,
    /// The execution this belongs to, if its sender says so.
    pub(crate) render_id: Option<String>,
    /// How often Step Functions has tried this before.
    pub(crate) attempt: Option<u64>,
    pub(crate) plan_hash: Option<String>,
    pub(crate) chunk: Option<u64>,
}

/// What is longer is no name that we gave.
const MAX_NAME_BYTES: usize = 128;

impl Label {
    /// What can be said of a payload, also of one that is no event.
    pub(crate) fn of(payload: &Value) -> Self {
        let action = |level: &Value| {
            ACTIONS.into_iter().find(|action| level["Action"].as_str() == Some(*action))
        };
        let mut level = payload;
        for _ in 0..MAX_DEPTH {
            let wrapped = ["Payload", "Input"].into_iter().find_map(|name| level.get(name));
            match wrapped {
                Some(wrapped) if action(level).is_none() => level = wrapped,
                _ => break,
            }
        }
        let name = |field: &str| {
            let text = level[field].as_str()?;
            Some(text[..text.floor_char_boundary(MAX_NAME_BYTES)].to_owned())
        };
        Self {
            action: action(level).unwrap_or_default(),
            render_id: name("RenderId"),
            attempt: level["Attempt"].as_u64(),
            plan_hash: name("PlanHash"),
            chunk: level["ChunkIndex"].as_u64(),
        }
    }
}

impl Event {
    /// Reads an event, which may be wrapped up to four levels deep in `Payload` or `Input`.
    pub(crate) fn parse(value: Value) -> Result<Self> {
        let mut fields = unwrap(value)?;
        let event = match fields.action()? {
            "plan" => plan(&mut fields),
            "renderChunk" => render_chunk(&mut fields),
            _ => assemble(&mut fields),
        }?;
        // Only the log speaks of these.
        fields.optional_text("RenderId")?;
        fields.optional_number("Attempt")?;
        Ok(event)
    }

    pub(crate) fn action(&self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::RenderChunk { .. } => "renderChunk",
            Self::Assemble { .. } => "assemble",
        }
    }

    /// Every place it names, with the field that names it.
    pub(crate) fn uris(&self) -> Vec<(String, &Uri)> {
        let named = |name: &str, uri| (name.to_owned(), uri);
        match self {
            Self::Plan { project, output_prefix, config: _ } => {
                vec![named("ProjectS3Uri", project), named("PlanOutputS3Prefix", output_prefix)]
            }
            Self::RenderChunk { plan, output_prefix, plan_hash: _, chunk_index: _, format: _ } => {
                vec![named("PlanS3Uri", plan), named("ChunkOutputS3Prefix", output_prefix)]
            }
            Self::Assemble { plan, chunks, audio, output, format: _, cfr: _ } => {
                let mut uris = vec![named("PlanS3Uri", plan), named("OutputS3Uri", output)];
                uris.extend(audio.iter().map(|uri| named("AudioS3Uri", uri)));
                let chunks = chunks.iter().enumerate();
                uris.extend(chunks.map(|(i, uri)| (format!("ChunkS3Uris[{i}]"), uri)));
                uris
            }
        }
    }
}

/// Finds the level that says what to do.
fn unwrap(value: Value) -> Result<Fields> {
    let mut fields = Fields::new(value, "")?;
    for _ in 0..MAX_DEPTH {
        if fields.is_action(&ACTIONS) {
            return Ok(fields);
        }
        let Some(wrapped) = fields.wrapped() else { break };
        fields = wrapped?;
    }
    if fields.is_action(&ACTIONS) {
        return Ok(fields);
    }
    Err(fields.wrong_action(&ACTIONS))
}

impl Fields {
    fn action(&mut self) -> Result<&'static str> {
        let action = self.text("Action")?;
        let known = ACTIONS.iter().find(|known| **known == action);
        known.copied().ok_or_else(|| self.wrong_action(&ACTIONS))
    }

    /// The plan of a chunk or of what is assembled.
    fn plan(&mut self) -> Result<Uri> {
        self.protocol()?;
        if self.has("PlanV2ManifestS3Uri") || self.has("PlanV2ArtifactS3Prefix") {
            return Err(unsupported("an event with a v2 manifest"));
        }
        if !self.has("PlanS3Uri") {
            return Err(unsupported("an event without PlanS3Uri"));
        }
        self.uri("PlanS3Uri")
    }

    fn protocol(&mut self) -> Result<()> {
        match self.take("PlanProtocol") {
            None => Ok(()),
            Some(Value::String(version)) if version == "v1" => Ok(()),
            Some(found) => Err(unsupported(&format!("PlanProtocol {found}"))),
        }
    }

    /// What the files are. The plan says so too, and decides.
    fn format(&mut self) -> Result<Format> {
        let Some(name) = self.optional_text("Format")? else { return Ok(Format::Mp4) };
        Format::from_name(&name).ok_or_else(|| {
            let known = Format::ALL.map(Format::name).join(", ");
            self.wrong("Format", &format!("must be one of {known}"), Some(&name.into()))
        })
    }

    fn cfr(&mut self) -> Result<bool> {
        Ok(self.optional_bool("Cfr")?.unwrap_or(false))
    }
}

fn unsupported(what: &str) -> Error {
    Error::Protocol { what: what.to_owned() }
}

fn plan(fields: &mut Fields) -> Result<Event> {
    fields.protocol()?;
    Ok(Event::Plan {
        project: fields.uri("ProjectS3Uri")?,
        output_prefix: fields.uri("PlanOutputS3Prefix")?,
        config: config(fields)?,
    })
}

/// What is to be made. Whoever asks for a constant frame rate at the end hears at once if that cannot be.
fn config(fields: &mut Fields) -> Result<Map<String, Value>> {
    let mut config = fields.object("Config")?;
    if fields.cfr()? {
        config.insert("cfr".to_owned(), true.into());
    }
    Ok(config)
}

fn render_chunk(fields: &mut Fields) -> Result<Event> {
    let plan = fields.plan()?;
    Ok(Event::RenderChunk {
        plan,
        format: fields.format()?,
        plan_hash: fields.sha256("PlanHash")?,
        chunk_index: fields.index("ChunkIndex")?,
        output_prefix: fields.uri("ChunkOutputS3Prefix")?,
    })
}

fn assemble(fields: &mut Fields) -> Result<Event> {
    let plan = fields.plan()?;
    let (format, cfr) = (fields.format()?, fields.cfr()?);
    if cfr && format != Format::Mp4 {
        let must = format!("must be false for {}", format.name());
        return Err(fields.wrong("Cfr", &must, Some(&cfr.into())));
    }
    let (chunks, output) = (fields.uris("ChunkS3Uris")?, fields.uri("OutputS3Uri")?);
    // What lies beside them would lie outside of where they seem to be.
    let is_folder = |uri: &Uri| matches!(uri, Uri::S3 { key, .. } if key.ends_with('/'));
    for (name, uri) in
        chunks.iter().map(|uri| ("ChunkS3Uris", uri)).chain([("OutputS3Uri", &output)])
    {
        if is_folder(uri) {
            let found = uri.to_string().into();
            return Err(fields.wrong(
                name,
                "must name objects, without a slash at the end",
                Some(&found),
            ));
        }
    }
    Ok(Event::Assemble {
        plan,
        format,
        cfr,
        chunks,
        audio: fields.optional_uri("AudioS3Uri")?,
        output,
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
