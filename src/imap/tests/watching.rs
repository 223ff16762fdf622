//! Waiting never loses an announcement, and never hides a dead or lying peer.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::imap::testing::{Server, session};
use crate::imap::{ImapError, Mode, News, Session, Step, Trouble, Watch};
use crate::model::Pipelining;
use crate::time::UtcMs;
use crate::wake::Doorbell;

const MINUTE: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_secs(300);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn watch(s: &Session, pipelining: Pipelining) -> Watch {
    Watch::new(s.capabilities(), pipelining, SILENCE).with_wall_clock(|| UtcMs(0))
}

async fn wait(w: &mut Watch, s: &mut Session, limit: Duration) -> Result<News, ImapError> {
    let stop = CancellationToken::new();
    let until = Instant::now() + limit;
    w.wait(s, until, &Doorbell::default(), &stop).await
}

fn announced(news: &Result<News, ImapError>) -> bool {
    matches!(news, Ok(News::Announced { .. }))
}

async fn idling(server: &mut Server) -> String {
    let tag = server.expect("IDLE").await;
    server.say("+ idling\r\n").await;
    tag
}

/// Runs both until the client's side is through.
async fn run<T>(client: impl Future<Output = T>, server: impl Future<Output = ()>) -> T {
    tokio::select! {
        got = client => got,
        got = async { server.await; std::future::pending().await } => got,
    }
}

#[tokio::test(start_paused = true)]
async fn exists_in_idle_is_announced_with_its_moment() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    let began = Instant::now();
    let news = run(wait(&mut w, &mut s, MINUTE), async {
        idling(&mut server).await;
        tokio::time::sleep(secs(20)).await;
        server.say("* 4 RECENT\r\n* 4 EXISTS\r\n").await;
        server.hang().await;
    })
    .await;
    assert_eq!(
        news,
        Ok(News::Announced {
            at: began + secs(20)
        })
    );
    assert_eq!(w.mode(), Mode::Idle);
}

#[tokio::test(start_paused = true)]
async fn exists_before_the_plus_is_not_lost() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    let news = run(wait(&mut w, &mut s, MINUTE), async {
        server.expect("IDLE").await;
        server.say("* 4 EXISTS\r\n+ idling\r\n").await;
        server.hang().await;
    })
    .await;
    assert!(announced(&news));
}

#[tokio::test(start_paused = true)]
async fn a_hint_from_an_earlier_command_is_announced_without_waiting() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    let began = Instant::now();
    let (got, ()) = tokio::join!(s.noop(), server.answer("NOOP", "* 4 EXISTS\r\n{} OK\r\n"));
    got.unwrap();
    assert!(announced(&wait(&mut w, &mut s, MINUTE).await));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_and_fifty_unsolicited_responses_are_all_read() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::No);
    let news = run(wait(&mut w, &mut s, MINUTE), async {
        idling(&mut server).await;
        let many: String = (1..=150).map(|n| format!("* {n} EXISTS\r\n")).collect();
        server.say(many).await;
        server.hang().await;
    })
    .await;
    assert!(announced(&news));
    let (mut s, mut server) = session();
    let (got, ()) = tokio::join!(s.noop(), async {
        let tag = server.expect("NOOP").await;
        let many: String = (1..=150).map(|n| format!("* {n} EXISTS\r\n")).collect();
        server.say(format!("{many}{tag} OK\r\n")).await;
    });
    got.unwrap();
    assert!(s.take_hint().is_some());
    let (got, ()) = tokio::join!(s.noop(), server.answer("NOOP", "{} OK\r\n"));
    got.unwrap();
    assert!(s.take_hint().is_none());
}

