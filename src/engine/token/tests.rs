//! Headers of other releases, and bytes that nobody has written.

use store::{Revision, Serial};

use super::{
    bytes::Sink,
    pin::{Owner, PinPolicy, Wrap},
    policy::{Policy, Profile, Recovery},
    ring::Ring,
    seal::{self, Keys},
    sealed_header::SealedHeader,
    sections::{Section, Unknown},
    token_header::{PersonId, TokenHeader},
    *,
};
use crate::settings::PinCost;

fn serial() -> Serial {
    Serial::new("0123456789abcdef").unwrap()
}

fn keys() -> Keys {
    Keys::new(Ring::new().unwrap(), Role::User, &serial(), 1).unwrap()
}

fn header() -> TokenHeader {
    let owner = Owner { person: PersonId(1), role: Role::Officer, serial: &serial(), epoch: 1 };
    let officer = Wrap::make(b"1234", &Ring::new().unwrap(), owner, PinCost::FLOOR, None).unwrap();
    let pins = PinPolicy { tries: 3, shortest: 4, longest: 255, cost: PinCost::FLOOR };
    let policy = Policy::new(Profile::Strict, Recovery::Never);
    TokenHeader::new(&serial(), 1, &[b'x'; 32], pins, policy, officer).unwrap()
}

/// A token header with another section at its end, and a checksum that fits.
fn with_section(header: &TokenHeader, section: &Section) -> Vec<u8> {
    let mut bytes = header.encode();
    bytes.truncate(bytes.len() - 16);
    section.write(&mut bytes);
    let checksum = seal::half(&seal::digest(&[b"strongroom token header", &bytes]));
    bytes.put(&checksum);
    bytes
}

#[test]
fn a_header_is_read_as_it_was_written() {
    let mut header = header();
    for signer in [None, Some(PolicySigner { public_key: [7; 32], version: u64::MAX })] {
        header.policy.signer = signer;
        let again = TokenHeader::decode(&header.encode(), &serial()).unwrap();
        assert_eq!(again.encode(), header.encode());
        assert_eq!((again.policy, again.pins), (header.policy, header.pins));
    }
}

#[test]
fn a_section_that_may_be_kept_is_kept_when_the_header_is_written_again() {
    let section = Section { kind: 77, unknown: Unknown::Keep, value: vec![1, 2, 3] };
    let bytes = with_section(&header(), &section);
    let read = TokenHeader::decode(&bytes, &serial()).unwrap();
    assert_eq!(read.encode(), bytes);
}

#[test]
fn a_section_that_must_be_understood_names_the_release_that_wrote_it() {
    let bytes = with_section(&header(), &Section::required(77, vec![1, 2, 3]));
    let refused = TokenHeader::decode(&bytes, &serial()).err().unwrap();
    assert_eq!(refused, Error::NeedsNewerRelease((0, 1)));
    assert!(refused.to_string().contains("0.1"), "{refused}");
}

#[test]
fn format_1_is_refused_in_words_and_a_later_one_too() {
    let with_format = |format: u8| {
        let mut bytes = header().encode();
        bytes[9] = format;
        TokenHeader::decode(&bytes, &serial()).err().unwrap()
    };
    assert_eq!(with_format(1), Error::FormatWithdrawn(1));
    assert!(with_format(1).to_string().contains("make the token anew"));
    assert_eq!(with_format(3), Error::Store(store::Error::TooNew(3)));
}

#[test]
fn no_byte_of_a_token_header_can_be_changed_unnoticed() {
    let bytes = header().encode();
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 0x10;
        assert!(TokenHeader::decode(&changed, &serial()).is_err(), "byte {position}");
    }
}

#[test]
fn no_byte_of_a_sealed_header_can_be_changed_unnoticed() {
    let keys = keys();
    let sealed = SealedHeader::blank(&keys, Revision(5), b"header").unwrap().seal(&keys).unwrap();
    assert_eq!(SealedHeader::open(&keys, &sealed).unwrap().revision, Revision(5));
    for position in (0..sealed.len()).step_by(7).chain(0..40) {
        let mut changed = sealed.clone();
        changed[position] ^= 0x10;
        assert!(SealedHeader::open(&keys, &changed).is_err(), "byte {position}");
    }
}

#[test]
fn a_wrap_that_belongs_to_another_person_opens_nothing() {
    let serial = serial();
    let owner = Owner { person: PersonId(2), role: Role::User, serial: &serial, epoch: 1 };
    let wrap = Wrap::make(b"1234", &Ring::new().unwrap(), owner, PinCost::FLOOR, None).unwrap();
    assert!(wrap.open(b"1234", Owner { person: PersonId(7), ..owner }, None).unwrap().is_none());
}

/// What the fuzz target of `fuzz/` does too, with bytes that are made from good ones by chance.
#[test]
fn no_bytes_make_a_reader_panic() {
    let (keys, header) = (keys(), header().encode());
    let sealed = SealedHeader::blank(&keys, Revision(5), b"header").unwrap().seal(&keys).unwrap();
    let ring = Ring::new().unwrap().encode().to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for round in 0..4000 {
        let mut bytes = [&header, &sealed, &ring][round % 3].clone();
        for _ in 0..1 + random(4) {
            match random(4) {
                0 => bytes.truncate(random(bytes.len())),
                1 => bytes.insert(random(bytes.len()), u8::try_from(random(256)).unwrap()),
                _ => {
                    let at = random(bytes.len());
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = u8::try_from(random(256)).unwrap();
                    }
                }
            }
        }
        read_anything(&keys, &bytes);
    }
}

fn read_anything(keys: &Keys, bytes: &[u8]) {
    use crate::fuzzing;
    [fuzzing::token_header, fuzzing::sections, fuzzing::sealed, fuzzing::record].iter().for_each(|read| read(bytes));
    let _ = SealedHeader::open(keys, bytes);
}
