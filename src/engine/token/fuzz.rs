//! Every reader of what a token keeps, for bytes that nobody has written. See [`crate::fuzzing`].
//!
//! What a reader accepts, it must write again as the same bytes: nothing can be said in two ways.

use std::sync::OnceLock;

use store::{Record, RecordId, Revision, Serial};

use super::{
    bytes::{Reader, Sink},
    pin::{PinPolicy, Wrap},
    policy::Policy,
    record,
    ring::Ring,
    seal::Keys,
    sealed_header::SealedHeader,
    sections::Section,
    token_header::{self, TokenHeader},
    witness::Witness,
};

/// Keys that hold for all inputs of a process.
fn keys() -> Option<&'static Keys> {
    static KEYS: OnceLock<Option<Keys>> = OnceLock::new();
    let make = || Keys::new(Ring::new().ok()?, crate::token::Role::User, &Serial::new("0123456789abcdef")?, 1).ok();
    KEYS.get_or_init(make).as_ref()
}

/// The token header, as it stands and with a checksum that fits.
pub(crate) fn token_header(bytes: &[u8]) {
    let Some(keys) = keys() else { return };
    let _ = TokenHeader::decode(bytes, &keys.serial);
    if let Ok(header) = TokenHeader::decode(&token_header::with_fitting_checksum(bytes), &keys.serial) {
        let again = TokenHeader::decode(&header.encode(), &keys.serial);
        assert!(again.is_ok_and(|again| again.encode() == header.encode()), "a header is read as it was written");
    }
}

/// The sections of headers, one by one.
pub(crate) fn sections(bytes: &[u8]) {
    if let Some(sections) = Section::read_all(&mut Reader::new(bytes)) {
        let mut again = Vec::new();
        sections.iter().for_each(|section| section.write(&mut again));
        assert_eq!(again, bytes);
    }
    let mut reader = Reader::new(bytes);
    if let Some(pins) = PinPolicy::read(&mut reader).filter(|_| reader.is_empty()) {
        let mut again = Vec::new();
        pins.write(&mut again);
        assert_eq!(again, bytes);
    }
    let mut reader = Reader::new(bytes);
    if let Some(policy) = Policy::read(&mut reader).filter(|_| reader.is_empty()) {
        assert_eq!(policy.encode(), bytes);
    }
    let mut reader = Reader::new(bytes);
    if let Some(Ok(wrap)) = Wrap::read(&mut reader).filter(|_| reader.is_empty()) {
        let mut again = Vec::new();
        wrap.write(&mut again);
        assert_eq!(again, bytes);
    }
}

/// What is inside seals, as if somebody with the keys had sealed these bytes.
pub(crate) fn sealed(bytes: &[u8]) {
    let Some(keys) = keys() else { return };
    if let Some(ring) = Ring::decode(bytes) {
        assert_eq!(*ring.encode(), *bytes);
    }
    if let Ok(sealed) = SealedHeader::seal_body(keys, bytes)
        && let Ok(header) = SealedHeader::open(keys, &sealed)
    {
        let again = header.seal(keys).and_then(|sealed| SealedHeader::open(keys, &sealed));
        assert!(again.is_ok_and(|again| (again.revision, again.count) == (header.revision, header.count)));
    }
    let _ = Witness::decode(keys, bytes);
}

/// A record: its attributes, in the clear and sealed.
pub(crate) fn record(bytes: &[u8]) {
    let Some(keys) = keys() else { return };
    let mut stored = Record {
        id: RecordId([0; 16]),
        version: Revision(0),
        clear: Some(bytes.to_vec()),
        sealed: bytes.to_vec(),
        tag: [0; 16],
    };
    if let Ok(Some(attributes)) = record::open_clear(&stored) {
        assert_eq!(*record::encode_all(&attributes), *bytes);
    }
    let _ = record::key_of(&stored);
    // With the tag that fits, so that what is behind it is reached.
    stored.tag = record::tag_of(&stored);
    let _ = record::open(keys, &stored);
    stored.clear = None;
    stored.sealed.put(&[0; 3]);
    let _ = record::open(keys, &stored);
}
