//! The media of a composition, as values: which part of which file plays when.

use std::path::PathBuf;

/// A part of a source on the timeline. Seconds, since that is what authors write; where frames and samples begin is computed
/// from them once, where they are needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// The element's `data-hf-render-id`, of which a document has one each.
    pub id: String,
    /// How an error names the element: `<video id="intro" src="a.mp4">`.
    pub element: String,
    /// The source as the compiled document names it.
    pub src: String,
    /// The source on disk.
    pub file: PathBuf,
    /// Where the first moment of the clip lies on the composition's timeline; before 0, its beginning is never seen.
    pub start: f64,
    /// Nothing of it is seen or heard before this, which a scene around it may say.
    pub from: f64,
    /// Where the slot ends on the timeline, not included. The source may be shorter.
    pub end: f64,
    /// The moment of the source that `start` shows.
    pub media_start: f64,
    /// Seconds of source a second of timeline, from 0.1 to 10.
    pub rate: f64,
    pub repeat: Repeat,
}

/// What follows the end of a source whose slot is longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A video holds its last picture, a sound falls silent.
    Once,
    /// It starts again, at the in-point.
    Loop,
}

/// How loud a sound is, as a factor on its samples.
#[derive(Debug, Clone, PartialEq)]
pub enum Volume {
    Constant(f64),
    /// Seconds of the composition's timeline and factors, in order of time: straight lines between them, and the first and
    /// last one hold outside.
    Curve(Vec<(f64, f64)>),
}

/// A clip that is heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    pub clip: Clip,
    pub volume: Volume,
    /// Another factor: how it comes and goes at its ends.
    pub fade: Volume,
}
