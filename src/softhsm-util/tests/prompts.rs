//! PINs that are typed: Debian's softhsm2-util (package softhsm2) and ours ask for the same, in the same order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{fs, process::Command, time::Duration};

use expectrl::{Eof, Expect, Session, session::OsSession};

const SO_PIN: &str = "officer-12345";
const PIN: &str = "user-12345";

/// One of the two at a terminal.
fn typed(place: &tempfile::TempDir, program: &str, arguments: &[&str]) -> OsSession {
    let mut command = Command::new(program);
    command.args(arguments).env("SOFTHSM2_CONF", place.path().join("conf"));
    command.env("STRONGROOM_STORE", place.path().join("store"));
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(20)));
    session
}

/// Answers what it asks, and gives what it says after that.
fn answer(mut session: OsSession, answers: &[(&str, &str)]) -> String {
    for (question, pin) in answers {
        session.expect(question).unwrap_or_else(|why| panic!("{question}: {why}"));
        // What comes before the echo is off is thrown away.
        std::thread::sleep(Duration::from_millis(300));
        session.send_line(pin).unwrap();
    }
    let end = session.expect(Eof).unwrap_or_else(|why| panic!("after {answers:?}: {why}"));
    String::from_utf8_lossy(end.as_bytes()).into_owned()
}

#[test]
fn pins_are_asked_for_as_softhsms_own_does() {
    for program in ["/usr/bin/softhsm2-util", env!("CARGO_BIN_EXE_strongroom-softhsm2-util")] {
        let place = tempfile::tempdir().unwrap();
        let tokens = place.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        fs::write(place.path().join("conf"), format!("directories.tokendir = {}\n", tokens.display())).unwrap();
        let said = answer(
            typed(&place, program, &["--init-token", "--free", "--label", "typed", "--so-pin", "no"]),
            &[
                ("Please enter SO PIN: ", SO_PIN),
                ("Please reenter SO PIN: ", SO_PIN),
                ("Please enter user PIN: ", PIN),
                ("Please reenter user PIN: ", PIN),
            ],
        );
        assert!(said.contains("The token has been initialized and is reassigned to slot"), "{program}: {said}");
        assert!(!said.contains(PIN) && !said.contains(SO_PIN), "{program}: a PIN is not shown: {said}");

        let key = place.path().join("key");
        fs::write(&key, [7; 32]).unwrap();
        let import = ["--import", key.to_str().unwrap(), "--aes", "--token", "typed", "--label", "k", "--id", "01"];
        let said = answer(
            typed(&place, program, &import),
            &[("Please enter user PIN: ", PIN), ("Please reenter user PIN: ", PIN)],
        );
        assert!(!said.contains("ERROR"), "{program}: {said}");
    }
}
