//! Every verb with what can be wrong with its token, its PIN and its key: the exit code is the documented one, the message
//! says what to do, and nothing has changed.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::PathBuf,
    process::Output,
};

use crate::store::{Store, refused, said};

/// Verbs that want a user's PIN: they work with a key named `k`, a certificate of it, and files in the store's directory.
const OF_USERS: [&[&str]; 24] = [
    &["key", "create", "new", "--kind", "p256"],
    &["key", "list"],
    &["key", "show", "k"],
    &["key", "uri", "k"],
    &["key", "export", "k"],
    &["key", "import", "new.pem", "--label", "new"],
    &["key", "copy", "k", "new"],
    &["key", "wrap", "k", "--by", "aes"],
    &["key", "unwrap", "m", "--by", "aes", "--kind", "aes-256", "--label", "new"],
    &["key", "delete", "k", "--yes"],
    &["cert", "self-sign", "k"],
    &["cert", "csr", "k"],
    &["cert", "import", "cert.pem"],
    &["cert", "list"],
    &["cert", "show", "k"],
    &["cert", "export", "k"],
    &["cert", "delete", "k", "--yes"],
    &["object", "list"],
    &["object", "show", "k", "--class", "private-key"],
    &["object", "delete", "k", "--class", "private-key", "--yes"],
    &["sign", "k", "m"],
    &["mac", "hmac", "m"],
    &["encrypt", "aes", "m"],
    &["datakey", "generate", "aes"],
];

/// Verbs that want the officer's.
const OF_OFFICERS: [&[&str]; 5] = [
    &["pin", "reset"],
    &["token", "set", "--pin-tries", "5"],
    &["token", "label", "other"],
    &["token", "reinit", "--label", "mine"],
    &["token", "delete", "--label", "mine"],
];

/// Verbs that name a key or an object.
const OF_KEYS: [&[&str]; 14] = [
    &["key", "show", "nothing"],
    &["key", "uri", "nothing"],
    &["key", "export", "nothing"],
    &["key", "copy", "nothing", "new"],
    &["key", "wrap", "nothing", "--by", "aes"],
    &["key", "wrap", "k", "--by", "nothing"],
    &["key", "delete", "nothing", "--yes"],
    &["cert", "self-sign", "nothing"],
    &["cert", "show", "nothing"],
    &["object", "show", "nothing"],
    &["sign", "nothing", "m"],
    &["mac", "nothing", "m"],
    &["encrypt", "nothing", "m"],
    &["datakey", "generate", "nothing"],
];

fn run(store: &Store, arguments: &[&str], more: &[&str]) -> Output {
    store.command(&[arguments, more].concat()).current_dir(&store.0).env("NEW", "new-user-12345").output().unwrap()
}

/// A token with keys, a certificate, and files.
fn filled(name: &str) -> Store {
    let store = Store::new(name);
    for (key, kind) in [("k", "p256"), ("aes", "aes-256"), ("hmac", "hmac-sha256")] {
        said(&run(&store, &["key", "create", key, "--kind", kind], &["--pin", "env:PIN", "--extractable"]));
    }
    let cert = said(&run(&store, &["cert", "self-sign", "k"], &["--pin", "env:PIN"]));
    fs::write(store.0.join("cert.pem"), cert).unwrap();
    fs::write(store.0.join("m"), "a message").unwrap();
    let private = said(&run(&store, &["key", "export", "k"], &["--private", "--plain", "--pin", "env:PIN"]));
    fs::write(store.0.join("new.pem"), private).unwrap();
    store
}

/// What is in the token.
fn contents(store: &Store) -> String {
    let pin = &["--pin", "env:PIN"][..];
    said(&run(store, &["object", "list"], pin)) + &said(&store.run(&["token", "show"]))
}

fn officers(arguments: &[&str], pin: &str) -> Vec<String> {
    let mut more = vec!["--so-pin".to_owned(), pin.to_owned()];
    if arguments[0] == "pin" {
        more.extend(["--new-pin".to_owned(), "env:NEW".to_owned()]);
    }
    more
}

fn strs(strings: &[String]) -> Vec<&str> {
    strings.iter().map(String::as_str).collect()
}

#[test]
fn a_wrong_pin_is_exit_code_4_at_every_verb_and_changes_nothing() {
    let store = filled("wrong");
    let before = contents(&store);
    for verb in OF_USERS {
        let (code, why) = refused(&run(&store, verb, &["--pin", "env:WRONG"]));
        assert!(code == 4 && why.contains("CKR_PIN_INCORRECT") && why.contains("pin reset"), "{verb:?}: {code} {why}");
        // The right one in between, so that the wrong ones do not add up.
        assert_eq!(contents(&store), before, "{verb:?}");
    }
    for verb in OF_OFFICERS {
        let (code, why) = refused(&run(&store, verb, &strs(&officers(verb, "env:WRONG"))));
        assert!(code == 4 && why.contains("CKR_PIN_INCORRECT"), "{verb:?}: {code} {why}");
        said(&run(&store, &["token", "set", "--pin-tries", "10"], &["--so-pin", "env:SO_PIN"]));
        assert_eq!(contents(&store), before, "{verb:?}");
    }
}

