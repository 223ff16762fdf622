//! Where settings are looked for: the process's surroundings as a value, so that tests need
//! no process environment, and the files that are found in them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretSlice};

use super::problem::{Note, Problem};

/// Larger settings files are refused, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The surroundings of the process.
#[derive(Clone, Default)]
pub struct Environment {
    /// Its environment variables.
    pub vars: BTreeMap<String, String>,
    /// Names of variables whose value is not UTF-8.
    pub not_utf8: Vec<String>,
    /// The current folder; absolute.
    pub cwd: PathBuf,
    /// The home folder.
    pub home: Option<PathBuf>,
    /// The folder of the machine's settings: `/etc/replyd`.
    pub etc: PathBuf,
    /// The folder of the installed service's state: `/var/lib/replyd`.
    pub service_state: PathBuf,
    /// The effective user id.
    pub euid: u32,
    /// Files that are about to be written, by absolute path: they are read as if they were there.
    pub drafts: BTreeMap<PathBuf, SecretSlice<u8>>,
}

impl fmt::Debug for Environment {
    /// Names only: values may be secrets (invariant I7).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("vars", &self.vars.keys().collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .field("home", &self.home)
            .field("etc", &self.etc)
            .field("service_state", &self.service_state)
            .field("euid", &self.euid)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// The surroundings of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let mut vars = BTreeMap::new();
        let mut not_utf8 = Vec::new();
        for (name, value) in std::env::vars_os() {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = name.into_string() {
                match value.into_string() {
                    Ok(value) => drop(vars.insert(name, value)),
                    Err(_) => not_utf8.push(name),
                }
            }
        }
        let home = vars
            .get("HOME")
            .filter(|h| !h.is_empty())
            .map(PathBuf::from);
        Self {
            vars,
            not_utf8,
            // Without a current folder relative paths fail where they are used, with their name.
            cwd: std::env::current_dir().unwrap_or_default(),
            home,
            etc: PathBuf::from("/etc/replyd"),
            service_state: PathBuf::from("/var/lib/replyd"),
            euid: rustix::process::geteuid().as_raw(),
            drafts: BTreeMap::new(),
        }
    }

    /// Whether the file is there, or about to be.
    pub(super) fn has_file(&self, path: &Path) -> bool {
        self.drafts.contains_key(path) || path.exists()
    }

    /// As [`read_bounded`], of drafts too.
    pub(super) fn read_bounded(&self, path: &Path, max: u64) -> std::io::Result<(Vec<u8>, bool)> {
        match self.drafts.get(path) {
            Some(draft) => Ok((draft.expose_secret().to_vec(), false)),
            None => read_bounded(path, max),
        }
    }

    /// A variable; an empty one counts as not set.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// `path` as seen from `folder`, with `~/` for the home folder.
    pub(super) fn resolve(&self, folder: &Path, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => folder.join(path),
        }
    }
}

