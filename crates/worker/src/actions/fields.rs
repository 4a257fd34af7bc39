//! The fields of an event, read so that a refusal says where the field is and what it should be.

use render::config::output::Format;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use store::Uri;

use crate::error::{Error, Result};

/// The fields that are there and not null.
#[derive(Debug)]
pub(super) struct Fields {
    object: Value,
    /// The path of the object, such as `Payload.`.
    pub(super) path: String,
}

impl Fields {
    pub(super) fn new(value: Value, path: &str) -> Result<Self> {
        match value {
            Value::Object(mut map) => {
                map.retain(|_, value| !value.is_null());
                Ok(Self { object: Value::Object(map), path: path.to_owned() })
            }
            other => Err(Error::Event {
                field: named(path),
                reason: format!("must be a JSON object, not {}", shown(&other)),
            }),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name)
    }

    pub(super) fn wrong(&self, name: &str, must: &str) -> Error {
        let found = self
            .get(name)
            .map_or_else(|| "it is missing".to_owned(), |value| format!("not {}", shown(value)));
        Error::Event {
            field: format!("{}{name}", self.path),
            reason: format!("must {must}, {found}"),
        }
    }

    /// Reads the fields that `T` has; others may be there.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_path_to_error::deserialize(&self.object).map_err(|error| {
            let field = error.path();
            if field.iter().next().is_none() {
                let reason = format!("is not complete: {}", error.inner());
                return Error::Event { field: named(&self.path), reason };
            }
            Error::Event {
                field: format!("{}{field}", self.path),
                reason: error.inner().to_string(),
            }
        })
    }
}

fn named(path: &str) -> String {
    if path.is_empty() { "it".to_owned() } else { path.trim_end_matches('.').to_owned() }
}

/// A value as it may stand in a message: its beginning, if it is long.
fn shown(value: &Value) -> String {
    const MAX_SHOWN_BYTES: usize = 80;
    let text = value.to_string();
    let end = text.floor_char_boundary(MAX_SHOWN_BYTES);
    if end < text.len() { format!("{}…", &text[..end]) } else { text }
}

/// What `read` makes of a value, or an error that says what the value must be.
fn value<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    must: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> std::result::Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    read(&value).ok_or_else(|| D::Error::custom(format!("must {must}, not {}", shown(&value))))
}

pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<String, D::Error> {
    value(from, "be a string", |value| value.as_str().map(str::to_owned))
}

pub(super) fn some_text<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<String>, D::Error> {
    text(from).map(Some)
}

pub(super) fn boolean<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<bool, D::Error> {
    value(from, "be true or false", Value::as_bool)
}

pub(super) fn some_number<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<u64>, D::Error> {
    value(from, "be a whole number", Value::as_u64).map(Some)
}

pub(super) fn index<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<u32, D::Error> {
    value(from, "be a whole number", |value| value.as_u64().and_then(|n| u32::try_from(n).ok()))
}

pub(super) fn object<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Map<String, Value>, D::Error> {
    value(from, "be an object", |value| value.as_object().cloned())
}

pub(super) fn sha256<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<String, D::Error> {
    let is_digest = |text: &&str| {
        text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let must = "be 64 lower-case hexadecimal digits";
    value(from, must, |value| value.as_str().filter(is_digest).map(str::to_owned))
}

pub(super) fn some_sha256<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<String>, D::Error> {
    sha256(from).map(Some)
}

pub(super) fn default_format() -> Format {
    Format::Mp4
}

pub(super) fn format<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Format, D::Error> {
    let must = format!("be one of {}", Format::ALL.map(Format::name).join(", "));
    value(from, &must, |value| value.as_str().and_then(Format::from_name))
}

pub(super) fn uri<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Uri, D::Error> {
    let text = value(from, "be a URI", |value| value.as_str().map(str::to_owned))?;
    Uri::parse(&text).map_err(D::Error::custom)
}

pub(super) fn some_uri<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Uri>, D::Error> {
    uri(from).map(Some)
}

pub(super) fn uris<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<Uri>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Item(#[serde(deserialize_with = "uri")] Uri);
    let items = Vec::<Item>::deserialize(from)?;
    Ok(items.into_iter().map(|Item(uri)| uri).collect())
}
