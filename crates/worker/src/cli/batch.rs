//! `framewright render --batch`: one composition with the variables of each row of a file.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use compose::hash::sha256_hex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cli::args::RenderArgs;
use crate::cli::host::print;
use crate::cli::terminal::{Label, Terminal};
use crate::cli::video::{Request, render_request};
use crate::error::{Error, Result};

/// The record of what was rendered, in the directory of the videos: one JSON object in each line.
const RECORD: &str = ".framewright-batch.jsonl";

/// What a line of the file asks for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The name of the video, in the directory that `--output` names.
    output: String,
    #[serde(default)]
    variables: Map<String, Value>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outcome {
    output: String,
    /// Of the row and of all that the videos of the batch have in common, to know that a video is still the one that is asked for.
    digest: String,
    status: Status,
    /// Of the video, to know that it is still the one that was rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Rendered,
    /// An earlier run has rendered it.
    Kept,
    Failed,
}

/// Renders every row of `file`, and goes on where one fails.
pub(super) async fn render_all(args: &RenderArgs, file: &Path, terminal: &Terminal) -> Result<()> {
    let dir = args.output();
    let rows = read(file)?;
    fs::create_dir_all(dir).map_err(|source| Error::Io {
        action: "make",
        path: dir.display().to_string(),
        source,
    })?;
    let common = digest_of_project(args)?;
    let requests = rows
        .iter()
        .map(|row| Request::check(args, &dir.join(&row.output), Some(&row.variables)))
        .collect::<Result<Vec<_>>>()?;
    let mut record = Record::open(&dir.join(RECORD))?;
    let digests: Vec<_> = rows.iter().map(|row| digest(&common, row)).collect();
    let is_done = |row: &Row, digest: &str| {
        let found = size(&dir.join(&row.output));
        !args.overwrite.force && record.has(&row.output, digest, found)
    };
    let done: Vec<_> =
        rows.iter().zip(&digests).map(|(row, digest)| is_done(row, digest)).collect();
    if args.overwrite.no_clobber {
        let other = |(row, is_done): &(&Row, &bool)| !**is_done && dir.join(&row.output).exists();
        if let Some((row, _)) = rows.iter().zip(&done).find(other) {
            let reason = format!("keeps {}, which is not the video of its row", row.output);
            return Err(Error::Argument { argument: "--no-clobber".to_owned(), reason });
        }
    }
    let (mut outcomes, total) = (Vec::new(), rows.len());
    for (index, (row, request)) in rows.iter().zip(&requests).enumerate() {
        let start = Instant::now();
        let number = index + 1;
        let outcome = |status, error| Outcome {
            output: row.output.clone(),
            digest: digests[index].clone(),
            status,
            bytes: size(&dir.join(&row.output)),
            error,
            seconds: start.elapsed().as_secs_f64(),
        };
        let outcome = if done[index] {
            outcome(Status::Kept, None)
        } else {
            terminal.note(&format!("{number} of {total}: {}", row.output));
            match Box::pin(render_request(args, request, terminal)).await {
                Ok(_summary) => outcome(Status::Rendered, None),
                // What ends one render for want of arguments, tools or time ends all of them.
                Err(error) if ends_the_batch(&error) => return Err(error),
                Err(error) => {
                    let message = format!("{}: {}", error.code(), error.chain());
                    terminal.labelled(Label::Error, &format!("{}: {message}", row.output));
                    outcome(Status::Failed, Some(message))
                }
            }
        };
        if outcome.status != Status::Kept {
            record.add(&outcome)?;
        }
        outcomes.push(outcome);
    }
    finish(args, &outcomes, terminal)
}

/// Bytes of a file, or of a directory's own entry.
fn size(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|found| found.len())
}

fn ends_the_batch(error: &Error) -> bool {
    use crate::error::Code;
    let code = error.code();
    matches!(code, Code::Cancelled | Code::ToolMissing | Code::ToolDigestMismatch | Code::DiskFull)
}

