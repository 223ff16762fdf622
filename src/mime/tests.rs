use super::*;

fn mail(raw: &str) -> Mail {
    parse(raw.as_bytes())
}

fn marks(mail: &Mail, what: &str) -> bool {
    mail.malformed.iter().any(|m| m == what)
}

fn no_panic(mail: &Mail) {
    let panicked = mail.malformed.iter().any(|m| m.ends_with("_panicked"));
    assert!(!panicked, "{:?}", mail.malformed);
}

#[test]
fn an_ordinary_reply_is_read_whole() {
    let m = mail(
        "Return-Path: <ann@lead.example>\r\n\
         From: =?utf-8?q?Ann_L=C3=A9e?= <Ann@Lead.example>\r\n\
         Sender: Office <office@lead.example>\r\n\
         To: Sales <sales@me.example>, b@me.example\r\nCc: c@me.example\r\n\
         Reply-To: ann@private.example\r\n\
         Subject: Re: =?utf-8?b?QW5nZWJvdCDigqw=?=\r\n 100\r\n\
         Date: Fri, 03 May 2024 10:00:00 +0200\r\n\
         Message-ID: <r1@Lead.example>\r\nIn-Reply-To: <s1@me.example>\r\n\
         References: <s0@me.example>\r\n <s1@me.example>\r\n\
         Content-Type: text/plain; charset=iso-8859-1\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n\
         Sch=F6n, ich komme gern.\r\n",
    );
    assert_eq!(m.message_id.as_ref().unwrap().as_str(), "r1@lead.example");
    assert_eq!(m.in_reply_to[0].as_str(), "s1@me.example");
    assert_eq!(m.references.len(), 2);
    let from = m.from.as_ref().unwrap();
    assert_eq!(
        (from.name.as_str(), from.addr.as_str()),
        ("Ann Lée", "Ann@Lead.example")
    );
    assert_eq!(m.from_key(), "ann@lead.example");
    assert_eq!(m.from_count, 1);
    assert_eq!(m.sender.as_ref().unwrap().addr, "office@lead.example");
    assert_eq!(m.to.len(), 2);
    assert_eq!((m.cc.len(), m.reply_to.len()), (1, 1));
    assert_eq!(m.subject, "Re: Angebot € 100");
    assert_eq!(m.date, Some(UtcMs(1_714_723_200_000)));
    assert_eq!(m.return_path.as_deref(), Some("ann@lead.example"));
    assert_eq!(m.text, "Schön, ich komme gern.");
    assert!(!m.html_only && m.attachments.is_empty());
    assert!(m.malformed.is_empty(), "{:?}", m.malformed);
    assert_eq!(m.header("subject"), Some("Re: Angebot € 100"));
}

#[test]
fn the_null_return_path_is_told_from_a_missing_one() {
    assert_eq!(
        mail("Return-Path: <>\n\nx").return_path.as_deref(),
        Some("")
    );
    assert_eq!(
        mail("Return-Path: a@b.example\n\nx").return_path.as_deref(),
        Some("a@b.example")
    );
    assert_eq!(mail("Return-Path:\n\nx").return_path, None);
    assert_eq!(mail("From: a@b.example\n\nx").return_path, None);
}

#[test]
fn of_doubled_headers_the_first_counts_and_several_senders_are_told() {
    let m = mail(
        "From: first@x.example\nFrom: second@x.example\nSubject: one\nSubject: two\n\
         Message-ID: <1@x>\nMessage-ID: <2@x>\n\nhi",
    );
    assert_eq!(m.from.as_ref().unwrap().addr, "first@x.example");
    assert_eq!((m.from_count, m.subject.as_str()), (2, "one"));
    assert_eq!(m.message_id.as_ref().unwrap().as_str(), "1@x");
    for word in ["several_from", "subject_doubled", "message_id_doubled"] {
        assert!(marks(&m, word), "{word}: {:?}", m.malformed);
    }
    assert_eq!(mail("From: a@x.example, b@x.example\n\n").from_count, 2);
    // The first without an address is still a sender named.
    let odd = mail("From: nobody\nFrom: b@x.example\n\n");
    assert_eq!(
        (odd.from_count, odd.from.unwrap().addr.as_str()),
        (2, "b@x.example")
    );
    assert_eq!(mail("To: a@x.example\n\n").from_count, 0);
    assert!(marks(&mail("From: nobody\n\n"), "from_without_address"));
}

