//! PINs: what becomes of one, and the ring of keys that it opens.

use std::{fs::OpenOptions, io::Read, path::Path};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use store::{
    Serial,
    regular::{self, Links},
};
use types::{Buffer, Secret};
use zeroize::Zeroizing;

use super::{
    Profile, Role,
    bytes::{Reader, Sink},
    ring::Ring,
    seal::{self, Key, NONCE_LEN, TAG_LEN},
    token_header::PersonId,
};
use crate::{Error, Settings, settings::PinCost};

/// What holds for the PINs of a token. It is the token's: the settings only give what a new token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PinPolicy {
    /// How many wrong PINs in a row lock a user.
    pub(super) tries: u32,
    /// A PIN has as many bytes as this, at least and at most. What they mean is its owner's business.
    pub(super) shortest: u8,
    pub(super) longest: u8,
    /// What PINs cost that are set from now on.
    pub(super) cost: PinCost,
}

/// A person's ring, sealed under what a PIN gives. The layout is in `docs/format.md`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wrap {
    cost: PinCost,
    /// Which store secret went in, if one did.
    secret: Option<[u8; 8]>,
    salt: [u8; 16],
    nonce: [u8; NONCE_LEN],
    /// The ring, sealed.
    sealed: Vec<u8>,
    tag: [u8; TAG_LEN],
}

/// What a wrap belongs to. It opens nowhere else.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) person: PersonId,
    pub(super) role: Role,
    pub(super) serial: &'a Serial,
    pub(super) epoch: u64,
}

impl<'a> Owner<'a> {
    /// Who has this role in a token.
    pub(super) fn of(role: Role, serial: &'a Serial, epoch: u64) -> Self {
        Self { person: role.person(), role, serial, epoch }
    }
}

/// What lies outside of the token and goes into every PIN's key.
pub(super) struct StoreSecret(Secret);

/// A store secret has as many bytes as this.
const STORE_SECRET_LEN: std::ops::RangeInclusive<u64> = 32..=4096;

impl PinPolicy {
    /// Of a new token.
    pub(super) fn of(settings: &Settings) -> Self {
        let cost = within(settings.pin_cost, PinCost::FLOOR, PinCost::CAP);
        Self { tries: settings.pin_tries, shortest: 4, longest: 255, cost: cost.max(least_cost(settings.profile)) }
    }

    /// Whether a PIN of this token can be as long as this one.
    pub(super) fn fits(&self, pin: &[u8]) -> bool {
        (usize::from(self.shortest)..=usize::from(self.longest)).contains(&pin.len())
    }

    /// Refuses a new PIN of a wrong length.
    ///
    /// # Errors
    /// [`Error::PinLenRange`].
    pub(super) fn must_fit(&self, pin: &[u8]) -> Result<(), Error> {
        if self.fits(pin) { Ok(()) } else { Err(Error::PinLenRange) }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Self { tries, shortest, longest, cost: PinCost { memory_kib, passes, lanes } } = self;
        out.put(&tries.to_be_bytes());
        out.put(&[*shortest, *longest]);
        out.put(&memory_kib.to_be_bytes());
        out.put(&passes.to_be_bytes());
        out.put(&lanes.to_be_bytes());
    }

    /// `None` if it is cut off or says what we never write.
    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (tries, shortest, longest) = (from.u32()?, from.u8()?, from.u8()?);
        let cost = PinCost { memory_kib: from.u32()?, passes: from.u32()?, lanes: from.u32()? };
        let sound = tries > 0 && shortest > 0 && shortest <= longest;
        let bounded = within(cost, PinCost::FLOOR, PinCost::CAP) == cost;
        (sound && bounded).then_some(Self { tries, shortest, longest, cost })
    }
}

