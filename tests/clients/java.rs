//! Java: the provider SunPKCS11, `keytool` and `jarsigner`, of every JDK that is there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    guide,
    store::{Store, USER_PIN, module, project, succeeded},
};

/// How many checks `tests/clients/java` makes; those of AES key wraps are made from Java 18 on.
const CHECKS: usize = 7229;
const CHECKS_OF_WRAPS: usize = 12;

/// The JDKs of this machine by their feature versions, from 17 on, which the program is made for.
fn jdks() -> BTreeMap<u32, PathBuf> {
    let version = |home: &Path| {
        let release = fs::read_to_string(home.join("release")).ok()?;
        let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION=\""))?;
        version.split(['.', '"', '-', '+']).next()?.parse::<u32>().ok()
    };
    let of_debian = fs::read_dir("/usr/lib/jvm").into_iter().flatten().map(|entry| entry.unwrap().path());
    let homes = of_debian.chain(std::env::var_os("JAVA_HOME").map(PathBuf::from));
    let found: BTreeMap<_, _> = homes
        .filter(|home| home.join("bin/javac").exists())
        .filter_map(|home| Some((version(&home)?, home)))
        .filter(|(version, _)| *version >= 17)
        .collect();
    assert!(!found.is_empty(), "no JDK from 17 on: install default-jdk-headless");
    found
}

/// The program, built once.
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("java");
        let mut maven = Command::new("timeout");
        maven.args(["500", "mvn", "--quiet", "--batch-mode", "--file"]).arg(project("tests/clients/java/pom.xml"));
        maven.arg(format!("-Doutput={}", output.display()));
        maven.args(["compiler:compile", "jar:jar", "dependency:copy-dependencies"]);
        succeeded(&mut maven);
        output.join("client.jar")
    })
}

#[test]
fn java_does_everything_that_its_provider_offers() {
    let program = program();
    for (version, home) in jdks() {
        let store = Store::with_token(&format!("java-{version}"));
        let mut java = store.command("timeout");
        java.arg("300").arg(home.join("bin/java")).arg("-jar").arg(program).env("PIN", USER_PIN);
        let said = succeeded(&mut java);
        let checks = CHECKS + if version >= 18 { CHECKS_OF_WRAPS } else { 0 };
        assert_eq!(said.lines().last(), Some(format!("{checks} checks").as_str()), "Java {version}: {said}");

        // Another program finds what Java left: one key with its certificate, which cannot leave the token.
        let objects = store.succeeds(&["-l", "--pin", USER_PIN, "-O"]);
        assert_eq!(objects.matches(" Object").count(), 2, "{objects}");
        assert!(objects.contains("Private Key Object; EC") && objects.contains("Certificate Object"), "{objects}");
        assert!(objects.contains("sensitive, always sensitive, never extractable, local"), "{objects}");
    }
}

/// A JDK's commands in a store's directory, and the options with which they take the token for their key store.
struct Tools<'a> {
    store: &'a Store,
    home: PathBuf,
}

const KEYSTORE: [&str; 12] = [
    "-keystore",
    "NONE",
    "-storetype",
    "PKCS11",
    "-addprovider",
    "SunPKCS11",
    "-providerArg",
    "pkcs11.cfg",
    "-providerName",
    "SunPKCS11-test",
    "-storepass:env",
    "PIN",
];

impl Tools<'_> {
    fn command(&self, name: &str) -> Command {
        let mut command = self.store.command("timeout");
        command.arg("60").arg(self.home.join("bin").join(name)).env("PIN", USER_PIN);
        // They live too short for the best code.
        command.arg("-J-XX:TieredStopAtLevel=1");
        command
    }

    fn keytool(&self, arguments: &[&str]) -> String {
        succeeded(self.command("keytool").args(arguments).args(KEYSTORE))
    }
}

/// OpenSSL, without the module.
fn openssl(store: &Store, arguments: &[&str]) -> String {
    succeeded(store.command("openssl").args(arguments))
}

