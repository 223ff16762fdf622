//! Which folders an account has (RFC 3501 §6.3.8), and which of them are the Sent and the spam
//! folder: by special use (RFC 6154) where the server tells it, else by their usual names. A few
//! bounded questions, never the list of everything: some accounts have ten thousand folders.

use async_imap::imap_proto::{MailboxDatum, NameAttribute, Response};

use super::error::{ImapError, Step};
use super::folder_names::{JUNK, SENT};
use super::limits::{COMMAND, LIST_LINES};
use super::quote::{from_modified_utf7, mailbox, unescape};
use super::session::Session;

/// Folders that people are told of when theirs is not found.
const TOLD: usize = 30;

/// What a folder is for (RFC 6154 §2), as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// \Sent.
    Sent,
    /// \Junk.
    Junk,
}

/// One line of a LIST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its whole name in UTF-8.
    pub name: String,
    /// What stands between the levels of names; none: there are no levels.
    pub delimiter: Option<char>,
    /// Its special use.
    pub special: Option<Special>,
    /// Whether it can be opened.
    pub selectable: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// The Sent folder.
    pub sent: Option<String>,
    /// The spam folder.
    pub junk: Option<String>,
    /// The first 30 folders that can be opened, for people.
    pub names: Vec<String>,
}

impl Session {
    /// Finds the Sent and the spam folder: one command where the server tells special uses of
    /// both, else up to four.
    ///
    /// # Errors
    /// As every command; a server that refuses to list has none.
    pub async fn find_folders(&mut self) -> Result<Folders, ImapError> {
        let mut all = Vec::new();
        if self.capabilities().special_use {
            all = self.list("LIST (SPECIAL-USE) \"\" \"*\"").await?;
            let found = choose(&all);
            if found.sent.is_some() && found.junk.is_some() {
                return Ok(found);
            }
        }
        all.extend(self.list("LIST \"\" \"%\"").await?);
        // Where folders lie below INBOX (Courier, Cyrus, Dovecot with a prefix) or below Gmail's
        // own node, which it translates.
        for parent in ["INBOX", "[Gmail]", "[Google Mail]"] {
            let below = all
                .iter()
                .find(|l| l.name.eq_ignore_ascii_case(parent))
                .and_then(|l| Some(format!("{}{}", l.name, l.delimiter?)));
            let found = choose(&all);
            if let Some(below) = below
                && (found.sent.is_none() || found.junk.is_none())
            {
                let pattern = mailbox(&below);
                let pattern = pattern.strip_suffix('"').unwrap_or(&pattern);
                all.extend(self.list(&format!("LIST \"\" {pattern}%\"")).await?);
            }
        }
        Ok(choose(&all))
    }

    /// Lists; a NO or BAD is an empty list. Names that cannot be sent back are left out.
    async fn list(&mut self, command: &str) -> Result<Vec<Listed>, ImapError> {
        let mut lines = Vec::new();
        let reply = self
            .command(Step::List, command, COMMAND, true, |r| {
                if let Response::MailboxData(MailboxDatum::List(data)) = r
                    && lines.len() < LIST_LINES
                {
                    lines.extend(listed(
                        &data.name,
                        data.delimiter.as_deref(),
                        &data.name_attributes,
                    ));
                }
            })
            .await;
        match reply {
            Ok(_) => Ok(lines),
            Err(e @ (ImapError::No { .. } | ImapError::Bad { .. })) => {
                tracing::debug!(error = %e, "Folders are not listed");
                Ok(Vec::new())
            }
            Err(e) => Err(e),
        }
    }
}

