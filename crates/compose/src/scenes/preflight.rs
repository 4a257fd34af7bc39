//! Whether every nested composition can be put in its place, found out for all of them before anything is changed.

use std::path::Path;

use dom_query::{Document, NodeRef};

use crate::document::html::describe;
use crate::error::{Error, Result};
use crate::scenes::scene::{NO_COMPOSITION, content, read};
use crate::site::Site;

/// Deeper nesting than this is taken for a mistake.
const MAX_DEPTH: usize = 20;

/// So are more instances.
const MAX_MOUNTS: usize = 1000;

/// The hosts of `document` that name a file.
pub(crate) fn hosts(document: &Document) -> Vec<NodeRef<'_>> {
    let all = document.select("[data-composition-src]");
    // What stands in a host gives way to the host's own file.
    let is_outer = |host: &NodeRef<'_>| {
        !host
            .ancestors_it(None)
            .any(|above| above.has_attr("data-composition-src") && source(&above).is_some())
    };
    all.nodes().iter().copied().filter(|host| source(host).is_some() && is_outer(host)).collect()
}

/// The same of what is inside `host`.
pub(crate) fn hosts_in<'a>(host: &NodeRef<'a>) -> Vec<NodeRef<'a>> {
    let named =
        |node: &NodeRef<'a>| node.has_attr("data-composition-src") && source(node).is_some();
    let inside = |node: &NodeRef<'a>| {
        let above = node.ancestors_it(None).take_while(|above| above.id != host.id);
        !above.into_iter().any(|above| named(&above))
    };
    host.descendants_it().filter(NodeRef::is_element).filter(named).filter(inside).collect()
}

/// The file that a host names, from the root of the project; `None` for a place that a template engine has left.
pub(crate) fn source(host: &NodeRef<'_>) -> Option<String> {
    let src = host.attr("data-composition-src")?;
    let src = src.trim();
    if is_placeholder(src) {
        return None;
    }
    // Wherever the host stands.
    let site = Site { root: Path::new(""), folder: "" };
    Some(site.resolve(src).unwrap_or_default())
}

fn is_placeholder(src: &str) -> bool {
    let between = |open: &str, close: &str| {
        src.len() > open.len() + close.len() && src.starts_with(open) && src.ends_with(close)
    };
    between("__", "__") || between("<<", ">>") || between("{{", "}}") || between("${", "}")
}

/// Walks through all files and refuses the composition with a line for each problem.
pub(crate) fn check(
    document: &Document,
    project: &Path,
    file: &str,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let mut problems = Vec::new();
    for host in document.select("[data-composition-src]").nodes() {
        if source(host).is_none() {
            warnings.push(format!("{file}: {} names no file yet and stays empty", describe(host)));
            host.remove_attr("data-composition-src");
        }
    }
    let mut mounts = 0;
    walk(document, project, &mut vec![file.to_owned()], &mut mounts, &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort();
    problems.dedup();
    Err(Error::Nested { problems: problems.join("; ") })
}

fn walk(
    document: &Document,
    project: &Path,
    above: &mut Vec<String>,
    mounts: &mut usize,
    problems: &mut Vec<String>,
) -> Result<()> {
    for host in hosts(document) {
        *mounts += 1;
        if *mounts > MAX_MOUNTS {
            let reason = format!("more than {MAX_MOUNTS} nested compositions");
            return Err(Error::Nested { problems: reason });
        }
        let src = source(&host).unwrap_or_default();
        let from = above.last().cloned().unwrap_or_default();
        let mut refuse =
            |reason: String| problems.push(format!("{from}: {}: {reason}", describe(&host)));
        if src.is_empty() {
            refuse("names no file".to_owned());
            continue;
        }
        if let Some(first) = above.iter().position(|file| *file == src) {
            refuse(format!("goes in a circle: {} > {src}", above[first..].join(" > ")));
            continue;
        }
        if above.len() > MAX_DEPTH {
            refuse(format!("is nested deeper than {MAX_DEPTH} levels"));
            continue;
        }
        let text = match read(project, &src) {
            Ok(decoded) => decoded.text,
            Err(Error::Nested { problems }) => {
                refuse(problems);
                continue;
            }
            Err(error) => return Err(error),
        };
        let content = content(&text);
        if content.select("[data-composition-id]").is_empty() {
            let has_any = content
                .select("body *, html > *")
                .nodes()
                .iter()
                .any(|node| !node.has_name("head") && !node.has_name("body"));
            let reason = if has_any { NO_COMPOSITION } else { "is empty" };
            refuse(format!("{src} {reason}"));
            continue;
        }
        above.push(src);
        walk(&content, project, above, mounts, problems)?;
        above.pop();
    }
    Ok(())
}
