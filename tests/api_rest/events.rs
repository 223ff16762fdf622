//! `/api/events` and `/metrics`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::client::Web;
use crate::common::PATIENCE;
use crate::common::desk::stop;
use crate::world;

/// Who listens.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(web: &Web, header: &str) -> Self {
        let mut socket = TcpStream::connect(&web.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET /api/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n{header}\r\n",
            web.address, web.token
        );
        socket.write_all(request.as_bytes()).unwrap();
        Self(BufReader::new(socket))
    }

    /// The next event: its name, id and data. None: the stream is over.
    fn next(&mut self) -> Option<(String, i64, Value)> {
        let (mut kind, mut id, mut data) = (String::new(), 0, Value::Null);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", word)) => kind = word.to_owned(),
                Some(("id", number)) => id = number.parse().unwrap(),
                Some(("data", json)) => data = serde_json::from_str(json).unwrap(),
                _ if line == "\n" && !kind.is_empty() => return Some((kind, id, data)),
                _ => {}
            }
        }
    }

    fn until(&mut self, wanted: &str) -> (i64, Value) {
        loop {
            let (kind, id, data) = self.next().expect("The stream goes on");
            if kind == wanted {
                return (id, data);
            }
        }
    }
}

#[test]
fn events_come_as_they_happen_go_on_where_one_was_and_end_with_the_process() {
    let w = world(&[]);
    let mut stream = Stream::open(&w.web, "");
    let (kind, first, _) = stream.next().unwrap();
    assert_eq!(kind, "ready");
    assert!(first > 0, "three replies came");
    let mut others = Stream::open(&w.other, "");
    others.until("ready");
    let (lead, campaign) = (json!({"lead_id": 1}), json!({"campaign_id": 2}));
    w.web.post("/api/automation/off", &lead).assert(200);
    let (changed, data) = stream.until("changed");
    assert!(changed > first, "{data}");
    w.desk.deliver(0, std::time::Duration::ZERO);
    let (_, data) = stream.until("new_reply");
    assert_eq!(data["campaign_lead_id"], 1, "{data}");
    // Of the first campaign the second user is told nothing.
    w.web.post("/api/automation/off", &campaign).assert(200);
    let (_, data) = others.until("changed");
    assert_eq!(data["campaign_id"], 2, "{data}");
    // Again from the first one on.
    let mut again = Stream::open(&w.web, &format!("last-event-id: {first}\r\n"));
    assert_eq!(again.next().unwrap().1, first);
    assert_eq!(again.until("changed").0, changed);
    // An id that never was: look at everything again.
    let mut lost = Stream::open(&w.web, "last-event-id: 99999999\r\n");
    lost.until("ready");
    lost.until("reset");
    drop(lost);
    w.web.get("/api/events?last_event_id=x").assert(400);
    w.web.with("").get("/api/events").assert(401);
    let listening = w.reader.get("/metrics").assert(200).body.clone();
    let clients = listening
        .lines()
        .find(|l| l.starts_with("replyd_event_clients "));
    let clients: u32 = clients
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(clients >= 3, "{clients}");
    stop(w.running);
    while stream.next().is_some() {}
}

#[test]
fn metrics_need_a_token_without_a_limit_unless_they_are_open_here() {
    let w = world(&[]);
    w.web.with("").get("/metrics").assert(401);
    w.other.get("/metrics").assert(403);
    let told = w.reader.get("/metrics");
    let text = told.assert(200).body.clone();
    assert!(
        told.header("content-type")
            .starts_with("application/openmetrics-text")
    );
    for line in [
        "replyd_account_state{account=\"desk\",state=\"live\"} 1",
        "replyd_account_push_missed_total{account=\"desk\"} 0",
        "replyd_capture_latency_seconds_count{account=\"desk\"} 3",
        "replyd_outbox_mails{state=\"queued\"} 0",
        "replyd_pending_replies 0",
        "replyd_reply_jobs_pending 0",
        "replyd_drafts_open 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    stop(w.running);
    let open = [("REPLYD_WEB_OPEN_METRICS", "true")];
    let (_running, web) = crate::run(&w.desk.replyd, &open);
    web.get("/metrics").assert(200);
    web.get("/api/accounts").assert(401);
}
