//! Commands in a root shell on the service's database.
//!
//! SQLite makes files beside the database (`-wal`, `-shm`), and so do we (keys). Made by root
//! they would lock the service's user out of his own database. So a root process becomes the
//! service's user: it starts itself anew with the user, groups, folder, umask, environment and
//! credentials that the unit gives the service. Without a unit it becomes the owner of the
//! database's folder. What only root can read is read before, and handed over (`hand_over`).

use std::ffi::OsString;
use std::fs::{DirBuilder, Metadata};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use clap::CommandFactory;
use rustix::fs::{Gid, Mode, Uid};
use secrecy::ExposeSecret;

use super::hand_over::HandOver;
use super::paths;
use crate::config::{Environment, Loaded, Origin};
use crate::service::{self, Unit, User};

/// The folder of the running system.
const ROOT: &str = "/";

/// The one credential that every command needs: with other keys it would make and know other
/// Message-IDs than the service.
const KEYS_CREDENTIAL: &str = "replyd.keys";

/// User and group to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Which of the service's credentials a command is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Those of mail servers too.
    All,
    /// The keys of Message-IDs alone: nothing else is opened.
    KeysOnly,
}

/// A shell of root, on a machine where the service may be installed.
#[derive(Debug)]
pub struct RootShell {
    unit: Option<Unit>,
}

