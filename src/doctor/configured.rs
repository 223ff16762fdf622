//! The settings: whether they can be read, where secrets come from, what the service cannot see,
//! and who is told.

use std::path::{Path, PathBuf};

use super::report::{Check, Group};
use crate::config::{ConfigError, Effective, Loaded, Settings};
use crate::fault::Fault;
use crate::service;
use crate::setup;

/// What was loaded, or why nothing was.
pub(super) fn settings(loaded: Result<&Loaded, &ConfigError>, group: &mut Group) {
    let check = "settings";
    match loaded {
        Ok(loaded) => {
            let count = loaded.settings.accounts.len();
            let plural = if count == 1 { "" } else { "s" };
            let files: Vec<String> = loaded
                .files
                .iter()
                .map(|f| f.display().to_string())
                .collect();
            let from = match files.as_slice() {
                [] => "the environment".to_owned(),
                files => files.join(", "),
            };
            let text = format!("{count} account{plural}, from {from}");
            group.add(
                Check::ok(check, text)
                    .with("files", files)
                    .with("accounts", count),
            );
            for note in loaded.notes.iter().filter(|n| n.warning) {
                group.add(Check::warning(check, note.text.clone(), ""));
            }
        }
        Err(error) => {
            for problem in &error.problems {
                group.add(Check::fault(check, Fault::BadSettings, problem));
            }
            for note in error.notes.iter().filter(|n| n.warning) {
                group.add(Check::warning(check, note.text.clone(), ""));
            }
        }
    }
}

/// Where each secret comes from, never what it is.
pub(super) fn secrets(loaded: &Loaded, group: &mut Group) {
    let words = [
        "password",
        "password_file",
        "password_command",
        "token_file",
        "token_command",
    ];
    let found: Vec<String> = loaded
        .effective
        .iter()
        .filter(|e| words.iter().any(|w| e.key.ends_with(&format!(".{w}"))))
        .map(|e| format!("{} from {}", e.key, e.origin))
        .collect();
    if !found.is_empty() {
        let text = found.join("; ");
        group.add(Check::ok("settings.secrets", text).with("count", found.len()));
    }
}

/// Files of the settings that this shell may read and the installed service may not: its sandbox
/// shows it other folders in their place.
pub(super) fn hidden(loaded: &Loaded, group: &mut Group) {
    if loaded.settings.state_dir != Path::new(setup::STATE) {
        return;
    }
    for (key, path, folder) in hidden_files(&loaded.effective) {
        let text = format!(
            "{key} names {}, and the service sees {folder} empty (its unit's sandbox)",
            path.display()
        );
        let remedy = "Put the file below /etc/replyd, readable by the group replyd.";
        group.add(Check::warning("settings.files", text, remedy));
    }
}

/// Key, file, and the folder that hides it.
fn hidden_files(effective: &[Effective]) -> Vec<(&str, PathBuf, &'static str)> {
    let is_path = |key: &str| key.ends_with("_file") || key.ends_with("_dir");
    effective
        .iter()
        .filter(|e| is_path(&e.key))
        .filter_map(|e| {
            let path = PathBuf::from(e.value.trim_matches('"'));
            let folder = service::hidden_below(&path)?;
            Some((e.key.as_str(), path, folder))
        })
        .collect()
}

/// Who is told of leads and of trouble.
pub(super) fn told(settings: &Settings, group: &mut Group) {
    let check = "told";
    let is_ours = |address: &str| settings.accounts.iter().any(|a| a.address == address);
    let reply = &settings.reply;
    // As the alerts choose (`alerts`): the sales team where no operator is named.
    let operators = match reply.operator_addresses.as_slice() {
        [] => std::slice::from_ref(&reply.sales_email),
        named => named,
    };
    let text = format!(
        "leads are announced to {}, trouble to {}",
        reply.sales_email,
        operators.join(", ")
    );
    let found = if is_ours(&reply.sales_email) {
        let detail = format!("{text}: a mailbox of replyd itself");
        Check::fault(check, Fault::NobodyTold, detail)
    } else if operators.iter().all(|o| is_ours(o)) {
        let detail = format!("{text}: mailboxes that may be the trouble");
        Check::fault(check, Fault::NobodyTold, detail)
    } else {
        Check::ok(check, text)
    };
    group.add(found);
    let by_mail_alone = settings.alerts.webhook.is_none() && settings.alerts.command.is_empty();
    if by_mail_alone && let Some(user) = one_sign_in(settings) {
        let text = format!(
            "trouble is told by mail alone, and every mail needs the sign-in of {user}: when that \
             is refused, only the log knows"
        );
        let remedy = "Set `alerts.webhook` or `alerts.command`, or watch /health from outside \
                      (docs/OPERATIONS.md, Alerts).";
        group.add(Check::warning(check, text, remedy));
    }
    if let Some(to) = &settings.redirect_to {
        let text = format!("every outgoing mail goes to {to} instead of its recipient");
        group.add(Check::warning(
            check,
            text,
            "Leave `--redirect-to` out once trials are over.",
        ));
    }
}

