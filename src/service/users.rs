//! Users and groups of the machine, from /etc/passwd and /etc/group: the service's user is a
//! system user, made by sysusers.d or a package script, and such users stand there.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::below;

/// A user of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Id of the main group.
    pub gid: u32,
    /// Home folder.
    pub home: PathBuf,
}

/// The lines of a file of the colon kind; none when the file is not there.
fn lines(root: &Path, file: &str) -> std::io::Result<Vec<Vec<String>>> {
    let text = match std::fs::read_to_string(below(root, Path::new(file))) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e),
    };
    Ok(text
        .lines()
        .map(|line| line.split(':').map(str::to_owned).collect())
        .collect())
}

fn user_of(fields: &[String]) -> Option<User> {
    let [name, _, uid, gid, _, home, ..] = fields else {
        return None;
    };
    Some(User {
        name: name.clone(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: PathBuf::from(home),
    })
}

fn user_where(root: &Path, is: impl Fn(&User) -> bool) -> std::io::Result<Option<User>> {
    let users = lines(root, "/etc/passwd")?;
    Ok(users.iter().filter_map(|f| user_of(f)).find(|u| is(u)))
}

/// The user with this name or, as units may write it, this number.
///
/// # Errors
/// /etc/passwd cannot be read.
pub fn user_named(root: &Path, name: &str) -> std::io::Result<Option<User>> {
    let number: Option<u32> = name.parse().ok();
    user_where(root, |u| u.name == name || Some(u.uid) == number)
}

/// The user with this number.
///
/// # Errors
/// /etc/passwd cannot be read.
pub fn user_with_id(root: &Path, uid: u32) -> std::io::Result<Option<User>> {
    user_where(root, |u| u.uid == uid)
}

/// The numbers of all groups that the user is in, the main one first: what a service manager
/// gives a process of this user.
///
/// # Errors
/// /etc/group cannot be read.
pub fn groups_of(root: &Path, user: &User) -> std::io::Result<Vec<u32>> {
    let mut groups = vec![user.gid];
    for fields in lines(root, "/etc/group")? {
        let [_, _, gid, members, ..] = fields.as_slice() else {
            continue;
        };
        if members.split(',').any(|m| m == user.name)
            && let Ok(gid) = gid.parse()
            && !groups.contains(&gid)
        {
            groups.push(gid);
        }
    }
    Ok(groups)
}

/// The number of a group.
///
/// # Errors
/// /etc/group cannot be read.
pub fn group_named(root: &Path, name: &str) -> std::io::Result<Option<u32>> {
    let number: Option<u32> = name.parse().ok();
    for fields in lines(root, "/etc/group")? {
        if let [group, _, gid, ..] = fields.as_slice()
            && group == name
        {
            return Ok(gid.parse().ok());
        }
    }
    Ok(number)
}

/// Whether this user may open the file, by the rights of the file and of the folders above it.
#[must_use]
pub fn may_read(path: &Path, uid: u32, groups: &[u32]) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let allows = |path: &Path, bit: u32| {
        std::fs::metadata(path).is_ok_and(|m| {
            let shift = if m.uid() == uid {
                6
            } else if groups.contains(&m.gid()) {
                3
            } else {
                0
            };
            m.mode() >> shift & bit != 0
        })
    };
    let folders: Vec<PathBuf> = real.ancestors().skip(1).map(PathBuf::from).collect();
    // Pipes and terminals belong to who opened them.
    real.is_file() && allows(&real, 4) && folders.iter().all(|f| allows(f, 1))
}

/// Folders that the service sees empty, whatever their rights (ProtectHome=, PrivateTmp= of the
/// units).
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// The folder that hides the file from the service's sandbox, if one does; links are followed.
#[must_use]
pub fn hidden_below(path: &Path) -> Option<&'static str> {
    let real = path.canonicalize();
    let below = |folder: &&&str| {
        path.starts_with(folder) || real.as_ref().is_ok_and(|real| real.starts_with(folder))
    };
    HIDDEN.iter().find(below).copied()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_user_has_its_main_group_and_those_that_list_it() {
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\n\
                      replyd:x:990:991:replyd service:/var/lib/replyd:/usr/sbin/nologin\n";
        std::fs::write(etc.join("passwd"), passwd).unwrap();
        let group =
            "root:x:0:\nssl-cert:x:105:postfix,replyd\nreplyd:x:991:replyd\nother:x:7:reply\n";
        std::fs::write(etc.join("group"), group).unwrap();

        let user = user_named(dir.path(), "replyd").unwrap().unwrap();
        assert_eq!((user.uid, user.gid), (990, 991));
        assert_eq!(user.home, PathBuf::from("/var/lib/replyd"));
        assert_eq!(user_named(dir.path(), "990").unwrap(), Some(user.clone()));
        assert_eq!(user_with_id(dir.path(), 990).unwrap(), Some(user.clone()));
        assert_eq!(groups_of(dir.path(), &user).unwrap(), [991, 105]);
        assert_eq!(user_named(dir.path(), "nobody").unwrap(), None);
        assert_eq!(group_named(dir.path(), "ssl-cert").unwrap(), Some(105));
        assert_eq!(group_named(dir.path(), "42").unwrap(), Some(42));
        assert_eq!(group_named(dir.path(), "none").unwrap(), None);
    }

    #[test]
    fn what_the_sandbox_hides_is_named_by_its_folder_links_included() {
        for (path, folder) in [
            ("/home/ann/token", Some("/home")),
            ("/root/ca.pem", Some("/root")),
            ("/run/user/1000/token", Some("/run/user")),
            ("/tmp/ca.pem", Some("/tmp")),
            ("/var/tmp/x/ca.pem", Some("/var/tmp")),
            ("/homes/token", None),
            ("/etc/ssl/certs/ca.pem", None),
            ("/run/secrets/token", None),
        ] {
            assert_eq!(hidden_below(Path::new(path)), folder, "{path}");
        }
    }

    #[test]
    fn whether_another_user_may_read_a_file_depends_on_the_folders_above_too() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("leads.csv");
        std::fs::write(&file, "x").unwrap();
        mode(dir.path(), 0o755);
        mode(&folder, 0o755);
        mode(&file, 0o644);
        let (stranger, owner) = (4321, std::fs::metadata(&file).unwrap());
        assert!(may_read(&file, stranger, &[stranger]));
        mode(&file, 0o640);
        assert!(!may_read(&file, stranger, &[stranger]));
        assert!(may_read(&file, stranger, &[stranger, owner.gid()]));
        assert!(may_read(&file, owner.uid(), &[]));
        mode(&file, 0o644);
        mode(&folder, 0o700);
        assert!(!may_read(&file, stranger, &[stranger]));
        assert!(!may_read(&folder, owner.uid(), &[]), "a folder is no file");
        assert!(!may_read(&folder.join("none"), owner.uid(), &[]));
    }
}
