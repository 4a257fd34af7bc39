//! The work: a project becomes a plan, each chunk of a plan a video, and the videos one. Local paths in, local paths out.
//!
//! ```text
//!   plan   chunk   assemble           use cases: one public function each
//!     ↓      ↓        ↓
//!   compose  capture  audio  video    domain: what to do
//!     ↓      ↓        ↓
//!   page → browser  ffmpeg  remote    tools: the only ones that start anything or reach other hosts
//!     ↓      ↓        ↓
//!   process  frame  media  error      ground: know nothing of the above
//! ```
//!
//! 1. The same plan and chunk index give the same bytes; a frame's pixels do not depend on the chunk or the browser that
//!    drew it.
//! 2. Frame i is drawn at exactly i·den/num seconds; chunks cover every frame once.
//! 3. Nothing here reads the environment or changes it; nothing outside a work directory is written, and those are removed.
//! 4. A plan is verified before Chrome starts, a chunk before its file appears, and what is joined before it is joined.
//! 5. A page reaches nothing but its own files; only planning fetches, and from public addresses; Chrome and FFmpeg see none of
//!    this process's environment.
//! 6. Every fast path is provably equal to the slow one.

mod audio;
mod blocking;
mod browser;
mod capture;
mod compose;
mod error;
mod ffmpeg;
mod hash;
mod media;
mod page;
mod process;
mod side_output;
mod video;

pub mod assemble;
pub mod chunk;
pub mod config;
pub mod frame;
pub mod plan;
pub mod remote;
pub mod still;
pub mod tools;

pub use browser::framebuffer::ReadFault;
pub use browser::session::{Reuse, Timeouts};
pub use capture::alone::{Proof, floor, probe};
pub use capture::frame_source::PngReason;
pub use capture::picture::FrameHashes;
pub use error::{Error, Result};
pub use ffmpeg::probe::{Video, probe_video};
pub use side_output::SideOutput;