impl RootShell {
    /// None: this process is not root's.
    ///
    /// # Errors
    /// The service's unit cannot be read.
    pub fn here() -> anyhow::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let unit = service::installed_unit(Path::new(ROOT)).context("Read the service's unit")?;
        Ok(Some(Self { unit }))
    }

    /// The surroundings of this process, with what the unit sets where the shell sets nothing.
    #[must_use]
    pub fn environment(&self) -> Environment {
        let mut env = Environment::of_process();
        for (name, value) in self.additions() {
            env.vars.entry(name).or_insert(value);
        }
        env
    }

    fn additions(&self) -> Vec<(String, String)> {
        let Some(unit) = &self.unit else {
            return Vec::new();
        };
        let mut add: Vec<(String, String)> = unit
            .environment
            .iter()
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        if let Some(folder) = &unit.state_directory {
            let folder = folder.display().to_string();
            add.push(("STATE_DIRECTORY".to_owned(), folder));
        }
        add
    }

    /// Starts this program anew with the same arguments as the service's user, or as the owner of
    /// the database's folder where no service is installed, when that is needed; to be called
    /// before the database is opened and before any task runs. Returns only when it is not
    /// needed, or fails.
    ///
    /// # Errors
    /// What is missing, with the remedy.
    pub fn become_owner(&self, loaded: &Loaded, credentials: Credentials) -> anyhow::Result<()> {
        let database = &loaded.settings.database;
        let Some(folder) = database.parent() else {
            return Ok(());
        };
        match self.service_user(folder, loaded)? {
            Some((unit, user)) => {
                let owner = own_folder(folder, unit, &user)?;
                self.start_anew(loaded, Some((unit, credentials)), owner, Some(&user))
            }
            None => {
                let found = std::fs::metadata(folder).ok();
                let Some(owner) = found.as_ref().and_then(owner_to_become) else {
                    return Ok(());
                };
                let user = service::user_with_id(Path::new(ROOT), owner.uid)?;
                self.start_anew(loaded, None, owner, user.as_ref())
            }
        }
    }

    /// The installed service and its user, if the database in `folder` is the service's: it lies
    /// in the state folder of the unit, in a folder of its user, or where the service's own
    /// settings say.
    fn service_user(
        &self,
        folder: &Path,
        loaded: &Loaded,
    ) -> anyhow::Result<Option<(&Unit, User)>> {
        let Some(unit) = &self.unit else {
            return Ok(None);
        };
        let name = match unit.user.as_deref() {
            None | Some("root" | "0") => return Ok(None),
            Some(name) => name,
        };
        let user = service::user_named(Path::new(ROOT), name).context("Look for the user")?;
        let is_state =
            unit.state_directory.as_deref() == Some(folder) || names_database(loaded, unit);
        let Some(user) = user else {
            if is_state {
                bail!(
                    "The service's user {name} is not there: make it with `systemd-sysusers`, or \
                     with `replyd setup`"
                );
            }
            return Ok(None);
        };
        let owned = std::fs::metadata(folder).is_ok_and(|m| m.uid() == user.uid);
        Ok((is_state || owned).then_some((unit, user)))
    }

    fn start_anew(
        &self,
        loaded: &Loaded,
        service: Option<(&Unit, Credentials)>,
        owner: Owner,
        user: Option<&User>,
    ) -> anyhow::Result<()> {
        let groups = match user {
            Some(user) => {
                let mut groups = service::groups_of(Path::new(ROOT), user)?;
                groups.retain(|g| *g != owner.gid);
                groups.insert(0, owner.gid);
                groups
            }
            None => vec![owner.gid],
        };
        if let Some((unit, _)) = service {
            tell_other_settings(loaded, unit);
        }
        let mut over = HandOver::new(owner).context("Make a folder below /run")?;
        let argv = arguments(loaded, owner, &groups, &mut over)?;
        // The open file itself: the program may lie where only root may look.
        let mut successor = Command::new("/proc/self/exe");
        successor
            .arg0(argv.first().map_or("replyd".as_ref(), OsString::as_os_str))
            .args(argv.iter().skip(1));
        if let Some(user) = user {
            // Who sits at the keyboard is asked for the record (drafts, switches).
            if let Some(who) =
                std::env::var_os("USER").filter(|_| std::env::var_os("SUDO_USER").is_none())
            {
                successor.env("SUDO_USER", who);
            }
            successor
                .env("HOME", &user.home)
                .env("USER", &user.name)
                .env("LOGNAME", &user.name);
        }
        if let Some((unit, credentials)) = service {
            self.as_the_unit(&mut successor, unit, credentials, &mut over)?;
        }
        // From here on without root's rights; the order matters.
        let ids: Vec<Gid> = groups.iter().map(|g| Gid::from_raw(*g)).collect();
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        rustix::thread::set_thread_groups(&ids)
            .and_then(|()| rustix::thread::set_thread_res_gid(gid, gid, gid))
            .and_then(|()| rustix::thread::set_thread_res_uid(uid, uid, uid))
            .context("Become the user of the service")?;
        Err(successor.exec()).context("Start replyd anew as the user of the service")
    }

    /// Folder, umask, environment and credentials as systemd gives them to the service.
    fn as_the_unit(
        &self,
        successor: &mut Command,
        unit: &Unit,
        credentials: Credentials,
        over: &mut HandOver,
    ) -> anyhow::Result<()> {
        for (name, value) in self.additions() {
            if std::env::var_os(&name).is_none() {
                successor.env(name, value);
            }
        }
        if let Some(folder) = unit.working_directory.as_ref().filter(|f| f.is_dir()) {
            successor.current_dir(folder);
        }
        if let Some(mask) = unit.umask {
            rustix::process::umask(Mode::from_bits_truncate(mask));
        }
        let wanted = |id: &str| credentials == Credentials::All || id == KEYS_CREDENTIAL;
        let found = service::read_credentials(Path::new(ROOT), &unit.credentials, &wanted);
        for problem in &found.problems {
            complain(problem);
        }
        for credential in &found.credentials {
            over.credential(&credential.id, credential.value.expose_secret())
                .with_context(|| format!("Hand over the credential {}", credential.id))?;
        }
        // Also when there are none: those of another service are not ours.
        successor.env("CREDENTIALS_DIRECTORY", over.credentials());
        Ok(())
    }
}

/// A replyd.toml in the current folder wins over the service's: on the service's database that is
/// rarely meant.
fn tell_other_settings(loaded: &Loaded, unit: &Unit) {
    let (Some(found), Some(folder)) = (&loaded.config_file, &unit.working_directory) else {
        return;
    };
    let services = folder.join("replyd.toml");
    if services.exists() && !is_same(found, &services) {
        complain(&format!(
            "the settings are those of {}, the database is the service's, whose settings lie in {}",
            found.display(),
            services.display()
        ));
    }
}

fn complain(text: &str) {
    // There is nothing left to do when that fails.
    writeln!(std::io::stderr(), "replyd: {text}").unwrap_or_default();
}