impl Wrap {
    /// Seals a ring. Takes as long as the cost says.
    pub(super) fn make(
        pin: &[u8],
        ring: &Ring,
        owner: Owner<'_>,
        cost: PinCost,
        secret: Option<&StoreSecret>,
    ) -> Result<Self, Error> {
        let mut wrap = Self {
            cost: within(cost, PinCost::FLOOR, PinCost::CAP),
            secret: secret.map(|secret| secret.fingerprint(owner.serial)).transpose()?,
            salt: seal::random()?,
            nonce: seal::random()?,
            sealed: Vec::new(),
            tag: [0; TAG_LEN],
        };
        let key = wrap.key(pin, owner, secret)?;
        // Through memory that wipes itself: an error between would leave the keys in the wrap.
        let mut ring = ring.encode();
        wrap.tag = key.seal(&wrap.nonce, &wrap.bound(owner), ring.as_mut_slice())?;
        wrap.sealed = ring.to_vec();
        Ok(wrap)
    }

    /// The ring; `None` if the PIN is wrong, and it takes the same time then.
    pub(super) fn open(
        &self,
        pin: &[u8],
        owner: Owner<'_>,
        secret: Option<&StoreSecret>,
    ) -> Result<Option<Ring>, Error> {
        self.must_fit(owner.serial, secret)?;
        let secret = secret.filter(|_| self.secret.is_some());
        let key = self.key(pin, owner, secret)?;
        let mut ring = Buffer::new(self.sealed.clone());
        if key.open(&self.nonce, &self.bound(owner), &mut ring, &self.tag).is_none() {
            return Ok(None);
        }
        Ring::decode(&ring).map(Some).ok_or(Error::Tampered("a ring of keys"))
    }

    /// What it costs to try it.
    pub(super) fn cost(&self) -> PinCost {
        self.cost
    }

    /// Refuses to try a PIN where the store secret is missing that went into it, or another one is there.
    ///
    /// # Errors
    /// [`store::Error::Unreadable`].
    pub(super) fn must_fit(&self, serial: &Serial, secret: Option<&StoreSecret>) -> Result<(), Error> {
        let why = match (self.secret, secret) {
            (None, _) => return Ok(()),
            (Some(expected), Some(secret)) if secret.fingerprint(serial)? == expected => return Ok(()),
            (Some(_), None) => "this token's PINs need a store secret, and none is set",
            (Some(_), Some(_)) => "the store secret is not the one with which this token's PIN was set",
        };
        Err(store::Error::Unreadable(why.to_owned()).into())
    }

    /// What it should cost from now on, if that is more than it does, or if a store secret should go in.
    pub(super) fn renewal(&self, cost: PinCost, secret: Option<&StoreSecret>) -> Option<PinCost> {
        let target = within(cost, self.cost, PinCost::CAP);
        let dearer = target.memory_kib > self.cost.memory_kib || target.passes > self.cost.passes;
        (dearer || (self.secret.is_none() && secret.is_some())).then_some(target)
    }

    /// Whether a store secret is needed to open it.
    pub(super) fn needs_secret(&self) -> bool {
        self.secret.is_some()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Self { cost: _, secret: _, salt: _, nonce, sealed, tag } = self;
        self.write_parameters(out);
        out.put(nonce);
        out.varint(sealed.len() as u64);
        out.put(sealed);
        out.put(tag);
    }

    fn write_parameters(&self, out: &mut Vec<u8>) {
        let PinCost { memory_kib, passes, lanes } = self.cost;
        out.put(&memory_kib.to_be_bytes());
        out.put(&passes.to_be_bytes());
        out.put(&lanes.to_be_bytes());
        out.put(&[u8::from(self.secret.is_some())]);
        out.put(&self.secret.unwrap_or_default());
        out.put(&self.salt);
    }

    /// `None` if it is cut off or has a digest that we do not write.
    ///
    /// # Errors
    /// [`Error::Tampered`] if the cost is one that we never write: a cheap one would betray the PIN, an
    /// endless one stop the process.
    pub(super) fn read(from: &mut Reader<'_>) -> Option<Result<Self, Error>> {
        let cost = PinCost { memory_kib: from.u32()?, passes: from.u32()?, lanes: from.u32()? };
        let secret = match (from.u8()?, from.array()?) {
            (0, [0, 0, 0, 0, 0, 0, 0, 0]) => None,
            (1, fingerprint) => Some(fingerprint),
            _ => return None,
        };
        let (salt, nonce) = (from.array()?, from.array()?);
        let len = from.len()?;
        let wrap = Self { cost, secret, salt, nonce, sealed: from.take(len)?.to_vec(), tag: from.array()? };
        if within(cost, PinCost::FLOOR, PinCost::CAP) == cost {
            Some(Ok(wrap))
        } else {
            Some(Err(Error::Tampered("the cost of a PIN")))
        }
    }

