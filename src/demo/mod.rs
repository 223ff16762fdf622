//! `replyd demo`: the main job on an embedded mail server. It is the same `run`, with other
//! settings and its state in a temporary folder.

mod samples;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use replyd_sandbox::{Options, Sandbox};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::campaign::{self, ImportOptions};
use crate::cli::{DemoArgs, Exit};
use crate::commands::{say, stop_on_signals};
use crate::config::{Environment, Flags, Need, Settings, Sources, WebSettings};
use crate::model::AccountState;
use crate::store::{Store, StoreError, Trace};
use crate::telemetry;
use crate::time::{self, UtcMs};
use samples::{CAMPAIGN, PROJECT, SALES, SAMPLES, Sample, TEAM};

/// All samples must be handled within this time.
const LIMIT: Duration = Duration::from_secs(18);
/// The store is asked this often; the demo watches from outside, as the page does.
const LOOK: Duration = Duration::from_millis(20);
/// Everybody's password on the embedded server.
const PASSWORD: &str = "demo";

/// Runs the demo; with `--exit` until every sample was handled, else until Ctrl+C.
pub(crate) async fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    let folder = tempdir()?;
    let result = in_folder(args, &folder).await;
    if let Err(e) = std::fs::remove_dir_all(&folder) {
        super::commands::complain(&format!(
            "replyd demo: could not remove {}: {e}",
            folder.display()
        ));
    }
    result
}

async fn in_folder(args: &DemoArgs, folder: &Path) -> anyhow::Result<Exit> {
    let sandbox = Sandbox::start(Options::default())
        .await
        .context("Start the embedded mail server")?;
    for address in [TEAM, SALES]
        .into_iter()
        .chain(SAMPLES.iter().map(|s| s.email))
    {
        sandbox.add_user(address, PASSWORD);
    }
    let mut settings = settings(&sandbox, folder, args.listen())?;
    elsewhere_if_taken(&mut settings.web);
    telemetry::init(&settings.log)?;
    let app = App::open(settings).await?.without_tokens();
    let store = app.store().clone();
    import(&app).await?;
    let web = app.listen_web().await.context("Answer HTTP requests")?;

    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let token = stop.clone();
    let running = tokio::spawn(async move { app.run(&token).await });
    let handled = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(Vec::new()),
        handled = tell(args, &sandbox, &store, folder, web) => handled,
    };
    if !args.exit && handled.is_ok() {
        stop.cancelled().await;
    }
    stop.cancel();
    running.await.context("Stop")??;
    sandbox.stop().await;
    let wrong = handled?;
    if wrong.is_empty() {
        return Ok(Exit::Done);
    }
    say(&format!(
        "\nNot handled as it should be:\n{}",
        wrong.join("\n")
    ))?;
    say("\n")?;
    Ok(Exit::Failed)
}

/// Lets the samples answer one after another and shows what became of each. Gives what was
/// not as it should be.
async fn tell(
    args: &DemoArgs,
    sandbox: &Sandbox,
    store: &Store,
    folder: &Path,
    web: Option<SocketAddr>,
) -> anyhow::Result<Vec<String>> {
    let deadline = Instant::now() + LIMIT;
    say(&format!(
        "A mail server runs inside this process (IMAP {}, SMTP {}).\n\
         The campaign \"{CAMPAIGN}\" was mailed to {} sample leads; replyd listens to {TEAM}.\n\n",
        sandbox.imap_addr(),
        sandbox.smtp_addr(),
        SAMPLES.iter().filter(|s| !s.lead_id.is_empty()).count(),
    ))?;
    live(store, deadline).await?;
    let mut wrong = Vec::new();
    for sample in SAMPLES {
        sandbox
            .deliver(TEAM, "INBOX", &sample.raw(&mail_date(time::now())), None)
            .context("Deliver a sample")?;
        let trace = settled(store, sample, deadline).await?;
        say(&line(sample, &trace))?;
        wrong.extend(check(sample, &trace));
    }
    if wrong.is_empty() {
        wrong.extend(threading(sandbox)?);
    }
    if !args.exit {
        say(&invitation(sandbox, folder, web))?;
    }
    Ok(wrong)
}

