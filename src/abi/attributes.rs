use std::{borrow::Cow, ptr::NonNull};

use cryptoki_sys::{CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_BYTE, CK_ULONG, CK_UNAVAILABLE_INFORMATION};
use engine::Error;
use types::{AttributeType, Rv, Template, Value};

use crate::{
    Outcome, memory,
    memory::Fault,
    number::{length_to_c, to_c},
    template,
};

/// Answers `C_GetAttributeValue`: writes each value that can be told to where the caller wants it, and
/// each length. The codes that are "not true errors" there stop nothing; the first of them in the order
/// of the specification's cases is returned in the end.
///
/// # Safety
/// Unless null, `ptr` must be to `count` attributes that may be written to, and each of their `pValue`,
/// unless null, to as many bytes as its `ulValueLen` says; likewise in the templates that are values,
/// which the caller must have initialised.
pub(crate) unsafe fn answer<'v>(
    ptr: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    value: impl Fn(AttributeType) -> Result<&'v Value, Error>,
) -> Outcome {
    // A copy: what is written to the caller's memory below does not change what is asked for.
    // SAFETY: by our caller's promise.
    let asked = unsafe { template::entries(ptr, count) }.map_err(Fault::of(Rv::ARGUMENTS_BAD))?;
    let mut tally = Tally::default();
    for (index, entry) in asked.iter().enumerate() {
        let length = match value(template::name(entry)) {
            // SAFETY: by our caller's promise.
            Ok(Value::Template(template)) => unsafe { put_template(entry, template, &mut tally) }?,
            // SAFETY: by our caller's promise.
            Ok(value) => unsafe { put(entry, &encode(value), &mut tally) },
            Err(error) => {
                tally.refuse(Rv::from(&error))?;
                CK_UNAVAILABLE_INFORMATION
            }
        };
        // SAFETY: `index` is below `count`, and so many are there by our caller's promise.
        unsafe { (&raw mut (*ptr.add(index)).ulValueLen).write_unaligned(length) };
    }
    tally.outcome()
}

/// What has come up so far that is no true error.
#[derive(Default)]
struct Tally {
    sensitive: bool,
    missing: bool,
    too_small: bool,
}

impl Tally {
    /// Notes why a value cannot be told; anything but the two reasons that there are is an error.
    fn refuse(&mut self, reason: Rv) -> Outcome {
        match reason {
            Rv::ATTRIBUTE_SENSITIVE => self.sensitive = true,
            Rv::ATTRIBUTE_TYPE_INVALID => self.missing = true,
            fault => return Err(fault),
        }
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self { sensitive: true, .. } => Err(Rv::ATTRIBUTE_SENSITIVE),
            Self { missing: true, .. } => Err(Rv::ATTRIBUTE_TYPE_INVALID),
            Self { too_small: true, .. } => Err(Rv::BUFFER_TOO_SMALL),
            _ => Ok(()),
        }
    }
}

/// Writes a value if it is wanted and fits, and says what its length must be set to.
///
/// # Safety
/// Unless null, `pValue` of the entry must be to as many bytes as `ulValueLen` says.
unsafe fn put(entry: &CK_ATTRIBUTE, bytes: &[u8], tally: &mut Tally) -> CK_ULONG {
    let length = length_to_c(bytes.len());
    let Some(place) = NonNull::new(entry.pValue.cast::<CK_BYTE>()) else { return length };
    if !has_room(entry, length) {
        tally.too_small = true;
        return CK_UNAVAILABLE_INFORMATION;
    }
    // SAFETY: by our caller's promise there is out for what fits into `ulValueLen`.
    unsafe { memory::write(place, bytes) };
    length
}

/// Writes a template that is a value. Its entries are the caller's, as the outer ones are; but what they
/// are called is for us to say.
///
/// # Safety
/// As for [`put`], and likewise for the entries that are there.
unsafe fn put_template(entry: &CK_ATTRIBUTE, template: &Template, tally: &mut Tally) -> Result<CK_ULONG, Rv> {
    let length = length_to_c(template.len().saturating_mul(size_of::<CK_ATTRIBUTE>()));
    let Some(place) = NonNull::new(entry.pValue.cast::<CK_ATTRIBUTE>()) else { return Ok(length) };
    if !has_room(entry, length) {
        tally.too_small = true;
        return Ok(CK_UNAVAILABLE_INFORMATION);
    }
    // SAFETY: by our caller's promise there is out for as many, and something is in it.
    let mut entries = unsafe { template::entries(place.as_ptr(), length_to_c(template.len())) }
        .map_err(Fault::of(Rv::ATTRIBUTE_VALUE_INVALID))?;
    for (entry, (name, value)) in entries.iter_mut().zip(template) {
        entry.type_ = CK_ATTRIBUTE_TYPE::from(to_c(name.0));
        // SAFETY: by our caller's promise.
        entry.ulValueLen = unsafe { put(entry, &encode(value), tally) };
    }
    // SAFETY: as above.
    unsafe { memory::write(place, &entries) };
    Ok(length)
}

