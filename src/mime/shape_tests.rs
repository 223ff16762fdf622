//! Shapes of mail as it comes: headers, parts and encodings that break the rules.

use super::*;

fn mail(raw: &str) -> Mail {
    parse(raw.as_bytes())
}

fn marks(mail: &Mail, what: &str) -> bool {
    mail.malformed.iter().any(|m| m == what)
}

#[test]
fn a_field_folded_before_its_colon_is_a_field() {
    let m = mail("Subject: s\nFrom\n : ann@x.example\nTo: b@x.example\n\nbody");
    assert_eq!(
        (m.from_key().as_str(), m.text.as_str()),
        ("ann@x.example", "body")
    );
    assert_eq!(m.to.len(), 1);
    // Two senders are told also then.
    let m = mail("From: eve@x.example\nFrom\n : ann@x.example\n\nbody");
    assert_eq!(m.from_count, 2);
}

#[test]
fn a_body_without_its_blank_line_is_not_lost() {
    let m = mail("From: a@x.example\nSubject: s\nHello, I am in.\nAnn\n\nBye");
    assert_eq!(
        (m.subject.as_str(), m.text.as_str()),
        ("s", "Hello, I am in.\nAnn\n\nBye")
    );
    let m = mail(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\nbar\n--b--\n",
    );
    assert_eq!(m.text, "bar");
    // A parameter on a line of its own, or a strange line between fields, is no body.
    let m = mail("Content-Type: text/plain;\ncharset=windows-1251\n\n\u{41f}");
    assert_eq!(m.text, "\u{41f}");
    let m = mail("From: a@x.example\nstrange line\nSubject: s\n\nbody");
    assert_eq!((m.subject.as_str(), m.text.as_str()), ("s", "body"));
    assert!(marks(&m, "header_junk"));
}

#[test]
fn lines_that_end_with_a_lone_cr_are_lines() {
    let m = mail("From: a@x.example\rSubject: s\rMessage-ID: <1@x>\r\rone\rtwo");
    assert_eq!((m.subject.as_str(), m.text.as_str()), ("s", "one\ntwo"));
    assert!(marks(&m, "bare_cr"));
    assert!(!marks(&mail("From: a@x.example\r\n\r\na\rb"), "bare_cr"));
}

#[test]
fn a_date_after_the_receipt_is_told() {
    let received = "Received: from a by b with SMTP id 1;\r\n Fri, 03 May 2024 10:00:00 +0200\r\n";
    let m = mail(&format!(
        "{received}Date: Fri, 03 May 2024 09:00:00 +0000\r\n\r\nx"
    ));
    assert!(marks(&m, "date_ahead"));
    let m = mail(&format!(
        "{received}Date: Fri, 03 May 2024 10:05:00 +0200\r\n\r\nx"
    ));
    assert!(!marks(&m, "date_ahead"));
}

#[test]
fn names_of_attachments_are_read_in_every_form() {
    for (parameter, name) in [
        ("filename=\"a b.pdf\"", "a b.pdf"),
        ("filename=a.pdf", "a.pdf"),
        ("filename*=UTF-8''%c3%a9t%c3%a9.pdf", "\u{e9}t\u{e9}.pdf"),
        ("filename*0=\"long\"; filename*1=\"er.pdf\"", "longer.pdf"),
        (
            "filename*0*=UTF-8''%c3%a9; filename*1*=%c3%a9.pdf",
            "\u{e9}\u{e9}.pdf",
        ),
        ("filename=\"=?utf-8?B?w6kucGRm?=\"", "\u{e9}.pdf"),
        (
            "filename=\"=?utf-8?q?=C3=A9?= =?utf-8?q?.pdf?=\"",
            "\u{e9}.pdf",
        ),
        ("filename=\"\u{e9}.pdf\"", "\u{e9}.pdf"),
    ] {
        let m = mail(&format!(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n--b\n\
             Content-Type: application/pdf\nContent-Disposition: attachment; {parameter}\n\nx\n--b--\n"
        ));
        let names: Vec<&str> = m.attachments.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, [name], "{parameter}");
    }
}

#[test]
fn files_in_the_text_are_attachments() {
    let m = mail("From: a@x.example\n\nSee this:\n\nbegin 644 a b.txt\n#0V%T\n`\nend\n\nBye\n");
    assert_eq!(m.text, "See this:\n\n\nBye");
    assert_eq!(m.attachments.len(), 1);
    let file = &m.attachments[0];
    assert_eq!((file.name.as_str(), file.size), ("a b.txt", 3));
    let text = "begin 644 words of a person\nThis is a sentence, not data.";
    assert_eq!(mail(&format!("From: a@x.example\n\n{text}")).text, text);
}

