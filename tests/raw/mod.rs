//! The module as C sees it: the newest function list, C structs, a store of the test's own.
//!
//! The module is one per process, so the tests of a file take turns.
#![allow(dead_code)] // Each file uses what it needs.

use std::{
    env, fs,
    os::fd::FromRawFd,
    path::PathBuf,
    process, ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use cryptoki_sys::*;

/// Calls a function of the newest list.
#[macro_export]
macro_rules! p11 {
    ($function:ident($($arg:expr),* $(,)?)) => {{
        let function = $crate::raw::list().$function.expect(stringify!($function));
        // SAFETY: a test tells the truth about its memory, or a lie that must be seen through.
        #[allow(unused_unsafe, clippy::macro_metavars_in_unsafe)]
        unsafe { function($($arg),*) }
    }};
}

pub(crate) const OFFICER_PIN: &[u8] = b"officer-12345";
pub(crate) const USER_PIN: &[u8] = b"user-12345";
pub(crate) const SERIAL: CK_FLAGS = CKF_SERIAL_SESSION;
pub(crate) const WRITABLE: CK_FLAGS = CKF_SERIAL_SESSION | CKF_RW_SESSION;

/// The shared object that was built with this test.
pub(crate) fn shared_object() -> PathBuf {
    let test = env::current_exe().unwrap();
    let directory = test.parent().unwrap();
    let name = "libstrongroom.so";
    [directory.join(name), directory.with_file_name(name)].into_iter().find(|path| path.exists()).unwrap()
}

/// The newest function list.
pub(crate) fn list() -> &'static CK_FUNCTION_LIST_3_2 {
    let mut interface = ptr::null_mut();
    // SAFETY: the place is there; what is found is a list of the module's, which lives for ever.
    unsafe {
        assert_eq!(strongroom::C_GetInterface(ptr::null_mut(), ptr::null_mut(), &raw mut interface, 0), CKR_OK);
        &*(*interface).pFunctionList.cast::<CK_FUNCTION_LIST_3_2>()
    }
}

/// A turn with a store of its own. The module is not initialised, before and after.
pub(crate) struct Turn {
    pub(crate) store: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    pub(crate) fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let store = env::temp_dir().join(format!("strongroom-test-{}-{count}", process::id()));
        fs::create_dir_all(&store).unwrap();
        // SAFETY: the other threads wait for their turns, or are not the module's.
        unsafe {
            env::set_var("STRONGROOM_STORE", &store);
            env::set_var("STRONGROOM_STATE", store.join("state"));
        }
        Self { store, _turn: turn }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        p11!(C_Finalize(ptr::null_mut()));
        let _ = fs::remove_dir_all(&self.store);
    }
}

/// A turn with the module initialised and a token that has both PINs.
pub(crate) struct Module {
    pub(crate) slot: CK_SLOT_ID,
    pub(crate) turn: Turn,
}

impl Module {
    pub(crate) fn new() -> Self {
        let turn = Turn::new();
        assert_eq!(p11!(C_Initialize(ptr::null_mut())), CKR_OK);
        let slot = slots()[0];
        let mut label = [b' '; 32];
        label[..4].copy_from_slice(b"test");
        assert_eq!(p11!(C_InitToken(slot, text(OFFICER_PIN), length(OFFICER_PIN), label.as_mut_ptr())), CKR_OK);
        let session = open(slot, WRITABLE);
        assert_eq!(login(session, CKU_SO, OFFICER_PIN), CKR_OK);
        assert_eq!(p11!(C_InitPIN(session, text(USER_PIN), length(USER_PIN))), CKR_OK);
        assert_eq!(p11!(C_CloseSession(session)), CKR_OK);
        Self { slot, turn }
    }

    /// A session of the user's.
    pub(crate) fn session(&self) -> CK_SESSION_HANDLE {
        let session = open(self.slot, WRITABLE);
        let rv = login(session, CKU_USER, USER_PIN);
        assert!(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN, "{rv:#x}");
        session
    }
}