    fn bound(&self, owner: Owner<'_>) -> Vec<u8> {
        let mut bound = b"strongroom ring".to_vec();
        bound.put(&super::token_header::FORMAT.to_be_bytes());
        bound.put(&owner.person.0.to_be_bytes());
        bound.put(&[owner.role.number()]);
        bound.put(owner.serial.as_str().as_bytes());
        bound.put(&owner.epoch.to_be_bytes());
        self.write_parameters(&mut bound);
        bound
    }

    fn key(&self, pin: &[u8], owner: Owner<'_>, secret: Option<&StoreSecret>) -> Result<Key, Error> {
        let PinCost { memory_kib, passes, lanes } = self.cost;
        let internal = |_| Error::Internal("Argon2 refused its parameters");
        let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(internal)?;

        // Our own memory: the crate does not wipe what it allocates, and what it takes may fail to come.
        let mut blocks = Zeroizing::new(Vec::new());
        let count = params.block_count();
        blocks.try_reserve_exact(count).map_err(|_| Error::HostMemory)?;
        blocks.resize(count, Block::new());

        let extra = secret.map_or(&[][..], |secret| secret.0.expose());
        let mut material = Buffer::new(Vec::with_capacity(32 + extra.len()));
        material.resize(32, 0);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(pin, &self.salt, material.as_mut_slice(), blocks.as_mut_slice())
            .map_err(internal)?;
        material.extend_from_slice(extra);
        Key::extract(&material, &[b"strongroom kek", &[owner.role.number()], owner.serial.as_str().as_bytes()])
    }
}

impl StoreSecret {
    /// Reads the file that holds it. It is not kept: each PIN that is tried reads it again.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let fault =
            |why: String| Error::Store(store::Error::Unreadable(format!("the store secret {} {why}", path.display())));
        let opened = regular::open(path, OpenOptions::new().read(true), Links::Followed);
        let file = opened.map_err(|why| fault(format!("cannot be opened: {why}")))?;
        let most = *STORE_SECRET_LEN.end();
        // All at once, so that no copy is left by growing.
        let mut bytes = Buffer::new(Vec::with_capacity(usize::try_from(most).unwrap_or(0).saturating_add(2)));
        file.take(most.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|why| fault(format!("cannot be read: {why}")))?;
        if STORE_SECRET_LEN.contains(&u64::try_from(bytes.len()).unwrap_or(u64::MAX)) {
            Ok(Self(bytes.into()))
        } else {
            Err(fault("must have 32 to 4096 bytes, and random ones".to_owned()))
        }
    }

    /// Tells store secrets apart, so that the wrong one is not taken for a wrong PIN. It says nothing
    /// about a random secret.
    fn fingerprint(&self, serial: &Serial) -> Result<[u8; 8], Error> {
        let key = Key::extract(self.0.expose(), &[b"strongroom store secret", serial.as_str().as_bytes()])?;
        let (first, _) = key.expose().split_first_chunk().ok_or(Error::Internal("a key has 32 bytes"))?;
        Ok(*first)
    }
}

/// The least that PINs of a token with this profile cost.
pub(super) fn least_cost(profile: Profile) -> PinCost {
    match profile {
        Profile::Compatible => PinCost::FLOOR,
        Profile::Strict => PinCost::STRICT,
    }
}

/// The work that a token may ask of this machine for one PIN: four times what this machine would set.
pub(super) fn most_work(settings: &Settings) -> u64 {
    4 * settings.pin_cost.work().max(PinCost::STRICT.work())
}

