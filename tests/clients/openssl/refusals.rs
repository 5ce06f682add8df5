//! Without the right PIN, or for a key that is not there, OpenSSL says so and ends.

use std::process::Stdio;

use super::bench::{Bench, P256, Way};

fn refusals(way: Way) {
    let bench = Bench::new("refusals", way);
    bench.key(P256);
    bench.write("wrong", "4321");
    // The provider has a PIN of its own configuration, and takes that if there is none in the URI.
    let configuration = String::from_utf8(bench.read("token.cnf")).unwrap();
    let without_pin = configuration.lines().filter(|line| !line.starts_with("pkcs11-module-token-pin"));
    bench.write("token.cnf", &without_pin.collect::<Vec<_>>().join("\n"));

    let right = bench.options("sign", "keyform", P256);
    let signs = |options: &str| {
        let mut command = bench.with_token(&format!("dgst -sha256 {options} -out signature message"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap_or_else(|| panic!("{options}: {} {text}", output.status)), text)
    };
    assert_eq!(signs(&right).0, 0);
    for (is, was) in [
        (format!("id=%{P256}"), "id=%77"),
        ("token=test".to_owned(), "token=another"),
        (bench.path("pin").display().to_string(), &*bench.path("wrong").display().to_string()),
        (bench.path("pin").display().to_string(), "/nonexistent"),
    ] {
        let wrong = right.replace(&is, was);
        assert_ne!(wrong, right);
        let (code, text) = signs(&wrong);
        assert!((1..10).contains(&code), "{wrong}: {code} {text}");
    }
    // One wrong PIN does no harm.
    assert_eq!(signs(&right).0, 0);
    assert!(
        bench.plain(&format!("dgst -sha256 -verify {P256}.pub -signature signature message")).contains("Verified OK")
    );
}

#[test]
fn a_wrong_pin_or_name_is_refused_through_the_engine() {
    refusals(Way::Engine);
}

#[test]
fn a_wrong_pin_or_name_is_refused_through_the_provider() {
    refusals(Way::Provider);
}
