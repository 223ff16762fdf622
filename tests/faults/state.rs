//! The state folder: read-only, somebody else's, full; and what a full disk does to capture.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::bin::Replyd;
use crate::common::janitor::Janitor;
use crate::common::{is_root, program};
use crate::place::{DESK, Place, Told, dovecot};

/// A file system of its own for a state folder, gone on drop.
#[derive(Debug)]
struct Disk {
    at: PathBuf,
    janitor: Option<Janitor>,
}

impl Disk {
    /// Mounts some megabytes over this folder.
    #[track_caller]
    fn mount(at: &Path, megabytes: u32) -> Self {
        assert!(is_root(), "mounting needs root: run the tests as root");
        let options = format!("size={megabytes}m,mode=0700");
        let disk = Self {
            at: at.to_owned(),
            janitor: Some(Janitor::watch(
                "umount -l \"$1\"",
                &at.display().to_string(),
            )),
        };
        disk.call("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"]);
        disk
    }

    #[track_caller]
    fn read_only(&self, on: bool) {
        let options = if on { "remount,ro" } else { "remount,rw" };
        self.call("mount", &["-o", options]);
    }

    /// Leaves no block free.
    #[track_caller]
    fn fill(&self) {
        let block = vec![0_u8; 4096];
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let full = loop {
            if let Err(e) = std::io::Write::write_all(&mut file, &block) {
                break e;
            }
        };
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }

    #[track_caller]
    fn call(&self, name: &str, args: &[&str]) {
        let status = Command::new(program(name, "mount"))
            .args(args)
            .arg(&self.at)
            .status();
        assert!(
            status.unwrap().success(),
            "{name} {args:?} {}",
            self.at.display()
        );
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What stays mounted, the janitor takes away.
        drop(Command::new("umount").arg("-l").arg(&self.at).status());
        drop(self.janitor.take());
    }
}

fn state(replyd: &Replyd) -> PathBuf {
    replyd.dir().join("state")
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let dovecot = dovecot();
    let replyd = Place::reading(&dovecot).install();
    let text = "not a database, however long it may be. ".repeat(500);
    std::fs::write(replyd.database(), text).unwrap();
    let told = Told::by(&replyd, &[], 2);
    told.assert_in(None, "state.database", "not-a-database", "replyd.db");
    let finished = replyd.run(&["run", "--once"]);
    finished.assert_code(1);
    assert!(
        finished.stderr().contains("not-a-database: "),
        "{}",
        finished.output()
    );
}

#[test]
fn a_read_only_state_folder_is_named_by_every_command() {
    let dovecot = dovecot();
    let replyd = Place::reading(&dovecot).install();
    let disk = Disk::mount(&state(&replyd), 8);
    replyd.ok(&["run", "--once"]);
    disk.read_only(true);
    let told = Told::by(&replyd, &[], 2);
    told.assert_in(
        None,
        "state.folder",
        "state-read-only",
        "Read-only file system",
    );
    // The accounts are looked at all the same.
    assert_eq!(told.check("imap.sign_in")["verdict"], "ok");
    for args in [&["run", "--once"][..], &["run"], &["status"], &["check"]] {
        let finished = replyd.run(args);
        finished.assert_code(1);
        let output = finished.output();
        for part in ["state-read-only", "Mount it for writing", "replyd.db"] {
            assert!(
                output.contains(part),
                "{args:?}: {part:?} is not in\n{output}"
            );
        }
    }
    disk.read_only(false);
    replyd.ok(&["run", "--once"]);
}