#[test]
fn addresses_are_read_without_brackets_too() {
    let m = mail("From: Big Bug bb@bug.example\nTo: a@x.example,b@y.example\n\n");
    let from = m.from.unwrap();
    assert_eq!(
        (from.name.as_str(), from.addr.as_str()),
        ("Big Bug", "bb@bug.example")
    );
    assert_eq!(m.to.len(), 2);
    let quoted = mail("From: \"eve@x.example\" <ann@y.example>\n\n");
    assert_eq!(quoted.from_key(), "ann@y.example");
}

#[test]
fn a_header_survives_what_stands_before_and_in_it() {
    for raw in [
        "\r\n\r\nFrom: a@x.example\r\nSubject: s\r\n\r\nbody",
        "From someone Mon Jan  1 10:00:00 2024\nFrom: a@x.example\nSubject: s\n\nbody",
        "  From: a@x.example\nSubject: s\n\nbody",
        "\u{feff}From: a@x.example\nSubject: s\n\nbody",
        "this is no header\nFrom: a@x.example\nnor this\nSubject: s\n\nbody",
        "From : a@x.example\nSubject : s\n\nbody",
    ] {
        let m = mail(raw);
        assert_eq!(m.from_key(), "a@x.example", "{raw:?}");
        assert_eq!(
            (m.subject.as_str(), m.text.as_str()),
            ("s", "body"),
            "{raw:?}"
        );
    }
}

#[test]
fn eight_bit_and_nul_in_headers_do_not_lose_them() {
    let m = parse(b"From: J\xf6rg <j@x.example>\nSubject: Gr\xfc\xdfe\0!\n\nhi\0there");
    assert_eq!(m.from.as_ref().unwrap().name, "Jörg");
    assert_eq!((m.subject.as_str(), m.text.as_str()), ("Grüße!", "hithere"));
    assert!(marks(&m, "nul_bytes"));
    // The body's charset helps where the bytes are no UTF-8.
    let m = parse(b"Subject: \xcf\xf0\xe8\nContent-Type: text/plain; charset=windows-1251\n\n\xcf");
    assert_eq!((m.subject.as_str(), m.text.as_str()), ("При", "П"));
}

#[test]
fn encoded_words_split_inside_a_character_are_joined() {
    let m = mail("Subject: =?utf-8?q?caf=C3?=\n =?utf-8?q?=A9?= =?utf-8?b?w6k=?= ok\n\n");
    assert_eq!(m.subject, "caféé ok");
}

#[test]
fn dates_that_are_missing_broken_or_ahead_are_told() {
    assert!(marks(&mail("From: a@x.example\n\n"), "no_date"));
    let broken = mail("Date: yesterday\n\n");
    assert_eq!(broken.date, None);
    assert!(marks(&broken, "date_unreadable"));
    let m = mail("Date: Fri, 03 May 2024 10:00:00 +0000\n\n");
    let date = m.date.unwrap();
    assert!(dated_ahead(&m, date.minus(Duration::from_secs(601))));
    assert!(!dated_ahead(&m, date.minus(Duration::from_secs(599))));
    assert!(!dated_ahead(&broken, UtcMs(0)));
}

#[test]
fn the_text_is_the_plain_alternative() {
    let m = mail(
        "Content-Type: multipart/mixed; boundary=o\n\n--o\n\
         Content-Type: multipart/alternative; boundary=i\n\n\
         --i\nContent-Type: text/plain\n\nplain\n--i\nContent-Type: text/html\n\n<p>html\n--i--\n\
         --o\nContent-Type: text/plain\n\nfooter\n\
         --o\nContent-Type: text/plain; name=a.txt\nContent-Disposition: attachment\n\nfile\n\
         --o\nContent-Type: application/pdf; name=\"b.pdf\"\nContent-Transfer-Encoding: base64\n\n\
         AAAA\n--o--\n",
    );
    assert_eq!(m.text, "plain\n\nfooter");
    assert!(!m.html_only);
    let names: Vec<&str> = m.attachments.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["a.txt", "b.pdf"]);
    assert_eq!(m.attachments[1].content_type, "application/pdf");
    assert_eq!(m.attachments[1].size, 3);
}

