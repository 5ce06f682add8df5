//! What OpenSSL says of keys modulo a prime.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use types::{AttributeType, KeyType, MechanismType, ObjectClass, Params};

use super::fixture::{self, Pair, builder, bytes, row};
use crate::{der, mechanism::Signing, object::Origin};

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("strongroom-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    fn keys(&self, name: &str, pair: &Pair) -> [String; 2] {
        let public = der::public_key_info(&pair.public.attributes).unwrap().unwrap();
        let private = der::private_key_info(&pair.private.attributes).unwrap();
        [self.write(&format!("{name}.public"), &public), self.write(&format!("{name}.private"), &private)]
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all::<&Path>(&self.0);
    }
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().expect("the command openssl is there");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn openssl_agrees_on_the_same_secret() {
    let directory = Directory::new("dh");
    let [ours, theirs] = [fixture::dh_pair(), fixture::dh_pair()];
    let [public, _] = directory.keys("ours", &ours);
    let [_, private] = directory.keys("theirs", &theirs);
    // PKCS #3 gives a secret that is as long as the prime; without `dh_pad` OpenSSL leaves out zeros in front.
    let secret = openssl(&[
        "pkeyutl",
        "-derive",
        "-pkeyopt",
        "dh_pad:1",
        "-keyform",
        "DER",
        "-inkey",
        &private,
        "-peerform",
        "DER",
        "-peerkey",
        &public,
    ]);
    let row = row(MechanismType::DH_PKCS_DERIVE);
    let origin =
        Origin::Derived { always_sensitive: false, never_extractable: false, sensitive: false, extractable: true };
    let builder = builder(ObjectClass::SECRET_KEY, KeyType::GENERIC_SECRET, origin, vec![]).unwrap();
    let peer = Params::PublicValue(theirs.public.attributes.bytes(AttributeType::VALUE).unwrap().to_vec());
    let derived = row.derive.unwrap()(&ours.private, &peer, &builder).unwrap();
    assert_eq!(*derived, secret);
}

/// A number of a signature in DER.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    let sign: &[u8] = if number.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    [&[2, u8::try_from(sign.len() + number.len()).unwrap()], sign, number].concat()
}

#[test]
fn openssl_accepts_a_dsa_signature() {
    let directory = Directory::new("dsa");
    for (index, pair) in fixture::dsa_pairs().into_iter().enumerate() {
        let [public, _] = directory.keys(&index.to_string(), &pair);
        let message = bytes(1000);
        let signing = row(MechanismType::DSA_SHA256).sign.unwrap()(&pair.private, &Params::None).unwrap();
        let Signing::Stream(mut signer) = signing else { panic!("a message may come in parts") };
        let mut signature = vec![0; signer.signature_len()];
        signer.once(&message, &mut signature).unwrap();
        let (r, s) = signature.split_at(signature.len() / 2);
        let numbers = [integer(r), integer(s)].concat();
        let der = [&[0x30, u8::try_from(numbers.len()).unwrap()], &numbers[..]].concat();
        let (message, signature) = (directory.write("message", &message), directory.write("signature", &der));
        let said =
            openssl(&["dgst", "-sha256", "-verify", &public, "-keyform", "DER", "-signature", &signature, &message]);
        assert_eq!(said, b"Verified OK\n");
    }
}
