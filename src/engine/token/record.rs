//! Objects as records: attributes as bytes, sealed, and what of them may be read without a key.

use store::{Record, RecordDigest, RecordId, Revision};
use types::{AttributeType, Buffer, Date, ObjectClass, Secret, Template, Value};

use super::{
    bytes::{Count, Reader, Sink},
    ring::{KeyId, Purpose},
    seal::{self, AES_256_GCM, Keys, NONCE_LEN, TAG_LEN},
    token_header::FORMAT,
};
use crate::{
    Error,
    object::{Attributes, Visibility},
};

/// What is the matter with a record that does not open.
const RECORD: Error = Error::ObjectDamaged;

/// What a record is: the first byte of its sealed part.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RecordKind(u8);

impl RecordKind {
    /// An object.
    const OBJECT: Self = Self(1);
    /// An object whose key nobody has any more, as it was.
    const LOST: Self = Self(2);
}

/// What stands before the nonce: kind, algorithm, id of the key.
const PREFIX_LEN: usize = 6;

/// A record that was opened.
pub(super) enum Opened {
    /// An object.
    Object(Attributes),
    /// An object whose key nobody has any more, as it was.
    Lost(Buffer),
    /// Something that a newer release has put there.
    Unknown,
}

/// Kinds of values, as they are written.
mod kind {
    pub(super) const FALSE: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const NUMBER: u8 = 2;
    pub(super) const NUMBERS: u8 = 3;
    pub(super) const NO_DATE: u8 = 4;
    pub(super) const DATE: u8 = 5;
    pub(super) const BYTES: u8 = 6;
    pub(super) const TEMPLATE: u8 = 7;
}

/// Seals an object as the record that it is from `version` on.
pub(super) fn seal(keys: &Keys, id: RecordId, version: Revision, attributes: &Attributes) -> Result<Record, Error> {
    crypto::keys(|| seal_inside(keys, id, version, attributes))
}

fn seal_inside(keys: &Keys, id: RecordId, version: Revision, attributes: &Attributes) -> Result<Record, Error> {
    let key = keys.sealing(attributes.visibility())?;
    let object_key = keys.object(key, id)?.ok_or(Error::Internal("a ring lacks its active key"))?;
    let clear = clear(attributes);
    let nonce: [u8; NONCE_LEN] = seal::random()?;
    let mut body = encode(attributes.iter());
    let prefix = prefix(RecordKind::OBJECT, key);
    let tag = object_key.seal(&nonce, &bound(keys, &prefix, id, version, clear.as_deref()), &mut body)?;
    Ok(record(id, version, clear, joined(&prefix, &nonce, &body, &tag)))
}

/// A record whose tag is the hash of what is in it.
fn record(id: RecordId, version: Revision, clear: Option<Vec<u8>>, sealed: Vec<u8>) -> Record {
    let tag = hash(&sealed, clear.as_deref());
    Record { id, version, clear, sealed, tag }
}

/// Whether a record has in it what its tag says. The sealed header vouches for the tag.
pub(super) fn is_whole(record: &Record) -> bool {
    tag_of(record) == record.tag
}

/// The tag that a record with these contents has.
pub(super) fn tag_of(record: &Record) -> [u8; 16] {
    hash(&record.sealed, record.clear.as_deref())
}

/// Attributes as they are written.
pub(super) fn encode_all(attributes: &Attributes) -> Buffer {
    encode(attributes.iter())
}

fn hash(sealed: &[u8], clear: Option<&[u8]>) -> [u8; 16] {
    let parts = [&b"strongroom body"[..], &seal::digest(&[sealed]), &[u8::from(clear.is_some())], clear.unwrap_or(&[])];
    seal::half(&seal::digest(&parts))
}

/// What is kept of a record whose key nobody has any more.
pub(super) fn remains(lost: &Record) -> Vec<u8> {
    let mut remains = lost.version.0.to_be_bytes().to_vec();
    remains.put(&lost.tag);
    remains.put(&lost.sealed);
    remains
}

/// Seals, with the token key, what is kept of a lost record.
pub(super) fn seal_lost(keys: &Keys, id: RecordId, version: Revision, remains: &[u8]) -> Result<Record, Error> {
    let key = keys.sealing(Visibility::Public)?;
    let object_key = keys.object(key, id)?.ok_or(Error::Internal("a ring lacks its active key"))?;
    let mut body = remains.to_vec();
    let nonce: [u8; NONCE_LEN] = seal::random()?;
    let prefix = prefix(RecordKind::LOST, key);
    let tag = object_key.seal(&nonce, &bound(keys, &prefix, id, version, None), &mut body)?;
    Ok(record(id, version, None, joined(&prefix, &nonce, &body, &tag)))
}