fn within(cost: PinCost, least: PinCost, most: PinCost) -> PinCost {
    PinCost {
        memory_kib: cost.memory_kib.max(least.memory_kib).min(most.memory_kib),
        passes: cost.passes.max(least.passes).min(most.passes),
        lanes: cost.lanes.max(least.lanes).min(most.lanes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial() -> Serial {
        Serial::new("00112233445566ff").unwrap()
    }

    fn owner(serial: &Serial) -> Owner<'_> {
        Owner { person: PersonId(2), role: Role::User, serial, epoch: 7 }
    }

    #[test]
    fn only_the_same_pin_of_the_same_role_token_and_epoch_opens_a_wrap() {
        let (serial, other) = (serial(), Serial::new("ffffffffffffffff").unwrap());
        let ring = Ring::new().unwrap();
        let wrap = Wrap::make(b"1234", &ring, owner(&serial), PinCost::FLOOR, None).unwrap();

        let opened = wrap.open(b"1234", owner(&serial), None).unwrap().unwrap();
        assert_eq!(opened.encode(), ring.encode());
        for (pin, owner) in [
            (&b"1235"[..], owner(&serial)),
            (b"1234", owner(&other)),
            (b"1234", Owner { role: Role::Officer, ..owner(&serial) }),
            (b"1234", Owner { person: PersonId(3), ..owner(&serial) }),
            (b"1234", Owner { epoch: 8, ..owner(&serial) }),
        ] {
            assert!(wrap.open(pin, owner, None).unwrap().is_none());
        }
    }

    #[test]
    fn a_cost_outside_the_bounds_is_not_even_tried() {
        let serial = serial();
        let wrap = Wrap::make(b"1234", &Ring::new().unwrap(), owner(&serial), PinCost::FLOOR, None).unwrap();
        let (floor, cap) = (PinCost::FLOOR, PinCost::CAP);
        for cost in [
            PinCost { memory_kib: floor.memory_kib - 1, ..floor },
            PinCost { memory_kib: cap.memory_kib + 1, ..floor },
            PinCost { passes: floor.passes - 1, ..floor },
            PinCost { passes: cap.passes + 1, ..floor },
            PinCost { lanes: 0, ..floor },
            PinCost { lanes: cap.lanes + 1, ..floor },
        ] {
            let mut bytes = Vec::new();
            Wrap { cost, ..wrap.clone() }.write(&mut bytes);
            assert!(matches!(Wrap::read(&mut Reader::new(&bytes)), Some(Err(Error::Tampered(_)))), "{cost:?}");
        }
    }

    #[test]
    fn a_wrap_made_with_a_store_secret_opens_with_no_other() {
        let serial = serial();
        let secret = |byte| StoreSecret(Secret::new(vec![byte; 32]));
        let ring = Ring::new().unwrap();
        let wrap = Wrap::make(b"1234", &ring, owner(&serial), PinCost::FLOOR, Some(&secret(1))).unwrap();
        assert!(wrap.open(b"1234", owner(&serial), Some(&secret(1))).unwrap().is_some());
        for wrong in [None, Some(secret(2))] {
            let refused = wrap.open(b"1234", owner(&serial), wrong.as_ref());
            assert!(matches!(refused, Err(Error::Store(store::Error::Unreadable(_)))), "not taken for a wrong PIN");
        }
    }

    #[test]
    fn a_renewal_never_makes_a_pin_cheaper() {
        let serial = serial();
        let dear = PinCost { passes: 3, ..PinCost::FLOOR };
        let wrap = Wrap::make(b"1234", &Ring::new().unwrap(), owner(&serial), dear, None).unwrap();
        assert_eq!(wrap.renewal(PinCost::FLOOR, None), None);
        let roomy = PinCost { memory_kib: 32 * 1024, ..PinCost::FLOOR };
        assert_eq!(wrap.renewal(roomy, None), Some(PinCost { passes: 3, ..roomy }));
        let secret = StoreSecret(Secret::new(vec![1; 32]));
        assert_eq!(wrap.renewal(dear, Some(&secret)), Some(dear), "a store secret goes in when there is one");
    }
}
