//! What a key usually does.

use std::collections::VecDeque;

use super::Known;
use crate::series::{DAY, HOUR};

/// The hours of a week.
const WEEK: u64 = 168;
/// So many weeks are looked back. A habit that ended two months ago is none.
const WEEKS: u64 = 8;
/// The hours that are kept: those weeks and the one that has not ended.
const KEPT: u64 = (WEEKS + 1) * WEEK;
/// The time in which refused uses are added up, in minutes.
const BURST_MINUTES: u64 = 10;

/// What is known of a key's uses.
pub(super) struct Baseline {
    /// When it was used first, in seconds since 1970.
    pub(super) first: u64,
    pub(super) callers: Known,
    pub(super) ways: Known,
    /// The hour that goes on, counted from 1970.
    hour: u64,
    /// Allowed uses in each hour that is kept; an hour has the place of its number modulo [`KEPT`].
    counts: Vec<u32>,
    /// More uses in the hour that goes on are a jump; `None` as long as too little is known.
    limit: Option<Limit>,
    /// Refused uses by minute, those of the last minutes.
    refused: VecDeque<(u64, u64)>,
    /// Up to when somebody has looked at them.
    looked_at: u64,
}

/// What is usual in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// The median of the same hour of the week, or of the one before or after it, whichever is more.
    pub(super) median: u64,
    /// How far counts are from it, as a median.
    pub(super) deviation: u64,
}

impl Baseline {
    pub(super) fn new(first: u64) -> Self {
        let hour = first / HOUR;
        let counts = (0..KEPT).map(|_| 0).collect();
        let (callers, ways) = (Known::default(), Known::default());
        Self { first, callers, ways, hour, counts, limit: None, refused: VecDeque::new(), looked_at: 0 }
    }

    /// Whether it is known since so many days.
    pub(super) fn is_known(&self, at: u64, days: u64) -> bool {
        at.saturating_sub(self.first) >= days.saturating_mul(DAY)
    }

    /// Adds uses, and gives how many there were in that hour before and with them; `None` for an hour that has ended.
    pub(super) fn count(&mut self, at: u64, uses: u64) -> Option<(u64, u64)> {
        let hour = at / HOUR;
        if hour < self.hour {
            // Told late: it is learned, and nothing is concluded.
            if hour.saturating_add(KEPT) > self.hour {
                self.add(hour, uses);
            }
            return None;
        }
        if hour > self.hour {
            for empty in (self.hour + 1..=hour).rev().take(self.counts.len()) {
                if let Some(count) = self.place(empty) {
                    *count = 0;
                }
            }
            self.hour = hour;
            self.limit = self.limit_of(hour);
        }
        let before = self.of(hour);
        self.add(hour, uses);
        Some((before, self.of(hour)))
    }

    /// What is usual in the hour that goes on.
    pub(super) fn limit(&self, weeks: u64) -> Option<Limit> {
        self.limit.filter(|_| self.weeks() >= weeks)
    }

    /// In how many hours of the last weeks it was used.
    pub(super) fn active_hours(&self) -> usize {
        self.counts.iter().filter(|count| **count > 0).count()
    }

    /// On how many days of the same kind (working day or weekend) it was used within an hour of this hour of the day.
    pub(super) fn days_like(&self, at: u64) -> usize {
        let hour = at / HOUR;
        let days = (1..=WEEKS * 7).filter_map(|days| hour.checked_sub(days * 24));
        days.filter(|like| is_weekend(*like) == is_weekend(hour))
            .filter(|like| near(*like).any(|near| self.of(near) > 0))
            .count()
    }

    /// Forgets the refused uses before a time, which has just passed.
    pub(super) fn forget_refused(&mut self, until: u64) {
        if self.looked_at < until {
            self.refused.clear();
            self.looked_at = until;
        }
    }

