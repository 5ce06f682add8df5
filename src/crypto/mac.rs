//! Message authentication codes: HMAC (FIPS 198-1) and CMAC (SP 800-38B).

/// A key that is ready for use: what depends on the key alone is computed already.
pub trait MacKey: Send + Sync {
    /// Length of the whole code in bytes.
    fn output_len(&self) -> usize;

    /// Starts a code.
    fn start(&self) -> Box<dyn Mac>;

    /// The code of `data`, in the first [`MacKey::output_len`] bytes of `output`, which must have them.
    fn once(&self, data: &[u8], output: &mut [u8]);
}

/// A running code.
pub trait Mac: Send {
    /// Takes more of the message.
    fn update(&mut self, data: &[u8]);

    /// Writes the code to the first [`MacKey::output_len`] bytes of `output`, which must have them.
    fn finish(self: Box<Self>, output: &mut [u8]);
}
