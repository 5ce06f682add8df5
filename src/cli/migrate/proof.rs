//! Each key of a token that was moved is asked a question, there and here, and has to give the same answer.

use cryptoki::{
    mechanism::{
        Mechanism as Theirs,
        eddsa::{EddsaParams, EddsaSignatureScheme},
        elliptic_curve::{EcKdf, Ecdh1DeriveParams},
    },
    object::{Attribute, AttributeType, ObjectClass as TheirClass, ObjectHandle as TheirHandle},
};
use der::{Decode, asn1::OctetStringRef};
use engine::{Access, Engine, Error, User};
use types::{
    AttributeType as A, Kdf, KeyType, Mechanism, MechanismType as M, ObjectClass, ObjectHandle, Output, OutputResult,
    Params, SessionHandle, Template, Value,
};
use zeroize::Zeroizing;

use super::{
    foreign::ForeignSession,
    report::{Remark, Report},
    target::{Target, get, kind},
};
use crate::{
    fault::{Fault, quoted},
    key, progress, transfer,
};

/// What keys sign and encrypt: as long as a hash of SHA-256, and as two blocks of AES.
const MESSAGE: &[u8; 32] = b"the same key gives the same here";
const IV: [u8; 16] = [0; 16];
const IV_OF_DES: [u8; 8] = [0; 8];
/// More than any signature or ciphertext of it has.
const MOST: usize = 4096;

/// What a key of some type that may do something is asked. None where a module does not let it.
struct Question {
    key_type: KeyType,
    use_: A,
    ask: fn(&Both<'_>) -> Option<bool>,
}

const fn question(key_type: KeyType, use_: A, ask: fn(&Both<'_>) -> Option<bool>) -> Question {
    Question { key_type, use_, ask }
}

/// The first that both modules let the key answer decides.
const QUESTIONS: &[Question] = &[
    question(KeyType::RSA, A::SIGN, |both| both.sign(&Theirs::RsaPkcs, M::RSA_PKCS)),
    question(KeyType::RSA, A::SIGN, |both| both.sign(&Theirs::Sha256RsaPkcs, M::SHA256_RSA_PKCS)),
    question(KeyType::RSA, A::DECRYPT, |both| both.decrypt_with_rsa()),
    question(KeyType::EC, A::SIGN, |both| both.sign_with_ecdsa()),
    question(KeyType::EC, A::DERIVE, |both| both.agree(M::EC_KEY_PAIR_GEN)),
    question(KeyType::EC_EDWARDS, A::SIGN, |both| {
        both.sign(&Theirs::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)), M::EDDSA)
    }),
    question(KeyType::EC_MONTGOMERY, A::DERIVE, |both| both.agree(M::EC_MONTGOMERY_KEY_PAIR_GEN)),
    question(KeyType::AES, A::ENCRYPT, |both| both.encrypt(&Theirs::AesCbc(IV), M::AES_CBC, &IV)),
    question(KeyType::AES, A::DECRYPT, |both| both.decrypt(&Theirs::AesCbc(IV), M::AES_CBC, &IV)),
    question(KeyType::AES, A::SIGN, |both| both.sign(&Theirs::AesCMac, M::AES_CMAC)),
    question(KeyType::DES3, A::ENCRYPT, |both| both.encrypt(&Theirs::Des3Cbc(IV_OF_DES), M::DES3_CBC, &IV_OF_DES)),
    question(KeyType::DES3, A::DECRYPT, |both| both.decrypt(&Theirs::Des3Cbc(IV_OF_DES), M::DES3_CBC, &IV_OF_DES)),
    question(KeyType::GENERIC_SECRET, A::SIGN, |both| both.sign(&Theirs::Sha256Hmac, M::SHA256_HMAC)),
    question(KeyType::GENERIC_SECRET, A::SIGN, |both| both.sign(&Theirs::Sha1Hmac, M::SHA_1_HMAC)),
];

/// A key there and here.
struct Both<'a> {
    there: &'a ForeignSession<'a>,
    theirs: TheirHandle,
    engine: &'a Engine,
    session: SessionHandle,
    ours: ObjectHandle,
}

/// Asks every key of the token; the report says how many answered, and which could not be asked.
///
/// # Errors
/// [`Fault::Failed`] for a key that answers otherwise.
pub(super) fn prove(there: &ForeignSession<'_>, target: &Target<'_>, report: &mut Report) -> Result<(), Fault> {
    let session = target.engine.open_session(target.slot, Access::ReadWrite)?;
    let logged_in = target.engine.login(session, User::User, target.user);
    let proven = logged_in.map_err(Fault::from).and_then(|()| prove_all(there, target.engine, session, report));
    target.engine.close_session(session)?;
    proven
}