/// Whether the caller has given so much out. That a length cannot be told is what an earlier call may
/// have left behind, and not a buffer without end.
fn has_room(entry: &CK_ATTRIBUTE, length: CK_ULONG) -> bool {
    entry.ulValueLen != CK_UNAVAILABLE_INFORMATION && length <= entry.ulValueLen
}

/// The bytes of a value as C has them.
fn encode(value: &Value) -> Cow<'_, [u8]> {
    match value {
        Value::Flag(flag) => Cow::Borrowed(if *flag { &[1] } else { &[0] }),
        Value::Number(number) => Cow::Owned(to_c(*number).to_ne_bytes().to_vec()),
        Value::Numbers(numbers) => Cow::Owned(numbers.iter().flat_map(|number| to_c(*number).to_ne_bytes()).collect()),
        Value::Date(None) => Cow::Borrowed(&[]),
        Value::Date(Some(date)) => Cow::Borrowed(&date.0),
        Value::Bytes(bytes) => Cow::Borrowed(bytes.expose()),
        // A template within a template: none is ever taken in.
        Value::Template(_) => Cow::Borrowed(&[]),
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use types::Date;

    use super::*;
    use crate::template::entry;

    /// An object with one attribute of each kind, and one that may not be seen.
    struct Object(Template);

    impl Object {
        fn new() -> Self {
            Self(vec![
                (AttributeType::TOKEN, Value::Flag(true)),
                (AttributeType::CLASS, Value::Number(3)),
                (AttributeType::ALLOWED_MECHANISMS, Value::Numbers(vec![1, 2])),
                (AttributeType::START_DATE, Value::Date(Some(Date(*b"20260101")))),
                (AttributeType::END_DATE, Value::Date(None)),
                (AttributeType::LABEL, Value::bytes(*b"label")),
                (
                    AttributeType::WRAP_TEMPLATE,
                    Value::Template(vec![
                        (AttributeType::LABEL, Value::bytes(*b"inner")),
                        (AttributeType::SENSITIVE, Value::Flag(true)),
                    ]),
                ),
            ])
        }

        fn ask(&self, entries: &mut [CK_ATTRIBUTE]) -> Outcome {
            let value = |name| match name {
                AttributeType::VALUE => Err(Error::AttributeSensitive(name)),
                name => {
                    self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| v).ok_or(Error::AttributeTypeInvalid(name))
                }
            };
            // SAFETY: the tests tell the lengths of buffers of their own.
            unsafe { answer(entries.as_mut_ptr(), entries.len() as CK_ULONG, value) }
        }
    }

    const UNAVAILABLE: CK_ULONG = CK_UNAVAILABLE_INFORMATION;

    #[test]
    fn without_a_buffer_each_length_is_told() {
        let names = [
            (AttributeType::TOKEN, 1),
            (AttributeType::CLASS, 8),
            (AttributeType::ALLOWED_MECHANISMS, 16),
            (AttributeType::START_DATE, 8),
            (AttributeType::END_DATE, 0),
            (AttributeType::LABEL, 5),
            (AttributeType::WRAP_TEMPLATE, 48),
        ];
        let mut entries = names.map(|(name, _)| entry(name, ptr::null_mut(), 99));
        assert_eq!(Object::new().ask(&mut entries), Ok(()));
        assert_eq!(entries.map(|e| e.ulValueLen), names.map(|(_, len)| len));
    }

    #[test]
    fn each_kind_is_written_as_c_has_it() {
        let (mut flag, mut class, mut mechanisms) = (0u8, 0u64, [0u64; 2]);
        let (mut date, mut none, mut label) = ([0u8; 8], [0xaau8; 1], [0xaau8; 7]);
        let mut entries = [
            entry(AttributeType::TOKEN, &raw mut flag, 1),
            entry(AttributeType::CLASS, (&raw mut class).cast(), 8),
            entry(AttributeType::ALLOWED_MECHANISMS, mechanisms.as_mut_ptr().cast(), 16),
            entry(AttributeType::START_DATE, date.as_mut_ptr(), 8),
            entry(AttributeType::END_DATE, none.as_mut_ptr(), 1),
            entry(AttributeType::LABEL, label.as_mut_ptr(), 7),
        ];
        assert_eq!(Object::new().ask(&mut entries), Ok(()));
        assert_eq!((flag, class, mechanisms, date, none), (1, 3, [1, 2], *b"20260101", [0xaa]));
        assert_eq!(&label, b"label\xaa\xaa", "nothing is written behind the value");
        assert_eq!(entries.map(|e| e.ulValueLen), [1, 8, 16, 8, 0, 5]);
    }

    #[test]
    fn what_cannot_be_told_does_not_stop_the_rest() {
        let (mut secret, mut unknown, mut small, mut label) = ([0xaau8; 64], [0xaau8; 64], [0xaau8; 4], [0u8; 5]);
        let mut entries = [
            entry(AttributeType::LABEL, small.as_mut_ptr(), 4),
            entry(AttributeType::MODULUS, unknown.as_mut_ptr(), 64),
            entry(AttributeType::VALUE, secret.as_mut_ptr(), 64),
            entry(AttributeType::LABEL, label.as_mut_ptr(), 5),
        ];
        assert_eq!(Object::new().ask(&mut entries), Err(Rv::ATTRIBUTE_SENSITIVE));
        assert_eq!(entries.map(|e| e.ulValueLen), [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, 5]);
        assert_eq!((secret, unknown, small), ([0xaa; 64], [0xaa; 64], [0xaa; 4]), "not a byte is written");
        assert_eq!(&label, b"label");
    }

    #[test]
    fn the_graver_reason_is_returned() {
        let mut small = [0u8; 4];
        let mut entries =
            [entry(AttributeType::LABEL, small.as_mut_ptr(), 4), entry(AttributeType::MODULUS, ptr::null_mut(), 0)];
        assert_eq!(Object::new().ask(&mut entries), Err(Rv::ATTRIBUTE_TYPE_INVALID));
        assert_eq!(Object::new().ask(&mut entries[..1]), Err(Rv::BUFFER_TOO_SMALL));
    }

    #[test]
    fn a_sensitive_length_is_not_told_either() {
        let mut entries = [entry(AttributeType::VALUE, ptr::null_mut(), 0)];
        assert_eq!(Object::new().ask(&mut entries), Err(Rv::ATTRIBUTE_SENSITIVE));
        assert_eq!(entries[0].ulValueLen, UNAVAILABLE);
    }

    #[test]
    fn a_length_left_by_an_earlier_call_is_no_room() {
        let mut label = [0xaau8; 5];
        let mut entries = [entry(AttributeType::LABEL, label.as_mut_ptr(), usize::MAX)];
        assert_eq!(Object::new().ask(&mut entries), Err(Rv::BUFFER_TOO_SMALL));
        assert_eq!((label, entries[0].ulValueLen), ([0xaa; 5], UNAVAILABLE));
    }

    #[test]
    fn a_template_is_told_as_its_entries_are_asked_for() {
        let mut text = [0xaau8; 8];
        // The first entry's type is wrong, and ignored.
        let mut inner = [entry(AttributeType::ID, text.as_mut_ptr(), 8), entry(AttributeType::ID, ptr::null_mut(), 0)];
        let mut outer = [entry(AttributeType::WRAP_TEMPLATE, inner.as_mut_ptr().cast(), size_of_val(&inner))];
        assert_eq!(Object::new().ask(&mut outer), Ok(()));
        assert_eq!(outer[0].ulValueLen, 48);
        assert_eq!(
            inner.map(|e| (AttributeType(e.type_), e.ulValueLen)),
            [(AttributeType::LABEL, 5), (AttributeType::SENSITIVE, 1)]
        );
        assert_eq!(&text, b"inner\xaa\xaa\xaa");

        inner[0] = entry(AttributeType::ID, text.as_mut_ptr(), 4);
        assert_eq!(Object::new().ask(&mut outer), Err(Rv::BUFFER_TOO_SMALL));
        assert_eq!(inner[0].ulValueLen, UNAVAILABLE);
        assert_eq!(outer[0].ulValueLen, 48);

        outer[0].ulValueLen = 47;
        assert_eq!(Object::new().ask(&mut outer), Err(Rv::BUFFER_TOO_SMALL));
        assert_eq!(outer[0].ulValueLen, UNAVAILABLE);
    }

    #[test]
    fn a_template_that_cannot_be_is_refused() {
        // SAFETY: null is allowed, and the length is refused.
        unsafe {
            let none = |name| Err(Error::AttributeTypeInvalid(name));
            for count in [1, 257, CK_ULONG::MAX] {
                assert_eq!(answer(ptr::null_mut(), count, none), Err(Rv::ARGUMENTS_BAD), "{count}");
            }
            assert_eq!(answer(ptr::null_mut(), 0, none), Ok(()));
        }
    }

    #[test]
    fn another_error_is_an_error() {
        let mut entries = [entry(AttributeType::LABEL, ptr::null_mut(), 0)];
        // SAFETY: it is there.
        let outcome = unsafe { answer(entries.as_mut_ptr(), 1, |_| Err(Error::FunctionNotSupported)) };
        assert_eq!(outcome, Err(Rv::FUNCTION_NOT_SUPPORTED));
    }
}
