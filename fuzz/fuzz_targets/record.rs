//! A record and its attributes.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run record`
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| strongroom_engine::fuzzing::record(bytes));