fn listed(name: &str, delimiter: Option<&str>, attributes: &[NameAttribute<'_>]) -> Option<Listed> {
    // imap-proto leaves the backslashes of quoted strings in.
    let plain = String::from_utf8(unescape(name.as_bytes())).ok()?;
    let special = attributes.iter().find_map(|a| match a {
        NameAttribute::Sent => Some(Special::Sent),
        NameAttribute::Junk => Some(Special::Junk),
        // Gmail's and Apple's earlier words.
        NameAttribute::Extension(word) if word.eq_ignore_ascii_case("\\Spam") => {
            Some(Special::Junk)
        }
        _ => None,
    });
    let closed = attributes.iter().any(|a| match a {
        NameAttribute::NoSelect => true,
        NameAttribute::Extension(word) => word.eq_ignore_ascii_case("\\NonExistent"),
        _ => false,
    });
    Some(Listed {
        name: from_modified_utf7(&plain)?,
        delimiter: delimiter.and_then(|d| d.chars().last()),
        special,
        selectable: !closed,
    })
}

/// The Sent and the spam folder of a list: by special use, else by name.
fn choose(all: &[Listed]) -> Folders {
    let pick = |special: Special, names: &[&str]| -> Option<String> {
        let open = || all.iter().filter(|l| l.selectable && !is_inbox(&l.name));
        let told = open().find(|l| l.special == Some(special));
        let named = || {
            open()
                .filter(|l| l.special.is_none())
                .filter_map(|l| {
                    let last = last_part(l).to_lowercase();
                    let rank = names.iter().position(|n| *n == last)?;
                    Some((rank, l))
                })
                .min_by_key(|(rank, l)| (*rank, l.name.len()))
                .map(|(_, l)| l)
        };
        told.or_else(named).map(|l| l.name.clone())
    };
    let mut names: Vec<String> = Vec::new();
    for l in all.iter().filter(|l| l.selectable) {
        if names.len() < TOLD && !names.contains(&l.name) {
            names.push(l.name.clone());
        }
    }
    Folders {
        sent: pick(Special::Sent, SENT),
        junk: pick(Special::Junk, JUNK),
        names,
    }
}

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

fn last_part(l: &Listed) -> &str {
    match l.delimiter {
        Some(d) => l.name.rsplit(d).next().unwrap_or(&l.name),
        None => &l.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::testing::session;

    fn folder(name: &str, special: Option<Special>) -> Listed {
        Listed {
            name: name.to_owned(),
            delimiter: Some('/'),
            special,
            selectable: true,
        }
    }

    #[test]
    fn special_use_goes_before_names_and_usual_names_before_rare_ones() {
        for (names, sent, junk) in [
            (&["INBOX", "Sent", "Spam"][..], Some("Sent"), Some("Spam")),
            (
                &["Gesendete Objekte", "Spamverdacht"],
                Some("Gesendete Objekte"),
                Some("Spamverdacht"),
            ),
            (
                &["INBOX/Sent Items", "INBOX/Junk E-mail"],
                Some("INBOX/Sent Items"),
                Some("INBOX/Junk E-mail"),
            ),
            (
                &["Éléments envoyés", "Courrier indésirable"],
                Some("Éléments envoyés"),
                Some("Courrier indésirable"),
            ),
            (&["Enviados", "Bulk"], Some("Enviados"), Some("Bulk")),
            (
                &["Отправленные", "Спам"],
                Some("Отправленные"),
                Some("Спам"),
            ),
            (
                &["Gesendet", "Sent", "junk", "Spam"],
                Some("Sent"),
                Some("junk"),
            ),
            (&["Presents", "Sentinel", "Spam reports"], None, None),
        ] {
            let all: Vec<Listed> = names.iter().map(|n| folder(n, None)).collect();
            let found = choose(&all);
            assert_eq!(
                (found.sent.as_deref(), found.junk.as_deref()),
                (sent, junk),
                "{names:?}"
            );
        }
        let all = [
            folder("Sent", None),
            folder("Post", Some(Special::Sent)),
            folder("Spam", Some(Special::Sent)),
        ];
        // What the server says of a folder goes before what it is called.
        assert_eq!(choose(&all).sent.as_deref(), Some("Post"));
        assert_eq!(choose(&all).junk, None);
        let closed = Listed {
            selectable: false,
            ..folder("Sent", Some(Special::Sent))
        };
        assert_eq!(choose(&[closed]).sent, None);
    }

    #[tokio::test(start_paused = true)]
    async fn special_uses_are_asked_for_where_they_are_offered_and_names_besides() {
        let (mut s, mut server) = session();
        s.offer(|caps| caps.special_use = true);
        let (found, ()) = tokio::join!(s.find_folders(), async {
            server
                .answer(
                    "LIST (SPECIAL-USE) \"\" \"*\"",
                    "* LIST (\\HasNoChildren \\Sent) \"/\" \"[Gmail]/Gesendet\"\r\n\
                     * LIST (\\HasNoChildren \\Junk) \"/\" Spam\r\n{} OK\r\n",
                )
                .await;
        });
        let found = found.unwrap();
        assert_eq!(found.sent.as_deref(), Some("[Gmail]/Gesendet"));
        assert_eq!(found.junk.as_deref(), Some("Spam"));

        let (found, ()) = tokio::join!(s.find_folders(), async {
            server.answer("LIST (SPECIAL-USE)", "{} BAD what\r\n").await;
            server
                .answer(
                    "LIST \"\" \"%\"",
                    "* LIST (\\HasChildren) \".\" INBOX\r\n{} OK\r\n",
                )
                .await;
            server
                .answer(
                    "LIST \"\" \"INBOX.%\"",
                    "* LIST () \".\" \"INBOX.Gel&APY-scht\"\r\n\
                     * LIST () \".\" {13}\r\nINBOX.Gesende\r\n\
                     * LIST (\\NoSelect) \".\" \"INBOX.Spam\"\r\n\
                     * LIST () \".\" \"INBOX.Envoy&AOk-s\"\r\n{} OK\r\n",
                )
                .await;
        });
        let found = found.unwrap();
        assert_eq!(found.sent.as_deref(), Some("INBOX.Envoyés"));
        assert_eq!(found.junk, None);
        assert_eq!(
            found.names,
            ["INBOX", "INBOX.Gelöscht", "INBOX.Gesende", "INBOX.Envoyés"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_without_end_is_looked_at_up_to_its_bound() {
        let (mut s, mut server) = session();
        let (found, ()) = tokio::join!(s.find_folders(), async {
            let tag = server.expect("LIST").await;
            let mut lines = String::new();
            for n in 0..LIST_LINES + 500 {
                lines.push_str(&format!("* LIST () NIL \"f{n}\"\r\n"));
            }
            lines.push_str("* LIST () NIL \"Sent\"\r\n");
            server.say(lines).await;
            server.say(format!("{tag} OK\r\n")).await;
        });
        let found = found.unwrap();
        assert_eq!((found.sent, found.names.len()), (None, TOLD));
    }
}