/// Whom root becomes to work in this folder: its owner, or nobody when it is root's own.
fn owner_to_become(folder: &Metadata) -> Option<Owner> {
    (folder.uid() != 0).then(|| Owner {
        uid: folder.uid(),
        gid: folder.gid(),
    })
}

/// Whether the service's own settings file names the database.
fn names_database(loaded: &Loaded, unit: &Unit) -> bool {
    let Some(folder) = &unit.working_directory else {
        return false;
    };
    loaded.effective.iter().any(|e| {
        e.key == "store.database"
            && matches!(&e.origin, Origin::File { path, .. }
                if is_same(path, &folder.join("replyd.toml")))
    })
}

fn is_same(a: &Path, b: &Path) -> bool {
    a.canonicalize()
        .is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// The database's folder as the service's user needs it. The state folder of the unit is made
/// where it is not there yet, as systemd does before the first start.
fn own_folder(folder: &Path, unit: &Unit, user: &User) -> anyhow::Result<Owner> {
    let gid = match &unit.group {
        Some(group) => service::group_named(Path::new(ROOT), group)?
            .with_context(|| format!("The service's group {group} is not there"))?,
        None => user.gid,
    };
    let owner = Owner { uid: user.uid, gid };
    let shown = folder.display();
    let name = &user.name;
    let is_state = unit.state_directory.as_deref() == Some(folder);
    match std::fs::metadata(folder) {
        Ok(found) if found.uid() == user.uid => {}
        Ok(_) => {
            bail!("{shown} does not belong to {name}, the service's user: chown -R {name}: {shown}")
        }
        Err(e) if e.kind() == ErrorKind::NotFound && is_state => {
            DirBuilder::new()
                .mode(0o700)
                .create(folder)
                .and_then(|()| chown(folder, Some(owner.uid), Some(owner.gid)))
                .with_context(|| format!("Make the state folder {shown}"))?;
        }
        Err(e) if e.kind() == ErrorKind::NotFound => bail!(
            "The folder of the database is not there: install -d -m 0700 -o {name} -g {name} \
             {shown}, and let the service write there (ReadWritePaths={shown} in its unit)"
        ),
        Err(e) => return Err(e).with_context(|| format!("Look at the folder {shown}")),
    }
    Ok(owner)
}

/// The command line for the successor: every path absolute, files that it could not read handed
/// over, and the settings files that were found named.
fn arguments(
    loaded: &Loaded,
    owner: Owner,
    groups: &[u32],
    over: &mut HandOver,
) -> anyhow::Result<Vec<OsString>> {
    let mut argv: Vec<OsString> = std::env::args_os().collect();
    let here = std::env::current_dir().context("Find the current folder")?;
    for path in paths::path_args(super::Cli::command(), &argv) {
        let full = here.join(&path.typed);
        let readable = service::may_read(&full, owner.uid, groups);
        let there = std::fs::metadata(&full);
        let by = match there {
            Ok(found) if !path.place && !readable && !found.is_dir() => over
                .input(&full)
                .with_context(|| format!("Read {}", full.display()))?,
            Err(e) if path.must_exist => {
                return Err(e).with_context(|| format!("Open {}", full.display()));
            }
            _ => full,
        };
        paths::replace(&mut argv, &path.typed, &by);
    }
    for (flag, file) in [
        ("--config", &loaded.config_file),
        ("--env-file", &loaded.env_file),
    ] {
        let given = argv.iter().any(|a| {
            a == flag
                || a.to_str()
                    .is_some_and(|a| a.starts_with(&format!("{flag}=")))
        });
        if let Some(file) = file
            && !given
        {
            argv.splice(
                1..1,
                [OsString::from(flag), here.join(file).into_os_string()],
            );
        }
    }
    Ok(argv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_becomes_the_owner_of_a_folder_that_is_not_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let here = || std::fs::metadata(dir.path()).unwrap();
        let expected = (here().uid() != 0).then(|| Owner {
            uid: here().uid(),
            gid: here().gid(),
        });
        assert_eq!(owner_to_become(&here()), expected);

        // Only root can give a folder away.
        if chown(dir.path(), Some(4321), Some(4322)).is_ok() {
            let owner = Owner {
                uid: 4321,
                gid: 4322,
            };
            assert_eq!(owner_to_become(&here()), Some(owner));
        }
    }
}
