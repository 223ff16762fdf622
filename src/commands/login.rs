//! `auth login`: a person's consent, the trial of the token, and its storing.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::time::{Instant, timeout_at};

use super::{complain, say};
use crate::app::App;
use crate::cli::{Exit, LoginArgs};
use crate::config::{AccountSettings, Credential, OAuthSettings, Provider};
use crate::credential::SignIn;
use crate::fault::{self, Fault};
use crate::http::HttpClient;
use crate::imap::{self, ByteBudget, ImapError};
use crate::oauth::causes;
use crate::oauth::client::{Refusal, TokenServer, Tokens};
use crate::oauth::consent::{Code, Consent, NoCode};
use crate::oauth::device::{self, DeviceError};
use crate::oauth::loopback::{Arrived, Loopback};
use crate::reach::Reach;
use crate::smtp::Explorer;

/// How long a person may take in the browser.
const CONSENT: Duration = Duration::from_secs(15 * 60);
/// The whole dialogue with the sending server.
const SENDING: Duration = Duration::from_secs(60);
/// A pasted address is a few hundred characters.
const MAX_PASTED: usize = 16 * 1024;
/// All that is read of the terminal.
const MAX_TYPED: u64 = 1024 * 1024;
/// Port of the address that is only pasted: nothing listens there.
const PASTE_PORT: u16 = 8399;

/// Why a login did not come to its end: what is told, and the exit code.
struct Stop(Exit, String);

impl Stop {
    fn person(why: impl Into<String>) -> Self {
        Self(Exit::NeedsPerson, why.into())
    }

    fn usage(why: impl Into<String>) -> Self {
        Self(Exit::Usage, why.into())
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::Told { error, .. } if error == "invalid_grant" => Self::person(format!(
                "The provider refuses the code ({}): try again, it is good for some minutes and once",
                refusal.text()
            )),
            Refusal::Told { .. } if refusal.text().contains("AADSTS65001") => {
                Self::person(Fault::OauthScopeMissing.sentence("", causes::client(&refusal)))
            }
            Refusal::Told { .. } => {
                Self::person(Fault::OauthClientRefused.sentence("", causes::client(&refusal)))
            }
            Refusal::Passing { text, .. } => Self(Exit::TryLater, sentence(text)),
            Refusal::NotAsked(text) => Self(Exit::Failed, sentence(text)),
        }
    }
}

/// With a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

pub(super) async fn login(app: &App, args: &LoginArgs) -> anyhow::Result<Exit> {
    match try_login(app, args).await? {
        Ok(()) => Ok(Exit::Done),
        Err(Stop(exit, why)) => {
            complain(&why);
            Ok(exit)
        }
    }
}

async fn try_login(app: &App, args: &LoginArgs) -> anyhow::Result<Result<(), Stop>> {
    let accounts = &app.settings().accounts;
    let wanted = |a: &&AccountSettings| a.name == args.account || a.address == args.account;
    let Some(account) = accounts.iter().find(wanted) else {
        let names: Vec<&str> = accounts.iter().map(|a| a.name.as_str()).collect();
        return Ok(Err(Stop::usage(format!(
            "There is no account {:?} in the settings; there is: {}",
            args.account,
            names.join(", ")
        ))));
    };
    let of_smtp = account.smtp.credential.as_ref();
    let oauth = [Some(&account.imap.credential), of_smtp]
        .into_iter()
        .flatten()
        .find_map(|c| match c {
            Credential::OAuth(settings) => Some(settings),
            _ => None,
        });
    let Some(settings) = oauth else {
        return Ok(Err(Stop::usage(format!(
            "Account {} does not sign in by OAuth2: write oauth.provider and oauth.client_id in its \
             [[accounts]] table in the place of its password",
            account.name
        ))));
    };
    let renewer = app.vault().renewer().context("Open the tokens")?;
    let http = match renewer.http(settings).await {
        Ok(http) => http,
        Err(why) => return Ok(Err(Stop(Exit::Failed, sentence(&why)))),
    };
    say(&format!(
        "Account {} ({}) signs in at {}.\n",
        account.name,
        user_of(account),
        provider_name(settings)
    ))?;
    let tokens = match consent(account, settings, &http, args).await? {
        Ok(tokens) => tokens,
        Err(stop) => return Ok(Err(stop)),
    };
    if tokens.refresh.is_none() {
        return Ok(Err(Stop::person(no_refresh_token(settings))));
    }
    say(&whose(settings, account, &tokens))?;
    if let Some(missing) = no_mail(settings, &tokens) {
        let why = Fault::OauthScopeMissing.sentence("", format!("not granted: {missing}"));
        return Ok(Err(Stop::person(format!("{why} Nothing was stored"))));
    }
    if let Err(stop) = tried(app, account, args, &tokens).await? {
        return Ok(Err(stop));
    }
    let sending = tried_sending(app, account, args, &tokens).await?;
    renewer
        .keep_login(&account.name, settings, &tokens)
        .await
        .context("Store the tokens")?;
    say("The tokens are stored, encrypted. A running replyd takes them within a second.\n")?;
    Ok(sending)
}

