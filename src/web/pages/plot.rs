//! Plots as SVG, drawn here: no script and no library.

use std::fmt::Write as _;

use crate::store::{CaptureTime, DayCounts};
use crate::time::UtcMs;

/// Upper ends of the columns, in milliseconds; the last one is open.
const EDGES: [(u64, &str); 9] = [
    (100, "0.1 s"),
    (200, "0.2 s"),
    (500, "0.5 s"),
    (1_000, "1 s"),
    (2_000, "2 s"),
    (5_000, "5 s"),
    (10_000, "10 s"),
    (60_000, "1 min"),
    (u64::MAX, "more"),
];
const WIDTH: usize = 640;
const HEIGHT: usize = 170;
/// Room below for labels, and above for numbers.
const FOOT: usize = 22;
const HEAD: usize = 16;
/// Days of the second plot.
const DAYS: usize = 14;
const DAY_MS: i64 = 86_400_000;

/// The value below which `percent` of the sorted `values` lie (nearest rank).
pub(super) fn percentile(values: &[u64], percent: usize) -> Option<u64> {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}

/// How many took how long.
pub(super) fn distribution(times: &[CaptureTime]) -> String {
    let mut counts = [0_usize; EDGES.len()];
    for time in times {
        let column = EDGES.iter().position(|(edge, _)| time.took_ms <= *edge);
        if let Some(count) = column.and_then(|n| counts.get_mut(n)) {
            *count += 1;
        }
    }
    let columns: Vec<(String, Vec<(&str, usize)>)> = EDGES
        .iter()
        .zip(counts)
        .map(|((_, label), n)| ((*label).to_owned(), vec![("bar", n)]))
        .collect();
    let what = "How many replies were captured within which time";
    columns_svg(&columns, what, "at most")
}

/// How many came by push and by poll, by day.
pub(super) fn by_day(times: &[CaptureTime], now: UtcMs) -> String {
    let today = now.0.div_euclid(DAY_MS);
    let columns: Vec<(String, Vec<(&str, usize)>)> = (0..DAYS)
        .rev()
        .map(|back| {
            let day = today - i64::try_from(back).unwrap_or(0);
            let of_day = |pushed: bool| {
                times
                    .iter()
                    .filter(|t| t.stored_at.0.div_euclid(DAY_MS) == day && t.pushed == pushed)
                    .count()
            };
            let date = UtcMs(day * DAY_MS).rfc3339();
            let label = date.get(5..10).unwrap_or_default().to_owned();
            (label, vec![("push", of_day(true)), ("poll", of_day(false))])
        })
        .collect();
    let what = "How many replies came by push and by poll on each of the last 14 days (UTC)";
    columns_svg(&columns, what, "on")
}

/// How many replies came on each day.
pub(super) fn replies_by_day(days: &[DayCounts]) -> String {
    let columns: Vec<(String, Vec<(&str, usize)>)> = days
        .iter()
        .map(|day| {
            let label = day.day.get(5..).unwrap_or_default().to_owned();
            let n = usize::try_from(day.counts.replies).unwrap_or(usize::MAX);
            (label, vec![("bar", n)])
        })
        .collect();
    columns_svg(&columns, "How many replies came on each day (UTC)", "on")
}

/// Columns of stacked parts. Every text is ours: numbers, dates and the labels above.
fn columns_svg(columns: &[(String, Vec<(&str, usize)>)], what: &str, relation: &str) -> String {
    let sum = |parts: &[(&str, usize)]| parts.iter().map(|(_, n)| n).sum::<usize>();
    let most = columns.iter().map(|(_, parts)| sum(parts)).max();
    let most = most.unwrap_or(0).max(1);
    let step = WIDTH / columns.len().max(1);
    let room = HEIGHT - FOOT - HEAD;
    let base = HEIGHT - FOOT;
    let told: Vec<String> = columns
        .iter()
        .filter(|(_, parts)| sum(parts) > 0)
        .map(|(label, parts)| format!("{} {relation} {label}", sum(parts)))
        .collect();
    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{what}: {}\">\
         <line class=\"axis\" x1=\"0\" y1=\"{base}.5\" x2=\"{WIDTH}\" y2=\"{base}.5\"/>",
        told.join(", ")
    );
    for (n, (label, parts)) in columns.iter().enumerate() {
        let (x, middle) = (n * step + step / 8, n * step + step / 2);
        let mut top = base;
        for (class, count) in parts.iter().filter(|(_, count)| *count > 0) {
            let height = (count * room).div_ceil(most).max(2).min(top);
            top -= height;
            write_to(
                &mut svg,
                format_args!(
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{height}\" rx=\"2\"/>",
                    step - step / 4
                ),
            );
        }
        let total = sum(parts);
        if total > 0 {
            let y = top.saturating_sub(4);
            write_to(
                &mut svg,
                format_args!(
                    "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\">{total}</text>"
                ),
            );
        }
        let y = HEIGHT - 6;
        write_to(
            &mut svg,
            format_args!("<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>"),
        );
    }
    svg.push_str("</svg>");
    svg
}

fn write_to(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    svg.write_fmt(what).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Counts;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&values, 50), Some(50));
        assert_eq!(percentile(&values, 95), Some(95));
        assert_eq!(percentile(&[7], 95), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn a_plot_says_in_words_what_it_shows() {
        let time = |took_ms, pushed| CaptureTime {
            stored_at: UtcMs(1_700_000_000_000),
            took_ms,
            pushed,
        };
        let times = [time(50, true), time(90, true), time(700_000, false)];
        let svg = distribution(&times);
        assert!(svg.contains("2 at most 0.1 s, 1 at most more"), "{svg}");
        let svg = by_day(&times, UtcMs(1_700_000_000_000));
        assert!(svg.contains("3 on 11-14"), "{svg}");
        assert!(
            svg.contains("class=\"push\"") && svg.contains("class=\"poll\""),
            "{svg}"
        );
        assert!(distribution(&[]).ends_with("</svg>"));
        let day = |day: &str, replies| DayCounts {
            day: day.to_owned(),
            counts: Counts {
                replies,
                ..Counts::default()
            },
        };
        let svg = replies_by_day(&[day("2027-01-30", 0), day("2027-01-31", 4)]);
        assert!(svg.contains(": 4 on 01-31\""), "{svg}");
    }
}
