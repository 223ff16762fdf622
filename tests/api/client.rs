//! Requests by hand: what is on the wire is what is looked at.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::common::PATIENCE;
use crate::common::bin::{Replyd, Running};

/// A served replyd.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    pub(crate) address: String,
    /// Sent as a bearer token, unless it is empty.
    pub(crate) token: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// A header; empty: it is not there.
    pub(crate) fn header(&self, name: &str) -> String {
        let found = self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn assert(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// Starts `replyd run` on a port of its own; `vars` are environment variables.
#[track_caller]
pub(crate) fn run(replyd: &Replyd, vars: &[(&str, &str)]) -> (Running, Web) {
    let mut running = replyd.start_with(&["run", "--listen", "127.0.0.1:0"], vars);
    let event = running.wait_for_event("the web server", |e| {
        e.to_string().contains("answering HTTP requests")
    });
    let address = find(&event, "address").expect("An address in the log");
    let token = String::new();
    (running, Web { address, token })
}

fn find(event: &Value, name: &str) -> Option<String> {
    match event {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| match value {
            Value::String(text) if key == name => Some(text.clone()),
            other => find(other, name),
        }),
        _ => None,
    }
}

/// Makes a token by the command line.
#[track_caller]
pub(crate) fn token(replyd: &Replyd, args: &[&str]) -> String {
    let all = [&["token", "create"], args].concat();
    let made = replyd.ok(&all).stdout().trim().to_owned();
    assert!(made.starts_with("replyd_") && made.len() > 45, "{made}");
    made
}

impl Web {
    pub(crate) fn with(&self, token: &str) -> Self {
        Self {
            address: self.address.clone(),
            token: token.to_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.ask("POST", path, &json, &body.to_string())
    }

    /// A form, as a browser sends it from a page of ours.
    #[track_caller]
    pub(crate) fn form(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let form = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
        ];
        self.ask("POST", path, &[&form, headers].concat(), body)
    }

    #[track_caller]
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            request.push_str(&format!("host: {}\r\n", self.address));
        }
        if !self.token.is_empty() {
            request.push_str(&format!("authorization: Bearer {}\r\n", self.token));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut socket = TcpStream::connect(&self.address).expect("Connect");
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(request.as_bytes()).expect("Ask");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("An answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("No status: {answer:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}
