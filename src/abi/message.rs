//! Message-based encryption and authenticated wrapping: parameters that are read and written.

use std::{ffi::c_void, ptr::NonNull};

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BYTE, CK_FLAGS, CK_GCM_MESSAGE_PARAMS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_SESSION_HANDLE,
    CK_ULONG, CKF_END_OF_MESSAGE,
};
use engine::{Engine, Error, MessagePart};
use types::{Generator, MechanismType, MessageParams, ObjectHandle, Output, OutputResult, Rv, SessionHandle};
use zeroize::Zeroizing;

use crate::{
    Outcome,
    ask::{input, object, session},
    memory,
    memory::Fault,
    number::{from_c, to_c},
    output::{Target, place},
    params::{INVALID, NESTED_MAX, plain},
    process, template,
};

/// No nonce is longer, in bytes.
const NONCE_MAX: usize = 256;
/// No tag is longer, in bits.
const TAG_BITS_MAX: CK_ULONG = 128;

/// What is to be done with a message's parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// The caller gives it.
    Given,
    /// It has a place.
    Wanted,
    /// Nobody looks at it yet.
    Later,
}

/// The parameters of a message, and where they came from.
struct Parameters {
    read: MessageParams,
    iv: Option<NonNull<CK_BYTE>>,
    tag: Option<NonNull<CK_BYTE>>,
}

impl Parameters {
    /// # Safety
    /// Unless null, `ptr` must be to `len` bytes; if they make a `CK_GCM_MESSAGE_PARAMS`, its pointers must lead to as much
    /// as it says, and to where may be written what is made here.
    unsafe fn read(ptr: *const c_void, len: CK_ULONG, tag: Tag) -> Result<Self, Rv> {
        // SAFETY: by our caller's promise.
        let bytes = unsafe { memory::bytes(ptr.cast(), len) }.ok_or(INVALID)?;
        let params: CK_GCM_MESSAGE_PARAMS = plain(bytes)?;
        if params.ulTagBits > TAG_BITS_MAX || (tag != Tag::Later && params.pTag.is_null()) {
            return Err(INVALID);
        }
        let invalid = || Fault::of(INVALID);
        let tag_len = if tag == Tag::Given { params.ulTagBits.div_ceil(8) } else { 0 };
        // SAFETY: by our caller's promise.
        let (iv, given) = unsafe {
            let iv = memory::copy(params.pIv, params.ulIvLen, NONCE_MAX).map_err(invalid())?;
            (iv, memory::copy(params.pTag, tag_len, NONCE_MAX).map_err(invalid())?)
        };
        let read = MessageParams {
            iv,
            fixed_bits: from_c(params.ulIvFixedBits),
            generator: Generator(from_c(params.ivGenerator)),
            tag: given,
            tag_bits: from_c(params.ulTagBits),
        };
        Ok(Self { read, iv: NonNull::new(params.pIv), tag: NonNull::new(params.pTag) })
    }

    /// Writes the nonce and the tag that were made.
    ///
    /// # Safety
    /// The promise made to [`Parameters::read`] must still hold.
    unsafe fn write(self, made: &MessageParams) {
        // What the caller gave may lie where nobody can write.
        let iv = self.iv.filter(|_| made.iv != self.read.iv);
        for (place, bytes) in [(iv, &made.iv), (self.tag, &made.tag)] {
            if let Some(place) = place {
                // SAFETY: as long as what was read there, or as the tag's length says, by our caller's promise.
                unsafe { memory::write(place, bytes) };
            }
        }
    }
}

