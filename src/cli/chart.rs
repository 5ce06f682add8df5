//! Uses over time as pictures: bars of SVG, in colours of the page's style sheet.

use maud::{Markup, html};

use crate::{
    pending::moment,
    series::{DAY, date},
    usage::Counts,
};

/// The drawing of a chart: the room for bars, and where it begins.
const WIDTH: u64 = 900;
const HEIGHT: u64 = 120;
const LEFT: u64 = 56;
const TOP: u64 = 8;
const BELOW: u64 = 24;

/// So many parts are between two dates below the bars.
const DATES: usize = 6;

/// Bars for each part of time, those that were refused on top, with its dates below.
pub(crate) fn chart(name: &str, counts: &Counts) -> Markup {
    let most = most(counts).max(1);
    let width = WIDTH / (counts.allowed.counts().len() as u64).max(1);
    let every = counts.allowed.counts().len().div_ceil(DATES).max(1);
    let unit = if counts.allowed.part() == DAY { date } else { hour };
    html! {
        svg.chart viewBox={ "0 0 " (LEFT + WIDTH) " " (TOP + HEIGHT + BELOW) } role="img" aria-label=(name) {
            @for (at, value) in [(TOP, most), (TOP + HEIGHT, 0)] {
                line.grid x1=(LEFT) x2=(LEFT + WIDTH) y1=(at) y2=(at) {}
                text x=(LEFT - 8) y=(at + 4) text-anchor="end" { (short(value)) }
            }
            @for (index, bar) in bars(counts, most, HEIGHT).enumerate() {
                @let x = LEFT + width * index as u64;
                g {
                    title { (unit(bar.at)) ": " (bar.allowed) " uses" @if bar.refused > 0 { ", " (bar.refused) " refused" } }
                    (stack(&bar, x, width, TOP + HEIGHT))
                }
                @if index % every == 0 {
                    text x=(x) y=(TOP + HEIGHT + 17) { (unit(bar.at)) }
                }
            }
        }
    }
}

/// The same, small, with nothing but the bars.
pub(crate) fn mini(name: &str, counts: &Counts) -> Markup {
    let most = most(counts).max(1);
    let width = 4;
    html! {
        svg.mini viewBox={ "0 0 " (width * counts.allowed.counts().len() as u64) " 40" } preserveAspectRatio="none" role="img" aria-label=(name) {
            @for (index, bar) in bars(counts, most, 39).enumerate() {
                (stack(&bar, width * index as u64, width, 39))
            }
            line.grid x1="0" x2=(width * counts.allowed.counts().len() as u64) y1="39.5" y2="39.5" {}
        }
    }
}

/// The uses of one part of time, and how high they are.
struct Bar {
    at: u64,
    allowed: u64,
    refused: u64,
    heights: (u64, u64),
}

fn bars(counts: &Counts, most: u64, height: u64) -> impl Iterator<Item = Bar> {
    // Whatever is not nothing is seen.
    let high = move |count: u64| {
        u64::try_from((u128::from(count) * u128::from(height)).div_ceil(u128::from(most))).unwrap_or(height)
    };
    let bar = move |((at, allowed), refused): ((u64, u64), &u64)| {
        let above = high(*refused);
        let below = high(allowed).min(height.saturating_sub(above));
        Bar { at, allowed, refused: *refused, heights: (below, above) }
    };
    counts.allowed.parts().zip(counts.refused.counts()).map(bar)
}

/// A bar of two parts that stands on a line.
fn stack(bar: &Bar, x: u64, width: u64, floor: u64) -> Markup {
    let (below, above) = bar.heights;
    let width = width.saturating_sub(if width > 4 { 2 } else { 1 });
    html! {
        @if below > 0 { rect.bar x=(x) y=(floor - below) width=(width) height=(below) {} }
        @if above > 0 { rect.refused x=(x) y=(floor - below - above) width=(width) height=(above) {} }
    }
}

fn most(counts: &Counts) -> u64 {
    let both = counts.allowed.counts().iter().zip(counts.refused.counts());
    both.map(|(allowed, refused)| allowed.saturating_add(*refused)).max().unwrap_or_default()
}

/// An hour of UTC, without the seconds.
fn hour(seconds: u64) -> String {
    let text = moment(seconds);
    let hour = text.get(5..16).map(|text| text.replace('T', " "));
    hour.unwrap_or(text)
}

/// A number in few letters.
fn short(value: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    match UNITS.iter().find(|(unit, _)| value >= 10 * unit) {
        Some((unit, letter)) => format!("{}{letter}", value / unit),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Series;

    #[test]
    fn bars_have_the_height_of_their_counts_and_one_use_is_seen_among_many() {
        let now = 10 * DAY;
        let empty = Series::new(DAY, 3, now);
        let mut counts = Counts { allowed: empty.clone(), refused: empty };
        counts.allowed.add(now - 2 * DAY, 1);
        counts.allowed.add(now - DAY, 900);
        counts.refused.add(now - DAY, 100);
        counts.refused.add(now, 10);
        let heights: Vec<(u64, u64)> = bars(&counts, most(&counts), 100).map(|bar| bar.heights).collect();
        assert_eq!(heights, [(1, 0), (90, 10), (0, 1)]);
        let drawn = chart("a \"name\"", &counts).into_string();
        assert!(
            drawn.contains("aria-label=\"a &quot;name&quot;\"") && drawn.contains("900 uses, 100 refused"),
            "{drawn}"
        );
    }

    #[test]
    fn long_numbers_are_told_in_few_letters() {
        for (value, text) in
            [(0, "0"), (9999, "9999"), (12_345, "12k"), (40_000_000, "40M"), (u64::MAX, "18446744073G")]
        {
            assert_eq!(short(value), text);
        }
    }
}
