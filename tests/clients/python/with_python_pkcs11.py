"""The work of a program that uses python-pkcs11; what the token made is checked by cryptography."""

import datetime
import os
from concurrent.futures import ThreadPoolExecutor

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives import cmac, hashes, hmac, keywrap, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID
from pkcs11 import DEFAULT, KDF, MGF, Attribute, CTRParams, GCMParams, KeyType, MechanismFlag, Mechanism, ObjectClass
from pkcs11.util.ec import decode_ec_private_key, decode_ec_public_key, encode_ec_public_key
from pkcs11.util.ec import encode_ecdsa_signature, encode_named_curve_parameters
from pkcs11.util.rsa import decode_rsa_private_key, decode_rsa_public_key, encode_rsa_public_key
from pkcs11.util.x509 import decode_x509_certificate

from checks import accepted, check, finish, refused

MESSAGE = b"a message of some length, not a multiple of a block"
HASHES = {
    "SHA1": (Mechanism.SHA_1, MGF.SHA1, hashes.SHA1()),
    "SHA224": (Mechanism.SHA224, MGF.SHA224, hashes.SHA224()),
    "SHA256": (Mechanism.SHA256, MGF.SHA256, hashes.SHA256()),
    "SHA384": (Mechanism.SHA384, MGF.SHA384, hashes.SHA384()),
    "SHA512": (Mechanism.SHA512, MGF.SHA512, hashes.SHA512()),
}
# A key whose value the checks can read, which the module does not give unless it is asked to.
READABLE = {Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}


def digest(algorithm, data):
    state = hashes.Hash(algorithm)
    state.update(data)
    return state.finalize()


def public_key_of_rsa(key):
    return serialization.load_der_public_key(encode_rsa_public_key(key))


def public_key_of_curve(key):
    return serialization.load_der_public_key(encode_ec_public_key(key))


def token_and_sessions(library, token):
    check("the library has a manufacturer", library.manufacturer_id != "")
    check("one token has the label", [found.label for found in library.get_tokens(token_label="test")] == ["test"])
    refused("a token that is not there", pkcs11.NoSuchToken, lambda: library.get_token(token_label="another"))
    check("the token can make RSA keys", Mechanism.RSA_PKCS_KEY_PAIR_GEN in token.slot.get_mechanisms())
    info = token.slot.get_mechanism_info(Mechanism.RSA_PKCS_PSS)
    check("PSS signs and verifies", info.flags & MechanismFlag.SIGN and info.flags & MechanismFlag.VERIFY)
    refused("a wrong PIN", pkcs11.PinIncorrect, lambda: token.open(user_pin="4321"))
    with token.open() as session:
        made = lambda: session.generate_key(KeyType.AES, 128, store=True)
        refused("a token key without a log-in", (pkcs11.UserNotLoggedIn, pkcs11.SessionReadOnly), made)
    with token.open(user_pin="1234") as session:
        made = lambda: session.generate_key(KeyType.AES, 128, store=True)
        refused("a token key in a read-only session", pkcs11.SessionReadOnly, made)
    with token.open(rw=True, user_pin="1234") as session:
        session.set_pin("1234", "a longer PIN")
    with token.open(rw=True, user_pin="a longer PIN") as session:
        session.set_pin("a longer PIN", "1234")
    with token.open(user_pin="1234") as session:
        check("the first PIN is back", not session.rw)


def random_and_digests(session):
    check("random bytes have the length", len(session.generate_random(1000)) == 125)
    check("random bytes are not the same again", session.generate_random(256) != session.generate_random(256))
    for name, (mechanism, _, algorithm) in HASHES.items():
        check(f"a digest by {name}", session.digest(MESSAGE, mechanism=mechanism) == digest(algorithm, MESSAGE))
        parts = session.digest(iter([MESSAGE[:7], MESSAGE[7:]]), mechanism=mechanism)
        check(f"a digest of parts by {name}", parts == digest(algorithm, MESSAGE))


