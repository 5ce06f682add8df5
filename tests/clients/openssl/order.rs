//! Providers in another order than the guide's.

use super::bench::{Bench, P256, RSA, Way};

// pkcs11-provider's threads with SoftHSM: its module asks the libcrypto that it shares with its host, and that asks the module.
#[test]
fn the_provider_that_is_loaded_first_does_not_ask_itself() {
    let bench = Bench::new("order", Way::Provider);
    for id in [RSA, P256] {
        bench.key(id);
    }
    let guide = String::from_utf8(bench.read("token.cnf")).unwrap();
    let first = guide.replacen("default = software\npkcs11 = pkcs11\n", "pkcs11 = pkcs11\ndefault = software\n", 1);
    assert_ne!(first, guide);
    for configuration in [guide, first] {
        bench.write("token.cnf", &configuration);
        for id in [RSA, P256] {
            bench.token(&format!("storeutl -text -noout {}", bench.uri(id)));
            let key = bench.options("sign", "keyform", id);
            bench.token(&format!("dgst -sha256 {key} -out signature message"));
            bench.plain(&format!("dgst -sha256 -verify {id}.pub -signature signature message"));
            let key = bench.options("inkey", "keyform", id);
            bench.token(&format!("pkeyutl -sign -digest sha256 -rawin {key} -in message -out signature"));
            bench.plain(&format!("dgst -sha256 -verify {id}.pub -signature signature message"));
        }
    }
}
