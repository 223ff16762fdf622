//! The catalogue. Titles say what is wrong without a full stop; remedies are sentences that an
//! operator can act on who never read the source. `status` and the log show both, so a code word
//! never changes its meaning.

use super::Class::{self, Local, Mend, Mild, Part, Server, Settings, SignIn};

macro_rules! faults {
    ($($name:ident $code:literal $class:ident $title:literal $remedy:literal)+) => {
        /// Something that can go wrong with an account or the installation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fault {
            $(#[doc = $title] $name,)+
        }

        impl Fault {
            /// Every fault, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its word in `--json`, in the log and in the store.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// What follows from it.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => $class),+ }
            }

            /// What is wrong, without a full stop.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }

            /// What to do, in sentences.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),+ }
            }
        }
    };
}

faults! {
    // ---------------------------------------------------------------- signing in
    WrongPassword "wrong-password" SignIn
        "The server refuses user or password"
        "Mend user and password of this server in the settings (`replyd config check` shows where they come from), then restart replyd: new credentials are tried at once."
    AppPasswordNeeded "app-password-needed" SignIn
        "The provider takes no account password from programs, it wants an app password"
        "Make an app password in the security settings of the mail account (two-step verification must be on for it), set it as the password, then restart replyd."
    BrowserSignInNeeded "browser-sign-in-needed" SignIn
        "The provider holds the sign-in back until somebody signs in with a browser"
        "Sign in to the mail account with a browser and confirm what it asks, then restart replyd; an app password or OAuth2 avoids this."
    PasswordSignInOff "password-sign-in-off" SignIn
        "The provider takes no passwords any more (basic authentication is off)"
        "Use OAuth2: set `oauth` for the account and run `replyd auth login ACCOUNT`; docs/PROVIDERS.md shows the steps."
    TokenRefused "token-refused" SignIn
        "The server refuses the OAuth2 token"
        "The usual causes: the token is of another user than `user` says, it lacks the scope for this protocol, or IMAP or SMTP AUTH is off for this mailbox (Microsoft 365: admin center, Users, Mail, Manage email apps). Mend that, then run `replyd auth login ACCOUNT`, or renew the token."
    ImapOff "imap-off" SignIn
        "IMAP is switched off for this mailbox"
        "Switch IMAP on in the settings of the mail account (Gmail: Forwarding and POP/IMAP; Google Workspace and Microsoft 365: the administrator), then restart replyd."
    AccountLocked "account-locked" SignIn
        "The mail account is locked or disabled"
        "Unlock it at the provider (too many failed sign-ins, an unpaid bill, a policy of the administrator), then restart replyd."
    PasswordExpired "password-expired" SignIn
        "The password has expired"
        "Set a new password at the provider and in the settings, then restart replyd."
    LoginDisabled "login-disabled" SignIn
        "The server allows no sign-in that replyd knows on this connection"
        "Many servers allow it only under TLS: set `security` to tls or starttls. Else the server must offer PLAIN, LOGIN, XOAUTH2 or OAUTHBEARER."
    MechanismMissing "mechanism-missing" SignIn
        "The server does not offer the way of signing in that the settings ask for"
        "Set `auth` of this server to auto, or to one that the server offers (`replyd doctor` lists them); a token needs XOAUTH2 or OAUTHBEARER, a password PLAIN or LOGIN."
    CredentialUnreadable "credential-unreadable" SignIn
        "The password or token cannot be read"
        "Check that the file is there and readable by the user replyd runs as, or that the command ends with 0 and prints one line."
    CommandFailed "command-failed" Mend
        "The command that prints the password or token failed"
        "Run it by hand as the user replyd runs as: it must end with 0 within 30 seconds and print the secret on its first line. The unit's sandbox may keep it from files and programs. It is run again by itself."
    // ---------------------------------------------------------------- OAuth2
    OauthLoginNeeded "oauth-login-needed" SignIn
        "The account waits for a sign-in by OAuth2"
        "Run `replyd auth login ACCOUNT` and follow it; a running replyd notices by itself."
    OauthRevoked "oauth-revoked" SignIn
        "The sign-in was withdrawn or has expired (invalid_grant)"
        "Run `replyd auth login ACCOUNT` again. The usual causes: the password was changed, access was withdrawn in the account's security settings, 90 days or six months without use, or a Google app in state Testing (7 days)."
    OauthClientRefused "oauth-client-refused" SignIn
        "The provider does not accept the OAuth2 client id or secret"
        "Compare client id, client secret and tenant in the settings with the app registration; a client secret may have expired there."
    OauthScopeMissing "oauth-scope-missing" SignIn
        "The sign-in does not allow mail"
        "Give the app registration the mail permissions (Microsoft 365: IMAP.AccessAsUser.All, SMTP.Send, offline_access; Google: https://mail.google.com/), consent to them, and run `replyd auth login ACCOUNT` again."
    OauthServerUnreachable "oauth-server-unreachable" Server
        "The server that renews the sign-in cannot be reached"
        "Nothing is lost: it is tried again. If it lasts, check that this machine may connect to the token server by HTTPS (firewall, proxy, DNS)."
    // ---------------------------------------------------------------- network
    UnknownHost "unknown-host" Server
        "The host name is not known"
        "Check `host` of this server for a typing error; `getent hosts NAME` shows what this machine's resolver knows."
    DnsFailure "dns-failure" Server
        "No name server answers this machine"
        "Check /etc/resolv.conf and the network; replyd tries again by itself."
    PortClosed "port-closed" Server
        "Nobody listens on this port (connection refused)"
        "Check `host` and `port` of this server (IMAP: 993, SMTP: 587 or 465). If they are right, the server is down: replyd tries again by itself."
    HostUnreachable "host-unreachable" Server
        "The network knows no way to this host"
        "Check the machine's network and routes; replyd tries again by itself."
    ConnectTimeout "connect-timeout" Server
        "The host does not answer on this port (time-out)"
        "A firewall is the usual cause: allow outgoing connections to this port, or check `host` and `port`. Many hosters block port 25, and some 465 and 587."
    ConnectionLost "connection-lost" Server
        "The connection ended unexpectedly"
        "Nothing to do if it is rare: replyd connects again by itself. If it is the rule, look at firewalls and proxies between this machine and the server."
    ServerSilent "server-silent" Server
        "The server takes connections and does not answer in time"
        "It is overloaded, or something in between swallows data: replyd tries again by itself. If it lasts, ask the mail server's operator."
    ServerUnavailable "server-unavailable" Server
        "The server says that it cannot serve now"
        "Nothing to do: replyd tries again by itself. If it lasts, ask the mail server's operator."
    Throttled "throttled" Server
        "The server asks us to slow down"
        "Nothing to do: replyd waits as long as it is asked to. If it lasts, look for other programs that use this account."
    TooManyConnections "too-many-connections" Server
        "Too many connections are open for this account"
        "Close other mail programs on this account or raise the server's limit (Dovecot: mail_max_userip_connections). replyd uses two at most."
    MailboxNotConnected "mailbox-not-connected" Server
        "The server took the sign-in and does not connect it to a mailbox"
        "It may be busy: replyd tries again by itself. If it lasts (Microsoft 365), `user` is not the mailbox's own address, the mailbox has no licence, or IMAP is off for it (admin center, Users, Mail, Manage email apps); a shared mailbox needs its own address as `user` and full access for who signed in."
    // ---------------------------------------------------------------- TLS
    CertificateExpired "certificate-expired" Mend
        "The server's certificate has expired"
        "The mail server's operator must renew it (certbot or the like stopped?). If it is renewed already, check this machine's clock with `timedatectl`."
    CertificateNotYetValid "certificate-not-yet-valid" Mend
        "The server's certificate is not valid yet"
        "This machine's clock is probably behind: check it with `timedatectl` and switch time synchronisation on."
    CertificateUntrusted "certificate-untrusted" Mend
        "The server's certificate is signed by nobody this machine trusts"
        "For a self-signed certificate or a private CA set `ca_file` of this server to its PEM file. For a public one the server must send the whole chain, and ca-certificates must be installed here."
    CertificateWrongName "certificate-wrong-name" Mend
        "The server's certificate is for another host name"
        "Set `host` to a name that stands in the certificate (`replyd doctor` shows them), or have one issued for this name."
    CertificateRevoked "certificate-revoked" Mend
        "The server's certificate was revoked"
        "The mail server's operator must replace it."
    CertificateUnusable "certificate-unusable" Mend
        "The server's certificate cannot be used for a server"
        "Often it is a CA's own certificate: make one with basicConstraints CA:FALSE and the host name as subjectAltName."
    CertificateEnding "certificate-ending" Mild
        "The server's certificate ends soon"
        "The mail server's operator must renew it in time, or no mail is read and sent any more."
    CaFileUnusable "ca-file-unusable" Mend
        "The trusted certificates cannot be read"
        "Check `ca_file` of this server: a PEM file that the user replyd runs as may read. Without it, install ca-certificates."
    TlsTooOld "tls-too-old" Mend
        "The server speaks only outdated TLS"
        "The mail server's operator must allow TLS 1.2 or 1.3; replyd does not speak less."
    NotTls "not-tls" Mend
        "This port does not speak TLS from the first byte"
        "Set `security` of this server to starttls (SMTP port 587, IMAP port 143), or use the TLS port (IMAP 993, SMTP 465)."
    TlsPort "tls-port" Mend
        "This port speaks TLS from the first byte, and the settings say otherwise"
        "Set `security` of this server to tls, or use the port for STARTTLS (IMAP 143, SMTP 587)."
    StarttlsMissing "starttls-missing" Mend
        "The server offers no STARTTLS, so the connection cannot be protected"
        "Set `security` to tls with the TLS port (IMAP 993, SMTP 465), or switch STARTTLS on at the server. Passwords and mails never go out unprotected."
    TlsTampered "tls-tampered" Mend
        "Something speaks ahead of the TLS handshake: the connection may be tampered with"
        "Use `security = \"tls\"` with the TLS port, and find out what stands between this machine and the server (a proxy, a virus scanner, an attacker)."
    Unprotected "unprotected" Mend
        "A connection without TLS to another machine is not made"
        "Set `security` of this server to tls or starttls; without TLS only this machine itself may be the host."
    // ---------------------------------------------------------------- IMAP
    NotImap "not-imap" Mend
        "What answers there is no IMAP server, or one that breaks the protocol"
        "Check `host` and `port` of `imap` (993 for TLS, 143 for STARTTLS). If they are right, please report it with the server's name and version."
    MailboxMissing "mailbox-missing" Part
        "A mailbox of the settings cannot be opened"
        "Correct `mailboxes` of the account (`replyd doctor` lists the ones that exist), or give the user the right to read it."
    IdleMissing "idle-missing" Mild
        "The server has no IDLE: replyd polls instead"
        "Nothing must be done. A reply is noticed at the next poll (`listen.interval`, 60 seconds by default) instead of at once."
    IdleBroken "idle-broken" Mild
        "The server offers IDLE and does not keep it"
        "Nothing must be done: replyd polls (`listen.interval`). If it lasts, look at proxies and firewalls that cut quiet connections."
    // ---------------------------------------------------------------- sending
    SmtpAuthMissing "smtp-auth-missing" SignIn
        "The sending server offers no sign-in (SMTP AUTH)"
        "Use the submission port with TLS (587 with starttls, 465 with tls): most servers offer AUTH only there. If this server really takes mail from this machine without a sign-in, set `smtp.auth = \"none\"`."
    SmtpAuthOff "smtp-auth-off" SignIn
        "Sending by SMTP AUTH is switched off for this mailbox or its organisation"
        "Microsoft 365: the administrator switches it on for the mailbox (admin center, Users, Mail, Manage email apps, Authenticated SMTP), and security defaults must not forbid it. Others: allow SMTP in the account's settings."
    SmtpSignInNeeded "smtp-sign-in-needed" SignIn
        "The sending server wants a sign-in, and the settings make none"
        "Set `smtp.user` and its password, or remove `smtp.auth = \"none\"`."
    NotSmtp "not-smtp" Mend
        "What answers there is no SMTP server, or one that breaks the protocol"
        "Check `host` and `port` of `smtp` (587 with starttls, 465 with tls)."
    SenderRefused "sender-refused" Part
        "The sending server does not let this user send with this envelope sender"
        "Set `smtp.envelope_from` to an address of this mail account, or give the user the right to send as it (Microsoft 365: Send As; Postfix: smtpd_sender_login_maps)."
    RelayDenied "relay-denied" Part
        "The sending server does not pass mail on for us (relaying denied)"
        "Sign in to it (`smtp.user` and password), use the provider's submission server, or allow this machine there (Postfix: mynetworks, permit_sasl_authenticated)."
    RecipientRefused "recipient-refused" Part
        "The sending server refuses the recipient"
        "Read what the server says: the address does not exist, or is not to be written to."
    MailRefused "mail-refused" Part
        "The sending server refuses the mail"
        "Read what the server says: content, size, or a block of this machine or domain. Mend it, then settle the mail with `replyd outbox settle ID`."
    SendingLimit "sending-limit" Server
        "The provider's sending limit is reached"
        "Nothing is lost: mails wait and go out later. Send less a day, or ask the provider for a higher limit."
    SenderNotWatched "sender-not-watched" Mild
        "Bounces go to a mailbox that replyd does not watch"
        "Set `smtp.envelope_from` to the address of a watched mailbox, so that undeliverable mails are noticed."
    TestMailLost "test-mail-lost" Part
        "The test mail was taken and did not come in"
        "Look for it in every folder of the mailbox and in the sending server's log; a filter, a forward or a quota is the usual cause."
    TestMailInSpam "test-mail-in-spam" Part
        "The test mail came into the spam folder"
        "Mark it as no spam; check SPF, DKIM and DMARC of the domain, or our mails to leads end there too."
    // ---------------------------------------------------------------- state folder
    StateReadOnly "state-read-only" Local
        "The state folder cannot be written (read-only)"
        "Mount it for writing, or name another place with `--database`; under systemd it must be the unit's StateDirectory."
    StateNotOurs "state-not-ours" Local
        "The state folder belongs to somebody else"
        "Give folder and files to the user replyd runs as: `chown -R replyd: /var/lib/replyd`, and never run two users on one database."
    DiskFull "disk-full" Local
        "The disk of the state folder is full"
        "Make room. Capture stops before its position moves, so nothing is lost, and goes on by itself."
    DiskLow "disk-low" Mild
        "The disk of the state folder is nearly full"
        "Make room, or keep less: `store.keep_raw`, `store.raw_retention`."
    DiskFailing "disk-failing" Local
        "The disk of the state folder fails (I/O error)"
        "Look at the system's log (`journalctl -k`), save a copy of the state folder, replace the disk."
    DatabaseLocked "database-locked" Local
        "Another program holds the database"
        "Find it with `fuser -v` on the database file and end it; a backup program must use `.backup`, not hold a transaction."
    NotADatabase "not-a-database" Local
        "The file is not a database of replyd"
        "Check `--database`; restore a backup if it was overwritten."
    DatabaseDamaged "database-damaged" Local
        "The database is damaged"
        "Stop replyd, copy the file away, restore a backup (docs/OPERATIONS.md), and check the disk."
    DatabaseNewer "database-newer" Local
        "A newer replyd wrote this database"
        "Install the newer replyd again, or restore a backup from before the upgrade."
    KeysUnusable "keys-unusable" Local
        "The keys of Message-IDs cannot be used"
        "keys.json in the state folder must belong to the user replyd runs as, with mode 0600. Restore it from a backup if it is damaged."
    // ---------------------------------------------------------------- machine and installation
    BadSettings "bad-settings" Settings
        "The settings are wrong"
        "Each problem says its place and remedy; `replyd config check` shows them again."
    ClockWrong "clock-wrong" Mild
        "This machine's clock differs from the mail server's"
        "Check it with `timedatectl` and switch time synchronisation on: the age of replies and TLS depend on it."
    FewOpenFiles "few-open-files" Mild
        "Few files may be open at once"
        "Raise the limit (systemd: LimitNOFILE; a shell: `ulimit -n`): each account needs one connection, and the database some files."
    TooManyOpenFiles "too-many-open-files" Local
        "The process has reached its limit of open files"
        "Raise the limit (systemd: LimitNOFILE; a shell: `ulimit -n`), then restart replyd."
    PortInUse "port-in-use" Local
        "The port that replyd is to listen on is taken"
        "Set another port, or end the program that holds it (`ss -ltnp` shows it)."
    NotRunning "not-running" Mild
        "No replyd is running on this database"
        "Start it: `systemctl enable --now replyd`, or `replyd run`."
    AccountFault "account-fault" Part
        "The running replyd reports a fault of this account"
        "`replyd status` says which, since when, and what to do."
    NobodyTold "nobody-told" Mild
        "Nobody else is told"
        "Set `reply.sales_email` to the people who answer leads, and `reply.operator_addresses` to those who mend this installation."
    Unexpected "unexpected" Local
        "Something failed that replyd has no word for"
        "Read the detail and the log; please report it."
}
