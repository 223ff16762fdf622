//! The unit of the service with its drop-ins, as systemd reads it (systemd.unit(5),
//! systemd.exec(5)): only the lines that a command in a shell has to follow.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::below;

/// Where units lie, the strongest first (systemd.unit(5), "Unit File Load Path").
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// A larger file is no unit.
const MAX_BYTES: u64 = 1 << 20;

/// A line that gives the service a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `LoadCredential=ID[:PATH]`
    Load {
        /// Its name.
        id: String,
        /// A file, or a name in the credential stores; none: the name itself.
        path: Option<String>,
    },
    /// `LoadCredentialEncrypted=ID[:PATH]`
    LoadEncrypted {
        /// Its name.
        id: String,
        /// As for `Load`.
        path: Option<String>,
    },
    /// `SetCredential=ID:VALUE`; what `Load` finds wins.
    Set {
        /// Its name.
        id: String,
        /// Its value.
        value: Vec<u8>,
    },
    /// `SetCredentialEncrypted=ID:VALUE`
    SetEncrypted {
        /// Its name.
        id: String,
        /// Its value, encrypted.
        value: String,
    },
    /// `ImportCredential=GLOB` (systemd 254)
    Import {
        /// Names in the credential stores.
        glob: String,
    },
}

/// What a unit says about the process that it starts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// `User=`
    pub user: Option<String>,
    /// `Group=`
    pub group: Option<String>,
    /// The first of `StateDirectory=`, below /var/lib.
    pub state_directory: Option<PathBuf>,
    /// `WorkingDirectory=`, without the sign that it may be absent.
    pub working_directory: Option<PathBuf>,
    /// `UMask=`
    pub umask: Option<u32>,
    /// `Environment=`, and the files of `EnvironmentFile=`, which win.
    pub environment: BTreeMap<String, String>,
    /// The lines that give credentials, in their order.
    pub credentials: Vec<Source>,
}

impl std::fmt::Debug for Unit {
    /// Names only: values may be secrets (invariant I7).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit")
            .field("user", &self.user)
            .field("state_directory", &self.state_directory)
            .field("environment", &self.environment.keys().collect::<Vec<_>>())
            .field("credentials", &self.credentials.len())
            .finish_non_exhaustive()
    }
}

impl Unit {
    /// Reads the unit `name` and its drop-ins; none when there is no such unit, or it is masked.
    ///
    /// # Errors
    /// A file is there and cannot be read.
    pub fn read(root: &Path, name: &str) -> std::io::Result<Option<Self>> {
        let mut text = None;
        for folder in FOLDERS {
            text = read(&below(root, Path::new(folder)).join(name))?;
            if text.is_some() {
                break;
            }
        }
        // Masked: a link to /dev/null.
        let Some(text) = text.filter(|t| !t.trim().is_empty()) else {
            return Ok(None);
        };
        let mut unit = Self::default();
        let mut files = Vec::new();
        unit.take(&text, name, &mut files);
        for text in drop_ins(root, name)? {
            unit.take(&text, name, &mut files);
        }
        for (path, may_be_absent) in files {
            match read(&below(root, Path::new(&path)))? {
                Some(text) => unit.environment.extend(environment_file(&text)),
                None if may_be_absent => {}
                None => {
                    let why = format!("{path}, an EnvironmentFile= of {name}, is not there");
                    return Err(std::io::Error::new(ErrorKind::NotFound, why));
                }
            }
        }
        Ok(Some(unit))
    }