def rsa_keys(session):
    public, private = session.generate_keypair(KeyType.RSA, 2048, store=True, id=b"\x01", label="rsa")
    known = public_key_of_rsa(public)
    check("the modulus has 2048 bits", known.key_size == 2048 and public.key_length == 2048)
    check("the private key has the same modulus", private[Attribute.MODULUS] == public[Attribute.MODULUS])
    check("the private key is sensitive", private[Attribute.SENSITIVE] and not private[Attribute.EXTRACTABLE])
    refused("its exponent is not given", pkcs11.AttributeSensitive, lambda: private[Attribute.PRIVATE_EXPONENT])

    for name, (mechanism, mgf, algorithm) in HASHES.items():
        signature = private.sign(MESSAGE, mechanism=Mechanism[f"{name}_RSA_PKCS"])
        pkcs1 = rsa_padding.PKCS1v15()
        accepted(f"{name}_RSA_PKCS", lambda: known.verify(signature, MESSAGE, pkcs1, algorithm))
        signature = private.sign(iter([MESSAGE[:5], MESSAGE[5:]]), mechanism=Mechanism[f"{name}_RSA_PKCS"])
        accepted(f"{name}_RSA_PKCS of parts", lambda: known.verify(signature, MESSAGE, pkcs1, algorithm))
        check(f"{name}_RSA_PKCS verifies", public.verify(MESSAGE, signature, mechanism=Mechanism[f"{name}_RSA_PKCS"]))
        wrong = public.verify(MESSAGE + b"!", signature, mechanism=Mechanism[f"{name}_RSA_PKCS"])
        check(f"{name}_RSA_PKCS of another message", not wrong)

        size = algorithm.digest_size
        pss = rsa_padding.PSS(rsa_padding.MGF1(algorithm), size)
        by_hash = {"mechanism": Mechanism[f"{name}_RSA_PKCS_PSS"], "mechanism_param": (mechanism, mgf, size)}
        signature = private.sign(MESSAGE, **by_hash)
        accepted(f"{name}_RSA_PKCS_PSS", lambda: known.verify(signature, MESSAGE, pss, algorithm))
        check(f"{name}_RSA_PKCS_PSS verifies", public.verify(MESSAGE, signature, **by_hash))
        hashed = digest(algorithm, MESSAGE)
        by_digest = {"mechanism": Mechanism.RSA_PKCS_PSS, "mechanism_param": (mechanism, mgf, size)}
        signature = private.sign(hashed, **by_digest)
        accepted(f"PSS of a digest by {name}", lambda: known.verify(signature, hashed, pss, Prehashed(algorithm)))

        oaep = rsa_padding.OAEP(rsa_padding.MGF1(algorithm), algorithm, b"a label")
        choice = {"mechanism": Mechanism.RSA_PKCS_OAEP, "mechanism_param": (mechanism, mgf, b"a label")}
        check(f"OAEP by {name} decrypts", private.decrypt(known.encrypt(b"short", oaep), **choice) == b"short")
        check(f"OAEP by {name} there and back", private.decrypt(public.encrypt(b"short", **choice), **choice) == b"short")

    default = private.decrypt(public.encrypt(MESSAGE))
    check("OAEP is the library's default", default == MESSAGE)
    cipher = known.encrypt(MESSAGE, rsa_padding.PKCS1v15())
    check("PKCS #1 v1.5 decrypts", private.decrypt(cipher, mechanism=Mechanism.RSA_PKCS) == MESSAGE)


