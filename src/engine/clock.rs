//! Clocks that are asked at each use of a key: those that cost least, exact to a few milliseconds.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    let Timespec { tv_sec, .. } = clock_gettime(ClockId::RealtimeCoarse);
    u64::try_from(tv_sec).unwrap_or_default()
}

/// Milliseconds of a clock that only goes on.
pub(crate) fn millis() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::MonotonicCoarse);
    let (seconds, parts) = (u64::try_from(tv_sec).unwrap_or_default(), u64::try_from(tv_nsec).unwrap_or_default());
    seconds.saturating_mul(1000).saturating_add(parts / 1_000_000)
}