fn provider_name(settings: &OAuthSettings) -> String {
    match settings.provider {
        Provider::Google => "Google".to_owned(),
        Provider::Microsoft => "Microsoft".to_owned(),
        Provider::Custom => crate::oauth::client::host(&settings.token_url),
    }
}

fn user_of(account: &AccountSettings) -> &str {
    match (&account.imap.credential, &account.smtp.user) {
        (Credential::OAuth(_), _) | (_, None) => &account.imap.user,
        (_, Some(user)) => user,
    }
}

fn no_refresh_token(settings: &OAuthSettings) -> String {
    let how = match settings.provider {
        Provider::Google => {
            "Remove replyd's access at myaccount.google.com/connections, then sign in again"
        }
        Provider::Microsoft => "Add offline_access to oauth.scopes",
        Provider::Custom => "Ask for it: most want the scope offline_access in oauth.scopes",
    };
    format!(
        "The provider gave no refresh token, so this sign-in would end with its access token. {how}"
    )
}

/// Who consented, and what of the wish was not granted.
fn whose(settings: &OAuthSettings, account: &AccountSettings, tokens: &Tokens) -> String {
    let mut text = String::new();
    if let Some(address) = &tokens.address {
        text.push_str(&format!("Consent was given by {address}.\n"));
        if !address.eq_ignore_ascii_case(user_of(account)) {
            text.push_str(
                "That is another address than the account's: it works only if that user may open \
                 this mailbox.\n",
            );
        }
    }
    let Some(granted) = &tokens.scope else {
        return text;
    };
    let granted: Vec<&str> = granted.split_whitespace().collect();
    let plain = ["offline_access", "openid", "email", "profile"];
    let missing: Vec<&str> = settings
        .scopes
        .iter()
        .map(String::as_str)
        .filter(|s| !plain.contains(s) && !granted.iter().any(|g| g.eq_ignore_ascii_case(s)))
        .collect();
    if !missing.is_empty() {
        text.push_str(&format!(
            "Not granted: {}. Where the page shows boxes, tick those for mail.\n",
            missing.join(", ")
        ));
    }
    text
}

