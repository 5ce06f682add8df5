//! Certificates that a key of the token signs for others, and what certificates say.

use clap::Args;
use der::{Decode, Encode};
use engine::Engine;
use serde_json::json;
use types::{AttributeType as A, KeyType, Mechanism, MechanismType as M, Params, Rv, SessionHandle, Value};
use x509_cert::{
    Certificate,
    builder::{Builder, CertificateBuilder},
    ext::{
        Extension,
        pkix::{BasicConstraints, SubjectAltName, SubjectKeyIdentifier, name::GeneralName},
    },
    request::CertReq,
    spki::ObjectIdentifier,
};

use crate::{
    answer::Answer,
    cert::{self, Found, Says, Signer, building, encoding},
    ecdsa,
    fault::Fault,
    key::{KeyChoice, hex},
    label, transfer,
};

#[derive(Args)]
pub(crate) struct Issue {
    #[command(flatten)]
    choice: KeyChoice,
    /// The file with the signing request (PKCS#10), PEM or DER.
    #[arg(long)]
    csr: String,
    /// How many days it is valid, from now.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36500))]
    days: u32,
    /// It is a certification authority's too.
    #[arg(long)]
    ca: bool,
    /// Names of hosts that it is for, instead of those that the request asks for.
    #[arg(long, value_delimiter = ',')]
    dns: Vec<String>,
}

/// How a request may be signed: its object identifier, the type of key, the mechanism.
const SIGNATURES: [(&str, KeyType, M); 7] = [
    ("1.2.840.113549.1.1.11", KeyType::RSA, M::SHA256_RSA_PKCS),
    ("1.2.840.113549.1.1.12", KeyType::RSA, M::SHA384_RSA_PKCS),
    ("1.2.840.113549.1.1.13", KeyType::RSA, M::SHA512_RSA_PKCS),
    ("1.2.840.10045.4.3.2", KeyType::EC, M::ECDSA_SHA256),
    ("1.2.840.10045.4.3.3", KeyType::EC, M::ECDSA_SHA384),
    ("1.2.840.10045.4.3.4", KeyType::EC, M::ECDSA_SHA512),
    ("1.3.101.112", KeyType::EC_EDWARDS, M::EDDSA),
];

/// Refuses a request that whoever has the key has not signed.
fn must_be_signed(engine: &Engine, session: SessionHandle, request: &CertReq) -> Result<(), Fault> {
    let wrong = || Fault::Failed("the signature of the request is wrong: whoever made it does not have its key".into());
    let info = request.info.public_key.to_der().map_err(encoding)?;
    let oid = request.algorithm.oid.to_string();
    let row = SIGNATURES.iter().find(|(known, ..)| *known == oid);
    let (_, key_type, id) =
        row.ok_or_else(|| Fault::Usage(format!("the request is signed by {oid}, which is not offered")))?;
    let (found, mut template) = transfer::public_parts(&info)?;
    if found != *key_type {
        return Err(wrong());
    }
    template.push((A::VERIFY, Value::Flag(true)));
    let key = engine.create_object(session, template)?;
    let mut signature = request.signature.raw_bytes().to_vec();
    if *key_type == KeyType::EC {
        let width = request.info.public_key.subject_public_key.raw_bytes().len() / 2;
        signature = ecdsa::from_der(&signature, width).ok_or_else(wrong)?;
    }
    engine.verify_init(session, &Mechanism { id: *id, params: Params::None }, key)?;
    let verdict = engine.verify(session, &request.info.to_der().map_err(encoding)?, &signature);
    engine.destroy_object(session, key)?;
    verdict.map_err(|error| match Rv::from(&error) {
        Rv::SIGNATURE_INVALID | Rv::SIGNATURE_LEN_RANGE => wrong(),
        _ => error.into(),
    })
}

/// The names of hosts that a request asks for.
fn asked_names(request: &CertReq) -> Result<Vec<GeneralName>, Fault> {
    /// RFC 2985, 5.4.2.
    const EXTENSIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
    /// RFC 5280, 4.2.1.6.
    const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
    let mut names = Vec::new();
    for attribute in request.info.attributes.iter().filter(|attribute| attribute.oid == EXTENSIONS) {
        for value in attribute.values.iter() {
            let bytes = value.to_der().map_err(encoding)?;
            let extensions = Vec::<Extension>::from_der(&bytes).map_err(encoding)?;
            for extension in extensions.iter().filter(|extension| extension.extn_id == ALTERNATIVE_NAMES) {
                names.extend(SubjectAltName::from_der(extension.extn_value.as_bytes()).map_err(encoding)?.0);
            }
        }
    }
    Ok(names)
}

