//! What many functions have in common: how the engine is asked.

use cryptoki_sys::{
    CK_BYTE, CK_FLAGS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG, CK_USER_TYPE,
    CK_UTF8CHAR, CKF_ASYNC_SESSION, CKF_RW_SESSION, CKF_SERIAL_SESSION, CKF_VERIFY, CKU_CONTEXT_SPECIFIC, CKU_SO,
    CKU_USER,
};
use engine::{Access, Engine, Error, User};
use types::{Mechanism, ObjectHandle, Output, OutputResult, Rv, SessionHandle, SlotId};
use zeroize::Zeroizing;

use crate::{
    Outcome, memory,
    memory::Fault,
    number::{from_c, length_to_c, to_c},
    output::{Target, place},
    params, process,
};

pub(crate) fn session(handle: CK_SESSION_HANDLE) -> SessionHandle {
    SessionHandle(from_c(handle))
}

pub(crate) fn object(handle: CK_OBJECT_HANDLE) -> ObjectHandle {
    ObjectHandle(from_c(handle))
}

/// A handle that may be left out, as 0.
pub(crate) fn some(handle: CK_OBJECT_HANDLE) -> Option<ObjectHandle> {
    (handle != 0).then(|| object(handle))
}

pub(crate) fn slot_id(slot: CK_SLOT_ID) -> SlotId {
    SlotId(from_c(slot))
}

/// The flags of `C_OpenSession`.
pub(crate) fn access(flags: CK_FLAGS) -> Result<Access, Rv> {
    if flags & CKF_SERIAL_SESSION == 0 {
        return Err(Rv::SESSION_PARALLEL_NOT_SUPPORTED);
    }
    if flags & CKF_ASYNC_SESSION != 0 {
        return Err(Rv::SESSION_ASYNC_NOT_SUPPORTED);
    }
    Ok(if flags & CKF_RW_SESSION == 0 { Access::ReadOnly } else { Access::ReadWrite })
}

pub(crate) fn user(kind: CK_USER_TYPE) -> Result<User, Rv> {
    match kind {
        CKU_SO => Ok(User::Officer),
        CKU_USER => Ok(User::User),
        CKU_CONTEXT_SPECIFIC => Ok(User::ContextSpecific),
        _ => Err(Rv::USER_TYPE_INVALID),
    }
}

/// A PIN. There is no other way to give it, so a null pointer is never one.
///
/// # Safety
/// As for [`memory::bytes`].
pub(crate) unsafe fn pin<'a>(ptr: *const CK_UTF8CHAR, len: CK_ULONG) -> Result<&'a [u8], Rv> {
    /// No PIN is longer, and none that is may be read.
    const MOST: CK_ULONG = 4096;
    if ptr.is_null() {
        return Err(Rv::ARGUMENTS_BAD);
    }
    if len > MOST {
        return Err(Rv::PIN_LEN_RANGE);
    }
    // SAFETY: by our caller's promise, which is the same.
    unsafe { input(ptr, len) }
}

/// Bytes that the caller gives. More than are ever taken are refused before one is read.
///
/// # Safety
/// As for [`memory::bytes`].
pub(crate) unsafe fn input<'a>(ptr: *const CK_BYTE, len: CK_ULONG) -> Result<&'a [u8], Rv> {
    if usize::try_from(len).is_ok_and(|len| len >= memory::DATA_MAX) {
        return Err(Rv::DATA_LEN_RANGE);
    }
    // SAFETY: by our caller's promise, which is the same.
    unsafe { memory::bytes(ptr, len) }.ok_or(Rv::ARGUMENTS_BAD)
}

/// Starts an operation; without a mechanism, ends the one of that kind (3.0).
///
/// # Safety
/// As for [`params::read`].
pub(crate) unsafe fn start<E: Into<Rv>>(
    s: CK_SESSION_HANDLE,
    mechanism: *const CK_MECHANISM,
    kind: CK_FLAGS,
    call: impl FnOnce(&Engine, SessionHandle, &Mechanism) -> Result<(), E>,
) -> Outcome {
    process::with(|engine| {
        engine.session_info(session(s))?;
        if mechanism.is_null() {
            return Ok(engine.session_cancel(session(s), from_c(kind))?);
        }
        // SAFETY: by our caller's promise, which is the same.
        let mechanism = unsafe { params::read(engine, mechanism) }?;
        call(engine, session(s), &mechanism).map_err(Into::into)
    })
}

/// What could be read of the arguments of a call that goes on with operations. If that is an error, they end, as they do
/// at any error but a buffer that is too small (PKCS#11, 5.1.6 and the functions).
fn or_end<T>(engine: &Engine, s: CK_SESSION_HANDLE, kind: CK_FLAGS, read: Result<T, Rv>) -> Result<T, Rv> {
    read.or_else(|refused| {
        engine.session_cancel(session(s), from_c(kind))?;
        Err(refused)
    })
}

