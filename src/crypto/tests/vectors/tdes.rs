//! Triple DES: what SP 800-67 and SP 800-38B print, and the `openssl` command as a second implementation.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use strongroom_crypto::{
    Error, SUITE,
    aes::Cipher,
    tdes::{Mode, TdesKey},
};

use crate::hex;

/// The keys of SP 800-38B, D.4 and D.5.
const THREE: &str = "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5";
const TWO: &str = "4cf15134a2850dd58a3d10ba80570d38";

fn key(bytes: &[u8]) -> std::sync::Arc<dyn TdesKey> {
    (SUITE.tdes)(bytes).unwrap()
}

fn whole(mut cipher: Box<dyn Cipher>, input: &[u8]) -> Result<Vec<u8>, Error> {
    let mut output = vec![0; cipher.once_len(input.len())];
    let len = cipher.once(input, &mut output)?;
    output.truncate(len);
    Ok(output)
}

#[test]
fn tdes_agrees_with_sp_800_67() {
    let key = key(&hex("0123456789abcdef23456789abcdef01456789abcdef0123"));
    let (message, expected) = (b"The qufck brown fox jump", hex("a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900"));
    assert_eq!(whole(key.encryptor(Mode::Ecb), message).unwrap(), expected);
    assert_eq!(whole(key.decryptor(Mode::Ecb), &expected).unwrap(), message);
}

#[test]
fn tdes_cmac_agrees_with_sp_800_38b() {
    let message = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    let cases = [
        (THREE, 0, "b7a688e122ffaf95"),
        (THREE, 8, "8e8f293136283797"),
        (THREE, 20, "743ddbe0ce2dc2ed"),
        (THREE, 32, "33e6b1092400eae5"),
        (TWO, 0, "bd2ebf9a3ba00361"),
        (TWO, 8, "4ff2ab813c53ce83"),
        (TWO, 20, "62dd1b471902bd4e"),
        (TWO, 32, "31b1e431dabc4eb8"),
    ];
    for (bytes, len, expected) in cases {
        let cmac = key(&hex(bytes)).cmac();
        let mut code = vec![0; cmac.output_len()];
        cmac.once(&message[..len], &mut code);
        assert_eq!(code, hex(expected), "{len} bytes");
        let mut running = cmac.start();
        message[..len].chunks(3).for_each(|part| running.update(part));
        running.finish(&mut code);
        assert_eq!(code, hex(expected), "{len} bytes in parts");
    }
}

fn openssl(cipher: &str, key: &[u8], iv: Option<&[u8]>, pad: bool, message: &[u8]) -> Vec<u8> {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut command = Command::new("openssl");
    command.args(["enc", "-e", cipher, "-K", &digits(key)]);
    command.args(iv.iter().flat_map(|iv| ["-iv".to_owned(), digits(iv)]));
    command.args((!pad).then_some("-nopad"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command openssl is there");
    child.stdin.take().unwrap().write_all(message).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn tdes_modes_agree_with_openssl() {
    let iv = b"01234567";
    for (digits, ecb, cbc) in [(THREE, "-des-ede3", "-des-ede3-cbc"), (TWO, "-des-ede", "-des-ede-cbc")] {
        let bytes = hex(digits);
        let key = key(&bytes);
        for len in [0, 1, 7, 8, 9, 16, 300] {
            let message: Vec<u8> = (0..len).map(|index: usize| (index * 7) as u8).collect();
            let made = whole(key.encryptor(Mode::CbcPad { iv }), &message).unwrap();
            assert_eq!(made, openssl(cbc, &bytes, Some(iv), true, &message), "{cbc} of {len} bytes, padded");
            assert_eq!(whole(key.decryptor(Mode::CbcPad { iv }), &made).unwrap(), message);
            if len % 8 != 0 {
                assert_eq!(whole(key.encryptor(Mode::Cbc { iv }), &message), Err(Error::InputLength));
                assert_eq!(whole(key.decryptor(Mode::Ecb), &message), Err(Error::CiphertextLength));
                continue;
            }
            let made = whole(key.encryptor(Mode::Cbc { iv }), &message).unwrap();
            assert_eq!(made, openssl(cbc, &bytes, Some(iv), false, &message), "{cbc} of {len} bytes");
            assert_eq!(whole(key.decryptor(Mode::Cbc { iv }), &made).unwrap(), message);
            let made = whole(key.encryptor(Mode::Ecb), &message).unwrap();
            assert_eq!(made, openssl(ecb, &bytes, None, false, &message), "{ecb} of {len} bytes");
        }
    }
}

#[test]
fn a_wrong_padding_of_a_short_block_is_noticed() {
    let key = key(&hex(THREE));
    for (last, right) in [(0, false), (1, true), (8, false), (9, false), (16, false)] {
        let sent = whole(key.encryptor(Mode::Ecb), &[1, 2, 3, 4, 5, 6, 7, last]).unwrap();
        let opened = whole(key.decryptor(Mode::CbcPad { iv: &[0; 8] }), &sent);
        assert_eq!(opened.is_ok(), right, "{last}");
    }
    assert!((SUITE.tdes)(&[0; 8]).is_err(), "that is DES");
}
