//! What root reads and its successor, another user, needs: credentials of the service, and files
//! named on the command line that only root may open.
//!
//! They lie in memory (memfd_create(2)) and go over as open files. A folder below /run holds a
//! link to each under its name, so that it can be opened by name; the folder holds no secret and
//! is no use to another process. It outlives its process, and the next command removes it.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

use super::owner::Owner;

/// Holds a folder for each process.
const PARENT: &str = "/run/replyd-shell";

/// Larger files on the command line are not copied, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// Files that go over to the successor. They stay open as long as this lives.
#[derive(Debug)]
pub(super) struct HandOver {
    folder: PathBuf,
    owner: Owner,
    files: Vec<OwnedFd>,
    inputs: usize,
}

impl HandOver {
    /// Makes an empty folder for this process, which keeps its number.
    pub(super) fn new(owner: Owner) -> std::io::Result<Self> {
        let parent = Path::new(PARENT);
        make(parent, 0o755)?;
        remove_the_dead(parent);
        let folder = parent.join(std::process::id().to_string());
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        make(&folder, 0o755)?;
        make(&folder.join("credentials"), 0o755)?;
        Ok(Self {
            folder,
            owner,
            files: Vec::new(),
            inputs: 0,
        })
    }

    /// What `$CREDENTIALS_DIRECTORY` is to be.
    pub(super) fn credentials(&self) -> PathBuf {
        self.folder.join("credentials")
    }

    /// Hands over a credential; its name was checked to be a file name.
    pub(super) fn credential(&mut self, id: &str, value: &[u8]) -> std::io::Result<()> {
        let mut file = memory()?;
        file.write_all(value)?;
        self.link(file, &self.credentials().join(id))
    }

    /// Hands over a copy of a file, and gives the path at which the successor finds it.
    pub(super) fn input(&mut self, path: &Path) -> std::io::Result<PathBuf> {
        let mut copy = memory()?;
        let bytes = std::io::copy(&mut File::open(path)?.take(MAX_BYTES + 1), &mut copy)?;
        if bytes > MAX_BYTES {
            let why = "it is larger than 1 GiB";
            return Err(std::io::Error::new(ErrorKind::FileTooLarge, why));
        }
        // A folder of its own, so that messages show the file's own name.
        let folder = self.folder.join(self.inputs.to_string());
        self.inputs += 1;
        make(&folder, 0o755)?;
        let name = path.file_name().unwrap_or("file".as_ref());
        let link = folder.join(name);
        self.link(copy, &link)?;
        Ok(link)
    }

    fn link(&mut self, file: File, link: &Path) -> std::io::Result<()> {
        file.set_permissions(Permissions::from_mode(0o400))?;
        fchown(&file, Some(self.owner.uid), Some(self.owner.gid))?;
        symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), link)?;
        self.files.push(file.into());
        Ok(())
    }
}

/// A file in memory that stays open over exec.
fn memory() -> std::io::Result<File> {
    Ok(File::from(memfd_create("replyd", MemfdFlags::empty())?))
}

fn make(folder: &Path, mode: u32) -> std::io::Result<()> {
    match DirBuilder::new().mode(mode).create(folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Removes what ended processes left; what cannot be removed does no harm.
fn remove_the_dead(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let alive = Path::new("/proc").join(&name).exists();
        if !alive && let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::debug!(%error, "A folder of an ended command stays");
        }
    }
}
