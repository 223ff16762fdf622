//! A private Postfix beside a private Dovecot: own configuration, queue, data and ports in a
//! temporary folder. It delivers into Dovecot's Maildirs, asks Dovecot for passwords, and
//! never talks to another host.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::dovecot::{Dovecot, Owner};
use super::janitor::Janitor;
use super::ports::Port;
use super::{is_root, make_dir, program, text_of, wait_for, write};

/// A running Postfix, stopped on drop.
#[derive(Debug)]
pub(crate) struct Postfix {
    postfix: PathBuf,
    // Dropped before the folder: it must not see a stop of ours as a killed test.
    janitor: Option<Janitor>,
    smtp: Port,
    submission: Port,
    smtps: Port,
    dir: TempDir,
}

impl Postfix {
    /// Starts it for the users of `dovecot`: mail to their domains is local, mail to anybody
    /// else bounces.
    #[track_caller]
    pub(crate) fn start(dovecot: &Dovecot) -> Self {
        let postfix = program("postfix", "postfix");
        assert!(
            is_root(),
            "Postfix starts as root only: run the tests as root, or `./test`, which leaves out \
             what needs Postfix and says so"
        );
        let dir = tempfile::Builder::new()
            .prefix("replyd-smtp-")
            .tempdir()
            .expect("Temporary folder");
        // Its services run as another user and have to reach the queue.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))
            .expect("Open the temporary folder");
        for folder in ["etc", "spool", "data"] {
            make_dir(&dir.path().join(folder));
        }
        let mut server = Self {
            postfix,
            janitor: None,
            smtp: Port::reserve(),
            submission: Port::reserve(),
            smtps: Port::reserve(),
            dir,
        };
        server.configure(dovecot);
        server.janitor = Some(Janitor::watch(
            &format!(
                "'{}' -c \"$1\" stop; rm -rf '{}'",
                server.postfix.display(),
                server.dir.path().display()
            ),
            &server.etc().display().to_string(),
        ));
        server.command("start");
        server
    }

    /// Port where anybody's mail to the local domains comes in.
    pub(crate) fn smtp_port(&self) -> u16 {
        self.smtp.number()
    }

    /// Port for mail from our users: STARTTLS and AUTH required.
    pub(crate) fn submission_port(&self) -> u16 {
        self.submission.number()
    }

    /// The same with TLS from the first byte.
    pub(crate) fn smtps_port(&self) -> u16 {
        self.smtps.number()
    }

    /// The log.
    pub(crate) fn log(&self) -> String {
        text_of(&self.dir.path().join("postfix.log"))
    }

    /// Waits for a line of the log that contains `part`, and returns it.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, part: &str) -> String {
        wait_for(&format!("{part:?} in Postfix's log"), || {
            self.log()
                .lines()
                .find(|line| line.contains(part))
                .map(str::to_owned)
        })
    }

    /// Changes a parameter of main.cf while it runs.
    #[track_caller]
    pub(crate) fn set(&self, parameter: &str, value: &str) {
        let main_cf = self.etc().join("main.cf");
        let text = text_of(&main_cf) + &format!("{parameter} = {value}\n");
        write(&main_cf, text);
        self.command("reload");
    }

    /// Puts a header on top of every mail that comes in.
    #[track_caller]
    pub(crate) fn prepend_header(&self, header: &str) {
        let checks = self.etc().join("prepend");
        write(&checks, format!("/^Subject:/ PREPEND {header}\n"));
        self.set("header_checks", &format!("regexp:{}", checks.display()));
    }

    /// Whether no mail is on its way: a bounce is queued before the mail that it is about is
    /// removed, so two looks in a row miss nothing.
    pub(crate) fn queue_is_empty(&self) -> bool {
        ["maildrop", "incoming", "active", "deferred"]
            .iter()
            .all(|queue| is_empty(&self.dir.path().join("spool").join(queue)))
    }

    fn etc(&self) -> PathBuf {
        self.dir.path().join("etc")
    }

    /// Runs `postfix VERB` on this instance.
    #[track_caller]
    fn command(&self, verb: &str) {
        // Not a pipe: the daemons inherit it and would keep it open.
        let output = self.dir.path().join(format!("{verb}.out"));
        let file = File::create(&output).expect("Output file");
        let status = Command::new(&self.postfix)
            .arg("-c")
            .arg(self.etc())
            .arg(verb)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("Output file"))
            .stderr(file)
            .status()
            .expect("Run postfix");
        assert!(
            status.success(),
            "postfix {verb} ended with {status}:\n{}{}",
            text_of(&output),
            self.log()
        );
    }

    fn configure(&self, dovecot: &Dovecot) {
        let mut domains: Vec<&str> = dovecot
            .users()
            .iter()
            .filter_map(|user| user.split_once('@').map(|(_, domain)| domain))
            .collect();
        domains.sort_unstable();
        domains.dedup();
        let mut mailboxes = String::new();
        for user in dovecot.users() {
            writeln!(mailboxes, "{user} {user}/").expect("A string takes it");
        }
        write(&self.etc().join("mailboxes"), mailboxes);
        write(
            &self.etc().join("main.cf"),
            main_cf(self.dir.path(), dovecot, &domains.join(" ")),
        );
        write(
            &self.etc().join("master.cf"),
            master_cf(self.smtp_port(), self.submission_port(), self.smtps_port()),
        );
        // Postfix refuses a data folder that is not its own.
        let data = self.dir.path().join("data");
        let status = Command::new("chown")
            .arg("postfix")
            .arg(&data)
            .status()
            .expect("Run chown");
        assert!(
            status.success(),
            "No user postfix to own {}",
            data.display()
        );
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if self.janitor.is_none() {
            return; // It never started.
        }
        if std::thread::panicking() {
            eprintln!("Postfix's log:\n{}", self.log());
        }
        // Its own stop command: ends the master of this instance by its pid file and waits.
        let stopped = Command::new(&self.postfix)
            .arg("-c")
            .arg(self.etc())
            .arg("stop")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            eprintln!("Postfix could not be stopped:\n{}", self.log());
        }
        drop(self.janitor.take());
    }
}

/// Whether a folder and those below it hold no file; one that is not there holds none.
fn is_empty(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return true;
    };
    entries
        .filter_map(Result::ok)
        .all(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => is_empty(&entry.path()),
            // Gone meanwhile, or a mail.
            found => found.is_err(),
        })
}

fn main_cf(dir: &Path, dovecot: &Dovecot, domains: &str) -> String {
    let d = dir.display();
    let mail = dovecot.mail_root();
    let mail = mail.display();
    let Owner { uid, gid } = dovecot.owner();
    let cert = dovecot.certs.cert_file.display();
    let key = dovecot.certs.key_file.display();
    let sasl = dovecot.sasl_socket();
    let sasl = sasl.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {d}/spool
data_directory = {d}/data
maillog_file = {d}/postfix.log
maillog_file_prefixes = {d}
myhostname = mx.post.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
# Nothing leaves: no name is looked up, mail for other domains is returned.
smtp_dns_support_level = disabled
default_transport = error:5.1.2 No mail leaves the test
mydestination =
local_transport = error:5.1.1 No local users
alias_maps =
alias_database =
mynetworks =
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{d}/etc/mailboxes
virtual_mailbox_base = {mail}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
# An unknown recipient is accepted and bounced with a delivery status notification, as at a
# server that does not know its users.
smtpd_reject_unlisted_recipient = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
"
    )
}

/// The services, all without chroot, which would miss the files above.
fn master_cf(smtp: u16, submission: u16, smtps: u16) -> String {
    format!(
        "127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"
    )
}
