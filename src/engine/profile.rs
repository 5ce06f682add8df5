//! What the profiles of a token refuse: one table. The engine asks it, and the README shows it.

use types::Rv;

use crate::Profile;

/// Something that could let a key out in a way that its owner did not mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// A key that wraps and decrypts: what it wraps, it can show.
    WrapAndDecrypt,
    /// A key that unwraps and encrypts: it can bring in keys that are known.
    UnwrapAndEncrypt,
    /// Such a pair of uses one after the other.
    GainedUse,
    /// A key wrapped under one that is easier to find.
    WeakWrapping,
    /// Wrapping and unwrapping where nobody notices a change.
    OpenWrapping,
    /// Encryption with a nonce that the caller has made, where one that comes twice opens what it protects.
    CallersNonce,
    /// Wrapping and unwrapping where a part can be cut off.
    CutWrapping,
    /// An unwrapped key that can be read at once.
    ReadableUnwrapping,
    /// A derived key that is less protected than its base.
    ReadableDerivation,
    /// An agreed secret that can be read, from a key that cannot.
    ReadableAgreement,
    /// A derived key that is short enough to be found by trying.
    ShortDerivation,
    /// Decryption that answers questions about RSA's PKCS #1 v1.5 padding.
    Pkcs1Decryption,
    /// Decryption that answers questions about CBC's padding.
    CbcPadDecryption,
    /// Encryption, wrapping and signing by Triple DES, which NIST has disallowed.
    TripleDes,
    /// A MAC of less than 4 bytes.
    TinyMac,
    /// A MAC of 4 to 7 bytes.
    ShortMac,
    /// A key that only trusted keys may wrap, under another one or without integrity.
    UntrustedWrapping,
    /// A trusted key with a use that shows what it wraps, or whose bits can be had.
    LeakyTrust,
    /// Another use for a key that is or was trusted.
    ChangedTrust,
    /// A key out of a trusted one that is not protected as it was.
    ReleasedKey,
}

/// In which profiles it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Always,
    InStrict,
}

