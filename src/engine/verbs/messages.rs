use types::{MechanismType, MessageParams, ObjectHandle, Output, OutputResult, SessionHandle};

use crate::{
    Engine, Error, mechanism,
    message::{self, Message, Messages, Nonces, Way},
    operation::Operations,
    profile::Risk,
    session::Session,
};

use super::key_usage::{DECRYPT, ENCRYPT, KeyUsage};

impl Way {
    fn usage(self) -> KeyUsage {
        match self {
            Self::Encrypt => ENCRYPT,
            Self::Decrypt => DECRYPT,
        }
    }

    fn of(self, operations: &mut Operations) -> &mut Option<Messages> {
        match self {
            Self::Encrypt => &mut operations.message_encryption,
            Self::Decrypt => &mut operations.message_decryption,
        }
    }
}

/// Which part of a message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessagePart {
    /// More follow.
    Middle,
    /// The last one (`CKF_END_OF_MESSAGE`), with a tag of so many bits.
    Last {
        /// As many as at its beginning.
        tag_bits: u64,
    },
}

impl Engine {
    /// Begins the encryption of messages under one key. Each message comes with its own parameters.
    ///
    /// # Errors
    /// [`Error::OperationActive`], [`Error::MechanismInvalid`], and those of a key that may not be used.
    pub fn message_encrypt_init(
        &self,
        session: SessionHandle,
        mechanism: MechanismType,
        key: ObjectHandle,
    ) -> Result<(), Error> {
        self.session(session)?.message_init(Way::Encrypt, mechanism, key)
    }

    /// Begins the decryption of messages under one key.
    ///
    /// # Errors
    /// As [`Engine::message_encrypt_init`].
    pub fn message_decrypt_init(
        &self,
        session: SessionHandle,
        mechanism: MechanismType,
        key: ObjectHandle,
    ) -> Result<(), Error> {
        self.session(session)?.message_init(Way::Decrypt, mechanism, key)
    }

    /// Encrypts a message. If something was put out, the parameters have its nonce and its tag afterwards.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], [`Error::OperationActive`] within a message in parts,
    /// [`Error::MechanismParamInvalid`], [`Error::NoncesExhausted`].
    pub fn encrypt_message(
        &self,
        session: SessionHandle,
        params: &mut MessageParams,
        aad: &[u8],
        plaintext: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        let messages = between(Way::Encrypt.of(&mut operations))?;
        let buffer = match fits(out, plaintext.len()) {
            Ok(buffer) => buffer,
            Err(told) => return Ok(told),
        };
        let (message, iv) = session.begin_message(messages, Way::Encrypt, params, aad)?;
        let (written, tag) = message.seal(plaintext, buffer)?;
        (params.iv, params.tag) = (iv, tag);
        Ok(OutputResult::Written(written))
    }

    /// Decrypts a message.
    ///
    /// # Errors
    /// [`Error::AeadDecryptFailed`] if it is not what was encrypted, and those of [`Engine::encrypt_message`].
    pub fn decrypt_message(
        &self,
        session: SessionHandle,
        params: &MessageParams,
        aad: &[u8],
        ciphertext: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        let messages = between(Way::Decrypt.of(&mut operations))?;
        let buffer = match fits(out, ciphertext.len()) {
            Ok(buffer) => buffer,
            Err(told) => return Ok(told),
        };
        let by = Some((messages.key, messages.mechanism));
        let (message, _) = session.begin_message(messages, Way::Decrypt, params, aad)?;
        let opened = message.open(ciphertext, &params.tag, buffer);
        opened.map(OutputResult::Written).inspect_err(|fault| session.note_failed(by, &DECRYPT, fault))
    }

    /// Begins a message in parts. The parameters have its nonce afterwards.
    ///
    /// # Errors
    /// As [`Engine::encrypt_message`].
    pub fn encrypt_message_begin(
        &self,
        session: SessionHandle,
        params: &mut MessageParams,
        aad: &[u8],
    ) -> Result<(), Error> {
        params.iv = self.session(session)?.message_begin(Way::Encrypt, params, aad)?;
        Ok(())
    }

