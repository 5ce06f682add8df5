use cryptoki_sys::{CK_ATTRIBUTE, CK_BYTE, CK_ULONG};
use types::{AttributeType, Date, Kind, Rv, Secret, Template, Value};

use crate::{memory, memory::Fault, number::from_c};

/// The most attributes that a template may have.
pub(crate) const ATTRIBUTES_MAX: usize = 256;
/// The most bytes that one value may have.
const VALUE_MAX: usize = 1 << 20;
/// The most bytes that the values of a template may have together, lest one value that is named many
/// times become many.
const TEMPLATE_MAX: usize = 8 << 20;

/// Takes a template in. Sizes are checked here, by the kinds of the attributes; what the values mean is
/// not, nor whether there is such an attribute: one without a kind comes as bytes.
///
/// # Safety
/// Unless null, `ptr` must be to `count` attributes, and each of their `pValue`, unless null, to as many
/// bytes as its `ulValueLen` says; likewise in the templates that are values.
pub(crate) unsafe fn read(ptr: *const CK_ATTRIBUTE, count: CK_ULONG) -> Result<Template, Rv> {
    // SAFETY: by our caller's promise, which is the same.
    let attributes = unsafe { entries(ptr, count) }.map_err(Fault::of(Rv::ARGUMENTS_BAD))?;
    let mut left = TEMPLATE_MAX;
    let mut template = out(attributes.len())?;
    for attribute in attributes {
        let name = name(&attribute);
        let value = match name.kind() {
            // SAFETY: by our caller's promise.
            Some(Kind::Template) => Value::Template(unsafe { nested(&attribute, &mut left) }?),
            // SAFETY: by our caller's promise.
            kind => unsafe { plain(&attribute, kind, &mut left) }?,
        };
        template.push((name, value));
    }
    Ok(template)
}

/// The entries of a template as they are.
///
/// # Safety
/// Unless null, `ptr` must be to `count` attributes.
pub(crate) unsafe fn entries(ptr: *const CK_ATTRIBUTE, count: CK_ULONG) -> Result<Vec<CK_ATTRIBUTE>, Fault> {
    // SAFETY: by our caller's promise; any bits make numbers and pointers.
    unsafe { memory::elements(ptr, count, ATTRIBUTES_MAX) }
}

/// How many attributes are in a value of that many bytes; `None` if some bytes are left over.
pub(crate) fn nested_count(len: CK_ULONG) -> Option<CK_ULONG> {
    let size = CK_ULONG::try_from(size_of::<CK_ATTRIBUTE>()).ok()?;
    len.is_multiple_of(size).then(|| len / size)
}

/// What an entry is called.
pub(crate) fn name(attribute: &CK_ATTRIBUTE) -> AttributeType {
    AttributeType(from_c(attribute.type_))
}

/// A template that is a value. It may not have one itself: that is also what stops one which contains
/// itself.
///
/// # Safety
/// As for [`read`].
unsafe fn nested(attribute: &CK_ATTRIBUTE, left: &mut usize) -> Result<Template, Rv> {
    const INVALID: Rv = Rv::ATTRIBUTE_VALUE_INVALID;
    let count = nested_count(attribute.ulValueLen).ok_or(INVALID)?;
    // SAFETY: by our caller's promise.
    let attributes = unsafe { entries(attribute.pValue.cast(), count) }.map_err(Fault::of(INVALID))?;
    let mut template = out(attributes.len())?;
    for attribute in attributes {
        let name = name(&attribute);
        let value = match name.kind() {
            Some(Kind::Template) => return Err(INVALID),
            // SAFETY: by our caller's promise.
            kind => unsafe { plain(&attribute, kind, left) }?,
        };
        template.push((name, value));
    }
    Ok(template)
}

