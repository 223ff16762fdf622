//! `[[webhooks]]`: from checked values to [`WebhookSettings`].

use secrecy::{ExposeSecret as _, SecretString};

use crate::model::HookKind;

use super::keys;
use super::layers::{Layers, Scope, env_form};
use super::levels::Level;
use super::nearest::nearest;
use super::problem::{Origin, Problem};
use super::resolve::Resolver;
use super::values::Value;
use super::{Need, WebhookSettings};

/// A shorter secret could be guessed.
const LEAST_SECRET: usize = 16;

/// Gives each webhook its name, and refuses names that are missing or not unique.
pub(super) fn name(layers: &mut Layers, problems: &mut Vec<Problem>) {
    let mut seen: Vec<String> = Vec::new();
    for index in 0..layers.webhooks.len() {
        let given = layers.peek(Scope::Webhook(index), &keys::WEBHOOK_NAME);
        let name = given.map(str::to_owned).unwrap_or_default();
        let Some(seed) = layers.webhooks.get_mut(index) else {
            continue;
        };
        let what = if name.is_empty() {
            "the name is missing"
        } else if name.chars().count() > 100 || name.chars().any(char::is_control) {
            "it is longer than 100 characters, or holds control characters"
        } else if seen.contains(&env_form(&name)) {
            "another webhook has this name; case and punctuation do not count"
        } else {
            ""
        };
        if !what.is_empty() {
            problems.push(Problem {
                place: seed.origin.to_string(),
                key: "webhooks.name".to_owned(),
                what: what.to_owned(),
                remedy: "Give each [[webhooks]] a short `name` of its own".to_owned(),
            });
        }
        seen.push(env_form(&name));
        seed.name = if name.is_empty() {
            format!("#{}", index + 1)
        } else {
            name
        };
    }
}

impl Resolver<'_> {
    /// Every webhook, or problems. For [`Need::Store`] no secret is read.
    pub(super) fn webhooks(&mut self, need: Need) -> Vec<WebhookSettings> {
        (0..self.layers.webhooks.len())
            .filter_map(|index| self.webhook(Scope::Webhook(index), need))
            .collect()
    }

    fn webhook(&mut self, scope: Scope, need: Need) -> Option<WebhookSettings> {
        let seed = self.layers.seed(scope)?;
        let (name, origin) = (seed.name.clone(), seed.origin.clone());
        self.record(scope, &keys::WEBHOOK_NAME, &name, &origin);
        let url = match self
            .recorded(scope, &keys::WEBHOOK_URL, None)
            .map(|g| g.value)
        {
            Some(Value::Text(url)) => Some(SecretString::from(url)),
            _ => {
                let is_set = self.layers.get(scope, &keys::WEBHOOK_URL).is_some();
                if !is_set {
                    let ways = self.ways(scope, &keys::WEBHOOK_URL);
                    self.fault(
                        scope,
                        &keys::WEBHOOK_URL,
                        &Origin::Default,
                        "it is missing",
                        ways,
                    );
                }
                None
            }
        };
        let events = self.hook_events(scope);
        let campaigns = match self
            .recorded(scope, &keys::WEBHOOK_CAMPAIGNS, None)
            .map(|g| g.value)
        {
            Some(Value::List(names)) => names,
            _ => Vec::new(),
        };
        let secret = match need {
            Need::Store => None,
            Need::Mail => Some(self.hook_secret(scope)?),
        };
        Some(WebhookSettings {
            name,
            url: url?,
            secret,
            events: events?,
            campaigns,
        })
    }

    fn hook_events(&mut self, scope: Scope) -> Option<Vec<HookKind>> {
        let key = &keys::WEBHOOK_EVENTS;
        let got = self.recorded(scope, key, None)?;
        let Value::List(words) = got.value else {
            return None;
        };
        let mut events = Vec::new();
        for word in &words {
            match word.parse() {
                Ok(kind) => events.push(kind),
                Err(_) => {
                    let all: Vec<&str> = HookKind::ALL.iter().map(|k| k.as_str()).collect();
                    let remedy = nearest(word, all.iter().copied()).map_or_else(
                        || format!("Write some of: {}", all.join(", ")),
                        |near| format!("Did you mean {near}?"),
                    );
                    let what = format!("there is no event {word:?}");
                    self.fault(scope, key, &got.origin, what, remedy);
                    return None;
                }
            }
        }
        if events.is_empty() {
            self.fault(
                scope,
                key,
                &got.origin,
                "it names no event",
                "Name one, or leave it out",
            );
            return None;
        }
        Some(events)
    }

    fn hook_secret(&mut self, scope: Scope) -> Option<SecretString> {
        let shown_as = &keys::WEBHOOK_SECRET;
        let Some(way) = self.strongest(&Level::webhook(scope)) else {
            let ways = self.ways(scope, shown_as);
            let remedy =
                format!("{ways}; better secret_file with a file, made by `openssl rand -hex 32`");
            self.fault(
                scope,
                shown_as,
                &Origin::Default,
                "the secret is missing",
                remedy,
            );
            return None;
        };
        let got = self.set(scope, way.key)?;
        let (secret, origin) = self.secret_value((scope, way.key), &got)?;
        if secret.expose_secret().len() < LEAST_SECRET {
            let what = format!("it has fewer than {LEAST_SECRET} bytes: it could be guessed");
            let remedy = "Make one by `openssl rand -hex 32`";
            self.fault(scope, shown_as, &origin, what, remedy);
            return None;
        }
        self.record(scope, shown_as, "set", &origin);
        Some(secret)
    }
}
