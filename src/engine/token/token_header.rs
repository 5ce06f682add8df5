//! The token header: the clear part of the head.

use store::Serial;

use super::{
    Lifecycle, Policy, Role,
    bytes::{Reader, Sink},
    pin::{PinPolicy, Wrap},
    seal,
    sections::{Section, Unknown},
    signer::PolicySigner,
};
use crate::{Error, RELEASE, uses::UseAudit};

/// The format of all that a token keeps. One number: what is in it changes together.
pub(super) const FORMAT: u16 = 2;

const MAGIC: &[u8; 8] = b"STRGROOM";

/// Types of sections.
mod kind {
    pub(super) const RELEASE: u16 = 1;
    pub(super) const IDENTITY: u16 = 2;
    pub(super) const PINS: u16 = 3;
    pub(super) const POLICY: u16 = 4;
    pub(super) const PERSON: u16 = 5;
    pub(super) const LIFECYCLE: u16 = 6;
    pub(super) const USES: u16 = 7;
    pub(super) const SIGNER: u16 = 8;
}

/// What a token says of itself before anybody has logged in. Its checksum is against accidents; who logs
/// in compares it with the hash in the sealed header. The layout is in `docs/format.md`.
#[derive(Clone)]
pub(super) struct TokenHeader {
    pub(super) serial: Serial,
    /// Counts initialisations. What was sealed in another epoch is not ours.
    pub(super) epoch: u64,
    /// Goes into the index terms of public objects.
    pub(super) salt: [u8; 16],
    pub(super) label: [u8; 32],
    /// What holds for the PINs of this token, whoever uses it.
    pub(super) pins: PinPolicy,
    /// What holds for the token as a whole.
    pub(super) policy: Policy,
    /// What holds for the lives of keys.
    pub(super) lifecycle: Lifecycle,
    /// Who can log in. The user is among them once his PIN was set.
    people: Vec<Person>,
    /// Sections of a newer release that may be kept as they are.
    unknown: Vec<Section>,
}

/// Names a person of a token, for ever: counts of wrong PINs go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PersonId(pub(super) u32);

/// Somebody who can log in.
#[derive(Clone)]
struct Person {
    id: PersonId,
    role: Role,
    /// By what a person with a name is found: a keyed hash of it. Empty for the officer and the user.
    name_tag: Vec<u8>,
    /// The name, sealed.
    name: Vec<u8>,
    wrap: Wrap,
}

impl TokenHeader {
    /// Of a token with an officer.
    pub(super) fn new(
        serial: &Serial,
        epoch: u64,
        label: &[u8; 32],
        pins: PinPolicy,
        policy: Policy,
        officer: Wrap,
    ) -> Result<Self, Error> {
        let (salt, people, unknown) = (seal::random()?, Vec::new(), Vec::new());
        let (serial, label, lifecycle) = (serial.clone(), *label, Lifecycle::default());
        let mut header = Self { serial, epoch, salt, label, pins, policy, lifecycle, people, unknown };
        header.set_wrap(Role::Officer, officer);
        Ok(header)
    }

    pub(super) fn wrap(&self, role: Role) -> Option<&Wrap> {
        self.people.iter().find(|person| person.id == role.person()).map(|person| &person.wrap)
    }

    pub(super) fn set_wrap(&mut self, role: Role, wrap: Wrap) {
        match self.people.iter_mut().find(|person| person.id == role.person()) {
            Some(person) => person.wrap = wrap,
            None => self.people.push(Person { id: role.person(), role, name_tag: Vec::new(), name: Vec::new(), wrap }),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { serial, epoch, salt, label, pins, policy, lifecycle, people, unknown } = self;
        let mut bytes = Vec::with_capacity(1024);
        bytes.put(MAGIC);
        bytes.put(&FORMAT.to_be_bytes());
        let (major, minor) = RELEASE;
        let release = vec![0, major, 0, minor];
        Section { kind: kind::RELEASE, unknown: Unknown::Keep, value: release }.write(&mut bytes);
        let mut identity = Vec::new();
        identity.put(serial.as_str().as_bytes());
        identity.put(&epoch.to_be_bytes());
        identity.put(salt);
        identity.put(label);
        Section::required(kind::IDENTITY, identity).write(&mut bytes);
        let mut value = Vec::new();
        pins.write(&mut value);
        Section::required(kind::PINS, value).write(&mut bytes);
        Section::required(kind::POLICY, policy.encode().to_vec()).write(&mut bytes);
        for person in people {
            Section::required(kind::PERSON, person.encode()).write(&mut bytes);
        }
        if let Some(value) = lifecycle.encode() {
            Section::required(kind::LIFECYCLE, value).write(&mut bytes);
        }
        if policy.uses != UseAudit::Off {
            Section::required(kind::USES, vec![policy.uses.number()]).write(&mut bytes);
        }
        if let Some(signer) = policy.signer {
            Section::required(kind::SIGNER, signer.encode()).write(&mut bytes);
        }
        unknown.iter().for_each(|section| section.write(&mut bytes));
        let checksum = checksum(&bytes);
        bytes.put(&checksum);
        bytes
    }

    /// Reads the header of the token with this serial.
    ///
    /// # Errors
    /// [`Error::NeedsNewerRelease`] if it has a section that must be understood and is not,
    /// [`Error::FormatWithdrawn`], and the store's for what is damaged.
    pub(super) fn decode(bytes: &[u8], serial: &Serial) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.array() != Some(*MAGIC) {
            return Err(damaged("its header is not one"));
        }
        match reader.u16() {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => return Err(store::Error::TooNew(newer.into()).into()),
            Some(older) if older > 0 => return Err(Error::FormatWithdrawn(older)),
            _ => return Err(damaged("its header has no format")),
        }
        let Some((body, sum)) = bytes.split_last_chunk::<16>() else { return Err(damaged("its header is cut off")) };
        if checksum(body) != *sum {
            return Err(damaged("its header does not fit its checksum"));
        }
        let sections = body.get(MAGIC.len() + size_of_val(&FORMAT)..).unwrap_or_default();
        let sections = Section::read_all(&mut Reader::new(sections));
        let header = Self::of_sections(sections.ok_or_else(|| damaged("its header makes no sense"))?)?;
        if header.serial != *serial {
            return Err(damaged("its header is another token's"));
        }
        Ok(header)
    }