/// The mail permission that was not granted, where the provider's names for them are known: for
/// others a scope may come back under another name, and the server's answer decides.
fn no_mail(settings: &OAuthSettings, tokens: &Tokens) -> Option<String> {
    if settings.provider == Provider::Custom {
        return None;
    }
    // Microsoft names one permission under several hosts.
    let last = |scope: &str| {
        let name = scope.trim_end_matches('/').rsplit('/').next();
        name.unwrap_or_default().to_lowercase()
    };
    let granted: Vec<String> = tokens
        .scope
        .as_ref()?
        .split_whitespace()
        .map(last)
        .collect();
    let is_mail = |scope: &&String| {
        ["imap.accessasuser.all", "smtp.send", "mail.google.com"].contains(&last(scope).as_str())
    };
    let missing = settings.scopes.iter().filter(is_mail);
    let missing: Vec<&str> = missing
        .filter(|scope| !granted.contains(&last(scope)))
        .map(String::as_str)
        .collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// A person's consent, in the way that was asked for or that the provider offers.
async fn consent(
    account: &AccountSettings,
    settings: &OAuthSettings,
    http: &HttpClient,
    args: &LoginArgs,
) -> anyhow::Result<Result<Tokens, Stop>> {
    let server = TokenServer { http, settings };
    let browser = args.paste || args.port.is_some();
    match &settings.device_url {
        Some(url) if args.device || !browser => by_device(&server, url).await,
        None if args.device && settings.provider == Provider::Google => Ok(Err(Stop::usage(
            "Google grants no access to mail by device code. Use --paste: open the address in \
                 any browser, then paste the one at which it ends",
        ))),
        None if args.device => Ok(Err(Stop::usage(
            "The settings name no oauth.device_url: leave --device out, or name it",
        ))),
        _ => by_browser(account, &server, args).await,
    }
}

async fn by_device(server: &TokenServer<'_>, url: &str) -> anyhow::Result<Result<Tokens, Stop>> {
    let device = match device::begin(server, url).await {
        Ok(device) => device,
        Err(e) => return Ok(Err(device_stop(e))),
    };
    let minutes = device.life.as_secs().div_ceil(60);
    let mut text = format!(
        "\n  1. Open {} in any browser\n  2. Type the code {}\n",
        device.url, device.user_code
    );
    if let Some(whole) = &device.whole_url {
        // Writing to a String does not fail.
        writeln!(text, "  Or open {whole}").unwrap_or_default();
    }
    writeln!(
        text,
        "\nWaiting, at most {minutes} minutes (Ctrl+C ends it) …"
    )
    .unwrap_or_default();
    say(&text)?;
    Ok(device::wait(server, &device).await.map_err(device_stop))
}

fn device_stop(e: DeviceError) -> Stop {
    match e {
        DeviceError::Server(refusal) => refusal.into(),
        DeviceError::Denied => Stop::person("The sign-in was declined. Nothing was stored"),
        DeviceError::Expired => {
            Stop::person("The code has expired before it was typed in. Run the command again")
        }
    }
}

async fn by_browser(
    account: &AccountSettings,
    server: &TokenServer<'_>,
    args: &LoginArgs,
) -> anyhow::Result<Result<Tokens, Stop>> {
    let settings = server.settings;
    let wanted = args.port.or(settings.redirect_port);
    let loopback = if args.paste {
        None
    } else {
        match Loopback::bind(wanted).await {
            Ok(loopback) => Some(loopback),
            Err(e) => {
                let port = wanted.map_or("a free port".to_owned(), |p| format!("port {p}"));
                return Ok(Err(Stop(
                    Exit::Failed,
                    format!(
                        "Cannot listen on {port} of 127.0.0.1: {e}. Name another by --port, or use --paste"
                    ),
                )));
            }
        }
    };
    let port = loopback
        .as_ref()
        .map_or(wanted.unwrap_or(PASTE_PORT), Loopback::port);
    let redirect = with_port(&settings.redirect_url, port);
    let consent = match Consent::begin(settings, redirect.clone(), user_of(account)) {
        Ok(consent) => consent,
        Err(why) => return Ok(Err(Stop::usage(sentence(&why)))),
    };
    let mut text = format!(
        "\nOpen this address in a browser and consent:\n\n{}\n\n",
        consent.url
    );
    text.push_str(&if args.paste {
        format!(
            "At the end the browser is sent to {redirect}, which cannot be loaded: that is right.\n\
             Copy that whole address from its address bar and paste it here:\n"
        )
    } else {
        format!(
            "The answer is taken on {redirect} of this machine. If the browser runs elsewhere, the\n\
             last page cannot be loaded: copy its whole address and paste it here.\n"
        )
    });
    say(&text)?;
    let code = match answer(&consent, loopback).await? {
        Ok(code) => code,
        Err(stop) => return Ok(Err(stop)),
    };
    Ok(consent.trade(server, &code).await.map_err(Stop::from))
}

/// What came next.
enum Heard {
    Browser(Option<Arrived>),
    /// None: the end of the input.
    Terminal(Option<String>),
}

/// The code, from the browser or from the terminal, whichever comes first.
async fn answer(
    consent: &Consent,
    mut loopback: Option<Loopback>,
) -> anyhow::Result<Result<Code, Stop>> {
    let until = Instant::now() + CONSENT;
    let mut typed = BufReader::new(tokio::io::stdin().take(MAX_TYPED)).lines();
    let mut terminal = true;
    while terminal || loopback.is_some() {
        let browser = async {
            match &mut loopback {
                Some(loopback) => Heard::Browser(loopback.next().await),
                None => std::future::pending().await,
            }
        };
        let line = async { Heard::Terminal(typed.next_line().await.ok().flatten()) };
        let next = async {
            tokio::select! {
                heard = browser => heard,
                heard = line, if terminal => heard,
            }
        };
        let Ok(heard) = timeout_at(until, next).await else {
            return Ok(Err(Stop::person(
                "Nobody consented within 15 minutes. Run the command again",
            )));
        };
        match heard {
            Heard::Browser(Some(arrived)) => match consent.read(&arrived.query) {
                Ok(code) => {
                    arrived.tell("Signed in. This page can be closed.");
                    return Ok(Ok(code));
                }
                Err(NoCode::Refused(why)) => {
                    arrived.tell("The sign-in was refused. See the terminal.");
                    return Ok(Err(refused(&why)));
                }
                // Its icon, or somebody else's request.
                Err(NoCode::Foreign) => {
                    arrived.tell("This answer does not belong to the sign-in that waits.");
                }
                Err(NoCode::Empty) => arrived.tell("replyd waits for the end of a sign-in here."),
            },
            Heard::Browser(None) => loopback = None,
            Heard::Terminal(None) => terminal = false,
            Heard::Terminal(Some(line)) if line.trim().is_empty() => {}
            Heard::Terminal(Some(line)) if line.len() > MAX_PASTED => {
                complain("That is no address of a sign-in. Paste the whole address:");
            }
            Heard::Terminal(Some(line)) => match consent.read(&line) {
                Ok(code) => return Ok(Ok(code)),
                Err(NoCode::Refused(why)) => return Ok(Err(refused(&why))),
                Err(e) => {
                    let why = sentence(&e.to_string());
                    complain(&format!("{why}. Paste the whole address:"));
                }
            },
        }
    }
    Ok(Err(Stop::usage(
        "Nothing was pasted: run the command in a terminal, or give the address on stdin",
    )))
}

fn refused(why: &str) -> Stop {
    Stop::person(format!("The provider refuses: {why}. Nothing was stored"))
}

/// `http://127.0.0.1/path` with its port.
fn with_port(url: &str, port: u16) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    format!("{scheme}://{host}:{port}{path}")
}

