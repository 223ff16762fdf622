use super::*;
use crate::mime;

fn judged(raw: &str) -> Judged {
    judge_for(raw, &Ours::default(), &Keys::for_test(1))
}

fn judge_for(raw: &str, ours: &Ours, keys: &Keys) -> Judged {
    judge(&mime::parse(raw.as_bytes()), ours, keys)
}

fn nature(head: &str) -> Nature {
    judged(&format!("{head}\n\nThank you, I would like to know more.")).nature
}

#[test]
fn our_own_mail_is_known_by_sender_id_and_mark() {
    let keys = Keys::for_test(1);
    let ours = Ours {
        addresses: ["me@us.example".to_owned()].into(),
        ..Ours::default()
    };
    let own = msgid::mint(&keys, "us.example", [3; 16]);
    for raw in [
        "From: Me <ME@US.example>\n\nx".to_owned(),
        "Return-Path: <me@us.example>\n\nx".to_owned(),
        format!("From: a@x.example\nMessage-ID: <{own}>\n\nx"),
        // A provider or a list gave it an id of its own.
        format!("From: a@x.example\nMessage-ID: <1@x.example>\nX-Replyd-Id: <{own}>\n\nx"),
    ] {
        assert_eq!(judge_for(&raw, &ours, &keys).nature, Nature::Own, "{raw}");
    }
    // A server of ours may put our address into the Return-Path of a reply that it forwards.
    let forwarded = "Return-Path: <me@us.example>\nFrom: lead@x.example\n\nyes";
    assert_eq!(judge_for(forwarded, &ours, &keys).nature, Nature::Human);
    // An id that only looks like ours is not.
    let foreign = "From: a@x.example\nMessage-ID: <r.abc.test.def@us.example>\n\nx";
    assert_eq!(judge_for(foreign, &ours, &keys).nature, Nature::Human);
}

#[test]
fn mail_of_another_installation_is_not_our_own() {
    let keys = Keys::for_test(1);
    let theirs = msgid::mint(&Keys::for_test(2), "x.example", [3; 16]);
    let head = format!(
        "From: a@x.example\nMessage-ID: <{theirs}>\nX-Replyd-Id: <{theirs}>\nX-Replyd: answer\n"
    );
    // What a person of theirs approved: somebody reads it, and nothing answers it by itself.
    let approved = judge_for(&format!("{head}\nyes"), &Ours::default(), &keys);
    assert_ne!(approved.nature, Nature::Own, "{approved:?}");
    assert!(approved.weak_signs, "{approved:?}");
    // What theirs sent by itself says so.
    let raw = format!("{head}Auto-Submitted: auto-replied\n\nyes");
    let automatic = judge_for(&raw, &Ours::default(), &keys);
    assert_eq!(automatic.nature, Nature::Automatic, "{automatic:?}");
}

#[test]
fn a_report_with_our_own_id_is_a_bounce_not_our_mail() {
    let keys = Keys::for_test(1);
    let own = msgid::mint(&keys, "us.example", [3; 16]);
    let raw = format!(
        "From: Postmaster@x.example\nMessage-ID: <{own}>\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n\
         Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1\n\n--b--"
    );
    let j = judge_for(&raw, &Ours::default(), &keys);
    assert_eq!(j.nature, Nature::Bounce);
    assert_eq!(j.permanent_bounce, Some(true));
    let bounce = j.bounce.unwrap();
    assert_eq!(bounce.recipients, ["ann@x.example"]);
    assert_eq!(bounce.address_dead, Some(true));
}

#[test]
fn exim_bounces_are_bounces_though_marked_auto_replied() {
    let j = judged(
        "Return-Path: <>\nX-Failed-Recipients: ann@x.example\nAuto-Submitted: auto-replied\n\
         From: Mail Delivery System <Mailer-Daemon@mx.example>\n\
         Subject: Mail delivery failed: returning message to sender\n\n\
         A message that you sent could not be delivered.\n\n  ann@x.example\n    Unrouteable address\n",
    );
    assert_eq!(j.nature, Nature::Bounce);
    assert_eq!(j.permanent_bounce, Some(true));
    assert_eq!(j.bounce.unwrap().recipients, ["ann@x.example"]);
}

#[test]
fn bounces_without_structure_are_known_by_sender_and_words() {
    for raw in [
        "Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nSubject: failure notice\n\n\
         Hi. This is the qmail-send program.\n<ann@x.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n",
        "Return-Path: <MAILER-DAEMON>\nFrom: Postmaster <postmaster@x.example>\n\
         Subject: Unzustellbar: Angebot\n\nIhre Nachricht konnte nicht zugestellt werden.\n",
        "From: MAILER-DAEMON@x.example\nSubject: Undeliverable: Offer\n\n550 5.1.1 no such user\n",
    ] {
        assert_eq!(judged(raw).nature, Nature::Bounce, "{raw}");
    }
}

