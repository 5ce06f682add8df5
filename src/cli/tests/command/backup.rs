//! `strongroom backup`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::store::{Store, promised, refused, said, text};
use serde_json::Value;
use types::{AttributeType, ObjectClass};

const PINS: [&str; 2] = ["--pin", "env:PIN"];

/// The command on a machine with a state directory of its own.
fn command(store: &Store, arguments: &[&str]) -> Command {
    let mut command = store.command(arguments);
    command.env("STRONGROOM_STATE", store.tokens().join("state"));
    command
}

fn run(store: &Store, arguments: &[&str]) -> Output {
    command(store, arguments).output().unwrap()
}

/// A backup of a store's token, and its shares.
struct Backup {
    file: String,
    shares: Vec<String>,
}

impl Backup {
    fn make(store: &Store, name: &str, threshold: u8, shares: u8) -> Self {
        let (file, directory) = (path(store, name), path(store, &format!("{name}-shares")));
        let (threshold, count) = (threshold.to_string(), shares.to_string());
        let made = ["backup", "create", "--out", &file, "--threshold", &threshold, "--shares", &count];
        said(&run(store, &[&made[..], &["--share-dir", &directory]].concat()));
        let shares = (1..=shares).map(|number| format!("{directory}/{name}.share-{number}")).collect();
        Self { file, shares }
    }

    /// The arguments of a verb that opens it with some of its shares.
    fn with<'a>(&'a self, verb: &'a str, shares: &[usize]) -> Vec<&'a str> {
        let mut arguments = vec!["backup", verb, &self.file];
        shares.iter().for_each(|number| arguments.extend(["--share", &self.shares[number - 1]]));
        arguments
    }
}

fn path(store: &Store, name: &str) -> String {
    store.0.join(name).display().to_string()
}

fn key(store: &Store, name: &str) {
    said(&run(store, &[&["key", "create", name, "--kind", "aes-256"][..], &PINS].concat()));
}

fn keys(store: &Store) -> String {
    said(&run(store, &[&["key", "list"][..], &PINS].concat()))
}

/// A store without a token: another machine.
fn machine(name: &str) -> Store {
    let store = Store::new(name);
    fs::remove_dir_all(store.tokens()).unwrap();
    store
}

fn accepted<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--accept-rollback", "--so-pin", "env:SO_PIN"]].concat()
}

/// What lies in a directory, but for what a process leaves of locking.
fn contents(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_file() && !path.ends_with(".lock"))
                .collect()
        })
        .unwrap_or_default();
    found.sort();
    found
}

#[test]
fn a_token_is_restored_on_another_machine_with_enough_of_its_shares_and_signs_there() {
    let store = Store::new("backup-moved");
    said(&run(&store, &[&["key", "create", "signer", "--kind", "p256"][..], &PINS].concat()));
    let public = said(&run(&store, &[&["key", "export", "signer"][..], &PINS].concat()));
    let backup = Backup::make(&store, "b", 2, 3);
    for share in &backup.shares {
        assert_eq!(fs::metadata(share).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(share).unwrap().lines().count(), 1);
    }
    let there = machine("backup-elsewhere");
    let (code, why) = refused(&run(&there, &backup.with("restore", &[3])));
    assert_eq!(code, 1);
    assert!(why.contains("2 of its 3 shares open it, and 1 came: number 3"), "{why}");
    assert!(contents(&there.tokens()).is_empty(), "nothing is half done");

    said(&run(&there, &backup.with("restore", &[3, 1])));
    let message = path(&there, "message");
    fs::write(&message, "a message").unwrap();
    let signature = path(&there, "signature");
    said(&run(&there, &[&["sign", "signer", &message, "--out", &signature][..], &PINS].concat()));
    assert_eq!(said(&run(&there, &[&["key", "export", "signer"][..], &PINS].concat())), public);
    said(&run(&store, &[&["verify", "signer", &message, "--signature", &signature][..], &PINS].concat()));
    let (_, why) = refused(&run(&there, &["key", "list", "--pin", "env:WRONG"]));
    assert!(why.contains("10 wrong ones"), "{why}");
    said(&run(&there, &[&["key", "list"][..], &PINS].concat()));
}

