//! The installation: settings, state folder, disk, database, keys, limits, and whether a replyd
//! runs on it. Looks only: makes no file and changes none.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access, statvfs};
use rustix::process::{Resource, geteuid, getrlimit};

use super::report::{Check, Group};
use crate::config::{ConfigError, Loaded, Settings};
use crate::fault::{self, Fault};
use crate::keys::Keys;
use crate::store::{Integrity, Store, StoreError, examine_blocking};

/// Less is a failure waiting for the next mail.
const DISK_FULL_BYTES: u64 = 4 * 1024 * 1024;
/// Less is worth a word.
const DISK_LOW_BYTES: u64 = 200 * 1024 * 1024;
/// How long the database's integrity is looked at: seconds for gigabytes on a fair disk.
const CHECK_DATABASE: Duration = Duration::from_secs(20);
/// A `-wal` file beyond this was never worked off: a reader that never ends, or no disk space.
const WAL_LARGE_BYTES: u64 = 256 * 1024 * 1024;
/// Files that are open whatever the number of accounts: database, log, sockets of commands.
const FILES_BASE: u64 = 128;
/// Connections and their helpers, for each account.
const FILES_EACH: u64 = 4;

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

/// The state folder and its disk. Says whether it is there.
pub(super) fn folder(settings: &Settings, group: &mut Group) -> bool {
    let (check, path) = ("state.folder", &settings.state_dir);
    let shown = path.display();
    let meta = match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => meta,
        Ok(_) => {
            let detail = format!("{shown} is no folder");
            group.add(Check::fault(check, Fault::StateNotOurs, detail));
            return false;
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let above = first_above(path);
            match writable(&above) {
                Ok(()) => group.add(Check::skipped(
                    check,
                    format!("{shown} is not there yet: the first start makes it"),
                )),
                Err(e) => group.add(Check::fault(
                    check,
                    state_fault(&e),
                    format!(
                        "{shown} is not there, and cannot be made in {}: {e}",
                        above.display()
                    ),
                )),
            }
            return false;
        }
        Err(e) => {
            let detail = format!("{shown}: {e}");
            group.add(Check::fault(check, state_fault(&e), detail));
            return false;
        }
    };
    let (mode, owner, me) = (
        meta.permissions().mode() & 0o7777,
        meta.uid(),
        geteuid().as_raw(),
    );
    let facts = |c: Check| {
        c.with("path", shown.to_string())
            .with("mode", format!("{mode:04o}"))
    };
    let text = format!("{shown}, mode {mode:04o}, {}", whose(owner, me));
    if let Err(e) = writable(path) {
        let fault = state_fault(&e);
        group.add(facts(Check::fault(check, fault, format!("{text}: {e}"))));
    } else if me != 0 && owner != me {
        group.add(facts(Check::fault(check, Fault::StateNotOurs, text)));
    } else if mode & 0o007 != 0 {
        let remedy = format!("Mails and addresses lie there: `chmod o-rwx {shown}`.");
        let text = format!("{text}: every user of this machine may look into it");
        group.add(facts(Check::warning(check, text, remedy)));
    } else {
        group.add(facts(Check::ok(check, text)));
    }
    disk(path, group);
    true
}

fn disk(path: &Path, group: &mut Group) {
    let check = "state.disk";
    let free = match statvfs(path) {
        Ok(s) => s.f_bavail.saturating_mul(s.f_frsize),
        Err(e) => {
            group.add(Check::skipped(
                check,
                format!("free space is not known: {e}"),
            ));
            return;
        }
    };
    let text = format!("{} free", bytes(free));
    let found = if free < DISK_FULL_BYTES {
        Check::fault(check, Fault::DiskFull, text)
    } else if free < DISK_LOW_BYTES {
        Check::fault(check, Fault::DiskLow, text)
    } else {
        Check::ok(check, text)
    };
    group.add(found.with("free_bytes", free));
}

