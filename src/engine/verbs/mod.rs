//! What can be asked of the engine, a file for each chapter of the specification's functions.

mod adoption;
mod attestation;
mod audit;
mod backup;
mod decryption;
mod derivation;
mod digest;
mod dual;
mod encryption;
mod generation;
mod key_usage;
mod lifecycle;
mod login;
mod messages;
mod objects;
mod random;
mod search;
mod sessions;
mod signature;
mod slots;
#[cfg(test)]
mod tests;
mod uses;
mod verification;
mod versions;
mod wrap;

pub use adoption::{Adoptable, Witness};
pub use backup::{Over, Restored, Standing};
pub use lifecycle::PendingKey;
pub use login::User;
pub use messages::MessagePart;
pub use objects::View;
