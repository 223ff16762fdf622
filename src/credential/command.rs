//! Secrets that a command prints: a password manager, another program's token helper.
//!
//! The command gets no input, 30 seconds and bounded pipes. It leads a process group of its own,
//! which is killed whole at the deadline (`child`). What it says on stderr is shown, cut and without the
//! secret; what it says on stdout never is.

use secrecy::zeroize::Zeroizing;
use tokio::process::Command;

use super::shown;
use crate::child::{self, MAX_OUTPUT, Output};
use crate::config::SecretCommand;

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
    let ended = child::run(&mut starting, b"", child::DEADLINE)
        .await
        .map_err(|e| e.to_string())?;
    let secret = secret_of(&ended.out);
    if !ended.status.success() {
        let remark = remark(&ended.said, secret.as_deref().map_or("", |s| s.as_str()));
        return Err(format!("it ended with {}{remark}", ended.status));
    }
    secret
}

fn secret_of(out: &Output) -> Result<Zeroizing<String>, Why> {
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
fn remark(said: &Output, secret: &str) -> String {
    let text = String::from_utf8_lossy(&said.bytes);
    if text.trim().is_empty() {
        return String::new();
    }
    format!(": {}", shown(&text, &[secret]))
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
        let e = shell("yes loud | head -c 900000 >&2; exit 1").await;
        assert!(e.unwrap_err().len() < 400);
        let e = shell("kill -9 $$").await.unwrap_err();
        assert!(e.contains("signal: 9"), "{e}");
    }
}
