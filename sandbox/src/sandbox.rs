//! The server as a whole: start, talk to it from a test, stop.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::delivery::{self, OutgoingReply, Robot};
use crate::faults::{Faults, IdleEvent};
use crate::listen::{Protocol, accept_loop};
use crate::options::{Options, Tls};
use crate::shared::{Shared, Submission};
use crate::stats::{Stats, Timeout};
use crate::store::{DeliverError, Signal, StoredMessage, User};
use crate::tls;

/// An IMAP and an SMTP server in this process, on ports of loopback that the system chooses.
///
/// Dropping it stops it; [`Sandbox::stop`] also waits until it has stopped. All methods but
/// [`Sandbox::start`] may be called from any thread.
pub struct Sandbox {
    shared: Arc<Shared>,
    imap: SocketAddr,
    imap_starttls: SocketAddr,
    smtp: SocketAddr,
    smtp_starttls: SocketAddr,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("imap", &self.imap)
            .field("smtp", &self.smtp)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Makes the certificates and starts the listeners.
    ///
    /// # Errors
    /// A certificate name that is none, or no free port.
    pub async fn start(options: Options) -> io::Result<Self> {
        let tls = tls::make(&options.certificate_names)?;
        let slots = Arc::new(Semaphore::new(options.max_connections));
        let mode = options.tls;
        let shared = Arc::new(Shared::new(options, tls, Handle::current()));
        let listen = async |protocol: Protocol, mode: Tls| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let accepting = accept_loop(
                Arc::clone(&shared),
                listener,
                Arc::clone(&slots),
                protocol,
                mode,
            );
            shared.tracker.spawn(accepting);
            io::Result::Ok(address)
        };
        let imap = listen(Protocol::Imap, mode).await?;
        let imap_starttls = listen(Protocol::Imap, Tls::StartTls).await?;
        let smtp = listen(Protocol::Smtp, mode).await?;
        let smtp_starttls = listen(Protocol::Smtp, Tls::StartTls).await?;
        Ok(Self {
            shared,
            imap,
            imap_starttls,
            smtp,
            smtp_starttls,
        })
    }

    /// Ends all connections and waits until every task is done.
    pub async fn stop(self) {
        self.shared.token.cancel();
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }

    /// IMAP, with TLS as [`Options::tls`] says.
    #[must_use]
    pub fn imap_addr(&self) -> SocketAddr {
        self.imap
    }

    /// IMAP with STARTTLS.
    #[must_use]
    pub fn imap_starttls_addr(&self) -> SocketAddr {
        self.imap_starttls
    }

    /// SMTP, with TLS as [`Options::tls`] says.
    #[must_use]
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp
    }

    /// SMTP with STARTTLS.
    #[must_use]
    pub fn smtp_starttls_addr(&self) -> SocketAddr {
        self.smtp_starttls
    }

    /// The certificate of the CA that clients must trust, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.shared.tls.ca_pem
    }

    /// Adds a user with an empty INBOX, or changes the password of one that is there. Addresses
    /// compare without case.
    pub fn add_user(&self, address: &str, password: &str) {
        self.shared.store.add_user(address, password);
    }

    /// Sets or takes away the token that XOAUTH2 accepts for this user.
    ///
    /// # Errors
    /// The user is unknown.
    pub fn set_token(&self, address: &str, token: Option<&str>) -> Result<(), DeliverError> {
        self.user(address)?.set_token(token);
        Ok(())
    }

    fn user(&self, address: &str) -> Result<Arc<User>, DeliverError> {
        let user = self.shared.store.user(address);
        user.ok_or(DeliverError::UnknownUser)
    }

    /// Puts a message into a mailbox as it is, and announces it to idling sessions. A mailbox that is
    /// not there is made. `internal_date` is in Unix milliseconds, now if there is none. Gives the
    /// UID.
    ///
    /// # Errors
    /// The user is unknown, the mailbox full or the message too large.
    pub fn deliver(
        &self,
        address: &str,
        mailbox: &str,
        raw: &[u8],
        internal_date: Option<i64>,
    ) -> Result<u32, DeliverError> {
        delivery::deliver(&self.shared, address, mailbox, raw, internal_date, 0)
    }

    /// All messages of a mailbox, by UID; none when there is no such mailbox.
    #[must_use]
    pub fn messages(&self, address: &str, mailbox: &str) -> Vec<StoredMessage> {
        let user = self.shared.store.user(address);
        let mailbox = user.and_then(|user| user.mailbox(mailbox));
        mailbox
            .map(|mailbox| mailbox.messages())
            .unwrap_or_default()
    }

    /// Removes a message for good, as another client would; tells whether it was there.
    pub fn expunge(&self, address: &str, mailbox: &str, uid: u32) -> bool {
        let user = self.shared.store.user(address);
        let mailbox = user.and_then(|user| user.mailbox(mailbox));
        let gone = mailbox.is_some_and(|m| !m.expunge(|message| message.uid == uid).is_empty());
        self.shared.counters.changed();
        gone
    }

    /// The UIDVALIDITY of a mailbox.
    #[must_use]
    pub fn uid_validity(&self, address: &str, mailbox: &str) -> Option<u32> {
        let mailbox = self.shared.store.user(address)?.mailbox(mailbox)?;
        Some(mailbox.lock().uid_validity)
    }

    /// Gives a mailbox a new UIDVALIDITY and its messages the UIDs 1, 2, 3 …; sessions that have it
    /// selected get a BYE. Gives the new value, `None` when there is no such mailbox.
    pub fn reset_uid_validity(&self, address: &str, mailbox: &str) -> Option<u32> {
        let mailbox = self.shared.store.user(address)?.mailbox(mailbox)?;
        Some(mailbox.reset_uid_validity())
    }

    /// Waits until a mailbox has at least `count` messages, and gives all of them.
    ///
    /// # Errors
    /// [`Timeout`] when it has fewer at the deadline.
    pub async fn wait_for_messages(
        &self,
        address: &str,
        mailbox: &str,
        count: usize,
        deadline: Duration,
    ) -> Result<Vec<StoredMessage>, Timeout> {
        let what = format!("{count} messages in a mailbox");
        let probe = || {
            let messages = self.messages(address, mailbox);
            (messages.len() >= count).then_some(messages)
        };
        self.shared.counters.wait(&what, deadline, probe).await
    }

    /// The counters at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Waits until the counters are as `wanted`, and gives them.
    ///
    /// # Errors
    /// [`Timeout`] when they are not before the deadline.
    pub async fn wait_until(
        &self,
        deadline: Duration,
        wanted: impl Fn(&Stats) -> bool,
    ) -> Result<Stats, Timeout> {
        let probe = || Some(self.stats()).filter(|stats| wanted(stats));
        let counters = &self.shared.counters;
        counters.wait("the counters", deadline, probe).await
    }

    /// How many sessions of this user are in IDLE now.
    #[must_use]
    pub fn idling(&self, address: &str) -> u32 {
        let user = self.shared.store.user(address);
        user.map_or(0, |user| user.idling())
    }

    /// Waits until this user has at least `count` sessions in IDLE.
    ///
    /// # Errors
    /// [`Timeout`] when there are fewer at the deadline.
    pub async fn wait_for_idle(
        &self,
        address: &str,
        count: u32,
        deadline: Duration,
    ) -> Result<(), Timeout> {
        let probe = || (self.idling(address) >= count).then_some(());
        let counters = &self.shared.counters;
        counters.wait("a session in IDLE", deadline, probe).await
    }

    /// The mails that SMTP took, oldest first, at most [`Options::max_submissions`].
    #[must_use]
    pub fn submissions(&self) -> Vec<Submission> {
        self.shared.submissions()
    }

    /// Waits until SMTP has taken at least `count` mails in all, and gives those that are kept.
    ///
    /// # Errors
    /// [`Timeout`] when it has taken fewer at the deadline.
    pub async fn wait_for_submissions(
        &self,
        count: u64,
        deadline: Duration,
    ) -> Result<Vec<Submission>, Timeout> {
        self.wait_until(deadline, |stats| stats.accepted_mails >= count)
            .await?;
        Ok(self.submissions())
    }

    /// Lets a robot answer what arrives in this user's INBOX from now on. It runs in a task of its
    /// own; what it gives back is delivered inside the sandbox, with the trace headers of a mail
    /// that came by SMTP.
    ///
    /// # Errors
    /// The user is unknown.
    pub fn on_delivery(
        &self,
        address: &str,
        answer: impl Fn(&StoredMessage) -> Vec<OutgoingReply> + Send + Sync + 'static,
    ) -> Result<(), DeliverError> {
        let robot = Robot(Arc::new(answer));
        self.user(address)?.set_robot(Some(robot));
        Ok(())
    }

    /// What the server shall do wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Cuts all IMAP connections of this user that wait for the client, without another word.
    ///
    /// # Errors
    /// The user is unknown.
    pub fn disconnect(&self, address: &str) -> Result<(), DeliverError> {
        self.user(address)?.send(Signal::Disconnect);
        Ok(())
    }

    /// Lets this happen now in the sessions of this user that are in IDLE.
    ///
    /// # Errors
    /// The user is unknown.
    pub fn in_idle(&self, address: &str, event: IdleEvent) -> Result<(), DeliverError> {
        self.user(address)?.send(Signal::Idle(event));
        Ok(())
    }

    /// How many tasks of the sandbox are running; 0 after it has stopped.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.shared.tracker.len()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.token.cancel();
        self.shared.tracker.close();
    }
}
