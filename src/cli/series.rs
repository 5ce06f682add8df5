//! Counts over time.

use crate::pending::moment;

pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 86_400;

/// Counts in parts of time of one length, by UTC, of which the last is the one that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    /// How long a part is, in seconds.
    part: u64,
    /// When the first one began, in seconds since 1970.
    first: u64,
    counts: Vec<u64>,
}

/// The blocks of a line of bars, the lowest first; nothing has the first one too, so that it is seen where it is.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Series {
    /// So many parts up to now, with nothing in them.
    pub(crate) fn new(part: u64, parts: usize, now: u64) -> Self {
        let before = (parts as u64).saturating_sub(1).saturating_mul(part);
        Self { part, first: (now - now % part).saturating_sub(before), counts: vec![0; parts] }
    }

    /// Adds what happened at a time. What is older than the first part, or is to come, is in none.
    pub(crate) fn add(&mut self, at: u64, count: u64) {
        let index = at.checked_sub(self.first).and_then(|since| usize::try_from(since / self.part).ok());
        if let Some(known) = index.and_then(|index| self.counts.get_mut(index)) {
            *known = known.saturating_add(count);
        }
    }

    /// When the first part began, in seconds since 1970.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// How long a part is, in seconds.
    pub(crate) fn part(&self) -> u64 {
        self.part
    }

    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// When each part began, and its count.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u64, u64)> {
        (self.first..).step_by(usize::try_from(self.part).unwrap_or(1)).zip(self.counts.iter().copied())
    }

    pub(crate) fn most(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// A line of bars in one row of text. Whatever is not nothing is higher than nothing.
    pub(crate) fn bars(&self) -> String {
        let most = u128::from(self.most().max(1));
        let steps = (BLOCKS.len() - 1) as u128;
        let height = |count: u64| (u128::from(count) * steps).div_ceil(most);
        let block = |count: &u64| usize::try_from(height(*count)).ok().and_then(|height| BLOCKS.get(height));
        self.counts.iter().filter_map(block).collect()
    }
}

/// The day of a time of UTC, as people read it.
pub(crate) fn date(seconds: u64) -> String {
    let mut text = moment(seconds);
    if let Some(end) = text.find('T') {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Friday, 27 November 2026, 21:00:05 UTC.
    const NOW: u64 = 1_795_813_205;

    #[test]
    fn what_happened_is_in_the_part_of_its_time_and_what_is_outside_in_none() {
        let mut days = Series::new(DAY, 3, NOW);
        assert_eq!((date(days.first()), days.counts().len()), ("2026-11-25".to_owned(), 3));
        for (at, count) in [(NOW, 1), (NOW - DAY, 2), (days.first(), 4), (days.first() - 1, 8), (NOW + DAY, 16)] {
            days.add(at, count);
        }
        assert_eq!((days.counts(), days.total(), days.most()), (&[4, 2, 1][..], 7, 4));
        let dates: Vec<String> = days.parts().map(|(at, _)| date(at)).collect();
        assert_eq!(dates, ["2026-11-25", "2026-11-26", "2026-11-27"]);
        let mut hours = Series::new(HOUR, 2, NOW);
        hours.add(NOW - 6, u64::MAX);
        hours.add(NOW - 6, 1);
        assert_eq!(hours.counts(), [u64::MAX, 0]);
    }

    #[test]
    fn a_line_of_bars_shows_the_most_highest_and_one_use_among_many() {
        let of = |counts: &[u64]| Series { part: DAY, first: 0, counts: counts.to_vec() }.bars();
        assert_eq!(of(&[0, 1, 1000, 500, u64::MAX]), "▁▂▂▂█");
        assert_eq!(of(&[0, 1, 7, 3]), "▁▂█▄");
        assert_eq!(of(&[0, 0]), "▁▁");
        assert_eq!(Series::new(DAY, 2, 5).first(), 0, "there is no time before 1970");
    }
}
