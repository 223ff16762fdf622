//! Carrying out a plan: each file whole or not at all, with its owner and rights before it has
//! its name.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::layout;
use super::plan::{Plan, State, Step, Whose};
use crate::service::below;

impl Plan {
    /// Does what is not done yet.
    ///
    /// # Errors
    /// The first step that failed; those before it are done, those after it are not.
    pub fn carry_out(&self) -> anyhow::Result<()> {
        for step in &self.steps {
            let state = self.state(step)?;
            if state != State::Same {
                self.do_step(step, state)?;
            }
        }
        Ok(())
    }

    fn do_step(&self, step: &Step, state: State) -> anyhow::Result<()> {
        match step {
            Step::User => make_user(&self.root),
            Step::Folder { path, mode, whose } => {
                let there = below(&self.root, path);
                self.folder(&there, *mode, *whose)
                    .with_context(|| format!("Make {}", there.display()))
            }
            Step::File {
                path,
                content,
                mode,
                whose,
                backup,
            } => {
                let there = below(&self.root, path);
                if let Some(parent) = there.parent() {
                    std::fs::create_dir_all(parent)
                        .with_context(|| format!("Make {}", parent.display()))?;
                }
                if let (Some(backup), State::Changed) = (backup, state) {
                    let kept = below(&self.root, backup);
                    let old = std::fs::read(&there)?;
                    self.file(&kept, &old, *mode, *whose)
                        .with_context(|| format!("Keep the old file as {}", kept.display()))?;
                }
                let bytes = content.bytes()?;
                self.file(&there, &bytes, *mode, *whose)
                    .with_context(|| format!("Write {}", there.display()))
            }
            Step::Reload => {
                let status = Command::new("systemctl")
                    .arg("daemon-reload")
                    .stdin(Stdio::null())
                    .status()
                    .context("Run systemctl daemon-reload")?;
                if !status.success() {
                    bail!("systemctl daemon-reload ended with {status}");
                }
                Ok(())
            }
        }
    }

    fn folder(&self, path: &Path, mode: u32, whose: Whose) -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(mode).create(path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        if let Some((uid, gid)) = self.ids(whose) {
            chown(path, Some(uid), Some(gid)).or_else(|e| self.excuse(e))?;
        }
        std::fs::set_permissions(path, Permissions::from_mode(mode))
    }

    fn file(&self, path: &Path, bytes: &[u8], mode: u32, whose: Whose) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = folder.join(format!(".{name}.{}.new", std::process::id()));
        let written = self
            .write(&beside, bytes, mode, whose)
            .and_then(|()| std::fs::rename(&beside, path));
        if written.is_err() {
            // What is left of it may be a secret.
            std::fs::remove_file(&beside).unwrap_or_default();
        }
        written?;
        File::open(folder)?.sync_all()
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32, whose: Whose) -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        if let Some((uid, gid)) = self.ids(whose) {
            fchown(&file, Some(uid), Some(gid)).or_else(|e| self.excuse(e))?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()
    }

    /// Only root gives files away; whoever packs an image as somebody else cannot, and `--root`
    /// says that he does.
    fn excuse(&self, e: std::io::Error) -> std::io::Result<()> {
        let in_image = self.root != Path::new("/");
        if in_image && e.kind() == ErrorKind::PermissionDenied {
            return Ok(());
        }
        Err(e)
    }
}

/// The service's user: by systemd-sysusers where it is, else by useradd, which every Debian has.
fn make_user(root: &Path) -> anyhow::Result<()> {
    let in_image = root != Path::new("/");
    let shown = root.display().to_string();
    let mut sysusers = Command::new("systemd-sysusers");
    let mut useradd = Command::new("useradd");
    if in_image {
        sysusers.arg(format!("--root={shown}"));
        useradd.args(["--prefix", &shown]);
    }
    sysusers.arg(below(root, Path::new(layout::SYSUSERS)));
    useradd
        .args(["--system", "--user-group", "--no-create-home"])
        .args(["--home-dir", layout::STATE])
        .args(["--shell", "/usr/sbin/nologin"])
        .args(["--comment", "replyd service"])
        .arg(layout::USER);
    let mut told = Vec::new();
    for mut tool in [sysusers, useradd] {
        // sbin is not in everybody's PATH.
        let path = std::env::var("PATH").unwrap_or_default();
        tool.env("PATH", format!("{path}:/usr/sbin:/sbin:/usr/bin:/bin"));
        let name = tool.get_program().to_string_lossy().into_owned();
        match tool.stdin(Stdio::null()).output() {
            Ok(out) if out.status.success() => return Ok(()),
            Ok(out) => {
                let said = String::from_utf8_lossy(&out.stderr);
                told.push(format!(
                    "{name}: {}",
                    said.lines().next().unwrap_or("failed")
                ));
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                told.push(format!("{name} is not there"));
            }
            Err(e) => told.push(format!("{name}: {e}")),
        }
    }
    bail!(
        "The user {} cannot be made ({}): make it yourself, a system user with a group of its own \
         and the home {}, and run this again",
        layout::USER,
        told.join("; "),
        layout::STATE
    )
}
