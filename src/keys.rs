//! The keys of this installation: they sign our Message-IDs and hash what must not be kept in
//! the clear. Blocking file work, done once at start.
//!
//! `keys.json` lies in the state folder with mode 0600, or comes whole as a credential (systemd
//! `LoadCredential`). It is created by writing a temporary file and hard-linking it to its name:
//! the link fails when the name is taken, so two processes that start at once end with the same
//! keys, and no reader ever sees half a file. The first id key signs; the others only verify, so
//! an old mail stays recognised after a change of keys.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Name of the keys file in the state folder.
const FILE: &str = "keys.json";
/// A keys file of a hundred keys has about 10 KiB; what is larger is something else.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// How many id keys are accepted: each unknown id costs at most one HMAC per key.
const MAX_ID_KEYS: usize = 32;
const KEY_BYTES: usize = 32;
/// Bytes of an HMAC that are kept: 128 bit.
const KEPT_BYTES: usize = 16;

/// Why the keys could not be had. Texts name the file and the remedy, never a key.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file operation failed.
    #[error("Could not {what} {path}: {source}. Check the owner and the rights of the folder")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("{path} can be read by others (mode {mode:04o}). Run: chmod 600 {path}", path = .path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not what replyd wrote.
    #[error(
        "{path} is damaged: {why}. Restore it from a backup; if there is none, move it away and \
         new keys are made, but replies to mails sent until now are then known only by stored ids",
        path = .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system gives no random bytes.
    #[error("The system gave no random bytes for new keys: {0}")]
    Random(getrandom::Error),
}

/// A key that signs or verifies Message-IDs.
struct IdKey {
    /// Stands in the ids that it signed, so that verifying tries one key only.
    id: String,
    key: SecretBox<[u8; KEY_BYTES]>,
}

/// The keys; `Debug` shows the ids of the keys only.
pub struct Keys {
    /// The first is the current one; never empty.
    current: IdKey,
    old: Vec<IdKey>,
    hash_key: SecretBox<[u8; KEY_BYTES]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.id_keys().map(|k| k.id.as_str()).collect();
        f.debug_struct("Keys")
            .field("id_keys", &ids)
            .finish_non_exhaustive()
    }
}

/// The file as it is written. No `Debug`: it holds the keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    id_keys: Vec<StoredKey>,
    hash_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    id: String,
    key: String,
}

impl Keys {
    /// Loads the keys from `credential` if given, else from `state_dir`, where they are created
    /// on the first start. Blocking: file system.
    ///
    /// # Errors
    /// [`KeysError`], with the file and the remedy in its text.
    pub fn load_or_create(state_dir: &Path, credential: Option<&Path>) -> Result<Self, KeysError> {
        if let Some(path) = credential {
            // The service manager sets the rights of a credential; they are not ours to judge.
            return Self::read(path, false)?.ok_or_else(|| KeysError::Io {
                what: "read the credential",
                path: path.to_owned(),
                source: ErrorKind::NotFound.into(),
            });
        }
        let path = state_dir.join(FILE);
        if let Some(keys) = Self::read(&path, true)? {
            return Ok(keys);
        }
        create(state_dir, &path)?;
        Self::read(&path, true)?.ok_or_else(|| KeysError::Io {
            what: "read back",
            path,
            source: ErrorKind::NotFound.into(),
        })
    }

    /// The keys if they are there and can be used; makes none. Blocking: file system.
    ///
    /// # Errors
    /// As [`Keys::load_or_create`].
    pub fn look(state_dir: &Path, credential: Option<&Path>) -> Result<Option<Self>, KeysError> {
        match credential {
            Some(path) => Self::read(path, false),
            None => Self::read(&state_dir.join(FILE), true),
        }
    }

