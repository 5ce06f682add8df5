use crypto::{ec, edwards, montgomery};
use der::{
    Decode, Encode, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier, OctetStringRef, PrintableStringRef},
};
use types::KeyType;

use crate::Error;

/// A curve, of whatever form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    /// `y^2 = x^3 + ax + b`, for ECDSA and ECDH.
    Weierstrass(ec::Curve),
    /// For EdDSA.
    Edwards(edwards::Curve),
    /// For ECDH.
    Montgomery(montgomery::Curve),
}

/// What a curve is called.
struct Names {
    curve: Curve,
    oid: ObjectIdentifier,
    /// As `curveName` (PKCS#11, EC public key objects). The first is the one of the standard that defines it.
    names: &'static [&'static str],
}

impl Names {
    const fn of(curve: Curve, oid: &str, names: &'static [&'static str]) -> Self {
        Self { curve, oid: ObjectIdentifier::new_unwrap(oid), names }
    }
}

static CURVES: [Names; 7] = [
    Names::of(Curve::Weierstrass(ec::Curve::P224), "1.3.132.0.33", &["secp224r1", "P-224"]),
    Names::of(Curve::Weierstrass(ec::Curve::P256), "1.2.840.10045.3.1.7", &["secp256r1", "prime256v1", "P-256"]),
    Names::of(Curve::Weierstrass(ec::Curve::P384), "1.3.132.0.34", &["secp384r1", "P-384"]),
    Names::of(Curve::Weierstrass(ec::Curve::P521), "1.3.132.0.35", &["secp521r1", "P-521"]),
    Names::of(Curve::Weierstrass(ec::Curve::Secp256k1), "1.3.132.0.10", &["secp256k1"]),
    Names::of(Curve::Edwards(edwards::Curve::Ed25519), "1.3.101.112", &["edwards25519", "Ed25519"]),
    Names::of(Curve::Montgomery(montgomery::Curve::X25519), "1.3.101.110", &["curve25519", "X25519"]),
];

impl Curve {
    /// The curve that domain parameters (CKA_EC_PARAMS) name, by object identifier or by name.
    ///
    /// # Errors
    /// [`Error::CurveNotSupported`] for a name that is not known and for parameters that are written out;
    /// [`Error::DomainParamsInvalid`] for anything else.
    pub(crate) fn of(ec_params: &[u8]) -> Result<Self, Error> {
        let invalid = |_| Error::DomainParamsInvalid;
        let params = AnyRef::from_der(ec_params).map_err(invalid)?;
        match params.tag() {
            Tag::ObjectIdentifier => Self::of_oid(params.decode_as().map_err(invalid)?),
            Tag::PrintableString => {
                let name: PrintableStringRef<'_> = params.decode_as().map_err(invalid)?;
                find(|row| row.names.contains(&name.as_str()))
            }
            // The parameters written out. Nobody needs them for a curve that has a name.
            Tag::Sequence => Err(Error::CurveNotSupported),
            _ => Err(Error::DomainParamsInvalid),
        }
    }

    /// The curve with this object identifier.
    ///
    /// # Errors
    /// [`Error::CurveNotSupported`]
    pub(crate) fn of_oid(oid: ObjectIdentifier) -> Result<Self, Error> {
        find(|row| row.oid == oid)
    }

    pub(crate) fn oid(self) -> Result<ObjectIdentifier, Error> {
        let row = CURVES.iter().find(|row| row.curve == self);
        row.map(|row| row.oid).ok_or(Error::CurveNotSupported)
    }

    /// Domain parameters that name it: its object identifier in DER.
    pub(crate) fn params(self) -> Result<Vec<u8>, Error> {
        self.oid()?.to_der().map_err(|_| Error::Internal("an object identifier has no DER"))
    }

