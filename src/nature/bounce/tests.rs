//! Delivery reports as mail systems write them: what each says, and what must be read of it.

use crate::keys::Keys;
use crate::mime;
use crate::model::Nature;
use crate::nature::{Bounce, BounceClass, Judged, Ours, judge};

fn judged(raw: &str) -> Judged {
    judge(
        &mime::parse(raw.as_bytes()),
        &Ours::default(),
        &Keys::for_test(1),
    )
}

fn bounce(raw: &str) -> Bounce {
    let judged = judged(raw);
    assert_eq!(
        judged.nature,
        Nature::Bounce,
        "{:?}: {raw}",
        judged.evidence
    );
    judged.bounce.unwrap()
}

const ORIGINAL: &str = "Received: from us.example (us.example [192.0.2.1])\n\tby mx.example with ESMTP;\n\
    \tMon, 28 Apr 2025 10:00:00 +0000\nMessage-ID: <sent@us.example>\nFrom: us@us.example\n\
    To: ann@lead.example\nReferences: <older@us.example>\nSubject: Offer\n\nHello Ann,\n";

/// System, head and text; what is expected: class, status, dead, address.
struct Report(
    &'static str,
    &'static str,
    &'static str,
    BounceClass,
    Option<&'static str>,
    bool,
);

use BounceClass::{Delayed, Failed};

