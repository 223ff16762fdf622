//! The edges of the process: a port that is taken, priorities in the journal, systemd's line.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::common::bin::Replyd;
use crate::common::scenario::{Scenario, Setting};
use crate::common::wait_for;
use crate::world::{Settings, World, short};

const CONSOLE: &str = "[[accounts]]\nname = \"desk\"\naddress = \"desk@homes.example\"\n\
     password = \"x\"\nimap.host = \"localhost\"\nimap.port = 1\nsmtp.console = true\n\
     smtp.host = \"localhost\"\n[log]\nformat = \"json\"\n";

#[test]
fn a_port_in_use_is_a_clear_error_of_the_start_and_no_web_needs_none() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let replyd = Replyd::new(CONSOLE);
    let finished = replyd.run(&["run", "--listen", &address]);
    finished.assert_code(1);
    let text = finished.stderr();
    for part in [address.as_str(), "is in use", "--no-web"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A single pass answers nobody, and so does a run without the port.
    replyd
        .run(&["run", "--once", "--listen", &address])
        .assert_code(75);
    for flags in [&["run", "--no-web"][..], &["run", "--listen", "off"]] {
        let mut running = replyd.start(flags);
        running.wait_for_event("the tasks to start", |event| {
            event["message"]
                .as_str()
                .is_some_and(|m| m.starts_with("Starting periodic"))
        });
        running.terminate().assert_code(0);
    }
    let finished = replyd.run(&["run", "--listen", "nonsense"]);
    finished.assert_code(64);
    assert!(
        finished.stderr().contains("--listen"),
        "{}",
        finished.stderr()
    );
}

#[test]
fn lines_for_the_journal_begin_with_their_priority_and_others_do_not() {
    let replyd = Replyd::new(CONSOLE);
    let log = replyd.dir().join("log");
    let once = |with_journal: bool| {
        let file = std::fs::File::create(&log).unwrap();
        let meta = file.metadata().unwrap();
        let stream = if with_journal {
            format!("{}:{}", meta.dev(), meta.ino())
        } else {
            "1:2".to_owned()
        };
        let ended = Command::new(env!("CARGO_BIN_EXE_replyd"))
            .args(["run", "--once", "--log-format", "text"])
            .env_clear()
            .env("REPLYD_CONFIG", replyd.dir().join("replyd.toml"))
            .env("REPLYD_LOGIN_EVERY", "0s")
            .env("STATE_DIRECTORY", replyd.dir().join("state"))
            .env("JOURNAL_STREAM", stream)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .status()
            .unwrap();
        assert_eq!(ended.code(), Some(75));
        std::fs::read_to_string(&log).unwrap()
    };
    let lines = once(true);
    assert!(!lines.is_empty());
    for line in lines.lines() {
        assert!(
            line.starts_with('<') && line.get(2..3) == Some(">"),
            "{line}"
        );
    }
    let warning = lines.lines().find(|l| l.contains("connection ended"));
    assert!(warning.is_some_and(|l| l.starts_with("<4>")), "{lines}");
    let lines = once(false);
    assert!(!lines.contains("<4>"), "{lines}");
}

#[test]
fn systemd_is_told_the_states_in_one_line() {
    let scenario = Scenario::new(Setting::default());
    let path = scenario.replyd.dir().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let vars = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let running = scenario.replyd.start_with(&["run"], &vars);
    wait_for("STATUS= with the state", || {
        let mut text = [0_u8; 2048];
        let n = socket.recv(&mut text).ok()?;
        let text = String::from_utf8_lossy(text.get(..n)?).into_owned();
        text.contains("STATUS=desk: live").then_some(())
    });
    running.terminate().assert_code(0);
}

/// Killed between the steps of an alert: what was not committed is told by the next start, what
/// was committed is not told again.
#[test]
fn a_process_that_dies_while_it_tells_tells_it_once_in_the_end() {
    for point in ["alerts.before_commit", "alerts.claimed"] {
        let world = World::new(Settings {
            // Nobody listens there: the desk is down from the start.
            imap_port: Some(1),
            ..Settings::default()
        });
        let crash = [("REPLYD_CRASH_AT", point)];
        let dead = world.replyd.start_with(&["run"], &crash).finish();
        assert_eq!(dead.status.signal(), Some(9), "{}", dead.output());
        assert_eq!(world.hook.told().len(), 0, "{point}");
        // What a dead process had booked comes back with its lease: as if that were over.
        let conn = rusqlite::Connection::open(world.replyd.database()).unwrap();
        conn.execute("UPDATE alert_notes SET next_try_at = 0", [])
            .unwrap();
        let running = world.start();
        assert_eq!(short(&world.hook.wait_for(1)), ["desk raised down"]);
        assert_eq!(
            world.wait_for_ops(1),
            ["replyd: account desk does not hear"],
            "{point}"
        );
        // Another start, and looks: nothing more.
        running.kill();
        let mut running = world.start();
        for _ in 0..2 {
            running.wait_for_event("further tries", |event| {
                event["account"] == "desk"
                    && event["message"]
                        .as_str()
                        .is_some_and(|m| m.starts_with("connection ended"))
            });
        }
        assert_eq!(world.hook.told().len(), 1, "{point}");
        assert_eq!(world.rows().count("alerts"), 1, "{point}");
        assert_eq!(world.ops_got().len(), 1, "{point}");
        running.terminate().assert_code(0);
    }
}