/// A value that is no template.
///
/// # Safety
/// As for [`read`].
unsafe fn plain(attribute: &CK_ATTRIBUTE, kind: Option<Kind>, left: &mut usize) -> Result<Value, Rv> {
    const INVALID: Rv = Rv::ATTRIBUTE_VALUE_INVALID;
    // A length that stands for "cannot be told" is also one that cannot be.
    // SAFETY: by our caller's promise.
    let bytes = unsafe { memory::bytes(attribute.pValue.cast::<CK_BYTE>(), attribute.ulValueLen) }.ok_or(INVALID)?;
    if bytes.len() > VALUE_MAX {
        return Err(INVALID);
    }
    *left = left.checked_sub(bytes.len()).ok_or(INVALID)?;
    match kind {
        Some(Kind::Flag) => flag(bytes).map(Value::Flag).ok_or(INVALID),
        Some(Kind::Number) => number(bytes).map(Value::Number).ok_or(INVALID),
        Some(Kind::Numbers) => Ok(Value::Numbers(numbers(bytes)?)),
        Some(Kind::Date) => date(bytes).map(Value::Date).ok_or(INVALID),
        Some(Kind::Bytes | Kind::BigInteger | Kind::Text | Kind::Template) | None => {
            // It may be a key's.
            let owned = ::memory::keys(|| memory::owned(bytes));
            Ok(Value::Bytes(Secret::new(owned.map_err(Fault::of(INVALID))?)))
        }
    }
}

/// A `CK_BBOOL`, and nothing that is merely not zero.
fn flag(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(|bytes| from_c(CK_ULONG::from_ne_bytes(bytes)))
}

fn numbers(bytes: &[u8]) -> Result<Vec<u64>, Rv> {
    let (whole, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(Rv::ATTRIBUTE_VALUE_INVALID);
    }
    let mut numbers = out(whole.len())?;
    numbers.extend(whole.iter().map(|bytes| from_c(CK_ULONG::from_ne_bytes(*bytes))));
    Ok(numbers)
}

/// A `CK_DATE`: none, or eight digits. Whether there is such a day is not asked.
fn date(bytes: &[u8]) -> Option<Option<Date>> {
    if bytes.is_empty() {
        return Some(None);
    }
    let digits: [u8; 8] = bytes.try_into().ok()?;
    digits.iter().all(u8::is_ascii_digit).then_some(Some(Date(digits)))
}

fn out<T>(len: usize) -> Result<Vec<T>, Rv> {
    let mut out = Vec::new();
    out.try_reserve_exact(len).map_err(|_| Rv::HOST_MEMORY)?;
    Ok(out)
}

