//! The client by itself.

use std::time::{Duration, Instant};

use replyd::assistant::opinion::{Invalid, Opinion, Question};
use replyd::assistant::wire::Unreadable;
use replyd::assistant::words::Material;
use replyd::assistant::{AskError, Assistant, Said};
use replyd::config::{ClientSecret, ModelSettings, SecretCommand};
use replyd::http::HttpError;
use replyd::model::{Dialect, EndpointState, GoalType, Intent};
use replyd::time::now;
use replyd::tls::TlsRoots;

use super::server::{Act, Request, Server, label, words};

fn settings(url: String) -> ModelSettings {
    ModelSettings {
        base_url: url,
        model: "tiny".into(),
        api_key: None,
        classify: true,
        word: true,
        timeout: Duration::from_secs(60),
        answer_timeout: Duration::from_secs(60),
        max_tokens: 200,
        ca_file: None,
    }
}

fn assistant(server: &Server) -> Assistant {
    Assistant::new(settings(server.url()), TlsRoots::default())
}

fn impatient(server: &Server) -> Assistant {
    let settings = ModelSettings {
        timeout: Duration::from_millis(300),
        ..settings(server.url())
    };
    Assistant::new(settings, TlsRoots::default())
}

fn question() -> Question {
    Question {
        reply: "Can I see it?".into(),
        subject: "Re: Homes".into(),
        our_last_mail: String::new(),
    }
}

async fn ask(assistant: &Assistant) -> Result<Said<Opinion>, AskError> {
    assistant.opinion(&question()).await
}

fn state(assistant: &Assistant) -> EndpointState {
    assistant.take_changes().expect("Something was learned")
}

#[tokio::test]
async fn the_answer_is_a_label_with_its_model() {
    let server = Server::new(|_, _| label("goal_reached", 1.0));
    let said = ask(&assistant(&server)).await.unwrap();
    let want = Opinion {
        intent: Intent::GoalReached,
        confidence: 0.9,
        goal_type: Some(GoalType::Viewing),
    };
    assert_eq!((said.what, said.model.as_str()), (want, "tiny-1.0"));
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/v1/chat/completions");
    assert_eq!(asked[0].authorization, None);
    assert_eq!(asked[0].body["temperature"], 0);
    assert_eq!(asked[0].body["model"], "tiny");
    assert_eq!(asked[0].format(), "json_schema");
    assert_eq!(asked[0].data()["reply"], "Can I see it?");
}

/// Refuses the formats that it does not know, as servers do.
fn only(known: &'static [&'static str]) -> impl Fn(usize, &Request) -> Act {
    move |_, request| {
        if known.contains(&request.format()) {
            let text = r#"Here you are: {"intent":"question","confidence":0.8,"goal_type":"none"}"#;
            Act::Say(text.into())
        } else {
            let error = r#"{"error":{"message":"either json_schema or grammar"}}"#;
            Act::Status(400, String::new(), error.into())
        }
    }
}

#[tokio::test]
async fn each_dialect_is_found_and_remembered() {
    for (known, dialect, first) in [
        (
            &["json_schema", "json_object", ""][..],
            Dialect::JsonSchema,
            1,
        ),
        (&["json_object", ""][..], Dialect::JsonObject, 2),
        (&[""][..], Dialect::Text, 3),
    ] {
        let server = Server::new(only(known));
        let assistant = assistant(&server);
        assert_eq!(ask(&assistant).await.unwrap().what.intent, Intent::Question);
        assert_eq!(server.asked().len(), first, "{dialect}");
        let learned = state(&assistant);
        assert_eq!(learned.dialect, dialect);
        ask(&assistant).await.unwrap();
        assert_eq!(server.asked().len(), first + 1, "{dialect} was remembered");
        // By another process, too.
        let other = self::assistant(&server);
        other.restore(learned.clone());
        ask(&other).await.unwrap();
        assert_eq!(server.asked().len(), first + 2);
        // After an hour the best is tried again.
        let old = EndpointState {
            dialect_at: Some(now().minus(Duration::from_secs(3601))),
            ..learned
        };
        let later = self::assistant(&server);
        later.restore(old);
        ask(&later).await.unwrap();
        assert_eq!(server.asked().len(), first + 2 + first);
        // In the lower dialects the prompt has the schema.
        let system = |r: &Request| r.body["messages"][0]["content"].to_string();
        for request in server.asked() {
            let in_prompt = system(&request).contains("additionalProperties");
            assert_eq!(in_prompt, request.format() != "json_schema");
        }
    }
}

