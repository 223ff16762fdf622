//! Machines that answer whatever they get. The lead asks for a viewing and is acknowledged; from
//! then on its mailbox is a machine's. None gets a second mail, however it writes, and eleven
//! minutes later, when the brake between two mails is over, none gets one either.

use std::time::Duration;

use crate::common::scenario::WISH;
use crate::letter::{Letter, body, field};
use crate::world::{Known, Wanted, World};

const DESK: &str = "desk@homes.example";
const SALES: &str = "sales@homes.example";
const LEAD: &str = "ann@client.example";
const LIST: &str = "family@lists.example";
const CAMPAIGN: &str = "campaign@homes.example";
/// Longer than the brake between two automatic mails to a lead.
const ELEVEN_MINUTES: Duration = Duration::from_secs(11 * 60);

/// How a machine writes.
#[derive(Clone, Copy, Debug)]
struct Voice {
    /// From, of its answer number `n`: `{n}` stands for the number.
    from: &'static str,
    /// Subject; `{n}` and `{subject}` of what it answers.
    subject: &'static str,
    /// Further fields, a line each.
    fields: &'static [(&'static str, &'static str)],
    /// The text; `{n}`, and `{quoted}` for the mail that it answers.
    text: &'static str,
    /// Whether it leaves In-Reply-To and References out.
    threadless: bool,
    /// Whether it writes from the null sender.
    null_sender: bool,
}

const VOICE: Voice = Voice {
    from: "Ann Lee <ann@client.example>",
    subject: "Re: {subject}",
    fields: &[],
    text: "",
    threadless: false,
    null_sender: false,
};

const AWAY: &str = "Hello,\r\n\r\nthank you for your message. I am out of the office until 3 January \
    and have no access to my mail. In urgent cases please write to office@client.example.\r\n\r\n\
    Kind regards\r\nAnn Lee";
const TICKET: &str = "Dear customer,\r\n\r\nyour request has been received and has the number \
    #{n}. One of our agents will get back to you as soon as possible. Please keep the number in \
    the subject line when you reply.\r\n\r\nThe service team";
const ECHO: &str = "Ticket {n} was updated. The customer wrote:\r\n\r\nYes, I am interested. Please \
    book a viewing for me, I would love to come and see the apartment.";
const CHALLENGE: &str = "This mailbox is protected. Your message has been held. To have it \
    delivered, please reply to this message or follow this link:\r\n\
    https://guard.example/confirm/{n}\r\n\r\nYou have to do this only once.";
const EAGER: &str = "Thanks for your mail! Yes, I am interested. Please book a viewing for me.";

/// What a reason may say; one of them stands in `explain` of each mail of the machine.
type Reasons = &'static [&'static str];

const AUTOMATIC: Reasons = &["an automatic reply: never answered"];
/// By its words alone: a machine's, or nothing that is answered.
const WORDS: Reasons = &[
    "an automatic reply: never answered",
    "not sure what it says",
    ": no answer",
];
const STRANGER: Reasons = &["the sender is not verified"];

/// A mail of the lead that is acknowledged, then the machine, then the machine once more after
/// eleven minutes.
#[track_caller]
fn gets_one_mail(voice: Voice, reasons: Reasons) {
    let mut world = World::start(&[DESK, SALES, LEAD], &[side(LEAD)]);
    world.put(LEAD, Box::new(move |mail, n| vec![answer(voice, mail, n)]));
    world.hand_over(&wish());
    world.settle();
    assert_eq!(world.mails_from(LEAD, DESK), 1, "{}", world.told());

    // A reminder of its own, when the brake between two mails is over.
    world.age(ELEVEN_MINUTES);
    let ours = world.mails(LEAD).pop().expect("The acknowledgement");
    world.hand_over(&answer(voice, &ours, 1));
    world.settle();
    assert_eq!(world.mails_from(LEAD, DESK), 1, "{}", world.told());
    assert_eq!(world.side().automatic().len(), 1, "{}", world.told());

    let explained = world.side().explained();
    let (first, others) = explained.split_first().expect("Captured mails");
    assert!(first.contains("acknowledgment sent"), "{first}");
    assert_eq!(others.len(), 2, "{explained:#?}");
    for told in others {
        assert!(reasons.iter().any(|why| told.contains(why)), "{told}");
    }
}

