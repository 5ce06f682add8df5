//! Reading and signing what was written down of a token.

use serde_json::json;

use super::{Login, Token, UsesHead, retrying};
use crate::{
    Error, attestation,
    audit::{self, AuditEntry, Broken, Event, Verified, Verifier},
    hex::digits,
    object::Attributes,
};

/// How many entries are read at a time.
const PAGE: usize = 1024;

impl Token {
    /// Reads every entry, checks it, and shows it to `each`. Where the chain breaks, it ends.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn audit(
        &self,
        login: &Login,
        each: &mut dyn FnMut(&AuditEntry),
    ) -> Result<Result<Verified, Broken>, Error> {
        let mut log = self.read_newest(&login.keys)?.header.log()?;
        let public_key = log.public_key()?;
        let mut verifier = Verifier::new(self.serial.as_str(), Some(&public_key));
        loop {
            while verifier.found().entries < log.size {
                let after = verifier.found().entries;
                let missing = usize::try_from(log.size - after).unwrap_or(usize::MAX);
                let page = self.store.log(after, PAGE.min(missing))?;
                if page.is_empty() {
                    return Ok(Err(Broken { number: after + 1, why: "it is not there: the log was cut off" }));
                }
                for stored in page {
                    let number = verifier.found().entries + 1;
                    let broken = |why| Ok(Err(Broken { number, why }));
                    if stored.0 != number {
                        return broken("it is not there");
                    }
                    let Some(text) = log.open(&self.serial, &stored) else {
                        return broken("it was changed, or another one was put in its place");
                    };
                    match verifier.entry(number, &text) {
                        Ok(link) => each(&AuditEntry { number, text, link }),
                        Err(found) => return Ok(Err(found)),
                    }
                }
            }
            let found = verifier.found();
            if found.last != log.last {
                return Ok(Err(Broken { number: found.entries, why: "it, or one before it, is not what was written" }));
            }
            if self.store.log(log.size, 1)?.is_empty() {
                return Ok(Ok(found));
            }
            // Somebody may have written since.
            let now = self.read_newest(&login.keys)?.header.log()?;
            if now.size == log.size {
                return Ok(Err(Broken { number: log.size + 1, why: "it was put in" }));
            }
            log = now;
        }
    }

    /// Signs what was written down so far, in an entry of its own. It names the end of the chain of uses on this machine.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn checkpoint(&self, login: &Login) -> Result<(), Error> {
        let uses = match self.uses_head(login) {
            Ok(None) => None,
            Ok(Some(UsesHead { book, entries, link, .. })) => {
                Some(json!({ "book": digits(&book), "link": digits(&link), "n": entries }))
            }
            Err(why) => Some(json!({ "unread": why.to_string() })),
        };
        let mut event = Event::new(audit::CHECKPOINT);
        if let Some(uses) = uses {
            event = event.with("uses", uses);
        }
        retrying(|attempt| {
            let mut edit = self.edit(login, attempt)?;
            edit.note(event.clone());
            edit.commit()
        })?;
        Ok(())
    }

    /// The public key that checks checkpoints: Ed25519, 32 bytes.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if nothing was written down of the token yet, and the store's.
    pub(crate) fn audit_key(&self, login: &Login) -> Result<Vec<u8>, Error> {
        let header = &self.look(login)?.header;
        header.has_log().then(|| header.log()).ok_or(Error::ObjectHandleInvalid)??.public_key()
    }

    /// A statement about a key as it is, signed by the key that signs checkpoints. Nothing is written.
    ///
    /// # Errors
    /// As [`Token::audit_key`].
    pub(crate) fn attest(&self, login: &Login, key: &Attributes, challenge: Option<&str>) -> Result<String, Error> {
        let current = self.look(login)?;
        let (header, token) = (&current.header, &current.token_header);
        let log = header.has_log().then(|| header.log()).ok_or(Error::ObjectHandleInvalid)??;
        let serial = self.serial.as_str();
        let token = json!({
            "label": String::from_utf8_lossy(&token.label).trim_end_matches(' '),
            "profile": token.policy.profile.to_string(),
            "serial": serial,
        });
        let text = attestation::text(key, &token, challenge);
        Ok(attestation::line(&text, &log.sign(&attestation::signed(serial, &text))?))
    }

    /// Writes down what changes nothing else.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn note(&self, login: &Login, event: &Event) -> Result<(), Error> {
        retrying(|attempt| {
            let mut edit = self.edit(login, attempt)?;
            edit.note(event.clone());
            edit.commit()
        })?;
        Ok(())
    }
}
