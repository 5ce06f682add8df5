//! Certificates for keys of a token.

use std::{fs, str::FromStr, time::Duration};

use clap::Subcommand;
use der::{
    Decode, Encode,
    asn1::{BitString, Ia5String, ObjectIdentifier, OctetString},
};
use engine::Engine;
use serde_json::{Value as Json, json};
use types::{
    AttributeType as A, CertificateType, KeyType, Mechanism, MechanismType as M, ObjectClass, ObjectHandle, Output,
    OutputResult, Params, SessionHandle, Template, Value,
};
use x509_cert::{
    Certificate, TbsCertificate,
    builder::{self, Builder, CertificateBuilder, profile::BuilderProfile},
    ext::{
        Extension, ToExtension,
        pkix::{
            AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
            SubjectKeyIdentifier, name::GeneralName,
        },
    },
    name::Name,
    request::RequestBuilder,
    serial_number::SerialNumber,
    spki::{
        self, AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, EncodePublicKey, SubjectPublicKeyInfoOwned,
        SubjectPublicKeyInfoRef,
    },
    time::Validity,
};

use crate::{
    answer::{Answer, done},
    ecdsa,
    fault::Fault,
    issue,
    key::{self, KeyChoice, hex},
    label::{self, Label},
    select::UserLogin,
};

