//! Real programs do their work with the module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

mod alarms;
mod cache;
mod ceremony;
mod custody;
mod go;
mod guide;
mod java;
mod lifecycle;
mod node;
mod openssl;
mod other_modules;
mod pkcs11_tool;
mod policy;
mod python;
mod services;
mod softhsm;
mod store;

use std::{path::Path, process::Command};

use store::module;

#[test]
fn the_demo_succeeds() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/run");
    let output = Command::new(demo).arg(module()).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
}

#[test]
fn only_functions_of_the_specification_are_exported() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(module()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(names.len(), 104, "every function of 3.2");
    assert!(names.iter().all(|name| name.starts_with("C_")), "{names:?}");
}
