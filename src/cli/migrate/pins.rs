//! The PINs of a token that is moved.

use engine::Witness;

use crate::{
    fault::Fault,
    pin::{Pin, Source},
    token,
};

/// The PINs, each asked for once.
pub(super) struct Pins {
    /// Those that open the old token.
    pub(super) user: Option<Pin>,
    pub(super) officer: Option<Pin>,
    /// Those of the new one, if they are others.
    pub(super) new_user: Option<Pin>,
    pub(super) new_officer: Option<Pin>,
    /// The options that set another PIN for the user, and for the officer.
    pub(super) others: [&'static str; 2],
}

impl Pins {
    /// From the sources of the old token's PINs, the user's first, and those of the new one's.
    pub(super) fn read(old: [&Option<Source>; 2], new: [&Option<Source>; 2]) -> Result<Self, Fault> {
        let known = |source: &Option<Source>, what| source.as_ref().map(|source| source.read(what)).transpose();
        let chosen = |source: &Option<Source>, what| source.as_ref().map(|source| source.read_new(what)).transpose();
        let nobody = old.iter().all(|source| source.is_none());
        let asked_for = |source: &Option<Source>| if nobody { Some(Source::Prompt) } else { source.clone() };
        let ([user, officer], [new_user, new_officer]) = (old, new);
        Ok(Self {
            user: known(&asked_for(user), token::USERS)?,
            officer: known(&asked_for(officer), token::OFFICERS)?,
            new_user: chosen(new_user, "New user's PIN")?,
            new_officer: chosen(new_officer, "New security officer's PIN")?,
            others: ["--new-pin", "--new-so-pin"],
        })
    }

    /// The user's and the officer's PIN of the new token.
    pub(super) fn kept(&self) -> Result<(&Pin, &Pin), Fault> {
        let chosen = |new: &'_ Option<Pin>, old: &'_ Option<Pin>| new.is_some() || old.is_some();
        if !chosen(&self.new_user, &self.user) {
            return Err(Fault::Usage("the user needs a PIN: --pin keeps his, --new-pin sets another".into()));
        }
        let user = self.new_user.as_ref().or(self.user.as_ref());
        let officer = self.new_officer.as_ref().or(self.officer.as_ref());
        let (Some(user), Some(officer)) = (user, officer) else {
            return Err(Fault::Usage(
                "the security officer needs a PIN: --so-pin keeps his, --new-so-pin sets another".into(),
            ));
        };
        for (what, option, pin) in [(token::USERS, self.others[0], user), (token::OFFICERS, self.others[1], officer)] {
            token::must_have_length(what, pin)
                .map_err(|why| Fault::Usage(format!("{}: {option} sets another", why.text(None))))?;
        }
        Ok((user, officer))
    }

    /// Who vouches for what is trusted.
    pub(super) fn witness(&self) -> Witness {
        if self.officer.is_some() { Witness::Officer } else { Witness::User }
    }
}