    /// Its name in the standard that defines it.
    pub(crate) fn name(self) -> Option<&'static str> {
        let row = CURVES.iter().find(|row| row.curve == self);
        row.and_then(|row| row.names.first()).copied()
    }

    /// How many bits the numbers of its field have.
    pub(crate) fn bits(self) -> usize {
        match self {
            Self::Weierstrass(curve) => curve.bits(),
            // Both are modulo 2^255 - 19 (RFC 7748).
            Self::Edwards(edwards::Curve::Ed25519) | Self::Montgomery(montgomery::Curve::X25519) => 255,
        }
    }

    /// The type of the keys on it.
    pub(crate) fn key_type(self) -> KeyType {
        match self {
            Self::Weierstrass(_) => KeyType::EC,
            Self::Edwards(_) => KeyType::EC_EDWARDS,
            Self::Montgomery(_) => KeyType::EC_MONTGOMERY,
        }
    }

    /// The bytes of a public point (CKA_EC_POINT), which is written as it is or as a DER OCTET STRING.
    /// Which of the two it is follows from the length: on no curve does a point of one form have the length
    /// of the other. `None` if it is neither.
    pub(crate) fn point(self, encoded: &[u8]) -> Option<&[u8]> {
        if self.has_points_of(encoded.len()) {
            return Some(encoded);
        }
        let point = <&OctetStringRef>::from_der(encoded).ok()?.as_bytes();
        self.has_points_of(point.len()).then_some(point)
    }

    /// CKA_EC_POINT of a public point, given in either form: a DER OCTET STRING on every curve. For Edwards
    /// and Montgomery curves the specification has had both forms, and this is the one that programs read.
    pub(crate) fn encode_point(self, point: &[u8]) -> Option<Vec<u8>> {
        OctetStringRef::new(self.point(point)?).ok()?.to_der().ok()
    }

    fn has_points_of(self, len: usize) -> bool {
        match self {
            // Uncompressed and compressed (SEC 1, 2.3.3).
            Self::Weierstrass(curve) => len == 1 + 2 * curve.field_len() || len == 1 + curve.field_len(),
            Self::Edwards(curve) => len == curve.key_len(),
            Self::Montgomery(curve) => len == curve.key_len(),
        }
    }
}

fn find(wanted: impl Fn(&Names) -> bool) -> Result<Curve, Error> {
    CURVES.iter().find(|row| wanted(row)).map(|row| row.curve).ok_or(Error::CurveNotSupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printable(name: &str) -> Vec<u8> {
        PrintableStringRef::new(name).unwrap().to_der().unwrap()
    }

    #[test]
    fn every_curve_is_found_by_its_identifier_and_by_its_names() {
        for row in &CURVES {
            assert_eq!(Curve::of(&row.curve.params().unwrap()), Ok(row.curve), "{}", row.oid);
            for name in row.names {
                assert_eq!(Curve::of(&printable(name)), Ok(row.curve), "{name}");
            }
        }
        for curve in ec::Curve::ALL {
            assert!(Curve::Weierstrass(curve).oid().is_ok(), "{curve:?} has no name");
        }
    }

    #[test]
    fn the_identifiers_are_the_usual_bytes() {
        let p256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        assert_eq!(Curve::of(&p256), Ok(Curve::Weierstrass(ec::Curve::P256)));
        let ed25519 = [0x06, 0x03, 0x2b, 0x65, 0x70];
        assert_eq!(Curve::of(&ed25519), Ok(Curve::Edwards(edwards::Curve::Ed25519)));
        let x25519 = [0x06, 0x03, 0x2b, 0x65, 0x6e];
        assert_eq!(Curve::of(&x25519), Ok(Curve::Montgomery(montgomery::Curve::X25519)));
    }

    #[test]
    fn what_is_not_a_name_of_ours_is_refused() {
        let brainpool = [0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07];
        assert_eq!(Curve::of(&brainpool), Err(Error::CurveNotSupported));
        assert_eq!(Curve::of(&printable("secp192r1")), Err(Error::CurveNotSupported));
        assert_eq!(Curve::of(&[0x30, 0x03, 0x02, 0x01, 0x01]), Err(Error::CurveNotSupported));
        let garbage: [&[u8]; 5] =
            [&[], &[0x05, 0x00], &[0x06, 0x08, 0x2a], &[0x06, 0x03, 0x2b, 0x65, 0x70, 0x00], b"P-256"];
        for params in garbage {
            assert_eq!(Curve::of(params), Err(Error::DomainParamsInvalid), "{params:02x?}");
        }
    }

    #[test]
    fn points_are_taken_in_both_forms_and_given_in_one() {
        for row in &CURVES {
            let lengths: Vec<_> = (1..200).filter(|len| row.curve.has_points_of(*len)).collect();
            assert!(!lengths.is_empty());
            for &len in &lengths {
                // A raw point that begins like an OCTET STRING.
                let mut point = vec![0x04; len];
                point[1] = u8::try_from(len - 2).unwrap();
                let encoded = row.curve.encode_point(&point).unwrap();
                assert_eq!(encoded[0], 0x04);
                assert!(!lengths.contains(&encoded.len()), "the length tells the forms apart");
                assert_eq!(row.curve.point(&encoded), Some(&point[..]));
                assert_eq!(row.curve.encode_point(&encoded), Some(encoded.clone()));
                assert_eq!(row.curve.point(&encoded[1..]), None);
                assert_eq!(row.curve.point(&[&encoded[..], &[0]].concat()), None);
            }
        }
    }
}
