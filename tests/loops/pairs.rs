//! Two replyds, each with the other's address as a lead, and what may stand between them.

use std::time::Duration;

use crate::common::scenario::WISH;
use crate::letter::{Letter, Relay};
use crate::world::{Known, Wanted, World};

const NORTH: &str = "desk@north.example";
const SOUTH: &str = "desk@south.example";
/// Behind the relays.
const NORTH_INSIDE: &str = "inside@north.example";
const SOUTH_INSIDE: &str = "inside@south.example";
const NORTH_SALES: &str = "sales@north.example";
const SOUTH_SALES: &str = "sales@south.example";
/// The campaign mails, and the mails that start the loop: known to who sent them.
const NORTH_CAMPAIGN: &str = "campaign@north.example";
const SOUTH_CAMPAIGN: &str = "campaign@south.example";
const NORTH_SEED: &str = "seed@north.example";
const SOUTH_SEED: &str = "seed@south.example";
/// Longer than the brake between two automatic mails to a lead.
const ELEVEN_MINUTES: Duration = Duration::from_secs(11 * 60);

const PETS: &str = "Hello,\r\n\r\nAre pets allowed?";
const PARKING: &str = "Hello,\r\n\r\nHow much is a parking space?";
/// Each one's answers ask what the other one's answer.
const NORTH_FAQ: &str = "# Lake Homes\n\nQ: Are pets allowed?\n\
    A: Two cats or one dog per home are welcome. How much is a parking space?\n\n\
    ## Heating\n\nThe homes are heated by a heat pump through underfloor pipes.\n\n\
    ## Completion\n\nBuilding A is completed in June 2027.\n";
const SOUTH_FAQ: &str = "# Lake Homes\n\nQ: How much is a parking space?\n\
    A: An underground parking space costs 24,000 euros. Are pets allowed?\n\n\
    ## Heating\n\nThe homes are heated by a heat pump through underfloor pipes.\n\n\
    ## Completion\n\nBuilding A is completed in June 2027.\n";

/// What the two write about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    /// Both get a wish for a viewing.
    Wishes,
    /// Both have documents and get a question that they answer.
    Questions,
    /// One of each.
    Mixed,
}

const PLAIN: Relay = Relay {
    strips: false,
    rewrites: false,
};
const STRIPS: Relay = Relay {
    strips: true,
    rewrites: false,
};
const REWRITES: Relay = Relay {
    strips: false,
    rewrites: true,
};
const BOTH: Relay = Relay {
    strips: true,
    rewrites: true,
};

macro_rules! pairs {
    ($($name:ident: $talk:ident, $relay:ident;)*) => {
        $(
            #[test]
            fn $name() {
                two_replyds_stop(Talk::$talk, $relay);
            }
        )*
    };
}

pairs! {
    acknowledgements_stop: Wishes, PLAIN;
    acknowledgements_stop_without_auto_submitted: Wishes, STRIPS;
    acknowledgements_stop_with_other_ids: Wishes, REWRITES;
    acknowledgements_stop_with_neither: Wishes, BOTH;
    answers_that_ask_stop: Questions, PLAIN;
    answers_that_ask_stop_without_auto_submitted: Questions, STRIPS;
    answers_that_ask_stop_with_other_ids: Questions, REWRITES;
    answers_that_ask_stop_with_neither: Questions, BOTH;
    an_answer_and_an_acknowledgement_stop: Mixed, PLAIN;
    an_answer_and_an_acknowledgement_stop_without_auto_submitted: Mixed, STRIPS;
    an_answer_and_an_acknowledgement_stop_with_other_ids: Mixed, REWRITES;
    an_answer_and_an_acknowledgement_stop_with_neither: Mixed, BOTH;
}

/// Both get a mail that they answer at the same moment; then they are left alone.
#[track_caller]
fn two_replyds_stop(talk: Talk, relay: Relay) {
    let mut world = world(talk, relay);
    for (from, to, seed, text) in seeds(talk) {
        world.hand_over(&seed_letter(from, to, seed, text));
    }
    world.settle();
    for (inside, other) in [(NORTH_INSIDE, SOUTH), (SOUTH_INSIDE, NORTH)] {
        let mails = world.mails_from(inside, other);
        // The seed, and one automatic mail; none, if the other's came before it left.
        let told = || format!("{inside}: {talk:?} {relay:?}\n{}", world.told());
        assert!(mails == 1 || mails == 2, "{mails} {}", told());
    }
    let mut left = 0;
    for side in &world.sides {
        let mut automatic = side.automatic();
        automatic.retain(|mail| mail.state == "sent");
        assert!(automatic.len() <= 1, "{talk:?} {relay:?} {automatic:#?}");
        left += automatic.len();
        let explained = side.explained();
        assert!(!explained.is_empty());
        // One at most was answered; of each other one the reason stands there.
        for told in &explained {
            if !told.contains("acknowledgment sent") && !told.contains("answer sent") {
                assert_reason(told, relay);
            }
        }
    }
    assert!(left >= 1, "Nobody was answered\n{}", world.told());
}