#[derive(Subcommand)]
pub(crate) enum CertVerb {
    /// Makes a certificate for a key, signed by that key, keeps it in the token, and prints it (PEM).
    SelfSign {
        #[command(flatten)]
        choice: KeyChoice,
        #[command(flatten)]
        about: Subject,
        /// How many days it is valid, from now.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36500))]
        days: u32,
        /// It is a certification authority's.
        #[arg(long)]
        ca: bool,
    },
    /// Prints a certificate signing request for a key (PKCS#10, PEM).
    Csr {
        #[command(flatten)]
        choice: KeyChoice,
        #[command(flatten)]
        about: Subject,
    },
    /// Keeps a certificate from a file, PEM or DER. One for a key of the token gets that key's id and label.
    Import {
        /// The file.
        file: String,
        /// Its label; the key's if none is given.
        #[arg(long)]
        label: Option<String>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Lists the certificates.
    List {
        #[command(flatten)]
        login: UserLogin,
    },
    /// Shows what a certificate says.
    Show {
        #[command(flatten)]
        choice: CertChoice,
    },
    /// Makes a certificate for a signing request, signed by a key of the token, and prints it (PEM). The certificate of that
    /// key must be in the token and be a certification authority's: `cert self-sign --ca`.
    Issue(issue::Issue),
    /// Prints a certificate (PEM).
    Export {
        #[command(flatten)]
        choice: CertChoice,
    },
    /// Deletes a certificate.
    Delete {
        #[command(flatten)]
        choice: CertChoice,
        /// That it is meant.
        #[arg(long)]
        yes: bool,
    },
}

/// Whom a certificate is about.
#[derive(clap::Args)]
pub(crate) struct Subject {
    /// The subject's name, as "CN=example.org,O=Example". The key's label as CN if none is given.
    #[arg(long)]
    subject: Option<String>,
    /// Names of hosts that it is for.
    #[arg(long, value_delimiter = ',')]
    dns: Vec<String>,
}

/// A certificate of a token.
#[derive(clap::Args)]
pub(crate) struct CertChoice {
    /// The certificate: its label, or id:HEX.
    certificate: String,
    #[command(flatten)]
    login: UserLogin,
}

pub(crate) fn run(engine: &Engine, verb: &CertVerb) -> Result<Answer, Fault> {
    match verb {
        CertVerb::SelfSign { choice, about, days, ca } => {
            let (token, session, key) = choice.choose(engine)?;
            let signer = Signer::of(engine, session, &key)?;
            let name = about.name(&key.label)?;
            let profile = Says { subject: name, ca: *ca, names: about.names()?, issuer: None };
            let (serial, validity) = (serial(engine, session)?, validity(*days)?);
            let public = SubjectPublicKeyInfoOwned::from_der(&signer.info).map_err(encoding)?;
            let mut builder = CertificateBuilder::new(profile, serial, validity, public).map_err(building)?;
            let signed = builder.finalize(&signer).map_err(building)?;
            let signature = signer.sign(engine, session, &signed)?;
            let certificate: Certificate = builder.assemble(signature, &signer).map_err(building)?;
            let bytes = certificate.to_der().map_err(encoding)?;
            keep(engine, session, &bytes, &key.label, &key.id)?;
            let text = pem("CERTIFICATE", &bytes)?;
            Ok(Answer::new(text.clone(), json!({ "pem": text, "token": &*token.label, "label": &*key.label })))
        }
        CertVerb::Csr { choice, about } => {
            let (_, session, key) = choice.choose(engine)?;
            let signer = Signer::of(engine, session, &key)?;
            let mut builder = RequestBuilder::new(about.name(&key.label)?).map_err(building)?;
            let names = about.names()?;
            if !names.is_empty() {
                builder.add_extension(&SubjectAltName(names)).map_err(encoding)?;
            }
            let signed = builder.finalize(&signer).map_err(building)?;
            let signature = signer.sign(engine, session, &signed)?;
            let request = builder.assemble(signature, &signer).map_err(building)?;
            let text = pem("CERTIFICATE REQUEST", &request.to_der().map_err(encoding)?)?;
            Ok(Answer::new(text.clone(), json!({ "pem": text })))
        }
        CertVerb::Import { file, label, login } => {
            let bytes = read(file)?;
            let certificate = Certificate::from_der(&bytes)
                .map_err(|why| Fault::Usage(format!("{file} is no certificate: {why}")))?;
            let (token, session) = login.log_in(engine)?;
            let info = certificate.tbs_certificate().subject_public_key_info().to_der().map_err(encoding)?;
            let of_key = key::all(engine, session)?
                .into_iter()
                .find(|key| key.public_key_info(engine, session).is_some_and(|known| known == info));
            let id = of_key.as_ref().map(|key| key.id.clone()).unwrap_or_default();
            let name = certificate.tbs_certificate().subject().to_string();
            let label = label.clone().map(Label::from).or_else(|| of_key.map(|key| key.label)).unwrap_or(name.into());
            keep(engine, session, &bytes, &label, &id)?;
            done(format!("Certificate {label} is in token {}.", token.label))
        }
        CertVerb::List { login } => {
            let (_, session) = login.log_in(engine)?;
            let found = all(engine, session)?;
            let text: String = found.iter().map(Found::line).collect();
            let none = || "there is no certificate yet: `strongroom cert self-sign KEY` makes one".to_owned();
            let text = if text.is_empty() { none() } else { text };
            Ok(Answer::new(text, found.iter().map(Found::told).collect()))
        }
        CertVerb::Show { choice } => issue::show(&choice.choose(engine)?.1),
        CertVerb::Issue(asked) => issue::issue(engine, asked),
        CertVerb::Export { choice } => {
            let (_, found) = choice.choose(engine)?;
            let text = pem("CERTIFICATE", &found.bytes)?;
            Ok(Answer::new(text.clone(), json!({ "pem": text })))
        }
        CertVerb::Delete { choice, yes } => {
            if !yes {
                return Err(Fault::Usage(
                    "a certificate that is deleted is gone for good: --yes says that it is meant".into(),
                ));
            }
            let (session, found) = choice.choose(engine)?;
            engine.destroy_object(session, found.handle)?;
            done(format!("Certificate {} is deleted.", found.label))
        }
    }
}

/// A serial number that no other certificate has.
pub(crate) fn serial(engine: &Engine, session: SessionHandle) -> Result<SerialNumber, Fault> {
    let mut serial = [0; 16];
    engine.random(session, &mut serial)?;
    // Positive, and of its full length (RFC 5280, 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    SerialNumber::new(&serial).map_err(encoding)
}

/// So many days from now.
pub(crate) fn validity(days: u32) -> Result<Validity, Fault> {
    Validity::from_now(Duration::from_secs(u64::from(days) * 86_400)).map_err(encoding)
}

pub(crate) fn encoding(why: impl std::fmt::Display) -> Fault {
    Fault::Usage(format!("this cannot be written as a certificate: {why}"))
}

pub(crate) fn building(why: builder::Error) -> Fault {
    encoding(why)
}

pub(crate) fn pem(what: &str, bytes: &[u8]) -> Result<String, Fault> {
    pem_rfc7468::encode_string(what, pem_rfc7468::LineEnding::LF, bytes)
        .map_err(|why| Fault::Usage(format!("the {what} cannot be written: {why}")))
}

/// A file, its PEM taken off if it has one.
pub(crate) fn read(file: &str) -> Result<Vec<u8>, Fault> {
    let bytes = fs::read(file).map_err(|why| Fault::Usage(format!("{file} cannot be read: {why}")))?;
    match pem_rfc7468::decode_vec(&bytes) {
        Ok((_, inside)) => Ok(inside),
        Err(_) => Ok(bytes),
    }
}

impl Subject {
    fn name(&self, label: &str) -> Result<Name, Fault> {
        let text = self.subject.clone().unwrap_or_else(|| format!("CN={}", label.replace(',', "\\,")));
        Name::from_str(&text).map_err(|why| {
            Fault::Usage(format!("'{text}' is no name of a subject, as CN=example.org,O=Example: {why}"))
        })
    }

