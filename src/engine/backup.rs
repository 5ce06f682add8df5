//! The file of a backup, byte by byte in `docs/format-backup.md`: a header in the clear, and parts that are sealed with a key of
//! the file's own.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

use crate::Error;

/// How many bytes a part seals; the last one may have fewer.
pub const PART: usize = 64 * 1024;
/// What a part has more than it seals.
pub const TAG: usize = 16;
const NONCE: usize = 12;

const MAGIC: &[u8; 8] = b"STRGBKUP";
const VERSION: u16 = 1;
const STORE_SECRET: u8 = 1;

/// A state of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The token's serial number.
    pub serial: String,
    /// Counts initialisations.
    pub epoch: u64,
    /// Counts changes.
    pub revision: u64,
}

impl Moment {
    /// By what one is newer than another.
    #[must_use]
    pub fn order(&self) -> (u64, u64) {
        (self.epoch, self.revision)
    }
}

/// What stands before the parts, in the clear. Every part is bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Names the backup: its shares have it too.
    pub id: [u8; 8],
    /// What is in it.
    pub moment: Moment,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
    /// How many shares open it.
    pub threshold: u8,
    /// How many there are.
    pub shares: u8,
    /// Whether the store secret is in it.
    pub store_secret: bool,
}

impl Header {
    /// How long it is.
    pub const LEN: usize = 61;

    /// As it stands in the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { id, moment, made_at, threshold, shares, store_secret } = self;
        let flags = if *store_secret { STORE_SECRET } else { 0 };
        [
            MAGIC.as_slice(),
            &VERSION.to_be_bytes(),
            id,
            moment.serial.as_bytes(),
            &moment.epoch.to_be_bytes(),
            &moment.revision.to_be_bytes(),
            &made_at.to_be_bytes(),
            &[*threshold, *shares, flags],
        ]
        .concat()
    }

    /// # Errors
    /// In words.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        Self::fields(bytes).ok_or("it is no backup of strongroom").and_then(|(version, header)| match header {
            _ if version != VERSION => Err("it is a backup of another version, which this release does not read"),
            Some(header) => Ok(header),
            None => Err("its header is damaged"),
        })
    }

    /// `None` if it does not begin as one does.
    fn fields(bytes: &[u8]) -> Option<(u16, Option<Self>)> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (version, rest) = rest.split_first_chunk()?;
        let header = || {
            let (id, rest) = rest.split_first_chunk()?;
            let (serial, rest) = rest.split_first_chunk::<16>()?;
            let (epoch, rest) = rest.split_first_chunk()?;
            let (revision, rest) = rest.split_first_chunk()?;
            let (made_at, rest) = rest.split_first_chunk()?;
            let [threshold, shares, flags @ 0..=STORE_SECRET] = *rest else { return None };
            let serial = store::Serial::new(str::from_utf8(serial).ok()?)?.as_str().to_owned();
            let (epoch, revision) = (u64::from_be_bytes(*epoch), u64::from_be_bytes(*revision));
            Some(Self {
                id: *id,
                moment: Moment { serial, epoch, revision },
                made_at: u64::from_be_bytes(*made_at),
                threshold,
                shares,
                store_secret: flags == STORE_SECRET,
            })
            .filter(|header| (1..=header.shares).contains(&header.threshold))
        };
        Some((u16::from_be_bytes(*version), header()))
    }
}

/// The key of a file. It is used for nothing else, so a part's nonce is its number.
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// # Errors
    /// If there are no random numbers.
    pub fn random() -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; 32]);
        (crypto::SUITE.random)(&mut *key)?;
        Ok(Self(key))
    }

    /// The key that was put together from its shares; `None` if that has another length.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|key| Self(Zeroizing::new(key)))
    }

    /// For those who share it out.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A new name for a backup.
///
/// # Errors
/// If there are no random numbers.
pub fn id() -> Result<[u8; 8], Error> {
    let mut id = [0; 8];
    (crypto::SUITE.random)(&mut id)?;
    Ok(id)
}

