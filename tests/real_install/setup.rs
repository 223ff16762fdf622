//! `replyd setup` without a package: from a folder that only root may enter, and its commands.

use replyd::setup::{PROGRAM, SHIPPED};

use crate::common::dovecot::PASSWORD;
use crate::common::scenario::DESK;
use crate::scene::Scene;

/// Where a person has put the program.
pub(crate) const BUILT: &str = "/root/build/replyd";

/// A system with the program in root's own folder, not installed yet.
#[track_caller]
pub(crate) fn with_the_program(scene: Scene) -> Scene {
    scene.root.put(BUILT, "", 0o755);
    std::fs::copy(env!("CARGO_BIN_EXE_replyd"), scene.root.at(BUILT)).expect("Copy the program");
    scene
}

#[test]
fn setup_installs_what_the_service_needs_and_can_be_repeated() {
    let scene = with_the_program(Scene::new());
    let root = &scene.root;

    let shown = scene.setup(BUILT, &["--print"], &Scene::password()).code(0);
    assert!(
        shown.contains("address = \"desk@homes.example\""),
        "{shown}"
    );
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert!(!root.at("/etc/replyd").exists());
    assert!(!root.at(PROGRAM).exists());

    scene.setup(BUILT, &[], &Scene::password()).code(0);
    scene.assert_settings_are_protected();
    for shipped in &SHIPPED {
        assert_eq!(root.rights(shipped.path), (0o644, 0, 0), "{}", shipped.path);
        let there = std::fs::read_to_string(root.at(shipped.path)).unwrap();
        assert_eq!(there, shipped.text, "{}", shipped.path);
    }
    assert_eq!(root.rights(PROGRAM), (0o755, 0, 0));
    let (uid, gid) = root.service_ids();
    assert_eq!(root.rights("/var/lib/replyd"), (0o700, uid, gid));
    let secret = std::fs::read_to_string(root.at("/etc/replyd/desk.password")).unwrap();
    assert_eq!(secret, Scene::password());

    // Again: everything is kept; by hand changed settings too.
    let settings = root.at("/etc/replyd/replyd.toml");
    let text =
        std::fs::read_to_string(&settings).unwrap() + "\n# ours\n[listen]\ninterval = \"2m\"\n";
    std::fs::write(&settings, &text).unwrap();
    let said = scene.setup("replyd", &[], &Scene::password()).code(0);
    let done: Vec<&str> = said
        .lines()
        .skip_while(|l| !l.starts_with("Done"))
        .skip(1)
        .take_while(|l| l.starts_with("  "))
        .collect();
    assert!(done.len() > 10, "{said}");
    assert!(done.iter().all(|l| l.trim().starts_with("keep")), "{said}");
    assert_eq!(std::fs::read_to_string(&settings).unwrap(), text);

    // One thing changed: the rest stays, and the old file beside it.
    scene
        .root
        .shell(&["replyd", "setup", "--address", DESK, "--from-name", "Desk"])
        .code(0);
    let now = std::fs::read_to_string(&settings).unwrap();
    assert!(
        now.contains("from_name = \"Desk\"") && now.contains("# ours"),
        "{now}"
    );
    let old = std::fs::read_to_string(root.at("/etc/replyd/replyd.toml.bak")).unwrap();
    assert_eq!(old, text);
    scene.assert_settings_are_protected();

    // A second account, while the first one stays.
    let mut line = vec!["replyd", "setup", "--password-file", "-", "--no-test"];
    let flags = [
        "--address",
        "second@other.example",
        "--imap-host",
        "imap.other.example",
        "--smtp-host",
        "smtp.other.example",
    ];
    line.extend(flags);
    root.shell_with(&line, "x\n").code(0);
    let said = root.replyd(&["config", "check"]).code(0);
    assert!(said.contains("accounts[desk].imap.host"), "{said}");
    assert!(said.contains("accounts[second].imap.host"), "{said}");
}

