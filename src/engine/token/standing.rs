//! What can be told of a token without anybody's PIN: how new it is, and how new this machine has seen it.

use store::{Counters, Durability, Head, Serial};

use super::{Role, WITNESS, token_header::TokenHeader, witness::Witness};
use crate::Error;

/// The epoch of a head.
///
/// # Errors
/// Those of a header that is damaged or of another release.
pub(crate) fn epoch(head: &Head, serial: &Serial) -> Result<u64, Error> {
    Ok(TokenHeader::decode(&head.clear, serial)?.epoch)
}

/// The newest epoch and revision that this machine has seen of a token, as far as that can be believed without a key.
pub(crate) fn seen(counters: &dyn Counters) -> Result<Option<(u64, u64)>, Error> {
    Ok(counters.note(WITNESS)?.as_deref().and_then(Witness::claim))
}

/// The name of the note of an older state that was accepted.
pub(super) const ACCEPTED: &str = "accepted";

/// The epoch and revision of the last older state of a token that was accepted on this machine. A backup of what was newer then does
/// not follow from it.
pub(crate) fn accepted(counters: &dyn Counters) -> Result<Option<(u64, u64)>, Error> {
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
    let note = counters.note(ACCEPTED)?;
    Ok(note
        .as_deref()
        .and_then(|note| note.split_at_checked(8))
        .and_then(|(epoch, revision)| Some((number(epoch)?, number(revision)?))))
}

/// Begins to count wrong PINs of a token that is new here. Where there is a count, it stays.
///
/// # Errors
/// Those of the store.
pub(crate) fn forgive(counters: &dyn Counters) -> Result<(), Error> {
    for role in [Role::Officer, Role::User] {
        if counters.count(&role.counter())?.is_none() {
            counters.set(&role.counter(), 0, Durability::Power)?;
        }
    }
    Ok(())
}