#[test]
fn html_only_mail_gives_readable_text() {
    let m = mail("Content-Type: text/html; charset=utf-8\n\n<p>Yes, <b>please</b>!</p>");
    assert_eq!(m.text, "Yes, please!");
    assert!(m.html_only);
    // An empty plain part is no text.
    let m = mail(
        "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\n\
         Content-Type: text/html\n\n<div>Hello</div>\n--b--",
    );
    assert_eq!(m.text, "Hello");
    assert!(m.html_only);
    // A list's footer is not the message.
    let m = mail(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n\
         <div>Hello</div>\n--b\n\nfooter\n--b--",
    );
    assert_eq!(m.text, "Hello\n\nfooter");
}

#[test]
fn broken_multiparts_keep_their_text() {
    for (what, raw, text) in [
        (
            "no end",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello",
            "hello",
        ),
        (
            "wrong name",
            "Content-Type: multipart/mixed; boundary=x\n\n--real\n\nhello\n--real--",
            "hello",
        ),
        (
            "no name",
            "Content-Type: multipart/mixed\n\n--real\n\nhello\n--real--",
            "hello",
        ),
        (
            "no parts",
            "Content-Type: multipart/mixed; boundary=b\n\nhello",
            "hello",
        ),
        (
            "unknown encoding",
            "Content-Transfer-Encoding: 8bits\n\nhello",
            "hello",
        ),
        ("unknown type", "Content-Type: garbage\n\nhello", "hello"),
        (
            "unknown charset",
            "Content-Type: text/plain; charset=nonsense\n\nhello",
            "hello",
        ),
        (
            "not base64",
            "Content-Transfer-Encoding: base64\n\nDear Ann: hello!",
            "Dear Ann: hello!",
        ),
    ] {
        assert_eq!(mail(raw).text, text, "{what}");
    }
}

#[test]
fn a_delivery_report_is_taken_apart() {
    let m = mail(
        "From: MAILER-DAEMON@mx.example\nMessage-ID: <own@mx>\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\n\nSorry.\nMessage-ID: <own@mx>\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; ann@x.example\n\
         Action: failed\nStatus: 5.1.1\n\n--b\nContent-Type: message/rfc822\n\n\
         Message-ID: <s1@me.example>\nSubject: Offer\nReferences: <s0@me.example>\n\nold text\n--b--\n",
    );
    assert_eq!(m.report_type.as_deref(), Some("delivery-status"));
    let report = m.report.unwrap();
    assert_eq!(
        report.recipients[0].final_recipient.as_deref(),
        Some("ann@x.example")
    );
    let ids: Vec<&str> = m.embedded_ids.iter().map(MsgId::as_str).collect();
    assert_eq!(ids, ["s1@me.example"]);
    assert!(
        m.embedded_headers
            .iter()
            .any(|(n, v)| n == "subject" && v == "Offer")
    );
    assert!(!m.text.contains("old text"), "{}", m.text);
}

#[test]
fn returned_headers_give_the_original_id_in_each_form() {
    for part in [
        "Content-Type: text/rfc822-headers\n\nMessage-ID: <s1@me.example>\n",
        "Content-Type: message/rfc822\n\nMessage-ID: <s1@me.example>\n\nx\n",
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n\
         TWVzc2FnZS1JRDogPHMxQG1lLmV4YW1wbGU+Cgp4\n",
        "Content-Type: message/disposition-notification\n\nOriginal-Message-ID: <s1@me.example>\n",
        "Content-Type: text/plain\n\n--- copy ---\n\nReceived: x\nMessage-ID: <s1@me.example>\n",
    ] {
        let m = mail(&format!(
            "Content-Type: multipart/report; boundary=b\n\n--b\n\nx\n--b\n{part}--b--"
        ));
        let ids: Vec<&str> = m.embedded_ids.iter().map(MsgId::as_str).collect();
        assert_eq!(ids, ["s1@me.example"], "{part}");
    }
}

#[test]
fn a_report_that_took_over_the_returned_mails_id_still_names_it() {
    let m = mail(
        "Message-ID: <s1@me.example>\nContent-Type: multipart/report; boundary=b\n\n--b\n\nx\n\
         --b\nContent-Type: message/rfc822\n\nMessage-ID: <s1@me.example>\n\ny\n--b--",
    );
    assert_eq!(m.embedded_ids.len(), 1);
}

