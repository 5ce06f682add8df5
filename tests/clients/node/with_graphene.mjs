// The work of a program that uses graphene-pk11; what the token made is checked by node's own crypto.
import crypto from "node:crypto";
import graphene from "graphene-pk11";
import { check, finish, refused, same } from "./checks.mjs";

const { ObjectClass, KeyType, KeyGenMechanism, MechanismEnum, RsaMgf, EcKdf } = graphene;
const MESSAGE = Buffer.from("a message of some length, not a multiple of a block");
const PADDED = Buffer.concat([MESSAGE, Buffer.alloc(16 - (MESSAGE.length % 16), 16 - (MESSAGE.length % 16))]);
const HASHES = Object.fromEntries(["SHA1", "SHA224", "SHA256", "SHA384", "SHA512"].map((name) => [name, MechanismEnum[name]]));
const CURVES = { secp256r1: "P-256", secp384r1: "P-384", secp521r1: "P-521", secp256k1: "secp256k1" };
const READABLE = { sensitive: false, extractable: true };

const digest = (name, data) => crypto.createHash(name).update(data).digest();

function publicKeyOfRsa(key) {
  const { modulus, publicExponent } = key.getAttribute({ modulus: null, publicExponent: null });
  const jwk = { kty: "RSA", n: modulus.toString("base64url"), e: publicExponent.toString("base64url") };
  return crypto.createPublicKey({ key: jwk, format: "jwk" });
}

// The point is 04, X and Y in a DER OCTET STRING.
function pointOf(key) {
  const der = key.getAttribute({ pointEC: null }).pointEC;
  return der.subarray(der[1] === 0x81 ? 3 : 2);
}

function publicKeyOfCurve(curve, point) {
  const half = (point.length - 1) / 2;
  const [x, y] = [point.subarray(1, 1 + half), point.subarray(1 + half)];
  const jwk = { kty: "EC", crv: CURVES[curve], x: x.toString("base64url"), y: y.toString("base64url") };
  return crypto.createPublicKey({ key: jwk, format: "jwk" });
}

function encryptedInParts(session, mechanism, key, data) {
  const cipher = session.createCipher(mechanism, key);
  return Buffer.concat([cipher.update(data.subarray(0, 21)), cipher.update(data.subarray(21)), cipher.final()]);
}

function decryptedInParts(session, mechanism, key, data) {
  const cipher = session.createDecipher(mechanism, key);
  return Buffer.concat([cipher.update(data.subarray(0, 21)), cipher.update(data.subarray(21)), cipher.final()]);
}

function encrypted(session, mechanism, key, data) {
  return session.createCipher(mechanism, key).once(data, Buffer.alloc(data.length + 512));
}

function decrypted(session, mechanism, key, data) {
  return session.createDecipher(mechanism, key).once(data, Buffer.alloc(data.length + 512));
}

function tokenAndSessions(module) {
  check("the version of the library", module.cryptokiVersion.major >= 2);
  const slots = module.getSlots(true);
  const all = Array.from({ length: slots.length }, (_, at) => slots.items(at));
  const labelled = all.filter((slot) => slot.getToken().label.trim() === "test");
  check("one token has the label", labelled.length === 1);
  const [slot] = labelled;
  const mechanisms = slot.getMechanisms();
  const names = Array.from({ length: mechanisms.length }, (_, at) => mechanisms.items(at).name);
  const wanted = ["RSA_PKCS_PSS", "ECDSA_SHA256", "AES_GCM"];
  check("the token has the mechanisms", wanted.every((name) => names.includes(name)));
  const session = slot.open(graphene.SessionFlag.SERIAL_SESSION | graphene.SessionFlag.RW_SESSION);
  refused("a wrong PIN", () => session.login("4321"), "CKR_PIN_INCORRECT");
  session.login("1234");
  refused("a second log-in", () => session.login("1234"), "CKR_USER_ALREADY_LOGGED_IN");
  session.setPin("1234", "12345");
  session.logout();
  session.login("12345");
  session.setPin("12345", "1234");
  return { slot, session };
}

function digests(session) {
  check("random bytes have the length", session.generateRandom(100).length === 100);
  for (const [name, mechanism] of Object.entries(HASHES)) {
    same(`a digest by ${name}`, session.createDigest({ name: MechanismEnum[mechanism] }).once(MESSAGE), digest(name, MESSAGE));
    const parts = session.createDigest({ name: MechanismEnum[mechanism] });
    parts.update(MESSAGE.subarray(0, 7));
    parts.update(MESSAGE.subarray(7));
    same(`a digest of parts by ${name}`, parts.final(), digest(name, MESSAGE));
  }
}