/// `C_MessageEncryptInit` and `C_MessageDecryptInit`. A parameter given here is not needed: each message has its own.
///
/// # Safety
/// Unless null, `mechanism` must be to a mechanism, and its parameter as for [`Parameters::read`].
pub(crate) unsafe fn start(
    s: CK_SESSION_HANDLE,
    mechanism: *const CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
    kind: CK_FLAGS,
    call: impl FnOnce(&Engine, SessionHandle, MechanismType, ObjectHandle) -> Result<(), Error>,
) -> Outcome {
    process::with(|engine| {
        engine.session_info(session(s))?;
        // SAFETY: by our caller's promise.
        let Some(mechanism) = (unsafe { memory::value(mechanism) }) else {
            return Ok(engine.session_cancel(session(s), from_c(kind))?);
        };
        if !mechanism.pParameter.is_null() || mechanism.ulParameterLen != 0 {
            // SAFETY: by our caller's promise.
            unsafe { Parameters::read(mechanism.pParameter, mechanism.ulParameterLen, Tag::Later) }?;
        }
        Ok(call(engine, session(s), MechanismType(from_c(mechanism.mechanism)), object(key))?)
    })
}

/// Associated data. It may lie where the output goes, so it is ours.
///
/// # Safety
/// As for [`memory::bytes`].
unsafe fn associated(ptr: *const CK_BYTE, len: CK_ULONG) -> Result<Vec<u8>, Rv> {
    // SAFETY: by our caller's promise, which is the same.
    unsafe { memory::copy(ptr, len, NESTED_MAX) }.map_err(Fault::of(Rv::ARGUMENTS_BAD))
}

