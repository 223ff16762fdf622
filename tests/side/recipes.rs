//! docs/RECIPES.md and docs/MIGRATION.md: what they show is what is tried here.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use replyd::cli::Cli;
use replyd::time::now;

use super::common::ports::Port;
use super::common::scenario::{QUESTION, Scenario, Setting};
use super::common::wait_for;
use super::hooks::add_hook;
use super::http::ask;
use super::sent::{serve, token};
use super::{data, python};

const RECIPES: &str = include_str!("../../docs/RECIPES.md");
const MIGRATION: &str = include_str!("../../docs/MIGRATION.md");

/// The blocks of a page in one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    let parts = page.split(start.as_str()).skip(1);
    parts.map(|p| p.split("```").next().unwrap()).collect()
}

/// A shell in which `replyd` is ours, with the settings of the scenario.
fn shell(s: &Scenario, line: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_replyd"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", line])
        .current_dir(s.replyd.dir())
        .env("PATH", path)
        .env("REPLYD_CONFIG", s.replyd.dir().join("replyd.toml"))
        .env("REPLYD_DATABASE", s.replyd.database());
    command
}

fn desk() -> Scenario {
    let s = Scenario::new(Setting::default());
    s.import(Duration::from_secs(86_400));
    s.arrived(s.lead(), QUESTION, now());
    s
}

#[test]
fn the_pages_show_the_files_that_are_tried_and_commands_that_exist() {
    for file in [
        "tasks.py",
        "sent_reporter.py",
        "shop/receiver.py",
        "flask_receiver.py",
    ] {
        let text = std::fs::read_to_string(data("django").join(file)).unwrap();
        assert!(
            blocks(RECIPES, "python").contains(&text.as_str()),
            "{file} differs from docs/RECIPES.md"
        );
    }
    let mut tried = 0;
    for line in [RECIPES, MIGRATION]
        .iter()
        .flat_map(|p| blocks(p, "sh"))
        .flat_map(str::lines)
    {
        let line = line.trim().trim_start_matches("nohup ");
        if let Some(rest) = line.strip_prefix("replyd ") {
            let words = rest.split(" > ").next().unwrap().split_whitespace();
            let words = std::iter::once("replyd").chain(words);
            assert!(Cli::parse_args(words).is_ok(), "{line}");
            tried += 1;
        }
    }
    for cell in MIGRATION
        .split('`')
        .filter_map(|c| c.strip_prefix("replyd "))
    {
        // "run (the service)" and the like stand outside of the quotes.
        let words = std::iter::once("replyd").chain(cell.split_whitespace());
        let known = Cli::parse_args(words);
        let incomplete = ["erase lead", "setup"].iter().any(|c| cell.starts_with(c));
        assert!(known.is_ok() || incomplete, "{cell}");
        tried += 1;
    }
    assert!(tried > 12, "{tried}");
    for unit in ["replyd-once.timer", "replyd-once.service"] {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("systemd")
                .join(unit)
                .exists()
        );
    }
}

#[test]
fn the_crontab_line_and_the_background_process_find_the_reply() {
    let s = desk();
    let line = blocks(RECIPES, "cron")[0]
        .trim()
        .strip_prefix("* * * * * ")
        .unwrap();
    let out = shell(&s, line).output().unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(
        s.replyd
            .rows()
            .count("conversations WHERE sender = 'customer'"),
        1
    );

    let line = blocks(RECIPES, "sh")
        .into_iter()
        .find(|b| b.starts_with("nohup"))
        .unwrap();
    let out = shell(
        &s,
        &format!("{}\necho $!", line.trim().replace("run ", "run --no-web ")),
    )
    .output()
    .unwrap();
    let pid: i32 = String::from_utf8(out.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let log = s.replyd.dir().join("email_check.log");
    wait_for("the background process to look", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.contains("Starting periodic email reply checker (interval: 60s")
            .then_some(())
    });
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    wait_for("its end", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.contains("Stopped periodic checking").then_some(())
    });
}

