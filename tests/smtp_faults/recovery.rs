//! What becomes of a mail in the end: one fault, then a server that does everything right, and the
//! worker that tries for two days. Every mail is sent once, or stands where a person sees it;
//! none is taken by the server twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use replyd::config::Security;
use replyd::store::Settlement;
use replyd::time;

use crate::mailer;
use crate::server::{Act, Script, Server, Step, jump};
use crate::worker::{World, handle, start};

const HOUR: Duration = Duration::from_secs(3600);

/// `act` the first time that `step` is reached.
fn once(step: Step, act: Act) -> Script {
    let first = AtomicBool::new(true);
    Arc::new(move |_, s| {
        if s == step && first.swap(false, Ordering::SeqCst) {
            act.clone()
        } else {
            Act::Right
        }
    })
}

fn refuse(text: &str) -> Act {
    Act::Refuse(text.to_owned())
}

fn close(text: &str) -> Act {
    Act::Close(text.to_owned())
}

/// Every two hours for two days, with a restart in the middle: the state at the end.
async fn tried_for_two_days(server: &Server) -> (String, usize) {
    let world = World::new().await;
    let now = time::now();
    let id = world.queue(1, 1, now).await;
    for day in 0..2_u32 {
        let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
        for n in 0..12 {
            handle(&worker, now.plus(HOUR * (day * 24 + n * 2))).await;
        }
        worker.close().await;
    }
    (world.state(id), server.mails().len())
}

#[tokio::test]
async fn after_one_fault_a_mail_is_sent_once_or_shown() {
    // The bodies that the server read: one that it refused with 4xx after the dot is read twice.
    let table = [
        (Step::Greeting, refuse("421 4.3.2 Too busy"), "sent", 1),
        (Step::Greeting, refuse("554 5.3.2 No service"), "sent", 1),
        (Step::Greeting, close(""), "sent", 1),
        (Step::Ehlo, refuse("450 4.3.2 Later"), "sent", 1),
        (Step::Ehlo, refuse("550 5.7.1 Go away"), "sent", 1),
        (Step::Ehlo, close(""), "sent", 1),
        (Step::Auth, refuse("454 4.7.0 Temporary"), "sent", 1),
        (Step::Auth, refuse("535 5.7.8 Wrong"), "sent", 1),
        (Step::Auth, close(""), "sent", 1),
        (Step::Mail, refuse("451 4.3.0 Try later"), "sent", 1),
        (Step::Mail, refuse("421 4.3.2 Closing"), "sent", 1),
        (Step::Mail, refuse("550 5.1.8 Bad sender"), "rejected", 0),
        (Step::Mail, close(""), "sent", 1),
        (Step::Rcpt, refuse("450 4.2.0 Greylisted"), "sent", 1),
        (Step::Rcpt, refuse("421 4.3.2 Closing"), "sent", 1),
        (Step::Rcpt, refuse("550 5.1.1 No such user"), "rejected", 0),
        (Step::Rcpt, close(""), "sent", 1),
        (Step::Data, refuse("451 4.3.0 Later"), "sent", 1),
        (Step::Data, refuse("554 5.7.1 No"), "rejected", 0),
        (Step::Data, close(""), "sent", 1),
        // Before the body is read whole: it did not arrive.
        (Step::Final, refuse("451 4.7.1 Later"), "sent", 2),
        (Step::Final, refuse("421 4.3.2 Closing"), "sent", 2),
        (Step::Final, refuse("550 5.7.1 Spam"), "rejected", 1),
        // Taken, and nobody was told, or only half of it.
        (Step::Final, close(""), "unknown", 1),
        (Step::Final, Act::Cut(b"250 2.0".to_vec()), "unknown", 1),
        (Step::Final, Act::Cut(b"25".to_vec()), "unknown", 1),
        // Taken and told, and closed after that.
        (Step::Final, close("250 2.0.0 Ok: queued"), "sent", 1),
    ];
    for (step, act, state, bodies) in table {
        let server = Server::start(Security::Plain, once(step, act.clone())).await;
        let found = tried_for_two_days(&server).await;
        assert_eq!(found, (state.to_owned(), bodies), "{step:?} {act:?}");
    }
}

