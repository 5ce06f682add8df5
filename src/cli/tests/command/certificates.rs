//! `strongroom cert`, `exec`, `completions` and `man`.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::store::{Store, text};

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

fn openssl(arguments: &[&str], file: &Path) -> String {
    let output = Command::new("openssl").args(arguments).arg(file).output().unwrap();
    said(&output) + &text(&output.stderr)
}

#[test]
fn keys_sign_their_own_certificates_and_requests_and_openssl_verifies_them() {
    let store = Store::new("certificates");
    let run = |noun: &str, arguments: &[&str]| store.run(&[&[noun], arguments, &["--pin", "env:PIN"]].concat());
    for kind in ["p256", "p384", "p521", "rsa-2048", "ed25519"] {
        said(&run("key", &["create", kind, "-k", kind]));
        let name = format!("CN={kind}.example.org");
        let pem = said(&run(
            "cert",
            &["self-sign", kind, "--subject", &name, "--dns", "example.org,www.example.org", "--days", "7"],
        ));
        let file = store.0.join(kind);
        fs::write(&file, &pem).unwrap();
        let path = file.to_str().unwrap();
        assert!(openssl(&["verify", "-CAfile", path], &file).contains("OK"), "{kind}");
        let shown = openssl(&["x509", "-noout", "-text", "-in"], &file);
        assert!(shown.contains("DNS:example.org, DNS:www.example.org") && shown.contains("CA:FALSE"), "{shown}");
        assert_eq!(said(&run("cert", &["export", kind])), pem);

        let request = store.0.join(format!("{kind}.csr"));
        fs::write(&request, said(&run("cert", &["csr", kind, "--dns", "example.org"]))).unwrap();
        assert!(openssl(&["req", "-noout", "-verify", "-in"], &request).contains("OK"), "{kind}");
    }
    assert_eq!(said(&run("cert", &["list"])).lines().count(), 5);

    said(&run("cert", &["delete", "p256", "--yes"]));
    assert_eq!(run("cert", &["export", "p256"]).status.code(), Some(3));
    let file = store.0.join("p256");
    said(&run("cert", &["import", file.to_str().unwrap()]));
    let key = said(&run("key", &["show", "p256"]));
    let id = key.lines().find_map(|line| line.strip_prefix("id           ")).unwrap();
    assert_eq!(
        said(&run("cert", &["export", &format!("id:{id}")])),
        fs::read_to_string(&file).unwrap(),
        "it got its key's id"
    );

    said(&run("key", &["create", "agrees", "-k", "x25519"]));
    let refused = run("cert", &["self-sign", "agrees"]);
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("signs no certificate"), "{refused:?}");
    fs::write(&file, "nothing").unwrap();
    let refused = run("cert", &["import", file.to_str().unwrap()]);
    assert!(text(&refused.stderr).contains("is no certificate"), "{refused:?}");
}

#[test]
fn a_command_gets_a_token_of_its_own_that_is_gone_afterwards() {
    let store = Store::new("ephemeral");
    let script = "echo $STRONGROOM_STORE; ls $STRONGROOM_STORE; test -n \"$TOKEN_PIN\"; exit 7";
    let output = store.run(&["exec", "--ephemeral", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(7), "as its command ended: {output:?}");
    let lines = text(&output.stdout);
    let place = lines.lines().next().unwrap();
    assert!(lines.contains(".token") && Path::new(place) != store.tokens() && !Path::new(place).exists(), "{lines}");
    let own = env!("CARGO_BIN_EXE_strongroom");
    let inside = format!("{own} key create k -k p256 --pin env:TOKEN_PIN && {own} token list");
    let made = said(&store.run(&["exec", "--ephemeral", "--", "sh", "-c", &inside]));
    assert!(made.contains("Key k of kind p256 is in token ephemeral") && !made.contains("mine"), "{made}");
    let missing = store.run(&["exec", "--ephemeral", "--", "no-such-command"]);
    assert!(text(&missing.stderr).contains("cannot be started"), "{missing:?}");
}

#[test]
fn shells_and_the_manual_get_what_they_read() {
    let store = Store::new("documents");
    for shell in ["bash", "zsh", "fish"] {
        assert!(said(&store.run(&["completions", shell])).contains("self-sign"), "{shell}");
    }
    let page = said(&store.run(&["man"]));
    assert!(page.contains(".TH strongroom 1") && page.contains("EXIT STATUS"), "{page}");
}

#[test]
fn programs_are_told_of_the_module_in_a_way_that_they_take() {
    let store = Store::new("integrate");
    said(&store.run(&["key", "create", "tls", "-k", "p256", "--pin", "env:PIN"]));
    let module = Path::new(env!("CARGO_BIN_EXE_strongroom")).with_file_name("libstrongroom.so");
    if !module.exists() {
        let refused = store.run(&["integrate", "openssl"]);
        assert_eq!(refused.status.code(), Some(3), "without a module it says so: {refused:?}");
        return;
    }
    for program in [
        "pkcs11-tool",
        "openssl",
        "openssl-provider",
        "java",
        "go",
        "python",
        "ssh",
        "gnutls",
        "p11-kit",
        "nss",
        "nginx",
    ] {
        let text = said(&store.run(&["integrate", program]));
        assert!(text.contains("libstrongroom.so") && !text.contains('{') | (program == "go"), "{program}: {text}");
    }
    let line = said(&store.run(&["integrate", "pkcs11-tool"]));
    let line = line.lines().find(|line| line.starts_with("pkcs11-tool")).unwrap().to_owned() + " --pin user-12345";
    let mut shell = store.command(&[]);
    shell = {
        let mut sh = Command::new("sh");
        sh.args(["-c", &line]).envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
        sh
    };
    assert!(said(&shell.output().unwrap()).contains("tls"), "{line}");

    // OpenSSL takes the provider's file too, and loads what it can of it.
    let config = store.0.join("provider.cnf");
    fs::write(&config, said(&store.run(&["integrate", "openssl-provider"]))).unwrap();
    let listed = Command::new("openssl").args(["list", "-providers"]).env("OPENSSL_CONF", &config).output().unwrap();
    assert!(text(&listed.stdout).contains("OpenSSL Default Provider"), "{listed:?}");
    let config = store.0.join("openssl.cnf");
    fs::write(&config, said(&store.run(&["integrate", "openssl"]))).unwrap();
    let uri = said(&store.run(&["key", "uri", "tls", "--pin", "env:PIN"])).trim().to_owned() + ";pin-value=user-12345";
    let request = Command::new("openssl")
        .args(["req", "-new", "-engine", "pkcs11", "-keyform", "engine", "-subj", "/CN=example.org", "-key", &uri])
        .env("OPENSSL_CONF", &config)
        .env("STRONGROOM_STORE", store.tokens())
        .output()
        .unwrap();
    assert!(said(&request).contains("BEGIN CERTIFICATE REQUEST"), "{request:?}");
}
