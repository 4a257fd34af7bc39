//! What Ctrl-C means for a render that runs elsewhere: the person at the terminal is asked.

use std::io::IsTerminal;

use tokio::sync::mpsc;

use crate::cli::host::line;
use crate::cli::signals::{Signals, Stop};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    StopIt,
    LeaveIt,
}

/// What to do with the render after the signal `stop`. Only a person at a terminal can stop it.
pub(super) async fn choose(stop: Stop, signals: &mut Signals) -> Choice {
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if stop != Stop::Interrupt || !is_terminal {
        return Choice::LeaveIt;
    }
    let mut answers = answers();
    loop {
        line("stop the render? [y] stop it, [n] leave it running");
        let answer = tokio::select! {
            answer = answers.recv() => answer,
            _ = signals.next() => None,
        };
        match answer.as_deref().map(str::trim) {
            Some("y" | "Y" | "yes") => return Choice::StopIt,
            None | Some("n" | "N" | "no") => return Choice::LeaveIt,
            Some(_) => {}
        }
    }
}

/// The lines that are typed. They are read on a thread that is never joined: it ends with the process.
fn answers() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for answer in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(answer).is_err() {
                return;
            }
        }
    });
    receiver
}
