//! Taking a config apart, field by field, so that what is left over is unknown.

use std::path::{Component, Path};
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::config::resolution::Resolution;
use crate::error::{Error, Result, refuse_config as refuse};
use crate::frame::Fps;

/// The fields of a config that nobody has read yet.
pub(super) struct Fields {
    rest: Map<String, Value>,
    /// The names that were asked for: those that are known.
    known: Vec<&'static str>,
}

impl Fields {
    pub(super) fn of(config: &Map<String, Value>) -> Self {
        Self { rest: config.clone(), known: Vec::new() }
    }

    /// A field that is there and not `null`.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.rest.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => refuse(name, format!("must be a string, not {other}")),
        }
    }

    pub(super) fn bool(&mut self, name: &'static str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => refuse(name, format!("must be true or false, not {other}")),
        }
    }

    pub(super) fn int(&mut self, name: &'static str, min: u32, max: u32) -> Result<Option<u32>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let whole = value.as_u64().or_else(|| value.as_f64().and_then(whole));
        match whole.and_then(|n| u32::try_from(n).ok()).filter(|n| (min..=max).contains(n)) {
            Some(n) => Ok(Some(n)),
            None => {
                refuse(name, format!("must be a whole number from {min} to {max}, not {value}"))
            }
        }
    }

    pub(super) fn bytes(&mut self, name: &'static str) -> Result<Option<u64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_u64().filter(|n| *n > 0) {
            Some(n) => Ok(Some(n)),
            None => refuse(name, format!("must be a number of bytes above 0, not {value}")),
        }
    }

    pub(super) fn choice(
        &mut self,
        name: &'static str,
        allowed: &[&str],
    ) -> Result<Option<String>> {
        match self.text(name)? {
            Some(text) if !allowed.contains(&text.as_str()) => {
                refuse(name, format!("must be one of {}, not \"{text}\"", allowed.join(", ")))
            }
            other => Ok(other),
        }
    }

    pub(super) fn ban_gpu(&mut self) -> Result<()> {
        let Some(engine) = self.take("engineConfig") else { return Ok(()) };
        let Value::Object(engine) = engine else {
            return refuse("engineConfig", "must be an object");
        };
        let hardware = engine.get("browserGpuMode").is_some_and(|mode| mode == "hardware")
            || engine.get("useGpu").is_some_and(|gpu| gpu == true);
        if hardware {
            let reason = "a GPU draws other pixels than the workers, which have none";
            return Err(Error::Unsupported { what: "a hardware GPU".into(), reason });
        }
        Ok(())
    }

    pub(super) fn ban_hdr(&mut self) -> Result<()> {
        let mode = self.choice("hdrMode", &["auto", "force-sdr", "force-hdr"])?;
        if mode.as_deref() == Some("force-hdr") {
            let reason = "only SDR output can be joined";
            return Err(Error::Unsupported { what: "hdrMode force-hdr".into(), reason });
        }
        Ok(())
    }

    pub(super) fn fps(&mut self) -> Result<Option<Fps>> {
        let Some(value) = self.take("fps") else { return Ok(None) };
        let fps = match &value {
            Value::Number(number) => number.as_f64().and_then(Fps::from_number),
            Value::String(text) => text.parse().ok(),
            Value::Object(ratio) => {
                let part = |name| {
                    ratio.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
                };
                part("num").zip(part("den")).and_then(|(num, den)| Fps::exact(num, den))
            }
            _ => None,
        };
        match fps {
            Some(fps) => Ok(Some(fps)),
            None => refuse("fps", format!("must be {}, not {value}", Fps::SUPPORTED)),
        }
    }

    /// A field that is read from text; a number is its own text.
    pub(super) fn parsed<T: FromStr>(
        &mut self,
        name: &'static str,
        shape: &str,
    ) -> Result<Option<T>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match text.parse() {
            Ok(read) => Ok(Some(read)),
            Err(_unreadable) => refuse(name, format!("must be {shape}, not {value}")),
        }
    }

    /// The shorter side of the preview, in pixels.
    pub(super) fn preview(&mut self) -> Result<Option<u32>> {
        let Some(text) = self.text("preview")? else { return Ok(None) };
        let side = text.strip_suffix('p').and_then(|side| side.parse().ok());
        match side.filter(|side| (64..=2160).contains(side) && side % 2 == 0) {
            Some(side) => Ok(Some(side)),
            None => refuse(
                "preview",
                format!("must be an even height from 64p to 2160p such as 540p, not \"{text}\""),
            ),
        }
    }

    pub(super) fn entry(&mut self) -> Result<String> {
        let entry = self.text("entryFile")?.unwrap_or_else(|| "index.html".to_owned());
        let inside =
            Path::new(&entry).components().all(|part| matches!(part, Component::Normal(_)));
        if entry.is_empty() || !inside || entry.contains('\\') {
            return refuse(
                "entryFile",
                format!("must be a path inside the project, not \"{entry}\""),
            );
        }
        Ok(entry)
    }

    pub(super) fn resolution(&mut self) -> Result<Option<Resolution>> {
        let turns = self.bool("outputResolutionAspectAgnostic")?.unwrap_or(false);
        match self.take("outputResolution") {
            None | Some(Value::Bool(false)) => Ok(None),
            Some(Value::String(name)) => Resolution::named(&name, turns).map(Some),
            Some(other) => refuse("outputResolution", format!("must be a name, not {other}")),
        }
    }

    pub(super) fn variables(&mut self) -> Result<Option<Map<String, Value>>> {
        match self.take("variables") {
            None => Ok(None),
            Some(Value::Object(variables)) => Ok(Some(variables)),
            Some(other) => refuse("variables", format!("must be an object, not {other}")),
        }
    }

    pub(super) fn nothing_left(self) -> Result<()> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(key) => refuse(key, format!("is unknown; known are {}", self.known.join(", "))),
        }
    }
}

/// The whole number that a float of a JSON text stands for, as in `240.0`.
fn whole(value: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    (value.fract() == 0.0 && (0.0..9e15).contains(&value)).then_some(value as u64)
}
