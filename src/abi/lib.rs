//! The C ABI of PKCS#11: turns what C brings into owned Rust values, asks the engine, and writes the
//! answer where C wants it. It decides nothing.
//!
//! `functions` is the table of all functions. The rules about the caller's memory are each in one
//! place: `memory` reads and writes it, `output` and `attributes` know how PKCS#11 wants to be answered,
//! `template` and `params` what it asks. `process` is the module's life: initialised, finalised, forked.

mod ask;
mod attributes;
mod boundary;
mod functions;
mod info;
mod interface;
mod log;
mod memory;
mod message;
mod number;

mod output;
mod params;
mod process;
mod template;

pub use functions::*;

/// Keys lie apart from everything else.
#[global_allocator]
static HEAP: ::memory::Heap = ::memory::Heap;

/// What a function comes to, before it is a number.
pub(crate) type Outcome = Result<(), types::Rv>;
