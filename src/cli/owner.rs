//! Commands in a root shell on the service's database.
//!
//! SQLite makes files beside the database (`-wal`, `-shm`), and so do we (keys). Made by root
//! they would lock the service's user out of his own database. So a root process becomes the
//! owner of the state folder: it starts itself anew as that user.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// User and group to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Whom a process with this effective user id has to become to work on this database: the
/// owner of its folder, or nobody when the process is not root, the folder is root's own, or
/// it is not there yet.
#[must_use]
pub fn owner_to_become(euid: u32, database: &Path) -> Option<Owner> {
    if euid != 0 {
        return None;
    }
    let folder = std::fs::metadata(database.parent()?).ok()?;
    (folder.uid() != 0).then(|| Owner {
        uid: folder.uid(),
        gid: folder.gid(),
    })
}

/// Starts this program anew with the same arguments as the owner of the database's folder,
/// when that is needed; to be called once settings are loaded, before the database is opened
/// and before any task runs. Returns only when it is not needed, or fails.
///
/// # Errors
/// The program could not be started as that user.
pub fn become_owner(database: &Path) -> io::Result<()> {
    let euid = rustix::process::geteuid().as_raw();
    let Some(owner) = owner_to_become(euid, database) else {
        return Ok(());
    };
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Setting the user id as root drops the other groups too.
    let error = Command::new(std::env::current_exe()?)
        .args(args)
        .uid(owner.uid)
        .gid(owner.gid)
        .exec();
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_becomes_the_owner_of_the_state_folder() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("replyd.db");
        let here = std::fs::metadata(dir.path()).unwrap();
        let expected = (here.uid() != 0).then(|| Owner {
            uid: here.uid(),
            gid: here.gid(),
        });
        assert_eq!(owner_to_become(0, &database), expected);
        assert_eq!(owner_to_become(1000, &database), None);
        let missing = dir.path().join("none/replyd.db");
        assert_eq!(owner_to_become(0, &missing), None);

        // Only root can give a folder away.
        if std::os::unix::fs::chown(dir.path(), Some(4321), Some(4322)).is_ok() {
            let owner = Owner {
                uid: 4321,
                gid: 4322,
            };
            assert_eq!(owner_to_become(0, &database), Some(owner));
            assert_eq!(owner_to_become(4321, &database), None);
        }
    }
}
