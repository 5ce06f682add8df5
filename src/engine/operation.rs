use std::{
    mem,
    sync::atomic::{AtomicU64, Ordering},
};

use crypto::{Secret, digest::Digest};
use store::RecordId;
use types::{MechanismType, ObjectHandle, Output, OutputResult, Template};

use crate::{
    Error,
    mechanism::{Signing, SinglePart, Transform, Verifying},
    message::Messages,
    slot::LoginNumber,
};

/// What is going on in a session: one operation of each kind at most.
#[derive(Default)]
pub(crate) struct Operations {
    pub(crate) search: Option<Search>,
    pub(crate) encryption: Operation<Keyed<Transform>>,
    pub(crate) decryption: Operation<Keyed<Transform>>,
    /// The key that was named for it, and how: it is written down if it opens nothing.
    pub(crate) decrypts_by: Option<(ObjectHandle, MechanismType)>,
    pub(crate) message_encryption: Option<Messages>,
    pub(crate) message_decryption: Option<Messages>,
    pub(crate) digest: Operation<Box<dyn Digest>>,
    pub(crate) signature: Operation<Keyed<Signing>>,
    pub(crate) signature_recovery: Operation<Keyed<Box<dyn SinglePart>>>,
    pub(crate) verification: Operation<Keyed<Checking>>,
    pub(crate) verification_recovery: Operation<Keyed<Box<dyn SinglePart>>>,
}

impl Operations {
    /// Whether anything but a search is going on.
    pub(crate) fn any_active(&self) -> bool {
        self.digest.is_active() || self.any_but_digest_active()
    }

    fn any_but_digest_active(&self) -> bool {
        let Self {
            search: _,
            encryption,
            decryption,
            decrypts_by: _,
            message_encryption,
            message_decryption,
            digest: _,
            signature,
            signature_recovery,
            verification,
            verification_recovery,
        } = self;
        encryption.is_active()
            || decryption.is_active()
            || message_encryption.is_some()
            || message_decryption.is_some()
            || signature.is_active()
            || signature_recovery.is_active()
            || verification.is_active()
            || verification_recovery.is_active()
    }

    /// The digest, if nothing else is going on, and whether it has been fed.
    pub(crate) fn only_digest(&self) -> Option<(&dyn Digest, bool)> {
        match &self.digest {
            _ if self.search.is_some() || self.any_but_digest_active() => None,
            Operation::Ready(digest) => Some((digest.as_ref(), false)),
            Operation::Streaming(digest) => Some((digest.as_ref(), true)),
            Operation::Idle | Operation::Done(_) => None,
        }
    }

    /// Ends what only the user may do.
    pub(crate) fn end_private(&mut self) {
        let Self {
            search,
            encryption,
            decryption,
            decrypts_by: _,
            message_encryption,
            message_decryption,
            digest: _,
            signature,
            signature_recovery,
            verification,
            verification_recovery,
        } = self;
        *search = None;
        encryption.end_private();
        decryption.end_private();
        for messages in [message_encryption, message_decryption] {
            messages.take_if(|messages| messages.authorization.is_private());
        }
        signature.end_private();
        signature_recovery.end_private();
        verification.end_private();
        verification_recovery.end_private();
    }

    /// The last operation that was started and waits for a context-specific login.
    pub(crate) fn context_login_request(&mut self) -> Option<ContextLoginRequest> {
        let requests = self.context_logins().filter_map(|state| match state {
            ContextLogin::Needed(request) => Some(*request),
            ContextLogin::NotNeeded | ContextLogin::Given => None,
        });
        requests.max()
    }

    /// Lets the operation go on that asked under this number.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`] if it is not there any more.
    pub(crate) fn give_context_login(&mut self, request: ContextLoginRequest) -> Result<(), Error> {
        let asked = self.context_logins().find(|state| **state == ContextLogin::Needed(request));
        *asked.ok_or(Error::OperationNotInitialized)? = ContextLogin::Given;
        Ok(())
    }

