//! `token create|list|revoke|link`: who may use the API and the page.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use super::say;
use crate::app::App;
use crate::cli::{Exit, ScopeArg, TokenCommand, TokenCreateArgs};
use crate::model::{Access, Scope};
use crate::store::{NewToken, Reader, StoreError, TokenRow};
use crate::time::{self, UtcMs};
use crate::web::{LINK_LIFE, TOKEN_PREFIX, hash, new_secret};

/// Characters of a name.
const MAX_NAME: usize = 64;
/// A token that ends by itself ends within this.
const MAX_DAYS: u64 = 3660;

pub(super) async fn token(app: &App, command: &TokenCommand) -> anyhow::Result<Exit> {
    match command {
        TokenCommand::Create(args) => create(app, args).await,
        TokenCommand::List { all, json } => list(app, *all, *json).await,
        TokenCommand::Revoke { name } => {
            let id = named(app, name).await?.id;
            app.store()
                .write(move |tx| tx.revoke_token(id, time::now()))
                .await
                .context("Revoke the token")?;
            say(&format!("Token {name} opens nothing any more\n"))?;
            Ok(Exit::Done)
        }
        TokenCommand::Link { name } => {
            let row = named(app, name).await?;
            if !row.is_good(time::now()) {
                bail!("Token {name} has ended: make another one by `replyd token create`");
            }
            say(&link(app, row.id).await?)?;
            Ok(Exit::Done)
        }
    }
}

async fn named(app: &App, name: &str) -> anyhow::Result<TokenRow> {
    let wanted = name.to_owned();
    let found = app
        .store()
        .read(move |r| r.token_named(&wanted))
        .await
        .map_err(|e: StoreError| e)?;
    found.with_context(|| format!("Token {name:?} not found: `replyd token list` shows them"))
}

async fn create(app: &App, args: &TokenCreateArgs) -> anyhow::Result<Exit> {
    let name = args.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        bail!("A name has 1 to {MAX_NAME} characters, on one line");
    }
    let now = time::now();
    let expires_at = args.expires.as_deref().map(|at| end(at, now)).transpose()?;
    let scope = match args.scope {
        ScopeArg::Read => Scope::Read,
        ScopeArg::Write => Scope::Write,
        ScopeArg::Admin => Scope::Admin,
    };
    let names = args.campaign.clone();
    let access = app
        .store()
        .read(move |r| access(r, &names))
        .await
        .context("Look for the campaigns")?;
    // With a link nobody ever sees the token: it stands for the person.
    let secret = new_secret(TOKEN_PREFIX)?;
    let new = NewToken {
        name: name.clone(),
        hash: hash(&secret),
        scope,
        access,
        expires_at,
    };
    let made = app
        .store()
        .write(move |tx| tx.insert_token(&new, now))
        .await
        .map_err(|e: StoreError| e)?;
    let Some(id) = made else {
        bail!("There is a token {name:?} already: revoke it first, or give another name");
    };
    if args.link {
        say(&link(app, id).await?)?;
        return Ok(Exit::Done);
    }
    // The token alone on stdout, so that a script can take it.
    super::complain(&format!(
        "Token {name} ({scope}), shown this once; it is stored as a hash only:"
    ));
    say(&format!("{secret}\n"))?;
    Ok(Exit::Done)
}

/// A link for the token, in a sentence.
async fn link(app: &App, token: i64) -> anyhow::Result<String> {
    let secret = new_secret("")?;
    let (hash, now) = (hash(&secret), time::now());
    app.store()
        .write(move |tx| tx.insert_link(token, &hash, now.plus(LINK_LIFE), now))
        .await
        .map_err(|e: StoreError| e)?;
    let web = &app.settings().web;
    let base = match (&web.public_url, web.listen) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(address)) => format!("http://{address}"),
        (None, None) => bail!("No address serves the page: set `listen` in [web]"),
    };
    super::complain(&format!(
        "Signs in once, within {} minutes:",
        LINK_LIFE.as_secs() / 60
    ));
    Ok(format!("{base}/sign-in/{secret}\n"))
}