/// The user by whom every account both hears and sends, when there is but one.
fn one_sign_in(settings: &Settings) -> Option<&str> {
    let mut users = settings.accounts.iter().flat_map(|a| {
        let sending = a.smtp.user.as_deref();
        // A server that wants no sign-in takes an alert whatever is refused elsewhere.
        [
            Some(a.imap.user.as_str()),
            sending.filter(|_| !a.smtp.console),
        ]
    });
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, Need, Origin, Sources};
    use crate::doctor::report::Verdict;

    fn found(settings: &str) -> Vec<Check> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("replyd.toml");
        std::fs::write(&file, settings).unwrap();
        let flags = Flags {
            config: Some(file),
            ..Flags::default()
        };
        let env = Environment {
            home: Some(dir.path().to_owned()),
            ..Environment::default()
        };
        let loaded = Settings::load(&Sources { env, flags }, Need::Mail).unwrap();
        let mut group = Group::new(None);
        told(&loaded.settings, &mut group);
        group.checks
    }

    fn account(name: &str, smtp: &str) -> String {
        format!(
            "[[accounts]]\nname = {name:?}\naddress = \"{name}@example.com\"\npassword = \"x\"\n\
             [accounts.imap]\nhost = \"imap.example.com\"\n\
             [accounts.smtp]\nhost = \"smtp.example.com\"\n{smtp}\n"
        )
    }

    #[test]
    fn who_is_told_of_trouble_is_the_sales_team_where_no_operator_is_named() {
        let one = account("ann", "");
        let checks = found(&format!(
            "{one}[reply]\nsales_email = \"team@example.com\"\n"
        ));
        let first = checks.first().unwrap();
        assert_eq!(first.verdict, Verdict::Ok, "{first:?}");
        let text = "leads are announced to team@example.com, trouble to team@example.com";
        assert_eq!(first.text, text);
        for people in [
            "",
            "[reply]\nsales_email = \"team@example.com\"\n\
             operator_addresses = [\"ann@example.com\"]\n",
        ] {
            let checks = found(&format!("{one}{people}"));
            assert_eq!(checks.first().unwrap().fault, Some(Fault::NobodyTold));
        }
    }

    #[test]
    fn one_sign_in_for_everything_wants_a_way_of_alerts_besides_mail() {
        let people = "[reply]\nsales_email = \"team@example.com\"\n\
                      operator_addresses = [\"op@example.net\"]\n";
        let one = account("ann", "");
        let warned = |settings: &str| {
            let checks = found(settings);
            let mut warnings = checks.iter().filter(|c| c.verdict == Verdict::Warning);
            warnings.any(|c| c.text.contains("ann@example.com") && c.remedy.contains("webhook"))
        };
        assert!(warned(&format!("{one}{people}")));
        let hook = "[alerts]\nwebhook = \"https://alerts.example.com/x\"\n";
        let command = "[alerts]\ncommand = [\"/bin/true\"]\n";
        let other = account("bob", "");
        let relay = account("ann", "user = \"relay\"\npassword = \"y\"");
        for well in [
            format!("{one}{people}{hook}"),
            format!("{one}{people}{command}"),
            format!("{one}{other}{people}"),
            format!("{relay}{people}"),
        ] {
            assert!(!warned(&well), "{well}");
        }
    }

    #[test]
    fn files_that_the_services_sandbox_hides_are_named_with_their_setting() {
        let effective = |key: &str, value: &str| Effective {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: Origin::Default,
        };
        let all = [
            effective("imap.ca_file", "\"/home/ann/ca.pem\""),
            effective("accounts[a].password_file", "\"/root/secret\""),
            effective("accounts[a].token_file", "\"/etc/replyd/token\""),
            effective("reply.templates_dir", "\"/tmp/texts\""),
            effective("accounts[a].user", "\"/home/ann\""),
        ];
        let found: Vec<_> = hidden_files(&all)
            .into_iter()
            .map(|(key, path, folder)| (key, path.display().to_string(), folder))
            .collect();
        let want = [
            ("imap.ca_file", "/home/ann/ca.pem", "/home"),
            ("accounts[a].password_file", "/root/secret", "/root"),
            ("reply.templates_dir", "/tmp/texts", "/tmp"),
        ];
        assert_eq!(
            found,
            want.map(|(key, path, folder)| (key, path.to_owned(), folder))
        );
    }
}
