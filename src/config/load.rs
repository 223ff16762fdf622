//! Loading: sources → layers → checked settings, with every problem at once. Opens no socket
//! and no database.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use crate::hours::WorkingHours;
use crate::model::CampaignMode;
use crate::zone::ZoneChoice;

use super::keys;
use super::layers::{self, Scope};
use super::levels::Level;
use super::problem::{ConfigError, Note, Origin, Problem};
use super::resolve::{Effective, Got, Resolver};
use super::sources::{self, Files, Sources};
use super::values::{self, Value};
use super::{
    AlertSettings, JwtSettings, KeepRaw, ListenSettings, LogFormat, LogSettings, ReplySettings,
    Settings, StoreSettings, WebSettings,
};

/// What a command is going to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It looks at mailboxes or sends mail: accounts and their secrets must be right.
    Mail,
    /// It works on the database alone: no account is asked for, no secret is read,
    /// `Settings::accounts` stays empty, and `sales_email` too unless it is set.
    Store,
}

/// Settings, and what the operator may want to know about them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Warnings and notes, to be logged once tracing runs.
    pub notes: Vec<Note>,
    /// Every value in effect with its origin, for `config check`.
    pub effective: Vec<Effective>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// The replyd.toml among them.
    pub config_file: Option<PathBuf>,
    /// The `.env` among them.
    pub env_file: Option<PathBuf>,
}

impl Settings {
    /// Reads all sources and validates them.
    ///
    /// # Errors
    /// Every problem at once, each with key, place and remedy; exit code 64.
    pub fn load(sources: &Sources, need: Need) -> Result<Loaded, ConfigError> {
        let mut problems = Vec::new();
        let mut notes = Vec::new();
        let files = sources::find(sources, &mut problems);
        if !problems.is_empty() {
            // Without a file that should be there the rest would be wrong by that alone.
            return Err(ConfigError { problems, notes });
        }
        let Some(layers) = layers::read(sources, &files, &mut problems, &mut notes) else {
            return Err(ConfigError { problems, notes });
        };
        let mut resolver = Resolver {
            sources,
            files: &files,
            layers: &layers,
            problems,
            notes,
            effective: Vec::new(),
        };
        let settings = resolver.settings(need);
        let Resolver {
            problems,
            notes,
            effective,
            ..
        } = resolver;
        if !problems.is_empty() {
            return Err(ConfigError {
                problems: without_repeats(problems),
                notes,
            });
        }
        Ok(Loaded {
            settings,
            notes,
            effective,
            files: shown(&files),
            config_file: files.config.as_ref().map(|f| f.path.clone()),
            env_file: files.env_file.as_ref().map(|f| f.path.clone()),
        })
    }
}

/// A shared key is looked at once an account: its problem is told once.
fn without_repeats(problems: Vec<Problem>) -> Vec<Problem> {
    let mut told: Vec<Problem> = Vec::new();
    for problem in problems {
        if !told.contains(&problem) {
            told.push(problem);
        }
    }
    told
}

fn shown(files: &Files) -> Vec<PathBuf> {
    [&files.config, &files.env_file]
        .into_iter()
        .flatten()
        .map(|f| f.path.clone())
        .collect()
}