fn joined(prefix: &[u8; PREFIX_LEN], nonce: &[u8; NONCE_LEN], body: &[u8], tag: &[u8; TAG_LEN]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(PREFIX_LEN + NONCE_LEN + body.len() + TAG_LEN);
    sealed.put(prefix);
    sealed.put(nonce);
    sealed.put(body);
    sealed.put(tag);
    sealed
}

/// Opens a record, and checks that what may be read without a key says the same.
pub(super) fn open(keys: &Keys, record: &Record) -> Result<Opened, Error> {
    crypto::keys(|| open_inside(keys, record))
}

fn open_inside(keys: &Keys, record: &Record) -> Result<Opened, Error> {
    let Record { id, version, clear: shown, sealed, tag: _ } = record;
    if !is_whole(record) {
        return Err(RECORD);
    }
    let (prefix, rest) = sealed.split_first_chunk::<PREFIX_LEN>().ok_or(RECORD)?;
    let (rest, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(RECORD)?;
    let [kind, algorithm, key @ ..] = *prefix;
    if algorithm != AES_256_GCM {
        return Err(RECORD);
    }
    let key = KeyId(u32::from_be_bytes(key));
    let object_key = keys.object(key, *id)?.ok_or(RECORD)?;
    let (nonce, body) = rest.split_first_chunk().ok_or(RECORD)?;
    let mut plain = Buffer::new(body.to_vec());
    let bound = bound(keys, prefix, *id, *version, shown.as_deref());
    object_key.open(nonce, &bound, &mut plain, tag).ok_or(RECORD)?;
    match RecordKind(kind) {
        RecordKind::OBJECT => {}
        RecordKind::LOST => return Ok(Opened::Lost(plain)),
        _ => return Ok(Opened::Unknown),
    }
    let attributes = decode(&plain).ok_or(RECORD)?;
    // An object hangs on the key that its visibility says.
    let purpose = Purpose::of(attributes.visibility());
    let sound = clear(&attributes) == *shown && keys.purpose(key) == Some(purpose);
    if sound { Ok(Opened::Object(attributes)) } else { Err(RECORD) }
}

/// The key that a record says it is sealed with; `None` if it is too short to say so.
pub(super) fn key_of(record: &Record) -> Option<KeyId> {
    let ([_, _, key @ ..], _) = record.sealed.split_first_chunk::<PREFIX_LEN>()?;
    Some(KeyId(u32::from_be_bytes(*key)))
}

fn prefix(kind: RecordKind, key: KeyId) -> [u8; PREFIX_LEN] {
    let [a, b, c, d] = key.0.to_be_bytes();
    [kind.0, AES_256_GCM, a, b, c, d]
}

/// The attributes that can be read without a key. `None` for a private object.
pub(super) fn open_clear(record: &Record) -> Result<Option<Attributes>, Error> {
    record.clear.as_deref().map(|clear| decode(clear).ok_or(RECORD)).transpose()
}

pub(super) fn digest_of(record: &Record) -> RecordDigest {
    RecordDigest { id: record.id, version: record.version, tag: record.tag }
}

/// A public object without what makes it secret; `None` for a private one.
fn clear(attributes: &Attributes) -> Option<Vec<u8>> {
    if attributes.flag(AttributeType::PRIVATE) {
        return None;
    }
    let secret = matches!(attributes.class(), Some(ObjectClass::SECRET_KEY | ObjectClass::PRIVATE_KEY));
    let shown: Vec<_> = attributes.iter().filter(|(name, _)| !(secret && SECRETS.contains(name))).collect();
    Some(encode(shown.into_iter()).to_vec())
}

/// What makes a secret or private key secret.
const SECRETS: [AttributeType; 8] = [
    AttributeType::VALUE,
    AttributeType::PRIVATE_EXPONENT,
    AttributeType::PRIME_1,
    AttributeType::PRIME_2,
    AttributeType::EXPONENT_1,
    AttributeType::EXPONENT_2,
    AttributeType::COEFFICIENT,
    AttributeType::SEED,
];

fn bound(keys: &Keys, prefix: &[u8; PREFIX_LEN], id: RecordId, version: Revision, clear: Option<&[u8]>) -> Vec<u8> {
    let mut bound = b"strongroom record".to_vec();
    bound.put(&FORMAT.to_be_bytes());
    bound.put(prefix);
    bound.put(keys.serial.as_str().as_bytes());
    bound.put(&keys.epoch.to_be_bytes());
    bound.put(&id.0);
    bound.put(&version.0.to_be_bytes());
    bound.put(&[u8::from(clear.is_some())]);
    bound.put(&seal::digest(&[clear.unwrap_or_default()]));
    bound
}

/// A value's bytes for an index term: the same for equal values.
pub(super) fn value_bytes(value: &Value) -> Buffer {
    let mut count = Count::default();
    write_value(&mut count, value);
    let mut bytes = Buffer::new(Vec::with_capacity(count.0));
    write_value(&mut *bytes, value);
    bytes
}

fn encode<'a>(attributes: impl ExactSizeIterator<Item = (AttributeType, &'a Value)> + Clone) -> Buffer {
    let mut count = Count::default();
    write(&mut count, attributes.clone());
    // As long as it will be, so that no copy is left by growing.
    let mut bytes = Buffer::new(Vec::with_capacity(count.0));
    write(&mut *bytes, attributes);
    bytes
}