#[test]
fn keytool_and_jarsigner_use_the_token_as_their_key_store() {
    let store = Store::with_token("keytool");
    fs::write(store.0.join("pkcs11.cfg"), format!("name = test\nlibrary = {}\nslot = 0\n", module().display()))
        .unwrap();
    // A key that comes from elsewhere.
    openssl(
        &store,
        &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "old.pem", "-subj", "/CN=old"],
    );
    openssl(
        &store,
        &[
            "pkcs12",
            "-export",
            "-inkey",
            "key.pem",
            "-in",
            "old.pem",
            "-name",
            "old",
            "-out",
            "old.p12",
            "-passout",
            "pass:123456",
        ],
    );

    for (version, home) in jdks() {
        let tools = Tools { store: &store, home };
        for (alias, options) in
            [("ec", ["-keyalg", "EC", "-groupname", "secp384r1"]), ("rsa", ["-keyalg", "RSA", "-keysize", "2048"])]
        {
            let subject = format!("CN={alias}");
            tools.keytool(
                &[
                    &["-genkeypair", "-alias", alias, "-dname", &subject, "-ext", "KeyUsage=digitalSignature"][..],
                    &options,
                ]
                .concat(),
            );
            tools.keytool(&["-certreq", "-alias", alias, "-file", "request.pem"]);
            let said = openssl(&store, &["req", "-verify", "-noout", "-subject", "-in", "request.pem"]);
            assert!(said.contains("verify OK") && said.contains(alias), "{said}");

            fs::write(store.0.join("file"), "what is signed").unwrap();
            succeeded(tools.command("jar").args(["cf", "signed.jar", "file"]));
            let signed = succeeded(tools.command("jarsigner").args(KEYSTORE).args(["signed.jar", alias]));
            assert!(signed.contains("jar signed."), "{signed}");
            let verified = succeeded(tools.command("jarsigner").args(["-verify", "signed.jar"]));
            assert!(verified.contains("jar verified."), "{verified}");

            // OpenSSL finds the signature good as well.
            succeeded(tools.command("jar").args(["xf", "signed.jar"]));
            let (listed, block) =
                (format!("META-INF/{}.SF", alias.to_uppercase()), format!("META-INF/{0}.{0}", alias.to_uppercase()));
            openssl(
                &store,
                &[
                    "cms",
                    "-verify",
                    "-binary",
                    "-noverify",
                    "-inform",
                    "DER",
                    "-in",
                    &block,
                    "-content",
                    &listed,
                    "-out",
                    "content",
                ],
            );

            fs::write(store.0.join("file"), "what was not signed").unwrap();
            succeeded(tools.command("jar").args(["uf", "signed.jar", "file"]));
            let refused = tools.command("jarsigner").args(["-verify", "signed.jar"]).output().unwrap();
            assert!(!refused.status.success(), "a changed file of {alias} is refused");
        }

        // With a provider's name the keys are made in the token; without it they would be made in Java's memory and brought there.
        let keys = store.succeeds(&["-l", "--pin", USER_PIN, "-O", "--type", "privkey"]);
        let made_inside = keys.matches("sensitive, always sensitive, never extractable, local").count();
        assert_eq!(made_inside, 2, "{keys}");

        let imported = ["-importkeystore", "-srckeystore", "old.p12", "-srcstorepass", "123456", "-srcalias", "old"];
        let to = ["-destkeystore", "NONE", "-deststoretype", "PKCS11", "-deststorepass", USER_PIN];
        let provider = ["-addprovider", "SunPKCS11", "-providerArg", "pkcs11.cfg"];
        succeeded(tools.command("keytool").args(imported).args(to).args(provider));
        let listed = tools.keytool(&["-list"]);
        assert!(listed.contains("contains 3 entries"), "Java {version}: {listed}");
        let certificate = tools.keytool(&["-exportcert", "-rfc", "-alias", "old"]);
        assert!(
            certificate.contains(fs::read_to_string(store.0.join("old.pem")).unwrap().lines().nth(1).unwrap()),
            "{certificate}"
        );
        for alias in ["old", "ec", "rsa"] {
            tools.keytool(&["-delete", "-alias", alias]);
        }
        let listed = tools.keytool(&["-list"]);
        assert!(listed.contains("contains 0 entries"), "{listed}");
    }
}

#[test]
fn the_guide_to_java_can_be_followed() {
    let said = guide::follow("java");
    assert!(said.contains("Verified OK") && said.contains("jar verified."), "{said}");
}
