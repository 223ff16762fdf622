//! A campaign's folder: which files count, within limits, and their texts.
//!
//! Symbolic links inside it are not followed: a folder that more people can write to than the
//! settings must not make another file of this machine part of an answer.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The operator's synonyms; not a document.
pub const SYNONYMS: &str = "synonyms.txt";
/// Bytes of one file.
pub const MAX_FILE_BYTES: u64 = 1 << 20;
/// Files of one folder.
pub const MAX_FILES: usize = 500;
/// Folders below it.
pub const MAX_DEPTH: usize = 4;
/// Entries that are looked at, whatever they are.
const MAX_ENTRIES: usize = 5_000;

/// A file that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Path inside the folder, with `/`.
    pub file: String,
    /// Time of the last change, in nanoseconds.
    pub mtime_ns: i64,
    /// Bytes.
    pub size: u64,
}

/// What lies in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files that count, by name.
    pub files: Vec<Seen>,
    /// What was passed over, and why.
    pub skipped: Vec<(String, &'static str)>,
}

/// Lists a folder. Blocking, no file is opened.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn look(root: &Path) -> std::io::Result<Listing> {
    let mut listing = Listing::default();
    let mut budget = MAX_ENTRIES;
    walk(root, "", 0, &mut budget, &mut listing)?;
    listing.files.sort_by(|a, b| a.file.cmp(&b.file));
    if listing.files.len() > MAX_FILES {
        for extra in listing.files.drain(MAX_FILES..) {
            listing.skipped.push((extra.file, "too many files"));
        }
    }
    Ok(listing)
}

fn walk(
    folder: &Path,
    inside: &str,
    depth: usize,
    budget: &mut usize,
    listing: &mut Listing,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        if *budget == 0 {
            return Ok(());
        }
        *budget = budget.saturating_sub(1);
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let file = if inside.is_empty() {
            name.clone()
        } else {
            format!("{inside}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            listing
                .skipped
                .push((file, "a symbolic link, not followed"));
            continue;
        }
        if kind.is_dir() {
            if depth >= MAX_DEPTH {
                listing.skipped.push((file, "too deep"));
            } else if let Err(e) = walk(
                &entry.path(),
                &file,
                depth.saturating_add(1),
                budget,
                listing,
            ) {
                let why = if e.kind() == std::io::ErrorKind::PermissionDenied {
                    "a folder that may not be read"
                } else {
                    "a folder that cannot be read"
                };
                listing.skipped.push((file, why));
            }
            continue;
        }
        if !kind.is_file() {
            listing.skipped.push((file, "not a regular file"));
            continue;
        }
        let lower = name.to_lowercase();
        if !(lower.ends_with(".md") || lower.ends_with(".txt")) {
            listing.skipped.push((file, "neither .md nor .txt"));
            continue;
        }
        let Ok(meta) = entry.metadata() else {
            continue;
        };
        listing.files.push(Seen {
            file,
            mtime_ns: meta
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(meta.mtime_nsec()),
            size: meta.len(),
        });
    }
    Ok(())
}

/// Opens a file below the folder; no link on the way is followed, also none that was put there
/// after the folder was listed.
fn open(root: &Path, file: &str) -> std::io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let folder = File::open(root)?;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(&folder, file, flags, Mode::empty(), beneath) {
        // Linux before 5.6, or a sandbox that does not know the call: the last step at least.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
            Ok(rustix::fs::openat(CWD, root.join(file), flags, Mode::empty())?.into())
        }
        opened => Ok(opened?.into()),
    }
}

/// Reads a file's text. Blocking.
///
/// # Errors
/// What is wrong with it, in words for people.
pub fn read(root: &Path, seen: &Seen) -> Result<String, String> {
    if seen.size > MAX_FILE_BYTES {
        return Err(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    let file = open(root, &seen.file).map_err(|e| format!("cannot be opened: {e}"))?;
    if !file.metadata().is_ok_and(|m| m.is_file()) {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| format!("cannot be read: {e}"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    if bytes.contains(&0) {
        return Err("not a text file".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text: save it as UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_hidden_files_and_what_is_too_large_or_too_deep_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/b/c/d/e")).unwrap();
        fs::write(root.join("x.md"), "hello").unwrap();
        fs::write(root.join("a/y.TXT"), "hello").unwrap();
        fs::write(root.join("a/b/c/d/e/deep.md"), "hello").unwrap();
        fs::write(root.join(".hidden.md"), "hello").unwrap();
        fs::write(root.join("z.pdf"), "hello").unwrap();
        fs::write(root.join("latin.md"), b"caf\xe9").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("link.txt")).unwrap();
        let listing = look(root).unwrap();
        let files: Vec<_> = listing.files.iter().map(|f| f.file.as_str()).collect();
        assert_eq!(files, ["a/y.TXT", "latin.md", "x.md"]);
        let skipped: Vec<_> = listing.skipped.iter().map(|(f, _)| f.as_str()).collect();
        assert!(
            skipped.contains(&"link.txt") && skipped.contains(&"a/b/c/d/e"),
            "{skipped:?}"
        );
        assert_eq!(read(root, &listing.files[2]).unwrap(), "hello");
        assert!(read(root, &listing.files[1]).unwrap_err().contains("UTF-8"));
        let link = Seen {
            file: "link.txt".into(),
            mtime_ns: 0,
            size: 1,
        };
        assert!(read(root, &link).is_err());
        // A folder that became a link after it was listed.
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("y.TXT"), "secret").unwrap();
        fs::remove_dir_all(root.join("a")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("a")).unwrap();
        assert!(read(root, &listing.files[0]).is_err());
    }
}
