//! The lines of a file.

use std::io::{self, Write};

use types::AttributeType;

use crate::names;

/// What SoftHSM's takes for a length that cannot be.
const TOO_LONG: u64 = 0x4000_0000;

/// Where it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Object,
    Map,
}

/// Whether more can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    More,
    /// It ends, or what follows cannot be told apart.
    Rest,
    /// There is nothing else to say.
    Stop,
}

/// What is left of a file, and where its lines go.
pub(crate) struct Dump<'a, 'o> {
    left: &'a [u8],
    depth: Depth,
    out: &'o mut dyn Write,
}

impl<'a, 'o> Dump<'a, 'o> {
    pub(crate) fn new(bytes: &'a [u8], out: &'o mut dyn Write) -> Self {
        Self { left: bytes, depth: Depth::Object, out }
    }

    /// A file: a counter and attributes.
    pub(crate) fn object(mut self) -> io::Result<()> {
        let mut then = Then::Rest;
        if let Some(generation) = self.number() {
            self.numbered(generation, &format!("generation {generation}"))?;
            then = self.attributes()?;
        }
        if then == Then::Rest {
            self.rest()?;
        }
        self.out.flush()
    }

    fn attributes(&mut self) -> io::Result<Then> {
        loop {
            match self.attribute()? {
                Then::More => {}
                then => return Ok(then),
            }
        }
    }

    fn attribute(&mut self) -> io::Result<Then> {
        let Some(name) = self.number() else { return Ok(Then::Rest) };
        let name = AttributeType(name);
        self.numbered(name.0, &names::attribute(name))?;
        let Some(kind) = self.number() else { return Ok(Then::Rest) };
        let words = match kind {
            1 => "boolean attribute",
            2 => "unsigned long attribute",
            3 => "byte string attribute",
            4 => "attribute map attribute",
            5 => "mechanism set attribute",
            _ => "unknown attribute format",
        };
        self.numbered(kind, words)?;
        match kind {
            1 => self.flag(),
            2 => {
                let Some(number) = self.number() else { return Ok(Then::Rest) };
                self.numbered(number, &names::number(name, number))?;
                Ok(Then::More)
            }
            3..=5 => self.counted(kind),
            _ => Ok(Then::Rest),
        }
    }

    fn flag(&mut self) -> io::Result<Then> {
        let Some((flag, left)) = self.left.split_first() else { return Ok(Then::Rest) };
        self.left = left;
        let words = match flag {
            0x00 => "FALSE",
            0xff => "TRUE",
            _ => "(invalid) TRUE",
        };
        self.line(&[*flag], words)?;
        Ok(Then::More)
    }

    /// A value behind its length.
    fn counted(&mut self, kind: u64) -> io::Result<Then> {
        let Some(len) = self.number() else { return Ok(Then::Rest) };
        let Some(count) = usize::try_from(len).ok().filter(|_| len < TOO_LONG) else {
            self.numbered(len, "overflow length...")?;
            return Ok(Then::Stop);
        };
        self.numbered(len, &format!("(length {len})"))?;
        if kind == 5 {
            return self.mechanisms(count);
        }
        let Some((value, left)) = self.left.split_at_checked(count) else { return Ok(Then::Rest) };
        if kind == 4 {
            if self.depth == Depth::Map || !is_map(value) {
                return Ok(Then::Rest);
            }
            Dump { left: value, depth: Depth::Map, out: &mut *self.out }.map()?;
        } else {
            for bytes in value.chunks(8) {
                self.line(bytes, &format!("<{:8}>", seen(bytes)))?;
            }
        }
        self.left = left;
        Ok(Then::More)
    }

    fn mechanisms(&mut self, count: usize) -> io::Result<Then> {
        for _ in 0..count {
            let Some(number) = self.number() else { return Ok(Then::Rest) };
            self.numbered(number, &names::mechanism(number))?;
        }
        Ok(Then::More)
    }

    /// What is in a map that was found to be whole.
    fn map(&mut self) -> io::Result<()> {
        self.attributes().map(|_| ())
    }

    fn number(&mut self) -> Option<u64> {
        let (number, left) = self.left.split_first_chunk()?;
        self.left = left;
        Some(u64::from_be_bytes(*number))
    }

    fn numbered(&mut self, number: u64, words: &str) -> io::Result<()> {
        self.line(&number.to_be_bytes(), words)
    }

    fn line(&mut self, bytes: &[u8], words: &str) -> io::Result<()> {
        let indent = if self.depth == Depth::Map { " " } else { "" };
        writeln!(self.out, "{:23} {indent}{words}", digits(bytes))
    }

    /// What cannot be read as anything: eight bytes of it.
    fn rest(&mut self) -> io::Result<()> {
        match self.left.split_at_checked(8) {
            Some((begin, [_, ..])) => writeln!(self.out, "{}...", digits(begin)),
            _ => write!(self.out, "{}", digits(self.left)),
        }
    }
}

/// Whether attributes can be read to the end of these bytes. A map has no map in it.
fn is_map(bytes: &[u8]) -> bool {
    let mut nowhere = io::sink();
    let mut dump = Dump { left: bytes, depth: Depth::Map, out: &mut nowhere };
    while !dump.left.is_empty() {
        if !matches!(dump.attribute(), Ok(Then::More)) {
            return false;
        }
    }
    true
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn seen(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect()
}
