use std::fmt;

use types::{AttributeType, Rv};

/// Why the engine did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// An argument is impossible: empty where something must be, or beyond every limit.
    ArgumentsBad,
    /// There is no such slot.
    SlotIdInvalid,
    /// The slot's token has not been initialised.
    TokenNotInitialized,
    /// Another process has initialised the token anew: the one that the session was with is gone.
    TokenReplaced,
    /// The token has something that a newer release put there and that must be understood; which release that is,
    /// major and minor, or zeros if nobody knows.
    NeedsNewerRelease((u16, u16)),
    /// The token has a format that no release has written, and that none reads.
    FormatWithdrawn(u16),
    /// There is no such session.
    SessionHandleInvalid,
    /// The session was closed while the call was at work.
    SessionClosed,
    /// The session is read-only and the call writes token objects.
    SessionReadOnly,
    /// Sessions are open.
    SessionExists,
    /// A read-only session is open, so the security officer may not log in.
    SessionReadOnlyExists,
    /// The security officer is logged in, so there may be no read-only session.
    SessionReadWriteSoExists,
    /// The PIN is wrong.
    PinIncorrect,
    /// The PIN is locked after too many wrong ones.
    PinLocked,
    /// The PIN is too short or too long.
    PinLenRange,
    /// The user's PIN was never set.
    UserPinNotInitialized,
    /// The same user is logged in already.
    UserAlreadyLoggedIn,
    /// Another user is logged in already.
    UserAnotherAlreadyLoggedIn,
    /// The call needs a login.
    UserNotLoggedIn,
    /// The token's keys, or the user's PIN, were exchanged since the login: it opens nothing any more.
    LoginOver,
    /// There is no such kind of user.
    UserTypeInvalid,
    /// There is no such object, or it may not be seen.
    ObjectHandleInvalid,
    /// There is no such key, or it may not be seen.
    KeyHandleInvalid,
    /// There is no such wrapping key.
    WrappingKeyHandleInvalid,
    /// There is no such unwrapping key.
    UnwrappingKeyHandleInvalid,
    /// The object says that this may not be done to it.
    ActionProhibited,
    /// The token keeps keys that are destroyed for so many days: it is not emptied at once.
    DeletionWindow(u16),
    /// The rules of the token come from a signed policy, and this is none.
    PolicySigned,
    /// The policy is not signed by whom it has to be.
    PolicySignature,
    /// The policy is no newer than the last one, which had this version.
    PolicyVersion(u64),
    /// The attribute may not be set here, or not any more.
    AttributeReadOnly(AttributeType),
    /// The attribute's value may not be seen.
    AttributeSensitive(AttributeType),
    /// The object has no such attribute.
    AttributeTypeInvalid(AttributeType),
    /// The attribute's value is not one that it can have.
    AttributeValueInvalid(AttributeType),
    /// The template lacks an attribute.
    TemplateIncomplete(AttributeType),
    /// The template contradicts itself or the call.
    TemplateInconsistent(&'static str),
    /// There is no such mechanism, or it does not do this, or the key does not allow it.
    MechanismInvalid,
    /// The mechanism's parameter is wrong.
    MechanismParamInvalid,
    /// The key is of a type that the mechanism does not take.
    KeyTypeInconsistent,
    /// The wrapping key is of a type that the mechanism does not take.
    WrappingKeyTypeInconsistent,
    /// The unwrapping key is of a type that the mechanism does not take.
    UnwrappingKeyTypeInconsistent,
    /// The key is of a size that the mechanism does not take.
    KeySizeRange,
    /// The wrapping key is too weak or of a wrong size.
    WrappingKeySizeRange,
    /// The unwrapping key is of a wrong size.
    UnwrappingKeySizeRange,
    /// The key does not allow this use.
    KeyFunctionNotPermitted,
    /// The key cannot be wrapped in this way.
    KeyNotWrappable,
    /// The key may not leave.
    KeyUnextractable,
    /// The key cannot be digested.
    KeyIndigestible,
    /// The wrapped key is not one.
    WrappedKeyInvalid,
    /// The wrapped key has an impossible length.
    WrappedKeyLenRange,
    /// The elliptic curve is not offered.
    CurveNotSupported,
    /// The domain parameters are invalid.
    DomainParamsInvalid,
    /// An operation of this kind is going on in the session.
    OperationActive,
    /// No operation of this kind is going on in the session.
    OperationNotInitialized,
    /// The session's operations cannot be saved.
    StateUnsaveable,
    /// A key was named where none is needed.
    KeyNotNeeded,
    /// A message is not what was encrypted, or its tag, nonce or associated data are others.
    AeadDecryptFailed,
    /// All nonces that can be made were used.
    NoncesExhausted,
    /// What should be a saved state is not one.
    SavedStateInvalid,
    /// The random generator takes no seed.
    RandomSeedNotSupported,
    /// The function is there by name only: this token has no use for it.
    FunctionNotSupported,
    /// A buffer of that size cannot be had.
    HostMemory,
    /// The medium failed.
    Store(store::Error),
    /// The algorithm refused or failed.
    Crypto(crypto::Error),
    /// The token is older than it was seen before: somebody has put an old one back.
    RolledBack,
    /// The object's record is damaged. The other objects are not affected.
    ObjectDamaged,
    /// What was sealed does not open, or is not what it should be: somebody has changed it.
    Tampered(&'static str),
    /// The token wants each use of a key written down before it happens, and that cannot be done: why.
    UseNotWritten(String),
    /// The module is at fault.
    Internal(&'static str),
}

/// The only place where an error becomes a return value.
impl From<&Error> for Rv {
    fn from(error: &Error) -> Self {
        match error {
            Error::ArgumentsBad => Self::ARGUMENTS_BAD,
            Error::SlotIdInvalid => Self::SLOT_ID_INVALID,
            Error::TokenNotInitialized => Self::TOKEN_NOT_RECOGNIZED,
            Error::SessionHandleInvalid => Self::SESSION_HANDLE_INVALID,
            Error::SessionClosed => Self::SESSION_CLOSED,
            Error::TokenReplaced => Self::DEVICE_REMOVED,
            Error::SessionReadOnly => Self::SESSION_READ_ONLY,
            Error::SessionExists => Self::SESSION_EXISTS,
            Error::SessionReadOnlyExists => Self::SESSION_READ_ONLY_EXISTS,
            Error::SessionReadWriteSoExists => Self::SESSION_READ_WRITE_SO_EXISTS,
            Error::PinIncorrect => Self::PIN_INCORRECT,
            Error::PinLocked => Self::PIN_LOCKED,
            Error::PinLenRange => Self::PIN_LEN_RANGE,
            Error::UserPinNotInitialized => Self::USER_PIN_NOT_INITIALIZED,
            Error::UserAlreadyLoggedIn => Self::USER_ALREADY_LOGGED_IN,
            Error::UserAnotherAlreadyLoggedIn => Self::USER_ANOTHER_ALREADY_LOGGED_IN,
            Error::UserNotLoggedIn | Error::LoginOver => Self::USER_NOT_LOGGED_IN,
            Error::UserTypeInvalid => Self::USER_TYPE_INVALID,
            Error::ObjectHandleInvalid => Self::OBJECT_HANDLE_INVALID,
            Error::KeyHandleInvalid => Self::KEY_HANDLE_INVALID,
            Error::WrappingKeyHandleInvalid => Self::WRAPPING_KEY_HANDLE_INVALID,
            Error::UnwrappingKeyHandleInvalid => Self::UNWRAPPING_KEY_HANDLE_INVALID,
            Error::ActionProhibited => Self::ACTION_PROHIBITED,
            Error::DeletionWindow(_) | Error::PolicySigned | Error::PolicySignature | Error::PolicyVersion(_) => {
                Self::FUNCTION_FAILED
            }
            Error::AttributeReadOnly(_) => Self::ATTRIBUTE_READ_ONLY,
            Error::AttributeSensitive(_) => Self::ATTRIBUTE_SENSITIVE,
            Error::AttributeTypeInvalid(_) => Self::ATTRIBUTE_TYPE_INVALID,
            Error::AttributeValueInvalid(_) => Self::ATTRIBUTE_VALUE_INVALID,
            Error::TemplateIncomplete(_) => Self::TEMPLATE_INCOMPLETE,
            Error::TemplateInconsistent(_) => Self::TEMPLATE_INCONSISTENT,
            Error::MechanismInvalid => Self::MECHANISM_INVALID,
            Error::MechanismParamInvalid => Self::MECHANISM_PARAM_INVALID,
            Error::KeyTypeInconsistent => Self::KEY_TYPE_INCONSISTENT,
            Error::WrappingKeyTypeInconsistent => Self::WRAPPING_KEY_TYPE_INCONSISTENT,
            Error::UnwrappingKeyTypeInconsistent => Self::UNWRAPPING_KEY_TYPE_INCONSISTENT,
            Error::KeySizeRange => Self::KEY_SIZE_RANGE,
            Error::WrappingKeySizeRange => Self::WRAPPING_KEY_SIZE_RANGE,
            Error::UnwrappingKeySizeRange => Self::UNWRAPPING_KEY_SIZE_RANGE,
            Error::KeyFunctionNotPermitted => Self::KEY_FUNCTION_NOT_PERMITTED,
            Error::KeyNotWrappable => Self::KEY_NOT_WRAPPABLE,
            Error::KeyUnextractable => Self::KEY_UNEXTRACTABLE,
            Error::KeyIndigestible => Self::KEY_INDIGESTIBLE,
            Error::WrappedKeyInvalid => Self::WRAPPED_KEY_INVALID,
            Error::WrappedKeyLenRange => Self::WRAPPED_KEY_LEN_RANGE,
            Error::CurveNotSupported => Self::CURVE_NOT_SUPPORTED,
            Error::DomainParamsInvalid => Self::DOMAIN_PARAMS_INVALID,
            Error::OperationActive => Self::OPERATION_ACTIVE,
            Error::OperationNotInitialized => Self::OPERATION_NOT_INITIALIZED,
            Error::KeyNotNeeded => Self::KEY_NOT_NEEDED,
            Error::StateUnsaveable => Self::STATE_UNSAVEABLE,
            Error::SavedStateInvalid => Self::SAVED_STATE_INVALID,
            Error::AeadDecryptFailed => Self::AEAD_DECRYPT_FAILED,
            Error::NoncesExhausted => Self::FUNCTION_REJECTED,
            Error::RandomSeedNotSupported => Self::RANDOM_SEED_NOT_SUPPORTED,
            Error::FunctionNotSupported => Self::FUNCTION_NOT_SUPPORTED,
            Error::HostMemory => Self::HOST_MEMORY,
            Error::Store(fault) => match fault {
                store::Error::Full(_) => Self::DEVICE_MEMORY,
                store::Error::ReadOnly(_) => Self::TOKEN_WRITE_PROTECTED,
                store::Error::Missing => Self::DEVICE_REMOVED,
                store::Error::Unreadable(_) | store::Error::TooNew(_) => Self::TOKEN_NOT_RECOGNIZED,
                store::Error::Conflict | store::Error::Busy | store::Error::Damaged(_) | store::Error::Failed(_) => {
                    Self::DEVICE_ERROR
                }
            },
            Error::Crypto(fault) => match fault {
                crypto::Error::InputLength | crypto::Error::Exhausted => Self::DATA_LEN_RANGE,
                crypto::Error::InputValue => Self::DATA_INVALID,
                crypto::Error::CiphertextLength => Self::ENCRYPTED_DATA_LEN_RANGE,
                crypto::Error::CiphertextInvalid => Self::ENCRYPTED_DATA_INVALID,
                crypto::Error::SignatureLength => Self::SIGNATURE_LEN_RANGE,
                crypto::Error::SignatureInvalid => Self::SIGNATURE_INVALID,
                crypto::Error::KeySize => Self::KEY_SIZE_RANGE,
                crypto::Error::PeerInvalid | crypto::Error::Parameter => Self::MECHANISM_PARAM_INVALID,
                crypto::Error::Memory => Self::HOST_MEMORY,
                crypto::Error::Unsupported => Self::FUNCTION_NOT_SUPPORTED,
                crypto::Error::KeyInvalid | crypto::Error::OutputLength | crypto::Error::Fault => Self::DEVICE_ERROR,
            },
            Error::ObjectDamaged | Error::RolledBack | Error::Tampered(_) | Error::UseNotWritten(_) => {
                Self::DEVICE_ERROR
            }
            Error::NeedsNewerRelease(_) | Error::FormatWithdrawn(_) => Self::TOKEN_NOT_RECOGNIZED,
            Error::Internal(_) => Self::GENERAL_ERROR,
        }
    }
}

impl From<Error> for Rv {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<crypto::Error> for Error {
    fn from(error: crypto::Error) -> Self {
        Self::Crypto(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeletionWindow(days) => {
                write!(f, "the token keeps keys that are destroyed for {days} days, so this is not done at once")
            }
            Self::PolicyVersion(last) => {
                write!(f, "the policy is no newer than the last one that was applied, which had version {last}")
            }
            Self::AttributeReadOnly(name) => write!(f, "{name} may not be set here"),
            Self::AttributeSensitive(name) => write!(f, "{name} may not be seen"),
            Self::AttributeTypeInvalid(name) => write!(f, "such an object has no {name}"),
            Self::AttributeValueInvalid(name) => write!(f, "{name} cannot have this value"),
            Self::TemplateIncomplete(name) => write!(f, "the template lacks {name}"),
            Self::TemplateInconsistent(why) => write!(f, "the template is inconsistent: {why}"),
            Self::Store(fault) => fault.fmt(f),
            Self::Crypto(fault) => fault.fmt(f),
            Self::NeedsNewerRelease((0, 0)) => f.write_str("the token needs a newer release of strongroom"),
            Self::NeedsNewerRelease((major, minor)) => {
                write!(f, "the token was written by strongroom {major}.{minor}: use that release or a newer one")
            }
            Self::FormatWithdrawn(format) => {
                write!(f, "the token has format {format}, which was never released: make the token anew")
            }
            Self::RolledBack => f.write_str(
                "the token is older than it was when this machine saw it last: \
                 if a backup was put back on purpose, `strongroom token accept-rollback` accepts it",
            ),
            Self::ObjectDamaged => f.write_str("the object's record is damaged"),
            Self::LoginOver => f.write_str("the token's keys were exchanged since the login: log in again"),
            Self::TokenReplaced => f.write_str("another process has initialised the token anew"),
            Self::Tampered(what) => write!(f, "somebody has changed {what}"),
            Self::UseNotWritten(why) => {
                write!(f, "the use of the key cannot be written down, and may not happen without: {why}")
            }
            Self::Internal(what) => write!(f, "the module is at fault: {what}"),
            plain => f.write_str(plain.words()),
        }
    }
}

impl Error {
    /// What the caller calls an object that is not there, if that is what is the matter.
    pub(crate) fn or_if_missing(self, missing: &Self) -> Self {
        if self == Self::ObjectHandleInvalid { missing.clone() } else { self }
    }

    /// What a plain error says. Those that name something say it above.
    fn words(&self) -> &'static str {
        match self {
            Self::ArgumentsBad => "an argument is missing or impossible",
            Self::SlotIdInvalid => "there is no such slot",
            Self::TokenNotInitialized => "there is no token in that slot yet",
            Self::SessionHandleInvalid => "there is no such session",
            Self::SessionClosed => "the session was closed meanwhile",
            Self::SessionReadOnly => "the session is read-only",
            Self::SessionExists => "programs have sessions open with the token",
            Self::SessionReadOnlyExists => "a read-only session is open, so the security officer cannot log in",
            Self::SessionReadWriteSoExists => {
                "the security officer is logged in, so no read-only session can be opened"
            }
            Self::PinIncorrect => "the PIN is wrong",
            Self::PinLocked => "the PIN is locked after too many wrong ones",
            Self::PinLenRange => "the PIN is too short or too long",
            Self::UserPinNotInitialized => "the user has no PIN yet",
            Self::UserAlreadyLoggedIn => "that user is logged in already",
            Self::UserAnotherAlreadyLoggedIn => "another user is logged in",
            Self::UserNotLoggedIn => "this needs a login",
            Self::UserTypeInvalid => "there is no such kind of user",
            Self::ObjectHandleInvalid => "there is no such object, or it may not be seen",
            Self::KeyHandleInvalid => "there is no such key, or it may not be seen",
            Self::WrappingKeyHandleInvalid => "there is no such wrapping key, or it may not be seen",
            Self::UnwrappingKeyHandleInvalid => "there is no such unwrapping key, or it may not be seen",
            Self::PolicySigned => "the rules of the token come from a signed policy",
            Self::PolicySignature => "the policy is not signed by whom it has to be",
            Self::ActionProhibited => "the object says that this may not be done to it",
            Self::MechanismInvalid => {
                "there is no such mechanism, or it does not do this, or the key or the token does not allow it"
            }
            Self::MechanismParamInvalid => "the mechanism's parameter is wrong",
            Self::KeyTypeInconsistent => "the mechanism does not take keys of this type",
            Self::WrappingKeyTypeInconsistent => "the mechanism does not wrap with keys of this type",
            Self::UnwrappingKeyTypeInconsistent => "the mechanism does not unwrap with keys of this type",
            Self::KeySizeRange => "the key has a size that the mechanism does not take",
            Self::WrappingKeySizeRange => "the wrapping key is too weak, or of a wrong size",
            Self::UnwrappingKeySizeRange => "the unwrapping key has a wrong size",
            Self::KeyFunctionNotPermitted => "the key may not be used for this",
            Self::KeyNotWrappable => "the key cannot be wrapped in this way",
            Self::KeyUnextractable => "the key may not leave the token",
            Self::KeyIndigestible => "the key cannot be digested",
            Self::WrappedKeyInvalid => "the wrapped key is not one",
            Self::WrappedKeyLenRange => "the wrapped key has an impossible length",
            Self::CurveNotSupported => "the elliptic curve is not offered",
            Self::DomainParamsInvalid => "the domain parameters are not some",
            Self::OperationActive => "an operation of this kind is going on",
            Self::OperationNotInitialized => "no operation of this kind is going on",
            Self::KeyNotNeeded => "no key is needed for it",
            Self::StateUnsaveable => "the session's operations cannot be saved",
            Self::SavedStateInvalid => "the saved state is not one",
            Self::AeadDecryptFailed => "the message, its tag, its nonce or its associated data were changed",
            Self::NoncesExhausted => "all nonces that can be made here were used",
            Self::RandomSeedNotSupported => "the random generator takes no seed",
            Self::FunctionNotSupported => "this token has no such function",
            Self::HostMemory => "there is no memory for it",
            Self::TokenReplaced
            | Self::NeedsNewerRelease(_)
            | Self::FormatWithdrawn(_)
            | Self::LoginOver
            | Self::AttributeReadOnly(_)
            | Self::AttributeSensitive(_)
            | Self::AttributeTypeInvalid(_)
            | Self::AttributeValueInvalid(_)
            | Self::TemplateIncomplete(_)
            | Self::TemplateInconsistent(_)
            | Self::Store(_)
            | Self::Crypto(_)
            | Self::RolledBack
            | Self::ObjectDamaged
            | Self::Tampered(_)
            | Self::UseNotWritten(_)
            | Self::DeletionWindow(_)
            | Self::PolicyVersion(_)
            | Self::Internal(_) => "",
        }
    }
}

impl std::error::Error for Error {}
