//! The rings of the design: an import points down, and unsafe code is where it may be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{fs, path::Path};

/// Each crate with those of ours that it may depend on.
const RINGS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("crypto", &["memory"]),
    ("memory", &[]),
    ("store", &["memory"]),
    ("engine", &["types", "crypto", "store", "memory", "softhsm"]),
    ("softhsm", &["types"]),
    ("foreign", &[]),
    ("abi", &["types", "engine", "memory"]),
    ("cli", &["types", "engine", "memory", "softhsm", "foreign"]),
    ("softhsm-util", &["types", "engine", "memory"]),
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

#[test]
fn an_import_points_down() {
    for (name, allowed) in RINGS {
        let manifest = read(&format!("src/{name}/Cargo.toml"));
        // What tests use is not imported.
        let manifest = manifest.split("[dev-dependencies]").next().unwrap();
        for (other, _) in RINGS {
            let imported = manifest
                .lines()
                .any(|line| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ")));
            assert!(!imported || allowed.contains(other), "{name} must not depend on {other}");
        }
    }
}

#[test]
fn unsafe_code_is_where_it_may_be() {
    for name in ["types", "store", "engine", "softhsm"] {
        assert!(read(&format!("src/{name}/lib.rs")).contains("#![forbid(unsafe_code)]"), "{name}");
    }
    for root in [
        "src/lib.rs",
        "src/cli/main.rs",
        "src/softhsm-util/main.rs",
        "src/softhsm-util/keyconv/main.rs",
        "src/softhsm-util/dump_file/main.rs",
    ] {
        assert!(read(root).contains("#![forbid(unsafe_code)]"), "{root}");
    }
    assert!(read("src/memory/lib.rs").contains("#![deny(unsafe_code)]"));
    assert_eq!(read("src/memory/lib.rs").matches("allow(unsafe_code)").count(), 2, "for pages and allocators");
    assert!(read("src/crypto/lib.rs").contains("#![deny(unsafe_code)]"));
    assert_eq!(read("src/crypto/backends/mod.rs").matches("allow(unsafe_code)").count(), 1, "for the C library alone");
    assert!(read("src/foreign/lib.rs").contains("#![deny(unsafe_code)]"));
    assert_eq!(read("src/foreign/lib.rs").matches("allow(unsafe_code").count(), 1, "for the pointer of C_Initialize");
}
