//! Objects that come from another token, as they were there.

use types::{AttributeType, ObjectHandle, SessionHandle, Template, Value};

use crate::{
    Engine, Error,
    object::{ObjectBuilder, Origin},
};

/// Who is there when an object is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The user alone: what is adopted is not trusted (CKA_TRUSTED).
    User,
    /// The security officer of the token that it comes from, too: what that token trusted may be trusted here.
    Officer,
}

impl Engine {
    /// Keeps an object of another token with all that it says of itself: where it came from (CKA_LOCAL,
    /// CKA_KEY_GEN_MECHANISM), and how it has always been protected (CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE). That is true
    /// only if the caller has read it from where that token keeps it, so no C function leads here.
    ///
    /// Values are checked as for [`Engine::create_object`]. What the other token does not have is computed; what it does
    /// not say that a key can do, the key cannot do.
    ///
    /// # Errors
    /// Those of [`Engine::create_object`]. [`Error::AttributeReadOnly`] for CKA_TRUSTED without its officer.
    pub fn adopt_object(
        &self,
        session: SessionHandle,
        template: Template,
        witness: Witness,
    ) -> Result<ObjectHandle, Error> {
        let trusted = (AttributeType::TRUSTED, Value::Flag(true));
        if witness == Witness::User && template.contains(&trusted) {
            return Err(Error::AttributeReadOnly(AttributeType::TRUSTED));
        }
        let session = self.session(session)?;
        let builder = ObjectBuilder::new(template, Origin::Adopted, session.rights()?, &[])?;
        session.must_be_able_to_make(&builder)?;
        session.place(crypto::keys(|| builder.complete(Vec::new()))?)
    }
}
