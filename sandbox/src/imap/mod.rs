//! An IMAP4rev1 session (RFC 3501), with LITERAL+ (7888), IDLE (2177), SASL-IR (4959), ID (2971),
//! UIDPLUS (4315) and UNSELECT (3691).
//!
//! One task owns a session: it reads a command, carries it out, says what has changed in the mailbox
//! where RFC 3501 allows it, and answers. Nothing is said between commands but in IDLE.

mod auth;
mod change;
mod command;
mod cursor;
mod fetch;
mod idle;
mod mailbox;
mod parse;
mod read;
mod search;
mod section;
mod view;

use std::sync::Arc;

use crate::faults::{ImapFault, Plan, Status};
use crate::options::Tls;
use crate::shared::Shared;
use crate::stats::Count;
use crate::store::User;
use crate::verbs::Verb;
use crate::wire::{Stop, Wire};
use command::{Args, Request};
use view::{Selected, SyncRules};

/// A tagged answer.
struct Tagged(Status, String);

impl Tagged {
    fn ok(text: impl Into<String>) -> Self {
        Self(Status::Ok, text.into())
    }

    fn no(text: impl Into<String>) -> Self {
        Self(Status::No, text.into())
    }

    fn bad(text: impl Into<String>) -> Self {
        Self(Status::Bad, text.into())
    }
}

/// What comes after a command.
enum Next {
    Answer(Tagged),
    /// The tagged answer, then this.
    Then(Tagged, After),
}

enum After {
    Logout,
    StartTls,
}

struct Session {
    shared: Arc<Shared>,
    wire: Wire,
    mode: Tls,
    /// Tells this session's flag changes from those of others.
    id: u64,
    user: Option<Arc<User>>,
    /// The last of the user's signals that this session has seen.
    signal_seen: u64,
    selected: Option<Box<Selected>>,
    /// Untagged responses before a fault closes the connection.
    responses_left: Option<usize>,
    /// Bytes into the next literal where a fault closes the connection.
    literal_cut: Option<usize>,
}

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, wire: Wire, mode: Tls) {
    let id = shared.next_number();
    let mut session = Session {
        shared,
        wire,
        mode,
        id,
        user: None,
        signal_seen: 0,
        selected: None,
        responses_left: None,
        literal_cut: None,
    };
    let stop = session.run().await;
    // Boxed: this is a short phase after a long one.
    Box::pin(session.wire.end(stop)).await;
}

impl Session {
    /// Runs until the end, and says how to end.
    async fn run(&mut self) -> Stop {
        if let Err(stop) = self.greet().await {
            return stop;
        }
        loop {
            let step = match self.next_request().await {
                Ok(Some(request)) => Box::pin(self.step(request)).await,
                Ok(None) => Ok(()),
                Err(stop) => Err(stop),
            };
            if let Err(stop) = step {
                return stop;
            }
        }
    }

    async fn greet(&mut self) -> Result<(), Stop> {
        let fault = self.shared.faults.imap_first(None, |fault| match fault {
            ImapFault::CloseAtGreeting | ImapFault::Greeting(_) | ImapFault::SilentGreeting => {
                Some(fault.clone())
            }
            _ => None,
        });
        match fault {
            Some(ImapFault::CloseAtGreeting) => return Err(Stop::Close),
            Some(ImapFault::SilentGreeting) => return self.black_hole().await,
            Some(ImapFault::Greeting(line)) => {
                self.wire.line(&line);
                self.wire.flush().await?;
                if line.starts_with(b"* BYE") {
                    return Err(Stop::Close);
                }
                return Ok(());
            }
            _ => {}
        }
        let capabilities = self.capabilities();
        self.wire.line(format!(
            "* OK [CAPABILITY {capabilities}] The sandbox is ready"
        ));
        self.pause().await;
        Ok(self.wire.flush().await?)
    }

    fn address(&self) -> Option<&str> {
        self.user.as_deref().map(|u| u.address.as_str())
    }

    /// Does this connection have to be protected before anyone logs in?
    fn needs_tls(&self) -> bool {
        self.mode == Tls::StartTls && !self.wire.is_tls()
    }

    /// Is this capability hidden by a fault?
    fn is_hidden(&self, capability: &str) -> bool {
        let hides = |fault: &ImapFault| match fault {
            ImapFault::Hide(name) if name.eq_ignore_ascii_case(capability) => Some(()),
            _ => None,
        };
        self.shared
            .faults
            .imap_first(self.address(), hides)
            .is_some()
    }

    fn capabilities(&self) -> String {
        let mut all = vec!["IMAP4rev1", "LITERAL+", "SASL-IR", "ID"];
        if self.needs_tls() {
            all.extend(["STARTTLS", "LOGINDISABLED"]);
        } else if self.user.is_none() {
            all.extend(["AUTH=PLAIN", "AUTH=XOAUTH2"]);
        }
        if self.user.is_some() {
            all.extend(["UIDPLUS", "UNSELECT", "SPECIAL-USE"]);
        }
        if self.shared.options.idle {
            all.push("IDLE");
        }
        all.retain(|name| !self.is_hidden(name));
        let mut text = all.join(" ");
        let added = |fault: &ImapFault| match fault {
            ImapFault::Advertise(word) => Some(word.clone()),
            _ => None,
        };
        for word in self.shared.faults.imap(self.address(), added) {
            text.push(' ');
            text.push_str(&word);
        }
        text
    }

