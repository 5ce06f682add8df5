//! What is inside seals: a ring, the sections of the sealed header.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run sealed`
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| strongroom_engine::fuzzing::sealed(bytes));
