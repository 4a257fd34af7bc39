//! What is wrong with a project's files as they are written, each with its place: markup that swallows content, misspelt
//! attributes, files that are not there.

mod attributes;
mod files;
mod markup;
mod scripts;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::document::base;
use crate::document::decode::decode_document;
use crate::document::html::parse;
use crate::lint::markup::{Scan, Tag, scan};
use crate::site::Site;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is rendered, and nothing is wrong with it.
    Note,
    /// It is rendered, and probably not as it is meant.
    Warning,
    /// It is not rendered.
    Error,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// A path in the project.
    pub file: String,
    /// Both counted from 1; columns are characters. Absent where the place is not known.
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity: _, file, line, column, message } = self;
        match (line, column) {
            (Some(line), Some(column)) => write!(f, "{file}:{line}:{column}: {message}"),
            _ => write!(f, "{file}: {message}"),
        }
    }
}

/// More files than this are not looked at: a circle of scenes is refused elsewhere.
const MAX_FILES: usize = 1000;

/// A file that is looked at, with what its rules need.
struct Source<'a> {
    text: &'a str,
    project: &'a Path,
    /// Where its relative addresses lead.
    folder: String,
    tags: Vec<Tag<'a>>,
    part: Part,
}

/// What a file is in its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Entry,
    Scene,
    Frame,
}

/// Everything that is wrong with the documents of `project`, beginning with `entry`, in the order of their places.
pub fn project(project: &Path, entry: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![(entry.to_owned(), Part::Entry)];
    while let Some((file, part)) = open.pop() {
        if seen.len() >= MAX_FILES || !seen.insert(file.clone()) {
            continue;
        }
        let Ok(bytes) = fs::read(project.join(&file)) else { continue };
        let text = decode_document(&bytes, &file).text;
        // A document in another encoding was written anew with its scripts' encodings; its lines are still the same.
        open.extend(document(&text, &file, project, part, &mut findings));
    }
    findings.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    findings
}

/// The same without what planning refuses by itself: what a render warns of.
pub fn warnings(project_dir: &Path, entry: &str) -> Vec<String> {
    let findings = project(project_dir, entry).into_iter();
    findings
        .filter(|finding| finding.severity == Severity::Warning)
        .map(|finding| finding.to_string())
        .collect()
}

/// Looks at one document, and answers the documents that it shows.
fn document(
    text: &str,
    file: &str,
    project: &Path,
    part: Part,
    findings: &mut Vec<Finding>,
) -> Vec<(String, Part)> {
    let Scan { tags, problems } = scan(text);
    let places = Places::of(text);
    let mut found: Vec<(usize, Severity, String)> = problems;
    let folder = base::folder(&parse(text), file);
    let source = Source { text, project, folder, tags, part };
    attributes::check(&source, &mut found);
    scripts::check(&source, &mut found);
    let shown = files::check(&source, &mut found);
    findings.extend(found.into_iter().map(|(at, severity, message)| {
        let (line, column) = places.of_byte(text, at);
        let file = file.to_owned();
        Finding { severity, file, line: Some(line), column: Some(column), message }
    }));
    shown
}

/// Where an element stands that an error describes: the first tag of `file` that would be described so.
pub fn place(project: &Path, file: &str, element: &str) -> Option<(usize, usize)> {
    let bytes = fs::read(project.join(file)).ok()?;
    let text = decode_document(&bytes, file).text;
    let scanned = scan(&text);
    let tag = scanned.tags.iter().find(|tag| !tag.is_end && tag.described() == element)?;
    Some(Places::of(&text).of_byte(&text, tag.start))
}

/// Where the lines of a text start.
struct Places(Vec<usize>);

impl Places {
    fn of(text: &str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(breaks).collect())
    }

    /// Line and column of a byte.
    fn of_byte(&self, text: &str, at: usize) -> (usize, usize) {
        let Self(starts) = self;
        let line = starts.partition_point(|start| *start <= at);
        let start = starts[line - 1];
        (line, text[start..at].chars().count() + 1)
    }
}

impl Source<'_> {
    fn site(&self) -> Site<'_> {
        Site { root: self.project, folder: &self.folder }
    }
}

#[cfg(test)]
mod tests;
