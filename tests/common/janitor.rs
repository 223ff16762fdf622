//! Ends servers whose test was killed.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A shell that waits for the end of the test's process and then runs a command: a test that is
/// killed (the runner's time limit, Ctrl+C) runs no destructor and would leave its servers behind.
#[derive(Debug)]
pub(crate) struct Janitor {
    shell: Child,
}

impl Janitor {
    /// Runs `command` with `argument` as `$1` once this process is gone. A regular end of the
    /// test drops the janitor, and then nothing is run.
    #[track_caller]
    pub(crate) fn watch(command: &str, argument: &str) -> Self {
        let shell = Command::new("sh")
            .arg("-c")
            // The pipe's other end closes with the process, however it ends.
            .arg(format!("read -r _ || {{ {command}; }}"))
            .arg("janitor")
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What kills the test's process group must not kill its janitor.
            .process_group(0)
            .spawn()
            .expect("Start sh");
        Self { shell }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        // Killed before its pipe closes, so that the command does not run.
        if self.shell.kill().is_ok() && self.shell.wait().is_err() {
            eprintln!("The janitor {} could not be waited for", self.shell.id());
        }
    }
}
