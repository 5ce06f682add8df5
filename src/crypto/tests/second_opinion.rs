//! Every primitive of one backend against the other, with random inputs. In a portable build there is one
//! backend, and it must at least agree with itself.
//!
//! The inputs come from a seed that a failing test prints; `STRONGROOM_TEST_SEED` makes it the same again.

// Here a panic is how a rule says that it is broken, as in any test.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_possible_truncation
)]

use std::sync::{Arc, LazyLock};

use strongroom_crypto::{
    Error, Hash, SUITE, Suite,
    aes::{AesKey, BLOCK, Cipher, KeyWrap, Mode},
    backends, ec, edwards,
    mac::MacKey,
    montgomery,
    rsa::{CrtParts, KeyPair, Oaep, PrivateKey, PrivateParts, Pss},
};

/// Each backend with another one.
fn pairs() -> Vec<(&'static Suite, &'static Suite)> {
    #[cfg(feature = "awslc")]
    let (one, other) = (&backends::awslc::SUITE, &backends::rustcrypto::SUITE);
    #[cfg(not(feature = "awslc"))]
    let (one, other) = (&backends::rustcrypto::SUITE, &SUITE);
    vec![(one, other), (other, one)]
}

/// SplitMix64: nothing here is secret.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = match std::env::var("STRONGROOM_TEST_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => {
                let mut seed = [0; 8];
                (SUITE.random)(&mut seed).unwrap();
                u64::from_le_bytes(seed)
            }
        };
        println!("STRONGROOM_TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap()
    }

    /// Lengths that add up to `len`, some of them 0.
    fn pieces(&mut self, len: usize) -> Vec<usize> {
        let most = [1, 7, 16, 17, 48, 700][self.below(6)];
        let mut pieces = Vec::new();
        let mut left = len;
        while left > 0 {
            let piece = self.below(most + 1).min(left);
            pieces.push(piece);
            left -= piece;
        }
        pieces
    }
}

/// Lengths around the edges of blocks, and long ones.
const LENGTHS: [usize; 22] =
    [0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 111, 112, 127, 128, 129, 1000, 4097];

fn digest(suite: &Suite, hash: Hash, message: &[u8]) -> Vec<u8> {
    let mut output = vec![0; hash.output_len()];
    let mut digest = (suite.digest)(hash).unwrap();
    digest.update(message);
    digest.finish(&mut output);
    output
}

#[test]
fn a_digest_is_the_same_however_the_message_is_cut() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for hash in Hash::ALL {
            let mut running = (one.digest)(hash).unwrap();
            assert_eq!(running.output_len(), hash.output_len());
            for len in LENGTHS {
                let message = random.bytes(len);
                let expected = digest(other, hash, &message);
                let mut at = 0;
                for piece in random.pieces(len) {
                    running.update(&message[at..at + piece]);
                    at += piece;
                }
                let mut output = vec![0; hash.output_len() + 1];
                running.finish(&mut output);
                assert_eq!(output[..hash.output_len()], expected, "{hash:?} of {len} bytes");
                assert_eq!(output[hash.output_len()], 0, "no byte behind the digest is written");
            }
            let mut output = vec![0; hash.output_len()];
            running.finish(&mut output);
            assert_eq!(output, digest(other, hash, b""), "after the digest, the message is empty again");
        }
    }
}

fn code(key: &dyn MacKey, message: &[u8]) -> Vec<u8> {
    let mut code = vec![0; key.output_len()];
    key.once(message, &mut code);
    code
}

fn check_codes(one: &dyn MacKey, other: &dyn MacKey, random: &mut Random) {
    assert_eq!(one.output_len(), other.output_len());
    for len in LENGTHS {
        let message = random.bytes(len);
        let mut running = one.start();
        let mut at = 0;
        for piece in random.pieces(len) {
            running.update(&message[at..at + piece]);
            at += piece;
        }
        let mut parts = vec![0; one.output_len()];
        running.finish(&mut parts);
        assert_eq!(parts, code(other, &message), "in pieces and at once");
        assert_eq!(parts, code(one, &message), "a key can be used again");
    }
}

#[test]
fn hmac_is_the_same_in_both() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for hash in Hash::ALL {
            for key_len in [0, 1, 20, 63, 64, 65, 127, 128, 129, 300] {
                let key = random.bytes(key_len);
                let (one, other) = ((one.hmac)(hash, &key).unwrap(), (other.hmac)(hash, &key).unwrap());
                check_codes(&*one, &*other, &mut random);
            }
        }
    }
}

#[test]
fn cmac_is_the_same_in_both() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for (one, other) in aes_keys(one, other, &mut random) {
            check_codes(&*one.cmac(), &*other.cmac(), &mut random);
        }
    }
}

type AesKeys = (Arc<dyn AesKey>, Arc<dyn AesKey>);

fn aes_keys(one: &Suite, other: &Suite, random: &mut Random) -> Vec<AesKeys> {
    let prepare = |len| {
        let key = random.bytes(len);
        ((one.aes)(&key).unwrap(), (other.aes)(&key).unwrap())
    };
    [16, 24, 32].map(prepare).into()
}

#[test]
fn aes_has_three_key_sizes() {
    for (suite, _) in pairs() {
        for len in (0..16).chain(17..24).chain(25..32).chain(33..65) {
            assert_eq!((suite.aes)(&vec![1; len]).err(), Some(Error::KeySize), "{} takes {len} bytes", suite.name);
        }
    }
}

fn once(mut cipher: Box<dyn Cipher>, input: &[u8]) -> Result<Vec<u8>, Error> {
    let mut output = vec![0; cipher.once_len(input.len())];
    let len = cipher.once(input, &mut output)?;
    output.truncate(len);
    Ok(output)
}