def imported_rsa_key(session):
    own = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    private = session.create_object(decode_rsa_private_key(own.private_bytes(*form)))
    signature = private.sign(MESSAGE, mechanism=Mechanism.SHA256_RSA_PKCS)
    verify = lambda: own.public_key().verify(signature, MESSAGE, rsa_padding.PKCS1v15(), hashes.SHA256())
    accepted("an imported RSA key signs", verify)
    form = (serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    public = session.create_object(decode_rsa_public_key(own.public_key().public_bytes(*form)))
    signature = own.sign(MESSAGE, rsa_padding.PKCS1v15(), hashes.SHA256())
    check("an imported public RSA key verifies", public.verify(MESSAGE, signature, mechanism=Mechanism.SHA256_RSA_PKCS))


def curves(session):
    sizes = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1(), "secp521r1": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}
    for name, curve in sizes.items():
        params = {Attribute.EC_PARAMS: encode_named_curve_parameters(name)}
        domain = session.create_domain_parameters(KeyType.EC, params, local=True)
        public, private = domain.generate_keypair(store=True, label=name)
        known = public_key_of_curve(public)
        check(f"{name} is the curve", known.curve.name == curve.name)
        refused(f"{name}: its value is not given", pkcs11.AttributeSensitive, lambda: private[Attribute.VALUE])
        for hash_name, (_, _, algorithm) in HASHES.items():
            mechanism = Mechanism[f"ECDSA_{hash_name}"]
            signature = private.sign(MESSAGE, mechanism=mechanism)
            der = encode_ecdsa_signature(signature)
            accepted(f"{name} signs by {mechanism.name}", lambda: known.verify(der, MESSAGE, ec.ECDSA(algorithm)))
            check(f"{name} verifies by {mechanism.name}", public.verify(MESSAGE, signature, mechanism=mechanism))
            check(f"{name} refuses another message", not public.verify(MESSAGE + b"!", signature, mechanism=mechanism))
        hashed = digest(hashes.SHA256(), MESSAGE)
        der = encode_ecdsa_signature(private.sign(hashed, mechanism=Mechanism.ECDSA))
        accepted(f"{name} signs a digest", lambda: known.verify(der, hashed, ec.ECDSA(Prehashed(hashes.SHA256()))))

        other = ec.generate_private_key(curve)
        point = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        theirs = other.public_key().public_bytes(*point)
        secret = other.exchange(ec.ECDH(), known)
        length = len(secret) * 8
        given = private.derive_key(KeyType.GENERIC_SECRET, length, mechanism_param=(KDF.NULL, None, theirs), template=READABLE)
        check(f"{name} agrees on a secret", given[Attribute.VALUE] == secret)
        # What is too long loses its first bytes.
        key = private.derive_key(KeyType.AES, 128, mechanism_param=(KDF.NULL, None, theirs), template=READABLE)
        check(f"{name} agrees on an AES key", key[Attribute.VALUE] == secret[-16:])

        form = (serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
        private = session.create_object(decode_ec_private_key(other.private_bytes(*form)) | {Attribute.SIGN: True})
        signature = encode_ecdsa_signature(private.sign(MESSAGE, mechanism=Mechanism.ECDSA_SHA256))
        verify = lambda: other.public_key().verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
        accepted(f"{name}: an imported key signs", verify)
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        public = session.create_object(decode_ec_public_key(other.public_key().public_bytes(*form)))
        signature = private.sign(MESSAGE, mechanism=Mechanism.ECDSA_SHA256)
        check(f"{name}: an imported public key verifies", public.verify(MESSAGE, signature, mechanism=Mechanism.ECDSA_SHA256))


def edwards(session):
    # By name, as the library's own documentation has it, and by the OID of RFC 8410.
    for name, params in {"name": b"\x13\x0cedwards25519", "OID": b"\x06\x03\x2b\x65\x70"}.items():
        domain = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: params}, local=True)
        public, private = domain.generate_keypair(mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN)
        known = ed25519.Ed25519PublicKey.from_public_bytes(public[Attribute.EC_POINT][2:])
        signature = private.sign(MESSAGE)
        accepted(f"Ed25519 by {name} signs", lambda: known.verify(signature, MESSAGE))
        check(f"Ed25519 by {name} verifies", public.verify(MESSAGE, signature))
        check(f"Ed25519 by {name} refuses another message", not public.verify(MESSAGE + b"!", signature))


