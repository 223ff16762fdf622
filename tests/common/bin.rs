//! The real binary: its settings, its log, its signals and its exit code.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::rows::Rows;
use super::{PATIENCE, make_dir, pause, write};

/// How long a wait for database rows goes without a look when the log says nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An installation of replyd: settings and state in a temporary folder.
#[derive(Debug)]
pub(crate) struct Replyd {
    dir: TempDir,
    /// What starts it instead of the program itself.
    through: Vec<String>,
}

impl Replyd {
    /// An installation with this replyd.toml.
    #[track_caller]
    pub(crate) fn new(config: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("replyd-bin-")
            .tempdir()
            .expect("Temporary folder");
        make_dir(&dir.path().join("state"));
        write(&dir.path().join("replyd.toml"), config);
        Self {
            dir,
            through: Vec::new(),
        }
    }

    /// From now on its name server is one that does not answer. Needs root.
    #[track_caller]
    pub(crate) fn without_name_server(&mut self) {
        let file = self.file(
            "resolv.conf",
            "nameserver 127.0.0.254\noptions attempts:1\n",
        );
        let script = "mount --bind \"$0\" /etc/resolv.conf; exec \"$@\"";
        self.through = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--",
            "/bin/sh",
            "-ec",
            script,
            &file,
        ]
        .map(str::to_owned)
        .to_vec();
    }

    /// Its folder, for imports and the like.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its database.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("state/replyd.db")
    }

    /// A look into its database, which must be there.
    #[track_caller]
    pub(crate) fn rows(&self) -> Rows {
        Rows::open(&self.database()).expect("replyd has made no database")
    }

    /// Writes a file beside the settings and returns its path.
    #[track_caller]
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        write(&path, text);
        path.display().to_string()
    }

    /// Starts a command that goes on.
    #[track_caller]
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    /// The same, with further environment variables.
    #[track_caller]
    pub(crate) fn start_with(&self, args: &[&str], vars: &[(&str, &str)]) -> Running {
        self.launch(args, vars, Stdio::null())
    }

    /// Starts a command that reads what is written to the pipe.
    #[track_caller]
    pub(crate) fn start_typing(&self, args: &[&str]) -> (Running, ChildStdin) {
        let mut running = self.launch(args, &[], Stdio::piped());
        let typed = running.child.stdin.take().expect("Its standard input");
        (running, typed)
    }

    #[track_caller]
    fn launch(&self, args: &[&str], vars: &[(&str, &str)], stdin: Stdio) -> Running {
        let mut command = match self.through.split_first() {
            None => Command::new(env!("CARGO_BIN_EXE_replyd")),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(env!("CARGO_BIN_EXE_replyd"));
                command
            }
        };
        let mut child = command
            .args(args)
            // Settings of the machine's user must not reach a test.
            .env_clear()
            .envs(
                std::env::vars_os()
                    .filter(|(name, _)| name == "PATH" || name == "LLVM_PROFILE_FILE"),
            )
            .env("RUST_BACKTRACE", "1")
            .env("HOME", self.dir.path())
            // Tests run side by side; one that asks /health names a port of its own.
            .env("REPLYD_WEB_LISTEN", "off")
            .env("REPLYD_CONFIG", self.dir.path().join("replyd.toml"))
            .env("STATE_DIRECTORY", self.dir.path().join("state"))
            .envs(vars.iter().copied())
            .current_dir(self.dir.path())
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Start replyd");
        let (sender, lines) = channel();
        let stdout = child.stdout.take().expect("Its standard output");
        let stderr = child.stderr.take().expect("Its standard error");
        read_lines(stdout, sender.clone(), Line::Out);
        read_lines(stderr, sender, Line::Err);
        Running {
            child,
            lines,
            seen: Vec::new(),
            looked_at: 0,
            database: self.database(),
            ended: None,
        }
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> Finished {
        let finished = self.run(args);
        finished.assert_code(0);
        finished
    }
}

/// A line of output.
#[derive(Clone, Debug)]
enum Line {
    Out(String),
    Err(String),
}

impl Line {
    fn text(&self) -> &str {
        match self {
            Self::Out(text) | Self::Err(text) => text,
        }
    }

    /// The log event that the line is, if it is one.
    fn event(&self) -> Option<Value> {
        serde_json::from_str(self.text())
            .ok()
            .filter(Value::is_object)
    }
}

fn read_lines(
    pipe: impl Read + Send + 'static,
    lines: Sender<Line>,
    kind: impl Fn(String) -> Line + Send + 'static,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if lines.send(kind(line)).is_err() {
                return; // Nobody looks any more.
            }
        }
    });
}