#[test]
fn the_beat_task_looks_and_the_pending_query_has_one_answer_three_ways() {
    let s = desk();
    let token = token(&s, &["--name", "celery", "--scope", "write"]);
    let python = python();
    let (running, at, _port) = serve(&s);
    let run = |code: &str| {
        let out = Command::new(&python)
            .args(["-c", code])
            .current_dir(data("django"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("REPLYD_URL", format!("http://{at}"))
            .env("REPLYD_TOKEN", &token)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{code}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    };
    let said = run("import tasks; print(tasks.check_email_replies_task.apply().get())");
    let said: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(said["success"], true, "{said}");
    assert_eq!(
        s.replyd
            .rows()
            .count("conversations WHERE sender = 'customer'"),
        1
    );
    let plan = run("import tasks; print(tasks.app.conf.beat_schedule['check-email-replies'])");
    assert!(
        plan.contains("tasks.check_email_replies_task") && plan.contains("60.0"),
        "{plan}"
    );

    let refused = run("import sent_reporter; print(sent_reporter.tell_replyd([\
         {'message_id': '<a@shop.example>', 'campaign_lead_id': 1, 'date': '2026-01-01T10:00:00Z'},\
         {'message_id': '<b@shop.example>', 'campaign_lead_id': 99, 'date': '2026-01-01T10:00:00Z'}]))");
    assert!(
        refused.contains("Campaign lead not found") && !refused.contains("<a@"),
        "{refused}"
    );

    let sql = blocks(RECIPES, "sql")[0];
    let pending = || -> i64 { s.replyd.rows().value(sql.trim(), []) };
    let by_api = || ask(at, "GET", "/api/pending", &token, "");
    wait_for("the reply to be decided", || (pending() == 0).then_some(()));
    assert_eq!(by_api().1["count"], 0);
    let conn = rusqlite::Connection::open(s.replyd.database()).unwrap();
    conn.busy_timeout(Duration::from_secs(10)).unwrap();
    conn.execute_batch(
        "UPDATE conversations SET auto_reply_processed = 0 WHERE sender = 'customer';
         UPDATE reply_jobs SET state = 'pending', next_attempt_at = 9000000000000",
    )
    .unwrap();
    let status = shell(&s, "replyd status --json").output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let api = by_api();
    if pending() == 1 {
        assert_eq!(api.1["count"], 1, "{api:?}");
        assert_eq!(api.1["items"][0]["campaign_lead_id"], 1);
        assert_eq!(status["replies_pending"], 1);
    }
    running.terminate().assert_code(0);
}

/// A server of the recipes; ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().unwrap();
    }
}

fn receiver(args: &[&str], at: SocketAddr, dir: &Path) -> Serving {
    let child = Command::new(python())
        .args(args)
        .current_dir(data("django"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SHOP_DB", dir.join("shop.sqlite3"))
        .env("REPLYD_WEBHOOK_SECRET", "a secret of these tests")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let serving = Serving(child);
    wait_for("the receiver", || {
        TcpStream::connect(at).is_ok().then_some(())
    });
    serving
}

#[test]
fn the_receivers_take_what_is_signed_and_nothing_else() {
    for kind in ["django", "flask"] {
        let s = Scenario::new(Setting::default());
        let port = Port::reserve();
        let at: SocketAddr = ([127, 0, 0, 1], port.number()).into();
        let number = port.number().to_string();
        let (args, path) = match kind {
            "django" => (
                vec![
                    "manage.py",
                    "runserver",
                    "--noreload",
                    "--skip-checks",
                    &number,
                ],
                "/hooks/replyd/",
            ),
            _ => (
                vec![
                    "-m",
                    "flask",
                    "--app",
                    "flask_receiver",
                    "run",
                    "--port",
                    &number,
                ],
                "/hooks/replyd",
            ),
        };
        let _receiver = receiver(&args, at, s.replyd.dir());
        add_hook(&s, &format!("http://{at}{path}"), "reply");
        let took = s.replyd.run(&["webhooks", "test", "crm"]);
        assert!(
            took.output().contains("took it: status 204"),
            "{kind}: {}",
            took.output()
        );
        let settings = s.replyd.dir().join("replyd.toml");
        let text = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(
            &settings,
            text.replace("a secret of these tests", "another secret of them"),
        )
        .unwrap();
        let refused = s.replyd.run(&["webhooks", "test", "crm"]);
        refused.assert_code(75);
        assert!(
            refused.output().contains("status 401"),
            "{kind}: {}",
            refused.output()
        );
        let (status, _) = ask(at, "POST", path, "none", "{}");
        assert_eq!(status, 401);
    }
}