/// In pieces, each into a buffer of the promised length, after one that is too short.
fn parts(mut cipher: Box<dyn Cipher>, input: &[u8], random: &mut Random) -> Result<Vec<u8>, Error> {
    let mut output = Vec::new();
    let mut at = 0;
    for piece in random.pieces(input.len()) {
        let piece = &input[at..at + piece];
        at += piece.len();
        let len = cipher.update_len(piece.len());
        let mut part = vec![0; len];
        if let Some(short) = len.checked_sub(1) {
            let refused = cipher.update(piece, &mut part[..short]);
            assert_eq!(refused, Err(Error::OutputLength), "a short buffer is refused, and nothing has happened");
            assert_eq!(part, vec![0; len], "what is refused writes nothing");
        }
        assert_eq!(cipher.update(piece, &mut part)?, len, "the promised length is exact");
        output.extend(part);
    }
    let mut rest = vec![0; cipher.finish_len()];
    let len = cipher.finish(&mut rest)?;
    output.extend(&rest[..len]);
    Ok(output)
}

fn check_mode(keys: &AesKeys, mode: Mode<'_>, len: usize, random: &mut Random) {
    let (one, other) = keys;
    let message = random.bytes(len);
    let expected = once(one.encryptor(mode).unwrap(), &message).unwrap();
    let encrypted = parts(other.encryptor(mode).unwrap(), &message, random).unwrap();
    assert_eq!(encrypted, expected, "{mode:?} encrypts {len} bytes in pieces and at once");
    let decrypted = once(other.decryptor(mode).unwrap(), &expected).unwrap();
    assert_eq!(decrypted, message, "{mode:?} decrypts {len} bytes at once");
    let decrypted = parts(one.decryptor(mode).unwrap(), &expected, random).unwrap();
    assert_eq!(decrypted, message, "{mode:?} decrypts {len} bytes in pieces");
}

#[test]
fn block_modes_are_the_same_in_both_and_in_any_pieces() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for keys in aes_keys(one, other, &mut random) {
            for len in LENGTHS {
                let iv = &random.array();
                check_mode(&keys, Mode::CbcPad { iv }, len, &mut random);
                let whole = len - len % BLOCK;
                check_mode(&keys, Mode::Ecb, whole, &mut random);
                check_mode(&keys, Mode::Cbc { iv }, whole, &mut random);
            }
        }
    }
}

#[test]
fn counter_mode_is_the_same_in_both_and_in_any_pieces() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for keys in aes_keys(one, other, &mut random) {
            for len in LENGTHS {
                let mut block: [u8; BLOCK] = random.array();
                for counter_bits in [9, 16, 31, 32, 33, 64, 96, 127, 128] {
                    check_mode(&keys, Mode::Ctr { block: &block, counter_bits }, len, &mut random);
                    // Soon the counter wraps around, and the bits above it stay.
                    block[2..].fill(0xff);
                    block[15] = 0xfe;
                    check_mode(&keys, Mode::Ctr { block: &block, counter_bits }, len, &mut random);
                }
            }
        }
    }
}

#[test]
fn a_counter_is_never_used_twice() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        let keys = &aes_keys(one, other, &mut random)[0];
        for counter_bits in [1, 2, 3, 5, 8, 9] {
            let mode = Mode::Ctr { block: &random.array(), counter_bits };
            let room = BLOCK << counter_bits;
            check_mode(keys, mode, room, &mut random);
            check_mode(keys, mode, room - 5, &mut random);

            let message = random.bytes(room + 1);
            let mut output = vec![0; room + 1];
            let refused = keys.0.encryptor(mode).unwrap().once(&message, &mut output);
            assert_eq!(refused, Err(Error::Exhausted), "{counter_bits} bits count no further");
            assert_eq!(output, vec![0; room + 1], "what is refused writes nothing");

            let mut cipher = keys.0.encryptor(mode).unwrap();
            cipher.update(&message[..room - 3], &mut output).unwrap();
            cipher.update(&message[..3], &mut output).unwrap();
            assert_eq!(cipher.update(&[0], &mut output), Err(Error::Exhausted));
        }
        let block = random.array();
        for counter_bits in [0, 129, u32::MAX] {
            let mode = Mode::Ctr { block: &block, counter_bits };
            assert_eq!(keys.0.encryptor(mode).err(), Some(Error::Parameter));
            assert_eq!(keys.0.decryptor(mode).err(), Some(Error::Parameter));
        }
    }
}

#[test]
fn gcm_is_the_same_in_both_with_any_iv_and_tag() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for keys in aes_keys(one, other, &mut random) {
            for (index, len) in LENGTHS.into_iter().enumerate() {
                for iv_len in [1, 8, 11, 12, 13, 15, 16, 17, 32, 60, 256] {
                    let (iv, aad) = (random.bytes(iv_len), random.bytes(LENGTHS[(index * 7 + iv_len) % 20]));
                    let tag_len = [4, 8, 12, 13, 14, 15, 16][random.below(7)];
                    check_mode(&keys, Mode::Gcm { iv: &iv, aad: &aad, tag_len }, len, &mut random);
                }
            }
        }
    }
}

#[test]
fn gcm_of_many_parts_is_the_same_wherever_the_tag_begins() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        let (one, other) = aes_keys(one, other, &mut random).remove(2);
        let (iv, aad, tag_len) = (random.bytes(12), random.bytes(20), 16);
        let mode = Mode::Gcm { iv: &iv, aad: &aad, tag_len };
        for len in (65_500..65_560).chain(131_050..131_080) {
            let message = random.bytes(len);
            let mut sealed = once(one.encryptor(mode).unwrap(), &message).unwrap();
            let parts = [1, 15, 4096, 50_000, 65_536, 70_000, sealed.len()];
            for forged in [false, true] {
                let index = random.below(sealed.len());
                sealed[index] ^= u8::from(forged);
                let mut cipher = other.decryptor(mode).unwrap();
                let (mut rest, mut output) = (&sealed[..], vec![0; sealed.len()]);
                while !rest.is_empty() {
                    let part = parts[random.below(parts.len())].max(rest.len() / 8).min(rest.len());
                    assert_eq!(cipher.update(rest.split_off(..part).unwrap(), &mut output), Ok(0));
                }
                if forged {
                    assert_eq!(cipher.finish(&mut output), Err(Error::CiphertextInvalid));
                    assert_eq!(output, vec![0; sealed.len()], "a forgery gives nothing");
                } else {
                    assert_eq!(cipher.finish(&mut output), Ok(len));
                    assert_eq!(output[..len], message);
                }
            }
        }
    }
}