/// A fault that stays: nothing is sent, and nothing is forgotten either.
#[tokio::test]
async fn a_server_that_never_takes_a_mail_leaves_it_where_a_person_sees_it() {
    for step in [
        Step::Greeting,
        Step::Ehlo,
        Step::Auth,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
    ] {
        let act = refuse("451 4.3.0 Later");
        let server = Server::start(Security::Plain, crate::server::at(step, act)).await;
        let (state, bodies) = tried_for_two_days(&server).await;
        assert!(
            ["deferred", "failed", "rejected"].contains(&&*state),
            "{step:?}: {state}"
        );
        assert_eq!(bodies, 0, "{step:?}");
    }
}

#[tokio::test]
async fn replies_that_arrive_in_two_pieces_are_one_reply_at_every_step() {
    let steps = [
        Step::Greeting,
        Step::Ehlo,
        Step::Auth,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
        Step::Final,
    ];
    let halves: Script = Arc::new(|_, s| match s {
        Step::Body | Step::Rset => Act::Right,
        _ => Act::Halves,
    });
    let server = Server::start(Security::Plain, halves).await;
    let world = World::new().await;
    let id = world.queue(1, 1, time::now()).await;
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    let task = tokio::spawn(async move { handle(&worker, time::now()).await });
    for step in steps {
        server.reached(1, step, 1).await;
        assert!(!task.is_finished(), "{step:?}");
    }
    task.await.unwrap().unwrap();
    assert_eq!(
        (world.state(id).as_str(), server.mails().len()),
        ("sent", 1)
    );
}

#[tokio::test]
async fn ten_minutes_of_silence_after_the_final_dot_leave_it_to_a_person_for_good() {
    let server = Server::start(Security::Plain, once(Step::Final, Act::Silent)).await;
    let world = World::new().await;
    let id = world.queue(1, 1, time::now()).await;
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    let task = tokio::spawn(async move { handle(&worker, time::now()).await });
    server.reached(1, Step::Final, 1).await;
    jump(599).await;
    assert!(!task.is_finished());
    jump(2).await;
    task.await.unwrap().unwrap();
    assert_eq!(world.state(id), "unknown");
    let restarted = world.worker(vec![(1, mailer(&server.settings()))]).await;
    assert_eq!(handle(&restarted, time::now().plus(HOUR * 24)).await, None);
    assert_eq!(
        (world.state(id).as_str(), server.mails().len()),
        ("unknown", 1)
    );
}

/// The server closes its doors (421) while replyd stops as well: the mail was refused, is noted
/// so, and goes out once after the next start.
#[tokio::test]
async fn a_421_that_comes_while_replyd_stops_defers_the_mail() {
    for (step, bodies) in [(Step::Mail, 1), (Step::Rcpt, 1), (Step::Final, 2)] {
        let act = Act::RefuseAfter(1, "421 4.3.2 Service shutting down".to_owned());
        let server = Server::start(Security::Plain, once(step, act)).await;
        let world = World::new().await;
        let id = world.queue(1, 1, time::now()).await;
        let running = start(world.worker(vec![(1, mailer(&server.settings()))]).await);
        server.reached(1, step, 1).await;
        running.end().await;
        assert_eq!(world.state(id), "deferred", "{step:?}");
        let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
        handle(&worker, time::now().plus(HOUR)).await.unwrap();
        assert_eq!(handle(&worker, time::now().plus(HOUR * 2)).await, None);
        let found = (world.state(id), server.mails().len());
        assert_eq!(found, ("sent".to_owned(), bodies), "{step:?}");
    }
}

/// After what nobody knows, a person says what it was; only `resend` sends, and once.
#[tokio::test]
async fn a_lost_250_is_settled_by_a_person_once() {
    for (how, state, bodies) in [
        (Settlement::Sent, "sent", 1),
        (Settlement::Cancel, "cancelled", 1),
        (Settlement::Resend, "sent", 2),
    ] {
        let server = Server::start(Security::Plain, once(Step::Final, close(""))).await;
        let world = World::new().await;
        let id = world.queue(1, 1, time::now()).await;
        let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
        handle(&worker, time::now()).await.unwrap();
        assert_eq!(world.state(id), "unknown");
        world.settle(id, how).await;
        for n in 1..4 {
            handle(&worker, time::now().plus(HOUR * n)).await;
        }
        let found = (world.state(id), server.mails().len());
        assert_eq!(found, (state.to_owned(), bodies), "{how:?}");
    }
}