const REPORTS: &[Report] = &[
    Report(
        "qmail",
        "From: MAILER-DAEMON@mx.example\nReturn-Path: <>\nSubject: failure notice\n",
        "Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\
         This is a permanent error; I've given up. Sorry it didn't work out.\n\n<ann@lead.example>:\n192.0.2.5 does not like recipient.\n\
         Remote host said: 550 5.1.1 <ann@lead.example>: Recipient address rejected: User unknown\nGiving up on 192.0.2.5.\n\n--- Below this line is a copy of the message.\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Exim",
        "From: Mail Delivery System <Mailer-Daemon@mx.example>\nAuto-Submitted: auto-replied\nX-Failed-Recipients: ann@lead.example\nSubject: Mail delivery failed: returning message to sender\n",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n\
         \x20 ann@lead.example\n    host mx.lead.example [192.0.2.9]\n    SMTP error from remote mail server after RCPT TO:<ann@lead.example>:\n    550 5.1.1 No such user here\n\n------ This is a copy of the message, including all the headers. ------\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Exim warning",
        "From: Mail Delivery System <Mailer-Daemon@mx.example>\nAuto-Submitted: auto-replied\nSubject: Warning: message 1abc-0001 delayed 24 hours\n",
        "This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on mx.example.\n\nThe address to which the message has not yet been delivered is:\n\n  ann@lead.example\n\nNo action is required on your part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals if the message\nremains undelivered.\n\n",
        Delayed,
        None,
        false,
    ),
    Report(
        "Sendmail",
        "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>\nSubject: Returned mail: see transcript for details\n",
        "The original message was received at Mon, 28 Apr 2025 10:00:00 GMT\nfrom us.example [192.0.2.1]\n\n   ----- The following addresses had permanent fatal errors -----\n<ann@lead.example>\n    (reason: 550 5.1.1 <ann@lead.example>... User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mx.lead.example.:\n>>> RCPT To:<ann@lead.example>\n<<< 550 5.1.1 <ann@lead.example>... User unknown\n550 5.1.1 <ann@lead.example>... User unknown\n\n   ----- Original message follows -----\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Postfix without parts",
        "From: MAILER-DAEMON@mx.example (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n",
        "This is the mail system at host mx.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\n<ann@lead.example>: host mx.lead.example[192.0.2.9] said: 552 5.2.2 Mailbox\n    full (in reply to RCPT TO command)\n\n",
        Failed,
        Some("5.2.2"),
        false,
    ),
    Report(
        "Gmail",
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Failure)\n",
        "** Address not found **\n\nYour message wasn't delivered to ann@lead.example because the address couldn't be found, or is unable to receive mail.\n\nLearn more here: https://support.google.com/mail/?p=NoSuchUser\n\nThe response was:\n\n550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces.\n\n----- Original message -----\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Gmail in German",
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Failure)\n",
        "** Nachricht nicht zugestellt **\n\nBeim Zustellen Ihrer Nachricht an ann@lead.example ist ein Problem aufgetreten. Unten finden Sie die technischen Details.\n\nAntwort:\n\n554 5.7.1 Message rejected as spam\n\n----- Original message -----\n\n",
        Failed,
        Some("5.7.1"),
        false,
    ),
    Report(
        "Gmail delay",
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Delay)\n",
        "** Delivery incomplete **\n\nThere was a temporary problem delivering your message to ann@lead.example. Gmail will retry for 46 more hours. You'll be notified if the delivery fails permanently.\n\n",
        Delayed,
        None,
        false,
    ),
    Report(
        "Exchange in German",
        "From: Systemadministrator <postmaster@lead.example>\nSubject: Unzustellbar: Angebot\n",
        "Ihre Nachricht hat einige oder alle Empfänger nicht erreicht.\n\n      Betreff:  Angebot\n      Gesendet am:     28.04.2025 10:00\n\nFolgende(r) Empfänger kann/können nicht erreicht werden:\n\n      ann@lead.example am 28.04.2025 10:01\n            Das E-Mail-Konto ist in dem Unternehmen nicht vorhanden, an das diese Nachricht gesendet wurde. Überprüfen Sie die E-Mail-Adresse.\n            <mx.lead.example #5.1.1>\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Exchange in French",
        "From: Administrateur système <postmaster@lead.example>\nSubject: Non remis : Offre\n",
        "Votre message n'a pas été remis à certains ou à tous les destinataires prévus.\n\nLe(s) destinataire(s) suivant(s) n'a pas pu être joint :\n\n      ann@lead.example le 28/04/2025 10:01\n            Le compte de messagerie n'existe pas. <mx.lead.example #5.1.1>\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Exchange in Spanish",
        "From: Administrador del sistema <postmaster@lead.example>\nSubject: No se puede entregar: Oferta\n",
        "El mensaje no llegó a algunos o a todos los destinatarios.\n\nNo se puede localizar a los destinatarios siguientes:\n\n      ann@lead.example el 28/04/2025 10:01\n            La cuenta de correo electrónico no existe en la organización. #5.1.1\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Exchange in Italian",
        "From: postmaster@lead.example\nSubject: Non recapitabile: Offerta\n",
        "Impossibile recapitare il messaggio ai seguenti destinatari:\n\nann@lead.example\nLa casella postale del destinatario è piena. 5.2.2\n\n",
        Failed,
        Some("5.2.2"),
        false,
    ),
    Report(
        "Exchange in Dutch",
        "From: postmaster@lead.example\nSubject: Onbestelbaar: Aanbod\n",
        "Uw bericht kon niet worden bezorgd bij de volgende geadresseerden:\n\nann@lead.example\nHet e-mailadres is niet gevonden. #550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Exchange in Swedish",
        "From: postmaster@lead.example\nSubject: Olevererbart: Erbjudande\n",
        "Det gick inte att leverera meddelandet till följande mottagare:\n\nann@lead.example\nMottagarens e-postadress hittades inte. #550 5.1.1\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Exchange in Portuguese",
        "From: postmaster@lead.example\nSubject: Não foi possível entregar: Proposta\n",
        "Falha na entrega para estes destinatários:\n\nann@lead.example\nO endereço de email não foi encontrado. #550 5.1.10 RESOLVER.ADR.RecipientNotFound\n\n",
        Failed,
        Some("5.1.10"),
        true,
    ),
    Report(
        "Exchange in Polish",
        "From: postmaster@lead.example\nSubject: Niedostarczalne: Oferta\n",
        "Nie można dostarczyć wiadomości do następujących adresatów:\n\nann@lead.example\n550 5.1.1 User unknown\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Office 365",
        "From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@lead.example>\nSubject: Undeliverable: Offer\n",
        "Your message to ann@lead.example couldn't be delivered.\nann wasn't found at lead.example.\n\nOriginal Message Details\nCreated Date: 4/28/2025 10:00:00 AM\nSender Address: us@us.example\nRecipient Address: ann@lead.example\nSubject: Offer\n\nError Details\nReported error: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ann@lead.example not found by SMTP address lookup\n\n",
        Failed,
        Some("5.1.10"),
        true,
    ),
    Report(
        "Yahoo",
        "From: MAILER-DAEMON@yahoo.com\nReturn-Path: <>\nSubject: Failure Notice\n",
        "Sorry, we were unable to deliver your message to the following address.\n\n<ann@lead.example>:\n554: delivery error: dd This user doesn't have a yahoo.com account (ann@lead.example) [0] - mta1.mail.example\n\n--- Below this line is a copy of the message.\n\n",
        Failed,
        None,
        true,
    ),
    Report(
        "GMX",
        "From: GMX Mailer Daemon <mailer-daemon@gmx.example>\nSubject: Mail delivery failed: returning message to sender\n",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of\nits recipients. This is a permanent error. The following address\nfailed:\n\n\"ann@lead.example\":\nSMTP error from remote server after RCPT command:\nhost: mx.lead.example\n5.1.1 <ann@lead.example>... User is unknown {mx-us011}\n\n--- The header of the original message is following. ---\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "T-Online",
        "From: Mail Delivery System <Mailer-Daemon@t-online.example>\nSubject: Mail delivery failed: returning message to sender\n",
        "|------------------------- Message log follows: -------------------------|\n no valid recipients were found for this message\n|------------------------- Failed addresses follow: ---------------------|\n <ann@lead.example> ... unknown user\n|------------------------- Message text follows: ------------------------|\n",
        Failed,
        None,
        true,
    ),
    Report(
        "mail.ru",
        "From: mailer-daemon@corp.mail.example\nX-Failed-Recipients: ann@lead.example\nSubject: Mail failure.\n",
        "Это письмо создано автоматически сервером Mail.Ru, отвечать на него не нужно.\n\nК сожалению, Ваше письмо не может быть доставлено одному или нескольким получателям:\n\nann@lead.example\n    SMTP error from remote mail server after RCPT TO:<ann@lead.example>:\n    host mx.lead.example: 550 Message was not accepted -- invalid mailbox.\n\n**********************\n\n",
        Failed,
        None,
        true,
    ),
    Report(
        "Zimbra",
        "From: MAILER-DAEMON@mx.example (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n",
        "<ann@lead.example>: Host or domain name not found. Name service error for\n    name=lead.example type=AAAA: Host not found\n\n",
        Failed,
        None,
        true,
    ),
    Report(
        "Courier",
        "From: \"Courier mail server at mx.example\" <postmaster@mx.example>\nSubject: NOTICE: mail delivery status.\n",
        "This is a delivery status notification from mx.example,\nrunning the Courier mail server, version 0.65.2.\n\nThe original message was received on Mon, 28 Apr 2025 10:00:00 +0000\n\n---------------------------------------------------------------------------\n\n                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<ann@lead.example>:\n    mx.lead.example [192.0.2.9]:\n>>> RCPT TO:<ann@lead.example>\n<<< 550 5.1.1 <ann@lead.example>... User Unknown\n\n---------------------------------------------------------------------------\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "MailEnable",
        "From: \"Delivery Subsystem\" <POSTMASTER@mx.example>\nSubject: Message Delivery Failure\n",
        "MailEnable: Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n\tRecipient: [SMTP:ann@lead.example]\n\tReason: Remote SMTP Server Returned: 550 5.1.1 unknown user\n\n\nMessage headers follow:\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Kerio",
        "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>\nSubject: Returned mail: Undelivered mail\n",
        "Your message has encountered delivery problems\nto the following recipient(s):\n\nann@lead.example\n(Was addressed to ann@lead.example)\nDelivery failed\n550 5.1.1 unknown or illegal alias: ann@lead.example\n\n",
        Failed,
        Some("5.1.1"),
        true,
    ),
    Report(
        "Lotus Domino",
        "From: Postmaster@lead.example\nSubject: DELIVERY FAILURE: User ann (ann@lead.example) not listed in Domino Directory\n",
        "Your message\n\n  Subject: Offer\n\nwas not delivered to:\n\n  ann@lead.example\n\nbecause:\n\n  User ann (ann@lead.example) not listed in Domino Directory\n\n",
        Failed,
        None,
        true,
    ),
    Report(
        "GroupWise",
        "From: Mailer-Daemon@lead.example\nSubject: Message status - undeliverable\n",
        "The attached file had the following undeliverable recipient(s):\n\tann@lead.example\n\n",
        Failed,
        None,
        false,
    ),
    Report(
        "Mimecast",
        "From: Mail Delivery Subsystem <postmaster@mimecast.example>\nSubject: [Postmaster] Email Delivery Failure\n",
        "A delivery failure notification\n\nThe email could not be delivered to the following recipient: ann@lead.example\nReason: 550 Rejected by header based manually Blocked Senders - https://community.mimecast.example/docs/DOC-1369#550\n\n",
        Failed,
        None,
        false,
    ),
    Report(
        "Barracuda",
        "From: postmaster@mx.example\nSubject: **Message you sent blocked by our bulk email filter**\n",
        "Your message to: ann@lead.example was blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:\n\nSubject: Offer\n\n",
        Failed,
        None,
        false,
    ),
    Report(
        "Verizon",
        "From: Mail Administrator <post_master@vtext.example>\nSubject: Undeliverable Mail\n",
        "Error:     Invalid user address\nRCPT TO:   ann@lead.example\n\nOriginal message:\n",
        Failed,
        None,
        true,
    ),
    Report(
        "docomo",
        "From: Mail Administrator <mailer-daemon@docomo.example>\nSubject: Mail System Error - Returned Mail\n",
        "This Message was undeliverable due to the following reason:\n\n次のあて先へのメッセージはエラーのため送信できませんでした。\n\n<ann@lead.example>: 550 Unknown user ann@lead.example\n\n",
        Failed,
        None,
        true,
    ),
    Report(
        "Chinese",
        "From: postmaster@lead.example\nSubject: 系统退信/Systems bounce\n",
        "抱歉，您的邮件被退回来了……\n\n收件人: ann@lead.example\n退信原因: 收件人邮箱不存在 550 User not found\n\n",
        Failed,
        None,
        true,
    ),
    Report(
        "X.400",
        "From: System Administrator <postmaster@lead.example>\nSubject: Undeliverable: Offer\n",
        "Your message\n\n  To:      ann@lead.example\n  Subject: Offer\n  Sent:    Mon, 28 Apr 2025 10:00:00 +0000\n\ndid not reach the following recipient(s):\n\nc=US;a= ;p=LEAD;o=Site;dda:SMTP=ann@lead.example; on Mon, 28 Apr 2025\n    The recipient name is not recognized\n\tMSEXCH:IMS:LEAD:SITE:MX 0 (000C05A6) Unknown Recipient\n\n",
        Failed,
        None,
        true,
    ),
];

