//! ECB and CBC (SP 800-38A), of any block cipher, over whole runs of blocks so that the cipher can work on several at once.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::{Error, aes::Cipher, padding};

/// How many blocks are worked on in one step where a copy is needed.
const RUN: usize = 32;

/// A block cipher with its key, of blocks of so many bytes.
pub(super) trait BlockCipher<const N: usize>: Send + Sync + 'static {
    /// Encrypts each block by itself.
    fn encrypt(&self, blocks: &mut [[u8; N]]);

    /// Decrypts each block by itself.
    fn decrypt(&self, blocks: &mut [[u8; N]]);
}

/// How blocks are chained, and what happens to a broken one.
#[derive(Clone, Copy)]
pub(super) enum Chaining<'a, const N: usize> {
    Ecb,
    Cbc(&'a [u8; N]),
    CbcPad(&'a [u8; N]),
}

pub(super) fn encryptor<B: BlockCipher<N>, const N: usize>(
    cipher: Arc<B>,
    chaining: Chaining<'_, N>,
) -> Box<dyn Cipher> {
    match chaining {
        Chaining::Ecb => Box::new(Whole::new(EcbEncryption(cipher), Ending::Encryption)),
        Chaining::Cbc(iv) => Box::new(Whole::new(CbcEncryption { cipher, last: *iv }, Ending::Encryption)),
        Chaining::CbcPad(iv) => Box::new(Whole::new(CbcEncryption { cipher, last: *iv }, Ending::PaddedEncryption)),
    }
}

pub(super) fn decryptor<B: BlockCipher<N>, const N: usize>(
    cipher: Arc<B>,
    chaining: Chaining<'_, N>,
) -> Box<dyn Cipher> {
    match chaining {
        Chaining::Ecb => Box::new(Whole::new(EcbDecryption(cipher), Ending::Decryption)),
        Chaining::Cbc(iv) => Box::new(Whole::new(CbcDecryption { cipher, last: *iv }, Ending::Decryption)),
        Chaining::CbcPad(iv) => Box::new(Whole::new(CbcDecryption { cipher, last: *iv }, Ending::PaddedDecryption)),
    }
}

/// What is done to a run of blocks, in place.
trait Chain<const N: usize>: Send {
    fn run(&mut self, blocks: &mut [[u8; N]]);
}

struct EcbEncryption<B>(Arc<B>);

impl<B: BlockCipher<N>, const N: usize> Chain<N> for EcbEncryption<B> {
    fn run(&mut self, blocks: &mut [[u8; N]]) {
        self.0.encrypt(blocks);
    }
}

struct EcbDecryption<B>(Arc<B>);

impl<B: BlockCipher<N>, const N: usize> Chain<N> for EcbDecryption<B> {
    fn run(&mut self, blocks: &mut [[u8; N]]) {
        self.0.decrypt(blocks);
    }
}

struct CbcEncryption<B, const N: usize> {
    cipher: Arc<B>,
    /// The last block of ciphertext.
    last: [u8; N],
}

impl<B: BlockCipher<N>, const N: usize> Chain<N> for CbcEncryption<B, N> {
    fn run(&mut self, blocks: &mut [[u8; N]]) {
        for block in blocks {
            xor(block, &self.last);
            self.cipher.encrypt(std::slice::from_mut(block));
            self.last = *block;
        }
    }
}

struct CbcDecryption<B, const N: usize> {
    cipher: Arc<B>,
    /// The last block of ciphertext.
    last: [u8; N],
}

impl<B: BlockCipher<N>, const N: usize> Chain<N> for CbcDecryption<B, N> {
    fn run(&mut self, blocks: &mut [[u8; N]]) {
        let mut ciphertext = [[0; N]; RUN];
        for blocks in blocks.chunks_mut(RUN) {
            let ciphertext = &mut ciphertext[..blocks.len()];
            ciphertext.copy_from_slice(blocks);
            self.cipher.decrypt(blocks);
            for (plaintext, ciphertext) in blocks.iter_mut().zip(ciphertext) {
                xor(plaintext, &self.last);
                self.last = *ciphertext;
            }
        }
    }
}

/// What happens where the message ends.
#[derive(Clone, Copy)]
enum Ending {
    Encryption,
    PaddedEncryption,
    Decryption,
    PaddedDecryption,
}

/// A mode of whole blocks.
struct Whole<C, const N: usize> {
    chain: C,
    ending: Ending,
    partial: Zeroizing<[u8; N]>,
    held: usize,
}

impl<C: Chain<N>, const N: usize> Whole<C, N> {
    fn new(chain: C, ending: Ending) -> Self {
        Self { chain, ending, partial: Zeroizing::new([0; N]), held: 0 }
    }

    /// How many of `len` bytes can be worked on before the end is known.
    fn ready(&self, len: usize) -> usize {
        let known = match self.ending {
            // The last block has the padding, and may be the one that is there.
            Ending::PaddedDecryption => len.saturating_sub(1),
            Ending::Encryption | Ending::PaddedEncryption | Ending::Decryption => len,
        };
        known - known % N
    }

    /// How many bytes the end of a message adds to [`Whole::ready`], with `held` bytes left over.
    fn ending_len(&self, held: usize) -> usize {
        match self.ending {
            Ending::Encryption | Ending::Decryption => 0,
            Ending::PaddedEncryption => N,
            Ending::PaddedDecryption => held.min(N - 1),
        }
    }
}

impl<C: Chain<N>, const N: usize> Cipher for Whole<C, N> {
    fn update_len(&self, len: usize) -> usize {
        self.ready(self.held.saturating_add(len))
    }

    fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let len = self.update_len(input.len());
        let output = output.get_mut(..len).ok_or(Error::OutputLength)?;
        if len == 0 {
            self.partial[self.held..self.held + input.len()].copy_from_slice(input);
            self.held += input.len();
            return Ok(0);
        }
        let (now, later) = input.split_at(len - self.held);
        output[..self.held].copy_from_slice(&self.partial[..self.held]);
        output[self.held..].copy_from_slice(now);
        self.chain.run(output.as_chunks_mut().0);
        self.partial[..later.len()].copy_from_slice(later);
        self.held = later.len();
        Ok(len)
    }

    fn finish_len(&self) -> usize {
        self.ending_len(self.held)
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        if output.len() < self.finish_len() {
            return Err(Error::OutputLength);
        }
        match self.ending {
            Ending::Encryption if self.held == 0 => Ok(0),
            Ending::Encryption => Err(Error::InputLength),
            Ending::Decryption if self.held == 0 => Ok(0),
            Ending::Decryption => Err(Error::CiphertextLength),
            Ending::PaddedEncryption => {
                let padding = u8::try_from(N - self.held).map_err(|_| Error::Fault)?;
                self.partial[self.held..].fill(padding);
                self.chain.run(std::slice::from_mut(&mut *self.partial));
                output[..N].copy_from_slice(&*self.partial);
                Ok(N)
            }
            Ending::PaddedDecryption => {
                if self.held != N {
                    return Err(Error::CiphertextLength);
                }
                self.chain.run(std::slice::from_mut(&mut *self.partial));
                let message = padding::unpad_block(&self.partial).ok_or(Error::CiphertextInvalid)?;
                output[..message.len()].copy_from_slice(message);
                Ok(message.len())
            }
        }
    }

    fn once_len(&self, len: usize) -> usize {
        let ready = self.ready(len);
        ready.saturating_add(self.ending_len(len - ready))
    }

    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        once(self, input, output)
    }
}

/// A whole message, by parts.
pub(super) fn once(cipher: &mut dyn Cipher, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
    if output.len() < cipher.once_len(input.len()) {
        return Err(Error::OutputLength);
    }
    let len = cipher.update(input, output)?;
    Ok(len + cipher.finish(&mut output[len..])?)
}

pub(super) fn xor<const N: usize>(block: &mut [u8; N], other: &[u8; N]) {
    for (byte, other) in block.iter_mut().zip(other) {
        *byte ^= other;
    }
}