/// The machine answers the campaign mail itself: it gets nothing at all.
#[track_caller]
fn gets_no_mail(voice: Voice, reasons: Reasons) {
    let mut world = World::start(&[DESK, SALES, LEAD], &[side(LEAD)]);
    world.put(LEAD, Box::new(move |mail, n| vec![answer(voice, mail, n)]));
    let campaign = format!(
        "Message-ID: <{CAMPAIGN}>\r\nSubject: Homes at the lake\r\nFrom: {DESK}\r\n\r\nLook!\r\n"
    );
    for n in 0..2 {
        world.hand_over(&answer(voice, &campaign, n));
        world.settle();
    }
    assert_eq!(world.mails_from(LEAD, DESK), 0, "{}", world.told());
    let explained = world.side().explained();
    assert_eq!(explained.len(), 2, "{explained:#?}");
    for told in explained {
        assert!(reasons.iter().any(|why| told.contains(why)), "{told}");
    }
}

macro_rules! voices {
    ($($name:ident: $then:ident, $reasons:expr, { $($part:ident: $value:expr),* $(,)? };)*) => {
        $(
            #[test]
            fn $name() {
                $then(Voice { $($part: $value,)* ..VOICE }, $reasons);
            }
        )*
    };
}

voices! {
    a_marked_vacation_responder_gets_one_mail: gets_one_mail, AUTOMATIC, {
        text: AWAY,
        fields: &[("Auto-Submitted", "auto-replied (vacation)")],
        null_sender: true,
    };
    a_vacation_responder_without_a_mark_gets_one_mail: gets_one_mail, AUTOMATIC, {
        text: AWAY,
    };
    a_vacation_responder_without_a_mark_gets_no_mail_for_the_campaigns: gets_no_mail, AUTOMATIC, {
        text: AWAY,
    };
    a_marked_ticket_system_with_new_addresses_gets_one_mail: gets_one_mail, AUTOMATIC, {
        from: "Service <ticket-{n}@help.example>",
        subject: "[Ticket #{n}] {subject}",
        text: TICKET,
        fields: &[("Auto-Submitted", "auto-generated"), ("Precedence", "bulk")],
    };
    // Words alone: a machine by its text, or a stranger.
    a_ticket_system_with_new_addresses_gets_one_mail: gets_one_mail,
        &["the sender is not verified", ": no answer"], {
        from: "Service <ticket-{n}@help.example>",
        subject: "[Ticket #{n}] {subject}",
        text: TICKET,
    };
    a_ticket_system_that_repeats_the_leads_words_gets_one_mail: gets_one_mail, STRANGER, {
        from: "Service <ticket-{n}@help.example>",
        subject: "[Ticket #{n}] {subject}",
        text: ECHO,
    };
    // Of the lead's own domain it counts as a colleague, who may ask for a viewing.
    a_ticket_system_of_the_leads_domain_gets_one_mail: gets_one_mail,
        &["an automatic reply: never answered", "brake:", ": no answer"], {
        from: "Service <ticket-{n}@client.example>",
        subject: "[Ticket #{n}] {subject}",
        text: ECHO,
    };
    // Nothing tells it from a person.
    a_machine_that_writes_as_the_lead_gets_one_mail: gets_one_mail, &["brake:"], {
        text: EAGER,
    };
    a_machine_that_writes_as_the_lead_with_new_subjects_gets_one_mail: gets_one_mail, &["brake:"], {
        subject: "Case {n} ({subject})",
        text: "Yes, I am interested. Please book a viewing for me. ({n})",
    };
    a_machine_that_answers_outside_the_thread_gets_one_mail: gets_one_mail,
        &["answers no known mail", "the match is not sure", "brake:"], {
        subject: "Case {n}",
        text: EAGER,
        threadless: true,
    };
    a_challenge_gets_one_mail: gets_one_mail, WORDS, {
        from: "Guard <challenge-{n}@guard.example>",
        subject: "Please confirm your message [{n}]: {subject}",
        text: CHALLENGE,
        null_sender: true,
    };
    a_challenge_from_the_leads_address_gets_one_mail: gets_one_mail, WORDS, {
        subject: "Please confirm your message [{n}]: {subject}",
        text: CHALLENGE,
    };
    a_challenge_to_the_campaign_mail_gets_no_mail: gets_no_mail, WORDS, {
        subject: "Please confirm your message [{n}]: {subject}",
        text: CHALLENGE,
    };
}

