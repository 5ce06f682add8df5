use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicBool, Ordering},
};

use cryptoki_sys::{CK_RV, CKR_OK};
use types::Rv;

use crate::{Outcome, number::to_c};

/// Where every function comes in and goes out.
///
/// No panic leaves it: one is a fault of ours, after which nothing is known of the module's state, so it
/// is remembered and everything afterwards is refused.
pub(crate) struct Boundary {
    broken: AtomicBool,
}

thread_local! {
    /// Whether this thread is in one of our functions. It has no destructor, so it may be unloaded at any time.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl Boundary {
    pub(crate) const fn new() -> Self {
        Self { broken: AtomicBool::new(false) }
    }

    /// Runs a function's body. The trace has the function's name and its outcome's, nothing else.
    pub(crate) fn cross(&self, function: &'static str, body: impl FnOnce() -> Outcome) -> CK_RV {
        if self.broken.load(Ordering::Relaxed) {
            return to_c(Rv::GENERAL_ERROR.0);
        }
        INSIDE.set(true);
        // What a panic leaves behind is never looked at again: the module is broken then.
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            let outcome = body();
            match &outcome {
                Ok(()) => tracing::debug!("{function} CKR_OK"),
                Err(value) => tracing::debug!("{function} {value}"),
            }
            outcome
        }));
        INSIDE.set(false);
        match outcome {
            Ok(Ok(())) => CKR_OK,
            Ok(Err(value)) => to_c(value.0),
            Err(_) => {
                self.broken.store(true, Ordering::Relaxed);
                to_c(Rv::GENERAL_ERROR.0)
            }
        }
    }
}

/// Keeps a panic of ours off the host's terminal: its place is traced, its words are not, for they might
/// repeat an argument. Once per process; a panic of anybody else goes where it went before. In the
/// shared object there is nobody else, since its standard library is its own.
pub(crate) fn silence_panics() {
    static SILENCED: AtomicBool = AtomicBool::new(false);
    // Not `Once`, which a child forked meanwhile would wait for.
    if SILENCED.swap(true, Ordering::Relaxed) {
        return;
    }
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |panic| match panic.location() {
        Some(place) if INSIDE.get() => tracing::error!("panic at {place}: the module is out of order"),
        _ if INSIDE.get() => tracing::error!("panic: the module is out of order"),
        _ => others(panic),
    }));
}

#[cfg(test)]
mod tests {
    use cryptoki_sys::{CKR_DEVICE_ERROR, CKR_GENERAL_ERROR};

    use super::*;

    #[test]
    fn an_outcome_becomes_its_number() {
        let boundary = Boundary::new();
        assert_eq!(boundary.cross("C_Test", || Ok(())), CKR_OK);
        assert_eq!(boundary.cross("C_Test", || Err(Rv::DEVICE_ERROR)), CKR_DEVICE_ERROR);
    }

    #[test]
    fn a_panic_stops_here_and_everything_after_it() {
        silence_panics();
        let boundary = Boundary::new();
        assert_eq!(boundary.cross("C_Test", || panic!("on purpose")), CKR_GENERAL_ERROR);
        assert_eq!(boundary.cross("C_Test", || Ok(())), CKR_GENERAL_ERROR, "nothing is tried again");
    }

    #[test]
    fn a_panic_outside_is_not_ours() {
        silence_panics();
        assert!(!INSIDE.get());
        let boundary = Boundary::new();
        assert_eq!(boundary.cross("C_Test", || if INSIDE.get() { Ok(()) } else { Err(Rv::CANCEL) }), CKR_OK);
        assert!(!INSIDE.get());
    }
}
