//! What our own mail server found out about the sender: Authentication-Results (RFC 8601). Pure
//! and bounded.
//!
//! Anybody can write such a field into a mail. Believed is only what bears our own server's name
//! (the setting `authserv_id`) and stands where only our server can have put it: at or above the
//! hop at which the mail came to us. Our server's fields lie on top, as each server adds its own
//! above what it got; what the sender wrote lies below.
//!
//! ```text
//! Received: from relay by imap.our.example        an inner hop: `by` is ours, and so is `from`
//! Authentication-Results: our.example; …          counts
//! Received: from mx.sender.example by mx.our.example      the border
//! Authentication-Results: our.example; …          counts if nothing above did, and only this one
//! DKIM-Signature: …                               from here on the sender's own words
//! Received: from … by mx.sender.example
//! Authentication-Results: our.example; dmarc=pass         forged: does not count
//! ```

use crate::mime::Mail;
use crate::model::{Address, SenderAuth};

/// Fields that are looked at.
const MAX_FIELDS: usize = 20;
/// Bytes of one field that are read.
const MAX_BYTES: usize = 8 * 1024;
/// Results of one field that are read.
const MAX_RESULTS: usize = 50;

/// What was said of each way of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthResults {
    /// DMARC (RFC 7489) for the domain of From.
    pub dmarc: SenderAuth,
    /// SPF (RFC 7208); a pass only when its domain is aligned with From's.
    pub spf: SenderAuth,
    /// DKIM (RFC 6376); a pass only when a valid signature's domain is aligned with From's.
    pub dkim: SenderAuth,
}

impl AuthResults {
    /// Nothing that we may believe was said.
    pub const NONE: Self = Self {
        dmarc: SenderAuth::Unknown,
        spf: SenderAuth::Unknown,
        dkim: SenderAuth::Unknown,
    };

    /// Whether From's domain is proven: by DMARC, or by an aligned SPF or DKIM result. A failed
    /// DMARC is a failure whatever else is said; without one, SPF and DKIM must both have failed,
    /// because forwarding alone breaks either of them.
    #[must_use]
    pub fn sender(&self) -> SenderAuth {
        use SenderAuth::{Fail, Pass, Unknown};
        match (self.dmarc, self.spf, self.dkim) {
            (Pass, _, _) => Pass,
            (Fail, _, _) => Fail,
            (Unknown, Pass, _) | (Unknown, _, Pass) => Pass,
            (Unknown, Fail, Fail) => Fail,
            (Unknown, _, _) => Unknown,
        }
    }
}

impl Default for AuthResults {
    fn default() -> Self {
        Self::NONE
    }
}

/// What our own server said of the sender of `mail`. `ids` are its names as the settings give
/// them (lower case; `*.example.com`: any host of the domain; `-`: it writes none); with none,
/// nothing is believed. A mail with more or fewer senders than one proves nothing.
#[must_use]
pub fn read(mail: &Mail, ids: &[String]) -> AuthResults {
    let from = mail.from.as_ref().map(Address::key).unwrap_or_default();
    let Some((_, domain)) = from.rsplit_once('@') else {
        return AuthResults::NONE;
    };
    if ids.is_empty() || mail.from_count != 1 {
        return AuthResults::NONE;
    }
    let mut spoken = Spoken::default();
    for field in trusted(mail, ids) {
        // The topmost that speaks of a way counts, whatever it says; one below never mends it.
        let said = said(&field, domain);
        spoken.dmarc = spoken.dmarc.or(said.dmarc);
        spoken.spf = spoken.spf.or(said.spf);
        spoken.dkim = spoken.dkim.or(said.dkim);
    }
    AuthResults {
        dmarc: spoken.dmarc.unwrap_or(SenderAuth::Unknown),
        spf: spoken.spf.unwrap_or(SenderAuth::Unknown),
        dkim: spoken.dkim.unwrap_or(SenderAuth::Unknown),
    }
}

/// The ways of proof that a field speaks of.
#[derive(Clone, Copy, Debug, Default)]
struct Spoken {
    dmarc: Option<SenderAuth>,
    spf: Option<SenderAuth>,
    dkim: Option<SenderAuth>,
}

