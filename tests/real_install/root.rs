//! A fresh Debian root folder in which replyd is installed, and commands in it: as a root shell
//! types them, and as systemd starts the service.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::common::ports::Port;
use crate::common::{PATIENCE, make_dir, program, text_of, write};

/// A system in a folder.
#[derive(Debug)]
pub(crate) struct DebianRoot {
    dir: TempDir,
    /// Its network is the host's, and so are its ports.
    web: Port,
}

/// A file that is made once, and again when one of `parts` is younger. Tests in other processes
/// wait for it.
#[track_caller]
pub(crate) fn cached(name: &str, parts: &[PathBuf], make: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(name);
    let lock = File::create(folder.join(format!("{name}.lock"))).expect("Lock file");
    lock.lock().expect("Lock it");
    let made_at = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let fresh = made_at(&file).is_some_and(|at| parts.iter().all(|p| made_at(p) < Some(at)));
    if !fresh {
        let beside = folder.join(format!("{name}.new"));
        make(&beside);
        std::fs::rename(&beside, &file).expect("Give it its name");
    }
    file
}

/// A command that must succeed.
#[track_caller]
fn run(command: &mut Command) {
    let ended = command.output().expect("Start it");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success(),
        "{command:?}: {}\n{said}",
        ended.status
    );
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Fails unless the exit code is this one; gives standard output.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> String {
        let Self { status, out, err } = self;
        assert_eq!(status.code(), Some(code), "{status}\n{out}\n{err}");
        out
    }
}

impl DebianRoot {
    /// Makes it from the packages of this machine.
    #[track_caller]
    pub(crate) fn new() -> Self {
        program("unshare", "util-linux");
        program("systemd-sysusers", "systemd");
        let dir = tempfile::Builder::new()
            .prefix("replyd-root-")
            .tempdir()
            .expect("Temporary folder");
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("Open it");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_install/debian-root");
        let packages = Path::new("/var/lib/dpkg/status").to_owned();
        let archive = cached("debian-root.tar", &[script.clone(), packages], |to| {
            let folder = tempfile::tempdir().expect("Temporary folder");
            let root = folder.path().join("root");
            run(Command::new(script).arg(&root).args([
                "systemd",
                "ca-certificates",
                "passwd",
                "init-system-helpers",
            ]));
            run(Command::new("tar")
                .arg("-C")
                .arg(&root)
                .arg("-cf")
                .arg(to)
                .arg("."));
        });
        run(Command::new("tar")
            .arg("-C")
            .arg(dir.path())
            .arg("-xpf")
            .arg(archive));
        // The archive has its own idea of the folder itself.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("Open it");
        Self {
            dir,
            web: Port::reserve(),
        }
    }

    /// Where replyd answers HTTP in this system.
    pub(crate) fn web(&self) -> String {
        format!("127.0.0.1:{}", self.web.number())
    }

    /// A path of the system as it is seen from here.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    /// Puts a file there.
    #[track_caller]
    pub(crate) fn put(&self, path: &str, bytes: impl AsRef<[u8]>, mode: u32) {
        let there = self.at(path);
        make_dir(there.parent().expect("A folder above it"));
        write(&there, bytes);
        std::fs::set_permissions(there, Permissions::from_mode(mode)).expect("Set its mode");
    }

