//! The command as its users run it. It is one program because each one more takes as long to link as its tests to run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

mod alarms;
mod attestation;
mod audit;
mod backup;
mod bad_input;
mod byok;
mod certificates;
mod doctor;
mod envelope;
mod ephemeral;
mod help;
mod issuing;
mod keys;
mod labels;
mod metrics;
mod migrating;
mod modules;
mod policy;
mod prompts;
mod report;
mod rotation;
mod settings;
mod signing;
mod strangers;
mod token;
mod top;
mod transfer;
mod uses;
mod words;

#[path = "../../../softhsm/tests/converted/mod.rs"]
mod converted;
#[path = "../store/mod.rs"]
mod store;
