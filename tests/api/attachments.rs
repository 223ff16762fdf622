//! Files of mails, fetched from a real Dovecot when somebody asks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::{Web, run, token};
use crate::common::PATIENCE;
use crate::common::bin::Running;
use crate::common::dovecot::PASSWORD;
use crate::common::scenario::{DESK, Lead, Scenario, Setting, WISH};

/// As many sign-ins as the test takes.
const FREE: (&str, &str) = ("REPLYD_LOGIN_EVERY", "0s");

/// Bytes that look like those of a packed file.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut out = b"%PDF-1.7\n".to_vec();
    while out.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        out.extend(state.to_be_bytes());
    }
    out.truncate(len);
    out
}

fn base64_lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(76)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect();
    lines.join("\r\n")
}

const INNER: &str = "From: Bob <bob@people.example>\r\nTo: ann@people.example\r\n\
    Subject: The old offer\r\nMessage-ID: <inner@people.example>\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\r\nThe old words.\r\n";

/// An answer of a lead with further parts, each with its headers.
fn mail(lead: &Lead, parts: &[String]) -> String {
    let mut mail = format!(
        "From: {}\r\nTo: {DESK}\r\nSubject: Re: Homes at the lake\r\nMessage-ID: <{}>\r\n\
         In-Reply-To: <{}>\r\nReferences: <{}>\r\nDate: Mon, 03 Aug 2026 10:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"mixed\"\r\n\r\n\
         --mixed\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{WISH}\r\n",
        lead.from, lead.answer_id, lead.campaign_id, lead.campaign_id
    );
    for part in parts {
        mail.push_str(&format!("--mixed\r\n{part}\r\n"));
    }
    mail + "--mixed--\r\n"
}

fn file(name: &str, kind: &str, bytes: &[u8]) -> String {
    format!(
        "Content-Type: {kind}\r\nContent-Disposition: attachment; {name}\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}",
        base64_lines(bytes)
    )
}

/// Status, head, and the bytes.
fn get(web: &Web, path: &str) -> (u16, String, Vec<u8>) {
    let mut socket = TcpStream::connect(&web.address).expect("Connect");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        web.address, web.token
    )
    .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("An answer");
    let at = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("A head");
    let head = String::from_utf8(answer[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), answer[at + 4..].to_vec())
}

fn sentence(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap();
    json["message"].as_str().unwrap().to_owned()
}

fn listening(running: &mut Running) {
    running.wait_for_event("the mailbox to be looked at", |e| {
        e.to_string().contains("is live") || e.to_string().contains("hears by push")
    });
}

/// The row of a captured mail with this Message-ID.
fn captured(running: &mut Running, key: &str) -> i64 {
    let key = key.to_owned();
    running.wait_for_rows("the mail to be captured", move |rows| {
        let found: i64 = rows.value(
            "SELECT coalesce(max(id), 0) FROM messages WHERE message_key = ?1 AND disposition = 'reply'",
            [&key],
        );
        (found > 0).then_some(found)
    })
}

fn scene(leads: usize, account: &'static str) -> Scenario {
    let scenario = Scenario::new(Setting {
        leads,
        account,
        ..Setting::default()
    });
    scenario.import(Duration::from_secs(86_400));
    scenario
}

