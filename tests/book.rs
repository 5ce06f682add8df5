//! A large book of uses: written by the module, checked and asked by the command. `STRONGROOM_BOOK` says how many entries it has; a
//! few thousand, where nothing says so. What it took is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::{
    process::Command,
    ptr,
    time::{Duration, Instant},
};

use cryptoki_sys::*;
use raw::{Module, mechanism, text};

const KEYS: usize = 50;

fn entries() -> u64 {
    std::env::var("STRONGROOM_BOOK").ok().map_or(5000, |text| text.parse().expect("STRONGROOM_BOOK is a number"))
}

/// What the command says, and how long it took.
fn strongroom(arguments: &[&str]) -> (serde_json::Value, Duration) {
    // Beside the tests' own directory.
    let directory = std::env::current_exe().unwrap().parent().unwrap().with_file_name("");
    let mut command = Command::new(directory.join("strongroom"));
    command.arg("--json").args(arguments);
    command.env("PIN", std::str::from_utf8(raw::USER_PIN).unwrap());
    command.env("SO_PIN", std::str::from_utf8(raw::OFFICER_PIN).unwrap());
    let begin = Instant::now();
    let output = command.output().unwrap();
    let took = begin.elapsed();
    assert!(output.status.success(), "{output:?}");
    (serde_json::from_slice(&output.stdout).unwrap(), took)
}

#[test]
fn a_large_book_is_checked_and_asked_for_the_uses_of_a_key() {
    let module = Module::new();
    strongroom(&["token", "set", "--use-audit", "each", "--so-pin", "env:SO_PIN"]);
    let session = module.session();
    let keys: Vec<_> = (0..KEYS).map(|_| raw::token_key(session)).collect();
    let all = entries();
    let begin = Instant::now();
    for number in 0..all {
        let key = keys[(number as usize * 7919) % KEYS];
        let mut ecb = mechanism(CKM_AES_ECB);
        assert_eq!(p11!(C_EncryptInit(session, &raw mut ecb, key)), CKR_OK);
        let (mut out, mut len) = ([0_u8; 16], 16);
        assert_eq!(p11!(C_Encrypt(session, text(&[1; 16]), 16, out.as_mut_ptr(), &raw mut len)), CKR_OK);
    }
    assert_eq!(p11!(C_Logout(session)), CKR_OK);
    let written = begin.elapsed();
    assert_eq!(p11!(C_Finalize(ptr::null_mut())), CKR_OK);

    let (told, verified) = strongroom(&["audit", "uses", "verify", "--pin", "env:PIN"]);
    assert_eq!((&told["data"]["whole"], &told["data"]["entries"]), (&true.into(), &all.into()));
    let (listed, _) = strongroom(&["audit", "uses", "list", "--pin", "env:PIN"]);
    let sums = listed["data"]["uses"].as_array().unwrap();
    assert_eq!(sums.len(), KEYS);
    assert_eq!(sums.iter().map(|sum| sum["uses"].as_u64().unwrap()).sum::<u64>(), all);
    let key = sums[0]["unique_id"].as_str().unwrap();
    let (of, asked) = strongroom(&["audit", "uses", "of", key, "--last", "100", "--pin", "env:PIN"]);
    let of = of["data"]["entries"].as_array().unwrap();
    assert_eq!(of.len(), 100.min(all as usize / KEYS));
    assert!(of.iter().all(|entry| entry["key"] == key));
    let (_, login) = strongroom(&["audit", "key", "--pin", "env:PIN"]);
    println!(
        "{all} entries: written in {written:.1?}, checked in {verified:.1?}, the last 100 of a key told in {asked:.1?}, of which the command without that takes {login:.1?}"
    );
}