#[test]
fn calendar_mail_is_never_empty() {
    let m = mail(
        "Content-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\nBEGIN:VTIMEZONE\n\
         DTSTART:16010101T000000\nEND:VTIMEZONE\nBEGIN:VEVENT\nSUMMARY:Accepted: Vie\n wing\n\
         DTSTART;TZID=Berlin:20240503T100000\nEND:VEVENT\nEND:VCALENDAR",
    );
    assert_eq!(m.calendar_method.as_deref(), Some("REPLY"));
    assert_eq!(m.text, "Accepted: Viewing\n20240503T100000");
    let m = mail(
        "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nsee you\n--b\n\
         Content-Type: text/calendar\n\nBEGIN:VCALENDAR\nMETHOD:request\n--b--",
    );
    assert_eq!(m.calendar_method.as_deref(), Some("REQUEST"));
    assert_eq!(m.text, "see you");
}

#[test]
fn sealed_mail_is_known() {
    for (raw, sealed) in [
        (
            "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\n\nx\n--b--",
            Some(Sealed::Pgp),
        ),
        (
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\nAAAA",
            Some(Sealed::Smime),
        ),
        (
            "Content-Type: text/plain\n\n-----BEGIN PGP MESSAGE-----\n\nx",
            Some(Sealed::Pgp),
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--",
            Some(Sealed::Tnef),
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: application/ms-tnef\n\nAAAA\n--b--",
            None,
        ),
        (
            "Content-Type: multipart/signed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: application/pkcs7-signature; name=smime.p7s\n\nAAAA\n--b--",
            None,
        ),
    ] {
        assert_eq!(mail(raw).sealed, sealed, "{raw}");
    }
}

#[test]
fn the_header_digest_does_not_see_the_way_that_a_mail_took() {
    let a = mail("From: a@x.example\nSubject: Hi\n there\nReceived: one\nX-Spam-Score: 1\n\nt");
    let b = mail(
        "Return-Path: <a@x.example>\nDelivered-To: b@y.example\nReceived: two\n\
         ARC-Seal: x\nAuthentication-Results: y\nDKIM-Signature: z\n\
         Subject:  Hi there\nFrom: a@x.example\n\nt",
    );
    assert_eq!(a.header_digest_input, b.header_digest_input);
    let other = mail("From: a@x.example\nSubject: Hi you\n\nt");
    assert_ne!(a.header_digest_input, other.header_digest_input);
}

#[test]
fn the_content_digest_sees_what_the_identity_is_made_of() {
    let base =
        "From: A@x.example\nDate: Fri, 03 May 2024 10:00:00 +0000\nSubject: Hi\n\nText  here";
    let same = "Date: Fri, 03 May 2024 12:00:00 +0200\nReceived: y\nFrom: Ann <a@X.example>\n\
                Subject: Hi\nContent-Type: text/plain; charset=utf-8\n\nText\nhere\n";
    assert_eq!(
        content_digest_input(&mail(base)),
        content_digest_input(&mail(same))
    );
    for other in [
        base.replace("Hi", "Ho"),
        base.replace("A@x", "B@x"),
        base.replace("10:00", "11:00"),
        base.replace("here", "there"),
    ] {
        assert_ne!(
            content_digest_input(&mail(base)),
            content_digest_input(&mail(&other))
        );
    }
}

#[test]
fn more_is_wanted_only_where_our_text_was_cut() {
    let whole = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nfirst text\n--b\n\
                 Content-Type: application/pdf\n\nlong attachment\n--b\n\nlast text\n--b--\n";
    let wants = |upto: &str| {
        let end = whole.find(upto).unwrap() + upto.len();
        wants_more_text(&whole.as_bytes()[..end], whole.len() as u64)
    };
    assert!(wants("Content-Type: mul"), "in the header");
    assert!(wants("first te"));
    assert!(!wants("long att"));
    assert!(wants("last te"));
    assert!(!wants("last text\n--b--"));
    assert!(!wants_more_text(whole.as_bytes(), whole.len() as u64));
    assert!(wants_more_text(b"From: a@x.example\n\nhalf a te", 100));
    let alternative = "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\n\
                       Content-Type: text/html\n\n<p>cut";
    assert!(!wants_more_text(alternative.as_bytes(), 10_000));
    let html = "Content-Type: text/html\n\n<p>cut";
    assert!(wants_more_text(html.as_bytes(), 10_000));
    let report = "Content-Type: multipart/report; boundary=b\n\n--b\n\nx\n--b\n\
                  Content-Type: message/delivery-status\n\nReporting";
    assert!(wants_more_text(report.as_bytes(), 10_000));
}

