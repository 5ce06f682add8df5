//! The module's life in its process: initialised, finalised, forked.
//!
//! Everything that the module holds hangs on one pointer. A call borrows what is there and keeps it until
//! it returns, so that finalising meanwhile takes nothing from under it. Nothing here waits: a child that
//! was forked while another thread was in the middle of something finds no lock held.

use std::{
    cell::Cell,
    ffi::c_void,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use ::memory::{ArenaFork, ForkMark};
use arc_swap::ArcSwapOption;
use cryptoki_sys::{CK_C_INITIALIZE_ARGS, CKF_OS_LOCKING_OK};
use engine::{Compatibility, Engine, ForkGuard, HeldFiles, Settings, SoftHsmConfig};
use types::Rv;

use crate::{Outcome, boundary, log, memory};

/// The engine, while the module is initialised. It is never torn down at exit: whoever calls that late
/// is answered as ever.
static INSTANCE: ArcSwapOption<Instance> = ArcSwapOption::const_empty();

/// Whether the module's destructors have run: the process is coming to its end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// How many forks lie between the process that loaded the module and this one.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Tells a child that was forked by a system call of its host's own, of which no handler knows. Made once.
static FORK_MARK: ArcSwapOption<ForkMark> = ArcSwapOption::const_empty();

/// The settings that were read last, and by which generation: its children go on with them, and read none.
static FIRST: ArcSwapOption<(u64, Settings)> = ArcSwapOption::const_empty();

struct Instance {
    engine: Engine,
    generation: u64,
    fork_mark: Arc<ForkMark>,
}

impl Instance {
    /// Whether this process made it, and not one that it was forked from.
    fn is_ours(&self) -> bool {
        self.generation == GENERATION.load(Ordering::Relaxed) && self.fork_mark.is_set()
    }
}

/// Lets a function work with the engine, if the module is initialised in this process.
pub(crate) fn with<T>(call: impl FnOnce(&Engine) -> Result<T, Rv>) -> Result<T, Rv> {
    match INSTANCE.load().as_deref() {
        // AWS-LC's destructor has run too: its random numbers would not come any more.
        _ if ENDING.load(Ordering::Relaxed) => Err(Rv::CRYPTOKI_NOT_INITIALIZED),
        Some(instance) if instance.is_ours() => call(&instance.engine),
        _ => Err(Rv::CRYPTOKI_NOT_INITIALIZED),
    }
}

/// `C_Initialize`.
///
/// The module always uses the system's locks (PKCS#11, 5.4.1). That serves callers that promise to use one thread, and
/// those that allow the system's locks. Those that offer functions of their own and do not allow the system's get
/// `CKR_CANT_LOCK`. The module has no thread of its own, so `CKF_LIBRARY_CANT_CREATE_OS_THREADS` asks for nothing.
///
/// # Safety
/// Unless null, `args` must be to a `CK_C_INITIALIZE_ARGS`.
pub(crate) unsafe fn initialize(args: *const CK_C_INITIALIZE_ARGS) -> Outcome {
    // SAFETY: by our caller's promise; a function pointer that is not null is only looked at.
    let args = unsafe { memory::value(args) };
    if ENDING.load(Ordering::Relaxed) {
        return Err(Rv::GENERAL_ERROR);
    }
    let current = INSTANCE.load_full();
    if current.as_deref().is_some_and(Instance::is_ours) {
        return Err(Rv::CRYPTOKI_ALREADY_INITIALIZED);
    }
    // A forked child goes on with what its parent was set to: hosts as nginx clear the environment of theirs.
    let settings = inherited().unwrap_or_else(|| Settings::load_as(named_as()));
    if let Some(args) = args {
        check(&args, settings.compatibility)?;
    }
    boundary::silence_panics();
    log::start(settings.softhsm.as_ref().map(|config| config.log_level));
    let fork_mark = fork_mark()?;
    watch_forks()?;
    for problem in &settings.problems {
        tracing::error!("{}", problem.text);
    }
    if settings.refusal().is_some() {
        // With a default in the place of what was said, keys would be made elsewhere than meant. `strongroom doctor` says why.
        return Err(Rv::GENERAL_ERROR);
    }
    if inherited().is_none() {
        FIRST.store(Some(Arc::new((GENERATION.load(Ordering::Relaxed), settings.clone()))));
    }
    let engine = Engine::new(settings);
    if let Some(config) = &engine.settings().softhsm {
        trace_what_differs(&engine, config);
    }
    let fresh = Arc::new(Instance { engine, generation: GENERATION.load(Ordering::Relaxed), fork_mark });
    let previous = INSTANCE.compare_and_swap(&current, Some(fresh));
    if previous.as_ref().map(Arc::as_ptr) != current.as_ref().map(Arc::as_ptr) {
        return Err(Rv::CRYPTOKI_ALREADY_INITIALIZED); // Another thread was faster.
    }
    // What is left here is of the process that this one was forked from: closing its files would let go of
    // locks that are still its own, so it stays for ever.
    mem::forget(current);
    Ok(())
}

/// Says what a `softhsm2.conf` means to SoftHSM and not here.
fn trace_what_differs(engine: &Engine, config: &SoftHsmConfig) {
    if let Some(directory) = engine.tokens_to_migrate() {
        tracing::warn!(
            "{} has tokens of SoftHSM's, which are left as they are: \
             `STRONGROOM_COMPATIBILITY=softhsm strongroom migrate softhsm --from {}` moves them here",
            directory.display(),
            config.file.display()
        );
    }
    if !config.reset_on_fork {
        tracing::info!(
            "library.reset_on_fork = false has no effect: a forked child finds an uninitialised module, and inherits no login"
        );
    }
    if std::env::var("STRONGROOM_LOG").is_ok_and(|level| level.parse::<tracing::Level>().is_ok()) {
        tracing::info!("log.level of {} has no effect: STRONGROOM_LOG has the level", config.file.display());
    }
}

/// Which module this one was installed as: a file `libsofthsm2.so` is SoftHSM's to those who load it.
fn named_as() -> Compatibility {
    let mut found = mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let here: *const c_void = (&raw const AT_THE_END).cast();
    // SAFETY: the place is one for a `Dl_info`; the address is only looked up.
    if unsafe { libc::dladdr(here, found.as_mut_ptr()) } == 0 {
        return Compatibility::None;
    }
    // SAFETY: it was zeroed, and is filled now; the name has a terminator, and stays as long as this object.
    let path = unsafe {
        let name = found.assume_init().dli_fname;
        if name.is_null() {
            return Compatibility::None;
        }
        std::ffi::CStr::from_ptr(name).to_bytes()
    };
    match path.rsplit(|byte| *byte == b'/').next() {
        Some(b"libsofthsm2.so") => Compatibility::SoftHsm,
        _ => Compatibility::None,
    }
}

/// What the process was set to from which this one was forked, if it was initialised once.
fn inherited() -> Option<Settings> {
    let first = FIRST.load_full()?;
    (first.0 != GENERATION.load(Ordering::Relaxed)).then(|| first.1.clone())
}

/// `C_Finalize`. Calls of other threads that are in the engine finish; the last of them lets it go.
pub(crate) fn finalize(reserved: *const c_void) -> Outcome {
    if !reserved.is_null() {
        return Err(Rv::ARGUMENTS_BAD);
    }
    let current = INSTANCE.load_full();
    if !current.as_deref().is_some_and(Instance::is_ours) {
        return Err(Rv::CRYPTOKI_NOT_INITIALIZED);
    }
    let previous = INSTANCE.compare_and_swap(&current, None);
    if previous.as_ref().map(Arc::as_ptr) != current.as_ref().map(Arc::as_ptr) {
        return Err(Rv::CRYPTOKI_NOT_INITIALIZED); // Another thread was faster.
    }
    if let Some(instance) = previous.as_ref() {
        instance.engine.finalize();
    }
    Ok(())
}

fn check(args: &CK_C_INITIALIZE_ARGS, compatibility: Compatibility) -> Outcome {
    let CK_C_INITIALIZE_ARGS { CreateMutex, DestroyMutex, LockMutex, UnlockMutex, flags, pReserved } = args;
    let given = [CreateMutex.is_some(), DestroyMutex.is_some(), LockMutex.is_some(), UnlockMutex.is_some()];
    let all_or_none = given == [true; 4] || given == [false; 4];
    if !all_or_none || !pReserved.is_null() {
        return Err(Rv::ARGUMENTS_BAD);
    }
    // SoftHSM takes them; here the system's locks do what they would.
    let own_only = given == [true; 4] && flags & CKF_OS_LOCKING_OK == 0;
    if own_only && compatibility == Compatibility::None {
        return Err(Rv::CANT_LOCK);
    }
    Ok(())
}

/// Runs when this shared object is loaded, before anybody can call it: AWS-LC must be told before it asks for memory.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_THE_BEGINNING: extern "C" fn() = at_the_beginning;

extern "C" fn at_the_beginning() {
    engine::use_heap();
}

/// Runs with the destructors of this shared object: at exit, after the functions that hosts have registered for that, and
/// before or after the destructors of other objects, which may still call us.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_THE_END: extern "C" fn() = the_end;

extern "C" fn the_end() {
    ENDING.store(true, Ordering::Relaxed);
}

/// The mark of this process.
///
/// # Errors
/// [`Rv::FUNCTION_FAILED`] in a child that was forked by a raw system call: no handler has run, so a lock
/// that another thread of the parent held is held for ever, and files are open that are the parent's.
fn fork_mark() -> Result<Arc<ForkMark>, Rv> {
    if let Some(mark) = FORK_MARK.load_full() {
        if mark.is_set() {
            return Ok(mark);
        }
        tracing::error!(
            "this process was forked by a system call that runs no handlers (pthread_atfork): \
             the module cannot be used in it; fork with fork(), or start a new program"
        );
        return Err(Rv::FUNCTION_FAILED);
    }
    let mark = Arc::new(ForkMark::new().map_err(|why| {
        tracing::error!(%why, "there is no memory that a fork wipes");
        Rv::HOST_MEMORY
    })?);
    let before = FORK_MARK.compare_and_swap(&None::<Arc<ForkMark>>, Some(Arc::clone(&mark)));
    // Another thread may have been faster; then its mark is the one.
    Ok(before.as_ref().map_or(mark, Arc::clone))
}

/// Sees to it that a child knows that it is one, and that no file is open across a fork: SQLite's locks are
/// the process's, and a child would believe in its parent's. Two threads may come here at once: that a fork
/// is counted twice does no harm.
fn watch_forks() -> Outcome {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if WATCHED.load(Ordering::Acquire) {
        return Ok(());
    }
    // SAFETY: the handlers stay where they are, since the module is never unmapped (`-z nodelete`).
    if unsafe { libc::pthread_atfork(Some(about_to_fork), Some(has_forked), Some(is_forked)) } != 0 {
        return Err(Rv::HOST_MEMORY);
    }
    WATCHED.store(true, Ordering::Release);
    Ok(())
}

thread_local! {
    /// Held by the thread that forks, from before until after.
    static FORK_GUARD: Cell<Option<(HeldFiles, ForkGuard, ArenaFork)>> = const { Cell::new(None) };
}

/// Whether this process was forked by a raw system call. Then locks may be held by threads that it does not have,
/// and the module is not used in it: there is nothing to wait for.
fn is_raw_child() -> bool {
    FORK_MARK.load().as_ref().is_some_and(|mark| !mark.is_set())
}

unsafe extern "C" fn about_to_fork() {
    if is_raw_child() {
        return;
    }
    let _ = FORK_GUARD.try_with(|held| {
        // Registered twice, it is held already.
        let guard = held.take().unwrap_or_else(|| (engine::held_files(), engine::fork_guard(), ArenaFork::hold()));
        held.set(Some(guard));
    });
}

unsafe extern "C" fn has_forked() {
    let _ = FORK_GUARD.try_with(|held| drop(held.take()));
}

unsafe extern "C" fn is_forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let _ = FORK_GUARD.try_with(|held| {
        // Without it, the parent was the child of a raw fork, and so is this process.
        if let Some((mut files, guard, arena)) = held.take() {
            arena.release_in_child();
            if let Some(mark) = FORK_MARK.load().as_ref() {
                mark.set();
            }
            files.close_inherited();
            drop(guard);
        }
    });
}

