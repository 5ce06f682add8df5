//! How programs are told of the module: their configuration, with this machine's paths.

use std::str::FromStr;

use engine::Engine;
use serde_json::json;

use crate::{
    answer::Answer,
    ephemeral,
    fault::{Fault, quoted},
    needs::{self, Needs},
    select::{Chosen, TokenChoice},
};

/// A program, and what to write where. `{module}` is the module's path, `{label}` the token's label, `{uri}` the token's URI
/// and `{slot}` its slot.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    text: &'static str,
    pub(crate) needs: &'static Needs,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "pkcs11-tool",
        text: "# The PIN is asked for; --pin env:NAME takes it from a variable.\n\
               pkcs11-tool --module {module} --token-label {label} --login --list-objects\n",
        needs: &needs::PKCS11_TOOL,
    },
    Program {
        name: "openssl",
        text: "# A file for OPENSSL_CONF, for the engine of libp11 (Debian: libengine-pkcs11-openssl). Then:\n\
               #   openssl req -new -engine pkcs11 -keyform engine -key \"$(strongroom key uri KEY)\" -subj /CN=example.org\n\
               openssl_conf = openssl\n[openssl]\nengines = engines\n[engines]\npkcs11 = pkcs11\n[pkcs11]\n\
               engine_id = pkcs11\nMODULE_PATH = {module}\ninit = 0\n[req]\ndistinguished_name = name\n[name]\n",
        needs: &needs::OPENSSL,
    },
    Program {
        name: "openssl-provider",
        text: "# A file for OPENSSL_CONF, for the provider of the pkcs11-provider project. Then:\n\
               #   openssl req -new -key \"$(strongroom key uri KEY)\" -subj /CN=example.org\n\
               # pkcs11-module-token-pin = file:/path lets it log in without asking.\n\
               openssl_conf = openssl\n[openssl]\nproviders = providers\n[providers]\ndefault = software\npkcs11 = pkcs11\n\
               [software]\nactivate = 1\n[pkcs11]\nmodule = pkcs11.so\npkcs11-module-path = {module}\n\
               pkcs11-module-encode-provider-uri-to-pem = true\nactivate = 1\n[req]\ndistinguished_name = name\n[name]\n",
        needs: &needs::OPENSSL_PROVIDER,
    },
    Program {
        name: "java",
        text: "# A file for the SunPKCS11 provider. With the provider's name, keytool makes keys in the token:\n\
               #   keytool -genkeypair -alias KEY -keyalg EC -dname CN=example.org -keystore NONE -storetype PKCS11 \\\n\
               #     -addprovider SunPKCS11 -providerArg FILE -providerName SunPKCS11-strongroom\n\
               name = strongroom\nlibrary = {module}\nslot = {slot}\n",
        needs: &needs::JAVA,
    },
    Program {
        name: "go",
        text: "// With github.com/ThalesGroup/crypto11:\n\
               config := crypto11.Config{Path: \"{module}\", TokenLabel: \"{raw_label}\", Pin: os.Getenv(\"PIN\")}\n",
        needs: &needs::GO,
    },
    Program {
        name: "python",
        text: "# With python-pkcs11:\n\
               import os, pkcs11\n\
               token = pkcs11.lib(\"{module}\").get_token(token_label=\"{raw_label}\")\n\
               session = token.open(user_pin=os.environ[\"PIN\"])\n",
        needs: &needs::PYTHON,
    },
    Program {
        name: "ssh",
        text: "# The public keys, for authorized_keys:\n\
               ssh-keygen -D {module}\n\
               # For ~/.ssh/config:\n\
               #   PKCS11Provider {module}\n",
        needs: &needs::SSH,
    },
    Program {
        name: "gnutls",
        text: "p11tool --provider {module} --login --list-all '{uri}'\n\
               # For all programs that use p11-kit: `strongroom integrate p11-kit`.\n",
        needs: &needs::GNUTLS,
    },
    Program {
        name: "p11-kit",
        text: "# A file /usr/share/p11-kit/modules/strongroom.module, for all programs that use p11-kit; or for your own\n\
               # ~/.config/pkcs11/modules/strongroom.module, where `user-config: merge` stands in /etc/pkcs11/pkcs11.conf.\n\
               # `p11-kit list-modules` shows it then.\n\
               module: {module}\n",
        needs: &needs::P11_KIT,
    },
    Program {
        name: "nss",
        text: "modutil -dbdir sql:DIRECTORY -add strongroom -libfile {module}\n",
        needs: &needs::NSS,
    },
    Program {
        name: "nginx",
        text: "# nginx with OpenSSL's engine of libp11; the PIN of the token stands in the URI, so keep the file readable by root only.\n\
               # At the head of nginx.conf, outside of http:\n\
               ssl_engine pkcs11;\nenv PKCS11_MODULE_PATH;\nenv STRONGROOM_STORE;\nenv STRONGROOM_STATE;\n\
               # In the server:\n\
               ssl_certificate     /etc/ssl/server.pem;\n\
               ssl_certificate_key \"engine:pkcs11:{uri};object=KEY;type=private?pin-value=PIN\";\n\
               # and in the environment of the service: PKCS11_MODULE_PATH={module}\n",
        needs: &needs::NGINX,
    },
];

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || PROGRAMS.iter().map(|program| program.name).collect::<Vec<_>>().join(", ");
        PROGRAMS.iter().find(|program| program.name == text).copied().ok_or_else(|| format!("programs are {}", all()))
    }
}

pub(crate) fn run(engine: &Engine, program: &Program, token: &TokenChoice) -> Result<Answer, Fault> {
    let Chosen { slot, label, .. } = token.choose(engine)?;
    let module = ephemeral::installed_module()?.display().to_string();
    let serial = engine.token_info(slot)?.serial;
    let encoded = percent_encoding::utf8_percent_encode(&label, percent_encoding::NON_ALPHANUMERIC);
    let uri = format!("pkcs11:token={encoded};serial={serial}");
    let text = program
        .text
        .replace("{module}", &module)
        .replace("{label}", &quoted(&label))
        .replace("{raw_label}", &label.replace('\\', "\\\\").replace('"', "\\\""))
        .replace("{uri}", &uri)
        .replace("{slot}", &slot.0.to_string());
    Ok(Answer::new(text.clone(), json!({ "program": program.name, "text": text })))
}
