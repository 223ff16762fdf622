//! What an IMAP server can do wrong.

use std::time::Duration;

use super::Gate;
use crate::verbs::Verb;

/// The word of a tagged answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// Refused.
    No,
    /// Not understood.
    Bad,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

/// A misbehaviour of the IMAP server.
#[derive(Clone, Debug)]
pub enum ImapFault {
    /// Closes the connection in the place of the greeting.
    CloseAtGreeting,
    /// Sends this line (CRLF is added) as the greeting; after `* BYE` it closes.
    Greeting(Vec<u8>),
    /// Never greets: reads and is silent.
    SilentGreeting,
    /// Leaves this capability out of every list and does not know its command: `IDLE`,
    /// `STARTTLS`, `AUTH=PLAIN`, `LITERAL+`, `ID`, `UIDPLUS` …
    Hide(String),
    /// Adds this word to every list of capabilities.
    Advertise(String),
    /// Writes these bytes in plain text after the OK to STARTTLS, before the handshake: what a man
    /// in the middle would inject.
    InjectBeforeTls(Vec<u8>),
    /// LOGIN or AUTHENTICATE, whichever it is, is answered NO with this text (for example
    /// `[AUTHENTICATIONFAILED] Invalid credentials`), right password or not.
    RefuseLogin(String),
    /// Something goes wrong with one command.
    Command {
        /// Which.
        verb: Verb,
        /// And what.
        action: Action,
    },
    /// Something happens in IDLE.
    Idle {
        /// When.
        moment: IdleMoment,
        /// And what.
        event: IdleEvent,
    },
    /// What is new at the start of an IDLE is announced before the `+` (Exchange does it). Acts,
    /// and counts, only when there is something new.
    ExistsBeforePlus,
    /// Takes IDLE and pushes nothing while it lasts; what is new is announced by the next command
    /// (the answer to DONE is one).
    MuteIdle,
    /// No EXISTS and no RECENT after SELECT or EXAMINE, in no command: a FETCH from the cursor on is
    /// the only way to learn of new mail.
    MuteExists,
    /// Sends this line (`* OK Still here`) in IDLE again and again, without end.
    KeepAlive {
        /// The time between two lines.
        every: Duration,
        /// The line, without CRLF.
        line: String,
    },
    /// What becomes of bytes that came in one piece with DONE.
    AfterDone(AfterDone),
    /// SELECT, EXAMINE and STATUS say nothing of UIDNEXT (mail.163.com, Winmail).
    OmitUidNext,
    /// A message that was announced is left out of a FETCH answer. Acts, and counts, only where
    /// the FETCH would have given it; `None` means the newest message that the session knows.
    HideMessage {
        /// Its UID.
        uid: Option<u32>,
    },
    /// In place of the body of one message these bytes are sent, whatever they are: a message
    /// that breaks the session of whoever fetches it.
    SpoilMessage {
        /// Its UID.
        uid: u32,
        /// What stands where `BODY[] {n}` and the body should.
        bytes: Vec<u8>,
    },
}

/// What goes wrong with one command.
#[derive(Clone, Debug)]
pub enum Action {
    /// Closes in order (close_notify, FIN) without an answer.
    Close,
    /// Closes the socket without TLS's close_notify, without an answer.
    Abort,
    /// Closes after so many bytes of the answer.
    Truncate(usize),
    /// Closes so many bytes into the first literal of the answer.
    CloseInLiteral(usize),
    /// Closes after so many whole untagged responses of the answer.
    CloseAfterResponses(usize),
    /// `* BYE text` and closes.
    Bye(String),
    /// Not carried out, but answered like this.
    Tagged(Status, String),
    /// Writes these bytes before the answer.
    Inject(Vec<u8>),
    /// Writes so many untagged lines before the answer.
    Burst(usize),
    /// Carries the command out and holds the whole answer at the gate.
    Hold(Gate),
    /// Holds before the command is carried out.
    HoldCommand(Gate),
    /// From now on reads everything and answers nothing.
    BlackHole,
    /// The answer carries a tag that nobody sent.
    WrongTag,
    /// The answer's data, but never the tagged line.
    NoTag,
    /// Writes the answer in small pieces.
    Slow {
        /// Bytes a piece.
        bytes: usize,
        /// The pause after each.
        every: Duration,
    },
}

