//! The modes of operation of AES but ECB and CBC, over whole runs of blocks so that the cipher can work on several at once.

use std::sync::Arc;

use ::aes::Block;
use ghash::{GHash, universal_hash::UniversalHash};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    aes::Blocks,
    chain::{self, Chaining, once, xor},
};
use crate::{
    Error,
    aes::{BLOCK, Cipher, Mode},
    room,
};

/// How many blocks are worked on in one step where a copy is needed.
const RUN: usize = 32;

/// The most blocks of one GCM message (SP 800-38D, 5.2.1.1).
const GCM_BLOCKS: u128 = (1 << 32) - 2;

pub(super) fn encryptor(
    aes: &Arc<Blocks>,
    mode: Mode<'_>,
    ghash: impl FnOnce() -> GHash,
) -> Result<Box<dyn Cipher>, Error> {
    let aes = Arc::clone(aes);
    Ok(match mode {
        Mode::Ecb => chain::encryptor(aes, Chaining::Ecb),
        Mode::Cbc { iv } => chain::encryptor(aes, Chaining::Cbc(iv)),
        Mode::CbcPad { iv } => chain::encryptor(aes, Chaining::CbcPad(iv)),
        Mode::Ctr { block, counter_bits } => Box::new(counter_mode(aes, block, counter_bits)?),
        Mode::Gcm { iv, aad, tag_len } => Box::new(GcmEncryption(Gcm::new(aes, iv, aad, tag_len, ghash)?)),
    })
}

pub(super) fn decryptor(
    aes: &Arc<Blocks>,
    mode: Mode<'_>,
    ghash: impl FnOnce() -> GHash,
) -> Result<Box<dyn Cipher>, Error> {
    let aes = Arc::clone(aes);
    Ok(match mode {
        Mode::Ecb => chain::decryptor(aes, Chaining::Ecb),
        Mode::Cbc { iv } => chain::decryptor(aes, Chaining::Cbc(iv)),
        Mode::CbcPad { iv } => chain::decryptor(aes, Chaining::CbcPad(iv)),
        Mode::Ctr { block, counter_bits } => Box::new(counter_mode(aes, block, counter_bits)?),
        Mode::Gcm { iv, aad, tag_len } => {
            Box::new(GcmDecryption { gcm: Gcm::new(aes, iv, aad, tag_len, ghash)?, ciphertext: Vec::new() })
        }
    })
}

/// The bytes that counter mode adds to a message.
struct KeyStream {
    aes: Arc<Blocks>,
    /// The next counter block.
    next: u128,
    /// The bits of it that count.
    mask: u128,
    /// How many blocks there are until one would be used again.
    left: u128,
    unused: Zeroizing<[u8; BLOCK]>,
    /// Where in `unused` the bytes not used yet begin.
    from: usize,
}

impl KeyStream {
    fn new(aes: Arc<Blocks>, first: u128, mask: u128, blocks: u128) -> Self {
        Self { aes, next: first, mask, left: blocks, unused: Zeroizing::new([0; BLOCK]), from: BLOCK }
    }

    /// [`Error::Exhausted`], and nothing has happened, if there is not so much left.
    fn add(&mut self, input: &[u8], output: &mut [u8]) -> Result<(), Error> {
        let rest = self.unused.len() - self.from;
        let blocks = u128::try_from(input.len().saturating_sub(rest).div_ceil(BLOCK)).map_err(|_| Error::Exhausted)?;
        self.left = self.left.checked_sub(blocks).ok_or(Error::Exhausted)?;
        let rest = rest.min(input.len());
        let (input, later_input) = input.split_at(rest);
        let (output, later_output) = output.split_at_mut(rest);
        add(input, &self.unused[self.from..], output);
        self.from += rest;

        let mut run = Zeroizing::new([[0; BLOCK]; RUN]);
        for (input, output) in later_input.chunks(RUN * BLOCK).zip(later_output.chunks_mut(RUN * BLOCK)) {
            let run = &mut run[..input.len().div_ceil(BLOCK)];
            for block in run.iter_mut() {
                *block = self.next.to_be_bytes();
                self.next = (self.next & !self.mask) | (self.next.wrapping_add(1) & self.mask);
            }
            self.aes.encrypt(Block::cast_slice_from_core_mut(run));
            add(input, run.as_flattened(), output);
            if let Some(last) = run.last() {
                *self.unused = *last;
                self.from = input.len() - (run.len() - 1) * BLOCK;
            }
        }
        Ok(())
    }
}

impl Cipher for KeyStream {
    fn update_len(&self, len: usize) -> usize {
        len
    }

    fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let output = output.get_mut(..input.len()).ok_or(Error::OutputLength)?;
        self.add(input, output)?;
        Ok(input.len())
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

fn counter_mode(aes: Arc<Blocks>, block: &[u8; BLOCK], counter_bits: u32) -> Result<KeyStream, Error> {
    let mask = match counter_bits {
        1..=127 => (1 << counter_bits) - 1,
        128 => u128::MAX,
        _ => return Err(Error::Parameter),
    };
    // With 128 bits there is one more, which nobody lives to see.
    Ok(KeyStream::new(aes, u128::from_be_bytes(*block), mask, mask.saturating_add(1)))
}

/// Galois/counter mode in either direction (SP 800-38D, 7.1 and 7.2).
struct Gcm {
    stream: KeyStream,
    ghash: GHash,
    partial: [u8; BLOCK],
    held: usize,
    aad_len: u64,
    ciphertext_len: u64,
    /// What is added to the last hash, which makes it the tag.
    mask: Zeroizing<[u8; BLOCK]>,
    tag_len: usize,
}

impl Gcm {
    fn new(
        aes: Arc<Blocks>,
        iv: &[u8],
        aad: &[u8],
        tag_len: usize,
        ghash: impl FnOnce() -> GHash,
    ) -> Result<Self, Error> {
        if iv.is_empty() || !matches!(tag_len, 4 | 8 | 12..=16) {
            return Err(Error::Parameter);
        }
        let mut ghash = ghash();
        let first = match iv.try_into() {
            Ok(iv) => first_counter(iv),
            Err(_) => {
                let mut ghash = ghash.clone();
                ghash.update_padded(iv);
                ghash.update(&[lengths(0, bytes(iv)?)]);
                u128::from_be_bytes(ghash.finalize().into())
            }
        };
        let mask = u128::from(u32::MAX);
        let mut stream = KeyStream::new(aes, first, mask, GCM_BLOCKS + 1);
        let mut tag_mask = Zeroizing::new([0; BLOCK]);
        stream.add(&[0; BLOCK], &mut *tag_mask)?;
        ghash.update_padded(aad);
        Ok(Self {
            stream,
            ghash,
            partial: [0; BLOCK],
            held: 0,
            aad_len: bytes(aad)?,
            ciphertext_len: 0,
            mask: tag_mask,
            tag_len,
        })
    }

    fn hash(&mut self, ciphertext: &[u8]) -> Result<(), Error> {
        self.ciphertext_len = self.ciphertext_len.checked_add(bytes(ciphertext)?).ok_or(Error::Exhausted)?;
        let now = ciphertext.len().min((BLOCK - self.held) % BLOCK);
        let (now, later) = ciphertext.split_at(now);
        self.partial[self.held..self.held + now.len()].copy_from_slice(now);
        self.held += now.len();
        if self.held == BLOCK {
            self.ghash.update(&[self.partial.into()]);
            self.held = 0;
        }
        let (blocks, rest) = Block::slice_as_chunks(later);
        self.ghash.update(blocks);
        if !rest.is_empty() {
            self.partial[..rest.len()].copy_from_slice(rest);
            self.held = rest.len();
        }
        Ok(())
    }

    /// The whole tag. All of the ciphertext was hashed.
    fn tag(&self) -> [u8; BLOCK] {
        let mut ghash = self.ghash.clone();
        ghash.update_padded(&self.partial[..self.held]);
        ghash.update(&[lengths(self.aad_len, self.ciphertext_len)]);
        let mut tag: [u8; BLOCK] = ghash.finalize().into();
        xor(&mut tag, &self.mask);
        tag
    }

    /// Checks the tag at the end of `sealed`, and only then decrypts what is before it.
    fn open(&mut self, sealed: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let len = sealed.len().checked_sub(self.tag_len).ok_or(Error::CiphertextLength)?;
        let output = output.get_mut(..len).ok_or(Error::OutputLength)?;
        let (ciphertext, tag) = sealed.split_at(len);
        self.hash(ciphertext)?;
        if bool::from(self.tag()[..self.tag_len].ct_ne(tag)) {
            return Err(Error::CiphertextInvalid);
        }
        self.stream.add(ciphertext, output)?;
        Ok(len)
    }
}

struct GcmEncryption(Gcm);

impl Cipher for GcmEncryption {
    fn update_len(&self, len: usize) -> usize {
        len
    }

    fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let output = output.get_mut(..input.len()).ok_or(Error::OutputLength)?;
        self.0.stream.add(input, output)?;
        self.0.hash(output)?;
        Ok(input.len())
    }

    fn finish_len(&self) -> usize {
        self.0.tag_len
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        let output = output.get_mut(..self.0.tag_len).ok_or(Error::OutputLength)?;
        output.copy_from_slice(&self.0.tag()[..self.0.tag_len]);
        Ok(self.0.tag_len)
    }

    fn once_len(&self, len: usize) -> usize {
        len.saturating_add(self.0.tag_len)
    }

    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        once(self, input, output)
    }
}

struct GcmDecryption {
    gcm: Gcm,
    /// All of it, with the tag.
    ciphertext: Vec<u8>,
}

impl Cipher for GcmDecryption {
    fn update_len(&self, _len: usize) -> usize {
        0
    }

    fn update_hint(&self, len: usize) -> usize {
        len
    }

    fn update(&mut self, input: &[u8], _output: &mut [u8]) -> Result<usize, Error> {
        room::append(&mut self.ciphertext, input)?;
        Ok(0)
    }

    fn finish_len(&self) -> usize {
        self.once_len(self.ciphertext.len())
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        self.gcm.open(&self.ciphertext, output)
    }

    fn once_len(&self, len: usize) -> usize {
        len.saturating_sub(self.gcm.tag_len)
    }

    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        self.gcm.open(input, output)
    }
}

/// The first counter block for an IV of the usual length.
fn first_counter(iv: [u8; 12]) -> u128 {
    let mut block = [0; BLOCK];
    block[..12].copy_from_slice(&iv);
    block[BLOCK - 1] = 1;
    u128::from_be_bytes(block)
}

/// The block that ends a hash: two lengths in bits.
fn lengths(aad: u64, ciphertext: u64) -> Block {
    (u128::from(aad) << 67 | u128::from(ciphertext) << 3).to_be_bytes().into()
}

fn bytes(data: &[u8]) -> Result<u64, Error> {
    u64::try_from(data.len()).map_err(|_| Error::InputLength)
}

/// `output = input + stream`; the stream may be longer.
fn add(input: &[u8], stream: &[u8], output: &mut [u8]) {
    for ((output, input), stream) in output.iter_mut().zip(input).zip(stream) {
        *output = input ^ stream;
    }
}
