use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::*;

const STUCK: Duration = Duration::from_secs(900);
const PAUSE: Duration = Duration::from_secs(7);

/// How a run ends that is broken on purpose.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Ends,
    Fails,
    Panics,
    Hangs,
}

#[derive(Debug)]
struct Inner {
    broken: Broken,
    starts: AtomicUsize,
    began: Mutex<Instant>,
    shown: Mutex<Vec<String>>,
}

/// Breaks at its first run, and lives at its second.
#[derive(Clone, Debug)]
struct Fake(Arc<Inner>);

impl Charge for Fake {
    fn name(&self) -> &str {
        "desk"
    }

    fn is_stuck(&self) -> bool {
        let first = self.0.starts.load(Ordering::SeqCst) == 1;
        first && self.0.began.lock().unwrap().elapsed() > STUCK
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), StoreError> {
        *self.0.began.lock().unwrap() = Instant::now();
        if self.0.starts.fetch_add(1, Ordering::SeqCst) == 0 {
            match self.0.broken {
                Broken::Ends => return Ok(()),
                Broken::Fails => return Err(StoreError::Invalid("on purpose".into())),
                Broken::Panics => panic!("on purpose"),
                Broken::Hangs => std::future::pending::<()>().await,
            }
        }
        stop.cancelled().await;
        Ok(())
    }

    async fn died(&self, why: &str) -> Duration {
        self.0.shown.lock().unwrap().push(why.to_owned());
        PAUSE
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_ends_panics_or_hangs_is_shown_and_restarted_after_its_pause() {
    for (broken, why, within) in [
        (Broken::Ends, "ended by itself", PAUSE),
        (Broken::Fails, "ended", PAUSE),
        (Broken::Panics, "panicked", PAUSE),
        (Broken::Hangs, "hung", STUCK + 2 * LOOK + PAUSE),
    ] {
        let fake = Fake(Arc::new(Inner {
            broken,
            starts: AtomicUsize::new(0),
            began: Mutex::new(Instant::now()),
            shown: Mutex::default(),
        }));
        let (stop, pulse) = (CancellationToken::new(), Pulse::default());
        let began = Instant::now();
        let supervisor = tokio::spawn(supervise(fake.clone(), stop.clone(), pulse.clone()));
        while fake.0.starts.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(LEAST).await;
            assert!(began.elapsed() <= within + 2 * LEAST, "{broken:?}");
            assert_eq!(pulse.silent(), Vec::<String>::new(), "{broken:?}");
        }
        assert!(began.elapsed() >= PAUSE, "{broken:?}: without its pause");
        let shown = fake.0.shown.lock().unwrap().clone();
        assert_eq!(shown.len(), 1, "{broken:?}");
        assert!(shown[0].starts_with(why), "{broken:?}: {shown:?}");
        stop.cancel();
        supervisor.await.unwrap().unwrap();
    }
}
