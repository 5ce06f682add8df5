//! Tokens of other software, moved here: as they were, and with their PINs.

mod foreign;
mod pins;
mod pkcs11;
mod proof;
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
    /// Makes a token of one in another software's PKCS#11 module: of all that the module gives away, and of keys that it wraps.
    /// What may not leave it is named, and stays there.
    Pkcs11(pkcs11::Pkcs11),
    /// Makes a token of a database of NSS (Firefox, certutil, 389-DS): its keys and certificates. The database is only read.
    Nss(pkcs11::Nss),
}

pub(crate) fn run(engine: &Engine, verb: MigrateVerb) -> Result<Answer, Fault> {
    match verb {
        MigrateVerb::Softhsm(asked) => softhsm::from_softhsm(engine, &asked),
        MigrateVerb::Pkcs11(asked) => pkcs11::from_pkcs11(engine, &asked),
        MigrateVerb::Nss(asked) => pkcs11::from_nss(engine, &asked),
    }
}