#[tokio::test(start_paused = true)]
async fn keepalives_do_not_prolong_the_wait_but_count_as_life() {
    let (mut s, mut server) = session();
    let mut w = Watch::new(s.capabilities(), Pipelining::No, secs(30)).with_wall_clock(|| UtcMs(0));
    let began = Instant::now();
    let talk = async {
        idling(&mut server).await;
        // Half an hour, were it not for `until`.
        for _ in 0..1800 {
            tokio::time::sleep(secs(1)).await;
            server.say("* OK Still here\r\n").await;
        }
    };
    assert_eq!(run(wait(&mut w, &mut s, MINUTE), talk).await, Ok(News::Due));
    assert_eq!(began.elapsed(), MINUTE);
}

#[tokio::test(start_paused = true)]
async fn silence_makes_the_server_prove_that_it_lives() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::No);
    let news = run(wait(&mut w, &mut s, secs(540)), async {
        idling(&mut server).await;
        server.answer("DONE", "R1 OK\r\n").await;
        idling(&mut server).await;
        server.say("* 1 EXISTS\r\n").await;
        server.hang().await;
    })
    .await;
    assert!(announced(&news));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_after_the_plus_is_found_out_within_silence_and_15_seconds() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::No);
    let began = Instant::now();
    let news = run(wait(&mut w, &mut s, secs(540)), async {
        idling(&mut server).await;
        server.hang().await;
    })
    .await;
    assert_eq!(news, Err(ImapError::Timeout { step: Step::Done }));
    assert!(began.elapsed() <= SILENCE + secs(15));
    assert!(s.is_broken());
}

#[tokio::test(start_paused = true)]
async fn leaving_idle_on_a_dead_peer_ends_within_15_seconds() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::No);
    let began = Instant::now();
    let left = run(
        async {
            wait(&mut w, &mut s, MINUTE).await.unwrap();
            w.leave(&mut s).await
        },
        async {
            idling(&mut server).await;
            server.hang().await;
        },
    )
    .await;
    assert_eq!(left, Err(ImapError::Timeout { step: Step::Done }));
    assert!(began.elapsed() <= MINUTE + secs(15));
}

#[tokio::test(start_paused = true)]
async fn an_idle_without_any_answer_is_a_time_out() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::No);
    let news = run(wait(&mut w, &mut s, MINUTE), async {
        server.expect("IDLE").await;
        server.hang().await;
    })
    .await;
    assert_eq!(news, Err(ImapError::Timeout { step: Step::Idle }));
    assert!(s.is_broken());
}