/// One row: what is at risk, how it is said, where it is refused, and with which code.
struct Row(Risk, &'static str, Refused, Rv);

const ROWS: &[Row] = &[
    Row(
        Risk::UntrustedWrapping,
        "wrap a key with `CKA_WRAP_WITH_TRUSTED` under a key that is not trusted, or without integrity (CBC, PKCS #1 v1.5, GCM with the caller's IV)",
        Refused::Always,
        Rv::KEY_NOT_WRAPPABLE,
    ),
    Row(
        Risk::LeakyTrust,
        "`CKA_TRUSTED` for a key that has or had a use but to wrap and unwrap, or that can be read or wrapped by an untrusted one",
        Refused::Always,
        Rv::TEMPLATE_INCONSISTENT,
    ),
    Row(
        Risk::ChangedTrust,
        "change a use of a key that is or was trusted, or of its copy",
        Refused::Always,
        Rv::ATTRIBUTE_READ_ONLY,
    ),
    Row(
        Risk::ReleasedKey,
        "unwrap with a trusted key to a key that is not sensitive or lacks `CKA_WRAP_WITH_TRUSTED`; derive such a key from one that has it",
        Refused::Always,
        Rv::TEMPLATE_INCONSISTENT,
    ),
    Row(Risk::CutWrapping, "wrap or unwrap by AES-CTR, AES-ECB, raw RSA", Refused::Always, Rv::MECHANISM_INVALID),
    Row(
        Risk::ReadableDerivation,
        "derive a key that is less protected than its base",
        Refused::Always,
        Rv::TEMPLATE_INCONSISTENT,
    ),
    Row(Risk::TinyMac, "a MAC cut to less than 4 bytes", Refused::Always, Rv::MECHANISM_PARAM_INVALID),
    Row(Risk::WrapAndDecrypt, "a key that wraps and decrypts", Refused::InStrict, Rv::TEMPLATE_INCONSISTENT),
    Row(Risk::UnwrapAndEncrypt, "a key that unwraps and encrypts", Refused::InStrict, Rv::TEMPLATE_INCONSISTENT),
    Row(Risk::GainedUse, "such a pair of uses one after the other", Refused::InStrict, Rv::ATTRIBUTE_READ_ONLY),
    Row(
        Risk::WeakWrapping,
        "wrap a key under a weaker one (NIST SP 800-57: RSA-2048 is 112 bits, RSA-3072 is 128)",
        Refused::InStrict,
        Rv::WRAPPING_KEY_SIZE_RANGE,
    ),
    Row(
        Risk::OpenWrapping,
        "wrap or unwrap without integrity: CBC, RSA PKCS #1 v1.5, AES-GCM with the caller's IV",
        Refused::InStrict,
        Rv::MECHANISM_INVALID,
    ),
    Row(
        Risk::CallersNonce,
        "encrypt by AES-CTR, or by AES-GCM with the caller's IV (`C_EncryptMessage` with `CKG_GENERATE` makes one in the token)",
        Refused::InStrict,
        Rv::MECHANISM_PARAM_INVALID,
    ),
    Row(
        Risk::ReadableUnwrapping,
        "unwrap to a key that can be read, unless `CKA_UNWRAP_TEMPLATE` says so",
        Refused::InStrict,
        Rv::TEMPLATE_INCONSISTENT,
    ),
    Row(
        Risk::ReadableAgreement,
        "agree on a secret that can be read, with a private key that cannot",
        Refused::InStrict,
        Rv::TEMPLATE_INCONSISTENT,
    ),
    Row(Risk::ShortDerivation, "derive a key of less than 14 bytes", Refused::InStrict, Rv::KEY_SIZE_RANGE),
    Row(Risk::Pkcs1Decryption, "decrypt RSA PKCS #1 v1.5", Refused::InStrict, Rv::MECHANISM_INVALID),
    Row(
        Risk::CbcPadDecryption,
        "decrypt CBC-PAD, unless `CKA_ALLOWED_MECHANISMS` of the key names it",
        Refused::InStrict,
        Rv::MECHANISM_INVALID,
    ),
    Row(
        Risk::TripleDes,
        "encrypt, wrap or sign by 3DES (disallowed by NIST SP 800-131A)",
        Refused::InStrict,
        Rv::MECHANISM_INVALID,
    ),
    Row(Risk::ShortMac, "a MAC cut to less than 8 bytes", Refused::InStrict, Rv::MECHANISM_PARAM_INVALID),
];

impl Profile {
    /// Whether a token with this profile refuses it.
    #[must_use]
    pub fn refuses(self, risk: Risk) -> bool {
        // What had no row would be refused.
        let row = ROWS.iter().find(|Row(known, ..)| *known == risk);
        row.is_none_or(|Row(_, _, refused, _)| *refused == Refused::Always || self == Self::Strict)
    }
}

impl Risk {
    /// What it is, in words.
    pub(crate) fn words(self) -> &'static str {
        ROWS.iter().find(|Row(known, ..)| *known == self).map_or("", |Row(_, words, ..)| words)
    }
}

/// The table as it stands in the README.
#[must_use]
pub fn table() -> String {
    let mut table = String::from("| what | `compatible` | `strict` |\n| --- | --- | --- |\n");
    for Row(_, words, refused, code) in ROWS {
        let compatible = match refused {
            Refused::Always => format!("`{code}`"),
            Refused::InStrict => "yes".to_owned(),
        };
        table.push_str(&format!("| {words} | {compatible} | `{code}` |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_the_table() {
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&table()), "put this into the README:\n{}", table());
    }

    #[test]
    fn compatible_refuses_nothing_that_strict_allows() {
        for Row(risk, ..) in ROWS {
            assert!(Profile::Strict.refuses(*risk), "{risk:?}");
            let rows = ROWS.iter().filter(|Row(known, ..)| known == risk).count();
            assert_eq!(rows, 1, "{risk:?}");
        }
        assert!(!Profile::Compatible.refuses(Risk::WrapAndDecrypt) && Profile::Compatible.refuses(Risk::CutWrapping));
    }
}
