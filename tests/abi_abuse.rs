//! What no application should bring. Each group runs in a process of its own, which must live to its end.
//!
//! A pointer that leads nowhere cannot be seen through from inside a process; everything else can.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::deref_addrof)] // A struct that lives as long as its call.
#![allow(clippy::cast_possible_truncation)] // Registers are as wide as numbers here.

mod raw;

use std::{ffi::c_void, ptr};

use cryptoki_sys::*;
use raw::{Module, Report, length, mechanism, mechanism_with, text};

/// Runs cases in a child that has the module initialised and the user logged in.
#[track_caller]
fn in_child(module: &Module, cases: impl FnOnce(&mut Report, CK_SESSION_HANDLE)) {
    raw::in_child(|report| {
        report.expect("C_Initialize", CKR_OK, || p11!(C_Initialize(ptr::null_mut())));
        let session = module.session();
        cases(report, session);
        report.check("still alive", || {
            let mut info = CK_SESSION_INFO::default();
            (p11!(C_GetSessionInfo(session, &raw mut info)) != CKR_OK).then(|| "it is not".to_owned())
        });
    });
}

fn at(type_: CK_ATTRIBUTE_TYPE, value: *mut c_void, len: CK_ULONG) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_, pValue: value, ulValueLen: len }
}

const LENGTHS: [CK_ULONG; 7] = [1, 8, 1 << 31, 1 << 32, (1 << 32) + 8, 1 << 63, CK_ULONG::MAX];

#[test]
fn templates() {
    let module = Module::new();
    in_child(&module, |report, session| {
        let mut key = 0;
        let mut create =
            |template: *mut CK_ATTRIBUTE, count| p11!(C_CreateObject(session, template, count, &raw mut key));
        for count in [1, 3, CK_ULONG::MAX / 8, CK_ULONG::MAX] {
            report
                .expect(&format!("N01 a null template, {count}"), CKR_ARGUMENTS_BAD, || create(ptr::null_mut(), count));
        }
        let class = CKO_DATA;
        let mut plain = [raw::attribute(CKA_CLASS, &class)];
        for count in [257, 1 << 32, CK_ULONG::MAX / 8, CK_ULONG::MAX] {
            report.expect(&format!("N07 {count} attributes"), CKR_ARGUMENTS_BAD, || create(plain.as_mut_ptr(), count));
        }
        for name in
            [CKA_LABEL, CKA_TOKEN, CKA_CLASS, CKA_VALUE, CKA_WRAP_TEMPLATE, CKA_ALLOWED_MECHANISMS, CKA_START_DATE]
        {
            for len in LENGTHS {
                report.expect(&format!("N03 {name:#x} null, {len}"), CKR_ATTRIBUTE_VALUE_INVALID, || {
                    create(&raw mut *&mut at(name, ptr::null_mut(), len), 1)
                });
            }
            let mut byte = 1u8;
            for len in [1 << 31, 1 << 32, 1 << 63, CK_ULONG::MAX] {
                report.expect(&format!("N06 {name:#x}, {len}"), CKR_ATTRIBUTE_VALUE_INVALID, || {
                    create(&raw mut *&mut at(name, (&raw mut byte).cast(), len), 1)
                });
            }
        }
        for (value, len) in [([2u8; 8], 1), ([1; 8], 8), ([1; 8], 0), ([0xff; 8], 1)] {
            report.expect(&format!("N12 a flag of {len} bytes, {}", value[0]), CKR_ATTRIBUTE_VALUE_INVALID, || {
                create(&raw mut *&mut at(CKA_PRIVATE, value.as_ptr().cast_mut().cast(), len), 1)
            });
        }
        let mut itself = at(CKA_WRAP_TEMPLATE, ptr::null_mut(), size_of::<CK_ATTRIBUTE>() as CK_ULONG);
        itself.pValue = (&raw mut itself).cast();
        report
            .expect("N11 a template that contains itself", CKR_ATTRIBUTE_VALUE_INVALID, || create(&raw mut itself, 1));
        report.expect("N10 no place for the handle", CKR_ARGUMENTS_BAD, || {
            p11!(C_CreateObject(session, plain.as_mut_ptr(), 1, ptr::null_mut()))
        });
    });
}

