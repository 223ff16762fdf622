//! `[model]`: the optional endpoint.

use std::time::Duration;

use replyd::config::{ClientSecret, ModelSettings};
use secrecy::ExposeSecret;

use crate::{ACCOUNT, World, assert_has};

const TABLE: &str = "[model]\nbase_url = \"https://models.example.com/v1/\"\nmodel = \"m-1\"\n";

fn with(more: &str) -> World {
    World::with_toml(&format!("{ACCOUNT}\n{more}\n"))
}

fn model(world: World) -> ModelSettings {
    world.settings().model.unwrap()
}

fn key(settings: &ModelSettings) -> Option<String> {
    match &settings.api_key {
        Some(ClientSecret::Text(text)) => Some(text.expose_secret().to_owned()),
        Some(ClientSecret::Command(_)) => Some("by a command".into()),
        None => None,
    }
}

#[test]
fn without_an_address_there_is_none_and_the_rest_of_the_table_is_an_error() {
    assert!(with("").settings().model.is_none());
    let error = with("[model]\nmodel = \"m-1\"").error();
    assert_has(
        &error,
        &["model.base_url", "model is set, but not the address"],
    );
    let error = with("").var("REPLYD_MODEL_TIMEOUT", "9s").error();
    assert_has(&error, &["model.base_url", "REPLYD_MODEL_TIMEOUT"]);
}

#[test]
fn the_defaults_are_careful() {
    let m = model(with(TABLE));
    assert_eq!(m.base_url, "https://models.example.com/v1");
    assert_eq!(m.model, "m-1");
    assert!(m.api_key.is_none() && m.ca_file.is_none());
    assert!(m.classify && m.word);
    assert_eq!(m.timeout, Duration::from_secs(8));
    assert_eq!(m.answer_timeout, Duration::from_secs(30));
    assert_eq!(m.max_tokens, 200);
}

#[test]
fn mail_leaves_this_machine_by_tls_only() {
    for (url, good) in [
        ("http://127.0.0.1:11434/v1", true),
        ("http://localhost:8080/v1", true),
        ("http://[::1]:8080/v1", true),
        ("https://10.0.0.7/v1", true),
        ("http://10.0.0.7:8080/v1", false),
        ("http://models.example.com/v1", false),
        ("http://localhost.example.com/v1", false),
        ("models.example.com", false),
        ("https://user:pass@models.example.com/v1", false),
        ("https://models.example.com/v1?key=1", false),
        ("https://models.example.com/v1/chat/completions", false),
    ] {
        let world = with(&format!("[model]\nbase_url = \"{url}\"\nmodel = \"m\""));
        if good {
            assert_eq!(model(world).base_url, url);
        } else {
            assert_has(&world.error(), &["model.base_url"]);
        }
    }
}

#[test]
fn the_key_comes_from_where_other_secrets_come_from_and_is_never_shown() {
    let world = with(&format!("{TABLE}api_key = \"sk-in-clear-9\""));
    let loaded = world.loaded();
    let m = loaded.settings.model.clone().unwrap();
    assert_eq!(key(&m).as_deref(), Some("sk-in-clear-9"));
    let shown = format!(
        "{:?} {:?} {:?}",
        loaded.settings, loaded.effective, loaded.notes
    );
    assert!(!shown.contains("sk-in-clear-9"), "{shown}");

    let world = with(&format!("{TABLE}api_key_file = \"key\""));
    world.file("cwd/key", "sk-of-file\n");
    assert_eq!(key(&model(world)).as_deref(), Some("sk-of-file"));

    let world = with(&format!("{TABLE}api_key_command = \"pass show model\""));
    assert_eq!(key(&model(world)).as_deref(), Some("by a command"));

    let world = with(TABLE).var("REPLYD_MODEL_API_KEY", "sk-env");
    assert_eq!(key(&model(world)).as_deref(), Some("sk-env"));

    let world = with(&format!("{TABLE}api_key_credential = \"model-key\""));
    world.file("credentials/model-key", "sk-credential\n");
    let folder = world.path("credentials").display().to_string();
    let world = world.var("CREDENTIALS_DIRECTORY", &folder);
    assert_eq!(key(&model(world)).as_deref(), Some("sk-credential"));

    let world = with(TABLE);
    world.file("credentials/replyd.model-api-key", "sk-default\n");
    let folder = world.path("credentials").display().to_string();
    let world = world.var("CREDENTIALS_DIRECTORY", &folder);
    assert_eq!(key(&model(world)).as_deref(), Some("sk-default"));

    let error = with(&format!("{TABLE}api_key = \"a\"\napi_key_file = \"b\"")).error();
    assert_has(&error, &["model.api_key_file", "given besides"]);
}

#[test]
fn it_is_used_for_what_is_named() {
    let uses = |list: &str| {
        let m = model(with(&format!("{TABLE}use = {list}")));
        (m.classify, m.word)
    };
    assert_eq!(uses("[\"classify\"]"), (true, false));
    assert_eq!(uses("[\"word\"]"), (false, true));
    assert_eq!(uses("[\"word\", \"classify\"]"), (true, true));
    let error = with(&format!("{TABLE}use = [\"send\"]")).error();
    assert_has(&error, &["model.use", "\"send\""]);
    let error = with(&format!("{TABLE}use = []")).error();
    assert_has(&error, &["model.use", "asked for nothing"]);
}

#[test]
fn a_name_is_wanted_and_limits_are_bounded() {
    let error = with("[model]\nbase_url = \"https://models.example.com/v1\"").error();
    assert_has(&error, &["model.model", "the model's name is missing"]);
    for bad in [
        "timeout = \"10m\"",
        "answer_timeout = \"0s\"",
        "max_tokens = 1",
    ] {
        let error = with(&format!("{TABLE}{bad}")).error();
        assert_has(&error, &["model."]);
    }
}
