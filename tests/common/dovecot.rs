//! A private Dovecot: own configuration, users, Maildirs and ports in a temporary folder.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{File, FileTimes};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use replyd::time::UtcMs;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::certs::Certs;
use super::imap_client::ImapClient;
use super::janitor::Janitor;
use super::ports::Port;
use super::{PATIENCE, is_root, make_dir, pause, program, text_of, wait_for, write};

/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Who owns the mail when the tests run as root. Dovecot refuses root; Debian has this system
/// user on every machine.
const MAIL_OWNER: &str = "mail";

/// What a test wants of its Dovecot.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// Mailbox addresses; each signs in with its address and [`PASSWORD`].
    pub(crate) users: &'a [&'a str],
    /// Whether the server offers IDLE.
    pub(crate) idle: bool,
    /// Whether there is a port without TLS (with STARTTLS) as well.
    pub(crate) plain_port: bool,
}

/// What is wrong with a Dovecot, or only special.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant<'a> {
    /// The names in its certificate.
    pub(crate) names: &'a [&'a str],
    /// Whether that ended years ago.
    pub(crate) expired: bool,
    /// Lines at the end of its configuration, which override those above.
    pub(crate) config: &'a str,
}

impl Default for Variant<'_> {
    fn default() -> Self {
        Self {
            names: &["localhost", "127.0.0.1"],
            expired: false,
            config: "",
        }
    }
}

/// A running Dovecot, stopped on drop.
#[derive(Debug)]
pub(crate) struct Dovecot {
    child: Child,
    /// Stopped by the test: `child` was waited for.
    stopped: bool,
    // Dropped before the folder: it must not see a stop of ours as a killed test.
    janitor: Option<Janitor>,
    /// Certificates, shared with a Postfix beside it.
    pub(crate) certs: Certs,
    users: Vec<String>,
    imaps: Port,
    imap: Option<Port>,
    owner: Owner,
    dir: TempDir,
}

/// Numeric owner of the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// User.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
}

impl Dovecot {
    /// Starts it and waits until it greets.
    #[track_caller]
    pub(crate) fn start(options: &Options<'_>) -> Self {
        let server = Self::start_as(options, &Variant::default());
        // It listens; the greeting shows that its services answer, too.
        drop(server.connect());
        server
    }

    /// The same, and its users also sign in by XOAUTH2 and OAUTHBEARER, with tokens (JWT, HS256)
    /// that are signed with `key`.
    #[track_caller]
    pub(crate) fn start_with_tokens(options: &Options<'_>, key: &[u8]) -> Self {
        let server = Self::launch(options, &Variant::default(), Some(key));
        drop(server.connect());
        server
    }

    /// Starts a special one and waits until it listens.
    #[track_caller]
    pub(crate) fn start_as(options: &Options<'_>, variant: &Variant<'_>) -> Self {
        Self::launch(options, variant, None)
    }

    #[track_caller]
    fn launch(options: &Options<'_>, variant: &Variant<'_>, token_key: Option<&[u8]>) -> Self {
        let dovecot = program("dovecot", "dovecot-imapd");
        assert!(
            Path::new("/usr/lib/dovecot/imap").is_file(),
            "Dovecot's IMAP service is missing: install the Debian package dovecot-imapd (./test does it)"
        );
        let dir = tempfile::Builder::new()
            .prefix("replyd-imap-")
            .tempdir()
            .expect("Temporary folder");
        // Postfix and Dovecot drop root and still have to reach their sockets and mailboxes.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))
            .expect("Open the temporary folder");
        make_dir(&dir.path().join("run"));
        make_dir(&dir.path().join("mail"));
        let certs = Certs::make_for(dir.path(), variant.names, variant.expired);
        let owner = Owner::of_mail(dir.path());
        owner.give(&dir.path().join("mail"));

        let imaps = Port::reserve();
        let imap = options.plain_port.then(Port::reserve);
        let config = dir.path().join("dovecot.conf");
        let mut text =
            configuration(dir.path(), options, owner, &imaps, imap.as_ref()) + variant.config;
        if let Some(key) = token_key {
            text.push_str(&super::dovecot_tokens::tokens(dir.path(), key));
        }
        write(&config, text);
        let mut users = String::new();
        for user in options.users {
            writeln!(users, "{user}:{{PLAIN}}{PASSWORD}").expect("A string takes it");
        }
        write(&dir.path().join("users"), users);

        let (child, janitor) = spawn(&dovecot, dir.path());
        let mut server = Self {
            child,
            stopped: false,
            janitor: Some(janitor),
            certs,
            users: options.users.iter().map(|u| (*u).to_owned()).collect(),
            imaps,
            imap,
            owner,
            dir,
        };
        for user in &server.users {
            server.make_mailbox(user);
        }
        server.wait_until_it_listens();
        server
    }

