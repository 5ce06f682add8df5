use aws_lc_sys as ffi;

use super::handle::done;
use crate::Error;

pub(super) fn fill(output: &mut [u8]) -> Result<(), Error> {
    // SAFETY: pointer and length are those of one slice of ours.
    done(unsafe { ffi::RAND_bytes(output.as_mut_ptr(), output.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fills_differ_and_an_empty_one_is_fine() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        fill(&mut one).unwrap();
        fill(&mut two).unwrap();
        assert_ne!(one, two);
        fill(&mut []).unwrap();
    }
}
