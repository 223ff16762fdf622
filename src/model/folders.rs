//! The words of folders, and of the copies in the Sent folder.

use super::UnknownWord;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

words! {
    /// What a mailbox is watched for.
    FolderRole, "folder role" {
        /// Replies: the idling mailbox and the others of the settings.
        Watched => "watched",
        /// Replies that the server took for spam.
        Junk => "junk",
        /// What people and programs sent from the account.
        Sent => "sent",
        /// Not watched any more.
        None => "none",
    }
}

words! {
    /// What our own server says of a sender (RFC 8601).
    SenderAuth, "sender authentication" {
        /// The sender's domain is proven.
        Pass => "pass",
        /// The proof failed.
        Fail => "fail",
        /// Nothing that we may trust was said.
        Unknown => "unknown",
    }
}

words! {
    /// Whether the provider puts a copy of a mail sent by SMTP into the Sent folder.
    FilesSent, "filing of sent mail" {
        /// Not seen yet.
        Untried => "untried",
        /// It does.
        Yes => "yes",
        /// It does not: we append the copy.
        No => "no",
    }
}

words! {
    /// What became of the copy of a mail in the Sent folder.
    Filed, "filing" {
        /// Nothing is known of one.
        Open => "",
        /// It was seen there.
        Seen => "seen",
        /// We appended it.
        Appended => "appended",
        /// Appending it failed too often.
        GivenUp => "given_up",
    }
}