#[test]
fn a_state_folder_of_another_user_is_named() {
    let dovecot = dovecot();
    let replyd = Place::reading(&dovecot).install();
    replyd.ok(&["run", "--once"]);
    // Everything may be read by everybody but the state folder.
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(replyd.dir(), 0o755);
    open(&replyd.dir().join("replyd.toml"), 0o644);
    open(&state(&replyd), 0o700);
    open(dovecot.certs.ca_file.parent().unwrap(), 0o755);
    let binary = replyd.dir().join("replyd");
    std::fs::copy(env!("CARGO_BIN_EXE_replyd"), &binary).unwrap();
    let as_nobody = |args: &[&str]| {
        let output = Command::new(&binary)
            .args(args)
            .env_clear()
            .env("REPLYD_CONFIG", replyd.dir().join("replyd.toml"))
            .env("STATE_DIRECTORY", state(&replyd))
            .current_dir(replyd.dir())
            .uid(65534)
            .gid(65534)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let (code, text) = as_nobody(&["doctor"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("→ state-not-ours: "), "{text}");
    for args in [&["run", "--once"][..], &["status"]] {
        let (code, text) = as_nobody(args);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("state-not-ours"), "{text}");
        assert!(text.contains("chown -R replyd:"), "{text}");
    }
}

#[test]
fn on_a_full_disk_capture_stops_before_the_cursor_moves_and_goes_on_by_itself() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.more = "[store]\nkeep_raw = \"all\"\n".into();
    let replyd = place.install();
    let disk = Disk::mount(&state(&replyd), 16);
    let mut running = replyd.start(&["run"]);
    running.wait_for_event("the account is live", |e| e["state"] == "live");
    deliver(&dovecot, 1..=2);
    running.wait_for_rows("two mails", |r| (r.count("messages") == 2).then_some(()));
    let cursor = "SELECT cursor_uid FROM mailbox_epochs";
    let before: i64 = replyd.rows().value(cursor, []);

    disk.fill();
    deliver(&dovecot, 3..=12);
    let event = running.wait_for_event("the fault in the log", |e| {
        e.to_string().contains("The disk of the database is full")
    });
    assert!(event.to_string().contains(crate::place::ACCOUNT), "{event}");
    assert_eq!(
        replyd.rows().value::<i64>(cursor, []),
        before,
        "the cursor moved"
    );
    assert_eq!(replyd.rows().count("messages"), 2);
    let told = Told::by(&replyd, &[], 2);
    told.assert_in(None, "state.disk", "disk-full", "free");
    let status = replyd.run(&["status"]).output();
    for part in ["replyd.db", "disk-full", "Make room."] {
        assert!(status.contains(part), "{part:?} is not in\n{status}");
    }

    disk.make_room();
    running.wait_for_rows("all mails", |r| (r.count("messages") == 12).then_some(()));
    running.terminate().assert_code(0);
}

#[test]
fn a_single_pass_on_a_full_disk_fails_and_says_why() {
    let dovecot = dovecot();
    let replyd = Place::reading(&dovecot).install();
    let disk = Disk::mount(&state(&replyd), 8);
    replyd.ok(&["run", "--once"]);
    disk.fill();
    deliver(&dovecot, 1..=1);
    let finished = replyd.run(&["run", "--once"]);
    finished.assert_code(1);
    let output = finished.output();
    assert!(
        output.contains("The disk of the state folder is full"),
        "{output}"
    );
    assert!(output.contains("Make room."), "{output}");
    disk.make_room();
    replyd.ok(&["run", "--once"]);
    assert_eq!(replyd.rows().count("messages"), 1);
}

#[test]
fn a_first_start_on_a_full_disk_names_it() {
    let dovecot = dovecot();
    let replyd = Place::reading(&dovecot).install();
    let disk = Disk::mount(&state(&replyd), 1);
    disk.fill();
    let finished = replyd.run(&["run", "--once"]);
    finished.assert_code(1);
    assert!(
        finished.output().contains("disk-full: "),
        "{}",
        finished.output()
    );
    let told = Told::by(&replyd, &[], 2);
    told.assert_in(None, "state.disk", "disk-full", "");
}

/// Mails of strangers, big enough for the disk to matter.
fn deliver(dovecot: &crate::common::dovecot::Dovecot, numbers: std::ops::RangeInclusive<u32>) {
    for n in numbers {
        let noise: String = (0..4000_u32)
            .map(|i| char::from(b'a' + u8::try_from((i * (i ^ n)) % 26).unwrap()))
            .collect();
        dovecot.deliver(
            DESK,
            format!(
                "From: a@b.example\r\nSubject: number {n}\r\nMessage-ID: <{n}@b.example>\r\n\r\n\
                 {noise}\r\n"
            ),
        );
    }
}
