//! What an invocation is asked to do: the wire shapes, field for field, read by hand so that a refusal names the field.

mod answer;
mod fields;

use serde_json::{Map, Value};
use store::Uri;

use crate::error::{Error, Result};
use crate::event::fields::Fields;

pub(crate) use answer::Answer;

/// How deep an event may lie in what Step Functions wraps around it.
const DEEPEST: usize = 4;

const ACTIONS: [&str; 3] = ["plan", "renderChunk", "assemble"];

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Plan { project: Uri, output_prefix: Uri, config: Map<String, Value> },
    RenderChunk { plan: Uri, plan_hash: String, chunk_index: u32, output_prefix: Uri },
    Assemble { plan: Uri, chunks: Vec<Uri>, audio: Option<Uri>, output: Uri },
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
const LONGEST_NAME: usize = 128;

impl Label {
    /// What can be said of a payload, also of one that is no event.
    pub(crate) fn of(payload: &Value) -> Self {
        let action = |level: &Value| {
            ACTIONS.into_iter().find(|action| level["Action"].as_str() == Some(*action))
        };
        let mut level = payload;
        for _ in 0..DEEPEST {
            let wrapped = ["Payload", "Input"].into_iter().find_map(|name| level.get(name));
            match wrapped {
                Some(wrapped) if action(level).is_none() => level = wrapped,
                _ => break,
            }
        }
        let name = |field: &str| {
            let text = level[field].as_str()?;
            Some(text[..text.floor_char_boundary(LONGEST_NAME)].to_owned())
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
            Self::RenderChunk { plan, output_prefix, plan_hash: _, chunk_index: _ } => {
                vec![named("PlanS3Uri", plan), named("ChunkOutputS3Prefix", output_prefix)]
            }
            Self::Assemble { plan, chunks, audio, output } => {
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
    for _ in 0..DEEPEST {
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

    /// The format is in the plan; an event that names another one is a mistake.
    fn format(&mut self) -> Result<()> {
        const KNOWN: [&str; 4] = ["mov", "png-sequence", "webm", "gif"];
        match self.optional_text("Format")?.as_deref() {
            None | Some("mp4") => Ok(()),
            Some(known) if KNOWN.contains(&known) => Err(render::Error::Unsupported {
                what: format!("Format \"{known}\""),
                reason: "this version makes mp4",
            }
            .into()),
            Some(other) => Err(self.wrong("Format", "must be mp4", Some(&other.into()))),
        }
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
        config: fields.object("Config")?,
    })
}

fn render_chunk(fields: &mut Fields) -> Result<Event> {
    let plan = fields.plan()?;
    fields.format()?;
    Ok(Event::RenderChunk {
        plan,
        plan_hash: fields.sha256("PlanHash")?,
        chunk_index: fields.index("ChunkIndex")?,
        output_prefix: fields.uri("ChunkOutputS3Prefix")?,
    })
}

fn assemble(fields: &mut Fields) -> Result<Event> {
    let plan = fields.plan()?;
    fields.format()?;
    if fields.optional_bool("Cfr")? == Some(true) {
        let what = "Cfr".to_owned();
        let reason = "this version joins chunks without encoding them again";
        return Err(render::Error::Unsupported { what, reason }.into());
    }
    Ok(Event::Assemble {
        plan,
        chunks: fields.uris("ChunkS3Uris")?,
        audio: fields.optional_uri("AudioS3Uri")?,
        output: fields.uri("OutputS3Uri")?,
    })
}

#[cfg(test)]
mod tests;
