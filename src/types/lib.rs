//! Words: the numbers of PKCS#11 with their names, attribute values, mechanism parameters, return
//! values, handles, and secrets that wipe themselves.
//!
//! Nothing here decides anything. The C structs are `abi`'s; here their contents are owned Rust values,
//! and every number is 64 bits wide whatever the platform's `CK_ULONG` is.
#![forbid(unsafe_code)]

mod attribute;
mod class;
mod handle;
mod mechanism;
mod number;
mod output;
mod params;
mod rv;
mod secret;
mod value;

pub use attribute::{AttributeType, Kind};
pub use class::{CertificateType, HwFeatureType, KeyType, ObjectClass, ProfileId};
pub use handle::{ObjectHandle, SessionHandle, SlotId};
pub use mechanism::MechanismType;
pub use output::{Output, OutputResult};
pub use params::{Generator, Kdf, Mechanism, MessageParams, Mgf, Params, Shape};
pub use rv::Rv;
pub use secret::{Buffer, Secret};
pub use value::{Date, Template, Value};

/// The number that stands for "cannot be told" (`CK_UNAVAILABLE_INFORMATION`), in 64 bits.
pub const UNAVAILABLE: u64 = u64::MAX;
