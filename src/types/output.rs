/// Where the caller wants an output (PKCS#11, 5.2).
#[derive(Debug)]
pub enum Room<'a> {
    /// Nowhere yet: it asks for the length. The operation stays as it is.
    Ask,
    /// Into this buffer, if it fits.
    Into(&'a mut [u8]),
}

/// What became of an output. In all three cases the length is told to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Produced {
    /// It was asked for: this many bytes are enough.
    Length(usize),
    /// The buffer is too small, and this many bytes are enough. The operation stays as it is.
    TooSmall(usize),
    /// This many bytes were written.
    Written(usize),
}

impl Room<'_> {
    /// Puts out bytes that are there already.
    #[must_use]
    pub fn put(self, bytes: &[u8]) -> Produced {
        match self {
            Self::Ask => Produced::Length(bytes.len()),
            Self::Into(buffer) => match buffer.get_mut(..bytes.len()) {
                Some(place) => {
                    place.copy_from_slice(bytes);
                    Produced::Written(bytes.len())
                }
                None => Produced::TooSmall(bytes.len()),
            },
        }
    }
}
