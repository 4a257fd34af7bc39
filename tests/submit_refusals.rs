//! What `bootstrap submit` and `watch` refuse, and what they outlast.

use std::fs;

use serde_json::json;

use crate::s3::BUCKET;
use crate::submit::{Stack, arn_of, to_the_end};

#[test]
fn what_is_wrong_on_this_side_is_said_before_anything_is_sent() {
    let stack = Stack::new(to_the_end());
    stack.write("variables.json", &json!({"text": "x".repeat(210_000)}).to_string());
    stack.write("part.json", r#"{"BucketName": "b"}"#);
    for (args, code, message) in [
        (&["--fps", "31"][..], "CONFIG_INVALID", "fps"),
        (&["--entry", "other.html"], "ENTRY_MISSING", "other.html"),
        (&["--name", "a/b"], "ARGUMENT_INVALID", "--name a/b"),
        (&["--bucket", "No"], "ARGUMENT_INVALID", "--bucket No"),
        (&["--state-machine", "framewright"], "ARGUMENT_INVALID", "--state-machine"),
        (&["--variables-file", "variables.json"], "ARGUMENT_INVALID", "at most 204800"),
        (&["--cfr"], "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED", "Cfr"),
        (
            &["--deployment", "no.json"],
            "ARGUMENT_INVALID",
            "--deployment no.json: is not there: run scripts/deploy.sh",
        ),
        (
            &["--deployment", "part.json"],
            "ARGUMENT_INVALID",
            "--deployment part.json: has no FunctionMemoryMiB: run scripts/deploy.sh",
        ),
        (&["-o", "no/out.mp4"], "ARGUMENT_INVALID", "--output no/out.mp4"),
    ] {
        let mut args = [&["submit", "project"], args].concat();
        if !args.contains(&"-o") {
            args.extend(["-o", "out.mp4"]);
        }
        let run = stack.run(&args);
        assert_eq!((run.status, run.code()), (Some(1), code), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{args:?}: {}", run.stderr);
    }
    fs::remove_file(stack.path(".framewright/framewright.json")).unwrap();
    let run = stack.run(&["submit", "project", "-o", "out.mp4", "--bucket", BUCKET]);
    assert!(
        run.stderr.contains("--state-machine is not given: run scripts/deploy.sh"),
        "{}",
        run.stderr
    );
    assert!(stack.s3.requests().is_empty(), "{:?}", stack.s3.requests());
    assert_eq!(stack.machine.all_requests(), 0);
}

#[test]
fn what_the_cloud_refuses_is_said_and_what_passes_is_tried_again() {
    let stack = Stack::new(to_the_end());
    let submit = |name: &str| stack.run(&["submit", "project", "-o", "out.mp4", "--name", name]);
    stack.machine.fail("StartExecution", 1, 400, "AccessDeniedException");
    let run = submit("one");
    assert_eq!(run.code(), "CLOUD_REQUEST_REFUSED", "{}", run.stderr);
    assert!(
        run.stderr
            .contains("cannot start the render: Step Functions answered 400 AccessDeniedException"),
        "{}",
        run.stderr
    );
    stack.machine.fail("StartExecution", 4, 503, "ServiceUnavailable");
    assert_eq!(submit("one").code(), "CLOUD_UNAVAILABLE");

    // A watcher outlasts a while without an answer, and a history that must be read anew.
    stack.s3.put("outputs/one/output.mp4", b"the video");
    let detached = stack.run(&["submit", "project", "--detach", "--name", "one"]);
    assert_eq!(detached.status, Some(0), "{}", detached.stderr);
    stack.machine.fail("DescribeExecution", 4, 500, "InternalError");
    stack.machine.fail("DescribeExecution", 1, 400, "ExecutionDoesNotExist");
    stack.machine.fail("GetExecutionHistory", 1, 400, "InvalidToken");
    let run = stack.run(&["watch", &arn_of("one"), "-o", "out.mp4"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("cannot look at the render for now"), "{}", run.stderr);
    assert!(run.stderr.contains("1 retry, about $0.0018"), "{}", run.stderr);

    // Another render has the name, as it is seen before the upload.
    let uploads = stack.uploads();
    let run = submit("one");
    assert_eq!(run.code(), "ARGUMENT_INVALID");
    assert!(run.stderr.contains("--name one: is the name of another render"), "{}", run.stderr);
    assert_eq!(stack.uploads(), uploads);

    // One that is over can be looked at again; one that never was cannot.
    let run = stack.run(&["watch", &arn_of("one")]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("s3://render-bucket/outputs/one/output.mp4: 60 frames"),
        "{}",
        run.stderr
    );
    fs::remove_file(stack.s3.object("outputs/one/output.mp4")).unwrap();
    let run = stack.run(&["watch", &arn_of("one"), "-o", "out.mp4"]);
    assert_eq!(run.code(), "STORE_OBJECT_MISSING", "{}", run.stderr);
    assert_eq!(stack.run(&["watch", "render-1"]).code(), "ARGUMENT_INVALID");
    let run = stack.run(&["watch", &arn_of("never")]);
    assert!(
        run.stderr.ends_with("framewright:never: there is no such execution\n"),
        "{}",
        run.stderr
    );
}
