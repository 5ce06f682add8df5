//! The sections of headers, one by one.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run sections`
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| strongroom_engine::fuzzing::sections(bytes));
