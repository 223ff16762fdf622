//! Before the sign-in: odd greetings, STARTTLS with something slipped in, certificates that
//! nobody vouches for. Nothing secret is sent on such a connection.

use replyd_sandbox::faults::{ImapFault, Times, Who};
use replyd_sandbox::{Sandbox, Verb};

use crate::scene::{PASSWORD, PUSH, Scene, Setup, address, each};

struct Row {
    fault: Option<ImapFault>,
    starttls: bool,
    reason: &'static str,
    /// It heals when the fault goes; a wrong certificate does not.
    heals: bool,
}

fn row(fault: ImapFault, starttls: bool, reason: &'static str) -> Row {
    Row {
        fault: Some(fault),
        starttls,
        reason,
        heals: true,
    }
}

fn greeting(line: &str) -> ImapFault {
    ImapFault::Greeting(line.as_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_in_to_before_a_good_greeting_and_clean_tls() {
    let injection = ImapFault::InjectBeforeTls(b"* OK [ALERT] injected\r\n".to_vec());
    let rows = vec![
        (
            "greeting-closed",
            row(
                ImapFault::CloseAtGreeting,
                false,
                "closed by the server during greeting",
            ),
        ),
        (
            "greeting-bye",
            row(
                greeting("* BYE Overloaded"),
                false,
                "ended the connection during greeting: Overloaded",
            ),
        ),
        (
            "greeting-no",
            row(greeting("* NO Not you"), false, "answered NO to greeting"),
        ),
        (
            "greeting-of-http",
            row(
                greeting("HTTP/1.1 400 Bad Request"),
                false,
                "cannot be parsed during greeting",
            ),
        ),
        (
            "greeting-preauth",
            row(
                greeting("* PREAUTH Welcome, whoever you are"),
                false,
                "EXAMINE",
            ),
        ),
        (
            "starttls-injection",
            row(injection, true, "data arrived ahead of the TLS handshake"),
        ),
        (
            "starttls-not-offered",
            row(
                ImapFault::Hide("STARTTLS".into()),
                true,
                "offers no STARTTLS",
            ),
        ),
        (
            "starttls-preauth",
            row(
                greeting("* PREAUTH Welcome"),
                true,
                "signs us in before TLS (PREAUTH)",
            ),
        ),
        (
            "certificate-of-nobody",
            Row {
                fault: None,
                starttls: false,
                reason: "TLS failed during TLS handshake",
                heals: false,
            },
        ),
    ];
    let mut setup = Setup::new(PUSH);
    let mut servers = Vec::new();
    // A fault before the sign-in meets every session of a server: each row has its own.
    for (account, row) in &rows {
        let server = Sandbox::start(setup.options.clone()).await.unwrap();
        server.add_user(&address(account), PASSWORD);
        let (port, security) = if row.starttls {
            (server.imap_starttls_addr().port(), "starttls")
        } else {
            (server.imap_addr().port(), "tls")
        };
        setup.servers.insert(account, (port, security));
        if row.heals {
            setup.more_ca.push_str(server.ca_pem());
        }
        servers.push(server);
    }
    let accounts: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let scene = Scene::new(setup, &accounts).await;
    let faults: Vec<_> = servers
        .iter()
        .zip(&rows)
        .map(|(server, (_, row))| {
            let fault = row.fault.clone()?;
            Some(server.faults().add(Who::All, Times::Always, fault))
        })
        .collect();
    scene.run().await;
    let rows = rows.into_iter().zip(servers.into_iter().zip(faults));
    let rows = rows.map(|((name, row), (server, fault))| (name, (row, server, fault)));
    each(
        &scene,
        rows,
        |scene, account, (row, server, fault)| async move {
            scene.was(account, "down", row.reason).await;
            let stats = server.stats();
            assert_eq!(
                stats.imap(Verb::Authenticate) + stats.imap(Verb::Login),
                0,
                "{account}"
            );
            let Some(fault) = fault else { return };
            server.faults().remove(fault);
            server
                .wait_for_idle(&address(account), 1, crate::scene::PATIENCE)
                .await
                .unwrap_or_else(|e| panic!("{account}: {e}"));
            let (id, raw) = scene.next_reply(account, &crate::scene::wish());
            server
                .deliver(&address(account), "INBOX", raw.as_bytes(), None)
                .unwrap();
            scene.expect(account, &id);
            scene.captured(account, &id).await;
        },
    )
    .await;
    scene.finish().await;
}