    /// Lays the lines of one file over what earlier files said.
    fn take(&mut self, text: &str, name: &str, files: &mut Vec<(String, bool)>) {
        let mut in_service = false;
        for line in logical_lines(text) {
            if let Some(section) = line.strip_prefix('[') {
                in_service = section.trim_end() == "Service]";
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            if in_service {
                self.set(key.trim_end(), value.trim(), name, files);
            }
        }
    }

    fn set(&mut self, key: &str, value: &str, name: &str, files: &mut Vec<(String, bool)>) {
        let some = |text: String| (!text.is_empty()).then_some(text);
        let plain = || some(specifiers(value, name));
        match key {
            "User" => self.user = plain(),
            "Group" => self.group = plain(),
            "StateDirectory" => {
                // Several are listed with blanks; the first is ours in the shipped units.
                let first = plain().and_then(|v| v.split_whitespace().next().map(str::to_owned));
                let first = first.map(|v| v.split(':').next().unwrap_or(&v).to_owned());
                self.state_directory = first.map(|v| Path::new("/var/lib").join(v));
            }
            "WorkingDirectory" => {
                let path = value.strip_prefix('-').unwrap_or(value);
                self.working_directory = some(specifiers(path, name)).map(PathBuf::from);
            }
            "UMask" => self.umask = u32::from_str_radix(value, 8).ok(),
            "Environment" if value.is_empty() => self.environment.clear(),
            "Environment" => {
                for word in words(value) {
                    if let Some((name_of, text)) = specifiers(&word, name).split_once('=') {
                        self.environment.insert(name_of.to_owned(), text.to_owned());
                    }
                }
            }
            "EnvironmentFile" if value.is_empty() => files.clear(),
            "EnvironmentFile" => {
                let path = value.strip_prefix('-');
                let file = specifiers(path.unwrap_or(value), name);
                files.push((file, path.is_some()));
            }
            _ => self.set_credential(key, value, name),
        }
    }

    fn set_credential(&mut self, key: &str, value: &str, name: &str) {
        let (id, rest) = match value.split_once(':') {
            Some((id, rest)) => (specifiers(id, name), Some(rest)),
            None => (specifiers(value, name), None),
        };
        let source = match key {
            "LoadCredential" => Source::Load {
                id,
                path: rest.map(|p| specifiers(p, name)),
            },
            "LoadCredentialEncrypted" => Source::LoadEncrypted {
                id,
                path: rest.map(|p| specifiers(p, name)),
            },
            "SetCredential" => Source::Set {
                id,
                value: unescape(&specifiers(rest.unwrap_or_default(), name)),
            },
            "SetCredentialEncrypted" => Source::SetEncrypted {
                id,
                value: rest.unwrap_or_default().replace([' ', '\t'], ""),
            },
            "ImportCredential" => Source::Import {
                glob: specifiers(value, name),
            },
            _ => return,
        };
        if value.is_empty() {
            // An empty assignment takes back the earlier ones of its kind.
            let kind = std::mem::discriminant(&source);
            self.credentials
                .retain(|s| std::mem::discriminant(s) != kind);
        } else {
            self.credentials.push(source);
        }
    }
}

/// A file's text; none when it is not there.
fn read(path: &Path) -> std::io::Result<Option<String>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(named(path, &e)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|e| named(path, &e))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn named(path: &Path, e: &std::io::Error) -> std::io::Error {
    std::io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

/// The texts of all drop-ins, in the order of their names; of two with one name the stronger
/// folder's.
fn drop_ins(root: &Path, name: &str) -> std::io::Result<Vec<String>> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in FOLDERS {
        for of in ["service.d".to_owned(), format!("{name}.d")] {
            let folder = below(root, Path::new(folder)).join(of);
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(e) => return Err(named(&folder, &e)),
            };
            for entry in entries {
                let file = entry?.file_name().to_string_lossy().into_owned();
                if file.ends_with(".conf") {
                    found.entry(file.clone()).or_insert(folder.join(file));
                }
            }
        }
    }
    let texts: std::io::Result<Vec<Option<String>>> = found.values().map(|p| read(p)).collect();
    Ok(texts?.into_iter().flatten().collect())
}

/// Lines without comments; a backslash at the end joins the next one.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let bare = line.trim();
        // A comment between the parts of a line does not end it.
        if bare.starts_with(['#', ';']) || (bare.is_empty() && open.is_none()) {
            continue;
        }
        let mut joined = open.take().map_or(String::new(), |before| before + " ");
        match bare.strip_suffix('\\') {
            Some(part) => {
                joined.push_str(part);
                open = Some(joined);
            }
            None => {
                joined.push_str(bare);
                lines.push(joined);
            }
        }
    }
    lines.extend(open);
    lines
}