#[test]
fn delays_and_successes_are_no_failures() {
    let delayed = judged(
        "Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nSubject: Delayed Mail (still being retried)\n\n\
         Your message could not be delivered for 4 hours. It will be retried. You do not need to resend.\n",
    );
    let bounce = delayed.bounce.unwrap();
    assert_eq!(bounce.class, BounceClass::Delayed);
    assert_eq!(
        (delayed.permanent_bounce, bounce.address_dead),
        (Some(false), Some(false))
    );
    let report = |action: &str, status: &str| {
        judged(&format!(
            "From: MAILER-DAEMON@x.example\nContent-Type: message/delivery-status\n\n\
             Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x.example\nAction: {action}\nStatus: {status}\n"
        ))
    };
    let class = |j: &Judged| j.bounce.as_ref().unwrap().class;
    assert_eq!(class(&report("delivered", "2.0.0")), BounceClass::Delivered);
    assert_eq!(report("delivered", "2.0.0").permanent_bounce, None);
    assert_eq!(class(&report("delayed", "4.4.1")), BounceClass::Delayed);
    assert_eq!(report("failed", "4.4.7").permanent_bounce, Some(false));
    assert_eq!(report("failed", "5.2.2").permanent_bounce, Some(true));
    // Only what says that the address is gone marks it dead; the rest is counted.
    let dead = |j: &Judged| j.bounce.as_ref().unwrap().marks_dead();
    for (action, status, expected) in [
        ("delivered", "2.0.0", None),
        ("relayed", "2.0.0", None),
        ("delayed", "4.4.1", Some(false)),
        ("failed", "4.4.7", Some(false)),
        ("failed", "5.2.2", Some(false)),
        ("failed", "5.7.1", Some(false)),
        ("failed", "5.1.1", Some(true)),
    ] {
        assert_eq!(dead(&report(action, status)), expected, "{action} {status}");
    }
}

#[test]
fn a_full_or_blocked_mailbox_is_not_a_dead_address() {
    let dead = |status: &str, text: &str| {
        judged(&format!(
            "From: MAILER-DAEMON@x.example\nContent-Type: message/delivery-status\n\n\
             Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x.example\nAction: failed\n\
             Status: {status}\nDiagnostic-Code: smtp; {text}\n"
        ))
        .bounce
        .unwrap()
        .address_dead
    };
    assert_eq!(dead("5.1.1", "550 5.1.1 user unknown"), Some(true));
    assert_eq!(dead("5.0.0", "550 no such user here"), Some(true));
    assert_eq!(dead("5.2.2", "552 mailbox full"), Some(false));
    assert_eq!(dead("5.7.1", "550 blocked by policy"), Some(false));
    assert_eq!(dead("4.2.1", "450 try again, user unknown"), Some(false));
    assert_eq!(dead("5.1.8", "550 sender domain not found"), Some(false));
}

#[test]
fn people_who_write_about_bounces_are_people() {
    for raw in [
        "From: ann@x.example\nSubject: Re: Undelivered Mail Returned to Sender\nIn-Reply-To: <a@b>\n\n\
         I got this, what does it mean?\n> could not be delivered\n> 550 5.1.1 user unknown\n",
        "From: ann@x.example\nSubject: Fwd: failure notice\n\nSee below: 550 5.1.1 could not be delivered\n",
        "From: ann@x.example\nSubject: Delivery error\n\nThe parcel delivery failed twice, can you call me?\n",
        "From: ann@x.example\nSubject: original as attachment\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\n\nlook at this\n--b\nContent-Type: message/rfc822\n\nFrom: MAILER-DAEMON@x\nSubject: failure notice\n\n550\n--b--",
        "From: ann@x.example\nSubject: Re: Offer\nIn-Reply-To: <a@b>\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\n\nI got this\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\n--b--",
    ] {
        assert_eq!(judged(raw).nature, Nature::Human, "{raw}");
    }
}

