use std::fs;
use std::os::unix::fs::PermissionsExt;

use replyd::config::{Credential, config_check};
use secrecy::ExposeSecret;

use crate::{ACCOUNT, World, assert_has};

/// The account with another way to give its secret.
fn account_with(secret: &str) -> String {
    ACCOUNT.replace("password = \"hunter2\"", secret)
}

fn imap_password(world: &World) -> String {
    match &world.settings().accounts[0].imap.credential {
        Credential::Password(secret) => secret.expose_secret().to_owned(),
        Credential::TokenFile(path) => format!("token {}", path.display()),
        other => format!("{other:?}"),
    }
}

fn smtp_password(world: &World) -> String {
    match &world.settings().accounts[0].smtp.credential {
        Some(Credential::Password(secret)) => secret.expose_secret().to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_secret_comes_from_a_file_without_its_line_end() {
    let world = World::with_toml(&account_with("password_file = \"secret\""));
    for (text, secret) in [
        ("s3cret", "s3cret"),
        ("s3cret\n", "s3cret"),
        (" s3 cret \r\n", " s3 cret "),
    ] {
        world.file("cwd/secret", text);
        assert_eq!(imap_password(&world), secret);
        assert_eq!(smtp_password(&world), secret, "for both servers");
    }
}

#[test]
fn a_secret_comes_from_a_systemd_credential_by_name_or_by_default_name() {
    let named = World::with_toml(&account_with("password_credential = \"mine\""));
    named.file("creds/mine", "by name\n");
    let named = {
        let folder = named.path("creds").to_str().unwrap().to_owned();
        named.var("CREDENTIALS_DIRECTORY", &folder)
    };
    assert_eq!(imap_password(&named), "by name");

    let world = World::with_toml(&account_with(""));
    let folder = world.path("creds").to_str().unwrap().to_owned();
    let world = world.var("CREDENTIALS_DIRECTORY", &folder);
    // From the weakest name to the strongest.
    for name in [
        "replyd.password",
        "replyd.imap-password",
        "replyd.sales.password",
        "replyd.sales.imap-password",
    ] {
        world.file(&format!("creds/{name}"), name);
        assert_eq!(imap_password(&world), name);
    }
    assert_eq!(smtp_password(&world), "replyd.sales.password");
}

#[test]
fn without_systemd_a_named_credential_is_an_error_that_names_the_unit_line() {
    let world = World::with_toml(&account_with("password_credential = \"mine\""));
    assert_has(
        &world.error(),
        &[
            "replyd.toml:5",
            "accounts[sales].password_credential",
            "LoadCredential=mine",
        ],
    );
}

#[test]
fn environment_and_env_file_give_secrets_of_an_account_by_its_name() {
    let world = World::with_toml(&account_with(""));
    world.file("cwd/.env", "REPLYD_ACCOUNT_SALES_PASSWORD='from .env'\n");
    assert_eq!(imap_password(&world), "from .env");
    let world = world.var("REPLYD_ACCOUNT_SALES_IMAP_PASSWORD", "from the environment");
    assert_eq!(imap_password(&world), "from the environment");
    assert_eq!(smtp_password(&world), "from .env");
    let world = world.var("REPLYD_ACCOUNT_SALES_SMTP_PASSWORD_FILE", "smtp-secret");
    world.file("cwd/smtp-secret", "from a file");
    assert_eq!(smtp_password(&world), "from a file");
}

#[test]
fn a_stronger_source_replaces_a_secret_given_in_another_way() {
    let world = World::with_toml(&account_with("password_file = \"none\""))
        .var("REPLYD_ACCOUNT_SALES_PASSWORD", "x");
    assert_eq!(imap_password(&world), "x");
}

#[test]
fn two_secrets_in_one_place_are_an_error() {
    let world = World::with_toml(&account_with("password = \"a\"\npassword_file = \"b\""));
    assert_has(
        &world.error(),
        &[
            "replyd.toml:6",
            "besides accounts[sales].password",
            "Keep one",
        ],
    );
}

#[test]
fn a_token_is_kept_as_a_file_and_goes_with_xoauth2_only() {
    let world = World::with_toml(&account_with(
        "token_file = \"token\"\nimap.auth = \"xoauth2\"",
    ));
    let token = world.file("cwd/token", "ya29.x\n");
    assert_eq!(imap_password(&world), format!("token {}", token.display()));
    let wrong = World::with_toml(&account_with(
        "token_file = \"token\"\nimap.auth = \"plain\"",
    ));
    wrong.file("cwd/token", "ya29.x\n");
    assert_has(
        &wrong.error(),
        &["accounts[sales].token_file", "takes a password"],
    );
    let wrong = World::with_toml(&account_with("password = \"x\"\nimap.auth = \"xoauth2\""));
    assert_has(
        &wrong.error(),
        &["accounts[sales].password", "takes a token"],
    );
}

#[test]
fn the_shared_smtp_user_is_never_used_with_an_accounts_own_secret() {
    let toml = format!("{ACCOUNT}\n[smtp]\nuser = \"relay\"\n");
    let world = World::with_toml(&toml);
    assert_has(
        &world.error(),
        &[
            "smtp.password",
            "the secret is missing",
            "REPLYD_SMTP_PASSWORD",
        ],
    );
    let world = world.var("REPLYD_SMTP_PASSWORD", "of the relay");
    assert_eq!(smtp_password(&world), "of the relay");
    assert_eq!(imap_password(&world), "hunter2");
}

#[test]
fn a_missing_secret_names_every_way_to_give_it() {
    let world = World::with_toml(&account_with(""));
    assert_has(
        &world.error(),
        &[
            "replyd.toml:2: accounts[sales].imap.password: the secret is missing",
            "imap.password_file",
            "REPLYD_ACCOUNT_SALES_IMAP_PASSWORD",
            "systemd credential replyd.sales.imap-password",
        ],
    );
}

#[test]
fn bad_secret_files_are_errors_that_name_the_file() {
    let world = World::with_toml(&account_with("password_file = \"secret\""));
    assert_has(
        &world.error(),
        &["replyd.toml:5", "cannot read", "cwd/secret"],
    );
    for (text, what) in [
        ("", "it is empty"),
        ("\n", "it is empty"),
        ("a\nb\n", "line breaks"),
    ] {
        world.file("cwd/secret", text);
        assert_has(
            &world.error(),
            &["accounts[sales].password_file", "cwd/secret", what],
        );
    }
}

#[test]
fn files_with_secrets_that_everybody_can_read_get_a_warning() {
    let world = World::with_toml(&account_with("password_file = \"secret\""));
    let path = world.file("cwd/secret", "x");
    let warnings = |world: &World| -> Vec<String> {
        world
            .loaded()
            .notes
            .iter()
            .filter(|n| n.warning)
            .map(|n| n.text.clone())
            .collect()
    };
    assert!(warnings(&world).is_empty());
    let all = fs::Permissions::from_mode(0o644);
    fs::set_permissions(&path, all.clone()).unwrap();
    assert_eq!(warnings(&world).len(), 1, "once, although for two servers");
    assert_has(&warnings(&world)[0], &["cwd/secret", "chmod o="]);

    let world = World::with_toml(ACCOUNT);
    fs::set_permissions(world.path("cwd/replyd.toml"), all.clone()).unwrap();
    assert_has(&warnings(&world)[0], &["replyd.toml holds a secret"]);

    let world = World::with_env_file("IMAP_USER=a@example.com\nIMAP_PASSWORD=x\n");
    fs::set_permissions(world.path("cwd/.env"), all).unwrap();
    assert_has(&warnings(&world)[0], &[".env holds a secret"]);
}

#[test]
fn secrets_are_in_no_debug_output_no_report_and_no_error() {
    const SECRET: &str = "hunter2";
    let env = "EMAIL_HOST_USER=a@example.com\nEMAIL_HOST_PASSWORD=hunter2\n";
    let world = World::with_toml(ACCOUNT).var("REPLYD_ACCOUNT_SALES_SMTP_PASSWORD", SECRET);
    world.file("cwd/.env", env);
    let loaded = world.load();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    config_check(&loaded, &mut out, &mut err).unwrap();
    let report = String::from_utf8(out).unwrap();
    assert_has(&report, &["accounts[sales].imap.password", "= set"]);
    for text in [
        report,
        format!("{loaded:?}"),
        format!("{:?}", world.sources()),
    ] {
        assert!(!text.contains(SECRET), "{text}");
    }

    // Whatever is wrong around a secret, no message shows it.
    let key = "password = \"hunter2\"";
    for wrong in [
        "password = \"hunter2",
        "password = hunter2",
        "pasword = \"hunter2\"",
        "password = [\"hunter2\"]",
        "password = { hunter2 = 1 }",
        "password = \"hunter2\\n\"",
        "password = \"hunter2\"\npassword = \"hunter2\"",
        "user = \"x\"\npassword_credential = \"../x\"",
    ] {
        let error = World::with_toml(&ACCOUNT.replace(key, wrong)).error();
        assert!(!error.contains(SECRET), "{wrong}: {error}");
        assert_has(&error, &["replyd.toml:"]);
    }
    for wrong in [
        "IMAP_PASSWORD=\"hunter2\n",
        "REPLYD_PASSWORD=hunter2\n",
        "hunter2\n",
    ] {
        let error = World::with_env_file(&format!("IMAP_USER=me@example.com\n{wrong}")).error();
        assert!(!error.contains(SECRET), "{wrong}: {error}");
    }
}

#[test]
fn keys_of_message_ids_may_be_a_credential() {
    let world = World::with_toml(ACCOUNT);
    let keys = world.file("creds/replyd.keys", "k");
    assert_eq!(world.settings().keys_credential, None);
    let folder = world.path("creds").to_str().unwrap().to_owned();
    assert_eq!(
        world
            .var("CREDENTIALS_DIRECTORY", &folder)
            .settings()
            .keys_credential,
        Some(keys)
    );
}
