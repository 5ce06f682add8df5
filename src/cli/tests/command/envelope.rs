//! `strongroom encrypt`, `decrypt` and `datakey`.

use std::{
    fs,
    io::Write,
    process::{Output, Stdio},
};

use crate::store::{Store, refused, said};

const CHUNK: usize = 64 * 1024;

fn run(store: &Store, arguments: &[&str]) -> Output {
    store.run(&[arguments, &["--pin", "env:PIN"]].concat())
}

/// What a command makes of what comes in by a pipe.
fn piped(store: &Store, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = store.command(&[arguments, &["--pin", "env:PIN"]].concat());
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // Whoever refuses does not read on.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn encrypted(store: &Store, key: &str, plain: &[u8]) -> Vec<u8> {
    let output = piped(store, &["encrypt", key], plain);
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn some(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

#[test]
fn data_longer_than_what_is_worked_on_at_a_time_comes_back_from_files_and_from_slow_pipes() {
    let store = Store::new("blocks");
    said(&run(&store, &["key", "create", "k", "--kind", "aes-256"]));
    let path = |name: &str| store.0.join(name).to_str().unwrap().to_owned();
    for len in [16 * CHUNK - 1, 16 * CHUNK, 16 * CHUNK + 1, 17 * CHUNK, 100 * CHUNK + 7] {
        let plain = some(len);
        fs::write(path("plain"), &plain).unwrap();
        said(&run(&store, &["encrypt", "k", &path("plain"), "--out", &path("sealed")]));
        said(&run(&store, &["decrypt", "k", &path("sealed"), "--out", &path("opened")]));
        assert!(fs::read(path("opened")).unwrap() == plain, "{len}, files");
        let sealed = encrypted(&store, "k", &plain);
        assert!(sealed.len() == fs::read(path("sealed")).unwrap().len());
        assert!(piped(&store, &["decrypt", "k"], &sealed).stdout == plain, "{len}, pipes");
    }

    let mut child = store.command(&["encrypt", "k", "--pin", "env:PIN"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, plain) = (child.stdin.take().unwrap(), some(3 * CHUNK + 9));
    for part in plain.chunks(50_001) {
        stdin.write_all(part).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    drop(stdin);
    let sealed = child.wait_with_output().unwrap();
    assert!(sealed.status.success());
    assert!(piped(&store, &["decrypt", "k"], &sealed.stdout).stdout == plain, "a part at a time");
}

#[test]
fn what_cannot_be_written_or_read_on_ends_the_command_with_an_error_and_no_file() {
    let store = Store::new("pump-errors");
    said(&run(&store, &["key", "create", "k", "--kind", "aes-256"]));
    let path = |name: &str| store.0.join(name).to_str().unwrap().to_owned();
    fs::write(path("plain"), some(40 * CHUNK)).unwrap();
    let (code, why) = refused(&run(&store, &["encrypt", "k", &path("plain"), "--out", "/dev/full"]));
    assert!(code == 1 && why.contains("/dev/full cannot be written"), "{why}");
    said(&run(&store, &["encrypt", "k", &path("plain"), "--out", &path("sealed")]));
    let mut sealed = fs::read(path("sealed")).unwrap();
    let at = sealed.len() - 20 * CHUNK;
    sealed[at] ^= 1;
    fs::write(path("sealed"), &sealed).unwrap();
    let (code, why) = refused(&run(&store, &["decrypt", "k", &path("sealed"), "--out", &path("opened")]));
    assert!(code == 1 && why.contains("what is wrong begins at byte"), "{why}");
    let left = fs::read_dir(&store.0).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().is_some_and(|name| name == "opened" || name.starts_with(".strongroom-"))
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn what_is_encrypted_for_a_key_of_each_kind_is_decrypted_by_it_whatever_its_length() {
    let store = Store::new("kinds");
    for kind in ["aes-128", "aes-256", "rsa-2048", "p256", "p384", "p521", "x25519"] {
        let can = if kind.starts_with('p') { "sign,derive" } else { "" };
        said(&run(
            &store,
            &[&["key", "create", kind, "--kind", kind], &["--can", can][..if can.is_empty() { 0 } else { 2 }]].concat(),
        ));
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let plain = some(len);
            let sealed = encrypted(&store, kind, &plain);
            assert!(sealed.len() > len && (len < 16 || !sealed.windows(16).any(|part| part == &plain[..16])));
            let opened = piped(&store, &["decrypt", kind], &sealed);
            assert!(opened.status.success() && opened.stdout == plain, "{kind} {len}: {:?}", opened.stderr);
        }
    }
    said(&run(&store, &["key", "create", "p", "--kind", "p256"]));
    let (code, why) = refused(&piped(&store, &["encrypt", "p"], b"x"));
    assert!(code == 5 && why.contains("--can"), "what nobody could decrypt is not encrypted: {why}");
    said(&run(&store, &["key", "create", "signs", "--kind", "ed25519"]));
    let (code, why) = refused(&piped(&store, &["encrypt", "signs"], b"x"));
    assert!(code == 2 && why.contains("nothing is encrypted for key signs of kind ed25519"), "{why}");
}

#[test]
fn a_file_that_was_changed_cut_off_prolonged_or_put_together_anew_is_refused() {
    let store = Store::new("tamper");
    said(&run(&store, &["key", "create", "k", "--kind", "aes-256"]));
    let plain = some(3 * CHUNK);
    let sealed = encrypted(&store, "k", &plain);
    let other = encrypted(&store, "k", &plain);
    let blob = sealed.len() - 3 * (CHUNK + 16);
    let part = |file: &[u8], number: usize| file[blob + number * (CHUNK + 16)..][..CHUNK + 16].to_vec();
    let mut spoilt: Vec<(String, Vec<u8>)> = Vec::new();
    for at in (0..blob).chain([blob, blob + CHUNK, blob + CHUNK + 16, sealed.len() - 1]) {
        let mut bytes = sealed.clone();
        bytes[at] ^= 1;
        spoilt.push((format!("byte {at}"), bytes));
    }
    for len in [0, 3, blob - 1, blob, blob + 5, blob + CHUNK + 16, blob + 2 * (CHUNK + 16), sealed.len() - 1] {
        spoilt.push((format!("cut to {len}"), sealed[..len].to_vec()));
    }
    let start = &sealed[..blob];
    spoilt.push(("one byte more".into(), [&*sealed, &[0]].concat()));
    spoilt.push(("a part more".into(), [&*sealed, &part(&sealed, 2)].concat()));
    spoilt.push(("exchanged".into(), [start, &part(&sealed, 1), &part(&sealed, 0), &part(&sealed, 2)].concat()));
    spoilt.push(("left out".into(), [start, &part(&sealed, 0), &part(&sealed, 2)].concat()));
    spoilt.push(("another's part".into(), [start, &part(&sealed, 0), &part(&other, 1), &part(&sealed, 2)].concat()));
    spoilt.push(("another's start".into(), [&other[..blob], &sealed[blob..]].concat()));
    let (file, out) = (store.0.join("spoilt"), store.0.join("out"));
    for (what, bytes) in spoilt {
        fs::write(&file, bytes).unwrap();
        let output = run(&store, &["decrypt", "k", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        let (code, why) = refused(&output);
        assert!(
            code == 1 && why.contains("cannot be decrypted")
                || why.contains("was changed or cut off")
                || why.contains("datakey"),
            "{what}: {why}"
        );
        assert!(!out.exists(), "{what}: nothing is half done");
    }
    assert!(
        fs::read_dir(&store.0).unwrap().all(|entry| !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".strongroom"))
    );
}

#[test]
fn a_file_goes_to_a_file_and_is_decrypted_with_its_context_and_key_only() {
    let store = Store::new("context");
    let path = |name: &str| store.0.join(name).to_str().unwrap().to_owned();
    for key in ["k", "other"] {
        said(&run(&store, &["key", "create", key, "--kind", "aes-256"]));
    }
    fs::write(path("plain"), "a secret").unwrap();
    let context = ["--context", "for=backup", "--context", "host=a"];
    let sealed = path("sealed");
    let made = said(&run(&store, &[&["encrypt", "k", &path("plain"), "-o", &sealed], &context[..]].concat()));
    assert!(made.contains("is encrypted for key k"), "{made}");
    let open =
        |key: &str, context: &[&str]| run(&store, &[&["decrypt", key, &sealed, "-o", &path("open")], context].concat());
    for wrong in [&[][..], &["--context", "for=backup"], &["--context", "for=backup", "--context", "host=b"]] {
        let (code, why) = refused(&open("k", wrong));
        assert!(code == 1 && why.contains("another context"), "{why}");
    }
    let (code, why) = refused(&open("other", &context));
    assert!(code == 1 && why.contains("it was encrypted for the key with the id"), "{why}");
    said(&open("k", &["--context", "host=a", "--context", "for=backup"]));
    assert_eq!(fs::read(path("open")).unwrap(), b"a secret");
    let (code, why) = refused(&run(&store, &["decrypt", "k", &path("plain")]));
    assert!(code == 1 && why.contains("nothing that strongroom has encrypted"), "{why}");
    let (code, why) = refused(&open("k", &["--context", "a=1", "--context", "a=2"]));
    assert!(code == 2 && why.contains("twice"), "{why}");
}

#[test]
fn a_data_key_is_made_opened_and_encrypted_for_another_key() {
    let store = Store::new("datakey");
    said(&run(&store, &["key", "create", "curve", "--kind", "p256", "--can", "derive"]));
    for (key, kind) in [("k", "aes-256"), ("next", "rsa-2048")] {
        said(&run(&store, &["key", "create", key, "--kind", kind]));
    }
    let made = said(&run(&store, &["--json", "datakey", "generate", "k", "--context", "app=x"]));
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let text = |name: &str| made["data"][name].as_str().unwrap().to_owned();
    let (value, blob) = (text("key"), text("blob"));
    let open = |key: &str, blob: &str, context: &str| {
        piped(&store, &["datakey", "decrypt", key, "--context", context], blob.as_bytes())
    };
    assert_eq!(said(&open("k", &blob, "app=x")).trim(), value);
    assert_eq!(refused(&open("k", &blob, "app=y")).0, 1);
    for to in ["next", "curve"] {
        let again = piped(
            &store,
            &["datakey", "reencrypt", "k", to, "--context", "app=x", "--new-context", "app=z"],
            blob.as_bytes(),
        );
        let again = said(&again);
        assert_eq!(said(&open(to, &again, "app=z")).trim(), value);
        assert_eq!(refused(&open(to, &again, "app=x")).0, 1);
    }
    let only = said(&run(&store, &["datakey", "generate", "k", "--no-plaintext", "--bytes", "64"]));
    assert_eq!(only.lines().count(), 1);
    let opened = said(&piped(&store, &["datakey", "decrypt", "k"], only.as_bytes()));
    assert_eq!(data_encoding::BASE64.decode(opened.trim().as_bytes()).unwrap().len(), 64);
    let (code, why) =
        refused(&piped(&store, &["decrypt", "k"], &data_encoding::BASE64.decode(only.trim().as_bytes()).unwrap()));
    assert!(code == 2 && why.contains("datakey decrypt"), "{why}");
}

#[test]
fn what_was_encrypted_before_a_rotation_is_decrypted_after_it_and_can_be_encrypted_anew() {
    let store = Store::new("rotation");
    for (key, kind) in [("aes", "aes-256"), ("rsa", "rsa-2048"), ("curve", "x25519")] {
        said(&run(&store, &["key", "create", key, "--kind", kind]));
        let before = encrypted(&store, key, b"before");
        let blob = said(&run(&store, &["datakey", "generate", key, "--no-plaintext"]));
        let value = said(&piped(&store, &["datakey", "decrypt", key], blob.as_bytes()));
        for version in [2, 3] {
            assert!(said(&run(&store, &["key", "rotate", key])).contains(&format!("has version {version} now")));
        }
        assert!(said(&run(&store, &["key", "show", key])).contains("version      3\n"));
        assert_eq!(said(&run(&store, &["key", "versions", key])).lines().count(), 3);
        let after = encrypted(&store, key, b"after");
        for (sealed, plain) in [(&before, b"before".as_slice()), (&after, b"after")] {
            let opened = piped(&store, &["decrypt", key], sealed);
            assert!(opened.status.success() && opened.stdout == plain, "{key}: {:?}", opened.stderr);
        }
        let anew = said(&piped(&store, &["datakey", "reencrypt", key, key], blob.as_bytes()));
        assert_ne!(anew, blob);
        assert_eq!(said(&piped(&store, &["datakey", "decrypt", key], anew.as_bytes())), value);
        let (code, why) = refused(&piped(&store, &["decrypt", key, "--context", "a=b"], &before));
        assert!(code == 1 && why.contains("another context"), "{why}");
    }
}

#[test]
fn nothing_is_encrypted_for_a_key_that_is_disabled_or_compromised_and_what_was_is_still_opened_by_the_latter() {
    let store = Store::new("states");
    for kind in ["aes-256", "rsa-2048", "x25519"] {
        said(&run(&store, &["key", "create", kind, "--kind", kind]));
        let sealed = encrypted(&store, kind, b"before");
        said(&run(&store, &["key", "disable", kind]));
        assert_eq!(refused(&piped(&store, &["encrypt", kind], b"x")).0, 5, "{kind}");
        assert_eq!(refused(&piped(&store, &["decrypt", kind], &sealed)).0, 5, "{kind}");
        said(&run(&store, &["key", "enable", kind]));
        said(&run(&store, &["key", "compromised", kind, "--yes"]));
        assert_eq!(refused(&piped(&store, &["encrypt", kind], b"x")).0, 5, "{kind}");
        assert_eq!(refused(&run(&store, &["datakey", "generate", kind])).0, 5, "{kind}");
        assert!(piped(&store, &["decrypt", kind], &sealed).status.success(), "{kind}");
    }
}

#[test]
fn what_only_its_owner_may_read_is_written_so() {
    use std::os::unix::fs::PermissionsExt;
    let store = Store::new("modes");
    let path = |name: &str| store.0.join(name).to_str().unwrap().to_owned();
    let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
    said(&run(&store, &["key", "create", "k", "--kind", "aes-256", "--extractable"]));
    fs::write(path("plain"), "a secret").unwrap();
    said(&run(&store, &["encrypt", "k", &path("plain"), "-o", &path("sealed")]));
    said(&run(&store, &["decrypt", "k", &path("sealed"), "-o", &path("opened")]));
    said(&run(&store, &["key", "export", "k", "--private", "--plain", "-o", &path("key")]));
    assert_eq!([mode("opened"), mode("key")], [0o600; 2]);
    fs::set_permissions(path("sealed"), fs::Permissions::from_mode(0o640)).unwrap();
    said(&run(&store, &["encrypt", "k", &path("plain"), "-o", &path("sealed")]));
    assert_eq!(mode("sealed") & 0o7, 0, "a file that is replaced is not opened to more people");
}

#[test]
fn a_key_that_was_taken_in_again_opens_its_files_whatever_its_id() {
    let store = Store::new("again");
    let file = store.0.join("key").to_str().unwrap().to_owned();
    said(&run(&store, &["key", "create", "k", "--kind", "aes-256", "--extractable"]));
    let sealed = encrypted(&store, "k", b"a secret");
    said(&run(&store, &["key", "export", "k", "--private", "--plain", "-o", &file]));
    said(&run(&store, &["key", "delete", "k", "--yes"]));
    said(&run(&store, &["key", "import", &file, "-l", "k", "-k", "aes-256"]));
    let opened = piped(&store, &["decrypt", "k"], &sealed);
    assert!(opened.status.success() && opened.stdout == b"a secret", "{opened:?}");
}

#[test]
fn a_strict_token_encrypts_files_too_because_no_nonce_of_the_commands_comes_twice() {
    let store = Store::new("strict");
    said(&store.run(&["token", "set", "--profile", "strict", "--so-pin", "env:SO_PIN"]));
    for (kind, can) in [("aes-256", "encrypt,decrypt"), ("rsa-3072", "encrypt,decrypt"), ("p256", "derive")] {
        said(&run(&store, &["key", "create", kind, "--kind", kind, "--can", can]));
        let plain = some(2 * CHUNK + 3);
        let opened = piped(&store, &["decrypt", kind], &encrypted(&store, kind, &plain));
        assert!(opened.status.success() && opened.stdout == plain, "{kind}: {opened:?}");
    }
}

#[test]
fn a_pair_of_data_keys_is_one_that_others_know_and_comes_back_as_its_private_half() {
    let store = Store::new("datakey-pair");
    said(&run(&store, &["key", "create", "curve", "--kind", "p256", "--can", "derive"]));
    for (key, kind) in [("k", "aes-256"), ("rsa", "rsa-2048")] {
        said(&run(&store, &["key", "create", key, "--kind", kind]));
    }
    let openssl = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (by, kind) in
        [("k", "rsa-2048"), ("k", "p256"), ("curve", "p384"), ("k", "ed25519"), ("curve", "x25519"), ("rsa", "p256")]
    {
        let context = ["--context", "app=x"];
        let generate = ["--json", "datakey", "generate", by, "--pair", kind];
        let made = said(&run(&store, &[&generate[..], &context].concat()));
        let made: serde_json::Value = serde_json::from_str(&made).unwrap();
        let text = |name: &str| made["data"][name].as_str().unwrap().to_owned();
        let (value, blob, pem) = (text("key"), text("blob"), text("pem"));
        let opened = piped(&store, &[&["datakey", "decrypt", by], &context[..]].concat(), blob.as_bytes());
        assert_eq!(said(&opened).trim(), value, "{kind}");
        assert_eq!(refused(&piped(&store, &["datakey", "decrypt", by], blob.as_bytes())).0, 1);
        let der = store.0.join("private.der");
        fs::write(&der, data_encoding::BASE64.decode(value.as_bytes()).unwrap()).unwrap();
        let public = openssl(&["pkey", "-inform", "DER", "-in", der.to_str().unwrap(), "-pubout"]);
        assert_eq!(public, pem, "{kind}: the private half is that of the public one");

        let only = said(&run(&store, &["datakey", "generate", by, "--pair", kind, "--no-plaintext"]));
        assert!(only.starts_with("blob  ") && only.contains("-----BEGIN PUBLIC KEY-----"), "{only}");
        assert!(!only.contains("key   "), "{only}");
    }
    let listed = said(&run(&store, &["--json", "key", "list"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3, "nothing of the pairs is left in the token");
    let (code, why) = refused(&run(&store, &["datakey", "generate", "rsa", "--pair", "rsa-2048"]));
    assert!(code == 2 && why.contains("encrypts 190 bytes at most, and this has 12"), "{why}");
    let (code, why) = refused(&run(&store, &["datakey", "generate", "k", "--pair", "aes-256"]));
    assert!(code == 2 && why.contains("no kind of pair"), "{why}");
}
