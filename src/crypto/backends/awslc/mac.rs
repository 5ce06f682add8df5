//! HMAC, from two hash states that the key alone decides, and CMAC.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    aes::Schedules,
    digest::{Sha, Sha1, Sha224, Sha256, Sha384, Sha512},
    handle::Wiped,
};
use crate::{
    Error, Hash,
    aes::BLOCK,
    digest::MAX_OUTPUT_LEN,
    mac::{Mac, MacKey},
};

/// The longest block of a [`Hash`], in bytes.
const MAX_HASH_BLOCK: usize = 128;

pub(super) fn hmac(hash: Hash, key: &[u8]) -> Result<Arc<dyn MacKey>, Error> {
    Ok(match hash {
        Hash::Sha1 => Arc::new(Hmac::<Sha1>::new(key)),
        Hash::Sha224 => Arc::new(Hmac::<Sha224>::new(key)),
        Hash::Sha256 => Arc::new(Hmac::<Sha256>::new(key)),
        Hash::Sha384 => Arc::new(Hmac::<Sha384>::new(key)),
        Hash::Sha512 => Arc::new(Hmac::<Sha512>::new(key)),
    })
}

/// The states after `key ^ ipad` and `key ^ opad`.
struct Hmac<S: Sha> {
    inner: Wiped<S>,
    outer: Wiped<S>,
}

impl<S: Sha> Hmac<S> {
    fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; MAX_HASH_BLOCK]);
        let block = &mut block[..S::BLOCK];
        if key.len() > S::BLOCK {
            let mut state = Wiped(S::new());
            state.0.update(key);
            state.0.finish(block);
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let mut after = |pad: u8| {
            block.iter_mut().for_each(|byte| *byte ^= pad);
            let mut state = Wiped(S::new());
            state.0.update(block);
            block.iter_mut().for_each(|byte| *byte ^= pad);
            state
        };
        Self { inner: after(0x36), outer: after(0x5c) }
    }
}

impl<S: Sha> MacKey for Hmac<S> {
    fn output_len(&self) -> usize {
        S::OUTPUT
    }

    fn start(&self) -> Box<dyn Mac> {
        Box::new(RunningHmac { inner: Wiped(self.inner.0), outer: Wiped(self.outer.0) })
    }

    fn once(&self, data: &[u8], output: &mut [u8]) {
        let mut inner = self.inner.0;
        inner.update(data);
        finish_hmac(&mut inner, self.outer.0, output);
    }
}

/// Finishing writes over both states, so nothing of the key stays behind in them.
fn finish_hmac<S: Sha>(inner: &mut S, mut outer: S, output: &mut [u8]) {
    let mut digest = [0; MAX_OUTPUT_LEN];
    inner.finish(&mut digest);
    outer.update(&digest[..S::OUTPUT]);
    outer.finish(output);
}

struct RunningHmac<S: Sha> {
    inner: Wiped<S>,
    outer: Wiped<S>,
}

impl<S: Sha> Mac for RunningHmac<S> {
    fn update(&mut self, data: &[u8]) {
        self.inner.0.update(data);
    }

    fn finish(mut self: Box<Self>, output: &mut [u8]) {
        finish_hmac(&mut self.inner.0, self.outer.0, output);
    }
}

/// CMAC under an AES key. The library's own is slower than CBC and two subkeys.
pub(super) struct Cmac {
    schedules: Arc<Schedules>,
    /// K1 and K2 of SP 800-38B, 6.1.
    subkeys: [Zeroizing<[u8; BLOCK]>; 2],
}

impl Cmac {
    pub(super) fn new(schedules: Arc<Schedules>) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        schedules.encrypt_block(&mut block);
        let first = Zeroizing::new(double(&block));
        let second = Zeroizing::new(double(&first));
        Self { schedules, subkeys: [first, second] }
    }

    /// Completes `chain` with the last block, which is empty only if the message is.
    fn seal(schedules: &Schedules, subkeys: &[Zeroizing<[u8; BLOCK]>; 2], chain: &mut [u8; BLOCK], last: &[u8]) {
        let [whole, broken] = subkeys;
        let subkey = if last.len() == BLOCK {
            whole
        } else {
            chain[last.len()] ^= 0x80;
            broken
        };
        xor(chain, last);
        xor(chain, &**subkey);
        schedules.encrypt_block(chain);
    }
}

impl MacKey for Cmac {
    fn output_len(&self) -> usize {
        BLOCK
    }

    fn start(&self) -> Box<dyn Mac> {
        Box::new(RunningCmac {
            schedules: Arc::clone(&self.schedules),
            subkeys: self.subkeys.clone(),
            chain: [0; BLOCK],
            held: Zeroizing::new([0; BLOCK]),
            held_len: 0,
        })
    }

