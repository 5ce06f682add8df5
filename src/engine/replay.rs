//! What a profile refuses of uses of keys that were written down.

use types::{AttributeType, KeyType, Shape};

use crate::{
    Profile,
    mechanism::{self, Integrity, Mechanism},
    profile::Risk,
};

/// Why a use is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is refused, in the words of the README's table.
    pub what: &'static str,
    /// Whether every such use is. What was written down does not say all: not whose nonce it was, nor what the key allows.
    pub is_certain: bool,
}

/// Why a token with this profile would refuse a use: an operation and the name of a mechanism, as the book of uses has them. `None` if it
/// would not.
#[must_use]
pub fn refusal(profile: Profile, operation: &str, mechanism: &str) -> Option<Refusal> {
    let row = mechanism::all().find(|row| row.id.name() == Some(mechanism))?;
    let (risk, is_certain) = risk(row, operation)?;
    profile.refuses(risk).then(|| Refusal { what: risk.words(), is_certain })
}

/// The operations that a key's attributes allow, as the book calls them, and have risks of their own.
const USES: [(&str, AttributeType); 4] = [
    ("encrypt", AttributeType::ENCRYPT),
    ("decrypt", AttributeType::DECRYPT),
    ("sign", AttributeType::SIGN),
    ("wrap", AttributeType::WRAP),
];

fn risk(row: &Mechanism, operation: &str) -> Option<(Risk, bool)> {
    let usage = USES.into_iter().find(|(word, _)| *word == operation);
    if let Some(risk) = usage.and_then(|(_, usage)| row.risks(usage).next()) {
        // CBC with padding is what a key may name.
        return Some((risk, risk != Risk::CbcPadDecryption));
    }
    match operation {
        // `C_WrapKeyAuthenticated` has a nonce of the token's.
        "wrap" | "wrapped" | "unwrap" if row.integrity == Integrity::Unchecked => {
            Some((Risk::OpenWrapping, row.message.is_none()))
        }
        // Whether the key was weaker than what it wrapped is not in the book.
        "wrap" | "wrapped" if row.keys.contains(&KeyType::RSA) => Some((Risk::WeakWrapping, false)),
        // Neither is the length of a MAC.
        "sign" | "verify" if row.shape == Shape::OutputLength => Some((Risk::ShortMac, false)),
        "encrypt" if row.takes_nonce() => Some((Risk::CallersNonce, row.message.is_none())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strict_refuses_of_a_use_is_what_it_refuses_when_it_happens() {
        let certain = |operation, mechanism| refusal(Profile::Strict, operation, mechanism).map(|why| why.is_certain);
        for (operation, mechanism, expected) in [
            ("decrypt", "CKM_RSA_PKCS", Some(true)),
            ("decrypt", "CKM_AES_CBC_PAD", Some(false)),
            ("encrypt", "CKM_AES_CBC_PAD", None),
            ("encrypt", "CKM_AES_CTR", Some(true)),
            ("encrypt", "CKM_AES_GCM", Some(false)),
            ("decrypt", "CKM_AES_GCM", None),
            ("wrap", "CKM_AES_CBC_PAD", Some(true)),
            ("wrapped", "CKM_AES_CBC_PAD", Some(true)),
            ("wrap", "CKM_AES_GCM", Some(false)),
            ("unwrap", "CKM_AES_GCM", Some(false)),
            ("wrap", "CKM_RSA_PKCS_OAEP", Some(false)),
            ("unwrap", "CKM_RSA_PKCS_OAEP", None),
            ("sign", "CKM_SHA256_HMAC_GENERAL", Some(false)),
            ("sign", "CKM_SHA256_HMAC", None),
            ("unwrap", "CKM_RSA_PKCS", Some(true)),
            ("wrap", "CKM_AES_KEY_WRAP_KWP", None),
            ("encrypt", "CKM_DES3_CBC", Some(true)),
            ("decrypt", "CKM_DES3_CBC", None),
            ("sign", "CKM_RSA_PKCS", None),
            ("sign", "CKM_NOBODYS", None),
            ("copied", "", None),
        ] {
            assert_eq!(certain(operation, mechanism), expected, "{operation} {mechanism}");
            assert_eq!(refusal(Profile::Compatible, operation, mechanism), None, "{operation} {mechanism}");
        }
    }
}