/// The fields that only our server can have written, from the top.
fn trusted(mail: &Mail, ids: &[String]) -> Vec<Field> {
    let mut above: Vec<Field> = Vec::new();
    let mut border = false;
    for (name, value) in &mail.headers {
        match name.as_str() {
            "received" => {
                // What is above the first foreign hop is all that can be told; a second border
                // would be one that the sender wrote.
                if border || !by_ours(value, ids) {
                    break;
                }
                border = !from_ours(value, ids);
            }
            "authentication-results" => {
                let Some(field) = parse(value).filter(|f| is_ours(f.id.as_deref(), ids)) else {
                    continue;
                };
                if border && above.is_empty() {
                    return vec![field];
                }
                if border {
                    break;
                }
                if above.len() < MAX_FIELDS {
                    above.push(field);
                }
            }
            _ => {}
        }
    }
    above
}

fn is_ours(id: Option<&str>, ids: &[String]) -> bool {
    let Some(id) = id else {
        return ids.iter().any(|known| known == "-");
    };
    let id = id.trim_end_matches('.').to_ascii_lowercase();
    ids.iter().any(|known| match known.strip_prefix("*.") {
        Some(domain) => id == domain || is_below(&id, domain),
        None => id == *known,
    })
}

/// Whether a hop was taken in by a server of ours: its `by` is one of the names, or a host of
/// the same domain. Without a name to compare, every hop may be; then the first is the border.
fn by_ours(received: &str, ids: &[String]) -> bool {
    match clause(received, "by") {
        Some(host) => named(ids).next().is_none() || hosts_ours(&host, ids),
        // Some inner hops name nobody.
        None => clause(received, "from").is_none(),
    }
}

/// Whether a hop came from one of our own servers: it is no border.
fn from_ours(received: &str, ids: &[String]) -> bool {
    clause(received, "from").is_none_or(|host| is_this_machine(&host) || hosts_ours(&host, ids))
}

fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[127.0.0.1]" | "::1")
}

fn named(ids: &[String]) -> impl Iterator<Item = &str> {
    ids.iter().map(String::as_str).filter(|id| *id != "-")
}

fn hosts_ours(host: &str, ids: &[String]) -> bool {
    let host = host.trim_end_matches('.');
    let listed = named(ids).any(|id| {
        let domain = organisation(id.strip_prefix("*.").unwrap_or(id));
        host == domain || is_below(host, domain)
    });
    listed || (named(ids).next().is_some() && is_inner(host))
}

/// Large servers name their inner hops by an address, or by a name that nobody else can use.
fn is_inner(host: &str) -> bool {
    let private = ["internal", "local", "localdomain", "lan"];
    host.trim_matches(['[', ']'])
        .parse::<core::net::IpAddr>()
        .is_ok()
        || host
            .rsplit_once('.')
            .is_none_or(|(_, top)| private.contains(&top))
}

/// The word behind `from` or `by` of a Received field (RFC 5321 §4.4), in lower case.
fn clause(received: &str, which: &str) -> Option<String> {
    let mut depth = 0_u32;
    let mut plain = String::new();
    for c in received.chars().take(MAX_BYTES) {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            // The date follows; nothing behind it is a clause.
            ';' if depth == 0 => break,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let mut words = plain.split_whitespace();
    words.find(|w| w.eq_ignore_ascii_case(which))?;
    words.next().map(str::to_ascii_lowercase)
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
}

/// The domain that a host belongs to, without a list of public suffixes: one label less, unless
/// what is left is what everybody registers under (`com`, `co.uk`).
fn organisation(host: &str) -> &str {
    match host.split_once('.') {
        Some((_, rest)) if is_registrable(rest) => rest,
        _ => host,
    }
}

/// Whether a domain is more than a public suffix, as far as its form tells.
fn is_registrable(domain: &str) -> bool {
    let mut labels = domain.rsplit('.');
    let (Some(top), Some(second)) = (labels.next(), labels.next()) else {
        return false;
    };
    let shared = top.len() == 2
        && (second.len() <= 3 || matches!(second, "gouv" | "asso" | "info" | "name"));
    labels.next().is_some() || !shared
}

/// One field.
#[derive(Debug)]
struct Field {
    /// The server's name; none where it writes none.
    id: Option<String>,
    results: Vec<Said>,
}

/// `method=result` with its properties.
#[derive(Debug)]
struct Said {
    method: String,
    result: String,
    /// `header.d`, `smtp.mailfrom`, … with their values, in lower case.
    properties: Vec<(String, String)>,
}

/// Reads a field (RFC 8601 §2.2), without its comments. None when there is nothing to read.
fn parse(value: &str) -> Option<Field> {
    let mut parts = split(value).into_iter();
    let mut first = parts.next()?;
    let mut results: Vec<Vec<String>> = Vec::new();
    // Microsoft 365 begins with a result; others with a name and perhaps a version.
    let id = match first.first() {
        Some(word) if word.contains('=') => {
            results.push(std::mem::take(&mut first));
            None
        }
        Some(word) => Some(word.to_ascii_lowercase()),
        None => return None,
    };
    results.extend(parts);
    let results = results.into_iter().take(MAX_RESULTS).filter_map(|words| {
        let mut words = words.into_iter();
        let (method, result) = pair(&words.next()?)?;
        Some(Said {
            // `dkim/1=pass`: the version says nothing here.
            method: method.split('/').next().unwrap_or(&method).to_owned(),
            result,
            properties: words.filter_map(|w| pair(&w)).collect(),
        })
    });
    Some(Field {
        id,
        results: results.collect(),
    })
}

fn pair(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    Some((
        name.trim().to_ascii_lowercase(),
        value.trim().to_ascii_lowercase(),
    ))
}

/// The words of each part between semicolons; comments are left out, quotes are taken off, and
/// blanks around `=` do not separate.
fn split(value: &str) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = vec![Vec::new()];
    let mut word = String::new();
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    let end = |parts: &mut Vec<Vec<String>>, word: &mut String| {
        if word.is_empty() {
            return;
        }
        let word = std::mem::take(word);
        let Some(part) = parts.last_mut() else { return };
        match part.last_mut() {
            // `header.from = example.com`
            Some(last) if last.ends_with('=') || word.starts_with('=') => last.push_str(&word),
            _ => part.push(word),
        }
    };
    for c in value.chars().take(MAX_BYTES) {
        if escaped {
            escaped = false;
            if depth == 0 {
                word.push(c);
            }
            continue;
        }
        match c {
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted && depth > 0 => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            ';' if !quoted => {
                end(&mut parts, &mut word);
                parts.push(Vec::new());
            }
            c if c.is_whitespace() && !quoted => end(&mut parts, &mut word),
            c => word.push(c),
        }
    }
    end(&mut parts, &mut word);
    // What was cut off, or never ended, says nothing.
    if quoted || depth > 0 || value.chars().nth(MAX_BYTES).is_some() {
        parts.pop();
    }
    parts
}

