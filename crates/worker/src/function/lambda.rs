//! The function on Lambda: one event after the other, each within its time, each answered or failed with a code.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt;
use lambda_runtime::tower::ServiceBuilder;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use render::chunk::{ChunkOptions, Workers};
use render::{FrameHashes, Reuse, Timeouts};
use serde_json::Value;
use store::{RetryProfile, S3Store, Uri};
use tokio::sync::{Notify, OnceCell};
use tracing::Instrument;

use crate::actions::cache::Cache;
use crate::actions::label::Label;
use crate::actions::worker::{Facts, Worker};
use crate::actions::{Answer, Event};
use crate::error::{Code, Error, Result};
use crate::function::allow::{self, AllowList};
use crate::function::deadline::{Deadline, Tally};
use crate::function::journal::{self, Journal, Usage};
use crate::function::observe::{Observer, used};
use crate::function::redact::redact;
use crate::processes;
use crate::resources::lambda_workers;
use crate::restart::is_shielded;
use crate::tools::toolbox::{ChromeSource, Toolbox};
use crate::workdir;

/// The protocol's client gives a browser 30 s for one command.
const MAX_FRAME_SECONDS: u64 = 28;

/// A failed invocation as Lambda gets it.
#[derive(Debug)]
struct Failure {
    code: Code,
    message: String,
}

impl From<Failure> for Diagnostic {
    fn from(Failure { code, message }: Failure) -> Self {
        Self { error_type: code.name().to_owned(), error_message: message }
    }
}

/// What outlives an invocation.
#[derive(Debug)]
struct Function {
    env: BTreeMap<String, String>,
    allowed: AllowList,
    cache: Option<Cache>,
    scratch: PathBuf,
    store: S3Store,
    /// Made by the first invocation that needs it; if that fails, the next one tries again.
    toolbox: OnceCell<Toolbox>,
    is_cold: AtomicBool,
    panic: LastPanic,
    /// Whether so many zombies are left that the next event should find a new process.
    is_worn: Arc<AtomicBool>,
}

/// Lambda allows about 1,024 processes, and nobody reaps what others leave to its init process.
const MAX_ZOMBIES: u32 = 200;

/// How long asking for the next event may take. Nothing tells that it is done.
const ASK_LIMIT: Duration = Duration::from_millis(20);

/// Serves events until the sandbox is taken away.
pub(crate) async fn serve(
    env: BTreeMap<String, String>,
) -> std::result::Result<(), lambda_runtime::Error> {
    journal::install(env.get("AWS_LAMBDA_LOG_LEVEL").map(String::as_str));
    let panic = LastPanic::install();
    adopt_orphans();
    if !is_shielded() {
        tracing::warn!("processes of this user can read the function's credentials");
    }
    let cache = cache(env.get("FRAMEWRIGHT_CACHE").map(String::as_str));
    let function = Arc::new(Function {
        allowed: AllowList::parse(env.get(allow::SETTING).map(String::as_str))
            .with_paths(env.get(allow::RENDER_PATHS).map(String::as_str))
            .without(cache.clone()),
        cache,
        scratch: env.get("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from),
        store: S3Store::from_env(RetryProfile::Function)
            .await
            .tagging_temporary(env.get("FRAMEWRIGHT_WORK_TAG").map(String::as_str)),
        toolbox: OnceCell::new(),
        is_cold: AtomicBool::new(true),
        panic,
        is_worn: Arc::default(),
        env,
    });
    let (is_worn, worn) = (Arc::clone(&function.is_worn), Arc::new(Notify::new()));
    let end = Arc::clone(&worn);
    let preparing = tokio::spawn(prepare(Arc::clone(&function)));
    // A sandbox that is set up long before its first event is frozen in between: then what is not done now waits until then.
    let kind = function.env.get("AWS_LAMBDA_INITIALIZATION_TYPE").map(String::as_str);
    if matches!(kind, Some("provisioned-concurrency" | "snap-start")) {
        preparing.await?;
    }
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let function = Arc::clone(&function);
        async move { function.handle(event).await }.boxed_local()
    });
    // Asked after an answer has been sent.
    let end_if_worn = move |answered| {
        if is_worn.load(Ordering::Relaxed) {
            end.notify_one();
        }
        answered
    };
    let layers = ServiceBuilder::new().map_request(only_json).map_result(end_if_worn);
    tokio::select! {
        served = Runtime::new(handler).layer(layers).run() => served,
        () = after_the_next_request(&worn) => {
            tracing::warn!("too many processes wait to be reaped: this one makes room for a new sandbox");
            Ok(())
        }
    }
}

