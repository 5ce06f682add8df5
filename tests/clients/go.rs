//! Go: miekg/pkcs11, and crypto11, which is built upon it.

use std::{path::Path, process::Command};

use crate::{
    guide,
    store::{Store, USER_PIN, project, succeeded},
};

/// How many checks `tests/clients/go` makes.
const CHECKS: usize = 3406;

#[test]
fn go_does_everything_that_its_libraries_offer() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-client");
    let mut build = Command::new("timeout");
    build.args(["500", "go", "build", "-mod=readonly", "-buildvcs=false", "-o"]).arg(&program).arg(".");
    succeeded(build.current_dir(project("tests/clients/go")));

    let store = Store::with_token("go");
    let said = succeeded(store.command("timeout").arg("120").arg(program).env("PIN", USER_PIN));
    assert_eq!(said.lines().last(), Some(format!("{CHECKS} checks").as_str()), "{said}");

    // Another program finds what Go left: one pair with its certificate. The private key cannot leave the token.
    let objects = store.succeeds(&["-l", "--pin", USER_PIN, "-O"]);
    assert_eq!(objects.matches(" Object").count(), 3, "{objects}");
    assert_eq!(objects.matches("label:      kept").count(), 3, "{objects}");
    assert!(objects.contains("sensitive, always sensitive, never extractable, local"), "{objects}");
}

#[test]
fn the_guide_to_go_can_be_followed() {
    // The user's own caches, so that Go's library is compiled once and the proxy is asked once; and the cache of modules is
    // write-protected, so that it would stay behind in the guide's home.
    let caches = ["GOCACHE", "GOMODCACHE"].map(|name| {
        let value = succeeded(Command::new("go").args(["env", name]));
        (name, value.trim().to_owned())
    });
    let said = guide::follow_with("go", &caches);
    assert!(said.contains("localhost") && said.contains("Verified OK"), "{said}");
}
