//! The real binary: what it prints, and how it ends.

use std::process::{Command, Output};

use crate::{ACCOUNT, World, assert_has};

fn replyd(world: &World, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_replyd"))
        .args(args)
        .env_clear()
        .env("HOME", world.path("home"))
        .envs(&world.vars)
        .current_dir(world.path("cwd"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn usage_errors_end_with_64_and_help_and_version_with_0() {
    let world = World::empty();
    for args in [
        &["--nonsense"][..],
        &["nonsense"],
        &["check", "--days", "0"],
        &["--days", "3", "check"],
        &["process", "--limit", "0"],
        &["process", "--resend"],
        &["outbox", "settle", "1", "--as", "lost"],
        &["sent", "add"],
        &["leads"],
    ] {
        let out = replyd(&world, args);
        assert_eq!(out.status.code(), Some(64), "{args:?}");
        assert!(!out.stderr.is_empty() && out.stdout.is_empty(), "{args:?}");
    }
    for args in [
        &["--help"][..],
        &["--version"],
        &["help", "check"],
        &["sent", "add", "--help"],
    ] {
        let out = replyd(&world, args);
        assert_eq!(out.status.code(), Some(0), "{args:?}");
        assert!(out.stderr.is_empty() && !out.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn bad_settings_end_every_command_with_64_before_the_database_is_made() {
    let world = World::with_toml(&format!("{ACCOUNT}[listen]\ninterval = 0\n"));
    for args in [
        &["run"][..],
        &["--once"],
        &["check"],
        &["process"],
        &["status"],
        &["config", "check"],
        &["--database", "x.db", "run", "--once"],
    ] {
        let out = replyd(&world, args);
        assert_eq!(
            out.status.code(),
            Some(64),
            "{args:?}: {}",
            text(&out.stderr)
        );
        assert_has(
            &text(&out.stderr),
            &["replyd.toml:9", "listen.interval", "Write 1 s or more"],
        );
    }
    assert!(!world.path("home/.local").exists());
    assert!(!world.path("cwd/x.db").exists());
}

#[test]
fn a_bad_interval_on_the_command_line_ends_with_64() {
    let world = World::with_toml(ACCOUNT);
    for value in ["0", "-1", "soon", ""] {
        let out = replyd(&world, &["run", "--once", "--interval", value]);
        assert_eq!(out.status.code(), Some(64), "{value:?}");
        assert_has(&text(&out.stderr), &["--interval"]);
    }
}

#[test]
fn config_check_shows_what_is_in_effect_and_where_it_comes_from() {
    let world = World::with_toml(ACCOUNT).var("REPLYD_LOG_FORMAT", "json");
    let out = replyd(&world, &["--database", "/srv/r.db", "config", "check"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let shown = text(&out.stdout);
    assert_has(
        &shown,
        &[
            "# read: replyd.toml",
            "# replyd.toml:6",
            "# environment variable REPLYD_LOG_FORMAT",
            "# --database",
            "# default",
            "The settings are complete: 1 account.",
        ],
    );
    assert!(!shown.contains("hunter2"));
    assert!(!world.path("home/.local").exists(), "it makes nothing");
}

#[test]
fn config_reference_prints_the_page() {
    let out = replyd(&World::empty(), &["config", "reference"]);
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(text(&out.stdout), replyd::config::reference());
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let out = replyd(&World::empty(), &["completions", shell]);
        assert_eq!(out.status.code(), Some(0), "{shell}");
        assert_has(&text(&out.stdout), &["check", "process", "status"]);
    }
}

#[test]
fn template_check_names_what_is_wrong_and_export_overwrites_nothing() {
    // A path of the settings is relative to their folder.
    let world = World::with_toml(&format!("{ACCOUNT}[reply]\ntemplates_dir = \"texts\"\n"));
    let dir = world.path("cwd/texts");
    let dir_arg = dir.to_string_lossy().into_owned();
    let out = replyd(&world, &["template", "export", &dir_arg]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let out = replyd(&world, &["template", "check"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_has(&text(&out.stdout), &["acknowledgment.en"]);

    let changed = "Subject: Hello\n\nDear {{ nobody }}";
    std::fs::write(dir.join("acknowledgment.txt"), changed).unwrap();
    let out = replyd(&world, &["template", "check"]);
    assert_eq!(out.status.code(), Some(64));
    assert_has(
        &text(&out.stderr),
        &["acknowledgment.txt: unknown variable nobody"],
    );
    let out = replyd(&world, &["template", "export", &dir_arg]);
    assert_has(&text(&out.stdout), &["kept"]);
    let kept = std::fs::read_to_string(dir.join("acknowledgment.txt")).unwrap();
    assert_eq!(kept, changed);
}
