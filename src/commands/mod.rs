//! What each command does: from the command line to the parts of `app`, and back to words and
//! an exit code.

mod auth;
mod automation;
mod backup;
mod campaign;
mod classify;
mod desk;
mod doctor;
mod documents;
mod drafts;
mod editor;
mod evaluate;
mod export;
mod import;
mod labels;
mod login;
mod look;
mod parse;
mod reconcile;
mod replay;
mod scan;
mod setup;
mod show;
mod template;
mod token;
mod train;
mod unmatched;
mod webhooks;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::app::App;
use crate::cli::{
    self, AuthCommand, Cli, Command, ConfigCommand, Credentials, DoctorArgs, Exit,
    QuarantineCommand, RootShell, SentCommand, TemplateCommand, WebhooksCommand,
};
use crate::config::{self, Environment, Loaded, Need, Settings, Sources};
use crate::fault::{self, Fault};
use crate::listener::Progress;
use crate::telemetry;
use crate::wake::Doorbell;

/// How long blocking work may go on after the end.
const LEFT_BEHIND: Duration = Duration::from_millis(500);

/// How long a command waits at its end, however it ended, for a token refresh under way.
const TOKENS: Duration = Duration::from_secs(45);

/// Longer than the leases' renewal, which runs on a blocking thread: so one is there when a mail
/// comes after a quiet hour (tokio's 10 s would end it).
const BLOCKING_THREADS_LIVE: Duration = Duration::from_secs(60);

/// Runs the command; errors are told on stderr.
pub fn dispatch(cli: &Cli) -> Exit {
    let told = match &cli.command {
        Some(Command::Completions(args)) => {
            let mut script = Vec::new();
            cli::completions(args.shell, &mut script);
            say(&String::from_utf8_lossy(&script)).map(|()| Exit::Done)
        }
        Some(Command::Config(ConfigCommand::Reference)) => {
            say(&config::reference()).map(|()| Exit::Done)
        }
        Some(Command::Config(ConfigCommand::Check)) => load(cli, Need::Mail).and_then(|loaded| {
            config::config_check(&loaded, &mut io::stdout(), &mut io::stderr())
                .context("Write the report")
        }),
        Some(Command::Parse(args)) => parse::run(args),
        Some(Command::Evaluate(args)) => evaluate::run(args),
        Some(Command::Template(TemplateCommand::Export { dir })) => template::export(dir),
        Some(Command::Template(command)) => {
            load(cli, Need::Store).and_then(|loaded| match loaded {
                Ok(loaded) => {
                    template::run(command, loaded.settings.reply.templates_dir.as_deref())
                }
                Err(problems) => {
                    complain(&format!("{problems}"));
                    Ok(problems.exit())
                }
            })
        }
        Some(Command::Restore(args)) => load(cli, Need::Store).and_then(|loaded| match loaded {
            Ok(loaded) => backup::restore(&loaded.settings, &args.file),
            Err(problems) => {
                complain(&format!("{problems}"));
                Ok(problems.exit())
            }
        }),
        Some(Command::Classify(args)) if args.endpoint => {
            load(cli, Need::Mail).and_then(|loaded| match loaded {
                Ok(loaded) => block_on(classify::with_endpoint(args, loaded.settings)),
                Err(problems) => {
                    complain(&format!("{problems}"));
                    Ok(problems.exit())
                }
            })
        }
        Some(Command::Classify(args)) => classify::run(args),
        Some(Command::Train(args)) => train::run(args),
        Some(Command::Doctor(args)) if args.faults => doctor::faults(),
        Some(Command::Doctor(args)) => examine(cli, args),
        #[cfg(feature = "demo")]
        Some(Command::Demo(args)) => block_on(crate::demo::run(args)),
        Some(Command::Setup(args)) => block_on(setup::setup(args, cli.global.config.as_deref())),
        _ => with_settings(cli),
    };
    told.unwrap_or_else(|e| {
        complain(&format!("replyd: {e:#}"));
        let Some(fault) = fault::of_any(&e) else {
            return Exit::Failed;
        };
        complain(&format!("{fault}: {}", fault.sentence("", "")));
        fault.exit()
    })
}

