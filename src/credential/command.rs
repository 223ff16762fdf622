//! Secrets that a command prints: a password manager, another program's token helper.
//!
//! The command gets no input, 30 seconds and bounded pipes. It leads a process group of its own,
//! which is killed whole at the deadline. What it says on stderr is shown, cut and without the
//! secret; what it says on stdout never is.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::shown;
use crate::config::SecretCommand;

/// From the start to the end of the command; one that asks a person hangs for ever.
const DEADLINE: Duration = Duration::from_secs(30);
/// After its end, for what a child of its own holds open.
const AFTER_END: Duration = Duration::from_secs(1);
/// What is taken of its output, in bytes; the rest is read and thrown away.
const MAX_OUTPUT: usize = 64 * 1024;

/// Why there is no secret, without the secret.
pub(crate) type Why = String;

/// Runs the command and gives the first line that it prints.
pub(crate) async fn first_line(command: &SecretCommand) -> Result<Zeroizing<String>, Why> {
    let mut starting = match command {
        SecretCommand::Shell(line) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(line);
            shell
        }
        SecretCommand::Program(words) => {
            let (program, arguments) = words.split_first().ok_or("it names no program")?;
            let mut starting = Command::new(program);
            starting.args(arguments);
            starting
        }
    };
    let mut child = starting
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| format!("it cannot be started: {}", e.kind()))?;
    let group = Group::of(&child);
    let (mut out, mut said) = (Buffer::default(), Buffer::default());
    let ended = timeout(DEADLINE, to_its_end(&mut child, &mut out, &mut said)).await;
    let status = match ended {
        Ok(Ok(status)) => {
            group.forget();
            status
        }
        Ok(Err(e)) => return Err(format!("it cannot be waited for: {}", e.kind())),
        // The group dies as it is dropped.
        Err(_) => return Err(format!("it did not end within {} s", DEADLINE.as_secs())),
    };
    let secret = secret_of(&out);
    if !status.success() {
        let remark = remark(&said, secret.as_deref().map_or("", |s| s.as_str()));
        return Err(format!("it ended with {status}{remark}"));
    }
    secret
}

/// Reads both pipes until they and the process have ended.
async fn to_its_end(
    child: &mut Child,
    out: &mut Buffer,
    said: &mut Buffer,
) -> std::io::Result<ExitStatus> {
    let pipes = (child.stdout.take(), child.stderr.take());
    let reading = async {
        tokio::join!(out.fill(pipes.0), said.fill(pipes.1));
    };
    tokio::pin!(reading);
    tokio::select! {
        () = &mut reading => child.wait().await,
        status = child.wait() => {
            // A helper that it left running may keep the pipes open: not waited for.
            if timeout(AFTER_END, &mut reading).await.is_err() {
                tracing::debug!("a command left its output open");
            }
            status
        }
    }
}

/// What a pipe brought, wiped when dropped.
#[derive(Default)]
struct Buffer {
    bytes: Zeroizing<Vec<u8>>,
    cut: bool,
}

impl Buffer {
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

fn secret_of(out: &Buffer) -> Result<Zeroizing<String>, Why> {
    let mut lines = out.bytes.splitn(2, |b| *b == b'\n');
    let line = lines.next().unwrap_or_default();
    if out.cut && lines.next().is_none() {
        return Err(format!("its first line is longer than {MAX_OUTPUT} bytes"));
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err("it printed nothing on its first line".to_owned()),
        Ok(text) if text.contains('\0') => Err("it printed a NUL character".to_owned()),
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err("it printed what is no UTF-8 text".to_owned()),
    }
}

/// The beginning of what it said on stderr, as the end of a sentence.
fn remark(said: &Buffer, secret: &str) -> String {
    let text = String::from_utf8_lossy(&said.bytes);
    if text.trim().is_empty() {
        return String::new();
    }
    format!(": {}", shown(&text, &[secret]))
}

/// Kills the process group of a command that is given up, helpers included.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// It ended by itself: what it left running is meant to live (an agent).
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

    async fn shell(line: &str) -> Result<String, Why> {
        let got = first_line(&SecretCommand::Shell(line.to_owned())).await;
        got.map(|s| s.to_string())
    }

    #[tokio::test]
    async fn the_first_line_is_the_secret() {
        for (line, secret) in [
            ("echo hunter2", "hunter2"),
            ("printf hunter2", "hunter2"),
            ("printf 'hunter2\\r\\nlogin: ann\\n'", "hunter2"),
            ("printf ' a b '; echo; yes | head -c 300000", " a b "),
            ("echo noise >&2; cat; echo hunter2", "hunter2"),
        ] {
            assert_eq!(shell(line).await.as_deref(), Ok(secret), "{line}");
        }
        let words = ["printf", "%s", "$HOME 'x'"].map(str::to_owned).to_vec();
        let got = first_line(&SecretCommand::Program(words)).await.unwrap();
        assert_eq!(got.as_str(), "$HOME 'x'", "no shell");
    }

    #[tokio::test]
    async fn what_is_no_secret_is_an_error() {
        for (line, why) in [
            ("true", "printed nothing"),
            ("echo; echo hunter2", "printed nothing"),
            ("printf 'a\\0b'", "NUL"),
            ("printf '\\377'", "UTF-8"),
            ("head -c 70000 /dev/zero | tr '\\0' x", "longer than"),
        ] {
            let e = shell(line).await.unwrap_err();
            assert!(e.contains(why), "{line}: {e}");
        }
        let words = vec!["/nonexistent/helper".to_owned()];
        let e = first_line(&SecretCommand::Program(words))
            .await
            .unwrap_err();
        assert!(e.contains("cannot be started"), "{e}");
    }

    #[tokio::test]
    async fn a_failure_shows_what_was_said_without_the_secret() {
        let e = shell("echo hunter2; echo 'vault is locked' >&2; exit 3").await;
        let e = e.unwrap_err();
        assert_eq!(e, "it ended with exit status: 3: vault is locked");
        let e = shell("echo hunter2; echo 'not hunter2!' >&2; exit 1").await;
        assert!(!e.unwrap_err().contains("hunter2"));
        let e = shell("yes loud >&2 | head -c 1; yes loud | head -c 900000 >&2; exit 1").await;
        assert!(e.unwrap_err().len() < 400);
        let e = shell("kill -9 $$").await.unwrap_err();
        assert!(e.contains("signal: 9"), "{e}");
    }

    #[tokio::test]
    async fn a_helper_that_stays_does_not_hold_up_the_secret() {
        let began = std::time::Instant::now();
        assert_eq!(
            shell("echo hunter2; sleep 20 &").await.as_deref(),
            Ok("hunter2")
        );
        assert!(began.elapsed() < Duration::from_secs(15));
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let (pid, started) = (dir.path().join("pid"), dir.path().join("started"));
        let line = format!(
            "sleep 600 & echo $! > {}; echo > {}; wait",
            pid.display(),
            started.display()
        );
        let running = tokio::spawn(async move { shell(&line).await });
        while !started.exists() {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
        let e = running.await.unwrap().unwrap_err();
        tokio::time::resume();
        assert!(e.contains("30 s"), "{e}");
        let child: i32 = std::fs::read_to_string(pid)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        // Dead, or a zombie that nobody has waited for yet.
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
        assert!(stat.is_err() || stat.is_ok_and(|s| s.contains(") Z")));
    }
}