/// Where chunks are kept, if the function's setting names a prefix of a bucket. A cache fails no render.
fn cache(setting: Option<&str>) -> Option<Cache> {
    let setting = setting.filter(|setting| !setting.is_empty())?;
    match Uri::parse(setting) {
        Ok(prefix @ Uri::S3 { .. }) => Some(Cache::new(prefix)),
        Ok(Uri::File(_)) | Err(_) => {
            tracing::warn!("FRAMEWRIGHT_CACHE names no prefix of a bucket: nothing is kept");
            None
        }
    }
}

/// Ends when so much is left that this process should not take another event. An invocation is over for Lambda when the runtime asks for
/// the next one, which it does at once after an answer; a process that is gone before that fails the invocation it has answered.
async fn after_the_next_request(worn: &Notify) {
    worn.notified().await;
    tokio::time::sleep(ASK_LIMIT).await;
}

/// Adopts Chrome's helpers when Chrome dies: their other parent may not reap them, and zombies would add up.
fn adopt_orphans() {
    if let Err(errno) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::debug!(%errno, "orphans are left to others");
    }
}

/// A payload that is no JSON becomes null, which is refused like every other event that is none.
fn only_json(invocation: LambdaInvocation) -> LambdaInvocation {
    let is_json = serde_json::from_slice::<Value>(&invocation.body).is_ok();
    if is_json { invocation } else { LambdaInvocation { body: "null".into(), ..invocation } }
}

/// Unpacks Chrome while the first event is still on its way. A failure is reported to the invocation that needs Chrome.
async fn prepare(function: Arc<Function>) {
    let prepared = async { function.toolbox().await?.drawing().await }.await;
    if let Err(error) = prepared {
        tracing::debug!(error = error.chain(), "not prepared");
    }
}

impl Function {
    async fn handle(&self, event: LambdaEvent<Value>) -> std::result::Result<Value, Failure> {
        let answered = guarded(self.answer(event).map(Ok), &self.panic).await;
        answered.unwrap_or_else(|error| {
            let (code, message) = (error.code(), redact(&error.chain()));
            tracing::error!(event = "failure", code = code.name(), error = message);
            Err(Failure { code, message })
        })
    }

    async fn answer(&self, event: LambdaEvent<Value>) -> std::result::Result<Value, Failure> {
        let LambdaEvent { payload, context } = event;
        let deadline = Deadline::at(context.deadline);
        let start = Instant::now();
        let is_cold = self.is_cold.swap(false, Ordering::Relaxed);
        let request_id = context.request_id;
        workdir::remove_stale(&self.scratch);
        let observer = Observer::start(&self.scratch);
        let tally = Tally::default();
        let label = Label::of(&payload);
        let parsed = Event::parse(payload).and_then(|event| {
            self.allowed.check(&event, label.render_id.as_deref())?;
            Ok(event)
        });
        let journal = Journal { request_id, label, is_cold };
        let span = tracing::info_span!("invocation", request_id = journal.request_id);
        let outcome = match parsed {
            Ok(event) => {
                let uris = event.uris();
                let uris: Vec<_> =
                    uris.iter().take(3).map(|(_, uri)| redact(&uri.to_string())).collect();
                journal.start(deadline.remaining(), &uris);
                let work = self.within(deadline, event, &tally);
                guarded(work, &self.panic).instrument(span).await
            }
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.store.settle(deadline.remaining() / 2).await;
        }
        let left = processes::count();
        self.is_worn.fetch_or(left.zombies > MAX_ZOMBIES, Ordering::Relaxed);
        let usage = Usage {
            zombies: left.zombies,
            shielded: is_shielded(),
            elapsed: start.elapsed(),
            remaining: deadline.remaining(),
            peak_memory: observer.peak_memory(),
            peak_scratch: observer.peak_scratch(),
            scratch: used(&self.scratch).unwrap_or(0),
            first_frame: tally.first_frame().map(|first| first.duration_since(start)),
        };
        match outcome {
            Ok((mut answer, facts)) => {
                answer.edit_warnings(redact);
                journal.success(&answer, &facts, usage);
                Ok(serde_json::to_value(answer).expect("an answer has nothing that JSON has not"))
            }
            Err(error) => {
                let (code, message) = (error.code(), redact(&error.chain()));
                journal.failure(code, &message, usage);
                Err(Failure { code, message })
            }
        }
    }

