use serde_json::json;

use super::*;

fn entered(state: &str) -> EventKind {
    EventKind::Entered { state: state.to_owned() }
}

fn failed(error: &str) -> EventKind {
    EventKind::Failed { error: error.to_owned(), cause: format!("because of {error}") }
}

fn planned(chunks: u32, frames: u32, ms: u64) -> EventKind {
    let payload = json!({
        "Action": "plan", "PlanHash": "abc", "ChunkCount": chunks, "TotalFrames": frames, "Fps": 30.0,
        "Width": 1280, "Height": 720, "DurationMs": ms, "Warnings": ["no letter"],
    });
    EventKind::Succeeded { output: json!({"StatusCode": 200, "Payload": payload}).to_string() }
}

fn rendered(frames: u32, ms: u64) -> EventKind {
    let payload = json!({"Action": "renderChunk", "FramesEncoded": frames, "DurationMs": ms});
    EventKind::Succeeded { output: json!({"Payload": payload}).to_string() }
}

fn iteration(index: u32) -> EventKind {
    EventKind::Iteration { index }
}

/// A history: what happens, which event it follows, and when, in seconds. Ids count from 1.
fn events(list: Vec<(i64, i64, EventKind)>) -> Vec<Event> {
    let numbered = (1..).zip(list);
    numbered.map(|(id, (previous, at, kind))| Event { id, previous, at: at * 1000, kind }).collect()
}

/// Two chunks whose events interleave; the second fails once and is tried again.
fn interleaved() -> Vec<Event> {
    use EventKind as H;
    events(vec![
        (0, 0, H::Other),
        (0, 0, entered("Defaults")),
        (2, 0, H::Other),
        (3, 1, entered("Plan")),
        (4, 1, H::Scheduled),
        (5, 1, H::Started),
        (6, 5, planned(2, 300, 3500)),
        (7, 5, H::Other),
        (8, 5, entered("CheckChunkCount")),
        (9, 5, H::Other),
        (10, 5, entered("ListChunks")),
        (11, 5, H::Other),
        (12, 5, entered("RenderChunks")),
        (13, 5, H::Other),
        // Event 15: both iterations follow the start of the Map.
        (14, 6, iteration(0)),
        (14, 6, iteration(1)),
        (15, 6, entered("RenderChunk")),
        (16, 6, entered("RenderChunk")),
        (18, 6, H::Scheduled),
        (17, 6, H::Scheduled),
        (20, 7, H::Started),
        (19, 7, H::Started),
        // Event 23: chunk 1 fails after four seconds.
        (22, 11, failed("STORE_UNAVAILABLE")),
        (21, 17, rendered(240, 9000)),
        (23, 13, H::Scheduled),
        (25, 13, H::Started),
        (24, 17, H::Other),
        (27, 17, H::IterationOver),
        (26, 20, rendered(60, 6500)),
        (29, 20, H::Other),
        (30, 20, H::IterationOver),
        (31, 20, H::IterationOver),
        (32, 20, entered("Assemble")),
        (33, 20, H::Scheduled),
        (34, 20, H::Started),
        (35, 22, H::Succeeded { output: json!({"Payload": {"DurationMs": 1500}}).to_string() }),
        (36, 22, H::Other),
        (37, 22, entered("Done")),
        (38, 22, H::Other),
        (39, 22, H::Over),
    ])
}

fn retry(chunk: u32, error: &str) -> Notice {
    let task = TaskId { chunk: Some(chunk), stage: Some(Stage::Rendering) };
    let cause = format!("because of {error}");
    Notice::Retry(Failure { task, error: error.to_owned(), cause })
}

#[test]
fn events_of_interleaved_chunks_are_counted_where_they_belong() {
    let mut progress = Progress::default();
    let notices = progress.take(interleaved());
    assert_eq!(
        notices,
        [Notice::Warning("no letter".to_owned()), retry(1, "STORE_UNAVAILABLE")],
        "it is the second chunk that was tried again"
    );
    assert!(progress.is_over);
    assert_eq!(progress.stage(), Stage::Assembling);
    assert_eq!((progress.chunks_done(), progress.frames_done, progress.retries), (2, 300, 1));
    let plan = progress.plan.as_ref().unwrap();
    assert_eq!((plan.chunks, plan.frames, plan.width, plan.hash.as_str()), (2, 300, 1280, "abc"));
    // The failed try by the clock, the others by what they say; nine states and one retry.
    let used = Used { ms: 3500 + 4000 + 9000 + 6500 + 1500, requests: 5, transitions: 10 };
    assert_eq!(progress.used(i64::MAX), used);
}