/// Reads the input and writes the output, which may overlap.
///
/// # Safety
/// As for [`memory::bytes`] and [`Target::new`].
unsafe fn through(
    (data, data_len): (*const CK_BYTE, CK_ULONG),
    (out, out_len): (*mut CK_BYTE, *mut CK_ULONG),
    call: impl FnOnce(&[u8], Output<'_>) -> Result<OutputResult, Error>,
) -> Outcome {
    // SAFETY: by our caller's promise, which is the same.
    let (input, target) = unsafe { (input(data, data_len)?, Target::new(out, out_len)?) };
    if target.overlaps(input) {
        let copy = Zeroizing::new(memory::owned(input).map_err(Fault::of(Rv::ARGUMENTS_BAD))?);
        // SAFETY: what is read is ours now.
        return unsafe { target.fill(|out| call(&copy, out)) };
    }
    // SAFETY: they do not overlap.
    unsafe { target.fill(|out| call(input, out)) }
}

/// `C_EncryptMessage`.
///
/// # Safety
/// As for [`Parameters::read`], [`memory::bytes`] and [`Target::new`].
pub(crate) unsafe fn encrypt(
    s: CK_SESSION_HANDLE,
    (param, param_len): (*mut c_void, CK_ULONG),
    (aad, aad_len): (*const CK_BYTE, CK_ULONG),
    data: (*const CK_BYTE, CK_ULONG),
    out: (*mut CK_BYTE, *mut CK_ULONG),
) -> Outcome {
    process::with(|engine| {
        engine.session_info(session(s))?;
        // SAFETY: by our caller's promise.
        let (params, aad) = unsafe { (Parameters::read(param, param_len, Tag::Wanted)?, associated(aad, aad_len)?) };
        let mut made = params.read.clone();
        // SAFETY: by our caller's promise.
        let outcome =
            unsafe { through(data, out, |data, out| engine.encrypt_message(session(s), &mut made, &aad, data, out)) };
        // SAFETY: as above. Unless something was put out, nothing was made.
        unsafe { params.write(&made) };
        outcome
    })
}

/// `C_DecryptMessage`.
///
/// # Safety
/// As for [`encrypt`].
pub(crate) unsafe fn decrypt(
    s: CK_SESSION_HANDLE,
    (param, param_len): (*mut c_void, CK_ULONG),
    (aad, aad_len): (*const CK_BYTE, CK_ULONG),
    data: (*const CK_BYTE, CK_ULONG),
    out: (*mut CK_BYTE, *mut CK_ULONG),
) -> Outcome {
    process::with(|engine| {
        engine.session_info(session(s))?;
        // SAFETY: by our caller's promise.
        unsafe {
            let (params, aad) = (Parameters::read(param, param_len, Tag::Given)?, associated(aad, aad_len)?);
            through(data, out, |data, out| engine.decrypt_message(session(s), &params.read, &aad, data, out))
        }
    })
}

/// `C_EncryptMessageBegin` and `C_DecryptMessageBegin`.
///
/// # Safety
/// As for [`Parameters::read`] and [`memory::bytes`].
pub(crate) unsafe fn begin(
    s: CK_SESSION_HANDLE,
    (param, param_len): (*mut c_void, CK_ULONG),
    (aad, aad_len): (*const CK_BYTE, CK_ULONG),
    call: impl FnOnce(&Engine, SessionHandle, &mut MessageParams, &[u8]) -> Result<(), Error>,
) -> Outcome {
    process::with(|engine| {
        engine.session_info(session(s))?;
        // SAFETY: by our caller's promise.
        let (params, aad) = unsafe { (Parameters::read(param, param_len, Tag::Later)?, associated(aad, aad_len)?) };
        let mut made = params.read.clone();
        call(engine, session(s), &mut made, &aad)?;
        // SAFETY: by our caller's promise.
        unsafe { params.write(&made) };
        Ok(())
    })
}

/// Which part the flags say it is.
///
/// # Safety
/// As for [`Parameters::read`]. Only the last part's are looked at: they get or have the tag.
unsafe fn part(
    flags: CK_FLAGS,
    (param, param_len): (*mut c_void, CK_ULONG),
    tag: Tag,
) -> Result<(MessagePart, Option<Parameters>), Rv> {
    match flags {
        0 => Ok((MessagePart::Middle, None)),
        CKF_END_OF_MESSAGE => {
            // SAFETY: by our caller's promise.
            let params = unsafe { Parameters::read(param, param_len, tag) }?;
            Ok((MessagePart::Last { tag_bits: params.read.tag_bits }, Some(params)))
        }
        _ => Err(Rv::ARGUMENTS_BAD),
    }
}

/// What could be done of a part. An error in the arguments ends the message, as any other does.
fn or_end<T>(
    engine: &Engine,
    s: CK_SESSION_HANDLE,
    end: fn(&Engine, SessionHandle) -> Result<(), Error>,
    done: Result<T, Rv>,
) -> Result<T, Rv> {
    done.or_else(|refused| {
        if refused != Rv::BUFFER_TOO_SMALL {
            end(engine, session(s))?;
        }
        Err(refused)
    })
}

/// `C_EncryptMessageNext`. Its parameter is looked at where it gets the tag.
///
/// # Safety
/// As for [`encrypt`].
pub(crate) unsafe fn encrypt_next(
    s: CK_SESSION_HANDLE,
    param: (*mut c_void, CK_ULONG),
    data: (*const CK_BYTE, CK_ULONG),
    out: (*mut CK_BYTE, *mut CK_ULONG),
    flags: CK_FLAGS,
) -> Outcome {
    process::with(|engine| {
        let next = || {
            // SAFETY: by our caller's promise.
            let (part, params) = unsafe { part(flags, param, Tag::Wanted) }?;
            let mut made = Vec::new();
            // SAFETY: by our caller's promise.
            let outcome = unsafe {
                through(data, out, |data, out| {
                    let (told, tag) = engine.encrypt_message_next(session(s), part, data, out)?;
                    made = tag;
                    Ok(told)
                })
            };
            if let Some(params) = params.filter(|_| outcome.is_ok()) {
                let made = MessageParams { tag: made, ..params.read.clone() };
                // SAFETY: by our caller's promise.
                unsafe { params.write(&made) };
            }
            outcome
        };
        or_end(engine, s, Engine::end_encrypted_message, next())
    })
}

/// `C_DecryptMessageNext`. Its parameter is looked at where it has the tag.
///
/// # Safety
/// As for [`encrypt`].
pub(crate) unsafe fn decrypt_next(
    s: CK_SESSION_HANDLE,
    param: (*mut c_void, CK_ULONG),
    data: (*const CK_BYTE, CK_ULONG),
    out: (*mut CK_BYTE, *mut CK_ULONG),
    flags: CK_FLAGS,
) -> Outcome {
    process::with(|engine| {
        let next = || {
            // SAFETY: by our caller's promise.
            let (part, params) = unsafe { part(flags, param, Tag::Given) }?;
            let tag = params.map(|params| params.read.tag).unwrap_or_default();
            // SAFETY: by our caller's promise.
            unsafe { through(data, out, |data, out| engine.decrypt_message_next(session(s), part, data, &tag, out)) }
        };
        or_end(engine, s, Engine::end_decrypted_message, next())
    })
}

/// A mechanism with the parameters of a message.
///
/// # Safety
/// Unless null, `mechanism` must be to a mechanism, and its parameter as for [`Parameters::read`].
unsafe fn mechanism(
    engine: &Engine,
    mechanism: *const CK_MECHANISM,
    tag: Tag,
) -> Result<(MechanismType, Parameters), Rv> {
    // SAFETY: by our caller's promise.
    let mechanism = unsafe { memory::value(mechanism) }.ok_or(Rv::ARGUMENTS_BAD)?;
    let id = MechanismType(from_c(mechanism.mechanism));
    let row = engine.mechanism(id).ok_or(Rv::MECHANISM_INVALID)?;
    if !row.takes_messages() {
        return Err(Rv::MECHANISM_INVALID);
    }
    // SAFETY: by our caller's promise.
    Ok((id, unsafe { Parameters::read(mechanism.pParameter, mechanism.ulParameterLen, tag) }?))
}

/// `C_WrapKeyAuthenticated`.
///
/// # Safety
/// As for [`mechanism`], [`memory::bytes`] and [`Target::new`].
pub(crate) unsafe fn wrap(
    s: CK_SESSION_HANDLE,
    how: *const CK_MECHANISM,
    (wrapping_key, key): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE),
    (aad, aad_len): (*const CK_BYTE, CK_ULONG),
    (out, out_len): (*mut CK_BYTE, *mut CK_ULONG),
) -> Outcome {
    process::with(|engine| {
        engine.session_info(session(s))?;
        // SAFETY: by our caller's promise.
        let ((id, params), aad) = unsafe { (mechanism(engine, how, Tag::Wanted)?, associated(aad, aad_len)?) };
        // SAFETY: by our caller's promise.
        let target = unsafe { Target::new(out, out_len) }?;
        let mut made = params.read.clone();
        let keys = (object(wrapping_key), object(key));
        // SAFETY: nothing of the caller's is read meanwhile.
        let outcome = unsafe {
            target.fill(|out| engine.wrap_key_authenticated(session(s), (id, &mut made), keys.0, keys.1, &aad, out))
        };
        // SAFETY: as above. Unless something was put out, nothing was made.
        unsafe { params.write(&made) };
        outcome
    })
}