    /// Does the work, unless the time is up first: then everything is dropped, and with it every child and file.
    async fn within(
        &self,
        deadline: Deadline,
        event: Event,
        tally: &Tally,
    ) -> Result<(Answer, Facts)> {
        let action = event.action();
        let work = async {
            let worker = Worker {
                store: &self.store,
                toolbox: self.toolbox().await?,
                env: &self.env,
                scratch: &self.scratch,
                until: Some(deadline.stop()),
                options: self.options(tally),
                cache: self.cache.as_ref(),
            };
            worker.dispatch(&event).boxed_local().await
        };
        let mut work = pin!(work);
        tokio::select! {
            done = &mut work => done,
            () = tokio::time::sleep_until(deadline.stop().into()) => {
                // All at once, so that none has to be waited for when the work is dropped.
                processes::kill_own_children();
                Err(deadline.exceeded(action, tally))
            }
        }
    }

    async fn toolbox(&self) -> Result<&Toolbox> {
        let open = || async {
            let setting = |name: &str| self.env.get(name).map(String::as_str);
            let root = setting("LAMBDA_TASK_ROOT").unwrap_or("/var/task");
            let bundled = || PathBuf::from(root).join("tools");
            let dir = setting("FRAMEWRIGHT_TOOLS").map_or_else(bundled, PathBuf::from);
            let chrome = ChromeSource::from_settings(
                setting("HYPERFRAMES_LAMBDA_CHROME_SOURCE"),
                setting("HYPERFRAMES_LAMBDA_CHROME_PATH"),
                &dir,
            )?;
            Toolbox::open(&dir, chrome, &self.scratch)
        };
        self.toolbox.get_or_try_init(open).await
    }

    fn options<'a>(&self, tally: &'a Tally) -> ChunkOptions<'a> {
        let number = |name: &str| self.env.get(name).and_then(|text| text.parse().ok());
        let seconds = |name, default: u64, most| {
            Duration::from_secs(number(name).unwrap_or(default).clamp(1, most))
        };
        ChunkOptions {
            workers: Workers::ForCores(lambda_workers(number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))),
            reuse: Reuse::Proven,
            hashes: FrameHashes::Skip,
            timeouts: Timeouts {
                ready: seconds("FRAMEWRIGHT_READY_TIMEOUT", 45, 600),
                frame: seconds("FRAMEWRIGHT_FRAME_TIMEOUT", 25, MAX_FRAME_SECONDS),
            },
            capture: None,
            fault: None,
            progress: tally,
        }
    }
}

/// A panic ends an invocation, not the process.
async fn guarded<T>(work: impl Future<Output = Result<T>>, last: &LastPanic) -> Result<T> {
    last.watch();
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|payload| {
        Err(Error::Panic { message: last.take().unwrap_or_else(|| text(&*payload)) })
    })
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Where the first panic of an invocation was, instead of lines that are not JSON. One outside of invocations is logged at once.
#[derive(Debug, Clone, Default)]
struct LastPanic {
    message: Arc<Mutex<Option<String>>>,
    is_watched: Arc<AtomicBool>,
}

impl LastPanic {
    fn install() -> Self {
        let last = Self::default();
        let kept = last.clone();
        std::panic::set_hook(Box::new(move |info| {
            let location = info.location().map(ToString::to_string).unwrap_or_default();
            let message = format!("{} at {location}", text(info.payload()));
            if !kept.is_watched.load(Ordering::Relaxed) {
                let code = Code::InternalError.name();
                tracing::error!(event = "failure", code, error = redact(&message));
            } else if let Ok(mut kept) = kept.message.lock() {
                kept.get_or_insert(message);
            }
        }));
        last
    }

    fn watch(&self) {
        self.is_watched.store(true, Ordering::Relaxed);
        self.take();
    }

    fn take(&self) -> Option<String> {
        self.message.lock().ok().and_then(|mut kept| kept.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_with_its_code_and_place() {
        let last = LastPanic::default();
        last.message.lock().unwrap().replace("index out of bounds at src/x.rs:3".to_owned());
        let fine = guarded(async { Ok(7) }, &last).await.unwrap();
        assert_eq!((fine, last.take()), (7, None), "what was before does not count");
        let failed: Result<()> = guarded(async { panic!("boom {}", 3) }, &last).await;
        let error = failed.unwrap_err();
        assert_eq!(error.code().name(), "INTERNAL_ERROR");
        assert_eq!(error.to_string(), "a bug in the worker: boom 3");
    }
}
