package main

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"hash"

	"github.com/miekg/pkcs11"
)

func (t token) encrypt(kind uint, parameter any, key handle, data []byte) []byte {
	must(t.EncryptInit(t.session, mechanism(kind, parameter), key))
	sealed, err := t.Encrypt(t.session, data)
	must(err)
	return sealed
}

func (t token) decrypt(kind uint, parameter any, key handle, sealed []byte) []byte {
	must(t.DecryptInit(t.session, mechanism(kind, parameter), key))
	data, err := t.Decrypt(t.session, sealed)
	must(err)
	return data
}

// secrets encrypt and authenticate as Go does with the same values.
func (t token) secrets() {
	for _, length := range []int{16, 24, 32} {
		value, iv, data, more := random(length), random(16), random(1600), random(50)
		block, err := aes.NewCipher(value)
		must(err)
		key := t.secret(pkcs11.CKK_AES, value, attribute(pkcs11.CKA_ENCRYPT, true), attribute(pkcs11.CKA_DECRYPT, true))

		expected := make([]byte, len(data))
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(expected, data)
		same("AES-CBC encrypts", expected, t.encrypt(pkcs11.CKM_AES_CBC, iv, key, data))
		same("AES-CBC decrypts", data, t.decrypt(pkcs11.CKM_AES_CBC, iv, key, expected))

		gcm, err := cipher.NewGCM(block)
		must(err)
		expected = gcm.Seal(nil, iv[:12], data, more)
		parameters := pkcs11.NewGCMParams(iv[:12], more, 128)
		defer parameters.Free()
		same("AES-GCM encrypts", expected, t.encrypt(pkcs11.CKM_AES_GCM, parameters, key, data))
		same("AES-GCM decrypts", data, t.decrypt(pkcs11.CKM_AES_GCM, parameters, key, expected))
		expected[0] ^= 1
		must(t.DecryptInit(t.session, mechanism(pkcs11.CKM_AES_GCM, parameters), key))
		_, err = t.Decrypt(t.session, expected)
		refused("a changed ciphertext", pkcs11.CKR_ENCRYPTED_DATA_INVALID, err)
	}

	for kind, hash := range map[uint]func() hash.Hash{
		pkcs11.CKM_SHA_1_HMAC:  sha1.New,
		pkcs11.CKM_SHA256_HMAC: sha256.New,
		pkcs11.CKM_SHA384_HMAC: sha512.New384,
		pkcs11.CKM_SHA512_HMAC: sha512.New,
	} {
		value, data := random(40), random(1000)
		expected := hmac.New(hash, value)
		expected.Write(data)
		key := t.secret(pkcs11.CKK_GENERIC_SECRET, value, attribute(pkcs11.CKA_SIGN, true))
		same("HMAC", expected.Sum(nil), t.sign(kind, nil, key, data))
	}
}

