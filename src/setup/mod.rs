//! `replyd setup`: from an address to a tried installation.
//!
//! | file | duty |
//! | --- | --- |
//! | `desk` | a person at a terminal, or nobody |
//! | `questions`, `servers`, `sign_in` | flags and answers to everything that has to be known |
//! | `presets`, `find`, `dns`, `autoconfig` | which servers an address has |
//! | `settings_file` | replyd.toml, changed in place |
//! | `trial` | signing in to both servers before anything is written |
//! | `layout`, `plan`, `carry_out` | the files of an installation, and laying them down |
//!
//! Nothing is started, and nothing is written before the sign-in worked.

mod autoconfig;
mod carry_out;
mod desk;
mod dns;
mod find;
mod issuer;
mod layout;
mod plan;
mod presets;
mod questions;
mod servers;
mod settings_file;
mod sign_in;
mod trial;

use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

pub use autoconfig::Autoconfig;
pub use desk::{Desk, Missing, Question};
pub use dns::Dns;
pub use find::{Found, Means};
pub use issuer::Issuer;
pub use layout::{PROGRAM, SETTINGS, SHIPPED, STATE, Shipped, USER};
pub use plan::{Content, Plan, State, Step, Whose};
pub use presets::{PRESETS, Preset, Server};
pub use questions::{AlertWays, Answers, Before, SignIn, Stop, ask};
pub use settings_file::{Entry, Known, SecretLines, SettingsFile};
pub use trial::{Trouble, reach_both, try_both};

use crate::cli::{SecretPlace, SetupArgs};
use crate::config::{AccountSettings, Environment, Flags, Need, Settings, Sources};
use crate::service::{self, below};

/// Where everything goes.
#[derive(Clone, Debug)]
pub struct Place {
    /// `/`, or the folder of `--root`.
    pub root: PathBuf,
    /// The whole system is set up, not a settings file alone.
    pub is_system: bool,
    /// The settings file, on the installed system.
    pub settings: PathBuf,
}

impl Place {
    /// Root sets up the system, anybody else (and `--config FILE`) a settings file.
    ///
    /// # Errors
    /// `--config` together with `--root`, or no current folder.
    pub fn of(args: &SetupArgs, config: Option<&Path>, is_root: bool) -> Result<Self, Stop> {
        if config.is_some() && args.root.is_some() {
            return Err(Stop::Bad(
                "--root sets up a whole system: --config has no place there".to_owned(),
            ));
        }
        let is_system = args.root.is_some() || (is_root && config.is_none());
        let settings = match config {
            Some(file) => std::path::absolute(file)?,
            None if is_system => Path::new(SETTINGS).join("replyd.toml"),
            None => std::path::absolute("replyd.toml")?,
        };
        let root = match &args.root {
            Some(root) => std::path::absolute(root)?,
            None => PathBuf::from("/"),
        };
        Ok(Self {
            root,
            is_system,
            settings,
        })
    }

    /// The settings as they are; empty when there are none.
    ///
    /// # Errors
    /// They cannot be read, or are no TOML.
    pub fn read(&self) -> Result<(String, SettingsFile), Stop> {
        let there = below(&self.root, &self.settings);
        let shown = there.display();
        let text = match std::fs::read_to_string(&there) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Stop::Bad(format!("Cannot read {shown}: {e}"))),
        };
        let file = SettingsFile::read(&text)
            .map_err(|why| Stop::Bad(format!("{shown} is no valid TOML: {why}")))?;
        Ok((text, file))
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.settings.with_file_name(name)
    }

    fn secret_rights(&self) -> (u32, Whose) {
        if self.is_system {
            (0o640, Whose::RootAndService)
        } else {
            (0o600, Whose::Caller)
        }
    }
}

/// An account's new settings, with the secrets that belong to it.
#[derive(Debug)]
pub struct Draft {
    /// The whole settings file.
    pub text: String,
    /// The steps that lay everything down, settings last.
    pub plan: Plan,
    secrets: Vec<(PathBuf, SecretString)>,
    /// Name and value of a credential.
    credential: Option<(String, SecretString)>,
}