/// Tries the access token on the IMAP server. A server that cannot be reached says nothing about
/// the token; one that refuses it does.
async fn tried(
    app: &App,
    account: &AccountSettings,
    args: &LoginArgs,
    tokens: &Tokens,
) -> anyhow::Result<Result<(), Stop>> {
    if args.no_test || !matches!(account.imap.credential, Credential::OAuth(_)) {
        return Ok(Ok(()));
    }
    let (imap, server) = (
        &account.imap,
        format!("{}:{}", account.imap.host, account.imap.port),
    );
    let sign_in = SignIn::token(&imap.user, tokens.access.as_str());
    let budget = ByteBudget::new(app.settings().listen.byte_budget);
    match imap::connect(imap, &sign_in, app.roots(), &budget).await {
        Ok(mut session) => {
            session.logout().await;
            say(&format!("{server} takes the token for {}.\n", imap.user))?;
            Ok(Ok(()))
        }
        Err(e) if e.is_auth() => {
            let why = match &e {
                ImapError::AuthRefused { .. } => format!(
                    "Usual causes: consent was given by another user than {}, IMAP is switched off \
                     for this mailbox, or an administrator's policy",
                    imap.user
                ),
                _ => "Check the account's imap settings".to_owned(),
            };
            Ok(Err(Stop::person(format!(
                "{server} does not take the token for {}: {e}. {why}. Nothing was stored (with \
                 --no-test it would be)",
                imap.user
            ))))
        }
        Err(e) => {
            say(&format!(
                "The token could not be tried, because {server} could not be used: {e}\n"
            ))?;
            Ok(Ok(()))
        }
    }
}