    /// Stops it: sessions end, and the port is closed until [`Dovecot::start_again`].
    pub(crate) fn stop(&mut self) {
        drop(self.janitor.take());
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("Stop Dovecot");
        self.child.wait().expect("Wait for Dovecot");
        self.stopped = true;
    }

    /// Starts it again with the same configuration, port and mailboxes.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        assert!(self.stopped, "Dovecot runs");
        let (child, janitor) = spawn(&program("dovecot", "dovecot-imapd"), self.dir.path());
        (self.child, self.janitor, self.stopped) = (child, Some(janitor), false);
        self.wait_until_it_listens();
        drop(self.connect());
    }

    /// Changes a user's password; sessions go on until [`Dovecot::kick`].
    #[track_caller]
    pub(crate) fn set_password(&self, user: &str, password: &str) {
        let file = self.dir.path().join("users");
        let users: String = text_of(&file)
            .lines()
            .map(|line| match line.strip_prefix(&format!("{user}:")) {
                Some(_) => format!("{user}:{{PLAIN}}{password}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        // In one step: Dovecot reads the file whenever it has changed.
        let beside = self.dir.path().join("users.new");
        write(&beside, users);
        std::fs::rename(&beside, &file).expect("Replace the users");
        // It looks at the file once a second at most: until then the old password opens.
        wait_for("the new password to open", || {
            self.doveadm(&["auth", "test", user, password])
                .status
                .success()
                .then_some(())
        });
    }

    fn doveadm(&self, args: &[&str]) -> std::process::Output {
        Command::new(program("doveadm", "dovecot-core"))
            .arg("-c")
            .arg(self.dir.path().join("dovecot.conf"))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("Run doveadm")
    }

    /// Ends a user's sessions, as an administrator does after a change of the password.
    #[track_caller]
    pub(crate) fn kick(&self, user: &str) {
        let kicked = self.doveadm(&["kick", user]);
        assert!(
            kicked.status.success(),
            "doveadm kick: {}",
            String::from_utf8_lossy(&kicked.stderr)
        );
    }

    /// Sign-ins that it let in, of a user.
    pub(crate) fn logins(&self, user: &str) -> usize {
        let word = format!("user=<{user}>");
        self.log()
            .lines()
            .filter(|line| line.contains("imap-login: Info: Login:") && line.contains(&word))
            .count()
    }

    /// Port with TLS from the first byte.
    pub(crate) fn imaps_port(&self) -> u16 {
        self.imaps.number()
    }

    /// Port with STARTTLS, when it was asked for.
    #[track_caller]
    pub(crate) fn imap_port(&self) -> u16 {
        self.imap
            .as_ref()
            .expect("Options::plain_port was not set")
            .number()
    }

    /// Every mailbox address.
    pub(crate) fn users(&self) -> &[String] {
        &self.users
    }

    /// Owner of the mail files.
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// The folder that holds a Maildir for each user, named by the address.
    pub(crate) fn mail_root(&self) -> PathBuf {
        self.dir.path().join("mail")
    }

    /// The socket that answers Postfix's questions about passwords.
    pub(crate) fn sasl_socket(&self) -> PathBuf {
        self.dir.path().join("run/sasl")
    }

    /// The log, for failure messages.
    pub(crate) fn log(&self) -> String {
        text_of(&self.dir.path().join("dovecot.log"))
            + &text_of(&self.dir.path().join("dovecot.out"))
    }

    /// A TLS connection, greeted but not signed in.
    #[track_caller]
    pub(crate) fn connect(&self) -> ImapClient {
        ImapClient::connect(self.imaps_port(), self.certs.client_config())
    }

    /// Puts a mail into the user's INBOX, as if it had arrived now.
    #[track_caller]
    pub(crate) fn deliver(&self, user: &str, raw: impl AsRef<[u8]>) {
        self.put(user, raw.as_ref(), None, None);
    }

    /// Puts a mail into the user's INBOX whose INTERNALDATE is `arrived`.
    #[track_caller]
    pub(crate) fn deliver_at(&self, user: &str, raw: impl AsRef<[u8]>, arrived: UtcMs) {
        self.put(user, raw.as_ref(), Some(arrived), None);
    }

    /// Puts a mail into the user's INBOX that the owner has seen already, with the Maildir
    /// flags `flags` (`S` seen, `R` answered, `F` flagged, in this order of the alphabet).
    #[track_caller]
    pub(crate) fn deliver_flagged(
        &self,
        user: &str,
        raw: impl AsRef<[u8]>,
        arrived: UtcMs,
        flags: &str,
    ) {
        self.put(user, raw.as_ref(), Some(arrived), Some(flags));
    }

    fn put(&self, user: &str, raw: &[u8], arrived: Option<UtcMs>, flags: Option<&str>) {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let maildir = self.maildir(user);
        let name = format!(
            "{}.P{}Q{}.test",
            replyd::time::now().0 / 1000,
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        );
        let beside = maildir.join("tmp").join(&name);
        write(&beside, raw);
        self.owner.give(&beside);
        if let Some(arrived) = arrived {
            let since_1970 = Duration::from_millis(u64::try_from(arrived.0).expect("After 1970"));
            let times = FileTimes::new().set_modified(UNIX_EPOCH + since_1970);
            File::options()
                .write(true)
                .open(&beside)
                .and_then(|file| file.set_times(times))
                .expect("Set the time of arrival");
        }
        let place = match flags {
            None => maildir.join("new").join(&name),
            Some(flags) => maildir.join("cur").join(format!("{name}:2,{flags}")),
        };
        std::fs::rename(&beside, &place).expect("Move the mail in");
    }

    /// Every mail of the user's INBOX, in the order of arrival.
    #[track_caller]
    pub(crate) fn mailbox(&self, user: &str) -> Vec<Vec<u8>> {
        let mut mails: Vec<_> = self
            .files(user)
            .into_iter()
            // A mail that moves from new to cur between listing and reading is there next time.
            .filter_map(|file| {
                let path = self.maildir(user).join(file);
                let arrived = path.metadata().and_then(|m| m.modified()).ok()?;
                Some((arrived, path.clone(), std::fs::read(path).ok()?))
            })
            .collect();
        mails.sort();
        mails.into_iter().map(|(_, _, raw)| raw).collect()
    }

    /// Where the user's mails lie (`new` or `cur`) and under which names: the flags are part of
    /// the name, so two equal snapshots show that nobody changed one.
    #[track_caller]
    pub(crate) fn flags(&self, user: &str) -> BTreeSet<String> {
        self.files(user)
    }

    fn files(&self, user: &str) -> BTreeSet<String> {
        let maildir = self.maildir(user);
        ["new", "cur"]
            .into_iter()
            .flat_map(|folder| {
                let path = maildir.join(folder);
                std::fs::read_dir(&path)
                    .unwrap_or_else(|e| panic!("List {}: {e}", path.display()))
                    .map(move |entry| {
                        let name = entry.expect("Folder entry").file_name();
                        format!("{folder}/{}", name.to_string_lossy())
                    })
            })
            .collect()
    }

    #[track_caller]
    fn maildir(&self, user: &str) -> PathBuf {
        assert!(
            self.users.iter().any(|known| known == user),
            "{user} is not among the users of this Dovecot"
        );
        self.mail_root().join(user)
    }

    fn make_mailbox(&self, user: &str) {
        let maildir = self.mail_root().join(user);
        for folder in ["", "tmp", "new", "cur"] {
            let path = maildir.join(folder);
            make_dir(&path);
            self.owner.give(&path);
        }
    }

    #[track_caller]
    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        // Without TLS the other port is closed.
        let port = self.imap.as_ref().unwrap_or(&self.imaps).number();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("Dovecot ended at its start with {status}:\n{}", self.log());
            }
            assert!(
                Instant::now() < deadline,
                "Dovecot does not listen:\n{}",
                self.log()
            );
            pause();
        }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if self.stopped {
            return;
        }
        // SIGTERM to the master ends its services; only this process, by its own id.
        if let Err(e) = kill_process(Pid::from_child(&self.child), Signal::TERM) {
            eprintln!("Dovecot was gone before its end: {e}\n{}", self.log());
        }
        if let Err(e) = self.child.wait() {
            eprintln!("Dovecot could not be waited for: {e}");
        }
        drop(self.janitor.take());
        if std::thread::panicking() {
            eprintln!("Dovecot's log:\n{}", self.log());
        }
    }
}

