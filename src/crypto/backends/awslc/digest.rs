//! SHA-1 and SHA-2 by their plain C contexts: no allocation but the one that the trait object needs, and a
//! copy is a copy of a hundred bytes.

use aws_lc_sys as ffi;
use zeroize::Zeroizing;

use super::handle::Wiped;
use crate::{Error, Hash, digest::Digest};

/// A hash function's context.
pub(super) trait Sha: Copy + Send + Sync + 'static {
    /// Length of a block of the compression function in bytes.
    const BLOCK: usize;
    /// Length of the output in bytes.
    const OUTPUT: usize;

    const HASH: Hash;

    fn new() -> Self;

    /// The bytes of the context.
    fn save(&self) -> Zeroizing<Vec<u8>>;

    /// The context that has these bytes; `None` if none of ours does.
    fn resume(bytes: &[u8]) -> Option<Self>;

    fn update(&mut self, data: &[u8]);

    /// Writes the digest to the start of `output`. The context holds nothing useful afterwards.
    fn finish(&mut self, output: &mut [u8]);
}

macro_rules! contexts {
    ($($name:ident($context:ident, $size:literal), $block:literal, $output:literal, $init:ident, $update:ident, $finish:ident;)*) => {$(
        #[derive(Clone, Copy)]
        pub(super) struct $name(ffi::$context);

        // Their return values are always 1.
        impl Sha for $name {
            const HASH: Hash = Hash::$name;
            const BLOCK: usize = $block;
            const OUTPUT: usize = $output;

            fn new() -> Self {
                let mut context = std::mem::MaybeUninit::zeroed();
                // SAFETY: the pointer is to a context of ours. It is integers only, so zeroes are a value of
                // it and `assume_init` relies on nothing else.
                unsafe {
                    ffi::$init(context.as_mut_ptr());
                    Self(context.assume_init())
                }
            }

            fn save(&self) -> Zeroizing<Vec<u8>> {
                const { assert!(size_of::<ffi::$context>() == $size, "the context has padding, or another form") };
                // SAFETY: the context is integers only, without padding, as the assertion says: each byte has a value.
                let bytes = unsafe { std::slice::from_raw_parts((&raw const self.0).cast::<u8>(), $size) };
                Zeroizing::new(bytes.to_vec())
            }

            fn resume(bytes: &[u8]) -> Option<Self> {
                let bytes: &[u8; $size] = bytes.try_into().ok()?;
                // SAFETY: the context is integers only, of as many bytes: every value of them is one of it.
                let context = unsafe { bytes.as_ptr().cast::<ffi::$context>().read_unaligned() };
                // How much of a block is there is an index into the block.
                (usize::try_from(context.num).ok()? < $block).then_some(Self(context))
            }

            fn update(&mut self, data: &[u8]) {
                // SAFETY: the context was initialised by `new`; pointer and length are those of one slice.
                unsafe { ffi::$update(&raw mut self.0, data.as_ptr().cast(), data.len()) };
            }

            fn finish(&mut self, output: &mut [u8]) {
                let output = &mut output[..$output];
                // SAFETY: the context was initialised by `new`, and the slice is as long as the digest.
                unsafe { ffi::$finish(output.as_mut_ptr(), &raw mut self.0) };
            }
        }
    )*};
}

contexts! {
    Sha1(SHA_CTX, 96), 64, 20, SHA1_Init, SHA1_Update, SHA1_Final;
    Sha224(SHA256_CTX, 112), 64, 28, SHA224_Init, SHA224_Update, SHA224_Final;
    Sha256(SHA256_CTX, 112), 64, 32, SHA256_Init, SHA256_Update, SHA256_Final;
    Sha384(SHA512_CTX, 216), 128, 48, SHA384_Init, SHA384_Update, SHA384_Final;
    Sha512(SHA512_CTX, 216), 128, 64, SHA512_Init, SHA512_Update, SHA512_Final;
}