fn access(r: &Reader<'_>, names: &[String]) -> anyhow::Result<Access> {
    if names.is_empty() {
        return Ok(Access::All);
    }
    let mut ids = Vec::new();
    for name in names {
        let Some(id) = r.campaign_by_name(name)? else {
            bail!("Campaign {name:?} not found: `replyd campaign list` shows them");
        };
        ids.push(id);
    }
    Ok(Access::Campaigns(ids.into()))
}

/// When a token ends.
fn end(written: &str, now: UtcMs) -> anyhow::Result<UtcMs> {
    let days = written
        .strip_suffix('d')
        .and_then(|n| n.parse::<u64>().ok());
    let at = match days {
        Some(days) if days <= MAX_DAYS => {
            Some(now.plus(Duration::from_secs(days.saturating_mul(86_400))))
        }
        Some(_) => None,
        None => UtcMs::parse_day_or_time(written),
    };
    match at {
        Some(at) if at > now => Ok(at),
        Some(_) => bail!("{written:?} is over: give a time to come"),
        None => bail!("{written:?} is no time: write 90d, 2027-01-31 or 2027-01-31T12:00:00Z"),
    }
}

async fn list(app: &App, all: bool, json: bool) -> anyhow::Result<Exit> {
    let now = time::now();
    let rows: Vec<(TokenRow, Vec<String>)> = app
        .store()
        .read(move |r| {
            let names = r.campaigns()?;
            let of = |row: &TokenRow| match &row.access {
                Access::All => Vec::new(),
                limited => names
                    .iter()
                    .filter(|c| limited.allows(c.id))
                    .map(|c| c.name.clone())
                    .collect(),
            };
            let tokens = r.tokens(all)?.into_iter();
            let named = tokens.map(|t| {
                let names = of(&t);
                (t, names)
            });
            Ok::<_, StoreError>(named.collect())
        })
        .await?;
    if json {
        let list: Vec<_> = rows
            .iter()
            .map(|(t, campaigns)| {
                json!({
                    "name": t.name,
                    "scope": t.scope,
                    "campaigns": (t.access != Access::All).then_some(campaigns),
                    "created_at": t.created_at,
                    "expires_at": t.expires_at,
                    "revoked_at": t.revoked_at,
                    "last_used_at": t.last_used_at,
                })
            })
            .collect();
        say(&format!("{}\n", serde_json::to_string_pretty(&list)?))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for (t, campaigns) in &rows {
        let used = t.last_used_at.map_or_else(
            || "never used".to_owned(),
            |at| format!("used {}", at.rfc3339()),
        );
        let limit = match &t.access {
            Access::All => "all campaigns".to_owned(),
            Access::Campaigns(_) => campaigns.join(", "),
        };
        let end = match (t.revoked_at, t.expires_at) {
            (Some(at), _) => format!(", revoked {}", at.rfc3339()),
            (None, Some(at)) if at <= now => format!(", ended {}", at.rfc3339()),
            (None, Some(at)) => format!(", until {}", at.rfc3339()),
            (None, None) => String::new(),
        };
        writeln!(text, "{:<24} {:<6} {limit}; {used}{end}", t.name, t.scope)?;
    }
    if rows.is_empty() {
        text.push_str("There is no token: `replyd token create --name …` makes one\n");
    }
    say(&text)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_days_a_day_or_a_time_to_come() {
        let now = UtcMs(1_800_000_000_000);
        assert_eq!(end("2d", now).unwrap(), UtcMs(1_800_172_800_000));
        assert!(end("2030-01-31", now).is_ok() && end("2030-01-31T12:00:00Z", now).is_ok());
        for bad in ["0d", "9999d", "2020-01-31", "soon", "-1d", ""] {
            assert!(end(bad, now).is_err(), "{bad}");
        }
    }
}
