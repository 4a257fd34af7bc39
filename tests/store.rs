//! What every store promises, and what the one in S3 does when the network or the server does not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::config::{Credentials, Region};
use hyper::Method;
use store::{Addressing, Error, Expected, LocalStore, Metadata, RetryProfile, S3Store, Store, Uri};

use crate::s3::{BUCKET, FaultKind, KEY, S3, SECRET};

pub(crate) fn connect(s3: &S3, secret: &str) -> S3Store {
    reach(s3, secret, RetryProfile::Function)
}

fn reach(s3: &S3, secret: &str, reach: RetryProfile) -> S3Store {
    let credentials = Credentials::new(KEY, secret, None, None, "test");
    let config = aws_config::SdkConfig::builder()
        .endpoint_url(&s3.endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(credentials))
        .build();
    S3Store::new(&config, Addressing::InPath, reach)
}

pub(crate) fn uri(key: &str) -> Uri {
    Uri::parse(&format!("s3://{BUCKET}/{key}")).unwrap()
}

/// Bytes that do not repeat, so that a part in the wrong place is noticed.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    (0..length.div_ceil(8))
        .flat_map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()
        })
        .take(length)
        .collect()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What any store does, in places below `root`.
async fn keeps_its_promises(store: &impl Store, root: &Uri) {
    let dir = tempfile::tempdir().unwrap();
    let scratch = dir.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let from = dir.path().join("from");

    // A file comes back with its content and what was said of it, and the newest wins.
    let place = root.join("a/b c/ü.bin");
    let metadata = |label: &str| Metadata {
        sha256: None,
        labels: [("plan-hash".to_owned(), label.to_owned())].into(),
    };
    assert_eq!(store.metadata(&place).await.unwrap(), None);
    for content in [bytes(100_000), Vec::new(), b"last".to_vec()] {
        fs::write(&from, &content).unwrap();
        store.put_file(&from, &place, &metadata("x")).await.unwrap();
        let fetched = store.file(&place, &scratch).await.unwrap();
        assert_eq!(fs::read(&fetched.path).unwrap(), content);
        let found = store.metadata(&place).await.unwrap().unwrap();
        assert_eq!(found.labels, metadata("x").labels);
    }
    let digest = "5d4a0ecd0c8e3c1c5e8b5a6e6e4b6f2e2f6a8a0d8f2c4b6a8e0c2d4f6a8b0c2d";
    let wrong = Metadata { sha256: Some(digest.to_owned()), labels: [].into() };
    match store.put_file(&from, &place, &wrong).await {
        // A store that does not check when it writes hands the digest on to who reads.
        Ok(()) => {
            let fetched = store.file(&place, &scratch).await.unwrap();
            assert_eq!(fetched.unchecked_sha256.as_deref(), Some(digest));
        }
        Err(error) => assert!(matches!(error, Error::Digest { .. }), "{error}"),
    }

    // What is not there is missing, by its name.
    for error in [
        store.file(&root.join("absent"), &scratch).await.map(drop).unwrap_err(),
        store.tree(&root.join("absent"), &scratch).await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(&error, Error::Missing { uri } if *uri == root.join("absent")), "{error}");
    }

    // A copy is what was expected, with labels of its own, or whoever asks learns of no digest.
    let content = bytes(70_000);
    fs::write(&from, &content).unwrap();
    let source = root.join("kept/a b+c");
    store.put_file(&from, &source, &metadata("of the source")).await.unwrap();
    let expected =
        Expected { sha256: store::sha256_file(&from).await.unwrap(), bytes: content.len() as u64 };
    let copy = root.join("copies/of it");
    let labels = metadata("of the copy").labels;
    store.copy(&source, &copy, &expected, &labels).await.unwrap();
    let fetched = store.file(&copy, &scratch).await.unwrap();
    assert!(fs::read(&fetched.path).unwrap() == content);
    assert_eq!(fetched.labels, labels);
    let found = store.metadata(&copy).await.unwrap().unwrap();
    assert_eq!((found.sha256.as_ref(), &found.labels), (Some(&expected.sha256), &labels));
    for (name, wrong) in [
        ("digest", Expected { sha256: digest.to_owned(), ..expected.clone() }),
        ("length", Expected { bytes: 69_999, ..expected.clone() }),
    ] {
        let to = root.join(name);
        let error = store.copy(&source, &to, &wrong, &labels).await.unwrap_err();
        let is_told = matches!(error, Error::Digest { .. } | Error::Length { .. });
        assert!(is_told, "{name}: {error}");
        let known = store.metadata(&to).await.unwrap().and_then(|found| found.sha256);
        assert_eq!(known, None, "{name}");
    }
    let error = store.copy(&root.join("absent"), &copy, &expected, &labels).await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");

    // A tree comes back as it was, and replaces the one before it.
    let place = root.join("plans/plan");
    for round in ["one", "two"] {
        let tree = dir.path().join(round);
        fs::create_dir_all(tree.join("meta/empty")).unwrap();
        fs::write(tree.join("meta/x.json"), round).unwrap();
        fs::write(tree.join(round), bytes(5000)).unwrap();
        store.put_tree(&tree, &place).await.unwrap();
        let back = store.tree(&place, &scratch).await.unwrap();
        assert_eq!(names(&back), ["meta", round]);
        assert_eq!(fs::read_to_string(back.join("meta/x.json")).unwrap(), round);
        assert!(back.join("meta/empty").is_dir());
    }

    // What cannot be read is not stored.
    assert!(
        store
            .put_file(&dir.path().join("absent"), &root.join("never"), &metadata("x"))
            .await
            .is_err()
    );
    assert_eq!(store.metadata(&root.join("never")).await.unwrap(), None);
}