fn write<'a>(out: &mut impl Sink, attributes: impl ExactSizeIterator<Item = (AttributeType, &'a Value)>) {
    out.len(attributes.len());
    for (name, value) in attributes {
        out.varint(name.0);
        write_value(out, value);
    }
}

fn write_value(out: &mut impl Sink, value: &Value) {
    match value {
        Value::Flag(false) => out.put(&[kind::FALSE]),
        Value::Flag(true) => out.put(&[kind::TRUE]),
        Value::Number(number) => {
            out.put(&[kind::NUMBER]);
            out.varint(*number);
        }
        Value::Numbers(numbers) => {
            out.put(&[kind::NUMBERS]);
            out.len(numbers.len());
            numbers.iter().for_each(|number| out.varint(*number));
        }
        Value::Date(None) => out.put(&[kind::NO_DATE]),
        Value::Date(Some(Date(digits))) => {
            out.put(&[kind::DATE]);
            out.put(digits);
        }
        Value::Bytes(bytes) => {
            out.put(&[kind::BYTES]);
            out.len(bytes.len());
            out.put(bytes.expose());
        }
        Value::Template(template) => {
            out.put(&[kind::TEMPLATE]);
            out.len(template.len());
            for (name, value) in template {
                out.varint(name.0);
                write_value(out, value);
            }
        }
    }
}

/// The only attributes that are written as these bytes.
fn decode(bytes: &[u8]) -> Option<Attributes> {
    let mut reader = Reader::new(bytes);
    let template = read(&mut reader, Nesting::Allowed)?;
    let ordered = template.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
    (ordered && reader.is_empty()).then(|| template.into_iter().collect())
}

/// Whether a template may stand here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nesting {
    Allowed,
    Refused,
}

fn read(from: &mut Reader<'_>, nesting: Nesting) -> Option<Template> {
    // Grows as entries are found: a length is not believed.
    let mut template = Template::new();
    for _ in 0..from.len()? {
        template.push((AttributeType(from.varint()?), read_value(from, nesting)?));
    }
    Some(template)
}