pub(crate) fn slots() -> Vec<CK_SLOT_ID> {
    let mut count = 0;
    assert_eq!(p11!(C_GetSlotList(CK_TRUE, ptr::null_mut(), &raw mut count)), CKR_OK);
    let mut slots = vec![0; count as usize];
    assert_eq!(p11!(C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count)), CKR_OK);
    slots
}

pub(crate) fn open(slot: CK_SLOT_ID, flags: CK_FLAGS) -> CK_SESSION_HANDLE {
    let mut session = 0;
    assert_eq!(p11!(C_OpenSession(slot, flags, ptr::null_mut(), None, &raw mut session)), CKR_OK);
    session
}

pub(crate) fn login(session: CK_SESSION_HANDLE, who: CK_USER_TYPE, pin: &[u8]) -> CK_RV {
    p11!(C_Login(session, who, text(pin), length(pin)))
}

/// Text for C, which does not say that it leaves it alone.
pub(crate) fn text(bytes: &[u8]) -> *mut CK_UTF8CHAR {
    bytes.as_ptr().cast_mut()
}

pub(crate) fn length(bytes: &[u8]) -> CK_ULONG {
    bytes.len() as CK_ULONG
}

/// An attribute of any plain value, which must outlive it.
pub(crate) fn attribute<T>(name: CK_ATTRIBUTE_TYPE, value: &T) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: name, pValue: ptr::from_ref(value).cast_mut().cast(), ulValueLen: size_of::<T>() as CK_ULONG }
}

pub(crate) fn mechanism(id: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism: id, pParameter: ptr::null_mut(), ulParameterLen: 0 }
}

/// A mechanism with a parameter, which must outlive it.
pub(crate) fn mechanism_with<T>(id: CK_MECHANISM_TYPE, parameter: &T) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism: id,
        pParameter: ptr::from_ref(parameter).cast_mut().cast(),
        ulParameterLen: size_of::<T>() as CK_ULONG,
    }
}

/// A private AES key on the token.
pub(crate) fn token_key(session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let (length, yes): (CK_ULONG, _) = (32, CK_TRUE);
    let mut template = [attribute(CKA_VALUE_LEN, &length), attribute(CKA_TOKEN, &yes), attribute(CKA_PRIVATE, &yes)];
    let (mut mechanism, mut key) = (mechanism(CKM_AES_KEY_GEN), 0);
    let count = template.len() as CK_ULONG;
    let rv = p11!(C_GenerateKey(session, &raw mut mechanism, template.as_mut_ptr(), count, &raw mut key));
    assert_eq!(rv, CKR_OK);
    key
}

/// A session key of 32 bytes that may be used for all that such a key can do.
pub(crate) fn secret_key(session: CK_SESSION_HANDLE, generate: CK_MECHANISM_TYPE) -> CK_OBJECT_HANDLE {
    let (length, yes, no): (CK_ULONG, _, _) = (32, CK_TRUE, CK_FALSE);
    let uses: &[CK_ATTRIBUTE_TYPE] = match generate {
        CKM_AES_KEY_GEN => &[CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_EXTRACTABLE],
        _ => &[CKA_SIGN, CKA_VERIFY, CKA_EXTRACTABLE],
    };
    let mut template = vec![attribute(CKA_VALUE_LEN, &length), attribute(CKA_TOKEN, &no)];
    template.extend(uses.iter().map(|name| attribute(*name, &yes)));
    let (mut mechanism, mut key) = (mechanism(generate), 0);
    let count = template.len() as CK_ULONG;
    let rv = p11!(C_GenerateKey(session, &raw mut mechanism, template.as_mut_ptr(), count, &raw mut key));
    assert_eq!(rv, CKR_OK);
    key
}

