//! Events of the work that a person at a command line sees: log lines, and what is told to whoever waits.

use std::fmt;
use std::time::{Duration, Instant};

use render::told;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::args::{TalkArgs, Verbosity};
use crate::cli::status::Activity;
use crate::cli::terminal::{LogLines, Terminal};

/// Log lines go to `terminal`; so does what is told to whoever waits.
pub(crate) fn install(talk: &TalkArgs, terminal: &Terminal) {
    let asked = std::env::var("FRAMEWRIGHT_LOG").ok().filter(|filter| !filter.is_empty());
    let is_plain = asked.is_none() && talk.log_level.is_none();
    // The clients of Chrome and S3 log every failure that they also return; that a page is waited for is in the progress.
    let own = |level: &str| {
        let own = ["bootstrap", "compose", "render", "store"].map(|name| format!("{name}={level}"));
        format!("warn,{},framewright=off,aws_config=error,chromiumoxide=off", own.join(","))
    };
    let filter = match (&asked, &talk.log_level, talk.verbosity()) {
        (_, Some(level), _) => EnvFilter::new(own(level.name())),
        (Some(directives), None, _) => EnvFilter::new(directives),
        (None, None, Verbosity::Quiet) => EnvFilter::new(own("error")),
        (None, None, Verbosity::Normal) => {
            EnvFilter::new(format!("{},render::browser::readiness=error", own("warn")))
        }
        (None, None, Verbosity::Verbose) => EnvFilter::new(own("info")),
    };
    let to = terminal.clone();
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || LogLines(to.clone()));
    let lines = if is_plain {
        lines.without_time().with_target(false).with_filter(filter).boxed()
    } else {
        lines.with_filter(filter).boxed()
    };
    let is_told = |target: &str| [told::ACTIVITY, told::WARNING, told::CONSOLE].contains(&target);
    let told = Told(terminal.clone()).with_filter(filter_fn(move |event| is_told(event.target())));
    tracing_subscriber::registry().with(lines).with(told).init();
}

struct Told(Terminal);

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, level, limit } = fields;
        match event.metadata().target() {
            told::CONSOLE => self.0.page_says(&level, &message),
            told::WARNING => self.0.hold_warning(message),
            _ => self.0.change(|status| {
                status.activity = Some(Activity { text: message, since: Instant::now(), limit });
            }),
        }
    }
}

#[derive(Debug, Default)]
struct Fields {
    message: String,
    level: String,
    limit: Option<Duration>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "level" {
            value.clone_into(&mut self.level);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "limit_seconds" {
            self.limit = Some(Duration::from_secs(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