// wraps take a key out and bring it in; Go does the other half.
func (t token) wraps() {
	value, wrapping, iv := random(32), random(32), random(16)
	key := t.secret(pkcs11.CKK_AES, value)
	wrapper := t.secret(pkcs11.CKK_AES, wrapping, attribute(pkcs11.CKA_WRAP, true), attribute(pkcs11.CKA_UNWRAP, true))
	block, err := aes.NewCipher(wrapping)
	must(err)

	wrapped, err := t.WrapKey(t.session, mechanism(pkcs11.CKM_AES_CBC_PAD, iv), wrapper, key)
	must(err)
	opened := make([]byte, len(wrapped))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(opened, wrapped)
	same("a key that leaves by AES", append(value, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16), opened)

	coming := template{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		attribute(pkcs11.CKA_ENCRYPT, true),
	}
	unwrapped, err := t.UnwrapKey(t.session, mechanism(pkcs11.CKM_AES_CBC_PAD, iv), wrapper, wrapped, coming)
	must(err)
	t.does("a key that comes by AES", unwrapped, value)

	software, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	oaep := pkcs11.NewOAEPParams(pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, pkcs11.CKZ_DATA_SPECIFIED, []byte("label"))
	public, err := t.CreateObject(t.session, template{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA),
		attribute(pkcs11.CKA_MODULUS, software.N.Bytes()), attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		attribute(pkcs11.CKA_WRAP, true),
	})
	must(err)
	wrapped, err = t.WrapKey(t.session, mechanism(pkcs11.CKM_RSA_PKCS_OAEP, oaep), public, key)
	must(err)
	opened, err = software.Decrypt(nil, wrapped, &rsa.OAEPOptions{Hash: crypto.SHA256, Label: []byte("label")})
	must(err)
	same("a key that leaves by RSA", value, opened)
	private := t.rsa(software, attribute(pkcs11.CKA_UNWRAP, true))
	wrapped, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, &software.PublicKey, value, []byte("label"))
	must(err)
	unwrapped, err = t.UnwrapKey(t.session, mechanism(pkcs11.CKM_RSA_PKCS_OAEP, oaep), private, wrapped, coming)
	must(err)
	t.does("a key that comes by RSA", unwrapped, value)

	stays, err := t.GenerateKey(t.session, mechanism(pkcs11.CKM_AES_KEY_GEN, nil), template{attribute(pkcs11.CKA_VALUE_LEN, 32)})
	must(err)
	_, err = t.WrapKey(t.session, mechanism(pkcs11.CKM_AES_KEY_WRAP, nil), wrapper, stays)
	refused("a key that was not made to leave", pkcs11.CKR_KEY_UNEXTRACTABLE, err)
}

// does checks that a key of the token is an AES key with this value.
func (t token) does(what string, key handle, value []byte) {
	block, err := aes.NewCipher(value)
	must(err)
	expected := make([]byte, 16)
	block.Encrypt(expected, make([]byte, 16))
	same(what, expected, t.encrypt(pkcs11.CKM_AES_ECB, nil, key, make([]byte, 16)))
}

// agreements of the token with Go on a secret that both read.
func (t token) agreements() {
	for _, one := range []struct {
		made  uint
		oid   asn1.ObjectIdentifier
		curve ecdh.Curve
	}{
		{pkcs11.CKM_EC_KEY_PAIR_GEN, oidP256, ecdh.P256()},
		{pkcs11.CKM_EC_KEY_PAIR_GEN, oidP384, ecdh.P384()},
		{pkcs11.CKM_EC_KEY_PAIR_GEN, oidP521, ecdh.P521()},
		{ckmMontgomeryPairGen, oidX25519, ecdh.X25519()},
	} {
		point, _, private := t.ec(one.made, one.oid, pkcs11.CKA_DERIVE)
		software, err := one.curve.GenerateKey(rand.Reader)
		must(err)
		peer, err := one.curve.NewPublicKey(point)
		must(err)
		expected, err := software.ECDH(peer)
		must(err)
		parameters := pkcs11.NewECDH1DeriveParams(pkcs11.CKD_NULL, nil, software.PublicKey().Bytes())
		secret, err := t.DeriveKey(t.session, mechanism(pkcs11.CKM_ECDH1_DERIVE, parameters), private, template{
			attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
			attribute(pkcs11.CKA_VALUE_LEN, len(expected)),
			attribute(pkcs11.CKA_SENSITIVE, false), attribute(pkcs11.CKA_EXTRACTABLE, true),
		})
		must(err)
		same("the secret", expected, t.value(secret, pkcs11.CKA_VALUE))
	}
}

func (t token) digests() {
	data := random(100_000)
	expected := sha256.Sum256(data)
	must(t.DigestInit(t.session, mechanism(pkcs11.CKM_SHA256, nil)))
	found, err := t.Digest(t.session, data)
	must(err)
	same("SHA-256", expected[:], found)
	must(t.DigestInit(t.session, mechanism(pkcs11.CKM_SHA256, nil)))
	must(t.DigestUpdate(t.session, data[:99]))
	must(t.DigestUpdate(t.session, data[99:]))
	found, err = t.DigestFinal(t.session)
	must(err)
	same("SHA-256 in parts", expected[:], found)
}