    /// The operations that can ask for a context-specific login.
    fn context_logins(&mut self) -> impl Iterator<Item = &mut ContextLogin> {
        let Self {
            search: _,
            encryption: _,
            decryption,
            decrypts_by: _,
            message_encryption: _,
            message_decryption: _,
            digest: _,
            signature,
            signature_recovery,
            verification: _,
            verification_recovery: _,
        } = self;
        [decryption.context_login(), signature.context_login(), signature_recovery.context_login()]
            .into_iter()
            .flatten()
    }
}

/// An operation of one kind.
#[derive(Default)]
pub(crate) enum Operation<T> {
    #[default]
    Idle,
    /// Started; nothing fed yet, so it may still be finished in one call.
    Ready(T),
    /// Being fed in parts; only a `Final` call may finish it.
    Streaming(T),
    /// Finished, but the caller's buffer was too small for the output.
    Done(Secret),
}

/// An operation with a key, and what allows its use.
pub(crate) struct Keyed<T> {
    pub(crate) run: T,
    pub(crate) authorization: KeyAuthorization,
}

/// Whether a key that was allowed at the start may still be used.
pub(crate) struct KeyAuthorization {
    /// The login that showed the key, if it is a private object.
    login: Option<LoginNumber>,
    pub(crate) context_login: ContextLogin,
}

/// Whether the user has to give his PIN for this one use (CKA_ALWAYS_AUTHENTICATE).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContextLogin {
    NotNeeded,
    /// It is asked for, under this number: no other operation has the same.
    Needed(ContextLoginRequest),
    Given,
}

/// Names the operation that asks for a context-specific login. A later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ContextLoginRequest(u64);

impl ContextLoginRequest {
    /// One that no other operation of the process has.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A verification, and the signature if it was given at the start (3.2).
pub(crate) struct Checking {
    pub(crate) verifying: Verifying,
    pub(crate) signature: Option<Vec<u8>>,
}

/// A search: what has not been looked at yet.
pub(crate) struct Search {
    pub(crate) template: Template,
    pub(crate) session_objects: std::vec::IntoIter<ObjectHandle>,
    pub(crate) records: std::vec::IntoIter<RecordId>,
}

impl KeyAuthorization {
    pub(crate) fn new(login: Option<LoginNumber>, context_login: ContextLogin) -> Self {
        Self { login, context_login }
    }

    /// `now` is the login that there is.
    pub(crate) fn check(&self, now: LoginNumber) -> Result<(), Error> {
        let logged_out = self.login.is_some_and(|login| login != now);
        let waits = matches!(self.context_login, ContextLogin::Needed(_));
        if logged_out || waits { Err(Error::UserNotLoggedIn) } else { Ok(()) }
    }

    fn is_private(&self) -> bool {
        self.login.is_some()
    }
}

/// Brings an operation back to the state from which it was taken.
type Resume<T> = fn(T) -> Operation<T>;

impl<T> Operation<T> {
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self, Self::Idle)
    }

    /// # Errors
    /// [`Error::OperationActive`] if one of this kind is going on.
    pub(crate) fn must_be_idle(&self) -> Result<(), Error> {
        if self.is_active() { Err(Error::OperationActive) } else { Ok(()) }
    }

    /// What takes parts now.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`] if nothing is going on, [`Error::OperationActive`] if only the output is to be had.
    fn taking_parts(&self) -> Result<&T, Error> {
        match self {
            Self::Ready(run) | Self::Streaming(run) => Ok(run),
            Self::Idle => Err(Error::OperationNotInitialized),
            Self::Done(_) => Err(Error::OperationActive),
        }
    }

    /// Takes what may be done in one call. Whatever leaves the caller early has ended the operation.
    fn take_ready(&mut self) -> Result<T, Error> {
        match mem::take(self) {
            Self::Ready(run) => Ok(run),
            Self::Idle => Err(Error::OperationNotInitialized),
            Self::Streaming(_) | Self::Done(_) => Err(Error::OperationActive),
        }
    }

    /// Takes what may be fed or finished in parts, and whether it has been fed.
    fn take_part(&mut self) -> Result<(T, Resume<T>), Error> {
        match mem::take(self) {
            Self::Ready(run) => Ok((run, Self::Ready)),
            Self::Streaming(run) => Ok((run, Self::Streaming)),
            Self::Idle => Err(Error::OperationNotInitialized),
            Self::Done(_) => Err(Error::OperationActive),
        }
    }
}

