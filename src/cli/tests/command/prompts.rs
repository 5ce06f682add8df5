//! PINs that are typed.

use std::time::Duration;

use expectrl::{Eof, Expect, Session, session::OsSession};

use crate::store::{PIN, SO_PIN, Store, said};

/// A command at a terminal.
fn typed(store: &Store, arguments: &[&str]) -> OsSession {
    let mut session = Session::spawn(store.command(arguments)).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(60)));
    session
}

fn answer(session: &mut OsSession, question: &str, pin: &str) {
    session.expect(question).unwrap();
    session.send_line(pin).unwrap();
}

/// What it says to the end.
fn rest(mut session: OsSession) -> String {
    let end = session.expect(Eof).unwrap();
    String::from_utf8_lossy(end.as_bytes()).into_owned()
}

#[test]
fn new_pins_are_asked_for_twice_and_others_once() {
    let store = Store::new("prompts");
    let mut session = typed(&store, &["token", "init", "typed"]);
    for (question, pin) in
        [("officer's PIN: ", SO_PIN), ("officer's PIN again: ", SO_PIN), ("PIN: ", PIN), ("PIN again: ", PIN)]
    {
        answer(&mut session, question, pin);
    }
    assert!(rest(session).contains("typed"));
    let mut session = typed(&store, &["key", "create", "k", "--kind", "p256", "--token", "typed"]);
    answer(&mut session, "User's PIN: ", PIN);
    let said = rest(session);
    assert!(
        said.contains("Key k of kind p256 is in token typed.") && !said.contains(PIN),
        "a PIN is not shown: {said}"
    );
}

#[test]
fn two_that_are_not_the_same_make_no_token() {
    let store = Store::new("unequal");
    let before = said(&store.run(&["token", "list"]));
    let mut session = typed(&store, &["token", "init", "typed"]);
    answer(&mut session, "officer's PIN: ", SO_PIN);
    answer(&mut session, "officer's PIN again: ", "another-one");
    assert!(rest(session).contains("the two are not the same"));
    assert_eq!(said(&store.run(&["token", "list"])), before);
}

#[test]
fn an_interrupt_at_a_prompt_leaves_everything_as_it_was() {
    let store = Store::new("interrupt");
    let before = said(&store.run(&["token", "list"]));
    let mut session = typed(&store, &["token", "init", "typed"]);
    session.expect("officer's PIN: ").unwrap();
    session.send(expectrl::ControlCode::EndOfText).unwrap();
    drop(rest(session));
    assert_eq!(said(&store.run(&["token", "list"])), before);
}
