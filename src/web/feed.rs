//! What happened last, for all who listen: one of them reads it from the store and puts it into words,
//! the others are told the same. Without it each event would be read once for each open page.

use std::collections::VecDeque;

use tokio::sync::Mutex;

use crate::model::{Access, CampaignId, EventId, EventKind};
use crate::store::{Event, Store, StoreError};

/// Events that are kept here. Who is further behind reads the store.
const KEPT: usize = 512;
/// Events that are read at once, and told at once.
const BATCH: u32 = 100;

/// An event in words.
#[derive(Debug)]
struct Told {
    id: EventId,
    campaign_id: Option<CampaignId>,
    /// How accounts are is seen by all.
    to_all: bool,
    text: String,
}

impl Told {
    fn new(event: Event, words: fn(Event) -> Option<String>) -> Option<Self> {
        Some(Self {
            id: event.id,
            campaign_id: event.campaign_id,
            to_all: event.kind == EventKind::AccountState,
            text: words(event)?,
        })
    }

    fn is_for(&self, access: &Access) -> bool {
        self.to_all
            || *access == Access::All
            || self.campaign_id.is_some_and(|id| access.allows(id))
    }
}

/// What somebody is told next.
#[derive(Debug)]
pub(super) struct Next {
    /// The words of all of them; empty: nothing that they may see.
    pub(super) text: String,
    /// Up to here.
    pub(super) through: EventId,
    /// There may be more.
    pub(super) more: bool,
}

/// See the file.
#[derive(Debug)]
pub(super) struct Feed {
    kept: Mutex<Kept>,
    words: fn(Event) -> Option<String>,
}

#[derive(Debug)]
struct Kept {
    /// Everything behind this one, up to `through`, is here.
    from: EventId,
    through: EventId,
    events: VecDeque<Told>,
}

impl Feed {
    /// Begins behind the newest event.
    pub(super) fn new(newest: EventId, words: fn(Event) -> Option<String>) -> Self {
        let kept = Kept {
            from: newest,
            through: newest,
            events: VecDeque::new(),
        };
        Self {
            kept: Mutex::new(kept),
            words,
        }
    }

    /// What is behind `at`, for who has this access; `newest`: what the store has rung for.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn after(
        &self,
        store: &Store,
        at: EventId,
        access: &Access,
        newest: EventId,
    ) -> Result<Next, StoreError> {
        let mut kept = self.kept.lock().await;
        if at < kept.from {
            drop(kept);
            return self.read_store(store, at, access).await;
        }
        if kept.through < newest {
            let through = kept.through;
            let read = store.read(move |r| r.events_after(through, &Access::All, BATCH));
            let new = read.await.map_err(|e: StoreError| e)?;
            kept.add(new.items.into_iter(), self.words);
            kept.through = new.through;
        }
        Ok(kept.after(at, access, newest))
    }

    async fn read_store(
        &self,
        store: &Store,
        at: EventId,
        access: &Access,
    ) -> Result<Next, StoreError> {
        let access = access.clone();
        let read = store.read(move |r| r.events_after(at, &access, BATCH));
        let events = read.await.map_err(|e: StoreError| e)?;
        let more = events.items.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        Ok(Next {
            text: events.items.into_iter().filter_map(self.words).collect(),
            through: events.through,
            more,
        })
    }
}

impl Kept {
    fn add(&mut self, new: impl Iterator<Item = Event>, words: fn(Event) -> Option<String>) {
        self.events
            .extend(new.filter_map(|event| Told::new(event, words)));
        while self.events.len() > KEPT
            && let Some(gone) = self.events.pop_front()
        {
            self.from = gone.id;
        }
    }

    fn after(&self, at: EventId, access: &Access, newest: EventId) -> Next {
        let first = self.events.partition_point(|told| told.id <= at);
        let batch = usize::try_from(BATCH).unwrap_or(usize::MAX);
        let rest = self.events.range(first..);
        let cut = rest.len() > batch;
        let mut through = self.through.max(at);
        let mut text = String::new();
        for told in rest.take(batch) {
            if cut {
                through = told.id;
            }
            if told.is_for(access) {
                text.push_str(&told.text);
            }
        }
        Next {
            text,
            through,
            more: cut || through < newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UtcMs;

    fn event(id: i64, kind: EventKind, campaign: Option<i64>) -> Event {
        Event {
            id: EventId(id),
            at: UtcMs(0),
            kind,
            campaign_id: campaign.map(CampaignId),
            campaign_lead_id: None,
            conversation_id: None,
            draft_id: None,
            outbox_id: None,
            account_id: None,
            data: serde_json::Value::Null,
        }
    }

    fn words(event: Event) -> Option<String> {
        Some(format!("{} ", event.id))
    }

    fn kept(through: i64, events: Vec<Event>) -> Kept {
        let mut kept = Kept {
            from: EventId(0),
            through: EventId(through),
            events: VecDeque::new(),
        };
        kept.add(events.into_iter(), words);
        kept
    }

    #[test]
    fn each_is_told_what_they_may_see_and_no_more() {
        let kept = kept(
            5,
            vec![
                event(1, EventKind::NewReply, Some(7)),
                event(2, EventKind::NewReply, Some(8)),
                event(3, EventKind::AccountState, None),
                event(5, EventKind::Changed, None),
            ],
        );
        let of = |at: i64, access: &Access| {
            let told = kept.after(EventId(at), access, EventId(5));
            assert_eq!((told.through, told.more), (EventId(5), false));
            told.text
        };
        let one = Access::Campaigns([CampaignId(8)].into());
        assert_eq!(of(0, &Access::All), "1 2 3 5 ");
        assert_eq!(of(2, &Access::All), "3 5 ");
        assert_eq!(of(0, &one), "2 3 ");
        assert_eq!(of(3, &one), "");
        let told = kept.after(EventId(9), &one, EventId(5));
        assert_eq!((told.text.as_str(), told.through), ("", EventId(9)));
    }

    #[test]
    fn many_are_told_a_hundred_at_a_time_and_the_oldest_leave() {
        let all = (1..=700).map(|id| event(id, EventKind::NewReply, None));
        let kept = kept(700, all.collect());
        assert_eq!((kept.from, kept.events.len()), (EventId(188), KEPT));
        let told = kept.after(EventId(188), &Access::All, EventId(700));
        assert_eq!((told.through, told.more), (EventId(288), true));
        assert!(told.text.starts_with("189 ") && told.text.ends_with(" 288 "));
        let told = kept.after(EventId(600), &Access::All, EventId(700));
        assert_eq!((told.through, told.more), (EventId(700), false));
        let told = kept.after(EventId(700), &Access::All, EventId(701));
        assert!(told.more, "one more has rung");
    }
}