/// The database file. Says whether it can be worked with.
pub(super) async fn database(settings: &Settings, group: &mut Group) -> bool {
    let (check, path) = ("state.database", settings.database.clone());
    if !path.exists() {
        let text = format!(
            "{} is not there yet: the first start makes it",
            path.display()
        );
        group.add(Check::skipped(check, text));
        return false;
    }
    let looked = path.clone();
    let found =
        tokio::task::spawn_blocking(move || examine_blocking(&looked, CHECK_DATABASE)).await;
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(e)) => {
            let detail = format!("{}: {e}", path.display());
            group.add(Check::fault(check, fault::of_store(&e), detail));
            return false;
        }
        Err(join) => {
            group.add(Check::fault(check, Fault::Unexpected, join));
            return false;
        }
    };
    let (version, known) = (found.version, found.known_version);
    let facts = |c: Check| {
        c.with("version", version)
            .with("size_bytes", found.size_bytes)
            .with("wal_bytes", found.wal_bytes)
    };
    if version > known {
        let detail = format!("it has schema {version}, this replyd knows {known}");
        group.add(facts(Check::fault(check, Fault::DatabaseNewer, detail)));
        return false;
    }
    let mut text = format!("{}, {}", path.display(), bytes(found.size_bytes));
    match &found.integrity {
        Integrity::Damaged(what) => {
            let detail = format!("{text}: {what}");
            group.add(facts(Check::fault(check, Fault::DatabaseDamaged, detail)));
            return false;
        }
        Integrity::Sound => text.push_str(", sound"),
        Integrity::Unfinished => text.push_str(", not checked to the end in 20 s"),
    }
    if version < known {
        text.push_str(", brought up to date at the next start");
    }
    let mode = std::fs::metadata(&path).map_or(0, |m| m.permissions().mode() & 0o7777);
    if mode & 0o077 != 0 {
        let remedy = format!(
            "It holds mails and addresses: `chmod 600 {}`.",
            path.display()
        );
        let text = format!("{text}: others may read it (mode {mode:04o})");
        group.add(facts(Check::warning(check, text, remedy)));
    } else if found.wal_bytes > WAL_LARGE_BYTES {
        let text = format!("{text}, {} wait in its -wal file", bytes(found.wal_bytes));
        let remedy = "A program that reads the database for hours holds it up: find it with \
                      `fuser -v` on the file.";
        group.add(facts(Check::warning(check, text, remedy)));
    } else {
        group.add(facts(Check::ok(check, text)));
    }
    version == known
}

/// The keys of Message-IDs.
pub(super) fn keys(settings: &Settings, group: &mut Group) -> Option<Keys> {
    let check = "state.keys";
    match Keys::look(&settings.state_dir, settings.keys_credential.as_deref()) {
        Ok(Some(keys)) => {
            let from = match &settings.keys_credential {
                Some(_) => "from the service's credential",
                None => "keys.json, mode 0600",
            };
            group.add(Check::ok(check, from));
            Some(keys)
        }
        Ok(None) => {
            let why = "not there yet: the first start makes them";
            group.add(Check::skipped(check, why));
            None
        }
        Err(e) => {
            group.add(Check::fault(check, fault::of_keys(&e), e));
            None
        }
    }
}

/// Whether a replyd runs on this database, and how many files it may open.
pub(super) fn service(settings: &Settings, group: &mut Group) -> bool {
    let check = "service";
    let readers = with_ending(&settings.database, "-readers.lock");
    let running = holders(&readers);
    match running.as_slice() {
        [] => group.add(Check::fault(check, Fault::NotRunning, "")),
        pids => {
            let list: Vec<String> = pids.iter().map(u32::to_string).collect();
            let text = format!("running, process {}", list.join(", "));
            group.add(Check::ok(check, text).with("pids", pids.to_vec()));
        }
    }
    files(settings, running.first().copied(), group);
    !running.is_empty()
}

