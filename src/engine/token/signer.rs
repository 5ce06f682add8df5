//! Whose signature the rules of a token need, if they need one: a section of the token header.

use crypto::{SUITE, edwards::Curve};

use super::bytes::{Reader, Sink};
use crate::{Error, line::is_signed};

/// Who signs the policies of a token, and which was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicySigner {
    /// Ed25519.
    pub public_key: [u8; 32],
    /// The version of the policy that was applied last. One that is applied has a higher one.
    pub version: u64,
}

/// A policy as a file, with what it says about itself.
#[derive(Clone, Copy, Debug)]
pub struct SignedPolicy<'a> {
    /// The file.
    pub text: &'a [u8],
    /// Ed25519 over it.
    pub signature: &'a [u8],
    /// Its version.
    pub version: u64,
    /// Who signs from then on (Ed25519).
    pub signer: [u8; 32],
}

impl PolicySigner {
    /// What follows if a policy is applied where this holds; `None` if nothing has to be signed.
    ///
    /// # Errors
    /// [`Error::PolicySigned`] if there is none where it has to be signed, [`Error::PolicySignature`],
    /// [`Error::PolicyVersion`] if it is no newer than the last one.
    pub(super) fn after(now: Option<Self>, policy: Option<&SignedPolicy<'_>>) -> Result<Option<Self>, Error> {
        let Some(policy) = policy else {
            return if now.is_some() { Err(Error::PolicySigned) } else { Ok(None) };
        };
        // The first one says itself by whom it is signed: the officer brings it.
        let by = now.map_or(policy.signer, |now| now.public_key);
        if !is_signed(policy.text, policy.signature, &by) {
            return Err(Error::PolicySignature);
        }
        if (SUITE.edwards_public)(Curve::Ed25519, &policy.signer).is_err() {
            return Err(Error::ArgumentsBad);
        }
        match now {
            Some(now) if policy.version <= now.version => Err(Error::PolicyVersion(now.version)),
            _ => Ok(Some(Self { public_key: policy.signer, version: policy.version })),
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put(&self.public_key);
        bytes.put(&self.version.to_be_bytes());
        bytes
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { public_key: from.array()?, version: from.u64()? })
    }
}