pub(super) fn start(hash: Hash) -> Result<Box<dyn Digest>, Error> {
    Ok(match hash {
        Hash::Sha1 => running::<Sha1>(),
        Hash::Sha224 => running::<Sha224>(),
        Hash::Sha256 => running::<Sha256>(),
        Hash::Sha384 => running::<Sha384>(),
        Hash::Sha512 => running::<Sha512>(),
    })
}

pub(super) fn resume(hash: Hash, state: &[u8]) -> Result<Box<dyn Digest>, Error> {
    match hash {
        Hash::Sha1 => resumed::<Sha1>(state),
        Hash::Sha224 => resumed::<Sha224>(state),
        Hash::Sha256 => resumed::<Sha256>(state),
        Hash::Sha384 => resumed::<Sha384>(state),
        Hash::Sha512 => resumed::<Sha512>(state),
    }
}

fn running<S: Sha>() -> Box<dyn Digest> {
    Box::new(Running(Wiped(S::new())))
}

fn resumed<S: Sha>(state: &[u8]) -> Result<Box<dyn Digest>, Error> {
    Ok(Box::new(Running(Wiped(S::resume(state).ok_or(Error::InputValue)?))))
}

/// Wiped, as keys are digested too.
struct Running<S: Sha>(Wiped<S>);

impl<S: Sha> Digest for Running<S> {
    fn output_len(&self) -> usize {
        S::OUTPUT
    }

    fn update(&mut self, data: &[u8]) {
        self.0.0.update(data);
    }

    fn hash(&self) -> Hash {
        S::HASH
    }

    fn save(&self) -> Zeroizing<Vec<u8>> {
        self.0.0.save()
    }

    fn finish(&mut self, output: &mut [u8]) {
        self.0.0.finish(output);
        self.0.0 = S::new();
    }
}

/// The library's description of a hash function, for its own paddings.
pub(super) fn descriptor(hash: Hash) -> *const ffi::EVP_MD {
    // SAFETY: these take nothing and return a static.
    unsafe {
        match hash {
            Hash::Sha1 => ffi::EVP_sha1(),
            Hash::Sha224 => ffi::EVP_sha224(),
            Hash::Sha256 => ffi::EVP_sha256(),
            Hash::Sha384 => ffi::EVP_sha384(),
            Hash::Sha512 => ffi::EVP_sha512(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::awslc::tests::hex;

    fn digest(hash: Hash, parts: &[&[u8]]) -> Vec<u8> {
        let mut running = start(hash).unwrap();
        for part in parts {
            running.update(part);
        }
        let mut output = vec![0; running.output_len()];
        running.finish(&mut output);
        output
    }

    #[test]
    fn the_examples_of_fips_180_come_out() {
        for (hash, expected) in [
            (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Hash::Sha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Hash::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                Hash::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            assert_eq!(digest(hash, &[b"abc"]), hex(expected), "{hash:?}");
            assert_eq!(hash.output_len(), digest(hash, &[]).len());
        }
    }

    #[test]
    fn parts_give_what_the_whole_gives() {
        let message: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for hash in Hash::ALL {
            let whole = digest(hash, &[&message]);
            for size in [1, 7, 63, 64, 65, 128, 999] {
                assert_eq!(digest(hash, &message.chunks(size).collect::<Vec<_>>()), whole, "{hash:?} by {size}");
            }
        }
    }

    #[test]
    fn finish_starts_again() {
        let mut running = start(Hash::Sha256).unwrap();
        running.update(b"abc");
        let (mut one, mut again) = ([0; 32], [0; 32]);
        running.finish(&mut one);
        running.update(b"ax");
        running.finish(&mut again);
        assert_eq!(one[..], digest(Hash::Sha256, &[b"abc"]));
        assert_eq!(again[..], digest(Hash::Sha256, &[b"ax"]), "finish starts an empty message");
    }
}