/// The specifiers that make sense in these lines (systemd.unit(5), "Specifiers"); others stay.
fn specifiers(text: &str, unit: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('n') => out.push_str(unit),
            Some('N' | 'p') => out.push_str(unit.rsplit_once('.').map_or(unit, |(n, _)| n)),
            Some('E') => out.push_str("/etc"),
            Some('S') => out.push_str("/var/lib"),
            Some('t') => out.push_str("/run"),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

/// Words separated by blanks, with quotation marks and backslashes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                let word = word.get_or_insert_default();
                word.push('\\');
                word.extend(chars.next());
            }
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
        .into_iter()
        .map(|w| String::from_utf8_lossy(&unescape(&w)).into_owned())
        .collect()
}

/// C-style escapes (systemd.syntax(7), "Quoting").
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b's') => out.push(b' '),
            Some(b'x') => {
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                let hex = std::str::from_utf8(&digits).unwrap_or_default();
                out.extend(u8::from_str_radix(hex, 16).ok());
            }
            Some(other) => out.push(other),
            None => out.push(b'\\'),
        }
    }
    out
}

/// `NAME=value` lines of an EnvironmentFile.
fn environment_file(text: &str) -> BTreeMap<String, String> {
    logical_lines(text)
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| {
            let value = value.trim();
            let bare = ['"', '\'']
                .iter()
                .find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q));
            let name = name.trim().trim_start_matches("export ").to_owned();
            (name, bare.unwrap_or(value).to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_shipped_unit_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Unit::read(dir.path(), "replyd.service").unwrap(), None);
        let shipped = include_str!("../../systemd/replyd.service");
        put(
            dir.path(),
            "/usr/lib/systemd/system/replyd.service",
            shipped,
        );
        let unit = Unit::read(dir.path(), "replyd.service").unwrap().unwrap();
        assert_eq!(unit.user.as_deref(), Some("replyd"));
        assert_eq!(unit.umask, Some(0o077));
        assert_eq!(unit.state_directory, Some(PathBuf::from("/var/lib/replyd")));
        assert_eq!(unit.working_directory, Some(PathBuf::from("/etc/replyd")));
        assert!(unit.credentials.contains(&load("replyd.keys", None)));
    }

    #[test]
    fn drop_ins_add_replace_and_take_back() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(
            root,
            "/lib/systemd/system/replyd.service",
            "[Unit]\nUser=no\n[Service]\nUser=replyd\nLoadCredential=a\nLoadCredential=b:/etc/b\n\
             SetCredential=c:one\\ntwo%%\n",
        );
        // The weaker folder's file of the same name is not read.
        put(
            root,
            "/usr/lib/systemd/system/replyd.service.d/10-a.conf",
            "[Service]\nUser=weak\n",
        );
        put(
            root,
            "/etc/systemd/system/replyd.service.d/10-a.conf",
            "[Service]\nLoadCredential=\nLoadCredential = sales-password:/etc/replyd/%N \n",
        );
        put(
            root,
            "/etc/systemd/system/replyd.service.d/20-b.conf",
            "# note\n[Service]\nUser=mail\nEnvironment=\"A=x y\" B=\\\n  z\n\
             EnvironmentFile=-/etc/none\nEnvironmentFile=/etc/default/replyd\n\
             [Install]\nUser=other\n",
        );
        put(root, "/etc/default/replyd", "# note\nB='q'\nC=1\n");
        let unit = Unit::read(root, "replyd.service").unwrap().unwrap();
        assert_eq!(unit.user.as_deref(), Some("mail"));
        assert_eq!(
            unit.credentials,
            [
                Source::Set {
                    id: "c".into(),
                    value: b"one\ntwo%".to_vec()
                },
                load("sales-password", Some("/etc/replyd/replyd")),
            ]
        );
        let environment: Vec<(&str, &str)> = unit
            .environment
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(environment, [("A", "x y"), ("B", "q"), ("C", "1")]);
        assert!(!format!("{unit:?}").contains("x y"), "{unit:?}");
    }

    #[test]
    fn a_masked_unit_is_not_there_and_a_missing_environment_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "/etc/systemd/system/replyd.service", "");
        put(
            dir.path(),
            "/lib/systemd/system/replyd.service",
            "[Service]\nEnvironmentFile=/etc/none\n",
        );
        assert_eq!(Unit::read(dir.path(), "replyd.service").unwrap(), None);
        std::fs::remove_file(dir.path().join("etc/systemd/system/replyd.service")).unwrap();
        let e = Unit::read(dir.path(), "replyd.service").unwrap_err();
        assert!(e.to_string().contains("/etc/none"), "{e}");
    }
}
