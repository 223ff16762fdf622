use super::*;
use crate::keys::Keys;
use crate::matcher::{self, Lookup, MailTo};
use crate::mime;
use crate::model::{CampaignLeadId, SenderAuth, SentId, SentRef};
use crate::msgid::MsgId;
use crate::nature;
use crate::time::UtcMs;

struct Known;
impl Lookup for Known {
    fn is_taught_id(&self, _: &MsgId) -> bool {
        false
    }
    fn sent(&self, id: &MsgId) -> Option<SentRef> {
        (id.as_str() == "sent@us.example").then(|| SentRef {
            sent_id: SentId(1),
            campaign_lead_id: CampaignLeadId(1),
            lead_email_key: "ann@lead.example".to_owned(),
            known_at: UtcMs(0),
        })
    }
    fn is_notice(&self, id: &MsgId) -> bool {
        id.as_str() == "notice@us.example"
    }
    fn by_local_key(&self, _: &str) -> Option<SentRef> {
        None
    }
    fn by_payload(&self, _: &str) -> Option<SentRef> {
        None
    }
    fn is_taught(&self, _: &str, _: &SentRef) -> bool {
        false
    }
    fn mails_to(&self, _: &str) -> &[MailTo] {
        &[]
    }
}

fn ours() -> Ours {
    Ours {
        addresses: ["me@us.example".to_owned()].into(),
        sales: ["sales@us.example".to_owned()].into(),
        operators: ["ops@us.example".to_owned()].into(),
    }
}

fn search_in(mail: &Mail, judged: &Judged) -> Search {
    matcher::search(
        mail,
        judged,
        &Keys::for_test(1),
        SenderAuth::Unknown,
        &Known,
    )
}

fn decided(raw: &str) -> (Disposition, Vec<String>) {
    let mail = mime::parse(raw.as_bytes());
    let judged = nature::judge(&mail, &ours(), &Keys::for_test(1));
    let search = search_in(&mail, &judged);
    let is_lead = mail.from_key() == "ann@lead.example";
    decide(&mail, &judged, &search, is_lead, &ours())
}

/// Row by row: head of the mail, and what becomes of it.
#[test]
fn the_decision_table_row_by_row() {
    const MATCH: &str = "In-Reply-To: <sent@us.example>\n";
    const NOTICE: &str = "In-Reply-To: <notice@us.example>\n";
    const LEAD: &str = "From: Ann <ann@lead.example>\n";
    const OTHER: &str = "From: ben@lead.example\n";
    const BOUNCE: &str =
        "Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nX-Failed-Recipients: a@x.example\n";
    for (head, expected) in [
        (
            format!("From: me@us.example\n{MATCH}"),
            Disposition::OwnMail,
        ),
        // Another installation's: a person may have written it.
        (
            format!("{LEAD}{MATCH}X-Replyd: answer\n"),
            Disposition::HumanUncertain,
        ),
        (
            format!("From: SALES@us.example\n{MATCH}"),
            Disposition::Internal,
        ),
        ("From: ops@us.example\n".to_owned(), Disposition::Internal),
        (
            format!("From: ops@us.example\nAuto-Submitted: auto-replied\n{NOTICE}"),
            Disposition::Internal,
        ),
        (format!("{OTHER}{NOTICE}"), Disposition::Internal),
        (format!("{BOUNCE}{MATCH}"), Disposition::Bounce),
        // A bounce of a notice must be seen, and so must one from an operator's address.
        (format!("{BOUNCE}{NOTICE}"), Disposition::Bounce),
        (
            "Return-Path: <>\nFrom: ops@us.example\nX-Failed-Recipients: a@x.example\n".to_owned(),
            Disposition::Bounce,
        ),
        (
            format!(
                "{LEAD}{MATCH}Content-Type: multipart/report; report-type=disposition-notification\n"
            ),
            Disposition::Receipt,
        ),
        (
            format!("{OTHER}Feedback-Type: abuse\n"),
            Disposition::Complaint,
        ),
        (
            format!("{LEAD}{MATCH}Auto-Submitted: auto-replied\n"),
            Disposition::AutoReply,
        ),
        (
            format!(
                "{LEAD}{MATCH}Subject: Out of office\n\nI am out of the office until Monday.\n"
            ),
            Disposition::AutoReply,
        ),
        (
            format!("{LEAD}{MATCH}Content-Type: multipart/encrypted; boundary=b\n"),
            Disposition::Unreadable,
        ),
        (
            format!("{LEAD}Content-Type: multipart/encrypted; boundary=b\n"),
            Disposition::Unreadable,
        ),
        (
            format!("{OTHER}Content-Type: multipart/encrypted; boundary=b\n"),
            Disposition::Ignored,
        ),
        (
            format!("{LEAD}{MATCH}Precedence: bulk\n"),
            Disposition::HumanUncertain,
        ),
        (
            format!("{OTHER}{MATCH}Precedence: bulk\n"),
            Disposition::HumanUncertain,
        ),
        (format!("{LEAD}Precedence: bulk\n"), Disposition::Unmatched),
        (format!("{OTHER}Precedence: bulk\n"), Disposition::Ignored),
        (format!("{LEAD}{MATCH}"), Disposition::Reply),
        (
            format!("{LEAD}{MATCH}Auto-Submitted: no\n"),
            Disposition::Reply,
        ),
        (
            format!("{LEAD}References: <sent@us.example>\n"),
            Disposition::Reply,
        ),
        (format!("{OTHER}{MATCH}"), Disposition::ReplyUnverified),
        (
            format!("{LEAD}From: eve@x.example\n{MATCH}"),
            Disposition::ReplyUnverified,
        ),
        (MATCH.to_owned(), Disposition::ReplyUnverified),
        (
            format!("From: nobody at all\n{MATCH}"),
            Disposition::ReplyUnverified,
        ),
        (LEAD.to_owned(), Disposition::Unmatched),
        (
            format!("{LEAD}In-Reply-To: <unknown@x>\n"),
            Disposition::Unmatched,
        ),
        (OTHER.to_owned(), Disposition::Ignored),
        ("Subject: no sender\n".to_owned(), Disposition::Ignored),
        (String::new(), Disposition::Ignored),
    ] {
        let raw = with_text(&head);
        let (disposition, reasons) = decided(&raw);
        assert_eq!(disposition, expected, "{head}: {reasons:?}");
        assert!(!reasons.is_empty(), "{head}");
    }
}

