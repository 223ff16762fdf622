//! `replyd setup`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;

use super::{complain, say};
use crate::cli::{Exit, RootShell, SetupArgs};
use crate::config::{ConfigError, Credential, Environment};
use crate::http::HttpClient;
use crate::setup::{
    self, Answers, Before, Desk, Dns, Draft, Means, Place, SignIn, Stop, Trouble, reach_both,
    try_both,
};
use crate::tls::TlsRoots;

/// How often a refused password may be typed again.
const TRIES: usize = 3;

pub(super) async fn setup(args: &SetupArgs, config: Option<&Path>) -> anyhow::Result<Exit> {
    let mut desk = Desk::of_process();
    match talk(args, config, &mut desk).await {
        Ok(exit) => Ok(exit),
        Err(e) => match e.downcast::<Stop>() {
            Ok(Stop::Io(e)) => Err(e.into()),
            Ok(stop) => {
                complain(&format!("replyd: {stop}"));
                Ok(Exit::Usage)
            }
            Err(e) => match e.downcast::<ConfigError>() {
                Ok(problems) => {
                    complain(&format!("{problems}"));
                    Ok(problems.exit())
                }
                Err(e) => Err(e),
            },
        },
    }
}

async fn talk(args: &SetupArgs, config: Option<&Path>, desk: &mut Desk) -> anyhow::Result<Exit> {
    let is_root = rustix::process::geteuid().is_root();
    let place = Place::of(args, config, is_root)?;
    let (old, file) = place.read()?;
    let mut before = Before {
        accounts: file.accounts(),
        sales_email: file.sales_email(),
        has_alert_way: file.has_alert_way(),
    };
    if desk.answers() {
        say("A mailbox for replyd to listen to. Ctrl+C leaves everything as it is.\n")?;
    }
    let mut args = args.clone();
    let mut alerts = None;
    for try_number in 1.. {
        let mut answers = setup::ask(&args, desk, &before, &means()).await?;
        answers.alerts = alerts.get_or_insert(answers.alerts).clone();
        if let Some(path) = setup::unreadable(&place, &answers) {
            let path = path.display();
            return Err(Stop::Bad(format!(
                "{path} cannot be read by the service: its user must have the right to read it and \
                 the folders above it, and its sandbox hides /home, /root, /run/user, /tmp and \
                 /var/tmp. Put it below /etc/ssl, for example"
            ))
            .into());
        }
        let draft = setup::draft(&args, &place, &answers, (&old, file.clone()))?;
        if args.print {
            say(&draft.plan.show(true)?)?;
            return Ok(Exit::Done);
        }
        if desk.answers() && !args.no_test {
            say("Signing in to both servers …\n")?;
        }
        match trial(&args, &place, &draft, &answers).await? {
            Ok(lines) => {
                say(&lines)?;
                return write(&args, &place, &draft, &answers, desk);
            }
            Err(troubles) => {
                tell(&troubles);
                if !may_retype(&args, desk, &answers, &troubles, try_number)? {
                    complain("replyd: nothing was written (--no-test writes without this test)");
                    let worst = troubles.iter().map(Trouble::exit);
                    return Ok(worst.fold(Exit::Done, Exit::worse));
                }
                remember(&mut args, &answers);
                (args.alert_webhook_file, before.has_alert_way) = (None, true);
            }
        }
    }
    Ok(Exit::Failed)
}

/// What is asked on the network; a machine may have neither.
fn means() -> Means {
    let http = TlsRoots::default()
        .client_config(None)
        .ok()
        .and_then(|tls| HttpClient::new(&tls).ok());
    Means {
        dns: Dns::of_system().ok(),
        http,
    }
}

fn tell(troubles: &[Trouble]) {
    for trouble in troubles {
        let Trouble {
            at,
            fault,
            detail,
            remedy,
        } = trouble;
        let title = fault.title();
        complain(&format!("{fault}: {at}: {title} ({detail}).\n  {remedy}"));
    }
}

/// A typed password that was refused may be typed again; the other answers stay.
fn may_retype(
    args: &SetupArgs,
    desk: &mut Desk,
    answers: &Answers,
    troubles: &[Trouble],
    try_number: usize,
) -> anyhow::Result<bool> {
    let typed = matches!(answers.sign_in, SignIn::Password(_)) && args.password_file.is_none();
    let refused = troubles.iter().all(Trouble::is_auth);
    Ok(typed
        && refused
        && try_number < TRIES
        && desk.answers()
        && desk.agrees("Type the password again?")?)
}