    /// `None` when there is no such file.
    fn read(path: &Path, check_mode: bool) -> Result<Option<Self>, KeysError> {
        let io = |what| move |source| io_error(what, path, source);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_error("open", path, e)),
        };
        let mode = file.metadata().map_err(io("read the rights of"))?;
        let mode = mode.permissions().mode() & 0o7777;
        if check_mode && mode & 0o077 != 0 {
            return Err(KeysError::TooOpen {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = String::new();
        let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
        let damaged = |why| KeysError::Damaged {
            path: path.to_owned(),
            why,
        };
        match read {
            Err(e) if e.kind() == ErrorKind::InvalidData => return Err(damaged("not a text file")),
            other => other.map_err(io("read"))?,
        };
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
            return Err(damaged("too large"));
        }
        // serde's message may quote the content, so it is not shown.
        let stored: Stored =
            serde_json::from_str(&text).map_err(|_| damaged("not the JSON that replyd writes"))?;
        Self::from_stored(stored).map(Some).map_err(damaged)
    }

    fn from_stored(stored: Stored) -> Result<Self, &'static str> {
        if stored.version != 1 {
            return Err("of an unknown version");
        }
        if stored.id_keys.len() > MAX_ID_KEYS {
            return Err("too many id keys");
        }
        let hash_key = key_from_hex(&stored.hash_key).ok_or("the hash key is not 64 hex digits")?;
        let mut keys = Vec::with_capacity(stored.id_keys.len());
        for k in stored.id_keys {
            if !is_key_id(&k.id) || keys.iter().any(|known: &IdKey| known.id == k.id) {
                return Err("a key id is not 4 small letters or digits, or stands twice");
            }
            let key = key_from_hex(&k.key).ok_or("an id key is not 64 hex digits")?;
            keys.push(IdKey { id: k.id, key });
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or("no id key")?;
        Ok(Self {
            current,
            old: keys.collect(),
            hash_key,
        })
    }

    fn id_keys(&self) -> impl Iterator<Item = &IdKey> {
        std::iter::once(&self.current).chain(&self.old)
    }

    /// Keyed hash of `what` for things that must be found again but not be readable: senders
    /// and ids of ignored mail, content digests. HMAC-SHA256, 128 bit, 32 hex digits.
    #[must_use]
    pub fn hash(&self, what: &str) -> String {
        hex(&mac(self.hash_key.expose_secret(), &[what.as_bytes()]))
    }

    /// A key for one purpose, the same each time. The byte in front of `purpose` stands in no UTF-8
    /// text, so no [`Keys::hash`], which may lie in the open, can be a part of it.
    #[must_use]
    pub(crate) fn subkey(&self, purpose: &str) -> SecretBox<[u8; KEY_BYTES]> {
        let parts: [&[u8]; 2] = [&[0xff], purpose.as_bytes()];
        let full = whole_mac(self.hash_key.expose_secret(), &parts);
        SecretBox::new(Box::new(full))
    }

    /// The id of the key that signs now.
    #[must_use]
    pub(crate) fn current_key_id(&self) -> &str {
        &self.current.id
    }

    /// Signs `parts` with the id key named `key_id`; `None` when there is no such key.
    #[must_use]
    pub(crate) fn sign(&self, key_id: &str, parts: &[&[u8]]) -> Option<[u8; KEPT_BYTES]> {
        let key = self.id_keys().find(|k| k.id == key_id)?;
        Some(mac(key.key.expose_secret(), parts))
    }

    /// Random keys that are written nowhere: for what looks at mail without an installation.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn unsaved() -> Result<Self, KeysError> {
        let (mut id_key, mut hash_key) = ([0; KEY_BYTES], [0; KEY_BYTES]);
        for bytes in [&mut id_key, &mut hash_key] {
            getrandom::fill(bytes).map_err(KeysError::Random)?;
        }
        Ok(Self {
            current: IdKey {
                id: "none".to_owned(),
                key: SecretBox::new(Box::new(id_key)),
            },
            old: Vec::new(),
            hash_key: SecretBox::new(Box::new(hash_key)),
        })
    }

    /// Keys made from one byte, for tests: the same seed gives the same keys.
    #[cfg(test)]
    pub(crate) fn for_test(seed: u8) -> Self {
        Self {
            current: IdKey {
                id: "test".to_owned(),
                key: SecretBox::new(Box::new([seed; KEY_BYTES])),
            },
            old: Vec::new(),
            hash_key: SecretBox::new(Box::new([seed.wrapping_add(1); KEY_BYTES])),
        }
    }
}

fn io_error(what: &'static str, path: &Path, source: std::io::Error) -> KeysError {
    KeysError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

fn mac(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> [u8; KEPT_BYTES] {
    let mut kept = [0; KEPT_BYTES];
    for (to, from) in kept.iter_mut().zip(whole_mac(key, parts)) {
        *to = from;
    }
    kept
}

fn whole_mac(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    // HMAC takes keys of any length, so this is always Ok.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; KEY_BYTES], |mut h| {
        for part in parts {
            h.update(part);
        }
        h.finalize().into_bytes().into()
    })
}