/// Whether a part is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Another one follows.
    Within,
    /// None follows.
    Last,
}

/// The parts of a file, in their order.
pub struct Parts {
    cipher: Aes256Gcm,
    header: Vec<u8>,
    number: u64,
}

impl Parts {
    /// Of the file with this key and this header.
    #[must_use]
    pub fn new(key: &Key, header: &Header) -> Self {
        Self { cipher: Aes256Gcm::new(key.expose().into()), header: header.encode(), number: 0 }
    }

    /// Seals the next part where it is, and adds its tag.
    ///
    /// # Errors
    /// None for parts of at most [`PART`] bytes.
    pub fn seal(&mut self, part: &mut Vec<u8>, place: Place) -> Result<(), Error> {
        let nonce = self.nonce(place);
        let tag = self.cipher.encrypt_inout_detached((&nonce).into(), &self.header, part.as_mut_slice().into());
        let tag: [u8; TAG] = tag.map_err(|_| Error::Internal("AES-GCM refused a length"))?.into();
        part.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens the next part where it is, and takes its tag away. `false` if it is not what was sealed in this place.
    #[must_use]
    pub fn open(&mut self, part: &mut Vec<u8>, place: Place) -> bool {
        let nonce = self.nonce(place);
        let Some((_, tag)) = part.split_last_chunk::<TAG>() else { return false };
        let tag = *tag;
        part.truncate(part.len() - TAG);
        let opened = self.cipher.decrypt_inout_detached(
            (&nonce).into(),
            &self.header,
            part.as_mut_slice().into(),
            (&tag).into(),
        );
        opened.is_ok()
    }

    /// The part's number, and whether it is the last: no part can be left out, moved or added.
    fn nonce(&mut self, place: Place) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        nonce[3..11].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = u8::from(place == Place::Last);
        self.number += 1;
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::{Place::*, *};

    fn header() -> Header {
        let moment = Moment { serial: "f03faf51675f25c6".to_owned(), epoch: 1, revision: 9 };
        Header { id: [7; 8], moment, made_at: 1_790_000_000, threshold: 2, shares: 3, store_secret: true }
    }

    #[test]
    fn a_header_is_read_as_it_was_written_and_nothing_else_is_one() {
        let bytes = header().encode();
        assert_eq!((bytes.len(), Header::decode(&bytes)), (Header::LEN, Ok(header())));
        for len in 0..bytes.len() {
            assert!(Header::decode(&bytes[..len]).is_err(), "{len}");
        }
        let mut newer = bytes.clone();
        newer[9] = 2;
        assert!(Header::decode(&newer).unwrap_err().contains("another version"));
        let mut impossible = bytes;
        impossible[58] = 4;
        assert!(Header::decode(&impossible).unwrap_err().contains("damaged"), "4 of 3");
    }

    #[test]
    fn a_part_opens_in_its_own_place_under_its_own_header_only() {
        let key = Key::random().unwrap();
        let mut parts = Parts::new(&key, &header());
        let sealed = [Within, Within, Last].map(|place| {
            let mut part = b"a part".to_vec();
            parts.seal(&mut part, place).unwrap();
            part
        });
        let opens = |header: &Header, order: &[(usize, Place)]| {
            let mut parts = Parts::new(&key, header);
            order.iter().all(|(number, place)| parts.open(&mut sealed[*number].clone(), *place))
        };
        assert!(opens(&header(), &[(0, Within), (1, Within), (2, Last)]));
        for wrong in [[(1, Within), (0, Within), (2, Last)], [(0, Within), (2, Within), (1, Last)]] {
            assert!(!opens(&header(), &wrong));
        }
        assert!(!opens(&header(), &[(0, Within), (1, Last)]), "cut off");
        assert!(!opens(&header(), &[(0, Within), (2, Last)]), "one is missing");
        assert!(!opens(&Header { shares: 4, ..header() }, &[(0, Within)]), "another header");
    }
}