#[test]
fn gcm_gives_nothing_before_the_tag_was_found_right() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for (one, other) in aes_keys(one, other, &mut random) {
            for tag_len in [4, 8, 12, 13, 14, 15, 16] {
                let (iv, aad, message) = (random.bytes(12), random.bytes(20), random.bytes(100));
                let mode = Mode::Gcm { iv: &iv, aad: &aad, tag_len };
                let sealed = once(one.encryptor(mode).unwrap(), &message).unwrap();
                assert_eq!(sealed.len(), message.len() + tag_len);
                for _ in 0..20 {
                    let mut sealed = sealed.clone();
                    let index = random.below(sealed.len());
                    sealed[index] ^= 1 << random.below(8);
                    let mut output = vec![0; sealed.len()];
                    let opened = other.decryptor(mode).unwrap().once(&sealed, &mut output);
                    assert_eq!(opened, Err(Error::CiphertextInvalid));
                    assert_eq!(output, vec![0; sealed.len()], "a forgery gives nothing");
                    let mut cipher = other.decryptor(mode).unwrap();
                    assert_eq!(cipher.update_len(sealed.len()), 0);
                    assert_eq!(cipher.update(&sealed, &mut output), Ok(0));
                    assert_eq!(cipher.finish(&mut output), Err(Error::CiphertextInvalid));
                    assert_eq!(output, vec![0; sealed.len()], "a forgery gives nothing");
                }
                for wrong in [
                    Mode::Gcm { iv: &aad, aad: &aad, tag_len },
                    Mode::Gcm { iv: &iv, aad: &iv, tag_len },
                    Mode::Gcm { iv: &iv, aad: &[], tag_len },
                ] {
                    let opened = once(other.decryptor(wrong).unwrap(), &sealed);
                    assert_eq!(opened, Err(Error::CiphertextInvalid));
                }
                for len in 0..tag_len {
                    let opened = once(other.decryptor(mode).unwrap(), &sealed[..len]);
                    assert_eq!(opened, Err(Error::CiphertextLength), "{len} bytes have no tag of {tag_len}");
                }
            }
            for (iv, tag_len) in
                [(&[][..], 16), (&[1], 0), (&[1], 3), (&[1], 5), (&[1], 7), (&[1], 9), (&[1], 11), (&[1], 17)]
            {
                let mode = Mode::Gcm { iv, aad: &[], tag_len };
                assert_eq!(one.encryptor(mode).err(), Some(Error::Parameter), "IV {iv:?}, tag of {tag_len}");
                assert_eq!(one.decryptor(mode).err(), Some(Error::Parameter), "IV {iv:?}, tag of {tag_len}");
            }
        }
    }
}

#[test]
fn broken_blocks_are_refused() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for (one, _) in aes_keys(one, other, &mut random) {
            let iv = &random.array();
            for mode in [Mode::Ecb, Mode::Cbc { iv }, Mode::CbcPad { iv }] {
                for len in [1, 15, 17, 31, 100] {
                    let data = random.bytes(len);
                    if !matches!(mode, Mode::CbcPad { .. }) {
                        assert_eq!(once(one.encryptor(mode).unwrap(), &data), Err(Error::InputLength));
                        assert_eq!(parts(one.encryptor(mode).unwrap(), &data, &mut random), Err(Error::InputLength));
                    }
                    assert_eq!(once(one.decryptor(mode).unwrap(), &data), Err(Error::CiphertextLength));
                    assert_eq!(parts(one.decryptor(mode).unwrap(), &data, &mut random), Err(Error::CiphertextLength));
                }
            }
            let padded = Mode::CbcPad { iv };
            assert_eq!(once(one.decryptor(padded).unwrap(), &[]), Err(Error::CiphertextLength));
            for pad in 0..=u8::MAX {
                // A last block of all lengths, and one with a wrong byte before the last.
                for wrong in [false, true] {
                    let mut block = [pad; BLOCK];
                    block[BLOCK - 2] ^= u8::from(wrong);
                    let ciphertext = once(one.encryptor(Mode::Cbc { iv }).unwrap(), &block).unwrap();
                    let right = matches!((pad, wrong), (1, _) | (2..=16, false));
                    let expected = if right {
                        Ok(block[..BLOCK - usize::from(pad)].to_vec())
                    } else {
                        Err(Error::CiphertextInvalid)
                    };
                    assert_eq!(once(one.decryptor(padded).unwrap(), &ciphertext), expected);
                    assert_eq!(parts(one.decryptor(padded).unwrap(), &ciphertext, &mut random), expected);
                }
            }
        }
    }
}

