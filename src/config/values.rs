//! Values: from text or TOML to a checked value of a [`Kind`]. Pure.

use std::str::FromStr;
use std::time::Duration;

use super::keys::Kind;
use super::nearest::nearest;
use super::network;
use crate::hours::WorkingHours;
use crate::zone::ZoneChoice;

/// A value as a source wrote it. No `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) enum Raw {
    /// Text of the environment, of a flag or of the table of defaults: numbers, booleans and
    /// lists are read from it.
    Loose(String),
    /// A TOML string.
    Str(String),
    /// A TOML integer.
    Int(i64),
    /// A TOML float.
    Float(f64),
    /// A TOML boolean.
    Bool(bool),
    /// A TOML array of strings.
    List(Vec<String>),
    /// TLS switched off by the predecessor's names: STARTTLS, or plain to loopback.
    Unprotected,
}

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(u64),
    Fraction(f64),
    Bool(bool),
    Duration(Duration),
    List(Vec<String>),
    /// An address with the display name that was written with it.
    Address {
        name: String,
        addr: String,
    },
    Unprotected,
}

/// Why a value is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) remedy: String,
}

fn fault<T>(what: impl Into<String>, remedy: impl Into<String>) -> Result<T, Fault> {
    Err(Fault {
        what: what.into(),
        remedy: remedy.into(),
    })
}

/// Checks a value. The texts of faults quote the value, but never a secret's.
pub(super) fn check(kind: Kind, raw: &Raw) -> Result<Value, Fault> {
    match kind {
        Kind::Text => text(raw).map(Value::Text),
        Kind::Path => nonempty(raw, "Write a path").map(Value::Text),
        Kind::CredentialName => credential_name(raw),
        Kind::Secret => secret(raw),
        Kind::Command => command(raw),
        Kind::Url => url(raw),
        Kind::Scopes => scopes(raw),
        Kind::Host => host(raw).map(Value::Text),
        Kind::Address => {
            let (name, addr) = address(&text(raw)?)?;
            Ok(Value::Address { name, addr })
        }
        Kind::Addresses => list(raw)?
            .iter()
            .map(|a| address(a).map(|(_, addr)| addr))
            .collect::<Result<_, _>>()
            .map(Value::List),
        Kind::Mailboxes => mailboxes(raw),
        Kind::Bool => boolean(raw).map(Value::Bool),
        Kind::Integer { min, max } => {
            let n = integer(raw)?;
            range(n, min, max, |n| n.to_string()).map(Value::Integer)
        }
        Kind::Duration { min_s, max_s } => {
            let secs = quantity(
                raw,
                DURATION_UNITS,
                "Write seconds, or text such as \"90s\", \"5m\", \"24h\" or \"30d\"",
            )?;
            range(secs, min_s, max_s, show_seconds).map(|s| Value::Duration(Duration::from_secs(s)))
        }
        Kind::Bytes { min, max } => {
            let bytes = quantity(raw, BYTE_UNITS, "Write bytes, or text such as \"64 MiB\"")?;
            range(bytes, min, max, show_bytes).map(Value::Integer)
        }
        Kind::Fraction => fraction(raw),
        Kind::Words(words) => word(raw, words),
        Kind::Filter => filter(raw),
        Kind::Folder => folder(raw),
        Kind::AuthservIds => authserv_ids(raw),
        Kind::Listen => listen(raw).map(Value::Text),
        Kind::SecretUrl => url(raw),
        Kind::Phrases => phrases(raw),
        Kind::Hours => hours(raw).map(Value::Text),
        Kind::Zone => zone(raw).map(Value::Text),
        Kind::Networks => match network::list(list(raw)?) {
            Ok(networks) => Ok(Value::List(networks)),
            Err(what) => fault(what, network::REMEDY),
        },
    }
}

/// Words to be looked for; each needs letters or digits.
fn phrases(raw: &Raw) -> Result<Value, Fault> {
    let found = list(raw)?;
    let fits = |phrase: &String| phrase.chars().filter(|c| c.is_alphanumeric()).count() > 1;
    match found.iter().find(|phrase| !fits(phrase)) {
        Some(bad) => fault(
            format!("{bad:?} is no word"),
            "Write words or phrases, for example [\"expert opinion\", \"escrow\"]",
        ),
        None => Ok(Value::List(found)),
    }
}

/// Days and hours, or `none`.
fn hours(raw: &Raw) -> Result<String, Fault> {
    let written = nonempty(raw, "Write none, or days and hours")?;
    if written.eq_ignore_ascii_case("none") {
        return Ok("none".to_owned());
    }
    match WorkingHours::parse(&written) {
        Ok(hours) => Ok(hours.as_str().to_owned()),
        Err(what) => fault(what, "Or write none, for any time"),
    }
}

