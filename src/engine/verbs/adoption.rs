//! Objects that come from another token, as they were there.

use types::{AttributeType, ObjectHandle, SessionHandle, Template, Value};

use crate::{
    Engine, Error,
    object::{Attributes, ObjectBuilder, Origin},
};

/// Who is there when an object is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The user alone: what is adopted is not trusted (CKA_TRUSTED).
    User,
    /// The security officer of the token that it comes from, too: what that token trusted may be trusted here.
    Officer,
}

/// An object of another token that can be kept: its values were checked, and what follows from them was computed.
pub struct Adoptable(Attributes);

impl Engine {
    /// Takes an object of another token with all that it says of itself: where it came from (CKA_LOCAL,
    /// CKA_KEY_GEN_MECHANISM), and how it has always been protected (CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE). That is true
    /// only if the caller has read it from where that token keeps it, so no C function leads here. Nothing is kept before
    /// [`Engine::adopt_objects`].
    ///
    /// Values are checked as for [`Engine::create_object`]. What the other token does not have is computed; what it does
    /// not say that a key can do, the key cannot do.
    ///
    /// # Errors
    /// Those of [`Engine::create_object`]. [`Error::AttributeReadOnly`] for CKA_TRUSTED without its officer,
    /// [`Error::TemplateInconsistent`] for what is no token object.
    pub fn adoptable(&self, session: SessionHandle, template: Template, witness: Witness) -> Result<Adoptable, Error> {
        let trusted = (AttributeType::TRUSTED, Value::Flag(true));
        if witness == Witness::User && template.contains(&trusted) {
            return Err(Error::AttributeReadOnly(AttributeType::TRUSTED));
        }
        let session = self.session(session)?;
        let builder = ObjectBuilder::new(template, Origin::Adopted, session.rights()?, &[])?;
        session.must_be_able_to_make(&builder)?;
        if !builder.attributes().flag(AttributeType::TOKEN) {
            return Err(Error::TemplateInconsistent("an object of a token does not say that it is one (CKA_TOKEN)"));
        }
        crypto::keys(|| builder.complete(Vec::new())).map(Adoptable)
    }

    /// Keeps objects of another token in one commit: all, or none. Their handles, in their order.
    ///
    /// # Errors
    /// [`Error::SessionReadOnly`], [`Error::UserNotLoggedIn`], and the store's.
    pub fn adopt_objects(&self, session: SessionHandle, objects: Vec<Adoptable>) -> Result<Vec<ObjectHandle>, Error> {
        let session = self.session(session)?;
        session.place_all(objects.into_iter().map(|Adoptable(attributes)| attributes).collect())
    }
}