#[test]
fn receipts_and_complaints_are_known_by_their_parts() {
    let report = |kind: &str, part: &str| {
        format!(
            "From: ann@x.example\nContent-Type: multipart/report; report-type={kind}; boundary=b\n\n\
             --b\n\nread\n--b\n{part}\n--b--"
        )
    };
    let mdn = report(
        "disposition-notification",
        "Content-Type: message/disposition-notification\n\n\
         Disposition: manual-action/MDN-sent-manually; displayed\nOriginal-Message-ID: <s@me>\n",
    );
    assert_eq!(judged(&mdn).nature, Nature::Receipt);
    let arf = report(
        "feedback-report",
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n",
    );
    assert_eq!(judged(&arf).nature, Nature::Complaint);
    // A mail system's rejection in the form of a receipt (RFC 5429).
    let reject = mdn
        .replace(
            "ann@x.example",
            "Mail Delivery Subsystem <postmaster@x.example>",
        )
        .replace(
            "manual-action/MDN-sent-manually; displayed",
            "automatic-action/MDN-sent-automatically; deleted",
        );
    assert_eq!(judged(&reject).nature, Nature::Bounce);
}

#[test]
fn an_abuse_report_names_who_complains() {
    let complains = |raw: &str| {
        let mail = crate::mime::parse(raw.as_bytes());
        complained_of(&mail, &judged(raw))
    };
    let arf = |fields: &str| {
        format!(
            "From: fbl@provider.example\nContent-Type: multipart/report; \
             report-type=feedback-report; boundary=b\n\n--b\n\nspam\n--b\n\
             Content-Type: message/feedback-report\n\n{fields}Version: 1\n\n--b--"
        )
    };
    let fields = "Feedback-Type: abuse\nOriginal-Rcpt-To: <Ann@Lead.example>\n\
                  Removal-Recipient: bob@lead.example\n";
    assert_eq!(
        complains(&arf(fields)),
        ["ann@lead.example", "bob@lead.example"]
    );
    assert_eq!(complains(&arf("Feedback-Type: abuse\n")), [""; 0]);
    assert_eq!(
        complains(&arf(&fields.replace("abuse", "not-spam"))),
        [""; 0]
    );
    // What no reader knows of is no complaint of one.
    let forensic = arf(&fields.replace("abuse", "auth-failure"));
    assert_eq!(complains(&forensic), [""; 0]);
    assert!(!accuses(&crate::mime::parse(forensic.as_bytes())));
    assert!(accuses(&crate::mime::parse(arf("").as_bytes())));
    assert_eq!(
        complains("From: staff@hotmail.com\nX-HmXmrOriginalRecipient: ann@lead.example\n\nx"),
        ["ann@lead.example"]
    );
    assert_eq!(
        complains("From: Ann@Lead.example\nX-Apple-Unsubscribe: true\n\nx"),
        ["ann@lead.example"]
    );
    // In a person's mail the words mean nothing.
    assert_eq!(
        complains("From: a@x.example\n\nOriginal-Rcpt-To: ann@lead.example"),
        [""; 0]
    );
}

#[test]
fn strong_headers_make_an_automatic_answer() {
    for header in [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated",
        "auto-submitted: Auto-Replied (vacation)",
        "X-Autoreply: yes",
        "X-Autorespond: Re: your mail",
        "X-Autoresponder: 1",
        "Precedence: auto_reply",
        "X-Vacation: yes",
        "Preference: auto_reply",
        "X-Apple-Action: VACATION",
    ] {
        let head = format!("From: ann@x.example\nSubject: Re: Offer\n{header}");
        assert_eq!(nature(&head), Nature::Automatic, "{header}");
    }
    for header in [
        "Auto-Submitted: no",
        "X-Autoreply: no",
        "X-Autoresponder: false",
    ] {
        let head = format!("From: ann@x.example\nSubject: Re: Offer\n{header}");
        assert_eq!(nature(&head), Nature::Human, "{header}");
    }
}

#[test]
fn absence_subjects_that_answer_a_mail_are_automatic_in_eight_languages() {
    for subject in [
        "Automatic reply: Offer",
        "Out of Office: Offer",
        "Automatische Antwort: Angebot",
        "Abwesenheitsnotiz",
        "Réponse automatique : Offre",
        "Absence du bureau : Offre",
        "Respuesta automática: Oferta",
        "Fuera de la oficina",
        "Resposta automática: Oferta",
        "Risposta automatica: Offerta",
        "Fuori sede",
        "Automatisch antwoord: Aanbod",
        "Afwezigheid",
        "Autosvar: Erbjudande",
        "Automatiskt svar: Erbjudande",
        "Frånvaro",
    ] {
        let answer = format!("From: ann@x.example\nIn-Reply-To: <s@me>\nSubject: {subject}");
        let j = judged(&format!("{answer}\n\nThank you."));
        assert_eq!(j.nature, Nature::Automatic, "{subject}");
        // Who would like to know more is a person, and nobody else's subject says otherwise.
        assert_eq!(nature(&answer), Nature::Human, "asks: {subject}");
        let alone = format!("From: ann@x.example\nSubject: {subject}");
        assert_eq!(nature(&alone), Nature::Human, "alone: {subject}");
    }
}

