//! What a person did with a conversation without answering it.

use rusqlite::Row;
use serde::Serialize;

use crate::time::UtcMs;

/// Put off or dealt with, as far as nothing has come since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DeskMark {
    /// It waits for nobody until then, unless the lead writes before.
    pub snoozed_until: Option<UtcMs>,
    /// Who put it off.
    pub snoozed_by: Option<String>,
    /// It was put off, and waits again: its moment has come, or the lead wrote.
    pub back_from_snooze: bool,
    /// Who said that it is settled; none: nobody, or the lead wrote since.
    pub handled_by: Option<String>,
    /// When.
    pub handled_at: Option<UtcMs>,
}

impl DeskMark {
    /// From five columns of a row, from `at` on: snoozed_until, is_due, marked_by, marked_at of the
    /// mark, all NULL without one, and whether a message has come since.
    pub(super) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Self> {
        let Some(is_due) = row.get::<_, Option<bool>>(at.saturating_add(1))? else {
            return Ok(Self::default());
        };
        let until = row.get::<_, Option<i64>>(at)?.map(UtcMs);
        let by: String = row.get(at.saturating_add(2))?;
        let marked_at = UtcMs(row.get(at.saturating_add(3))?);
        let is_older = row
            .get::<_, Option<bool>>(at.saturating_add(4))?
            .unwrap_or(false);
        let is_put_off = until.is_some() || is_due;
        // Without a name it was answered since, which says more.
        let is_handled = !is_put_off && !is_older && !by.is_empty();
        Ok(Self {
            snoozed_until: until,
            snoozed_by: is_put_off.then(|| by.clone()),
            back_from_snooze: is_due,
            handled_by: is_handled.then_some(by),
            handled_at: is_handled.then_some(marked_at),
        })
    }
}