impl Resolver<'_> {
    fn settings(&mut self, need: Need) -> Settings {
        let database = self.database();
        let state_dir = database.parent().map(PathBuf::from).unwrap_or_default();
        let store = self.store();
        let log = self.log();
        let web = self.web(need);
        let alerts = self.alerts();
        let webhooks = self.webhooks(need);
        let listen = self.listen();
        let account_names = self
            .layers
            .accounts
            .iter()
            .map(|a| a.name.clone())
            .filter(|name| !name.is_empty())
            .collect();
        let oauth_accounts = self.oauth_accounts();
        let accounts = match need {
            Need::Mail => self.accounts(),
            Need::Store => Vec::new(),
        };
        let senders = self.senders(need, &accounts);
        let first = accounts.first().map(|a| a.address.clone());
        let reply = self.reply(need, first);
        let model = self.model_endpoint(need);
        let redirect_to = self.redirect();
        let keys_credential = self
            .sources
            .env
            .var("CREDENTIALS_DIRECTORY")
            .map(|folder| self.sources.env.cwd.join(folder).join("replyd.keys"))
            .filter(|path| path.exists());
        Settings {
            state_dir,
            database,
            keys_credential,
            accounts,
            account_names,
            senders,
            oauth_accounts,
            listen,
            reply,
            model,
            store,
            log,
            web,
            alerts,
            webhooks,
            redirect_to,
        }
    }

    fn database(&mut self) -> PathBuf {
        let key = &keys::DATABASE;
        if self.layers.get(Scope::All, key).is_some() {
            let got = self.set(Scope::All, key);
            let path = got
                .as_ref()
                .and_then(|got| self.path(got))
                .unwrap_or_default();
            if let Some(got) = got {
                self.record(Scope::All, key, path.display().to_string(), &got.origin);
                if path.is_dir() {
                    let what = format!("{} is a folder", path.display());
                    let remedy = "Name the file, for example replyd.db in it";
                    self.fault(Scope::All, key, &got.origin, what, remedy);
                }
            }
            return path;
        }
        if let Some((path, rule)) = sources::default_database(&self.sources.env) {
            let origin = Origin::From(rule.to_owned());
            self.record(Scope::All, key, path.display().to_string(), &origin);
            return path;
        }
        self.fault(
            Scope::All,
            key,
            &Origin::Default,
            "there is no place for it: none of STATE_DIRECTORY, XDG_STATE_HOME and HOME is set",
            "Give --database FILE, or set REPLYD_DATABASE in the environment",
        );
        PathBuf::new()
    }

    fn listen(&mut self) -> ListenSettings {
        let interval = self.duration(&keys::INTERVAL);
        ListenSettings {
            interval,
            days: self.integer(&keys::DAYS),
            silence: self.duration(&keys::SILENCE),
            idle_max: self.idle_max(interval),
            byte_budget: self.integer(&keys::BYTE_BUDGET),
            login_every: self.duration(&keys::LOGIN_EVERY),
            session_max: self.duration(&keys::SESSION_MAX),
        }
    }

    /// No IDLE outlives the poll's period.
    fn idle_max(&mut self, interval: std::time::Duration) -> std::time::Duration {
        let key = &keys::IDLE_MAX;
        let Some(Got {
            value: Value::Duration(set),
            origin,
        }) = self.value(Scope::All, key, None)
        else {
            return interval;
        };
        let (idle_max, origin) = if set > interval {
            (
                interval,
                Origin::From("listen.interval, which is shorter".to_owned()),
            )
        } else {
            (set, origin)
        };
        self.record(
            Scope::All,
            key,
            values::show_seconds(idle_max.as_secs()),
            &origin,
        );
        idle_max
    }

    fn reply(&mut self, need: Need, first_address: Option<String>) -> ReplySettings {
        let mode = self.word(&keys::MODE).parse().unwrap_or(CampaignMode::Off);
        let sales_email = match self.global(&keys::SALES_EMAIL).map(|g| g.value) {
            Some(Value::Address { addr, .. }) => addr,
            _ => {
                let address = first_address.unwrap_or_default();
                if !address.is_empty() {
                    let origin = Origin::From("address of the first account".to_owned());
                    self.record(Scope::All, &keys::SALES_EMAIL, &address, &origin);
                }
                address
            }
        };
        let goal_threshold = self.fraction(&keys::GOAL_THRESHOLD);
        let question_threshold = self.fraction(&keys::QUESTION_THRESHOLD);
        ReplySettings {
            mode,
            sales_email,
            sales_addresses: self.list(&keys::SALES_ADDRESSES),
            operator_addresses: self.list(&keys::OPERATOR_ADDRESSES),
            goal_threshold,
            question_threshold,
            answer_max_age: self.duration(&keys::ANSWER_MAX_AGE),
            optout_confirmation: self.boolean(&keys::OPTOUT_CONFIRMATION),
            sales_notices_per_hour: self.integer(&keys::SALES_NOTICES_PER_HOUR),
            automatic_per_day: self.integer(&keys::AUTOMATIC_PER_DAY),
            margin: self.fraction(&keys::MARGIN),
            automatic_per_domain: self.integer(&keys::AUTOMATIC_PER_DOMAIN),
            person_words: self.list(&keys::PERSON_WORDS),
            not_now_pause: self.duration(&keys::NOT_NOW_PAUSE),
            send_delay: self.duration(&keys::SEND_DELAY),
            working_hours: self.working_hours(),
            zone: ZoneChoice::parse(&self.word(&keys::ZONE)).unwrap_or(ZoneChoice::Lead),
            templates_dir: self.templates_dir(need),
            weights_file: self.weights_file(need),
        }
    }

    fn fraction(&mut self, key: &'static keys::Key) -> f64 {
        match self.global(key).map(|g| g.value) {
            Some(Value::Fraction(x)) => x,
            _ => 1.0,
        }
    }

    fn working_hours(&mut self) -> Option<WorkingHours> {
        let key = &keys::WORKING_HOURS;
        let got = self.set(Scope::All, key)?;
        let Value::Text(text) = &got.value else {
            return None;
        };
        self.record(Scope::All, key, text, &got.origin);
        WorkingHours::parse(text).ok()
    }

    fn templates_dir(&mut self, need: Need) -> Option<PathBuf> {
        let key = &keys::TEMPLATES_DIR;
        let got = self.set(Scope::All, key)?;
        let path = self.path(&got)?;
        if need == Need::Mail && !path.is_dir() {
            let what = format!("there is no folder {}", path.display());
            let remedy = "Make it, or remove the key to use the texts in the program";
            self.fault(Scope::All, key, &got.origin, what, remedy);
        }
        self.record(Scope::All, key, path.display().to_string(), &got.origin);
        Some(path)
    }

    fn weights_file(&mut self, need: Need) -> Option<PathBuf> {
        let key = &keys::WEIGHTS_FILE;
        let got = self.set(Scope::All, key)?;
        let path = self.path(&got)?;
        if need == Need::Mail && !path.is_file() {
            let what = format!("there is no file {}", path.display());
            let remedy = "Make it by `replyd train FILE.tsv --out WEIGHTS`, or remove the key";
            self.fault(Scope::All, key, &got.origin, what, remedy);
        }
        self.record(Scope::All, key, path.display().to_string(), &got.origin);
        Some(path)
    }

    fn store(&mut self) -> StoreSettings {
        StoreSettings {
            keep_raw: match self.word(&keys::KEEP_RAW).as_str() {
                "all" => KeepRaw::All,
                "none" => KeepRaw::None,
                _ => KeepRaw::Leads,
            },
            raw_retention: self.duration(&keys::RAW_RETENTION),
        }
    }

    fn web(&mut self, need: Need) -> WebSettings {
        let got = self.global(&keys::WEB_LISTEN);
        let is_chosen = got.as_ref().is_some_and(|g| g.origin != Origin::Default);
        let listen = match got.map(|g| g.value) {
            Some(Value::Text(address)) => address.parse().ok(),
            _ => None,
        };
        let public_url = match self.global(&keys::WEB_PUBLIC_URL).map(|g| g.value) {
            Some(Value::Text(url)) => Some(url),
            _ => None,
        };
        let proxies = self.list(&keys::WEB_TRUSTED_PROXIES);
        WebSettings {
            listen,
            is_chosen,
            public_url,
            view_check: std::time::Duration::from_millis(self.integer(&keys::WEB_VIEW_CHECK_MS)),
            attachment_max: self.integer(&keys::WEB_ATTACHMENT_MAX),
            trusted_proxies: proxies.iter().filter_map(|n| n.parse().ok()).collect(),
            jwt: self.jwt(need),
            open_metrics: self.boolean(&keys::WEB_OPEN_METRICS),
        }
    }

    /// For [`Need::Store`] no secret is read.
    fn jwt(&mut self, need: Need) -> Option<JwtSettings> {
        let user_claim = self.global(&keys::WEB_JWT_USER_CLAIM).map(|g| g.value);
        if need == Need::Store {
            return None;
        }
        let (shown_as, least) = (&keys::WEB_JWT_KEY, 16);
        let (key, origin) = match self.strongest(&Level::jwt()) {
            Some(way) => {
                let got = self.set(Scope::All, way.key)?;
                self.secret_value((Scope::All, way.key), &got)?
            }
            None => {
                let path = self.credential_file(&["replyd.jwt-key".to_owned()])?;
                let origin = Origin::From(format!("systemd credential {}", path.display()));
                match self.secret_of(&path) {
                    Ok(text) => (SecretString::from(text), origin),
                    Err((what, remedy)) => {
                        self.fault(Scope::All, shown_as, &origin, what, remedy);
                        return None;
                    }
                }
            }
        };
        if key.expose_secret().len() < least {
            let what = format!("it has fewer than {least} bytes: it could be guessed");
            let remedy = "Give the key by which the other program signs its tokens";
            self.fault(Scope::All, shown_as, &origin, what, remedy);
            return None;
        }
        self.record(Scope::All, shown_as, "set", &origin);
        let user_claim = match user_claim {
            Some(Value::Text(claim)) if !claim.is_empty() => claim,
            _ => "user_id".to_owned(),
        };
        Some(JwtSettings { key, user_claim })
    }

    fn alerts(&mut self) -> AlertSettings {
        let webhook = match self.global(&keys::ALERTS_WEBHOOK).map(|g| g.value) {
            Some(Value::Text(url)) => Some(url.into()),
            _ => None,
        };
        AlertSettings {
            webhook,
            command: self.alert_command(),
            lost_after: self.duration(&keys::ALERTS_LOST_AFTER),
            outbox_late: self.duration(&keys::ALERTS_OUTBOX_LATE),
        }
    }

    /// Program and arguments: it is run without a shell, so a text is divided at its blanks.
    fn alert_command(&mut self) -> Vec<String> {
        let key = &keys::ALERTS_COMMAND;
        let Some(got) = self.global(key) else {
            return Vec::new();
        };
        let words: Vec<String> = match got.value {
            Value::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Value::List(words) => words,
            _ => Vec::new(),
        };
        if words
            .first()
            .is_some_and(|program| !program.starts_with('/'))
        {
            let what = "the program is no absolute path";
            let remedy = "Write the whole path of the program; it is run without a shell";
            self.fault(Scope::All, key, &got.origin, what, remedy);
        }
        words
    }

    fn log(&mut self) -> LogSettings {
        LogSettings {
            format: match self.word(&keys::LOG_FORMAT).as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            filter: self.word(&keys::LOG_FILTER),
        }
    }

    fn redirect(&mut self) -> Option<String> {
        let written = self.sources.flags.redirect_to.as_ref()?;
        match values::address(written) {
            Ok((_, addr)) => {
                self.warn(format!(
                    "--redirect-to: every outgoing mail goes to {addr}, none to its recipient"
                ));
                Some(addr)
            }
            Err(fault) => {
                self.problems.push(Problem {
                    place: "--redirect-to".to_owned(),
                    key: String::new(),
                    what: fault.what,
                    remedy: fault.remedy,
                });
                None
            }
        }
    }
}
