//! The credentials that systemd would give the service (systemd.exec(5), "Credentials"), read
//! by root in place of systemd.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secrecy::SecretSlice;

use super::below;
use super::unit::Source;

/// Where names without a path are looked for: what systemd itself was given, then the stores.
const STORES: [&str; 5] = [
    "/run/credentials/@system",
    "/etc/credstore",
    "/run/credstore",
    "/usr/local/lib/credstore",
    "/usr/lib/credstore",
];

/// The same for encrypted ones.
const ENCRYPTED_STORES: [&str; 5] = [
    "/run/credentials/@encrypted",
    "/etc/credstore.encrypted",
    "/run/credstore.encrypted",
    "/usr/local/lib/credstore.encrypted",
    "/usr/lib/credstore.encrypted",
];

/// systemd's limit for all credentials of a unit together.
const MAX_BYTES: u64 = 1 << 20;

/// One credential; `Debug` does not show its value.
#[derive(Debug)]
pub struct Credential {
    /// Its name, a file name.
    pub id: String,
    /// Its value.
    pub value: SecretSlice<u8>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Each name once.
    pub credentials: Vec<Credential>,
    /// Sentences on those that could not be had, without a value.
    pub problems: Vec<String>,
}

impl Found {
    fn has(&self, id: &str) -> bool {
        self.credentials.iter().any(|c| c.id == id)
    }

    /// Takes it unless a stronger line gave the same name.
    fn take(&mut self, id: &str, value: Vec<u8>) {
        // It becomes the name of a file in a folder of its own.
        let is_name = !id.is_empty() && id != "." && id != ".." && !id.contains(['/', '\0']);
        if is_name && !self.has(id) {
            self.credentials.push(Credential {
                id: id.to_owned(),
                value: value.into(),
            });
        }
    }
}

/// Reads the credentials of these lines whose name is `wanted`; nothing else is opened.
#[must_use]
pub fn read_credentials(root: &Path, sources: &[Source], wanted: &dyn Fn(&str) -> bool) -> Found {
    let mut found = Found::default();
    // What is set in the unit is the fallback of what is loaded (systemd.exec(5)).
    let is_set = |s: &Source| matches!(s, Source::Set { .. } | Source::SetEncrypted { .. });
    let (set, loaded): (Vec<&Source>, Vec<&Source>) = sources.iter().partition(|s| is_set(s));
    for source in loaded.into_iter().chain(set) {
        if let Err(why) = read_one(root, source, wanted, &mut found) {
            found.problems.push(why);
        }
    }
    found
}

fn read_one(
    root: &Path,
    source: &Source,
    wanted: &dyn Fn(&str) -> bool,
    found: &mut Found,
) -> Result<(), String> {
    match source {
        Source::Load { id, path } => {
            let own = path.as_deref().unwrap_or(id);
            let Some(file) = look_up(root, &STORES, own) else {
                return Ok(());
            };
            load(&file, id, own, wanted, found)
        }
        Source::LoadEncrypted { id, path } => {
            let own = path.as_deref().unwrap_or(id);
            if !wanted(id) || found.has(id) {
                return Ok(());
            }
            let Some(file) = look_up(root, &ENCRYPTED_STORES, own) else {
                return Ok(());
            };
            let encrypted = read(&file).map_err(|e| told(id, &file, &e))?;
            found.take(id, decrypt(id, &encrypted)?);
            Ok(())
        }
        Source::Set { id, value } => {
            if wanted(id) {
                found.take(id, value.clone());
            }
            Ok(())
        }
        Source::SetEncrypted { id, value } => {
            if wanted(id) && !found.has(id) {
                found.take(id, decrypt(id, value.as_bytes())?);
            }
            Ok(())
        }
        Source::Import { glob } => {
            for store in STORES {
                for name in names_in(&below(root, Path::new(store))) {
                    if matches(glob, &name) && wanted(&name) && !found.has(&name) {
                        let file = below(root, Path::new(store)).join(&name);
                        found.take(&name, read(&file).map_err(|e| told(&name, &file, &e))?);
                    }
                }
            }
            Ok(())
        }
    }
}

/// The file of a `LoadCredential=` line; none when a name is in no store, which is no error.
fn look_up(root: &Path, stores: &[&str], own: &str) -> Option<PathBuf> {
    if own.starts_with('/') {
        return Some(below(root, Path::new(own)));
    }
    stores
        .iter()
        .map(|store| below(root, Path::new(store)).join(own))
        .find(|file| file.exists())
}

/// A file, or each file of a folder under `ID_NAME`.
fn load(
    file: &Path,
    id: &str,
    own: &str,
    wanted: &dyn Fn(&str) -> bool,
    found: &mut Found,
) -> Result<(), String> {
    if own.starts_with('/') && file.is_dir() {
        for name in names_in(file) {
            let id = format!("{id}_{name}");
            let file = file.join(&name);
            if wanted(&id) && file.is_file() {
                found.take(&id, read(&file).map_err(|e| told(&id, &file, &e))?);
            }
        }
        return Ok(());
    }
    if !wanted(id) || found.has(id) {
        return Ok(());
    }
    found.take(id, read(file).map_err(|e| told(id, file, &e))?);
    Ok(())
}