fn finish(args: &RenderArgs, outcomes: &[Outcome], terminal: &Terminal) -> Result<()> {
    let count =
        |status| outcomes.iter().filter(|outcome: &&Outcome| outcome.status == status).count();
    let (rendered, kept) = (count(Status::Rendered), count(Status::Kept));
    let failed = count(Status::Failed);
    if args.json {
        let rows = json!(outcomes);
        print(&json!({ "rendered": rendered, "kept": kept, "failed": failed, "rows": rows }))?;
    } else {
        for text in table(outcomes) {
            terminal.note(&text);
        }
        terminal.note(&format!(
            "{rendered} rendered, {kept} kept from an earlier run, {failed} failed"
        ));
    }
    if failed == 0 { Ok(()) } else { Err(Error::Batch { failed, total: outcomes.len() }) }
}

fn table(outcomes: &[Outcome]) -> Vec<String> {
    let width = outcomes.iter().map(|outcome| outcome.output.chars().count()).max().unwrap_or(0);
    let lines = outcomes.iter().map(|outcome| {
        let Outcome { output, digest: _, status, bytes: _, error, seconds } = outcome;
        let says = match status {
            Status::Rendered => format!("rendered  {seconds:>7.1} s"),
            Status::Kept => "kept".to_owned(),
            Status::Failed => {
                let code = error.as_deref().unwrap_or_default().split(':').next();
                format!("failed    {seconds:>7.1} s  {}", code.unwrap_or_default())
            }
        };
        format!("{output:<width$}  {says}")
    });
    lines.collect()
}

fn read(file: &Path) -> Result<Vec<Row>> {
    let bad = |reason: String| Error::Argument {
        argument: format!("--batch {}", file.display()),
        reason,
    };
    let text = fs::read_to_string(file).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let row: Row =
            serde_json::from_str(line).map_err(|error| bad(format!("line {number}: {error}")))?;
        let is_name = Path::new(&row.output).components().count() == 1
            && Path::new(&row.output).file_name().is_some();
        if !is_name {
            let reason = "must be the name of a file, without a directory";
            return Err(bad(format!("line {number}: output \"{}\" {reason}", row.output)));
        }
        if rows.iter().any(|other| other.output == row.output) {
            return Err(bad(format!("line {number}: {} is the output of two rows", row.output)));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(bad("has no rows".to_owned()));
    }
    Ok(rows)
}

/// Of all files of the project by name, size and time, and of the options that change a video.
fn digest_of_project(args: &RenderArgs) -> Result<String> {
    let (project, entry) = crate::cli::host::project_and_entry(&args.project)?;
    let config = args.config.config(&project, entry.as_deref(), 1, None)?;
    let mut parts = vec![env!("CARGO_PKG_VERSION").to_owned(), Value::from(config).to_string()];
    let failed = |source| Error::Io { action: "list", path: project.display().to_string(), source };
    let files =
        compose::tree::files(&project).map_err(|error| Error::from(render::Error::from(error)))?;
    for file in files {
        let found = fs::metadata(project.join(&file)).map_err(failed)?;
        let changed = found.modified().map_err(failed)?;
        parts.push(format!("{file}\0{}\0{changed:?}", found.len()));
    }
    Ok(sha256_hex(parts.join("\0").as_bytes()))
}

fn digest(common: &str, row: &Row) -> String {
    let Row { output, variables } = row;
    sha256_hex(format!("{common}\0{output}\0{}", Value::from(variables.clone())).as_bytes())
}

/// What earlier runs have rendered.
#[derive(Debug)]
struct Record {
    path: PathBuf,
    known: Vec<Outcome>,
    /// Whether the last line was cut off.
    is_cut_off: bool,
}

