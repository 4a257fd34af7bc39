//! Times: what an attribute says, and what that means on the composition's timeline.

mod number;
pub mod outline;
pub mod resolve;
pub(crate) mod start;

pub use number::js_number;
