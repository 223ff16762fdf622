use std::fs;
use std::path::Path;

use replyd::config::{keys, reference};

use crate::World;

fn repository(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_page_is_what_the_code_says() {
    assert!(
        reference() == repository("docs/CONFIGURATION.md"),
        "docs/CONFIGURATION.md is not up to date: \
         cargo run -- config reference > docs/CONFIGURATION.md"
    );
}

#[test]
fn every_key_stands_in_the_page_with_its_environment_name() {
    let page = reference();
    for key in keys::ALL {
        let row = page.lines().any(|line| {
            line.starts_with(&format!("| `{}` |", key.name()))
                && (line.contains(key.env)
                    || ["accounts.name", "webhooks.name"].contains(&key.path))
        });
        assert!(row, "{}", key.path);
    }
}

#[test]
fn the_sample_is_complete_and_loads_as_it_is() {
    let sample = repository("replyd.sample.toml");
    let world = World::with_toml(&sample);
    world.file("cwd/sales.password", "x\n");
    let settings = world.settings();
    assert_eq!(settings.accounts[0].name, "sales");
    assert_eq!(settings.reply.sales_email, "team@example.com");

    // With every commented key taken in, there is none that the program does not know, and
    // none that the sample does not show.
    let mut table = String::new();
    let mut shown = Vec::new();
    for line in sample.lines() {
        let line = match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(' ') || rest.is_empty() => continue,
            Some(rest) => rest,
            None => line,
        };
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((name, _)) = line.split_once(" = ") {
            shown.push(format!("{table}.{name}"));
        }
    }
    let mut known: Vec<String> = keys::ALL.iter().map(|k| k.path.to_owned()).collect();
    shown.sort();
    known.sort();
    assert_eq!(shown, known);
}

#[test]
fn the_samples_commented_defaults_are_the_programs() {
    for line in repository("replyd.sample.toml").lines() {
        let Some((name, value)) = line.strip_prefix('#').and_then(|l| l.split_once(" = ")) else {
            continue;
        };
        let value = value.trim_matches('"');
        let named: Vec<_> = keys::ALL.iter().filter(|k| k.name() == name).collect();
        if let [key] = named.as_slice()
            && let keys::Default::Is(default) = key.default
        {
            assert_eq!(value, default, "{}", key.path);
        }
    }
}