/// `C_UnwrapKeyAuthenticated`.
///
/// # Safety
/// As for [`mechanism`], [`memory::bytes`], [`template::read`] and [`place`].
pub(crate) unsafe fn unwrap(
    s: CK_SESSION_HANDLE,
    how: *const CK_MECHANISM,
    unwrapping_key: CK_OBJECT_HANDLE,
    (wrapped, wrapped_len): (*const CK_BYTE, CK_ULONG),
    (attributes, count): (*mut CK_ATTRIBUTE, CK_ULONG),
    (aad, aad_len): (*const CK_BYTE, CK_ULONG),
    handle: *mut CK_OBJECT_HANDLE,
) -> Outcome {
    process::with(|engine| {
        engine.session_info(session(s))?;
        // SAFETY: by our caller's promise.
        unsafe {
            let place = place(handle)?;
            let ((id, params), aad) = (mechanism(engine, how, Tag::Given)?, associated(aad, aad_len)?);
            let (wrapped, template) = (input(wrapped, wrapped_len)?, template::read(attributes, count)?);
            let key = object(unwrapping_key);
            let made = engine.unwrap_key_authenticated(session(s), (id, params.read), key, wrapped, template, &aad)?;
            place.write(to_c(made.0));
        }
        Ok(())
    })
}
