use cryptoki_sys::{
    CK_AES_CTR_PARAMS, CK_BYTE, CK_ECDH1_DERIVE_PARAMS, CK_EDDSA_PARAMS, CK_GCM_MESSAGE_PARAMS, CK_GCM_PARAMS,
    CK_MECHANISM, CK_RSA_AES_KEY_WRAP_PARAMS, CK_RSA_PKCS_OAEP_PARAMS, CK_RSA_PKCS_PSS_PARAMS, CK_ULONG,
    CKZ_DATA_SPECIFIED,
};
use engine::Engine;
use types::{Kdf, Mechanism, MechanismType, Mgf, Params, Rv, Shape};

use crate::{memory, memory::Fault, number::from_c};

pub(crate) const INVALID: Rv = Rv::MECHANISM_PARAM_INVALID;

/// The most bytes that a parameter may point to: a label, shared data, data to authenticate.
pub(crate) const NESTED_MAX: usize = 16 << 20;

/// Takes a mechanism with its parameter in. Which parameter there must be, the mechanism's row says.
///
/// # Safety
/// Unless null, `ptr` must be to a mechanism, its `pParameter`, unless null, to as many bytes as its
/// `ulParameterLen` says, and if they make the mechanism's C struct, each pointer there to as many as the
/// struct says.
pub(crate) unsafe fn read(engine: &Engine, ptr: *const CK_MECHANISM) -> Result<Mechanism, Rv> {
    // SAFETY: by our caller's promise; any bits make numbers and pointers.
    let mechanism = unsafe { memory::value(ptr) }.ok_or(Rv::ARGUMENTS_BAD)?;
    let id = MechanismType(from_c(mechanism.mechanism));
    let row = engine.mechanism(id).ok_or(Rv::MECHANISM_INVALID)?;
    // SAFETY: by our caller's promise.
    let params = unsafe { parameter(row.shape, mechanism.pParameter.cast(), mechanism.ulParameterLen) }?;
    Ok(Mechanism { id, params })
}

/// Takes a parameter of a shape in.
///
/// # Safety
/// As for [`read`], whose `pParameter` and `ulParameterLen` these are.
unsafe fn parameter(shape: Shape, ptr: *const CK_BYTE, len: CK_ULONG) -> Result<Params, Rv> {
    // SAFETY: by our caller's promise.
    let bytes = unsafe { memory::bytes(ptr, len) }.ok_or(INVALID)?;
    match shape {
        Shape::None | Shape::OptionalIv(_) | Shape::OptionalEddsa if bytes.is_empty() => Ok(Params::None),
        Shape::None => Err(INVALID),
        Shape::Iv(len) | Shape::OptionalIv(len) => iv(bytes, len),
        Shape::OutputLength => Ok(Params::OutputLength(from_c(plain(bytes)?))),
        Shape::Ctr => counter(plain(bytes)?),
        // SAFETY: of all these by our caller's promise.
        Shape::Gcm => unsafe { gcm(bytes) },
        Shape::Pss => Ok(pss(plain(bytes)?)),
        // SAFETY: by our caller's promise.
        Shape::Oaep => unsafe { oaep(plain(bytes)?) },
        // SAFETY: by our caller's promise.
        Shape::Ecdh => unsafe { ecdh(plain(bytes)?) },
        // SAFETY: by our caller's promise.
        Shape::OptionalEddsa => unsafe { eddsa(bytes) },
        Shape::PublicValue => public_value(bytes),
        Shape::Context if bytes.len() > CONTEXT_MAX => Err(INVALID),
        Shape::Context => memory::owned(bytes).map(Params::Context).map_err(Fault::of(INVALID)),
        // SAFETY: by our caller's promise.
        Shape::RsaAesWrap => unsafe { rsa_aes_wrap(plain(bytes)?) },
    }
}

fn iv(bytes: &[u8], len: usize) -> Result<Params, Rv> {
    if bytes.len() != len {
        return Err(INVALID);
    }
    memory::owned(bytes).map(Params::Iv).map_err(Fault::of(INVALID))
}

/// No encryption context is longer, in bytes.
const CONTEXT_MAX: usize = 1 << 16;

/// No public value is longer, in bytes.
const PUBLIC_VALUE_MAX: usize = 1 << 14;

fn public_value(bytes: &[u8]) -> Result<Params, Rv> {
    if bytes.is_empty() || bytes.len() > PUBLIC_VALUE_MAX {
        return Err(INVALID);
    }
    memory::owned(bytes).map(Params::PublicValue).map_err(Fault::of(INVALID))
}

fn counter(params: CK_AES_CTR_PARAMS) -> Result<Params, Rv> {
    Ok(Params::Ctr { counter_bits: from_c(params.ulCounterBits), block: params.cb })
}

/// `CK_GCM_PARAMS` as version 2.40 of the specification had it in its text: without `ulIvBits`. Programs
/// built from that text are still about.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, non_snake_case)] // The C names.
struct CK_GCM_PARAMS_WITHOUT_BITS {
    pIv: *mut CK_BYTE,
    ulIvLen: CK_ULONG,
    pAAD: *mut CK_BYTE,
    ulAADLen: CK_ULONG,
    ulTagBits: CK_ULONG,
}

