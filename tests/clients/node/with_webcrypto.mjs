// The work of a program that uses node-webcrypto-p11; node's own WebCrypto does the other half.
import { webcrypto as node } from "node:crypto";
import { Crypto } from "node-webcrypto-p11";
import { check, finish, rejected, same } from "./checks.mjs";

const MESSAGE = Buffer.from("a message of some length, not a multiple of a block");
const HASHES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];
const CURVES = ["P-256", "P-384", "P-521"];

const token = new Crypto({ library: process.env.PKCS11_MODULE, name: "strongroom", slot: 0, readWrite: true, pin: "1234" });
const { subtle } = token;

// The same key in node, through its public form.
async function known(publicKey, algorithm, uses) {
  return node.subtle.importKey("spki", await subtle.exportKey("spki", publicKey), algorithm, true, uses);
}

function turned(data) {
  return Buffer.from(data).reverse();
}

async function digests() {
  check("random bytes are not all nought", token.getRandomValues(new Uint8Array(32)).some((byte) => byte !== 0));
  for (const name of HASHES) {
    same(`a digest by ${name}`, await subtle.digest(name, MESSAGE), await node.subtle.digest(name, MESSAGE));
  }
}

async function rsaSignatures() {
  for (const hash of HASHES) {
    for (const [name, saltLength] of [["RSASSA-PKCS1-v1_5"], ["RSA-PSS", 32]]) {
      const algorithm = { name, hash, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
      const { publicKey, privateKey } = await subtle.generateKey(algorithm, false, ["sign", "verify"]);
      const how = { name, saltLength };
      const signature = await subtle.sign(how, privateKey, MESSAGE);
      const theirs = await known(publicKey, { name, hash }, ["verify"]);
      check(`${name} with ${hash} signs`, await node.subtle.verify(how, theirs, signature, MESSAGE));
      check(`${name} with ${hash} verifies`, await subtle.verify(how, publicKey, signature, MESSAGE));
      check(`${name} with ${hash} refuses`, !(await subtle.verify(how, publicKey, turned(signature), MESSAGE)));
      await rejected(`${name}: the private key is not given`, () => subtle.exportKey("pkcs8", privateKey));

      const own = await node.subtle.generateKey(algorithm, true, ["sign", "verify"]);
      const pkcs8 = await node.subtle.exportKey("pkcs8", own.privateKey);
      const imported = await subtle.importKey("pkcs8", pkcs8, { name, hash }, false, ["sign"]);
      const made = await subtle.sign(how, imported, MESSAGE);
      check(`${name} with ${hash}: an imported key signs`, await node.subtle.verify(how, own.publicKey, made, MESSAGE));
      const { kty, n, e } = await node.subtle.exportKey("jwk", own.publicKey);
      const verifier = await subtle.importKey("jwk", { kty, n, e, ext: true }, { name, hash }, true, ["verify"]);
      const foreign = await node.subtle.sign(how, own.privateKey, MESSAGE);
      check(`${name} with ${hash}: an imported public key verifies`, await subtle.verify(how, verifier, foreign, MESSAGE));
    }
  }
}

async function rsaEncryption() {
  for (const hash of HASHES) {
    const algorithm = { name: "RSA-OAEP", hash, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
    const { publicKey, privateKey } = await subtle.generateKey(algorithm, false, ["encrypt", "decrypt"]);
    const theirs = await known(publicKey, { name: "RSA-OAEP", hash }, ["encrypt"]);
    const short = Buffer.from("short");
    for (const label of [undefined, Buffer.from("a label")]) {
      const how = label ? { name: "RSA-OAEP", label } : { name: "RSA-OAEP" };
      const sent = await node.subtle.encrypt(how, theirs, short);
      same(`RSA-OAEP with ${hash} decrypts`, await subtle.decrypt(how, privateKey, sent), short);
      const back = await subtle.decrypt(how, privateKey, await subtle.encrypt(how, publicKey, short));
      same(`RSA-OAEP with ${hash} there and back`, back, short);
    }
  }
}

async function curves() {
  for (const namedCurve of CURVES) {
    const algorithm = { name: "ECDSA", namedCurve };
    const { publicKey, privateKey } = await subtle.generateKey(algorithm, false, ["sign", "verify"]);
    const theirs = await known(publicKey, algorithm, ["verify"]);
    const own = await node.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const pkcs8 = await node.subtle.exportKey("pkcs8", own.privateKey);
    const imported = await subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
    const spki = await node.subtle.exportKey("spki", own.publicKey);
    const verifier = await subtle.importKey("spki", spki, algorithm, true, ["verify"]);
    for (const hash of HASHES) {
      const how = { name: "ECDSA", hash };
      const signature = await subtle.sign(how, privateKey, MESSAGE);
      check(`${namedCurve} with ${hash} signs`, await node.subtle.verify(how, theirs, signature, MESSAGE));
      check(`${namedCurve} with ${hash} verifies`, await subtle.verify(how, publicKey, signature, MESSAGE));
      check(`${namedCurve} with ${hash} refuses`, !(await subtle.verify(how, publicKey, turned(signature), MESSAGE)));
      const made = await subtle.sign(how, imported, MESSAGE);
      check(`${namedCurve} with ${hash}: an imported key signs`, await node.subtle.verify(how, own.publicKey, made, MESSAGE));
      const foreign = await node.subtle.sign(how, own.privateKey, MESSAGE);
      check(`${namedCurve} with ${hash}: an imported public key verifies`, await subtle.verify(how, verifier, foreign, MESSAGE));
    }

    const ecdh = { name: "ECDH", namedCurve };
    const ours = await subtle.generateKey(ecdh, false, ["deriveKey", "deriveBits"]);
    const other = await node.subtle.generateKey(ecdh, true, ["deriveKey", "deriveBits"]);
    const peer = await subtle.importKey("spki", await node.subtle.exportKey("spki", other.publicKey), ecdh, true, []);
    const us = await known(ours.publicKey, ecdh, []);
    const secret = await node.subtle.deriveBits({ name: "ECDH", public: us }, other.privateKey, 256);
    same(`${namedCurve} agrees on bits`, await subtle.deriveBits({ name: "ECDH", public: peer }, ours.privateKey, 256), secret);
  }
}

async function ciphers() {
  for (const length of [128, 192, 256]) {
    for (const name of ["AES-CBC", "AES-GCM"]) {
      const key = await subtle.generateKey({ name, length }, true, ["encrypt", "decrypt"]);
      const value = await subtle.exportKey("raw", key);
      check(`${name}-${length} has its length`, value.byteLength * 8 === length);
      const theirs = await node.subtle.importKey("raw", value, name, false, ["encrypt", "decrypt"]);
      const iv = token.getRandomValues(new Uint8Array(name === "AES-GCM" ? 12 : 16));
      const how = name === "AES-GCM" ? { name, iv, additionalData: Buffer.from("header"), tagLength: 128 } : { name, iv };
      const cipher = await node.subtle.encrypt(how, theirs, MESSAGE);
      same(`${name}-${length} encrypts`, await subtle.encrypt(how, key, MESSAGE), cipher);
      same(`${name}-${length} decrypts`, await subtle.decrypt(how, key, cipher), MESSAGE);
      await rejected(`${name}-${length} of a cut text`, () => subtle.decrypt(how, key, cipher.slice(0, -1)));
      const kept = await subtle.generateKey({ name, length }, false, ["encrypt", "decrypt"]);
      await rejected(`${name}-${length}: a key that is not extractable`, () => subtle.exportKey("raw", kept));
    }
  }
}

async function macs() {
  for (const hash of HASHES) {
    const key = await subtle.generateKey({ name: "HMAC", hash, length: 256 }, true, ["sign", "verify"]);
    const value = await subtle.exportKey("raw", key);
    const theirs = await node.subtle.importKey("raw", value, { name: "HMAC", hash }, false, ["sign"]);
    const mac = await node.subtle.sign("HMAC", theirs, MESSAGE);
    same(`HMAC with ${hash} signs`, await subtle.sign("HMAC", key, MESSAGE), mac);
    check(`HMAC with ${hash} verifies`, await subtle.verify("HMAC", key, mac, MESSAGE));
    check(`HMAC with ${hash} refuses`, !(await subtle.verify("HMAC", key, turned(mac), MESSAGE)));
  }
}

async function wrapping() {
  const oaep = { name: "RSA-OAEP", hash: "SHA-256" };
  const pair = { ...oaep, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  const ours = await subtle.generateKey(pair, false, ["wrapKey", "unwrapKey", "encrypt", "decrypt"]);
  const theirs = await known(ours.publicKey, oaep, ["wrapKey"]);
  const key = await node.subtle.generateKey({ name: "AES-CBC", length: 256 }, true, ["encrypt", "decrypt"]);
  const wrapped = await node.subtle.wrapKey("raw", key, theirs, oaep);
  const unwrapped = await subtle.unwrapKey("raw", wrapped, ours.privateKey, oaep, "AES-CBC", false, ["encrypt", "decrypt"]);
  const how = { name: "AES-CBC", iv: new Uint8Array(16) };
  const cipher = await node.subtle.encrypt(how, key, MESSAGE);
  same("a key that came wrapped encrypts", await subtle.encrypt(how, unwrapped, MESSAGE), cipher);
}

// Keys that stay, and certificates.
async function storage() {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", token: true, label: "kept" };
  const { publicKey, privateKey } = await subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const [privateName, publicName] = [await token.keyStorage.setItem(privateKey), await token.keyStorage.setItem(publicKey)];
  const names = await token.keyStorage.keys();
  check("both keys are stored", names.includes(privateName) && names.includes(publicName));
  const found = await token.keyStorage.getItem(privateName, algorithm, true, ["sign"]);
  const how = { name: "ECDSA", hash: "SHA-256" };
  const signature = await subtle.sign(how, found, MESSAGE);
  const theirs = await known(publicKey, algorithm, ["verify"]);
  check("a stored key signs", await node.subtle.verify(how, theirs, signature, MESSAGE));
  await token.keyStorage.removeItem(privateName);
  check("a removed key is gone", !(await token.keyStorage.keys()).includes(privateName));
  await token.keyStorage.clear();
  check("no key is left", (await token.keyStorage.keys()).length === 0);
}

await digests();
await rsaSignatures();
await rsaEncryption();
await curves();
await ciphers();
await macs();
await wrapping();
await storage();
token.close();
finish();