/// Nothing tells it from a person who has many questions: the thread's brake ends it.
#[test]
fn a_machine_that_always_asks_something_new_gets_three_mails() {
    const QUESTIONS: [&str; 5] = [
        "Are pets allowed?",
        "How much is a parking space?",
        "Is there a lift in the building?",
        "When is the building completed?",
        "How are the homes heated?",
    ];
    let faq = "# Lake Homes\n\nQ: Are pets allowed?\nA: Two cats or one dog per home are welcome.\n\n\
        Q: How much is a parking space?\nA: An underground parking space costs 24,000 euros.\n\n\
        Q: Is there a lift in the building?\nA: Each building has a lift to every floor.\n\n\
        Q: When is the building completed?\nA: Building A is completed in June 2027.\n\n\
        Q: How are the homes heated?\nA: The homes are heated by a heat pump.\n";
    let mut wanted = side(LEAD);
    wanted.documents = faq;
    let mut world = World::start(&[DESK, SALES, LEAD], &[wanted]);
    let campaign =
        format!("Message-ID: <{CAMPAIGN}>\r\nSubject: Homes at the lake\r\n\r\nLook!\r\n");
    for (n, text) in QUESTIONS.into_iter().enumerate() {
        let ours = world.mails(LEAD).pop().unwrap_or_else(|| campaign.clone());
        world.hand_over(&answer(Voice { text, ..VOICE }, &ours, n));
        world.settle();
        world.age(ELEVEN_MINUTES);
    }
    assert_eq!(world.mails_from(LEAD, DESK), 3, "{}", world.told());
    for told in world.side().explained().iter().skip(3) {
        let brake = "brake: three automatic mails in a thread";
        assert!(told.contains(brake), "{told}");
    }
}

/// The lead's address is a mailing list: our answer comes back to us through it, and members
/// answer it.
#[test]
fn a_mailing_list_gets_one_mail() {
    let member = "bob@people.example";
    let mut world = World::start(&[DESK, SALES, LIST, member], &[side(LIST)]);
    // The list hands on to its members, the desk among them; one member is away.
    world.put(
        LIST,
        Box::new(move |mail, n| {
            [DESK, member]
                .map(|to| through_the_list(mail, n, to))
                .to_vec()
        }),
    );
    world.put(
        member,
        Box::new(|mail, n| {
            let voice = Voice {
                from: "Bob <bob@people.example>",
                text: AWAY,
                ..VOICE
            };
            let mut answer = answer(voice, mail, n);
            answer.to = LIST.to_owned();
            vec![answer]
        }),
    );
    let mut wish = wish();
    wish.raw = wish.raw.replace(LEAD, LIST);
    world.hand_over(&wish);
    // The list loops by itself when nobody stops: every member is answered by the one who is away.
    world.settle_one_round();
    world.settle_one_round();
    world.settle_one_round();
    assert_eq!(world.mails_from(LIST, DESK), 1, "{}", world.told());
    assert_eq!(world.side().automatic().len(), 1, "{}", world.told());
    let explained = world.side().explained();
    assert!(explained.len() >= 2, "{explained:#?}");
    let own = explained.get(1).expect("Our own mail");
    assert!(own.contains("disposition own_mail"), "{own}");
    for told in explained.iter().skip(2) {
        assert!(
            told.contains("List-Id") || told.contains("an automatic reply"),
            "{told}"
        );
    }
}