/// An entry that asks for an attribute, or gives one.
#[cfg(test)]
pub(crate) fn entry(name: AttributeType, value: *mut u8, len: usize) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE {
        type_: crate::number::to_c(name.0),
        pValue: value.cast(),
        ulValueLen: crate::number::length_to_c(len),
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    const INVALID: Rv = Rv::ATTRIBUTE_VALUE_INVALID;

    fn one(name: AttributeType, value: &[u8]) -> Result<Value, Rv> {
        raw(name, value.as_ptr().cast_mut(), value.len() as CK_ULONG)
    }

    fn raw(name: AttributeType, value: *mut u8, len: CK_ULONG) -> Result<Value, Rv> {
        let attribute = CK_ATTRIBUTE { ulValueLen: len, ..entry(name, value, 0) };
        // SAFETY: the tests give lengths that are right, or refused.
        unsafe { read(&raw const attribute, 1) }.map(|mut template| template.remove(0).1)
    }

    #[test]
    fn each_kind_is_taken_in() {
        assert_eq!(one(AttributeType::TOKEN, &[1]).unwrap().as_flag(), Some(true));
        assert_eq!(one(AttributeType::TOKEN, &[0]).unwrap().as_flag(), Some(false));
        assert_eq!(one(AttributeType::CLASS, &3u64.to_ne_bytes()).unwrap().as_number(), Some(3));
        let mechanisms = [7u64.to_ne_bytes(), 8u64.to_ne_bytes()].concat();
        assert_eq!(one(AttributeType::ALLOWED_MECHANISMS, &mechanisms).unwrap().as_numbers(), Some(&[7, 8][..]));
        assert_eq!(one(AttributeType::ALLOWED_MECHANISMS, &[]).unwrap().as_numbers(), Some(&[][..]));
        assert!(
            matches!(one(AttributeType::START_DATE, b"20260101").unwrap(), Value::Date(Some(d)) if d.0 == *b"20260101")
        );
        assert!(matches!(one(AttributeType::START_DATE, b"").unwrap(), Value::Date(None)));
        assert_eq!(one(AttributeType::LABEL, b"key").unwrap().as_bytes(), Some(&b"key"[..]));
        assert_eq!(one(AttributeType::ID, b"").unwrap().as_bytes(), Some(&b""[..]));
        assert_eq!(one(AttributeType::MODULUS, b"\0\x01").unwrap().as_bytes(), Some(&b"\0\x01"[..]));
    }

    #[test]
    fn an_attribute_that_nobody_knows_is_bytes() {
        let vendor = AttributeType(0x8000_1234);
        assert_eq!(one(vendor, b"xyz").unwrap().as_bytes(), Some(&b"xyz"[..]));
    }

    #[test]
    fn a_value_that_is_not_of_its_kind_is_refused() {
        let bad: &[(AttributeType, &[u8])] = &[
            (AttributeType::TOKEN, &[]),
            (AttributeType::TOKEN, &[2]),
            (AttributeType::TOKEN, &[0xff]),
            (AttributeType::TOKEN, &[1, 0, 0, 0, 0, 0, 0, 0]),
            (AttributeType::CLASS, &[]),
            (AttributeType::CLASS, &[3, 0, 0, 0]),
            (AttributeType::CLASS, &[0; 16]),
            (AttributeType::ALLOWED_MECHANISMS, &[0; 9]),
            (AttributeType::START_DATE, b"2026010"),
            (AttributeType::START_DATE, b"2026-1-1"),
            (AttributeType::WRAP_TEMPLATE, &[0; 23]),
        ];
        for (name, value) in bad {
            assert_eq!(one(*name, value).err(), Some(INVALID), "{name} {value:?}");
        }
    }

    #[test]
    fn null_with_a_length_is_no_value() {
        for name in [AttributeType::TOKEN, AttributeType::CLASS, AttributeType::LABEL, AttributeType::WRAP_TEMPLATE] {
            for len in [1, 8, 24, 1 << 31, 1 << 63, CK_ULONG::MAX] {
                assert_eq!(raw(name, ptr::null_mut(), len).err(), Some(INVALID), "{name} {len}");
            }
        }
        assert_eq!(raw(AttributeType::LABEL, ptr::null_mut(), 0).unwrap().as_bytes(), Some(&[][..]));
    }

    #[test]
    fn a_length_that_cannot_be_is_no_value() {
        let mut byte = 1u8;
        for name in
            [AttributeType::TOKEN, AttributeType::LABEL, AttributeType::WRAP_TEMPLATE, AttributeType(0x8000_0001)]
        {
            for len in [1 << 63, CK_ULONG::MAX, CK_ULONG::MAX - 15] {
                assert_eq!(raw(name, &raw mut byte, len).err(), Some(INVALID), "{name} {len}");
            }
        }
    }

    #[test]
    fn a_value_over_the_limit_is_refused() {
        assert!(one(AttributeType::VALUE, &vec![0; VALUE_MAX]).is_ok());
        assert_eq!(one(AttributeType::VALUE, &vec![0; VALUE_MAX + 1]).err(), Some(INVALID));
    }

    #[test]
    fn one_value_named_many_times_is_limited() {
        let mut value = vec![0; VALUE_MAX];
        let attributes = vec![entry(AttributeType::VALUE, value.as_mut_ptr(), VALUE_MAX); 9];
        // SAFETY: they are there.
        unsafe {
            assert!(read(attributes.as_ptr(), 8).is_ok());
            assert_eq!(read(attributes.as_ptr(), 9).err(), Some(INVALID));
        }
    }

    #[test]
    fn a_template_that_cannot_be_is_refused() {
        let attribute = entry(AttributeType::LABEL, ptr::null_mut(), 0);
        let attributes = vec![attribute; ATTRIBUTES_MAX + 1];
        // SAFETY: they are there, null is allowed, and the lengths are refused.
        unsafe {
            for count in [1, 3, CK_ULONG::MAX / 8, CK_ULONG::MAX] {
                assert_eq!(read(ptr::null(), count).err(), Some(Rv::ARGUMENTS_BAD), "{count}");
            }
            assert_eq!(read(&raw const attribute, CK_ULONG::MAX / 8).err(), Some(Rv::ARGUMENTS_BAD));
            assert_eq!(read(attributes.as_ptr(), 257).err(), Some(Rv::ARGUMENTS_BAD));
            assert_eq!(read(attributes.as_ptr(), 256).unwrap().len(), 256);
            assert!(read(ptr::null(), 0).unwrap().is_empty());
        }
    }

    #[test]
    fn duplicates_and_the_order_are_kept() {
        let (mut yes, mut no) = (1u8, 0u8);
        let attributes =
            [entry(AttributeType::SENSITIVE, &raw mut yes, 1), entry(AttributeType::SENSITIVE, &raw mut no, 1)];
        // SAFETY: they are there.
        let template = unsafe { read(attributes.as_ptr(), 2) }.unwrap();
        assert_eq!(template.iter().map(|(_, value)| value.as_flag()).collect::<Vec<_>>(), [Some(true), Some(false)]);
    }

    #[test]
    fn a_template_may_hold_one_but_that_one_none() {
        let mut yes = 1u8;
        let mut inner =
            [entry(AttributeType::SENSITIVE, &raw mut yes, 1), entry(AttributeType::EXTRACTABLE, &raw mut yes, 1)];
        let outer = [entry(AttributeType::UNWRAP_TEMPLATE, inner.as_mut_ptr().cast(), size_of_val(&inner))];
        // SAFETY: they are there.
        let template = unsafe { read(outer.as_ptr(), 1) }.unwrap();
        assert_eq!(template[0].1.as_template().unwrap().len(), 2);

        inner[1] = entry(AttributeType::WRAP_TEMPLATE, ptr::null_mut(), 0);
        std::hint::black_box(&inner); // It is read through the pointer above.
        // SAFETY: they are there.
        assert_eq!(unsafe { read(outer.as_ptr(), 1) }.err(), Some(INVALID));
    }

    #[test]
    fn a_template_that_contains_itself_is_refused() {
        let mut attribute = entry(AttributeType::WRAP_TEMPLATE, ptr::null_mut(), size_of::<CK_ATTRIBUTE>());
        attribute.pValue = (&raw mut attribute).cast();
        // SAFETY: it is there.
        assert_eq!(unsafe { read(&raw const attribute, 1) }.err(), Some(INVALID));
    }

    #[test]
    fn a_misaligned_template_is_read_all_the_same() {
        let number = 3u64.to_ne_bytes();
        let mut odd = [0u8; 9];
        odd[1..].copy_from_slice(&number);
        let attribute = entry(AttributeType::CLASS, odd[1..].as_mut_ptr(), 8);
        let mut memory = [0u8; size_of::<CK_ATTRIBUTE>() + 1];
        let ptr = memory[1..].as_mut_ptr().cast::<CK_ATTRIBUTE>();
        // SAFETY: there is out for one, aligned or not.
        unsafe {
            ptr.write_unaligned(attribute);
            assert_eq!(read(ptr, 1).unwrap()[0].1.as_number(), Some(3));
        }
    }
}