/// Goes on with operations that get bytes and give some.
///
/// # Safety
/// As for [`memory::bytes`] and [`Target::new`]. Input and output may overlap.
pub(crate) unsafe fn pump(
    s: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    data: *const CK_BYTE,
    data_len: CK_ULONG,
    out: *mut CK_BYTE,
    out_len: *mut CK_ULONG,
    call: impl FnOnce(&Engine, SessionHandle, &[u8], Output<'_>) -> Result<OutputResult, Error>,
) -> Outcome {
    process::with(|engine| {
        // SAFETY: by our caller's promise, which is the same.
        let read = unsafe { input(data, data_len).and_then(|input| Ok((input, Target::new(out, out_len)?))) };
        let (input, target) = or_end(engine, s, kind, read)?;
        if target.overlaps(input) {
            let copy = or_end(engine, s, kind, memory::owned(input).map_err(Fault::of(Rv::ARGUMENTS_BAD)))?;
            let copy = Zeroizing::new(copy);
            // SAFETY: what is read is ours now.
            return unsafe { target.fill(|out| call(engine, session(s), &copy, out)) };
        }
        // SAFETY: they do not overlap.
        unsafe { target.fill(|out| call(engine, session(s), input, out)) }
    })
}

/// Goes on with operations that give bytes.
///
/// # Safety
/// As for [`Target::new`].
pub(crate) unsafe fn drain(
    s: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    out: *mut CK_BYTE,
    out_len: *mut CK_ULONG,
    call: impl FnOnce(&Engine, SessionHandle, Output<'_>) -> Result<OutputResult, Error>,
) -> Outcome {
    process::with(|engine| {
        // SAFETY: by our caller's promise.
        let target = or_end(engine, s, kind, unsafe { Target::new(out, out_len) })?;
        // SAFETY: by our caller's promise; nothing of the caller's is read.
        unsafe { target.fill(|out| call(engine, session(s), out)) }
    })
}

/// Goes on with operations that get bytes.
///
/// # Safety
/// As for [`memory::bytes`].
pub(crate) unsafe fn feed(
    s: CK_SESSION_HANDLE,
    kind: CK_FLAGS,
    data: *const CK_BYTE,
    data_len: CK_ULONG,
    call: impl FnOnce(&Engine, SessionHandle, &[u8]) -> Result<(), Error>,
) -> Outcome {
    process::with(|engine| {
        // SAFETY: by our caller's promise, which is the same.
        let input = or_end(engine, s, kind, unsafe { input(data, data_len) })?;
        Ok(call(engine, session(s), input)?)
    })
}

/// `C_Verify`.
///
/// # Safety
/// As for [`memory::bytes`].
pub(crate) unsafe fn verify(
    s: CK_SESSION_HANDLE,
    data: *const CK_BYTE,
    data_len: CK_ULONG,
    signature: *const CK_BYTE,
    signature_len: CK_ULONG,
) -> Outcome {
    process::with(|engine| {
        // SAFETY: by our caller's promise, which is the same.
        let read = unsafe { input(data, data_len).and_then(|data| Ok((data, input(signature, signature_len)?))) };
        let (data, signature) = or_end(engine, s, CKF_VERIFY, read)?;
        Ok(engine.verify(session(s), data, signature)?)
    })
}

/// `C_FindObjects`.
///
/// # Safety
/// Unless null, `list` must be to `max` handles that may be written, and `count` to one.
pub(crate) unsafe fn find(
    s: CK_SESSION_HANDLE,
    list: *mut CK_OBJECT_HANDLE,
    max: CK_ULONG,
    count: *mut CK_ULONG,
) -> Outcome {
    process::with(|engine| {
        // SAFETY: by our caller's promise.
        let count = unsafe { place(count) }?;
        if list.is_null() && max == 0 {
            engine.find(session(s), 0)?;
            count.write(0);
            return Ok(());
        }
        let list = std::ptr::NonNull::new(list).ok_or(Rv::ARGUMENTS_BAD)?;
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let found: Vec<CK_OBJECT_HANDLE> = engine.find(session(s), max)?.iter().map(|handle| to_c(handle.0)).collect();
        // SAFETY: no more are found than there is out for, by our caller's promise.
        unsafe { memory::write(list, &found) };
        count.write(length_to_c(found.len()));
        Ok(())
    })
}

/// `C_GenerateRandom`.
///
/// # Safety
/// Unless null, `out` must be to `len` bytes that may be written.
pub(crate) unsafe fn random(s: CK_SESSION_HANDLE, out: *mut CK_BYTE, len: CK_ULONG) -> Outcome {
    process::with(|engine| {
        if len == 0 {
            return Ok(engine.random(session(s), &mut [])?);
        }
        let out = std::ptr::NonNull::new(out).ok_or(Rv::ARGUMENTS_BAD)?;
        // SAFETY: by our caller's promise; nothing else of the caller's is read.
        let buffer = unsafe { memory::buffer(out, len) };
        // Less than was asked for would be left as it was, and taken for random.
        if length_to_c(buffer.len()) != len {
            return Err(Rv::ARGUMENTS_BAD);
        }
        Ok(engine.random(session(s), buffer)?)
    })
}

/// A function that this release has no use for: it is in the lists, and says so.
pub(crate) fn unsupported(s: CK_SESSION_HANDLE) -> Outcome {
    process::with(|engine| {
        engine.session_info(session(s))?;
        Err(Rv::FUNCTION_NOT_SUPPORTED)
    })
}
