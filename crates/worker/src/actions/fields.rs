//! The fields of one JSON object, taken out one by one; each refusal says where the field is and what it should be.

use serde_json::{Map, Value};
use store::Uri;

use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    /// Where the object lies, such as `Payload.`.
    path: String,
}

impl Fields {
    pub(super) fn new(value: Value, path: &str) -> Result<Self> {
        match value {
            Value::Object(map) => Ok(Self { map, path: path.to_owned() }),
            other => Err(Error::Event {
                field: if path.is_empty() {
                    "it".to_owned()
                } else {
                    path.trim_end_matches('.').to_owned()
                },
                reason: format!("must be a JSON object, not {}", shown(&other)),
            }),
        }
    }

    pub(super) fn is_action(&self, actions: &[&str]) -> bool {
        let action = self.map.get("Action").and_then(Value::as_str);
        action.is_some_and(|action| actions.contains(&action))
    }

    /// What is wrapped in this object, if it looks like a wrapping.
    pub(super) fn wrapped(&mut self) -> Option<Result<Self>> {
        let name = ["Payload", "Input"].into_iter().find(|name| self.has(name))?;
        let value = self.take(name)?;
        Some(Self::new(value, &format!("{}{name}.", self.path)))
    }

    pub(super) fn wrong_action(&self, actions: &[&str]) -> Error {
        let must = format!("must be {}", actions.join(", "));
        self.wrong("Action", &must, self.map.get("Action"))
    }

    pub(super) fn wrong(&self, name: &str, must: &str, found: Option<&Value>) -> Error {
        let found = found
            .map_or_else(|| "it is missing".to_owned(), |value| format!("not {}", shown(value)));
        Error::Event { field: format!("{}{name}", self.path), reason: format!("{must}, {found}") }
    }

    /// Whether the field is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// The field, unless it is absent or null.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        match self.map.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            other => Err(self.wrong(name, "must be a string", other)),
        }
    }

    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        if self.has(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    pub(super) fn optional_number(&mut self, name: &str) -> Result<Option<u64>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(name, "must be a whole number", Some(&value))),
            },
        }
    }

    pub(super) fn optional_bool(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(self.wrong(name, "must be true or false", Some(&other))),
        }
    }

    pub(super) fn index(&mut self, name: &str) -> Result<u32> {
        let value = self.take(name);
        let index = value.as_ref().and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        index.ok_or_else(|| self.wrong(name, "must be a whole number", value.as_ref()))
    }

    pub(super) fn sha256(&mut self, name: &str) -> Result<String> {
        let text = self.text(name)?;
        let is_digest = text.len() == 64
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_digest {
            Ok(text)
        } else {
            Err(self.wrong(name, "must be 64 lower-case hexadecimal digits", Some(&text.into())))
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Map<String, Value>> {
        match self.take(name) {
            Some(Value::Object(map)) => Ok(map),
            other => Err(self.wrong(name, "must be an object", other.as_ref())),
        }
    }

    pub(super) fn uri(&mut self, name: &str) -> Result<Uri> {
        let value = self.take(name);
        self.read_uri(name, value.as_ref())
    }

    pub(super) fn optional_uri(&mut self, name: &str) -> Result<Option<Uri>> {
        if self.has(name) { self.uri(name).map(Some) } else { Ok(None) }
    }

    pub(super) fn uris(&mut self, name: &str) -> Result<Vec<Uri>> {
        match self.take(name) {
            Some(Value::Array(values)) => {
                let named = values.iter().enumerate();
                named
                    .map(|(i, value)| self.read_uri(&format!("{name}[{i}]"), Some(value)))
                    .collect()
            }
            other => Err(self.wrong(name, "must be a list of URIs", other.as_ref())),
        }
    }

    fn read_uri(&self, name: &str, value: Option<&Value>) -> Result<Uri> {
        let Some(Value::String(text)) = value else {
            return Err(self.wrong(name, "must be a URI", value));
        };
        Uri::parse(text).map_err(|error| Error::Event {
            field: format!("{}{name}", self.path),
            reason: error.to_string(),
        })
    }
}

/// A value as it may stand in a message: its beginning, if it is long.
fn shown(value: &Value) -> String {
    const MAX_SHOWN_BYTES: usize = 80;
    let text = value.to_string();
    let end = text.floor_char_boundary(MAX_SHOWN_BYTES);
    if end < text.len() { format!("{}…", &text[..end]) } else { text }
}
