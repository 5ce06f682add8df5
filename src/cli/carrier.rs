//! Keys on their way over the border of a token.

use engine::Engine;
use types::{
    AttributeType as A, KeyType, Mechanism, MechanismType as M, ObjectClass, ObjectHandle, Output, OutputResult,
    Params, SessionHandle, Template, Value,
};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// A key of this process's own that carries others over the border of the token.
pub(crate) struct Carrier<'a> {
    engine: &'a Engine,
    session: SessionHandle,
    value: Zeroizing<Vec<u8>>,
}

const KWP: Mechanism = Mechanism { id: M::AES_KEY_WRAP_KWP, params: Params::None };

impl<'a> Carrier<'a> {
    pub(crate) fn new(engine: &'a Engine, session: SessionHandle) -> Result<Self, Fault> {
        let mut value = Zeroizing::new(vec![0; 32]);
        engine.random(session, &mut value)?;
        Ok(Self { engine, session, value })
    }

    fn able(&self, use_: A) -> Result<ObjectHandle, Fault> {
        wrapping_key(self.engine, self.session, &self.value, use_)
    }

    pub(crate) fn bring_in(&self, plain: &[u8], template: Template) -> Result<ObjectHandle, Fault> {
        let mut wrapped = vec![0; plain.len() + 16];
        self.engine.encrypt_init(self.session, &KWP, self.able(A::ENCRYPT)?)?;
        let written = self.engine.encrypt(self.session, plain, Output::Buffer(&mut wrapped))?;
        shorten(&mut wrapped, written);
        Ok(self.engine.unwrap_key(self.session, &KWP, self.able(A::UNWRAP)?, &wrapped, template)?)
    }

    pub(crate) fn bring_out(&self, key: ObjectHandle) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let wrapped = wrapped(self.engine, self.session, &KWP, self.able(A::WRAP)?, key)?;
        let mut plain = Zeroizing::new(vec![0; wrapped.len()]);
        self.engine.decrypt_init(self.session, &KWP, self.able(A::DECRYPT)?)?;
        let written = self.engine.decrypt(self.session, &wrapped, Output::Buffer(&mut plain))?;
        shorten(&mut plain, written);
        Ok(plain)
    }
}

/// A key of the session for one use: a strict token knows no key that wraps and unwraps.
pub(crate) fn wrapping_key(
    engine: &Engine,
    session: SessionHandle,
    value: &[u8],
    use_: A,
) -> Result<ObjectHandle, Fault> {
    let template: Template = vec![
        (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
        (A::VALUE, Value::bytes(value)),
        (use_, Value::Flag(true)),
    ];
    Ok(engine.create_object(session, template)?)
}

pub(crate) fn shorten(buffer: &mut Vec<u8>, written: OutputResult) {
    if let OutputResult::Written(len) = written {
        buffer.truncate(len);
    }
}

/// More than any key has, wrapped.
pub(crate) const MOST_WRAPPED: usize = 1 << 21;

pub(crate) fn wrapped(
    engine: &Engine,
    session: SessionHandle,
    mechanism: &Mechanism,
    by: ObjectHandle,
    key: ObjectHandle,
) -> Result<Vec<u8>, Fault> {
    let mut wrapped = vec![0; MOST_WRAPPED];
    let written = engine.wrap_key(session, mechanism, by, key, Output::Buffer(&mut wrapped))?;
    shorten(&mut wrapped, written);
    Ok(wrapped)
}
