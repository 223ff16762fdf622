//! `kill -9`, ten times at random, of the command that queues and of the service that sends.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use super::common::PATIENCE;
use super::common::desk::{Desk, stop};
use super::{FAST, campaign, shown, taken};

const LEADS: usize = 500;
const KILLS: u32 = 10;

/// The outcome for the leads: how many got one mail, more, none; and unknown rows.
fn count(desk: &Desk) -> (usize, usize, usize, i64) {
    let taken = taken(desk);
    let times = |n: &crate::common::scenario::Lead| taken.get(&n.address).copied().unwrap_or(0);
    let of = |wanted: fn(usize) -> bool| desk.leads.iter().filter(|l| wanted(times(l))).count();
    let unknown = desk.replyd.rows().count("outbox WHERE state = 'unknown'");
    (of(|n| n == 1), of(|n| n > 1), of(|n| n == 0), unknown)
}

#[test]
fn five_hundred_leads_have_one_mail_each_after_ten_kills_at_random() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let began = Instant::now();
    let desk = campaign(LEADS, FAST);
    let mut killed_while_queueing = 0;
    for _ in 0..KILLS {
        // Somewhere between its start and its end, which takes some hundred milliseconds.
        let sending = desk.replyd.start(&["campaign", "send", "Spring"]);
        let wait = Instant::now() + Duration::from_millis(random.u64(0..600));
        while let Some(left) = wait.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
        let ended = sending.kill();
        killed_while_queueing += u32::from(ended.status.signal() == Some(9));
        // After some more mails, at whatever step of the next one.
        let running = desk.replyd.start(&["run"]);
        let enough = desk.sandbox.submissions().len() + random.usize(1..50);
        let deadline = Instant::now() + PATIENCE;
        let waits = desk
            .replyd
            .rows()
            .count("outbox WHERE state IN ('queued', 'deferred')")
            > 0;
        while waits && desk.sandbox.submissions().len() < enough {
            assert!(Instant::now() < deadline, "seed {seed}: nothing is sent");
            std::thread::park_timeout(Duration::from_micros(random.u64(1..3000)));
        }
        let ended = running.kill();
        assert_eq!(
            ended.status.signal(),
            Some(9),
            "seed {seed}: {}",
            ended.output()
        );
        desk.block_on(desk.sandbox.wait_until(PATIENCE, |stats| stats.open == 0))
            .expect("The server notices the end of its clients");
        let (_, doubled, _, _) = count(&desk);
        assert_eq!(doubled, 0, "seed {seed}");
    }
    desk.replyd.ok(&["campaign", "send", "Spring"]);
    let mut running = desk.replyd.start(&["run"]);
    running.wait_for_rows("every mail to have its fate", |rows| {
        let moving = "outbox WHERE state IN ('queued', 'sending', 'deferred')";
        (rows.count(moving) == 0).then_some(())
    });
    stop(running);
    let (one, doubled, none, unknown) = count(&desk);
    println!(
        "{LEADS} leads, {KILLS} kills of the service, {killed_while_queueing} of the command \
         (seed {seed}, {:?}): {one} with one mail, {doubled} with more, {none} without, \
         {unknown} unknown",
        began.elapsed()
    );
    assert_eq!(doubled, 0, "seed {seed}");
    assert!(
        unknown <= i64::from(KILLS),
        "seed {seed}: one mail at a time"
    );
    assert_eq!(
        desk.replyd.rows().count("outbox WHERE kind = 'campaign'"),
        500,
        "seed {seed}"
    );

    // What is unknown is shown and counted, and never sent again by itself.
    assert_eq!(shown(&desk.replyd)["counts"]["unknown"], unknown);
    let before = desk.sandbox.submissions().len();
    desk.replyd.ok(&["campaign", "send", "Spring", "--retry"]);
    desk.replyd.ok(&["process"]);
    assert_eq!(desk.sandbox.submissions().len(), before, "seed {seed}");

    // A person looks and says for each what became of it.
    let got = taken(&desk);
    for mail in desk.replyd.rows().outbox() {
        if mail.state == "unknown" {
            let verdict = if got.contains_key(&mail.to) {
                "sent"
            } else {
                "resend"
            };
            desk.replyd
                .ok(&["outbox", "settle", &mail.id.to_string(), "--as", verdict]);
        }
    }
    desk.replyd.ok(&["process"]);
    assert_eq!(count(&desk), (LEADS, 0, 0, 0), "seed {seed}");
    assert_eq!(shown(&desk.replyd)["counts"]["sent"], LEADS, "seed {seed}");
}

#[test]
fn a_campaign_whose_queueing_dies_is_queued_again_and_no_lead_gets_two_mails() {
    for point in ["campaign.queue_before_commit", "campaign.queued"] {
        let desk = Desk::known(3);
        // The import knows of a mail to each lead in Spring: another campaign has none.
        let leads = desk
            .leads
            .iter()
            .map(|l| format!("{},{}\n", l.lead_id, l.address));
        let leads = format!("lead_id,email\n{}", leads.collect::<String>());
        let leads = desk.replyd.file("summer.csv", &leads);
        let text = desk
            .replyd
            .file("offer.txt", "Subject: Homes\n\nThey can be seen.\n");
        desk.replyd
            .ok(&["leads", "import", &leads, "--campaign", "Summer"]);
        desk.replyd
            .ok(&["campaign", "create", "Summer", "--template", &text]);
        let send = ["campaign", "send", "Summer"];
        let crash = [("REPLYD_CRASH_AT", point)];
        let dead = desk.replyd.start_with(&send, &crash).finish();
        assert_eq!(dead.status.signal(), Some(9), "{point}: {}", dead.output());
        let queued = desk.replyd.rows().count("outbox WHERE kind = 'campaign'");
        assert_eq!(queued, if point == "campaign.queued" { 3 } else { 0 });
        desk.replyd.ok(&send);
        desk.replyd.ok(&["run", "--once"]);
        desk.replyd.ok(&send);
        desk.replyd.ok(&["run", "--once"]);
        let taken = desk.taken();
        assert_eq!(taken.len(), 3, "{point}");
        assert!(
            taken.values().all(|times| *times == 1),
            "{point}: {taken:?}"
        );
    }
}
