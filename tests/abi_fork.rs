//! Forks of a host that uses the module: with handlers, without them, and from the middle of things.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::{ptr, thread, time::Duration};

use cryptoki_sys::*;
use raw::Module;

fn use_module() -> CK_RV {
    let mut info = CK_INFO::default();
    p11!(C_GetInfo(&raw mut info))
}

/// Runs `child` in a child of this process and gives its exit status.
fn forked(fork: impl FnOnce() -> libc::pid_t, child: impl FnOnce() -> i32) -> i32 {
    match fork() {
        0 => {
            // SAFETY: the child leaves without anybody's destructors, and at the latest after a minute.
            unsafe {
                libc::alarm(60);
                libc::_exit(child())
            }
        }
        pid => {
            let mut status = 0;
            // SAFETY: it is our child, and the place is there.
            unsafe { assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid) };
            assert!(libc::WIFEXITED(status), "wait status {status:#x}");
            libc::WEXITSTATUS(status)
        }
    }
}

/// The system call, past the C library and its handlers.
fn raw_fork() -> libc::pid_t {
    // SAFETY: the child only makes calls that need no lock of the C library's.
    unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as libc::pid_t }
}

fn fork() -> libc::pid_t {
    // SAFETY: the child only calls what a forked process may; the module is what is under test.
    unsafe { libc::fork() }
}

#[test]
fn a_child_of_a_raw_fork_finds_an_uninitialised_module_and_cannot_initialise_it() {
    let module = Module::new();
    let session = module.session();
    let mut bytes = [0; 8];
    assert_eq!(p11!(C_GenerateRandom(session, bytes.as_mut_ptr(), 8)), CKR_OK);
    let status = forked(raw_fork, || {
        let mut bytes = [0; 8];
        let used = p11!(C_GenerateRandom(session, bytes.as_mut_ptr(), 8));
        let initialised = p11!(C_Initialize(ptr::null_mut()));
        i32::from(used != CKR_CRYPTOKI_NOT_INITIALIZED) | i32::from(initialised != CKR_FUNCTION_FAILED) << 1
    });
    assert_eq!(status, 0, "1: it was logged in; 2: it could be initialised");
    assert_eq!(p11!(C_GenerateRandom(session, bytes.as_mut_ptr(), 8)), CKR_OK, "the parent goes on");
}

#[test]
fn a_forked_child_starts_anew_and_so_does_its_child() {
    let module = Module::new();
    let session = module.session();
    let slot = module.slot;
    let start = move || {
        let mut child_session = 0;
        let mut info = CK_SESSION_INFO::default();
        let steps = [
            p11!(C_GetSessionInfo(session, &raw mut info)) == CKR_CRYPTOKI_NOT_INITIALIZED,
            p11!(C_Initialize(ptr::null_mut())) == CKR_OK,
            p11!(C_GetSessionInfo(session, &raw mut info)) == CKR_SESSION_HANDLE_INVALID,
            p11!(C_OpenSession(slot, raw::SERIAL, ptr::null_mut(), None, &raw mut child_session)) == CKR_OK,
            p11!(C_GetSessionInfo(child_session, &raw mut info)) == CKR_OK && info.state == CKS_RO_PUBLIC_SESSION,
        ];
        steps.iter().position(|held| !held).map_or(0, |step| i32::try_from(step).unwrap() + 1)
    };
    let status = forked(fork, || match start() {
        0 => forked(fork, start),
        step => 100 + step,
    });
    assert_eq!(status, 0, "the step that failed; above 100 in the first child");
}

#[test]
fn a_fork_while_a_pin_is_tried_leaves_the_turn_with_the_parent() {
    let module = Module::new();
    let slot = module.slot;
    // The child outlives the login of its parent, and must not keep the parent's turn.
    for pause in [1, 5, 15] {
        let login = thread::spawn(move || {
            let mut session = 0;
            assert_eq!(p11!(C_OpenSession(slot, raw::WRITABLE, ptr::null_mut(), None, &raw mut session)), CKR_OK);
            let pin = raw::USER_PIN;
            let rv = p11!(C_Login(session, CKU_USER, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG));
            assert_eq!(p11!(C_CloseSession(session)), CKR_OK);
            rv
        });
        thread::sleep(Duration::from_millis(pause));
        let pid = fork();
        if pid == 0 {
            thread::sleep(Duration::from_secs(20));
            // SAFETY: as in `forked`.
            unsafe { libc::_exit(0) };
        }
        assert_eq!(login.join().unwrap(), CKR_OK);
        let begin = std::time::Instant::now();
        let session = module.session();
        assert!(begin.elapsed() < Duration::from_secs(10), "nobody has the turn any more");
        assert_eq!(p11!(C_CloseSession(session)), CKR_OK);
        // SAFETY: it is our child.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, ptr::null_mut(), 0);
        }
    }
    assert_eq!(use_module(), CKR_OK);
}

#[test]
fn a_forked_child_goes_on_with_its_parents_settings_whatever_has_become_of_the_environment() {
    let module = Module::new();
    let slot = module.slot;
    let status = forked(fork, || {
        // As nginx does for its workers.
        // SAFETY: the child has one thread.
        unsafe { libc::clearenv() };
        if p11!(C_Initialize(ptr::null_mut())) != CKR_OK {
            return 1;
        }
        let mut info = CK_TOKEN_INFO::default();
        let mut told = p11!(C_GetTokenInfo(slot, &raw mut info));
        if told == CKR_OK {
            // And so each time.
            p11!(C_Finalize(ptr::null_mut()));
            p11!(C_Initialize(ptr::null_mut()));
            told = p11!(C_GetTokenInfo(slot, &raw mut info));
        }
        i32::from(told != CKR_OK || !info.label.starts_with(b"test ")) << 1
    });
    assert_eq!(status, 0, "1: not initialised; 2: another store");
}