    /// Begins a message in parts.
    ///
    /// # Errors
    /// As [`Engine::decrypt_message`].
    pub fn decrypt_message_begin(
        &self,
        session: SessionHandle,
        params: &MessageParams,
        aad: &[u8],
    ) -> Result<(), Error> {
        self.session(session)?.message_begin(Way::Decrypt, params, aad).map(|_| ())
    }

    /// Goes on with a message in parts. With the last one comes its tag.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`] if none has begun, and the algorithm's. Each of them ends the message.
    pub fn encrypt_message_next(
        &self,
        session: SessionHandle,
        part: MessagePart,
        plaintext: &[u8],
        out: Output<'_>,
    ) -> Result<(OutputResult, Vec<u8>), Error> {
        self.session(session)?.message_next(Way::Encrypt, part, plaintext, &[], out)
    }

    /// Goes on with a message in parts. Nothing comes out before the last one, with which the tag is given.
    ///
    /// # Errors
    /// [`Error::AeadDecryptFailed`], and those of [`Engine::encrypt_message_next`].
    pub fn decrypt_message_next(
        &self,
        session: SessionHandle,
        part: MessagePart,
        ciphertext: &[u8],
        tag: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        let next = self.session(session)?.message_next(Way::Decrypt, part, ciphertext, tag, out)?;
        Ok(next.0)
    }

    /// Ends the encryption of messages.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], and [`Error::OperationActive`] within a message in parts.
    pub fn message_encrypt_final(&self, session: SessionHandle) -> Result<(), Error> {
        self.session(session)?.message_final(Way::Encrypt)
    }

    /// Ends the decryption of messages.
    ///
    /// # Errors
    /// As [`Engine::message_encrypt_final`].
    pub fn message_decrypt_final(&self, session: SessionHandle) -> Result<(), Error> {
        self.session(session)?.message_final(Way::Decrypt)
    }

    /// Ends the message that is being encrypted in parts, if one is: its caller made a mistake.
    ///
    /// # Errors
    /// [`Error::SessionHandleInvalid`].
    pub fn end_encrypted_message(&self, session: SessionHandle) -> Result<(), Error> {
        self.session(session)?.end_message(Way::Encrypt);
        Ok(())
    }

    /// Ends the message that is being decrypted in parts, if one is.
    ///
    /// # Errors
    /// [`Error::SessionHandleInvalid`].
    pub fn end_decrypted_message(&self, session: SessionHandle) -> Result<(), Error> {
        self.session(session)?.end_message(Way::Decrypt);
        Ok(())
    }
}

/// Those that have begun, if no message of theirs has.
fn between(messages: &mut Option<Messages>) -> Result<&mut Messages, Error> {
    let messages = messages.as_mut().ok_or(Error::OperationNotInitialized)?;
    if messages.message.is_some() { Err(Error::OperationActive) } else { Ok(messages) }
}

/// The buffer, if it has so much room; else what to tell.
fn fits(out: Output<'_>, needed: usize) -> Result<&mut [u8], OutputResult> {
    match out {
        Output::LengthQuery => Err(OutputResult::Length(needed)),
        Output::Buffer(buffer) => buffer.get_mut(..needed).ok_or(OutputResult::TooSmall(needed)),
    }
}

impl Session {
    fn message_init(&self, way: Way, mechanism: MechanismType, key: ObjectHandle) -> Result<(), Error> {
        let mut operations = self.operations.lock();
        let place = way.of(&mut operations);
        if place.is_some() {
            return Err(Error::OperationActive);
        }
        let row = mechanism::find(mechanism).ok_or(Error::MechanismInvalid)?;
        if row.message.is_none() {
            return Err(Error::MechanismInvalid);
        }
        let usable = self.key(key, &way.usage(), row)?;
        usable.must_not_ask_for_pin()?;
        let authorization = self.authorization(&usable);
        *place = Some(Messages { key, mechanism, authorization, nonces: Nonces::default(), message: None });
        Ok(())
    }

