//! Two mails so close together that the second arrives while the first is being fetched: none is
//! lost, and each is heard by push. The poll comes after nine minutes (`idle_max`), later than a
//! test waits.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests fail the test with a sentence"
)]

mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use common::bin::{Finished, Replyd, Running};
use common::dovecot::{Dovecot, Options, PASSWORD};
use common::rows::Rows;
use common::{PATIENCE, wait_for};
use replyd_sandbox::faults::{Gate, ImapFault, Times, Who};
use replyd_sandbox::{DelayProxy, Sandbox, Verb};

/// Pairs of mails in each test: 200 mails.
const PAIRS: usize = 100;
/// Half of a round trip.
const ONE_WAY: Duration = Duration::from_millis(25);
/// The second mail of a pair comes between these times after the first.
const GAPS_MS: (u64, u64) = (450, 850);
/// Who writes all mails.
const LEAD: &str = "lead@people.example";
/// What they answer.
const CAMPAIGN: &str = "campaign@homes.example";

/// Settings for these mailboxes; a mailbox is an account.
fn settings(mailboxes: &[String], imap_port: u16, ca: &Path) -> String {
    let ca = ca.display();
    let mut text = format!(
        "[listen]\ninterval = \"10m\"\n\
         [reply]\nmode = \"off\"\nsales_email = \"sales@homes.example\"\n\
         [log]\nformat = \"json\"\nfilter = \"info,replyd=debug\"\n\
         [smtp]\nhost = \"localhost\"\nport = 25\nconsole = true\n\
         [imap]\nhost = \"localhost\"\nport = {imap_port}\nca_file = \"{ca}\"\n"
    );
    for (n, address) in mailboxes.iter().enumerate() {
        write!(
            text,
            "[[accounts]]\nname = \"box{n}\"\naddress = \"{address}\"\npassword = \"{PASSWORD}\"\n"
        )
        .expect("A string takes it");
    }
    text
}

fn mailboxes(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("desk{n}@homes.example"))
        .collect()
}

/// Mail number `n`, an answer of the lead.
fn mail(n: usize, to: &str) -> String {
    format!(
        "From: Ann Lee <{LEAD}>\r\nTo: {to}\r\nSubject: Re: Homes\r\nMessage-ID: <{}>\r\n\
         In-Reply-To: <{CAMPAIGN}>\r\n\r\nIs there a garage? This is question {n}.\r\n",
        id(n)
    )
}

fn id(n: usize) -> String {
    format!("overlap-{n}@people.example")
}

/// Starts replyd with one known lead, and waits until it listens to every mailbox.
#[track_caller]
fn listen(replyd: &Replyd, accounts: usize) -> Running {
    let leads = replyd.file("leads.csv", &format!("lead_id,email\nL-1,{LEAD}\n"));
    replyd.ok(&["leads", "import", &leads]);
    let sent = format!(
        "message_id,lead_id,campaign,date,subject\n<{CAMPAIGN}>,L-1,Spring,2026-01-05T10:00:00Z,Homes\n"
    );
    let sent = replyd.file("sent.csv", &sent);
    replyd.ok(&["sent", "import", &sent]);
    let mut running = replyd.start(&["run"]);
    let live = i64::try_from(accounts).expect("A small number");
    running.wait_for_rows("every account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live'") == live).then_some(())
    });
    // At the start, not when the first mail needs them.
    running.wait_for_event("the patterns to be compiled", |event| {
        event["message"] == "patterns are compiled"
    });
    running
}

/// How many of these two mails were captured by push.
fn heard(rows: &Rows, first: usize, second: usize) -> i64 {
    rows.value(
        "SELECT count(*) FROM messages
         WHERE message_key IN (?1, ?2) AND source = 'live' AND announced_at IS NOT NULL",
        [id(first), id(second)],
    )
}

/// All mails are there, each once, all by push, all matched; no session ended meanwhile.
#[track_caller]
fn assert_nothing_lost(replyd: &Replyd, finished: &Finished) {
    let mails = i64::try_from(2 * PAIRS).expect("A small number");
    let rows = replyd.rows();
    assert_eq!(rows.count("messages"), mails);
    for each in [
        "(SELECT DISTINCT message_key FROM messages)",
        "(SELECT DISTINCT mailbox_id, uid FROM messages)",
        "messages WHERE source = 'live' AND announced_at IS NOT NULL",
        "messages WHERE disposition = 'reply' AND match_method = 'in_reply_to'",
    ] {
        assert_eq!(rows.count(each), mails, "{each}");
    }
    // The commands warn of the password in this test's settings.
    let complaints: Vec<_> = finished
        .events()
        .into_iter()
        .filter(|event| event["level"] == "WARN" || event["level"] == "ERROR")
        .filter(|event| event["target"] != "replyd::commands")
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Lets `time` pass: part of the scene, not a wait for something.
fn pass(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left.max(Duration::from_micros(1)));
    }
}

