//! The ways that need no mail server: a POST to a webhook, and a command. Both are bounded in time
//! and size, and their outcome is kept; what they were told is in the store before.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::process::Command;

use crate::child;
use crate::config::AlertSettings;
use crate::credential::shown;
use crate::http::HttpClient;
use crate::model::AlertWay;
use crate::store::AlertNote;
use crate::tls::TlsRoots;

/// Variables of our own environment that a command gets: none of them is a secret.
const PASSED_ON: &[&str] = &["PATH", "HOME", "LANG", "TZ"];

/// Tells one note by its way.
///
/// # Errors
/// Why it could not be told, in words without secrets.
pub(super) async fn tell(
    note: &AlertNote,
    settings: &AlertSettings,
    roots: &TlsRoots,
) -> Result<(), String> {
    match note.way {
        AlertWay::Webhook => post(note, settings, roots).await,
        AlertWay::Command => run(&settings.command, &note.told, child::DEADLINE).await,
        // Mails leave by the outbox, and are never claimed here.
        AlertWay::Mail => Ok(()),
    }
}

async fn post(note: &AlertNote, settings: &AlertSettings, roots: &TlsRoots) -> Result<(), String> {
    let Some(url) = &settings.webhook else {
        return Err("there is no webhook in the settings any more".into());
    };
    let value: serde_json::Value =
        serde_json::from_str(&note.told).map_err(|e| format!("the alert cannot be read: {e}"))?;
    let roots = roots.clone();
    // The trust store is some hundred files.
    let tls = tokio::task::spawn_blocking(move || roots.client_config(None))
        .await
        .map_err(|e| e.to_string())?
        .map_err(|e| e.to_string())?;
    let client = HttpClient::new(&tls).map_err(|e| e.to_string())?;
    let answer = client
        .post_json(url.expose_secret(), &value)
        .await
        .map_err(|e| e.to_string())?;
    if answer.is_ok() {
        Ok(())
    } else {
        Err(format!(
            "the webhook answered with status {}",
            answer.status
        ))
    }
}

/// Runs `command` with `told` on its standard input and the single facts in its environment, as
/// `REPLYD_ALERT_<NAME>`.
async fn run(command: &[String], told: &str, limit: Duration) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("there is no command in the settings any more".into());
    };
    let mut starting = Command::new(program);
    starting
        .args(arguments)
        .env_clear()
        .envs(PASSED_ON.iter().filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some((*name, value))
        }))
        .envs(variables(told))
        .current_dir(Path::new("/"));
    let ended = child::run(&mut starting, told.as_bytes(), limit)
        .await
        .map_err(|e| format!("the command: {e}"))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = shown(&String::from_utf8_lossy(&ended.said.bytes), &[]);
    let blank = if said.is_empty() { "" } else { ": " };
    Err(format!(
        "the command ended with {}{blank}{said}",
        ended.status
    ))
}

/// The single facts, as variables.
fn variables(told: &str) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(facts)) = serde_json::from_str(told) else {
        return Vec::new();
    };
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    facts
        .into_iter()
        .map(|(name, value)| {
            let name = format!("REPLYD_ALERT_{}", name.to_uppercase());
            // A NUL cannot stand in an environment.
            (name, text(value).replace('\0', " "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str =
        r#"{"alert":7,"event":"raised","account":"sales","reason":"a \"b\"","lasted_s":null}"#;
    const LIMIT: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_command_gets_the_facts_and_no_secret_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let (input, env) = (dir.path().join("in"), dir.path().join("env"));
        let script = format!("cat > {}; env > {}", input.display(), env.display());
        run(&shell(&script), TOLD, LIMIT).await.unwrap();
        assert_eq!(std::fs::read_to_string(input).unwrap(), TOLD);
        let env = std::fs::read_to_string(env).unwrap();
        for line in [
            "REPLYD_ALERT_EVENT=raised",
            "REPLYD_ALERT_ACCOUNT=sales",
            "REPLYD_ALERT_REASON=a \"b\"",
            "REPLYD_ALERT_LASTED_S=",
        ] {
            assert!(env.lines().any(|l| l == line), "{line}: {env}");
        }
        assert!(!env.contains("CARGO"), "{env}");
    }

    #[tokio::test]
    async fn arguments_reach_the_program_as_they_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a; touch b");
        let command = ["/bin/cp", "/dev/null", out.to_str().unwrap()].map(str::to_owned);
        run(&command, TOLD, LIMIT).await.unwrap();
        assert!(out.exists());
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_and_one_that_fails_is_told() {
        let e = run(&shell("exec sleep 60"), TOLD, Duration::from_millis(200)).await;
        assert!(e.unwrap_err().contains("was killed"));
        let script = "echo 'no route to ann@example.com' >&2; exit 3";
        let e = run(&shell(script), TOLD, LIMIT).await.unwrap_err();
        assert!(e.contains("exit status: 3: no route to <address>"), "{e}");
        let e = run(&["/no/such/program".to_owned()], TOLD, LIMIT).await;
        assert!(e.unwrap_err().contains("cannot be started"));
    }

    #[tokio::test]
    async fn an_endless_output_is_not_kept() {
        let script = "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1";
        let e = run(&shell(script), TOLD, LIMIT).await.unwrap_err();
        assert!(e.len() < 400, "{}", e.len());
    }

    #[tokio::test]
    async fn a_command_that_leaves_a_helper_behind_has_told_it() {
        // Or it would count as hanging, and be run again.
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("sleep 300 & echo $! > {}", pid.display());
        let told = run(&shell(&script), TOLD, Duration::from_secs(200)).await;
        let pid: i32 = std::fs::read_to_string(pid)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert_eq!(told, Ok(()));
    }
}