function rsaPair(session, bits) {
  const common = { token: true, keyType: KeyType.RSA, label: `rsa-${bits}`, id: Buffer.from([bits / 256]) };
  const size = { modulusBits: bits, publicExponent: Buffer.from([1, 0, 1]) };
  return session.generateKeyPair(
    KeyGenMechanism.RSA,
    { ...common, ...size, class: ObjectClass.PUBLIC_KEY, verify: true, encrypt: true, wrap: true },
    { ...common, class: ObjectClass.PRIVATE_KEY, private: true, sign: true, decrypt: true, unwrap: true },
  );
}

function rsaKeys(session) {
  for (const bits of [2048, 3072]) {
    const { publicKey, privateKey } = rsaPair(session, bits);
    const known = publicKeyOfRsa(publicKey);
    check(`the modulus has ${bits} bits`, known.asymmetricKeyDetails.modulusLength === bits);
    refused("the exponent is not given", () => privateKey.getAttribute({ privateExponent: null }), "CKR_ATTRIBUTE_SENSITIVE");
    for (const [name, mechanism] of Object.entries(HASHES)) {
      const signature = session.createSign(`${name}_RSA_PKCS`, privateKey).once(MESSAGE);
      check(`RSA-${bits} signs by ${name}`, crypto.verify(name, MESSAGE, known, signature));
      check(`RSA-${bits} verifies by ${name}`, session.createVerify(`${name}_RSA_PKCS`, publicKey).once(MESSAGE, signature));
      const turned = Buffer.from(signature).reverse();
      check(`RSA-${bits} refuses by ${name}`, !session.createVerify(`${name}_RSA_PKCS`, publicKey).once(MESSAGE, turned));

      const size = digest(name, "").length;
      const pss = { name: `${name}_RSA_PKCS_PSS`, params: new graphene.RsaPssParams(mechanism, RsaMgf[`MGF1_${name}`], size) };
      const options = { key: known, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: size };
      const salted = session.createSign(pss, privateKey);
      salted.update(MESSAGE.subarray(0, 9));
      salted.update(MESSAGE.subarray(9));
      const ours = salted.final();
      check(`RSA-${bits}-PSS signs by ${name}`, crypto.verify(name, MESSAGE, options, ours));
      check(`RSA-${bits}-PSS verifies by ${name}`, session.createVerify(pss, publicKey).once(MESSAGE, ours));

      for (const label of [null, Buffer.from("a label")]) {
        const oaep = { name: "RSA_PKCS_OAEP", params: new graphene.RsaOaepParams(mechanism, RsaMgf[`MGF1_${name}`], label) };
        const cipher = crypto.publicEncrypt({ key: known, oaepHash: name, oaepLabel: label ?? undefined }, Buffer.from("short"));
        same(`RSA-${bits}-OAEP decrypts by ${name}`, decrypted(session, oaep, privateKey, cipher), Buffer.from("short"));
        const back = decrypted(session, oaep, privateKey, encrypted(session, oaep, publicKey, Buffer.from("short")));
        same(`RSA-${bits}-OAEP there and back by ${name}`, back, Buffer.from("short"));
      }
    }
  }
}

function curves(session) {
  for (const curve of Object.keys(CURVES)) {
    const paramsEC = graphene.NamedCurve.getByName(curve).value;
    const common = { token: true, keyType: KeyType.EC, label: curve, id: Buffer.from(curve) };
    const { publicKey, privateKey } = session.generateKeyPair(
      KeyGenMechanism.EC,
      { ...common, class: ObjectClass.PUBLIC_KEY, paramsEC, verify: true },
      { ...common, class: ObjectClass.PRIVATE_KEY, private: true, sign: true, derive: true },
    );
    const point = pointOf(publicKey);
    const known = publicKeyOfCurve(curve, point);
    for (const name of Object.keys(HASHES)) {
      const signature = session.createSign(`ECDSA_${name}`, privateKey).once(MESSAGE);
      check(`${curve} signs by ${name}`, crypto.verify(name, MESSAGE, { key: known, dsaEncoding: "ieee-p1363" }, signature));
      check(`${curve} verifies by ${name}`, session.createVerify(`ECDSA_${name}`, publicKey).once(MESSAGE, signature));
      const turned = Buffer.from(signature).reverse();
      check(`${curve} refuses by ${name}`, !session.createVerify(`ECDSA_${name}`, publicKey).once(MESSAGE, turned));
    }
    const signature = session.createSign("ECDSA", privateKey).once(digest("SHA256", MESSAGE));
    check(`${curve} signs a digest`, crypto.verify("SHA256", MESSAGE, { key: known, dsaEncoding: "ieee-p1363" }, signature));

    const other = crypto.createECDH(curve === "secp256r1" ? "prime256v1" : curve);
    other.generateKeys();
    const secret = other.computeSecret(point);
    const template = { class: ObjectClass.SECRET_KEY, keyType: KeyType.GENERIC_SECRET, valueLen: secret.length, ...READABLE };
    const agree = (kdf, shared) => ({ name: "ECDH1_DERIVE", params: new graphene.EcdhParams(kdf, shared, other.getPublicKey()) });
    const derived = session.deriveKey(agree(EcKdf.NULL, null), privateKey, template);
    same(`${curve} agrees on a secret`, derived.getAttribute({ value: null }).value, secret);
    // ANSI X9.63: the digest of the secret, a counter and the shared information.
    const shared = Buffer.from("shared");
    const long = session.deriveKey(agree(EcKdf.SHA256, shared), privateKey, { ...template, valueLen: 32 });
    const expected = digest("SHA256", Buffer.concat([secret, Buffer.from([0, 0, 0, 1]), shared]));
    same(`${curve} agrees on a secret through a KDF`, long.getAttribute({ value: null }).value, expected);
  }
}