pub(crate) fn issue(engine: &Engine, asked: &Issue) -> Result<Answer, Fault> {
    let Issue { choice, csr, days, ca, dns } = asked;
    let request = CertReq::from_der(&cert::read(csr)?)
        .map_err(|why| Fault::Usage(format!("{csr} is no signing request: {why}")))?;
    let (_, session, key) = choice.choose(engine)?;
    let signer = Signer::of(engine, session, &key)?;
    let issuer = authority(engine, session, &signer)?.ok_or_else(|| {
        Fault::Usage(format!(
            "there is no certificate of a certification authority for key {} in the token: `strongroom cert self-sign --ca` makes one",
            key.label
        ))
    })?;
    must_be_signed(engine, session, &request)?;
    let names = if dns.is_empty() { asked_names(&request)? } else { cert::dns_names(dns)? };
    let profile = Says {
        subject: request.info.subject.clone(),
        ca: *ca,
        names,
        issuer: Some((issuer.tbs_certificate().subject().clone(), subject_key_id(&issuer))),
    };
    let (serial, validity) = (cert::serial(engine, session)?, cert::validity(*days)?);
    let public = request.info.public_key.clone();
    let mut builder = CertificateBuilder::new(profile, serial, validity, public).map_err(building)?;
    let signed = builder.finalize(&signer).map_err(building)?;
    let signature = signer.sign(engine, session, &signed)?;
    let certificate: Certificate = builder.assemble(signature, &signer).map_err(building)?;
    let text = cert::pem("CERTIFICATE", &certificate.to_der().map_err(encoding)?)?;
    Ok(Answer::new(text.clone(), json!({ "pem": text })))
}

/// The certificate of a certification authority's key.
fn authority(engine: &Engine, session: SessionHandle, signer: &Signer) -> Result<Option<Certificate>, Fault> {
    let is_of_it = |found: &Found| {
        let certificate = Certificate::from_der(&found.bytes).ok()?;
        let info = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
        let constraints = certificate.tbs_certificate().get_extension::<BasicConstraints>().ok()??.1;
        (info == signer.info && constraints.ca).then_some(certificate)
    };
    Ok(cert::all(engine, session)?.iter().find_map(is_of_it))
}

/// The name of a certificate's key, as the certificate has it.
fn subject_key_id(certificate: &Certificate) -> Vec<u8> {
    let tbs = certificate.tbs_certificate();
    match tbs.get_extension::<SubjectKeyIdentifier>() {
        Ok(Some((_, id))) => id.0.as_bytes().to_vec(),
        _ => cert::key_id(tbs.subject_public_key_info().subject_public_key.raw_bytes()),
    }
}

pub(crate) fn show(found: &Found) -> Result<Answer, Fault> {
    let certificate = Certificate::from_der(&found.bytes)
        .map_err(|why| Fault::Failed(format!("certificate {} cannot be read: {why}", found.label)))?;
    let tbs = certificate.tbs_certificate();
    let names: Vec<String> = match tbs.get_extension::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0.iter().filter_map(host).collect(),
        _ => Vec::new(),
    };
    let ca = tbs.get_extension::<BasicConstraints>().ok().flatten().is_some_and(|(_, constraints)| constraints.ca);
    let serial = hex(tbs.serial_number().as_bytes());
    let facts = json!({
        "label": &*found.label,
        "id": hex(&found.id),
        "subject": tbs.subject().to_string(),
        "issuer": tbs.issuer().to_string(),
        "serial_number": serial,
        "not_before": tbs.validity().not_before.to_string(),
        "not_after": tbs.validity().not_after.to_string(),
        "hosts": names,
        "certification_authority": ca,
    });
    let text = format!(
        "label    {}\nid       {}\nsubject  {}\nissuer   {}\nserial   {serial}\nfrom     {}\nuntil    {}\nhosts    {}\nca       {}",
        found.label,
        hex(&found.id),
        label::line(&tbs.subject().to_string()),
        label::line(&tbs.issuer().to_string()),
        tbs.validity().not_before,
        tbs.validity().not_after,
        label::line(&names.join(", ")),
        if ca { "yes" } else { "no" },
    );
    Ok(Answer::new(text, facts))
}

fn host(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        _ => None,
    }
}