/// The keys file as it stands, for a backup; looked at before. Blocking: file system.
///
/// # Errors
/// As [`Keys::load_or_create`].
pub fn file_bytes(state_dir: &Path, credential: Option<&Path>) -> Result<Vec<u8>, KeysError> {
    let path = credential.map_or_else(|| state_dir.join(FILE), Path::to_owned);
    fs::read(&path).map_err(|e| io_error("read", &path, e))
}

/// Puts the keys of a backup into the state folder, unless the same are there. Blocking: file
/// system.
///
/// # Errors
/// [`KeysError::Damaged`] when others are there, or these are none; otherwise what a file operation
/// met.
pub fn keep(state_dir: &Path, credential: Option<&Path>, bytes: &[u8]) -> Result<(), KeysError> {
    let path = credential.map_or_else(|| state_dir.join(FILE), Path::to_owned);
    let damaged = |why| KeysError::Damaged {
        path: path.clone(),
        why,
    };
    let stored: Stored = serde_json::from_slice(bytes)
        .map_err(|_| damaged("the backup holds no keys that replyd wrote"))?;
    let there = match fs::read(&path) {
        Ok(there) => Some(there),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => return Err(io_error("read", &path, e)),
    };
    if let Some(there) = there {
        let same = serde_json::from_slice::<Stored>(&there)
            .ok()
            .filter(|there| there.hash_key == stored.hash_key)
            .is_some_and(|there| {
                let has =
                    |k: &StoredKey| there.id_keys.iter().any(|t| t.id == k.id && t.key == k.key);
                stored.id_keys.iter().all(has)
            });
        return if same {
            Ok(())
        } else {
            Err(damaged("it holds other keys than the backup"))
        };
    }
    if credential.is_some() {
        return Err(damaged("the credential is not there"));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .map_err(|e| io_error("create", state_dir, e))?;
    let temp = state_dir.join(format!(".{FILE}.restored"));
    let made = write_and_link(&temp, &path, &stored);
    let removed = fs::remove_file(&temp);
    made?;
    removed.map_err(|e| io_error("remove", &temp, e))
}

fn create(state_dir: &Path, path: &Path) -> Result<(), KeysError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .map_err(|e| io_error("create", state_dir, e))?;
    let (mut id_key, mut hash_key) = ([0; KEY_BYTES], [0; KEY_BYTES]);
    let (mut id, mut temp) = ([0; 2], [0; 8]);
    for bytes in [&mut id_key[..], &mut hash_key, &mut id, &mut temp] {
        getrandom::fill(bytes).map_err(KeysError::Random)?;
    }
    let stored = Stored {
        version: 1,
        id_keys: vec![StoredKey {
            id: hex(&id),
            key: hex(&id_key),
        }],
        hash_key: hex(&hash_key),
    };
    let temp = state_dir.join(format!(".{FILE}.{}", hex(&temp)));
    let made = write_and_link(&temp, path, &stored);
    // Also after a failure: the temporary file holds keys.
    let removed = fs::remove_file(&temp);
    made?;
    removed.map_err(|e| io_error("remove", &temp, e))
}

fn write_and_link(temp: &Path, path: &Path, stored: &Stored) -> Result<(), KeysError> {
    let text = serde_json::to_string_pretty(stored).map_err(|_| KeysError::Damaged {
        path: path.to_owned(),
        why: "could not be written as JSON",
    })?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temp)
        .map_err(|e| io_error("create", temp, e))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| io_error("write", temp, e))?;
    match fs::hard_link(temp, path) {
        // Another process was first: its keys are the keys.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other
            .and_then(|()| match path.parent() {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            })
            .map_err(|e| io_error("create", path, e)),
    }
}

fn is_key_id(id: &str) -> bool {
    id.len() == 4
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut s = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        // Writing to a String cannot fail.
        if write!(s, "{b:02x}").is_err() {
            break;
        }
    }
    s
}

fn key_from_hex(text: &str) -> Option<SecretBox<[u8; KEY_BYTES]>> {
    if text.len() != KEY_BYTES * 2 || !text.is_ascii() {
        return None;
    }
    let mut key = Box::new([0; KEY_BYTES]);
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(i * 2..i * 2 + 2)?, 16).ok()?;
    }
    Some(SecretBox::new(key))
}

#[cfg(test)]
mod tests;
