//! The documentation is complete: every option, config field, variable of the environment and error code has its row, and no row
//! is about something that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Command, CommandFactory};
use render::config::Settings;
use serde_json::json;

use crate::cli::args::Cli;

const BEGIN: &str = "<!-- options: made from the code by UPDATE=1 cargo test documented -->\n";
const END: &str = "<!-- end of options -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn configuration() -> String {
    fs::read_to_string(root().join("docs/configuration.md")).unwrap()
}

/// The names in the first column of the table below `heading`.
fn rows(text: &str, heading: &str) -> BTreeSet<String> {
    let section = text.split_once(&format!("\n{heading}\n")).expect("the section is there").1;
    let section = section.split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    cells
        .flat_map(|cell| cell.split('`').step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .filter(|name| !name.trim().is_empty() && name.trim() != ",")
        .collect()
}

/// Every option with the commands that have it and what it means.
fn options(program: &Command) -> String {
    let mut table: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut all: Vec<(String, &Command)> = vec![("every command".to_owned(), program)];
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set());
    all.extend(commands.map(|command| (command.get_name().to_owned(), command)));
    for (name, command) in all {
        for option in command.get_arguments().filter(|option| !option.is_hide_set()) {
            let Some(long) = option.get_long().filter(|long| !["help", "version"].contains(long))
            else {
                continue;
            };
            let mut shown = match option.get_short() {
                Some(short) => format!("`-{short}`, `--{long}`"),
                None => format!("`--{long}`"),
            };
            if matches!(option.get_action(), ArgAction::Set | ArgAction::Append) {
                let values = option.get_value_names().unwrap_or_default();
                write!(shown, " {}", values.join(" ")).unwrap();
            }
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            let mut help = help.replace('|', "\\|").replace('<', "&lt;");
            let possible = option.get_possible_values();
            let names: Vec<_> = possible
                .iter()
                .filter(|value| !value.is_hide_set())
                .map(clap::builder::PossibleValue::get_name)
                .collect();
            if !names.is_empty() && option.get_action().takes_values() {
                write!(help, " [{}]", names.join(", ")).unwrap();
            }
            let default = option.get_default_values().iter().map(|value| value.to_string_lossy());
            if option.get_action().takes_values()
                && let Some(default) = default.into_iter().next()
            {
                write!(help, " [default: {default}]").unwrap();
            }
            table.entry((shown, help)).or_default().push(name.clone());
        }
    }
    let mut text = "| Option | Of | Meaning |\n|---|---|---|\n".to_owned();
    for ((option, help), commands) in table {
        writeln!(text, "| {option} | {} | {help} |", commands.join(", ")).unwrap();
    }
    text
}

#[test]
fn every_option_has_its_row_in_docs_configuration_md_as_the_code_has_it() {
    let made = options(&Cli::command());
    let text = configuration();
    let (before, rest) = text.split_once(BEGIN).expect("the mark of the beginning");
    let (found, after) = rest.split_once(END).expect("the mark of the end");
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{before}{BEGIN}\n{made}\n{END}{after}");
        fs::write(root().join("docs/configuration.md"), text).unwrap();
        return;
    }
    assert_eq!(found.trim(), made.trim(), "run UPDATE=1 cargo test documented, and read the diff");
}

#[test]
fn every_config_field_has_its_row_and_no_other() {
    let config = json!({ "fps": 30, "noSuchField": 1 });
    let error = Settings::parse(config.as_object().unwrap()).unwrap_err().to_string();
    let (_, known) = error.split_once("known are ").expect("a refusal names the known fields");
    let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
    assert!(known.len() > 20, "{known:?}");
    assert_eq!(rows(&configuration(), "## Config fields"), known);
    let schema = fs::read_to_string(root().join("docs/config.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(properties.keys().cloned().collect::<BTreeSet<_>>(), known);
    // Every value of a list is taken for its field, whatever else it may need.
    for (field, property) in properties {
        for value in property["enum"].as_array().into_iter().flatten() {
            let config = json!({ "fps": 30, field: value });
            let error =
                Settings::parse(config.as_object().unwrap()).err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(!error.contains("must be one of"), "{field}: {value}: {error}");
        }
    }
}

/// Variables of the environment that are named in the sources of the program.
fn variables_in(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            variables_in(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("\n#[cfg(test)]").next().unwrap();
            for quoted in text.split('"').skip(1).step_by(2) {
                let prefixes = ["FRAMEWRIGHT_", "HYPERFRAMES_", "AWS_", "PRODUCER_"];
                let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                let is_variable = ["NO_COLOR", "TMPDIR"].contains(&quoted)
                    || prefixes
                        .iter()
                        .any(|prefix| quoted.len() > prefix.len() && quoted.starts_with(prefix));
                if is_variable && quoted.chars().all(is_name) && !quoted.starts_with("PRODUCER_") {
                    found.insert(quoted.to_owned());
                }
            }
        }
    }
}

#[test]
fn every_variable_of_the_environment_has_its_row() {
    let mut read = BTreeSet::new();
    for krate in ["compose", "render", "store", "worker"] {
        variables_in(&root().join("crates").join(krate).join("src"), &mut read);
    }
    assert!(read.contains("FRAMEWRIGHT_TOOLS") && read.contains("HYPERFRAMES_RENDER_BUCKET"));
    let rows = rows(&configuration(), "## Environment");
    let missing: Vec<_> = read.difference(&rows).collect();
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:?}");
    // The SDK and the standard library read these by themselves.
    let others = [
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "TMPDIR",
        "PRODUCER_RUNTIME_*",
        "PRODUCER_RENDER_*",
    ];
    let unread: Vec<_> =
        rows.difference(&read).filter(|name| !others.contains(&name.as_str())).collect();
    assert!(unread.is_empty(), "nothing reads {unread:?}");
}

#[test]
fn every_link_of_the_documentation_leads_to_a_file_and_a_heading() {
    let mut files =
        vec![root().join("README.md"), root().join("CONTRIBUTING.md"), root().join("CHANGELOG.md")];
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path =
                if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(path.exists(), "{}: {target}", file.display());
            if !heading.is_empty() && path.is_file() {
                let text = fs::read_to_string(&path).unwrap();
                let has = text.lines().any(|line| anchor(line) == Some(heading.to_owned()))
                    || text.contains(&format!("id=\"{heading}\""));
                assert!(has, "{}: no heading for {target}", file.display());
            }
        }
    }
}

/// The anchor of a heading, as the usual hosts make it.
fn anchor(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let title = title.to_lowercase();
    let kept = title.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    Some(kept.collect())
}
