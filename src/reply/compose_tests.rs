use super::*;
use mail_parser::MessageParser;

fn keys() -> Keys {
    let dir = tempfile::tempdir().unwrap();
    Keys::load_or_create(dir.path(), None).unwrap()
}

fn address(name: &str, addr: &str) -> Address {
    Address {
        name: name.into(),
        addr: addr.into(),
    }
}

fn plain() -> Draftable<'static> {
    Draftable {
        kind: MailKind::Acknowledgment,
        job_id: Some(JobId(7)),
        round: 0,
        account_id: AccountId(1),
        campaign_lead_id: Some(CampaignLeadId(3)),
        by_person: false,
        from: address("Example Homes", "sales@example.com"),
        to: address("Ann Lee", "ann@lead.example"),
        reply_to: None,
        subject: "Thank you for your interest in Riverside",
        body: "Dear Ann,\n\nthank you.\n",
        in_reply_to: Some("reply1@lead.example"),
        references: &[],
        envelope_from: "bounces@example.com",
        redirect_to: None,
    }
}

fn build(mail: &Draftable<'_>) -> NewMail {
    compose(mail, &keys(), [5; 16], UtcMs(1_700_000_000_000)).unwrap()
}

fn header(raw: &[u8], name: &str) -> Option<String> {
    let parsed = MessageParser::default().parse(raw).unwrap();
    parsed.header_raw(name).map(|v| v.trim().to_owned())
}

#[test]
fn an_answer_stands_in_the_thread_and_says_that_a_machine_wrote_it() {
    let refs = vec![
        "first@example.com".to_owned(),
        "second@lead.example".to_owned(),
    ];
    let mail = build(&Draftable {
        references: &refs,
        ..plain()
    });
    let get = |name| header(&mail.raw, name);
    assert_eq!(get("In-Reply-To").as_deref(), Some("<reply1@lead.example>"));
    let chain = get("References").unwrap();
    let ids: Vec<_> = chain.split_whitespace().collect();
    assert_eq!(
        ids,
        [
            "<first@example.com>",
            "<second@lead.example>",
            "<reply1@lead.example>"
        ]
    );
    assert_eq!(get("Auto-Submitted").as_deref(), Some("auto-replied"));
    assert_eq!(
        get("X-Auto-Response-Suppress").as_deref(),
        Some("OOF, AutoReply")
    );
    assert_eq!(get("X-Replyd").as_deref(), Some("acknowledgment"));
    assert_eq!(
        get("Message-ID"),
        Some(format!("<{}>", mail.rfc_message_id))
    );
    assert!(mail.rfc_message_id.ends_with("@example.com"));
    assert_eq!(
        get("Date").as_deref(),
        Some("Tue, 14 Nov 2023 22:13:20 +0000")
    );
    assert_eq!(get("MIME-Version").as_deref(), Some("1.0"));
    assert!(mail.automatic);
    assert_eq!(
        (mail.envelope_from.as_str(), mail.envelope_to.as_str()),
        ("bounces@example.com", "ann@lead.example")
    );
}

#[test]
fn a_notice_is_generated_and_a_reply_to_it_goes_to_the_lead() {
    let mail = build(&Draftable {
        kind: MailKind::SalesNotice,
        to: address("", "team@example.com"),
        reply_to: Some(address("Ann Lee", "ann@lead.example")),
        in_reply_to: None,
        ..plain()
    });
    assert_eq!(
        header(&mail.raw, "Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    assert!(
        header(&mail.raw, "Reply-To")
            .unwrap()
            .contains("ann@lead.example")
    );
    assert_eq!(header(&mail.raw, "References"), None);
    assert!(!mail.automatic, "a notice does not count for the brakes");
}

#[test]
fn what_a_person_approved_carries_no_auto_submitted() {
    let mail = build(&Draftable {
        kind: MailKind::Manual,
        by_person: true,
        ..plain()
    });
    assert_eq!(header(&mail.raw, "Auto-Submitted"), None);
    assert_eq!(header(&mail.raw, "X-Auto-Response-Suppress"), None);
    assert!(!mail.automatic);
}

#[test]
fn the_whole_mail_is_seven_bit_with_short_lines_and_reads_back_the_same() {
    let long = format!("Grüße — {}\n.\nFrom here\n🚨 ende\n", "wort ".repeat(300));
    let mail = build(&Draftable {
        from: address("Häuser & Gärten, \"Süd\"", "sales@bücher.example"),
        to: address("Ænn Łee", "ann@lead.example"),
        subject: "🚨 Lead Ready: Jürgen Groß-Übermütig of the very long name - Property Viewing Request",
        body: &long,
        ..plain()
    });
    assert!(mail.raw.is_ascii());
    let text = String::from_utf8(mail.raw.clone()).unwrap();
    assert!(
        text.split("\r\n")
            .all(|l| l.len() <= 100 && !l.contains(['\r', '\n'])),
        "{text}"
    );
    assert!(text.contains("quoted-printable"));
    let parsed = MessageParser::default().parse(&mail.raw).unwrap();
    assert_eq!(
        parsed.subject(),
        Some(
            "🚨 Lead Ready: Jürgen Groß-Übermütig of the very long name - Property Viewing Request"
        )
    );
    assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n"), long);
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Häuser & Gärten, \"Süd\""));
    assert_eq!(from.address(), Some("sales@xn--bcher-kva.example"));
}

