//! The real binary, killed (`kill -9`) at random moments while replies of all kinds arrive: wishes,
//! questions that the documents answer, questions that they do not, questions about times,
//! opt-outs, referrals and vacation notices. Then it comes up once more, and each reply has its
//! row, its decision, and exactly the mails and the draft that it should have. Prints
//! `lost, doubled, unknown: 0, 0, n`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy's allowance for tests does not reach helper functions; counts are printed"
)]

#[path = "../common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::bin::Running;
use common::desk::{Desk, OPT_OUT, settled, stop};
use common::scenario::{DESK, Lead, WISH};
use replyd::time::now;

const FAQ: &str = "# Lake Homes\n\nQ: Are pets allowed?\nalso asked: Can I bring my dog?\n\
    A: Two cats or one dog per home are welcome.\n\n\
    Q: How much is a parking space?\nA: An underground parking space costs €24,000.\n\n\
    ## Heating\n\nThe homes are heated by a heat pump through underfloor pipes.\n\n\
    ## Completion\n\nBuilding A is completed in June 2027.\n";

/// What a lead writes; lead `n` writes as `KINDS[n % 7]` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Wish,
    Documented,
    Open,
    Times,
    OptOut,
    Referral,
    Away,
}

const KINDS: [Kind; 7] = [
    Kind::Wish,
    Kind::Documented,
    Kind::Open,
    Kind::Times,
    Kind::OptOut,
    Kind::Referral,
    Kind::Away,
];

/// What it should lead to: mails to the lead, notices to sales, drafts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    to_lead: usize,
    notices: usize,
    drafts: usize,
}

impl Kind {
    fn of(n: usize) -> Self {
        *KINDS.get(n % KINDS.len()).expect("Seven kinds")
    }

    fn text(self) -> &'static str {
        match self {
            Self::Wish => WISH,
            Self::Documented => "Hello,\r\n\r\nAre pets allowed?\r\n\r\nBest,\r\nAnn",
            Self::Open => "Is there a helicopter landing pad on the roof?",
            Self::Times => "When can I come and visit the apartment?",
            Self::OptOut => OPT_OUT,
            Self::Referral => {
                "I am not the right person for this. Please contact my colleague Bob at \
                 bob@people.example, he takes care of it."
            }
            Self::Away => "I am out of the office until 3 January and have no access to my mail.",
        }
    }

    fn due(self) -> Due {
        let (to_lead, notices, drafts) = match self {
            Self::Wish => (1, 1, 0),
            Self::Documented => (1, 0, 0),
            Self::Open | Self::Times => (0, 1, 1),
            Self::OptOut | Self::Referral => (0, 1, 0),
            Self::Away => (0, 0, 0),
        };
        Due {
            to_lead,
            notices,
            drafts,
        }
    }

    fn mail(self, lead: &Lead) -> Vec<u8> {
        let mut raw = lead.reply(self.text()).raw();
        if self == Self::Away {
            raw.splice(0..0, *b"Auto-Submitted: auto-replied\r\n");
        }
        raw
    }
}

/// What went wrong, and what nobody can know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    lost: usize,
    doubled: usize,
    unknown: usize,
}

impl Found {
    /// One thing that should be there `due` times and is there `got` times, of which `unknown`
    /// may not have arrived.
    fn compare(&mut self, got: usize, due: usize, unknown: usize) {
        self.lost += due.saturating_sub(got).saturating_sub(unknown);
        self.doubled += got.saturating_sub(due);
    }
}

#[track_caller]
fn deliver(desk: &Desk, n: usize) {
    let lead = desk.leads.get(n).expect("A lead");
    let raw = Kind::of(n).mail(lead);
    desk.sandbox
        .deliver(DESK, "INBOX", &raw, Some(now().0))
        .expect("Deliver");
}

/// A desk whose campaign has a FAQ.
#[track_caller]
fn desk(leads: usize) -> Desk {
    let desk = Desk::known(leads);
    let folder = desk.replyd.dir().join("documents");
    common::make_dir(&folder);
    common::write(&folder.join("faq.md"), FAQ);
    let folder = folder.display().to_string();
    desk.replyd
        .ok(&["campaign", "set", "Spring", "--documents", &folder]);
    desk.replyd.ok(&["run", "--once"]);
    desk
}

