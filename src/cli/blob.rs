//! What stands before an encrypted file, or around a data key: byte by byte in `docs/format-blob.md`.

use std::str::FromStr;

/// What every blob begins with; the last byte is the version.
const MAGIC: &[u8] = b"SRB\x01";

/// What the key in the blob is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// For whoever asked for it.
    DataKey = 1,
    /// For the file that follows.
    File = 2,
}

/// How the key in the blob is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrap {
    /// By AES-GCM under an AES key of a token: nonce, ciphertext, tag.
    AesGcm = 1,
    /// By RSA-OAEP with SHA-256 for an RSA key.
    RsaOaep = 2,
    /// By AES-GCM under what an ephemeral key and an elliptic curve key agree on: ephemeral point, ciphertext, tag.
    Agreement = 3,
}

/// A blob.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) content: Content,
    pub(crate) wrap: Wrap,
    /// The key's id (CKA_ID).
    pub(crate) key_id: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
}

impl Blob {
    /// What stands before the wrapped key. It is authenticated with the key.
    pub(crate) fn header(content: Content, wrap: Wrap, key_id: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = [MAGIC, &[content as u8, wrap as u8, u8::try_from(key_id.len()).ok()?]].concat();
        bytes.extend_from_slice(key_id);
        Some(bytes)
    }

    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = Self::header(self.content, self.wrap, &self.key_id)?;
        bytes.extend_from_slice(&u16::try_from(self.wrapped.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(&self.wrapped);
        Some(bytes)
    }

    /// Reads a blob by `take`, which gives so many bytes or fails.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn read<E: From<String>>(mut take: impl FnMut(usize) -> Result<Vec<u8>, E>) -> Result<Self, E> {
        let start = take(MAGIC.len() + 3)?;
        let (magic, rest) = start.split_at(MAGIC.len());
        let [content, wrap, id_len] = *rest else { return Err(E::from("it is cut off".to_owned())) };
        if !magic.starts_with(b"SRB") {
            return Err(E::from("it is nothing that strongroom has encrypted".to_owned()));
        }
        if magic != MAGIC {
            return Err(E::from("it is of another version, which this one does not read".to_owned()));
        }
        let content = [Content::DataKey, Content::File].into_iter().find(|known| *known as u8 == content);
        let wrap = [Wrap::AesGcm, Wrap::RsaOaep, Wrap::Agreement].into_iter().find(|known| *known as u8 == wrap);
        let (Some(content), Some(wrap)) = (content, wrap) else {
            return Err(E::from("it is encrypted in a way that is not known here".to_owned()));
        };
        let key_id = take(usize::from(id_len))?;
        let len = take(2)?;
        let len = <[u8; 2]>::try_from(len.as_slice()).map_or(0, u16::from_be_bytes);
        let wrapped = take(usize::from(len))?;
        Ok(Self { content, wrap, key_id, wrapped })
    }
}

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

    fn read(bytes: &[u8]) -> Result<Blob, String> {
        let mut rest = bytes;
        let blob = Blob::read(|len| {
            let (taken, after) = rest.split_at_checked(len).ok_or("it is cut off".to_owned())?;
            rest = after;
            Ok::<_, String>(taken.to_vec())
        })?;
        if rest.is_empty() { Ok(blob) } else { Err("something follows".into()) }
    }

    #[test]
    fn what_is_written_is_read_and_no_part_of_it_is() {
        for (content, wrap) in
            [(Content::DataKey, Wrap::AesGcm), (Content::File, Wrap::RsaOaep), (Content::File, Wrap::Agreement)]
        {
            let blob = Blob { content, wrap, key_id: vec![1, 2, 3], wrapped: vec![9; 300] };
            let bytes = blob.encode().unwrap();
            for len in 0..bytes.len() {
                assert!(read(&bytes[..len]).is_err(), "{len}");
            }
            assert_eq!(read(&bytes), Ok(blob));
        }
        assert!(read(b"SRB\x02\x01\x01\0\0\0").unwrap_err().contains("another version"));
        assert!(read(b"-----BEGIN").unwrap_err().contains("nothing that strongroom"));
        assert!(read(b"SRB\x01\x03\x01\0\0\0").unwrap_err().contains("not known here"));
    }

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
