//! The commands of IMAP and SMTP by name: what faults aim at and counters count.

macro_rules! verbs {
    ($(#[$meta:meta])* $name:ident { $($variant:ident => $text:literal,)* } else $other:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// Any other word.
            $other,
        }

        impl $name {
            /// Every verb, in order.
            pub const ALL: [Self; [$($text,)* ""].len()] = [$(Self::$variant,)* Self::$other];
            pub(crate) const COUNT: usize = Self::ALL.len();

            /// The verb of a word, in any case.
            #[must_use]
            pub fn of(word: &str) -> Self {
                $(if word.eq_ignore_ascii_case($text) { return Self::$variant; })*
                Self::$other
            }

            /// The verb as it is written on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* Self::$other => "?" }
            }
        }
    };
}

verbs! {
    /// An IMAP command.
    Verb {
        Capability => "CAPABILITY",
        Noop => "NOOP",
        Logout => "LOGOUT",
        Id => "ID",
        StartTls => "STARTTLS",
        Login => "LOGIN",
        Authenticate => "AUTHENTICATE",
        Select => "SELECT",
        Examine => "EXAMINE",
        Create => "CREATE",
        List => "LIST",
        Lsub => "LSUB",
        Status => "STATUS",
        Append => "APPEND",
        Idle => "IDLE",
        Check => "CHECK",
        Close => "CLOSE",
        Unselect => "UNSELECT",
        Expunge => "EXPUNGE",
        Search => "SEARCH",
        Fetch => "FETCH",
        Store => "STORE",
        UidSearch => "UID SEARCH",
        UidFetch => "UID FETCH",
        UidStore => "UID STORE",
        UidExpunge => "UID EXPUNGE",
    } else Other
}

verbs! {
    /// An SMTP command.
    SmtpVerb {
        Ehlo => "EHLO",
        Helo => "HELO",
        StartTls => "STARTTLS",
        Auth => "AUTH",
        Mail => "MAIL",
        Rcpt => "RCPT",
        Data => "DATA",
        Rset => "RSET",
        Noop => "NOOP",
        Vrfy => "VRFY",
        Quit => "QUIT",
    } else Other
}