/// Looks at each reply: rows, decision, mails of the outbox and mails that the server took.
#[track_caller]
fn count(desk: &Desk, replies: usize) -> Found {
    let rows = desk.replyd.rows();
    let taken = desk.taken();
    let outbox = rows.outbox();
    let mut found = Found {
        unknown: outbox.iter().filter(|m| m.state == "unknown").count(),
        ..Found::default()
    };
    // What the server took: each mail of the outbox as its state says, and nothing else.
    for mail in &outbox {
        let got = taken.get(&mail.message_id).copied().unwrap_or(0);
        let unknown = usize::from(mail.state == "unknown");
        assert!(unknown == 1 || mail.state == "sent", "{mail:?}");
        found.compare(got, 1, unknown);
    }
    let strange = taken
        .keys()
        .filter(|id| outbox.iter().all(|mail| mail.message_id != **id));
    found.doubled += strange.count();
    for (n, lead) in desk.leads.iter().enumerate().take(replies) {
        let number = |what: &str, sql: &str| -> usize {
            let count: i64 = rows.value(sql, [&lead.answer_id]);
            usize::try_from(count).unwrap_or_else(|_| panic!("{what}: {count}"))
        };
        let stored = number(
            "rows",
            "SELECT count(*) FROM messages WHERE message_key = ?1",
        );
        found.compare(stored, 1, 0);
        let of_job = |from: &str| {
            let sql = format!(
                "SELECT count(*) FROM {from} JOIN reply_jobs j ON j.id = x.job_id
                 JOIN messages m ON m.id = j.message_id WHERE m.message_key = ?1"
            );
            sql
        };
        let due = Kind::of(n).due();
        let answers = number(
            "answers",
            &format!(
                "{} AND x.kind IN ('acknowledgment', 'answer')",
                of_job("outbox x")
            ),
        );
        let notices = number(
            "notices",
            &format!("{} AND x.kind = 'sales_notice'", of_job("outbox x")),
        );
        let drafts = number("drafts", &of_job("drafts x"));
        let done = number(
            "decisions",
            "SELECT count(*) FROM reply_jobs j JOIN messages m ON m.id = j.message_id
             WHERE m.message_key = ?1 AND j.state = 'done'",
        );
        let got = Due {
            to_lead: answers,
            notices,
            drafts,
        };
        if got != due {
            let why: String = rows.value(
                "SELECT coalesce(max(j.reasons), '') FROM reply_jobs j
                 JOIN messages m ON m.id = j.message_id WHERE m.message_key = ?1",
                [&lead.answer_id],
            );
            println!("{:?} of lead {n}: {got:?}, due {due:?}: {why}", Kind::of(n));
        }
        found.compare(answers, due.to_lead, 0);
        found.compare(notices, due.notices, 0);
        found.compare(drafts, due.drafts, 0);
        found.compare(done, 1, 0);
    }
    found
}

#[track_caller]
fn wait_settled(running: &mut Running, replies: usize) {
    running.wait_for_rows("every reply to be settled", |rows| settled(rows, replies));
}

/// Kills `run` `kills` times at random moments while `replies` replies arrive.
#[track_caller]
fn killed_at_random(kills: u32, replies: usize) {
    // Long enough for a start and some mails, whatever the machine: the moment is random.
    const LONGEST_LIFE_MS: u64 = 2_500;
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let desk = desk(replies);
    let began = Instant::now();
    let mut delivered = 0;
    for kill in 1..=kills {
        let running = desk.replyd.start(&["run"]);
        let life = Duration::from_millis(random.u64(50..LONGEST_LIFE_MS));
        let until = Instant::now() + life;
        // This life's share of the mails, over its end: some are on their way at the kill.
        let share = replies * kill as usize / kills as usize - delivered;
        let over = life.mul_f64(random.f64().powi(2));
        for n in 0..share {
            let pause = over / u32::try_from(share).unwrap_or(u32::MAX);
            pass_time(until - pause * u32::try_from(share - n).unwrap_or(0));
            deliver(&desk, delivered);
            delivered += 1;
        }
        pass_time(until);
        running.kill();
    }
    let mut running = desk.replyd.start(&["run"]);
    // All may be settled before it has come up far enough to be stopped in order.
    desk.listen(&mut running);
    wait_settled(&mut running, replies);
    stop(running);
    let found = count(&desk, replies);
    println!(
        "{kills} kills over {replies} replies of seven kinds (seed {seed}, {:?}): \
         lost, doubled, unknown: {}, {}, {}",
        began.elapsed(),
        found.lost,
        found.doubled,
        found.unknown
    );
    assert_eq!((found.lost, found.doubled), (0, 0), "seed {seed}");
    assert!(found.unknown <= kills as usize, "seed {seed}: {found:?}");
    // What is unknown stays so: nothing more goes out by itself.
    let sent = desk.mails_sent();
    desk.replyd.ok(&["run", "--once"]);
    assert_eq!(desk.mails_sent(), sent, "seed {seed}");
    assert_eq!(count(&desk, replies), found, "seed {seed}");
}

/// Lets time pass up to a random moment: not a wait for anything.
fn pass_time(until: Instant) {
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

#[test]
fn without_a_kill_each_kind_of_reply_has_what_it_should_have() {
    let desk = desk(KINDS.len());
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    for n in 0..KINDS.len() {
        deliver(&desk, n);
    }
    wait_settled(&mut running, KINDS.len());
    stop(running);
    assert_eq!(count(&desk, KINDS.len()), Found::default());
}

#[test]
fn killed_at_random_no_reply_of_any_kind_is_lost_or_answered_twice() {
    killed_at_random(8, 63);
}

#[test]
fn long_killed_sixty_times_no_reply_of_any_kind_is_lost_or_answered_twice() {
    killed_at_random(60, 420);
}
