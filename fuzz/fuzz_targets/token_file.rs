//! What is read of a token file before anybody has logged in: headers, their sections, public attributes.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run token_file`
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_engine::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::token_header(bytes);
    fuzzing::attributes(bytes);
});