    fn of_sections(sections: Vec<Section>) -> Result<Self, Error> {
        let nonsense = || damaged("its header makes no sense");
        let mut release = (0, 0);
        let (mut identity, mut pins, mut policy, mut lifecycle, mut uses, mut signer) =
            (None, None, None, None, None, None);
        let (mut people, mut unknown) = (Vec::<Person>::new(), Vec::new());
        for section in sections {
            let mut reader = Reader::new(&section.value);
            match section.kind {
                kind::RELEASE => release = reader.u16().zip(reader.u16()).ok_or_else(nonsense)?,
                kind::IDENTITY if identity.is_none() => {
                    identity = Some(read_identity(&mut reader).ok_or_else(nonsense)?)
                }
                kind::PINS if pins.is_none() => pins = Some(PinPolicy::read(&mut reader).ok_or_else(nonsense)?),
                kind::POLICY if policy.is_none() => policy = Some(Policy::read(&mut reader).ok_or_else(nonsense)?),
                kind::PERSON => {
                    let person = Person::read(&mut reader).ok_or_else(nonsense)??;
                    if people.iter().any(|known| known.id == person.id) {
                        return Err(nonsense());
                    }
                    people.push(person);
                }
                kind::LIFECYCLE if lifecycle.is_none() => {
                    lifecycle = Some(Lifecycle::read(&mut reader).ok_or_else(nonsense)?);
                }
                kind::USES if uses.is_none() => {
                    let rule = reader.u8().and_then(UseAudit::of_number).filter(|rule| *rule != UseAudit::Off);
                    uses = Some(rule.ok_or_else(nonsense)?);
                }
                kind::SIGNER if signer.is_none() => {
                    signer = Some(PolicySigner::read(&mut reader).ok_or_else(nonsense)?);
                }
                kind::IDENTITY | kind::PINS | kind::POLICY | kind::LIFECYCLE | kind::USES | kind::SIGNER => {
                    return Err(nonsense());
                }
                _ if section.unknown == Unknown::Keep => {
                    unknown.push(section);
                    continue;
                }
                _ => return Err(Error::NeedsNewerRelease(release)),
            }
            if !reader.is_empty() {
                return Err(nonsense());
            }
        }
        let (Some((serial, epoch, salt, label)), Some(pins), Some(policy)) = (identity, pins, policy) else {
            return Err(nonsense());
        };
        let lifecycle = lifecycle.unwrap_or_default();
        let policy = Policy { uses: uses.unwrap_or_default(), signer, ..policy };
        let header = Self { serial, epoch, salt, label, pins, policy, lifecycle, people, unknown };
        if header.wrap(Role::Officer).is_some() { Ok(header) } else { Err(nonsense()) }
    }
}

impl Person {
    fn encode(&self) -> Vec<u8> {
        let Self { id, role, name_tag, name, wrap } = self;
        let mut bytes = Vec::new();
        bytes.put(&id.0.to_be_bytes());
        bytes.put(&[role.number()]);
        bytes.varint(name_tag.len() as u64);
        bytes.put(name_tag);
        bytes.varint(name.len() as u64);
        bytes.put(name);
        wrap.write(&mut bytes);
        bytes
    }

    fn read(from: &mut Reader<'_>) -> Option<Result<Self, Error>> {
        let id = PersonId(from.u32()?);
        let role = Role::of_number(from.u8()?.into())?;
        let len = from.len()?;
        let name_tag = from.take(len)?.to_vec();
        let len = from.len()?;
        let name = from.take(len)?.to_vec();
        Some(Wrap::read(from)?.map(|wrap| Self { id, role, name_tag, name, wrap }))
    }
}

type Identity = (Serial, u64, [u8; 16], [u8; 32]);

fn read_identity(from: &mut Reader<'_>) -> Option<Identity> {
    let serial = Serial::new(str::from_utf8(from.take(16)?).ok()?)?;
    Some((serial, from.u64()?, from.array()?, from.array()?))
}

/// The bytes as a header with the checksum that fits, so that what is behind the checksum is reached.
pub(super) fn with_fitting_checksum(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len().saturating_add(26));
    bytes.put(MAGIC);
    bytes.put(&FORMAT.to_be_bytes());
    bytes.put(body);
    let checksum = checksum(&bytes);
    bytes.put(&checksum);
    bytes
}

fn checksum(body: &[u8]) -> [u8; 16] {
    seal::half(&seal::digest(&[b"strongroom token header", body]))
}

fn damaged(why: &str) -> Error {
    store::Error::Damaged(why.to_owned()).into()
}
