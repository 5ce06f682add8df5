//! GCM: whole messages by the AEAD interface with prepared keys, messages in parts by a cipher context.

use std::sync::{Arc, OnceLock};

use aws_lc_sys as ffi;

use super::{
    aes::Schedules,
    handle::{Owned, done, succeeded},
    stream::{Context, Direction},
};
use crate::{
    Error,
    aes::{BLOCK, Cipher},
    room,
};

type Aead = Owned<ffi::EVP_AEAD_CTX>;

/// A key's contexts, one for each length of tag, made when first used.
#[derive(Default)]
pub(super) struct Contexts([OnceLock<Aead>; BLOCK + 1]);

impl Contexts {
    fn of<'a>(&'a self, key: &[u8], tag_len: usize) -> Result<&'a Aead, Error> {
        let context = self.0.get(tag_len).ok_or(Error::Parameter)?;
        if let Some(aead) = context.get() {
            return Ok(aead);
        }
        // SAFETY: these take nothing and return a static, chosen by the key's length; the new context is ours.
        let aead = unsafe {
            let algorithm = match key.len() {
                16 => ffi::EVP_aead_aes_128_gcm(),
                24 => ffi::EVP_aead_aes_192_gcm(),
                _ => ffi::EVP_aead_aes_256_gcm(),
            };
            crate::keys(|| Owned::new(ffi::EVP_AEAD_CTX_new(algorithm, key.as_ptr(), key.len(), tag_len)))
        };
        Ok(context.get_or_init({
            let aead = aead.ok_or(Error::Fault)?;
            || aead
        }))
    }
}

pub(super) fn cipher(
    schedules: Arc<Schedules>,
    direction: Direction,
    iv: &[u8],
    aad: &[u8],
    tag_len: usize,
) -> Result<Box<dyn Cipher>, Error> {
    if iv.is_empty() || !matches!(tag_len, 4 | 8 | 12..=16) {
        return Err(Error::Parameter);
    }
    let mut iv_and_aad = Vec::new();
    room::append(&mut iv_and_aad, iv)?;
    room::append(&mut iv_and_aad, aad)?;
    let start = Start { schedules, iv_and_aad, iv_len: iv.len(), tag_len };
    Ok(match direction {
        Direction::Encrypt => Box::new(Encryption { start, running: None }),
        Direction::Decrypt => Box::new(Decryption { start, collected: Collected::default() }),
    })
}

/// What a message begins with.
struct Start {
    schedules: Arc<Schedules>,
    /// Together, for one allocation.
    iv_and_aad: Vec<u8>,
    iv_len: usize,
    tag_len: usize,
}

impl Start {
    fn aead(&self) -> Result<&Aead, Error> {
        self.schedules.gcm.of(&self.schedules.key, self.tag_len)
    }

