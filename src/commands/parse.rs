//! `replyd parse`: what is understood of messages in files, one JSON object a line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;

use super::{complain, say};
use crate::cli::{BodyArg, Exit, ParseArgs};
use crate::keys::Keys;
use crate::nature::Ours;
use crate::understand::{self, BodyKind, Record};

/// More of a file is not read; capture fetches far less of a message.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

pub(super) fn run(args: &ParseArgs) -> anyhow::Result<Exit> {
    let keys = Keys::unsaved()?;
    let ours = Ours::default();
    let body = args.body.map(|b| match b {
        BodyArg::Text => BodyKind::Text,
        BodyArg::Html => BodyKind::Html,
    });
    let mut exit = Exit::Done;
    for path in &args.files {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(e) => {
                complain(&format!("replyd: {}: {e}", path.display()));
                exit = Exit::Failed;
                continue;
            }
        };
        let file = path.to_string_lossy();
        let record = match body {
            Some(kind) => Record::of_body(&file, kind, &understand::body_in_utf8(&bytes)),
            None => {
                let understood = understand::message(&bytes, &ours, &keys);
                Record::of_message(&file, &bytes, &understood)
            }
        };
        let mut line = serde_json::to_string(&record).context("Write a record as JSON")?;
        line.push('\n');
        say(&line)?;
    }
    Ok(exit)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(MAX_FILE_BYTES)
            .read_to_end(&mut bytes)?;
    } else {
        File::open(path)?
            .take(MAX_FILE_BYTES)
            .read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