impl<T> Operation<Keyed<T>> {
    /// Ends the operation if its key is a private object.
    pub(crate) fn end_private(&mut self) {
        if let Self::Ready(keyed) | Self::Streaming(keyed) = self
            && keyed.authorization.is_private()
        {
            *self = Self::Idle;
        }
        if let Self::Done(_) = self {
            *self = Self::Idle;
        }
    }

    /// Whether a context-specific login is needed, if an operation is going on.
    fn context_login(&mut self) -> Option<&mut ContextLogin> {
        match self {
            Self::Ready(keyed) | Self::Streaming(keyed) => Some(&mut keyed.authorization.context_login),
            Self::Idle | Self::Done(_) => None,
        }
    }
}

/// Whether a length that was told beforehand is what comes out, or only enough.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LengthHint {
    Exactly,
    AtMost,
}

impl Operation<Keyed<Transform>> {
    /// The whole input in one call.
    pub(crate) fn once(
        &mut self,
        now: LoginNumber,
        input: &[u8],
        out: Output<'_>,
        hint: LengthHint,
    ) -> Result<OutputResult, Error> {
        if let Self::Done(output) = self {
            let output = mem::take(output);
            return Ok(self.deliver(output, out));
        }
        let mut keyed = self.take_ready()?;
        keyed.authorization.check(now)?;
        let needed = match &keyed.run {
            Transform::Stream(cipher) => cipher.once_len(input.len()),
            Transform::SinglePart(whole) => whole.output_len(input.len()),
        };
        let buffer = match out {
            Output::LengthQuery => {
                *self = Self::Ready(keyed);
                return Ok(OutputResult::Length(needed));
            }
            Output::Buffer(buffer) => buffer,
        };
        if buffer.len() < needed && hint == LengthHint::Exactly {
            *self = Self::Ready(keyed);
            return Ok(OutputResult::TooSmall(needed));
        }
        match &mut keyed.run {
            Transform::Stream(cipher) => match buffer.get_mut(..needed) {
                Some(place) => Ok(OutputResult::Written(cipher.once(input, place)?)),
                None => {
                    let mut output = wiped(needed)?;
                    let len = cipher.once(input, &mut output)?;
                    output.truncate(len);
                    Ok(self.deliver(output, Output::Buffer(buffer)))
                }
            },
            Transform::SinglePart(whole) => {
                let output = whole.run(input)?;
                Ok(self.deliver(output, Output::Buffer(buffer)))
            }
        }
    }

    /// A part of the input.
    pub(crate) fn update(&mut self, now: LoginNumber, input: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let (mut keyed, state) = self.take_part()?;
        keyed.authorization.check(now)?;
        let Transform::Stream(cipher) = &mut keyed.run else { return Err(Error::OperationNotInitialized) };
        let needed = cipher.update_len(input.len());
        let (state, produced) = match out {
            Output::LengthQuery => (state, OutputResult::Length(cipher.update_hint(input.len()))),
            Output::Buffer(buffer) => match buffer.get_mut(..needed) {
                Some(place) => (Self::Streaming as fn(_) -> _, OutputResult::Written(cipher.update(input, place)?)),
                None => (state, OutputResult::TooSmall(needed)),
            },
        };
        *self = state(keyed);
        Ok(produced)
    }

    /// The end of the input.
    pub(crate) fn finish(&mut self, now: LoginNumber, out: Output<'_>) -> Result<OutputResult, Error> {
        if let Self::Done(output) = self {
            let output = mem::take(output);
            return Ok(self.deliver(output, out));
        }
        let (mut keyed, state) = self.take_part()?;
        keyed.authorization.check(now)?;
        let Transform::Stream(cipher) = &mut keyed.run else { return Err(Error::OperationNotInitialized) };
        let needed = cipher.finish_len();
        match out {
            Output::LengthQuery => {
                *self = state(keyed);
                Ok(OutputResult::Length(needed))
            }
            Output::Buffer(buffer) => match buffer.get_mut(..needed) {
                Some(place) => Ok(OutputResult::Written(cipher.finish(place)?)),
                None => {
                    let mut output = wiped(needed)?;
                    let len = cipher.finish(&mut output)?;
                    output.truncate(len);
                    Ok(self.deliver(output, Output::Buffer(buffer)))
                }
            },
        }
    }
}