#[test]
fn a_backup_that_is_made_while_others_write_is_one_state_of_the_token() {
    let store = Store::new("backup-busy");
    let mut writers: Vec<_> = (0..2)
        .map(|writer| {
            let script = "n=0; while :; do n=$((n + 1)); \"$0\" key create w$1-$n --kind aes-256 --pin env:PIN; done";
            let mut shell = Command::new("sh");
            shell.args(["-c", script, env!("CARGO_BIN_EXE_strongroom"), &writer.to_string()]);
            shell.env("STRONGROOM_STORE", store.tokens()).env("STRONGROOM_STATE", store.tokens().join("state"));
            shell.env("PIN", crate::store::PIN).stdout(Stdio::null());
            shell.stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut revisions = Vec::new();
    for number in 0..5 {
        let backup = Backup::make(&store, &format!("b{number}"), 1, 1);
        let checked = said(&run(&store, &[&backup.with("verify", &[1])[..], &PINS, &["--json"]].concat()));
        let checked: Value = serde_json::from_str(&checked).unwrap();
        let data = &checked["data"];
        assert!(data["faults"].as_array().unwrap().is_empty() && data["whole"].is_u64(), "{checked}");
        revisions.push(data["revision"].as_u64().unwrap());
    }
    for writer in &mut writers {
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    assert!(revisions.is_sorted() && revisions[0] < revisions[4], "{revisions:?}");
}

#[test]
fn a_stale_backup_is_refused_in_words_and_accepted_with_the_officers_pin() {
    let store = Store::new("backup-stale");
    key(&store, "before");
    let backup = Backup::make(&store, "b", 1, 1);
    said(&run(&store, &backup.with("restore", &[1])));
    key(&store, "after");
    let restore = backup.with("restore", &[1]);
    let (code, why) = refused(&run(&store, &restore));
    assert_eq!(code, 6, "{why}");
    assert!(why.contains("newer than the backup") && why.contains("--accept-rollback"), "{why}");
    let (code, _) = refused(&run(&store, &[&restore[..], &["--accept-rollback", "--so-pin", "env:PIN"]].concat()));
    assert_eq!(code, 4, "not without the officer");
    assert!(keys(&store).contains("after"), "nothing was changed");

    // A program has the token open.
    let engine = store.engine();
    let session = engine.open_session(types::SlotId(0), engine::Access::ReadWrite).unwrap();
    engine.login(session, engine::User::User, crate::store::PIN.as_bytes()).unwrap();
    // It takes the older state in one commit, as any other.
    said(&run(&store, &accepted(&restore)));
    let listed = keys(&store);
    assert!(listed.contains("before") && !listed.contains("after"), "{listed}");
    let object = || {
        vec![
            (AttributeType::CLASS, types::Value::Number(ObjectClass::DATA.0)),
            (AttributeType::TOKEN, types::Value::Flag(true)),
        ]
    };
    let made = engine.create_object(session, object());
    assert_eq!(made, Err(engine::Error::RolledBack), "who has seen the newer state goes on with nothing older");
    drop(engine);
    let engine = store.engine();
    let session = engine.open_session(types::SlotId(0), engine::Access::ReadWrite).unwrap();
    engine.login(session, engine::User::User, crate::store::PIN.as_bytes()).unwrap();
    engine.create_object(session, object()).unwrap();
    key(&store, "later");
    assert!(store.check().faults.is_empty());
}

#[test]
fn a_program_that_has_the_token_open_goes_on_with_a_newer_state_that_is_restored() {
    let (store, elsewhere) = (Store::new("backup-newer"), machine("backup-newer-elsewhere"));
    key(&store, "old");
    store.copy(&elsewhere.tokens());
    let engine = store.engine();
    let session = engine.open_session(types::SlotId(0), engine::Access::ReadOnly).unwrap();
    engine.login(session, engine::User::User, crate::store::PIN.as_bytes()).unwrap();
    let found = |wanted: &str| {
        let label = (AttributeType::LABEL, types::Value::bytes(wanted));
        engine.find_init(session, vec![label]).unwrap();
        let found = engine.find(session, 10).unwrap().len();
        engine.find_final(session).unwrap();
        found
    };
    assert_eq!((found("old"), found("new")), (1, 0));

    key(&elsewhere, "new");
    let backup = Backup::make(&elsewhere, "b", 1, 1);
    said(&run(&store, &backup.with("restore", &[1])));
    assert_eq!((found("old"), found("new")), (1, 1));
    said(&run(&store, &backup.with("restore", &[1])));

    // From here on they go apart.
    key(&store, "ours");
    key(&elsewhere, "theirs");
    let theirs = Backup::make(&elsewhere, "theirs", 1, 1);
    let (_, why) = refused(&run(&store, &theirs.with("restore", &[1])));
    assert!(why.contains("have changed apart"), "{why}");
    assert_eq!((found("ours"), found("theirs")), (1, 0));
}

#[test]
fn a_token_file_that_was_lost_or_damaged_is_replaced_and_an_older_state_is_noticed_there_too() {
    let store = Store::new("backup-lost");
    key(&store, "before");
    let backup = Backup::make(&store, "b", 1, 1);
    let restore = backup.with("restore", &[1]);
    let file = || {
        let is_token = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "token");
        contents(&store.tokens()).into_iter().find(is_token).unwrap()
    };
    let lost = file();
    fs::remove_file(&lost).unwrap();
    said(&run(&store, &restore));
    assert_eq!(file(), lost, "in its old place");
    assert!(keys(&store).contains("before"));

    key(&store, "after");
    fs::remove_file(&lost).unwrap();
    let (_, why) = refused(&run(&store, &restore));
    assert!(why.contains("this machine has seen the token in a newer state"), "{why}");
    assert!(!lost.exists());

    fs::write(&lost, vec![b'x'; 8192]).unwrap();
    fs::set_permissions(&lost, fs::Permissions::from_mode(0o600)).unwrap();
    refused(&run(&store, &restore));
    assert_eq!(fs::read(&lost).unwrap(), vec![b'x'; 8192], "nothing was changed");
    said(&run(&store, &accepted(&restore)));
    assert!(keys(&store).contains("before"));
    assert!(store.check().faults.is_empty());
}

#[test]
fn a_backup_that_was_changed_cut_off_or_put_together_anew_is_refused() {
    let store = Store::new("backup-changed");
    store.fill(300);
    let backup = Backup::make(&store, "b", 1, 1);
    let whole = fs::read(&backup.file).unwrap();
    let part = 64 * 1024 + 16;
    assert!(whole.len() > 61 + 2 * part, "it has several parts");
    let mut exchanged = whole[..61].to_vec();
    exchanged.extend_from_slice(&whole[61 + part..61 + 2 * part]);
    exchanged.extend_from_slice(&whole[61..61 + part]);
    exchanged.extend_from_slice(&whole[61 + 2 * part..]);
    let flipped = |at: usize| {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        changed
    };
    let cases = [
        whole[..61 + part].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"x"].concat(),
        whole[..61].to_vec(),
        whole[..30].to_vec(),
        exchanged,
        flipped(20),
        flipped(49),
        flipped(70),
        flipped(whole.len() - 1),
        b"something else".to_vec(),
        Vec::new(),
    ];
    let there = machine("backup-changed-elsewhere");
    for (number, changed) in cases.iter().enumerate() {
        fs::write(&backup.file, changed).unwrap();
        let (code, why) = refused(&run(&there, &backup.with("restore", &[1])));
        assert!(code == 1 && why.contains(&backup.file), "{number}: {why}");
        refused(&run(&there, &backup.with("verify", &[1])));
    }
    assert!(contents(&there.tokens()).is_empty());
    fs::write(&backup.file, whole).unwrap();
    said(&run(&there, &backup.with("verify", &[1])));
    assert!(contents(&there.tokens()).is_empty(), "who verifies writes nothing");
}

#[test]
fn a_share_with_a_typing_error_or_of_another_backup_is_named() {
    let store = Store::new("backup-typing");
    let (backup, other) = (Backup::make(&store, "b", 2, 2), Backup::make(&store, "c", 2, 2));
    let right = fs::read_to_string(&backup.shares[1]).unwrap();
    let letter = if &right[30..31] == "q" { "p" } else { "q" };
    fs::write(&backup.shares[1], format!("{}{letter}{}", &right[..30], &right[31..])).unwrap();
    let (code, why) = refused(&run(&store, &backup.with("verify", &[1, 2])));
    assert_eq!(code, 1);
    assert!(why.contains(&backup.shares[1]) && why.contains("a letter of it is wrong"), "{why}");
    fs::write(&backup.shares[1], right.to_uppercase()).unwrap();
    said(&run(&store, &backup.with("verify", &[1, 2])));
    let (_, why) = refused(&run(&store, &[&backup.with("verify", &[1])[..], &["--share", &other.shares[1]]].concat()));
    assert!(why.contains(&other.shares[1]) && why.contains("a share of another backup"), "{why}");
    let (_, why) = refused(&run(&store, &backup.with("verify", &[1, 1])));
    assert!(why.contains("and 1 came"), "{why}");
}

#[test]
fn what_is_in_the_clear_is_shown_and_holds_no_label() {
    let store = Store::new("backup-shown");
    let backup = Backup::make(&store, "b", 2, 3);
    let shown: Value = serde_json::from_str(&said(&run(&store, &["backup", "show", &backup.file, "--json"]))).unwrap();
    let data = &shown["data"];
    assert_eq!((data["threshold"].as_u64(), data["shares"].as_u64()), (Some(2), Some(3)));
    for field in promised("backup show") {
        assert!(data.get(&field).is_some(), "{field}: {data}");
    }
    let token: Value = serde_json::from_str(&said(&run(&store, &["token", "show", "--json"]))).unwrap();
    assert_eq!(data["serial"], token["data"]["serial"]);
    let bytes = fs::read(&backup.file).unwrap();
    assert!(!bytes.windows(4).any(|part| part == b"mine" || part == b"SQLi"), "it is sealed");
}

#[test]
fn shares_are_printed_where_no_file_is_to_have_them_and_no_file_is_written_over() {
    let store = Store::new("backup-printed");
    let file = path(&store, "b");
    let create = ["backup", "create", "--out", &file, "--shares", "2", "--threshold", "2"];
    let printed = said(&run(&store, &[&create[..], &["--print"]].concat()));
    let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with("srs1")).collect();
    assert_eq!(lines.len(), 2, "{printed}");
    let shares = store.0.join("shares");
    fs::create_dir(&shares).unwrap();
    fs::write(shares.join("b.share-2"), "another's").unwrap();
    let before = fs::read(&file).unwrap();
    refused(&run(&store, &[&create[..], &["--share-dir", shares.to_str().unwrap()]].concat()));
    assert_eq!(fs::read(&file).unwrap(), before, "the backup of before is still there");
    assert_eq!(contents(&shares), [shares.join("b.share-2")], "and no share of none");
    let (code, _) =
        refused(&run(&store, &["backup", "create", "--out", &file, "--shares", "1", "--threshold", "2", "--print"]));
    assert_eq!(code, 2);
}