fn zone(raw: &Raw) -> Result<String, Fault> {
    let written = text(raw)?;
    match ZoneChoice::parse(&written) {
        Ok(_) => Ok(written.trim().to_owned()),
        Err(remedy) => fault(format!("{written:?} is no zone that is known"), remedy),
    }
}

/// Address and port, or `off`.
fn listen(raw: &Raw) -> Result<String, Fault> {
    const REMEDY: &str = "Write an address and a port such as 127.0.0.1:8025, or off";
    let written = nonempty(raw, REMEDY)?;
    if written.eq_ignore_ascii_case("off") {
        return Ok("off".to_owned());
    }
    let address = match written.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => written.clone(),
    };
    match address.parse::<std::net::SocketAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => fault(format!("{written:?} is no address with a port"), REMEDY),
    }
}

/// What kind of value a source wrote, for messages.
fn shape(raw: &Raw) -> &'static str {
    match raw {
        Raw::Loose(_) | Raw::Str(_) => "text",
        Raw::Int(_) => "a whole number",
        Raw::Float(_) => "a number with a point",
        Raw::Bool(_) => "true or false",
        Raw::List(_) => "a list",
        Raw::Unprotected => "a switch",
    }
}

fn text(raw: &Raw) -> Result<String, Fault> {
    match raw {
        Raw::Loose(s) | Raw::Str(s) if !s.chars().any(char::is_control) => Ok(s.trim().to_owned()),
        Raw::Loose(_) | Raw::Str(_) => fault(
            "control characters or line breaks in it",
            "Write it on one line",
        ),
        other => fault(
            format!("text is wanted, not {}", shape(other)),
            "Put it in quotation marks",
        ),
    }
}

fn nonempty(raw: &Raw, remedy: &str) -> Result<String, Fault> {
    let s = text(raw)?;
    if s.is_empty() {
        return fault("it is empty", remedy);
    }
    Ok(s)
}

fn secret(raw: &Raw) -> Result<Value, Fault> {
    match raw {
        // Not trimmed: a blank may belong to it.
        Raw::Loose(s) | Raw::Str(s) => secret_text(s).map(|()| Value::Text(s.clone())),
        other => fault(
            format!("text is wanted, not {}", shape(other)),
            "Put it in quotation marks",
        ),
    }
}

/// What every secret must fulfil, wherever it comes from.
pub(super) fn secret_text(s: &str) -> Result<(), Fault> {
    if s.is_empty() {
        return fault("it is empty", "Write the secret, or remove the key");
    }
    if s.contains(['\r', '\n', '\0']) {
        return fault(
            "line breaks in it",
            "A secret is one line; check that it is the right one",
        );
    }
    Ok(())
}

/// A command line, or a program and its arguments. No message shows it: it may hold a secret.
fn command(raw: &Raw) -> Result<Value, Fault> {
    let remedy = "Write a line for the shell, or a list of program and arguments";
    match raw {
        Raw::List(items) if items.first().is_none_or(|p| p.trim().is_empty()) => {
            fault("it names no program", remedy)
        }
        Raw::List(items) if items.iter().any(|i| i.contains('\0')) => {
            fault("a NUL character in it", remedy)
        }
        Raw::List(items) => Ok(Value::List(items.clone())),
        Raw::Loose(_) | Raw::Str(_) => nonempty(raw, remedy).map(Value::Text),
        other => fault(
            format!("text or a list is wanted, not {}", shape(other)),
            remedy,
        ),
    }
}

fn url(raw: &Raw) -> Result<Value, Fault> {
    let written = nonempty(
        raw,
        "Write an address such as https://login.example.com/token",
    )?;
    match crate::http::check_url(&written) {
        Ok(()) => Ok(Value::Text(written)),
        Err(e) => fault(e.to_string(), "Copy it from the provider's documentation"),
    }
}

/// RFC 6749 §3.3: scope tokens are separated by blanks.
fn scopes(raw: &Raw) -> Result<Value, Fault> {
    let remedy = "Write them as a list, for example [\"https://mail.google.com/\"]";
    let words: Vec<String> = match raw {
        Raw::Str(s) | Raw::Loose(s) => s
            .split([' ', ','])
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect(),
        other => list(other)?,
    };
    let fits = |w: &String| {
        !w.is_empty()
            && w.bytes()
                .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    };
    match words.iter().find(|w| !fits(w)) {
        Some(bad) => fault(format!("{bad:?} is no scope"), remedy),
        None => Ok(Value::List(words)),
    }
}