impl<T> Operation<T> {
    /// Puts out what is ready; if it does not fit, keeps it for the next call.
    fn deliver(&mut self, output: Secret, out: Output<'_>) -> OutputResult {
        let produced = out.put(&output);
        *self = match produced {
            OutputResult::Written(_) => Self::Idle,
            OutputResult::Length(_) | OutputResult::TooSmall(_) => Self::Done(output),
        };
        produced
    }
}

impl Operation<Keyed<Box<dyn SinglePart>>> {
    /// The whole input in one call.
    pub(crate) fn once(&mut self, now: LoginNumber, input: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        if let Self::Done(output) = self {
            let output = mem::take(output);
            return Ok(self.deliver(output, out));
        }
        let mut keyed = self.take_ready()?;
        keyed.authorization.check(now)?;
        if let Output::LengthQuery = out {
            let needed = keyed.run.output_len(input.len());
            *self = Self::Ready(keyed);
            return Ok(OutputResult::Length(needed));
        }
        let output = keyed.run.run(input)?;
        Ok(self.deliver(output, out))
    }
}

impl Operation<Keyed<Signing>> {
    /// Refuses what [`Self::update`] would refuse, and changes nothing.
    pub(crate) fn must_take_parts(&self) -> Result<(), Error> {
        match self.taking_parts()?.run {
            Signing::Stream(_) => Ok(()),
            Signing::SinglePart(_) => Err(Error::OperationNotInitialized),
        }
    }

    /// The whole message in one call.
    pub(crate) fn once(&mut self, now: LoginNumber, message: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let mut keyed = self.take_ready()?;
        keyed.authorization.check(now)?;
        let (Signing::Stream(signer) | Signing::SinglePart(signer)) = &mut keyed.run;
        let needed = signer.signature_len();
        let produced = match out {
            Output::LengthQuery => OutputResult::Length(needed),
            Output::Buffer(buffer) => match buffer.get_mut(..needed) {
                Some(place) => {
                    signer.once(message, place)?;
                    return Ok(OutputResult::Written(needed));
                }
                None => OutputResult::TooSmall(needed),
            },
        };
        *self = Self::Ready(keyed);
        Ok(produced)
    }

    /// A part of the message.
    pub(crate) fn update(&mut self, now: LoginNumber, message: &[u8]) -> Result<(), Error> {
        let (mut keyed, _) = self.take_part()?;
        keyed.authorization.check(now)?;
        let Signing::Stream(signer) = &mut keyed.run else { return Err(Error::OperationNotInitialized) };
        signer.update(message)?;
        *self = Self::Streaming(keyed);
        Ok(())
    }

    /// The end of the message.
    pub(crate) fn finish(&mut self, now: LoginNumber, out: Output<'_>) -> Result<OutputResult, Error> {
        let (mut keyed, state) = self.take_part()?;
        keyed.authorization.check(now)?;
        let Signing::Stream(signer) = &mut keyed.run else { return Err(Error::OperationNotInitialized) };
        let needed = signer.signature_len();
        let produced = match out {
            Output::LengthQuery => OutputResult::Length(needed),
            Output::Buffer(buffer) => match buffer.get_mut(..needed) {
                Some(place) => {
                    signer.finish(place)?;
                    return Ok(OutputResult::Written(needed));
                }
                None => OutputResult::TooSmall(needed),
            },
        };
        *self = state(keyed);
        Ok(produced)
    }
}

impl Operation<Keyed<Checking>> {
    /// Refuses what [`Self::update`] would refuse, and changes nothing.
    pub(crate) fn must_take_parts(&self, given: Given) -> Result<(), Error> {
        let Checking { verifying, signature } = &self.taking_parts()?.run;
        let fits = signature.is_some() == (given == Given::AtTheStart) && matches!(verifying, Verifying::Stream(_));
        if fits { Ok(()) } else { Err(Error::OperationNotInitialized) }
    }