/// Tries the access token on the SMTP server, and whether it takes mail from the account. A
/// refusal does not undo the sign-in, with which mail can be read: it is told, with its remedy.
async fn tried_sending(
    app: &App,
    account: &AccountSettings,
    args: &LoginArgs,
    tokens: &Tokens,
) -> anyhow::Result<Result<(), Stop>> {
    let smtp = &account.smtp;
    let (Some(user), Some(Credential::OAuth(_))) = (&smtp.user, &smtp.credential) else {
        return Ok(Ok(()));
    };
    if args.no_test || smtp.console {
        return Ok(Ok(()));
    }
    let server = format!("{}:{}", smtp.host, smtp.port);
    let mut reach = Reach::default();
    let mut explorer = match Explorer::connect(smtp, app.roots(), SENDING, &mut reach).await {
        Ok(explorer) => explorer,
        Err(e) => {
            say(&format!(
                "The token could not be tried for sending, because {server} could not be used: {}\n",
                e.text
            ))?;
            return Ok(Ok(()));
        }
    };
    let sign_in = SignIn::token(user, tokens.access.as_str());
    let mut tried = explorer.sign_in(&sign_in).await;
    if tried.is_ok() {
        let (from, to) = (&smtp.envelope_from, &account.address);
        tried = explorer.try_envelope(from, to).await;
    }
    explorer.quit().await;
    match tried {
        Ok(()) => {
            say(&format!(
                "{server} takes the token for {user}, and mail from {}.\n",
                smtp.envelope_from
            ))?;
            Ok(Ok(()))
        }
        Err(e) => {
            let fault = fault::of_smtp(e.why, e.code, &e.text);
            let what = fault.sentence(&format!("Mails cannot be sent by {server}"), &e.text);
            Ok(Err(Stop(fault.doctor_exit(), what)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_without_the_permission_for_mail_is_noticed_where_names_are_known() {
        let granted = |scope: Option<&str>| Tokens {
            access: "a".to_owned().into(),
            refresh: None,
            life: Duration::from_secs(1),
            address: None,
            scope: scope.map(str::to_owned),
        };
        let toml = |provider: &str| {
            format!(
                "[[accounts]]\nname = \"a\"\naddress = \"a@example.com\"\n\
                 [accounts.oauth]\nprovider = {provider:?}\nclient_id = \"x\"\n\
                 [accounts.imap]\nhost = \"i.example.com\"\n[accounts.smtp]\nhost = \"s.example.com\"\n"
            )
        };
        let of = |provider: &str| {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("replyd.toml");
            std::fs::write(&file, toml(provider)).unwrap();
            let flags = crate::config::Flags {
                config: Some(file),
                ..Default::default()
            };
            let env = crate::config::Environment {
                home: Some(dir.path().to_owned()),
                ..Default::default()
            };
            let sources = crate::config::Sources { env, flags };
            let loaded =
                crate::config::Settings::load(&sources, crate::config::Need::Mail).unwrap();
            match &loaded.settings.accounts[0].imap.credential {
                Credential::OAuth(settings) => settings.as_ref().clone(),
                other => panic!("{other:?}"),
            }
        };
        let google = of("google");
        assert_eq!(no_mail(&google, &granted(None)), None, "nothing was said");
        assert_eq!(
            no_mail(&google, &granted(Some("openid https://mail.google.com/"))),
            None
        );
        let missing = no_mail(&google, &granted(Some("openid email"))).unwrap();
        assert_eq!(missing, "https://mail.google.com/");
        let microsoft = of("microsoft");
        let elsewhere = "https://outlook.office.com/IMAP.AccessAsUser.All \
                         https://outlook.office365.com/SMTP.Send";
        assert_eq!(no_mail(&microsoft, &granted(Some(elsewhere))), None);
        let read = "https://outlook.office.com/IMAP.AccessAsUser.All";
        assert!(
            no_mail(&microsoft, &granted(Some(read)))
                .unwrap()
                .contains("SMTP.Send")
        );
    }

    #[test]
    fn the_port_goes_behind_the_host() {
        for (url, whole) in [
            ("http://127.0.0.1", "http://127.0.0.1:7"),
            ("http://localhost/cb/x", "http://localhost:7/cb/x"),
            ("http://[::1]/", "http://[::1]:7/"),
        ] {
            assert_eq!(with_port(url, 7), whole);
        }
    }
}