#[test]
fn only_a_failed_delivery_of_a_notice_is_a_bounced_notice() {
    let bounced = |head: &str, action: &str| {
        let raw = format!(
            "Return-Path: <>\nFrom: MAILER-DAEMON@x.example\n{head}Content-Type: multipart/report; \
             report-type=delivery-status; boundary=b\n\n--b\n\nreport\n--b\n\
             Content-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\n\
             Final-Recipient: rfc822; team@us.example\nAction: {action}\n\
             Status: 5.1.1\n\n--b--"
        );
        let mail = mime::parse(raw.as_bytes());
        let judged = nature::judge(&mail, &ours(), &Keys::for_test(1));
        let search = search_in(&mail, &judged);
        let (disposition, _) = decide(&mail, &judged, &search, false, &ours());
        notice_bounced(disposition, &judged, &search)
    };
    let notice = "In-Reply-To: <notice@us.example>\n";
    assert!(bounced(notice, "failed"));
    assert!(!bounced(notice, "delayed"));
    assert!(!bounced(notice, "delivered"));
    assert!(!bounced("In-Reply-To: <sent@us.example>\n", "failed"));
    // A colleague's answer to a notice is no report.
    let mail = mime::parse(format!("From: a@x.example\n{notice}\nok").as_bytes());
    let judged = nature::judge(&mail, &ours(), &Keys::for_test(1));
    let search = search_in(&mail, &judged);
    let (disposition, _) = decide(&mail, &judged, &search, false, &ours());
    assert_eq!(disposition, Disposition::Internal);
    assert!(!notice_bounced(disposition, &judged, &search));
}

#[test]
fn reasons_name_the_signs_and_the_match() {
    let (_, reasons) =
        decided("From: ann@lead.example\nIn-Reply-To: <sent@us.example>\nPrecedence: bulk\n\nYes.");
    assert_eq!(
        reasons,
        [
            "matched, with weak signs of a machine",
            "bulk: weak: Precedence bulk",
            "matched by in_reply_to with confidence 1.00",
        ]
    );
}

#[test]
fn a_calendar_answer_is_a_reply() {
    let (disposition, _) = decided(
        "From: ann@lead.example\nIn-Reply-To: <sent@us.example>\n\
         Content-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\nEND:VCALENDAR",
    );
    assert_eq!(disposition, Disposition::Reply);
}