/// The settings. A root shell works on the service's files as the service's user, or it would
/// leave files behind that the service cannot open: then this does not return.
fn load(cli: &Cli, need: Need) -> anyhow::Result<Result<Loaded, config::ConfigError>> {
    let settings = |env, need| {
        let flags = cli.flags();
        Settings::load(&Sources { env, flags }, need)
    };
    if let Some(shell) = RootShell::here()? {
        // Where the database lies; secrets may be readable for the successor only.
        let loaded = match settings(shell.environment(), Need::Store) {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(Err(problems)),
        };
        let credentials = match need {
            Need::Mail => Credentials::All,
            Need::Store => Credentials::KeysOnly,
        };
        shell.become_owner(&loaded, credentials)?;
    }
    Ok(settings(Environment::of_process(), need))
}

/// `doctor`: needs neither complete settings nor a store.
fn examine(cli: &Cli, args: &DoctorArgs) -> anyhow::Result<Exit> {
    let intake = doctor::load(cli);
    if let Some(settings) = intake.settings() {
        telemetry::init(&settings.log)?;
    }
    block_on(doctor::run(intake, args))
}

/// Commands that need settings, a store, and the runtime.
fn with_settings(cli: &Cli) -> anyhow::Result<Exit> {
    let need = match cli.command {
        None | Some(Command::Run(_) | Command::Check(_) | Command::Process(_)) => Need::Mail,
        Some(Command::Auth(AuthCommand::Login(_))) => Need::Mail,
        Some(Command::Reconcile(_)) => Need::Mail,
        Some(Command::Quarantine(QuarantineCommand::Retry { .. })) => Need::Mail,
        Some(Command::Sent(SentCommand::Scan(_))) => Need::Mail,
        Some(Command::Webhooks(WebhooksCommand::Test { .. })) => Need::Mail,
        _ => Need::Store,
    };
    let loaded = match load(cli, need)? {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain(&format!("{problems}"));
            return Ok(problems.exit());
        }
    };
    telemetry::init(&loaded.settings.log)?;
    // Notes are for who starts the service or runs `config check`, not for each line of cron.
    let is_service = matches!(cli.command, None | Some(Command::Run(_))) && !cli.run.once;
    for note in &loaded.notes {
        if note.warning {
            warn!("{}", note.text);
        } else if is_service {
            info!("{}", note.text);
        }
    }
    block_on(async {
        // Before anything is opened: a signal that comes early ends in order too.
        let stop = CancellationToken::new();
        if is_service {
            stop_on_signals(stop.clone())?;
        }
        if is_service && let Err(e) = backup::check_after_unclean_stop(&loaded.settings) {
            return Ok(cannot_start(&e));
        }
        let app = match App::open(loaded.settings).await {
            Err(e) if is_service => return Ok(cannot_start(&e)),
            other => other?,
        };
        let vault = app.vault().clone();
        let done = match &cli.command {
            None | Some(Command::Run(_)) if cli.run.once => look::once(app).await,
            None | Some(Command::Run(_)) => run(app, stop).await,
            Some(Command::Check(args)) => look::check(app, args.days).await,
            Some(Command::Process(args)) => look::process(app, args).await,
            Some(Command::Reconcile(args)) => reconcile::reconcile(&app, args).await,
            Some(Command::Quarantine(command)) => reconcile::quarantine(&app, command).await,
            Some(Command::Backup(args)) => backup::backup(&app, &args.file).await,
            Some(Command::Status(args)) => show::status(&app, args.json).await,
            Some(Command::Leads(command)) => import::leads(&app, command).await,
            Some(Command::Sent(SentCommand::Scan(args))) => scan::scan(app, args).await,
            Some(Command::Sent(command)) => import::sent(&app, command).await,
            Some(Command::Import(command)) => import::predecessor(&app, command).await,
            Some(Command::Export(args)) => export::rows(&app, args).await,
            Some(Command::Erase(command)) => export::erase(&app, command).await,
            Some(Command::Webhooks(command)) => webhooks::webhooks(&app, command).await,
            Some(Command::Outbox(command)) => desk::outbox(&app, command).await,
            Some(Command::Documents(command)) => documents::documents(&app, command).await,
            Some(Command::Drafts(command)) => drafts::drafts(&app, command).await,
            Some(Command::Label(args)) => labels::label(&app, args).await,
            Some(Command::Corrections(command)) => labels::corrections(&app, command).await,
            Some(Command::Explain(args)) => replay::explain(&app, args).await,
            Some(Command::Replay(args)) => replay::replay(&app, args).await,
            Some(Command::Unmatched(command)) => unmatched::unmatched(&app, command).await,
            Some(Command::Campaign(command)) => campaign::campaign(&app, command).await,
            Some(Command::Automation(command)) => automation::automation(&app, command).await,
            Some(Command::Suppress(command)) => automation::suppress(&app, command).await,
            Some(Command::Auth(command)) => auth::auth(&app, command).await,
            Some(Command::Token(command)) => token::token(&app, command).await,
            Some(_) => Ok(Exit::Usage),
        };
        if !is_service {
            vault.close(TOKENS).await;
        }
        done
    })
}