#[test]
fn a_secret_that_only_root_can_read_reaches_the_service_and_every_command() {
    let scene = with_the_program(Scene::new());
    let root = &scene.root;
    let more = ["--secret-in", "credential"];
    scene.setup(BUILT, &more, &Scene::password()).code(0);
    let stored = "/etc/credstore/replyd.desk.password";
    assert_eq!(root.rights(stored), (0o600, 0, 0));
    let settings = std::fs::read_to_string(root.at("/etc/replyd/replyd.toml")).unwrap();
    assert!(!settings.contains("password"), "{settings}");
    scene.lift_the_sign_in_limit();

    let said = root.replyd(&["config", "check"]).code(0);
    assert!(said.contains("systemd credential"), "{said}");
    root.replyd(&["leads", "import", "leads.csv"]).code(0);
    root.replyd(&["sent", "import", "sent.csv"]).code(0);
    root.replyd(&["check"]).code(0);
    // What was handed over lay in memory: no file of it holds a secret.
    for (path, ..) in root.listing("/run") {
        let there = root.at(&path);
        let is_link = there.symlink_metadata().unwrap().is_symlink();
        assert!(is_link || there.is_dir(), "{path}");
    }

    let mut service = root.start_service(&[("replyd.desk.password", stored)]);
    scene.wait_until_live(&mut service);
    scene.lead_answers();
    let mails = scene.host.wait_for_mails(&scene.lead.address, 1);
    assert!(
        mails[0].contains("Auto-Submitted: auto-replied"),
        "{mails:?}"
    );
    let said = root.replyd(&["status"]).code(0);
    assert!(said.contains("live"), "{said}");
    service.stop();
    scene.assert_state_is_the_services();

    // The same by a drop-in of the operator's own, under another name.
    root.shell(&["mv", stored, "/root/sales.secret"]).code(0);
    root.shell(&["rm", "-r", "/etc/systemd/system/replyd.service.d"])
        .code(0);
    root.put(
        "/etc/systemd/system/replyd.service.d/own.conf",
        "[Service]\nLoadCredential=own:/root/sales.secret\nEnvironment=REPLYD_ACCOUNT_DESK_PASSWORD_CREDENTIAL=own\n",
        0o644,
    );
    let said = root.replyd(&["config", "check"]).code(0);
    assert!(said.contains("systemd credential own"), "{said}");
    root.replyd(&["check"]).code(0);

    // Without it: commands on mail say so, those on the store do not care.
    root.shell(&["rm", "/root/sales.secret"]).code(0);
    let ended = root.replyd(&["check"]);
    assert!(ended.err.contains("/root/sales.secret"), "{ended:?}");
    ended.code(64);
    let ended = root.replyd(&["leads", "import", "leads.csv"]);
    assert_eq!(ended.err, "");
    ended.code(0);
    root.replyd(&["drafts", "list"]).code(0);
    root.replyd(&["outbox", "list"]).code(0);
}

#[test]
fn started_from_a_root_shell_replyd_is_what_the_unit_makes_of_it() {
    let scene = with_the_program(Scene::new());
    let root = &scene.root;
    let more = ["--secret-in", "credential"];
    scene.setup(BUILT, &more, &Scene::password()).code(0);
    // An operator's own group and variables.
    root.shell(&["usermod", "-aG", "games", "replyd"]).code(0);
    root.put(
        "/etc/systemd/system/replyd.service.d/own.conf",
        "[Service]\nEnvironment=REPLYD_DAYS=3 \"REPLYD_LOG_FILTER=replyd=debug,warn\"\n",
        0o644,
    );
    let mut replyd = root.start_shell(&["env", "REPLYD_INTERVAL=2m", "replyd", "run"]);
    scene.wait_until_live(&mut replyd);

    let (uid, gid) = root.service_ids();
    let status = replyd.proc("status");
    let field = |name: &str| -> Vec<&str> {
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        line.expect(name).split_whitespace().collect()
    };
    let (uid, gid) = (uid.to_string(), gid.to_string());
    assert_eq!(field("Uid:"), [uid.as_str(); 4]);
    assert_eq!(field("Gid:"), [gid.as_str(); 4]);
    assert_eq!(field("Umask:"), ["0077"]);
    let mut groups = field("Groups:");
    groups.sort_unstable();
    let mut expected = ["60", gid.as_str()];
    expected.sort_unstable();
    assert_eq!(groups, expected, "games is group 60");
    assert_eq!(field("CapEff:"), ["0000000000000000"]);
    assert!(
        replyd.proc("cwd").ends_with("/etc/replyd"),
        "{}",
        replyd.proc("cwd")
    );
    // The shell's variables win over the unit's, and the secret is in none.
    let environ = replyd.proc("environ");
    for line in [
        "REPLYD_DAYS=3",
        "REPLYD_LOG_FILTER=replyd=debug,warn",
        "REPLYD_INTERVAL=2m",
        "HOME=/var/lib/replyd",
        "STATE_DIRECTORY=/var/lib/replyd",
    ] {
        assert!(environ.lines().any(|l| l == line), "{line}\n{environ}");
    }
    assert!(!environ.contains(PASSWORD), "{environ}");
    assert!(!replyd.proc("cmdline").contains(PASSWORD));
    assert!(replyd.proc("cmdline").contains("/etc/replyd/replyd.toml"));
    replyd.stop();
    scene.assert_state_is_the_services();
}

#[test]
fn commands_on_the_store_need_no_secret_that_can_be_read() {
    let scene = with_the_program(Scene::new());
    let root = &scene.root;
    scene
        .setup(BUILT, &["--no-test"], &Scene::password())
        .code(0);
    // Root's alone: the service cannot read it, and so `check` must not either.
    root.shell(&["chmod", "0600", "/etc/replyd/desk.password"])
        .code(0);
    let ended = root.replyd(&["check"]);
    assert!(ended.err.contains("/etc/replyd/desk.password"), "{ended:?}");
    ended.code(64);
    for line in [
        &["status"][..],
        &["leads", "import", "leads.csv"],
        &["sent", "import", "sent.csv"],
        &["outbox", "list"],
        &["drafts", "list"],
    ] {
        let ended = root.replyd(line);
        assert_eq!(ended.err, "", "{line:?}");
        ended.code(0);
    }
    scene.assert_state_is_the_services();
}

