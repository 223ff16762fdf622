//! Mails that come back: bounces of an answer, and of the notice about it.

use crate::common::scenario::WISH;
use crate::letter::{Letter, field};
use crate::world::{Known, Wanted, World};

const DESK: &str = "desk@homes.example";
const SALES: &str = "sales@homes.example";
const LEAD: &str = "ann@client.example";
/// Without a mailbox: Postfix sends real delivery status notifications.
const GONE: &str = "gone@client.example";
const SALES_GONE: &str = "nobody@homes.example";
const CAMPAIGN: &str = "campaign@homes.example";

fn wish(from: &str) -> Letter {
    let from = format!("Ann Lee <{from}>");
    let answers = format!("<{CAMPAIGN}>");
    Letter::new(
        DESK,
        &[
            ("From", &from),
            ("Message-ID", "<wish@client.example>"),
            ("In-Reply-To", &answers),
            ("Subject", "Re: Homes at the lake"),
        ],
        WISH,
    )
}

fn side(lead: &'static str, sales: &'static str) -> World {
    let known: [Known<'static>; 1] = [Known {
        lead,
        message_ids: &[CAMPAIGN],
    }];
    World::start(
        &[DESK, SALES, LEAD],
        &[Wanted {
            address: DESK,
            mailbox: DESK,
            sales,
            leads: &known,
            documents: "",
        }],
    )
}

#[test]
fn bounces_of_the_answer_and_of_the_notice_are_noted_and_answered_by_nothing() {
    let mut world = side(GONE, SALES_GONE);
    world.hand_over(&wish(GONE));
    world.settle();
    let side = world.side();
    // The reply, and two reports; the acknowledgement and the notice, and nothing after them.
    let rows = side.rows();
    assert_eq!(
        rows.dispositions().get("bounce"),
        Some(&2),
        "{}",
        world.told()
    );
    assert_eq!(rows.count("messages"), 3, "{}", world.told());
    assert_eq!(rows.outbox().len(), 2, "{}", world.told());
    assert_eq!(rows.count("leads WHERE bounced_at IS NOT NULL"), 1);
    for told in side.explained().iter().skip(1) {
        assert!(told.contains("a delivery report"), "{told}");
    }
    // A notice that came back is a person's business.
    let status = side.status();
    assert!(status.contains("bounce"), "{status}");
}

/// A server without delivery status notifications: words from MAILER-DAEMON, each time anew.
#[test]
fn a_bounce_in_words_only_is_answered_by_nothing() {
    let mut world = side(LEAD, SALES);
    world.put(
        LEAD,
        Box::new(|mail, n| {
            let id = field(mail, "Message-ID");
            let own = format!("<bounce-{n}@client.example>");
            let letter = Letter::new(
                DESK,
                &[
                    (
                        "From",
                        "Mail Delivery System <MAILER-DAEMON@client.example>",
                    ),
                    ("Message-ID", &own),
                    ("In-Reply-To", &id),
                    ("Subject", "failure notice"),
                ],
                &format!(
                    "Hi. This is the qmail-send program at client.example.\r\nI'm afraid I wasn't \
                     able to deliver your message to the following addresses.\r\n\r\n<{LEAD}>:\r\n\
                     Sorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a \
                     copy of the message.\r\n\r\nMessage-ID: {id}\r\n"
                ),
            );
            vec![letter.with_null_sender()]
        }),
    );
    world.hand_over(&wish(LEAD));
    world.settle();
    assert_eq!(world.mails_from(LEAD, DESK), 1, "{}", world.told());
    let rows = world.side().rows();
    assert_eq!(
        rows.dispositions().get("bounce"),
        Some(&1),
        "{}",
        world.told()
    );
    assert_eq!(rows.outbox().len(), 2, "{}", world.told());
}
