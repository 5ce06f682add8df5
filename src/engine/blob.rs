//! What stands before an encrypted file, or around a data key: byte by byte in `docs/format-blob.md`.

/// What every blob begins with; the last byte is the version.
const MAGIC: &[u8] = b"SRB\x01";

/// What the key in the blob is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// For whoever asked for it.
    DataKey = 1,
    /// For the file that follows.
    File = 2,
}

/// How the key in the blob is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// By AES-GCM under an AES key of a token: nonce, ciphertext, tag.
    AesGcm = 1,
    /// By RSA-OAEP with SHA-256 for an RSA key.
    RsaOaep = 2,
    /// By AES-GCM under what an ephemeral key and an elliptic curve key agree on: ephemeral point, ciphertext, tag.
    Agreement = 3,
}

/// A blob.
#[derive(Debug, PartialEq, Eq)]
pub struct Blob {
    /// What the key in it is for.
    pub content: Content,
    /// How that is wrapped.
    pub wrap: Wrap,
    /// The id of the token's key (`CKA_ID`).
    pub key_id: Vec<u8>,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
}

impl Blob {
    /// What stands before the wrapped key, and is authenticated with it; `None` if the id is longer than 255 bytes.
    #[must_use]
    pub fn header(content: Content, wrap: Wrap, key_id: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = [MAGIC, &[content as u8, wrap as u8, u8::try_from(key_id.len()).ok()?]].concat();
        bytes.extend_from_slice(key_id);
        Some(bytes)
    }

    /// Its bytes; `None` if the id or the wrapped key is too long.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = Self::header(self.content, self.wrap, &self.key_id)?;
        bytes.extend_from_slice(&u16::try_from(self.wrapped.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(&self.wrapped);
        Some(bytes)
    }

    /// Reads a blob that is all of `bytes`.
    ///
    /// # Errors
    /// In words.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (blob, rest) = Self::split(bytes)?;
        if rest.is_empty() { Ok(blob) } else { Err("something follows it".to_owned()) }
    }

    /// Reads a blob that `bytes` begins with, and gives what follows it.
    ///
    /// # Errors
    /// In words.
    pub fn split(bytes: &[u8]) -> Result<(Self, &[u8]), String> {
        let mut rest = bytes;
        let blob = Self::read(|len| {
            let (taken, after) = rest.split_at_checked(len).ok_or_else(|| "it is cut off".to_owned())?;
            rest = after;
            Ok::<_, String>(taken.to_vec())
        })?;
        Ok((blob, rest))
    }

    /// Reads a blob by `take`, which gives so many bytes or fails.
    ///
    /// # Errors
    /// In words.
    pub fn read<E: From<String>>(mut take: impl FnMut(usize) -> Result<Vec<u8>, E>) -> Result<Self, E> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_part_of_it_is() {
        for (content, wrap) in
            [(Content::DataKey, Wrap::AesGcm), (Content::File, Wrap::RsaOaep), (Content::File, Wrap::Agreement)]
        {
            let blob = Blob { content, wrap, key_id: vec![1, 2, 3], wrapped: vec![9; 300] };
            let bytes = blob.encode().unwrap();
            for len in 0..bytes.len() {
                assert!(Blob::decode(&bytes[..len]).is_err(), "{len}");
            }
            assert_eq!(Blob::decode(&bytes), Ok(blob));
        }
        assert!(Blob::decode(b"SRB\x02\x01\x01\0\0\0").unwrap_err().contains("another version"));
        assert!(Blob::decode(b"-----BEGIN").unwrap_err().contains("nothing that strongroom"));
        assert!(Blob::decode(b"SRB\x01\x03\x01\0\0\0").unwrap_err().contains("not known here"));
    }
}
