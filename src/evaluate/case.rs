//! A line of cases.jsonl.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

/// A labelled message or body.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// `set/source/number`.
    pub id: String,
    /// What it judges.
    pub set: String,
    /// `message`, `body-text` or `body-html`.
    pub form: String,
    /// Relative to the folder.
    pub file: String,
    /// The label.
    #[serde(default)]
    pub expected: Value,
}

impl Case {
    /// A text of the label.
    #[must_use]
    pub fn expected_text(&self, name: &str) -> Option<&str> {
        self.expected.get(name)?.as_str()
    }

    pub(super) fn read(&self, folder: &Path) -> anyhow::Result<Vec<u8>> {
        self.read_beside(folder, &self.file)
    }

    pub(super) fn read_beside(&self, folder: &Path, file: &str) -> anyhow::Result<Vec<u8>> {
        // A corpus names its own files only.
        let relative = PathBuf::from(file);
        let inside = relative
            .components()
            .all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !inside {
            bail!("{file} does not lie in the folder");
        }
        let path = folder.join(relative);
        fs::read(&path).with_context(|| format!("Read {}", path.display()))
    }
}

/// All cases of a folder.
pub(super) fn load(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let path = folder.join("cases.jsonl");
    let index = fs::read_to_string(&path).with_context(|| format!("Read {}", path.display()))?;
    let mut cases = Vec::new();
    for (n, line) in index.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let case: Case = serde_json::from_str(line)
            .with_context(|| format!("{}, line {}", path.display(), n + 1))?;
        cases.push(case);
    }
    Ok(cases)
}