impl Record {
    fn open(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                let path = path.display().to_string();
                return Err(Error::Io { action: "read", path, source });
            }
        };
        // A line that was cut off when a machine died says nothing.
        let known = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let is_cut_off = !text.is_empty() && !text.ends_with('\n');
        Ok(Self { path: path.to_owned(), known, is_cut_off })
    }

    /// Whether the video of `bytes` that is there is the one of this digest.
    fn has(&self, output: &str, digest: &str, bytes: Option<u64>) -> bool {
        let latest = self.known.iter().rev().find(|outcome| outcome.output == output);
        latest.is_some_and(|found| {
            found.digest == digest
                && found.status == Status::Rendered
                && bytes.is_some()
                && found.bytes == bytes
        })
    }

    fn add(&mut self, outcome: &Outcome) -> Result<()> {
        let before = if std::mem::take(&mut self.is_cut_off) { "\n" } else { "" };
        let line = format!("{before}{}\n", json!(outcome));
        let opened = File::options().create(true).append(true).open(&self.path);
        opened.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|source| Error::Io {
            action: "write",
            path: self.path.display().to_string(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<Row>> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rows.jsonl");
        fs::write(&file, text).unwrap();
        read(&file)
    }

    #[test]
    fn a_row_that_cannot_be_meant_is_refused_with_its_line() {
        let good =
            "{\"output\": \"a.mp4\"}\n\n{\"output\": \"b.mp4\", \"variables\": {\"x\": 1}}\n";
        assert_eq!(rows(good).unwrap().len(), 2);
        for (text, says) in [
            ("", "has no rows"),
            ("{\"output\": \"a.mp4\"}\n{", "line 2"),
            ("{\"output\": \"a/b.mp4\"}", "without a directory"),
            ("{\"output\": \"..\"}", "without a directory"),
            ("{\"output\": \"a.mp4\"}\n{\"output\": \"a.mp4\"}", "two rows"),
            ("{\"output\": \"a.mp4\", \"variable\": {}}", "unknown field"),
            ("{\"variables\": {}}", "missing field"),
        ] {
            let error = rows(text).unwrap_err();
            assert!(error.is_of_arguments() && error.to_string().contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_video_is_kept_only_while_its_row_is_the_same_and_the_last_run_of_it_succeeded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(RECORD);
        let outcome = |digest: &str, status| Outcome {
            output: "a.mp4".to_owned(),
            digest: digest.to_owned(),
            status,
            bytes: Some(9),
            error: None,
            seconds: 1.0,
        };
        let record = || Record::open(&path).unwrap();
        let has = |output: &str, digest: &str| record().has(output, digest, Some(9));
        assert!(!has("a.mp4", "1"));
        record().add(&outcome("1", Status::Rendered)).unwrap();
        assert!(has("a.mp4", "1"));
        assert!(!has("a.mp4", "2") && !has("b.mp4", "1"));
        assert!(!record().has("a.mp4", "1", Some(8)), "it was cut off");
        assert!(!record().has("a.mp4", "1", None), "it is gone");
        record().add(&outcome("1", Status::Failed)).unwrap();
        assert!(!has("a.mp4", "1"));
        fs::write(&path, "{\"output\": \"a.mp4\", \"dig").unwrap();
        assert!(!has("a.mp4", "1"));
        record().add(&outcome("1", Status::Rendered)).unwrap();
        assert!(has("a.mp4", "1"), "a line after one that was cut off counts");
    }

    #[test]
    fn the_table_has_a_line_for_each_row() {
        let outcome = |output: &str, status, error: Option<&str>| Outcome {
            output: output.to_owned(),
            digest: String::new(),
            status,
            bytes: None,
            error: error.map(str::to_owned),
            seconds: 12.34,
        };
        let error = Some("PAGE_SCRIPT_ERROR: the page failed");
        let lines = table(&[
            outcome("short.mp4", Status::Rendered, None),
            outcome("much-longer.mp4", Status::Failed, error),
        ]);
        assert_eq!(
            lines,
            [
                "short.mp4        rendered     12.3 s",
                "much-longer.mp4  failed       12.3 s  PAGE_SCRIPT_ERROR"
            ]
        );
    }
}
