//! OAuth2 tables, and secrets that commands print.

use replyd::config::{
    AuthMechanism, ClientAuth, ClientSecret, Credential, Need, OAuthSettings, Provider,
    SecretCommand, Settings, config_check,
};
use secrecy::ExposeSecret;

use crate::{ACCOUNT, World, assert_has};

/// The account with these lines instead of its password.
fn account_with(lines: &str) -> World {
    World::with_toml(&ACCOUNT.replace("password = \"hunter2\"", lines))
}

fn oauth(world: &World) -> OAuthSettings {
    match &world.settings().accounts[0].imap.credential {
        Credential::OAuth(settings) => OAuthSettings::clone(settings),
        other => panic!("{other:?}"),
    }
}

fn client_secret(settings: &OAuthSettings) -> String {
    match &settings.client_secret {
        Some(ClientSecret::Text(text)) => text.expose_secret().to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn google_and_microsoft_need_a_client_and_nothing_else() {
    let world =
        account_with("oauth = { provider = \"google\", client_id = \"g\", client_secret = \"s\" }");
    let google = oauth(&world);
    assert_eq!(google.provider, Provider::Google);
    assert_eq!(google.scopes, ["https://mail.google.com/"]);
    assert_eq!(google.token_url, "https://oauth2.googleapis.com/token");
    assert_eq!(
        google.device_url, None,
        "Google grants no mail by device code"
    );
    assert_eq!(google.client_auth, ClientAuth::Post);
    assert_eq!(client_secret(&google), "s");
    assert!(matches!(
        world.settings().accounts[0].smtp.credential,
        Some(Credential::OAuth(_))
    ));

    let microsoft = oauth(&account_with(
        "oauth.provider = \"microsoft\"\noauth.client_id = \"m\"\noauth.tenant = \"contoso.example\"",
    ));
    assert_eq!(
        microsoft.scopes,
        [
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/SMTP.Send",
            "offline_access"
        ]
    );
    let base = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/";
    assert_eq!(microsoft.token_url, format!("{base}token"));
    assert_eq!(microsoft.auth_url, Some(format!("{base}authorize")));
    assert_eq!(microsoft.device_url, Some(format!("{base}devicecode")));
    assert_eq!(microsoft.redirect_url, "http://localhost");
    assert!(microsoft.client_secret.is_none(), "a public client");
}

#[test]
fn a_custom_issuer_is_given_by_its_addresses() {
    let settings = oauth(&account_with(
        "oauth.provider = \"custom\"\noauth.client_id = \"c\"\noauth.client_auth = \"basic\"\n\
         oauth.client_secret_file = \"secret\"\noauth.scopes = \"mail offline_access\"\n\
         oauth.token_url = \"http://127.0.0.1:9/token\"\noauth.auth_url = \"https://id.example/a\"\n\
         oauth.redirect_url = \"http://localhost/callback\"\noauth.redirect_port = 8399",
    )
    .with("cwd/secret", "from a file\n"));
    assert_eq!(settings.scopes, ["mail", "offline_access"]);
    assert_eq!(settings.client_auth, ClientAuth::Basic);
    assert_eq!(client_secret(&settings), "from a file");
    assert_eq!(settings.redirect_port, Some(8399));
}

#[test]
fn what_is_wrong_with_an_oauth_table_says_what_to_do() {
    let wrong = |lines: &str| account_with(lines).error();
    assert_has(
        &wrong("oauth.client_id = \"x\""),
        &[
            "accounts[sales].oauth.provider",
            "client_id is set",
            "Write provider",
        ],
    );
    assert_has(
        &wrong("oauth.provider = \"gogle\""),
        &[
            "is not one of google, microsoft, custom",
            "Did you mean \"google\"?",
        ],
    );
    assert_has(
        &wrong("oauth.provider = \"google\""),
        &[
            "accounts[sales].oauth.client_id",
            "Register an app",
            "REPLYD_ACCOUNT_SALES_OAUTH_CLIENT_ID",
        ],
    );
    assert_has(
        &wrong("oauth.provider = \"google\"\noauth.client_id = \"x\"\noauth.tenant = \"t\""),
        &["oauth.tenant", "google has no tenants"],
    );
    assert_has(
        &wrong("oauth.provider = \"microsoft\"\noauth.client_id = \"x\"\noauth.tenant = \"a/b\""),
        &["\"a/b\" is no tenant", "Directory (tenant) ID"],
    );
    let custom = "oauth.provider = \"custom\"\noauth.client_id = \"x\"\n";
    assert_has(
        &wrong(custom),
        &["oauth.token_url", "the token server is missing"],
    );
    let url = |url: &str| format!("{custom}oauth.token_url = \"{url}\"");
    assert_has(
        &wrong(&url("https://id.example/token")),
        &["oauth.auth_url", "neither auth_url nor device_url"],
    );
    assert_has(
        &wrong(&url("http://id.example/token")),
        &["oauth.token_url", "write https://"],
    );
    let redirect = |to: &str| {
        format!(
            "oauth.provider = \"google\"\noauth.client_id = \"x\"\noauth.redirect_url = \"{to}\""
        )
    };
    assert_has(
        &wrong(&redirect("https://app.example/")),
        &["does not lead to this machine"],
    );
    assert_has(
        &wrong(&redirect("http://127.0.0.1:8399/")),
        &["redirect_port"],
    );
    assert_has(
        &wrong("oauth.provider = \"google\"\noauth.client_id = \"x\"\nimap.auth = \"plain\""),
        &["takes a password, not a token"],
    );
    assert_has(
        &wrong("oauth.provider = \"google\"\noauth.client_id = \"x\"\npassword = \"hunter2\""),
        &[
            "accounts[sales].oauth.provider",
            "besides accounts[sales].password",
        ],
    );
    assert_has(
        &wrong(
            "oauth.provider = \"google\"\noauth.client_id = \"x\"\n\
             oauth.client_secret = \"a\"\noauth.client_secret_file = \"b\"",
        ),
        &["client_secret_file", "Keep one"],
    );
}

#[test]
fn a_secret_of_one_server_goes_before_the_accounts_oauth() {
    let world = account_with(
        "oauth.provider = \"google\"\noauth.client_id = \"x\"\nsmtp.password = \"of the relay\"",
    );
    let account = &world.settings().accounts[0];
    assert!(matches!(account.imap.credential, Credential::OAuth(_)));
    assert!(matches!(
        account.smtp.credential,
        Some(Credential::Password(_))
    ));
}

#[test]
fn the_accounts_with_oauth_are_known_without_their_secrets() {
    let world = account_with("oauth.provider = \"google\"\noauth.client_secret_file = \"none\"");
    let settings = Settings::load(&world.sources(), Need::Store)
        .unwrap()
        .settings;
    assert_eq!(settings.oauth_accounts, ["sales"]);
    assert!(settings.accounts.is_empty());
    let world = World::with_toml(ACCOUNT);
    assert!(world.settings().oauth_accounts.is_empty());
}

#[test]
fn the_clients_secret_may_be_a_systemd_credential() {
    let world = account_with("oauth.provider = \"google\"\noauth.client_id = \"x\"");
    let folder = world.path("creds").to_str().unwrap().to_owned();
    let world = world.var("CREDENTIALS_DIRECTORY", &folder);
    for name in [
        "replyd.oauth-client-secret",
        "replyd.sales.oauth-client-secret",
    ] {
        world.file(&format!("creds/{name}"), name);
        assert_eq!(client_secret(&oauth(&world)), name);
    }
}

#[test]
fn commands_are_a_line_for_the_shell_or_a_list_without_one() {
    let imap = |world: &World| world.settings().accounts[0].imap.credential.clone();
    let shell = account_with("password_command = \"pass show mail | head -1\"");
    let Credential::PasswordCommand(SecretCommand::Shell(line)) = imap(&shell) else {
        panic!("no shell");
    };
    assert_eq!(line, "pass show mail | head -1");
    let list = account_with("token_command = [\"oama\", \"access\", \"a b\"]");
    let Credential::TokenCommand(SecretCommand::Program(words)) = imap(&list) else {
        panic!("no program");
    };
    assert_eq!(words, ["oama", "access", "a b"]);
    let by_env = account_with("").var("REPLYD_ACCOUNT_SALES_PASSWORD_COMMAND", "pass a, b");
    assert!(
        matches!(imap(&by_env), Credential::PasswordCommand(SecretCommand::Shell(l)) if l == "pass a, b")
    );

    for wrong in ["[]", "[\"\"]", "\"\"", "7"] {
        let error = account_with(&format!("password_command = {wrong}")).error();
        assert_has(&error, &["accounts[sales].password_command"]);
    }
    assert_has(
        &account_with("token_command = \"x\"\nsmtp.auth = \"login\"").error(),
        &["token_command", "takes a password"],
    );
    assert_has(
        &account_with("password_command = \"x\"\nimap.auth = \"oauthbearer\"").error(),
        &["password_command", "takes a token"],
    );
    assert_has(
        &account_with("password_command = \"x\"\ntoken_command = \"y\"").error(),
        &["token_command", "besides accounts[sales].password_command"],
    );
}

#[test]
fn looking_at_the_settings_runs_no_command_and_shows_none() {
    let world = account_with("password_command = \"touch ran; echo hunter2\"");
    let loaded = world.load();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    config_check(&loaded, &mut out, &mut err).unwrap();
    let report = String::from_utf8(out).unwrap();
    assert_has(
        &report,
        &["accounts[sales].imap.password", "= set by a command"],
    );
    assert!(!format!("{report}{loaded:?}").contains("hunter2"));
    assert!(!world.path("cwd/ran").exists());
}

#[test]
fn oauthbearer_is_a_mechanism() {
    let world = account_with(
        "oauth.provider = \"google\"\noauth.client_id = \"x\"\n\
         imap.auth = \"oauthbearer\"\nsmtp.auth = \"xoauth2\"",
    );
    let account = &world.settings().accounts[0];
    assert_eq!(account.imap.auth, AuthMechanism::OAuthBearer);
    assert_eq!(account.smtp.auth, AuthMechanism::XOAuth2);
}

#[test]
fn the_report_of_an_oauth_account_shows_each_value_once_and_no_secret() {
    let world = account_with(
        "oauth.provider = \"google\"\noauth.client_id = \"x\"\noauth.client_secret = \"hunter2\"",
    );
    let loaded = world.load();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    config_check(&loaded, &mut out, &mut err).unwrap();
    let report = String::from_utf8(out).unwrap();
    for key in [
        "provider",
        "client_id",
        "client_secret",
        "token_url",
        "scopes",
    ] {
        let key = format!("accounts[sales].oauth.{key} ");
        assert_eq!(report.matches(&key).count(), 1, "{key}\n{report}");
    }
    assert_has(&report, &["# provider google", "= by OAuth2"]);
    assert!(!format!("{report}{loaded:?}").contains("hunter2"));
}
