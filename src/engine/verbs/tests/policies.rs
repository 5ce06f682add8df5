//! Rules of a token that come from a signed policy.

use crypto::{SUITE, edwards::Curve};
use store::faulty::Verb;

use super::*;
use crate::{NewRules, Pins, Profile, SignedPolicy};

const SLOT: SlotId = SlotId(0);
const OFFICER: Pins<'_> = Pins { officer: SO_PIN, user: None };
const STRICT: NewRules = NewRules {
    profile: Some(Profile::Strict),
    label: None,
    recovery: None,
    deletion_days: None,
    lock_deletion: false,
    dates: None,
    uses: None,
    pin_tries: None,
    pin_cost: None,
};

/// Who signs.
struct Signer(u8);

impl Signer {
    fn public(&self) -> [u8; 32] {
        (SUITE.edwards_private)(Curve::Ed25519, &[self.0; 32]).unwrap().public().try_into().unwrap()
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        (SUITE.edwards_private)(Curve::Ed25519, &[self.0; 32]).unwrap().sign(text).unwrap()
    }

    /// Applies a policy that it has signed, of a version, after which another one signs.
    fn apply(&self, engine: &Engine, version: u64, next: &Self) -> Result<(), Error> {
        let text = format!("version = {version}");
        let signature = self.sign(text.as_bytes());
        let policy = SignedPolicy { text: text.as_bytes(), signature: &signature, version, signer: next.public() };
        engine.apply_policy(SLOT, &OFFICER, STRICT, &policy)
    }
}

#[test]
fn after_a_signed_policy_the_rules_change_by_a_newer_one_of_the_same_signer_only() {
    let world = World::new();
    let (engine, other) = (&world.engine, world.another_process());
    let (ours, theirs) = (Signer(1), Signer(2));
    assert_eq!(theirs.apply(engine, 5, &ours), Err(Error::PolicySignature), "the first one is signed by whom it names");
    assert_eq!(engine.token_summary(SLOT).unwrap().profile, Profile::Compatible);
    ours.apply(engine, 5, &ours).unwrap();
    let summary = other.token_summary(SLOT).unwrap();
    let signer = summary.signer.unwrap();
    assert_eq!((summary.profile, signer.public_key, signer.version), (Profile::Strict, ours.public(), 5));

    let tries = NewRules { pin_tries: Some(3), ..NewRules::default() };
    assert_eq!(other.change_rules(SLOT, &OFFICER, tries), Err(Error::PolicySigned));
    let named = NewRules { label: Some([b'n'; 32]), ..tries };
    assert_eq!(other.change_rules(SLOT, &OFFICER, named), Err(Error::PolicySigned));
    other.change_rules(SLOT, &OFFICER, NewRules { label: Some([b'n'; 32]), ..NewRules::default() }).unwrap();

    for version in [0, 4, 5] {
        assert_eq!(ours.apply(&other, version, &ours), Err(Error::PolicyVersion(5)));
    }
    assert_eq!(theirs.apply(&other, 6, &theirs), Err(Error::PolicySignature));
    assert_eq!(theirs.apply(&other, 6, &ours), Err(Error::PolicySignature));
    ours.apply(&other, 6, &theirs).unwrap();
    assert_eq!(ours.apply(engine, 7, &ours), Err(Error::PolicySignature), "another one signs now");
    theirs.apply(engine, 7, &theirs).unwrap();
}

#[test]
fn a_policy_whose_text_was_changed_or_that_the_officer_does_not_bring_is_refused() {
    let world = World::new();
    let signer = Signer(1);
    let signature = signer.sign(b"version = 1");
    let policy = |text, signature| SignedPolicy { text, signature, version: 1, signer: signer.public() };
    let apply = |pins: &Pins<'_>, policy: &SignedPolicy<'_>| world.engine.apply_policy(SLOT, pins, STRICT, policy);
    assert_eq!(apply(&OFFICER, &policy(b"version = 2", &signature)), Err(Error::PolicySignature));
    assert_eq!(apply(&OFFICER, &policy(b"version = 1", &signature[..63])), Err(Error::PolicySignature));
    assert_eq!(apply(&OFFICER, &policy(b"version = 1", b"")), Err(Error::PolicySignature));
    let users = Pins { officer: PIN, user: None };
    assert_eq!(apply(&users, &policy(b"version = 1", &signature)), Err(Error::PinIncorrect));
    assert_eq!(world.engine.token_summary(SLOT).unwrap().signer, None);
    apply(&OFFICER, &policy(b"version = 1", &signature)).unwrap();
}

#[test]
fn of_two_policies_of_one_version_at_once_one_is_applied() {
    let world = World::new();
    let (ours, theirs) = (Signer(1), Signer(2));
    ours.apply(&world.engine, 1, &ours).unwrap();
    let other = world.another_process();
    world.plan.meanwhile(Verb::Commit, 1, move || Signer(1).apply(&other, 2, &Signer(2)).unwrap());
    assert_eq!(ours.apply(&world.engine, 3, &ours), Err(Error::PolicySignature), "the signer is another one by now");
    let signer = world.another_process().token_summary(SLOT).unwrap().signer.unwrap();
    assert_eq!((signer.version, signer.public_key), (2, theirs.public()));
}

#[test]
fn a_policy_that_comes_while_the_token_is_emptied_is_not_undone_by_that() {
    let world = World::new();
    let signer = Signer(1);
    let other = world.another_process();
    world.plan.meanwhile(Verb::Commit, 1, move || Signer(1).apply(&other, 1, &Signer(1)).unwrap());
    assert_eq!(world.engine.init_token(SLOT, SO_PIN, &[b'e'; 32]), Err(Error::TokenReplaced));
    let summary = world.another_process().token_summary(SLOT).unwrap();
    assert_eq!((summary.profile, summary.signer.unwrap().version), (Profile::Strict, 1));
    world.engine.init_token(SLOT, SO_PIN, &[b'e'; 32]).unwrap();
    signer.apply(&world.engine, 2, &signer).unwrap();
}

#[test]
fn an_emptied_token_still_asks_for_the_signature_and_its_audit_says_what_was_applied() {
    let world = World::new();
    let signer = Signer(1);
    signer.apply(&world.engine, 1, &signer).unwrap();
    let session = user_session(&world.engine, SLOT);
    let mut entries = Vec::new();
    world.engine.audit(session, &mut |entry| entries.push(entry.text.clone())).unwrap().unwrap();
    let applied = entries.iter().find(|text| text.contains("policy-applied")).unwrap();
    assert!(applied.contains("\"version\":1") && applied.contains("\"profile\":\"strict\""), "{applied}");
    world.engine.close_session(session).unwrap();
    world.engine.init_token(SLOT, SO_PIN, &[b'e'; 32]).unwrap();
    assert_eq!(world.engine.change_rules(SLOT, &OFFICER, STRICT), Err(Error::PolicySigned));
    signer.apply(&world.engine, 2, &signer).unwrap();
}