#[test]
fn line_breaks_in_values_make_no_header() {
    let refs = vec![
        "evil@x>\r\nBcc: <all@example.com".to_owned(),
        "a b@x".to_owned(),
    ];
    let mail = build(&Draftable {
        from: address("Sales\r\nBcc: a@example.com", "sales@example.com"),
        to: address("Ann\nX-Evil: 1", "ann@lead.example"),
        subject: "Hi\r\nBcc: b@example.com\r\n\r\nbody",
        in_reply_to: Some("x@y\r\nBcc: c@example.com"),
        references: &refs,
        ..plain()
    });
    let parsed = MessageParser::default().parse(&mail.raw).unwrap();
    assert!(parsed.bcc().is_none());
    assert_eq!(header(&mail.raw, "X-Evil"), None);
    assert_eq!(header(&mail.raw, "In-Reply-To"), None);
    assert_eq!(header(&mail.raw, "References"), None);
    assert_eq!(mail.subject, "Hi Bcc: b@example.com body");
}

#[test]
fn an_address_that_cannot_stand_in_a_header_is_refused_without_naming_it() {
    for bad in [
        "",
        "ann",
        "ann@",
        "@x.example",
        "ann@x.example\r\nBcc: y@z.example",
        "a b@x.example",
        "ann@x.example, bob@x.example",
    ] {
        let error = compose(
            &Draftable {
                to: address("Ann", bad),
                ..plain()
            },
            &keys(),
            [0; 16],
            UtcMs(0),
        )
        .unwrap_err();
        assert_eq!(error, ComposeError::Address("recipient's"), "{bad:?}");
    }
}

#[test]
fn a_long_chain_keeps_the_root_and_the_newest_twenty() {
    let refs: Vec<String> = (0..60)
        .map(|n| format!("{}-{n}@x.example", "i".repeat(100)))
        .collect();
    let mail = build(&Draftable {
        references: &refs,
        ..plain()
    });
    let chain = header(&mail.raw, "References").unwrap();
    let ids: Vec<_> = chain.split_whitespace().collect();
    assert_eq!(ids.len(), 20);
    assert!(ids[0].contains("-0@") && ids[1].contains("-42@") && ids[18].contains("-59@"));
    assert_eq!(ids[19], "<reply1@lead.example>");
}

#[test]
fn a_redirect_replaces_the_recipient_everywhere() {
    let mail = build(&Draftable {
        redirect_to: Some("test@example.com"),
        ..plain()
    });
    assert_eq!(mail.envelope_to, "test@example.com");
    assert!(!String::from_utf8_lossy(&mail.raw).contains("ann@lead.example"));
}

#[test]
fn the_subject_of_an_answer_has_one_re() {
    for (subject, answer) in [
        ("Riverside", "Re: Riverside"),
        ("RE: Re: AW: Riverside", "Re: Riverside"),
        ("Antw: Größe", "Re: Größe"),
        ("", "Re: your message"),
        ("Re:", "Re: your message"),
        ("Fwd: x", "Re: Fwd: x"),
        ("Regarding it", "Re: Regarding it"),
    ] {
        assert_eq!(reply_subject(subject), answer, "{subject}");
    }
}

#[test]
fn the_address_that_the_lead_wrote_to_answers_if_it_is_ours() {
    let aliases = vec!["Homes@example.com".to_owned()];
    let pick = |to: &str| answering_address(to, "sales@example.com", &aliases);
    assert_eq!(
        pick("x@other.example, homes@EXAMPLE.com"),
        "Homes@example.com"
    );
    assert_eq!(pick("<sales@example.com>"), "sales@example.com");
    assert_eq!(pick("stranger@other.example"), "sales@example.com");
    assert_eq!(pick(""), "sales@example.com");
}

