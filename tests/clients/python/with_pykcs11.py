"""The work of a program that uses PyKCS11; what the token made is checked by cryptography."""

import os
import threading

import PyKCS11
from cryptography.hazmat.primitives import cmac, hashes, hmac, keywrap, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PyKCS11 import *

from checks import accepted, check, finish, refused

MESSAGE = b"a message of some length, not a multiple of a block"
HASHES = {
    "SHA1": (CKM_SHA_1, CKG_MGF1_SHA1, hashes.SHA1()),
    "SHA224": (CKM_SHA224, CKG_MGF1_SHA224, hashes.SHA224()),
    "SHA256": (CKM_SHA256, CKG_MGF1_SHA256, hashes.SHA256()),
    "SHA384": (CKM_SHA384, CKG_MGF1_SHA384, hashes.SHA384()),
    "SHA512": (CKM_SHA512, CKG_MGF1_SHA512, hashes.SHA512()),
}
PARAMS = {
    "secp256r1": bytes.fromhex("06082a8648ce3d030107"),
    "secp384r1": bytes.fromhex("06052b81040022"),
    "secp521r1": bytes.fromhex("06052b81040023"),
    "secp256k1": bytes.fromhex("06052b8104000a"),
}
CURVES = {curve.name: curve for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1())}
READABLE = [(CKA_SENSITIVE, CK_FALSE), (CKA_EXTRACTABLE, CK_TRUE)]


def mechanism(name):
    return getattr(PyKCS11, f"CKM_{name}")


def digest(algorithm, data):
    state = hashes.Hash(algorithm)
    state.update(data)
    return state.finalize()


def octets(der):
    """What a DER OCTET STRING of less than 256 bytes holds."""
    return der[3:] if der[1] == 0x81 else der[2:]


def der_of(signature):
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


def value(session, key, attribute=CKA_VALUE):
    given = session.getAttributeValue(key, [attribute], allAsBinary=True)[0]
    return None if given is None else bytes(given)


def must_be(what, code, act):
    """The call fails with this return value."""
    try:
        act()
    except PyKCS11Error as why:
        check(f"{what}: {why}", why.value == code)
    else:
        check(what, False)


def token_and_sessions(library):
    info = library.getInfo()
    check(f"the version is one of PKCS #11: {info.cryptokiVersion}", tuple(info.cryptokiVersion) in [(2, 40), (3, 0), (3, 2)])
    (slot,) = [slot for slot in library.getSlotList(tokenPresent=True) if library.getTokenInfo(slot).label.strip() == "test"]
    token = library.getTokenInfo(slot)
    check("the token is ready", {"CKF_TOKEN_INITIALIZED", "CKF_USER_PIN_INITIALIZED"} <= set(token.flags2text()))
    # PyKCS11 1.5.20 adds CKM_ML_DSA to every token's list.
    names = [name for name in library.getMechanismList(slot) if name != "CKM_ML_DSA"]
    check("the token signs by ECDSA", "CKM_ECDSA" in names and "CKM_RSA_PKCS_PSS" in names)
    for name in names:
        library.getMechanismInfo(slot, name)
    check("a mechanism of RSA tells its sizes", library.getMechanismInfo(slot, "CKM_RSA_PKCS").ulMaxKeySize >= 4096)
    session = library.openSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)
    check("nobody is logged in", session.getSessionInfo().state == CKS_RW_PUBLIC_SESSION)
    must_be("a wrong PIN", CKR_PIN_INCORRECT, lambda: session.login("4321"))
    session.login("1234")
    check("the user is logged in", session.getSessionInfo().state == CKS_RW_USER_FUNCTIONS)
    must_be("a second log-in", CKR_USER_ALREADY_LOGGED_IN, lambda: session.login("1234"))
    session.setPin("1234", "12345")
    session.logout()
    must_be("the PIN that was", CKR_PIN_INCORRECT, lambda: session.login("1234"))
    session.login("12345")
    session.setPin("12345", "1234")
    session.logout()
    session.login("12345678", CKU_SO)
    check("the officer is logged in", session.getSessionInfo().state == CKS_RW_SO_FUNCTIONS)
    session.initPin("1234")
    session.logout()
    session.login("1234")
    return slot, session