fn read_value(from: &mut Reader<'_>, nesting: Nesting) -> Option<Value> {
    Some(match from.u8()? {
        kind::FALSE => Value::Flag(false),
        kind::TRUE => Value::Flag(true),
        kind::NUMBER => Value::Number(from.varint()?),
        kind::NUMBERS => {
            let mut numbers = Vec::new();
            for _ in 0..from.len()? {
                numbers.push(from.varint()?);
            }
            Value::Numbers(numbers)
        }
        kind::NO_DATE => Value::Date(None),
        kind::DATE => Value::Date(Some(Date(from.array()?))),
        kind::BYTES => {
            let len = from.len()?;
            Value::Bytes(Secret::new(from.take(len)?.to_vec()))
        }
        kind::TEMPLATE if nesting == Nesting::Allowed => Value::Template(read(from, Nesting::Refused)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use store::Serial;

    use super::*;
    use crate::token::ring::Ring;

    fn keys() -> Keys {
        Keys::new(Ring::new().unwrap(), crate::token::Role::User, &Serial::new("0123456789abcdef").unwrap(), 1).unwrap()
    }

    /// An object with a value of each kind.
    fn object(private: bool) -> Attributes {
        [
            (AttributeType::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
            (AttributeType::PRIVATE, Value::Flag(private)),
            (AttributeType::LABEL, Value::bytes(*b"a key")),
            (AttributeType::VALUE, Value::bytes([0x5a; 32])),
            (AttributeType::START_DATE, Value::Date(Some(Date(*b"20300101")))),
            (AttributeType::END_DATE, Value::Date(None)),
            (AttributeType::KEY_GEN_MECHANISM, Value::Number(types::UNAVAILABLE)),
            (AttributeType::ALLOWED_MECHANISMS, Value::Numbers(vec![1, u64::MAX])),
            (AttributeType::WRAP_TEMPLATE, Value::Template(vec![(AttributeType::TOKEN, Value::Flag(true))])),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn what_was_sealed_opens_with_every_kind_of_value() {
        let keys = keys();
        for private in [true, false] {
            let record = seal(&keys, RecordId([7; 16]), Revision(3), &object(private)).unwrap();
            let Opened::Object(opened) = open(&keys, &record).unwrap() else { panic!("an object") };
            assert!(opened.iter().eq(object(private).iter()));
            assert_eq!(record.clear.is_none(), private);
        }
    }

    #[test]
    fn a_lost_record_is_no_object_and_says_so_under_its_seal() {
        let keys = keys();
        let record = seal(&keys, RecordId([7; 16]), Revision(3), &object(true)).unwrap();
        let lost = seal_lost(&keys, record.id, Revision(4), &remains(&record)).unwrap();
        assert!(matches!(open(&keys, &lost), Ok(Opened::Lost(kept)) if *kept == *remains(&record)));
        let mut disguised = record;
        disguised.sealed[0] = RecordKind::LOST.0;
        assert!(open(&keys, &disguised).is_err(), "nobody hides an object by calling it lost");
    }

    #[test]
    fn a_record_that_names_another_key_is_damaged_whoever_looks() {
        let record = seal(&keys(), RecordId([7; 16]), Revision(3), &object(false)).unwrap();
        for position in 0..PREFIX_LEN {
            let mut changed = record.clone();
            changed.sealed[position] ^= 1;
            assert!(!is_whole(&changed), "byte {position}");
        }
        assert!(!is_whole(&Record { clear: None, ..record.clone() }));
        assert!(is_whole(&record));
    }

    #[test]
    fn a_public_secret_key_shows_everything_but_its_value() {
        let record = seal(&keys(), RecordId([7; 16]), Revision(3), &object(false)).unwrap();
        let shown = open_clear(&record).unwrap().unwrap();
        assert!(shown.has(AttributeType::LABEL) && !shown.has(AttributeType::VALUE));
        assert!(!record.clear.unwrap().windows(4).any(|window| window == [0x5a; 4]));
    }

    #[test]
    fn no_bit_of_a_record_can_be_changed() {
        let keys = keys();
        let record = seal(&keys, RecordId([7; 16]), Revision(3), &object(false)).unwrap();
        let refused = |changed: &Record| assert!(open(&keys, changed).is_err());
        for bit in 0..record.sealed.len() * 8 {
            let mut changed = record.clone();
            changed.sealed[bit / 8] ^= 1 << (bit % 8);
            refused(&changed);
        }
        for bit in 0..record.clear.as_ref().unwrap().len() * 8 {
            let mut changed = record.clone();
            changed.clear.as_mut().unwrap()[bit / 8] ^= 1 << (bit % 8);
            refused(&changed);
        }
        for bit in 0..128 {
            let mut changed = record.clone();
            changed.tag[bit / 8] ^= 1 << (bit % 8);
            refused(&changed);
            let mut changed = record.clone();
            changed.id.0[bit / 8] ^= 1 << (bit % 8);
            refused(&changed);
        }
        refused(&Record { version: Revision(2), ..record.clone() });
        refused(&Record { clear: None, ..record });
    }

    #[test]
    fn bytes_that_say_the_same_in_another_way_are_refused() {
        let bytes = encode(object(true).iter());
        assert!(decode(&bytes).is_some());
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_none(), "cut off at {len}");
        }
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        assert!(decode(&longer).is_none(), "something behind");
        let twice = [2, 1, kind::TRUE, 1, kind::TRUE];
        assert!(decode(&twice).is_none(), "an attribute twice");
        let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, kind::TRUE];
        assert!(decode(&endless).is_none(), "a length that nothing has");
    }
}
