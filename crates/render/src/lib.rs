//! The work: a project becomes a plan, each chunk of a plan a video, and the videos one. Local paths in, local paths out.
//!
//! ```text
//!   player, assemble → chunk → plan            use cases: one public function each
//!     ↓          ↓       ↓
//!   capture  audio  video                      domain: what to do
//!     ↓          ↓       ↓
//!   browser → page   ffmpeg  verify  still  overview   tools: the only ones that start a process or serve a file
//!     ↓                  ↓
//!   config  tools  side_output  video_track    values: what was asked for, and what there is
//!     ↓
//!   process  frame  blocking  told  error      ground: know nothing of the above
//! ```
//!
//! What can be known of a composition without a browser is read by the crate `compose`, below all of this. Imports go down only;
//! `scripts/check-layers.py` checks it.
//!
//! # Invariants
//!
//! 1. The same plan and chunk index give the same bytes; a frame's pixels do not depend on the chunk or the browser that
//!    drew it.
//! 2. Frame i is drawn at exactly i·den/num seconds; chunks cover every frame once.
//! 3. Nothing here reads the environment or changes it; nothing outside a work directory is written, and those are removed.
//! 4. A plan is verified before Chrome starts, a chunk before its file appears, and what is joined before it is joined.
//! 5. A page reaches nothing but its own files; only planning fetches, and from public addresses; Chrome and FFmpeg see none of
//!    this process's environment.
//! 6. Every fast path is provably equal to the slow one.
//!
//! # Glossary
//!
//! - **project**: a directory with the HTML of a composition and its files.
//! - **composition**: an element with `data-composition-id`: a page with a size, a duration and a timeline.
//! - **scene**: a composition inside another one, mostly from a file of its own; its element in the outer one is its *host*.
//! - **clip**: an element that is on from `data-start` for `data-duration` seconds.
//! - **plan**: a directory with all that rendering needs, named by a hash of its content (`planHash`).
//! - **chunk**: a range of a plan's frames, rendered by one worker to one file that the others can be joined to.
//! - **assemble**: to join the chunks and the sound to the output.
//! - **side output**: what a render makes beside the video: a poster, a preview.
//! - **video track**: a `<video>` whose frames were extracted into the plan as pictures and are shown in its place.
//! - **capture**: what one tick of Chrome gave for a frame: its pixels, or the proof that it is the frame before.
//! - **held frame**: a frame that is equal to the one before it and is not drawn again.
//! - **seek**: to put the page at the time of a frame.
//! - **tick**: one `HeadlessExperimental.beginFrame`: Chrome's clock moves and it draws.
//! - **tools**: the pinned Chrome, FFmpeg, ffprobe, page runtime and fonts (`tools.lock.json`).

mod audio;
mod blocking;
mod browser;
mod capture;
mod error;
mod ffmpeg;
mod page;
mod process;
mod side_output;
mod verify;
mod video;
mod video_track;

pub mod assemble;
pub mod chunk;
pub mod config;
pub mod frame;
pub mod overview;
pub mod plan;
pub mod player;
pub mod still;
pub mod told;
pub mod tools;

pub use browser::framebuffer::ReadFault;
pub use browser::session::{Reuse, Timeouts};
pub use capture::alone::{Proof, floor, probe};
pub use capture::frame_source::PngReason;
pub use capture::picture::FrameHashes;
pub use error::{Error, Result};
pub use process::OWNER;
pub use side_output::SideOutput;