#[test]
fn html_that_says_it_is_plain_text_is_read() {
    let m = mail("Content-Type: text/plain\n\n<html><body><p>Yes</p></body></html>");
    assert_eq!(m.text, "Yes");
    assert_eq!(
        mail("Content-Type: text/plain\n\nI say <html> is nice").text,
        "I say <html> is nice"
    );
}

#[test]
fn a_multipart_under_another_type_is_taken_apart() {
    let m = mail(
        "Content-Type: text/html; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>Yes</p>\n--b--",
    );
    assert_eq!(m.text, "Yes");
    let m = mail("Content-Type: text/plain; boundary=b\n\nYes\n--b--");
    assert_eq!(m.text, "Yes\n--b--");
}

#[test]
fn the_charset_of_a_page_may_stand_in_the_page() {
    let mut raw =
        b"Content-Type: text/html\n\n<html><head><meta charset=\"windows-1251\"></head><p>"
            .to_vec();
    raw.extend(b"\xcf\xf0\xe8</p></html>");
    assert_eq!(parse(&raw).text, "\u{41f}\u{440}\u{438}");
}

#[test]
fn html_beside_plain_text_is_kept_for_its_marks() {
    let m = mail(
        "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\n\
         Content-Type: text/html\n\n<p>html</p>\n--b--",
    );
    assert_eq!(m.text, "plain");
    assert_eq!(m.page.unwrap().text(), "html");
    // Where HTML is shown, it is one page with the plain parts around it.
    let m = mail(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>a\n--b\n\n\
         > b <c>\n--b\nContent-Type: text/html\n\n<p>d\n--b--",
    );
    assert_eq!(m.text, "a\n\n> b <c>\n\nd");
    assert_eq!(m.page.unwrap().text(), m.text);
}

#[test]
fn a_mail_of_nothing_but_mails_shows_the_first() {
    let m = mail(
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nfirst\n--b\n\n\
         Subject: two\n\nsecond\n--b--",
    );
    assert_eq!(m.text, "first");
    let m =
        mail("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nSubject: x\n\ninner");
    assert_eq!(m.text, "inner");
    // A mail that is attached is not the sender's text.
    let m = mail(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\n--b\nContent-Type: message/rfc822\n\n\
         Subject: x\n\ninner\n--b--",
    );
    assert_eq!(m.text, "");
}

#[test]
fn a_from_wholly_in_an_encoded_word_gives_its_address() {
    let m = mail("From: =?utf-8?Q?Ann_Lee_<ann@lead.example>?=\n\nx");
    assert_eq!(
        (m.from_key().as_str(), m.from_count),
        ("ann@lead.example", 1)
    );
    // An address in the name of another one does not count.
    let m = mail("From: =?utf-8?Q?Eve_<eve@lead.example>?= <ann@lead.example>\n\nx");
    assert_eq!(
        (m.from_key().as_str(), m.from_count),
        ("ann@lead.example", 1)
    );
}

#[test]
fn a_source_route_is_no_part_of_the_address() {
    let m = mail("From: <@relay.example:ann@lead.example>\n\nx");
    assert_eq!(m.from_key(), "ann@lead.example");
}

#[test]
fn a_file_without_any_header_keeps_its_text() {
    for text in [
        "just some text\nwithout header",
        "Hello Ann,\n\nyes please.",
    ] {
        let m = mail(text);
        assert_eq!(m.text, text);
        assert!(marks(&m, "header_junk"));
    }
}

#[test]
fn a_transfer_encoding_in_quotes_counts_and_uuencode_is_decoded() {
    let head = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding:";
    let m = mail(&format!("{head} \"base64\"\n\nR3LDvMOfZQ=="));
    assert_eq!(m.text, "Grüße");
    let m = mail(&format!(
        "{head} x-uuencode\n\nbegin 644 a.txt\n%:&5L;&\\\n`\nend\n"
    ));
    assert_eq!(m.text, "hello");
}

#[test]
fn a_plain_part_that_only_asks_for_a_viewer_of_html_is_no_text() {
    let both = |plain: &str| {
        mail(&format!(
            "Content-Type: multipart/alternative; boundary=B\n\n--B\nContent-Type: text/plain\n\n{plain}\n\
             --B\nContent-Type: text/html\n\n<p>Yes please</p>\n--B--"
        ))
        .text
    };
    assert_eq!(both("This message requires an HTML viewer."), "Yes please");
    assert_eq!(
        both("Your mail client does not support HTML mails."),
        "Yes please"
    );
    assert_eq!(both("Do you read HTML?"), "Do you read HTML?");
    assert_eq!(both("Yes"), "Yes");
}
