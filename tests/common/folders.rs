//! Folders of a user, as the user's own mail program makes, fills and shows them.

use replyd::time::UtcMs;

use super::dovecot::{Dovecot, PASSWORD};
use super::imap_client::ImapClient;

impl Dovecot {
    /// Makes a folder, as a mail program would.
    #[track_caller]
    pub(crate) fn create(&self, user: &str, folder: &str) {
        self.signed_in(user).ok(&format!("CREATE \"{folder}\""));
    }

    /// Puts a mail into a folder (its name in modified UTF-7), as a mail program does that files
    /// what was sent, with this time as its INTERNALDATE.
    #[track_caller]
    pub(crate) fn file(&self, user: &str, folder: &str, raw: impl AsRef<[u8]>, at: UtcMs) {
        self.signed_in(user).append(folder, raw.as_ref(), at);
    }

    /// A connection of the user's own mail program.
    #[track_caller]
    pub(crate) fn signed_in(&self, user: &str) -> ImapClient {
        let mut client = self.connect();
        client.login(user, PASSWORD);
        client
    }

    /// Every mail of a folder (its name in modified UTF-7) with its flags.
    #[track_caller]
    pub(crate) fn folder(&self, user: &str, folder: &str) -> Vec<(String, String)> {
        self.signed_in(user).all_of(folder)
    }
}