#[test]
fn an_absence_subject_with_an_absence_text_is_automatic() {
    let j = judged("From: ann@x.example\nSubject: Out of office\n\nI am on vacation until 5 May.");
    assert_eq!(
        (j.nature, j.automatic),
        (Nature::Automatic, Some(Automatic::Vacation))
    );
    let human = judged(
        "From: ann@x.example\nIn-Reply-To: <s@me>\nSubject: Re: Offer\n\n\
         I am out of the office until Monday, but yes, please call me then.",
    );
    assert_eq!(human.nature, Nature::Human);
}

#[test]
fn words_of_absence_in_the_subject_that_is_answered_suppress_nobody() {
    for subject in [
        "Re: Casa de vacaciones en Mallorca",
        "AW: Ihr Haus im Urlaub",
        "Antw: Op vakantie in Zeeland",
        "RE : Maison en congé",
        "Re: Out-of-office space in Berlin",
        "Re: Thank you for your request",
        "Homes to fall in love with, on vacation and all year",
    ] {
        let head = format!("From: ann@x.example\nIn-Reply-To: <s@me>\nSubject: {subject}");
        assert_eq!(nature(&head), Nature::Human, "{subject}");
    }
}

#[test]
fn a_vacation_notice_that_speaks_of_delivery_is_no_bounce() {
    let j = judged(
        "Return-Path: <>\nFrom: ann@x.example\nSubject: Re: Offer\n\n\
         I left the company. Your message was not delivered; use the following address: b@x.example. \
         No action is required.",
    );
    assert_eq!(j.nature, Nature::Automatic);
    assert_eq!(j.automatic, Some(Automatic::Departed));
}

#[test]
fn weak_signs_alone_are_bulk_and_never_more() {
    for header in [
        "Precedence: bulk",
        "Precedence: list",
        "Precedence: junk",
        "List-Id: <l.x.example>",
        "List-Unsubscribe: <mailto:x@y>",
        "X-Auto-Response-Suppress: All",
        "Return-Path: <>",
    ] {
        let j = judged(&format!(
            "From: ann@x.example\nSubject: Re: Offer\n{header}\n\nYes, please."
        ));
        assert_eq!((j.nature, j.weak_signs), (Nature::Bulk, true), "{header}");
        assert!(!j.evidence.is_empty());
    }
    for from in [
        "no-reply@x.example",
        "donotreply@x.example",
        "postmaster@x.example",
    ] {
        assert_eq!(nature(&format!("From: {from}")), Nature::Bulk, "{from}");
    }
    let human = judged("From: ann@x.example\nAuto-Submitted: no\nSubject: Re: Offer\n\nYes.");
    assert_eq!((human.nature, human.weak_signs), (Nature::Human, false));
    assert!(human.evidence.is_empty());
}

#[test]
fn weak_signs_are_told_beside_a_strong_nature() {
    let j = judged("From: a@x.example\nAuto-Submitted: auto-replied\nPrecedence: bulk\n\nx");
    assert_eq!((j.nature, j.weak_signs), (Nature::Automatic, true));
    assert!(
        j.evidence.iter().any(|e| e == "weak: Precedence bulk"),
        "{:?}",
        j.evidence
    );
}

#[test]
fn calendar_answers_are_a_persons_act() {
    let mail = |extra: &str, method: &str| {
        judged(&format!(
            "From: ann@x.example\nSubject: Accepted\n{extra}Content-Type: text/calendar; method={method}\n\n\
             BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Viewing\nEND:VEVENT\nEND:VCALENDAR"
        ))
        .nature
    };
    assert_eq!(mail("", "REPLY"), Nature::Calendar);
    assert_eq!(
        mail("Auto-Submitted: auto-generated\n", "REQUEST"),
        Nature::Calendar
    );
    assert_eq!(
        mail("Auto-Submitted: auto-replied\n", "REPLY"),
        Nature::Automatic
    );
    assert_eq!(mail("", "PUBLISH"), Nature::Human);
}

#[test]
fn sealed_mail_is_unreadable() {
    let j = judged(
        "From: ann@x.example\nSubject: Re: Offer\n\
         Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\
         Content-Transfer-Encoding: base64\n\nAAAA",
    );
    assert_eq!(j.nature, Nature::Unreadable);
}

#[test]
fn evidence_holds_no_text_of_the_mail() {
    let j = judged("From: ann@x.example\nAuto-Submitted: my-secret-word\n\nx");
    assert_eq!(j.evidence, ["Auto-Submitted: other"]);
}
