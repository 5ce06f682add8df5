use crypto::Hash;
use types::MechanismType;

use crate::Error;

use super::Mechanism;

pub(super) static MECHANISMS: &[Mechanism] = &[
    row(MechanismType::SHA_1, Hash::Sha1),
    row(MechanismType::SHA224, Hash::Sha224),
    row(MechanismType::SHA256, Hash::Sha256),
    row(MechanismType::SHA384, Hash::Sha384),
    row(MechanismType::SHA512, Hash::Sha512),
];

const fn row(id: MechanismType, hash: Hash) -> Mechanism {
    Mechanism { id, digest: Some(hash), ..Mechanism::BLANK }
}

/// The hash that a parameter names by its digest mechanism.
///
/// # Errors
/// [`Error::MechanismParamInvalid`] if it is none of ours.
pub(super) fn hash(id: MechanismType) -> Result<Hash, Error> {
    let row = MECHANISMS.iter().find(|row| row.id == id);
    row.and_then(|row| row.digest).ok_or(Error::MechanismParamInvalid)
}