/// Makes the draft of an account.
///
/// # Errors
/// The settings file has a shape that cannot be changed.
pub fn draft(
    args: &SetupArgs,
    place: &Place,
    answers: &Answers,
    (old, file): (&str, SettingsFile),
) -> Result<Draft, Stop> {
    let name = plain(&answers.account);
    let mut secrets = Vec::new();
    let mut credential = None;
    let mut keep = |file: String, secret: &SecretString| {
        secrets.push((place.beside(&file), secret.clone()));
        file
    };
    let secret = match &answers.sign_in {
        SignIn::Keep => SecretLines::Keep,
        SignIn::Password(secret)
            if args.secret_in == SecretPlace::Credential && place.is_system =>
        {
            credential = Some((format!("replyd.{name}.password"), secret.clone()));
            SecretLines::ByName
        }
        SignIn::Password(secret) => {
            SecretLines::Key("password_file", keep(format!("{name}.password"), secret))
        }
        SignIn::Unknown => SecretLines::Key("password_file", format!("{name}.password")),
        SignIn::PasswordCommand(command) => SecretLines::Key("password_command", command.clone()),
        SignIn::TokenFile(path) => SecretLines::Key("token_file", path.display().to_string()),
        SignIn::TokenCommand(command) => SecretLines::Key("token_command", command.clone()),
        SignIn::OAuth {
            provider,
            issuer,
            client_id,
            client_secret,
            tenant,
        } => {
            let mut keys = vec![
                ("provider", (*provider).to_owned()),
                ("client_id", client_id.clone()),
            ];
            keys.extend(tenant.iter().map(|t| ("tenant", t.clone())));
            keys.extend(issuer.iter().flat_map(Issuer::lines));
            if let Some(secret) = client_secret
                .as_ref()
                .filter(|s| !s.expose_secret().is_empty())
            {
                let file = keep(format!("{name}.client-secret"), secret);
                keys.push(("client_secret_file", file));
            }
            SecretLines::OAuth(keys)
        }
    };
    let entry = Entry {
        name: answers.account.clone(),
        address: answers.address.clone(),
        from_name: answers.from_name.clone(),
        user: answers.user.clone(),
        secret,
        imap: answers.imap.clone(),
        smtp: answers.smtp.clone(),
        ca_file: answers.ca_file.as_ref().map(|p| p.display().to_string()),
        sales_email: answers.sales_email.clone(),
        operators: answers.operators.clone(),
        alerts: answers.alerts.clone(),
    };
    let text = file
        .with(&entry)
        .map_err(|why| Stop::Bad(format!("{}: {why}", place.settings.display())))?;
    let plan = steps(place, &name, &text, old, &secrets, credential.as_ref());
    Ok(Draft {
        text,
        plan,
        secrets,
        credential,
    })
}

/// As names of files and credentials are made of account names.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || "@._-".contains(c);
    name.chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect()
}

fn steps(
    place: &Place,
    name: &str,
    text: &str,
    old: &str,
    secrets: &[(PathBuf, SecretString)],
    credential: Option<&(String, SecretString)>,
) -> Plan {
    let mut steps = Vec::new();
    let file = |path: &Path, content, (mode, whose), backup| Step::File {
        path: path.to_owned(),
        content,
        mode,
        whose,
        backup,
    };
    if place.is_system {
        steps.extend(system_steps(&place.root));
    }
    if let Some((id, secret)) = credential {
        let path = Path::new("/etc/credstore").join(id);
        steps.push(Step::Folder {
            path: PathBuf::from("/etc/credstore"),
            mode: 0o700,
            whose: Whose::Root,
        });
        let content = Content::Secret(secret.clone());
        steps.push(file(&path, content, (0o600, Whose::Root), None));
        for unit in [service::UNIT, service::ONCE_UNIT] {
            let path = format!("/etc/systemd/system/{unit}.d/account-{name}.conf");
            let content = Content::Text(format!("[Service]\nLoadCredential={id}\n"));
            steps.push(file(Path::new(&path), content, (0o644, Whose::Root), None));
        }
    }
    for (path, secret) in secrets {
        let content = Content::Secret(secret.clone());
        steps.push(file(path, content, place.secret_rights(), None));
    }
    let name = place.settings.file_name().unwrap_or_default().display();
    let backup = (!old.is_empty()).then(|| place.beside(&format!("{name}.bak")));
    let content = Content::Settings(text.to_owned());
    steps.push(file(
        &place.settings,
        content,
        place.secret_rights(),
        backup,
    ));
    if place.is_system && place.root == Path::new("/") && is_booted() {
        steps.push(Step::Reload);
    }
    Plan {
        root: place.root.clone(),
        steps,
    }
}