    fn names(&self) -> Result<Vec<GeneralName>, Fault> {
        dns_names(&self.dns)
    }
}

/// Names of hosts.
pub(crate) fn dns_names(hosts: &[String]) -> Result<Vec<GeneralName>, Fault> {
    let name = |dns: &String| Ia5String::new(dns).map(GeneralName::DnsName);
    let names: Result<_, _> = hosts.iter().map(name).collect();
    names.map_err(|why| Fault::Usage(format!("a name of a host is ASCII: {why}")))
}

/// What a certificate says.
pub(crate) struct Says {
    pub(crate) subject: Name,
    pub(crate) ca: bool,
    pub(crate) names: Vec<GeneralName>,
    /// Who signs it, and the name of his key; `None` if the subject does.
    pub(crate) issuer: Option<(Name, Vec<u8>)>,
}

/// Keys that can receive another key (RFC 3279, 2.3.1).
pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
pub(crate) const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

impl BuilderProfile for Says {
    fn get_issuer(&self, subject: &Name) -> Name {
        self.issuer.as_ref().map_or(subject, |(issuer, _)| issuer).clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        spk: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let subject = tbs.subject();
        let mut extensions = basics(self.ca, spk, subject)?;
        if let Some((_, key)) = &self.issuer {
            let key_identifier = Some(OctetString::new(key.as_slice())?);
            let authority = AuthorityKeyIdentifier { key_identifier, ..AuthorityKeyIdentifier::default() };
            extensions.push(authority.to_extension(subject, &[])?);
        }
        if !self.names.is_empty() {
            extensions.push(SubjectAltName(self.names.clone()).to_extension(subject, &[])?);
        }
        Ok(extensions)
    }
}

/// What every certificate says: what its key is for, and the key's name.
pub(crate) fn basics(ca: bool, spk: SubjectPublicKeyInfoRef<'_>, subject: &Name) -> builder::Result<Vec<Extension>> {
    let uses = if ca {
        KeyUsages::KeyCertSign | KeyUsages::CRLSign | KeyUsages::DigitalSignature
    } else if spk.algorithm.oid == RSA {
        KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment
    } else {
        KeyUsages::DigitalSignature.into()
    };
    let mut extensions = vec![
        BasicConstraints { ca, path_len_constraint: None }.to_extension(subject, &[])?,
        KeyUsage(uses).to_extension(subject, &[])?,
        SubjectKeyIdentifier(OctetString::new(key_id(spk.subject_public_key.raw_bytes()))?)
            .to_extension(subject, &[])?,
    ];
    if !ca {
        extensions.push(ExtendedKeyUsage(vec![SERVER_AUTH, CLIENT_AUTH]).to_extension(subject, &[])?);
    }
    Ok(extensions)
}

/// A name for a public key: any that differs will do (RFC 5280, 4.2.1.2), so the end of it does.
pub(crate) fn key_id(public: &[u8]) -> Vec<u8> {
    public.get(public.len().saturating_sub(20)..).unwrap_or(public).to_vec()
}

/// A key of the token that signs.
pub(crate) struct Signer {
    handle: ObjectHandle,
    pub(crate) info: Vec<u8>,
    mechanism: M,
    algorithm: AlgorithmIdentifierOwned,
    is_ecdsa: bool,
}

/// A public key as it stands in a certificate.
#[derive(Clone)]
pub(crate) struct Public(Vec<u8>);

impl EncodePublicKey for Public {
    fn to_public_key_der(&self) -> spki::Result<der::Document> {
        Ok(der::Document::try_from(self.0.clone())?)
    }
}

impl signature::Keypair for Signer {
    type VerifyingKey = Public;

