//! One SQLite file per token.
//!
//! | file | what it is |
//! | --- | --- |
//! | `<serial>.<slot>.token` | the token; with a `-wal` and a `-shm` beside it while it is in use |
//! | `<serial>.<slot>.seq` | a page of counters that rise with each commit: see `change_page` |
//! | `<serial>.<slot>.<name>.count` | a count, in the state directory; beside it the `.turn` that is locked meanwhile, and `.note` files |
//! | `<serial>.<slot>.uses` | uses of the token's keys, in the state directory: see `uses` |
//! | `slots` | which slot belongs to which token: see `slots` |
//! | `.lock` | held while a file is made or removed |
//!
//! The slot that a token asks for is in the name so that listing opens nothing: to open a SQLite file is to make files beside it.
//!
//! A token in use is not to be replaced by hand. Whoever has it open sees within a tenth of a second that it was
//! moved, removed or exchanged ([`Error::Missing`](crate::Error::Missing), [`Error::Damaged`](crate::Error::Damaged)),
//! but a file overwritten in its place (`cp backup x.token`) looks like a damaged one at best. To restore a copy of the file by
//! hand: stop its users, remove the `-wal` and the `-shm`, put the file there. [`TokenDirectory::restore`](crate::TokenDirectory::restore)
//! does it while it is in use: in one commit, which its users see as they see any other.
//!
//! # Fork
//! SQLite keeps its view of a process's locks in the process. A child that is forked while a token is open, and opens
//! it too, believes in locks that only its parent has, and can lose commits once the parent is gone. Hold a [`fork_guard`]
//! over the fork.

mod change_page;
mod connection;
mod counters;
mod database;
mod directory;
mod failure;
mod file;
mod fork_guard;
mod held_file;
mod patience;
mod schema;
mod slots;
mod snapshot;
mod store;
mod token_directory;
mod uses;

#[cfg(test)]
mod tests;

pub use fork_guard::{ForkGuard, fork_guard};
pub use held_file::{HeldFiles, held_files};
pub use token_directory::SqliteTokenDirectory;
