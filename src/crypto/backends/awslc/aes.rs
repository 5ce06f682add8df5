//! AES by the library's plain key schedules; modes keep their own few bytes of state, so a cipher costs
//! one allocation and nothing is copied between the caller's two buffers.

use std::{ffi::c_uint, sync::Arc};

use aws_lc_sys as ffi;
use zeroize::{Zeroize, Zeroizing};

use super::{
    gcm,
    handle::Wiped,
    handle::forget_errors,
    key_wrap, mac,
    stream::{Context, Direction},
};
use crate::{
    Error, Secret,
    aes::{AesKey, BLOCK, Cipher, KeyWrap, Mode},
    mac::MacKey,
    padding,
};

pub(super) fn prepare(key: &[u8]) -> Result<Arc<dyn AesKey>, Error> {
    Ok(Arc::new(Key(Arc::new(Schedules::new(key)?))))
}

/// What a key alone decides.
pub(super) struct Schedules {
    pub(super) key: Secret,
    encrypt: Wiped<ffi::AES_KEY>,
    decrypt: Wiped<ffi::AES_KEY>,
    pub(super) gcm: gcm::Contexts,
}

impl Schedules {
    fn new(key: &[u8]) -> Result<Self, Error> {
        let bits = match key.len() {
            16 => 128,
            24 => 192,
            32 => 256,
            _ => return Err(Error::KeySize),
        };
        let blank = ffi::AES_KEY { rd_key: [0; 60], rounds: 0 };
        let (mut encrypt, mut decrypt) = (Wiped(blank), Wiped(blank));
        // SAFETY: `key` has that many bits; the schedules are ours. These two return 0 for success.
        let codes = unsafe {
            [
                ffi::AES_set_encrypt_key(key.as_ptr(), bits, &raw mut encrypt.0),
                ffi::AES_set_decrypt_key(key.as_ptr(), bits, &raw mut decrypt.0),
            ]
        };
        if codes != [0, 0] {
            forget_errors();
            return Err(Error::Fault);
        }
        Ok(Self { key: Secret::new(key.to_vec()), encrypt, decrypt, gcm: gcm::Contexts::default() })
    }

    pub(super) fn encrypt_block(&self, block: &mut [u8; BLOCK]) {
        let block = block.as_mut_ptr();
        // SAFETY: a block of ours, which may be input and output (aes.h), and a schedule that `new` has set.
        unsafe { ffi::AES_encrypt(block, block, &raw const self.encrypt.0) }
    }

    pub(super) fn decrypt_block(&self, block: &mut [u8; BLOCK]) {
        let block = block.as_mut_ptr();
        // SAFETY: as in `encrypt_block`.
        unsafe { ffi::AES_decrypt(block, block, &raw const self.decrypt.0) }
    }

    /// CBC over whole blocks; `output` is as long as `input`.
    fn cbc(&self, direction: Direction, chain: &mut [u8; BLOCK], input: &[u8], output: &mut [u8]) {
        let output = &mut output[..input.len()];
        let (schedule, encrypting) = match direction {
            Direction::Encrypt => (&self.encrypt, ffi::AES_ENCRYPT),
            Direction::Decrypt => (&self.decrypt, ffi::AES_DECRYPT),
        };
        let (schedule, chain) = (&raw const schedule.0, chain.as_mut_ptr());
        // SAFETY: two slices of one length, whole blocks by our callers; the schedule was set by `new` for
        // this direction, and the chain is a block.
        unsafe {
            ffi::AES_cbc_encrypt(input.as_ptr(), output.as_mut_ptr(), input.len(), schedule, chain, encrypting);
        }
    }

    /// Encrypts whole blocks in CBC mode for what is left in `chain` only.
    pub(super) fn chain(&self, input: &[u8], chain: &mut [u8; BLOCK]) {
        let mut output = [0; 32 * BLOCK];
        for input in input.chunks(output.len()) {
            self.cbc(Direction::Encrypt, chain, input, &mut output);
        }
    }
}