#[tokio::test]
async fn a_local_directory_keeps_what_every_store_promises() {
    let dir = tempfile::tempdir().unwrap();
    keeps_its_promises(&LocalStore, &Uri::from_path(dir.path()).unwrap()).await;
}

#[test]
fn s3_keeps_what_every_store_promises() {
    with_server(async |_, store| keeps_its_promises(&store, &uri("root")).await);
}

/// Runs `check` with a server.
fn with_server(check: impl AsyncFnOnce(&S3, S3Store)) {
    let s3 = S3::start();
    let store = connect(&s3, SECRET);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(check(&s3, store));
}

#[test]
fn a_large_file_travels_in_parts_and_arrives_whole() {
    with_server(async |s3, store| {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        let content = bytes((64 << 20) + 12_345);
        fs::write(&from, &content).unwrap();
        store.put_file(&from, &uri("large.mp4"), &Metadata::default()).await.unwrap();
        let parts = s3.requests().iter().filter(|line| line.contains("partNumber=")).count();
        assert_eq!(parts, 5, "16 MiB each");
        let fetched = store.file(&uri("large.mp4"), dir.path()).await.unwrap();
        assert!(fs::read(fetched.path).unwrap() == content, "another content");
        assert!(store.metadata(&uri("large.mp4")).await.unwrap().unwrap().sha256.is_some());
    });
}

#[test]
fn a_line_that_takes_nothing_for_a_while_loses_a_function_s_upload_and_not_a_person_s() {
    with_server(async |s3, store| {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        let content = bytes((16 << 20) + 1);
        fs::write(&from, &content).unwrap();
        let person = reach(s3, SECRET, RetryProfile::Interactive);
        s3.fail(Method::PUT, "/", 100, FaultKind::TakenAfter(Duration::from_secs(12)));
        let about = Metadata::default();
        let (function, person_s) = (uri("function"), uri("person"));
        let (lost, sent) = tokio::join!(
            tokio::time::timeout(Duration::from_secs(20), store.put_file(&from, &function, &about)),
            person.put_file(&from, &person_s, &about),
        );
        assert!(!matches!(lost, Ok(Ok(()))), "a function waits for what stalls");
        sent.unwrap();
        assert!(fs::read(s3.object("person")).unwrap() == content, "another content");
        let requests = s3.requests();
        let parts = requests
            .iter()
            .filter(|line| line.contains("/person?") && line.contains("partNumber="))
            .count();
        assert_eq!(parts, 3, "8 MiB each, each once: {requests:?}");
    });
}

#[test]
fn a_digest_is_known_only_if_the_server_and_the_writer_agree() {
    with_server(async |s3, store| {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::write(&from, "x").unwrap();
        store.put_file(&from, &uri("x"), &Metadata::default()).await.unwrap();
        let known = async || store.metadata(&uri("x")).await.unwrap().unwrap().sha256;
        let digest = known().await;
        assert!(digest.is_some());
        s3.relabel(None);
        assert_eq!(known().await, digest, "the server's own");
        s3.relabel(Some(&"0".repeat(64)));
        assert_eq!(known().await, None);
    });
}

#[test]
fn what_is_sent_names_the_account_that_the_bucket_must_belong_to() {
    with_server(async |s3, store| {
        let dir = tempfile::tempdir().unwrap();
        let (small, large) = (dir.path().join("small"), dir.path().join("large"));
        fs::write(&small, "x").unwrap();
        fs::write(&large, bytes(9 << 20)).unwrap();
        let person = reach(s3, SECRET, RetryProfile::Interactive).owned_by("123456789012");
        person.head(&uri("absent")).await.unwrap();
        person.put_file(&small, &uri("small"), &Metadata::default()).await.unwrap();
        person.put_file(&large, &uri("large"), &Metadata::default()).await.unwrap();
        let owners = s3.owners();
        // A look, a file, and two parts with a request before and one after them.
        assert_eq!(owners.len(), 6, "{:?}", s3.requests());
        assert!(owners.iter().all(|owner| owner == "123456789012"), "{owners:?}");
        store.head(&uri("small")).await.unwrap();
        assert_eq!(s3.owners().len(), 6, "nobody said whose it is");
    });
}