/// Starts the program on the configuration in `dir`.
#[track_caller]
fn spawn(dovecot: &Path, dir: &Path) -> (Child, Janitor) {
    let output = File::options()
        .create(true)
        .append(true)
        .open(dir.join("dovecot.out"))
        .expect("Output file");
    let child = Command::new(dovecot)
        .arg("-F")
        .arg("-c")
        .arg(dir.join("dovecot.conf"))
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("Output file"))
        .stderr(output)
        .spawn()
        .expect("Start dovecot");
    let janitor = Janitor::watch(
        &format!("kill \"$1\"; rm -rf '{}'", dir.display()),
        &child.id().to_string(),
    );
    (child, janitor)
}

impl Owner {
    /// The mail's owner: a system user under root, else whoever runs the tests.
    fn of_mail(dir: &Path) -> Self {
        if !is_root() {
            let meta = dir.metadata().expect("Own folder");
            return Self {
                uid: meta.uid(),
                gid: meta.gid(),
            };
        }
        let passwd = text_of(Path::new("/etc/passwd"));
        let mut fields = passwd
            .lines()
            .find(|line| line.starts_with(&format!("{MAIL_OWNER}:")))
            .unwrap_or_else(|| panic!("No system user {MAIL_OWNER}"))
            .split(':')
            .skip(2)
            .map(|field| field.parse().expect("A number in /etc/passwd"));
        Self {
            uid: fields.next().expect("A user id in /etc/passwd"),
            gid: fields.next().expect("A group id in /etc/passwd"),
        }
    }

