//! Lists and templates as SoftHSM puts them into a database: the numbers of the machine that wrote it, which are eight
//! bytes, least significant first.

use types::{AttributeType, Template, Value};

use crate::parse::Fault;

const SHORT: Fault = "a template ends in the middle of an attribute";

/// Numbers, one behind the other.
pub(crate) fn numbers(bytes: &[u8]) -> Result<Vec<u64>, Fault> {
    match bytes.as_chunks() {
        (numbers, []) => Ok(numbers.iter().map(|number| u64::from_le_bytes(*number)).collect()),
        _ => Err("a list of numbers ends in the middle of one"),
    }
}

/// Attributes, one behind the other, in the order of their numbers.
pub(crate) fn template(mut bytes: &[u8]) -> Result<Template, Fault> {
    let mut attributes = Template::new();
    while !bytes.is_empty() {
        let name = AttributeType(number(&mut bytes)?);
        if attributes.last().is_some_and(|(before, _)| *before >= name) {
            return Err("the attributes of a template are not in order");
        }
        attributes.push((name, value(&mut bytes)?));
    }
    Ok(attributes)
}

fn value(bytes: &mut &[u8]) -> Result<Value, Fault> {
    let (kind, rest) = bytes.split_first_chunk().ok_or(SHORT)?;
    *bytes = rest;
    match u32::from_le_bytes(*kind) {
        1 => match take(bytes, 1)? {
            [0] => Ok(Value::Flag(false)),
            [1] => Ok(Value::Flag(true)),
            _ => Err("a flag is neither true nor false"),
        },
        2 => Ok(Value::Number(number(bytes)?)),
        3 => Ok(Value::bytes(counted(bytes)?)),
        5 => Ok(Value::Numbers(numbers(counted(bytes)?)?)),
        _ => Err("an attribute of a template is of no known kind"),
    }
}

fn number(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let (number, rest) = bytes.split_first_chunk().ok_or(SHORT)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*number))
}

/// Bytes behind their number.
fn counted<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let len = usize::try_from(number(bytes)?).map_err(|_| SHORT)?;
    take(bytes, len)
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], Fault> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or(SHORT)?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use types::AttributeType as A;

    use super::*;

    #[test]
    fn a_template_is_read_to_its_end_or_not_at_all() {
        let number = |number: u64| number.to_le_bytes().to_vec();
        let kind = |kind: u32| kind.to_le_bytes().to_vec();
        let parts = [
            [number(A::CLASS.0), kind(2), number(4)].concat(),
            [number(A::ID.0), kind(3), number(3), b"abc".to_vec()].concat(),
            [number(A::SIGN.0), kind(1), vec![1]].concat(),
            [number(A::ALLOWED_MECHANISMS.0), kind(5), number(16), number(1), number(3)].concat(),
        ];
        let whole = parts.concat();
        let read = template(&whole).unwrap();
        let expected = [
            (A::CLASS, Value::Number(4)),
            (A::ID, Value::bytes(b"abc".as_slice())),
            (A::SIGN, Value::Flag(true)),
            (A::ALLOWED_MECHANISMS, Value::Numbers(vec![1, 3])),
        ];
        assert!(read == expected);
        let ends: Vec<_> = (0..=parts.len()).map(|count| parts[..count].concat().len()).collect();
        for len in 0..whole.len() {
            assert_eq!(template(&whole[..len]).is_ok(), ends.contains(&len), "{len}");
        }
        assert!(template(&[parts[1].clone(), parts[0].clone()].concat()).is_err());
        assert!(template(&[number(1), kind(4), number(0)].concat()).is_err());
        assert!(template(&[number(1), kind(1), vec![2]].concat()).is_err());
        assert!(numbers(&[0; 15]).is_err());
    }
}