/// A list that rewrites From, as those do whose members' domains have DMARC policies, and that
/// gives each mail an id of its own.
#[test]
fn a_mailing_list_that_rewrites_from_and_ids_gets_one_mail() {
    let mut world = World::start(&[DESK, SALES, LIST], &[side(LIST)]);
    world.put(LIST, Box::new(|mail, n| {
        let raw = format!(
            "From: Desk via family <{LIST}>\r\nTo: {LIST}\r\nMessage-ID: <list-{n}@lists.example>\r\n\
             In-Reply-To: {}\r\nReferences: {}\r\nSubject: [family] {}\r\nList-Id: <family.lists.example>\r\n\
             Precedence: list\r\n\r\n{}",
            field(mail, "In-Reply-To"),
            field(mail, "References"),
            field(mail, "Subject"),
            body(mail).replace('\n', "\r\n"),
        );
        vec![Letter {
            envelope_from: LIST.to_owned(),
            to: DESK.to_owned(),
            raw,
        }]
    }));
    let mut wish = wish();
    wish.raw = wish.raw.replace(LEAD, LIST);
    world.hand_over(&wish);
    world.settle();
    assert_eq!(world.mails_from(LIST, DESK), 1, "{}", world.told());
    assert_eq!(world.side().automatic().len(), 1, "{}", world.told());
    let explained = world.side().explained();
    assert_eq!(explained.len(), 2, "{explained:#?}");
    let own = explained.last().expect("Our own mail");
    assert!(own.contains("List-Id"), "{own}");
}

fn through_the_list(mail: &str, n: usize, to: &str) -> Letter {
    Letter {
        envelope_from: format!("family-bounces+{n}@lists.example"),
        to: to.to_owned(),
        raw: format!(
            "List-Id: <family.lists.example>\r\nPrecedence: list\r\n{}",
            mail.replace("\r\n", "\n")
                .lines()
                .skip_while(|line| !line.contains(':') || line.starts_with("Return-Path:"))
                .collect::<Vec<_>>()
                .join("\r\n")
        ),
    }
}

fn side(lead: &'static str) -> Wanted<'static> {
    Wanted {
        address: DESK,
        mailbox: DESK,
        sales: SALES,
        leads: if lead == LIST { LIST_KNOWN } else { LEAD_KNOWN },
        documents: "",
    }
}

const LEAD_KNOWN: &[Known<'static>] = &[Known {
    lead: LEAD,
    message_ids: &[CAMPAIGN],
}];
const LIST_KNOWN: &[Known<'static>] = &[Known {
    lead: LIST,
    message_ids: &[CAMPAIGN],
}];

/// The lead's own mail.
fn wish() -> Letter {
    let answers = format!("<{CAMPAIGN}>");
    Letter::new(
        DESK,
        &[
            ("From", "Ann Lee <ann@client.example>"),
            ("Message-ID", "<wish@client.example>"),
            ("In-Reply-To", &answers),
            ("References", &answers),
            ("Subject", "Re: Homes at the lake"),
        ],
        WISH,
    )
}

fn answer(voice: Voice, mail: &str, n: usize) -> Letter {
    let number = (1234 + n).to_string();
    let subject = field(mail, "Subject");
    let filled = |text: &str| text.replace("{n}", &number).replace("{subject}", &subject);
    let (from, subject) = (filled(voice.from), filled(voice.subject));
    let own = format!("<machine-{n}-{}@machine.example>", mail.len());
    let (parent, root) = (field(mail, "Message-ID"), field(mail, "References"));
    let references = format!("{root} {parent}").trim().to_owned();
    let mut fields = vec![
        ("From", from.as_str()),
        ("Message-ID", own.as_str()),
        ("Subject", subject.as_str()),
    ];
    if !voice.threadless {
        fields.push(("In-Reply-To", &parent));
        fields.push(("References", &references));
    }
    fields.extend_from_slice(voice.fields);
    let letter = Letter::new(DESK, &fields, &filled(voice.text));
    if voice.null_sender {
        letter.with_null_sender()
    } else {
        letter
    }
}
