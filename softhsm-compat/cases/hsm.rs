//! Any PKCS#11 module, through its C ABI, and what a case says about it.

use std::{
    env,
    ffi::{CStr, CString},
    fs,
    io::Write,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::Command,
    ptr,
};

use cryptoki_sys::*;

pub(crate) const OFFICER_PIN: &[u8] = b"officer-12345";
pub(crate) const USER_PIN: &[u8] = b"user-12345";
pub(crate) const READER: CK_FLAGS = CKF_SERIAL_SESSION;
pub(crate) const WRITER: CK_FLAGS = CKF_SERIAL_SESSION | CKF_RW_SESSION;
pub(crate) const NULL: *mut u8 = ptr::null_mut();
/// A handle that no module gave.
pub(crate) const NOBODY: CK_ULONG = 0x7777_7777;

/// Calls a function of the module.
macro_rules! call {
    ($hsm:expr, $function:ident($($arg:expr),* $(,)?)) => {{
        let function = $hsm.list.$function.unwrap();
        // SAFETY: a case tells the truth about its memory.
        #[allow(unused_unsafe, clippy::macro_metavars_in_unsafe)]
        unsafe { function($($arg),*) }
    }};
}

/// Calls a function of the module and says what it returned.
macro_rules! say {
    ($hsm:expr, $function:ident($($arg:expr),* $(,)?)) => {{
        let rv = call!($hsm, $function($($arg),*));
        $hsm.rv(rv);
        rv
    }};
}
pub(crate) use {call, say};

macro_rules! names {
    ($($name:ident)*) => {
        /// A return value's name, without its prefix.
        pub(crate) fn name(rv: CK_RV) -> String {
            $(if rv == $name { return stringify!($name).trim_start_matches("CKR_").into(); })*
            format!("{rv:#x}")
        }
    };
}

names! {
    CKR_OK CKR_CANCEL CKR_HOST_MEMORY CKR_SLOT_ID_INVALID CKR_GENERAL_ERROR CKR_FUNCTION_FAILED CKR_ARGUMENTS_BAD
    CKR_NO_EVENT CKR_NEED_TO_CREATE_THREADS CKR_CANT_LOCK CKR_ATTRIBUTE_READ_ONLY CKR_ATTRIBUTE_SENSITIVE
    CKR_ATTRIBUTE_TYPE_INVALID CKR_ATTRIBUTE_VALUE_INVALID CKR_ACTION_PROHIBITED CKR_DATA_INVALID CKR_DATA_LEN_RANGE
    CKR_DEVICE_ERROR CKR_DEVICE_MEMORY CKR_DEVICE_REMOVED CKR_ENCRYPTED_DATA_INVALID CKR_ENCRYPTED_DATA_LEN_RANGE
    CKR_FUNCTION_CANCELED CKR_FUNCTION_NOT_PARALLEL CKR_FUNCTION_NOT_SUPPORTED CKR_KEY_HANDLE_INVALID
    CKR_KEY_SIZE_RANGE CKR_KEY_TYPE_INCONSISTENT CKR_KEY_NOT_NEEDED CKR_KEY_CHANGED CKR_KEY_NEEDED
    CKR_KEY_INDIGESTIBLE CKR_KEY_FUNCTION_NOT_PERMITTED CKR_KEY_NOT_WRAPPABLE CKR_KEY_UNEXTRACTABLE
    CKR_MECHANISM_INVALID CKR_MECHANISM_PARAM_INVALID CKR_OBJECT_HANDLE_INVALID CKR_OPERATION_ACTIVE
    CKR_OPERATION_NOT_INITIALIZED CKR_PIN_INCORRECT CKR_PIN_INVALID CKR_PIN_LEN_RANGE CKR_PIN_EXPIRED CKR_PIN_LOCKED
    CKR_SESSION_CLOSED CKR_SESSION_COUNT CKR_SESSION_HANDLE_INVALID CKR_SESSION_PARALLEL_NOT_SUPPORTED
    CKR_SESSION_READ_ONLY CKR_SESSION_EXISTS CKR_SESSION_READ_ONLY_EXISTS CKR_SESSION_READ_WRITE_SO_EXISTS
    CKR_SIGNATURE_INVALID CKR_SIGNATURE_LEN_RANGE CKR_TEMPLATE_INCOMPLETE CKR_TEMPLATE_INCONSISTENT
    CKR_TOKEN_NOT_PRESENT CKR_TOKEN_NOT_RECOGNIZED CKR_TOKEN_WRITE_PROTECTED CKR_UNWRAPPING_KEY_HANDLE_INVALID
    CKR_UNWRAPPING_KEY_SIZE_RANGE CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT CKR_USER_ALREADY_LOGGED_IN
    CKR_USER_NOT_LOGGED_IN CKR_USER_PIN_NOT_INITIALIZED CKR_USER_TYPE_INVALID CKR_USER_ANOTHER_ALREADY_LOGGED_IN
    CKR_USER_TOO_MANY_TYPES CKR_WRAPPED_KEY_INVALID CKR_WRAPPED_KEY_LEN_RANGE CKR_WRAPPING_KEY_HANDLE_INVALID
    CKR_WRAPPING_KEY_SIZE_RANGE CKR_WRAPPING_KEY_TYPE_INCONSISTENT CKR_RANDOM_SEED_NOT_SUPPORTED CKR_RANDOM_NO_RNG
    CKR_DOMAIN_PARAMS_INVALID CKR_CURVE_NOT_SUPPORTED CKR_BUFFER_TOO_SMALL CKR_SAVED_STATE_INVALID
    CKR_INFORMATION_SENSITIVE CKR_STATE_UNSAVEABLE CKR_CRYPTOKI_NOT_INITIALIZED CKR_CRYPTOKI_ALREADY_INITIALIZED
    CKR_MUTEX_BAD CKR_MUTEX_NOT_LOCKED
}

