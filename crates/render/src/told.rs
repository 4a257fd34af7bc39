//! The targets of `tracing` events that are meant for whoever waits for a render, rather than for a log. A program that shows them
//! subscribes to the target; nobody has to.

/// What is being done at this moment, as the event's message; with `limit_seconds` where that may not take longer.
pub const ACTIVITY: &str = "framewright::activity";

/// A warning of planning, when it arises. A plan that succeeds answers it as well.
pub const WARNING: &str = "framewright::warning";

/// A line of the page's `console`, which may say anything: with its `level`.
pub const CONSOLE: &str = "framewright::console";

/// Tells every warning of `warnings`.
pub(crate) fn warnings(warnings: &[String]) {
    for warning in warnings {
        tracing::debug!(target: WARNING, "{warning}");
    }
}
