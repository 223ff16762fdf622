//! Lists: a page at a time, by an opaque cursor over an index, never by an offset.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::freshness::Mailbox;

/// Rows of a page when nothing is said, and at most.
const LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
/// A cursor of ours is far shorter.
const MAX_CURSOR: usize = 512;

/// `?cursor=&limit=`, as it came.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next` of the page before; none: the first page.
    pub(crate) cursor: Option<String>,
    /// Rows of a page, 1 to 200 (default 50).
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

impl PageQuery {
    /// Where to go on: what [`cursor`] was made from; none: at the beginning.
    pub(crate) fn after<T: DeserializeOwned>(&self) -> Result<Option<T>, ApiError> {
        let Some(cursor) = self.cursor.as_deref().filter(|c| !c.is_empty()) else {
            return Ok(None);
        };
        let wrong = || ApiError::bad_request("The cursor is not one of ours");
        if cursor.len() > MAX_CURSOR {
            return Err(wrong());
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| wrong())
    }

    /// Rows of this page.
    pub(crate) fn limit(&self) -> Result<u32, ApiError> {
        match self.limit {
            None => Ok(LIMIT),
            Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            Some(_) => Err(ApiError::bad_request(format!(
                "limit must be between 1 and {MAX_LIMIT}"
            ))),
        }
    }
}

/// A list of the API.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct List<T> {
    /// The rows of this page.
    pub(crate) items: Vec<T>,
    /// The cursor of the next page; null: this is the last one.
    pub(crate) next: Option<String>,
    /// How fresh it is, where mail was looked for; null elsewhere.
    pub(crate) mailbox: Option<Mailbox>,
}

impl<T> List<T> {
    /// A page out of at most `limit + 1` rows: the one too many says that there are more. `place`
    /// gives where the next page goes on, of the last row shown.
    pub(crate) fn page<P: Serialize>(
        mut rows: Vec<T>,
        limit: u32,
        place: impl FnOnce(&T) -> P,
    ) -> Result<Self, ApiError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = match rows.last().filter(|_| more) {
            Some(last) => Some(cursor(&place(last))?),
            None => None,
        };
        Ok(Self {
            items: rows,
            next,
            mailbox: None,
        })
    }

    /// With how fresh it is.
    pub(crate) fn with_mailbox(mut self, mailbox: Mailbox) -> Self {
        self.mailbox = Some(mailbox);
        self
    }
}

/// An opaque cursor for a place in an index.
pub(crate) fn cursor<P: Serialize>(place: &P) -> Result<String, ApiError> {
    serde_json::to_vec(place)
        .map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
        .map_err(|e| ApiError::internal(&anyhow::Error::new(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_the_last_one_ended() {
        let page = List::page(vec![9, 8, 7], 2, |last| *last).unwrap();
        assert_eq!(page.items, [9, 8]);
        let query = PageQuery {
            cursor: page.next,
            limit: None,
        };
        assert_eq!(query.after::<i64>().unwrap(), Some(8));
        assert_eq!(query.limit().unwrap(), LIMIT);
        let last = List::page(vec![7], 2, |last| *last).unwrap();
        assert_eq!(last.next, None);
    }

    #[test]
    fn a_cursor_of_somebody_else_and_a_limit_beyond_the_bounds_are_refused() {
        for cursor in ["x", "!!", "e30", &"a".repeat(10_000)] {
            let query = PageQuery {
                cursor: Some(cursor.to_owned()),
                limit: None,
            };
            assert!(query.after::<i64>().is_err(), "{cursor}");
        }
        for limit in [0, 201, u32::MAX] {
            let query = PageQuery {
                cursor: None,
                limit: Some(limit),
            };
            assert!(query.limit().is_err(), "{limit}");
        }
    }
}