    fn once(&self, data: &[u8], output: &mut [u8]) {
        let mut chain = [0; BLOCK];
        let (blocks, last) = data.split_at(data.len().saturating_sub(1) / BLOCK * BLOCK);
        self.schedules.chain(blocks, &mut chain);
        Self::seal(&self.schedules, &self.subkeys, &mut chain, last);
        output[..BLOCK].copy_from_slice(&chain);
    }
}

struct RunningCmac {
    schedules: Arc<Schedules>,
    subkeys: [Zeroizing<[u8; BLOCK]>; 2],
    chain: [u8; BLOCK],
    /// What came last: it is not known yet whether it ends the message. Empty only at the start.
    held: Zeroizing<[u8; BLOCK]>,
    held_len: usize,
}

impl Mac for RunningCmac {
    fn update(&mut self, data: &[u8]) {
        let (fill, rest) = data.split_at(data.len().min(BLOCK - self.held_len));
        self.held[self.held_len..][..fill.len()].copy_from_slice(fill);
        self.held_len += fill.len();
        if rest.is_empty() {
            return;
        }
        self.schedules.chain(&*self.held, &mut self.chain);
        let (blocks, last) = rest.split_at((rest.len() - 1) / BLOCK * BLOCK);
        self.schedules.chain(blocks, &mut self.chain);
        self.held[..last.len()].copy_from_slice(last);
        self.held_len = last.len();
    }

    fn finish(mut self: Box<Self>, output: &mut [u8]) {
        let Self { schedules, subkeys, chain, held, held_len } = &mut *self;
        Cmac::seal(schedules, subkeys, chain, &held[..*held_len]);
        output[..BLOCK].copy_from_slice(chain);
    }
}

/// Multiplication by x in the field of SP 800-38B.
fn double(block: &[u8; BLOCK]) -> [u8; BLOCK] {
    let value = u128::from_be_bytes(*block);
    ((value << 1) ^ ((value >> 127) * 0x87)).to_be_bytes()
}

fn xor(block: &mut [u8; BLOCK], data: &[u8]) {
    block.iter_mut().zip(data).for_each(|(byte, other)| *byte ^= other);
}

pub(super) fn cmac(schedules: &Arc<Schedules>) -> Arc<dyn MacKey> {
    Arc::new(Cmac::new(Arc::clone(schedules)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::awslc::{SUITE, tests::hex};

    fn once(key: &dyn MacKey, data: &[u8]) -> Vec<u8> {
        let mut output = vec![0; key.output_len()];
        key.once(data, &mut output);
        output
    }

    fn parts(key: &dyn MacKey, data: &[u8], size: usize) -> Vec<u8> {
        let mut running = key.start();
        data.chunks(size).for_each(|part| running.update(part));
        running.update(&[]);
        let mut output = vec![0; key.output_len()];
        running.finish(&mut output);
        output
    }

    #[test]
    fn hmac_gives_the_codes_of_rfc_4231_and_2202() {
        let jefe = b"what do ya want for nothing?";
        for (hash, expected) in [
            (Hash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Hash::Sha224, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
            (Hash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ] {
            assert_eq!(once(&*hmac(hash, b"Jefe").unwrap(), jefe), hex(expected), "{hash:?}");
        }
        let long = hmac(Hash::Sha512, &[0xaa; 131]).unwrap();
        assert_eq!(
            once(&*long, b"Test Using Larger Than Block-Size Key - Hash Key First"),
            hex("80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352\
                 6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"),
            "a key longer than a block is hashed first"
        );
    }

    #[test]
    fn cmac_gives_the_codes_of_rfc_4493() {
        let key = (SUITE.aes)(&hex("2b7e151628aed2a6abf7158809cf4f3c")).unwrap().cmac();
        let message = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                           30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
        for (len, expected) in [
            (0, "bb1d6929e95937287fa37d129b756746"),
            (16, "070a16b46b4d4144f79bdd9dd04a287c"),
            (40, "dfa66747de9ae63030ca32611497c827"),
            (64, "51f0bebf7e3b9d92fc49741779363cfe"),
        ] {
            assert_eq!(once(&*key, &message[..len]), hex(expected), "{len} bytes");
        }
    }

    #[test]
    fn parts_give_what_the_whole_gives() {
        let data: Vec<u8> = (0..=255).cycle().take(777).collect();
        let mut keys: Vec<_> = Hash::ALL.iter().map(|hash| hmac(*hash, &[7; 70]).unwrap()).collect();
        keys.push((SUITE.aes)(&[9; 32]).unwrap().cmac());
        for key in keys {
            for len in [0, 1, 15, 16, 17, 32, 64, 500, 512, 528, 777] {
                let whole = once(&*key, &data[..len]);
                for size in [1, 5, 16, 31, 32, 200] {
                    assert_eq!(parts(&*key, &data[..len], size), whole, "{len} bytes by {size}");
                }
            }
        }
    }
}