#[test]
fn a_history_in_pages_that_overlap_comes_to_the_same() {
    let mut whole = Progress::default();
    let all_news = whole.take(interleaved());
    for size in [1, 2, 7, 39] {
        let (mut paged, mut notices) = (Progress::default(), Vec::new());
        for end in 1..=interleaved().len() {
            // What a reader gets that asks for its last page again.
            let start = (end - 1) / size * size;
            notices.extend(paged.take(interleaved()[start..end].to_vec()));
        }
        assert_eq!(notices, all_news, "pages of {size}");
        assert_eq!(paged.used(0), whole.used(0), "pages of {size}");
        assert_eq!((paged.frames_done, paged.retries), (whole.frames_done, whole.retries));
    }
}

#[test]
fn what_runs_costs_as_it_goes_on() {
    let mut progress = Progress::default();
    progress.take(interleaved()[..22].to_vec());
    assert_eq!(progress.stage(), Stage::Rendering);
    assert_eq!(progress.chunks_done(), 0);
    // Two tries that have run for three seconds, after three and a half of planning.
    assert_eq!(progress.used(10_000).ms, 3500 + 2 * 3000);
    // Nothing runs longer than Lambda lets it.
    assert_eq!(progress.used(10_000_000).ms, 3500 + 2 * 900_000);
}

#[test]
fn a_failure_that_ends_the_render_is_no_retry_and_is_found_again() {
    let mut list = interleaved()[..23].to_vec();
    let fatal = |id, previous, kind| Event { id, previous, at: 12_000, kind };
    list[22] = fatal(23, 22, failed("PAGE_SCRIPT_ERROR"));
    list.extend([
        fatal(24, 23, EventKind::IterationOver),
        fatal(25, 24, EventKind::IterationOver),
        fatal(26, 25, entered("Failed")),
        fatal(27, 26, EventKind::Over),
    ]);
    let mut progress = Progress::default();
    let notices = progress.take(list);
    assert_eq!(notices, [Notice::Warning("no letter".to_owned())]);
    assert_eq!(progress.retries, 0);
    let task = progress.failure("PAGE_SCRIPT_ERROR", "").unwrap().task;
    assert_eq!(task, TaskId { chunk: Some(1), stage: Some(Stage::Rendering) });
    assert_eq!(progress.failure("PLAN_TOO_LARGE", ""), None);
    // The other chunk was still running when the render ended.
    assert_eq!(progress.used(i64::MAX).ms, 3500 + 5000 + 5000);
}

#[test]
fn every_task_of_the_state_machine_is_a_stage() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sam/render.asl.json");
    let machine: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let states = machine["States"].as_object().unwrap();
    let inner = states["RenderChunks"]["ItemProcessor"]["States"].as_object().unwrap();
    let all = states.iter().chain(inner);
    let tasks = all.filter(|(_, state)| state["Type"] == "Task").map(|(name, _)| name);
    let mut found: Vec<_> = tasks.map(|name| Stage::of_state(name).unwrap()).collect();
    found.sort();
    assert_eq!(found, [Stage::Planning, Stage::Rendering, Stage::Assembling]);
}

#[test]
fn what_comes_after_the_chunks_belongs_to_none_of_them() {
    let mut list = interleaved()[..35].to_vec();
    list.push(Event { id: 36, previous: 35, at: 22_000, kind: failed("IO_FAILED") });
    let mut progress = Progress::default();
    progress.take(list);
    let task = progress.failure("IO_FAILED", "").unwrap().task;
    assert_eq!(task, TaskId { chunk: None, stage: Some(Stage::Assembling) });
}

#[test]
fn of_two_chunks_that_failed_alike_the_one_with_the_cause_ended_the_render() {
    let failed = |cause: &str| EventKind::Failed { error: "X".into(), cause: cause.into() };
    let mut list = interleaved()[..22].to_vec();
    let also = |id, previous, kind| Event { id, previous, at: 12_000, kind };
    // Event 21 belongs to chunk 0, event 22 to chunk 1.
    list.extend([also(23, 22, failed("of the second")), also(24, 21, failed("of the first"))]);
    let mut progress = Progress::default();
    progress.take(list);
    let chunk = |cause| progress.failure("X", cause).unwrap().task.chunk;
    assert_eq!(chunk("of the second"), Some(1));
    assert_eq!(chunk("of the first"), Some(0));
    assert_eq!(chunk("of somebody else"), Some(0), "it failed last");
}

#[test]
fn a_try_that_found_the_function_busy_costs_its_step_and_nothing_else() {
    let used = |error: &str| {
        let mut list = interleaved();
        list[22].kind = failed(error);
        let mut progress = Progress::default();
        progress.take(list);
        progress.used(0)
    };
    let (busy, failed) = (used(BUSY), used("STORE_UNAVAILABLE"));
    assert_eq!(busy, Used { ms: failed.ms - 4000, requests: failed.requests - 1, ..failed });
}