#[test]
fn every_kind_of_file_comes_out_as_it_was_sent_and_costs_one_sign_in_while_capture_goes_on() {
    let scenario = scene(2, "");
    let secret = token(&scenario.replyd, &["--name", "ann"]);
    let (mut running, web) = run(&scenario.replyd, &[]);
    let web = web.with(&secret);
    listening(&mut running);
    let pdf = noise(3 * 1024 * 1024 + 17, 7);
    let picture = noise(40_000, 9);
    let html = "<script>alert(1)</script>=\u{20ac}";
    let parts = [
        format!(
            "Content-Type: image/png; name=\"plan.png\"\r\nContent-Disposition: inline\r\n\
             Content-ID: <plan>\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            base64_lines(&picture)
        ),
        format!("Content-Type: message/rfc822\r\n\r\n{INNER}"),
        "Content-Type: text/html; name=page.html\r\nContent-Disposition: attachment\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n<script>alert(1)</script>=3D=E2=82=\r\n=AC"
            .to_owned(),
        file(
            "filename*=utf-8''%22Gr%C3%BCn%22%20%E2%84%96%201.pdf",
            "application/pdf",
            &pdf,
        ),
        file("filename=last.bin", "application/x-thing", b"last\r\n\0"),
    ];
    scenario
        .host
        .dovecot
        .deliver(DESK, mail(&scenario.leads[0], &parts));
    let id = captured(&mut running, &scenario.leads[0].answer_id);
    let logins = scenario.host.dovecot.logins(DESK);

    // The big one reaches beyond what is read of a mail when it comes.
    let listed = web.get(&format!("/api/messages/{id}/attachments"));
    let listed = listed.assert(200).json();
    assert_eq!(listed["complete"], false, "{listed}");
    let began = Instant::now();
    let listed = web.get(&format!("/api/messages/{id}/attachments?complete=true"));
    println!("read a mail of 4.3 MB to its end in {:?}", began.elapsed());
    let listed = listed.assert(200).json();
    assert_eq!(listed["complete"], true, "{listed}");
    let names: Vec<&str> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["plan.png", "", "page.html", "\"Grün\" № 1.pdf", "last.bin"]
    );
    assert_eq!(listed["items"][3]["type"], "application/pdf");
    let size = listed["items"][3]["size"].as_u64().unwrap();
    assert!(size.abs_diff(3 * 1024 * 1024) < 100, "{size}");
    // What the conversation shows is the same.
    let thread = web.get("/api/conversations/1").assert(200).json();
    let seen = thread["lines"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["mail"].is_object())
        .unwrap();
    assert_eq!(seen["mail"]["attachments"], listed["items"]);
    assert_eq!(seen["mail"]["attachments_complete"], true);

    let wanted: [(&[u8], &str, &str); 5] = [
        (&picture, "image/png", "filename*=utf-8''plan.png"),
        (
            INNER.trim_end_matches("\r\n").as_bytes(),
            "application/octet-stream",
            "filename*=utf-8''attachment-2.eml",
        ),
        (
            html.as_bytes(),
            "application/octet-stream",
            "filename*=utf-8''page.html",
        ),
        (
            &pdf,
            "application/pdf",
            "filename=\"_gr_n_ _ 1.pdf\"; filename*=utf-8''_gr%c3%bcn_%20%e2%84%96%201.pdf",
        ),
        (
            b"last\r\n\0",
            "application/octet-stream",
            "filename*=utf-8''last.bin",
        ),
    ];
    for (n, (bytes, kind, name)) in wanted.into_iter().enumerate() {
        let began = Instant::now();
        let (status, head, body) = get(&web, &format!("/api/messages/{id}/attachments/{n}"));
        println!("file {n}: {} bytes in {:?}", body.len(), began.elapsed());
        assert_eq!(status, 200, "{head}");
        if n == 1 {
            // The line end before a boundary is the boundary's.
            assert_eq!(String::from_utf8_lossy(&body).trim_end(), INNER.trim_end());
        } else {
            assert!(body == bytes, "file {n} differs: {head}");
        }
        for header in [
            &format!("content-type: {kind}\r\n"),
            name,
            "content-disposition: attachment; ",
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; sandbox",
            "cache-control: private, no-store",
        ] {
            assert!(head.contains(header), "{n}: {header} in {head}");
        }
    }
    // The listener went on, and all of it took one sign-in.
    scenario
        .host
        .dovecot
        .deliver(DESK, scenario.leads[1].reply(WISH).raw());
    captured(&mut running, &scenario.leads[1].answer_id);
    assert_eq!(scenario.host.dovecot.logins(DESK), logins + 1);
    // Nothing of it is stored.
    let stored = std::fs::read(scenario.replyd.database()).unwrap();
    let tail = &pdf[pdf.len() - 64..];
    assert!(!stored.windows(64).any(|w| w == tail));

    for (path, status) in [
        (format!("/api/messages/{id}/attachments/5"), 404),
        (format!("/api/messages/{id}/attachments/-1"), 404),
        (format!("/api/messages/{id}/attachments/x"), 404),
        ("/api/messages/99999/attachments/0".to_owned(), 404),
    ] {
        let (got, head, _) = get(&web, &path);
        assert_eq!(got, status, "{path}: {head}");
    }
    // Somebody of another campaign learns nothing.
    rusqlite::Connection::open(scenario.replyd.database())
        .unwrap()
        .execute(
            "INSERT INTO campaigns (name, created_at, updated_at) VALUES ('Other', 1, 1)",
            [],
        )
        .unwrap();
    let other = token(&scenario.replyd, &["--name", "eve", "--campaign", "Other"]);
    let theirs = web.with(&other);
    for path in ["attachments", "attachments/0", "attachments?complete=true"] {
        let foreign = theirs.get(&format!("/api/messages/{id}/{path}"));
        let unknown = theirs.get(&format!("/api/messages/99999/{path}"));
        assert_eq!(foreign.assert(404).body, unknown.assert(404).body);
    }
    web.with("")
        .get(&format!("/api/messages/{id}/attachments/0"))
        .assert(401);
}

