//! What an invocation is asked to do, and what it answers: the wire shapes, field for field.

use render::chunk::ChunkReport;
use serde::Serialize;
use serde_json::{Map, Value};
use store::Uri;

use crate::error::{Error, Result};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Plan { project: Uri, output_prefix: Uri, config: Map<String, Value> },
    RenderChunk { plan: Uri, plan_hash: String, chunk_index: u32, output_prefix: Uri },
    Assemble { plan: Uri, chunks: Vec<Uri>, output: Uri },
}

#[derive(Debug, Serialize)]
#[serde(tag = "Action")]
pub(crate) enum Answer {
    #[serde(rename = "plan", rename_all = "PascalCase")]
    Plan {
        #[serde(rename = "PlanS3Uri")]
        plan_uri: String,
        plan_hash: String,
        chunk_count: usize,
        total_frames: u32,
        fps: f64,
        width: u32,
        height: u32,
        format: &'static str,
        has_audio: bool,
        #[serde(rename = "AudioS3Uri")]
        audio_uri: Option<String>,
        ffmpeg_version: String,
        producer_version: &'static str,
        duration_ms: u64,
        /// For the caller on this machine; no part of the answer.
        #[serde(skip)]
        warnings: Vec<String>,
        #[serde(skip)]
        seconds: f64,
    },
    #[serde(rename = "renderChunk", rename_all = "PascalCase")]
    RenderChunk {
        #[serde(rename = "ChunkS3Uri")]
        chunk_uri: String,
        chunk_index: u32,
        sha256: String,
        frames_encoded: u32,
        capture_mode: &'static str,
        duration_ms: u64,
        #[serde(skip)]
        report: Box<ChunkReport>,
    },
    #[serde(rename = "assemble", rename_all = "PascalCase")]
    Assemble {
        #[serde(rename = "OutputS3Uri")]
        output_uri: String,
        frames_encoded: u32,
        file_size: u64,
        duration_ms: u64,
    },
}

impl Event {
    /// Reads an event; a refusal names the field.
    pub(crate) fn parse(mut fields: Map<String, Value>) -> Result<Self> {
        let action = text(&mut fields, "Action")?;
        match fields.remove("PlanProtocol").as_ref().and_then(Value::as_str) {
            None | Some("v1") => {}
            Some(found) => {
                return Err(render::Error::PlanProtocol { found: found.to_owned() }.into());
            }
        }
        match action.as_str() {
            "plan" => Ok(Self::Plan {
                project: uri(&mut fields, "ProjectS3Uri")?,
                output_prefix: uri(&mut fields, "PlanOutputS3Prefix")?,
                config: match fields.remove("Config") {
                    Some(Value::Object(config)) => config,
                    other => return wrong("Config", "must be an object", other.as_ref()),
                },
            }),
            "renderChunk" => Ok(Self::RenderChunk {
                plan: uri(&mut fields, "PlanS3Uri")?,
                plan_hash: text(&mut fields, "PlanHash")?,
                chunk_index: match fields.remove("ChunkIndex") {
                    Some(value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
                        Some(index) => index,
                        None => return wrong("ChunkIndex", "must be a whole number", Some(&value)),
                    },
                    None => return wrong("ChunkIndex", "must be a whole number", None),
                },
                output_prefix: uri(&mut fields, "ChunkOutputS3Prefix")?,
            }),
            "assemble" => Ok(Self::Assemble {
                plan: uri(&mut fields, "PlanS3Uri")?,
                chunks: match fields.remove("ChunkS3Uris") {
                    Some(Value::Array(uris)) => uris
                        .into_iter()
                        .enumerate()
                        .map(|(i, value)| parse_uri(&format!("ChunkS3Uris[{i}]"), Some(&value)))
                        .collect::<Result<_>>()?,
                    other => return wrong("ChunkS3Uris", "must be a list of URIs", other.as_ref()),
                },
                output: uri(&mut fields, "OutputS3Uri")?,
            }),
            other => wrong("Action", "must be plan, renderChunk or assemble", Some(&other.into())),
        }
    }
}

fn wrong<T>(field: &str, must: &str, found: Option<&Value>) -> Result<T> {
    let found = found.map_or_else(|| "it is missing".to_owned(), |value| format!("not {value}"));
    Err(Error::Event { field: field.to_owned(), reason: format!("{must}, {found}") })
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        other => wrong(name, "must be a string", other.as_ref()),
    }
}

fn uri(fields: &mut Map<String, Value>, name: &str) -> Result<Uri> {
    parse_uri(name, fields.remove(name).as_ref())
}

fn parse_uri(name: &str, value: Option<&Value>) -> Result<Uri> {
    match value {
        Some(Value::String(text)) => Ok(Uri::parse(text)?),
        other => wrong(name, "must be a URI", other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bad_event_is_refused_with_the_path_of_its_field() {
        let valid = json!({"Action": "renderChunk", "PlanS3Uri": "file:///p", "PlanHash": "h", "ChunkIndex": 0, "ChunkOutputS3Prefix": "file:///o"});
        for (name, value, expected) in [
            (
                "Action",
                json!("render"),
                "event: Action must be plan, renderChunk or assemble, not \"render\"",
            ),
            ("ChunkIndex", json!(-1), "event: ChunkIndex must be a whole number, not -1"),
            ("PlanHash", Value::Null, "event: PlanHash must be a string, not null"),
            ("PlanS3Uri", json!(7), "event: PlanS3Uri must be a URI, not 7"),
        ] {
            let mut event = valid.as_object().unwrap().clone();
            event.insert(name.to_owned(), value);
            assert_eq!(Event::parse(event).unwrap_err().to_string(), expected);
        }
        assert!(Event::parse(valid.as_object().unwrap().clone()).is_ok());
    }

    #[test]
    fn another_plan_protocol_is_refused_by_its_name() {
        let event = json!({"Action": "plan", "PlanProtocol": "v2"});
        let error = Event::parse(event.as_object().unwrap().clone()).unwrap_err();
        assert_eq!(error.code().to_string(), "PLAN_PROTOCOL_UNSUPPORTED");
    }
}
