//! What `bootstrap submit` and `watch` refuse, and what they outlast.

use std::fs;

use std::os::unix::fs::symlink;

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::WRONG;
use crate::s3::{BUCKET, FaultKind};
use crate::step_functions::MACHINE;
use crate::submit::{Stack, arn_of, to_the_end};

#[test]
fn what_is_wrong_on_this_side_is_said_before_anything_is_sent() {
    let stack = Stack::new(to_the_end());
    stack.write("variables.json", &json!({"text": "x".repeat(210_000)}).to_string());
    stack.write("part.json", r#"{"BucketName": "b"}"#);
    symlink("project/index.html", stack.path("link.mp4")).unwrap();
    for (args, code, message) in [
        (&["--entry", "other.html"][..], "ENTRY_MISSING", "other.html"),
        (&["--name", "a/b"], "ARGUMENT_INVALID", "--name a/b"),
        (&["--bucket", "No"], "ARGUMENT_INVALID", "--bucket No"),
        (&["--state-machine", "framewright"], "ARGUMENT_INVALID", "--state-machine"),
        (&["--variables-file", "variables.json"], "ARGUMENT_INVALID", "at most 204800"),
        (&["--cfr", "-o", "out.webm"], "CONFIG_INVALID", "is for mp4"),
        (&["-o", "out.mov", "--crf", "20"], "CONFIG_INVALID", "is for mp4 and webm"),
        (&["-o", "out.mov", "--format", "gif"], "ARGUMENT_INVALID", "--format is gif"),
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
        (
            &["-o", "link.mp4"],
            "ARGUMENT_INVALID",
            "link.mp4: is there already and is not a regular",
        ),
        (&["-o", "/proc/out.mp4"], "ARGUMENT_INVALID", "/proc/out.mp4: its folder takes no files"),
    ] {
        let mut args = [&["submit", "project"], args].concat();
        if !args.contains(&"-o") {
            args.extend(["-o", "out.mp4"]);
        }
        let run = stack.run(&args);
        assert_eq!((run.status, run.code()), (WRONG, code), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{args:?}: {}", run.stderr);
    }
    // A project does not bring the deployment that it is sent to.
    stack.write("index.html", "<p>");
    let run = stack.run(&["submit", ".", "-o", "out.mp4"]);
    let said = "--deployment .framewright/framewright.json: is in the project";
    assert!(run.stderr.contains(said), "{}", run.stderr);
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
    let run = submit("one");
    assert_eq!(run.code(), "CLOUD_UNAVAILABLE");
    let watch = format!("one may have started; watch it with: framewright watch {}", arn_of("one"));
    assert!(run.stderr.contains(&watch), "{}", run.stderr);

    // A watcher survives a period without answers, and a history that must be read again.
    stack.s3.put("outputs/one/output.mp4", b"the video");
    let detached = stack.run(&["submit", "project", "--detach", "--name", "one"]);
    assert_eq!(detached.status, Some(0), "{}", detached.stderr);
    stack.machine.fail("DescribeExecution", 4, 500, "InternalError");
    stack.machine.fail("DescribeExecution", 1, 400, "ExecutionDoesNotExist");
    stack.machine.fail("GetExecutionHistory", 1, 400, "InvalidToken");
    let run = stack.run(&["watch", &arn_of("one"), "-o", "out.mp4"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("cannot describe the render for now"), "{}", run.stderr);
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

#[test]
fn what_the_bucket_has_against_an_upload_is_said_in_its_own_words() {
    let stack = Stack::new(to_the_end());
    let submit = || stack.run(&["submit", "project", "--detach"]);
    for (status, code) in [(400, "ExpiredToken"), (301, "PermanentRedirect"), (403, "AccessDenied")]
    {
        // The answer to a look has no body.
        stack.s3.fail(Method::HEAD, "projects/", 1, FaultKind::Status(status, code));
        stack.s3.fail(Method::PUT, "projects/", 1, FaultKind::Status(status, code));
        let run = submit();
        assert_eq!(run.status, Some(1), "{}", run.stderr);
        let said = format!("S3 answered {status} {code}: as the test asked");
        assert!(run.stderr.contains(&said), "{}", run.stderr);
    }
    assert!(stack.machine.requests("StartExecution").is_empty());
    // Who may write and not look can still submit.
    stack.s3.fail(Method::HEAD, "projects/", 1, FaultKind::Status(403, "AccessDenied"));
    let run = submit();
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(stack.s3.owners().iter().all(|owner| owner == "123456789012"));
    assert!(stack.s3.owners().len() >= 8, "{:?}", stack.s3.requests());
}

#[test]
fn a_render_whose_start_got_no_answer_is_found_by_its_own_name_only() {
    let stack = Stack::new(to_the_end());
    stack.machine.lose("StartExecution");
    let run = stack.run(&["submit", "project", "--detach", "--json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["executionArn"], arn_of(summary["renderId"].as_str().unwrap()));
    stack.machine.lose("StartExecution");
    let run = stack.run(&["submit", "project", "--detach", "--name", "mine"]);
    assert!(run.stderr.contains("--name mine: is the name of another render"), "{}", run.stderr);
}

#[test]
fn what_a_page_of_the_history_told_is_not_lost_when_the_next_one_does_not_come() {
    let stack = Stack::new(to_the_end());
    // The second look reads the page with the warning, and then nothing for as often as is tried.
    stack.machine.fail_later(2, "GetExecutionHistory", 4, 503, "ServiceUnavailable");
    let run = stack.run(&["submit", "project", "--name", "one", "--json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("cannot read how far the render is"), "{}", run.stderr);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["warnings"], json!(["a letter has no font"]));
    assert_eq!(summary["output"], Value::Null);
}

#[test]
fn memory_and_log_of_another_state_machine_s_function_are_not_used() {
    let stack = Stack::new(to_the_end());
    let other = json!({
        "BucketName": BUCKET, "StateMachineArn": format!("{MACHINE}-2"), "FunctionMemoryMiB": "4096",
        "FunctionLogGroup": "/aws/lambda/other", "Region": "us-east-1",
    });
    stack.write(".framewright/framewright.json", &other.to_string());
    let run = stack.run(&["submit", "project", "--name", "one", "--state-machine", MACHINE]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(!run.stderr.contains("about $"), "{}", run.stderr);
    // Without an output, its place is said.
    let place = "s3://render-bucket/outputs/one/output.mp4: 60 frames";
    assert!(run.stderr.contains(place), "{}", run.stderr);
    let run = stack.run(&["watch", &arn_of("one")]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(!run.stderr.contains("about $"), "{}", run.stderr);
    let run = stack.run(&["watch", &arn_of("one"), "--memory", "4096"]);
    assert!(run.stderr.contains("about $0.0018"), "{}", run.stderr);
}
