//! What SoftHSM calls a number.

use types::{AttributeType, CertificateType, HwFeatureType, KeyType, MechanismType, ObjectClass};

/// Numbers with this bit are somebody's own.
const VENDOR: u64 = 0x8000_0000;

/// What SoftHSM keeps of a token, and what was named otherwise when its table was written.
const OLDER: [(AttributeType, &str); 9] = [
    (AttributeType::SUBPRIME_BITS, "CKA_SUB_PRIME_BITS"),
    (AttributeType(0x0200), "CKA_SECONDARY_AUTH"),
    (AttributeType(0x0201), "CKA_AUTH_PIN_FLAGS"),
    (AttributeType(0x8000_5348), "CKA_VENDOR_SOFTHSM"),
    (AttributeType(0x8000_5349), "CKA_OS_TOKENLABEL"),
    (AttributeType(0x8000_534a), "CKA_OS_TOKENSERIAL"),
    (AttributeType(0x8000_534b), "CKA_OS_TOKENFLAGS"),
    (AttributeType(0x8000_534c), "CKA_OS_SOPIN"),
    (AttributeType(0x8000_534d), "CKA_OS_USERPIN"),
];

/// A kind of number: what it is called in full and in short, and what its numbers are called.
struct Family {
    words: &'static str,
    prefix: &'static str,
    name: fn(u64) -> Option<&'static str>,
}

/// The attributes whose number is a name.
const NAMED: [(AttributeType, Family); 5] = [
    (AttributeType::CLASS, Family { words: "object class", prefix: "CKO", name: |number| ObjectClass(number).name() }),
    (
        AttributeType::CERTIFICATE_TYPE,
        Family { words: "certificate type", prefix: "CKC", name: |number| CertificateType(number).name() },
    ),
    (AttributeType::KEY_TYPE, Family { words: "key type", prefix: "CKK", name: |number| KeyType(number).name() }),
    (
        AttributeType::KEY_GEN_MECHANISM,
        Family { words: "mechanism type", prefix: "CKM", name: |number| MechanismType(number).name() },
    ),
    (
        AttributeType::HW_FEATURE_TYPE,
        Family { words: "hw feature type", prefix: "CKH", name: |number| HwFeatureType(number).name() },
    ),
];

impl Family {
    fn called(&self, number: u64) -> String {
        if u32::try_from(number).is_err() {
            return format!("overflow {}", self.words);
        }
        (self.name)(number).map_or_else(|| unnamed(self.prefix, number), str::to_owned)
    }
}

fn unnamed(prefix: &str, number: u64) -> String {
    match number & VENDOR {
        0 => format!("unknown {number:#x}"),
        _ => format!("{prefix}_VENDOR_DEFINED | {:#x}", number - VENDOR),
    }
}

/// An attribute.
pub(crate) fn attribute(name: AttributeType) -> String {
    let older = || OLDER.iter().find(|(known, _)| *known == name).map(|(_, words)| *words);
    let family = Family { words: "attribute type", prefix: "CKA", name: |number| AttributeType(number).name() };
    older().map_or_else(|| family.called(name.0), str::to_owned)
}

/// A mechanism of a set.
pub(crate) fn mechanism(number: u64) -> String {
    MechanismType(number).name().map_or_else(|| unnamed("CKM", number), str::to_owned)
}

/// The number that an attribute has.
pub(crate) fn number(of: AttributeType, number: u64) -> String {
    match NAMED.iter().find(|(name, _)| *name == of) {
        _ if number == u64::MAX => "CK_UNAVAILABLE_INFORMATION".to_owned(),
        Some((_, family)) => family.called(number),
        None => format!("CK_ULONG {number}({number:#x})"),
    }
}
