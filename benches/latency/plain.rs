//! A client that does nothing but speak: what the servers and the wire take for one mail.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::PATIENCE;
use crate::common::dovecot::PASSWORD;
use crate::common::scenario::{DESK, SALES};

/// Medians of one mail.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain {
    /// DONE, UID FETCH and IDLE in one write, until the mail is here.
    pub(crate) imap: Duration,
    /// MAIL, RCPT, DATA, and the body until its 250.
    pub(crate) smtp: Duration,
}

/// Speaks to both servers `times` times, with `mail` as body.
pub(crate) fn round_trips(imap: u16, smtp: u16, mail: &[u8], times: usize) -> Plain {
    Plain {
        imap: median(fetch(imap, times)),
        smtp: median(submit(smtp, mail, times)),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    crate::report::percentile(&times, 0.5).unwrap_or_default()
}

struct Line(BufReader<TcpStream>);

impl Line {
    fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("Connect");
        stream.set_nodelay(true).expect("Set nodelay");
        stream.set_read_timeout(Some(PATIENCE)).expect("A deadline");
        Self(BufReader::new(stream))
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("Write");
    }

    /// Reads up to a line that starts so.
    fn read_to(&mut self, wanted: &str) {
        loop {
            let mut line = Vec::new();
            let read = self.0.by_ref().take(1 << 20).read_until(b'\n', &mut line);
            assert!(
                read.expect("Read") > 0,
                "The server hung up before {wanted}"
            );
            if line.starts_with(wanted.as_bytes()) {
                return;
            }
        }
    }
}

fn fetch(port: u16, times: usize) -> Vec<Duration> {
    let mut line = Line::open(port);
    line.read_to("* OK");
    line.say(format!("a LOGIN \"{DESK}\" \"{PASSWORD}\"\r\n").as_bytes());
    line.read_to("a OK");
    line.say(b"b EXAMINE INBOX\r\n");
    line.read_to("b OK");
    let mut took = Vec::new();
    line.say(b"i IDLE\r\n");
    line.read_to("+ ");
    for n in 1..=times {
        let began = Instant::now();
        line.say(
            format!("DONE\r\nf UID FETCH {n} (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\ni IDLE\r\n")
                .as_bytes(),
        );
        line.read_to("f OK");
        took.push(began.elapsed());
        line.read_to("+ ");
    }
    took
}

fn submit(port: u16, mail: &[u8], times: usize) -> Vec<Duration> {
    let mut body: Vec<u8> = Vec::new();
    for line in mail.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b".") {
            body.push(b'.');
        }
        body.extend_from_slice(line);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b".\r\n");
    let mut line = Line::open(port);
    line.read_to("220 ");
    line.say(b"EHLO bench.example\r\n");
    line.read_to("250 ");
    let mut took = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        line.say(format!("MAIL FROM:<{DESK}>\r\n").as_bytes());
        line.read_to("250 ");
        line.say(format!("RCPT TO:<{SALES}>\r\n").as_bytes());
        line.read_to("250 ");
        line.say(b"DATA\r\n");
        line.read_to("354 ");
        line.say(&body);
        line.read_to("250 ");
        took.push(began.elapsed());
    }
    took
}
