//! `framewright completions` and `framewright man`: what shells and `man` read, made from the arguments themselves.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::error::{Error, Result};

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "framewright", &mut text);
    std::io::stdout().write_all(&text).map_err(|source| Error::Io {
        action: "print to",
        path: "stdout".to_owned(),
        source,
    })
}

/// Writes a manual page for the program and one for each command into `dir`.
pub(crate) fn man(dir: &Path) -> Result<()> {
    let written = std::fs::create_dir_all(dir);
    written.and_then(|()| clap_mangen::generate_to(Cli::command(), dir)).map_err(|source| {
        Error::Io { action: "write manual pages to", path: dir.display().to_string(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_manual_page_with_its_options() {
        let dir = tempfile::tempdir().unwrap();
        man(dir.path()).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(page("framewright.1").contains("framewright\\-render(1)"));
        let render = page("framewright-render.1");
        for option in ["\\-\\-crf", "\\-\\-ready\\-timeout", "\\-\\-no\\-clobber"] {
            assert!(render.contains(option), "{option}");
        }
        assert!(!dir.path().join("framewright-floor.1").exists(), "a hidden command");
    }
}