#[test]
fn keys_are_wrapped_the_same_in_both_with_any_initial_value() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for (one, other) in aes_keys(one, other, &mut random) {
            let kw = [KeyWrap::Kw(KeyWrap::KW_IV), KeyWrap::Kw(random.array())];
            let kwp = [KeyWrap::Kwp(KeyWrap::KWP_IV), KeyWrap::Kwp(random.array())];
            for len in (0..=100).chain([1000, 4096]) {
                let key = random.bytes(len);
                for how in kw.into_iter().chain(kwp) {
                    let takes = match how {
                        KeyWrap::Kw(_) => len >= 16 && len % 8 == 0,
                        KeyWrap::Kwp(_) => len >= 1,
                    };
                    let wrapped = one.wrap(how, &key);
                    assert_eq!(wrapped, other.wrap(how, &key));
                    let Ok(wrapped) = wrapped else {
                        assert_eq!(wrapped, Err(Error::InputLength));
                        assert!(!takes, "{how:?} takes {len} bytes");
                        continue;
                    };
                    assert!(takes, "{how:?} does not take {len} bytes");
                    assert_eq!(*other.unwrap(how, &wrapped).unwrap(), key);
                    let mut forged = wrapped.clone();
                    forged[random.below(wrapped.len())] ^= 1 << random.below(8);
                    assert_eq!(other.unwrap(how, &forged).err(), Some(Error::CiphertextInvalid));
                    let mut iv = how;
                    match &mut iv {
                        KeyWrap::Kw(iv) => iv[random.below(8)] ^= 1,
                        KeyWrap::Kwp(iv) => iv[random.below(4)] ^= 1,
                    }
                    assert_eq!(other.unwrap(iv, &wrapped).err(), Some(Error::CiphertextInvalid));
                }
                let data = random.bytes(len);
                for how in [kw[0], kwp[0]] {
                    let shortest = if matches!(how, KeyWrap::Kw(_)) { 24 } else { 16 };
                    let possible = len >= shortest && len % 8 == 0;
                    let expected = if possible { Error::CiphertextInvalid } else { Error::CiphertextLength };
                    assert_eq!(one.unwrap(how, &data).err(), Some(expected), "{how:?} of {len} bytes");
                }
            }
        }
    }
}

#[test]
fn curve_keys_made_by_one_work_in_the_other() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for curve in ec::Curve::ALL {
            let len = curve.field_len();
            let ec::KeyPair { scalar, point } = (one.ec_generate)(curve).unwrap();
            assert_eq!((scalar.len(), point.len(), point[0]), (len, 2 * len + 1, 4));
            let (mine, yours) =
                ((one.ec_private)(curve, &scalar).unwrap(), (other.ec_private)(curve, &scalar).unwrap());
            assert_eq!(mine.point(), point);
            assert_eq!(yours.point(), point);
            let public = (other.ec_public)(curve, &point).unwrap();
            let compressed = [&[2 + (point[2 * len] & 1)], &point[1..=len]].concat();
            let from_compressed = (other.ec_public)(curve, &compressed).unwrap();

            for digest_len in [0, 1, 20, 27, 28, 29, 32, 33, 48, 64, 65, 66, 67, 80, 132] {
                let digest = random.bytes(digest_len);
                let mut signature = vec![0; 2 * len + 1];
                let short = mine.sign(&digest, &mut signature[..2 * len - 1]);
                assert_eq!(short, Err(Error::OutputLength));
                assert_eq!(mine.sign(&digest, &mut signature), Ok(2 * len));
                let signature = &mut signature[..2 * len];
                assert_eq!(public.verify(&digest, signature), Ok(()), "{curve:?}, digest of {digest_len}");
                assert_eq!(from_compressed.verify(&digest, signature), Ok(()));
                let index = random.below(signature.len());
                signature[index] ^= 1 << random.below(8);
                assert_eq!(public.verify(&digest, signature), Err(Error::SignatureInvalid));
                for wrong in [0, 1, 2 * len - 1] {
                    assert_eq!(public.verify(&digest, &signature[..wrong]), Err(Error::SignatureLength));
                }
                assert_eq!(public.verify(&digest, &[&signature[..], &[0]].concat()), Err(Error::SignatureLength));
                assert_eq!(public.verify(&digest, &vec![0; 2 * len]), Err(Error::SignatureInvalid));
                assert_eq!(public.verify(&digest, &vec![0xff; 2 * len]), Err(Error::SignatureInvalid));
            }

            let peer = (other.ec_private)(curve, &(other.ec_generate)(curve).unwrap().scalar).unwrap();
            let secret = mine.agree(&peer.point()).unwrap();
            assert_eq!(secret.len(), len);
            assert_eq!(secret, peer.agree(&point).unwrap());
            assert_eq!(secret, peer.agree(&compressed).unwrap(), "a compressed point is the same point");
        }
    }
}

#[test]
fn only_the_bits_of_a_digest_that_count_are_signed() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for curve in ec::Curve::ALL {
            let ec::KeyPair { scalar, point } = (one.ec_generate)(curve).unwrap();
            let key = (one.ec_private)(curve, &scalar).unwrap();
            let public = (other.ec_public)(curve, &point).unwrap();
            let mut digest = random.bytes(curve.field_len() + 20);
            let mut signature = vec![0; 2 * curve.field_len()];
            key.sign(&digest, &mut signature).unwrap();
            let bits = curve.bits();
            digest[bits / 8] ^= 0x80 >> (bits % 8);
            assert_eq!(public.verify(&digest, &signature), Ok(()), "{curve:?}: the next bit does not count");
            digest[(bits - 1) / 8] ^= 0x80 >> ((bits - 1) % 8);
            assert_eq!(
                public.verify(&digest, &signature),
                Err(Error::SignatureInvalid),
                "{curve:?}: the last one does"
            );
        }
    }
}