#[test]
fn reports_of_many_systems_without_parts_are_read() {
    let mut wrong = Vec::new();
    for Report(system, head, text, class, status, dead) in REPORTS {
        let raw = format!(
            "To: us@us.example\nMessage-ID: <report@mx.example>\nContent-Type: text/plain; charset=utf-8\n{head}\n{text}{ORIGINAL}"
        );
        let judged = judged(&raw);
        let Some(b) = &judged.bounce else {
            wrong.push(format!(
                "{system}: {:?} {:?}",
                judged.nature, judged.evidence
            ));
            continue;
        };
        let id = b.original_message_id.as_ref().map(ToString::to_string);
        let met = b.class == *class
            && b.status.as_deref() == *status
            && b.address_dead == Some(*dead)
            && b.recipients == ["ann@lead.example"]
            && id.as_deref() == Some("sent@us.example");
        if !met {
            wrong.push(format!("{system}: {b:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A multipart/report with these fields and parts.
fn dsn(fields: &str, returned: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example (Mail Delivery System)\nTo: us@us.example\n\
         Message-ID: <report@mx.example>\nReferences: <older@us.example>\n\
         Subject: Undelivered Mail Returned to Sender\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nIt failed. Message-ID: <report@mx.example>\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n{fields}\n\n\
         --b\n{returned}\n\n--b--\n"
    )
}

#[test]
fn each_recipient_of_a_report_counts_by_itself() {
    let b = bounce(&dsn(
        "Final-Recipient: rfc822; full@lead.example\nAction: failed\nStatus: 5.2.2\n\
         Diagnostic-Code: smtp; 552 5.2.2 mailbox full\n\n\
         Final-Recipient: rfc822; gone@lead.example\nOriginal-Recipient: rfc822; alias@lead.example\n\
         Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\n\n\
         Final-Recipient: rfc822; later@lead.example\nAction: delayed\nStatus: 4.4.1\n\n\
         Final-Recipient: rfc822; fine@lead.example\nAction: relayed\nStatus: 2.0.0",
        "Content-Type: message/rfc822\n\nMessage-ID: <sent@us.example>\nReferences: <older@us.example>\n\nHi",
    ));
    assert_eq!(
        b.recipients,
        [
            "full@lead.example",
            "alias@lead.example",
            "gone@lead.example"
        ]
    );
    assert_eq!((b.class, b.address_dead), (Failed, Some(true)));
    // The status is that of the dead address.
    assert_eq!(b.status.as_deref(), Some("5.1.1"));
    assert_eq!(b.original_message_id.unwrap().as_str(), "sent@us.example");
}

#[test]
fn the_original_id_is_never_the_reports_own_nor_an_older_mails() {
    let failed = "Final-Recipient: rfc822; a@lead.example\nAction: failed\nStatus: 5.1.1";
    for (returned, expected) in [
        (
            "Content-Type: message/rfc822\n\nMessage-ID: <s@us.example>\n\nhi",
            Some("s@us.example"),
        ),
        (
            "Content-Type: text/rfc822-headers\n\nSubject: x\nMessage-ID: <s@us.example>\n",
            Some("s@us.example"),
        ),
        (
            "Content-Type: text/plain\n\nReceived: from x\nMessage-ID:\n <s@us.example>\nSubject: x\n",
            Some("s@us.example"),
        ),
        // Blank lines before the returned header.
        (
            "Content-Type: message/rfc822\n\n\n\nSubject: x\nMessage-ID: <s@us.example>\n\nhi",
            Some("s@us.example"),
        ),
        (
            "Content-Type: message/rfc822\n\nReferences: <o@us.example>\nIn-Reply-To: <o@us.example>\n\nhi",
            None,
        ),
        // What the returned mail quotes is an older mail.
        (
            "Content-Type: message/rfc822\n\nSubject: x\n\nMessage-ID: <o@us.example>\nwrote",
            None,
        ),
        ("Content-Type: text/plain\n\nMessage removed", None),
    ] {
        let b = bounce(&dsn(failed, returned));
        let id = b.original_message_id.as_ref().map(ToString::to_string);
        assert_eq!(id.as_deref(), expected, "{returned}");
    }
    // Gmail names it in the status part.
    let named = dsn(
        &failed.replace("Final", "X-Original-Message-ID: <s@us.example>\n\nFinal"),
        "Content-Type: text/plain\n\nnothing",
    );
    assert_eq!(
        bounce(&named).original_message_id.unwrap().as_str(),
        "s@us.example"
    );
}

#[test]
fn a_report_that_a_gateway_wrapped_is_read() {
    let b = bounce(
        "From: postmaster@gate.example\nReturn-Path: <>\nSubject: Delivery Status Notification (Failure)\n\
         Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n\
         From: postmaster@lead.example\nMessage-ID: <inner@lead.example>\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=i\n\n\
         --i\nContent-Type: text/plain\n\nDelivery to the following recipients failed.\n\n\
         --i\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;lead.example\n\n\
         Final-Recipient: rfc822;ann@lead.example\nAction: failed\nStatus: 5.1.1\n\n--i--\n--o--\n",
    );
    assert_eq!(b.recipients, ["ann@lead.example"]);
    assert_eq!(b.address_dead, Some(true));
}

#[test]
fn a_notification_of_amazon_ses_is_read() {
    let mail = |json: &str| {
        format!(
            "From: no-reply@sns.amazonaws.example\nSubject: AWS Notification Message\n\n{json}\n\n--\n\
             If you wish to stop receiving notifications from this topic, visit https://x.example\n"
        )
    };
    let original = r#""mail":{"messageId":"0100-ses","headers":[{"name":"Message-ID","value":"<s@us.example>"}]}"#;
    let b = bounce(&mail(&format!(
        r#"{{"notificationType":"Bounce","bounce":{{"bounceType":"Permanent","bouncedRecipients":
        [{{"emailAddress":"ann@lead.example","action":"failed","status":"5.1.1",
        "diagnosticCode":"smtp; 550 5.1.1 user unknown"}}]}},{original}}}"#
    )));
    assert_eq!((b.class, b.status.as_deref()), (Failed, Some("5.1.1")));
    assert_eq!(b.recipients, ["ann@lead.example"]);
    assert_eq!(b.address_dead, Some(true));
    assert_eq!(b.original_message_id.unwrap().as_str(), "s@us.example");
    let full = bounce(&mail(&format!(
        r#"{{"eventType":"Bounce","bounce":{{"bounceType":"Transient","bouncedRecipients":
        [{{"emailAddress":"ann@lead.example"}}]}},{original}}}"#
    )));
    assert_eq!(
        (full.permanent, full.address_dead),
        (Some(false), Some(false))
    );
    let delivered = bounce(&mail(&format!(
        r#"{{"notificationType":"Delivery","delivery":{{"recipients":["ann@lead.example"]}},{original}}}"#
    )));
    assert_eq!(delivered.class, BounceClass::Delivered);
    let raw = mail(&format!(
        r#"{{"notificationType":"Complaint","complaint":{{"complainedRecipients":
        [{{"emailAddress":"Ann@lead.example"}}]}},{original}}}"#
    ));
    let complaint = judged(&raw);
    assert_eq!(complaint.nature, Nature::Complaint);
    let who = crate::nature::complained_of(&mime::parse(raw.as_bytes()), &complaint);
    assert_eq!(who, ["ann@lead.example"]);
    // A person's JSON is a person's.
    let human = judged("From: ann@lead.example\n\n{\"notificationType\":\"x\"}");
    assert_eq!(human.nature, Nature::Human);
}

