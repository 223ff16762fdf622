//! The Debian package: built by cargo-deb as packaging/build-deb does, installed, used, removed.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use replyd::setup::{PROGRAM, SHIPPED};

use crate::common::dovecot::PASSWORD;
use crate::common::scenario::SALES;
use crate::common::wait_for;
use crate::root::cached;
use crate::scene::Scene;

/// The package of the program under test.
struct Package {
    path: PathBuf,
}

impl Package {
    /// Built once for all tests of this program.
    #[track_caller]
    fn build() -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut parts = vec![
            PathBuf::from(env!("CARGO_BIN_EXE_replyd")),
            sources.join("Cargo.toml"),
            sources.join("CHANGELOG.md"),
        ];
        for script in ["postinst", "prerm", "postrm"] {
            parts.push(sources.join("packaging/debian").join(script));
        }
        parts.extend(SHIPPED.iter().map(|s| sources.join(s.source)));
        let path = cached("replyd.deb", &parts, |to| Self::build_to(sources, to));
        Self { path }
    }

    fn build_to(sources: &Path, to: &Path) {
        let dir = tempfile::tempdir().expect("Temporary folder");
        // cargo-deb takes the program of a release build: here it is the one under test.
        let target = dir.path().join("release");
        std::fs::create_dir_all(&target).expect("Make a folder");
        symlink(env!("CARGO_BIN_EXE_replyd"), target.join("replyd")).expect("Link the program");
        let built = Command::new(sources.join("packaging/build-deb"))
            .args([
                "--no-build",
                "--no-strip",
                "--fast",
                "--offline",
                "--output",
            ])
            .arg(to)
            .env("CARGO_TARGET_DIR", dir.path())
            .output()
            .expect("Run packaging/build-deb");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(
            built.status.success(),
            "{said}\n(./test installs cargo-deb; by hand: cargo install --locked cargo-deb)"
        );
        let said = said.replace("    Blocking waiting for file lock on package cache\n", "");
        assert_eq!(said, "", "cargo-deb warns");
    }

    /// `dpkg-deb` with these arguments and the package.
    #[track_caller]
    fn ask(&self, args: &[&str]) -> String {
        let out = Command::new("dpkg-deb")
            .args(args)
            .arg(&self.path)
            .output()
            .expect("Run dpkg-deb");
        assert!(out.status.success(), "dpkg-deb {args:?}");
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

#[test]
fn the_package_lays_down_the_files_of_setup_and_nothing_below_etc() {
    let package = Package::build();
    let listed = package.ask(&["--contents"]);
    let mut files = BTreeSet::new();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (rights, owner, path) = (fields[0], fields[1], fields[5]);
        assert_eq!(owner, "0/0", "{line}");
        if !rights.starts_with('d') {
            let mode = if path == "./usr/bin/replyd" {
                "-rwxr-xr-x"
            } else {
                "-rw-r--r--"
            };
            assert_eq!(rights, mode, "{line}");
            files.insert(path.trim_start_matches('.').to_owned());
        }
    }
    let mut expected: BTreeSet<String> = SHIPPED.iter().map(|s| s.path.to_owned()).collect();
    expected.insert(PROGRAM.to_owned());
    for debian in ["copyright", "changelog.Debian.gz"] {
        expected.insert(format!("/usr/share/doc/replyd/{debian}"));
    }
    assert_eq!(files, expected);
    // Settings are written by `setup`: no upgrade asks about them, none replaces them.
    assert!(!package.ask(&["--info"]).contains("conffiles"));
}