function aesKey(session, length, more = {}) {
  const uses = { encrypt: true, decrypt: true, sign: true, verify: true, wrap: true, unwrap: true };
  const template = { class: ObjectClass.SECRET_KEY, keyType: KeyType.AES, valueLen: length, ...uses, ...more };
  return session.generateKey(KeyGenMechanism.AES, template);
}

function ciphers(session) {
  for (const length of [16, 24, 32]) {
    const key = aesKey(session, length, READABLE);
    const known = key.getAttribute({ value: null }).value;
    check("the key has its length", known.length === length);
    const bits = length * 8;
    const iv = session.generateRandom(16);
    const ways = [
      [{ name: "AES_CBC", params: iv }, `aes-${bits}-cbc`, iv, PADDED, false],
      [{ name: "AES_CBC_PAD", params: iv }, `aes-${bits}-cbc`, iv, MESSAGE, true],
      [{ name: "AES_ECB" }, `aes-${bits}-ecb`, null, PADDED, false],
    ];
    for (const [mechanism, name, start, plain, padding] of ways) {
      const theirs = crypto.createCipheriv(name, known, start).setAutoPadding(padding);
      const cipher = Buffer.concat([theirs.update(plain), theirs.final()]);
      same(`${mechanism.name} encrypts`, encrypted(session, mechanism, key, plain), cipher);
      same(`${mechanism.name} decrypts`, decrypted(session, mechanism, key, cipher), plain);
      same(`${mechanism.name} encrypts in parts`, encryptedInParts(session, mechanism, key, plain), cipher);
      same(`${mechanism.name} decrypts in parts`, decryptedInParts(session, mechanism, key, cipher), plain);
    }
    const nonce = iv.subarray(0, 12);
    const header = Buffer.from("header");
    for (const Params of [graphene.AesGcmParams, graphene.AesGcm240Params]) {
      const gcm = { name: "AES_GCM", params: new Params(nonce, header, 128) };
      const theirs = crypto.createCipheriv(`aes-${bits}-gcm`, known, nonce).setAAD(header);
      const sealed = Buffer.concat([theirs.update(MESSAGE), theirs.final(), theirs.getAuthTag()]);
      same(`${Params.name} encrypts`, encrypted(session, gcm, key, MESSAGE), sealed);
      same(`${Params.name} decrypts`, decrypted(session, gcm, key, sealed), MESSAGE);
      const broken = Buffer.from(sealed);
      broken[0] ^= 1;
      refused(`${Params.name} of a broken text`, () => decrypted(session, gcm, key, broken), "CKR_");
    }
  }
}

function macs(session) {
  const value = crypto.randomBytes(40);
  const template = { class: ObjectClass.SECRET_KEY, keyType: KeyType.GENERIC_SECRET, value, sign: true, verify: true };
  const key = session.create(template).toType();
  for (const name of Object.keys(HASHES)) {
    const mechanism = name === "SHA1" ? "SHA_1_HMAC" : `${name}_HMAC`;
    const expected = crypto.createHmac(name, value).update(MESSAGE).digest();
    same(`HMAC by ${name}`, session.createSign(mechanism, key).once(MESSAGE), expected);
    check(`HMAC by ${name} verifies`, session.createVerify(mechanism, key).once(MESSAGE, expected));
    check(`HMAC by ${name} refuses`, !session.createVerify(mechanism, key).once(MESSAGE, Buffer.from(expected).reverse()));
  }
}