/// # Safety
/// As for [`parameter`].
unsafe fn gcm(bytes: &[u8]) -> Result<Params, Rv> {
    let params = match plain::<CK_GCM_PARAMS>(bytes) {
        // `ulIvBits` says nothing: the nonce is as long as `ulIvLen` says (PKCS#11, 6.13.3).
        Ok(CK_GCM_PARAMS { pIv, ulIvLen, ulIvBits: _, pAAD, ulAADLen, ulTagBits }) => {
            CK_GCM_PARAMS_WITHOUT_BITS { pIv, ulIvLen, pAAD, ulAADLen, ulTagBits }
        }
        Err(_) => plain(bytes)?,
    };
    // SAFETY: by our caller's promise.
    unsafe {
        Ok(Params::Gcm {
            iv: nested(params.pIv, params.ulIvLen)?,
            aad: nested(params.pAAD, params.ulAADLen)?,
            tag_bits: from_c(params.ulTagBits),
        })
    }
}

fn pss(params: CK_RSA_PKCS_PSS_PARAMS) -> Params {
    Params::Pss {
        hash: MechanismType(from_c(params.hashAlg)),
        mgf: Mgf(from_c(params.mgf)),
        salt_len: from_c(params.sLen),
    }
}

/// # Safety
/// As for [`parameter`].
unsafe fn oaep(params: CK_RSA_PKCS_OAEP_PARAMS) -> Result<Params, Rv> {
    // Many programs leave the source 0 where there is no label.
    let unlabelled = params.source == 0 && params.ulSourceDataLen == 0;
    if params.source != CKZ_DATA_SPECIFIED && !unlabelled {
        return Err(INVALID);
    }
    Ok(Params::Oaep {
        hash: MechanismType(from_c(params.hashAlg)),
        mgf: Mgf(from_c(params.mgf)),
        // SAFETY: by our caller's promise.
        label: unsafe { nested(params.pSourceData.cast(), params.ulSourceDataLen) }?,
    })
}

/// # Safety
/// As for [`parameter`].
unsafe fn ecdh(params: CK_ECDH1_DERIVE_PARAMS) -> Result<Params, Rv> {
    // SAFETY: by our caller's promise.
    unsafe {
        Ok(Params::Ecdh {
            kdf: Kdf(from_c(params.kdf)),
            shared: nested(params.pSharedData, params.ulSharedDataLen)?,
            public: nested(params.pPublicData, params.ulPublicDataLen)?,
        })
    }
}

/// # Safety
/// As for [`parameter`].
unsafe fn eddsa(bytes: &[u8]) -> Result<Params, Rv> {
    let params: CK_EDDSA_PARAMS = plain(bytes)?;
    let prehash = match params.phFlag {
        0 => false,
        1 => true,
        _ => return Err(INVALID),
    };
    // SAFETY: by our caller's promise.
    let context = unsafe { nested(params.pContextData, params.ulContextDataLen) }?;
    Ok(Params::Eddsa { prehash, context })
}

/// # Safety
/// As for [`parameter`].
unsafe fn rsa_aes_wrap(params: CK_RSA_AES_KEY_WRAP_PARAMS) -> Result<Params, Rv> {
    // SAFETY: by our caller's promise.
    let inner = unsafe { memory::value(params.pOAEPParams) }.ok_or(INVALID)?;
    // SAFETY: by our caller's promise.
    match unsafe { oaep(inner) }? {
        Params::Oaep { hash, mgf, label } => {
            Ok(Params::RsaAesWrap { aes_bits: from_c(params.ulAESKeyBits), hash, mgf, label })
        }
        _ => Err(INVALID),
    }
}

/// A C struct, or a number, that fills the parameter exactly. Any bits must make a `T`: all of these
/// have numbers and pointers only.
pub(crate) fn plain<T: Copy + Plain>(bytes: &[u8]) -> Result<T, Rv> {
    if bytes.len() != size_of::<T>() {
        return Err(INVALID);
    }
    // SAFETY: as many bytes are there, and they make a `T` by the promise of `Plain`.
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// What any bits make.
///
/// # Safety
/// It must be so: numbers, raw pointers, arrays and structs of them.
pub(crate) unsafe trait Plain {}

// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_ULONG {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_AES_CTR_PARAMS {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_GCM_PARAMS {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_GCM_PARAMS_WITHOUT_BITS {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_GCM_MESSAGE_PARAMS {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_RSA_PKCS_PSS_PARAMS {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_RSA_PKCS_OAEP_PARAMS {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_ECDH1_DERIVE_PARAMS {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_EDDSA_PARAMS {}
// SAFETY: a C struct of numbers and pointers, which any bits make.
unsafe impl Plain for CK_RSA_AES_KEY_WRAP_PARAMS {}

/// A copy of what a parameter points to.
///
/// # Safety
/// Unless null, `ptr` must be to `len` bytes.
unsafe fn nested(ptr: *const CK_BYTE, len: CK_ULONG) -> Result<Vec<u8>, Rv> {
    // SAFETY: by our caller's promise.
    unsafe { memory::copy(ptr, len, NESTED_MAX) }.map_err(Fault::of(INVALID))
}