#[test]
fn what_is_no_point_of_the_curve_is_refused() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for curve in ec::Curve::ALL {
            let len = curve.field_len();
            let ec::KeyPair { scalar, point } = (other.ec_generate)(curve).unwrap();
            let key = (one.ec_private)(curve, &scalar).unwrap();
            let refused = |point: &[u8], why: &str| {
                assert_eq!((one.ec_public)(curve, point).err(), Some(Error::KeyInvalid), "{curve:?}: {why}");
                assert_eq!(key.agree(point).err(), Some(Error::PeerInvalid), "{curve:?}: {why}");
            };
            refused(&[], "nothing");
            refused(&[0], "infinity");
            refused(&vec![0; 2 * len + 1], "infinity, filled up");
            refused(&[&[4][..], &vec![0; 2 * len]].concat(), "zero");
            refused(&[&[4][..], &vec![0xff; 2 * len]].concat(), "beyond the field");
            refused(&[&[2][..], &vec![0xff; len]].concat(), "compressed, beyond the field");
            refused(&[&[6 + (point[2 * len] & 1)], &point[1..]].concat(), "hybrid");
            refused(&[&[5], &point[1..=len]].concat(), "compact");
            refused(&point[1..], "without its first byte");
            refused(&point[..2 * len], "too short");
            refused(&[&point[..], &[0]].concat(), "too long");
            for _ in 0..10 {
                let mut point = point.clone();
                point[len + 1 + random.below(len)] ^= 1 << random.below(8);
                refused(&point, "beside the curve");
            }
        }
    }
}

#[test]
fn a_scalar_is_a_number() {
    for (one, other) in pairs() {
        for curve in ec::Curve::ALL {
            let len = curve.field_len();
            let padded = [&vec![0; len - 2][..], &[0x12, 0x34]].concat();
            let point = (other.ec_private)(curve, &padded).unwrap().point();
            for scalar in [&[0x12, 0x34][..], &[0, 0x12, 0x34], &padded, &[&[0; 5], &padded[..]].concat()] {
                assert_eq!((one.ec_private)(curve, scalar).unwrap().point(), point, "zeros before it do not count");
            }
            for scalar in [&[][..], &[0], &vec![0; len], &vec![0xff; len], &[&[1][..], &padded].concat()] {
                assert_eq!((one.ec_private)(curve, scalar).err(), Some(Error::KeyInvalid), "{curve:?} {scalar:?}");
            }
        }
    }
}

#[test]
fn ed25519_signs_the_same_in_both() {
    let mut random = Random::new();
    let curve = edwards::Curve::Ed25519;
    for (one, other) in pairs() {
        let edwards::KeyPair { seed, public } = (one.edwards_generate)(curve).unwrap();
        let (mine, yours) =
            ((one.edwards_private)(curve, &seed).unwrap(), (other.edwards_private)(curve, &seed).unwrap());
        assert_eq!(mine.public(), public);
        assert_eq!(yours.public(), public);
        let key = (other.edwards_public)(curve, &public).unwrap();
        for len in LENGTHS {
            let message = random.bytes(len);
            let mut signature = mine.sign(&message).unwrap();
            assert_eq!(signature.len(), curve.signature_len());
            assert_eq!(signature, yours.sign(&message).unwrap(), "Ed25519 has one signature of a message");
            assert_eq!(key.verify(&message, &signature), Ok(()));
            assert_eq!(key.verify(&message, &signature[1..]), Err(Error::SignatureLength));
            signature[random.below(64)] ^= 1 << random.below(8);
            assert_eq!(key.verify(&message, &signature), Err(Error::SignatureInvalid));
        }
        for len in [0, 31, 33, 64] {
            assert_eq!((one.edwards_private)(curve, &vec![1; len]).err(), Some(Error::KeyInvalid));
            assert_eq!((one.edwards_public)(curve, &vec![1; len]).err(), Some(Error::KeyInvalid));
        }
    }
}

#[test]
fn x25519_agrees_in_both() {
    let mut random = Random::new();
    let curve = montgomery::Curve::X25519;
    for (one, other) in pairs() {
        let montgomery::KeyPair { scalar, public } = (one.montgomery_generate)(curve).unwrap();
        let mine = (one.montgomery_private)(curve, &scalar).unwrap();
        assert_eq!(mine.public(), public);
        assert_eq!((other.montgomery_private)(curve, &scalar).unwrap().public(), public);
        for _ in 0..20 {
            let yours = (other.montgomery_private)(curve, &random.bytes(32)).unwrap();
            assert_eq!(mine.agree(&yours.public()).unwrap(), yours.agree(&public).unwrap());
        }
        for peer in [&[0; 32][..], &[], &public[1..], &[&public[..], &[0]].concat()] {
            assert_eq!(mine.agree(peer).err(), Some(Error::PeerInvalid));
        }
        for len in [0, 31, 33] {
            assert_eq!((one.montgomery_private)(curve, &vec![1; len]).err(), Some(Error::KeyInvalid));
        }
    }
}

/// RSA keys of which each backend has made some: usual ones, and of sizes and exponents where the paddings
/// meet an edge.
static RSA_KEYS: LazyLock<Vec<KeyPair>> = LazyLock::new(|| {
    let (one, other) = pairs()[0];
    let mut keys = Vec::new();
    for (suite, shift) in [(one, 0), (other, 8)] {
        for (bits, e) in
            [(1024, &[1, 0, 1][..]), (1536, &[3]), (1025 + shift, &[0, 17]), (1031 + shift, &[5, 0, 0, 0, 0, 0, 1])]
        {
            let pair = (suite.rsa_generate)(bits, e).unwrap();
            assert_eq!(bit_len(&pair.n), bits, "{} makes keys of the size that was asked for", suite.name);
            assert_eq!(pair.e, strip(e), "{} takes the exponent that was asked for", suite.name);
            assert!(
                pair.p.len() > pair.q.len() || pair.p[..] > pair.q[..],
                "{} puts the greater prime first",
                suite.name
            );
            keys.push(pair);
        }
    }
    keys
});

fn strip(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

fn bit_len(number: &[u8]) -> usize {
    let number = strip(number);
    8 * number.len() - number[0].leading_zeros() as usize
}

fn parts_of(pair: &KeyPair) -> PrivateParts<'_> {
    let KeyPair { n, e, d, p, q, dp, dq, qinv } = pair;
    PrivateParts { n, e, d, crt: Some(CrtParts { p, q, dp, dq, qinv }) }
}

