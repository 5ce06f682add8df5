//! OpenSSL with keys of a token: through the engine of libp11, and through pkcs11-provider. Whatever the token has made is
//! checked by OpenSSL alone, which is given no more than a public key or a certificate.

mod authority;
mod bench;
mod ends;
mod inside;
mod keys;
mod messages;
mod nginx;
mod order;
mod packages;
mod refusals;
mod tls;
mod workers;

use crate::guide;

#[test]
fn the_guide_to_openssl_can_be_followed() {
    let said = guide::follow("openssl");
    for what in ["Verified OK", "server.pem: OK", "Verify return code: 0 (ok)", "CMS Verification successful"] {
        assert!(said.contains(what), "{what}: {said}");
    }
}