    fn verifying_key(&self) -> Public {
        Public(self.info.clone())
    }
}

impl DynSignatureAlgorithmIdentifier for Signer {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(self.algorithm.clone())
    }
}

/// Which keys sign with what: type, bytes of a coordinate, mechanism, object identifier.
pub(crate) const ALGORITHMS: [(KeyType, usize, M, &str); 5] = [
    (KeyType::RSA, 0, M::SHA256_RSA_PKCS, "1.2.840.113549.1.1.11"),
    (KeyType::EC, 32, M::ECDSA_SHA256, "1.2.840.10045.4.3.2"),
    (KeyType::EC, 48, M::ECDSA_SHA384, "1.2.840.10045.4.3.3"),
    (KeyType::EC, 66, M::ECDSA_SHA512, "1.2.840.10045.4.3.4"),
    (KeyType::EC_EDWARDS, 0, M::EDDSA, "1.3.101.112"),
];

impl Signer {
    pub(crate) fn of(engine: &Engine, session: SessionHandle, key: &key::Key) -> Result<Self, Fault> {
        let cannot = |why: &str| Fault::Usage(format!("key {} signs no certificate: {why}", key.label));
        let handle = key.half(ObjectClass::PRIVATE_KEY).ok_or_else(|| cannot("it has no private half here"))?;
        let info = key.public_key_info(engine, session).ok_or_else(|| cannot("its public half is not known"))?;
        let object = engine.object(session, handle)?;
        let key_type = object.attribute(A::KEY_TYPE).ok().and_then(Value::as_number).map(KeyType);
        let public = SubjectPublicKeyInfoRef::try_from(info.as_slice()).map_err(encoding)?;
        let coordinate = public.subject_public_key.raw_bytes().len() / 2;
        let row =
            ALGORITHMS.iter().find(|(known, len, ..)| key_type == Some(*known) && (*len == 0 || *len == coordinate));
        let (_, _, mechanism, oid) = *row.ok_or_else(|| cannot("keys of its kind do not sign"))?;
        let parameters = (key_type == Some(KeyType::RSA)).then(der::Any::null);
        let oid = ObjectIdentifier::new(oid).map_err(encoding)?;
        let algorithm = AlgorithmIdentifierOwned { oid, parameters };
        Ok(Self { handle, info: info.clone(), mechanism, algorithm, is_ecdsa: key_type == Some(KeyType::EC) })
    }

    pub(crate) fn sign(&self, engine: &Engine, session: SessionHandle, message: &[u8]) -> Result<BitString, Fault> {
        engine.sign_init(session, &Mechanism { id: self.mechanism, params: Params::None }, self.handle)?;
        let mut signature = vec![0; 4096];
        let written = engine.sign(session, message, Output::Buffer(&mut signature))?;
        let OutputResult::Written(len) = written else { return Err(encoding("the signature is longer than any")) };
        signature.truncate(len);
        let signature = if self.is_ecdsa { ecdsa::to_der(&signature)? } else { signature };
        BitString::from_bytes(&signature).map_err(encoding)
    }
}

/// Keeps a certificate that came with a key: as the key's, if it is that, else under its own name.
pub(crate) fn keep_of(
    engine: &Engine,
    session: SessionHandle,
    bytes: &[u8],
    label: &str,
    id: &[u8],
    key: ObjectHandle,
) -> Result<ObjectHandle, Fault> {
    let certificate = Certificate::from_der(bytes).map_err(encoding)?;
    let tbs = certificate.tbs_certificate();
    let info = tbs.subject_public_key_info().to_der().map_err(encoding)?;
    if key::describe(engine, session, key)?.info == info {
        keep(engine, session, bytes, label, id)
    } else {
        keep(engine, session, bytes, &tbs.subject().to_string(), &[])
    }
}