/// A number below the modulus, and as long.
fn number_below(pair: &KeyPair, random: &mut Random) -> Vec<u8> {
    let mut number = random.bytes(pair.n.len());
    number[0] = 0;
    number
}

#[test]
fn rsa_keys_made_by_one_work_in_the_other() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for pair in RSA_KEYS.iter() {
            let size = pair.n.len();
            let (mine, yours) =
                ((one.rsa_private)(parts_of(pair)).unwrap(), (other.rsa_private)(parts_of(pair)).unwrap());
            let public = (other.rsa_public)(&pair.n, &pair.e).unwrap();
            assert_eq!((mine.size(), public.size()), (size, size));

            let number = number_below(pair, &mut random);
            let power = mine.raw(&number).unwrap();
            assert_eq!(power.len(), size);
            assert_eq!(power, yours.raw(&number).unwrap());
            assert_eq!(public.raw(&power).unwrap(), number, "one operation undoes the other");
            assert_eq!(mine.raw(&number[1..]).unwrap(), power, "a shorter number is the same number");

            for len in [0, 1, 20, 51, size - 11] {
                let data = random.bytes(len);
                let signature = mine.sign_pkcs1(&data).unwrap();
                assert_eq!(signature, yours.sign_pkcs1(&data).unwrap());
                assert_eq!(public.verify_pkcs1(&data, &signature), Ok(()));
                assert_eq!(public.verify_pkcs1(&data, &signature[1..]), Err(Error::SignatureLength));
                let refused = public.verify_pkcs1(&[&[0], &data[..]].concat(), &signature);
                assert_eq!(refused, Err(Error::SignatureInvalid), "one byte more is other data");
                let mut forged = signature.clone();
                forged[size - 1 - random.below(size / 2)] ^= 1 << random.below(8);
                assert_eq!(public.verify_pkcs1(&data, &forged), Err(Error::SignatureInvalid));

                let ciphertext = public.encrypt_pkcs1(&data).unwrap();
                assert_eq!(ciphertext.len(), size);
                assert_eq!(*mine.decrypt_pkcs1(&ciphertext).unwrap(), data);
                assert_ne!(ciphertext, public.encrypt_pkcs1(&data).unwrap(), "each encryption is another");
            }
        }
    }
}

#[test]
fn rsa_says_what_is_wrong_with_an_input() {
    for (one, _) in pairs() {
        for pair in RSA_KEYS.iter() {
            let size = pair.n.len();
            let (private, public) =
                ((one.rsa_private)(parts_of(pair)).unwrap(), (one.rsa_public)(&pair.n, &pair.e).unwrap());
            let oaep = Oaep { hash: Hash::Sha1, mgf: Hash::Sha1, label: &[] };
            let long = vec![0; size + 1];
            assert_eq!(private.raw(&long).err(), Some(Error::InputLength));
            assert_eq!(public.raw(&long).err(), Some(Error::InputLength));
            assert_eq!(private.raw(&pair.n).err(), Some(Error::InputValue));
            assert_eq!(public.raw(&pair.n).err(), Some(Error::InputValue));
            assert_eq!(private.sign_pkcs1(&long[..size - 10]).err(), Some(Error::InputLength));
            assert_eq!(public.verify_pkcs1(&long[..size - 10], &pair.n).err(), Some(Error::SignatureInvalid));
            assert_eq!(public.verify_pkcs1(&[1], &pair.n).err(), Some(Error::SignatureInvalid));
            assert_eq!(public.encrypt_pkcs1(&long[..size - 10]).err(), Some(Error::InputLength));
            assert_eq!(public.encrypt_oaep(oaep, &long[..size - 41]).err(), Some(Error::InputLength));
            for wrong in [&long[..], &long[..size - 1], &[]] {
                assert_eq!(private.decrypt_pkcs1(wrong).err(), Some(Error::CiphertextLength));
                assert_eq!(private.decrypt_oaep(oaep, wrong).err(), Some(Error::CiphertextLength));
            }
            assert_eq!(private.decrypt_pkcs1(&pair.n).err(), Some(Error::CiphertextInvalid));
            assert_eq!(private.decrypt_oaep(oaep, &pair.n).err(), Some(Error::CiphertextInvalid));

            let pss = Pss { hash: Hash::Sha256, mgf: Hash::Sha256, salt_len: 32 };
            assert_eq!(private.sign_pss(pss, &[0; 31]).err(), Some(Error::InputLength));
            assert_eq!(public.verify_pss(pss, &[0; 33], &pair.n).err(), Some(Error::InputLength));
            let most = (bit_len(&pair.n) - 1).div_ceil(8) - 34;
            for salt_len in [most + 1, size, usize::MAX] {
                let pss = Pss { salt_len, ..pss };
                assert_eq!(private.sign_pss(pss, &[0; 32]).err(), Some(Error::Parameter), "no room for {salt_len}");
                assert_eq!(public.verify_pss(pss, &[0; 32], &pair.n).err(), Some(Error::Parameter));
            }
            assert_eq!(public.verify_pss(pss, &[0; 32], &pair.n[1..]).err(), Some(Error::SignatureLength));
            assert_eq!(public.verify_pss(pss, &[0; 32], &pair.n).err(), Some(Error::SignatureInvalid));
        }
    }
}

#[test]
fn a_wrong_pkcs1_padding_gives_the_same_message_in_both() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for pair in RSA_KEYS.iter() {
            let (mine, yours) =
                ((one.rsa_private)(parts_of(pair)).unwrap(), (other.rsa_private)(parts_of(pair)).unwrap());
            let mut messages = Vec::new();
            for _ in 0..10 {
                let ciphertext = number_below(pair, &mut random);
                let message = mine.decrypt_pkcs1(&ciphertext).unwrap();
                assert_eq!(message, yours.decrypt_pkcs1(&ciphertext).unwrap());
                assert!(message.len() <= pair.n.len() - 11);
                messages.push(message);
            }
            assert!(messages.iter().any(|message| *message != messages[0]), "it depends on the ciphertext");
        }
    }
}