    fn give(self, path: &Path) {
        if is_root() {
            std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
                .unwrap_or_else(|e| panic!("Change the owner of {}: {e}", path.display()));
        }
    }
}

fn configuration(
    dir: &Path,
    options: &Options<'_>,
    owner: Owner,
    imaps: &Port,
    imap: Option<&Port>,
) -> String {
    let d = dir.display();
    let Owner { uid, gid } = owner;
    let plain_port = imap.map_or(0, Port::number); // 0: off
    let tls_port = imaps.number();
    let mut text = format!(
        "base_dir = {d}/run
state_dir = {d}/run
log_path = {d}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{d}/server.pem
ssl_key = <{d}/server-key.pem
mail_location = maildir:{d}/mail/%u
# The owner of the mail is a system user.
first_valid_uid = 1
auth_mechanisms = plain login
# Refused passwords are part of some tests: answered at once, and without a growing penalty.
auth_failure_delay = 0 secs
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
# Where inotify is used up by other processes, IDLE still hears of mail soon.
mailbox_idle_check_interval = 2 secs
# What these folders are for is told when they are there; tests make them.
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    special_use = \\Sent
  }}
  mailbox Junk {{
    special_use = \\Junk
  }}
  mailbox \"Gesendete Objekte\" {{
    special_use = \\Sent
  }}
}}
passdb {{
  driver = passwd-file
  args = {d}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={d}/mail/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service auth {{
  unix_listener sasl {{
    mode = 0666
  }}
}}
"
    );
    if !options.idle {
        text.push_str(
            "imap_capability = IMAP4rev1 SASL-IR LITERAL+ ID ENABLE UIDPLUS CONDSTORE QRESYNC\n",
        );
    }
    if !is_root() {
        // Without root there is nobody to become and nowhere to be locked in.
        let me = name_of(owner.uid, Path::new("/etc/passwd"));
        let group = name_of(owner.gid, Path::new("/etc/group"));
        write!(
            text,
            "default_login_user = {me}
default_internal_user = {me}
default_internal_group = {group}
service imap-login {{
  chroot =
}}
service anvil {{
  chroot =
}}
"
        )
        .expect("A string takes it");
    }
    text
}

/// Name of a numeric user or group: the third field of both files is the number.
fn name_of(id: u32, file: &Path) -> String {
    text_of(file)
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&id.to_string()))
        .and_then(|line| line.split(':').next())
        .unwrap_or_else(|| panic!("No name for {id} in {}", file.display()))
        .to_owned()
}
