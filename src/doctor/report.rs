//! What was found: a line a check, for people and as JSON (docs/OPERATIONS.md "doctor --json").

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::Exit;
use crate::fault::Fault;
use crate::time::UtcMs;

/// Changes when a field changes its meaning or goes away; new fields do not change it.
const JSON_VERSION: u32 = 1;
/// Width of the check's name in the text.
const NAME_WIDTH: usize = 18;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and the operator should know something.
    Warning,
    /// It does not work.
    Failed,
    /// Not looked at; the text says why.
    Skipped,
}

impl Verdict {
    fn shown(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Its word, stable: `imap.tls`.
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found, in one line.
    pub text: String,
    /// What is wrong, by its word in the table of faults.
    #[serde(serialize_with = "word")]
    pub fault: Option<Fault>,
    /// What to do, in sentences; empty: nothing.
    pub remedy: String,
    /// How long it took, in milliseconds.
    pub took_ms: Option<u64>,
    /// Facts for programs; which ones there are depends on the check.
    pub details: Map<String, Value>,
}

fn word<S: serde::Serializer>(fault: &Option<Fault>, s: S) -> Result<S::Ok, S::Error> {
    match fault {
        Some(fault) => s.serialize_str(fault.code()),
        None => s.serialize_none(),
    }
}

impl Check {
    fn new(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            text: text.into(),
            fault: None,
            remedy: String::new(),
            took_ms: None,
            details: Map::new(),
        }
    }

    /// As it should be.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, text)
    }

    /// Not looked at.
    pub fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self::new(check, Verdict::Skipped, why)
    }

    /// Something that the catalogue knows; `detail` is what was met, and follows the title.
    pub fn fault(check: &'static str, fault: Fault, detail: impl Display) -> Self {
        let detail = detail.to_string();
        let verdict = match fault.doctor_exit() {
            Exit::Done => Verdict::Warning,
            _ => Verdict::Failed,
        };
        let mut text = fault.title().to_owned();
        if !detail.is_empty() {
            // Writing to a String does not fail.
            write!(text, " ({detail})").unwrap_or_default();
        }
        Self {
            fault: Some(fault),
            remedy: fault.remedy().to_owned(),
            ..Self::new(check, verdict, text)
        }
    }

    /// Something that the catalogue has no word for and that stops nothing.
    pub fn warning(
        check: &'static str,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            remedy: remedy.into(),
            ..Self::new(check, Verdict::Warning, text)
        }
    }

    /// With how long it took.
    #[must_use]
    pub fn took(mut self, took: Option<Duration>) -> Self {
        self.took_ms = took.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// With a fact for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    fn exit(&self) -> Exit {
        match (self.verdict, self.fault) {
            (Verdict::Failed, Some(fault)) => fault.doctor_exit(),
            (Verdict::Failed, None) => Exit::NeedsPerson,
            _ => Exit::Done,
        }
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, name) = (self.verdict.shown(), self.check.replace(['.', '_'], " "));
        write!(f, "  {verdict:<8} {name:<NAME_WIDTH$} {}", self.text)?;
        if let Some(ms) = self.took_ms {
            write!(f, " [{ms} ms]")?;
        }
        writeln!(f)?;
        if !self.remedy.is_empty() {
            let code = self.fault.map(|c| format!("{c}: ")).unwrap_or_default();
            writeln!(f, "  {:<8} {:<NAME_WIDTH$} → {code}{}", "", "", self.remedy)?;
        }
        Ok(())
    }
}

/// What belongs together: the installation, or one account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The account; none: the installation.
    pub account: Option<String>,
    /// In the order in which one looks.
    pub checks: Vec<Check>,
}

impl Group {
    /// An empty one.
    #[must_use]
    pub fn new(account: Option<&str>) -> Self {
        Self {
            account: account.map(str::to_owned),
            checks: Vec::new(),
        }
    }

    /// Adds what was found.
    pub fn add(&mut self, check: Check) {
        self.checks.push(check);
    }
}

