//! `framewright lint`: everything that is wrong with a project, with its places, without drawing it.

use std::path::Path;

use compose::lint::{Finding, Severity, place, project};
use serde_json::json;

use crate::actions::plan::net;
use crate::cli::args::LintArgs;
use crate::cli::config::settings;
use crate::cli::host::{environment, open_toolbox, print, project_and_entry, scratch};
use crate::cli::terminal::{Label, Terminal};
use crate::error::{Error, Result};
use crate::workdir::WorkDir;

pub(crate) async fn lint(args: &LintArgs, terminal: &Terminal) -> Result<()> {
    let findings = find(args).await?;
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if args.json {
        print(&json!({ "findings": findings, "errors": errors, "warnings": warnings }))?;
    } else {
        for finding in &findings {
            let label = match finding.severity {
                Severity::Error => Label::Error,
                Severity::Warning => Label::Warning,
                Severity::Note => Label::Note,
            };
            terminal.labelled(label, &finding.to_string());
        }
    }
    if errors + warnings == 0 { Ok(()) } else { Err(Error::Lint { errors, warnings }) }
}

async fn find(args: &LintArgs) -> Result<Vec<Finding>> {
    let (dir, entry) = project_and_entry(&args.project)?;
    let config = args.page.config(&dir, entry.as_deref())?;
    let settings = settings(&config)?;
    let mut findings = project(&dir, &settings.entry);
    let scratch = scratch(&args.host);
    let tools = open_toolbox(&args.host, &scratch)?.drawing().await?;
    let bench = WorkDir::make(&scratch)?;
    let net = net(&environment())?;
    let asked = render::plan::preflight(&tools, &net, &dir, &settings, bench.path()).await;
    let (messages, severity) = match asked {
        Ok(warnings) => (warnings, Severity::Warning),
        Err(error) => (vec![Error::from(error).chain()], Severity::Error),
    };
    for message in messages {
        let finding = placed(&dir, &settings.entry, &message, severity);
        let is_told = findings.iter().any(|told| {
            told.to_string() == message
                || (told.severity >= finding.severity
                    && told.file == finding.file
                    && told.line.is_some()
                    && told.line == finding.line)
        });
        if !is_told {
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// A message of planning with the place of the file and element that it names, as far as it names them.
fn placed(project: &Path, entry: &str, message: &str, severity: Severity) -> Finding {
    let named = message
        .split_once(": ")
        .filter(|(file, _)| !file.contains(['<', '"']) && project.join(file).is_file());
    let (file, rest) = named.unwrap_or((entry, message));
    let element = rest.find('<').and_then(|start| {
        let end = rest[start..].find('>')?;
        Some(&rest[start..=start + end])
    });
    let place = element.and_then(|element| place(project, file, element));
    Finding {
        severity,
        file: file.to_owned(),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        message: rest.to_owned(),
    }
}
