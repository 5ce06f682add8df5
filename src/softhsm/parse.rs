//! The bytes of an object file: numbers of 8 bytes, most significant first, and values by their kind.

use types::{AttributeType, Date, Kind, Secret, Template, Value};

/// What is wrong with the bytes.
pub(crate) type Fault = &'static str;

const SHORT: Fault = "it ends in the middle of an attribute";

/// What is left to read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        let (number, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*number))
    }

    fn length(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.number()?).map_err(|_| SHORT)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How deep the reader is: a map has no map in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Object,
    Map,
}

/// Attributes up to the end, in the order of their numbers.
pub(crate) fn attributes(reader: &mut Reader<'_>, depth: Depth) -> Result<Template, Fault> {
    let mut attributes = Template::new();
    while !reader.is_empty() {
        let name = AttributeType(reader.number()?);
        if attributes.last().is_some_and(|(before, _)| *before >= name) {
            return Err("its attributes are not in order");
        }
        let value = value(reader, depth)?;
        attributes.push((name, value));
    }
    Ok(attributes)
}

fn value(reader: &mut Reader<'_>, depth: Depth) -> Result<Value, Fault> {
    match (reader.number()?, depth) {
        (1, _) => match reader.take(1)? {
            [0x00] => Ok(Value::Flag(false)),
            [0xff] => Ok(Value::Flag(true)),
            // SoftHSM reads it as true, and never writes it.
            _ => Err("a flag is neither true nor false"),
        },
        (2, _) => Ok(Value::Number(reader.number()?)),
        (3, _) => {
            let len = reader.length()?;
            Ok(Value::bytes(reader.take(len)?))
        }
        (4, Depth::Object) => {
            let len = reader.length()?;
            Ok(Value::Template(attributes(&mut Reader(reader.take(len)?), Depth::Map)?))
        }
        (5, _) => {
            let count = reader.length()?;
            let bytes = reader.take(count.checked_mul(8).ok_or(SHORT)?)?;
            Ok(Value::Numbers(bytes.as_chunks().0.iter().map(|number| u64::from_be_bytes(*number)).collect()))
        }
        _ => Err("an attribute is of no known kind"),
    }
}

/// Bytes that are a date become one; that a value is of its attribute's kind is found out here.
pub(crate) fn typed(name: AttributeType, value: Value) -> Result<Value, Fault> {
    const WRONG: Fault = "an attribute's value is not of the attribute's kind";
    match (name.kind(), value) {
        (Some(Kind::Date), Value::Bytes(bytes)) => date(&bytes).map(Value::Date),
        (Some(Kind::Template), Value::Template(inner)) => {
            let inner = inner.into_iter().map(|(name, value)| Ok((name, typed(name, value)?)));
            Ok(Value::Template(inner.collect::<Result<_, Fault>>()?))
        }
        (Some(Kind::Flag), value @ Value::Flag(_))
        | (Some(Kind::Number), value @ Value::Number(_))
        | (Some(Kind::Numbers), value @ Value::Numbers(_))
        | (Some(Kind::Bytes | Kind::BigInteger | Kind::Text), value @ Value::Bytes(_)) => Ok(value),
        (None, _) => Err("it has an attribute that PKCS#11 does not have"),
        _ => Err(WRONG),
    }
}

fn date(bytes: &Secret) -> Result<Option<Date>, Fault> {
    match bytes.expose() {
        [] => Ok(None),
        digits => digits.try_into().map(|digits| Some(Date(digits))).map_err(|_| "a date has not eight digits"),
    }
}