fn prove_all(
    there: &ForeignSession<'_>,
    engine: &Engine,
    session: SessionHandle,
    report: &mut Report,
) -> Result<(), Fault> {
    let objects = there.objects()?;
    report.proven.get_or_insert_default();
    let bar = progress::bar("comparing keys");
    bar.set_length(objects.len() as u64);
    for theirs in objects {
        bar.inc(1);
        let Some(template) = there.read(theirs) else { continue };
        let number = |name| get(&template, name).and_then(Value::as_number);
        let class = number(A::CLASS).map(ObjectClass);
        if !matches!(class, Some(ObjectClass::PRIVATE_KEY | ObjectClass::SECRET_KEY)) {
            continue;
        }
        let same = [A::CLASS, A::TOKEN, A::ID, A::LABEL, A::MODULUS];
        let same = same.iter().filter_map(|name| Some((*name, get(&template, *name)?.duplicate())));
        let found = key::find(engine, session, same.collect())?;
        let label = get(&template, A::LABEL).and_then(Value::as_bytes).unwrap_or_default();
        let label = String::from_utf8_lossy(label).into_owned();
        // The type as it is here: that of X25519 is another in SoftHSM.
        let here = found.first().map(|ours| engine.object(session, *ours)).transpose()?;
        let here = here.and_then(|object| object.attribute(A::KEY_TYPE).ok()?.as_number());
        let kind = kind(number(A::CLASS), here);
        // Several may have one label and id: one of them is this.
        let answers = found.iter().map(|ours| Both { there, theirs, engine, session, ours: *ours }.answer());
        match answers.max() {
            // It stayed behind.
            None => {}
            Some(Answer::Same) => *report.proven.get_or_insert_default().entry(kind).or_default() += 1,
            Some(Answer::None) => report.notes.push(Remark {
                file: kind,
                label,
                words: "it is not compared: it may do nothing that both can be asked for without a PIN for each use"
                    .into(),
            }),
            Some(Answer::Other) => {
                bar.finish_and_clear();
                return Err(Fault::Failed(format!(
                    "the {kind} {} gives another answer here than there: nothing of its token was kept",
                    quoted(&label)
                )));
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What became of the question to a key, the best last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Other,
    None,
    Same,
}

impl Both<'_> {
    fn answer(&self) -> Answer {
        let Ok(object) = self.engine.object(self.session, self.ours) else { return Answer::None };
        let key_type = object.attribute(A::KEY_TYPE).ok().and_then(Value::as_number).map(KeyType);
        let may = |use_| object.attribute(use_).is_ok_and(|value| value == &Value::Flag(true));
        // It would ask for the PIN between the two halves of an operation.
        if may(A::ALWAYS_AUTHENTICATE) {
            return Answer::None;
        }
        let fitting = QUESTIONS.iter().filter(|row| Some(row.key_type) == key_type && may(row.use_));
        match fitting.filter_map(|row| (row.ask)(self)).next() {
            Some(true) => Answer::Same,
            Some(false) => Answer::Other,
            None => Answer::None,
        }
    }

    fn sign(&self, theirs: &Theirs<'_>, ours: M) -> Option<bool> {
        let there = self.there.session.sign(theirs, self.theirs, MESSAGE).ok()?;
        Some(self.signed_here(ours)? == there)
    }

    fn signed_here(&self, id: M) -> Option<Vec<u8>> {
        self.engine.sign_init(self.session, &Mechanism { id, params: Params::None }, self.ours).ok()?;
        written(|out| self.engine.sign(self.session, MESSAGE, out))
    }

    fn encrypt(&self, theirs: &Theirs<'_>, ours: M, iv: &[u8]) -> Option<bool> {
        let there = self.there.session.encrypt(theirs, self.theirs, MESSAGE).ok()?;
        let mechanism = Mechanism { id: ours, params: Params::Iv(iv.to_vec()) };
        self.engine.encrypt_init(self.session, &mechanism, self.ours).ok()?;
        Some(written(|out| self.engine.encrypt(self.session, MESSAGE, out))? == there)
    }

    fn decrypt(&self, theirs: &Theirs<'_>, ours: M, iv: &[u8]) -> Option<bool> {
        let there = Zeroizing::new(self.there.session.decrypt(theirs, self.theirs, MESSAGE).ok()?);
        self.engine
            .decrypt_init(self.session, &Mechanism { id: ours, params: Params::Iv(iv.to_vec()) }, self.ours)
            .ok()?;
        Some(written(|out| self.engine.decrypt(self.session, MESSAGE, out))? == *there)
    }

    /// What is encrypted here for the key's public half is decrypted there.
    fn decrypt_with_rsa(&self) -> Option<bool> {
        let mechanism = Mechanism { id: M::RSA_PKCS, params: Params::None };
        self.engine.encrypt_init(self.session, &mechanism, self.public_half(A::ENCRYPT)?).ok()?;
        let sealed = written(|out| self.engine.encrypt(self.session, MESSAGE, out))?;
        let there = self.there.session.decrypt(&Theirs::RsaPkcs, self.theirs, &sealed);
        Some(there.is_ok_and(|plain| plain == MESSAGE))
    }

    /// A signature of there is right for the public half of the key here, and one of here too.
    fn sign_with_ecdsa(&self) -> Option<bool> {
        let there = self.there.session.sign(&Theirs::Ecdsa, self.theirs, MESSAGE).ok()?;
        let here = self.signed_here(M::ECDSA)?;
        let public = self.public_half(A::VERIFY)?;
        let is_right = |signature: &[u8]| {
            let mechanism = Mechanism { id: M::ECDSA, params: Params::None };
            self.engine.verify_init(self.session, &mechanism, public).ok()?;
            Some(self.engine.verify(self.session, MESSAGE, signature).is_ok())
        };
        Some(is_right(&there)? && is_right(&here)?)
    }

    /// Both find the same secret with a pair that is made for it.
    fn agree(&self, generate: M) -> Option<bool> {
        let key = key::describe(self.engine, self.session, self.ours).ok()?;
        let params = self.bytes(self.ours, A::EC_PARAMS)?;
        let mechanism = Mechanism { id: generate, params: Params::None };
        let public: Template = vec![(A::EC_PARAMS, Value::bytes(params))];
        let private: Template = vec![(A::DERIVE, Value::Flag(true))];
        let (public, _) = self.engine.generate_key_pair(self.session, &mechanism, public, private).ok()?;
        let point = self.bytes(public, A::EC_POINT)?;
        let point = <&OctetStringRef>::from_der(&point).ok()?.as_bytes().to_vec();
        let len = key.bits.div_ceil(8) as u64;

        let theirs = Theirs::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), &point));
        let template = [
            Attribute::Class(TheirClass::SECRET_KEY),
            Attribute::KeyType(cryptoki::object::KeyType::GENERIC_SECRET),
            Attribute::Token(false),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
            Attribute::ValueLen(len.into()),
        ];
        let secret = self.there.session.derive_key(&theirs, self.theirs, &template).ok()?;
        let there = self.there.session.get_attributes(secret, &[AttributeType::Value]).ok()?;
        let Some(Attribute::Value(there)) = there.into_iter().next() else { return None };
        let there = Zeroizing::new(there);

        let params = Params::Ecdh { kdf: Kdf::NULL, shared: Vec::new(), public: point };
        let template: Template = vec![
            (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
            (A::KEY_TYPE, Value::Number(KeyType::GENERIC_SECRET.0)),
            (A::TOKEN, Value::Flag(false)),
            (A::SENSITIVE, Value::Flag(false)),
            (A::EXTRACTABLE, Value::Flag(true)),
            (A::VALUE_LEN, Value::Number(len)),
        ];
        let mechanism = Mechanism { id: M::ECDH1_DERIVE, params };
        let secret = self.engine.derive_key(self.session, &mechanism, self.ours, template).ok()?;
        Some(self.bytes(secret, A::VALUE)? == *there)
    }

    /// The public half of the key here, as an object of the session.
    fn public_half(&self, use_: A) -> Option<ObjectHandle> {
        let key = key::describe(self.engine, self.session, self.ours).ok()?;
        let (_, mut template) = transfer::public_parts(&key.info).ok()?;
        template.push((use_, Value::Flag(true)));
        self.engine.create_object(self.session, template).ok()
    }

    fn bytes(&self, object: ObjectHandle, name: A) -> Option<Vec<u8>> {
        Some(self.engine.object(self.session, object).ok()?.attribute(name).ok()?.as_bytes()?.to_vec())
    }
}

/// What an operation writes.
fn written(operation: impl FnOnce(Output<'_>) -> Result<OutputResult, Error>) -> Option<Vec<u8>> {
    let mut buffer = vec![0; MOST];
    match operation(Output::Buffer(&mut buffer)).ok()? {
        OutputResult::Written(len) => buffer.truncate(len),
        OutputResult::Length(_) | OutputResult::TooSmall(_) => return None,
    }
    Some(buffer)
}
