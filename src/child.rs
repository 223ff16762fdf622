//! Other programs, run once: bounded in time and output, each in a process group of its own.
//!
//! A secret's command and an alert's command are run alike; what they get and what is made of
//! their output is theirs.

use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// From the start to the end of a program; one that asks a person hangs for ever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// After its end, for what a child of its own holds open.
const AFTER_END: Duration = Duration::from_secs(1);
/// What is taken of each output, in bytes; the rest is read and thrown away.
pub(crate) const MAX_OUTPUT: usize = 64 * 1024;

/// A program that ended.
pub(crate) struct Ended {
    /// How.
    pub(crate) status: ExitStatus,
    /// What it printed on its standard output.
    pub(crate) out: Output,
    /// What it printed on its standard error.
    pub(crate) said: Output,
}

/// What a pipe brought, wiped when dropped.
#[derive(Default)]
pub(crate) struct Output {
    /// At most [`MAX_OUTPUT`] bytes.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Whether there was more.
    pub(crate) cut: bool,
}

/// Why a program did not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChildError {
    #[error("it cannot be started: {0}")]
    Start(ErrorKind),
    #[error("it cannot be waited for: {0}")]
    Wait(ErrorKind),
    #[error("it did not end within {} s, and was killed", .0.as_secs())]
    TooLong(Duration),
}

/// Runs `command` with `input` on its standard input. What it leaves running when it ends by itself
/// is meant to live (an agent) and is not waited for; at the limit all of it is killed.
///
/// # Errors
/// When it cannot be started, or does not end within `limit`.
pub(crate) async fn run(
    command: &mut Command,
    input: &[u8],
    limit: Duration,
) -> Result<Ended, ChildError> {
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| ChildError::Start(e.kind()))?;
    let group = Group::of(&child);
    let (mut out, mut said) = (Output::default(), Output::default());
    // Boxed: its two chunks would stand in every caller's future.
    let ended = Box::pin(to_its_end(&mut child, input, &mut out, &mut said));
    match timeout(limit, ended).await {
        Ok(Ok(status)) => {
            group.forget();
            Ok(Ended { status, out, said })
        }
        // The group dies as it is dropped.
        Ok(Err(e)) => Err(ChildError::Wait(e.kind())),
        Err(_) => Err(ChildError::TooLong(limit)),
    }
}

/// Serves the three pipes until they and the process have ended.
async fn to_its_end(
    child: &mut Child,
    input: &[u8],
    out: &mut Output,
    said: &mut Output,
) -> std::io::Result<ExitStatus> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read it is none the worse.
            if let Err(e) = stdin.write_all(input).await {
                tracing::debug!("a command did not read its standard input: {e}");
            }
        }
    };
    let pipes = async {
        tokio::join!(out.fill(stdout), said.fill(stderr), feed);
    };
    tokio::pin!(pipes);
    tokio::select! {
        () = &mut pipes => child.wait().await,
        status = child.wait() => {
            // A helper that it left running may keep the pipes open: not waited for.
            if timeout(AFTER_END, &mut pipes).await.is_err() {
                tracing::debug!("a command left its output open");
            }
            status
        }
    }
}

impl Output {
    async fn fill(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        // Once: growing would leave copies of a secret behind.
        self.bytes.reserve(MAX_OUTPUT);
        let mut chunk = [0; 4096];
        // A pipe that fails has ended.
        while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
            let room = MAX_OUTPUT.saturating_sub(self.bytes.len());
            self.cut |= n > room;
            let kept = chunk.get(..n.min(room)).unwrap_or_default();
            self.bytes.extend_from_slice(kept);
        }
        chunk.zeroize();
    }
}

/// Kills the process group of a program that is given up, helpers included.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// It ended by itself.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended meanwhile.
            kill_process_group(group, Signal::KILL).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test may take.
    const LONG: Duration = Duration::from_secs(600);

    async fn shell(line: &str, input: &[u8], limit: Duration) -> Result<Ended, ChildError> {
        run(Command::new("/bin/sh").arg("-c").arg(line), input, limit).await
    }

    #[tokio::test]
    async fn input_goes_in_and_both_outputs_come_out() {
        let ended = shell("cat; echo loud >&2; exit 3", b"told", LONG).await;
        let ended = ended.map_err(|e| e.to_string()).unwrap();
        assert_eq!(ended.out.bytes.as_slice(), b"told");
        assert_eq!(ended.said.bytes.as_slice(), b"loud\n");
        assert_eq!(ended.status.code(), Some(3));
        assert!(!ended.out.cut);
        let ended = shell("cat", b"", LONG).await;
        assert!(ended.is_ok_and(|e| e.out.bytes.is_empty()), "no input");
    }

    #[tokio::test]
    async fn an_endless_output_is_cut_and_unread_input_is_no_failure() {
        let line = "head -c 3000000 /dev/zero";
        let ended = shell(line, &vec![b'x'; 1_000_000], LONG).await;
        let ended = ended.map_err(|e| e.to_string()).unwrap();
        assert!(ended.status.success() && ended.out.cut);
        assert_eq!(ended.out.bytes.len(), MAX_OUTPUT);
    }

    #[tokio::test]
    async fn a_helper_that_stays_is_not_waited_for_and_lives() {
        // Were it waited for, the limit would be reached.
        let ended = shell("sleep 300 & echo $!", b"told", Duration::from_secs(200)).await;
        let ended = ended.map_err(|e| e.to_string()).unwrap();
        let pid = String::from_utf8_lossy(&ended.out.bytes).trim().to_owned();
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_ok());
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let (pid, started) = (dir.path().join("pid"), dir.path().join("started"));
        let line = format!(
            "sleep 600 & echo $! > {}; echo > {}; wait",
            pid.display(),
            started.display()
        );
        let running = tokio::spawn(async move { shell(&line, b"", DEADLINE).await });
        while !started.exists() {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
        let e = running.await.unwrap().err().map(|e| e.to_string());
        tokio::time::resume();
        assert!(e.is_some_and(|e| e.contains("30 s")));
        let child = std::fs::read_to_string(pid).unwrap();
        let stat = format!("/proc/{}/stat", child.trim());
        // Dead, or a zombie that nobody has waited for yet; the kernel ends it in its own time.
        let gone = || !std::fs::read_to_string(&stat).is_ok_and(|s| !s.contains(") Z"));
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while !gone() {
            assert!(std::time::Instant::now() < deadline, "it lives");
            tokio::task::yield_now().await;
        }
    }
}
