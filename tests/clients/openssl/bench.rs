//! A token, and beside it files that OpenSSL reads and writes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::packages::provider;
use crate::store::{Store, USER_PIN, module, project, succeeded};

/// What OpenSSL reaches the token through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    Engine,
    Provider,
}

pub(super) struct Bench {
    pub(super) store: Store,
    pub(super) way: Way,
}

/// The keys of a bench: id, and what pkcs11-tool calls their kind. All of them sign.
pub(super) const RSA: &str = "01";
pub(super) const P256: &str = "02";
pub(super) const P384: &str = "03";
pub(super) const P521: &str = "04";
pub(super) const ED25519: &str = "05";

/// For every kind of certificate that is made here, and for all programs that want a configuration.
// No section is called `default`: that name is the file's head.
const CONFIGURATION: &str = "
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment, keyAgreement
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, email:somebody@example.org
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
certificate = authority.pem
default_md = sha256
default_days = 30
default_crl_days = 30
policy = policy
x509_extensions = leaf
unique_subject = no
[policy]
commonName = supplied
";

/// The provider's configuration as the guide has it.
fn of_the_guide() -> String {
    let guide = fs::read_to_string(project("docs/guides/openssl.md")).unwrap();
    let block = guide.split("```ini\n").nth(1).and_then(|block| block.split("```").next());
    block.expect("the guide's block").to_owned()
}

impl Bench {
    pub(super) fn new(name: &str, way: Way) -> Self {
        let bench = Self { store: Store::with_token(&format!("openssl-{name}-{way:?}")), way };
        bench.write("message", "a message that is signed\n");
        bench.write("another", "a message that is not signed\n");
        bench.write("pin", USER_PIN);
        bench.write("plain.cnf", CONFIGURATION);
        let tokens = match way {
            Way::Engine => format!(
                "openssl_conf = openssl\n[openssl]\nengines = engines\n[engines]\npkcs11 = pkcs11\n[pkcs11]\n\
                 engine_id = pkcs11\nMODULE_PATH = {}\ninit = 0\n",
                module().display()
            ),
            Way::Provider => of_the_guide()
                .replace("= pkcs11.so", &format!("= {}", provider().display()))
                .replace("/usr/lib/strongroom/libstrongroom.so", &module().display().to_string())
                .replace("/etc/ssl/private/pin", &bench.path("pin").display().to_string()),
        };
        bench.write("token.cnf", &(tokens + CONFIGURATION));
        bench
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.store.0.join(file)
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    pub(super) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
    }

    /// Makes a pair of keys in the token; OpenSSL writes its public half to `ID.pub`.
    pub(super) fn key(&self, id: &str) {
        let kind = match id {
            RSA => "rsa:2048",
            P256 => "EC:prime256v1",
            P384 => "EC:secp384r1",
            P521 => "EC:secp521r1",
            _ => "EC:edwards25519",
        };
        let mut arguments = vec!["--login", "--pin", USER_PIN, "--keypairgen", "--key-type", kind, "--id", id];
        arguments.extend(["--label", kind, "--usage-sign"]);
        match id {
            RSA => arguments.push("--usage-decrypt"),
            ED25519 => {}
            _ => arguments.push("--usage-derive"),
        }
        self.store.succeeds(&arguments);
        let key = if self.way == Way::Engine { "-inform engine -in" } else { "-in" };
        let engine = if self.way == Way::Engine { "-engine pkcs11" } else { "" };
        self.token(&format!("pkey {engine} {key} {} -pubout -out {id}.key", self.uri(id)));
        // The provider writes one of RSA in another form than OpenSSL.
        self.plain(&format!("pkey -pubin -in {id}.key -pubout -out {id}.pub"));
    }

    pub(super) fn uri(&self, id: &str) -> String {
        format!("pkcs11:token=test;id=%{id};type=private?pin-source=file:{}", self.path("pin").display())
    }

    /// The options that name a key of the token. Most of OpenSSL's programs call them `-key` and `-keyform`.
    pub(super) fn options(&self, key: &str, form: &str, id: &str) -> String {
        let engine = if self.way == Way::Engine { format!("-engine pkcs11 -{form} engine") } else { String::new() };
        format!("{engine} -{key} {}", self.uri(id))
    }

    fn openssl(&self, configuration: &str, words: &str) -> Command {
        let mut command = self.store.command("timeout");
        command.args(["60", "openssl"]).args(words.split_whitespace());
        command.env("OPENSSL_CONF", self.path(configuration)).env_remove("PKCS11_MODULE");
        command
    }

    /// OpenSSL with the token, to be started.
    pub(super) fn with_token(&self, words: &str) -> Command {
        self.openssl("token.cnf", words)
    }

    /// OpenSSL without the token, to be started.
    pub(super) fn without_token(&self, words: &str) -> Command {
        self.openssl("plain.cnf", words)
    }

    /// OpenSSL with the token.
    pub(super) fn token(&self, words: &str) -> String {
        succeeded(&mut self.with_token(words))
    }

    /// OpenSSL without the token.
    pub(super) fn plain(&self, words: &str) -> String {
        succeeded(&mut self.without_token(words))
    }

    /// OpenSSL without the token fails, and says why.
    pub(super) fn refused(&self, words: &str, why: &str) {
        let output = self.without_token(words).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code().map(|code| matches!(code, 1..=9)), Some(true), "{words}: {}", output.status);
        assert!(text.to_lowercase().contains(why), "{words}: {text}");
    }

    /// A certificate of an authority that signs it by its key, in the file `authority.pem`.
    pub(super) fn authority(&self, id: &str) {
        let key = self.options("key", "keyform", id);
        self.token(&format!(
            "req -new -x509 {key} -subj /CN=authority -days 30 -extensions authority -out authority.pem"
        ));
        self.plain("verify -x509_strict -CAfile authority.pem authority.pem");
    }

    /// A certificate for a key of the token, by the authority of that key of the token.
    pub(super) fn certificate(&self, id: &str, authority: &str) {
        let key = self.options("key", "keyform", id);
        self.token(&format!("req -new {key} -subj /CN=leaf-{id} -out {id}.csr"));
        let authority = self.options("CAkey", "CAkeyform", authority);
        self.token(&format!(
            "x509 -req -in {id}.csr -CA authority.pem {authority} -days 20 -extfile plain.cnf -extensions leaf -out {id}.pem"
        ));
        self.plain(&format!("verify -x509_strict -CAfile authority.pem {id}.pem"));
        let public = self.plain(&format!("x509 -in {id}.pem -noout -pubkey"));
        assert_eq!(public.as_bytes(), self.read(&format!("{id}.pub")));
    }

    /// A program in C that is beside this file, in the bench's directory.
    pub(super) fn compiled(&self, name: &str) -> PathBuf {
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let program = self.path(name);
        let source = project("tests/clients/openssl").join(format!("{name}.c"));
        let mut compile = Command::new(compiler);
        compile.args(["-Wall", "-Wextra", "-Werror", "-o"]).args([&program, &source].map(Path::new));
        succeeded(compile.args(["-lcrypto", "-ldl", "-lpthread"]));
        program
    }
}
