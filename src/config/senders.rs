//! Under which name and address an account sends, and how fast: known to every command, also to
//! those that work on the database alone, because no secret and no server is needed for it.

use super::keys::{self, Key};
use super::layers::Scope;
use super::load::Need;
use super::resolve::Resolver;
use super::values::Value;
use super::{AccountSettings, SenderSettings};

impl Resolver<'_> {
    /// The senders of all accounts. For a mode that uses the accounts their values are told and
    /// checked there; otherwise what is wrong with an account leaves it out, in silence: the
    /// command may not need it.
    pub(super) fn senders(
        &mut self,
        need: Need,
        accounts: &[AccountSettings],
    ) -> Vec<SenderSettings> {
        (0..self.layers.accounts.len())
            .filter_map(|index| match need {
                Need::Mail => self.sender(index, accounts),
                Need::Store => {
                    let mut aside = Resolver {
                        sources: self.sources,
                        files: self.files,
                        layers: self.layers,
                        problems: Vec::new(),
                        notes: Vec::new(),
                        effective: Vec::new(),
                    };
                    aside
                        .sender(index, accounts)
                        .filter(|_| aside.problems.is_empty())
                }
            })
            .collect()
    }

    fn sender(&mut self, index: usize, accounts: &[AccountSettings]) -> Option<SenderSettings> {
        let scope = Scope::Account(index);
        let seed = self.layers.accounts.get(index)?;
        let (name, old, origin) = (seed.name.clone(), seed.old, seed.origin.clone());
        let per_minute = self.number(
            scope,
            &keys::ACCOUNT_CAMPAIGN_PER_MINUTE,
            &keys::ALL_CAMPAIGN_PER_MINUTE,
        );
        let per_day = self.number(
            scope,
            &keys::ACCOUNT_CAMPAIGN_PER_DAY,
            &keys::ALL_CAMPAIGN_PER_DAY,
        );
        if let Some(account) = accounts.iter().find(|a| a.name == name) {
            return Some(SenderSettings {
                account: name,
                address: account.address.clone(),
                from_name: account.from_name.clone(),
                aliases: account.aliases.clone(),
                envelope_from: account.smtp.envelope_from.clone(),
                reply_address: account.reply_address,
                smtp_host: account.smtp.host.clone(),
                per_minute,
                per_day,
            });
        }
        let user = self.text(scope, &keys::ACCOUNT_USER);
        let imap_user = self.text(scope, &keys::IMAP_USER);
        let smtp_user = self.text(scope, &keys::SMTP_USER);
        let (written_name, address) =
            self.address(scope, [&user, &smtp_user, &imap_user], &origin)?;
        let known = Some((written_name.clone(), address.clone()));
        let aliases = self.aliases(scope, &known, [&user, &imap_user, &smtp_user]);
        let from_name = match self.set(scope, &keys::ACCOUNT_FROM_NAME).map(|g| g.value) {
            Some(Value::Text(text)) => text,
            _ => written_name,
        };
        let envelope_from = self.envelope_from(
            scope,
            old,
            imap_user.as_ref(),
            smtp_user.as_ref(),
            Some(&address),
        )?;
        let host = self.value(scope, &keys::SMTP_HOST, Some(&keys::ALL_SMTP_HOST));
        let smtp_host = match host.map(|g| g.value) {
            Some(Value::Text(host)) => host,
            _ => String::new(),
        };
        Some(SenderSettings {
            account: name,
            address,
            from_name,
            aliases,
            envelope_from,
            reply_address: self.reply_address(scope),
            smtp_host,
            per_minute,
            per_day,
        })
    }

    fn number(&mut self, scope: Scope, own: &'static Key, all: &'static Key) -> Option<u32> {
        match self.recorded(scope, own, Some(all))?.value {
            Value::Integer(n) => u32::try_from(n).ok(),
            _ => None,
        }
    }
}
