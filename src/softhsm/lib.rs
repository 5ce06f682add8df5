//! Reads the tokens of SoftHSM 2, which are in files or in a database of SQLite's, and nothing else: no file of theirs is
//! written, renamed or touched.
//!
//! [`token_directory`] reads where the tokens are, [`tokens`] lists them, [`Token::open`] takes a PIN, and
//! [`OpenToken::objects`] gives one object after the other, its private values decrypted. What does not read as SoftHSM
//! writes it is an error that names the file. The format has no checksum, so a change that leaves a file readable is not
//! noticed here.
//!
//! A file is read under the lock that SoftHSM takes for it. What other files say may have changed by then: a token is
//! read as it is at one time only if no program that uses it runs. A database is: who wants to write it waits meanwhile.
#![forbid(unsafe_code)]

mod backend;
mod cipher;
mod config;
mod database;
mod error;
mod file;
mod map;
mod object;
mod parse;
mod token;

pub use config::{Config, LogLevel, Mechanisms, config, has_tokens, slot_of, token_directory};
pub use error::Error;
pub use object::{Objects, SourceObject};
pub use token::{OpenToken, Token, Who, tokens};
