//! What `replyd parse` prints.

use serde_json::{Value, json};

use crate::{folder, lines, path, replyd, root};

const REPLY: &[u8] = b"From: Ann Lee <Ann@Lead.example>\r\nTo: s@me.example, t@me.example\r\n\
    Subject: =?utf-8?q?Re=3A_Caf=C3=A9?=\r\nDate: Fri, 03 May 2024 10:00:00 +0200\r\n\
    Message-ID: <R1@Lead.Example>\r\nIn-Reply-To: <s1@me.example>\r\n\
    References: <s0@me.example> <s1@me.example>\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nYes, please.\r\n\r\n-- \r\nAnn\r\n\r\n\
    On Tue, 30 Apr 2024 at 9:00, Sales <s@me.example> wrote:\r\n> Come and see it.\r\n\
    --b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n\
    AAAA\r\n--b--\r\n";

const BOUNCE: &[u8] =
    b"From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\nReturn-Path: <>\n\
    Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSorry.\n--b\n\
    Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
    Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1\n\n--b\n\
    Content-Type: message/rfc822\n\nMessage-ID: <s1@me.example>\n\nold\n--b--\n";

const COMPLAINT: &[u8] = b"From: fbl@isp.example\nSubject: complaint\n\
    Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nSpam.\n--b\n\
    Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: ann@x.example\n\n\
    --b\nContent-Type: message/rfc822\n\nMessage-ID: <s2@me.example>\n\nold\n--b--\n";

const AWAY: &[u8] =
    b"From: ann@x.example\nSubject: Out of office\nAuto-Submitted: auto-replied\n\n\
    I am out of the office.\n";

#[test]
fn a_reply_gives_every_field_of_the_schema() {
    let dir = folder(&[("m.eml", REPLY)]);
    let file = path(&dir, "m.eml");
    let out = replyd(&["parse", &file], b"");
    assert_eq!(out.status.code(), Some(0));
    assert!(out.stderr.is_empty());
    assert_eq!(
        lines(&out),
        [json!({
            "file": file,
            "nature": {
                "kind": "human", "bounce": null, "automatic": null, "complaint": null,
                "evidence": [],
            },
            "message_id": "R1@Lead.Example",
            "in_reply_to": ["s1@me.example"],
            "references": ["s0@me.example", "s1@me.example"],
            "from": "Ann@Lead.example",
            "to": ["s@me.example", "t@me.example"],
            "subject": "Re: Café",
            "date": "2024-05-03T08:00:00.000Z",
            "text": "Yes, please.\n\n-- \nAnn\n\nOn Tue, 30 Apr 2024 at 9:00, Sales <s@me.example> \
                     wrote:\n> Come and see it.",
            "visible_text": "Yes, please.",
            "quoted_text": "On Tue, 30 Apr 2024 at 9:00, Sales <s@me.example> wrote:\n> Come and see it.",
            "signature": "--\nAnn",
            "attachments": [{"name": "a.pdf", "type": "application/pdf", "size": 3}],
            "malformed": [],
        })]
    );
}

#[test]
fn each_kind_carries_its_facts() {
    let dir = folder(&[("b", BOUNCE), ("c", COMPLAINT), ("v", AWAY)]);
    let files = ["b", "c", "v"].map(|f| path(&dir, f));
    let out = replyd(&["parse", &files[0], &files[1], &files[2]], b"");
    let rows = lines(&out);
    let [bounce, complaint, away] = &rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!(bounce["nature"]["kind"], "bounce");
    assert_eq!(
        bounce["nature"]["bounce"],
        json!({
            "class": "failed", "status": "5.1.1", "address_dead": true,
            "recipients": ["ann@x.example"], "original_message_id": "s1@me.example",
        })
    );
    assert_eq!(complaint["nature"]["kind"], "complaint");
    assert_eq!(
        complaint["nature"]["complaint"],
        json!({"recipients": ["ann@x.example"], "original_message_id": "s2@me.example"})
    );
    assert_eq!(away["nature"]["kind"], "automatic");
    assert_eq!(away["nature"]["automatic"]["subtype"], "vacation");
    for absent in ["return_date", "stand_in"] {
        assert_eq!(away["nature"]["automatic"].get(absent), Some(&Value::Null));
    }
    assert_eq!(bounce["message_id"], Value::Null);
}

#[test]
fn bare_bodies_are_split() {
    let dir = folder(&[
        (
            "t",
            b"No.\n\nOn Tue, 3 May 2024 at 9:00, S <s@me.example> wrote:\n> Come.",
        ),
        (
            "h",
            b"<div>No.</div><blockquote type=\"cite\">Come.</blockquote>",
        ),
    ]);
    for (kind, name) in [("text", "t"), ("html", "h")] {
        let out = replyd(&["parse", "--body", kind, &path(&dir, name)], b"");
        let rows = lines(&out);
        assert_eq!(rows[0]["visible_text"], "No.", "{kind}: {rows:?}");
        assert!(rows[0]["quoted_text"].as_str().unwrap().contains("Come."));
        assert_eq!(rows[0]["nature"], Value::Null);
    }
}

#[test]
fn the_standard_input_is_a_file_too() {
    let out = replyd(&["parse", "-"], REPLY);
    assert_eq!(lines(&out)[0]["file"], "-");
    assert_eq!(lines(&out)[0]["visible_text"], "Yes, please.");
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_printed() {
    let dir = folder(&[
        ("m", REPLY),
        ("empty", b""),
        ("junk", &[0, 255, 10, 254, 13, 0]),
    ]);
    let folder_itself = dir.path().display().to_string();
    let missing = path(&dir, "missing");
    let files = ["empty", "junk", "m"].map(|f| path(&dir, f));
    let mut args = vec!["parse", &missing, &folder_itself];
    args.extend(files.iter().map(String::as_str));
    let out = replyd(&args, b"");
    assert_eq!(out.status.code(), Some(1));
    let stderr = String::from_utf8(out.stderr.clone()).unwrap();
    assert!(
        stderr.contains(&missing) && stderr.contains(&folder_itself),
        "{stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(lines(&out).len(), 3);
}

#[test]
fn flags_that_make_no_sense_end_with_64() {
    for args in [
        &["parse"][..],
        &["parse", "--body", "pdf", "x"],
        &["evaluate"],
    ] {
        assert_eq!(replyd(args, b"").status.code(), Some(64), "{args:?}");
    }
}

#[test]
fn the_document_names_every_field() {
    let document = std::fs::read_to_string(root().join("docs/PARSE.md")).unwrap();
    let out = replyd(&["parse", "-"], BOUNCE);
    let row = &lines(&out)[0];
    for field in row.as_object().unwrap().keys() {
        let named = if field == "nature" {
            "`nature.kind`".to_owned()
        } else {
            format!("`{field}`")
        };
        assert!(document.contains(&named), "{field}");
    }
    for field in row["nature"].as_object().unwrap().keys() {
        assert!(document.contains(&format!("`nature.{field}`")), "{field}");
    }
    for field in row["nature"]["bounce"].as_object().unwrap().keys() {
        assert!(document.contains(&format!("`{field}`")), "{field}");
    }
}

#[test]
fn the_document_explains_every_oddity() {
    let document = std::fs::read_to_string(root().join("docs/PARSE.md")).unwrap();
    for (word, meaning) in replyd::mime::ODDITIES {
        assert!(
            document.contains(&format!("| `{word}` | {meaning} |")),
            "{word}"
        );
    }
}
