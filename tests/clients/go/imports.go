package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"
)

// software is what was made by Go and then brought into the token.
type software struct {
	rsa   *rsa.PrivateKey
	ec    *ecdsa.PrivateKey
	value []byte
}

// rsa brings a private key into the token.
func (t token) rsa(key *rsa.PrivateKey, more ...*pkcs11.Attribute) handle {
	object, err := t.CreateObject(t.session, append(template{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA),
		attribute(pkcs11.CKA_MODULUS, key.N.Bytes()), attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		attribute(pkcs11.CKA_PRIVATE_EXPONENT, key.D.Bytes()),
		attribute(pkcs11.CKA_PRIME_1, key.Primes[0].Bytes()), attribute(pkcs11.CKA_PRIME_2, key.Primes[1].Bytes()),
		attribute(pkcs11.CKA_EXPONENT_1, key.Precomputed.Dp.Bytes()),
		attribute(pkcs11.CKA_EXPONENT_2, key.Precomputed.Dq.Bytes()),
		attribute(pkcs11.CKA_COEFFICIENT, key.Precomputed.Qinv.Bytes()),
	}, more...))
	must(err)
	return object
}

// imports leave keys in the token that crypto11 finds.
func (t token) imports() software {
	var made software
	var err error
	made.value = random(32)
	made.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	made.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	named := func(name string) template {
		return template{
			attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_ID, []byte(name)), attribute(pkcs11.CKA_LABEL, name),
		}
	}

	t.secret(pkcs11.CKK_AES, made.value,
		append(named("aes"), attribute(pkcs11.CKA_ENCRYPT, true), attribute(pkcs11.CKA_DECRYPT, true))...)
	t.secret(pkcs11.CKK_GENERIC_SECRET, made.value, append(named("mac"), attribute(pkcs11.CKA_SIGN, true))...)

	t.rsa(made.rsa, append(named("rsa"), attribute(pkcs11.CKA_SIGN, true), attribute(pkcs11.CKA_DECRYPT, true))...)
	_, err = t.CreateObject(t.session, append(named("rsa"),
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA),
		attribute(pkcs11.CKA_MODULUS, made.rsa.N.Bytes()), attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})))
	must(err)

	// The private value with its zeros in front, the point once in DER and once as it is.
	private, err := made.ec.Bytes()
	must(err)
	point, err := made.ec.PublicKey.Bytes()
	must(err)
	ec := func(name string, kind uint, what uint, value []byte, more ...*pkcs11.Attribute) {
		_, err := t.CreateObject(t.session, append(append(named(name),
			attribute(pkcs11.CKA_CLASS, kind), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
			attribute(pkcs11.CKA_EC_PARAMS, der(oidP256)), attribute(what, value)), more...))
		must(err)
	}
	for name, point := range map[string][]byte{"ec der": der(asn1.RawValue{Tag: asn1.TagOctetString, Bytes: point}), "ec": point} {
		ec(name, pkcs11.CKO_PRIVATE_KEY, pkcs11.CKA_VALUE, private, attribute(pkcs11.CKA_SIGN, true))
		ec(name, pkcs11.CKO_PUBLIC_KEY, pkcs11.CKA_EC_POINT, point)
	}
	return made
}

// imported checks that crypto11 finds what was brought into the token, and that it does what Go's key does.
func imported(context *crypto11.Context, made software) {
	digest := sha256.Sum256([]byte("what is signed"))
	for _, name := range []string{"ec", "ec der"} {
		pair, err := context.FindKeyPair(nil, []byte(name))
		must(err)
		holds("the pair is found", pair != nil)
		holds("it is Go's", made.ec.PublicKey.Equal(pair.Public()))
		signature, err := pair.Sign(rand.Reader, digest[:], crypto.SHA256)
		must(err)
		holds("ECDSA", ecdsa.VerifyASN1(&made.ec.PublicKey, digest[:], signature))
		must(pair.Delete())
	}

	pair, err := context.FindRSAKeyPair([]byte("rsa"), nil)
	must(err)
	holds("the pair is found by its id", pair != nil && made.rsa.PublicKey.Equal(pair.Public()))
	signature, err := pair.Sign(rand.Reader, digest[:], crypto.SHA256)
	must(err)
	expected, err := rsa.SignPKCS1v15(nil, made.rsa, crypto.SHA256, digest[:])
	must(err)
	same("the signature is the one of Go", expected, signature)
	must(pair.Delete())

	key, err := context.FindKey(nil, []byte("aes"))
	must(err)
	sealsAsGo(key, made.value)
	blocksAsGo(key, made.value)
	must(key.Delete())
	key, err = context.FindKey([]byte("mac"), nil)
	must(err)
	macsAsGo(key, made.value)
	must(key.Delete())

	pairs, err := context.FindAllKeyPairs()
	must(err)
	keys, err := context.FindAllKeys()
	must(err)
	holds("all are deleted", len(pairs) == 0 && len(keys) == 0)
}