#[test]
fn the_state_folder_is_made_for_the_service_and_never_taken_over_by_root() {
    let scene = with_the_program(Scene::new());
    let root = &scene.root;
    scene
        .setup(BUILT, &["--no-test"], &Scene::password())
        .code(0);

    // Not there: made as systemd would, and not in root's own folder.
    root.shell(&["rmdir", "/var/lib/replyd"]).code(0);
    root.replyd(&["leads", "import", "leads.csv"]).code(0);
    scene.assert_state_is_the_services();
    assert!(!root.at("/root/.local").exists());

    // Root's: said, with what to do, and nothing is made in it.
    root.shell(&["chown", "root:root", "/var/lib/replyd"])
        .code(0);
    let before = root.listing("/var/lib/replyd");
    let ended = root.replyd(&["status"]);
    assert!(
        ended.err.contains("chown -R replyd: /var/lib/replyd"),
        "{ended:?}"
    );
    ended.code(1);
    assert_eq!(root.listing("/var/lib/replyd"), before);
    root.shell(&["chown", "replyd:", "/var/lib/replyd"]).code(0);

    // Another folder, named by the service's settings: the same, but nobody makes it.
    let settings = root.at("/etc/replyd/replyd.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let moved = format!("{text}\n[store]\ndatabase = \"/srv/replyd/replyd.db\"\n");
    std::fs::write(&settings, moved).unwrap();
    let ended = root.replyd(&["status"]);
    assert!(
        ended.err.contains("install -d -m 0700 -o replyd"),
        "{ended:?}"
    );
    ended.code(1);
    assert!(!root.at("/srv/replyd").exists());
    root.shell(&["install", "-d", "/srv/replyd"]).code(0);
    let ended = root.replyd(&["status"]);
    assert!(
        ended.err.contains("chown -R replyd: /srv/replyd"),
        "{ended:?}"
    );
    ended.code(1);
    std::fs::write(&settings, text).unwrap();

    // A file that is not there is told as such, though the service may not look.
    let ended = root.replyd(&["leads", "import", "nothing.csv"]);
    assert!(ended.err.contains("/root/nothing.csv"), "{ended:?}");
    assert!(ended.err.contains("No such file"), "{ended:?}");
    ended.code(1);
    // From a pipe, too.
    let line =
        "replyd leads import <(cat leads.csv) && cat leads.csv | replyd leads import /dev/stdin";
    root.shell(&["bash", "-c", line]).code(0);
    scene.assert_state_is_the_services();
}

#[test]
fn an_ordinary_user_gets_a_settings_file_alone_and_replyd_runs_with_it() {
    let scene = with_the_program(Scene::new());
    let root = &scene.root;
    root.put("/opt/replyd", "", 0o755);
    std::fs::copy(env!("CARGO_BIN_EXE_replyd"), root.at("/opt/replyd")).expect("Copy the program");
    root.shell(&["install", "-d", "-o", "games", "-g", "games", "/home/ann"])
        .code(0);
    let as_ann = |line: &[&str], input: &str| {
        let mut whole = vec![
            "setpriv",
            "--reuid=games",
            "--regid=games",
            "--clear-groups",
            "env",
            "--chdir=/home/ann",
            "HOME=/home/ann",
        ];
        whole.extend(line);
        root.shell_with(&whole, input)
    };
    let flags = scene.flags();
    let mut line = vec!["/opt/replyd", "setup", "--password-file", "-"];
    line.extend(flags.iter().map(String::as_str));
    let said = as_ann(&line, &Scene::password()).code(0);
    assert!(said.ends_with("  replyd run\n"), "{said}");
    let files: Vec<(String, u32)> = root
        .listing("/home/ann")
        .into_iter()
        .map(|(path, mode, ..)| (path, mode))
        .collect();
    assert_eq!(
        files,
        [
            ("/home/ann/desk.password".to_owned(), 0o600),
            ("/home/ann/replyd.toml".to_owned(), 0o600),
        ]
    );
    assert!(!root.at("/etc/replyd").exists());
    as_ann(&["/opt/replyd", "check"], "").code(0);
    assert!(root.at("/home/ann/.local/state/replyd/replyd.db").exists());

    // Another server's name: named as a fault, with what to do, and the file stays as it was.
    let before = std::fs::read_to_string(root.at("/home/ann/replyd.toml")).unwrap();
    let ended = as_ann(
        &[
            "/opt/replyd",
            "setup",
            "--address",
            DESK,
            "--imap-host",
            "127.0.0.2",
        ],
        "",
    );
    assert!(ended.err.contains("IMAP 127.0.0.2:993"), "{ended:?}");
    assert!(ended.err.contains("nothing was written"), "{ended:?}");
    assert_ne!(ended.status.code(), Some(0), "{ended:?}");
    let after = std::fs::read_to_string(root.at("/home/ann/replyd.toml")).unwrap();
    assert_eq!(after, before);
}