#[test]
fn mechanism_parameters() {
    let module = Module::new();
    in_child(&module, |report, session| {
        let key = raw::secret_key(session, CKM_AES_KEY_GEN);
        let null = ptr::null_mut();
        let gcm = |iv, iv_len, aad, aad_len| CK_GCM_PARAMS {
            pIv: iv,
            ulIvLen: iv_len,
            ulIvBits: 0,
            pAAD: aad,
            ulAADLen: aad_len,
            ulTagBits: 128,
        };
        let mut nonce = [1u8; 12];
        let mut cases =
            vec![("N04 no nonce", gcm(null, 12, null, 0)), ("N04 no data", gcm(nonce.as_mut_ptr(), 12, null, 100))];
        cases.extend(
            [1 << 32, 1 << 63, CK_ULONG::MAX].map(|len| ("N04 a long nonce", gcm(nonce.as_mut_ptr(), len, null, 0))),
        );
        cases.extend(
            [1 << 32, 1 << 63, CK_ULONG::MAX]
                .map(|len| ("N04 long data", gcm(nonce.as_mut_ptr(), 12, nonce.as_mut_ptr(), len))),
        );
        for (name, params) in &cases {
            report.expect(name, CKR_MECHANISM_PARAM_INVALID, || {
                p11!(C_EncryptInit(session, &raw mut *&mut mechanism_with(CKM_AES_GCM, params), key))
            });
        }
        let junk = [0u8; 64];
        for id in [CKM_AES_GCM, CKM_AES_CTR, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_ECB] {
            for len in [1, 7, 12, 17, 23, 25, 39, 41, 47, 49, 64, 1 << 32, 1 << 63, CK_ULONG::MAX] {
                let mut odd = CK_MECHANISM { ulParameterLen: len, ..mechanism_with(id, &junk) };
                report.expect(&format!("{id:#x} with {len} bytes"), CKR_MECHANISM_PARAM_INVALID, || {
                    p11!(C_EncryptInit(session, &raw mut odd, key))
                });
                odd.pParameter = ptr::null_mut();
                report.expect(&format!("N05 {id:#x} null with {len} bytes"), CKR_MECHANISM_PARAM_INVALID, || {
                    p11!(C_EncryptInit(session, &raw mut odd, key))
                });
            }
        }
        let (_, private) = raw::signing_pair(session);
        let ecdh = CK_ECDH1_DERIVE_PARAMS {
            kdf: CKD_NULL,
            ulSharedDataLen: 0,
            pSharedData: null,
            ulPublicDataLen: 65,
            pPublicData: null,
        };
        let mut derived = 0;
        report.expect("N05 no public key", CKR_MECHANISM_PARAM_INVALID, || {
            let mut mechanism = mechanism_with(CKM_ECDH1_DERIVE, &ecdh);
            p11!(C_DeriveKey(session, &raw mut mechanism, private, ptr::null_mut(), 0, &raw mut derived))
        });
        report.expect("an unknown mechanism", CKR_MECHANISM_INVALID, || {
            p11!(C_EncryptInit(session, &raw mut *&mut mechanism(0x8000_beef), key))
        });
        report.expect("no mechanism", CKR_ARGUMENTS_BAD, || {
            p11!(C_GenerateKey(session, ptr::null_mut(), ptr::null_mut(), 0, &raw mut derived))
        });
    });
}

#[test]
fn pins() {
    let module = Module::new();
    raw::in_child(|report| {
        report.expect("C_Initialize", CKR_OK, || p11!(C_Initialize(ptr::null_mut())));
        let session = raw::open(module.slot, raw::WRITABLE);
        let (null, pin) = (ptr::null_mut(), text(raw::USER_PIN));
        for len in [0, 4, 1 << 40] {
            report.expect("N08 a null PIN", CKR_ARGUMENTS_BAD, || p11!(C_Login(session, CKU_USER, null, len)));
        }
        for len in [1 << 31, 1 << 32, 1 << 40, 1 << 63, CK_ULONG::MAX] {
            report.expect("N08 a long PIN", CKR_PIN_LEN_RANGE, || p11!(C_Login(session, CKU_USER, pin, len)));
            report.expect("N08 a long old PIN", CKR_PIN_LEN_RANGE, || p11!(C_SetPIN(session, pin, len, pin, 10)));
            report.expect("N08 a long new PIN", CKR_PIN_LEN_RANGE, || p11!(C_SetPIN(session, pin, 10, pin, len)));
        }
        report.expect("a new PIN that is empty", CKR_PIN_LEN_RANGE, || p11!(C_SetPIN(session, pin, 10, pin, 0)));
        report.expect("a null label", CKR_ARGUMENTS_BAD, || p11!(C_InitToken(module.slot, pin, 10, null)));
        for who in [3, 99, 1 << 32, CK_USER_TYPE::MAX] {
            report.expect("a user of no kind", CKR_USER_TYPE_INVALID, || p11!(C_Login(session, who, pin, 10)));
        }
        report.expect("a null name", CKR_ARGUMENTS_BAD, || p11!(C_LoginUser(session, CKU_USER, pin, 10, null, 3)));
        report.expect("the right PIN", CKR_OK, || p11!(C_Login(session, CKU_USER, pin, length(raw::USER_PIN))));
    });
}

