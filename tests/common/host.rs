//! A mail host: Dovecot and Postfix over the same mailboxes.

use super::dovecot::{Dovecot, Options};
use super::postfix::Postfix;
use super::wait_for;

/// Both servers. Postfix stands first because it is dropped first: it asks Dovecot for passwords.
#[derive(Debug)]
pub(crate) struct MailHost {
    /// Takes and delivers mail.
    pub(crate) postfix: Postfix,
    /// Shows it over IMAP.
    pub(crate) dovecot: Dovecot,
}

impl MailHost {
    /// Starts both, with IDLE.
    #[track_caller]
    pub(crate) fn start(users: &[&str]) -> Self {
        Self::with(&Options {
            users,
            idle: true,
            plain_port: false,
        })
    }

    /// Starts both with these options.
    #[track_caller]
    pub(crate) fn with(options: &Options<'_>) -> Self {
        let dovecot = Dovecot::start(options);
        let postfix = Postfix::start(&dovecot);
        Self { postfix, dovecot }
    }

    /// Waits until the user's INBOX holds `count` mails, and returns them in order of arrival.
    #[track_caller]
    pub(crate) fn wait_for_mails(&self, user: &str, count: usize) -> Vec<String> {
        wait_for(&format!("mail number {count} of {user}"), || {
            let mails = self.dovecot.mailbox(user);
            (mails.len() >= count).then(|| {
                mails
                    .iter()
                    .map(|raw| String::from_utf8_lossy(raw).into_owned())
                    .collect()
            })
        })
    }
}