/// The service's own log says why it ends at once.
fn cannot_start(e: &anyhow::Error) -> Exit {
    let fault = fault::of_any(e).unwrap_or(Fault::Unexpected);
    error!(
        fault = fault.code(),
        "replyd cannot start: {e:#}. {}",
        fault.sentence("", "")
    );
    fault.exit()
}

/// Listens until Ctrl+C or SIGTERM; a second signal ends the process at once.
async fn run(app: App, stop: CancellationToken) -> anyhow::Result<Exit> {
    // Before anything is read: a port that somebody chose and that is taken is an error of the
    // start.
    if let Err(e) = app.listen_web().await {
        error!("replyd ends: {e}");
        return Ok(Exit::Failed);
    }
    look_on_hangup(app.look_bells())?;
    if io::stderr().is_terminal() {
        info!("Press Ctrl+C to stop");
    }
    match app.run(&stop).await {
        Ok(()) => Ok(Exit::Done),
        Err(e) => {
            error!("replyd ends: {e:#}");
            Ok(Exit::Failed)
        }
    }
}

/// SIGINT and SIGTERM stop in order; the second one at once.
pub(crate) fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("Listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("Listen for SIGTERM")?;
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if again {
                #[expect(clippy::exit, reason = "a second signal means: now, whatever waits")]
                std::process::exit(130);
            }
            stop.cancel();
        }
    });
    Ok(())
}

/// Runs a command on a runtime of its own. Blocking work that is still under way at the end (a
/// name lookup, a wait for the database) is left behind: nothing of it is lost, and the end of
/// the process does not wait for it.
fn block_on<F: Future<Output = anyhow::Result<Exit>>>(command: F) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_keep_alive(BLOCKING_THREADS_LIVE)
        .enable_all()
        .build()
        .context("Start the runtime")?;
    let exit = runtime.block_on(command);
    runtime.shutdown_timeout(LEFT_BEHIND);
    exit
}

/// SIGHUP (`systemctl reload`) looks at every mailbox at once; without a handler it would end the
/// process. Settings are read at start only.
fn look_on_hangup(bells: Vec<Doorbell>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup()).context("Listen for SIGHUP")?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            info!("SIGHUP: looking at every mailbox now; restart replyd to read the settings anew");
            bells.iter().for_each(Doorbell::ring);
        }
    });
    Ok(())
}

/// Prints on stdout; a closed pipe (`| head`) is not an error.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    match io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
    {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("Write to stdout"),
    }
}

/// Prints a line on stderr; there is nothing left to do when that fails.
pub(crate) fn complain(text: &str) {
    writeln!(io::stderr(), "{text}").unwrap_or_default();
}

/// A bar on a terminal for long work; nothing when the output goes elsewhere.
pub(crate) fn progress(what: &'static str) -> Option<Progress> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let bar = bar(what);
    Some(Progress(Arc::new(move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if done >= total {
            bar.finish_and_clear();
        }
    })))
}

/// The look of every progress bar.
pub(crate) fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    // The template is a constant; if it were wrong the default bar is shown.
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.with_prefix(what)
}
