use render::config::Settings;
use render::config::output::Format;
use serde_json::{Value, json};

use super::*;
use crate::actions::assemble::Took;
use crate::actions::label::Label;
use crate::actions::protocol::{PlanLocation, Protocol};
use crate::error::Code;

fn chunk() -> Value {
    json!({
        "Action": "renderChunk", "PlanS3Uri": "s3://bucket/p.tar.gz", "PlanHash": "0".repeat(64), "ChunkIndex": 3,
        "ChunkOutputS3Prefix": "s3://bucket/renders/a/", "Format": "mp4",
    })
}

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

fn settings(config: &Value) -> Settings {
    Settings::parse(config.as_object().unwrap()).unwrap()
}

fn with(mut event: Value, name: &str, value: Value) -> Value {
    event[name] = value;
    event
}

fn refusal(event: Value) -> (Code, String) {
    let error = Event::parse(event).unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn a_bad_event_is_refused_with_the_path_of_its_field() {
    for (name, value, expected) in [
        (
            "Action",
            json!("render"),
            "event: Action must be plan, renderChunk, assemble, probe, notify, not \"render\"",
        ),
        (
            "Action",
            json!(7),
            "event: Action must be plan, renderChunk, assemble, probe, notify, not 7",
        ),
        ("ChunkIndex", json!(-1), "event: ChunkIndex must be a whole number, not -1"),
        ("ChunkIndex", json!("1"), "event: ChunkIndex must be a whole number, not \"1\""),
        (
            "ChunkIndex",
            json!(4_294_967_296_u64),
            "event: ChunkIndex must be a whole number, not 4294967296",
        ),
        ("ChunkIndex", Value::Null, "event: it is not complete: missing field `ChunkIndex`"),
        ("PlanHash", json!(7), "event: PlanHash must be 64 lower-case hexadecimal digits, not 7"),
        (
            "PlanHash",
            json!("abc"),
            "event: PlanHash must be 64 lower-case hexadecimal digits, not \"abc\"",
        ),
        ("PlanS3Uri", json!(7), "event: PlanS3Uri must be a URI, not 7"),
        (
            "PlanS3Uri",
            json!("s3://b"),
            "event: PlanS3Uri \"s3://b\" is not a URI of a file or an object: it must name a key after the bucket",
        ),
        (
            "ChunkOutputS3Prefix",
            json!(["x"]),
            "event: ChunkOutputS3Prefix must be a URI, not [\"x\"]",
        ),
        (
            "Format",
            json!("avi"),
            "event: Format must be one of mp4, mov, webm, png-sequence, gif, not \"avi\"",
        ),
        ("Attempt", json!("first"), "event: Attempt must be a whole number, not \"first\""),
        ("RenderId", json!(1), "event: RenderId must be a string, not 1"),
    ] {
        assert_eq!(refusal(with(chunk(), name, value)), (Code::EventInvalid, expected.to_owned()));
    }
    for (event, expected) in [
        (json!(null), "event: it must be a JSON object, not null"),
        (json!([1]), "event: it must be a JSON object, not [1]"),
        (
            json!({}),
            "event: Action must be plan, renderChunk, assemble, probe, notify, it is missing",
        ),
        (json!({"Payload": "text"}), "event: Payload must be a JSON object, not \"text\""),
        (
            json!({"Payload": {"Input": with(chunk(), "ChunkIndex", json!(true))}}),
            "event: Payload.Input.ChunkIndex must be a whole number, not true",
        ),
        (
            json!({"Action": "plan", "ProjectS3Uri": "s3://bucket/p", "PlanOutputS3Prefix": "s3://bucket/o", "Config": "fps"}),
            "event: Config must be an object, not \"fps\"",
        ),
        (
            json!({"Payload": {"Action": "assemble", "PlanS3Uri": "s3://bucket/p", "OutputS3Uri": "s3://bucket/o"}}),
            "event: Payload is not complete: missing field `ChunkS3Uris`",
        ),
        (
            json!({"Action": "assemble", "PlanS3Uri": "s3://bucket/p", "OutputS3Uri": "s3://bucket/o", "ChunkS3Uris": ["s3://bucket/0", 1]}),
            "event: ChunkS3Uris[1] must be a URI, not 1",
        ),
    ] {
        assert_eq!(refusal(event), (Code::EventInvalid, expected.to_owned()));
    }
}

#[test]
fn a_long_value_is_cut_in_its_message() {
    let (_, message) = refusal(with(chunk(), "PlanHash", json!("é".repeat(5000))));
    assert!(message.len() < 200, "{message}");
}

#[test]
fn an_event_is_found_four_levels_deep_and_not_five() {
    let mut event = chunk();
    let bare = Event::parse(event.clone()).unwrap();
    for wrapping in ["Payload", "Input", "Payload", "Input"] {
        event = json!({wrapping: event, "StatusCode": 200});
        assert_eq!(Event::parse(event.clone()).unwrap(), bare);
    }
    let (code, message) = refusal(json!({"Payload": event}));
    assert_eq!(code, Code::EventInvalid);
    assert!(message.starts_with("event: Payload.Input.Payload.Input.Action must be"), "{message}");
    // A known action wins over what is wrapped beside it.
    let both = with(chunk(), "Payload", json!({"Action": "plan"}));
    assert_eq!(Event::parse(both).unwrap(), bare);
}

#[test]
fn unknown_fields_of_the_envelope_are_tolerated() {
    let event = with(with(chunk(), "TraceHeader", json!("x")), "PlanProtocol", json!("v1"));
    assert_eq!(Event::parse(event).unwrap(), Event::parse(chunk()).unwrap());
}

#[test]
fn another_plan_protocol_or_a_mixture_is_refused_by_its_name() {
    let v2 = golden("render-chunk.v2.event");
    for (event, what) in [
        (json!({"Action": "plan", "PlanProtocol": "v3"}), "PlanProtocol \"v3\""),
        (json!({"Action": "plan", "PlanProtocol": 1}), "PlanProtocol 1"),
        (with(chunk(), "PlanProtocol", json!("v2")), "a v2 event with PlanS3Uri"),
        (with(chunk(), "PlanS3Uri", Value::Null), "without PlanS3Uri"),
        (with(chunk(), "PlanV2ManifestS3Uri", json!("s3://bucket/m")), "a v2 event with PlanS3Uri"),
        (with(v2.clone(), "PlanProtocol", json!("v1")), "a v1 event with locators of v2"),
        (with(v2.clone(), "PlanV2ArtifactS3Prefix", Value::Null), "only one of the locators"),
        (
            with(v2.clone(), "PlanV2ManifestS3Uri", json!("s3://bucket/renders/r1/plan.json")),
            "locators are not PREFIX/v2/manifest.json and PREFIX/v2/artifacts/sha256",
        ),
        (
            with(v2, "PlanV2ManifestS3Uri", json!("s3://bucket/renders/r2/v2/manifest.json")),
            "locators are not",
        ),
        (
            with(golden("assemble.v2.event"), "AudioS3Uri", json!("s3://bucket/a.m4a")),
            "a v2 event with AudioS3Uri",
        ),
    ] {
        let (code, message) = refusal(event);
        assert_eq!(code, Code::PlanProtocolUnsupported);
        assert!(message.contains(what) && message.contains("(v1)"), "{message}");
    }
    let (code, message) = refusal(with(golden("assemble.v2.event"), "PlanHash", Value::Null));
    assert_eq!(code, Code::EventInvalid);
    assert_eq!(message, "event: PlanHash must be there in an event of v2, it is missing");
}

#[test]
fn events_of_v2_are_read_with_and_without_its_name() {
    let located = PlanLocation::Manifest {
        manifest: uri("s3://bucket/renders/r1/v2/manifest.json"),
        artifacts: uri("s3://bucket/renders/r1/v2/artifacts/sha256"),
        archive: uri("s3://bucket/renders/r1/plan.tar.gz"),
    };
    let chunk = Event::RenderChunk(RenderChunkEvent {
        plan: located.clone(),
        plan_hash: "0".repeat(64),
        chunk_index: 3,
        output_prefix: uri("s3://bucket/renders/r1/"),
        format: Format::Mp4,
    });
    let assemble = Event::Assemble(AssembleEvent {
        plan: located,
        plan_hash: Some("0".repeat(64)),
        chunks: vec![
            uri("s3://bucket/renders/r1/chunks/0000.mp4"),
            uri("s3://bucket/renders/r1/chunks/0001.mp4"),
        ],
        audio: None,
        output: uri("s3://bucket/renders/r1/output.mp4"),
        format: Format::Mp4,
        cfr: false,
        took: None,
    });
    for (name, expected) in [("render-chunk", chunk), ("assemble", assemble)] {
        let event = golden(&format!("{name}.v2.event"));
        assert_eq!(Event::parse(event.clone()).unwrap(), expected);
        let unsaid = with(event, "PlanProtocol", Value::Null);
        assert_eq!(Event::parse(unsaid).unwrap(), expected);
    }
    for (said, protocol) in
        [(json!("v1"), Protocol::V1), (json!("v2"), Protocol::V2), (Value::Null, Protocol::Unsaid)]
    {
        let event = with(golden("plan.event"), "PlanProtocol", said);
        let Event::Plan(plan) = Event::parse(event).unwrap() else { panic!("another event") };
        assert_eq!(plan.protocol, protocol);
    }
}

#[test]
fn every_place_that_an_event_of_v2_leads_to_is_among_its_uris() {
    let event = Event::parse(golden("render-chunk.v2.event")).unwrap();
    let uris: Vec<_> =
        event.uris().into_iter().map(|(field, uri)| (field, uri.to_string())).collect();
    let expected = [
        ("PlanV2ManifestS3Uri", "s3://bucket/renders/r1/v2/manifest.json"),
        ("PlanV2ArtifactS3Prefix", "s3://bucket/renders/r1/v2/artifacts/sha256"),
        ("PlanV2ManifestS3Uri", "s3://bucket/renders/r1/plan.tar.gz"),
        ("ChunkOutputS3Prefix", "s3://bucket/renders/r1/"),
    ];
    let expected = expected.map(|(field, uri)| (field.to_owned(), uri.to_owned()));
    assert_eq!(uris, expected);
}

#[test]
fn the_capabilities_have_upstream_s_shape_and_claim_no_layout_of_upstream_s_second_protocol() {
    let told = protocol::capabilities();
    let layouts = |plans: &Value| -> Vec<String> {
        let plans = plans.as_array().unwrap().iter();
        plans.map(|plan| plan["artifactLayout"].as_str().unwrap().to_owned()).collect()
    };
    let expected = ["plan-dir-v1", "framewright-plan-archive-v1"];
    assert_eq!(layouts(&told["roles"]["planner"]["produces"]), expected);
    for role in ["chunk", "assembler"] {
        assert_eq!(layouts(&told["roles"][role]["accepts"]), expected);
        assert_eq!(told["roles"][role]["acceptsLegacyV1WithoutDescriptor"], true);
    }
}

#[test]
fn a_constant_frame_rate_is_for_mp4() {
    let assemble = json!({"Action": "assemble", "PlanS3Uri": "s3://bucket/p", "OutputS3Uri": "s3://bucket/o", "ChunkS3Uris": [], "Cfr": true});
    assert!(matches!(
        Event::parse(assemble.clone()),
        Ok(Event::Assemble(AssembleEvent { cfr: true, .. }))
    ));
    let (code, message) = refusal(with(assemble, "Format", json!("webm")));
    assert_eq!(
        (code, &*message),
        (Code::EventInvalid, "event: Cfr must be false for webm, not true")
    );
    let folder = with(
        json!({"Action": "assemble", "PlanS3Uri": "s3://bucket/p", "ChunkS3Uris": []}),
        "OutputS3Uri",
        json!("s3://bucket/o/"),
    );
    let (code, message) = refusal(folder);
    assert_eq!(code, Code::EventInvalid);
    assert!(message.contains("OutputS3Uri must name an object"), "{message}");
    let plan = json!({"Action": "plan", "ProjectS3Uri": "s3://bucket/p", "PlanOutputS3Prefix": "s3://bucket/o", "Config": {"fps": 30}, "Cfr": true});
    let Ok(Event::Plan(plan)) = Event::parse(plan) else { panic!("it is a plan event") };
    assert_eq!(plan.settings, settings(&json!({"fps": 30, "cfr": true})));
}

#[test]
fn the_sample_events_are_read_field_for_field() {
    let sample = |name: &str| {
        let path = format!("{}/../../sam/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Event::parse(serde_json::from_str(&text).unwrap())
    };
    let Event::Plan(PlanEvent { project, output_prefix, settings, protocol: Protocol::V1 }) =
        sample("plan").unwrap()
    else {
        panic!("another event")
    };
    assert_eq!(project, uri("s3://render-bucket/projects/title-card/project.tar.gz"));
    assert_eq!(output_prefix, uri("s3://render-bucket/work/demo"));
    assert_eq!(settings.fps, "30".parse().unwrap());
    let chunk = sample("render-chunk").unwrap();
    assert_eq!(
        chunk,
        Event::RenderChunk(RenderChunkEvent {
            plan: PlanLocation::Archive(uri("s3://render-bucket/work/demo/plan.tar.gz")),
            plan_hash: "0".repeat(64),
            chunk_index: 0,
            output_prefix: uri("s3://render-bucket/work/demo"),
            format: Format::Mp4,
        })
    );
    let assemble = sample("assemble").unwrap();
    assert_eq!(
        assemble,
        Event::Assemble(AssembleEvent {
            plan: PlanLocation::Archive(uri("s3://render-bucket/work/demo/plan.tar.gz")),
            plan_hash: None,
            chunks: vec![
                uri("s3://render-bucket/work/demo/chunks/0000.mp4"),
                uri("s3://render-bucket/work/demo/chunks/0001.mp4"),
                uri("s3://render-bucket/work/demo/chunks/0002.mp4"),
            ],
            audio: None,
            output: uri("s3://render-bucket/outputs/demo/output.mp4"),
            format: Format::Mp4,
            cfr: false,
            took: Some(Took { plan: 4000, chunks: vec![9000; 3] }),
        })
    );
    assert_eq!(sample("broken").unwrap_err().code(), Code::EventInvalid);
}

#[test]
fn a_chunk_s_answer_is_short_whatever_happened() {
    let answer = |warnings: Vec<String>| {
        let answer = Answer::RenderChunk(RenderChunkAnswer {
            chunk: uri("s3://bucket/renders/a/chunks/0255.mp4"),
            chunk_index: 255,
            sha256: "f".repeat(64),
            frames_encoded: 3600,
            capture_mode: "beginframe",
            duration_ms: 899_999,
            warnings,
        });
        serde_json::to_string(&answer).unwrap()
    };
    let length = "\"ChunkS3Uri\":\"s3://bucket/renders/a/chunks/0255.mp4\",".len();
    assert!(answer(vec![]).len() - length <= 200, "{}", answer(vec![]));
    assert!(answer(vec!["é".repeat(1000); 50]).len() < 700);
    assert!(answer(vec!["w".to_owned(); 5]).contains(r#""Warnings":["w","w","w","and 2 more"]"#));
}

fn golden(name: &str) -> Value {
    let path = format!("{}/../../fixtures/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_events_of_the_wire_format_are_read_field_for_field() {
    let plan = Event::Plan(PlanEvent {
        project: uri("s3://bucket/sites/0123456789abcdef/project.tar.gz"),
        output_prefix: uri("s3://bucket/renders/r1/"),
        settings: settings(&golden("plan.event")["Config"]),
        protocol: Protocol::V1,
    });
    let chunk = Event::RenderChunk(RenderChunkEvent {
        plan: PlanLocation::Archive(uri("s3://bucket/renders/r1/plan.tar.gz")),
        plan_hash: "0".repeat(64),
        chunk_index: 3,
        output_prefix: uri("s3://bucket/renders/r1/"),
        format: Format::Mp4,
    });
    let assemble = Event::Assemble(AssembleEvent {
        plan: PlanLocation::Archive(uri("s3://bucket/renders/r1/plan.tar.gz")),
        plan_hash: None,
        chunks: vec![
            uri("s3://bucket/renders/r1/chunks/0000.mp4"),
            uri("s3://bucket/renders/r1/chunks/0001.mp4"),
        ],
        audio: None,
        output: uri("s3://bucket/renders/r1/output.mp4"),
        format: Format::Mp4,
        cfr: false,
        took: None,
    });
    for (name, expected) in [("plan", plan), ("render-chunk", chunk), ("assemble", assemble)] {
        assert_eq!(Event::parse(golden(&format!("{name}.event"))).unwrap(), expected);
    }
}

#[test]
fn answers_have_the_shapes_of_the_wire_format() {
    let plan = |is_v2: bool| {
        let v2 = |name: &str| is_v2.then(|| uri(&format!("s3://bucket/renders/r1/v2/{name}")));
        Answer::Plan(PlanAnswer {
            plan_protocol: is_v2.then_some("v2"),
            plan: (!is_v2).then(|| uri("s3://bucket/renders/r1/plan.tar.gz")),
            manifest: v2("manifest.json"),
            artifacts: v2("artifacts/sha256"),
            plan_hash: "0".repeat(64),
            chunk_count: 2,
            total_frames: 480,
            fps: 30000.0 / 1001.0,
            width: 1920,
            height: 1080,
            format: "mp4",
            has_audio: false,
            audio: None,
            cached_chunks: None,
            ffmpeg_version: "ffmpeg version 7.0.2".to_owned(),
            producer_version: "0.1.0",
            duration_ms: 1500,
            warnings: vec![],
        })
    };
    let chunk = Answer::RenderChunk(RenderChunkAnswer {
        chunk: uri("s3://bucket/renders/r1/chunks/0003.mp4"),
        chunk_index: 3,
        sha256: "f".repeat(64),
        frames_encoded: 240,
        capture_mode: "beginframe",
        duration_ms: 1500,
        warnings: vec!["the page was kept from http://169.254.169.254/".to_owned()],
    });
    let assemble = Answer::Assemble(AssembleAnswer {
        output: uri("s3://bucket/renders/r1/output.mp4"),
        poster: None,
        preview: None,
        frames_encoded: 480,
        file_size: 123_456,
        cost_usd: None,
        duration_ms: 1500,
    });
    let probe = Answer::Probe(ProbeAnswer {
        chrome: "HeadlessChrome/148.0.7778.0".to_owned(),
        web_gl: "ANGLE (Google, SwiftShader)".to_owned(),
        ffmpeg: "ffmpeg version 7.1".to_owned(),
        ffprobe: "ffprobe version 7.1".to_owned(),
        frame_source: "framebuffer",
        frame_source_reason: None,
        width: 320,
        height: 180,
        credentials_shielded: true,
        cores: 3,
        memory_mib: Some(5307),
        processes: 4,
        zombies: 0,
        capabilities: json!({}),
        duration_ms: 1500,
    });
    for (name, answer) in [
        ("probe", probe),
        ("notify", Answer::Notify(NotifyAnswer { http_status: 204 })),
        ("plan", plan(false)),
        ("plan.v2", plan(true)),
        ("render-chunk", chunk),
        ("assemble", assemble),
    ] {
        assert_eq!(serde_json::to_value(answer).unwrap(), golden(&format!("{name}.answer")));
    }
}

#[test]
fn the_log_knows_what_a_refused_event_was_called() {
    let sent = json!({"Payload": {"Input": with(with(chunk(), "RenderId", json!("r7")), "ChunkIndex", json!("x"))}});
    assert!(Event::parse(sent.clone()).is_err());
    let expected = Label {
        action: Some(Action::RenderChunk),
        render_id: Some("r7".to_owned()),
        plan_hash: Some("0".repeat(64)),
        ..Label::default()
    };
    assert_eq!(Label::of(&sent), expected);
    for payload in [json!(null), json!([]), json!({"Payload": 3}), json!({"Action": "x"})] {
        assert_eq!(Label::of(&payload), Label::default());
    }
}