#[test]
fn the_store_secret_goes_along_if_it_is_asked_for() {
    let store = machine("backup-secret");
    let secret = path(&store, "secret");
    fs::write(&secret, [7; 32]).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let with_secret = |store: &Store, secret: &str, arguments: &[&str]| {
        command(store, arguments).env("STRONGROOM_STORE_SECRET", secret).output().unwrap()
    };
    said(&with_secret(&store, &secret, &["token", "init", "mine", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]));
    let (file, shares) = (path(&store, "b"), path(&store, "shares"));
    let create = ["backup", "create", "--out", &file, "--shares", "1", "--threshold", "1", "--share-dir", &shares];
    said(&with_secret(&store, &secret, &[&create[..], &["--with-store-secret"]].concat()));

    let there = machine("backup-secret-elsewhere");
    let (share, out) = (format!("{shares}/b.share-1"), path(&there, "restored"));
    said(&run(&there, &[&["backup", "verify", &file, "--share", &share][..], &PINS].concat()));
    let answer = run(&there, &["backup", "restore", &file, "--share", &share, "--store-secret-out", &out]);
    assert!(said(&answer).contains("set store_secret to"));
    assert_eq!(fs::read(&out).unwrap(), [7; 32]);
    said(&with_secret(&there, &out, &[&["key", "list"][..], &PINS].concat()));
    let again = run(&there, &["backup", "restore", &file, "--share", &share, "--store-secret-out", &out]);
    assert!(text(&again.stderr).contains("cannot be written"), "it is not written over: {again:?}");
    assert_eq!(fs::read(&out).unwrap(), [7; 32]);
}