impl Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(name) => writeln!(f, "account {name}")?,
            None => writeln!(f, "installation")?,
        }
        self.checks
            .iter()
            .try_for_each(|check| write!(f, "{check}"))?;
        writeln!(f)
    }
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    version: u32,
    replyd: &'static str,
    /// When it was begun.
    pub at: UtcMs,
    /// 0, 2, 64 or 75 (docs/DECISIONS.md "Exit codes").
    exit: u8,
    ok: usize,
    warnings: usize,
    failed: usize,
    skipped: usize,
    /// The installation first, then the accounts in the order of the settings.
    pub groups: Vec<Group>,
}

impl Report {
    /// Counts what the groups hold.
    #[must_use]
    pub fn new(at: UtcMs, groups: Vec<Group>) -> Self {
        let count = |verdict| {
            let checks = groups.iter().flat_map(|g| &g.checks);
            checks.filter(|c| c.verdict == verdict).count()
        };
        let (ok, warnings) = (count(Verdict::Ok), count(Verdict::Warning));
        let (failed, skipped) = (count(Verdict::Failed), count(Verdict::Skipped));
        Self {
            version: JSON_VERSION,
            replyd: env!("CARGO_PKG_VERSION"),
            at,
            exit: exit(&groups).code(),
            ok,
            warnings,
            failed,
            skipped,
            groups,
        }
    }

    /// What the caller of the command is told.
    #[must_use]
    pub fn exit(&self) -> Exit {
        exit(&self.groups)
    }

    /// The last line of the text.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self {
            ok,
            warnings,
            failed,
            skipped,
            ..
        } = self;
        let plural = if *warnings == 1 { "" } else { "s" };
        format!("{ok} ok, {warnings} warning{plural}, {failed} failed, {skipped} skipped")
    }
}

/// The gravest of all checks.
fn exit(groups: &[Group]) -> Exit {
    let checks = groups.iter().flat_map(|g| &g.checks);
    checks.map(Check::exit).fold(Exit::Done, Exit::worse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_gravest_of_all_checks() {
        let report = |faults: &[Fault]| {
            let mut group = Group::new(Some("a"));
            group.add(Check::ok("imap.name", "fine"));
            for fault in faults {
                group.add(Check::fault("x", *fault, ""));
            }
            Report::new(UtcMs(0), vec![Group::new(None), group])
        };
        assert_eq!(report(&[]).exit().code(), 0);
        assert_eq!(report(&[Fault::IdleMissing]).exit().code(), 0);
        assert_eq!(report(&[Fault::PortClosed]).exit().code(), 75);
        let both = report(&[Fault::PortClosed, Fault::WrongPassword]);
        assert_eq!(both.exit().code(), 2);
        assert_eq!(both.summary(), "1 ok, 0 warnings, 2 failed, 0 skipped");
        assert_eq!(
            report(&[Fault::BadSettings, Fault::DiskFull]).exit().code(),
            64
        );
    }

    #[test]
    fn a_line_says_what_and_below_it_what_to_do() {
        let check = Check::fault("imap.connect", Fault::PortClosed, "127.0.0.1:9")
            .took(Some(Duration::from_millis(3)));
        let text = check.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "  FAILED   imap connect       Nobody listens on this port (connection refused) \
             (127.0.0.1:9) [3 ms]"
        );
        assert!(
            lines[1].contains("→ port-closed: Check `host` and `port`"),
            "{text}"
        );
    }

    #[test]
    fn the_json_has_the_documented_fields() {
        let mut group = Group::new(None);
        group.add(Check::fault("state.disk", Fault::DiskLow, "2 MiB left").with("free_bytes", 7));
        let json = serde_json::to_value(Report::new(UtcMs(0), vec![group])).unwrap();
        assert_eq!(json["version"], 1);
        assert_eq!(json["exit"], 0);
        assert_eq!(json["warnings"], 1);
        let check = &json["groups"][0]["checks"][0];
        assert_eq!(json["groups"][0]["account"], Value::Null);
        assert_eq!(check["check"], "state.disk");
        assert_eq!(check["verdict"], "warning");
        assert_eq!(check["fault"], "disk-low");
        assert_eq!(check["details"]["free_bytes"], 7);
        assert_eq!(check["took_ms"], Value::Null);
    }
}
