//! The installation: state folder, disk, database, keys, limits, and whether a replyd
//! runs on it. Looks only: makes no file and changes none.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access, statvfs};
use rustix::process::{Resource, geteuid, getrlimit};

use super::report::{Check, Group};
use crate::config::Settings;
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
