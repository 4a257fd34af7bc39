//! End to end: the real `bootstrap`, Chrome and FFmpeg over the projects in `fixtures/`.

mod bad_input;
mod colours;
mod determinism;
mod faults;
mod fixtures;
mod harness;
mod plans;