#[tokio::test]
async fn a_server_that_takes_the_schema_and_ignores_it_is_asked_in_another_way() {
    let server = Server::new(|_, request| match request.format() {
        "json_schema" => Act::Say("The writer asks a question.".into()),
        _ => label("question", 0.8),
    });
    let assistant = assistant(&server);
    assert_eq!(ask(&assistant).await.unwrap().what.intent, Intent::Question);
    assert_eq!(state(&assistant).dialect, Dialect::JsonObject);
}

#[tokio::test]
async fn parameters_of_newer_models_are_learned() {
    let server = Server::new(|_, request| {
        let refuse = |what: &str| {
            let error = format!(r#"{{"error":{{"message":"{what}"}}}}"#);
            Act::Status(400, String::new(), error)
        };
        if request.body.get("max_tokens").is_some() {
            refuse("'max_tokens' is not supported: use 'max_completion_tokens'")
        } else if request.body.get("temperature").is_some() {
            refuse("'temperature' does not support 0")
        } else {
            label("question", 0.8)
        }
    });
    let assistant = assistant(&server);
    ask(&assistant).await.unwrap();
    assert_eq!(server.asked().len(), 3);
    let learned = state(&assistant);
    assert!(learned.completion_tokens && learned.no_temperature);
    assert_eq!(learned.dialect, Dialect::JsonSchema);
    ask(&assistant).await.unwrap();
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn what_passes_is_tried_once_more_and_no_oftener() {
    for status in [429, 500, 502, 503] {
        let server = Server::new(move |n, _| match n {
            0 => Act::Status(status, String::new(), "{}".into()),
            _ => label("question", 0.8),
        });
        ask(&assistant(&server)).await.unwrap();
        assert_eq!(server.asked().len(), 2, "{status}");
        let server = Server::new(move |_, _| Act::Status(status, String::new(), "{}".into()));
        let error = ask(&assistant(&server)).await.unwrap_err();
        assert!(matches!(error, AskError::Status { code, .. } if code == status));
        assert_eq!(server.asked().len(), 2, "{status}");
    }
    let server = Server::new(|n, _| {
        if n == 0 {
            Act::Close
        } else {
            label("question", 0.8)
        }
    });
    ask(&assistant(&server)).await.unwrap();
    for status in [401, 403, 404] {
        let server = Server::new(move |_, _| Act::Status(status, String::new(), "{}".into()));
        ask(&assistant(&server)).await.unwrap_err();
        assert_eq!(server.asked().len(), 1, "{status} does not pass");
    }
}

#[tokio::test]
async fn a_retry_after_beyond_the_time_is_not_waited_for_but_kept() {
    let server = Server::new(|_, _| Act::Status(429, "retry-after: 600\r\n".into(), "{}".into()));
    let assistant = assistant(&server);
    let began = Instant::now();
    ask(&assistant).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(server.asked().len(), 1);
    let wait = state(&assistant).open_until.unwrap().since(now());
    assert!(wait > Duration::from_secs(500), "{wait:?}");
    let error = ask(&assistant).await.unwrap_err();
    assert!(matches!(error, AskError::LeftAlone(_)));
    assert_eq!(server.asked().len(), 1, "left alone");
}

#[tokio::test]
async fn slow_dripping_cut_huge_and_wrong_answers_end_in_an_error_in_time() {
    type Want = fn(&AskError) -> bool;
    let cases: [(Act, Want); 15] = [
        (Act::Hold, |e| {
            matches!(
                e,
                AskError::Late | AskError::Http(HttpError::Network { .. })
            )
        }),
        (Act::Drip, |e| {
            matches!(
                e,
                AskError::Late | AskError::Http(HttpError::Network { .. })
            )
        }),
        (Act::Cut, |e| {
            matches!(e, AskError::Http(HttpError::Network { .. }))
        }),
        (Act::Huge(8 << 20), |e| {
            matches!(e, AskError::Http(HttpError::TooLarge(_)))
        }),
        (Act::Body(b"<html>".to_vec()), |e| {
            matches!(e, AskError::Unreadable(Unreadable::NoCompletion))
        }),
        (Act::Body(vec![0xff; 100]), |e| {
            matches!(e, AskError::Unreadable(Unreadable::NoCompletion))
        }),
        (Act::Body(b"{\"choices\":[]}".to_vec()), |e| {
            matches!(e, AskError::Unreadable(Unreadable::NoCompletion))
        }),
        (Act::Say("no object".into()), |e| {
            matches!(e, AskError::Unreadable(Unreadable::NoObject))
        }),
        (label("send_the_documents", 1.0), |e| {
            matches!(e, AskError::Invalid(Invalid::Intent))
        }),
        (label("question", 7.0), |e| {
            matches!(e, AskError::Invalid(Invalid::Confidence))
        }),
        (
            Act::Say(r#"{"intent":"question","confidence":1,"goal_type":"viewing"}"#.into()),
            |e| matches!(e, AskError::Invalid(Invalid::GoalType)),
        ),
        (Act::Say(r#"{"to":"attacker@evil.example"}"#.into()), |e| {
            matches!(e, AskError::Invalid(Invalid::Shape))
        }),
        (Act::Say("[".repeat(200_000)), |e| {
            matches!(e, AskError::Unreadable(_))
        }),
        (Act::Say(r#"{"a":"#.repeat(4000)), |e| {
            matches!(e, AskError::Unreadable(_))
        }),
        (
            Act::Status(
                302,
                "location: http://127.0.0.1:1/\r\n".into(),
                String::new(),
            ),
            |e| matches!(e, AskError::Status { code: 302, .. }),
        ),
    ];
    for (act, want) in cases {
        let slow = matches!(act, Act::Hold | Act::Drip);
        let played = act.clone();
        let server = Server::new(move |_, _| played.clone());
        let assistant = if slow {
            impatient(&server)
        } else {
            assistant(&server)
        };
        let began = Instant::now();
        let error = ask(&assistant).await.unwrap_err();
        let shown: String = format!("{act:?}").chars().take(80).collect();
        assert!(want(&error), "{shown}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{shown}");
        let text = error.to_string();
        assert!(
            !text.contains("attacker") && !text.contains("send_the"),
            "{text}"
        );
        server.let_go();
    }
}

#[tokio::test]
async fn after_three_failures_it_is_left_alone_and_one_request_tries_it() {
    let server = Server::new(|n, _| match n {
        0..=3 => Act::Say("nonsense {}".into()),
        _ => label("question", 0.8),
    });
    let assistant = assistant(&server);
    for _ in 0..3 {
        ask(&assistant).await.unwrap_err();
    }
    assert_eq!(server.asked().len(), 3);
    let left = ask(&assistant).await.unwrap_err();
    assert!(matches!(left, AskError::LeftAlone(_)), "{left}");
    assert_eq!(server.asked().len(), 3);
    let learned = state(&assistant);
    assert_eq!(learned.failures, 3);
    // A minute later one request goes out; it fails, and it is left alone again.
    let later = |learned: EndpointState| {
        let assistant = self::assistant(&server);
        assistant.restore(EndpointState {
            open_until: Some(now().minus(Duration::from_secs(1))),
            ..learned
        });
        assistant
    };
    let again = later(learned);
    ask(&again).await.unwrap_err();
    assert!(matches!(ask(&again).await, Err(AskError::LeftAlone(_))));
    assert_eq!(server.asked().len(), 4);
    let back = later(state(&again));
    ask(&back).await.unwrap();
    ask(&back).await.unwrap();
    assert_eq!(state(&back).failures, 0);
}

#[tokio::test]
async fn a_server_on_this_machine_gets_one_request_at_a_time() {
    let server = Server::new(|_, _| {
        std::thread::park_timeout(Duration::from_millis(30));
        label("question", 0.8)
    });
    let assistant = assistant(&server);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let assistant = assistant.clone();
        tasks.spawn(async move { assistant.opinion(&question()).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!((server.asked().len(), server.most()), (6, 1));
}

#[tokio::test]
async fn who_waits_too_long_for_its_turn_goes_without_and_that_is_no_failure() {
    let server = Server::new(|_, _| Act::Hold);
    let assistant = impatient(&server);
    let both = tokio::join!(ask(&assistant), ask(&assistant));
    let errors = [both.0.unwrap_err(), both.1.unwrap_err()];
    assert!(errors.contains(&AskError::Busy), "{errors:?}");
    assert_eq!(state(&assistant).failures, 1);
    server.let_go();
}

#[tokio::test]
async fn the_key_is_sent_and_never_shown() {
    let key = "sk-very-secret-1";
    let server = Server::new(|_, request| {
        let key = request.authorization.clone().unwrap_or_default();
        // Some servers repeat it.
        Act::Status(
            401,
            String::new(),
            format!(r#"{{"error":{{"message":"bad key {key}"}}}}"#),
        )
    });
    let assistant = Assistant::new(
        ModelSettings {
            api_key: Some(ClientSecret::Text(key.to_owned().into())),
            ..settings(server.url())
        },
        TlsRoots::default(),
    );
    let error = ask(&assistant).await.unwrap_err();
    let trial = assistant.trial().await.unwrap_err();
    assert!(matches!(trial, AskError::Status { code: 401, .. }));
    assert_eq!(
        server.asked()[0].authorization.as_deref(),
        Some("Bearer sk-very-secret-1")
    );
    let shown = format!("{error} {error:?} {trial} {trial:?} {assistant:?}");
    assert!(!shown.contains(key), "{shown}");
}

#[tokio::test]
async fn a_key_by_command_is_run_again_when_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("n");
    let line = format!("echo x >> {0}; wc -l < {0}", file.display());
    let server = Server::new(|_, request| match request.authorization.as_deref() {
        Some("Bearer 1") => Act::Status(401, String::new(), "{}".into()),
        _ => label("question", 0.8),
    });
    let assistant = Assistant::new(
        ModelSettings {
            api_key: Some(ClientSecret::Command(SecretCommand::Shell(line))),
            ..settings(server.url())
        },
        TlsRoots::default(),
    );
    ask(&assistant).await.unwrap();
    ask(&assistant).await.unwrap();
    let keys: Vec<_> = server
        .asked()
        .into_iter()
        .filter_map(|r| r.authorization)
        .collect();
    assert_eq!(keys, ["Bearer 1", "Bearer 2", "Bearer 2"]);
}

#[tokio::test]
async fn nobody_there_is_an_error_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let assistant = Assistant::new(settings(url), TlsRoots::default());
    let began = Instant::now();
    let error = ask(&assistant).await.unwrap_err();
    assert!(matches!(
        error,
        AskError::Http(HttpError::Network { sent: false, .. })
    ));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn words_are_asked_for_with_the_passages_and_the_questions_alone() {
    let server = Server::new(|_, _| words("Two cats are welcome."));
    let said = assistant(&server)
        .words(&Material {
            questions: vec!["Can I bring a cat?".into()],
            passages: "Two cats are welcome.".into(),
            language: "en".into(),
        })
        .await
        .unwrap();
    assert_eq!(said.what, "Two cats are welcome.");
    let data = server.asked()[0].data();
    let mut keys: Vec<&String> = data.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["language", "passages", "questions"]);
    assert_eq!(server.asked()[0].body["max_tokens"], 600);
}