    /// `output` is as long as `message` and the tag.
    fn seal(&self, message: &[u8], output: &mut [u8]) -> Result<(), Error> {
        let (iv, aad) = self.iv_and_aad.split_at(self.iv_len);
        let (ciphertext, tag) = output.split_at_mut(message.len());
        let (aead, mut tag_len) = (self.aead()?, 0);
        // SAFETY: all pointers and lengths are those of slices of ours; the ciphertext has the length of the
        // message, and a context may be used by several threads.
        done(unsafe {
            ffi::EVP_AEAD_CTX_seal_scatter(
                aead.as_ptr(),
                ciphertext.as_mut_ptr(),
                tag.as_mut_ptr(),
                &raw mut tag_len,
                tag.len(),
                iv.as_ptr(),
                iv.len(),
                message.as_ptr(),
                message.len(),
                [].as_ptr(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        })
    }

    /// Writes the message to the start of `output`, or zeroes if the tag is wrong.
    fn open(&self, ciphertext: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let (iv, aad) = self.iv_and_aad.split_at(self.iv_len);
        let len = ciphertext.len().checked_sub(self.tag_len).ok_or(Error::CiphertextLength)?;
        let (ciphertext, tag) = ciphertext.split_at(len);
        let (aead, output) = (self.aead()?, output.get_mut(..len).ok_or(Error::OutputLength)?);
        // SAFETY: as in `seal`; the output has the length of the ciphertext.
        let good = succeeded(unsafe {
            ffi::EVP_AEAD_CTX_open_gather(
                aead.as_ptr(),
                output.as_mut_ptr(),
                iv.as_ptr(),
                iv.len(),
                ciphertext.as_ptr(),
                ciphertext.len(),
                tag.as_ptr(),
                tag.len(),
                aad.as_ptr(),
                aad.len(),
            )
        });
        if good { Ok(len) } else { Err(Error::CiphertextInvalid) }
    }

    /// Decrypts into `output`, which has the length of the message; what is behind it in the blocks is the tag.
    /// Unless the answer is yes, what is in `output` must not be seen.
    fn open_blocks(&self, blocks: &[Vec<u8>], output: &mut [u8]) -> Result<bool, Error> {
        let (iv, aad) = self.iv_and_aad.split_at(self.iv_len);
        let mut context = Context::gcm(&self.schedules.key, Direction::Decrypt, iv, aad)?;
        let (mut rest, mut tag) = (output, Vec::with_capacity(self.tag_len));
        for block in blocks {
            let (ciphertext, behind) = block.split_at(block.len().min(rest.len()));
            let message = rest.split_off_mut(..ciphertext.len()).ok_or(Error::OutputLength)?;
            context.update(ciphertext, message)?;
            tag.extend_from_slice(behind);
        }
        context.opens(&mut tag)
    }
}

struct Encryption {
    start: Start,
    /// Made when the first part comes; a message in one step does not need it.
    running: Option<Context>,
}

impl Encryption {
    fn running(&mut self) -> Result<&mut Context, Error> {
        let (iv, aad) = self.start.iv_and_aad.split_at(self.start.iv_len);
        Ok(match &mut self.running {
            Some(context) => context,
            none => none.insert(Context::gcm(&self.start.schedules.key, Direction::Encrypt, iv, aad)?),
        })
    }
}

impl Cipher for Encryption {
    fn update_len(&self, len: usize) -> usize {
        len
    }

    fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let output = output.get_mut(..input.len()).ok_or(Error::OutputLength)?;
        self.running()?.update(input, output)?;
        Ok(input.len())
    }

    fn finish_len(&self) -> usize {
        self.start.tag_len
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        let tag = output.get_mut(..self.start.tag_len).ok_or(Error::OutputLength)?;
        self.running()?.tag(tag)?;
        Ok(tag.len())
    }

    fn once_len(&self, len: usize) -> usize {
        len.saturating_add(self.start.tag_len)
    }

    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let output = output.get_mut(..self.once_len(input.len())).ok_or(Error::OutputLength)?;
        self.start.seal(input, output)?;
        Ok(output.len())
    }
}

struct Decryption {
    start: Start,
    /// The ciphertext so far. Nothing is given out before its tag was checked.
    collected: Collected,
}

/// A ciphertext in the blocks that it came to lie in: one that grew would be copied again and again.
#[derive(Default)]
struct Collected {
    blocks: Vec<Vec<u8>>,
    len: usize,
}

impl Collected {
    /// What a block has room for at least.
    const ROOM: usize = 1 << 16;

    fn push(&mut self, part: &[u8]) -> Result<(), Error> {
        let free = self.blocks.last().map_or(0, |block| block.capacity() - block.len());
        let (here, next) = part.split_at(part.len().min(free));
        let next = if next.is_empty() { None } else { Some(Self::block(next)?) };
        self.blocks.try_reserve(1).map_err(|_| Error::Memory)?;
        if let Some(last) = self.blocks.last_mut() {
            last.extend_from_slice(here);
        }
        self.blocks.extend(next);
        self.len += part.len();
        Ok(())
    }

    fn block(part: &[u8]) -> Result<Vec<u8>, Error> {
        let mut block = Vec::new();
        block.try_reserve_exact(part.len().max(Self::ROOM)).map_err(|_| Error::Memory)?;
        block.extend_from_slice(part);
        Ok(block)
    }
}

impl Cipher for Decryption {
    fn update_len(&self, _len: usize) -> usize {
        0
    }

    fn update_hint(&self, len: usize) -> usize {
        len
    }

    fn update(&mut self, input: &[u8], _output: &mut [u8]) -> Result<usize, Error> {
        self.collected.push(input)?;
        Ok(0)
    }

    fn finish_len(&self) -> usize {
        self.once_len(self.collected.len)
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        let Self { start, collected } = self;
        if let [whole] = &collected.blocks[..] {
            return start.open(whole, output);
        }
        let len = collected.len.checked_sub(start.tag_len).ok_or(Error::CiphertextLength)?;
        let output = output.get_mut(..len).ok_or(Error::OutputLength)?;
        let good = start.open_blocks(&collected.blocks, output);
        if good != Ok(true) {
            output.fill(0);
        }
        if good? { Ok(len) } else { Err(Error::CiphertextInvalid) }
    }

    fn once_len(&self, len: usize) -> usize {
        len.saturating_sub(self.start.tag_len)
    }

    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        self.start.open(input, output)
    }
}