#[test]
fn where_there_is_no_room_nothing_is_half_done() {
    let store = Store::new("backup-full");
    store.fill(400);
    let backup = Backup::make(&store, "b", 1, 1);
    // The limit of a file's size stands for a full disk.
    let limited = |store: &Store, arguments: &[&str]| {
        let command = command(store, arguments);
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 40; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_strongroom")]);
        shell.args(arguments);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.stdin(Stdio::null()).output().unwrap()
    };
    let (file, shares) = (path(&store, "full"), path(&store, "full-shares"));
    let create = ["backup", "create", "--out", &file, "--shares", "1", "--threshold", "1", "--share-dir", &shares];
    refused(&limited(&store, &create));
    assert!(!Path::new(&file).exists() && contents(Path::new(&shares)).is_empty());
    let there = machine("backup-full-elsewhere");
    refused(&limited(&there, &backup.with("restore", &[1])));
    assert!(contents(&there.tokens()).iter().all(|path| path.extension().is_none_or(|name| name != "token")));
    let left = contents(&store.0).into_iter().filter(|path| path.to_string_lossy().contains(".strongroom-"));
    assert_eq!(left.count(), 0);
    said(&run(&there, &backup.with("restore", &[1])));
    assert!(there.check().faults.is_empty());
}

#[test]
fn a_backup_of_what_was_newer_before_a_rollback_does_not_replace_what_was_done_since() {
    let store = Store::new("backup-diverged");
    key(&store, "before");
    let older = Backup::make(&store, "older", 1, 1);
    (0..4).for_each(|n| key(&store, &format!("k{n}")));
    let newer = Backup::make(&store, "newer", 1, 1);
    said(&run(&store, &accepted(&older.with("restore", &[1]))));
    key(&store, "precious");
    let (code, why) = refused(&run(&store, &newer.with("restore", &[1])));
    assert!(code == 6 && why.contains("has accepted an older state"), "{code} {why}");
    assert!(keys(&store).contains("precious"));
    said(&run(&store, &accepted(&newer.with("restore", &[1]))));
    assert!(!keys(&store).contains("precious"));
}