def ciphers(session):
    for bits in (128, 192, 256):
        key = session.generate_key(KeyType.AES, bits, template=READABLE)
        known = key[Attribute.VALUE]
        check(f"AES-{bits} has its length", len(known) * 8 == bits == key.key_length)
        iv = session.generate_random(128)

        padder = padding.PKCS7(128).padder()
        padded = padder.update(MESSAGE) + padder.finalize()
        encryptor = Cipher(algorithms.AES(known), modes.CBC(iv)).encryptor()
        cipher = encryptor.update(padded) + encryptor.finalize()
        check(f"AES-{bits}-CBC-PAD encrypts", key.encrypt(MESSAGE, mechanism_param=iv) == cipher)
        check(f"AES-{bits}-CBC-PAD decrypts", key.decrypt(cipher, mechanism_param=iv) == MESSAGE)
        parts = b"".join(key.encrypt(iter([MESSAGE[:20], MESSAGE[20:]]), mechanism_param=iv))
        check(f"AES-{bits}-CBC-PAD encrypts in parts", parts == cipher)
        parts = b"".join(key.decrypt(iter([cipher[:20], cipher[20:]]), mechanism_param=iv))
        check(f"AES-{bits}-CBC-PAD decrypts in parts", parts == MESSAGE)
        cut = lambda: key.decrypt(cipher[:-1], mechanism_param=iv)
        refused(f"AES-{bits}-CBC-PAD of a cut text", pkcs11.PKCS11Error, cut)

        raw = {"mechanism": Mechanism.AES_CBC, "mechanism_param": iv}
        check(f"AES-{bits}-CBC encrypts", key.encrypt(padded, **raw) == cipher)
        check(f"AES-{bits}-CBC decrypts", key.decrypt(cipher, **raw) == padded)
        encryptor = Cipher(algorithms.AES(known), modes.ECB()).encryptor()
        cipher = encryptor.update(padded) + encryptor.finalize()
        check(f"AES-{bits}-ECB encrypts", key.encrypt(padded, mechanism=Mechanism.AES_ECB) == cipher)
        check(f"AES-{bits}-ECB decrypts", key.decrypt(cipher, mechanism=Mechanism.AES_ECB) == padded)

        counter = {"mechanism": Mechanism.AES_CTR, "mechanism_param": CTRParams(iv[:12])}
        encryptor = Cipher(algorithms.AES(known), modes.CTR(iv[:12] + b"\0\0\0\1")).encryptor()
        cipher = encryptor.update(MESSAGE) + encryptor.finalize()
        check(f"AES-{bits}-CTR encrypts", key.encrypt(MESSAGE, **counter) == cipher)
        check(f"AES-{bits}-CTR decrypts", key.decrypt(cipher, **counter) == MESSAGE)

        sealed = {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(iv[:12], b"header", 128)}
        cipher = AESGCM(known).encrypt(iv[:12], MESSAGE, b"header")
        check(f"AES-{bits}-GCM encrypts", key.encrypt(MESSAGE, **sealed) == cipher)
        check(f"AES-{bits}-GCM decrypts", key.decrypt(cipher, **sealed) == MESSAGE)
        broken = cipher[:-1] + bytes([cipher[-1] ^ 1])
        refused(f"AES-{bits}-GCM of a broken text", pkcs11.PKCS11Error, lambda: key.decrypt(broken, **sealed))

        mac = cmac.CMAC(algorithms.AES(known))
        mac.update(MESSAGE)
        expected = mac.finalize()
        check(f"AES-{bits}-CMAC signs", key.sign(MESSAGE, mechanism=Mechanism.AES_CMAC) == expected)
        check(f"AES-{bits}-CMAC verifies", key.verify(MESSAGE, expected, mechanism=Mechanism.AES_CMAC))
        check(f"AES-{bits}-CMAC refuses", not key.verify(MESSAGE + b"!", expected, mechanism=Mechanism.AES_CMAC))