/// User, folders, program and units; what a Debian package brought stays as it is.
fn system_steps(root: &Path) -> Vec<Step> {
    let mut steps = Vec::new();
    if !layout::is_packaged(root) {
        steps.extend(SHIPPED.iter().map(|shipped| Step::File {
            path: PathBuf::from(shipped.path),
            content: Content::Text(shipped.text.to_owned()),
            mode: 0o644,
            whose: Whose::Root,
            backup: None,
        }));
        steps.push(Step::File {
            path: PathBuf::from(PROGRAM),
            content: Content::Copy(PathBuf::from("/proc/self/exe")),
            mode: 0o755,
            whose: Whose::Root,
            backup: None,
        });
    }
    steps.push(Step::User);
    for (path, mode, whose) in [
        (SETTINGS, 0o750, Whose::RootAndService),
        (STATE, 0o700, Whose::Service),
    ] {
        steps.push(Step::Folder {
            path: PathBuf::from(path),
            mode,
            whose,
        });
    }
    steps
}

/// Whether systemd runs this machine (sd_booted(3)).
#[must_use]
pub fn is_booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The account as the service will see it: the draft read by the loader of settings, with the
/// credentials that the service gets.
///
/// # Errors
/// The settings are wrong, in words.
pub fn as_the_service(
    place: &Place,
    draft: &Draft,
    account: &str,
    mut env: Environment,
) -> anyhow::Result<AccountSettings> {
    let settings = below(&place.root, &place.settings);
    let bytes = |text: &str| text.as_bytes().to_vec().into();
    env.drafts.insert(settings.clone(), bytes(&draft.text));
    for (path, secret) in &draft.secrets {
        let path = below(&place.root, path);
        env.drafts.insert(path, bytes(secret.expose_secret()));
    }
    if place.is_system {
        // No such folder is made: its files are drafts alone.
        let folder = Path::new("/run/replyd-setup");
        let unit = service::installed_unit(&place.root).context("Read the service's unit")?;
        let sources = unit.map(|u| u.credentials).unwrap_or_default();
        let found = service::read_credentials(&place.root, &sources, &|_| true);
        for credential in found.credentials {
            env.drafts
                .insert(folder.join(&credential.id), credential.value);
        }
        if let Some((id, secret)) = &draft.credential {
            env.drafts
                .insert(folder.join(id), bytes(secret.expose_secret()));
        }
        env.vars.insert(
            "CREDENTIALS_DIRECTORY".to_owned(),
            folder.display().to_string(),
        );
    }
    let flags = Flags {
        config: Some(settings),
        ..Flags::default()
    };
    let loaded = Settings::load(&Sources { env, flags }, Need::Mail)?;
    loaded
        .settings
        .accounts
        .into_iter()
        .find(|a| a.name == account)
        .with_context(|| format!("The account {account} is not among the settings"))
}

/// A file that the settings name and that the service could not read, for its user's rights or its
/// sandbox; before anything is written.
#[must_use]
pub fn unreadable(place: &Place, answers: &Answers) -> Option<PathBuf> {
    if !place.is_system {
        return None;
    }
    let user = service::user_named(&place.root, USER).ok().flatten();
    // Not made yet: it will be in no group but its own.
    let (uid, groups) = match &user {
        Some(user) => {
            let groups = service::groups_of(&place.root, user).unwrap_or_default();
            (user.uid, groups)
        }
        None => (u32::MAX - 1, Vec::new()),
    };
    let token = match &answers.sign_in {
        SignIn::TokenFile(path) => Some(path),
        _ => None,
    };
    answers
        .ca_file
        .iter()
        .chain(token)
        .find(|path| {
            service::hidden_below(path).is_some() || !service::may_read(path, uid, &groups)
        })
        .cloned()
}

#[cfg(test)]
mod tests;