struct Key(Arc<Schedules>);

impl Key {
    fn cipher(&self, direction: Direction, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error> {
        let schedules = Arc::clone(&self.0);
        Ok(match mode {
            Mode::Ecb => Box::new(Blocks::new(schedules, direction, Chain::None(None), Padding::None)),
            Mode::Cbc { iv } => Box::new(Blocks::new(schedules, direction, Chain::Cbc(*iv), Padding::None)),
            Mode::CbcPad { iv } => Box::new(Blocks::new(schedules, direction, Chain::Cbc(*iv), Padding::Pkcs7)),
            Mode::Ctr { block, counter_bits } => Box::new(Counter::new(schedules, block, counter_bits)?),
            Mode::Gcm { iv, aad, tag_len } => gcm::cipher(schedules, direction, iv, aad, tag_len)?,
        })
    }
}

impl AesKey for Key {
    fn encryptor(&self, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error> {
        self.cipher(Direction::Encrypt, mode)
    }

    fn decryptor(&self, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error> {
        self.cipher(Direction::Decrypt, mode)
    }

    fn cmac(&self) -> Arc<dyn MacKey> {
        mac::cmac(&self.0)
    }

    fn wrap(&self, how: KeyWrap, key: &[u8]) -> Result<Vec<u8>, Error> {
        key_wrap::wrap(&self.0, how, key)
    }

    fn unwrap(&self, how: KeyWrap, wrapped: &[u8]) -> Result<Secret, Error> {
        key_wrap::unwrap(&self.0, how, wrapped)
    }
}

/// From here on ECB goes by the library's own context, which works on several blocks at once but costs
/// an allocation and a key schedule.
const BULK: usize = 32 * BLOCK;

enum Chain {
    /// ECB, and its context for long inputs once there was one.
    None(Option<Context>),
    /// CBC, and the last ciphertext block.
    Cbc([u8; BLOCK]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Padding {
    None,
    Pkcs7,
}

/// ECB and CBC: what works block by block.
struct Blocks {
    schedules: Arc<Schedules>,
    direction: Direction,
    chain: Chain,
    padding: Padding,
    /// Input that does not make a block yet; or, taking a padding off, what may be the last block.
    held: Zeroizing<[u8; BLOCK]>,
    held_len: usize,
}

impl Blocks {
    fn new(schedules: Arc<Schedules>, direction: Direction, chain: Chain, padding: Padding) -> Self {
        Self { schedules, direction, chain, padding, held: Zeroizing::new([0; BLOCK]), held_len: 0 }
    }

    fn unpads(&self) -> bool {
        self.direction == Direction::Decrypt && self.padding == Padding::Pkcs7
    }

    fn wrong_length(&self) -> Error {
        match self.direction {
            Direction::Encrypt => Error::InputLength,
            Direction::Decrypt => Error::CiphertextLength,
        }
    }

    /// Whole blocks from here to there.
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<(), Error> {
        let Self { schedules, direction, chain, padding: _, held: _, held_len: _ } = self;
        let context = match chain {
            Chain::Cbc(chain) => {
                schedules.cbc(*direction, chain, input, output);
                return Ok(());
            }
            Chain::None(context) => context,
        };
        if input.len() >= BULK {
            let context = match context {
                Some(context) => context,
                None => context.insert(Context::ecb(&schedules.key, *direction)?),
            };
            return context.update(input, output);
        }
        for (input, output) in input.as_chunks::<BLOCK>().0.iter().zip(output.as_chunks_mut::<BLOCK>().0) {
            *output = *input;
            match direction {
                Direction::Encrypt => schedules.encrypt_block(output),
                Direction::Decrypt => schedules.decrypt_block(output),
            }
        }
        Ok(())
    }

    /// Runs the held block, which is full.
    fn run_held(&mut self, output: &mut [u8]) -> Result<(), Error> {
        let held = self.held.clone();
        self.held_len = 0;
        self.run(&*held, output)
    }
}

impl Cipher for Blocks {
    fn update_len(&self, len: usize) -> usize {
        let total = self.held_len + len;
        (if self.unpads() { total.saturating_sub(1) } else { total }) / BLOCK * BLOCK
    }

    fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let ready = self.update_len(input.len());
        let output = output.get_mut(..ready).ok_or(Error::OutputLength)?;
        if ready == 0 {
            self.held[self.held_len..][..input.len()].copy_from_slice(input);
            self.held_len += input.len();
            return Ok(0);
        }
        let (mut input, mut output) = (input, output);
        if self.held_len > 0 {
            let (fill, rest) = input.split_at(BLOCK - self.held_len);
            self.held[self.held_len..].copy_from_slice(fill);
            let (first, others) = output.split_at_mut(BLOCK);
            self.run_held(first)?;
            (input, output) = (rest, others);
        }
        let (blocks, rest) = input.split_at(output.len());
        self.run(blocks, output)?;
        self.held[..rest.len()].copy_from_slice(rest);
        self.held_len = rest.len();
        Ok(ready)
    }

    fn finish_len(&self) -> usize {
        match (self.padding, self.direction) {
            (Padding::None, _) => 0,
            (Padding::Pkcs7, Direction::Encrypt) => BLOCK,
            // At least one byte of a padded block is padding.
            (Padding::Pkcs7, Direction::Decrypt) => BLOCK - 1,
        }
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        if output.len() < self.finish_len() {
            return Err(Error::OutputLength);
        }
        match (self.padding, self.direction) {
            (Padding::None, _) if self.held_len > 0 => Err(self.wrong_length()),
            (Padding::None, _) => Ok(0),
            (Padding::Pkcs7, Direction::Encrypt) => {
                let fill = u8::try_from(BLOCK - self.held_len).map_err(|_| Error::Fault)?;
                self.held[self.held_len..].fill(fill);
                self.run_held(&mut output[..BLOCK])?;
                Ok(BLOCK)
            }
            (Padding::Pkcs7, Direction::Decrypt) if self.held_len < BLOCK => Err(Error::CiphertextLength),
            (Padding::Pkcs7, Direction::Decrypt) => {
                let mut block = Zeroizing::new([0; BLOCK]);
                self.run_held(&mut *block)?;
                let message = padding::unpad_block(&block).ok_or(Error::CiphertextInvalid)?;
                output[..message.len()].copy_from_slice(message);
                Ok(message.len())
            }
        }
    }

    fn once_len(&self, len: usize) -> usize {
        match (self.padding, self.direction) {
            (Padding::None, _) => len,
            (Padding::Pkcs7, Direction::Encrypt) => (len / BLOCK + 1).saturating_mul(BLOCK),
            (Padding::Pkcs7, Direction::Decrypt) => len.saturating_sub(1),
        }
    }

    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let output = output.get_mut(..self.once_len(input.len())).ok_or(Error::OutputLength)?;
        let pads = self.padding == Padding::Pkcs7 && self.direction == Direction::Encrypt;
        // Found before anything is put out.
        if (!pads && !input.len().is_multiple_of(BLOCK)) || (self.unpads() && input.is_empty()) {
            return Err(self.wrong_length());
        }
        let put = self.update(input, output)?;
        match self.finish(&mut output[put..]) {
            Ok(rest) => Ok(put + rest),
            Err(error) => {
                output.zeroize();
                Err(error)
            }
        }
    }
}

/// Counter mode.
struct Counter {
    schedules: Arc<Schedules>,
    /// The next counter block.
    block: [u8; BLOCK],
    keystream: Zeroizing<[u8; BLOCK]>,
    /// How much of `keystream` is used; 0 if all of it is.
    used: c_uint,
    /// Which bits of `block` count.
    mask: u128,
    /// Those which do not, where the count begins again.
    fixed: u128,
    /// How many blocks there are before a value comes again. Of the 2^128 blocks of a full counter it
    /// leaves out one, which nobody will miss.
    left: u128,
}

impl Counter {
    fn new(schedules: Arc<Schedules>, block: &[u8; BLOCK], counter_bits: u32) -> Result<Self, Error> {
        if !(1..=128).contains(&counter_bits) {
            return Err(Error::Parameter);
        }
        let mask = u128::MAX >> (128 - counter_bits);
        Ok(Self {
            schedules,
            block: *block,
            keystream: Zeroizing::new([0; BLOCK]),
            used: 0,
            mask,
            fixed: u128::from_be_bytes(*block) & !mask,
            left: mask.saturating_add(1),
        })
    }

    /// How many bytes of input need no new block.
    fn spare(&self) -> usize {
        usize::try_from(self.used).map_or(0, |used| (BLOCK - used) % BLOCK)
    }

    /// How many blocks there are before the count begins again at 0.
    fn before_wrap(&self) -> u128 {
        (self.mask - (u128::from_be_bytes(self.block) & self.mask)).saturating_add(1)
    }

    /// `output` is as long as `input`, and the count does not wrap within.
    fn run(&mut self, input: &[u8], output: &mut [u8]) {
        let output = &mut output[..input.len()];
        // SAFETY: two slices of one length; the schedule was set by `Schedules::new`; block and keystream are
        // blocks of ours, and `used` is below a block's length as the library left it.
        unsafe {
            ffi::AES_ctr128_encrypt(
                input.as_ptr(),
                output.as_mut_ptr(),
                input.len(),
                &raw const self.schedules.encrypt.0,
                self.block.as_mut_ptr(),
                self.keystream.as_mut_ptr(),
                &raw mut self.used,
            );
        }
    }
}

impl Cipher for Counter {
    fn update_len(&self, len: usize) -> usize {
        len
    }

    fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let len = input.len();
        let (mut input, mut output) = (input, output.get_mut(..len).ok_or(Error::OutputLength)?);
        let blocks = |spare: usize, len: usize| len.saturating_sub(spare).div_ceil(BLOCK) as u128;
        self.left = self.left.checked_sub(blocks(self.spare(), len)).ok_or(Error::Exhausted)?;
        while !input.is_empty() {
            let (spare, before_wrap) = (self.spare(), self.before_wrap());
            let needed = blocks(spare, input.len());
            let now = if needed < before_wrap {
                input.len()
            } else {
                // It fits a `usize`, as the input is no shorter.
                let bytes = usize::try_from(before_wrap).map_or(usize::MAX, |blocks| blocks.saturating_mul(BLOCK));
                bytes.saturating_add(spare).min(input.len())
            };
            let (head, tail) = input.split_at(now);
            let (head_output, tail_output) = output.split_at_mut(now);
            self.run(head, head_output);
            if needed >= before_wrap {
                self.block = self.fixed.to_be_bytes();
            }
            (input, output) = (tail, tail_output);
        }
        Ok(len)
    }

    fn finish_len(&self) -> usize {
        0
    }

    fn finish(&mut self, _output: &mut [u8]) -> Result<usize, Error> {
        Ok(0)
    }

    fn once_len(&self, len: usize) -> usize {
        len
    }

    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        self.update(input, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::awslc::tests::hex;

    const IV: &[u8; BLOCK] = b"0123456789abcdef";

    fn all(key: &dyn AesKey, direction: Direction, mode: Mode<'_>, input: &[u8]) -> Result<Vec<u8>, Error> {
        let mut cipher = cipher(key, direction, mode);
        let mut output = vec![0; cipher.once_len(input.len())];
        let len = cipher.once(input, &mut output)?;
        output.truncate(len);
        Ok(output)
    }

    fn parts(
        key: &dyn AesKey,
        direction: Direction,
        mode: Mode<'_>,
        input: &[u8],
        size: usize,
    ) -> Result<Vec<u8>, Error> {
        let mut cipher = cipher(key, direction, mode);
        let mut output = Vec::new();
        for part in input.chunks(size) {
            let mut room = vec![0; cipher.update_len(part.len())];
            assert_eq!(cipher.update(part, &mut room)?, room.len(), "the length was promised");
            output.extend(room);
        }
        let mut room = vec![0; cipher.finish_len()];
        let len = cipher.finish(&mut room)?;
        output.extend(&room[..len]);
        Ok(output)
    }

    fn cipher(key: &dyn AesKey, direction: Direction, mode: Mode<'_>) -> Box<dyn Cipher> {
        match direction {
            Direction::Encrypt => key.encryptor(mode).unwrap(),
            Direction::Decrypt => key.decryptor(mode).unwrap(),
        }
    }

    fn modes() -> [Mode<'static>; 8] {
        [
            Mode::Ecb,
            Mode::Cbc { iv: IV },
            Mode::CbcPad { iv: IV },
            Mode::Ctr { block: IV, counter_bits: 128 },
            Mode::Ctr { block: &[0xff; BLOCK], counter_bits: 9 },
            Mode::Gcm { iv: b"twelve bytes", aad: b"", tag_len: 16 },
            Mode::Gcm { iv: b"1", aad: b"more", tag_len: 12 },
            Mode::Gcm { iv: &[7; 100], aad: &[8; 100], tag_len: 4 },
        ]
    }

    #[test]
    fn the_examples_of_sp_800_38a_and_38d_come_out() {
        let block = hex("6bc1bee22e409f96e93d7e117393172a");
        let counter: [u8; BLOCK] = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
        let iv: [u8; BLOCK] = hex("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
        for (key, mode, expected) in [
            ("2b7e151628aed2a6abf7158809cf4f3c", Mode::Ecb, "3ad77bb40d7a3660a89ecaf32466ef97"),
            (
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                Mode::Cbc { iv: &iv },
                "4f021db243bc633d7178183a9fa071e8",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                Mode::Ctr { block: &counter, counter_bits: 32 },
                "601ec313775789a5b7a7f504bbf3d228",
            ),
        ] {
            let key = prepare(&hex(key)).unwrap();
            assert_eq!(all(&*key, Direction::Encrypt, mode, &block).unwrap(), hex(expected), "{mode:?}");
            assert_eq!(all(&*key, Direction::Decrypt, mode, &hex(expected)).unwrap(), block, "{mode:?}");
        }
        let gcm = Mode::Gcm { iv: &[0; 12], aad: b"", tag_len: 16 };
        assert_eq!(
            all(&*prepare(&[0; 16]).unwrap(), Direction::Encrypt, gcm, &[0; 16]).unwrap(),
            hex("0388dace60b6a392f328c2b971b2fe78 ab6e47d42cec13bdf53a67b21257bddf")
        );
    }

    #[test]
    fn parts_give_what_the_whole_gives_and_it_comes_back() {
        let message: Vec<u8> = (0..=255).cycle().take(3000).collect();
        for key in [&[1; 16][..], &[1; 24], &[1; 32]] {
            let key = &*prepare(key).unwrap();
            for mode in modes() {
                for len in [0, 1, 15, 16, 17, 31, 32, 48, 512, 528, 2992, 3000] {
                    let whole = all(key, Direction::Encrypt, mode, &message[..len]);
                    assert_eq!(whole.is_err(), matches!(mode, Mode::Ecb | Mode::Cbc { .. }) && len % BLOCK != 0);
                    for size in [1, 5, 16, 31, 32, 700, 3000] {
                        let part = parts(key, Direction::Encrypt, mode, &message[..len], size);
                        assert_eq!(part, whole, "{mode:?}, {len} by {size}");
                        let Ok(whole) = &whole else { continue };
                        let back = parts(key, Direction::Decrypt, mode, whole, size);
                        assert_eq!(back.unwrap(), message[..len], "{mode:?}, {len} by {size}");
                    }
                    if let Ok(whole) = whole {
                        assert_eq!(all(key, Direction::Decrypt, mode, &whole).unwrap(), message[..len]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_key_has_16_24_or_32_bytes() {
        for len in [0, 15, 17, 33] {
            assert_eq!(prepare(&vec![0; len]).err(), Some(Error::KeySize));
        }
    }

    #[test]
    fn a_short_output_is_refused_and_nothing_has_happened() {
        let key = &*prepare(&[2; 16]).unwrap();
        for mode in modes() {
            let expected = all(key, Direction::Encrypt, mode, &[5; 64]).unwrap();
            let mut cipher = cipher(key, Direction::Encrypt, mode);
            let (mut output, len) = (vec![0; 100], cipher.update_len(64));
            assert_eq!(cipher.update(&[5; 64], &mut output[..len - 1]), Err(Error::OutputLength), "{mode:?}");
            assert_eq!(output, [0; 100]);
            assert_eq!(cipher.update(&[5; 64], &mut output), Ok(len));
            if let Some(less) = cipher.finish_len().checked_sub(1) {
                assert_eq!(cipher.finish(&mut output[len..][..less]), Err(Error::OutputLength), "{mode:?}");
            }
            let len = len + cipher.finish(&mut output[len..]).unwrap();
            assert_eq!(output[..len], expected, "{mode:?}");
        }
    }

    #[test]
    fn broken_blocks_and_paddings_are_found() {
        let key = &*prepare(&[2; 16]).unwrap();
        for mode in [Mode::Ecb, Mode::Cbc { iv: IV }] {
            for run in
                [all, |key, direction, mode, input| parts(key, direction, mode, input, 7)] as [fn(_, _, _, &_) -> _; 2]
            {
                assert_eq!(run(key, Direction::Encrypt, mode, &[0; 17]), Err(Error::InputLength));
                assert_eq!(run(key, Direction::Decrypt, mode, &[0; 17]), Err(Error::CiphertextLength));
                assert_eq!(run(key, Direction::Decrypt, mode, &[]), Ok(vec![]));
            }
        }
        let mode = Mode::CbcPad { iv: IV };
        let bad = all(key, Direction::Encrypt, Mode::Cbc { iv: IV }, &[17; 32]).unwrap();
        for (ciphertext, error) in [
            (&bad[..], Error::CiphertextInvalid),
            (&bad[..31], Error::CiphertextLength),
            (&[], Error::CiphertextLength),
        ] {
            assert_eq!(all(key, Direction::Decrypt, mode, ciphertext), Err(error));
            assert_eq!(parts(key, Direction::Decrypt, mode, ciphertext, 5), Err(error));
        }
        let mut output = [1; 31];
        assert!(cipher(key, Direction::Decrypt, mode).once(&bad, &mut output).is_err());
        assert_eq!(output, [0; 31], "what was put out is wiped");
    }

    #[test]
    fn a_counter_wraps_within_its_bits() {
        let key = &*prepare(&[3; 16]).unwrap();
        let mut block = [0x5a_u8; BLOCK];
        for (bits, first) in [(1, 0x51), (2, 0x53), (8, 0xf0), (8, 0xff)] {
            block[15] = first;
            let blocks = 1_usize << bits;
            // Each counter block on its own.
            let expected: Vec<u8> = (0..blocks)
                .flat_map(|index| {
                    let (mask, mut counter) = (u8::try_from(blocks - 1).unwrap(), block);
                    let count = block[15].wrapping_add(u8::try_from(index).unwrap()) & mask;
                    counter[15] = block[15] & !mask | count;
                    all(key, Direction::Encrypt, Mode::Ecb, &counter).unwrap()
                })
                .collect();
            let mode = Mode::Ctr { block: &block, counter_bits: bits };
            let zeroes = vec![0; 16 * blocks];
            assert_eq!(all(key, Direction::Encrypt, mode, &zeroes).unwrap(), expected, "{bits} bits");
            for size in [1, 7, 16, 17, 40, 1000] {
                assert_eq!(parts(key, Direction::Encrypt, mode, &zeroes, size).unwrap(), expected, "{bits} by {size}");
            }
        }
    }

    #[test]
    fn a_counter_that_is_used_up_puts_nothing_out() {
        let key = &*prepare(&[3; 16]).unwrap();
        let mode = Mode::Ctr { block: IV, counter_bits: 2 };
        let mut output = [0; 65];
        assert_eq!(cipher(key, Direction::Encrypt, mode).once(&[0; 65], &mut output), Err(Error::Exhausted));
        assert_eq!(output, [0; 65]);
        let mut running = cipher(key, Direction::Decrypt, mode);
        assert_eq!(running.update(&[0; 50], &mut output), Ok(50));
        assert_eq!(running.update(&[0; 14], &mut output), Ok(14));
        let before = output;
        assert_eq!(running.update(&[0; 1], &mut output), Err(Error::Exhausted));
        assert_eq!(output, before);
        assert_eq!(running.update(&[], &mut output), Ok(0));
        for counter_bits in [0, 129] {
            assert_eq!(key.encryptor(Mode::Ctr { block: IV, counter_bits }).err(), Some(Error::Parameter));
        }
        let whole = Mode::Ctr { block: &[0xff; BLOCK], counter_bits: 128 };
        assert_eq!(all(key, Direction::Encrypt, whole, &[0; 48]).unwrap().len(), 48, "it goes on at 0");
    }

    #[test]
    fn gcm_takes_the_tags_of_sp_800_38d_and_any_nonce_but_none() {
        let key = &*prepare(&[4; 32]).unwrap();
        for tag_len in 0..=17 {
            let good = matches!(tag_len, 4 | 8 | 12..=16);
            let mode = Mode::Gcm { iv: b"n", aad: b"a", tag_len };
            assert_eq!(key.encryptor(mode).is_ok(), good, "{tag_len}");
            assert_eq!(key.decryptor(mode).err(), (!good).then_some(Error::Parameter));
        }
        assert_eq!(key.encryptor(Mode::Gcm { iv: b"", aad: b"a", tag_len: 16 }).err(), Some(Error::Parameter));
    }

    #[test]
    fn gcm_gives_no_byte_of_a_wrong_message() {
        let key = &*prepare(&[4; 16]).unwrap();
        for tag_len in [4, 8, 12, 13, 14, 15, 16] {
            let mode = Mode::Gcm { iv: b"nonce", aad: b"aad", tag_len };
            let ciphertext = all(key, Direction::Encrypt, mode, &[6; 40]).unwrap();
            assert_eq!(ciphertext.len(), 40 + tag_len);
            for index in 0..ciphertext.len() {
                let mut broken = ciphertext.clone();
                broken[index] ^= 0x80;
                let mut output = [1; 40];
                let once = cipher(key, Direction::Decrypt, mode).once(&broken, &mut output);
                assert_eq!(once, Err(Error::CiphertextInvalid));
                assert_eq!(output, [0; 40], "it is wiped");
                assert_eq!(parts(key, Direction::Decrypt, mode, &broken, 9), Err(Error::CiphertextInvalid));
            }
            let other = Mode::Gcm { iv: b"nonce", aad: b"", tag_len };
            assert_eq!(all(key, Direction::Decrypt, other, &ciphertext), Err(Error::CiphertextInvalid));
            let short = &ciphertext[..tag_len - 1];
            assert_eq!(all(key, Direction::Decrypt, mode, short), Err(Error::CiphertextLength));
            assert_eq!(parts(key, Direction::Decrypt, mode, short, 1), Err(Error::CiphertextLength));
        }
    }
}