def macs(session):
    uses = MechanismFlag.SIGN | MechanismFlag.VERIFY
    value = os.urandom(40)
    template = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.GENERIC_SECRET, Attribute.VALUE: value}
    imported = session.create_object(template | {Attribute.SIGN: True, Attribute.VERIFY: True})
    made = session.generate_key(KeyType.GENERIC_SECRET, 256, capabilities=uses, template=READABLE)
    for name, (_, _, algorithm) in HASHES.items():
        mechanism = Mechanism.SHA_1_HMAC if name == "SHA1" else Mechanism[f"{name}_HMAC"]
        for whose, key, known in (("an imported", imported, value), ("a made", made, made[Attribute.VALUE])):
            mac = hmac.HMAC(known, algorithm)
            mac.update(MESSAGE)
            expected = mac.finalize()
            check(f"HMAC by {name}, {whose} key", key.sign(MESSAGE, mechanism=mechanism) == expected)
            check(f"HMAC by {name}, {whose} key, verifies", key.verify(MESSAGE, expected, mechanism=mechanism))
            check(f"HMAC by {name}, {whose} key, refuses", not key.verify(MESSAGE, expected[::-1], mechanism=mechanism))


def wrapping(session):
    wrapper = session.generate_key(KeyType.AES, 256, template=READABLE)
    known = wrapper[Attribute.VALUE]
    secret = session.generate_key(KeyType.AES, 128, template=READABLE)
    value = secret[Attribute.VALUE]
    check("AES key wrap is the library's default", wrapper.wrap_key(secret) == keywrap.aes_key_wrap(known, value))
    kwp = wrapper.wrap_key(secret, mechanism=Mechanism.AES_KEY_WRAP_KWP)
    check("KWP", kwp == keywrap.aes_key_wrap_with_padding(known, value))

    wrapped = keywrap.aes_key_wrap(known, value)
    back = wrapper.unwrap_key(ObjectClass.SECRET_KEY, KeyType.AES, wrapped, template=READABLE)
    check("AES key wrap backwards", back[Attribute.VALUE] == value)
    broken = bytes([wrapped[0] ^ 1]) + wrapped[1:]
    unwrap = lambda: wrapper.unwrap_key(ObjectClass.SECRET_KEY, KeyType.AES, broken)
    refused("a broken key wrap", pkcs11.PKCS11Error, unwrap)

    own = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    wrapped = keywrap.aes_key_wrap_with_padding(known, own.private_bytes(*form))
    choice = {"mechanism": Mechanism.AES_KEY_WRAP_KWP, "capabilities": MechanismFlag.SIGN}
    # The library's template for an unwrapped key has the uses of every class (pyauth/python-pkcs11, pull request 105).
    template = {use: DEFAULT for use in (Attribute.ENCRYPT, Attribute.WRAP, Attribute.VERIFY)}
    private = wrapper.unwrap_key(ObjectClass.PRIVATE_KEY, KeyType.EC, wrapped, template=template, **choice)
    signature = encode_ecdsa_signature(private.sign(MESSAGE, mechanism=Mechanism.ECDSA_SHA256))
    verify = lambda: own.public_key().verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    accepted("a private key that came wrapped signs", verify)

    public, private = session.generate_keypair(KeyType.RSA, 2048)
    oaep = rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    choice = {"mechanism": Mechanism.RSA_PKCS_OAEP, "mechanism_param": (Mechanism.SHA256, MGF.SHA256, None)}
    wrapped = public_key_of_rsa(public).encrypt(value, oaep)
    back = private.unwrap_key(ObjectClass.SECRET_KEY, KeyType.AES, wrapped, template=READABLE, **choice)
    check("an AES key that came by RSA-OAEP", back[Attribute.VALUE] == value)
    wrapped = public.wrap_key(secret, **choice)
    back = private.unwrap_key(ObjectClass.SECRET_KEY, KeyType.AES, wrapped, template=READABLE, **choice)
    check("RSA-OAEP wraps", back[Attribute.VALUE] == value)

    guarded = session.generate_key(KeyType.AES, 128)
    refused("a key that is not extractable", pkcs11.PKCS11Error, lambda: wrapper.wrap_key(guarded))


