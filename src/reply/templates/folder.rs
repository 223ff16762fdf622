//! The files of a templates folder, read and named, not yet compiled.

use std::collections::BTreeMap;
use std::path::Path;

use super::set::Source;
use super::{DEFAULT_LANGUAGE, TemplateError, TemplateKind};

/// Files beyond this size are refused.
const MAX_TEMPLATE_BYTES: u64 = 64 * 1024;
/// More files or folders in one folder are refused.
const MAX_ENTRIES: usize = 1000;

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By name and language: `acknowledgment.de`.
    pub(super) files: BTreeMap<String, Source>,
    /// Folders of campaigns.
    pub(super) folders: Vec<String>,
}

/// Reads `dir`, whose files are shown with `prefix`. In a campaign's folder (`prefix` is not
/// empty) there are no further folders.
pub(super) fn read(dir: &Path, prefix: &str) -> Result<Found, TemplateError> {
    let fail = |path: &Path, error| TemplateError::Read {
        path: path.display().to_string(),
        error,
    };
    let mut found = Found::default();
    let mut pages = Vec::new();
    for (n, entry) in std::fs::read_dir(dir)
        .map_err(|e| fail(dir, e))?
        .enumerate()
    {
        if n >= MAX_ENTRIES {
            return Err(TemplateError::Bad {
                file: dir.display().to_string(),
                what: format!("more than {MAX_ENTRIES} entries"),
            });
        }
        let path = entry.map_err(|e| fail(dir, e))?.path();
        let name = path
            .file_name()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let about = std::fs::metadata(&path).map_err(|e| fail(&path, e))?;
        if about.is_dir() {
            if prefix.is_empty() {
                found.folders.push(name);
            }
            continue;
        }
        let Some((stem, kind_of_file)) = name.rsplit_once('.') else {
            continue;
        };
        let is_page = match kind_of_file {
            "txt" => false,
            "html" => true,
            _ => continue,
        };
        let shown = format!("{prefix}{name}");
        let (stem, language) = stem.split_once('.').unwrap_or((stem, DEFAULT_LANGUAGE));
        let kind = kind_of(stem, language, is_page).ok_or_else(|| TemplateError::UnknownFile {
            file: shown.clone(),
            known: known(),
        })?;
        if about.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::Bad {
                file: shown,
                what: format!("larger than {MAX_TEMPLATE_BYTES} bytes"),
            });
        }
        let text = std::fs::read_to_string(&path).map_err(|e| fail(&path, e))?;
        let key = format!("{stem}.{language}");
        if is_page {
            pages.push((key, shown, text));
        } else {
            let source = Source {
                kind,
                text,
                html: None,
                file: Some(shown),
            };
            found.files.insert(key, source);
        }
    }
    for (key, shown, text) in pages {
        // A page says the same as its text; beside a text of another folder it may not.
        let Some(source) = found.files.get_mut(&key) else {
            return Err(TemplateError::Bad {
                file: shown.clone(),
                what: format!(
                    "each mail has a plain text: put {} beside it",
                    shown.replace(".html", ".txt")
                ),
            });
        };
        source.html = Some(text);
    }
    found.folders.sort();
    Ok(found)
}

fn kind_of(stem: &str, language: &str, is_page: bool) -> Option<TemplateKind> {
    let two_letters = language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase());
    TemplateKind::named(stem).filter(|kind| {
        two_letters
            && (kind.to_lead() || language == DEFAULT_LANGUAGE)
            && (!is_page || kind.to_lead() && kind.has_subject())
    })
}

fn known() -> String {
    let names: Vec<String> = TemplateKind::names().map(|n| format!("{n}.txt")).collect();
    format!(
        "{}; with a language as in acknowledgment.de.txt, and for mails to leads .html beside .txt",
        names.join(", ")
    )
}
