//! An encryption context, in its canonical form: `docs/format-blob.md`.

use std::str::FromStr;

/// An encryption context: what was encrypted with it is decrypted with the same one only. The order does not matter.
#[derive(Clone, Default)]
pub(crate) struct Context(Vec<(String, String)>);

/// One pair of it.
#[derive(Clone)]
pub(crate) struct Pair(String, String);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && name.len().max(value.len()) <= usize::from(u16::MAX) => {
                Ok(Self(name.to_owned(), value.to_owned()))
            }
            _ => Err(format!("`{text}` is no NAME=VALUE")),
        }
    }
}

impl Context {
    /// # Errors
    /// In words, if a name stands there twice.
    pub(crate) fn of(pairs: &[Pair]) -> Result<Self, String> {
        let mut pairs: Vec<(String, String)> =
            pairs.iter().map(|Pair(name, value)| (name.clone(), value.clone())).collect();
        pairs.sort();
        match pairs.windows(2).find(|two| matches!(two, [(one, _), (other, _)] if one == other)) {
            Some(two) => Err(format!("the context has '{}' twice", two.first().map_or("", |(name, _)| name))),
            None => Ok(Self(pairs)),
        }
    }

    /// Its canonical form: by name, each name and value after its length.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            // Both were held against it when they were read.
            bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_the_same_in_every_order_and_no_two_have_one_form() {
        let form = |pairs: &[&str]| {
            Context::of(&pairs.iter().map(|pair| pair.parse().unwrap()).collect::<Vec<_>>())
                .map(|context| context.canonical())
        };
        assert_eq!(form(&["a=1", "b=2"]), form(&["b=2", "a=1"]));
        assert_eq!(form(&[]), Ok(vec![]));
        let all = [
            form(&["a=1", "b=2"]),
            form(&["a=1b", "b=2"]),
            form(&["a=1b=2"]),
            form(&["ab=", "1=2"]),
            form(&["a=1"]),
            form(&["a="]),
        ];
        for (number, one) in all.iter().enumerate() {
            assert!(all[..number].iter().all(|other| one != other), "{number}");
        }
        assert!(form(&["a=1", "a=2"]).unwrap_err().contains("'a' twice"));
        assert!("a".parse::<Pair>().is_err() && "=a".parse::<Pair>().is_err());
    }
}