#[test]
fn places_that_are_not_there() {
    let module = Module::new();
    in_child(&module, |report, session| {
        let null = ptr::null_mut();
        for len in LENGTHS {
            report.expect("N10 null random", CKR_ARGUMENTS_BAD, || p11!(C_GenerateRandom(session, null, len)));
        }
        let mut bytes = [0xa5u8; 32];
        for len in [(1 << 31) + 1, 1 << 32, (1 << 32) + 8, 1 << 63, CK_ULONG::MAX] {
            report.expect("too much random", CKR_ARGUMENTS_BAD, || {
                p11!(C_GenerateRandom(session, bytes.as_mut_ptr(), len))
            });
        }
        report.check("and nothing is written", || (bytes != [0xa5; 32]).then(|| format!("{bytes:x?}")));
        report.expect("no random at all", CKR_OK, || p11!(C_GenerateRandom(session, null, 0)));
        report.expect("N10 slots", CKR_ARGUMENTS_BAD, || p11!(C_GetSlotList(1, ptr::null_mut(), ptr::null_mut())));
        report.expect("N10 session", CKR_ARGUMENTS_BAD, || {
            p11!(C_OpenSession(module.slot, raw::SERIAL, ptr::null_mut(), None, ptr::null_mut()))
        });
        let mut count = 0;
        begin_search(session);
        report
            .expect("handles", CKR_ARGUMENTS_BAD, || p11!(C_FindObjects(session, ptr::null_mut(), 1, &raw mut count)));
        let mut handle = 0;
        report.expect("count", CKR_ARGUMENTS_BAD, || p11!(C_FindObjects(session, &raw mut handle, 1, ptr::null_mut())));
        report.expect("none wanted", CKR_OK, || p11!(C_FindObjects(session, ptr::null_mut(), 0, &raw mut count)));
        let (mut pair, mut public) = (mechanism(CKM_EC_KEY_PAIR_GEN), 0);
        report.expect("the handle of a private key", CKR_ARGUMENTS_BAD, || {
            let template = ptr::null_mut();
            p11!(C_GenerateKeyPair(session, &raw mut pair, template, 0, template, 0, &raw mut public, ptr::null_mut()))
        });
    });
}

fn begin_search(session: CK_SESSION_HANDLE) {
    p11!(C_FindObjectsInit(session, ptr::null_mut(), 0));
}

#[test]
fn a_claim_of_more_handles_than_there_are_is_harmless() {
    let module = Module::new();
    in_child(&module, |report, session| {
        let keys = [raw::secret_key(session, CKM_AES_KEY_GEN), raw::secret_key(session, CKM_AES_KEY_GEN)];
        let (mut found, mut count) = ([0; 8], 0);
        begin_search(session);
        report.expect("as many as you like", CKR_OK, || {
            p11!(C_FindObjects(session, found.as_mut_ptr(), CK_ULONG::MAX, &raw mut count))
        });
        report.check("both are there", || {
            let all = keys.iter().all(|key| found[..2].contains(key));
            (count != 2 || !all).then(|| format!("{count}: {found:?}"))
        });
    });
}

/// What an argument of a function is.
#[derive(Clone, Copy)]
enum Arg {
    /// A session, an object, a slot: a number that is looked up.
    Handle,
    /// A number that is neither.
    Number,
    /// A mechanism.
    Mechanism,
    /// A template of one attribute, followed by its count.
    Template,
    /// Bytes to be read, followed by their length.
    Input,
    /// A place for bytes, followed by a place for their length.
    Output,
    /// A place for bytes, followed by their length.
    Exact,
    /// A place for one number, pointer or struct.
    Place,
}

