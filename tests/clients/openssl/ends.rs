//! A program comes to its end, in whatever order it and its libraries do so.

use std::fs;

use super::bench::{Bench, P256, Way};
use crate::store::module;

/// What the program is told to do, and the words that it says then.
const ORDERS: &[(&str, &str)] = &[
    ("return", "signed"),
    ("exit", "signed"),
    ("_exit", "signed"),
    ("quick_exit", "signed"),
    ("let go", "signed"),
    ("cleanup", "signed"),
    ("let go and cleanup", "signed"),
    ("let go, cleanup and _exit", "signed"),
    ("a signature at exit", "signed at exit"),
    ("let go at exit", "signed let go"),
    ("both at exit", "signed at exit let go"),
    ("after a thread", "signed thread"),
    ("exit in a thread", "signed thread"),
    ("module first, closed last", "module signed"),
    ("module first and finalized", "module signed"),
    ("module last, closed at once", "signed module"),
    ("module last, let go, closed", "signed module"),
    ("a child exits", "signed child"),
    ("a child signs and returns", "signed child"),
];

fn ends(way: Way) {
    let bench = Bench::new("ends", way);
    let program = bench.compiled("ends");
    bench.key(P256);
    for (order, words) in ORDERS {
        for (level, file) in [("", ""), ("debug", "log"), ("trace", "log"), ("trace", "")] {
            let mut command = bench.store.command("timeout");
            command.arg("30").arg(&program).arg(order).arg(format!("{way:?}").to_lowercase());
            command.arg(bench.uri(P256)).arg(format!("{P256}.pub")).arg(module());
            command.env("OPENSSL_CONF", bench.path("token.cnf"));
            command.env_remove("STRONGROOM_LOG").env_remove("STRONGROOM_LOG_FILE");
            if !level.is_empty() {
                command.env("STRONGROOM_LOG", level);
            }
            if !file.is_empty() {
                let _ = fs::remove_file(bench.path(file));
                command.env("STRONGROOM_LOG_FILE", bench.path(file));
            }
            let output = command.output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{order}, {level}: {} {errors}", output.status);
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), *words, "{order}, {level}: {errors}");
            let trace =
                if file.is_empty() { errors.into_owned() } else { fs::read_to_string(bench.path(file)).unwrap() };
            assert_eq!(trace.contains("C_SignInit CKR_OK"), !level.is_empty(), "{order}, {level}: {trace}");
        }
    }
}

#[test]
fn a_program_with_the_engine_ends_well_in_every_order() {
    ends(Way::Engine);
}

#[test]
fn a_program_with_the_provider_ends_well_in_every_order() {
    ends(Way::Provider);
}