/// The mail that was not answered says why.
#[track_caller]
fn assert_reason(told: &str, relay: Relay) {
    let reasons: &[&str] = if relay.strips {
        // Nothing marks it: the brake, that it says nothing that is answered, or that a person has it.
        &[
            "-> person",
            "brake: one automatic mail to a lead in 10 minutes",
            ": no answer",
            "the lead wrote again before it left",
        ]
    } else {
        &["an automatic reply: never answered"]
    };
    assert!(reasons.iter().any(|why| told.contains(why)), "{told}");
}

/// A relay that takes longer than the brake between two mails: what stops it then is the thread.
#[test]
fn slow_questions_without_auto_submitted_stop_after_three_mails_in_the_thread() {
    slow_pair_stops(Talk::Questions, STRIPS, 3);
}

#[test]
fn slow_acknowledgements_without_auto_submitted_stop_after_one() {
    slow_pair_stops(Talk::Wishes, STRIPS, 1);
}

#[test]
fn long_slow_questions_with_neither_stop_after_three_mails_in_the_thread() {
    slow_pair_stops(Talk::Questions, BOTH, 3);
}

#[track_caller]
fn slow_pair_stops(talk: Talk, relay: Relay, most: usize) {
    let mut world = world(talk, relay);
    let seeds = seeds(talk);
    let (from, to, seed, text) = seeds.first().expect("A seed");
    world.hand_over(&seed_letter(from, to, seed, text));
    let mut before = usize::MAX;
    let mut rounds = 0;
    loop {
        world.settle_one_round();
        let passed = world.mails(NORTH_INSIDE).len() + world.mails(SOUTH_INSIDE).len();
        if passed == before {
            break;
        }
        before = passed;
        rounds += 1;
        assert!(rounds < 12, "It goes on\n{}", world.told());
        world.age(ELEVEN_MINUTES);
    }
    for side in &world.sides {
        let automatic = side.automatic();
        println!(
            "{}: {} automatic mails in {rounds} rounds",
            side.address,
            automatic.len()
        );
        assert!(
            automatic.len() <= most,
            "{talk:?} {relay:?}\n{}",
            world.told()
        );
    }
    assert!(
        world.sides.iter().any(|side| !side.automatic().is_empty()),
        "{}",
        world.told()
    );
}

fn world(talk: Talk, relay: Relay) -> World {
    let documents = |faq: &'static str, asked: bool| if asked { faq } else { "" };
    let mut world = World::start(
        &[
            NORTH,
            SOUTH,
            NORTH_INSIDE,
            SOUTH_INSIDE,
            NORTH_SALES,
            SOUTH_SALES,
        ],
        &[
            Wanted {
                address: NORTH,
                mailbox: NORTH_INSIDE,
                sales: NORTH_SALES,
                leads: &[Known {
                    lead: SOUTH,
                    message_ids: &[NORTH_CAMPAIGN, NORTH_SEED],
                }],
                documents: documents(NORTH_FAQ, talk != Talk::Wishes),
            },
            Wanted {
                address: SOUTH,
                mailbox: SOUTH_INSIDE,
                sales: SOUTH_SALES,
                leads: &[Known {
                    lead: NORTH,
                    message_ids: &[SOUTH_CAMPAIGN, SOUTH_SEED],
                }],
                documents: documents(SOUTH_FAQ, talk == Talk::Questions),
            },
        ],
    );
    for (mailbox, inside, parent) in [
        (NORTH, NORTH_INSIDE, NORTH_CAMPAIGN),
        (SOUTH, SOUTH_INSIDE, SOUTH_CAMPAIGN),
    ] {
        world.put(
            mailbox,
            Box::new(move |mail, n| {
                let id = format!("{n}-{}", inside.replace('@', "-"));
                vec![Letter {
                    envelope_from: "relay@north.example".to_owned(),
                    to: inside.to_owned(),
                    raw: relay.pass(mail, &id, parent),
                }]
            }),
        );
    }
    world
}

/// Who writes to whom, under which id, and what: a person's mails.
fn seeds(talk: Talk) -> [(&'static str, &'static str, &'static str, &'static str); 2] {
    let (to_north, to_south) = match talk {
        Talk::Wishes => (WISH, WISH),
        Talk::Questions => (PETS, PARKING),
        Talk::Mixed => (PETS, WISH),
    };
    [
        (SOUTH, NORTH, SOUTH_SEED, to_north),
        (NORTH, SOUTH, NORTH_SEED, to_south),
    ]
}

fn seed_letter(from: &str, to: &str, id: &str, text: &str) -> Letter {
    let parent = if to == NORTH {
        NORTH_CAMPAIGN
    } else {
        SOUTH_CAMPAIGN
    };
    Letter::new(
        to,
        &[
            ("From", &format!("Ann Lee <{from}>")),
            ("Message-ID", &format!("<{id}>")),
            ("In-Reply-To", &format!("<{parent}>")),
            ("References", &format!("<{parent}>")),
            ("Subject", "Re: Homes at the lake"),
        ],
        text,
    )
}