function wrapping(session) {
  const wrapper = aesKey(session, 32, READABLE);
  const known = wrapper.getAttribute({ value: null }).value;
  const secret = aesKey(session, 16, READABLE);
  const value = secret.getAttribute({ value: null }).value;
  const template = { class: ObjectClass.SECRET_KEY, keyType: KeyType.AES, encrypt: true, ...READABLE };
  const theirs = crypto.createCipheriv("id-aes256-wrap", known, Buffer.alloc(8, 0xa6));
  const wrapped = Buffer.concat([theirs.update(value), theirs.final()]);
  same("AES key wrap", session.wrapKey("AES_KEY_WRAP", wrapper, secret), wrapped);
  const back = session.unwrapKey("AES_KEY_WRAP", wrapper, wrapped, template);
  same("AES key wrap backwards", back.getAttribute({ value: null }).value, value);
  const broken = Buffer.from(wrapped).reverse();
  refused("a broken key wrap", () => session.unwrapKey("AES_KEY_WRAP", wrapper, broken, template), "CKR_WRAPPED_KEY_INVALID");

  const { publicKey, privateKey } = rsaPair(session, 2048);
  const oaep = { name: "RSA_PKCS_OAEP", params: new graphene.RsaOaepParams(MechanismEnum.SHA256, RsaMgf.MGF1_SHA256) };
  const sent = crypto.publicEncrypt({ key: publicKeyOfRsa(publicKey), oaepHash: "SHA256" }, value);
  same("RSA-OAEP unwraps", session.unwrapKey(oaep, privateKey, sent, template).getAttribute({ value: null }).value, value);
  const kept = aesKey(session, 16);
  refused("a key that is not extractable", () => session.wrapKey("AES_KEY_WRAP", wrapper, kept), "CKR_KEY_UNEXTRACTABLE");
}

function objects(session) {
  for (let number = 0; number < 25; number += 1) {
    aesKey(session, 16, { token: true, label: `key ${number % 5}`, id: Buffer.from([number]) });
  }
  const found = session.find({ label: "key 3" });
  const ids = Array.from({ length: found.length }, (_, at) => found.items(at).getAttribute({ id: null }).id[0]);
  check("a search by label", ids.sort((a, b) => a - b).join() === "3,8,13,18,23");
  const key = session.find({ label: "key 3", id: Buffer.from([8]) }).items(0);
  key.setAttribute({ label: "a new label — ünïcödé" });
  check("a label that was set", key.getAttribute({ label: null }).label === "a new label — ünïcödé");
  const given = key.getAttribute({ class: null, keyType: null, valueLen: null, local: null, sensitive: null });
  check("its attributes", given.class === ObjectClass.SECRET_KEY && given.keyType === KeyType.AES && given.valueLen === 16);
  check("where it is from", given.local && given.sensitive);
  refused("the value of a sensitive key", () => key.getAttribute({ value: null }), "CKR_ATTRIBUTE_SENSITIVE");
  refused("an attribute of another class", () => key.getAttribute({ modulus: null }), "CKR_ATTRIBUTE_TYPE_INVALID");
  const copy = session.copy(key, { token: false, label: "a copy" });
  check("a copy has the other attributes", copy.getAttribute({ id: null }).id[0] === 8);
  const search = { class: ObjectClass.SECRET_KEY, token: true };
  check("as many are gone as were there", session.destroy(search) === 25);
  check("none is left", session.find(search).length === 0);
  const data = session.create({ class: ObjectClass.DATA, label: "data", value: MESSAGE, token: true });
  same("data is given back", data.getAttribute({ value: null }).value, MESSAGE);
}

// The calls with a callback are made in threads of node's pool.
async function threads(slot, session) {
  const publicKey = session.find({ class: ObjectClass.PUBLIC_KEY, label: "secp256r1" }).items(0).toType();
  const known = publicKeyOfCurve("secp256r1", pointOf(publicKey));
  const work = Array.from({ length: 40 }, async (_, number) => {
    const own = slot.open();
    const privateKey = own.find({ class: ObjectClass.PRIVATE_KEY, label: "secp256r1" }).items(0).toType();
    const message = Buffer.from(`message ${number}`);
    const signature = await new Promise((done, fail) => {
      own.createSign("ECDSA_SHA256", privateKey).once(message, (why, made) => (why ? fail(why) : done(made)));
    });
    own.close();
    return [message, signature];
  });
  for (const [message, signature] of await Promise.all(work)) {
    check("a thread signs", crypto.verify("SHA256", message, { key: known, dsaEncoding: "ieee-p1363" }, signature));
  }
}

const module = graphene.Module.load(process.env.PKCS11_MODULE, "strongroom");
module.initialize();
const { slot, session } = tokenAndSessions(module);
digests(session);
rsaKeys(session);
curves(session);
ciphers(session);
macs(session);
wrapping(session);
objects(session);
await threads(slot, session);
session.logout();
session.close();
module.finalize();
finish();