def attributes_and_search(session):
    for number in range(25):
        session.generate_key(KeyType.AES, 128, id=bytes([number]), label=f"key {number % 5}", store=True)
    found = list(session.get_objects({Attribute.LABEL: "key 3"}))
    check("a search by label", sorted(key.id for key in found) == [bytes([number]) for number in (3, 8, 13, 18, 23)])
    check("a search by label and ID", session.get_key(label="key 3", id=b"\x08").label == "key 3")
    refused("several keys of one label", pkcs11.MultipleObjectsReturned, lambda: session.get_key(label="key 3"))
    refused("no key of a label", pkcs11.NoSuchKey, lambda: session.get_key(label="key 9"))
    key = session.get_key(label="key 3", id=b"\x08")
    key[Attribute.LABEL] = "a new label — ünïcödé"
    check("a label that was set", session.get_key(id=b"\x08", key_type=KeyType.AES).label == "a new label — ünïcödé")
    check("where the key is from", key[Attribute.LOCAL] and key[Attribute.NEVER_EXTRACTABLE] and key[Attribute.ALWAYS_SENSITIVE])
    check("how it was made", key[Attribute.KEY_GEN_MECHANISM] == Mechanism.AES_KEY_GEN)
    refused("an attribute of another class", pkcs11.AttributeTypeInvalid, lambda: key[Attribute.MODULUS])
    refused("the value of a sensitive key", pkcs11.AttributeSensitive, lambda: key[Attribute.VALUE])
    some = key.get_attributes([Attribute.LABEL, Attribute.VALUE, Attribute.MODULUS, Attribute.VALUE_LEN])
    check("the attributes that can be given", some == {Attribute.LABEL: "a new label — ünïcödé", Attribute.VALUE_LEN: 16})
    copy = key.copy({Attribute.LABEL: "a copy", Attribute.TOKEN: False})
    check("a copy has the other attributes", copy[Attribute.LABEL] == "a copy" and copy[Attribute.ID] == b"\x08")
    for found in list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})):
        found.destroy()
    left = list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}))
    check("no secret key is left", left == [])


def certificates(session):
    own = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a name")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(own.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    der = builder.sign(own, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    session.create_object(decode_x509_certificate(der) | {Attribute.TOKEN: True, Attribute.LABEL: "certificate"})
    found = next(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.SUBJECT: name.public_bytes()}))
    check("a certificate is given back", found[Attribute.VALUE] == der)
    check("its serial number", found[Attribute.SERIAL_NUMBER] == b"\x02\x01\x07")
    template = {Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: "data", Attribute.VALUE: MESSAGE, Attribute.TOKEN: True}
    session.create_object(template)
    found = next(session.get_objects({Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: "data"}))
    check("data is given back", found[Attribute.VALUE] == MESSAGE)


def threads(token, session):
    """The library has a lock for each session, so each thread opens its own."""
    known = public_key_of_curve(session.get_key(object_class=ObjectClass.PUBLIC_KEY, label="secp256r1"))

    def work(number):
        with token.open() as own:
            private = own.get_key(object_class=ObjectClass.PRIVATE_KEY, label="secp256r1")
            return [encode_ecdsa_signature(private.sign(b"%d" % number, mechanism=Mechanism.ECDSA_SHA256)) for _ in range(10)]

    with ThreadPoolExecutor(8) as pool:
        for number, signatures in enumerate(pool.map(work, range(16))):
            for signature in signatures:
                accepted("a thread signs", lambda: known.verify(signature, b"%d" % number, ec.ECDSA(hashes.SHA256())))


library = pkcs11.lib(os.environ["PKCS11_MODULE"])
token = library.get_token(token_label="test")
token_and_sessions(library, token)
with token.open(rw=True, user_pin="1234") as session:
    random_and_digests(session)
    rsa_keys(session)
    imported_rsa_key(session)
    curves(session)
    edwards(session)
    ciphers(session)
    macs(session)
    wrapping(session)
    attributes_and_search(session)
    certificates(session)
    threads(token, session)
finish()
