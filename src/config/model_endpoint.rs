//! `[model]`: an OpenAI-compatible server that is asked besides the program's own classifier.
//! Without `base_url` nothing of it is started.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::keys::{self, Kind};
use super::layers::Scope;
use super::levels::Level;
use super::load::Need;
use super::oauth::ClientSecret;
use super::problem::Origin;
use super::resolve::Resolver;
use super::secrets::command;
use super::values::Value;

/// A systemd credential of this name gives the key without a line in replyd.toml.
const CREDENTIAL: &str = "replyd.model-api-key";
/// The path of the requests, which base_url is without.
const PATH: &str = "/chat/completions";
/// What it can be asked for.
const USES: [&str; 2] = ["classify", "word"];

/// The model endpoint.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// Its address without a slash at the end.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The key; none: no Authorization header.
    pub api_key: Option<ClientSecret>,
    /// Whether it is asked what a reply wants.
    pub classify: bool,
    /// Whether it puts answers into words.
    pub word: bool,
    /// For a classification (default 8 s).
    pub timeout: Duration,
    /// For the words of an answer (default 30 s).
    pub answer_timeout: Duration,
    /// Tokens of a classification (default 200).
    pub max_tokens: u32,
    /// Certificates trusted there, besides the system's store.
    pub ca_file: Option<PathBuf>,
}

impl Resolver<'_> {
    /// The table, if it names a server. For [`Need::Store`] no secret is read.
    pub(super) fn model_endpoint(&mut self, need: Need) -> Option<ModelSettings> {
        let key = &keys::MODEL_BASE_URL;
        if self.layers.get(Scope::All, key).is_none() {
            self.refuse_model_without_address();
            return None;
        }
        let got = self.global(key)?;
        let Value::Text(written) = &got.value else {
            return None;
        };
        let base_url = written.trim_end_matches('/').to_owned();
        let remedy = "Write the address up to its version, for example http://127.0.0.1:11434/v1";
        let wrong = match reqwest::Url::parse(&base_url) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Some("a user or a password in it: give the key as api_key_file")
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                Some("a query in it, after which no path can follow")
            }
            _ if base_url.ends_with(PATH) => Some("the path of the requests is added to it"),
            _ => None,
        };
        if let Some(what) = wrong {
            self.fault(Scope::All, key, &got.origin, what, remedy);
        }
        let model = self.text(Scope::All, &keys::MODEL_MODEL);
        if let Some(model) = &model {
            self.record(Scope::All, &keys::MODEL_MODEL, &model.value, &model.origin);
        } else {
            let ways = self.ways(Scope::All, &keys::MODEL_MODEL);
            let what = "the model's name is missing";
            self.fault(Scope::All, &keys::MODEL_MODEL, &Origin::Default, what, ways);
        }
        let api_key = match need {
            Need::Mail => self.model_key(),
            Need::Store => Some(None),
        };
        let (classify, word) = self.model_uses();
        let timeout = self.duration(&keys::MODEL_TIMEOUT);
        let answer_timeout = self.duration(&keys::MODEL_ANSWER_TIMEOUT);
        let max_tokens = self.integer(&keys::MODEL_MAX_TOKENS);
        let ca_file = self
            .ca_file(Scope::All, (&keys::MODEL_CA_FILE, None))
            .ok()?;
        Some(ModelSettings {
            base_url,
            model: model?.value,
            api_key: api_key?,
            classify,
            word,
            timeout,
            answer_timeout,
            max_tokens,
            ca_file,
        })
    }

    /// A table that would have no effect.
    fn refuse_model_without_address(&mut self) {
        let key = &keys::MODEL_BASE_URL;
        let mut all = keys::ALL.iter().filter(|k| k.table() == key.table());
        let Some(first) = all.find(|k| self.layers.get(Scope::All, k).is_some()) else {
            return;
        };
        let origin = self
            .layers
            .get(Scope::All, first)
            .map_or(Origin::Default, |f| f.origin.clone());
        self.fault(
            Scope::All,
            key,
            &origin,
            format!("{} is set, but not the address", first.name()),
            "Write base_url = \"https://host/v1\", or remove the table",
        );
    }

    fn model_uses(&mut self) -> (bool, bool) {
        let key = &keys::MODEL_USE;
        let Some(got) = self.global(key) else {
            return (false, false);
        };
        let Value::List(uses) = &got.value else {
            return (false, false);
        };
        if let Some(other) = uses.iter().find(|u| !USES.contains(&u.as_str())) {
            let what = format!("{other:?} is nothing that it can be asked for");
            let remedy = "Write [\"classify\"], [\"word\"] or both";
            self.fault(Scope::All, key, &got.origin, what, remedy);
        }
        if uses.is_empty() {
            let what = "it would be asked for nothing";
            let remedy = "Write [\"classify\"], [\"word\"] or both, or remove the table";
            self.fault(Scope::All, key, &got.origin, what, remedy);
        }
        let [classify, word] = USES.map(|u| uses.iter().any(|w| w == u));
        (classify, word)
    }

    /// `None`: wrong; `Some(None)`: a server that wants none.
    fn model_key(&mut self) -> Option<Option<ClientSecret>> {
        let shown_as = &keys::MODEL_API_KEY;
        if let Some(way) = self.strongest(&Level::model()) {
            let got = self.set(Scope::All, way.key)?;
            if way.key.kind == Kind::Command {
                self.record(Scope::All, shown_as, "set by a command", &got.origin);
                return Some(Some(ClientSecret::Command(command(&got)?)));
            }
            let (text, origin) = self.secret_value((Scope::All, way.key), &got)?;
            self.record(Scope::All, shown_as, "set", &origin);
            return Some(Some(ClientSecret::Text(text)));
        }
        let Some(path) = self.credential_file(&[CREDENTIAL.to_owned()]) else {
            return Some(None);
        };
        let origin = Origin::From(format!("systemd credential {}", path.display()));
        match self.secret_of(&path) {
            Ok(text) => {
                self.record(Scope::All, shown_as, "set", &origin);
                Some(Some(ClientSecret::Text(SecretString::from(text))))
            }
            Err((what, remedy)) => {
                self.fault(Scope::All, shown_as, &origin, what, remedy);
                None
            }
        }
    }
}
