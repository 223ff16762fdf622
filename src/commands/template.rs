//! `template check|preview|export`: the texts of our mails. Opens no connection and no database.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, bail};

use super::{complain, say};
use crate::cli::{Exit, TemplateCommand, TemplatePreviewArgs};
use crate::reply::templates::{self, InEffect, Templates};

pub(super) fn run(command: &TemplateCommand, dir: Option<&Path>) -> anyhow::Result<Exit> {
    let templates = match Templates::load(dir) {
        Ok(templates) => templates,
        Err(e) => {
            complain(&format!("replyd: {e}"));
            return Ok(Exit::Usage);
        }
    };
    match command {
        TemplateCommand::Check => check(&templates, dir),
        TemplateCommand::Preview(args) => preview(&templates, args),
        TemplateCommand::Export { dir } => export(dir),
    }
}

fn lines(text: &mut String, list: &[InEffect]) -> std::fmt::Result {
    for t in list {
        let from = t.file.as_deref().unwrap_or("in the program");
        let html = if t.html { ", with HTML" } else { "" };
        writeln!(text, "  {:<28} {from}{html}", t.name)?;
    }
    Ok(())
}

fn check(templates: &Templates, dir: Option<&Path>) -> anyhow::Result<Exit> {
    let mut text = match dir {
        Some(dir) => format!("Templates in {} are sound. In effect:\n", dir.display()),
        None => "No `reply.templates_dir` is set. In effect:\n".to_owned(),
    };
    let general = templates.in_effect("");
    lines(&mut text, &general)?;
    for name in templates.campaigns() {
        let own: Vec<InEffect> = templates
            .in_effect(name)
            .into_iter()
            .filter(|t| !general.contains(t))
            .collect();
        writeln!(text, "Campaign {name}:")?;
        lines(&mut text, &own)?;
    }
    say(&text)?;
    Ok(Exit::Done)
}

fn preview(templates: &Templates, args: &TemplatePreviewArgs) -> anyhow::Result<Exit> {
    let filled = templates.preview(&args.name, &args.language, &args.campaign)?;
    if args.html {
        let Some(html) = filled.html else {
            bail!("{} has no HTML: put a .html beside its .txt", args.name);
        };
        say(&html)?;
        return Ok(Exit::Done);
    }
    if filled.subject.is_empty() {
        say(&filled.body)?;
    } else {
        say(&format!("Subject: {}\n\n{}", filled.subject, filled.body))?;
    }
    Ok(Exit::Done)
}

pub(super) fn export(dir: &Path) -> anyhow::Result<Exit> {
    std::fs::create_dir_all(dir).with_context(|| format!("Make {}", dir.display()))?;
    let mut text = String::new();
    for (name, template) in templates::defaults() {
        let path = dir.join(name);
        // What a person changed is not overwritten.
        let made = std::fs::File::options()
            .write(true)
            .create_new(true)
            .open(&path);
        match made {
            Ok(mut file) => {
                file.write_all(template.as_bytes())
                    .with_context(|| format!("Write {}", path.display()))?;
                writeln!(text, "wrote {}", path.display())?;
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                writeln!(text, "kept  {}", path.display())?;
            }
            Err(e) => return Err(e).with_context(|| format!("Write {}", path.display())),
        }
    }
    say(&text)?;
    Ok(Exit::Done)
}