#[test]
fn installed_from_the_package_every_command_works_from_a_root_shell() {
    let scene = Scene::new();
    let root = &scene.root;
    let package = Package::build();
    std::fs::copy(&package.path, root.at("/root/replyd.deb")).expect("Copy the package");

    let said = root
        .shell(&["dpkg", "--force-unsafe-io", "--install", "/root/replyd.deb"])
        .code(0);
    assert!(said.contains("run `replyd setup`"), "{said}");
    let (uid, gid) = root.service_ids();
    assert_eq!(root.rights("/etc/replyd"), (0o750, 0, gid));
    assert_eq!(root.rights("/var/lib/replyd"), (0o700, uid, gid));
    assert!(
        !root
            .at("/etc/systemd/system/multi-user.target.wants/replyd.service")
            .exists(),
        "the installation enables nothing"
    );
    let status = root.replyd(&["run"]);
    assert!(
        status.err.contains("there is no mailbox account"),
        "{status:?}"
    );
    status.code(64);

    // A wrong password: told apart, and nothing is written.
    let refused = scene.setup("replyd", &[], "wrong\n");
    assert!(refused.err.contains("IMAP localhost:"), "{refused:?}");
    assert!(refused.err.contains("SMTP localhost:"), "{refused:?}");
    assert!(refused.err.contains("nothing was written"), "{refused:?}");
    refused.code(2);
    assert_eq!(root.listing("/etc/replyd"), []);

    let said = scene.setup("replyd", &[], &Scene::password()).code(0);
    assert!(said.contains("IMAP localhost:"), "{said}");
    assert!(said.contains("signed in as desk@homes.example"), "{said}");
    assert!(
        !said.contains("/usr/bin/replyd ("),
        "the package's files are its own: {said}"
    );
    assert!(said.contains("systemd does not run here"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    scene.assert_settings_are_protected();

    scene.lift_the_sign_in_limit();

    // Before the first start.
    let said = root.replyd(&["config", "check"]).code(0);
    assert!(said.contains("/var/lib/replyd/replyd.db"), "{said}");
    root.replyd(&["doctor"]).code(0);
    root.replyd(&["status"]).code(0);
    let said = root.replyd(&["leads", "import", "leads.csv"]).code(0);
    assert!(said.contains('1'), "{said}");
    root.replyd(&["sent", "import", "/root/sent.csv"]).code(0);
    let said = root.replyd(&["check"]).code(0);
    assert!(said.contains("New replies found: 0"), "{said}");
    scene.assert_state_is_the_services();

    // While it runs.
    let mut service = root.start_service(&[]);
    scene.wait_until_live(&mut service);
    scene.lead_answers();
    let mails = scene.host.wait_for_mails(&scene.lead.address, 1);
    assert!(
        mails[0].contains("Auto-Submitted: auto-replied"),
        "{mails:?}"
    );
    let notices = scene.host.wait_for_mails(SALES, 1);
    assert!(notices[0].contains("Lead Ready"), "{notices:?}");
    let said = root.replyd(&["status"]).code(0);
    assert!(said.contains("live"), "{said}");
    assert!(scene.health().starts_with("HTTP/1.1 200 "));
    root.replyd(&["leads", "import", "leads.csv"]).code(0);
    root.replyd(&["check"]).code(0);
    root.replyd(&["outbox", "list"]).code(0);
    root.replyd(&["doctor"]).code(0);
    let held = root.replyd(&["automation", "off"]).code(0);
    assert!(held.contains("held"), "{held}");
    let said = root.replyd(&["status"]).code(0);
    assert!(said.contains("AUTOMATION OFF"), "{said}");
    root.replyd(&["automation", "on"]).code(0);
    service.stop();
    scene.assert_state_is_the_services();

    // After it.
    root.replyd(&["doctor", "--send-test"]).code(0);
    root.replyd(&["status"]).code(0);
    let said = root.replyd(&["check", "--days", "1"]).code(0);
    assert!(said.contains("New replies found: 0"), "{said}");
    root.replyd(&["process"]).code(0);
    scene.assert_state_is_the_services();
    assert_eq!(scene.host.dovecot.mailbox(&scene.lead.address).len(), 1);

    // The removal leaves settings and data; the purge leaves the data.
    let before = root.listing("/var/lib/replyd");
    root.shell(&["dpkg", "--remove", "replyd"]).code(0);
    assert!(!root.at(PROGRAM).exists());
    assert!(root.at("/etc/replyd/replyd.toml").exists());
    assert_eq!(root.listing("/var/lib/replyd"), before);
    let said = root.shell(&["dpkg", "--purge", "replyd"]).code(0);
    assert!(said.contains("stays in /var/lib/replyd"), "{said}");
    assert!(!root.at("/etc/replyd").exists());
    assert_eq!(root.listing("/var/lib/replyd"), before);
    assert!(!root.at("/usr/lib/systemd/system/replyd.service").exists());

    // Installed again, the data is there.
    root.shell(&["dpkg", "--force-unsafe-io", "--install", "/root/replyd.deb"])
        .code(0);
    scene
        .setup("replyd", &["--no-test"], &Scene::password())
        .code(0);
    wait_for("the state of the account", || {
        let said = root.replyd(&["status", "--json"]).code(0);
        said.contains("\"desk\"").then_some(())
    });
    scene.assert_state_is_the_services();
}

#[test]
fn without_systemd_the_package_makes_the_user_by_useradd() {
    let root = crate::root::DebianRoot::new();
    for tool in ["/usr/bin/systemd-sysusers", "/bin/systemd-sysusers"] {
        let there = root.at(tool);
        if there.exists() {
            std::fs::remove_file(there).expect("Remove it");
        }
    }
    let package = Package::build();
    std::fs::copy(&package.path, root.at("/root/replyd.deb")).expect("Copy the package");
    root.shell(&["dpkg", "--force-unsafe-io", "--install", "/root/replyd.deb"])
        .code(0);
    let (uid, gid) = root.service_ids();
    assert_eq!(root.rights("/var/lib/replyd"), (0o700, uid, gid));
    let user = replyd::service::user_named(&root.at("/"), "replyd")
        .unwrap()
        .unwrap();
    assert_eq!(user.home, PathBuf::from("/var/lib/replyd"));
    // Purged before anything was in it, nothing is left.
    root.shell(&["dpkg", "--purge", "replyd"]).code(0);
    assert!(!root.at("/var/lib/replyd").exists());
}