#[test]
fn equal_texts_have_equal_digests_whatever_their_white_space() {
    assert_eq!(body_digest("a  b\r\nc"), body_digest("a b c"));
    assert_ne!(body_digest("ab c"), body_digest("a b c"));
}

const AT: UtcMs = UtcMs(1_700_000_000_000);

fn campaign(keys: &Keys, reply_token: bool, random: [u8; 16]) -> NewMail {
    let mail = Draftable {
        kind: MailKind::Campaign,
        by_person: true,
        in_reply_to: None,
        subject: "Grüße from Riverside",
        ..plain()
    };
    let parts = FurtherParts {
        reply_token,
        ..FurtherParts::default()
    };
    compose_with(&mail, parts, keys, random, AT).unwrap()
}

#[test]
fn a_campaign_mail_carries_its_id_where_programs_keep_it_when_they_drop_the_message_id() {
    let keys = keys();
    let mail = campaign(&keys, false, [9; 16]);
    let get = |name| header(&mail.raw, name);
    assert_eq!(get("References"), get("Message-ID"));
    assert_eq!(get("In-Reply-To"), None);
    assert_eq!(get("Reply-To"), None);
    let id = MsgId::parse(&mail.rfc_message_id).unwrap();
    assert_eq!(get("Thread-Index"), matcher::thread_index(&id, AT));
    let parsed = crate::mime::parse(&mail.raw);
    let topic = parsed.header("thread-topic").unwrap();
    assert_eq!(topic, "Grüße from Riverside");
    assert_eq!(
        matcher::folded_subject(topic),
        matcher::folded_subject("Re: Grüße from Riverside")
    );
}

#[test]
fn an_answer_has_the_thread_index_of_the_mail_that_began_the_thread() {
    let keys = keys();
    let first = campaign(&keys, false, [9; 16]);
    let references = [
        "foreign@lead.example".to_owned(),
        first.rfc_message_id.clone(),
    ];
    let answer = Draftable {
        references: &references,
        subject: "Re: Grüße from Riverside",
        ..plain()
    };
    let mail = compose(&answer, &keys, [5; 16], AT).unwrap();
    assert_eq!(
        header(&mail.raw, "Thread-Index"),
        header(&first.raw, "Thread-Index")
    );
    let parsed = crate::mime::parse(&mail.raw);
    assert_eq!(parsed.header("thread-topic"), Some("Grüße from Riverside"));
    let chain = header(&mail.raw, "References").unwrap();
    assert!(!chain.contains(&mail.rfc_message_id), "{chain}");
    // Somebody else's thread: its own index.
    let other = compose(&plain(), &keys, [5; 16], AT).unwrap();
    let id = MsgId::parse(&other.rfc_message_id).unwrap();
    assert_eq!(
        header(&other.raw, "Thread-Index"),
        matcher::thread_index(&id, AT)
    );
    // An id in our form that is not signed by us begins no thread.
    let forged = [format!(
        "{}x@example.com",
        "r.aaaaaaaaaaaaaaaaaaaaaaaaaa.k.m"
    )];
    let answer = Draftable {
        references: &forged,
        ..plain()
    };
    let mail = compose(&answer, &keys, [5; 16], AT).unwrap();
    assert_eq!(
        header(&mail.raw, "Thread-Index"),
        matcher::thread_index(&id, AT)
    );
}

#[test]
fn a_reply_address_carries_the_token_only_where_it_is_proven_and_of_mails_to_leads() {
    let keys = keys();
    let mail = campaign(&keys, true, [9; 16]);
    let id = MsgId::parse(&mail.rfc_message_id).unwrap();
    let token = matcher::reply_address("sales@example.com", &id).unwrap();
    assert_eq!(
        header(&mail.raw, "Reply-To"),
        Some(format!("\"Example Homes\" <{token}>"))
    );
    let parts = FurtherParts {
        reply_token: true,
        ..FurtherParts::default()
    };
    let notice = Draftable {
        kind: MailKind::SalesNotice,
        ..plain()
    };
    let notice = compose_with(&notice, parts, &keys, [5; 16], AT).unwrap();
    for name in ["Reply-To", "Thread-Index", "Thread-Topic"] {
        assert_eq!(header(&notice.raw, name), None, "{name}");
    }
    // Too long for a token: the plain address.
    let long = Draftable {
        from: address("", &format!("{}@example.com", "a".repeat(40))),
        ..plain()
    };
    let long = compose_with(&long, parts, &keys, [5; 16], AT).unwrap();
    assert_eq!(header(&long.raw, "Reply-To"), None);
}