    /// Adds refused uses, and gives how many there were in the last minutes.
    pub(super) fn refuse(&mut self, at: u64, uses: u64) -> u64 {
        let minute = at / 60;
        match self.refused.back_mut().filter(|(last, _)| *last == minute) {
            Some((_, count)) => *count = count.saturating_add(uses),
            None => self.refused.push_back((minute, uses)),
        }
        self.refused.retain(|(then, _)| minute.abs_diff(*then) < BURST_MINUTES);
        self.refused.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// How many whole weeks are known, at most those that are kept.
    fn weeks(&self) -> u64 {
        (self.hour.saturating_sub(self.first / HOUR) / WEEK).min(WEEKS)
    }

    fn limit_of(&self, hour: u64) -> Option<Limit> {
        let weeks = self.weeks();
        let limits = near(hour).filter_map(|near| {
            let counts: Vec<u64> =
                (1..=weeks).filter_map(|weeks| Some(self.of(near.checked_sub(weeks * WEEK)?))).collect();
            let median = median(counts.clone())?;
            let deviation = self::median(counts.iter().map(|count| count.abs_diff(median)).collect())?;
            Some(Limit { median, deviation })
        });
        limits.max_by_key(|limit| (limit.median, limit.deviation))
    }

    fn of(&self, hour: u64) -> u64 {
        let count = usize::try_from(hour % KEPT).ok().and_then(|place| self.counts.get(place));
        count.copied().map_or(0, u64::from)
    }

    fn place(&mut self, hour: u64) -> Option<&mut u32> {
        self.counts.get_mut(usize::try_from(hour % KEPT).ok()?)
    }

    fn add(&mut self, hour: u64, uses: u64) {
        if let Some(count) = self.place(hour) {
            *count = count.saturating_add(u32::try_from(uses).unwrap_or(u32::MAX));
        }
    }
}

/// An hour, the one before and the one after it: clocks are set forward and back, and people come early.
fn near(hour: u64) -> impl Iterator<Item = u64> {
    hour.saturating_sub(1)..=hour.saturating_add(1)
}

/// By UTC. 1 January 1970 was a Thursday.
fn is_weekend(hour: u64) -> bool {
    matches!((hour / 24 + 4) % 7, 0 | 6)
}

/// The higher one of two in the middle.
fn median(mut counts: Vec<u64>) -> Option<u64> {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 6 January 2025, midnight.
    const MONDAY: u64 = 1_736_121_600;

    #[test]
    fn the_median_does_not_mind_one_wild_week() {
        let mut key = Baseline::new(MONDAY);
        for (week, uses) in [10, 12, 9, 50_000, 11, 10].into_iter().enumerate() {
            key.count(MONDAY + week as u64 * WEEK * HOUR, uses);
        }
        key.count(MONDAY + 6 * WEEK * HOUR, 1);
        assert_eq!(key.limit(4), Some(Limit { median: 11, deviation: 1 }));
        assert_eq!(key.limit(7), None, "so long it is not known");
    }

    #[test]
    fn what_is_told_late_is_learned_and_what_is_older_than_is_kept_is_not() {
        let mut key = Baseline::new(MONDAY);
        let later = MONDAY + 20 * WEEK * HOUR;
        assert_eq!(key.count(later, 5), Some((0, 5)));
        assert_eq!(key.count(later - HOUR, 3), None);
        assert_eq!(key.count(MONDAY, 3), None);
        assert_eq!(key.active_hours(), 2);
        assert_eq!(key.count(later, 1), Some((5, 6)));
    }

    #[test]
    fn saturday_and_sunday_are_the_weekend() {
        let days: Vec<bool> = (0..7).map(|day| is_weekend(MONDAY / HOUR + day * 24)).collect();
        assert_eq!(days, [false, false, false, false, false, true, true]);
    }

    #[test]
    fn refused_uses_are_added_up_over_ten_minutes() {
        let mut key = Baseline::new(MONDAY);
        assert_eq!(key.refuse(MONDAY, 3), 3);
        assert_eq!(key.refuse(MONDAY + 9 * 60, 4), 7);
        assert_eq!(key.refuse(MONDAY + 10 * 60, 1), 5, "the first ones are ten minutes ago");
    }
}