#[test]
fn pss_takes_all_pairs_of_hashes_and_all_lengths_of_salt() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for pair in RSA_KEYS.iter() {
            let (private, public) =
                ((one.rsa_private)(parts_of(pair)).unwrap(), (other.rsa_public)(&pair.n, &pair.e).unwrap());
            let room = (bit_len(&pair.n) - 1).div_ceil(8);
            for (hash, mgf) in Hash::ALL.into_iter().flat_map(|hash| Hash::ALL.map(|mgf| (hash, mgf))) {
                let digest = random.bytes(hash.output_len());
                let most = room - hash.output_len() - 2;
                for salt_len in [0, hash.output_len().min(most), most] {
                    let pss = Pss { hash, mgf, salt_len };
                    let mut signature = private.sign_pss(pss, &digest).unwrap();
                    assert_eq!(
                        public.verify_pss(pss, &digest, &signature),
                        Ok(()),
                        "{pss:?}, {} bits",
                        bit_len(&pair.n)
                    );
                    let other_salt = Pss { salt_len: if salt_len == 0 { 1 } else { salt_len - 1 }, ..pss };
                    let refused = public.verify_pss(other_salt, &digest, &signature);
                    assert_eq!(refused, Err(Error::SignatureInvalid), "{other_salt:?} is not {pss:?}");
                    signature[pair.n.len() - 1 - random.below(100)] ^= 1 << random.below(8);
                    assert_eq!(public.verify_pss(pss, &digest, &signature), Err(Error::SignatureInvalid));
                }
            }
        }
    }
}

#[test]
fn oaep_takes_all_pairs_of_hashes_and_all_labels() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for pair in RSA_KEYS.iter() {
            let (private, public) =
                ((one.rsa_private)(parts_of(pair)).unwrap(), (other.rsa_public)(&pair.n, &pair.e).unwrap());
            let size = pair.n.len();
            for (hash, mgf) in Hash::ALL.into_iter().flat_map(|hash| Hash::ALL.map(|mgf| (hash, mgf))) {
                let label_len = [0, 1, 100][random.below(3)];
                let label = random.bytes(label_len);
                let oaep = Oaep { hash, mgf, label: &label };
                let Some(most) = size.checked_sub(2 * hash.output_len() + 2) else {
                    assert_eq!(public.encrypt_oaep(oaep, &[]).err(), Some(Error::Parameter), "{hash:?} has no room");
                    assert_eq!(private.decrypt_oaep(oaep, &vec![0; size]).err(), Some(Error::Parameter));
                    continue;
                };
                let message_len = [0, most, most / 2][random.below(3)];
                let message = random.bytes(message_len);
                let ciphertext = public.encrypt_oaep(oaep, &message).unwrap();
                assert_eq!(ciphertext.len(), size);
                assert_eq!(*private.decrypt_oaep(oaep, &ciphertext).unwrap(), message, "{oaep:?}");
                let other_label = Oaep { label: b"another", ..oaep };
                assert_eq!(private.decrypt_oaep(other_label, &ciphertext).err(), Some(Error::CiphertextInvalid));
                let mut forged = ciphertext.clone();
                forged[size - 1 - random.below(100)] ^= 1 << random.below(8);
                assert_eq!(private.decrypt_oaep(oaep, &forged).err(), Some(Error::CiphertextInvalid));
            }
        }
    }
}

#[test]
fn an_rsa_key_works_with_the_numbers_that_it_has() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        for pair in RSA_KEYS.iter() {
            let all = parts_of(pair);
            let number = number_below(pair, &mut random);
            let expected = (other.rsa_private)(all).unwrap().raw(&number).unwrap();
            let check = |parts: PrivateParts<'_>, what: &str| {
                let key = (one.rsa_private)(parts).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(key.raw(&number).unwrap(), expected, "{what}");
            };
            check(PrivateParts { crt: None, ..all }, "without the primes");
            check(PrivateParts { e: &[], ..all }, "without the public exponent");
            check(PrivateParts { e: &[0, 0], ..all }, "with no public exponent that could be");
            if pair.e.len() < 4 {
                check(PrivateParts { e: &[], crt: None, ..all }, "with the modulus and the private exponent alone");
            }
            let crt = all.crt.unwrap();
            let zeros = |number: &[u8]| [&[0; 3], number].concat();
            let [n, e, d, p, q, dp, dq, qinv] =
                [all.n, all.e, all.d, crt.p, crt.q, crt.dp, crt.dq, crt.qinv].map(zeros);
            let crt = CrtParts { p: &p, q: &q, dp: &dp, dq: &dq, qinv: &qinv };
            check(PrivateParts { n: &n, e: &e, d: &d, crt: Some(crt) }, "with zeros before its numbers");
        }
    }
}

