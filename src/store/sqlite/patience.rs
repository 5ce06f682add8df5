//! How long to wait for others, and how.

use std::time::{Duration, Instant};

/// How long to wait for another process.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_millis(50);

/// Tries until a deadline, with pauses that grow. The pauses are made outside the gate of `fork_guard`.
pub(super) struct Patience {
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { deadline: Instant::now() + PATIENCE, pause: Duration::from_millis(1) }
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
        self.pause = (self.pause * 2).min(LONGEST);
        true
    }
}
