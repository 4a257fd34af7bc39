//! The function on Lambda: what stands around an action there.

pub(crate) mod allow;
pub(crate) mod deadline;
pub(crate) mod journal;
pub(crate) mod lambda;
pub(crate) mod observe;
pub(crate) mod redact;

#[cfg(test)]
mod tests;
