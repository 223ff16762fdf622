//! UTC milliseconds, and the only place that reads the wall clock (invariant I6).
//!
//! Pure functions and SQL take `now` as an argument; durations are measured with
//! `tokio::time::Instant`, which tests can pause.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMs(pub i64);

impl UtcMs {
    /// This moment later by `d`, clamped at the ends of the range.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }

    /// This moment earlier by `d`, clamped at the ends of the range.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(millis(d)))
    }

    /// Time passed since `earlier`; zero when `earlier` lies in the future (a clock set back).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads a day (`2026-11-01`, its beginning in UTC) or an RFC 3339 time.
    #[must_use]
    pub fn parse_day_or_time(text: &str) -> Option<Self> {
        let time = chrono::DateTime::parse_from_rfc3339(text).map(|t| t.timestamp_millis());
        let day = || {
            let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
        };
        time.ok().or_else(day).map(Self)
    }

    /// RFC 3339 in UTC with milliseconds: what the API and people see.
    #[must_use]
    pub fn rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0).map_or_else(
            || self.0.to_string(),
            |t| t.to_rfc3339_opts(SecondsFormat::Millis, true),
        )
    }
}

impl utoipa::PartialSchema for UtcMs {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC"))
            .into()
    }
}

impl utoipa::ToSchema for UtcMs {}

impl Serialize for UtcMs {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for UtcMs {
    /// Reads what [`UtcMs::rfc3339`] writes.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|t| Self(t.timestamp_millis()))
            .map_err(serde::de::Error::custom)
    }
}

/// A duration in whole milliseconds, clamped to `i64`.
#[must_use]
pub fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

/// The wall clock. The one caller of `SystemTime::now` (clippy.toml refuses the others).
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one reader of the wall clock"
)]
pub fn now() -> UtcMs {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UtcMs(since_epoch.map_or(0, millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_gives_zero_not_a_panic() {
        assert_eq!(UtcMs(5).since(UtcMs(10)), Duration::ZERO);
        assert_eq!(
            UtcMs(i64::MAX).plus(Duration::from_secs(1)),
            UtcMs(i64::MAX)
        );
    }

    #[test]
    fn times_are_shown_in_utc_with_milliseconds() {
        assert_eq!(
            UtcMs(1_700_000_000_123).rfc3339(),
            "2023-11-14T22:13:20.123Z"
        );
    }
}
