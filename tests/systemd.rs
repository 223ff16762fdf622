//! The units in systemd/, checked by systemd itself on copies that name the built binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, outside of test functions"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const UNITS: [&str; 3] = ["replyd.service", "replyd-once.service", "replyd-once.timer"];

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("systemd")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Copies of all units that start the built binary.
fn copies() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in UNITS {
        let unit = shipped(name).replace("/usr/bin/replyd", env!("CARGO_BIN_EXE_replyd"));
        fs::write(dir.path().join(name), unit).unwrap();
    }
    dir
}

fn run(program: &str, args: &[&str], files: &[PathBuf]) -> Output {
    Command::new(program)
        .args(args)
        .args(files)
        .output()
        .unwrap_or_else(|e| panic!("cannot run {program} ({e}): install the package `systemd`"))
}

#[test]
fn systemd_finds_nothing_to_say_about_the_units() {
    let dir = copies();
    for name in UNITS {
        let out = run("systemd-analyze", &["verify"], &[dir.path().join(name)]);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(stderr, "", "{name}");
        assert!(out.status.success(), "{name}: {}", out.status);
    }
}

#[test]
fn the_services_are_sandboxed() {
    let dir = copies();
    for name in ["replyd.service", "replyd-once.service"] {
        let args = ["security", "--no-pager", "--offline=true", "--threshold=20"];
        let out = run("systemd-analyze", &args, &[dir.path().join(name)]);
        let stdout = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{name}: {}\n{stdout}", out.status);
    }
}

#[test]
fn the_service_is_watched_restarted_and_stops_at_bad_settings() {
    let unit = shipped("replyd.service");
    for line in [
        "Type=notify",
        "WatchdogSec=90",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        "RestartSec=5",
        "RestartPreventExitStatus=64",
        "StartLimitIntervalSec=0",
        "Wants=network-online.target",
    ] {
        assert!(unit.lines().any(|l| l == line), "{line}");
    }
    let timer = shipped("replyd-once.timer");
    for line in ["OnCalendar=*:0/1", "Persistent=true"] {
        assert!(timer.lines().any(|l| l == line), "{line}");
    }
}

#[test]
fn both_services_share_user_state_and_sandbox() {
    let shared = |name| -> Vec<String> {
        let unit = shipped(name);
        let from = unit.find("# A fixed user").expect("the shared part");
        let until = unit.find("\n[Install]").unwrap_or(unit.len());
        unit[from..until]
            .trim()
            .lines()
            .map(str::to_owned)
            .collect()
    };
    let service = shared("replyd.service");
    assert_eq!(service, shared("replyd-once.service"));
    for line in [
        "User=replyd",
        "StateDirectory=replyd",
        "NoNewPrivileges=yes",
    ] {
        assert!(service.iter().any(|l| l == line), "{line}");
    }
}

#[test]
fn user_and_folders_are_declared() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let sysusers = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/replyd.sysusers");
    let root = format!("--root={}", dir.path().display());
    let out = run("systemd-sysusers", &[&root], &[sysusers]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let passwd = fs::read_to_string(dir.path().join("etc/passwd")).unwrap();
    assert!(passwd.lines().any(|l| l.starts_with("replyd:")), "{passwd}");

    let tmpfiles = shipped("replyd.tmpfiles");
    let fields: Vec<Vec<&str>> = tmpfiles
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(
        fields,
        [
            ["d", "/etc/replyd", "0750", "root", "replyd", "-"],
            ["d", "/var/lib/replyd", "0700", "replyd", "replyd", "-"],
        ]
    );
}
