//! Tokens of NSS and of SoftHSM's module are moved as the guide says (libnss3-tools, softhsm2, opensc).

use std::{fs, process::Command};

use crate::{
    guide,
    store::{Store, succeeded},
};

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A database of NSS in `db`, and a token of SoftHSM with a key that may leave. The guide's PINs.
const SCRIPT: &str = "
mkdir db softhsm; printf 12345678 >password; head -c 100 /dev/urandom >noise
certutil -N -d sql:db -f password
certutil -S -d sql:db -f password -z noise -n web -s CN=web -x -t u,u,u -k ec -q nistp256 >/dev/null 2>&1
echo \"directories.tokendir = $PWD/softhsm\" >\"$SOFTHSM2_CONF\"
softhsm2-util --init-token --free --label old --so-pin 87654321 --pin 12345678
pkcs11-tool --module \"$MODULE\" --login --pin 12345678 --keygen --key-type aes:32 --label aes --extractable --sensitive
";

#[test]
fn tokens_of_other_modules_are_moved_as_the_guide_says() {
    let place = Store::new("other-modules");
    let home = fs::canonicalize(&place.0).unwrap();
    let conf = home.join("softhsm2.conf").display().to_string();
    let mut shell = Command::new("sh");
    shell.args(["-ec", SCRIPT]).current_dir(&home).env("SOFTHSM2_CONF", &conf).env("MODULE", SOFTHSM);
    succeeded(&mut shell);
    let said = guide::follow_with(
        "other-modules",
        &[
            ("DATABASE", home.join("db").display().to_string()),
            ("SOFTHSM2_CONF", conf),
            ("MODULE", SOFTHSM.to_owned()),
            ("TOKEN", "old".to_owned()),
        ],
    );
    for what in ["private key CKK_EC", "secret key CKK_AES", "Nothing was written.", "sign, derive, verify"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(!said.contains("left behind"), "{said}");
}
