//! A blocking IMAP client that shows the bare lines of a server: independent of the library and
//! of the code under test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use replyd::time::UtcMs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::PATIENCE;

/// One connection.
#[derive(Debug)]
pub(crate) struct ImapClient {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    next_tag: u32,
    /// The first line of the server.
    pub(crate) greeting: String,
}

impl ImapClient {
    /// Connects with TLS and reads the greeting.
    #[track_caller]
    pub(crate) fn connect(port: u16, tls: Arc<ClientConfig>) -> Self {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("Connect to IMAP");
        tcp.set_read_timeout(Some(PATIENCE)).expect("Read deadline");
        tcp.set_write_timeout(Some(PATIENCE))
            .expect("Write deadline");
        let name = ServerName::try_from("localhost").expect("A valid name");
        let session = ClientConnection::new(tls, name).expect("TLS client");
        let mut client = Self {
            stream: BufReader::new(StreamOwned::new(session, tcp)),
            next_tag: 0,
            greeting: String::new(),
        };
        client.greeting = client.line();
        assert!(
            client.greeting.starts_with("* OK"),
            "The greeting is {:?}",
            client.greeting
        );
        client
    }

    /// The next line, without its end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream
            .read_until(b'\n', &mut line)
            .expect("A line from the IMAP server before the deadline");
        assert!(!line.is_empty(), "The IMAP server closed the connection");
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    /// Reads up to and including the first line that contains `part`.
    #[track_caller]
    pub(crate) fn lines_until(&mut self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let found = line.contains(part);
            lines.push(line);
            if found {
                return lines;
            }
        }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn send(&mut self, text: &str) {
        let stream = self.stream.get_mut();
        stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush())
            .expect("Write to the IMAP server");
    }

    /// Sends a command and returns the lines up to its tagged reply.
    #[track_caller]
    pub(crate) fn command(&mut self, command: &str) -> Vec<String> {
        self.next_tag += 1;
        let tag = format!("t{}", self.next_tag);
        self.send(&format!("{tag} {command}\r\n"));
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let done = line.starts_with(&format!("{tag} "));
            lines.push(line);
            if done {
                return lines;
            }
        }
    }

    /// As [`Self::command`], and the tagged reply must be OK.
    #[track_caller]
    pub(crate) fn ok(&mut self, command: &str) -> Vec<String> {
        let lines = self.command(command);
        let last = lines.last().map(String::as_str).unwrap_or_default();
        assert!(
            last.split(' ').nth(1) == Some("OK"),
            "The server answered {last:?}"
        );
        lines
    }

    /// Signs in.
    #[track_caller]
    pub(crate) fn login(&mut self, user: &str, password: &str) -> Vec<String> {
        self.ok(&format!("LOGIN \"{user}\" \"{password}\""))
    }

    /// Appends a mail with this time as its INTERNALDATE.
    #[track_caller]
    pub(crate) fn append(&mut self, folder: &str, raw: &[u8], at: UtcMs) {
        let date = chrono::DateTime::from_timestamp_millis(at.0).expect("A date");
        self.next_tag += 1;
        let tag = format!("t{}", self.next_tag);
        self.send(&format!(
            "{tag} APPEND \"{folder}\" (\\Seen) \"{}\" {{{}}}\r\n",
            date.format("%d-%b-%Y %H:%M:%S +0000"),
            raw.len()
        ));
        let go_on = self.line();
        assert!(go_on.starts_with('+'), "The server answered {go_on:?}");
        let mut bytes = raw.to_vec();
        bytes.extend_from_slice(b"\r\n");
        let stream = self.stream.get_mut();
        stream
            .write_all(&bytes)
            .and_then(|()| stream.flush())
            .expect("Write to the IMAP server");
        let last = self.lines_until(&format!("{tag} "));
        let last = last.last().map(String::as_str).unwrap_or_default();
        assert!(last.contains("OK"), "The server answered {last:?}");
    }

    /// Flags and whole text of every mail of a folder.
    #[track_caller]
    pub(crate) fn all_of(&mut self, folder: &str) -> Vec<(String, String)> {
        self.ok(&format!("EXAMINE \"{folder}\""));
        self.next_tag += 1;
        let tag = format!("t{}", self.next_tag);
        self.send(&format!("{tag} UID FETCH 1:* (FLAGS BODY.PEEK[])\r\n"));
        let mut mails = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with(&format!("{tag} ")) {
                return mails;
            }
            let Some(size) = line
                .rsplit_once('{')
                .and_then(|(_, n)| n.strip_suffix('}')?.parse::<usize>().ok())
            else {
                continue;
            };
            let flags = line
                .split_once("FLAGS (")
                .and_then(|(_, rest)| rest.split_once(')'))
                .map(|(flags, _)| flags.to_owned())
                .unwrap_or_default();
            let mut raw = vec![0; size];
            self.stream.read_exact(&mut raw).expect("A whole mail");
            mails.push((flags, String::from_utf8_lossy(&raw).into_owned()));
        }
    }
}
