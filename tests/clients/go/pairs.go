package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"github.com/miekg/pkcs11"
)

// Numbers of PKCS #11 3.0 that miekg/pkcs11 has no names for.
const (
	ckmEdwardsPairGen    = 0x1055
	ckmMontgomeryPairGen = 0x1056
	ckmEdDSA             = 0x1057
)

var (
	oidP256    = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidP384    = asn1.ObjectIdentifier{1, 3, 132, 0, 34}
	oidP521    = asn1.ObjectIdentifier{1, 3, 132, 0, 35}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
	oidX25519  = asn1.ObjectIdentifier{1, 3, 101, 110}
)

func der(value any) []byte {
	encoded, err := asn1.Marshal(value)
	must(err)
	return encoded
}

// ec makes a pair for a session, and gives the point and the private key.
func (t token) ec(kind uint, curve asn1.ObjectIdentifier, can uint) ([]byte, handle, handle) {
	public, private, err := t.GenerateKeyPair(t.session, mechanism(kind, nil),
		template{attribute(pkcs11.CKA_EC_PARAMS, der(curve))}, template{attribute(can, true)})
	must(err)
	var point []byte
	rest, err := asn1.Unmarshal(t.value(public, pkcs11.CKA_EC_POINT), &point)
	must(err)
	holds("the point is one OCTET STRING", len(rest) == 0)
	return point, public, private
}

func (t token) sign(kind uint, parameter any, key handle, data []byte) []byte {
	must(t.SignInit(t.session, mechanism(kind, parameter), key))
	signature, err := t.Sign(t.session, data)
	must(err)
	return signature
}

// pairs sign, and Go verifies.
func (t token) pairs() {
	data := random(1000)
	digest := sha256.Sum256(data)

	for _, one := range []struct {
		oid   asn1.ObjectIdentifier
		curve elliptic.Curve
	}{{oidP256, elliptic.P256()}, {oidP384, elliptic.P384()}, {oidP521, elliptic.P521()}} {
		point, public, private := t.ec(pkcs11.CKM_EC_KEY_PAIR_GEN, one.oid, pkcs11.CKA_SIGN)
		key, err := ecdsa.ParseUncompressedPublicKey(one.curve, point)
		must(err)
		verifies := func(signature []byte) bool {
			half := len(signature) / 2
			r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
			return ecdsa.Verify(key, digest[:], r, s)
		}
		holds("ECDSA of a digest", verifies(t.sign(pkcs11.CKM_ECDSA, nil, private, digest[:])))
		holds("ECDSA of data", verifies(t.sign(pkcs11.CKM_ECDSA_SHA256, nil, private, data)))
		must(t.SignInit(t.session, mechanism(pkcs11.CKM_ECDSA_SHA256, nil), private))
		must(t.SignUpdate(t.session, data[:1]))
		must(t.SignUpdate(t.session, data[1:]))
		signature, err := t.SignFinal(t.session)
		must(err)
		holds("ECDSA in parts", verifies(signature))

		info, err := x509.ParsePKIXPublicKey(t.value(public, pkcs11.CKA_PUBLIC_KEY_INFO))
		must(err)
		holds("the public key's information", key.Equal(info))
		_, err = t.GetAttributeValue(t.session, private, template{attribute(pkcs11.CKA_VALUE, nil)})
		refused("the private value", pkcs11.CKR_ATTRIBUTE_SENSITIVE, err)
	}

	point, public, private := t.ec(ckmEdwardsPairGen, oidEd25519, pkcs11.CKA_SIGN)
	signature := t.sign(ckmEdDSA, nil, private, data)
	holds("Ed25519", ed25519.Verify(point, data, signature))
	must(t.VerifyInit(t.session, mechanism(ckmEdDSA, nil), public))
	must(t.Verify(t.session, data, signature))
	signature[5] ^= 1
	must(t.VerifyInit(t.session, mechanism(ckmEdDSA, nil), public))
	refused("a changed signature", pkcs11.CKR_SIGNATURE_INVALID, t.Verify(t.session, data, signature))

	public, private, err := t.GenerateKeyPair(t.session, mechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil),
		template{attribute(pkcs11.CKA_MODULUS_BITS, 2048), attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})},
		template{attribute(pkcs11.CKA_SIGN, true)})
	must(err)
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(t.value(public, pkcs11.CKA_MODULUS)), E: 65537}
	signature = t.sign(pkcs11.CKM_SHA256_RSA_PKCS, nil, private, data)
	holds("RSA PKCS #1 v1.5", rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil)
	pss := pkcs11.NewPSSParams(pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, 32)
	signature = t.sign(pkcs11.CKM_SHA256_RSA_PKCS_PSS, pss, private, data)
	holds("RSA PSS", rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, nil) == nil)
}