/// A pair of session keys on P-256, for signatures: public and private.
pub(crate) fn signing_pair(session: CK_SESSION_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    // The OID of P-256.
    let curve = [0x06u8, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let yes = CK_TRUE;
    let mut public = [attribute(CKA_EC_PARAMS, &curve), attribute(CKA_VERIFY, &yes)];
    let mut private = [attribute(CKA_SIGN, &yes)];
    pair(session, CKM_EC_KEY_PAIR_GEN, &mut public, &mut private)
}

/// A pair of RSA session keys with 2048 bits, for all that such keys can do: public and private.
pub(crate) fn rsa_pair(session: CK_SESSION_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let (bits, yes): (CK_ULONG, _) = (2048, CK_TRUE);
    let mut public = [
        attribute(CKA_MODULUS_BITS, &bits),
        attribute(CKA_ENCRYPT, &yes),
        attribute(CKA_VERIFY, &yes),
        attribute(CKA_VERIFY_RECOVER, &yes),
        attribute(CKA_WRAP, &yes),
    ];
    let mut private = [
        attribute(CKA_DECRYPT, &yes),
        attribute(CKA_SIGN, &yes),
        attribute(CKA_SIGN_RECOVER, &yes),
        attribute(CKA_UNWRAP, &yes),
    ];
    pair(session, CKM_RSA_PKCS_KEY_PAIR_GEN, &mut public, &mut private)
}

fn pair(
    session: CK_SESSION_HANDLE,
    generate: CK_MECHANISM_TYPE,
    public: &mut [CK_ATTRIBUTE],
    private: &mut [CK_ATTRIBUTE],
) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let (rv, keys) = generate_pair(session, generate, public, private);
    assert_eq!(rv, CKR_OK);
    keys
}

/// What `C_GenerateKeyPair` returns, and the handles of the public and the private key if that is `CKR_OK`.
pub(crate) fn generate_pair(
    session: CK_SESSION_HANDLE,
    generate: CK_MECHANISM_TYPE,
    public: &mut [CK_ATTRIBUTE],
    private: &mut [CK_ATTRIBUTE],
) -> (CK_RV, (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)) {
    let (mut mechanism, mut keys) = (mechanism(generate), (0, 0));
    let rv = p11!(C_GenerateKeyPair(
        session,
        &raw mut mechanism,
        public.as_mut_ptr(),
        public.len() as CK_ULONG,
        private.as_mut_ptr(),
        private.len() as CK_ULONG,
        &raw mut keys.0,
        &raw mut keys.1,
    ));
    (rv, keys)
}

/// What a child says about its cases: it may not live to say it at the end.
pub(crate) struct Report(fs::File);

impl Report {
    /// Runs a case whose return value must be `want`.
    pub(crate) fn expect(&mut self, case: &str, want: CK_RV, call: impl FnOnce() -> CK_RV) {
        self.check(case, || match call() {
            rv if rv == want => None,
            rv => Some(format!("{rv:#x} instead of {want:#x}")),
        });
    }

    /// Runs a case that says what is wrong, if something is.
    pub(crate) fn check(&mut self, case: &str, run: impl FnOnce() -> Option<String>) {
        self.say(&format!("in {case}"));
        if let Some(wrong) = run() {
            self.say(&format!("WRONG {case}: {wrong}"));
        }
    }

    fn say(&mut self, line: &str) {
        use std::io::Write;
        writeln!(self.0, "{line}").unwrap();
    }
}

/// Runs cases in a child process. Nothing may be wrong, and it must live to the end: no signal, no abort,
/// no hanging.
#[track_caller]
pub(crate) fn in_child(cases: impl FnOnce(&mut Report)) {
    use std::io::Read;
    let mut ends = [0; 2];
    // SAFETY: there is room for two; both are ours then. The child only calls what a forked process may, the
    // module being what is under test, and leaves without anybody's destructors.
    let (mut said, pid) = unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        let (reader, writer) = (fs::File::from_raw_fd(ends[0]), fs::File::from_raw_fd(ends[1]));
        match libc::fork() {
            0 => {
                libc::alarm(120);
                let mut report = Report(writer);
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cases(&mut report)));
                if outcome.is_err() {
                    report.say("WRONG: the test panicked");
                }
                report.say("end");
                libc::_exit(0);
            }
            pid => (reader, pid),
        }
    };
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    let mut status = 0;
    // SAFETY: it is our child, and the place is there.
    unsafe { assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid) };
    let wrong: Vec<_> = text.lines().filter(|line| line.starts_with("WRONG")).collect();
    let last = text.lines().last().unwrap_or_default();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((last, status), ("end", 0), "it ended early: {last}; wait status {status:#x}");
}