#[test]
fn an_upload_that_fails_half_way_is_taken_back() {
    with_server(async |s3, store| {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::write(&from, bytes(65 << 20)).unwrap();
        // The first parts arrive; then nothing does.
        s3.fail(Method::PUT, "large", 100, FaultKind::Status(403, "AccessDenied"));
        let error = store.put_file(&from, &uri("large"), &Metadata::default()).await.unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error}");
        assert!(
            s3.requests()
                .iter()
                .any(|line| line.starts_with("DELETE") && line.contains("uploadId="))
        );
        assert!(!s3.object("large").exists());
        // So is one whose caller has stopped waiting.
        s3.stop_failing();
        let place = uri("late");
        let about = Metadata::default();
        let late = store.put_file(&from, &place, &about);
        let started = async {
            while !s3
                .requests()
                .iter()
                .any(|line| line.contains("/late?") && line.contains("partNumber="))
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        futures::future::select(Box::pin(late), Box::pin(started)).await;
        store.settle(Duration::from_secs(10)).await;
        let aborted = |line: &String| line.starts_with("DELETE") && line.contains("/late?");
        assert!(s3.requests().iter().any(aborted), "it was not taken back");
        assert!(!s3.object("late").exists());
    });
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was() {
    with_server(async |s3, store| {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        let content = bytes(40 << 20);
        fs::write(&from, &content).unwrap();
        store.put_file(&from, &uri("x"), &Metadata::default()).await.unwrap();
        for fault_kind in [
            FaultKind::CutAfter(1_000_000),
            FaultKind::CutAfter(0),
            FaultKind::Status(503, "SlowDown"),
        ] {
            s3.fail(Method::GET, "/x", 3, fault_kind);
            let fetched = store.file(&uri("x"), dir.path()).await.unwrap();
            assert!(
                fs::read(fetched.path).unwrap() == content,
                "another content after {fault_kind:?}"
            );
        }
        // So does one whose continuation is refused as often as a request is tried.
        s3.put("small", &content[..10 << 20]);
        s3.fail(Method::GET, "/small", 1, FaultKind::CutAfter(1_000_000));
        s3.fail(Method::GET, "/small", 5, FaultKind::Status(503, "SlowDown"));
        let fetched = store.file(&uri("small"), dir.path()).await.unwrap();
        assert!(fs::read(fetched.path).unwrap() == content[..10 << 20], "another content");
        // A body that stops coming is given up and asked for again.
        s3.fail(Method::GET, "/x", 1, FaultKind::StallAfter(500_000));
        let fetched = store.file(&uri("x"), dir.path()).await.unwrap();
        assert!(fs::read(fetched.path).unwrap() == content, "another content after a stall");
    });
}

#[test]
fn what_does_not_mend_is_said_with_what_the_server_said() {
    with_server(async |s3, store| {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::write(&from, bytes(1000)).unwrap();
        store.put_file(&from, &uri("x"), &Metadata::default()).await.unwrap();
        let get = async || store.file(&uri("x"), dir.path()).await.map(drop).unwrap_err();
        s3.fail(Method::GET, "/x", 100, FaultKind::Status(503, "SlowDown"));
        let error = get().await;
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("503 SlowDown"), "{error}");
        s3.stop_failing();
        s3.fail(Method::GET, "/x", 100, FaultKind::CutAfter(0));
        let error = get().await;
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        s3.stop_failing();
        s3.fail(Method::GET, "/x", 1, FaultKind::Status(403, "AccessDenied"));
        let error = get().await;
        assert!(matches!(error, Error::Denied { .. }), "{error}");
        s3.fail(Method::GET, "/x", 1, FaultKind::Status(400, "InvalidArgument"));
        let error = get().await;
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(matches!(
            connect(s3, "another secret").file(&uri("x"), dir.path()).await,
            Err(Error::Denied { .. })
        ));
        // Bytes that are not what was stored are not handed out.
        s3.fail(Method::GET, "/x", 100, FaultKind::Garbled);
        let error = get().await;
        assert!(matches!(error, Error::Digest { .. }), "{error}");
        assert_eq!(names(dir.path()), ["from"], "something is left");
    });
}

#[test]
fn an_archive_that_is_none_leaves_no_tree() {
    with_server(async |s3, store| {
        let dir = tempfile::tempdir().unwrap();
        s3.put("plan.tar.gz", b"not an archive");
        let error = store.tree(&uri("plan.tar.gz"), dir.path()).await.unwrap_err();
        assert!(matches!(error, Error::Archive { .. }), "{error}");
        assert!(error.to_string().contains(&format!("s3://{BUCKET}/plan.tar.gz")), "{error}");
    });
}