    /// The server's own thinking time.
    async fn pause(&self) {
        let latency = self.shared.options.latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    /// Reads and answers nothing until the client goes.
    async fn black_hole(&mut self) -> Result<(), Stop> {
        self.wire.swallow().await;
        Err(Stop::Abort)
    }

    async fn bye(&mut self, text: &str) -> Stop {
        self.wire.line(format!("* BYE {text}"));
        match self.wire.flush().await {
            Ok(()) => Stop::Close,
            Err(error) => error.into(),
        }
    }

    /// Carries one command out and answers it.
    async fn step(&mut self, request: Request) -> Result<(), Stop> {
        let Request { tag, verb, args } = request;
        self.shared.counters.imap(verb);
        let args = match args {
            Args::Authenticate { mechanism, initial } => {
                match self.sasl(&mechanism, initial).await? {
                    Ok(claim) => return self.log_in(&tag, verb, claim).await,
                    Err(refused) => return self.answer(&tag, refused, Plan::default()).await,
                }
            }
            Args::Login { user, password } => {
                let claim = auth::Claim::password(user, password);
                return self.log_in(&tag, verb, claim).await;
            }
            other => other,
        };
        let plan = self.shared.faults.plan(self.address(), verb);
        let mut plan = self.begin(plan).await?;
        if let Some((status, text)) = plan.tagged.take() {
            return self.answer(&tag, Tagged(status, text), plan).await;
        }
        if verb == Verb::Idle {
            return self.idle(&tag, plan).await;
        }
        match self.execute(verb, args).await? {
            Next::Answer(tagged) => self.answer(&tag, tagged, plan).await,
            Next::Then(tagged, after) => {
                self.answer(&tag, tagged, plan).await?;
                match after {
                    After::Logout => Err(Stop::Close),
                    After::StartTls => self.start_tls().await,
                }
            }
        }
    }

    /// The faults that act before a command is carried out, and the setting up of those that act
    /// on its answer.
    async fn begin(&mut self, mut plan: Plan) -> Result<Plan, Stop> {
        if let Some(gate) = plan.hold_command.take() {
            gate.pass().await;
        }
        if let Some(abrupt) = plan.close {
            return Err(if abrupt { Stop::Abort } else { Stop::Close });
        }
        if plan.black_hole {
            self.black_hole().await?;
        }
        if let Some(text) = plan.bye.take() {
            return Err(self.bye(&text).await);
        }
        self.wire.set_hold(plan.hold.is_some());
        self.wire.set_pace(plan.slow);
        if let Some(bytes) = plan.truncate {
            self.wire.cut_in(bytes);
        }
        self.wire.push(&plan.inject);
        self.literal_cut = plan.in_literal;
        self.responses_left = plan.after_responses;
        if self.responses_left == Some(0) {
            self.wire.cut_in(0);
        }
        Ok(plan)
    }

    /// Writes the tagged line, waits at the gates, and lets everything go.
    async fn answer(&mut self, tag: &str, tagged: Tagged, plan: Plan) -> Result<(), Stop> {
        let Tagged(status, text) = tagged;
        if !plan.no_tag {
            let tag = if plan.wrong_tag { "X999999" } else { tag };
            self.wire.line(format!("{tag} {} {text}", status.word()));
        }
        if let Some(gate) = &plan.hold {
            gate.pass().await;
        }
        self.pause().await;
        self.wire.flush().await?;
        self.wire.set_hold(false);
        self.wire.set_pace(None);
        self.wire.clear_cut();
        self.literal_cut = None;
        self.responses_left = None;
        Ok(())
    }

    async fn start_tls(&mut self) -> Result<(), Stop> {
        let injected = |fault: &ImapFault| match fault {
            ImapFault::InjectBeforeTls(bytes) => Some(bytes.clone()),
            _ => None,
        };
        for bytes in self.shared.faults.imap(None, injected) {
            self.wire.push(bytes);
        }
        self.wire.flush().await?;
        let shared = Arc::clone(&self.shared);
        let handshake = Box::pin(self.wire.start_tls(&shared.tls.acceptor));
        if let Err(error) = handshake.await {
            self.shared.counters.add(Count::TlsFailures);
            return Err(error.into());
        }
        Ok(())
    }

    async fn execute(&mut self, verb: Verb, args: Args) -> Result<Next, Stop> {
        match (verb, args) {
            (Verb::Capability, _) => {
                let capabilities = self.capabilities();
                self.wire.line(format!("* CAPABILITY {capabilities}"));
                Ok(self.done(verb))
            }
            (Verb::Noop | Verb::Check, _) => {
                self.sync(true).await?;
                Ok(self.done(verb))
            }
            (Verb::Logout, _) => {
                self.wire.line("* BYE Logging out");
                let tagged = Tagged::ok("LOGOUT completed");
                Ok(Next::Then(tagged, After::Logout))
            }
            (Verb::Id, _) if !self.is_hidden("ID") => {
                self.wire.line("* ID (\"name\" \"replyd sandbox\")");
                Ok(self.done(verb))
            }
            (Verb::StartTls, _) if self.needs_tls() && !self.is_hidden("STARTTLS") => {
                let tagged = Tagged::ok("Begin TLS negotiation now");
                Ok(Next::Then(tagged, After::StartTls))
            }
            (Verb::StartTls | Verb::Id, _) => Ok(Next::Answer(Tagged::bad("Not available"))),
            (_, args) if self.user.is_some() => self.execute_authenticated(verb, args).await,
            _ => Ok(Next::Answer(Tagged::bad("Log in first"))),
        }
    }

    async fn execute_authenticated(&mut self, verb: Verb, args: Args) -> Result<Next, Stop> {
        let tagged = match (verb, args) {
            (Verb::Select, Args::Mailbox(name)) => self.select(&name, false),
            (Verb::Examine, Args::Mailbox(name)) => self.select(&name, true),
            (Verb::Create, Args::Mailbox(name)) => self.create(&name),
            (Verb::List | Verb::Lsub, Args::List { reference, pattern }) => {
                self.list(verb, &reference, &pattern)
            }
            (Verb::Status, Args::Status { mailbox, items }) => self.status(&mailbox, &items),
            (
                Verb::Append,
                Args::Append {
                    mailbox,
                    flags,
                    internal_date,
                    message,
                },
            ) => self.append(&mailbox, flags, internal_date, message),
            (_, args) if self.selected.is_some() => {
                return self.execute_selected(verb, args).await;
            }
            _ => return Ok(Next::Answer(Tagged::bad("Select a mailbox first"))),
        };
        self.sync(true).await?;
        Ok(Next::Answer(tagged))
    }

    async fn execute_selected(&mut self, verb: Verb, args: Args) -> Result<Next, Stop> {
        // RFC 3501 §7.4.1: no EXPUNGE in answers to FETCH, STORE and SEARCH; the UID commands may
        // have it.
        let expunge = !matches!(verb, Verb::Fetch | Verb::Store | Verb::Search);
        self.check_reset().await?;
        let tagged = match (verb, args) {
            (Verb::Fetch | Verb::UidFetch, Args::Fetch { set, items }) => {
                self.fetch(verb, &set, items).await?
            }
            (Verb::Search | Verb::UidSearch, Args::Search(keys)) => self.search(verb, &keys),
            (
                Verb::Store | Verb::UidStore,
                Args::Store {
                    set,
                    how,
                    silent,
                    flags,
                },
            ) => self.store(verb, &set, how, silent, &flags),
            (Verb::Expunge, _) => self.expunge(None),
            (Verb::UidExpunge, Args::UidExpunge(set)) => self.expunge(Some(&set)),
            (Verb::Close, _) => {
                // CLOSE expunges without EXPUNGE responses (RFC 3501 §6.4.2); after EXAMINE it does
                // not expunge.
                if self.selected.as_ref().is_some_and(|s| !s.read_only) {
                    self.expunge(None);
                }
                self.selected = None;
                return Ok(self.done(verb));
            }
            (Verb::Unselect, _) => {
                self.selected = None;
                return Ok(self.done(verb));
            }
            _ => return Ok(Next::Answer(Tagged::bad("Unknown command"))),
        };
        self.sync(expunge).await?;
        Ok(Next::Answer(tagged))
    }

    fn done(&self, verb: Verb) -> Next {
        Next::Answer(Tagged::ok(format!("{} completed", verb.name())))
    }

    /// Ends the session when the mailbox has got another UIDVALIDITY under it: the client's UIDs
    /// mean other messages now.
    async fn check_reset(&mut self) -> Result<(), Stop> {
        let reset = self
            .selected
            .as_ref()
            .is_some_and(|s| s.mailbox.lock().uid_validity != s.uid_validity);
        if reset {
            return Err(self.bye("The mailbox was reset").await);
        }
        Ok(())
    }

    /// Says what has changed in the selected mailbox.
    async fn sync(&mut self, expunge: bool) -> Result<(), Stop> {
        let mute = |fault: &ImapFault| matches!(fault, ImapFault::MuteExists).then_some(());
        let Some(selected) = self.selected.as_mut() else {
            return Ok(());
        };
        let address = self.user.as_deref().map(|u| u.address.as_str());
        let mute = selected.has_news() && self.shared.faults.imap_first(address, mute).is_some();
        let rules = SyncRules { expunge, mute };
        let mut out = Vec::new();
        match selected.sync(self.id, rules, &mut out) {
            Ok(announced) => {
                if announced {
                    self.shared.counters.add(Count::Announcements);
                }
                self.wire.push(out);
                Ok(())
            }
            Err(view::Reset) => Err(self.bye("The mailbox was reset").await),
        }
    }
}