#[test]
fn what_only_looks_like_a_report_is_none() {
    for raw in [
        // A parcel.
        "From: no-reply@parcels.example\nAuto-Submitted: auto-generated\nSubject: Delivery failed\n\n\
         Your parcel could not be delivered to the following address: 5 High Street. Delivery will be retried.\n",
        // A shop.
        "From: shop@x.example\nSubject: Delivery notification\n\nYour order was delivered. Delivery status: done.\n",
        // A bank.
        "From: bank@x.example\nSubject: Returned mail\n\nYour letter was returned to sender. Please update your address.\n",
        // A person who copies a report.
        "From: Ann <ann@lead.example>\nSubject: Undeliverable mail\n\nHi, I tried to write to Bob and got this, can you help?\n\n\
         550 5.1.1 <bob@x.example>: user unknown, could not be delivered\n",
        "From: Ann <ann@lead.example>\nSubject: Re: failure notice\nIn-Reply-To: <a@b.example>\n\n\
         My new address is ann@y.example, your mail could not be delivered to the old one.\n",
        // A person who forwards one, whole.
        "From: Ann <ann@lead.example>\nSubject: Fwd: Undelivered Mail Returned to Sender\n\
         Content-Type: multipart/mixed; boundary=b\n\n--b\n\nfyi\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\n--b--\n",
        // A newsletter about deliverability.
        "From: news@x.example\nList-Unsubscribe: <mailto:u@x.example>\nPrecedence: bulk\nSubject: Mail delivery failed? Read this\n\n\
         550 5.1.1 user unknown is the most common bounce. Your message could not be delivered, what now?\n",
    ] {
        let j = judged(raw);
        assert_ne!(j.nature, Nature::Bounce, "{:?}: {raw}", j.evidence);
    }
}
