//! `auth status`, `auth logout`, and the way to `auth login`.

use std::fmt::Write as _;

use anyhow::Context;
use serde::Serialize;

use super::login::login;
use super::{complain, say};
use crate::app::App;
use crate::cli::{AuthCommand, AuthStatusArgs, Exit};
use crate::fault::Fault;
use crate::model::OAuthState;
use crate::oauth::causes;
use crate::store::{OAuthRow, StoreError};
use crate::time::{self, UtcMs};

pub(super) async fn auth(app: &App, command: &AuthCommand) -> anyhow::Result<Exit> {
    match command {
        AuthCommand::Login(args) => login(app, args).await,
        AuthCommand::Status(args) => status(app, *args).await,
        AuthCommand::Logout { account } => logout(app, account).await,
    }
}

/// How an account's sign-in stands.
#[derive(Serialize)]
struct Standing {
    account: String,
    /// Whether it signs in by OAuth2 by the settings of now.
    in_settings: bool,
    /// `good`, `needs_sign_in`, `client_refused`, or `never` when nobody signed in yet.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<UtcMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed_at: Option<UtcMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UtcMs>,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    remedy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<UtcMs>,
}

impl Standing {
    fn of(row: &OAuthRow, in_settings: bool) -> Self {
        let waits = row.state != OAuthState::NeedsSignIn && row.failures > 0;
        Self {
            account: row.account.clone(),
            in_settings,
            state: row.state.as_str(),
            signed_in_at: Some(row.obtained_at),
            renewed_at: Some(row.refreshed_at),
            expires_at: Some(row.expires_at),
            error: row.error.clone(),
            remedy: match row.state {
                OAuthState::Good => String::new(),
                OAuthState::NeedsSignIn => causes::remedy(&row.account),
                OAuthState::ClientRefused => Fault::OauthClientRefused.remedy().to_owned(),
            },
            retry_at: waits.then_some(row.next_attempt_at),
        }
    }

    fn never(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            in_settings: true,
            state: "never",
            signed_in_at: None,
            renewed_at: None,
            expires_at: None,
            error: String::new(),
            remedy: causes::remedy(account).replace("Sign in again", "Sign in"),
            retry_at: None,
        }
    }

    fn text(&self, now: UtcMs) -> String {
        let mut text = match self.state {
            "never" => format!("{}: nobody has signed in yet\n", self.account),
            "good" => format!("{}: signed in\n", self.account),
            "client_refused" => {
                format!("{}: THE CLIENT OF THE SETTINGS IS REFUSED\n", self.account)
            }
            _ => format!("{}: NEEDS A NEW SIGN-IN\n", self.account),
        };
        if !self.in_settings {
            text = format!(
                "{}: stored tokens, but by the settings it does not sign in by OAuth2\n",
                self.account
            );
        }
        let mut line = |what: &str, value: String| {
            writeln!(text, "  {what:<14}{value}").unwrap_or_default();
        };
        if let Some(at) = self.signed_in_at {
            line("signed in", at.rfc3339());
        }
        if let Some(at) = self.renewed_at {
            line("last renewed", at.rfc3339());
        }
        if let Some(at) = self.expires_at {
            let over = if at <= now { " (over)" } else { "" };
            line("access until", format!("{}{over}", at.rfc3339()));
        }
        if !self.error.is_empty() {
            line("reason", shown_error(&self.error));
        }
        if !self.remedy.is_empty() {
            line("what to do", self.remedy.clone());
        }
        if let Some(at) = self.retry_at {
            line("next try", at.rfc3339());
        }
        text
    }
}

/// Errors in the store are bounded already; terminals are kept from control characters.
fn shown_error(error: &str) -> String {
    error.chars().filter(|c| !c.is_control()).collect()
}

async fn status(app: &App, args: AuthStatusArgs) -> anyhow::Result<Exit> {
    let rows: Vec<OAuthRow> = app
        .store()
        .read(|r| r.oauth_rows())
        .await
        .map_err(|e: StoreError| e)
        .context("Read the tokens")?;
    let settings = app.settings();
    let ours = |account: &str| settings.oauth_accounts.iter().any(|name| name == account);
    let mut all: Vec<Standing> = rows
        .iter()
        .map(|row| Standing::of(row, ours(&row.account)))
        .collect();
    for name in &settings.oauth_accounts {
        if !all.iter().any(|s| s.account == *name) {
            all.push(Standing::never(name));
        }
    }
    all.sort_by(|a, b| a.account.cmp(&b.account));
    let person = all.iter().any(|s| s.in_settings && s.state != "good");
    if args.json {
        let mut text = serde_json::to_string(&serde_json::json!({ "accounts": all }))?;
        text.push('\n');
        say(&text)?;
    } else if all.is_empty() {
        say("No account signs in by OAuth2.\n")?;
    } else {
        let now = time::now();
        say(&all.iter().map(|s| s.text(now)).collect::<String>())?;
    }
    Ok(if person {
        Exit::NeedsPerson
    } else {
        Exit::Done
    })
}

async fn logout(app: &App, account: &str) -> anyhow::Result<Exit> {
    let name = account.to_owned();
    let gone: bool = app
        .store()
        .write(move |tx| tx.forget_tokens(&name))
        .await
        .map_err(|e: StoreError| e)
        .context("Forget the tokens")?;
    if !gone {
        complain(&format!("Nobody is signed in as {account:?} by OAuth2"));
        return Ok(Exit::Failed);
    }
    say(&format!(
        "The tokens of {account} are forgotten. A running replyd ends with it when its access token \
         ends.\nThe consent at the provider stands until it is withdrawn there.\n"
    ))?;
    Ok(Exit::Done)
}