#[test]
fn a_mail_that_moved_is_found_and_one_that_is_gone_or_too_large_is_told_in_a_sentence() {
    let scenario = scene(3, "");
    let secret = token(&scenario.replyd, &["--name", "ann"]);
    let small = [FREE, ("REPLYD_WEB_ATTACHMENT_MAX", "1 MiB")];
    let (mut running, web) = run(&scenario.replyd, &small);
    let web = web.with(&secret);
    listening(&mut running);
    let one = [file("filename=a.bin", "application/x-a", b"here")];
    let big = noise(3 * 1024 * 1024, 3);
    let two = [
        file("filename=small.bin", "application/x-a", b"small"),
        file("filename=big.bin", "application/x-b", &big),
    ];
    let over = [file(
        "filename=over.bin",
        "application/x-b",
        &big[..1024 * 1024 + 1],
    )];
    let mut ids = Vec::new();
    for (lead, parts) in scenario.leads.iter().zip([&one[..], &two[..], &over[..]]) {
        scenario.host.dovecot.deliver(DESK, mail(lead, parts));
        ids.push(captured(&mut running, &lead.answer_id));
    }
    let path = |n: usize, file: usize| format!("/api/messages/{}/attachments/{file}", ids[n]);
    // Of a mail that is larger than is fetched, what stands at its beginning.
    let (status, _, body) = get(&web, &path(1, 0));
    assert_eq!((status, body.as_slice()), (200, b"small".as_slice()));
    for (n, file) in [(1, 1), (2, 0)] {
        let (status, _, body) = get(&web, &path(n, file));
        assert_eq!(status, 413);
        assert!(
            sentence(&body).contains("too large to be fetched here"),
            "{}",
            sentence(&body)
        );
    }

    let (status, _, body) = get(&web, &path(0, 0));
    assert_eq!((status, body.as_slice()), (200, b"here".as_slice()));
    let mut imap = scenario.host.dovecot.connect();
    imap.login(DESK, PASSWORD);
    imap.ok("SELECT INBOX");
    // Deleted, and put back: another UID.
    imap.ok("STORE 1 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    let (status, _, body) = get(&web, &path(0, 0));
    assert_eq!(status, 410);
    assert!(
        sentence(&body).contains("no longer in the mailbox"),
        "{}",
        sentence(&body)
    );
    scenario
        .host
        .dovecot
        .deliver(DESK, mail(&scenario.leads[0], &one));
    let (status, _, body) = get(&web, &path(0, 0));
    assert_eq!((status, body.as_slice()), (200, b"here".as_slice()));
}

#[test]
fn a_mailbox_that_is_away_or_silent_is_told_within_the_deadline() {
    let mut scenario = scene(2, "");
    let secret = token(&scenario.replyd, &["--name", "ann"]);
    let (mut running, web) = run(&scenario.replyd, &[FREE]);
    let web = web.with(&secret);
    listening(&mut running);
    let parts = [file("filename=a.bin", "application/x-a", b"here")];
    scenario
        .host
        .dovecot
        .deliver(DESK, mail(&scenario.leads[0], &parts));
    let id = captured(&mut running, &scenario.leads[0].answer_id);
    let path = format!("/api/messages/{id}/attachments/0");
    let (status, _, body) = get(&web, &path);
    assert_eq!((status, body.as_slice()), (200, b"here".as_slice()));

    // The kept connection falls silent: the next one has a connection of its own.
    let log = scenario.host.dovecot.log();
    let pid = log.rsplit_once("mpid=").unwrap().1;
    let pid = pid.split(',').next().unwrap().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let began = Instant::now();
    let (status, _, body) = get(&web, &path);
    println!("silent connection: answered in {:?}", began.elapsed());
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!((status, body.as_slice()), (200, b"here".as_slice()));

    // A stopped server may still serve the connections that it has.
    scenario.host.dovecot.kick(DESK);
    scenario.host.dovecot.stop();
    running.wait_for_event("the end of the session", |e| {
        e.to_string().contains("connection ended") || e.to_string().contains("\"down\"")
    });
    let began = Instant::now();
    let (status, head, body) = get(&web, &path);
    println!("away: answered in {:?}", began.elapsed());
    assert_eq!(status, 503, "{}", sentence(&body));
    assert!(head.contains("retry-after: "), "{head}");
    assert!(sentence(&body).contains("mailbox"), "{}", sentence(&body));
    scenario.host.dovecot.start_again();
}
