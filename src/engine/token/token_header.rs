//! The token header: the clear part of the head.

use store::Serial;

use super::{
    Role,
    bytes::{Reader, Sink},
    pin::{PinPolicy, Wrap},
    seal,
};
use crate::Error;

/// The format of all that a token keeps. One number: what is in it changes together.
pub(super) const FORMAT: u16 = 1;

const MAGIC: &[u8; 8] = b"STRGROOM";

/// What a token says of itself before anybody has logged in. Its checksum is against accidents; who logs
/// in compares it with the hash in the header. The layout is in the documentation of [`super`].
#[derive(Clone)]
pub(super) struct TokenHeader {
    pub(super) serial: Serial,
    /// Counts token keys. What was sealed under another is not ours.
    pub(super) epoch: u64,
    /// Goes into the index terms of public objects.
    pub(super) salt: [u8; 16],
    pub(super) label: [u8; 32],
    /// What holds for the PINs of this token, whoever uses it.
    pub(super) pins: PinPolicy,
    pub(super) officer: Wrap,
    /// None if the user's PIN was never set.
    pub(super) user: Option<Wrap>,
}

impl TokenHeader {
    pub(super) fn wrap(&self, role: Role) -> Option<&Wrap> {
        match role {
            Role::Officer => Some(&self.officer),
            Role::User => self.user.as_ref(),
        }
    }

    pub(super) fn set_wrap(&mut self, role: Role, wrap: Wrap) {
        match role {
            Role::Officer => self.officer = wrap,
            Role::User => self.user = Some(wrap),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { serial, epoch, salt, label, pins, officer, user } = self;
        let mut bytes = Vec::with_capacity(2 * Wrap::LEN + 128);
        bytes.put(MAGIC);
        bytes.put(&FORMAT.to_be_bytes());
        bytes.put(serial.as_str().as_bytes());
        bytes.put(&epoch.to_be_bytes());
        bytes.put(salt);
        bytes.put(label);
        pins.write(&mut bytes);
        officer.write(&mut bytes);
        bytes.put(&[u8::from(user.is_some())]);
        if let Some(user) = user {
            user.write(&mut bytes);
        }
        let checksum = checksum(&bytes);
        bytes.put(&checksum);
        bytes
    }

    /// Reads the token header of the token with this serial.
    pub(super) fn decode(bytes: &[u8], serial: &Serial) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.array() != Some(*MAGIC) {
            return Err(damaged("its header is not one"));
        }
        match reader.u16() {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => return Err(store::Error::TooNew(newer.into()).into()),
            _ => return Err(damaged("its header has no format")),
        }
        let Some((body, sum)) = bytes.split_last_chunk() else { return Err(damaged("its header is cut off")) };
        if checksum(body) != *sum {
            return Err(damaged("its header does not fit its checksum"));
        }
        let token_header = Self::fields(&mut reader).ok_or_else(|| damaged("its header makes no sense"))??;
        if token_header.serial != *serial {
            return Err(damaged("its header is another token's"));
        }
        Ok(token_header)
    }

    /// What comes after the format.
    fn fields(from: &mut Reader<'_>) -> Option<Result<Self, Error>> {
        let serial = Serial::new(str::from_utf8(from.take(16)?).ok()?)?;
        let (epoch, salt, label) = (from.u64()?, from.array()?, from.array()?);
        let pins = PinPolicy::read(from)?;
        let officer = Wrap::read(from)?;
        let user = match from.u8()? {
            0 => None,
            1 => Some(Wrap::read(from)?),
            _ => return None,
        };
        let _checksum: [u8; 16] = from.array()?;
        if !from.is_empty() {
            return None;
        }
        let whole = |officer, user| Self { serial, epoch, salt, label, pins, officer, user };
        Some(officer.and_then(|officer| Ok(whole(officer, user.transpose()?))))
    }
}

fn checksum(body: &[u8]) -> [u8; 16] {
    seal::half(&seal::digest(&[b"strongroom charter", body]))
}

fn damaged(why: &str) -> Error {
    store::Error::Damaged(why.to_owned()).into()
}
