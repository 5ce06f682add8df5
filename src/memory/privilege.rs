//! With whose rights the program runs.

/// Whether the program runs with rights that its caller does not have (set-user-ID, file capabilities). Then the
/// environment and the home directory are the caller's.
#[must_use]
#[allow(unsafe_code)]
pub fn is_privileged() -> bool {
    // SAFETY: it asks the kernel's note to the process for a number; nobody needs to promise anything.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
