//! What the module does to its tokens when it is killed, when its files are damaged, when its process forks and
//! when the disk is full. Everything goes through the C ABI, in processes of its own.
//!
//! `STRONGROOM_TORTURE=<seconds>` says how long each test goes on; `make torture` takes a minute for each.
//! `STRONGROOM_TEST_SEED` repeats a run's choices, as far as processes can be repeated.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation, clippy::print_stdout)] // What a test counts is small, and is told.

#[path = "../raw/mod.rs"]
mod raw;

mod damage;
mod fork;
mod full;
mod guess;
mod kill;
mod object;
mod process;
mod residue;
mod share;

use std::env;

/// What a worker process does: this executable again, with `process::ROLE` in its environment.
#[test]
#[ignore = "the other tests start it, in processes of their own"]
fn worker() {
    let Ok(role) = env::var(process::ROLE) else { return };
    match role.as_str() {
        "make a token" => object::make_token(),
        "change PINs" => kill::change_pins(),
        "try tokens" => kill::try_tokens(),
        "fill" => damage::fill(),
        "change" => damage::change(),
        "inspect" => damage::inspect(),
        "check and change" => kill::check_and_change(),
        "fork under threads" => fork::fork_under_threads(),
        "list" => fork::list(),
        "guess" => guess::guess(),
        "right pin" => guess::right_pin(),
        "unlock" => guess::unlock(),
        "share" => share::share(),
        "share as siblings" => share::share_as_siblings(),
        "take turns" => share::take_turns(),
        "make readable keys" => residue::make_readable_keys(),
        "use and search" => residue::use_and_search(),
        "fill the disk" => full::fill_the_disk(),
        "use" => full::use_once(),
        other => panic!("there is no role {other}"),
    }
}