    /// A command in this system. Mounts are its own and end with it; the network is the host's.
    fn command(&self, line: &[&str], before: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--propagation",
                "private",
                "--",
                "/bin/sh",
                "-ec",
            ])
            .arg(format!(
                "mount --rbind /dev \"$0/dev\"; mount -t proc proc \"$0/proc\"; {before} \
                 exec chroot \"$@\""
            ))
            .arg(self.dir.path())
            .args(line)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("RUST_BACKTRACE", "1")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// What a root shell, in its home folder, does with this line.
    #[track_caller]
    pub(crate) fn shell(&self, line: &[&str]) -> Ended {
        self.shell_with(line, "")
    }

    /// The same with a standard input.
    #[track_caller]
    pub(crate) fn shell_with(&self, line: &[&str], input: &str) -> Ended {
        let root = self.dir.path().to_str().expect("A path in UTF-8");
        let mut whole = vec![root, "/usr/bin/env", "--chdir=/root"];
        whole.extend(line);
        let mut child = self
            .command(&whole, "")
            .env("HOME", "/root")
            .env("USER", "root")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Start unshare");
        let mut stdin = child.stdin.take().expect("Its input");
        stdin.write_all(input.as_bytes()).expect("Write its input");
        drop(stdin);
        let ended = child.wait_with_output().expect("Wait for it");
        Ended {
            status: ended.status,
            out: String::from_utf8_lossy(&ended.stdout).into_owned(),
            err: String::from_utf8_lossy(&ended.stderr).into_owned(),
        }
    }

    /// `replyd ARGS` in a root shell.
    #[track_caller]
    pub(crate) fn replyd(&self, args: &[&str]) -> Ended {
        let mut line = vec!["replyd"];
        line.extend(args);
        self.shell(&line)
    }

    /// Starts a line in a root shell that goes on.
    #[track_caller]
    pub(crate) fn start_shell(&self, line: &[&str]) -> Service {
        let root = self.dir.path().to_str().expect("A path in UTF-8");
        let mut whole = vec![root, "/usr/bin/env", "--chdir=/root"];
        whole.extend(line);
        let mut command = self.command(&whole, "");
        command.env("HOME", "/root").env("USER", "root");
        self.start(command)
    }

    #[track_caller]
    fn start(&self, mut command: Command) -> Service {
        command.env("REPLYD_WEB_LISTEN", self.web());
        let log = self.dir.path().join("service.log");
        let file = File::create(&log).expect("Log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("Log file"))
            .stderr(file)
            .spawn()
            .expect("Start unshare");
        Service { child, log }
    }

    /// User and group of the service.
    #[track_caller]
    pub(crate) fn service_ids(&self) -> (u32, u32) {
        let user = replyd::service::user_named(self.dir.path(), "replyd")
            .expect("Read /etc/passwd")
            .expect("The service's user");
        (user.uid, user.gid)
    }

    /// Starts the service as systemd does by the shipped unit: its user, folder, umask, and the
    /// credentials of these files (name and path), which it alone may read.
    #[track_caller]
    pub(crate) fn start_service(&self, credentials: &[(&str, &str)]) -> Service {
        let (uid, gid) = self.service_ids();
        let folder = self.at("/run/credentials/replyd.service");
        make_dir(&folder);
        for (name, from) in credentials {
            let copy = folder.join(name);
            std::fs::copy(self.at(from), &copy).expect("Copy a credential");
            std::fs::set_permissions(&copy, Permissions::from_mode(0o400)).expect("Its mode");
            chown(&copy, Some(uid), Some(gid)).expect("Its owner");
        }
        std::fs::set_permissions(&folder, Permissions::from_mode(0o500)).expect("Its mode");
        chown(&folder, Some(uid), Some(gid)).expect("Its owner");
        let user = format!("--userspec={uid}:{gid}");
        let groups = format!("--groups={gid}");
        let root = self.dir.path().to_str().expect("A path in UTF-8");
        let line = [
            user.as_str(),
            groups.as_str(),
            root,
            "/usr/bin/env",
            "--chdir=/etc/replyd",
            "replyd",
            "run",
        ];
        let mut command = self.command(&line, "umask 0077;");
        command
            .env("HOME", "/var/lib/replyd")
            .env("USER", "replyd")
            .env("STATE_DIRECTORY", "/var/lib/replyd")
            .env("CREDENTIALS_DIRECTORY", "/run/credentials/replyd.service");
        self.start(command)
    }

    /// Every file below a folder with its mode, user and group, sorted; links as they are.
    #[track_caller]
    pub(crate) fn listing(&self, folder: &str) -> Vec<(String, u32, u32, u32)> {
        let mut found = Vec::new();
        let mut folders = vec![self.at(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("List a folder") {
                let path = entry.expect("An entry").path();
                let meta = path.symlink_metadata().expect("Look at it");
                if meta.is_dir() {
                    folders.push(path.clone());
                }
                let shown = path.strip_prefix(self.dir.path()).expect("Below the root");
                let shown = format!("/{}", shown.display());
                found.push((shown, meta.mode() & 0o7777, meta.uid(), meta.gid()));
            }
        }
        found.sort();
        found
    }

    /// Mode, user and group of one file.
    #[track_caller]
    pub(crate) fn rights(&self, path: &str) -> (u32, u32, u32) {
        let meta = self.at(path).metadata().expect(path);
        (meta.mode() & 0o7777, meta.uid(), meta.gid())
    }
}

/// The running service, killed on drop.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// A file of its folder in /proc. Every program before replyd was replaced by the next one, so
    /// the number is replyd's.
    #[track_caller]
    pub(crate) fn proc(&self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.child.id());
        if name == "cwd" {
            let folder = std::fs::read_link(&path).expect("Its folder");
            return folder.display().to_string();
        }
        let bytes = std::fs::read(path).expect("Look into /proc");
        String::from_utf8_lossy(&bytes).replace('\0', "\n")
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        text_of(&self.log)
    }

    /// Fails if it ended.
    #[track_caller]
    pub(crate) fn assert_runs(&mut self) {
        let ended = self.child.try_wait().expect("Look after the service");
        assert_eq!(ended, None, "the service ended\n{}", self.log());
    }

    /// Waits until it ends by itself, and well.
    #[track_caller]
    pub(crate) fn wait(mut self) {
        let status = self.ended();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// Stops it as systemd does.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("Signal the service");
        let status = self.ended();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        let started = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("Wait for the service") {
                break status;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "it does not end\n{}",
                self.log()
            );
            crate::common::pause();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None))
            && let Err(e) = self.child.kill().and_then(|()| self.child.wait().map(drop))
        {
            eprintln!("The service could not be killed: {e}");
        }
        if std::thread::panicking() {
            eprintln!("The log of the service:\n{}", self.log());
        }
    }
}