    /// Begins a message. Its key is looked up again: it may have been destroyed or disabled.
    fn begin_message(
        &self,
        messages: &mut Messages,
        way: Way,
        params: &MessageParams,
        aad: &[u8],
    ) -> Result<(Message, Vec<u8>), Error> {
        messages.authorization.check(self.now())?;
        let row = mechanism::find(messages.mechanism).ok_or(Error::MechanismInvalid)?;
        let key = self.key(messages.key, &way.usage(), row)?;
        let iv = match way {
            Way::Encrypt => {
                if !message::is_made_here(params.generator) {
                    self.must_take_nonces()?;
                }
                messages.nonces.next(params)?
            }
            Way::Decrypt => params.iv.clone(),
        };
        Ok((message::begin(row, way, &key, iv.clone(), aad, params.tag_bits)?, iv))
    }

    fn message_begin(&self, way: Way, params: &MessageParams, aad: &[u8]) -> Result<Vec<u8>, Error> {
        let mut operations = self.operations.lock();
        let messages = between(way.of(&mut operations))?;
        let (message, iv) = self.begin_message(messages, way, params, aad)?;
        messages.message = Some(message);
        Ok(iv)
    }

    fn message_next(
        &self,
        way: Way,
        part: MessagePart,
        input: &[u8],
        tag: &[u8],
        out: Output<'_>,
    ) -> Result<(OutputResult, Vec<u8>), Error> {
        let mut operations = self.operations.lock();
        let messages = way.of(&mut operations).as_mut().ok_or(Error::OperationNotInitialized)?;
        // Whatever leaves early has ended the message.
        let mut message = messages.message.take().ok_or(Error::OperationNotInitialized)?;
        messages.authorization.check(self.now())?;
        let needed = match part {
            MessagePart::Middle => message.update_len(input.len()),
            MessagePart::Last { tag_bits } => {
                message.must_have_tag(tag_bits)?;
                message.end_len(input.len())
            }
        };
        let asks = matches!(out, Output::LengthQuery);
        let told = match (fits(out, needed), part) {
            (Ok(buffer), MessagePart::Middle) => OutputResult::Written(message.update(input, buffer)?),
            (Ok(buffer), MessagePart::Last { .. }) => {
                return match way {
                    Way::Encrypt => {
                        message.seal(input, buffer).map(|(written, tag)| (OutputResult::Written(written), tag))
                    }
                    Way::Decrypt => {
                        let by = Some((messages.key, messages.mechanism));
                        let opened = message.open(input, tag, buffer);
                        let opened = opened.inspect_err(|fault| self.note_failed(by, &DECRYPT, fault));
                        opened.map(|written| (OutputResult::Written(written), Vec::new()))
                    }
                };
            }
            (Err(_), MessagePart::Middle) if asks => OutputResult::Length(message.update_hint(input.len())),
            (Err(told), _) => told,
        };
        messages.message = Some(message);
        Ok((told, Vec::new()))
    }

    fn end_message(&self, way: Way) {
        if let Some(messages) = way.of(&mut self.operations.lock()) {
            messages.message = None;
        }
    }

    fn message_final(&self, way: Way) -> Result<(), Error> {
        let mut operations = self.operations.lock();
        let place = way.of(&mut operations);
        between(place)?;
        *place = None;
        Ok(())
    }

    /// Refuses a nonce that the caller has made, where the token does.
    pub(super) fn must_take_nonces(&self) -> Result<(), Error> {
        if self.profile()?.refuses(Risk::CallersNonce) { Err(Error::MechanismParamInvalid) } else { Ok(()) }
    }
}