#[cfg(test)]
mod tests {
    use cryptoki_sys::{CK_RV, CKF_LIBRARY_CANT_CREATE_OS_THREADS, CKR_OK};

    use super::*;

    unsafe extern "C" fn create(_: *mut *mut c_void) -> CK_RV {
        CKR_OK
    }

    unsafe extern "C" fn use_it(_: *mut c_void) -> CK_RV {
        CKR_OK
    }

    #[test]
    fn each_way_of_locking_is_taken() {
        let none = CK_C_INITIALIZE_ARGS::default();
        let own = CK_C_INITIALIZE_ARGS {
            CreateMutex: Some(create),
            DestroyMutex: Some(use_it),
            LockMutex: Some(use_it),
            UnlockMutex: Some(use_it),
            ..none
        };
        for flags in [0, CKF_OS_LOCKING_OK, CKF_LIBRARY_CANT_CREATE_OS_THREADS, 3] {
            assert_eq!(check(&CK_C_INITIALIZE_ARGS { flags, ..none }, Compatibility::None), Ok(()));
            let allowed = flags & CKF_OS_LOCKING_OK != 0;
            let outcome = if allowed { Ok(()) } else { Err(Rv::CANT_LOCK) };
            assert_eq!(check(&CK_C_INITIALIZE_ARGS { flags, ..own }, Compatibility::None), outcome);
            assert_eq!(check(&CK_C_INITIALIZE_ARGS { flags, ..own }, Compatibility::SoftHsm), Ok(()));
        }
    }

    #[test]
    fn some_but_not_all_functions_are_refused() {
        for given in 1..15u8 {
            let args = CK_C_INITIALIZE_ARGS {
                CreateMutex: (given & 1 != 0).then_some(create as _),
                DestroyMutex: (given & 2 != 0).then_some(use_it as _),
                LockMutex: (given & 4 != 0).then_some(use_it as _),
                UnlockMutex: (given & 8 != 0).then_some(use_it as _),
                flags: CKF_OS_LOCKING_OK,
                pReserved: std::ptr::null_mut(),
            };
            assert_eq!(check(&args, Compatibility::None), Err(Rv::ARGUMENTS_BAD), "{given:04b}");
        }
    }

    #[test]
    fn what_is_reserved_must_be_null() {
        let mut text = *b"configdir=x\0";
        let args = CK_C_INITIALIZE_ARGS { pReserved: text.as_mut_ptr().cast(), ..Default::default() };
        assert_eq!(check(&args, Compatibility::None), Err(Rv::ARGUMENTS_BAD));
        assert_eq!(finalize(text.as_ptr().cast()), Err(Rv::ARGUMENTS_BAD));
    }
}