/// A running replyd, killed on drop.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: Receiver<Line>,
    seen: Vec<Line>,
    /// How many of `seen` an earlier wait has gone through.
    looked_at: usize,
    database: PathBuf,
    ended: Option<ExitStatus>,
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a log event that `wanted` accepts, among those that no earlier wait has passed.
    #[track_caller]
    pub(crate) fn wait_for_event(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(line) = self.seen.get(self.looked_at) {
                self.looked_at += 1;
                if let Some(event) = line.event().filter(&wanted) {
                    return event;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("Waited in vain for {what}\n{}", self.output());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("replyd ended before {what}\n{}", self.output());
                }
            }
        }
    }

    /// Waits for a line of output that `wanted` accepts, among those that no earlier wait has
    /// passed.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(line) = self.seen.get(self.looked_at) {
                self.looked_at += 1;
                if wanted(line.text()) {
                    return line.text().to_owned();
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("Waited in vain for {what}\n{}", self.output()),
            }
        }
    }

    /// Waits until the database answers: looks after each line of the log, and now and then.
    #[track_caller]
    pub(crate) fn wait_for_rows<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Rows) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = Rows::open(&self.database).as_ref().and_then(&mut look) {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "Waited in vain for {what}\n{}",
                self.output()
            );
            match self.lines.recv_timeout(LOOK_AGAIN) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("replyd ended before {what}\n{}", self.output());
                }
            }
        }
    }

    /// Sends SIGTERM and waits for the end.
    #[track_caller]
    pub(crate) fn terminate(self) -> Finished {
        self.signal(Signal::TERM);
        self.finish()
    }

    /// Sends SIGKILL and waits for the end.
    #[track_caller]
    pub(crate) fn kill(self) -> Finished {
        self.signal(Signal::KILL);
        self.finish()
    }

    /// Sends a signal and waits for nothing.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("Signal replyd");
    }

    /// Stops every thread with SIGSTOP, and waits until they stand: a signal is not there at once.
    #[track_caller]
    pub(crate) fn suspend(&self) {
        self.signal(Signal::STOP);
        let threads = format!("/proc/{}/task", self.child.id());
        super::wait_for("every thread to stand", || {
            let all = std::fs::read_dir(&threads).expect("Threads of replyd");
            all.flatten()
                .all(|thread| {
                    // proc_pid_stat(5): the state stands behind the name in brackets.
                    std::fs::read_to_string(thread.path().join("stat")).is_ok_and(|stat| {
                        stat.rsplit(") ").next().is_some_and(|s| s.starts_with('T'))
                    })
                })
                .then_some(())
        });
    }

    /// Waits for the end without a signal.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("Wait for replyd") {
                break status;
            }
            while let Ok(line) = self.lines.try_recv() {
                self.seen.push(line);
            }
            assert!(
                started.elapsed() < PATIENCE,
                "replyd does not end\n{}",
                self.output()
            );
            pause();
        };
        self.ended = Some(status);
        // Both pipes are closed now, or soon: the readers end with them.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        Finished {
            status,
            took: started.elapsed(),
            lines: std::mem::take(&mut self.seen),
        }
    }

    /// Everything that it wrote so far.
    pub(crate) fn drain_output(&mut self) -> String {
        self.seen.extend(self.lines.try_iter());
        self.output()
    }

    fn output(&self) -> String {
        all_text(&self.seen)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        if let Err(e) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("replyd could not be killed: {e}");
        }
        if std::thread::panicking() {
            while let Ok(line) = self.lines.recv_timeout(LOOK_AGAIN) {
                self.seen.push(line);
            }
            eprintln!("replyd's output:\n{}", self.output());
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Exit code or signal.
    pub(crate) status: ExitStatus,
    /// From the wait, or the signal, to the end.
    pub(crate) took: Duration,
    lines: Vec<Line>,
}

impl Finished {
    /// Fails with the output unless the exit code is this one.
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        assert!(
            self.status.code() == Some(code),
            "replyd ended with {} and not {code}\n{}",
            self.status,
            self.output()
        );
    }

    /// What it wrote to its standard output.
    pub(crate) fn stdout(&self) -> String {
        self.lines
            .iter()
            .filter(|line| matches!(line, Line::Out(_)))
            .map(|line| format!("{}\n", line.text()))
            .collect()
    }

    /// What it wrote to its standard error.
    pub(crate) fn stderr(&self) -> String {
        self.lines
            .iter()
            .filter(|line| matches!(line, Line::Err(_)))
            .map(|line| format!("{}\n", line.text()))
            .collect()
    }

    /// Everything it wrote.
    pub(crate) fn output(&self) -> String {
        all_text(&self.lines)
    }

    /// Its log events.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.lines.iter().filter_map(Line::event).collect()
    }
}

fn all_text(lines: &[Line]) -> String {
    lines
        .iter()
        .map(|line| format!("{}\n", line.text()))
        .collect()
}