#[test]
fn a_hundred_levels_are_followed_and_endless_ones_end() {
    let nest = |n: usize| {
        let open: String = (0..n)
            .map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n"))
            .collect();
        open + "\ndeep text"
    };
    let m = mail(&nest(100));
    assert_eq!(m.text, "deep text");
    assert!(!marks(&m, "nested_too_deep"));
    let m = mail(&nest(5000));
    assert!(marks(&m, "nested_too_deep"));
    no_panic(&m);
}

// mail-parser's own tree of this overflows a stack of 2 MiB when it is dropped.
#[test]
fn nested_messages_do_not_overflow_the_stack() {
    let raw = "Content-Type: message/rfc822\n\n".repeat(60_000) + "Subject: x\n\ny";
    let small_stack = std::thread::Builder::new().stack_size(512 * 1024);
    let m = small_stack
        .spawn(move || mail(&raw))
        .unwrap()
        .join()
        .unwrap();
    assert!(marks(&m, "nested_too_deep"));
    no_panic(&m);
}

#[test]
fn hostile_shapes_are_bounded() {
    for (what, raw) in [
        (
            "parts",
            "Content-Type: multipart/mixed; boundary=b\n\n".to_owned()
                + &"--b\n\nx\n".repeat(20_000),
        ),
        ("header fields", "A: b\n".repeat(200_000) + "\nx"),
        ("one long line", "x".repeat(3_000_000)),
        (
            "one long header",
            "Subject: ".to_owned() + &"=?=?".repeat(200_000) + "\n\nx",
        ),
        (
            "encoded words",
            "Subject: ".to_owned() + &"=?utf-8?q?a?= ".repeat(50_000) + "\n\nx",
        ),
        (
            "addresses",
            "To: ".to_owned() + &"a@b.example, ".repeat(100_000) + "\n\nx",
        ),
        (
            "references",
            "References: ".to_owned() + &"<a@b.example> ".repeat(100_000) + "\n\nx",
        ),
        (
            "comments",
            "From: ".to_owned() + &"(".repeat(200_000) + "\n\nx",
        ),
        (
            "boundary-like",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n".to_owned()
                + &"--\n".repeat(300_000),
        ),
        (
            "html",
            "Content-Type: text/html\n\n".to_owned() + &"<div><table>".repeat(100_000) + "x",
        ),
        (
            "delivery status",
            "Content-Type: message/delivery-status\n\n".to_owned()
                + &"Action: failed\n\n".repeat(50_000),
        ),
    ] {
        let m = mail(&raw);
        no_panic(&m);
        assert!(m.text.len() <= MAX_TEXT_BYTES, "{what}");
        assert!(m.headers.len() <= MAX_HEADERS, "{what}");
        assert!(m.attachments.len() <= 100 && m.to.len() <= 100, "{what}");
        assert!(m.references.len() <= 100, "{what}");
        let header_bytes: usize = m.headers.iter().map(|(_, v)| v.len()).sum();
        assert!(header_bytes <= MAX_HEADER_BYTES, "{what}");
        assert!(m.header_digest_input.len() <= MAX_HEADER_BYTES, "{what}");
    }
}

#[test]
fn any_bytes_give_a_mail() {
    for raw in [
        &b""[..],
        b"\n",
        b"\0",
        b":",
        b"\r",
        b"\xff\xfe\xfd",
        b"--",
        b"From",
        b"From \n",
        b">From ",
    ] {
        no_panic(&parse(raw));
    }
    // A deterministic walk over many small garbled messages.
    let alphabet = b"\r\n\r\n :;=?\"<>@()--bB/,content-type:multipart/mixed;boundary=b\n\n\xff\0";
    let mut state = 7_u64;
    for _ in 0..3000 {
        let mut raw = Vec::new();
        for _ in 0..120 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = usize::try_from(state >> 33).unwrap() % alphabet.len();
            raw.push(alphabet[at]);
        }
        no_panic(&parse(&raw));
    }
}

#[test]
fn debug_shows_no_address_and_no_text() {
    let shown = format!(
        "{:?}",
        mail("From: ann@lead.example\nSubject: secret\n\nprivate")
    );
    for hidden in ["ann", "secret", "private"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}