/// The flags that are settings, as they were typed.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--env-file`
    pub env_file: Option<PathBuf>,
    /// `--database`
    pub database: Option<PathBuf>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--redirect-to`
    pub redirect_to: Option<String>,
    /// `--interval`
    pub interval: Option<String>,
    /// `--days`
    pub days: Option<String>,
    /// `--listen`, or `off` for `--no-web`.
    pub listen: Option<String>,
}

/// All that settings are made from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The surroundings.
    pub env: Environment,
    /// The command line.
    pub flags: Flags,
}

/// A settings file that was read.
pub(super) struct Text {
    /// As it is shown.
    pub(super) path: PathBuf,
    /// The folder that its relative paths start from; absolute.
    pub(super) folder: PathBuf,
    pub(super) text: String,
    /// Every user of the machine can read it.
    pub(super) world_readable: bool,
}

/// The files in effect.
#[derive(Default)]
pub(super) struct Files {
    pub(super) config: Option<Text>,
    pub(super) env_file: Option<Text>,
}

/// Finds and reads both files.
pub(super) fn find(sources: &Sources, problems: &mut Vec<Problem>) -> Files {
    let Sources { env, flags } = sources;
    let config = if let Some(path) = &flags.config {
        named(env, path, "--config", problems)
    } else if let Some(path) = env.var("REPLYD_CONFIG") {
        named(
            env,
            Path::new(path),
            "environment variable REPLYD_CONFIG",
            problems,
        )
    } else {
        let places = [PathBuf::from("replyd.toml"), env.etc.join("replyd.toml")];
        places.iter().find_map(|path| if_there(env, path, problems))
    };
    let env_file = if let Some(path) = &flags.env_file {
        named(env, path, "--env-file", problems)
    } else {
        let beside = config.as_ref().map_or_else(
            || PathBuf::from(".env"),
            |c| c.path.parent().unwrap_or(Path::new("")).join(".env"),
        );
        if_there(env, &beside, problems)
    };
    Files { config, env_file }
}

/// A file that the operator named: it must be there. Falling through to the next place would
/// start the program with somebody else's settings.
fn named(env: &Environment, path: &Path, place: &str, problems: &mut Vec<Problem>) -> Option<Text> {
    match read(env, path) {
        Ok(text) => Some(text),
        Err(error) => {
            problems.push(Problem {
                place: place.to_owned(),
                key: String::new(),
                what: format!("cannot read {}: {error}", path.display()),
                remedy: "Name a file that is there and that this user may read".to_owned(),
            });
            None
        }
    }
}

/// A file that may be absent.
fn if_there(env: &Environment, path: &Path, problems: &mut Vec<Problem>) -> Option<Text> {
    match read(env, path) {
        Ok(text) => Some(text),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            None
        }
        Err(error) => {
            let remedy = if path.starts_with(&env.etc) && env.euid != 0 {
                "Run this as root, which becomes the service's user, or name another file by \
                 --config or --env-file"
            } else {
                "Let this user read it, or name another file by --config or --env-file"
            };
            problems.push(Problem {
                place: path.display().to_string(),
                key: String::new(),
                what: format!("it is there, but cannot be read: {error}"),
                remedy: remedy.to_owned(),
            });
            None
        }
    }
}

fn read(env: &Environment, path: &Path) -> std::io::Result<Text> {
    let full = env.cwd.join(path);
    let (bytes, world_readable) = env.read_bounded(&full, MAX_FILE_BYTES)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))?;
    Ok(Text {
        path: path.to_owned(),
        folder: full.parent().unwrap_or(Path::new("/")).to_owned(),
        text,
        world_readable,
    })
}

/// A whole file of at most `max` bytes, and whether every user of the machine can read it.
pub(super) fn read_bounded(path: &Path, max: u64) -> std::io::Result<(Vec<u8>, bool)> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(std::io::Error::new(
            ErrorKind::IsADirectory,
            "it is a folder",
        ));
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|n| n > max) {
        return Err(std::io::Error::new(
            ErrorKind::FileTooLarge,
            format!("it is larger than {max} bytes"),
        ));
    }
    Ok((bytes, meta.permissions().mode() & 0o004 != 0))
}

/// The warning about a file that holds a secret and that everybody can read.
pub(super) fn readable_by_all(path: &Path) -> Note {
    Note {
        warning: true,
        text: format!(
            "{} holds a secret and every user of this machine can read it: chmod o= it",
            path.display()
        ),
    }
}

/// The database by the rule of its default.
pub(super) fn default_database(env: &Environment) -> Option<(PathBuf, &'static str)> {
    // systemd lists several folders with colons; the first is ours in the shipped units.
    let state = env
        .var("STATE_DIRECTORY")
        .and_then(|dirs| dirs.split(':').next());
    if let Some(dir) = state {
        return Some((env.cwd.join(dir).join("replyd.db"), "$STATE_DIRECTORY"));
    }
    if is_services(env) {
        let path = env.service_state.join("replyd.db");
        return Some((path, "the service's folder, which is there"));
    }
    // The XDG base directory specification wants relative paths to be ignored.
    let xdg = env
        .var("XDG_STATE_HOME")
        .filter(|p| Path::new(p).is_absolute());
    if let Some(dir) = xdg {
        return Some((Path::new(dir).join("replyd/replyd.db"), "$XDG_STATE_HOME"));
    }
    let home = env.home.as_ref()?;
    Some((home.join(".local/state/replyd/replyd.db"), "~/.local/state"))
}

/// Whether this is a shell on the machine of an installed service: of root, who becomes its user
/// before the database is opened, or of that user. Both must come to the same answer, because
/// root's command starts anew as that user with root's environment.
fn is_services(env: &Environment) -> bool {
    std::fs::metadata(&env.service_state)
        .is_ok_and(|folder| folder.is_dir() && (env.euid == 0 || env.euid == folder.uid()))
}
