//! How long to wait for others, and how.

use std::time::{Duration, Instant};

/// How long to wait for another process.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tries until a deadline, with pauses that grow. The pauses are made outside the gate of `fork_guard`.
pub(super) struct Patience {
    deadline: Instant,
    pause: Duration,
    longest: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self::with_pauses(PATIENCE, Duration::from_millis(1), Duration::from_millis(50))
    }

    /// So long, with pauses that double from the first to the longest.
    pub(super) fn with_pauses(patience: Duration, first: Duration, longest: Duration) -> Self {
        Self { deadline: Instant::now() + patience, pause: first, longest }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Waits a little. `false`, without a wait, when the deadline has come.
    pub(super) fn pause(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(self.longest);
        true
    }
}
