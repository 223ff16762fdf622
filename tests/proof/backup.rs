//! `replyd backup` beside the running service, `replyd restore`, and a start after a stop that was
//! not in order.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use replyd::time::now;

use crate::common::bin::Running;
use crate::common::scenario::{Scenario, WISH};
use crate::{desk, wait_for_messages};

fn side(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Every file of this name below the folder.
fn find(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("A folder") {
        let path = entry.expect("An entry").path();
        if path.is_dir() {
            found.extend(find(&path, name));
        } else if path.file_name().is_some_and(|n| n == name) {
            found.push(path);
        }
    }
    found
}

/// The disk is lost: database and keys are gone.
fn lose_everything(scenario: &Scenario) {
    let database = scenario.replyd.database();
    for ending in ["", "-wal", "-shm"] {
        let path = side(&database, ending);
        if path.exists() {
            fs::remove_file(&path).expect("Remove");
        }
    }
    let keys = find(scenario.replyd.dir(), "keys.json");
    assert_eq!(keys.len(), 1, "{keys:?}");
    for path in keys {
        fs::remove_file(path).expect("Remove");
    }
}

#[track_caller]
fn wait_until_nothing_moves(running: &mut Running, jobs: i64) {
    running.wait_for_rows("everything to be decided", |rows| {
        let done = rows.count("reply_jobs WHERE state = 'done'");
        let moving =
            rows.count("outbox WHERE state IN ('queued', 'sending', 'deferred') AND held = 0");
        (done == jobs && moving == 0).then_some(())
    });
}

#[test]
fn a_backup_beside_the_service_is_restored_captures_on_and_answers_nothing_twice() {
    let scenario = desk("");
    let [first, second] = [&scenario.leads[0], &scenario.leads[1]];
    let mut running = scenario.replyd.start(&["run"]);
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live'") == 1).then_some(())
    });
    first.reply(WISH).send(&scenario.host.postfix);
    scenario.assert_acknowledged(first);
    wait_until_nothing_moves(&mut running, 1);

    let file = scenario.replyd.dir().join("copy.db");
    let name = file.display().to_string();
    scenario.replyd.ok(&["backup", &name]);
    let mode = fs::metadata(&file)
        .expect("The backup")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    // Never over another file, and nothing is left beside it.
    let before = fs::read(&file).expect("Read");
    let again = scenario.replyd.run(&["backup", &name]);
    again.assert_code(1);
    assert!(
        again.stderr().contains("is there already"),
        "{}",
        again.stderr()
    );
    assert_eq!(fs::read(&file).expect("Read"), before);
    let beside = fs::read_dir(scenario.replyd.dir()).expect("A folder");
    let parts = beside
        .filter_map(Result::ok)
        .filter(|e| e.file_name().to_string_lossy().contains(".part"))
        .count();
    assert_eq!(parts, 0);
    // Nor is a database taken away.
    scenario.replyd.run(&["restore", &name]).assert_code(1);

    // Answered after the backup was made: it knows nothing of it.
    second.reply(WISH).send(&scenario.host.postfix);
    scenario.assert_acknowledged(second);
    wait_until_nothing_moves(&mut running, 2);
    running.terminate().assert_code(0);

    let keys = find(scenario.replyd.dir(), "keys.json");
    let keys = fs::read(&keys[0]).expect("The keys");
    lose_everything(&scenario);
    let said = scenario.replyd.ok(&["restore", &name]).stdout();
    assert!(said.contains("1 messages"), "{said}");
    let restored = find(scenario.replyd.dir(), "keys.json");
    assert_eq!(fs::read(&restored[0]).expect("The keys"), keys);
    let mode = fs::metadata(scenario.replyd.database())
        .expect("It")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);

    let mut running = scenario.replyd.start(&["run"]);
    wait_until_nothing_moves(&mut running, 2);
    scenario.replyd.ok(&["automation", "on"]);
    // What comes from now on is answered.
    let third = crate::common::scenario::Lead {
        answer_id: "once-more@people.example".to_owned(),
        ..first.clone()
    };
    third
        .reply("Is there a garage?")
        .send(&scenario.host.postfix);
    wait_until_nothing_moves(&mut running, 3);
    running.terminate().assert_code(0);
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages"), 3);
    assert_eq!(rows.count("outbox WHERE kind = 'acknowledgment'"), 1);
    for lead in [first, second] {
        scenario.host.wait_for_mails(&lead.address, 1);
        let got = scenario.host.dovecot.mailbox(&lead.address);
        let wishes = got
            .iter()
            .filter(|m| String::from_utf8_lossy(m).contains(&lead.answer_id))
            .count();
        assert_eq!(wishes, 1, "{}", lead.address);
    }
    let proof = crate::proof(&scenario, "INBOX", 0);
    assert_eq!(proof["accounted"], 3, "{proof}");
}

#[test]
fn after_a_kill_the_database_is_checked_and_a_damaged_one_is_not_started_on() {
    let scenario = desk("");
    for n in 0..3 {
        scenario.stranger_wrote(n, now());
    }
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 3);
    running.kill();
    let mut running = scenario.replyd.start(&["run"]);
    running.wait_for_event("the check", |event| {
        event["message"]
            .as_str()
            .is_some_and(|m| m.contains("the database was checked and is sound"))
    });
    running.terminate().assert_code(0);

    let database = scenario.replyd.database();
    let mut bytes = fs::read(&database).expect("The database");
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    fs::write(&database, bytes).expect("Damage it");
    // As a process leaves it that was killed.
    fs::write(side(&database, "-wal"), [0; 32]).expect("Write");
    let ended = scenario.replyd.run(&["run"]);
    ended.assert_code(1);
    let said = ended.output();
    assert!(said.contains("damaged"), "{said}");
    assert!(said.contains("restore a backup"), "{said}");
}

#[test]
fn another_file_than_a_backup_is_refused_and_leaves_nothing() {
    let scenario = desk("");
    let file = scenario.replyd.file("other.db", "not a backup");
    lose_everything(&scenario);
    scenario.replyd.run(&["restore", &file]).assert_code(1);
    assert!(!scenario.replyd.database().exists());
    assert!(find(scenario.replyd.dir(), "keys.json").is_empty());
}
