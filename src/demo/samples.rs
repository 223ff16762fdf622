//! The sample leads of the demo: what each answers, and what should become of it.

use crate::model::{Disposition, Intent, MailKind};

/// The project that the sample campaign sells.
pub(super) const PROJECT: &str = "Harbour Lofts";
/// The sample campaign.
pub(super) const CAMPAIGN: &str = "Harbour Lofts spring";
/// The watched mailbox.
pub(super) const TEAM: &str = "team@harbour-lofts.example";
/// Where sales notices go.
pub(super) const SALES: &str = "sales@harbour-lofts.example";

/// One sample lead and its answer.
pub(super) struct Sample {
    /// What it shows.
    pub(super) title: &'static str,
    pub(super) lead_id: &'static str,
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) shape: Shape,
    pub(super) expect: Expect,
}

/// How the answer is made.
pub(super) enum Shape {
    /// A person's plain text, with our mail quoted below.
    Text(&'static str),
    /// HTML only.
    Html(&'static str),
    /// A vacation responder.
    Vacation(&'static str),
    /// A delivery failure.
    Bounce,
    /// A mail from somebody who was never written to.
    Stranger(&'static str),
}

/// What should become of it.
pub(super) struct Expect {
    pub(super) disposition: Disposition,
    pub(super) intent: Option<Intent>,
    /// Mails that leave because of it.
    pub(super) mails: &'static [MailKind],
    /// Whether a draft waits for a person.
    pub(super) draft: bool,
}

const GOAL: Expect = Expect {
    disposition: Disposition::Reply,
    intent: Some(Intent::GoalReached),
    mails: &[MailKind::Acknowledgment, MailKind::SalesNotice],
    draft: false,
};

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        title: "wants a viewing",
        lead_id: "L-1",
        name: "Anna Weber",
        email: "anna.weber@leads.example",
        shape: Shape::Text(
            "Yes, I would like to see it. Can you book me a viewing on Tuesday at 3 pm?",
        ),
        expect: GOAL,
    },
    Sample {
        title: "asks a question",
        lead_id: "L-2",
        name: "Ben Okafor",
        email: "ben@leads.example",
        shape: Shape::Text("What is the monthly service charge, and is parking included?"),
        expect: Expect {
            disposition: Disposition::Reply,
            intent: Some(Intent::Question),
            mails: &[MailKind::SalesNotice],
            draft: true,
        },
    },
    Sample {
        title: "is on vacation",
        lead_id: "L-3",
        name: "Carla Rossi",
        email: "carla@leads.example",
        shape: Shape::Vacation(
            "I am out of the office until 7 January and read mail when I am back.",
        ),
        expect: Expect {
            disposition: Disposition::AutoReply,
            intent: None,
            mails: &[],
            draft: false,
        },
    },
    Sample {
        title: "has no such address",
        lead_id: "L-4",
        name: "David Kim",
        email: "david@leads.example",
        shape: Shape::Bounce,
        expect: Expect {
            disposition: Disposition::Bounce,
            intent: None,
            mails: &[],
            draft: false,
        },
    },
    Sample {
        title: "opts out",
        lead_id: "L-5",
        name: "Eva Novak",
        email: "eva@leads.example",
        shape: Shape::Text("Please unsubscribe me and do not write again."),
        expect: Expect {
            disposition: Disposition::OptOut,
            intent: Some(Intent::Unsubscribe),
            mails: &[MailKind::SalesNotice],
            draft: false,
        },
    },
    Sample {
        title: "writes HTML only",
        lead_id: "L-6",
        name: "Farid Haddad",
        email: "farid@leads.example",
        shape: Shape::Html("<p>Yes please, <b>call me tomorrow</b> at 10.</p>"),
        expect: GOAL,
    },
    Sample {
        title: "is a stranger",
        lead_id: "",
        name: "Some Shop",
        email: "news@shop.example",
        shape: Shape::Stranger("Only this week: office chairs at half the price."),
        expect: Expect {
            disposition: Disposition::Ignored,
            intent: None,
            mails: &[],
            draft: false,
        },
    },
];

impl Sample {
    /// The Message-ID of the mail that was sent to this lead.
    pub(super) fn sent_id(&self) -> String {
        format!(
            "spring.{}@harbour-lofts.example",
            self.lead_id.to_lowercase()
        )
    }

    /// The Message-ID of its answer.
    pub(super) fn reply_id(&self) -> String {
        let local = self.email.replace('@', ".at.");
        format!("reply.{local}@leads.example")
    }

    /// The answer as it arrives.
    pub(super) fn raw(&self, date: &str) -> Vec<u8> {
        let (name, email, id, sent) = (self.name, self.email, self.reply_id(), self.sent_id());
        let head = format!(
            "From: {name} <{email}>\r\nTo: {TEAM}\r\nDate: {date}\r\nMessage-ID: <{id}>\r\nMIME-Version: 1.0\r\n"
        );
        let thread = format!("In-Reply-To: <{sent}>\r\nReferences: <{sent}>\r\n");
        let subject = format!("Subject: Re: Your new home at {PROJECT}\r\n");
        let quoted = format!(
            "\r\n\r\nOn Mon, 2 Mar 2026 at 09:00, Harbour Lofts <{TEAM}> wrote:\r\n> Hello {name},\r\n> would you like to visit {PROJECT}?\r\n"
        );
        let text = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
        match &self.shape {
            Shape::Text(body) => format!("{head}{thread}{subject}{text}{body}{quoted}"),
            Shape::Html(body) => format!(
                "{head}{thread}{subject}Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>{body}</body></html>\r\n"
            ),
            Shape::Vacation(body) => format!(
                "{head}{thread}Subject: Out of office: Your new home\r\nAuto-Submitted: auto-replied\r\n{text}{body}\r\n"
            ),
            Shape::Stranger(body) => format!("{head}Subject: Chairs\r\n{text}{body}\r\n"),
            Shape::Bounce => format!(
                "Return-Path: <>\r\nFrom: Mail Delivery System <MAILER-DAEMON@leads.example>\r\nTo: {TEAM}\r\n\
                 Date: {date}\r\nMessage-ID: <{id}>\r\nSubject: Undelivered Mail Returned to Sender\r\n\
                 Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
                 Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
                 --b\r\nContent-Type: text/plain\r\n\r\nThe mail could not be delivered to <{email}>: user unknown.\r\n\
                 --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.leads.example\r\n\r\n\
                 Final-Recipient: rfc822; {email}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
                 Diagnostic-Code: smtp; 550 5.1.1 user unknown\r\n\r\n\
                 --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: {TEAM}\r\nTo: {email}\r\n\
                 Message-ID: <{sent}>\r\nSubject: Your new home at {PROJECT}\r\n\r\n--b--\r\n"
            ),
        }
        .into_bytes()
    }
}
