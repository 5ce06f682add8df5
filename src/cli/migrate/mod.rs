//! Tokens of other software, moved here: as they were, and with their PINs.

mod pins;
mod report;
mod softhsm;
mod target;

use clap::Subcommand;
use engine::Engine;

use crate::{answer::Answer, fault::Fault};

#[derive(Subcommand)]
pub(crate) enum MigrateVerb {
    /// Makes a token of every token of SoftHSM 2: the same label, PINs and objects. SoftHSM's files are only read; stop the
    /// programs that use them.
    Softhsm(softhsm::SoftHsm),
}

pub(crate) fn run(engine: &Engine, verb: MigrateVerb) -> Result<Answer, Fault> {
    match verb {
        MigrateVerb::Softhsm(asked) => softhsm::from_softhsm(engine, &asked),
    }
}
