/// Where the caller wants an output (PKCS#11, 5.2).
#[derive(Debug)]
pub enum Output<'a> {
    /// Nowhere yet: it asks for the length. The operation stays as it is.
    LengthQuery,
    /// Into this buffer, if it fits.
    Buffer(&'a mut [u8]),
}

/// What became of an output. In all three cases the length is told to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputResult {
    /// It was asked for: this many bytes are enough.
    Length(usize),
    /// The buffer is too small, and this many bytes are enough. The operation stays as it is.
    TooSmall(usize),
    /// This many bytes were written.
    Written(usize),
}

impl Output<'_> {
    /// Puts out bytes that are there already.
    #[must_use]
    pub fn put(self, bytes: &[u8]) -> OutputResult {
        match self {
            Self::LengthQuery => OutputResult::Length(bytes.len()),
            Self::Buffer(buffer) => match buffer.get_mut(..bytes.len()) {
                Some(place) => {
                    place.copy_from_slice(bytes);
                    OutputResult::Written(bytes.len())
                }
                None => OutputResult::TooSmall(bytes.len()),
            },
        }
    }
}