/// Waits until the account hears.
async fn live(store: &Store, deadline: Instant) -> anyhow::Result<()> {
    loop {
        let accounts = store
            .read(|r| r.accounts())
            .await
            .map_err(|e: StoreError| e)?;
        if accounts.iter().any(|a| a.state == AccountState::Live) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let why = accounts
                .first()
                .map(|a| a.state_reason.clone())
                .unwrap_or_default();
            bail!("The account did not come up: {why}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until a sample's message is stored, decided, and its mails have left.
async fn settled(store: &Store, sample: &Sample, deadline: Instant) -> anyhow::Result<Trace> {
    let key = sample.reply_id();
    loop {
        let id = key.clone();
        let trace = store
            .read(move |r| r.trace(&id))
            .await
            .map_err(|e: StoreError| e)?;
        if let Some(trace) = trace
            && trace.settled()
        {
            return Ok(trace);
        }
        if Instant::now() > deadline {
            bail!("{} ({}) was not handled in time", sample.name, sample.title);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn line(sample: &Sample, t: &Trace) -> String {
    let mut text = format!(
        "{:<13} {:<20} -> {}",
        sample.name, sample.title, t.disposition
    );
    // Writing to a String cannot fail.
    let mut add = |s: String| text.push_str(&s);
    if let Some(intent) = t.intent {
        add(format!(", {intent} {:.2}", t.confidence));
    }
    if let Some(method) = t.match_method {
        add(format!(", matched by {method}"));
    }
    for (kind, state, _) in &t.mails {
        add(format!(", {kind} {state}"));
    }
    if t.open_draft {
        add(", draft for a person".into());
    }
    let since = |at: Option<UtcMs>| {
        at.zip(t.announced_at)
            .map(|(at, start)| format!("{} ms", at.since(start).as_millis()))
    };
    let accepted = t.mails.iter().filter_map(|(_, _, at)| *at).max();
    let mut steps = Vec::new();
    for (step, at) in [
        ("fetched", t.fetched_at),
        ("stored", Some(t.stored_at)),
        ("decided", t.decided_at),
        ("answered", accepted),
    ] {
        if let Some(ms) = since(at) {
            steps.push(format!("{step} {ms}"));
        }
    }
    writeln!(
        text,
        "\n              after it was announced: {}",
        steps.join(", ")
    )
    .unwrap_or_default();
    text
}

/// What differs from what should have become of a sample.
fn check(sample: &Sample, t: &Trace) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, found: String, due: String| {
        if found != due {
            wrong.push(format!(
                "{} {}: {what} is {found}, should be {due}",
                sample.name, sample.title
            ));
        }
    };
    compare(
        "disposition",
        t.disposition.to_string(),
        sample.expect.disposition.to_string(),
    );
    if sample.expect.intent.is_some() {
        compare(
            "intent",
            format!("{:?}", t.intent),
            format!("{:?}", sample.expect.intent),
        );
    }
    let mut found: Vec<String> = t
        .mails
        .iter()
        .map(|(kind, state, _)| format!("{kind} {state}"))
        .collect();
    let mut due: Vec<String> = sample
        .expect
        .mails
        .iter()
        .map(|kind| format!("{kind} sent"))
        .collect();
    found.sort();
    due.sort();
    compare("mails", found.join(", "), due.join(", "));
    compare(
        "draft",
        t.open_draft.to_string(),
        sample.expect.draft.to_string(),
    );
    wrong
}

/// The acknowledgement lies in the first lead's mailbox, in the thread.
fn threading(sandbox: &Sandbox) -> anyhow::Result<Option<String>> {
    let first = SAMPLES.first().context("No sample")?;
    let due = format!("in-reply-to: <{}>", first.reply_id());
    let found = sandbox.messages(first.email, "INBOX").iter().any(|m| {
        String::from_utf8_lossy(&m.raw)
            .to_lowercase()
            .contains(&due)
    });
    Ok((!found).then(|| {
        format!(
            "No answer in the thread lies in the mailbox of {}",
            first.name
        )
    }))
}

/// Where to look. A token is asked for where others could reach the address.
fn pages(web: SocketAddr) -> String {
    if !web.ip().is_loopback() {
        return format!(
            "The page and the API: http://{web}/ (not on loopback: with a token, as in docs/API.md)\n"
        );
    }
    format!(
        "The page, and the API without a token: http://{web}/\n\
         A conversation: curl 'http://{web}/api/agent/queries?campaign_lead_id=1'\n\
         Whether it hears, as a monitor asks: curl http://{web}/health\n"
    )
}

fn invitation(sandbox: &Sandbox, folder: &Path, web: Option<SocketAddr>) -> String {
    let first = SAMPLES.first();
    let (email, sent) = first.map(|s| (s.email, s.sent_id())).unwrap_or_default();
    format!(
        "\nIt goes on listening; Ctrl+C ends it. Send a mail of your own, for example:\n\n\
         printf 'From: {email}\\r\\nTo: {TEAM}\\r\\nSubject: Re: Your new home\\r\\nIn-Reply-To: <{sent}>\\r\\n\
         Message-ID: <mine-'$$'@leads.example>\\r\\n\\r\\nIs there a garage?\\r\\n' | \\\n\
         curl -sS --cacert {ca} --user {email}:{PASSWORD} --url smtps://localhost:{port} \\\n     \
         --mail-from {email} --mail-rcpt {TEAM} --upload-file -\n\n\
         and look at what became of it: replyd --database {db} status\n{pages}",
        pages = web.map_or_else(String::new, pages),
        ca = folder.join("ca.pem").display(),
        port = sandbox.smtp_addr().port(),
        db = folder.join("replyd.db").display(),
    )
}

/// A replyd of this machine may be at the usual address: the demo then takes any free port, where
/// nobody asked for one.
fn elsewhere_if_taken(web: &mut WebSettings) {
    let taken = |address: &SocketAddr| std::net::TcpListener::bind(address).is_err();
    if !web.is_chosen && web.listen.as_ref().is_some_and(taken) {
        web.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
}

/// The same files that an operator writes, read by the same loader.
fn settings(sandbox: &Sandbox, folder: &Path, listen: Option<String>) -> anyhow::Result<Settings> {
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, sandbox.ca_pem()).context("Write the demo's certificate")?;
    let config = folder.join("replyd.toml");
    let text = format!(
        "[store]\ndatabase = {db:?}\n[reply]\nsales_email = {SALES:?}\n[log]\nfilter = \"warn\"\n\
         [imap]\nhost = \"localhost\"\nport = {imap}\nca_file = {ca:?}\n\
         [smtp]\nhost = \"localhost\"\nport = {smtp}\nsecurity = \"tls\"\nca_file = {ca:?}\n\
         [[accounts]]\nname = \"demo\"\naddress = {TEAM:?}\npassword = {PASSWORD:?}\n",
        db = folder.join("replyd.db"),
        imap = sandbox.imap_addr().port(),
        smtp = sandbox.smtp_addr().port(),
    );
    std::fs::write(&config, text).context("Write the demo's settings")?;
    let env = Environment {
        cwd: folder.to_owned(),
        ..Environment::default()
    };
    let flags = Flags {
        config: Some(config),
        listen,
        ..Flags::default()
    };
    Ok(Settings::load(&Sources { env, flags }, Need::Mail)?.settings)
}

/// Sample leads, and the campaign mails sent to them.
async fn import(app: &App) -> anyhow::Result<()> {
    let mut leads = String::from("lead_id,name,email,project_name\n");
    let mut sent = String::from("message_id,lead,campaign,date,subject,body\n");
    let yesterday = time::now().minus(Duration::from_secs(24 * 3600)).rfc3339();
    for s in SAMPLES.iter().filter(|s| !s.lead_id.is_empty()) {
        writeln!(leads, "{},{},{},{PROJECT}", s.lead_id, s.name, s.email)?;
        writeln!(
            sent,
            "<{}>,{},{CAMPAIGN},{yesterday},Your new home at {PROJECT},Would you like to visit {PROJECT}?",
            s.sent_id(),
            s.lead_id
        )?;
    }
    let options = ImportOptions {
        campaign: Some(CAMPAIGN.into()),
        ..ImportOptions::default()
    };
    let imported = campaign::import_leads(
        app.store(),
        app.keys(),
        std::io::Cursor::new(leads),
        options,
    )
    .await?;
    let known = campaign::import_sent(
        app.store(),
        app.keys(),
        std::io::Cursor::new(sent),
        ImportOptions::default(),
    )
    .await?;
    if imported.failed + known.failed > 0 {
        bail!("The demo's own leads could not be imported");
    }
    Ok(())
}

/// An RFC 5322 date.
fn mail_date(at: UtcMs) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.0)
        .unwrap_or_default()
        .to_rfc2822()
}

/// A folder of our own below the system's temporary one, mode 0700.
fn tempdir() -> anyhow::Result<std::path::PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = std::env::temp_dir().join(format!(
        "replyd-demo-{}-{:08x}",
        std::process::id(),
        fastrand::u32(..)
    ));
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("Make {}", folder.display()))?;
    Ok(folder)
}
