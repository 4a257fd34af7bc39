//! The values of options, read once: a bad one is refused by its option, in the words of the config.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use render::ReadFault;
use render::config::output::{Codec, Format, Quality};
use render::config::{CaptureMode, Settings};
use render::frame::{Fps, Moment, Span};
use render::still::Kind;
use serde_json::{Map, Value, json};

/// A picture that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
}

pub(super) fn picture(text: &str) -> Result<Picture, String> {
    let path = PathBuf::from(text);
    match Kind::of(&path) {
        Some(kind) => Ok(Picture { path, kind }),
        None => Err("must end with .png, .jpg, .jpeg or .webp".to_owned()),
    }
}

pub(super) fn moment(text: &str) -> Result<Moment, String> {
    text.parse().map_err(|()| "is no moment; write 1.5s, 1500ms or 45f".to_owned())
}

pub(super) fn span(text: &str) -> Result<Span, String> {
    text.parse().map_err(|()| "is no range of frames; write 30..60, 30.. or ..60".to_owned())
}

pub(super) fn fps(text: &str) -> Result<Fps, String> {
    text.parse().map_err(|()| format!("must be {}", Fps::SUPPORTED))
}

/// One of the names of `all`.
fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.map(name)).map(move |text| {
        let found = all.into_iter().find(|value| name(*value) == text);
        found.expect("only the names of values are possible")
    })
}

pub(super) fn format() -> impl TypedValueParser<Value = Format> {
    one_of(Format::ALL, Format::name)
}

pub(super) fn codec() -> impl TypedValueParser<Value = Codec> {
    one_of(Codec::ALL, Codec::name)
}

pub(super) fn quality() -> impl TypedValueParser<Value = Quality> {
    one_of(Quality::ALL, Quality::name)
}

pub(super) fn capture() -> impl TypedValueParser<Value = CaptureMode> {
    one_of(CaptureMode::ALL, CaptureMode::name)
}

pub(super) fn capture_fault() -> impl TypedValueParser<Value = ReadFault> {
    one_of(ReadFault::ALL, ReadFault::name)
}

/// A number that the config's field `name` takes.
pub(super) fn number<T: FromStr + Into<Value> + Copy>(
    name: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = whole_number(text)?;
        check(name, number)?;
        Ok(number)
    }
}

/// A number whose range depends on other options.
pub(super) fn whole_number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "must be a whole number".to_owned())
}

/// A text that the config's field `name` takes.
pub(super) fn text(name: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |text| check(name, text).map(|()| text.to_owned())
}

/// A JSON object, for the config's field `variables`.
pub(super) fn variables(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(variables)) => Ok(variables),
        Ok(_other) => Err("must be a JSON object".to_owned()),
        Err(error) => Err(format!("is not JSON: {error}")),
    }
}

/// Refuses a value that no config has, beside fields that go with it.
fn check(name: &str, value: impl Into<Value>) -> Result<(), String> {
    let format = if name == "loop" { Format::Gif } else { Format::Mp4 };
    let config = json!({ "fps": 30, "format": format.name(), name: value.into() });
    match Settings::parse(config.as_object().expect("it is an object")) {
        Err(render::Error::Config { reason, .. }) => Err(reason),
        // What is known and not supported is refused with its own code, when the whole config is read.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The format that the name of a file says.
pub(super) fn format_of_name(path: &Path) -> Option<Format> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    Format::ALL.into_iter().find(|format| format.extension() == Some(&ending))
}
