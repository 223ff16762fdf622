//! How the account signs in: which way, and the secret for it.

use std::io::Read;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::desk::{Desk, Missing, Question};
use super::issuer::Issuer;
use super::presets::Preset;
use super::questions::{SignIn, Stop, absolute, bad};
use super::settings_file::Known;
use crate::cli::{SetupArgs, SignInWay};

/// A larger secret is a mistaken path, in bytes.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Asks for the way and the secret.
pub(super) fn sign_in(
    args: &SetupArgs,
    desk: &mut Desk,
    known: Option<&Known>,
    preset: Option<&'static Preset>,
    missing: &mut Vec<Missing>,
) -> Result<SignIn, Stop> {
    let keeps = known.is_some_and(|k| k.has_secret);
    let Some(way) = way(args, desk, keeps, preset, missing)? else {
        return Ok(SignIn::Keep);
    };
    if let (Some(preset), SignInWay::Password | SignInWay::PasswordCommand) = (preset, way)
        && preset.only_tokens
    {
        return bad(format!("{}: {}", preset.advice, preset.page()));
    }
    let mut text = |given: &Option<String>, text: &str, flag: &'static str, what: &'static str| {
        if given.is_some() {
            return Ok::<_, Stop>(given.clone());
        }
        let question = Question {
            text,
            default: None,
        };
        let answer = desk.line(question)?;
        if answer.is_none() {
            missing.push(Missing::new(flag, what));
        }
        Ok(answer)
    };
    Ok(match way {
        SignInWay::PasswordCommand => {
            let flag = "--password-command COMMAND";
            let given = text(
                &args.password_command,
                "Command",
                flag,
                "it prints the password",
            )?;
            SignIn::PasswordCommand(given.unwrap_or_default())
        }
        SignInWay::TokenCommand => {
            let flag = "--token-command COMMAND";
            let given = text(&args.token_command, "Command", flag, "it prints a token")?;
            SignIn::TokenCommand(given.unwrap_or_default())
        }
        SignInWay::TokenFile => {
            let given = args.token_file.as_ref().map(|p| p.display().to_string());
            let given = text(&given, "File", "--token-file FILE", "it holds a token")?;
            SignIn::TokenFile(absolute(Path::new(&given.unwrap_or_default()))?)
        }
        SignInWay::Oauth => {
            let flag = "--client-id ID";
            let what = "the app that you registered for OAuth2";
            let client_id = text(&args.client_id, "Client id of your app", flag, what)?;
            oauth(args, desk, preset, client_id.unwrap_or_default(), missing)?
        }
        SignInWay::Password => match password(args, desk, preset)? {
            Some(secret) => SignIn::Password(without_blanks(secret, preset)),
            None if args.print => SignIn::Unknown,
            None => {
                missing.push(Missing::new(
                    "--password-file FILE (- is the standard input)",
                    "the password or app password",
                ));
                SignIn::Unknown
            }
        },
    })
}

/// None: as it is written.
fn way(
    args: &SetupArgs,
    desk: &mut Desk,
    keeps: bool,
    preset: Option<&'static Preset>,
    missing: &mut Vec<Missing>,
) -> Result<Option<SignInWay>, Stop> {
    let flags = [
        (args.password_file.is_some(), SignInWay::Password),
        (args.password_command.is_some(), SignInWay::PasswordCommand),
        (args.token_file.is_some(), SignInWay::TokenFile),
        (args.token_command.is_some(), SignInWay::TokenCommand),
        (args.client_id.is_some(), SignInWay::Oauth),
    ];
    let mut by_flag: Vec<SignInWay> = flags
        .iter()
        .filter(|(given, _)| *given)
        .map(|(_, way)| *way)
        .collect();
    by_flag.extend(args.sign_in.filter(|way| !by_flag.contains(way)));
    match by_flag.as_slice() {
        [] => {}
        [one] => return Ok(Some(*one)),
        _ => {
            return bad(
                "Of --password-file, --password-command, --token-file, --token-command and \
                 --client-id only one can be, and --sign-in must agree with it",
            );
        }
    }
    if keeps && (!desk.answers() || desk.agrees("Keep the secret that it has?")?) {
        return Ok(None);
    }
    let only_tokens = preset.is_some_and(|p| p.only_tokens);
    if let Some(preset) = preset {
        desk.tell(&format!("{} ({}).\n", preset.advice, preset.page()))?;
    }
    let mut ways = vec![
        ("password or app password", SignInWay::Password),
        ("OAuth2", SignInWay::Oauth),
        (
            "a command that prints the password",
            SignInWay::PasswordCommand,
        ),
        (
            "a command that prints an access token",
            SignInWay::TokenCommand,
        ),
        ("a file with an access token", SignInWay::TokenFile),
    ];
    if only_tokens {
        let takes = |way| !matches!(way, SignInWay::Password | SignInWay::PasswordCommand);
        ways.retain(|(_, way)| takes(*way));
    }
    let shown: Vec<&str> = ways.iter().map(|(text, _)| *text).collect();
    match desk.choice("How does it sign in?", &shown)? {
        Some(at) => Ok(ways.get(at).map(|(_, way)| *way)),
        None if only_tokens => {
            missing.push(Missing::new(
                "--client-id ID, --token-command or --token-file",
                "this provider takes no passwords",
            ));
            Ok(None)
        }
        None => Ok(Some(SignInWay::Password)),
    }
}