#[test]
fn a_locked_pin_is_exit_code_4_at_every_verb_and_names_the_way_out() {
    let store = filled("locked");
    said(&run(&store, &["token", "set", "--pin-tries", "1"], &["--so-pin", "env:SO_PIN"]));
    assert_eq!(refused(&run(&store, &["key", "list"], &["--pin", "env:WRONG"])).0, 4);
    for verb in OF_USERS {
        let (code, why) = refused(&run(&store, verb, &["--pin", "env:PIN"]));
        assert!(code == 4 && why.contains("`strongroom pin reset --token mine`"), "{verb:?}: {code} {why}");
    }
}

#[test]
fn no_token_is_exit_code_3_and_two_of_one_label_are_2_at_every_verb() {
    let store = filled("tokens");
    let one = |verb: &[&str], token: &str| {
        let more = match OF_OFFICERS.contains(&verb) {
            true => officers(verb, "env:SO_PIN"),
            false => vec!["--pin".into(), "env:PIN".into()],
        };
        run(&store, verb, &[&strs(&more)[..], &["--token", token]].concat())
    };
    for verb in OF_USERS.iter().chain(&OF_OFFICERS) {
        let (code, why) = refused(&one(verb, "yours"));
        assert!(
            code == 3 && why.contains("there is no token 'yours'") && why.contains("mine"),
            "{verb:?}: {code} {why}"
        );
    }
    said(&run(&store, &["token", "init", "mine"], &["--so-pin", "env:SO_PIN", "--pin", "env:PIN"]));
    for verb in OF_USERS.iter().chain(&OF_OFFICERS) {
        let (code, why) = refused(&one(verb, "mine"));
        assert!(code == 2 && why.contains("could be any of these"), "{verb:?}: {code} {why}");
    }
    let empty = Store::new("none");
    said(&run(&empty, &["token", "delete", "--label", "mine"], &["--so-pin", "env:SO_PIN"]));
    for file in ["m", "new.pem", "cert.pem"] {
        fs::copy(store.0.join(file), empty.0.join(file)).unwrap();
    }
    for verb in OF_USERS {
        let (code, why) = refused(&run(&empty, verb, &["--pin", "env:PIN"]));
        assert!(code == 3 && why.contains("`strongroom token init LABEL` makes one"), "{verb:?}: {code} {why}");
    }
}

#[test]
fn a_key_that_is_not_there_is_exit_code_3_at_every_verb() {
    let store = filled("missing");
    let before = contents(&store);
    for verb in OF_KEYS {
        let (code, why) = refused(&run(&store, verb, &["--pin", "env:PIN"]));
        assert!(code == 3 && why.contains("'nothing'"), "{verb:?}: {code} {why}");
    }
    assert_eq!(contents(&store), before);
}

/// Nobody's number, for whom permissions hold if root runs the tests.
const NOBODY: u32 = 65534;

fn give(store: &Store, to: u32) {
    let paths = |path: PathBuf| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let (mut all, mut at) = (vec![store.0.clone()], 0);
    while let Some(path) = all.get(at).cloned() {
        chown(&path, Some(to), None).unwrap();
        if path.is_dir() {
            all.extend(paths(path));
        }
        at += 1;
    }
}

/// Runs a verb as somebody for whom permissions hold.
fn unprivileged(store: &Store, verb: &[&str]) -> Output {
    let mut command = store.command(&[verb, &["--pin", "env:PIN"]].concat());
    if rustix::process::geteuid().is_root() {
        // He may not even see where root builds.
        let copy = store.0.join("strongroom");
        if !copy.exists() {
            fs::copy(env!("CARGO_BIN_EXE_strongroom"), &copy).unwrap();
        }
        give(store, NOBODY);
        let mut other = std::process::Command::new(copy);
        other.args(command.get_args()).envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        other.uid(NOBODY).env("HOME", &store.0);
        command = other;
    }
    command.current_dir(&store.0).output().unwrap()
}

#[test]
fn a_store_that_cannot_be_written_is_said_by_every_verb_that_writes() {
    let store = filled("read-only");
    let before = contents(&store);
    for entry in fs::read_dir(store.tokens()).unwrap().map(Result::unwrap) {
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o400)).unwrap();
    }
    fs::set_permissions(store.tokens(), fs::Permissions::from_mode(0o500)).unwrap();
    for verb in [0, 6, 9, 10, 16, 19].map(|number| OF_USERS[number]) {
        let (code, why) = refused(&unprivileged(&store, verb));
        assert!(code == 5 || code == 6, "{verb:?}: {code} {why}");
    }
    give(&store, rustix::process::geteuid().as_raw());
    fs::set_permissions(store.tokens(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(contents(&store), before);
}
