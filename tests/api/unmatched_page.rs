//! The desk of unmatched mail, page by page.

use std::collections::BTreeSet;

use crate::client::{run, token};
use crate::common::desk::Desk;
use crate::common::wait_for;

/// More than a page of them.
const MAILS: usize = 30;
/// What a page may weigh with all assets, in bytes.
const PAGE: usize = 150_000;

#[test]
fn the_unmatched_desk_shows_every_mail_once_a_page_at_a_time() {
    let desk = Desk::known(1);
    let secret = token(&desk.replyd, &["--name", "ben", "--scope", "write"]);
    let (mut running, web) = run(&desk.replyd, &[]);
    desk.listen(&mut running);
    let from = &desk.leads.first().unwrap().from;
    let text = "We measured the garden wall & it leans <a little>. ".repeat(40);
    for n in 0..MAILS {
        let raw = format!(
            "From: {from}\r\nTo: desk@homes.example\r\nSubject: The wall {n}\r\n\
             Message-ID: <wall-{n}@people.example>\r\nIn-Reply-To: <lost-{n}@crm.example>\r\n\
             Date: Mon, 23 Nov 2026 07:00:00 +0000\r\n\r\n{text}\r\n"
        );
        desk.sandbox
            .deliver("desk@homes.example", "INBOX", raw.as_bytes(), None)
            .expect("Deliver a mail");
    }
    let signed_in = web.form("/sign-in", &[], &format!("token={secret}"));
    let set = signed_in.assert(303).header("set-cookie");
    let cookie = set.split(';').next().unwrap();
    let get = |path: &str| web.ask("GET", path, &[("cookie", cookie)], "");
    let walls = |body: &str| -> Vec<String> {
        let found = body.match_indices("The wall ").map(|(at, _)| {
            let rest = body.get(at..).unwrap();
            rest.split('<').next().unwrap().to_owned()
        });
        found.collect()
    };
    let api = web.with(&secret);
    wait_for("all mails in the store", || {
        let list = api.get("/api/unmatched?limit=100").assert(200).json();
        let items = list["items"].as_array()?;
        (items.len() == MAILS).then_some(())
    });
    let mut seen = BTreeSet::new();
    let mut path = "/unmatched".to_owned();
    let mut pages = 0;
    loop {
        let page = get(&path);
        page.assert(200);
        assert!(page.body.len() < PAGE, "{} bytes", page.body.len());
        for wall in walls(&page.body) {
            assert!(seen.insert(wall.clone()), "{wall} twice");
        }
        pages += 1;
        let body = page.body.replace("&#x2f;", "/");
        let Some((_, rest)) = body.split_once("href=\"/unmatched?cursor=") else {
            break;
        };
        path = format!("/unmatched?cursor={}", rest.split('"').next().unwrap());
    }
    assert_eq!((pages, seen.len()), (2, MAILS));
}
