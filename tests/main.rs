//! End to end: the real `bootstrap`, Chrome and FFmpeg over the projects in `fixtures/`.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod audio;
mod audio_plans;
mod bad_input;
mod codes;
mod colours;
mod determinism;
mod emulator;
mod faults;
mod fixtures;
mod fonts;
mod formats;
mod frame_source;
mod functions;
mod harness;
mod hostile;
mod lambda;
mod lambda_faults;
mod lambda_formats;
mod lint;
mod machine;
mod machine_submit;
mod measure;
mod modules;
mod nested;
mod offline;
mod plans;
mod playback;
mod rates;
mod remote;
mod resolves;
mod s3;
mod sandbox;
mod step_functions;
mod stills;
mod store;
mod submit;
mod submit_refusals;
mod submit_signals;
mod video;
mod video_plans;
mod warm;
mod web;