    /// The whole message in one call, with the signature unless it was given at the start.
    pub(crate) fn once(&mut self, now: LoginNumber, message: &[u8], signature: Option<&[u8]>) -> Result<(), Error> {
        let Keyed { run: Checking { mut verifying, signature: kept }, authorization } = self.take_ready()?;
        authorization.check(now)?;
        let signature = one_of(signature, kept.as_deref())?;
        let (Verifying::Stream(verifier) | Verifying::SinglePart(verifier)) = &mut verifying;
        verifier.once(message, signature)
    }

    /// A part of the message.
    pub(crate) fn update(&mut self, now: LoginNumber, message: &[u8], given: Given) -> Result<(), Error> {
        let (mut keyed, _) = self.take_part()?;
        keyed.authorization.check(now)?;
        if keyed.run.signature.is_some() != (given == Given::AtTheStart) {
            return Err(Error::OperationNotInitialized);
        }
        let Verifying::Stream(verifier) = &mut keyed.run.verifying else {
            return Err(Error::OperationNotInitialized);
        };
        verifier.update(message)?;
        *self = Self::Streaming(keyed);
        Ok(())
    }

    /// The end of the message, with the signature unless it was given at the start.
    pub(crate) fn finish(&mut self, now: LoginNumber, signature: Option<&[u8]>) -> Result<(), Error> {
        let (Keyed { run: Checking { mut verifying, signature: kept }, authorization }, _) = self.take_part()?;
        authorization.check(now)?;
        let signature = one_of(signature, kept.as_deref())?;
        let Verifying::Stream(verifier) = &mut verifying else { return Err(Error::OperationNotInitialized) };
        verifier.finish(signature)
    }
}

/// When a verification gets its signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    AtTheStart,
    AtTheEnd,
}

/// The signature, which was given either at the start or now: an operation that was started by the
/// functions of one way cannot be ended by those of the other.
fn one_of<'a>(now: Option<&'a [u8]>, before: Option<&'a [u8]>) -> Result<&'a [u8], Error> {
    match (now, before) {
        (Some(signature), None) | (None, Some(signature)) => Ok(signature),
        (Some(_), Some(_)) | (None, None) => Err(Error::OperationNotInitialized),
    }
}

impl Operation<Box<dyn Digest>> {
    /// Refuses what [`Self::update`] would refuse, and changes nothing.
    pub(crate) fn must_take_parts(&self) -> Result<(), Error> {
        self.taking_parts().map(|_| ())
    }

    /// The whole message in one call.
    pub(crate) fn once(&mut self, message: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let mut digest = self.take_ready()?;
        let needed = digest.output_len();
        let produced = match out {
            Output::LengthQuery => OutputResult::Length(needed),
            Output::Buffer(buffer) => match buffer.get_mut(..needed) {
                Some(place) => {
                    digest.update(message);
                    digest.finish(place);
                    return Ok(OutputResult::Written(needed));
                }
                None => OutputResult::TooSmall(needed),
            },
        };
        *self = Self::Ready(digest);
        Ok(produced)
    }

    /// A part of the message.
    pub(crate) fn update(&mut self, message: &[u8]) -> Result<(), Error> {
        let (mut digest, _) = self.take_part()?;
        digest.update(message);
        *self = Self::Streaming(digest);
        Ok(())
    }

    /// The end of the message.
    pub(crate) fn finish(&mut self, out: Output<'_>) -> Result<OutputResult, Error> {
        let (mut digest, state) = self.take_part()?;
        let needed = digest.output_len();
        let produced = match out {
            Output::LengthQuery => OutputResult::Length(needed),
            Output::Buffer(buffer) => match buffer.get_mut(..needed) {
                Some(place) => {
                    digest.finish(place);
                    return Ok(OutputResult::Written(needed));
                }
                None => OutputResult::TooSmall(needed),
            },
        };
        *self = state(digest);
        Ok(produced)
    }
}

/// A buffer that wipes itself. Its length comes from the caller, so it may be more than there is.
fn wiped(len: usize) -> Result<Secret, Error> {
    Ok(crypto::room::zeros(len)?)
}