#[tokio::test(start_paused = true)]
async fn no_or_bad_to_idle_falls_to_polling_and_says_so() {
    for refusal in ["{} NO not now\r\n", "{} BAD unknown\r\n"] {
        let (mut s, mut server) = session();
        let mut w = watch(&s, Pipelining::Untried);
        let began = Instant::now();
        run(
            async {
                assert_eq!(wait(&mut w, &mut s, MINUTE).await, Ok(News::Trouble));
                assert_eq!(w.take_trouble(), Some(Trouble::Refused));
                assert_eq!(wait(&mut w, &mut s, MINUTE).await, Ok(News::Due));
            },
            async {
                server.answer("IDLE", refusal).await;
                server.hang().await;
            },
        )
        .await;
        assert_eq!(began.elapsed(), MINUTE);
        assert_eq!(w.mode(), Mode::Poll);
        assert_eq!(w.pipelining(), Pipelining::Untried);
        assert!(!s.is_broken());
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_that_the_server_ends_is_told_with_its_life_and_entered_again() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    run(
        async {
            for life in [secs(31), secs(2)] {
                assert_eq!(wait(&mut w, &mut s, secs(200)).await, Ok(News::Trouble));
                assert_eq!(w.take_trouble(), Some(Trouble::Ended { life }));
                assert_eq!(w.idle_life(), None);
            }
            assert!(announced(&wait(&mut w, &mut s, secs(200)).await));
            assert_eq!(w.mode(), Mode::Idle);
        },
        async {
            for life in [31, 2] {
                let tag = idling(&mut server).await;
                tokio::time::sleep(secs(life)).await;
                server.say(format!("{tag} OK IDLE terminated\r\n")).await;
            }
            idling(&mut server).await;
            server.say("* 9 EXISTS\r\n").await;
            server.hang().await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn news_before_a_server_ends_idle_come_first() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    run(
        async {
            assert!(announced(&wait(&mut w, &mut s, MINUTE).await));
            assert_eq!(wait(&mut w, &mut s, MINUTE).await, Ok(News::Trouble));
        },
        async {
            let tag = idling(&mut server).await;
            server
                .say(format!("* 9 EXISTS\r\n{tag} OK IDLE terminated\r\n"))
                .await;
            server.hang().await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_shall_poll_sends_no_idle_until_it_is_told_to_again() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    w.poll();
    run(
        async {
            assert_eq!(wait(&mut w, &mut s, MINUTE).await, Ok(News::Due));
            assert_eq!(w.idle_life(), None);
            w.idle_again();
            assert!(announced(&wait(&mut w, &mut s, MINUTE).await));
        },
        async {
            // The first line that comes is this one, a minute later.
            idling(&mut server).await;
            server.say("* 2 EXISTS\r\n").await;
            server.hang().await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_life_of_an_idle_is_known_when_the_connection_ends_in_it() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    let e = run(wait(&mut w, &mut s, secs(500)), async {
        idling(&mut server).await;
        tokio::time::sleep(secs(40)).await;
        drop(server);
    })
    .await
    .unwrap_err();
    assert!(e.ended_idle(), "{e}");
    assert_eq!(w.idle_life(), Some(secs(40)));
}

#[tokio::test(start_paused = true)]
async fn end_of_stream_in_idle_is_an_error_and_not_an_interrupt() {
    for poll in [false, true] {
        let (mut s, mut server) = session();
        let mut w = watch(&s, Pipelining::Untried);
        if poll {
            w.poll();
        }
        let news = run(wait(&mut w, &mut s, MINUTE), async {
            if !poll {
                idling(&mut server).await;
            }
            drop(server);
        })
        .await;
        assert_eq!(news, Err(ImapError::Closed { step: Step::Wait }));
    }
}

#[tokio::test(start_paused = true)]
async fn bye_in_idle_is_told_with_its_text_or_as_throttling() {
    let bye = |text: &'static str| async move {
        let (mut s, mut server) = session();
        let mut w = watch(&s, Pipelining::Untried);
        run(wait(&mut w, &mut s, MINUTE), async {
            idling(&mut server).await;
            server.say(text).await;
            server.hang().await;
        })
        .await
    };
    let text = "Shutting down".to_owned();
    let step = Step::Wait;
    assert_eq!(
        bye("* BYE Shutting down\r\n").await,
        Err(ImapError::Bye { step, text })
    );
    let text = "Session expired".to_owned();
    assert_eq!(
        bye("* BYE Session expired\r\n").await,
        Err(ImapError::SessionOver { step, text })
    );
    let e = bye("* BYE Suggested Backoff Time: 5000 milliseconds\r\n").await;
    assert_eq!(e.unwrap_err().wait(), Some(secs(5)));
}

#[tokio::test(start_paused = true)]
async fn a_bell_and_the_stop_token_end_the_wait_and_idle_is_picked_up_again() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    let (bell, stop) = (Doorbell::default(), CancellationToken::new());
    bell.ring();
    let until = Instant::now() + MINUTE;
    run(
        async {
            let news = w.wait(&mut s, until, &bell, &stop).await;
            assert_eq!(news, Ok(News::Rung));
            let news = w.wait(&mut s, until, &bell, &stop).await;
            assert!(announced(&news));
            stop.cancel();
            let news = w.wait(&mut s, until, &bell, &stop).await;
            assert_eq!(news, Ok(News::Stopped));
            assert!(s.is_idling());
        },
        async {
            // One IDLE only; its "+" and an EXISTS are cut in pieces by the bell.
            server.expect("IDLE").await;
            tokio::time::sleep(secs(1)).await;
            server.say("+ idl").await;
            tokio::time::sleep(secs(1)).await;
            server.say("ing\r\n* 3 EXI").await;
            tokio::time::sleep(secs(1)).await;
            server.say("STS\r\n").await;
            assert_eq!(server.line().await, "nothing more");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ends_the_wait_at_once() {
    static WALL: AtomicI64 = AtomicI64::new(0);
    let (mut s, mut server) = session();
    let mut w =
        watch(&s, Pipelining::Untried).with_wall_clock(|| UtcMs(WALL.load(Ordering::Relaxed)));
    let began = Instant::now();
    let news = run(wait(&mut w, &mut s, secs(540)), async {
        idling(&mut server).await;
        tokio::time::sleep(secs(5)).await;
        WALL.store(2 * 3_600_000, Ordering::Relaxed);
        server.hang().await;
    })
    .await;
    assert_eq!(news, Ok(News::Due));
    assert!(began.elapsed() <= secs(10));
}

async fn count(fetch: Result<crate::imap::Fetch<'_>, ImapError>) -> Result<usize, ImapError> {
    let (mut fetch, mut n) = (fetch?, 0);
    while fetch.next().await?.is_some() {
        n += 1;
    }
    Ok(n)
}

#[tokio::test(start_paused = true)]
async fn news_are_fetched_with_done_and_the_next_idle_in_one_write() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    run(
        async {
            assert!(announced(&wait(&mut w, &mut s, MINUTE).await));
            let got = count(w.fetch_news(&mut s, 7).await).await;
            assert_eq!(got, Ok(1));
            assert_eq!(w.pipelining(), Pipelining::Yes);
            // The second came while the first was fetched, before the new "+".
            assert!(announced(&wait(&mut w, &mut s, MINUTE).await));
            assert_eq!(count(w.fetch_news(&mut s, 8).await).await, Ok(1));
            assert_eq!(wait(&mut w, &mut s, MINUTE).await, Ok(News::Due));
            w.leave(&mut s).await.unwrap();
        },
        async {
            let idle = idling(&mut server).await;
            server.say("* 1 EXISTS\r\n").await;
            assert_eq!(server.line().await, "DONE");
            let fetch = server
                .expect("UID FETCH 7:* (UID INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.262144>)")
                .await;
            let next = server.expect("IDLE").await;
            server
                .say(format!(
                    "{idle} OK idle done\r\n* 1 FETCH (UID 7 BODY[]<0> {{2}}\r\nhi)\r\n\
                     * 2 EXISTS\r\n{fetch} OK\r\n+ idling\r\n"
                ))
                .await;
            assert_eq!(server.line().await, "DONE");
            let fetch = server.expect("UID FETCH 8:*").await;
            let last = server.expect("IDLE").await;
            server
                .say(format!(
                    "{next} OK\r\n* 2 FETCH (UID 8 BODY[]<0> {{2}}\r\nho)\r\n{fetch} OK\r\n+ x\r\n"
                ))
                .await;
            assert_eq!(server.line().await, "DONE");
            server.say(format!("{last} OK\r\n")).await;
            server.hang().await;
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_known_not_to_pipeline_is_served_in_two_steps() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::No);
    run(
        async {
            assert!(announced(&wait(&mut w, &mut s, MINUTE).await));
            assert_eq!(count(w.fetch_news(&mut s, 7).await).await, Ok(0));
            assert_eq!(wait(&mut w, &mut s, MINUTE).await, Ok(News::Due));
            assert_eq!(w.pipelining(), Pipelining::No);
        },
        async {
            let idle = idling(&mut server).await;
            server.say("* 1 EXISTS\r\n").await;
            assert_eq!(server.line().await, "DONE");
            tokio::time::sleep(secs(1)).await;
            server.say(format!("{idle} OK\r\n")).await;
            server.answer("UID FETCH 7:*", "{} OK\r\n").await;
            idling(&mut server).await;
            server.hang().await;
        },
    )
    .await;
}

/// The server's reaction to the pipelined write; `{i}`, `{f}`, `{n}` stand for the tags of the
/// IDLE that ends, the FETCH and the next IDLE.
async fn pipeline_with(reaction: &str) -> (Result<News, ImapError>, Pipelining, bool) {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Untried);
    let got = run(
        async {
            assert!(announced(&wait(&mut w, &mut s, MINUTE).await));
            count(w.fetch_news(&mut s, 7).await).await?;
            wait(&mut w, &mut s, MINUTE).await
        },
        async {
            let idle = idling(&mut server).await;
            server.say("* 1 EXISTS\r\n").await;
            assert_eq!(server.line().await, "DONE");
            let fetch = server.expect("UID FETCH").await;
            let next = server.expect("IDLE").await;
            let reaction = reaction
                .replace("{i}", &idle)
                .replace("{f}", &fetch)
                .replace("{n}", &next);
            server.say(reaction).await;
            server.hang().await;
        },
    )
    .await;
    let broken = s.is_broken();
    (got, w.pipelining(), broken)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_pipeline_is_found_out_and_remembered() {
    for reaction in [
        // It took all for one line.
        "{i} BAD Expected DONE\r\n",
        // It threw away what followed DONE.
        "{i} OK done\r\n",
        "{i} OK done\r\n{f} BAD what\r\n",
        "{i} OK done\r\n{f} OK\r\n{n} BAD what\r\n",
        "{i} OK done\r\n{f} OK\r\n",
    ] {
        let began = Instant::now();
        let (got, learned, broken) = pipeline_with(reaction).await;
        assert_eq!(got, Err(ImapError::PipelineRefused), "{reaction}");
        assert_eq!(learned, Pipelining::No, "{reaction}");
        assert!(began.elapsed() <= secs(31));
        assert!(broken || reaction.contains("{n} BAD"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_peer_is_not_taken_for_one_that_does_not_pipeline() {
    let (got, learned, broken) = pipeline_with("").await;
    assert_eq!(got, Err(ImapError::Timeout { step: Step::Fetch }));
    assert_eq!(learned, Pipelining::Untried);
    assert!(broken);
}

#[tokio::test(start_paused = true)]
async fn no_to_a_pipelined_fetch_is_an_outcome_and_idle_goes_on() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::Yes);
    run(
        async {
            assert!(announced(&wait(&mut w, &mut s, MINUTE).await));
            let got = count(w.fetch_news(&mut s, 7).await).await;
            assert!(matches!(got, Err(ImapError::No { .. })), "{got:?}");
            assert_eq!(wait(&mut w, &mut s, MINUTE).await, Ok(News::Due));
        },
        async {
            let idle = idling(&mut server).await;
            server.say("* 1 EXISTS\r\n").await;
            server.expect("DONE").await;
            let fetch = server.expect("UID FETCH").await;
            server.expect("IDLE").await;
            server
                .say(format!(
                    "{idle} OK\r\n{fetch} NO [SERVERBUG]\r\n+ idling\r\n"
                ))
                .await;
            server.hang().await;
        },
    )
    .await;
    assert_eq!(w.pipelining(), Pipelining::Yes);
}

#[tokio::test(start_paused = true)]
async fn done_that_crosses_the_servers_own_end_of_idle_is_survived() {
    let (mut s, mut server) = session();
    let mut w = watch(&s, Pipelining::No);
    run(
        async {
            assert_eq!(wait(&mut w, &mut s, MINUTE).await, Ok(News::Due));
            w.leave(&mut s).await.unwrap();
            s.noop().await.unwrap();
        },
        async {
            let idle = idling(&mut server).await;
            server.expect("DONE").await;
            server
                .say(format!(
                    "{idle} OK timed out\r\nDONE BAD what\r\n* BAD what\r\n"
                ))
                .await;
            server.answer("NOOP", "{} OK\r\n").await;
            server.hang().await;
        },
    )
    .await;
}