fn credential_name(raw: &Raw) -> Result<Value, Fault> {
    let name = nonempty(raw, "Write the name given in LoadCredential=")?;
    if name.contains('/') || name == "." || name == ".." {
        return fault(
            format!("{name:?} is no name of a credential"),
            "Write the name given in LoadCredential=, without a folder",
        );
    }
    Ok(Value::Text(name))
}

/// Host in its ASCII form.
fn host(raw: &Raw) -> Result<String, Fault> {
    const REMEDY: &str = "Write a host name such as imap.example.com, or an IP address";
    let written = nonempty(raw, REMEDY)?;
    if written.parse::<std::net::IpAddr>().is_ok() {
        return Ok(written);
    }
    if written.contains("://") || written.contains('/') || written.contains(':') {
        return fault(
            format!("{written:?} has a scheme, a port or a path in it"),
            "Write the host alone; the port is a key of its own",
        );
    }
    let ascii = idna::domain_to_ascii(written.trim_end_matches('.')).unwrap_or_default();
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if ascii.is_empty() || ascii.len() > 253 || !ascii.split('.').all(label) {
        return fault(format!("{written:?} is no host name"), REMEDY);
    }
    Ok(ascii)
}

/// Whether a host is this machine: the only place to which plain connections go.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Splits `Name <address>` or a bare address, and checks the address.
pub(super) fn address(written: &str) -> Result<(String, String), Fault> {
    let written = written.trim();
    let (name, addr) = match written.rsplit_once('<') {
        Some((name, rest)) if rest.ends_with('>') => (
            name.trim().trim_matches('"').trim().to_owned(),
            rest.trim_end_matches('>').trim(),
        ),
        _ => (String::new(), written),
    };
    if lettre::Address::from_str(addr).is_err() {
        return fault(
            format!("{written:?} is no mail address"),
            "Write an address such as sales@example.com",
        );
    }
    Ok((name, addr.to_owned()))
}

fn list(raw: &Raw) -> Result<Vec<String>, Fault> {
    match raw {
        Raw::Loose(s) => Ok(s
            .split(',')
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect()),
        Raw::List(items) => Ok(items.clone()),
        other => fault(
            format!("a list is wanted, not {}", shape(other)),
            "Write [\"…\", \"…\"]",
        ),
    }
}

fn mailboxes(raw: &Raw) -> Result<Value, Fault> {
    let names = list(raw)?;
    if names.is_empty() {
        return fault(
            "no mailbox is named",
            "Write at least one, for example INBOX",
        );
    }
    if names.len() > 50 {
        return fault(
            format!("{} mailboxes are named", names.len()),
            "One connection watches them all: name at most 50",
        );
    }
    let mut seen = std::collections::HashSet::new();
    for name in &names {
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            return fault(
                format!("{name:?} is no name of a mailbox"),
                "Write the name as the server shows it",
            );
        }
        // RFC 3501 §5.1: INBOX is the one name without case.
        let same = if name.eq_ignore_ascii_case("INBOX") {
            "INBOX"
        } else {
            name.as_str()
        };
        if !seen.insert(same.to_owned()) {
            return fault(format!("{name:?} is named twice"), "Name it once");
        }
    }
    Ok(Value::List(names))
}

/// `auto`, `off`, or the name of a mailbox as the server shows it.
fn folder(raw: &Raw) -> Result<Value, Fault> {
    let name = nonempty(
        raw,
        "Write auto, off, or the folder's name as the server shows it",
    )?;
    if name.eq_ignore_ascii_case("INBOX") {
        return fault(
            "INBOX is neither a spam nor a Sent folder",
            "Write auto, off, or another folder's name",
        );
    }
    Ok(Value::Text(match name.to_ascii_lowercase().as_str() {
        word @ ("auto" | "off") => word.to_owned(),
        _ => name,
    }))
}

/// Names of servers, separated by commas or blanks; `-` stands for a server that writes none.
fn authserv_ids(raw: &Raw) -> Result<Value, Fault> {
    let mut ids = Vec::new();
    for written in list(raw)? {
        for id in written.split_whitespace() {
            let plain = id.strip_prefix("*.").unwrap_or(id);
            let good = id == "-"
                || (!plain.is_empty()
                    && plain
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')));
            // "*.com" would believe half of the world.
            if !good || (id.starts_with("*.") && !plain.contains('.')) {
                return fault(
                    format!("{id:?} is no name of a mail server"),
                    "Write the first word of the Authentication-Results field that your server adds",
                );
            }
            ids.push(id.to_ascii_lowercase());
        }
    }
    Ok(Value::List(ids))
}

/// Booleans as the predecessor's framework and its helpers read them, whatever the case.
fn boolean(raw: &Raw) -> Result<bool, Fault> {
    let remedy = "Write true or false";
    match raw {
        Raw::Bool(b) => Ok(*b),
        Raw::Loose(s) => match s.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "ok" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
            _ => fault(format!("{s:?} is neither true nor false"), remedy),
        },
        other => fault(
            format!("true or false is wanted, not {}", shape(other)),
            format!("{remedy}, without quotation marks"),
        ),
    }
}

