//! The real process under what would eat its memory or overflow its stack: it lives, it stays
//! small, and the other accounts hear their mail.

use std::fs;
use std::time::Duration;

use replyd_sandbox::faults::{Action, IdleEvent, Times, raw};
use replyd_sandbox::{Sandbox, Verb, mail_date};
use tokio::task::block_in_place;

use crate::common::bin::Replyd;
use crate::scene::{CANARY, HEALTHY, PASSWORD, PUSH, Setup, address, config, lists, who, wish};

/// A debug build of a process with six accounts takes less than half of this.
const BOUND_KB: u64 = 150 * 1024;

/// The most memory that a process ever had resident.
fn high_water_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_leave_the_process_alive_and_below_150_mb() {
    let attacks: Vec<(&'static str, Vec<u8>)> = vec![
        ("literal-500mb", raw::huge_literal(500_000_000)),
        ("nested-400", raw::nested(400)),
        ("nested-1000000", raw::nested(1_000_000)),
        ("endless-line", raw::endless_line(40_000_000)),
        ("announcements-200000", raw::exists_burst(1, 200_000)),
        ("date-nil", raw::internal_date_nil()),
        ("alert-non-ascii", raw::alert_non_ascii()),
    ];
    let accounts: Vec<&'static str> = attacks
        .iter()
        .map(|(name, _)| *name)
        .chain([HEALTHY])
        .collect();
    let setup = Setup::new(PUSH);
    let sandbox = Sandbox::start(setup.options.clone()).await.unwrap();
    for account in &accounts {
        sandbox.add_user(&address(account), PASSWORD);
    }
    let replyd = Replyd::new("");
    let ca = replyd.file("ca.pem", sandbox.ca_pem());
    let database = replyd.database().display().to_string();
    replyd.file(
        "replyd.toml",
        &config(&sandbox, &setup, &accounts, &database, &ca),
    );
    let (people, sent) = lists(40);
    let (people, sent) = (
        replyd.file("leads.csv", &people),
        replyd.file("sent.csv", &sent),
    );
    let mut running = block_in_place(|| {
        replyd.ok(&["leads", "import", &people, "--campaign", "Lake"]);
        replyd.ok(&["sent", "import", &sent]);
        replyd.start(&["run", "--log-format", "json"])
    });
    let soon = Duration::from_secs(60);
    for account in &accounts {
        sandbox
            .wait_for_idle(&address(account), 1, soon)
            .await
            .unwrap();
    }
    let quiet = high_water_kb(running.pid());

    // In the answer to a FETCH, and then in IDLE, with a mail each time.
    let mut next = 0;
    let mut deliver = |account: &str| {
        let raw = format!(
            "From: lead-{next}@people.example\r\nTo: {to}\r\nSubject: Re: Homes\r\nDate: {date}\r\n\
             Message-ID: <hostile-{next}@people.example>\r\nIn-Reply-To: <campaign-{next}@desk.example>\r\n\r\n{}\r\n",
            wish(),
            to = address(account),
            date = mail_date(crate::scene::now()),
        );
        next += 1;
        sandbox
            .deliver(&address(account), "INBOX", raw.as_bytes(), None)
            .unwrap();
    };
    for (account, bytes) in &attacks {
        let action = Action::Inject(bytes.clone());
        sandbox
            .faults()
            .at(who(account), Times::Once, Verb::UidFetch, action);
        deliver(account);
        deliver(HEALTHY);
    }
    let wait_for = |count: i64| {
        move |rows: &crate::common::rows::Rows| {
            (rows.count("messages WHERE disposition = 'reply'") >= count).then_some(())
        }
    };
    let half = i64::try_from(attacks.len()).unwrap() * 2;
    block_in_place(|| running.wait_for_rows("every mail of the first round", wait_for(half)));
    for (account, bytes) in attacks {
        sandbox
            .wait_for_idle(&address(account), 1, soon)
            .await
            .unwrap();
        sandbox
            .in_idle(&address(account), IdleEvent::Raw(bytes))
            .unwrap();
        deliver(account);
        deliver(HEALTHY);
    }
    block_in_place(|| running.wait_for_rows("every mail of the second round", wait_for(half * 2)));
    let peak = high_water_kb(running.pid());
    assert!(peak < BOUND_KB, "{peak} kB at most, {quiet} kB before");
    let rows = replyd.rows();
    assert_eq!(
        rows.count("messages"),
        half * 2,
        "{:?}",
        rows.dispositions()
    );
    let finished = block_in_place(|| running.terminate());
    finished.assert_code(0);
    assert!(
        !finished.output().contains(CANARY),
        "a mail's words are in the log"
    );
    assert!(
        !finished.output().contains(PASSWORD),
        "a secret is in the log"
    );
    let healthy_lost = finished.events().into_iter().any(|event| {
        let fields = &event["fields"];
        let of = |key: &str| {
            fields[key]
                .as_str()
                .or(event[key].as_str())
                .unwrap_or_default()
                .to_owned()
        };
        of("account") == HEALTHY && of("state") == "down"
    });
    assert!(!healthy_lost, "{}", finished.output());
}
