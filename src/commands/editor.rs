//! A draft in the editor of whoever sits at the terminal.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// Everything from this line on is dropped.
const CUT: &str = "------------------------ >8 ------------------------";

/// A text as the editor left it. Its file lies there until [`Edited::done`].
#[derive(Debug)]
pub(super) struct Edited {
    /// The text above the line.
    pub(super) text: String,
    /// Where it lies.
    pub(super) path: PathBuf,
}

impl Edited {
    /// It was taken over: the file goes.
    pub(super) fn done(self) -> anyhow::Result<()> {
        fs::remove_file(&self.path).with_context(|| format!("Remove {}", self.path.display()))
    }
}

/// The command of `$VISUAL`, else `$EDITOR`, else vi on a terminal.
pub(super) fn command() -> anyhow::Result<String> {
    let named = ["VISUAL", "EDITOR"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|editor| !editor.trim().is_empty());
    match named {
        Some(editor) => Ok(editor),
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => Ok("vi".to_owned()),
        None => {
            bail!("No editor: give the text by --file FILE, --file - or --text, or set $EDITOR")
        }
    }
}

/// Opens `text` in `editor`, with `beside` below a line for the eye alone. Blocking.
pub(super) fn edit(editor: &str, text: &str, beside: &str) -> anyhow::Result<Edited> {
    let path = new_file(&format!(
        "{text}\n{CUT}\nWhat stands from this line on is not sent.\n\n{beside}\n"
    ))?;
    // As git does it: the variable may hold arguments.
    let before = fs::read(&path).with_context(|| format!("Read {}", path.display()))?;
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("editor")
        .arg(&path)
        .status()
        .with_context(|| format!("Start the editor {editor}"))?;
    if !status.success() {
        // A crash is no wish to throw away what a person wrote.
        if fs::read(&path).is_ok_and(|now| now != before) {
            bail!(
                "The editor {editor} failed ({status}): nothing was changed. Your text lies in {}",
                path.display()
            );
        }
        fs::remove_file(&path).with_context(|| format!("Remove {}", path.display()))?;
        bail!("The editor {editor} failed ({status}): nothing was changed");
    }
    let bytes = fs::read(&path).with_context(|| format!("Read {}", path.display()))?;
    let Ok(whole) = String::from_utf8(bytes) else {
        bail!("{} is not UTF-8: nothing was changed", path.display());
    };
    Ok(Edited {
        text: above(&whole).to_owned(),
        path,
    })
}

fn above(whole: &str) -> &str {
    whole.split_once(CUT).map_or(whole, |(text, _)| text)
}

/// A file of a name that nobody can guess, for this user alone: it holds what a lead wrote.
fn new_file(text: &str) -> anyhow::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| anyhow::anyhow!("No random numbers: {e}"))?;
    let name: String = random.iter().map(|b| format!("{b:02x}")).collect();
    let path = std::env::temp_dir().join(format!("replyd-draft-{name}.txt"));
    write_new(&path, text).with_context(|| format!("Write {}", path.display()))?;
    Ok(path)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_editor_gets_a_file_and_what_stands_below_the_line_is_dropped() {
        let edited = edit(
            "sed -i -e s/blue/green/",
            "Subject: A\n\nblue sky\n",
            "> blue?",
        )
        .unwrap();
        assert_eq!(edited.text, "Subject: A\n\ngreen sky\n\n");
        let path = edited.path.clone();
        edited.done().unwrap();
        assert!(!path.exists());
        let failed = edit("false", "x", "").unwrap_err();
        assert!(
            failed.to_string().contains("nothing was changed"),
            "{failed}"
        );
    }
}