/// Each row of the table in docs/DECISIONS.md: the start of its sign, its disposition, and a mail
/// for which it holds, or the test in which it is shown (file and name).
enum Shown {
    By(&'static str),
    In(&'static str, &'static str),
}

const ROWS: &[(&str, &str, Shown)] = {
    use Shown::{By, In};
    const SENT: &str = include_str!("../../tests/folders/person.rs");
    const OPT_OUT: &str = include_str!("../../tests/real_replies.rs");
    const UNSUBSCRIBE: &str = include_str!("../../tests/campaigns/sending.rs");
    &[
        (
            "in the Sent folder",
            "own_mail",
            In(
                SENT,
                "a_salespersons_own_answer_stops_a_queued_automatic_one_and_people_have_the_thread",
            ),
        ),
        (
            "own address",
            "own_mail",
            By("From: me@us.example\nIn-Reply-To: <sent@us.example>\n"),
        ),
        (
            "the signed word",
            "opt_out",
            In(
                UNSUBSCRIBE,
                "a_campaign_goes_out_a_reply_matches_it_and_an_opt_out_mail_ends_it",
            ),
        ),
        ("from a sales", "internal", By("From: sales@us.example\n")),
        (
            "delivery report",
            "bounce",
            By(
                "Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nX-Failed-Recipients: a@x.example\nAuto-Submitted: auto-replied\n",
            ),
        ),
        (
            "disposition notification",
            "receipt",
            By(
                "From: ann@lead.example\nContent-Type: multipart/report; report-type=disposition-notification\n",
            ),
        ),
        (
            "abuse report",
            "complaint",
            By("From: a@x.example\nFeedback-Type: abuse\n"),
        ),
        (
            "Auto-Submitted other",
            "auto_reply",
            By(
                "From: ann@lead.example\nIn-Reply-To: <sent@us.example>\nSubject: Out of office\n\nI am out of the office until Monday.\n",
            ),
        ),
        (
            "opt-out text",
            "opt_out",
            In(
                OPT_OUT,
                "an_opt_out_suppresses_the_address_and_is_not_answered",
            ),
        ),
        (
            "encrypted",
            "unreadable",
            By("From: ann@lead.example\nContent-Type: multipart/encrypted; boundary=b\n"),
        ),
        (
            "weak signs only",
            "human_uncertain",
            By("From: ann@lead.example\nIn-Reply-To: <sent@us.example>\nPrecedence: bulk\n"),
        ),
        (
            "matched, sender verified",
            "reply",
            By("From: ann@lead.example\nIn-Reply-To: <sent@us.example>\n"),
        ),
        (
            "matched, sender not verified",
            "reply_unverified",
            By("From: ben@lead.example\nIn-Reply-To: <sent@us.example>\n"),
        ),
        (
            "not matched, but",
            "unmatched",
            By("From: ann@lead.example\n"),
        ),
        ("anything else", "ignored", By("From: ben@lead.example\n")),
    ]
};

/// The mail, with a text where it has none.
fn with_text(head: &str) -> String {
    if head.contains("\n\n") {
        head.to_owned()
    } else {
        format!("{head}\nYes, please.")
    }
}

#[test]
fn every_row_of_the_documented_table_is_shown() {
    let document = include_str!("../../docs/DECISIONS.md");
    let (_, section) = document.split_once("\n## Decision table\n").unwrap();
    let rows: Vec<(&str, &str)> = section
        .lines()
        .skip_while(|l| !l.starts_with("| ---"))
        .skip(1)
        .take_while(|l| l.starts_with("| "))
        .map(|l| {
            let mut cells = l.trim_matches('|').split(" | ").map(str::trim);
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    assert_eq!(rows.len(), ROWS.len(), "{rows:?}");
    for ((sign, disposition), (starts, expected, shown)) in rows.iter().zip(ROWS) {
        assert!(sign.starts_with(starts), "{sign}: {starts}");
        assert!(disposition.starts_with(expected), "{sign}: {disposition}");
        match shown {
            Shown::By(head) => {
                let (found, reasons) = decided(&with_text(head));
                assert_eq!(found.as_str(), *expected, "{sign}: {reasons:?}");
            }
            Shown::In(file, test) => assert!(file.contains(&format!("fn {test}(")), "{sign}"),
        }
    }
}