#[test]
fn rsa_numbers_that_contradict_each_other_are_refused() {
    for (one, _) in pairs() {
        for pair in RSA_KEYS.iter() {
            let all = parts_of(pair);
            let crt = all.crt.unwrap();
            // An even distance, so that what is odd stays odd.
            let other = |number: &[u8]| {
                let mut number = number.to_vec();
                let last = number.len() - 1;
                number[last] ^= 2;
                number
            };
            let refused = |parts: PrivateParts<'_>, what: &str| {
                let error = (one.rsa_private)(parts).err();
                assert_eq!(error, Some(Error::KeyInvalid), "{}: another {what}", one.name);
            };
            let [n, e, d, p, q, dp, dq, qinv] =
                [all.n, all.e, all.d, crt.p, crt.q, crt.dp, crt.dq, crt.qinv].map(other);
            refused(PrivateParts { n: &n, ..all }, "modulus");
            refused(PrivateParts { e: &e, ..all }, "public exponent");
            refused(PrivateParts { d: &d, ..all }, "private exponent");
            refused(PrivateParts { crt: Some(CrtParts { p: &p, ..crt }), ..all }, "first prime");
            refused(PrivateParts { crt: Some(CrtParts { q: &q, ..crt }), ..all }, "second prime");
            refused(PrivateParts { crt: Some(CrtParts { dp: &dp, ..crt }), ..all }, "first exponent");
            refused(PrivateParts { crt: Some(CrtParts { dq: &dq, ..crt }), ..all }, "second exponent");
            refused(PrivateParts { crt: Some(CrtParts { qinv: &qinv, ..crt }), ..all }, "coefficient");
            refused(PrivateParts { crt: Some(CrtParts { p: crt.q, q: crt.p, ..crt }), ..all }, "order of the primes");
            refused(PrivateParts { d: &[], ..all }, "private exponent, none");
            refused(PrivateParts { d: all.n, ..all }, "private exponent, too great");
            refused(PrivateParts { crt: Some(CrtParts { p: &[1], q: all.n, ..crt }), ..all }, "factor, one");
            refused(PrivateParts { n: &n, crt: None, ..all }, "modulus without primes");
            refused(PrivateParts { e: &e, crt: None, ..all }, "public exponent without primes");
            refused(PrivateParts { d: &d, crt: None, ..all }, "private exponent without primes");
            refused(PrivateParts { e: &[1], ..all }, "public exponent, one");
            refused(PrivateParts { e: &[2], ..all }, "public exponent, even");
        }
    }
}

#[test]
fn rsa_sizes_have_limits() {
    let mut random = Random::new();
    for (one, other) in pairs() {
        let mut n = random.bytes(2048);
        n[0] |= 0x80;
        n[2047] |= 1;
        let (mine, yours) = ((one.rsa_public)(&n, &[1, 0, 1]).unwrap(), (other.rsa_public)(&n, &[1, 0, 1]).unwrap());
        let number = [&[0], &random.bytes(2047)[..]].concat();
        assert_eq!(mine.raw(&number), yours.raw(&number), "16384 bits are not too many");

        let too_great = [&[1], &n[..]].concat();
        assert_eq!((one.rsa_public)(&too_great, &[3]).err(), Some(Error::KeySize));
        let mut small = n[..128].to_vec();
        small[127] |= 1;
        assert!((one.rsa_public)(&small, &[3]).is_ok());
        small[0] = 0x7f;
        assert_eq!((one.rsa_public)(&small, &[3]).err(), Some(Error::KeySize));
        let parts = PrivateParts { n: &small, e: &[3], d: &[3], crt: None };
        assert_eq!((one.rsa_private)(parts).err(), Some(Error::KeySize));
        for n in [&[][..], &[0], &[15]] {
            assert_eq!((one.rsa_public)(n, &[3]).err(), Some(Error::KeySize));
        }
        for bits in [0, 512, 1023, 16385, usize::MAX] {
            assert_eq!((one.rsa_generate)(bits, &[1, 0, 1]).err(), Some(Error::KeySize), "{bits} bits");
        }
        for e in [&[][..], &[0], &[1], &[2], &[4], &[1, 0, 0]] {
            assert_eq!((one.rsa_generate)(1024, e).err(), Some(Error::Parameter), "an exponent of {e:?}");
            assert_eq!((one.rsa_public)(&n, e).err(), Some(Error::KeyInvalid), "an exponent of {e:?}");
        }
        let mut even = n.clone();
        even[2047] &= 0xfe;
        assert_eq!((one.rsa_public)(&even, &[3]).err(), Some(Error::KeyInvalid));
        assert_eq!((one.rsa_public)(&n, &n).err(), Some(Error::KeyInvalid), "an exponent is below the modulus");
        let long = [&[0], &n[1..]].concat();
        let (mine, yours) = ((one.rsa_public)(&n, &long).unwrap(), (other.rsa_public)(&n, &long).unwrap());
        assert_eq!(mine.raw(&[2]), yours.raw(&[2]), "an exponent may be as long as the modulus");
    }
}

#[test]
fn rsa_keys_can_be_used_by_many_at_once() {
    let pair = &RSA_KEYS[0];
    for (one, other) in pairs() {
        let key: Arc<dyn PrivateKey> = (one.rsa_private)(parts_of(pair)).unwrap();
        let public = (other.rsa_public)(&pair.n, &pair.e).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let (key, public) = (&key, &public);
                scope.spawn(move || {
                    for round in 0..10 {
                        let signature = key.sign_pkcs1(&[thread, round]).unwrap();
                        assert_eq!(public.verify_pkcs1(&[thread, round], &signature), Ok(()));
                    }
                });
            }
        });
    }
}

#[test]
fn random_bytes_do_not_repeat() {
    for (one, _) in pairs() {
        let (mut first, mut second) = ([0; 64], [0; 64]);
        (one.random)(&mut first).unwrap();
        (one.random)(&mut second).unwrap();
        assert_ne!(first, second);
        assert!(first.chunks(8).chain(second.chunks(8)).all(|chunk| chunk != [0; 8]), "all of it was filled");
        (one.random)(&mut []).unwrap();
    }
}

#[test]
fn the_suite_of_the_module_has_all_curves() {
    for curve in ec::Curve::ALL {
        let ec::KeyPair { scalar, point } = (SUITE.ec_generate)(curve).unwrap();
        let key = (SUITE.ec_private)(curve, &scalar).unwrap();
        let mut signature = vec![0; 2 * curve.field_len()];
        key.sign(b"digest", &mut signature).unwrap();
        assert_eq!((SUITE.ec_public)(curve, &point).unwrap().verify(b"digest", &signature), Ok(()));
    }
}
