//! Tokens in other software's modules, moved here over PKCS#11: Debian's SoftHSM and NSS (softhsm2, opensc, libnss3-tools).

use std::{
    env, fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::store::{PIN, SO_PIN, Store, refused, said, text};

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PINS: [&str; 4] = ["--pin", "env:PIN", "--so-pin", "env:SO_PIN"];

/// A shell in the store's directory, where SoftHSM has its tokens too; `$P` is pkcs11-tool with its token.
fn sh(store: &Store, script: &str) -> String {
    let tool = format!("pkcs11-tool --module {SOFTHSM} --token-label old --login --pin {PIN}");
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(&store.0).envs([("PIN", PIN), ("SO_PIN", SO_PIN), ("P", &tool)]);
    let output = shell.env("SOFTHSM2_CONF", store.0.join("softhsm2.conf")).output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    text(&output.stdout)
}

/// The command in the store's directory.
fn in_place(store: &Store, arguments: &[&str]) -> String {
    said(&store.command(arguments).current_dir(&store.0).output().unwrap())
}

/// SoftHSM with an empty token, beside a store.
fn softhsm(name: &str) -> Store {
    let store = Store::new(name);
    fs::create_dir(store.0.join("softhsm")).unwrap();
    let conf = format!("directories.tokendir = {}\n", store.0.join("softhsm").display());
    fs::write(store.0.join("softhsm2.conf"), conf).unwrap();
    sh(&store, "softhsm2-util --init-token --free --label old --so-pin \"$SO_PIN\" --pin \"$PIN\" >/dev/null");
    store
}

fn migrate(store: &Store, more: &[&str]) -> std::process::Output {
    let arguments = [&["migrate", "pkcs11", "--module", SOFTHSM], &PINS[..], more].concat();
    let mut command = store.command(&arguments);
    command.env("SOFTHSM2_CONF", store.0.join("softhsm2.conf")).output().unwrap()
}

#[test]
fn a_token_of_another_module_is_moved_with_what_it_gives_away_and_wraps() {
    let store = softhsm("module");
    sh(
        &store,
        "$P --keypairgen --key-type rsa:2048 --id 02 --label rsa --extractable >/dev/null 2>&1
         $P --keypairgen --key-type EC:prime256v1 --id 03 --label ec --extractable >/dev/null 2>&1
         $P --keygen --key-type aes:32 --id 04 --label aes --extractable --sensitive >/dev/null 2>&1
         $P --keypairgen --key-type EC:prime256v1 --id 05 --label stays >/dev/null 2>&1
         printf 'a secret of bytes' >secret
         $P --write-object secret --type secrkey --id 06 --label open --extractable >/dev/null 2>&1
         echo note >note; $P --write-object note --type data --label note --private >/dev/null 2>&1
         openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=c -outform der -out cert 2>/dev/null
         $P --write-object cert --type cert --id 07 --label cert >/dev/null 2>&1
         for id in 02 03; do $P --read-object --type pubkey --id $id -o $id.der >/dev/null 2>&1; done
         head -c 64 /dev/zero >zeros
         $P --encrypt --mechanism AES-CBC --iv 00000000000000000000000000000000 --id 04 -i zeros -o theirs 2>/dev/null",
    );

    let moved = migrate(&store, &[]);
    assert_eq!(moved.status.code(), Some(8), "{moved:?}");
    let table = text(&moved.stdout);
    assert!(table.contains("left behind: 'stays' (object ") && table.contains("(CKA_EXTRACTABLE)"), "{table}");
    assert_eq!(table.matches("left behind").count(), 1, "{table}");
    for kind in ["certificate", "data", "private key CKK_RSA", "public key CKK_RSA", "secret key CKK_AES"] {
        let row = table.lines().find(|line| line.starts_with(kind)).unwrap_or_else(|| panic!("{kind}: {table}"));
        assert_eq!(row.split_whitespace().rev().take(2).collect::<Vec<_>>(), ["1", "1"], "{row}");
    }

    // The keys are those, and do the same.
    let module = env::current_exe().unwrap().with_file_name("libstrongroom.so");
    fs::write(store.0.join("message"), "signed here").unwrap();
    for (label, id, check) in [("rsa", "02", "-sigopt rsa_padding_mode:pss -sha256"), ("ec", "03", "-sha256")] {
        in_place(&store, &["sign", label, "message", "-o", "signature", "-t", "old", "--pin", "env:PIN"]);
        sh(&store, &format!("openssl dgst {check} -verify {id}.der -keyform der -signature signature message"));
    }
    sh(
        &store,
        &format!(
            "export STRONGROOM_STORE={} STRONGROOM_STATE={}
             pkcs11-tool --module {} --token-label old --login --pin \"$PIN\" --encrypt --mechanism AES-CBC \
             --iv 00000000000000000000000000000000 --id 04 -i zeros -o ours 2>/dev/null
             cmp ours theirs",
            store.tokens().display(),
            store.state().display(),
            module.display()
        ),
    );
    let aes = said(&store.run(&["--json", "key", "show", "aes", "-t", "old", "--pin", "env:PIN"]));
    assert!(aes.contains("\"sensitive\":true") && aes.contains("\"extractable\":true"), "{aes}");
    let open = said(&store.run(&["key", "export", "open", "--private", "--plain", "-t", "old", "--pin", "env:PIN"]));
    assert_eq!(open.trim(), "YSBzZWNyZXQgb2YgYnl0ZXM=");
}

#[test]
fn a_rehearsal_of_another_modules_token_writes_nothing() {
    let store = softhsm("module-dry");
    sh(&store, "$P --keygen --key-type aes:16 --id 01 --label aes --extractable >/dev/null 2>&1");
    let table = said(&migrate(&store, &["--dry-run"]));
    assert!(table.contains("would be moved") && table.ends_with("Nothing was written.\n"), "{table}");
    assert!(!said(&store.run(&["token", "list"])).contains("old"));
    // Again, and in earnest: the session's wrapping key is not among the objects.
    let table = said(&migrate(&store, &["--label", "another name"]));
    let row = table.lines().find(|line| line.starts_with("secret key CKK_AES")).unwrap();
    assert_eq!(row.split_whitespace().rev().take(2).collect::<Vec<_>>(), ["1", "1"], "{table}");
    assert!(said(&store.run(&["token", "list"])).contains("another name"));
}

#[test]
fn what_is_no_module_or_has_another_pin_is_said_and_makes_no_token() {
    let store = softhsm("module-refused");
    fs::write(store.0.join("text"), "no library").unwrap();
    for (module, pin, token, wanted) in [
        ("text", PIN, "old", (2, "cannot be loaded")),
        ("/nowhere/lib.so", PIN, "old", (2, "cannot be loaded")),
        ("libz.so.1", PIN, "old", (2, "C_GetFunctionList")),
        (SOFTHSM, "wrong", "old", (4, "CKR_PIN_INCORRECT")),
        (SOFTHSM, PIN, "older", (3, "It has:\n")),
    ] {
        let module = if module == "text" { store.0.join("text").display().to_string() } else { module.to_owned() };
        let arguments = ["migrate", "pkcs11", "--module", &module, "--token", token, "--pin", "env:THEIRS"];
        let mut command = store.command(&[&arguments[..], &["--so-pin", "env:SO_PIN"]].concat());
        let command = command.env("SOFTHSM2_CONF", store.0.join("softhsm2.conf")).env("THEIRS", pin);
        let (code, why) = refused(&command.output().unwrap());
        assert!(code == wanted.0 && why.contains(wanted.1), "{module}: {code} {why}");
    }
    let list = store.run(&["token", "list"]);
    assert!(!text(&list.stdout).contains("old"), "{list:?}");
}

#[test]
fn a_database_of_nss_is_moved_and_only_read() {
    let store = Store::new("nss");
    sh(
        &store,
        "mkdir db; printf '%s' \"$PIN\" >password; head -c 100 /dev/urandom >noise
         certutil -N -d sql:db -f password
         certutil -S -d sql:db -f password -z noise -n ca -s CN=ca -x -t CT,C,C -k rsa -g 2048 >/dev/null 2>&1
         certutil -S -d sql:db -f password -z noise -n ec -s CN=ec -c ca -m 5 -t u,u,u -k ec -q nistp256 >/dev/null 2>&1
         for name in ca ec; do certutil -L -d sql:db -n $name -a | openssl x509 -pubkey -noout >$name.pem; done
         sha256sum db/* >before",
    );
    let database = store.0.join("db").display().to_string();
    let arguments = [&["migrate", "nss", "--from", &database, "--label", "moved", "--prove"], &PINS[..]].concat();
    let table = said(&store.run(&arguments));
    assert!(table.contains("(the module's") && !table.contains("left behind"), "{table}");
    for kind in ["private key CKK_RSA", "private key CKK_EC"] {
        let row = table.lines().find(|line| line.starts_with(kind)).unwrap();
        assert_eq!(row.split_whitespace().rev().take(3).collect::<Vec<_>>(), ["1"; 3], "{row}");
    }
    sh(&store, "sha256sum --check --quiet before");

    let listed: serde_json::Value =
        serde_json::from_str(&said(&store.run(&["--json", "cert", "list", "-t", "moved", "--pin", "env:PIN"])))
            .unwrap();
    let certificates = listed["data"].as_array().unwrap();
    assert_eq!(certificates.len(), 2, "{listed}");
    fs::write(store.0.join("message"), "signed here").unwrap();
    for certificate in certificates {
        let (name, id) = (certificate["label"].as_str().unwrap(), certificate["id"].as_str().unwrap());
        let key = format!("id:{id}");
        in_place(&store, &["sign", &key, "message", "-o", "signature", "-t", "moved", "--pin", "env:PIN"]);
        let how = if name == "ca" { "-sigopt rsa_padding_mode:pss" } else { "" };
        sh(&store, &format!("openssl dgst -sha256 {how} -verify {name}.pem -signature signature message"));
    }

    let (code, why) =
        refused(&store.run(&["migrate", "nss", "--from", "/", "--pin", "env:PIN", "--so-pin", "env:SO_PIN"]));
    assert!(code == 3 && why.contains("key4.db"), "{why}");
}

#[test]
fn a_database_of_nss_without_a_password_is_moved_and_gets_a_pin() {
    let store = Store::new("nss-open");
    sh(
        &store,
        "mkdir db; head -c 100 /dev/urandom >noise; certutil -N -d sql:db --empty-password
         certutil -S -d sql:db -z noise -n me -s CN=me -x -t u,u,u -k ec -q nistp256 >/dev/null 2>&1",
    );
    let database = format!("sql:{}", store.0.join("db").display());
    let arguments = [&["migrate", "nss", "--from", &database, "--label", "moved", "--prove"], &PINS[..]].concat();
    let table = said(&store.run(&arguments));
    let row = table.lines().find(|line| line.starts_with("private key CKK_EC")).unwrap();
    assert_eq!(row.split_whitespace().rev().take(3).collect::<Vec<_>>(), ["1"; 3], "{table}");
    said(&store.run(&["key", "list", "-t", "moved", "--pin", "env:PIN"]));
}

#[test]
fn every_key_of_softhsm_gives_the_same_answers_in_both_modules() {
    let store = softhsm("proof");
    sh(
        &store,
        "exec >/dev/null 2>&1
         $P --keypairgen --key-type rsa:2048 --id 01 --label rsa
         $P --keypairgen --key-type rsa:2048 --id 02 --label 'rsa that decrypts' --usage-decrypt
         $P --keypairgen --key-type EC:secp384r1 --id 03 --label ec
         $P --keypairgen --key-type EC:secp521r1 --id 04 --label 'ec that agrees' --usage-derive
         $P --keypairgen --key-type EC:edwards25519 --id 05 --label ed
         $P --keygen --key-type aes:32 --id 06 --label aes
         printf 'a secret of two and thirty bytes' >secret
         $P --write-object secret --type secrkey --id 07 --label hmac --usage-sign
         $P --keypairgen --key-type rsa:2048 --id 08 --label 'asks always' --always-auth
         find softhsm -type f -exec sha256sum {} + >before",
    );
    let conf = store.0.join("softhsm2.conf").display().to_string();
    let arguments = [&["migrate", "softhsm", "--from", &conf], &PINS[..], &["--prove"]].concat();
    let table = said(&store.run(&arguments));
    for (kind, same) in [
        ("private key CKK_EC", "2"),
        ("private key CKK_EC_EDWARDS", "1"),
        // One asks for a PIN at each use.
        ("private key CKK_RSA", "2"),
        ("secret key CKK_AES", "1"),
        ("secret key CKK_GENERIC_SECRET", "1"),
    ] {
        let row = table.lines().find(|line| line.starts_with(&format!("{kind} "))).unwrap();
        assert_eq!(row.split_whitespace().next_back(), Some(same), "{row}");
    }
    assert_eq!(table.matches("note: 'asks always' (private key CKK_RSA): it is not compared").count(), 1, "{table}");
    assert_eq!(table.matches("not compared").count(), 1, "{table}");
    // SoftHSM itself has seen a copy.
    sh(&store, "sha256sum --check --quiet before");
}

#[test]
fn a_key_that_answers_otherwise_stops_the_move_and_no_token_is_kept() {
    let store = softhsm("proof-other");
    // In the copy that SoftHSM opens, the key of the same name is another.
    sh(
        &store,
        "exec >/dev/null 2>&1
         $P --keygen --key-type aes:32 --id 06 --label aes
         mkdir copy; cp -r softhsm copy/tokens; echo \"directories.tokendir = $PWD/copy/tokens\" >copy/conf
         export SOFTHSM2_CONF=$PWD/copy/conf
         $P --delete-object --type secrkey --id 06
         $P --keygen --key-type aes:32 --id 06 --label aes",
    );
    let conf = store.0.join("softhsm2.conf").display().to_string();
    let arguments = [&["migrate", "softhsm", "--from", &conf], &PINS[..], &["--prove", "--copied"]].concat();
    let mut command = store.command(&arguments);
    let (code, why) = refused(&command.env("SOFTHSM2_CONF", store.0.join("copy/conf")).output().unwrap());
    assert!(code == 1 && why.contains("secret key CKK_AES aes gives another answer here than there"), "{code} {why}");
    assert!(!said(&store.run(&["token", "list"])).contains("old"));
}

#[test]
fn a_proof_that_is_ended_from_outside_leaves_no_copy_of_softhsms_files() {
    let store = softhsm("proof-ended");
    let (conf, temporary) = (store.0.join("softhsm2.conf"), store.0.join("temporary"));
    fs::create_dir(&temporary).unwrap();
    let asked = store.0.join("asked");
    let pin = format!("cmd:exec 2>/dev/null; touch {}; sleep 20", asked.display());
    let conf = conf.display().to_string();
    let arguments = ["migrate", "softhsm", "--from", &conf, "--pin", &pin, "--so-pin", "env:SO_PIN", "--prove"];
    let mut child = store.command(&arguments).env("TMPDIR", &temporary).spawn().unwrap();
    let begun = Instant::now();
    while !asked.exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody asked for the PIN");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1, "the copy");
    sh(&store, &format!("kill -TERM {}", child.id()));
    assert!(!child.wait().unwrap().success());
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "no copy is left");
}
