//! Powers modulo an odd number.

use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use zeroize::Zeroizing;

use crate::{Error, Secret, number};

pub(super) fn power(modulus: &[u8], base: &[u8], exponent: &[u8]) -> Result<Secret, Error> {
    if !number::is_below(base, modulus) {
        return Err(Error::KeyInvalid);
    }
    let precision = |bytes: &[u8]| u32::try_from(bytes.len().next_multiple_of(8) * 8).map_err(|_| Error::KeySize);
    let number = |bytes: &[u8], precision| BoxedUint::from_be_slice(bytes, precision).map_err(|_| Error::KeySize);
    let room = precision(modulus)?;
    let odd = Odd::new(number(modulus, room)?).into_option().ok_or(Error::KeyInvalid)?;
    let base = number(base, room)?;
    let exponent = Zeroizing::new(number(exponent, precision(exponent)?)?);
    let params = BoxedMontyParams::new(odd);
    let result = Zeroizing::new(BoxedMontyForm::new(base, &params).pow(&exponent).retrieve());
    let bytes = Zeroizing::new(result.to_be_bytes().into_vec());
    let from = bytes.len().checked_sub(modulus.len()).ok_or(Error::Fault)?;
    Ok(Secret::new(bytes[from..].to_vec()))
}
