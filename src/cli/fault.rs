//! Why a verb did not do it, and what to do next: in words, with the return value of PKCS#11 in brackets.

use engine::Error;
use types::Rv;

/// Why a verb did not do it.
pub(crate) enum Fault {
    /// What the engine said.
    Engine(Error),
    /// What somebody typed cannot be.
    Usage(String),
    /// What was named is not there, or is more than one.
    NotFound(String),
    /// A setting stops the command.
    Settings(String),
    /// What the engine said, in words that know of which key.
    Explained(String, Error),
    /// A PIN that opens something else than a token of ours is wrong.
    Pin(String),
    /// It was tried and did not work, or what was checked is wrong.
    Failed(String),
}

/// The token that a verb is about, as far as it was found out before the fault.
pub(crate) struct About<'a> {
    /// How to name it to the command.
    pub(crate) token: &'a str,
    /// Its wrong tries.
    pub(crate) tries: Option<u32>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// What to do about an error. `{token}` is the token's name.
struct Cure(fn(&Error) -> bool, &'static str);

/// The first that fits counts.
const CURES: &[Cure] = &[
    Cure(
        |e| *e == Error::PinLocked,
        "`strongroom pin reset --token {token}` (the security officer's PIN) opens the user's",
    ),
    Cure(
        |e| *e == Error::PinIncorrect,
        "{tries} wrong ones in a row lock it; `strongroom pin reset --token {token}` (the security officer's PIN) sets another",
    ),
    Cure(
        |e| *e == Error::UserPinNotInitialized,
        "`strongroom pin reset --token {token}` (the security officer's PIN) sets it",
    ),
    Cure(|e| *e == Error::PinLenRange, "it has 4 to 255 bytes"),
    Cure(|e| *e == Error::SessionExists, "stop them first: `fuser` on the token's file says which they are"),
    Cure(|e| *e == Error::TokenNotInitialized, "`strongroom token init LABEL` makes one"),
    Cure(|e| *e == Error::SlotIdInvalid, "`strongroom token list` has all tokens"),
    Cure(
        |e| matches!(e, Error::DeletionWindow(_)),
        "the security officer shortens that with `strongroom token set --deletion-days`, unless it is locked; delete the keys and wait \
         if it is",
    ),
    Cure(|e| *e == Error::PolicySigned, "`strongroom policy apply` takes a newer one; `policy show` says who signs"),
    Cure(
        |e| *e == Error::PolicySignature,
        "`strongroom policy show` says who signs; the file must not have changed since",
    ),
    Cure(|e| matches!(e, Error::PolicyVersion(_)), "give it a higher version, and have it signed"),
    Cure(|e| *e == Error::KeyUnextractable, "`strongroom key create --extractable` makes keys that may"),
    Cure(
        |e| *e == Error::KeyFunctionNotPermitted,
        "`strongroom key show` says what it can, and its state; `--can` chooses when it is made, `key enable` brings back one that \
         is disabled, and `key versions` has the versions that do nothing any more",
    ),
    Cure(
        |e| *e == Error::ObjectDamaged,
        "put a backup of the token in its place; `strongroom doctor --token {token}` names what is damaged",
    ),
    Cure(
        |e| Rv::from(e) == Rv::TOKEN_WRITE_PROTECTED,
        "it is written by its owner only, and not on a read-only medium",
    ),
    Cure(|e| Rv::from(e) == Rv::DEVICE_MEMORY, "make room on the disk: nothing was changed"),
    Cure(
        |e| matches!(e, Error::UseNotWritten(_)) || *e == Error::Tampered(engine::USES),
        "the uses of the token's keys are in a file that ends in .uses in the state directory (`strongroom config show` names it):          if that is not the token's, or is damaged, move it away and keep it; the next use begins a new book",
    ),
    Cure(
        |e| matches!(e, Error::Tampered(_)),
        "put a backup in its place; `strongroom token accept-rollback` accepts one that is older",
    ),
];

impl Fault {
    /// The documented exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Settings(_) => 2,
            Self::NotFound(_) => 3,
            Self::Pin(_) => 4,
            Self::Failed(_) => 1,
            Self::Engine(Error::DeletionWindow(_) | Error::PolicySigned) => 5,
            Self::Engine(error) | Self::Explained(_, error) => match Rv::from(error) {
                Rv::SLOT_ID_INVALID => 3,
                Rv::PIN_INCORRECT | Rv::PIN_LOCKED | Rv::PIN_LEN_RANGE | Rv::USER_PIN_NOT_INITIALIZED => 4,
                Rv::USER_NOT_LOGGED_IN
                | Rv::TOKEN_WRITE_PROTECTED
                | Rv::SESSION_EXISTS
                | Rv::KEY_FUNCTION_NOT_PERMITTED
                | Rv::KEY_UNEXTRACTABLE
                | Rv::ACTION_PROHIBITED
                | Rv::ATTRIBUTE_READ_ONLY => 5,
                Rv::DEVICE_ERROR | Rv::TOKEN_NOT_RECOGNIZED => 6,
                _ => 1,
            },
        }
    }

    /// The return value of PKCS#11, if it is one's.
    pub(crate) fn code(&self) -> Option<String> {
        match self {
            Self::Engine(error) | Self::Explained(_, error) => Some(Rv::from(error).to_string()),
            Self::Usage(_) | Self::NotFound(_) | Self::Settings(_) | Self::Pin(_) | Self::Failed(_) => None,
        }
    }

    /// What happened, and what to do next.
    pub(crate) fn text(&self, about: Option<&About<'_>>) -> String {
        match self {
            Self::Usage(why) | Self::NotFound(why) | Self::Settings(why) | Self::Pin(why) | Self::Failed(why) => {
                why.trim_end().to_owned()
            }
            Self::Explained(why, error) => format!("{why} [{}]", Rv::from(error)),
            Self::Engine(error) => {
                let what = match about {
                    Some(about) => format!("token '{}': {error}", about.token),
                    None => error.to_string(),
                };
                let cure = CURES.iter().find(|Cure(fits, _)| fits(error)).map(|Cure(_, words)| {
                    let token = about.map_or("LABEL".to_owned(), |about| quoted(about.token));
                    let tries =
                        about.and_then(|about| about.tries).map_or("some".to_owned(), |tries| tries.to_string());
                    words.replace("{token}", &token).replace("{tries}", &tries)
                });
                let code = Rv::from(error);
                match cure {
                    Some(cure) => format!("{what}: {cure} [{code}]"),
                    None => format!("{what} [{code}]"),
                }
            }
        }
    }
}

/// As a shell takes it for one word.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_to_which_token_and_what_to_do_next() {
        let about = About { token: "my token", tries: Some(10) };
        let text = Fault::Engine(Error::PinLocked).text(Some(&about));
        assert_eq!(
            text,
            "token 'my token': the PIN is locked after too many wrong ones: \
             `strongroom pin reset --token 'my token'` (the security officer's PIN) opens the user's [CKR_PIN_LOCKED]"
        );
    }

    #[test]
    fn a_word_is_one_word_to_a_shell() {
        assert_eq!(quoted("mine"), "mine");
        assert_eq!(quoted("it's mine "), "'it'\\''s mine '");
        assert_eq!(quoted(""), "''");
    }
}