def digests(session):
    check("random bytes have the length", len(session.generateRandom(100)) == 100)
    must_be("a seed", CKR_RANDOM_SEED_NOT_SUPPORTED, lambda: session.seedRandom(b"seed"))
    for name, (kind, _, algorithm) in HASHES.items():
        check(f"a digest by {name}", bytes(session.digest(MESSAGE, Mechanism(kind))) == digest(algorithm, MESSAGE))
        parts = session.digestSession(Mechanism(kind))
        parts.update(MESSAGE[:9])
        parts.update(MESSAGE[9:])
        check(f"a digest of parts by {name}", bytes(parts.final()) == digest(algorithm, MESSAGE))


def rsa_pair(session, bits):
    public = [(CKA_TOKEN, CK_TRUE), (CKA_MODULUS_BITS, bits), (CKA_PUBLIC_EXPONENT, (1, 0, 1)), (CKA_LABEL, f"rsa-{bits}")]
    public += [(use, CK_TRUE) for use in (CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP)]
    private = [(CKA_TOKEN, CK_TRUE), (CKA_LABEL, f"rsa-{bits}"), (CKA_ID, (1, bits // 256))]
    private += [(use, CK_TRUE) for use in (CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP)]
    public, private = session.generateKeyPair(public, private)
    numbers = [int.from_bytes(value(session, public, part), "big") for part in (CKA_PUBLIC_EXPONENT, CKA_MODULUS)]
    return public, private, rsa.RSAPublicNumbers(*numbers).public_key()


def rsa_keys(session):
    for bits in (2048, 3072):
        public, private, known = rsa_pair(session, bits)
        check(f"the modulus has {bits} bits", known.key_size == bits)
        check("the exponent is not given", value(session, private, CKA_PRIVATE_EXPONENT) is None)
        check("the modulus is the same", value(session, private, CKA_MODULUS) == value(session, public, CKA_MODULUS))
        for name, (kind, mgf, algorithm) in HASHES.items():
            by_hash = Mechanism(mechanism(f"{name}_RSA_PKCS"))
            signature = bytes(session.sign(private, MESSAGE, by_hash))
            verify = lambda: known.verify(signature, MESSAGE, rsa_padding.PKCS1v15(), algorithm)
            accepted(f"RSA-{bits} signs by {name}", verify)
            check(f"RSA-{bits} verifies by {name}", session.verify(public, MESSAGE, signature, by_hash))
            check(f"RSA-{bits} refuses by {name}", not session.verify(public, MESSAGE + b"!", signature, by_hash))
            size = algorithm.digest_size
            pss = rsa_padding.PSS(rsa_padding.MGF1(algorithm), size)
            by_pss = RSA_PSS_Mechanism(mechanism(f"{name}_RSA_PKCS_PSS"), kind, mgf, size)
            signature = bytes(session.sign(private, MESSAGE, by_pss))
            accepted(f"RSA-{bits}-PSS signs by {name}", lambda: known.verify(signature, MESSAGE, pss, algorithm))
            check(f"RSA-{bits}-PSS verifies by {name}", session.verify(public, MESSAGE, signature, by_pss))
            by_digest = RSA_PSS_Mechanism(CKM_RSA_PKCS_PSS, kind, mgf, size)
            hashed = digest(algorithm, MESSAGE)
            signature = bytes(session.sign(private, hashed, by_digest))
            accepted(f"RSA-{bits}-PSS signs a digest", lambda: known.verify(signature, hashed, pss, Prehashed(algorithm)))
            for label in (None, b"a label"):
                choice = RSAOAEPMechanism(kind, mgf, label)
                oaep = rsa_padding.OAEP(rsa_padding.MGF1(algorithm), algorithm, label)
                given = bytes(session.decrypt(private, known.encrypt(b"short", oaep), choice))
                check(f"RSA-{bits}-OAEP decrypts by {name}, {label}", given == b"short")
                given = bytes(session.decrypt(private, session.encrypt(public, b"short", choice), choice))
                check(f"RSA-{bits}-OAEP there and back by {name}, {label}", given == b"short")
        given = bytes(session.decrypt(private, known.encrypt(MESSAGE, rsa_padding.PKCS1v15()), MechanismRSAPKCS1))
        check(f"RSA-{bits} decrypts PKCS #1 v1.5", given == MESSAGE)


def curves(session):
    for name, curve in CURVES.items():
        public = [(CKA_EC_PARAMS, PARAMS[name]), (CKA_VERIFY, CK_TRUE), (CKA_TOKEN, CK_TRUE), (CKA_LABEL, name)]
        private = [(CKA_SIGN, CK_TRUE), (CKA_DERIVE, CK_TRUE), (CKA_TOKEN, CK_TRUE), (CKA_LABEL, name)]
        public, private = session.generateKeyPair(public, private, MechanismECGENERATEKEYPAIR)
        known = ec.EllipticCurvePublicKey.from_encoded_point(curve, octets(value(session, public, CKA_EC_POINT)))
        for hash_name, (_, _, algorithm) in HASHES.items():
            by_hash = Mechanism(mechanism(f"ECDSA_{hash_name}"))
            signature = bytes(session.sign(private, MESSAGE, by_hash))
            der = der_of(signature)
            accepted(f"{name} signs by {hash_name}", lambda: known.verify(der, MESSAGE, ec.ECDSA(algorithm)))
            check(f"{name} verifies by {hash_name}", session.verify(public, MESSAGE, signature, by_hash))
            check(f"{name} refuses by {hash_name}", not session.verify(public, MESSAGE + b"!", signature, by_hash))
        hashed = digest(hashes.SHA256(), MESSAGE)
        der = der_of(bytes(session.sign(private, hashed, Mechanism(CKM_ECDSA))))
        accepted(f"{name} signs a digest", lambda: known.verify(der, hashed, ec.ECDSA(Prehashed(hashes.SHA256()))))

        other = ec.generate_private_key(curve)
        form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        theirs = other.public_key().public_bytes(*form)
        secret = other.exchange(ec.ECDH(), known)
        template = [(CKA_CLASS, CKO_SECRET_KEY), (CKA_KEY_TYPE, CKK_GENERIC_SECRET), (CKA_VALUE_LEN, len(secret))] + READABLE
        derived = session.deriveKey(private, template, ECDH1_DERIVE_Mechanism(theirs))
        check(f"{name} agrees on a secret", value(session, derived) == secret)
        # ANSI X9.63: the digest of the secret, a counter and the shared information.
        template[2] = (CKA_VALUE_LEN, 32)
        derived = session.deriveKey(private, template, ECDH1_DERIVE_Mechanism(theirs, CKD_SHA256_KDF, b"shared"))
        expected = digest(hashes.SHA256(), secret + b"\0\0\0\1" + b"shared")
        check(f"{name} agrees on a secret through a KDF", value(session, derived) == expected)


def newer_curves(session):
    template = [(CKA_EC_PARAMS, bytes.fromhex("06032b6570")), (CKA_VERIFY, CK_TRUE)]
    public, private = session.generateKeyPair(template, [(CKA_SIGN, CK_TRUE)], Mechanism(CKM_EC_EDWARDS_KEY_PAIR_GEN))
    known = ed25519.Ed25519PublicKey.from_public_bytes(octets(value(session, public, CKA_EC_POINT)))
    signature = bytes(session.sign(private, MESSAGE, Mechanism(CKM_EDDSA)))
    accepted("Ed25519 signs", lambda: known.verify(signature, MESSAGE))
    check("Ed25519 verifies", session.verify(public, MESSAGE, signature, Mechanism(CKM_EDDSA)))

    template = [(CKA_EC_PARAMS, bytes.fromhex("06032b656e"))]
    public, private = session.generateKeyPair(template, [(CKA_DERIVE, CK_TRUE)], Mechanism(CKM_EC_MONTGOMERY_KEY_PAIR_GEN))
    known = x25519.X25519PublicKey.from_public_bytes(octets(value(session, public, CKA_EC_POINT)))
    other = x25519.X25519PrivateKey.generate()
    theirs = other.public_key().public_bytes_raw()
    template = [(CKA_CLASS, CKO_SECRET_KEY), (CKA_KEY_TYPE, CKK_GENERIC_SECRET), (CKA_VALUE_LEN, 32)] + READABLE
    derived = session.deriveKey(private, template, ECDH1_DERIVE_Mechanism(theirs))
    check("X25519 agrees on a secret", value(session, derived) == other.exchange(known))


def aes_key(session, length, *more):
    template = [(CKA_CLASS, CKO_SECRET_KEY), (CKA_KEY_TYPE, CKK_AES), (CKA_VALUE_LEN, length), *more]
    uses = (CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP)
    return session.generateKey(template + [(use, CK_TRUE) for use in uses])


def ciphers(session):
    for length in (16, 24, 32):
        key = aes_key(session, length, *READABLE)
        known = value(session, key)
        check("the key has its length", len(known) == length)
        iv = bytes(session.generateRandom(16))
        padder = padding.PKCS7(128).padder()
        padded = padder.update(MESSAGE) + padder.finalize()
        ways = {
            "CBC": (Mechanism(CKM_AES_CBC, iv), padded, modes.CBC(iv)),
            "CBC_PAD": (Mechanism(CKM_AES_CBC_PAD, iv), MESSAGE, modes.CBC(iv)),
            "ECB": (Mechanism(CKM_AES_ECB), padded, modes.ECB()),
            "CTR": (AES_CTR_Mechanism(32, iv[:12] + b"\0\0\0\1"), MESSAGE, modes.CTR(iv[:12] + b"\0\0\0\1")),
        }
        for name, (choice, plain, mode) in ways.items():
            encryptor = Cipher(algorithms.AES(known), mode).encryptor()
            cipher = encryptor.update(padded if name == "CBC_PAD" else plain) + encryptor.finalize()
            check(f"AES-{name} encrypts", bytes(session.encrypt(key, plain, choice)) == cipher)
            check(f"AES-{name} decrypts", bytes(session.decrypt(key, cipher, choice)) == plain)
            session.encryptInit(choice, key)
            parts = bytes(session.encryptUpdate(plain[:21])) + bytes(session.encryptUpdate(plain[21:]))
            check(f"AES-{name} encrypts in parts", parts + bytes(session.encryptFinal()) == cipher)
            session.decryptInit(choice, key)
            parts = bytes(session.decryptUpdate(cipher[:21])) + bytes(session.decryptUpdate(cipher[21:]))
            check(f"AES-{name} decrypts in parts", parts + bytes(session.decryptFinal()) == plain)
        for tag in (16, 12):
            choice = AES_GCM_Mechanism(iv[:12], b"header", tag * 8)
            sealed = AESGCM(known).encrypt(iv[:12], MESSAGE, b"header")
            sealed = sealed[: len(MESSAGE) + tag]
            check(f"AES-GCM encrypts, {tag}", bytes(session.encrypt(key, MESSAGE, choice)) == sealed)
            check(f"AES-GCM decrypts, {tag}", bytes(session.decrypt(key, sealed, choice)) == MESSAGE)
            broken = bytes([sealed[0] ^ 1]) + sealed[1:]
            refused(f"AES-GCM of a broken text, {tag}", PyKCS11Error, lambda: session.decrypt(key, broken, choice))
        mac = cmac.CMAC(algorithms.AES(known))
        mac.update(MESSAGE)
        expected = mac.finalize()
        check("AES-CMAC signs", bytes(session.sign(key, MESSAGE, Mechanism(CKM_AES_CMAC))) == expected)
        check("AES-CMAC verifies", session.verify(key, MESSAGE, expected, Mechanism(CKM_AES_CMAC)))
        check("AES-CMAC refuses", not session.verify(key, MESSAGE, expected[::-1], Mechanism(CKM_AES_CMAC)))


def macs(session):
    known = os.urandom(48)
    template = [(CKA_CLASS, CKO_SECRET_KEY), (CKA_KEY_TYPE, CKK_GENERIC_SECRET), (CKA_VALUE, known)]
    key = session.createObject(template + [(CKA_SIGN, CK_TRUE), (CKA_VERIFY, CK_TRUE)])
    for name, (_, _, algorithm) in HASHES.items():
        choice = Mechanism(CKM_SHA_1_HMAC if name == "SHA1" else mechanism(f"{name}_HMAC"))
        mac = hmac.HMAC(known, algorithm)
        mac.update(MESSAGE)
        expected = mac.finalize()
        check(f"HMAC by {name}", bytes(session.sign(key, MESSAGE, choice)) == expected)
        check(f"HMAC by {name} verifies", session.verify(key, MESSAGE, expected, choice))
        check(f"HMAC by {name} refuses", not session.verify(key, MESSAGE, expected[::-1], choice))


def wrapping(session):
    wrapper = aes_key(session, 32, *READABLE)
    known = value(session, wrapper)
    secret = aes_key(session, 16, *READABLE)
    plain = value(session, secret)
    ways = {CKM_AES_KEY_WRAP: keywrap.aes_key_wrap, CKM_AES_KEY_WRAP_KWP: keywrap.aes_key_wrap_with_padding}
    template = [(CKA_CLASS, CKO_SECRET_KEY), (CKA_KEY_TYPE, CKK_AES), (CKA_ENCRYPT, CK_TRUE)] + READABLE
    for kind, wrap in ways.items():
        wrapped = wrap(known, plain)
        check(f"{CKM[kind]} wraps", bytes(session.wrapKey(wrapper, secret, Mechanism(kind))) == wrapped)
        back = session.unwrapKey(wrapper, wrapped, template, Mechanism(kind))
        check(f"{CKM[kind]} unwraps", value(session, back) == plain)
        broken = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
        unwrap = lambda: session.unwrapKey(wrapper, broken, template, Mechanism(kind))
        refused(f"{CKM[kind]} of a broken key", PyKCS11Error, unwrap)
    public, private, other = rsa_pair(session, 2048)
    choice = RSAOAEPMechanism(CKM_SHA256, CKG_MGF1_SHA256)
    oaep = rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    back = session.unwrapKey(private, other.encrypt(plain, oaep), template, choice)
    check("RSA-OAEP unwraps", value(session, back) == plain)
    back = session.unwrapKey(private, session.wrapKey(public, secret, choice), template, choice)
    check("RSA-OAEP wraps", value(session, back) == plain)
    guarded = aes_key(session, 16)
    wrap = lambda: session.wrapKey(wrapper, guarded, Mechanism(CKM_AES_KEY_WRAP))
    must_be("a key that is not extractable", CKR_KEY_UNEXTRACTABLE, wrap)


def objects(session):
    for number in range(25):
        aes_key(session, 16, (CKA_LABEL, f"key {number % 5}"), (CKA_ID, (number,)), (CKA_TOKEN, CK_TRUE))
    found = session.findObjects([(CKA_LABEL, "key 3")])
    check("a search by label", sorted(value(session, key, CKA_ID)[0] for key in found) == [3, 8, 13, 18, 23])
    (key,) = session.findObjects([(CKA_LABEL, "key 3"), (CKA_ID, (8,))])
    session.setAttributeValue(key, [(CKA_LABEL, "a new label")])
    check("a label that was set", session.getAttributeValue(key, [CKA_LABEL]) == ["a new label"])
    asked = [CKA_CLASS, CKA_KEY_TYPE, CKA_VALUE, CKA_MODULUS, CKA_VALUE_LEN, CKA_LOCAL]
    given = session.getAttributeValue(key, asked)
    check("the attributes that can be given", given == [CKO_SECRET_KEY, CKK_AES, None, None, 16, CK_TRUE])
    found = session.findObjects([(CKA_CLASS, CKO_SECRET_KEY), (CKA_TOKEN, CK_TRUE)])
    check("all keys of a class", len(found) == 25)
    for key in found:
        session.destroyObject(key)
    check("none is left", session.findObjects([(CKA_CLASS, CKO_SECRET_KEY), (CKA_TOKEN, CK_TRUE)]) == [])
    must_be("an object that is gone", CKR_OBJECT_HANDLE_INVALID, lambda: session.destroyObject(key))
    template = [(CKA_CLASS, CKO_DATA), (CKA_LABEL, "data"), (CKA_VALUE, MESSAGE), (CKA_TOKEN, CK_TRUE)]
    check("data is given back", value(session, session.createObject(template)) == MESSAGE)


def threads(library, slot, session):
    (public,) = session.findObjects([(CKA_CLASS, CKO_PUBLIC_KEY), (CKA_LABEL, "secp256r1")])
    known = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets(value(session, public, CKA_EC_POINT)))
    made = []

    def work(number):
        own = library.openSession(slot, CKF_SERIAL_SESSION)
        (private,) = own.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_LABEL, "secp256r1")])
        for _ in range(10):
            made.append((number, bytes(own.sign(private, b"%d" % number, Mechanism(CKM_ECDSA_SHA256)))))
        own.closeSession()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    check("every thread signed", len(made) == 80)
    for number, signature in made:
        accepted("a thread signs", lambda: known.verify(der_of(signature), b"%d" % number, ec.ECDSA(hashes.SHA256())))


library = PyKCS11Lib()
library.load(os.environ["PKCS11_MODULE"])
slot, session = token_and_sessions(library)
digests(session)
rsa_keys(session)
curves(session)
newer_curves(session)
ciphers(session)
macs(session)
wrapping(session)
objects(session)
threads(library, slot, session)
session.logout()
session.closeSession()
finish()
