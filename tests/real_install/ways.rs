//! Ways of signing in, from `replyd setup` to the answered reply: OAuth2, and a change of password.

use crate::common::dovecot::PASSWORD;
use crate::common::scenario::DESK;
use crate::common::token_server::{CLIENT_ID, CLIENT_SECRET, TokenServer, browse};
use crate::common::wait_for;
use crate::scene::Scene;
use crate::setup::with_the_program;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

#[test]
fn an_account_by_oauth2_is_set_up_by_flags_and_signed_in_from_a_root_shell() {
    let scene = with_the_program(Scene::with_tokens(KEY));
    let root = &scene.root;
    let tokens = TokenServer::start(DESK, KEY);
    let (auth, token) = (tokens.url("authorize"), tokens.url("token"));
    let flags = scene.flags();
    let mut line = vec![crate::setup::BUILT, "setup"];
    line.extend(flags.iter().map(String::as_str));
    line.extend(["--sign-in", "oauth", "--client-id", CLIENT_ID]);
    line.extend(["--client-secret-file", "-", "--auth-url", &auth]);
    line.extend([
        "--token-url",
        &token,
        "--scope",
        "mail",
        "--scope",
        "offline_access",
    ]);
    let mut print = line.clone();
    print.push("--print");
    let secret = format!("{CLIENT_SECRET}\n");
    let shown = root.shell_with(&print, &secret).code(0);
    assert!(shown.contains("provider = \"custom\""), "{shown}");
    assert!(!shown.contains(CLIENT_SECRET), "{shown}");
    assert!(!root.at("/etc/replyd").exists());

    let said = root.shell_with(&line, &secret).code(0);
    assert!(said.contains("replyd auth login desk"), "{said}");
    assert!(!said.contains(CLIENT_SECRET), "{said}");
    scene.assert_settings_are_protected();
    let settings = std::fs::read_to_string(root.at("/etc/replyd/replyd.toml")).unwrap();
    assert!(!settings.contains(CLIENT_SECRET), "{settings}");
    scene.lift_the_sign_in_limit();

    // Nobody has signed in: said so, with the command that does.
    let ended = root.replyd(&["doctor"]);
    assert!(
        ended
            .out
            .contains("oauth-login-needed: Run `replyd auth login"),
        "{ended:?}"
    );
    ended.code(2);
    let login = root.start_shell(&["replyd", "auth", "login", "desk"]);
    let address = wait_for("the page of consent", || {
        let log = login.log();
        let found = log.lines().find(|l| l.trim().starts_with(&auth));
        found.map(|l| l.trim().to_owned())
    });
    let (_, location, _) = browse(&address);
    let (_, _, page) = browse(&location.expect("The page sends the browser back"));
    assert!(page.contains("Signed in"), "{page}");
    login.wait();
    scene.assert_state_is_the_services();

    root.replyd(&["doctor"]).code(0);
    root.replyd(&["leads", "import", "leads.csv"]).code(0);
    root.replyd(&["sent", "import", "sent.csv"]).code(0);
    let mut service = root.start_service(&[]);
    scene.wait_until_live(&mut service);
    scene.lead_answers();
    let mails = scene.host.wait_for_mails(&scene.lead.address, 1);
    assert!(
        mails[0].contains("Auto-Submitted: auto-replied"),
        "{mails:?}"
    );
    root.replyd(&["auth", "status"]).code(0);
    service.stop();
    scene.assert_state_is_the_services();
}

#[test]
fn a_new_password_is_set_up_again_and_the_old_one_is_told_apart() {
    let scene = with_the_program(Scene::new());
    let root = &scene.root;
    scene
        .setup(crate::setup::BUILT, &[], &Scene::password())
        .code(0);
    scene.lift_the_sign_in_limit();
    root.replyd(&["check"]).code(0);

    // The provider has another one from now on.
    scene.host.dovecot.set_password(DESK, "another one");
    root.replyd(&["check"]).code(2);
    let settings = std::fs::read_to_string(root.at("/etc/replyd/replyd.toml")).unwrap();
    let again = |password: &str| {
        let line = ["replyd", "setup", "--address", DESK, "--password-file", "-"];
        root.shell_with(&line, &format!("{password}\n"))
    };
    let refused = again(PASSWORD);
    assert!(refused.err.contains("wrong-password: IMAP"), "{refused:?}");
    assert!(refused.err.contains("nothing was written"), "{refused:?}");
    refused.code(2);

    // Nothing but the secret changes, and what was refused is tried at once.
    again("another one").code(0);
    let now = std::fs::read_to_string(root.at("/etc/replyd/replyd.toml")).unwrap();
    assert_eq!(now, settings);
    let secret = std::fs::read_to_string(root.at("/etc/replyd/desk.password")).unwrap();
    assert_eq!(secret, "another one\n");
    scene.assert_settings_are_protected();
    root.replyd(&["check"]).code(0);

    // To another file of the operator's own: where the service cannot read it, setup says so.
    root.put("/etc/mail-secret", "another one\n", 0o644);
    let command = "cat /etc/mail-secret";
    let line = [
        "replyd",
        "setup",
        "--address",
        DESK,
        "--password-command",
        command,
    ];
    root.shell(&line).code(0);
    let now = std::fs::read_to_string(root.at("/etc/replyd/replyd.toml")).unwrap();
    assert!(now.contains("password_command"), "{now}");
    assert!(!now.contains("password_file"), "{now}");
    root.replyd(&["check"]).code(0);
}
