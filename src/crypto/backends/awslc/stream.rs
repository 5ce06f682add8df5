//! AWS-LC's own cipher contexts, for what its plain functions do not offer: ECB over many blocks, and GCM
//! in parts.

use std::ffi::c_int;
use std::ptr;

use aws_lc_sys as ffi;

use super::handle::{Owned, done};
use crate::Error;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Encrypt,
    Decrypt,
}

/// The library takes lengths as `int`. This is below its limit, and whole blocks.
const CALL: usize = 1 << 30;

pub(super) struct Context(Owned<ffi::EVP_CIPHER_CTX>);

impl Context {
    /// ECB over whole blocks.
    pub(super) fn ecb(key: &[u8], direction: Direction) -> Result<Self, Error> {
        // SAFETY: these take nothing and return a static.
        let cipher = unsafe {
            match key.len() {
                16 => ffi::EVP_aes_128_ecb(),
                24 => ffi::EVP_aes_192_ecb(),
                _ => ffi::EVP_aes_256_ecb(),
            }
        };
        let encrypting = c_int::from(direction == Direction::Encrypt);
        let mut context = Self::new()?;
        context.init(cipher, Some(key), None, encrypting)?;
        // SAFETY: the context is initialised and ours.
        done(unsafe { ffi::EVP_CIPHER_CTX_set_padding(context.0.as_mut_ptr(), 0) })?;
        Ok(context)
    }

    /// GCM. The nonce is not empty.
    pub(super) fn gcm(key: &[u8], direction: Direction, iv: &[u8], aad: &[u8]) -> Result<Self, Error> {
        // SAFETY: these take nothing and return a static.
        let cipher = unsafe {
            match key.len() {
                16 => ffi::EVP_aes_128_gcm(),
                24 => ffi::EVP_aes_192_gcm(),
                _ => ffi::EVP_aes_256_gcm(),
            }
        };
        let iv_len = c_int::try_from(iv.len()).map_err(|_| Error::Parameter)?;
        let encrypting = c_int::from(direction == Direction::Encrypt);
        let mut context = Self::new()?;
        context.init(cipher, Some(key), None, encrypting)?;
        context.control(ffi::EVP_CTRL_AEAD_SET_IVLEN, iv_len, ptr::null_mut())?;
        context.init(ptr::null(), None, Some(iv), encrypting)?;
        for aad in aad.chunks(CALL) {
            let (mut put, len) = (0, c_int::try_from(aad.len()).map_err(|_| Error::Parameter)?);
            let context = context.0.as_mut_ptr();
            // SAFETY: no output means that the input, a slice of ours, is authenticated only.
            done(unsafe { ffi::EVP_CipherUpdate(context, ptr::null_mut(), &raw mut put, aad.as_ptr(), len) })?;
        }
        Ok(context)
    }

    fn new() -> Result<Self, Error> {
        // SAFETY: what the constructor returns is ours.
        unsafe { Owned::new(ffi::EVP_CIPHER_CTX_new()) }.map(Self).ok_or(Error::Fault)
    }

    /// `key` and `iv` have the lengths that the context expects by now.
    fn init(
        &mut self,
        cipher: *const ffi::EVP_CIPHER,
        key: Option<&[u8]>,
        iv: Option<&[u8]>,
        encrypting: c_int,
    ) -> Result<(), Error> {
        let [key, iv] = [key, iv].map(|bytes| bytes.map_or(ptr::null(), <[u8]>::as_ptr));
        let context = self.0.as_mut_ptr();
        // SAFETY: the context is ours, `cipher` null or a static; lengths are our callers' promise, who chose
        // the cipher by the key's length and have set that of the nonce.
        done(unsafe { ffi::EVP_CipherInit_ex(context, cipher, ptr::null_mut(), key, iv, encrypting) })
    }

    fn control(&mut self, command: c_int, arg: c_int, data: *mut u8) -> Result<(), Error> {
        // SAFETY: our callers give `data` of `arg` bytes to the commands that use it.
        done(unsafe { ffi::EVP_CIPHER_CTX_ctrl(self.0.as_mut_ptr(), command, arg, data.cast()) })
    }

    /// Input and output of one length; for ECB, whole blocks.
    pub(super) fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<(), Error> {
        for (input, output) in input.chunks(CALL).zip(output[..input.len()].chunks_mut(CALL)) {
            let len = c_int::try_from(input.len()).map_err(|_| Error::Fault)?;
            let (context, mut put) = (self.0.as_mut_ptr(), 0);
            // SAFETY: two slices of ours of one length. Neither GCM nor ECB without padding holds anything
            // back of whole blocks, so no more is written than was read.
            done(unsafe { ffi::EVP_CipherUpdate(context, output.as_mut_ptr(), &raw mut put, input.as_ptr(), len) })?;
            if put != len {
                return Err(Error::Fault);
            }
        }
        Ok(())
    }

    /// Ends a GCM encryption; `tag` is as long as the tag shall be, at most a block.
    pub(super) fn tag(&mut self, tag: &mut [u8]) -> Result<(), Error> {
        let len = c_int::try_from(tag.len()).map_err(|_| Error::Fault)?;
        self.end()?;
        self.control(ffi::EVP_CTRL_AEAD_GET_TAG, len, tag.as_mut_ptr())
    }

    /// Ends a GCM decryption: whether `tag` is the one of what was decrypted.
    pub(super) fn opens(mut self, tag: &mut [u8]) -> Result<bool, Error> {
        let len = c_int::try_from(tag.len()).map_err(|_| Error::Fault)?;
        self.control(ffi::EVP_CTRL_AEAD_SET_TAG, len, tag.as_mut_ptr())?;
        Ok(self.end().is_ok())
    }

    fn end(&mut self) -> Result<(), Error> {
        let (context, mut end, mut put) = (self.0.as_mut_ptr(), [0; 16], 0);
        // SAFETY: GCM has nothing to put out at the end, and if it had, it would be less than a block.
        done(unsafe { ffi::EVP_CipherFinal_ex(context, end.as_mut_ptr(), &raw mut put) })
    }
}
