//! Which address of a report's text failed, and which mail it is about.

use crate::keys::Keys;
use crate::mime;
use crate::model::Nature;
use crate::nature::{Bounce, Ours, judge};

fn bounce(from: &str, subject: &str, more: &str, text: &str) -> Bounce {
    let raw = format!(
        "Return-Path: <>\nFrom: {from}\nTo: sales@us.example\nSubject: {subject}\n\
         Date: Mon, 6 Jul 2026 09:00:00 +0200\nMessage-ID: <report@mx.example>\n{more}\
         Content-Type: text/plain; charset=utf-8\n\n{text}\n"
    );
    let mail = mime::parse(raw.as_bytes());
    let judged = judge(&mail, &Ours::default(), &Keys::for_test(1));
    assert_eq!(judged.nature, Nature::Bounce, "{:?}", judged.evidence);
    judged.bounce.unwrap()
}

fn by_system(text: &str) -> Bounce {
    bounce(
        "MAILER-DAEMON@mx.example",
        "Undelivered Mail Returned to Sender",
        "",
        text,
    )
}

#[test]
fn a_report_in_the_name_of_the_unknown_recipient_names_that_address() {
    let domino = "Your message\n\n  Subject: Your new home\n\nwas not delivered to:\n\n  \
         ann@lead.example\n\nbecause:\n\n  User ann (ann@lead.example) not listed in Domino Directory";
    for (subject, text) in [
        (
            "DELIVERY FAILURE: User ann (ann@lead.example) not listed in Domino Directory",
            domino,
        ),
        (
            "DELIVERY FAILURE: User unknown",
            "Your message could not be delivered to ann@lead.example",
        ),
        (
            "Delivery failure",
            "Your message could not be delivered to ann@lead.example\n550 5.1.1 User unknown",
        ),
    ] {
        let b = bounce("Ann Lee <ann@lead.example>", subject, "", text);
        assert_eq!(b.recipients, ["ann@lead.example"], "{text}");
    }
    // The address to use instead did not fail.
    let left = "The mailbox ann@lead.example is no longer active and your message was not delivered. \
         Please use info@lead.example instead.";
    let b = bounce(
        "Ann Lee <ann@lead.example>",
        "Undeliverable: Your new home",
        "",
        left,
    );
    assert_eq!(b.recipients, ["ann@lead.example"]);
}

#[test]
fn an_address_failed_though_it_or_the_servers_answer_sounds_like_help() {
    for address in ["support", "contact", "help", "abuse", "ann"] {
        let address = format!("{address}@lead.example");
        for said in [
            "550 5.1.1 User unknown (in reply to RCPT TO command)",
            "550 5.1.1 No such user, see https://mx.example/help for more information",
            "550 5.1.1 Unknown. Please contact support@mx.example for assistance",
        ] {
            let text = format!("<{address}>: host mx.lead.example[192.0.2.1] said: {said}");
            assert_eq!(by_system(&text).recipients, [address.as_str()], "{text}");
        }
    }
    let b = by_system(
        "Your message could not be delivered to ann@lead.example: 550 5.1.1 no such user.\n\
         For further assistance contact support@isp.example or visit https://isp.example/ben@isp.example",
    );
    assert_eq!(b.recipients, ["ann@lead.example"]);
}

#[test]
fn the_reason_of_a_chinese_report_stands_below_the_details_of_the_mail() {
    for (mark, reason) in [
        (
            "原邮件信息：",
            "收件人（ann@qq.example）邮箱账号不存在，邮件无法送达。",
        ),
        (
            "原邮件信息:",
            "收件人邮件地址ann@qq.example不存在,邮件无法送达。",
        ),
    ] {
        let b = bounce(
            "PostMaster@qq.com",
            "来自qq.com的退信",
            "",
            &format!(
                "抱歉，您的邮件被退回来了……\n{mark}\n时间 2026-7-6 09:10:00\n主题 Your new home\n\
                 收件人 ann@qq.example\n退信原因 {reason}\n\
                 host mx3.qq.com[203.0.113.57] said: 550 Mailbox not found. http://service.mail.qq.com/"
            ),
        );
        assert_eq!(b.recipients, ["ann@qq.example"], "{reason}");
        assert_eq!(b.address_dead, Some(true), "{reason}");
    }
}

#[test]
fn an_unavailable_mailbox_refused_at_rcpt_with_550_is_dead() {
    let b = by_system(
        "A message that you sent could not be delivered. The following address(es) failed:\n\n\
         ann@gmx.example:\nSMTP error from remote server for RCPT TO command, host: mx00.emig.example \
         (192.0.2.9) reason: 550 Requested action not taken: mailbox unavailable\n\
         For explanation visit http://postmaster.gmx.example/en/error-messages?ip=192.0.2.7&c=unavailable",
    );
    assert_eq!(b.address_dead, Some(true));
    assert_eq!(b.recipients, ["ann@gmx.example"]);
}

#[test]
fn a_report_that_shows_nothing_of_the_mail_is_about_the_one_that_it_answers() {
    let text = "** Adresse nicht gefunden **\n\nIhre Nachricht wurde nicht an ann@lead.example zugestellt, \
         weil die Adresse nicht gefunden wurde oder keine E-Mails empfangen kann.\n\n\
         550 5.1.1 <ann@lead.example>: Recipient address rejected: User unknown";
    for (header, about) in [
        (
            "In-Reply-To: <sent@us.example>\nReferences: <older@us.example> <sent@us.example>\n",
            Some("sent@us.example"),
        ),
        ("References: <older@us.example>\n", None),
    ] {
        let b = bounce(
            "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            "Delivery Status Notification (Failure)",
            header,
            text,
        );
        let id = b.original_message_id;
        assert_eq!(id.as_ref().map(|id| id.as_str()), about, "{header}");
    }
}
