//! The state machine in `sam/` speaks of the same codes and the same fields as this crate.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::action::Action;
use crate::actions::Event;
use crate::error::{Code, Retry};
use crate::function::allow::AllowList;

/// Codes that only the command line has.
const LOCAL: [Code; 5] = [
    Code::ArgumentInvalid,
    Code::Cancelled,
    Code::RenderFailed,
    Code::CloudRequestRefused,
    Code::CloudUnavailable,
];

fn read(path: &str) -> Value {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// Every task, by its name.
fn tasks() -> Vec<(String, Value)> {
    let machine = read("sam/render.asl.json");
    let states = machine["States"].as_object().unwrap().clone();
    let inner = states["RenderChunks"]["ItemProcessor"]["States"].as_object().unwrap().clone();
    let is_task = |(_, state): &(String, Value)| state["Type"] == "Task";
    let tasks: Vec<_> = states.into_iter().chain(inner).filter(is_task).collect();
    // Probes and webhooks are no part of a render.
    assert_eq!(tasks.len(), Action::ALL.len() - 2);
    tasks
}

fn named(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn codes(retry: Retry) -> BTreeSet<String> {
    let of_lambda = Code::ALL.iter().filter(|code| !LOCAL.contains(code));
    of_lambda.filter(|code| code.retry() == retry).map(|code| code.name().to_owned()).collect()
}

#[test]
fn every_task_retries_what_can_help_and_nothing_else() {
    for (name, task) in tasks() {
        let classes = task["Retry"].as_array().unwrap();
        let errors = |class: usize| named(&classes[class]["ErrorEquals"]);
        let attempts = |class: usize| classes[class]["MaxAttempts"].as_u64().unwrap();
        assert_eq!((errors(0), attempts(0)), (codes(Retry::Never), 0), "{name}");
        // Whoever waits for a free worker may wait as long as the others work; a service that fails is given a few minutes.
        assert_eq!(errors(1), ["Lambda.TooManyRequestsException".to_owned()].into(), "{name}");
        assert!(attempts(1) >= 1000, "{name}");
        for error in
            ["ServiceException", "CodeArtifactUserPendingException", "ResourceNotReadyException"]
        {
            assert!(errors(2).contains(&format!("Lambda.{error}")), "{name}: {error}");
        }
        assert!((12..=20).contains(&attempts(2)), "{name}");
        assert!([1, 2].iter().all(|class| classes[*class]["JitterStrategy"] == "FULL"), "{name}");
        let ended_by_lambda = ["Lambda.Unknown", "Sandbox.Timedout", "States.Timeout"];
        assert_eq!(errors(3), ended_by_lambda.map(str::to_owned).into(), "{name}");
        assert_eq!(attempts(3), 1, "{name}");
        assert_eq!((errors(4), attempts(4)), (codes(Retry::Transient), 3), "{name}");
        assert_eq!((errors(5), attempts(5)), (["States.ALL".to_owned()].into(), 2), "{name}");
        assert_eq!(classes.len(), 6, "{name}");
    }
}

#[test]
fn every_task_sends_an_event_and_reads_an_answer_that_exist() {
    for (name, task) in tasks() {
        let sent = task["Parameters"]["Payload"].as_object().unwrap();
        let action = Action::from_name(sent["Action"].as_str().unwrap());
        let file = file(action.unwrap_or_else(|| panic!("{name} sends another action")));
        let sample = read(&format!("sam/events/{file}.json"));
        let event: Map<String, Value> = sent
            .keys()
            .map(|field| field.trim_end_matches(".$"))
            .map(|field| (field.to_owned(), sample[field].clone()))
            .collect();
        let absent: Vec<_> =
            event.keys().filter(|field| sample.get(field.as_str()).is_none()).collect();
        assert!(absent.is_empty(), "{name} sends {absent:?}, which no event has");
        assert_eq!(event.len(), sample.as_object().unwrap().len(), "{name} leaves something out");
        Event::parse(event.into()).unwrap();
        let answer = read(&format!("fixtures/events/{file}.answer.json"));
        for path in task["ResultSelector"].as_object().unwrap().values() {
            let field = path.as_str().unwrap().strip_prefix("$.Payload.").unwrap();
            assert!(answer.get(field).is_some(), "{name} reads {field}, which no answer has");
        }
    }
}

/// What the files about an action are called.
fn file(action: Action) -> &'static str {
    match action {
        Action::Plan => "plan",
        Action::RenderChunk => "render-chunk",
        Action::Assemble => "assemble",
        Action::Probe => "probe",
        Action::Notify => "notify",
    }
}

#[test]
fn every_action_has_its_samples_and_its_place_in_the_wire_format() {
    for action in Action::ALL {
        let file = file(action);
        for event in
            [format!("sam/events/{file}.json"), format!("fixtures/events/{file}.event.json")]
        {
            assert_eq!(Event::parse(read(&event)).unwrap().action(), action, "{event}");
        }
        let answer = read(&format!("fixtures/events/{file}.answer.json"));
        assert_eq!(answer["Action"], action.name());
    }
}

/// A redrive resumes at the state that has failed. What catches an error is another state that ends, or fails, in its place.
#[test]
fn no_failure_is_caught_so_that_a_redrive_goes_on_with_what_has_failed() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sam/render.asl.json"));
    assert!(!text.unwrap().contains("\"Catch\""));
    let machine = read("sam/render.asl.json");
    let states = machine["States"].as_object().unwrap();
    let fails = states.iter().filter(|(_, state)| state["Type"] == "Fail").map(|(name, _)| name);
    assert_eq!(fails.collect::<Vec<_>>(), ["ChunkCountOutOfRange"]);
}

#[test]
fn no_intrinsic_has_braces_which_its_language_wants_escaped() {
    let text = read("sam/render.asl.json").to_string();
    for intrinsic in text.split("States.").skip(1).filter(|rest| rest.contains('(')) {
        let arguments = intrinsic.split('"').next().unwrap().replace("${MaxConcurrency}", "8");
        assert!(!arguments.contains(['{', '}']), "{arguments}");
    }
}

#[test]
fn the_samples_name_uris_that_the_template_lets_the_function_reach() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sam/template.yaml");
    let template = std::fs::read_to_string(path).unwrap();
    let setting = template.split_once("- !Sub \"${RenderBucket}/projects,").unwrap().1;
    let setting = format!("${{RenderBucket}}/projects,{}", setting.split_once('"').unwrap().0);
    let setting = setting.replace("${RenderBucket}", "render-bucket");
    let allowed = AllowList::parse(Some(&setting)).with_paths(Some("own"));
    for sample in Action::ALL.map(file) {
        let event = Event::parse(read(&format!("sam/events/{sample}.json"))).unwrap();
        allowed.check(&event, Some("demo")).unwrap_or_else(|error| panic!("{sample}: {error}"));
    }
    let mut event = read("sam/events/plan.json");
    event["ProjectS3Uri"] = "s3://render-bucket/sites/0123456789abcdef/project.tar.gz".into();
    for (prefix, is_allowed) in [("renders/hf-render-1/", true), ("demo", false)] {
        event["PlanOutputS3Prefix"] = format!("s3://render-bucket/{prefix}").into();
        let checked = allowed.check(&Event::parse(event.clone()).unwrap(), None);
        assert_eq!(checked.is_ok(), is_allowed, "{prefix}");
    }
}
