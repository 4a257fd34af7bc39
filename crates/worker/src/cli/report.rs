//! What a command that failed leaves: its message, its JSON and its exit status.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::args::{Cli, Command};
use crate::cli::host::print;
use crate::cli::probe;
use crate::cli::terminal::{Label, Terminal};
use crate::error::{Code, Error};

/// Reports an error on stderr and, where JSON is wanted, on stdout.
pub(crate) fn report(cli: &Cli, terminal: &Terminal, error: &Error) -> ExitCode {
    let (code, message) = (error.code().name(), error.chain());
    let wants_json = match &cli.command {
        // A batch has said it in its own JSON.
        Command::Render(args) => args.json && !matches!(error, Error::Batch { .. }),
        Command::Still(args) => args.json,
        Command::Submit(args) => args.json,
        Command::Watch(args) => args.json,
        Command::List(args) => args.json,
        Command::Status(args) | Command::Cancel(args) => args.json,
        // What is wrong stands in its own JSON.
        Command::Lint(_)
        | Command::Preview(_)
        | Command::Invoke(_)
        | Command::Probe(_)
        | Command::Doctor(_)
        | Command::New { .. }
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Floor(_)
        | Command::Pack { .. } => false,
    };
    if wants_json {
        let mut answer = json!({ "error": { "code": code, "message": message } });
        if let Some(execution) = error.execution() {
            answer["executionArn"] = execution.into();
        }
        let _nobody_reads = print(&answer);
    }
    terminal.labelled(Label::Error, &format!("{code}: {message}"));
    ExitCode::from(match (&cli.command, error.code()) {
        (_, Code::Cancelled) => 130,
        (Command::Probe(_) | Command::Doctor(_), code) => probe::status(code),
        _ if error.is_of_arguments() => 2,
        _ => 1,
    })
}