/// What one field says about mail from `domain`.
fn said(field: &Field, domain: &str) -> Spoken {
    let mut found = Spoken::default();
    for result in &field.results {
        match result.method.as_str() {
            "dmarc" => {
                // It names the domain that it is about; another one's proof is none.
                let about = result.property(&["header.from"]);
                let verdict = match result.result.as_str() {
                    "pass" if about.is_none_or(|d| same(d, domain)) => SenderAuth::Pass,
                    "fail" => SenderAuth::Fail,
                    _ => SenderAuth::Unknown,
                };
                found.dmarc = found.dmarc.or(Some(verdict));
            }
            "spf" => {
                let about = result.property(&["smtp.mailfrom", "smtp.helo"]);
                let verdict = result.verdict(about, domain);
                found.spf = found.spf.or(Some(verdict));
            }
            "dkim" => {
                let about = result.property(&["header.d", "header.i"]);
                let verdict = result.verdict(about, domain);
                // Of several signatures one valid and aligned is enough.
                if verdict == SenderAuth::Pass || found.dkim.is_none() {
                    found.dkim = Some(verdict);
                }
            }
            _ => {}
        }
    }
    found
}

impl Said {
    /// The domain in the first of these properties that is there.
    fn property(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let (_, value) = self.properties.iter().find(|(n, _)| n == name)?;
            let value = value.trim_matches(['<', '>']);
            Some(value.rsplit_once('@').map_or(value, |(_, domain)| domain))
        })
    }

    fn verdict(&self, about: Option<&str>, domain: &str) -> SenderAuth {
        match (self.result.as_str(), about) {
            ("pass", Some(about)) if aligned(about, domain) => SenderAuth::Pass,
            ("fail" | "hardfail" | "policy", _) => SenderAuth::Fail,
            _ => SenderAuth::Unknown,
        }
    }
}

/// RFC 7489 §3.1 in its relaxed form, without a list of public suffixes: equal, or one below the
/// other. Two hosts side by side below one domain are not taken for each other.
fn aligned(one: &str, other: &str) -> bool {
    let (one, other) = (ascii(one), ascii(other));
    same(&one, &other)
        || (is_registrable(&one) && is_below(&other, &one))
        || (is_registrable(&other) && is_below(&one, &other))
}

fn same(one: &str, other: &str) -> bool {
    ascii(one) == ascii(other)
}

fn ascii(domain: &str) -> String {
    let domain = domain.trim_end_matches('.');
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase())
}

#[cfg(test)]
#[path = "auth_results_tests.rs"]
mod tests;