fn integer(raw: &Raw) -> Result<u64, Fault> {
    let remedy = "Write a whole number";
    match raw {
        Raw::Int(n) => u64::try_from(*n).or_else(|_| fault(format!("{n} is negative"), remedy)),
        Raw::Loose(s) => s
            .trim()
            .parse()
            .or_else(|_| fault(format!("{s:?} is no whole number"), remedy)),
        other => fault(
            format!("a whole number is wanted, not {}", shape(other)),
            format!("{remedy}, without quotation marks"),
        ),
    }
}

/// Unit names with their factors.
type Units = &'static [(&'static str, u64)];

const DURATION_UNITS: Units = &[
    ("", 1),
    ("s", 1),
    ("sec", 1),
    ("m", 60),
    ("min", 60),
    ("h", 3600),
    ("d", 86_400),
];
const BYTE_UNITS: Units = &[
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

fn quantity(raw: &Raw, units: Units, remedy: &str) -> Result<u64, Fault> {
    let s = match raw {
        Raw::Int(n) => {
            return u64::try_from(*n).or_else(|_| fault(format!("{n} is negative"), remedy));
        }
        Raw::Loose(s) | Raw::Str(s) => s.trim(),
        other => {
            return fault(
                format!("a number or text is wanted, not {}", shape(other)),
                remedy,
            );
        }
    };
    let digits = s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = s.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let factor = units.iter().find(|(name, _)| *name == unit);
    match (number.parse::<u64>(), factor) {
        (Ok(n), Some((_, factor))) => n
            .checked_mul(*factor)
            .map_or_else(|| fault(format!("{s:?} is too large"), remedy), Ok),
        _ => fault(format!("{s:?} is not understood"), remedy),
    }
}

fn range(n: u64, min: u64, max: u64, show: fn(u64) -> String) -> Result<u64, Fault> {
    if n < min {
        return fault(
            format!("{} is less than {}", show(n), show(min)),
            format!("Write {} or more", show(min)),
        );
    }
    if n > max {
        return fault(
            format!("{} is more than {}", show(n), show(max)),
            format!("Write {} or less", show(max)),
        );
    }
    Ok(n)
}

fn fraction(raw: &Raw) -> Result<Value, Fault> {
    let remedy = "Write a number from 0 to 1, for example 0.7";
    let x = match raw {
        Raw::Float(x) => *x,
        Raw::Int(0) => 0.0,
        Raw::Int(1) => 1.0,
        Raw::Int(n) => return fault(format!("{n} is not between 0 and 1"), remedy),
        Raw::Loose(s) => s
            .trim()
            .parse()
            .or_else(|_| fault(format!("{s:?} is no number"), remedy))?,
        other => {
            return fault(format!("a number is wanted, not {}", shape(other)), remedy);
        }
    };
    if (0.0..=1.0).contains(&x) {
        Ok(Value::Fraction(x))
    } else {
        fault(format!("{x} is not between 0 and 1"), remedy)
    }
}

fn word(raw: &Raw, words: &[&str]) -> Result<Value, Fault> {
    if let Raw::Unprotected = raw {
        return Ok(Value::Unprotected);
    }
    let written = text(raw)?;
    if words.contains(&written.as_str()) {
        return Ok(Value::Text(written));
    }
    let guess = nearest(&written, words.iter().copied());
    fault(
        format!("{written:?} is not one of {}", words.join(", ")),
        guess.map_or_else(
            || "Write one of these words".to_owned(),
            |g| format!("Did you mean {g:?}?"),
        ),
    )
}

fn filter(raw: &Raw) -> Result<Value, Fault> {
    let written = nonempty(raw, "Write a level such as info")?;
    match tracing_subscriber::EnvFilter::builder().parse(&written) {
        Ok(_) => Ok(Value::Text(written)),
        Err(error) => fault(
            format!("{written:?} is no filter ({error})"),
            "Write a level such as info, or replyd=debug",
        ),
    }
}

/// `90 s`, `5 min`, `24 h`, `30 d`: the greatest unit that divides it more than once.
pub(super) fn show_seconds(s: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let unit = units
        .iter()
        .find(|(unit, _)| s > *unit && s.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{} {name}", s / unit),
        None => format!("{s} s"),
    }
}

/// `64 MiB` where it divides, else bytes.
pub(super) fn show_bytes(n: u64) -> String {
    if n > 0 && n.is_multiple_of(1 << 20) {
        format!("{} MiB", n >> 20)
    } else {
        format!("{n} bytes")
    }
}