/// Every function but those that end the sweep itself, with what its arguments are.
fn functions() -> Vec<(&'static str, usize, &'static [Arg])> {
    use Arg::*;
    macro_rules! rows {
        ($($name:ident [$($arg:expr),*],)*) => {
            vec![$((stringify!($name), raw::list().$name.unwrap() as usize, &[$($arg),*] as &'static [Arg]),)*]
        };
    }
    rows! {
        C_GetInfo [Place],
        C_GetFunctionList [Place],
        C_GetSlotList [Number, Output],
        C_GetSlotInfo [Handle, Place],
        C_GetTokenInfo [Handle, Place],
        C_GetMechanismList [Handle, Output],
        C_GetMechanismInfo [Handle, Number, Place],
        C_InitToken [Handle, Input, Place],
        C_InitPIN [Handle, Input],
        C_SetPIN [Handle, Input, Input],
        C_OpenSession [Handle, Number, Number, Number, Place],
        C_GetSessionInfo [Handle, Place],
        C_GetOperationState [Handle, Output],
        C_SetOperationState [Handle, Input, Handle, Handle],
        C_Login [Handle, Number, Input],
        C_CreateObject [Handle, Template, Place],
        C_CopyObject [Handle, Handle, Template, Place],
        C_DestroyObject [Handle, Handle],
        C_GetObjectSize [Handle, Handle, Place],
        C_GetAttributeValue [Handle, Handle, Template],
        C_SetAttributeValue [Handle, Handle, Template],
        C_FindObjectsInit [Handle, Template],
        C_FindObjects [Handle, Exact, Place],
        C_FindObjectsFinal [Handle],
        C_EncryptInit [Handle, Mechanism, Handle],
        C_Encrypt [Handle, Input, Output],
        C_EncryptUpdate [Handle, Input, Output],
        C_EncryptFinal [Handle, Output],
        C_DecryptInit [Handle, Mechanism, Handle],
        C_Decrypt [Handle, Input, Output],
        C_DecryptUpdate [Handle, Input, Output],
        C_DecryptFinal [Handle, Output],
        C_DigestInit [Handle, Mechanism],
        C_Digest [Handle, Input, Output],
        C_DigestUpdate [Handle, Input],
        C_DigestKey [Handle, Handle],
        C_DigestFinal [Handle, Output],
        C_SignInit [Handle, Mechanism, Handle],
        C_Sign [Handle, Input, Output],
        C_SignUpdate [Handle, Input],
        C_SignFinal [Handle, Output],
        C_SignRecoverInit [Handle, Mechanism, Handle],
        C_SignRecover [Handle, Input, Output],
        C_VerifyInit [Handle, Mechanism, Handle],
        C_Verify [Handle, Input, Input],
        C_VerifyUpdate [Handle, Input],
        C_VerifyFinal [Handle, Input],
        C_VerifyRecoverInit [Handle, Mechanism, Handle],
        C_VerifyRecover [Handle, Input, Output],
        C_DigestEncryptUpdate [Handle, Input, Output],
        C_DecryptDigestUpdate [Handle, Input, Output],
        C_SignEncryptUpdate [Handle, Input, Output],
        C_DecryptVerifyUpdate [Handle, Input, Output],
        C_GenerateKey [Handle, Mechanism, Template, Place],
        C_GenerateKeyPair [Handle, Mechanism, Template, Template, Place, Place],
        C_WrapKey [Handle, Mechanism, Handle, Handle, Output],
        C_UnwrapKey [Handle, Mechanism, Handle, Input, Template, Place],
        C_DeriveKey [Handle, Mechanism, Handle, Template, Place],
        C_SeedRandom [Handle, Input],
        C_GenerateRandom [Handle, Exact],
        C_GetFunctionStatus [Handle],
        C_CancelFunction [Handle],
        C_WaitForSlotEvent [Number, Place, Number],
        C_GetInterfaceList [Output],
        C_GetInterface [Place, Place, Place, Number],
        C_LoginUser [Handle, Number, Input, Input],
        C_SessionCancel [Handle, Number],
        C_MessageEncryptInit [Handle, Mechanism, Handle],
        C_EncryptMessage [Handle, Input, Input, Input, Output],
        C_EncryptMessageBegin [Handle, Input, Input],
        C_EncryptMessageNext [Handle, Input, Input, Output, Number],
        C_MessageEncryptFinal [Handle],
        C_MessageDecryptInit [Handle, Mechanism, Handle],
        C_DecryptMessage [Handle, Input, Input, Input, Output],
        C_DecryptMessageBegin [Handle, Input, Input],
        C_DecryptMessageNext [Handle, Input, Input, Output, Number],
        C_MessageDecryptFinal [Handle],
        C_MessageSignInit [Handle, Mechanism, Handle],
        C_SignMessage [Handle, Input, Input, Output],
        C_SignMessageBegin [Handle, Input],
        C_SignMessageNext [Handle, Input, Input, Output],
        C_MessageSignFinal [Handle],
        C_MessageVerifyInit [Handle, Mechanism, Handle],
        C_VerifyMessage [Handle, Input, Input, Input],
        C_VerifyMessageBegin [Handle, Input],
        C_VerifyMessageNext [Handle, Input, Input, Input],
        C_MessageVerifyFinal [Handle],
        C_EncapsulateKey [Handle, Mechanism, Handle, Template, Output, Place],
        C_DecapsulateKey [Handle, Mechanism, Handle, Template, Input, Place],
        C_VerifySignatureInit [Handle, Mechanism, Handle, Input],
        C_VerifySignature [Handle, Input],
        C_VerifySignatureUpdate [Handle, Input],
        C_VerifySignatureFinal [Handle],
        C_GetSessionValidationFlags [Handle, Number, Place],
        C_AsyncComplete [Handle, Place, Place],
        C_AsyncGetID [Handle, Place, Place],
        C_AsyncJoin [Handle, Place, Number, Exact],
        C_WrapKeyAuthenticated [Handle, Mechanism, Handle, Handle, Input, Output],
        C_UnwrapKeyAuthenticated [Handle, Mechanism, Handle, Input, Template, Input, Place],
    }
}

/// The memory that the arguments of one call lead to, between canaries.
struct Memory {
    bytes: Box<[u8; Self::SIZE]>,
    length: Box<[u8; 16]>,
    attribute: Box<CK_ATTRIBUTE>,
    mechanism: Box<CK_MECHANISM>,
    value: Box<[u8; 64]>,
}

impl Memory {
    const SIZE: usize = 1 << 16;

    fn new(mechanism: CK_MECHANISM_TYPE, name: CK_ATTRIBUTE_TYPE, value_len: CK_ULONG, null: bool) -> Self {
        let mut value = Box::new([0u8; 64]);
        let place = if null { ptr::null_mut() } else { value.as_mut_ptr() };
        Self {
            bytes: Box::new([0; Self::SIZE]),
            length: Box::new([0; 16]),
            attribute: Box::new(at(name, place.cast(), value_len)),
            mechanism: Box::new(CK_MECHANISM { mechanism, pParameter: place.cast(), ulParameterLen: value_len }),
            value,
        }
    }
}

/// Calls a function with up to twelve arguments, each as wide as a register. All integers and pointers are
/// passed alike where this runs, and a callee does not look at what it does not have.
fn call(function: usize, args: &[usize; 12]) -> CK_RV {
    type Any = unsafe extern "C" fn(
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
    ) -> CK_RV;
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *args;
    // SAFETY: it is a function of the list, called as the platform's convention has it.
    unsafe { std::mem::transmute::<usize, Any>(function)(a, b, c, d, e, f, g, h, i, j, k, l) }
}

/// Ways to spoil a call: one argument at a time, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spoil {
    Nothing,
    /// The pointer is null.
    Null,
    /// The pointer is null, and the length says otherwise.
    NullWith(CK_ULONG),
    /// The pointer is odd.
    Odd,
    /// The length is not true.
    Length(CK_ULONG),
    /// The number or handle is this one.
    Is(CK_ULONG),
}

fn spoils(arg: Arg) -> Vec<Spoil> {
    let mut spoils = vec![Spoil::Nothing];
    match arg {
        Arg::Handle | Arg::Number => spoils.extend(LENGTHS.map(Spoil::Is)),
        Arg::Mechanism | Arg::Place => spoils.extend([Spoil::Null, Spoil::Odd]),
        Arg::Input | Arg::Template | Arg::Exact => {
            spoils.extend([Spoil::Null, Spoil::Odd, Spoil::Length(0)]);
            spoils.extend(LENGTHS.map(Spoil::NullWith));
            // What is refused without being looked at.
            spoils.extend([(1 << 31) + 1, 1 << 32, (1 << 32) + 8, 1 << 63, CK_ULONG::MAX].map(Spoil::Length));
        }
        Arg::Output => {
            spoils.extend([Spoil::Null, Spoil::Odd]);
            spoils.extend(LENGTHS.map(Spoil::Length));
            spoils.extend(LENGTHS.map(Spoil::NullWith));
        }
    }
    spoils
}

/// Makes the registers of a call.
fn registers(args: &[Arg], spoilt: usize, spoil: Spoil, memory: &mut Memory, handle: usize) -> [usize; 12] {
    let mut out = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        let spoil = if index == spoilt { spoil } else { Spoil::Nothing };
        let pointer = |good: usize| match spoil {
            Spoil::Null | Spoil::NullWith(_) => 0,
            Spoil::Odd => good + 1,
            _ => good,
        };
        let long = |good: usize| match spoil {
            Spoil::NullWith(len) | Spoil::Length(len) | Spoil::Is(len) => len as usize,
            _ => good,
        };
        let bytes = memory.bytes.as_mut_ptr() as usize + 1024 * (index + 1);
        match arg {
            Arg::Handle => out.push(long(handle)),
            Arg::Number => out.push(long(CKF_SERIAL_SESSION as usize)),
            Arg::Mechanism => out.push(match spoil {
                Spoil::Odd => odd(&*memory.mechanism, bytes),
                _ => pointer(&raw mut *memory.mechanism as usize),
            }),
            Arg::Template => {
                out.push(match spoil {
                    Spoil::Odd => odd(&*memory.attribute, bytes),
                    _ => pointer(&raw mut *memory.attribute as usize),
                });
                out.push(long(1));
            }
            Arg::Input | Arg::Exact => out.extend([pointer(bytes), long(16)]),
            Arg::Output => {
                let len = long(64) as CK_ULONG;
                memory.length[1..9].copy_from_slice(&len.to_ne_bytes());
                memory.length[..8].copy_from_slice(&len.to_ne_bytes());
                let place = memory.length.as_mut_ptr() as usize;
                match spoil {
                    Spoil::Null => out.extend([bytes, 0]),
                    Spoil::Odd => {
                        memory.length[1..9].copy_from_slice(&len.to_ne_bytes());
                        out.extend([bytes + 1, place + 1]);
                    }
                    _ => out.extend([pointer(bytes), place]),
                }
            }
            Arg::Place => out.push(pointer(bytes)),
        }
    }
    out.resize(12, 0);
    out.try_into().unwrap()
}

/// A copy of a struct at an odd address.
fn odd<T: Copy>(value: &T, place: usize) -> usize {
    // SAFETY: there is room for it within `Memory::bytes`.
    unsafe { ((place + 1) as *mut T).write_unaligned(*value) };
    place + 1
}

#[test]
fn every_function_with_every_argument_spoilt() {
    let known: Vec<_> = types_of_values();
    let mut total = 0;
    for (name, function, args) in functions() {
        // A token for each: what locks a PIN or ends a login would spoil the sweep, not the call.
        let module = Module::new();
        let mut count = 0;
        in_child(&module, |report, session| {
            let aes = raw::secret_key(session, CKM_AES_KEY_GEN);
            for mechanism in [CKM_AES_CBC, CKM_SHA256, CKM_AES_GCM, CKM_RSA_PKCS_OAEP, CKM_EDDSA] {
                for (attribute, len, null) in
                    [(CKA_LABEL, 16, false), (CKA_WRAP_TEMPLATE, 24, true), (CKA_TOKEN, CK_ULONG::MAX, false)]
                {
                    for (index, arg) in args.iter().enumerate() {
                        for spoil in spoils(*arg) {
                            let handle = if index == 0 { session } else { aes } as usize;
                            let mut memory = Memory::new(mechanism, attribute, len, null);
                            let mut registers = registers(args, index, spoil, &mut memory, handle);
                            if index != 0 && matches!(args[0], Arg::Handle) {
                                registers[0] = session as usize;
                            }
                            report.check(&format!("{name}, {index} {spoil:?}, {mechanism:#x} {attribute:#x}"), || {
                                let rv = call(function, &registers);
                                (!known.contains(&rv)).then(|| format!("{rv:#x} is no return value"))
                            });
                            drop(memory.value);
                        }
                    }
                }
            }
        });
        for arg in args {
            count += spoils(*arg).len() * 15;
        }
        total += count;
    }
    assert!(total >= 5000, "{total} cases");
}

/// Every return value that the specification has, but those that say that the module is broken.
fn types_of_values() -> Vec<CK_RV> {
    let mut values: Vec<CK_RV> = (0..=0x300).collect();
    values.retain(|rv| *rv != CKR_GENERAL_ERROR);
    values
}
