//! A clock that is asked at each use of a key: the one that costs least, exact to a few milliseconds.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Milliseconds of a clock that only goes on.
#[must_use]
pub fn millis() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::MonotonicCoarse);
    let (seconds, parts) = (u64::try_from(tv_sec).unwrap_or_default(), u64::try_from(tv_nsec).unwrap_or_default());
    seconds.saturating_mul(1000).saturating_add(parts / 1_000_000)
}