fn told(id: &str, file: &Path, e: &std::io::Error) -> String {
    let hint = if e.kind() == ErrorKind::NotFound {
        "; the service does not start without it"
    } else {
        ""
    };
    format!(
        "The service's credential {id:?} cannot be read from {}: {e}{hint}",
        file.display()
    )
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|n| n > MAX_BYTES) {
        let why = "it is larger than 1 MiB";
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Sorted, so that two runs do the same.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// systemd's own tool holds the machine's key.
fn decrypt(id: &str, encrypted: &[u8]) -> Result<Vec<u8>, String> {
    let failed =
        |why: String| format!("The service's credential {id:?} cannot be decrypted: {why}");
    let mut tool = Command::new("systemd-creds")
        .args(["decrypt", "--name", id, "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("systemd-creds: {e}")))?;
    if let Some(mut stdin) = tool.stdin.take() {
        stdin
            .write_all(encrypted)
            .map_err(|e| failed(format!("systemd-creds: {e}")))?;
    }
    let out = tool
        .wait_with_output()
        .map_err(|e| failed(format!("systemd-creds: {e}")))?;
    if out.status.success() {
        return Ok(out.stdout);
    }
    let said = String::from_utf8_lossy(&out.stderr);
    Err(failed(
        said.lines().next().unwrap_or("no reason").to_owned(),
    ))
}

/// Shell patterns of `*` and `?`, all that ImportCredential takes.
fn matches(glob: &str, name: &str) -> bool {
    let (mut rest, mut parts) = (name, glob.split('*'));
    let Some(first) = parts.next() else {
        return false;
    };
    let eat = |text: &str, part: &str| -> Option<usize> {
        let mut chars = text.char_indices();
        for p in part.chars() {
            let (_, c) = chars.next()?;
            if p != '?' && p != c {
                return None;
            }
        }
        Some(chars.next().map_or(text.len(), |(at, _)| at))
    };
    let Some(used) = eat(rest, first) else {
        return false;
    };
    rest = rest.get(used..).unwrap_or_default();
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let next = rest
            .char_indices()
            .find_map(|(at, _)| Some(at + eat(rest.get(at..)?, part)?));
        match next {
            Some(at) => rest = rest.get(at..).unwrap_or_default(),
            None if part.is_empty() => {}
            None => return false,
        }
    }
    let tail = last.chars().count();
    let all = rest.chars().count();
    let Some(skip) = all.checked_sub(tail) else {
        return false;
    };
    let at = rest
        .char_indices()
        .nth(skip)
        .map_or(rest.len(), |(at, _)| at);
    rest.get(at..)
        .is_some_and(|end| eat(end, last) == Some(end.len()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = below(root, Path::new(path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn load(id: &str, path: Option<&str>) -> Source {
        Source::Load {
            id: id.to_owned(),
            path: path.map(str::to_owned),
        }
    }

    fn texts(found: &Found) -> Vec<(&str, &str)> {
        found
            .credentials
            .iter()
            .map(|c| {
                let value = std::str::from_utf8(c.value.expose_secret()).unwrap();
                (c.id.as_str(), value)
            })
            .collect()
    }

    #[test]
    fn credentials_come_from_stores_files_folders_and_the_unit() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "/etc/credstore/replyd.password", "one");
        put(root, "/usr/lib/credstore/replyd.password", "weaker");
        put(root, "/etc/replyd/sales.password", "two\n");
        put(root, "/etc/replyd/all/imap", "three");
        put(root, "/run/credstore/x.token", "five");
        let sources = [
            Source::Set {
                id: "replyd.password".into(),
                value: b"fallback".to_vec(),
            },
            load("replyd.password", None),
            load("replyd.absent", None),
            load("sales-password", Some("/etc/replyd/sales.password")),
            load("all", Some("/etc/replyd/all")),
            Source::Set {
                id: "set".into(),
                value: b"four".to_vec(),
            },
            Source::Import { glob: "x.*".into() },
        ];
        let found = read_credentials(root, &sources, &|_| true);
        assert_eq!(
            texts(&found),
            [
                ("replyd.password", "one"),
                ("sales-password", "two\n"),
                ("all_imap", "three"),
                ("x.token", "five"),
                ("set", "four"),
            ]
        );
        assert_eq!(found.problems, [] as [&str; 0]);
        assert!(!format!("{found:?}").contains("two"), "{found:?}");

        let found = read_credentials(root, &sources, &|id| id == "set");
        assert_eq!(texts(&found), [("set", "four")]);
    }

    #[test]
    fn a_named_file_that_is_not_there_is_told_without_stopping_the_others() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "/etc/credstore/b", "two");
        let sources = [load("a", Some("/etc/none")), load("b", None)];
        let found = read_credentials(dir.path(), &sources, &|_| true);
        assert_eq!(texts(&found), [("b", "two")]);
        let [problem] = found.problems.as_slice() else {
            panic!("{found:?}");
        };
        assert!(problem.contains("does not start without it"), "{problem}");
    }

    #[test]
    fn globs_match_as_in_a_shell() {
        for (glob, name) in [
            ("*", "x"),
            ("replyd.*", "replyd.keys"),
            ("a*b*c", "axxbyyc"),
            ("?x", "ax"),
            ("a", "a"),
            ("*.ü?", "b.üx"),
        ] {
            assert!(matches(glob, name), "{glob} {name}");
        }
        for (glob, name) in [
            ("a", "ab"),
            ("a*b", "a"),
            ("a*b*c", "abb"),
            ("?", ""),
            ("x*", "y"),
        ] {
            assert!(!matches(glob, name), "{glob} {name}");
        }
    }
}