pub(crate) fn keep(
    engine: &Engine,
    session: SessionHandle,
    bytes: &[u8],
    label: &str,
    id: &[u8],
) -> Result<ObjectHandle, Fault> {
    let certificate = Certificate::from_der(bytes).map_err(encoding)?;
    let tbs = certificate.tbs_certificate();
    let template: Template = vec![
        (A::CLASS, Value::Number(ObjectClass::CERTIFICATE.0)),
        (A::CERTIFICATE_TYPE, Value::Number(CertificateType::X_509.0)),
        (A::TOKEN, Value::Flag(true)),
        (A::LABEL, Value::bytes(label)),
        (A::ID, Value::bytes(id)),
        (A::SUBJECT, Value::bytes(tbs.subject().to_der().map_err(encoding)?)),
        (A::ISSUER, Value::bytes(tbs.issuer().to_der().map_err(encoding)?)),
        (A::SERIAL_NUMBER, Value::bytes(tbs.serial_number().to_der().map_err(encoding)?)),
        (A::VALUE, Value::bytes(bytes)),
    ];
    Ok(engine.create_object(session, template)?)
}

/// A certificate in a token.
pub(crate) struct Found {
    handle: ObjectHandle,
    pub(crate) label: Label,
    pub(crate) id: Vec<u8>,
    /// DER.
    pub(crate) bytes: Vec<u8>,
}

impl Found {
    /// Its subject, and until when it is valid.
    pub(crate) fn facts(&self) -> (String, String) {
        match Certificate::from_der(&self.bytes) {
            Ok(certificate) => {
                let tbs = certificate.tbs_certificate();
                (tbs.subject().to_string(), tbs.validity().not_after.to_string())
            }
            Err(why) => (format!("cannot be read: {why}"), String::new()),
        }
    }

    /// When it ends, in seconds since 1970; `None` of one that cannot be read.
    pub(crate) fn ends_at(&self) -> Option<u64> {
        let certificate = Certificate::from_der(&self.bytes).ok()?;
        Some(certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
    }

    fn line(&self) -> String {
        let (subject, until) = self.facts();
        format!("{}  id {}  until {until}  {}\n", self.label, hex(&self.id), label::line(&subject))
    }

    pub(crate) fn told(&self) -> Json {
        let (subject, until) = self.facts();
        json!({ "label": &*self.label, "id": hex(&self.id), "subject": subject, "not_after": until })
    }
}

pub(crate) fn all(engine: &Engine, session: SessionHandle) -> Result<Vec<Found>, Fault> {
    let template = vec![
        (A::TOKEN, Value::Flag(true)),
        (A::CLASS, Value::Number(ObjectClass::CERTIFICATE.0)),
        (A::CERTIFICATE_TYPE, Value::Number(CertificateType::X_509.0)),
    ];
    let mut found = Vec::new();
    for handle in key::find(engine, session, template)? {
        let object = engine.object(session, handle)?;
        let bytes = |name| object.attribute(name).ok().and_then(Value::as_bytes).unwrap_or_default().to_vec();
        let label = Label::of(&bytes(A::LABEL));
        found.push(Found { handle, label, id: bytes(A::ID), bytes: bytes(A::VALUE) });
    }
    Ok(found)
}

impl CertChoice {
    fn choose(&self, engine: &Engine) -> Result<(SessionHandle, Found), Fault> {
        let (token, session) = self.login.log_in(engine)?;
        let wanted = &self.certificate;
        let id = wanted.strip_prefix("id:");
        let fits = |found: &Found| id.map_or(*found.label == **wanted, |id| hex(&found.id) == id.to_lowercase());
        let mut found: Vec<Found> = all(engine, session)?.into_iter().filter(fits).collect();
        match (found.len(), found.pop()) {
            (1, Some(found)) => Ok((session, found)),
            (_, None) => Err(Fault::NotFound(format!(
                "there is no certificate '{wanted}' in token {}: `strongroom cert list` has all",
                token.label
            ))),
            (_, Some(last)) => {
                found.push(last);
                let several: String = found.iter().map(Found::line).collect();
                Err(Fault::Usage(format!("'{wanted}' could be any of these; id:HEX says which:\n{several}")))
            }
        }
    }
}