/// Answers become flags, so that they are not asked for again.
fn remember(args: &mut SetupArgs, answers: &Answers) {
    use crate::cli::{SecurityArg, SignInWay};
    use crate::config::Security;
    let security = |s| match s {
        Security::Tls => SecurityArg::Tls,
        Security::StartTls => SecurityArg::Starttls,
        Security::Plain => SecurityArg::Plain,
    };
    args.address = Some(answers.address.clone());
    args.from_name = Some(answers.from_name.clone().unwrap_or_default()).filter(|n| !n.is_empty());
    args.user = answers.user.clone();
    args.sign_in = Some(SignInWay::Password);
    args.imap_host = Some(answers.imap.host.clone());
    args.imap_port = Some(answers.imap.port);
    args.imap_security = Some(security(answers.imap.security));
    args.smtp_host = Some(answers.smtp.host.clone());
    args.smtp_port = Some(answers.smtp.port);
    args.smtp_security = Some(security(answers.smtp.security));
    args.sales_email = answers.sales_email.clone();
    args.operator = answers.operators.clone();
}

/// Reads the draft as the service will, and signs in.
async fn trial(
    args: &SetupArgs,
    place: &Place,
    draft: &Draft,
    answers: &Answers,
) -> anyhow::Result<Result<String, Vec<Trouble>>> {
    let env = match RootShell::here()? {
        Some(shell) if place.is_system => shell.environment(),
        _ => Environment::of_process(),
    };
    let account = setup::as_the_service(place, draft, &answers.account, env)?;
    if args.no_test {
        return Ok(Ok("Not tested (--no-test).\n".to_owned()));
    }
    // Both dialogues' states are large.
    let tried = if matches!(account.imap.credential, Credential::OAuth(_)) {
        // Its tokens are still to come: `auth login` tries them on both servers.
        Box::pin(reach_both(&account)).await
    } else {
        Box::pin(try_both(&account, answers.preset)).await
    };
    Ok(tried.map(|lines| lines.iter().fold(String::new(), |out, l| out + l + "\n")))
}

fn write(
    args: &SetupArgs,
    place: &Place,
    draft: &Draft,
    answers: &Answers,
    desk: &mut Desk,
) -> anyhow::Result<Exit> {
    let list = draft.plan.show(false)?;
    if desk.answers() && !args.yes {
        say(&format!("To do:\n{list}"))?;
        if !desk.agrees("Go on?")? {
            say("Nothing was written.\n")?;
            return Ok(Exit::Done);
        }
    }
    draft.plan.carry_out().context("Set up")?;
    let mut out = if desk.answers() && !args.yes {
        String::from("Done.\n")
    } else {
        format!("Done:\n{list}")
    };
    if place.is_system && !setup::is_booted() {
        out.push_str(
            "systemd does not run here: the units wait for a machine where it does; here it is \
             started by `replyd run`, as root or as the user replyd.\n",
        );
    }
    out.push_str("\nNext:\n");
    for command in next_commands(place, answers) {
        writeln!(out, "  {command}")?;
    }
    say(&out)?;
    Ok(Exit::Done)
}

/// The commands that come next.
fn next_commands(place: &Place, answers: &Answers) -> Vec<String> {
    let found_by_itself = place.is_system
        || std::path::absolute("replyd.toml").is_ok_and(|here| here == place.settings);
    let replyd = if found_by_itself {
        "replyd".to_owned()
    } else {
        format!("replyd --config {}", place.settings.display())
    };
    let first = if matches!(answers.sign_in, SignIn::OAuth { .. }) {
        vec![
            format!(
                "{replyd} auth login {}   (--paste: with a browser elsewhere)",
                answers.account
            ),
            format!("{replyd} doctor --send-test"),
        ]
    } else {
        vec![format!("{replyd} doctor")]
    };
    let last = match (place.is_system && setup::is_booted(), answers.is_known) {
        (true, false) => "systemctl enable --now replyd.service".to_owned(),
        (true, true) => "systemctl restart replyd.service".to_owned(),
        (false, _) => format!("{replyd} run"),
    };
    let leads = format!("{replyd} leads import leads.csv");
    first.into_iter().chain([leads, last]).collect()
}
