//! A token header whose checksum fits.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run token_header`
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| strongroom_engine::fuzzing::token_header(bytes));