/// A moment of an IDLE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleMoment {
    /// In the place of the `+`.
    BeforePlus,
    /// Right after the `+`.
    AfterPlus,
    /// When there is news, before it is announced.
    AtNews,
    /// After DONE, in the place of the tagged answer.
    AtDone,
}

/// What happens in IDLE.
#[derive(Clone, Debug)]
pub enum IdleEvent {
    /// Closes in order.
    Close,
    /// Closes the socket without close_notify.
    Abort,
    /// `* BYE text` and closes.
    Bye(String),
    /// Ends the IDLE by a tagged answer that DONE did not ask for.
    Tagged(Status, String),
    /// Writes these bytes.
    Raw(Vec<u8>),
    /// Writes so many untagged lines.
    Burst(usize),
    /// From now on reads everything and says nothing.
    BlackHole,
}

/// What becomes of bytes that came in one piece with DONE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDone {
    /// Thrown away: the commands in them are never answered.
    Drop,
    /// Thrown away, and DONE itself is answered BAD.
    Bad,
}

/// Actions of one kind exclude each other: one command has one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Outcome,
    Cut,
    Prefix,
    Hold,
    HoldCommand,
    Tag,
    Pace,
}

impl Action {
    fn kind(&self) -> Kind {
        match self {
            Self::Close | Self::Abort | Self::Bye(_) | Self::Tagged(..) | Self::BlackHole => {
                Kind::Outcome
            }
            Self::Truncate(_) | Self::CloseInLiteral(_) | Self::CloseAfterResponses(_) => Kind::Cut,
            Self::Inject(_) | Self::Burst(_) => Kind::Prefix,
            Self::Hold(_) => Kind::Hold,
            Self::HoldCommand(_) => Kind::HoldCommand,
            Self::WrongTag | Self::NoTag => Kind::Tag,
            Self::Slow { .. } => Kind::Pace,
        }
    }
}

/// What goes wrong with one command: at most one action of each kind.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    kinds: Vec<Kind>,
    /// Close without an answer; `true` without close_notify.
    pub(crate) close: Option<bool>,
    pub(crate) truncate: Option<usize>,
    pub(crate) in_literal: Option<usize>,
    pub(crate) after_responses: Option<usize>,
    pub(crate) bye: Option<String>,
    pub(crate) tagged: Option<(Status, String)>,
    pub(crate) inject: Vec<u8>,
    pub(crate) hold: Option<Gate>,
    pub(crate) hold_command: Option<Gate>,
    pub(crate) black_hole: bool,
    pub(crate) wrong_tag: bool,
    pub(crate) no_tag: bool,
    pub(crate) slow: Option<(usize, Duration)>,
}

impl Plan {
    /// Takes an action in; `false` when there is one of its kind already, which leaves this one to
    /// the next command.
    pub(crate) fn add(&mut self, action: &Action) -> bool {
        let kind = action.kind();
        if self.kinds.contains(&kind) {
            return false;
        }
        self.kinds.push(kind);
        match action.clone() {
            Action::Close => self.close = Some(false),
            Action::Abort => self.close = Some(true),
            Action::Truncate(bytes) => self.truncate = Some(bytes),
            Action::CloseInLiteral(bytes) => self.in_literal = Some(bytes),
            Action::CloseAfterResponses(count) => self.after_responses = Some(count),
            Action::Bye(text) => self.bye = Some(text),
            Action::Tagged(status, text) => self.tagged = Some((status, text)),
            Action::Inject(bytes) => self.inject = bytes,
            Action::Burst(lines) => self.inject = super::raw::burst(lines),
            Action::Hold(gate) => self.hold = Some(gate),
            Action::HoldCommand(gate) => self.hold_command = Some(gate),
            Action::BlackHole => self.black_hole = true,
            Action::WrongTag => self.wrong_tag = true,
            Action::NoTag => self.no_tag = true,
            Action::Slow { bytes, every } => self.slow = Some((bytes, every)),
        }
        true
    }
}