/// The limit of open files: of the running process where it can be read, else of this one.
pub(super) fn files(settings: &Settings, running: Option<u32>, group: &mut Group) {
    let check = "machine.files";
    let accounts = u64::try_from(settings.accounts.len()).unwrap_or(u64::MAX);
    let need = FILES_BASE.saturating_add(accounts.saturating_mul(FILES_EACH));
    let (limit, whose) = match running.and_then(limit_of) {
        Some(limit) => (limit, "of the running process"),
        None => {
            let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
            (limit, "of this shell")
        }
    };
    let text = format!("{limit} files may be open ({whose}), {need} are enough");
    let found = if limit < need {
        Check::fault(check, Fault::FewOpenFiles, text)
    } else {
        Check::ok(check, text)
    };
    group.add(found.with("limit", limit).with("needed", need));
}

fn limit_of(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The living processes that hold a lock on this file (flock), as the kernel lists them: asking
/// for the lock ourselves could be taken for a living process by one that starts just now.
fn holders(path: &Path) -> Vec<u32> {
    let Ok(meta) = std::fs::metadata(path) else {
        return Vec::new();
    };
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    holders_in(&locks, meta.ino())
}

/// `1: FLOCK  ADVISORY  READ 1234 fe:00:5678 0 EOF`: the fifth word is the process, the last part
/// of the sixth the inode.
fn holders_in(locks: &str, inode: u64) -> Vec<u32> {
    let mut pids: Vec<u32> = locks
        .lines()
        .filter(|line| line.contains("FLOCK") && !line.contains("->"))
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let held: u64 = words.get(5)?.rsplit(':').next()?.parse().ok()?;
            (held == inode).then(|| words.get(4)?.parse().ok())?
        })
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Opens the store for booking sign-ins, when there is one that need not be brought up to date.
pub(super) async fn open_store(settings: &Settings, usable: bool) -> Option<Store> {
    if !usable || writable(&settings.state_dir).is_err() {
        return None;
    }
    let opened: Result<Store, StoreError> = Store::open(settings.database.clone()).await;
    opened
        .inspect_err(|e| tracing::debug!(error = %e, "The store is left alone"))
        .ok()
}

fn writable(path: &Path) -> std::io::Result<()> {
    access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(std::io::Error::from)
}

fn state_fault(e: &std::io::Error) -> Fault {
    match fault::of_io(e) {
        Fault::Unexpected => Fault::StateNotOurs,
        fault => fault,
    }
}

/// The first folder above that is there.
fn first_above(path: &Path) -> PathBuf {
    let there = path.ancestors().skip(1).find(|p| p.is_dir());
    there.map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}

fn whose(owner: u32, me: u32) -> String {
    if owner == me {
        "ours".to_owned()
    } else {
        format!("of user {owner}, while this is user {me}")
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Bytes for people.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} bytes");
    }
    let (mut whole, mut unit) = (n / 1024, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        whole /= 1024;
        unit += 1;
    }
    format!("{whole} {}", UNITS.get(unit).copied().unwrap_or("TiB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, Need, Sources};
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
    fn the_kernels_list_of_locks_names_the_living_holders() {
        let locks = "1: FLOCK  ADVISORY  READ 1234 fe:00:5678 0 EOF\n\
                     2: POSIX  ADVISORY  READ 99 fe:00:5678 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 77 fe:00:5678 0 EOF\n\
                     3: FLOCK  ADVISORY  READ 1200 fe:00:5678 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 88 fe:00:15678 0 EOF\nnonsense\n";
        assert_eq!(holders_in(locks, 5678), [1200, 1234]);
        assert_eq!(holders_in("", 5678), Vec::<u32>::new());
    }

    #[test]
    fn a_held_lock_is_found_and_a_dropped_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let file = std::fs::File::create(&path).unwrap();
        assert_eq!(holders(&path), Vec::<u32>::new());
        file.lock_shared().unwrap();
        assert_eq!(holders(&path), [std::process::id()]);
        drop(file);
        assert_eq!(holders(&path), Vec::<u32>::new());
    }

    #[test]
    fn bytes_are_rounded_down_to_a_unit() {
        assert_eq!(bytes(900), "900 bytes");
        assert_eq!(bytes(5 * 1024 * 1024 + 1), "5 MiB");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
    }
}