/// An attribute with its value.
#[derive(Clone)]
pub(crate) struct Attribute(pub(crate) CK_ATTRIBUTE_TYPE, pub(crate) Vec<u8>);

pub(crate) fn number(name: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Attribute {
    Attribute(name, value.to_ne_bytes().into())
}

pub(crate) fn yes(name: CK_ATTRIBUTE_TYPE) -> Attribute {
    Attribute(name, vec![CK_TRUE])
}

pub(crate) fn no(name: CK_ATTRIBUTE_TYPE) -> Attribute {
    Attribute(name, vec![CK_FALSE])
}

pub(crate) fn bytes(name: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Attribute {
    Attribute(name, value.into())
}

/// A template for C; it must not outlive the attributes.
pub(crate) fn template(attributes: &[Attribute]) -> Vec<CK_ATTRIBUTE> {
    let one = |Attribute(name, value): &Attribute| CK_ATTRIBUTE {
        type_: *name,
        pValue: value.as_ptr().cast_mut().cast(),
        ulValueLen: value.len() as CK_ULONG,
    };
    attributes.iter().map(one).collect()
}

pub(crate) fn joined(one: &[Attribute], other: &[Attribute]) -> Vec<Attribute> {
    [one, other].concat()
}

/// A mechanism with its parameter and what that points to.
pub(crate) struct Mechanism(CK_MECHANISM, Vec<Vec<u8>>);

impl Mechanism {
    pub(crate) fn raw(&self) -> *mut CK_MECHANISM {
        ptr::from_ref(&self.0).cast_mut()
    }
}

pub(crate) fn plain(id: CK_MECHANISM_TYPE) -> Mechanism {
    with(id, &[])
}

/// A mechanism whose parameter is these bytes.
pub(crate) fn with(id: CK_MECHANISM_TYPE, parameter: &[u8]) -> Mechanism {
    let parameter = parameter.to_vec();
    let pointer = if parameter.is_empty() { ptr::null_mut() } else { parameter.as_ptr().cast_mut().cast() };
    Mechanism(
        CK_MECHANISM { mechanism: id, pParameter: pointer, ulParameterLen: parameter.len() as CK_ULONG },
        vec![parameter],
    )
}

/// A mechanism whose parameter is a C struct; `keep` is what the struct points to.
pub(crate) fn with_struct<T>(id: CK_MECHANISM_TYPE, parameter: &T, keep: Vec<Vec<u8>>) -> Mechanism {
    // SAFETY: a C struct of numbers and pointers, read as bytes.
    let bytes = unsafe { std::slice::from_raw_parts(ptr::from_ref(parameter).cast::<u8>(), size_of::<T>()) };
    let mut mechanism = with(id, bytes);
    mechanism.1.extend(keep);
    mechanism
}

/// The kinds of operations with one shape.
#[derive(Clone, Copy)]
pub(crate) enum Do {
    Encrypt,
    Decrypt,
    Sign,
    Digest,
}

pub(crate) type Answer = Result<Vec<u8>, CK_RV>;

/// What a call without an error returned.
fn answer(rv: CK_RV, mut out: Vec<u8>, length: CK_ULONG) -> Answer {
    if rv != CKR_OK {
        return Err(rv);
    }
    out.truncate(length as usize);
    Ok(out)
}

/// A module, and what was said about it.
pub(crate) struct Hsm {
    pub(crate) list: &'static CK_FUNCTION_LIST,
    /// The session that helpers use.
    pub(crate) session: CK_SESSION_HANDLE,
    pub(crate) slot: CK_SLOT_ID,
    said: fs::File,
}

impl Hsm {
    pub(crate) fn load(module: &Path, said: fs::File) -> Self {
        let path = CString::new(module.as_os_str().as_bytes()).unwrap();
        let mut list = ptr::null_mut();
        // SAFETY: the module is a PKCS#11 module; the function has this type in all of them.
        unsafe {
            let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
            assert!(!library.is_null(), "{}: {:?}", module.display(), CStr::from_ptr(libc::dlerror()));
            let symbol = libc::dlsym(library, c"C_GetFunctionList".as_ptr());
            let function: CK_C_GetFunctionList = std::mem::transmute(symbol);
            assert_eq!(function.unwrap()(&raw mut list), CKR_OK);
            Self { list: &*list, session: 0, slot: 0, said }
        }
    }

    /// Says a word.
    pub(crate) fn word(&mut self, word: impl std::fmt::Display) {
        write!(self.said, "{word} ").unwrap();
    }

    pub(crate) fn rv(&mut self, rv: CK_RV) {
        self.word(name(rv));
    }

    /// Says the beginning and the number of bytes, or why there are none.
    pub(crate) fn answer(&mut self, answer: Answer) {
        match answer {
            Ok(bytes) => {
                let start: String = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                self.word(format!("{start}/{}", bytes.len()));
            }
            Err(rv) => self.rv(rv),
        }
    }

    /// Says that it went well and how long the result is, or why not.
    pub(crate) fn size(&mut self, answer: &Answer) {
        match answer {
            Ok(bytes) => self.word(bytes.len()),
            Err(rv) => self.rv(*rv),
        }
    }

    // What a case begins with.

    /// The module is initialised.
    pub(crate) fn start(&mut self) {
        let mut arguments = CK_C_INITIALIZE_ARGS {
            CreateMutex: None,
            DestroyMutex: None,
            LockMutex: None,
            UnlockMutex: None,
            flags: CKF_OS_LOCKING_OK,
            pReserved: ptr::null_mut(),
        };
        assert_eq!(call!(self, C_Initialize((&raw mut arguments).cast())), CKR_OK);
        let slots = self.slots(CK_TRUE);
        let initialised = |slot: &CK_SLOT_ID| {
            // SAFETY: numbers and bytes.
            let mut token: CK_TOKEN_INFO = unsafe { std::mem::zeroed() };
            assert_eq!(call!(self, C_GetTokenInfo(*slot, &raw mut token)), CKR_OK);
            token.flags & CKF_TOKEN_INITIALIZED != 0
        };
        self.slot = slots.iter().copied().find(initialised).unwrap_or(slots[0]);
    }

    pub(crate) fn slots(&self, present: CK_BBOOL) -> Vec<CK_SLOT_ID> {
        let mut slots = vec![0; 16];
        let mut count = 16;
        assert_eq!(call!(self, C_GetSlotList(present, slots.as_mut_ptr(), &raw mut count)), CKR_OK);
        slots.truncate(count as usize);
        slots
    }

    pub(crate) fn init_token(&self, pin: &[u8], label: &str) -> CK_RV {
        let mut text = [b' '; 32];
        text[..label.len()].copy_from_slice(label.as_bytes());
        call!(self, C_InitToken(self.slot, data(pin), length(pin), text.as_mut_ptr()))
    }

    /// There is a token without a user PIN. No session.
    pub(crate) fn officer_only(&mut self) {
        self.start();
        assert_eq!(self.init_token(OFFICER_PIN, "case"), CKR_OK);
    }

    /// There is a token with both PINs. No session. It is a copy of one that was made before: PINs are slow.
    pub(crate) fn token(&mut self) {
        let Some(made) = env::var_os("CASE_MADE") else { return self.make() };
        for part in ["tokens", "store", "state"] {
            let from = Path::new(&made).join(part);
            if from.exists() {
                let to = env::var_os("CASE_PLACE").unwrap();
                assert!(Command::new("cp").arg("-a").args([from.into_os_string(), to]).status().unwrap().success());
            }
        }
        self.start();
    }

    /// Makes such a token.
    pub(crate) fn make(&mut self) {
        self.officer_only();
        let session = self.open(WRITER);
        assert_eq!(self.login(session, CKU_SO, OFFICER_PIN), CKR_OK);
        assert_eq!(call!(self, C_InitPIN(session, data(USER_PIN), length(USER_PIN))), CKR_OK);
        assert_eq!(call!(self, C_CloseSession(session)), CKR_OK);
    }

    /// There is a session that nobody is logged in to.
    pub(crate) fn public(&mut self) -> CK_SESSION_HANDLE {
        self.token();
        self.session = self.open(WRITER);
        self.session
    }

    /// There is a session of the user's.
    pub(crate) fn user(&mut self) -> CK_SESSION_HANDLE {
        self.public();
        assert_eq!(self.login(self.session, CKU_USER, USER_PIN), CKR_OK);
        self.session
    }

    // Calls in short.

    pub(crate) fn try_open(&self, flags: CK_FLAGS) -> Result<CK_SESSION_HANDLE, CK_RV> {
        let mut session = 0;
        match call!(self, C_OpenSession(self.slot, flags, ptr::null_mut(), None, &raw mut session)) {
            CKR_OK => Ok(session),
            rv => Err(rv),
        }
    }

    pub(crate) fn open(&self, flags: CK_FLAGS) -> CK_SESSION_HANDLE {
        self.try_open(flags).unwrap()
    }

    pub(crate) fn login(&self, session: CK_SESSION_HANDLE, who: CK_USER_TYPE, pin: &[u8]) -> CK_RV {
        call!(self, C_Login(session, who, data(pin), length(pin)))
    }

    pub(crate) fn try_create(&self, attributes: &[Attribute]) -> Result<CK_OBJECT_HANDLE, CK_RV> {
        let (mut template, mut object) = (template(attributes), 0);
        let count = template.len() as CK_ULONG;
        match call!(self, C_CreateObject(self.session, template.as_mut_ptr(), count, &raw mut object)) {
            CKR_OK => Ok(object),
            rv => Err(rv),
        }
    }

    pub(crate) fn create(&self, attributes: &[Attribute]) -> CK_OBJECT_HANDLE {
        self.try_create(attributes).map_err(name).unwrap()
    }

    pub(crate) fn try_copy(&self, object: CK_OBJECT_HANDLE, changes: &[Attribute]) -> Result<CK_OBJECT_HANDLE, CK_RV> {
        let (mut template, mut copy) = (template(changes), 0);
        let count = template.len() as CK_ULONG;
        match call!(self, C_CopyObject(self.session, object, template.as_mut_ptr(), count, &raw mut copy)) {
            CKR_OK => Ok(copy),
            rv => Err(rv),
        }
    }

    /// An attribute's value.
    pub(crate) fn get(&self, object: CK_OBJECT_HANDLE, name: CK_ATTRIBUTE_TYPE) -> Answer {
        let mut out = vec![0; 2048];
        let mut one = CK_ATTRIBUTE { type_: name, pValue: out.as_mut_ptr().cast(), ulValueLen: 2048 };
        let rv = call!(self, C_GetAttributeValue(self.session, object, &raw mut one, 1));
        answer(rv, out, one.ulValueLen)
    }

    pub(crate) fn flag(&self, object: CK_OBJECT_HANDLE, name: CK_ATTRIBUTE_TYPE) -> &'static str {
        match self.get(object, name).as_deref() {
            Ok([CK_TRUE]) => "yes",
            Ok([CK_FALSE]) => "no",
            _ => "neither",
        }
    }

    pub(crate) fn set(&self, object: CK_OBJECT_HANDLE, attributes: &[Attribute]) -> CK_RV {
        let mut template = template(attributes);
        let count = template.len() as CK_ULONG;
        call!(self, C_SetAttributeValue(self.session, object, template.as_mut_ptr(), count))
    }

    /// How many objects have these attributes.
    pub(crate) fn count(&self, attributes: &[Attribute]) -> Result<usize, CK_RV> {
        let mut template = template(attributes);
        let (count, mut found, mut objects) = (template.len() as CK_ULONG, 0, vec![0; 500]);
        let rv = call!(self, C_FindObjectsInit(self.session, template.as_mut_ptr(), count));
        if rv != CKR_OK {
            return Err(rv);
        }
        assert_eq!(call!(self, C_FindObjects(self.session, objects.as_mut_ptr(), 500, &raw mut found)), CKR_OK);
        assert_eq!(call!(self, C_FindObjectsFinal(self.session)), CKR_OK);
        Ok(found as usize)
    }

    pub(crate) fn try_generate(
        &self,
        mechanism: &Mechanism,
        attributes: &[Attribute],
    ) -> Result<CK_OBJECT_HANDLE, CK_RV> {
        let (mut template, mut key) = (template(attributes), 0);
        let count = template.len() as CK_ULONG;
        match call!(self, C_GenerateKey(self.session, mechanism.raw(), template.as_mut_ptr(), count, &raw mut key)) {
            CKR_OK => Ok(key),
            rv => Err(rv),
        }
    }

    /// Public and private key.
    pub(crate) fn try_pair(
        &self,
        mechanism: &Mechanism,
        public: &[Attribute],
        private: &[Attribute],
    ) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), CK_RV> {
        let (mut public, mut private, mut keys) = (template(public), template(private), (0, 0));
        let counts = (public.len() as CK_ULONG, private.len() as CK_ULONG);
        let rv = call!(
            self,
            C_GenerateKeyPair(
                self.session,
                mechanism.raw(),
                public.as_mut_ptr(),
                counts.0,
                private.as_mut_ptr(),
                counts.1,
                &raw mut keys.0,
                &raw mut keys.1
            )
        );
        if rv == CKR_OK { Ok(keys) } else { Err(rv) }
    }

    pub(crate) fn begin(&self, what: Do, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> CK_RV {
        match what {
            Do::Encrypt => call!(self, C_EncryptInit(self.session, mechanism.raw(), key)),
            Do::Decrypt => call!(self, C_DecryptInit(self.session, mechanism.raw(), key)),
            Do::Sign => call!(self, C_SignInit(self.session, mechanism.raw(), key)),
            Do::Digest => call!(self, C_DigestInit(self.session, mechanism.raw())),
        }
    }

    /// The single-part function with this room for its output, or with none to ask for the length.
    pub(crate) fn whole_in(&self, what: Do, input: &[u8], out: *mut u8, room: &mut CK_ULONG) -> CK_RV {
        let (input, n) = (data(input), length(input));
        match what {
            Do::Encrypt => call!(self, C_Encrypt(self.session, input, n, out, room)),
            Do::Decrypt => call!(self, C_Decrypt(self.session, input, n, out, room)),
            Do::Sign => call!(self, C_Sign(self.session, input, n, out, room)),
            Do::Digest => call!(self, C_Digest(self.session, input, n, out, room)),
        }
    }

    pub(crate) fn whole(&self, what: Do, input: &[u8]) -> Answer {
        let (mut out, mut room) = (vec![0; 4096], 4096);
        let rv = self.whole_in(what, input, out.as_mut_ptr(), &mut room);
        answer(rv, out, room)
    }

    pub(crate) fn update(&self, what: Do, input: &[u8]) -> Answer {
        let (mut out, mut room) = (vec![0; 4096], 4096);
        let (to, input, n) = (out.as_mut_ptr(), data(input), length(input));
        let rv = match what {
            Do::Encrypt => call!(self, C_EncryptUpdate(self.session, input, n, to, &raw mut room)),
            Do::Decrypt => call!(self, C_DecryptUpdate(self.session, input, n, to, &raw mut room)),
            Do::Sign | Do::Digest => {
                room = 0;
                match what {
                    Do::Sign => call!(self, C_SignUpdate(self.session, input, n)),
                    _ => call!(self, C_DigestUpdate(self.session, input, n)),
                }
            }
        };
        answer(rv, out, room)
    }

    pub(crate) fn end(&self, what: Do) -> Answer {
        let (mut out, mut room) = (vec![0; 4096], 4096);
        let to = out.as_mut_ptr();
        let rv = match what {
            Do::Encrypt => call!(self, C_EncryptFinal(self.session, to, &raw mut room)),
            Do::Decrypt => call!(self, C_DecryptFinal(self.session, to, &raw mut room)),
            Do::Sign => call!(self, C_SignFinal(self.session, to, &raw mut room)),
            Do::Digest => call!(self, C_DigestFinal(self.session, to, &raw mut room)),
        };
        answer(rv, out, room)
    }

    /// All of an operation.
    pub(crate) fn run(&self, what: Do, mechanism: &Mechanism, key: CK_OBJECT_HANDLE, input: &[u8]) -> Answer {
        match self.begin(what, mechanism, key) {
            CKR_OK => self.whole(what, input),
            rv => Err(rv),
        }
    }

    /// All of an operation, in parts.
    pub(crate) fn parts(&self, what: Do, mechanism: &Mechanism, key: CK_OBJECT_HANDLE, input: &[&[u8]]) -> Answer {
        let rv = self.begin(what, mechanism, key);
        if rv != CKR_OK {
            return Err(rv);
        }
        let mut out = vec![];
        for part in input {
            out.extend(self.update(what, part)?);
        }
        out.extend(self.end(what)?);
        Ok(out)
    }

    pub(crate) fn verify(&self, mechanism: &Mechanism, key: CK_OBJECT_HANDLE, input: &[u8], signature: &[u8]) -> CK_RV {
        match call!(self, C_VerifyInit(self.session, mechanism.raw(), key)) {
            CKR_OK => {
                call!(self, C_Verify(self.session, data(input), length(input), data(signature), length(signature)))
            }
            rv => rv,
        }
    }

    pub(crate) fn verify_parts(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        input: &[&[u8]],
        signature: &[u8],
    ) -> CK_RV {
        let mut rv = call!(self, C_VerifyInit(self.session, mechanism.raw(), key));
        for part in input {
            if rv == CKR_OK {
                rv = call!(self, C_VerifyUpdate(self.session, data(part), length(part)));
            }
        }
        if rv == CKR_OK {
            rv = call!(self, C_VerifyFinal(self.session, data(signature), length(signature)));
        }
        rv
    }

    pub(crate) fn wrap(&self, mechanism: &Mechanism, with: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE) -> Answer {
        let (mut out, mut room) = (vec![0; 4096], 4096);
        let rv = call!(self, C_WrapKey(self.session, mechanism.raw(), with, key, out.as_mut_ptr(), &raw mut room));
        answer(rv, out, room)
    }

    pub(crate) fn unwrap(
        &self,
        mechanism: &Mechanism,
        with: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        attributes: &[Attribute],
    ) -> Result<CK_OBJECT_HANDLE, CK_RV> {
        let (mut template, mut key) = (template(attributes), 0);
        let rv = call!(
            self,
            C_UnwrapKey(
                self.session,
                mechanism.raw(),
                with,
                data(wrapped),
                length(wrapped),
                template.as_mut_ptr(),
                template.len() as CK_ULONG,
                &raw mut key
            )
        );
        if rv == CKR_OK { Ok(key) } else { Err(rv) }
    }

    pub(crate) fn derive(
        &self,
        mechanism: &Mechanism,
        base: CK_OBJECT_HANDLE,
        attributes: &[Attribute],
    ) -> Result<CK_OBJECT_HANDLE, CK_RV> {
        let (mut template, mut key) = (template(attributes), 0);
        let count = template.len() as CK_ULONG;
        match call!(self, C_DeriveKey(self.session, mechanism.raw(), base, template.as_mut_ptr(), count, &raw mut key))
        {
            CKR_OK => Ok(key),
            rv => Err(rv),
        }
    }
}

/// What a call without a value returned.
pub(crate) fn outcome<T>(result: &Result<T, CK_RV>) -> CK_RV {
    result.as_ref().err().copied().unwrap_or(CKR_OK)
}

/// Bytes for C, which does not say that it leaves them alone.
pub(crate) fn data(bytes: &[u8]) -> *mut u8 {
    bytes.as_ptr().cast_mut()
}

pub(crate) fn length(bytes: &[u8]) -> CK_ULONG {
    bytes.len() as CK_ULONG
}