fn oauth(
    args: &SetupArgs,
    desk: &mut Desk,
    preset: Option<&'static Preset>,
    client_id: String,
    missing: &mut Vec<Missing>,
) -> Result<SignIn, Stop> {
    let known = preset.and_then(|p| p.oauth);
    let named = args.token_url.is_some() || args.auth_url.is_some() || args.device_url.is_some();
    let (provider, issuer) = match known {
        Some(known) if named => {
            return bad(format!(
                "The addresses of {known} are known: leave --auth-url, --token-url and --device-url \
                 out, or say --provider other"
            ));
        }
        Some(known) => (known, None),
        None => ("custom", Some(Issuer::ask(args, desk, missing)?)),
    };
    let client_secret = match &args.client_secret_file {
        Some(file) => Some(secret_from(file)?),
        // Google gives desktop apps a secret too; Microsoft's public clients have none.
        None if provider == "google" => desk.secret("Client secret of your app")?,
        // Left empty where it has none.
        None if provider == "custom" => desk.secret("Client secret of your app, or nothing")?,
        None => None,
    };
    let tenant = match (&args.tenant, provider) {
        (Some(tenant), _) => Some(tenant.clone()),
        (None, "microsoft") => {
            let default = if preset.is_some_and(|p| p.id == "outlook") {
                "consumers"
            } else {
                "common"
            };
            let question = Question {
                text: "Directory (tenant) id",
                default: Some(default),
            };
            // Nobody has said "common": a tenant that is written already stays.
            let unsaid = || (default != "common").then(|| default.to_owned());
            desk.line(question)?.or_else(unsaid)
        }
        (None, _) => None,
    };
    Ok(SignIn::OAuth {
        provider,
        issuer,
        client_id,
        client_secret,
        tenant,
    })
}

fn password(
    args: &SetupArgs,
    desk: &mut Desk,
    preset: Option<&'static Preset>,
) -> Result<Option<SecretString>, Stop> {
    if let Some(file) = &args.password_file {
        return secret_from(file).map(Some);
    }
    let text = match preset.map(|p| p.id) {
        Some("gmail" | "yahoo" | "fastmail") => "App password",
        Some("icloud") => "App-specific password",
        _ => "Password",
    };
    loop {
        match desk.secret(text)? {
            Some(secret) if secret.expose_secret().is_empty() => {}
            other => return Ok(other),
        }
    }
}

/// Google shows an app password as four groups of four letters; the blanks are not part of it.
fn without_blanks(secret: SecretString, preset: Option<&'static Preset>) -> SecretString {
    let groups: Vec<&str> = secret.expose_secret().split(' ').collect();
    let letters = |g: &&str| g.len() == 4 && g.bytes().all(|b| b.is_ascii_lowercase());
    if preset.is_some_and(|p| p.id == "gmail") && groups.len() == 4 && groups.iter().all(letters) {
        return SecretString::from(groups.concat());
    }
    secret
}

/// A secret from a file, or from the standard input for `-`, without its line end.
pub(super) fn secret_from(file: &Path) -> Result<SecretString, Stop> {
    let shown = file.display();
    let mut text = String::new();
    let read = |from: &mut dyn Read, text: &mut String| {
        from.take(MAX_SECRET_BYTES + 1).read_to_string(text)
    };
    let size = if file == Path::new("-") {
        read(&mut std::io::stdin().lock(), &mut text)
    } else {
        std::fs::File::open(file).and_then(|mut f| read(&mut f, &mut text))
    };
    let size = match size {
        Ok(size) => size,
        Err(e) => return bad(format!("Cannot read the secret from {shown}: {e}")),
    };
    if u64::try_from(size).is_ok_and(|n| n > MAX_SECRET_BYTES) {
        return bad(format!("{shown} is too large for a secret"));
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return bad(format!("{shown} is empty: there is no secret in it"));
    }
    if secret.contains(['\r', '\n', '\0']) {
        return bad(format!("{shown} has several lines: a secret has one"));
    }
    Ok(SecretString::from(secret))
}