/// The gap of a pair: all gaps together are spread evenly over [`GAPS_MS`].
fn gap(pair: usize) -> Duration {
    let (least, most) = GAPS_MS;
    let pair = u64::try_from(pair).expect("A small number");
    let last = u64::try_from(PAIRS - 1).expect("A small number");
    Duration::from_millis(least + (most - least) * pair / last)
}

#[test]
fn of_200_mails_in_close_pairs_none_is_lost_on_dovecot_at_50_ms() {
    const ACCOUNTS: usize = 10;
    let boxes = mailboxes(ACCOUNTS);
    let users: Vec<&str> = boxes.iter().map(String::as_str).collect();
    let dovecot = Dovecot::start(&Options {
        users: &users,
        idle: true,
        plain_port: false,
    });
    let network = tokio::runtime::Runtime::new().expect("A runtime");
    let upstream = ([127, 0, 0, 1], dovecot.imaps_port()).into();
    let proxy = network
        .block_on(DelayProxy::start(upstream, ONE_WAY))
        .expect("Start the proxy");
    let replyd = Replyd::new(&settings(
        &boxes,
        proxy.addr().port(),
        &dovecot.certs.ca_file,
    ));
    let running = listen(&replyd, ACCOUNTS);

    std::thread::scope(|scope| {
        for (n, address) in boxes.iter().enumerate() {
            let (dovecot, replyd) = (&dovecot, &replyd);
            scope.spawn(move || {
                let rows = replyd.rows();
                for pair in (n..PAIRS).step_by(ACCOUNTS) {
                    let (first, second) = (2 * pair, 2 * pair + 1);
                    dovecot.deliver(address, mail(first, address));
                    pass(gap(pair));
                    dovecot.deliver(address, mail(second, address));
                    // Before the next pair, whose announcement would heal a loss.
                    wait_for(&format!("both mails of pair {pair}"), || {
                        (heard(&rows, first, second) == 2).then_some(())
                    });
                }
            });
        }
    });

    let connections = proxy.stats().connections;
    let finished = running.terminate();
    finished.assert_code(0);
    assert_nothing_lost(&replyd, &finished);
    assert_eq!(connections, ACCOUNTS as u64, "It had to reconnect");
}

#[test]
fn of_200_mails_none_is_lost_when_the_second_comes_while_the_first_is_held_in_fetch() {
    let network = tokio::runtime::Runtime::new().expect("A runtime");
    let sandbox = network
        .block_on(Sandbox::start(replyd_sandbox::Options::default()))
        .expect("Start the sandbox");
    let boxes = mailboxes(1);
    let address = boxes[0].as_str();
    sandbox.add_user(address, PASSWORD);
    let folder = tempfile::tempdir().expect("Temporary folder");
    let ca = folder.path().join("ca.pem");
    common::write(&ca, sandbox.ca_pem());
    let replyd = Replyd::new(&settings(&boxes, sandbox.imap_addr().port(), &ca));
    let mut running = listen(&replyd, 1);
    let idle = || network.block_on(sandbox.wait_for_idle(address, 1, PATIENCE));
    let deliver = |n: usize| sandbox.deliver(address, "INBOX", mail(n, address).as_bytes(), None);

    for pair in 0..PAIRS {
        idle().expect("It idles");
        let (first, second) = (2 * pair, 2 * pair + 1);
        let gate = hold(&sandbox, pair);
        deliver(first).expect("Deliver the first");
        let held = network.block_on(gate.reached(PATIENCE));
        held.expect("The first is being fetched");
        // No byte of the first one's answer has left, and here comes the second.
        deliver(second).expect("Deliver the second");
        assert_eq!(heard(&replyd.rows(), first, second), 0);
        gate.release();
        running.wait_for_rows(&format!("both mails of pair {pair}"), |rows| {
            (heard(rows, first, second) == 2).then_some(())
        });
    }

    let stats = sandbox.stats();
    let finished = running.terminate();
    finished.assert_code(0);
    assert_nothing_lost(&replyd, &finished);
    assert_eq!(stats.connections, 1, "It had to reconnect");
    assert_eq!(stats.announcements, 2 * PAIRS as u64, "Each was announced");
}

/// Where the second mail's EXISTS comes, by turns: inside the answer to the first one's FETCH,
/// between it and the `+` of the IDLE that follows, or right after that `+`.
fn hold(sandbox: &Sandbox, pair: usize) -> Gate {
    use replyd_sandbox::faults::Action;
    let faults = sandbox.faults();
    match pair % 3 {
        0 => {
            let gate = Gate::new();
            let action = Action::HoldCommand(gate.clone());
            faults.at(Who::All, Times::Once, Verb::UidFetch, action);
            gate
        }
        1 => {
            faults.add(Who::All, Times::Once, ImapFault::ExistsBeforePlus);
            faults.hold(Who::All, Verb::UidFetch)
        }
        _ => faults.hold(Who::All, Verb::UidFetch),
    }
}
