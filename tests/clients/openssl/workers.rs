//! Servers fork their workers after they have loaded the key.

use super::bench::{Bench, P256, RSA, Way};
use crate::store::succeeded;

const WORKERS: usize = 8;
const THREADS: usize = 4;
const SIGNATURES: usize = 12;

fn workers(way: Way) {
    let bench = Bench::new("workers", way);
    let program = bench.compiled("workers");
    for id in [RSA, P256] {
        bench.key(id);
        let mut command = bench.store.command("timeout");
        command.arg("60").arg(&program).arg(format!("{way:?}").to_lowercase()).arg(bench.uri(id));
        command.arg(format!("{id}.pub")).args([WORKERS, THREADS, SIGNATURES].map(|number| number.to_string()));
        let said = succeeded(command.env("OPENSSL_CONF", bench.path("token.cnf")));
        let all = WORKERS * THREADS * SIGNATURES;
        assert_eq!(said.trim(), format!("{all} signatures of workers"));
    }
}

#[test]
fn eight_workers_that_are_forked_with_a_key_of_the_engine_sign_at_once() {
    workers(Way::Engine);
}

#[test]
fn eight_workers_that_are_forked_with_a_key_of_the_provider_sign_at_once() {
    workers(Way::Provider);
}
