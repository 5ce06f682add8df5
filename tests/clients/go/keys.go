package main

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	"crypto/sha256"
	"hash"
	"io"
	"math/bits"
	"strings"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"
)

var hashes = []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}

func digest(kind crypto.Hash, data []byte) []byte {
	hash := kind.New()
	hash.Write(data)
	return hash.Sum(nil)
}

// missing tells whether crypto11 says that there is no such key; it has no error of its own for this.
func missing(err error) bool {
	return err != nil && strings.Contains(err.Error(), "not found")
}

// ecdsaKeys are made by crypto11, sign, are found again and deleted.
func ecdsaKeys(context *crypto11.Context) {
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		id, label := random(16), []byte(curve.Params().Name)
		pair, err := context.GenerateECDSAKeyPairWithLabel(id, label, curve)
		must(err)
		public := pair.Public().(*ecdsa.PublicKey)
		for _, hash := range hashes {
			digest := digest(hash, random(100))
			signature, err := pair.Sign(rand.Reader, digest, hash)
			must(err)
			holds("ECDSA", ecdsa.VerifyASN1(public, digest, signature))
			digest[0] ^= 1
			holds("ECDSA of something else", !ecdsa.VerifyASN1(public, digest, signature))
		}
		found, err := context.FindKeyPair(id, label)
		must(err)
		holds("it is found", found != nil && public.Equal(found.Public()))
		sensitive, err := context.GetAttribute(found, crypto11.CkaSensitive)
		must(err)
		same("it is sensitive", []byte{1}, sensitive.Value)
		must(found.Delete())
		found, err = context.FindKeyPair(id, nil)
		holds("it is gone", found == nil && missing(err))
	}
}

// rsaKeys are made by crypto11, sign and decrypt.
func rsaKeys(context *crypto11.Context) {
	pair, err := context.GenerateRSAKeyPairWithLabel(random(16), []byte("rsa"), 2048)
	must(err)
	public := pair.Public().(*rsa.PublicKey)
	for _, hash := range hashes {
		digest := digest(hash, random(100))
		signature, err := pair.Sign(rand.Reader, digest, hash)
		must(err)
		holds("RSA PKCS #1 v1.5", rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil)

		for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, 8} {
			options := &rsa.PSSOptions{SaltLength: salt, Hash: hash}
			signature, err = pair.Sign(rand.Reader, digest, options)
			must(err)
			holds("RSA PSS", rsa.VerifyPSS(public, hash, digest, signature, options) == nil)
		}

		data := random(100)
		label := random(8)
		sealed, err := rsa.EncryptOAEP(hash.New(), rand.Reader, public, data, label)
		must(err)
		opened, err := pair.Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: hash, Label: label})
		must(err)
		same("RSA OAEP", data, opened)
		sealed[9] ^= 1
		_, err = pair.Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: hash, Label: label})
		holds("a changed ciphertext is refused", err != nil)
	}
	data := random(100)
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, public, data)
	must(err)
	opened, err := pair.Decrypt(rand.Reader, sealed, nil)
	must(err)
	same("RSA PKCS #1 v1.5 is decrypted", data, opened)
	must(pair.Delete())
}

// sealsAsGo checks AES-GCM with a key of the token and the same key of Go.
func sealsAsGo(key *crypto11.SecretKey, value []byte) {
	block, err := aes.NewCipher(value)
	must(err)
	theirs, err := cipher.NewGCM(block)
	must(err)
	ours, err := key.NewGCM()
	must(err)
	for _, length := range []int{1, 16, 1000, 100_000} {
		nonce, data, more := random(12), random(length), random(20)
		sealed := theirs.Seal(nil, nonce, data, more)
		same("AES-GCM encrypts", sealed, ours.Seal(nil, nonce, data, more))
		opened, err := ours.Open(nil, nonce, sealed, more)
		must(err)
		same("AES-GCM decrypts", data, opened)
		more[0] ^= 1
		_, err = ours.Open(nil, nonce, sealed, more)
		holds("other additional data are refused", err != nil)
	}
}

// blocksAsGo checks AES-CBC with a key of the token and the same key of Go.
func blocksAsGo(key *crypto11.SecretKey, value []byte) {
	block, err := aes.NewCipher(value)
	must(err)
	iv, data := random(16), random(1600)
	expected, found := make([]byte, len(data)), make([]byte, len(data))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(expected, data)
	sealing, err := key.NewCBCEncrypterCloser(iv)
	must(err)
	sealing.CryptBlocks(found[:800], data[:800])
	sealing.CryptBlocks(found[800:], data[800:])
	sealing.Close()
	same("AES-CBC encrypts", expected, found)
	opening, err := key.NewCBCDecrypterCloser(iv)
	must(err)
	opening.CryptBlocks(found, expected)
	opening.Close()
	same("AES-CBC decrypts", data, found)
}

// macsAsGo checks HMAC with a key of the token and the same key of Go.
func macsAsGo(key *crypto11.SecretKey, value []byte) {
	for kind, hash := range map[int]func() hash.Hash{
		pkcs11.CKM_SHA_1_HMAC:  crypto.SHA1.New,
		pkcs11.CKM_SHA224_HMAC: crypto.SHA224.New,
		pkcs11.CKM_SHA256_HMAC: crypto.SHA256.New,
		pkcs11.CKM_SHA384_HMAC: crypto.SHA384.New,
		pkcs11.CKM_SHA512_HMAC: crypto.SHA512.New,
	} {
		for _, length := range []int{0, 1, 1000, 100_000} {
			data := random(length)
			theirs := hmac.New(hash, value)
			theirs.Write(data)
			ours, err := key.NewHMAC(kind, 0)
			must(err)
			ours.Write(data[:length/2])
			ours.Write(data[length/2:])
			same("HMAC", theirs.Sum(nil), ours.Sum(nil))
		}
	}
}

// secretKeys are made by crypto11; nobody knows their values, so they are checked against themselves and found again.
func secretKeys(context *crypto11.Context) {
	id := random(16)
	key, err := context.GenerateSecretKeyWithLabel(id, []byte("made"), 256, crypto11.CipherAES)
	must(err)
	gcm, err := key.NewGCM()
	must(err)
	nonce, data := random(12), random(100)
	sealed := gcm.Seal(nil, nonce, data, nil)
	found, err := context.FindKey(id, []byte("made"))
	must(err)
	again, err := found.NewGCM()
	must(err)
	opened, err := again.Open(nil, nonce, sealed, nil)
	must(err)
	same("the key that is found is the one that was made", data, opened)
	must(found.Delete())
	found, err = context.FindKey(id, nil)
	holds("it is gone", found == nil && missing(err))

	key, err = context.GenerateSecretKey(id, 256, crypto11.CipherGeneric)
	must(err)
	mac, err := key.NewHMAC(pkcs11.CKM_SHA256_HMAC, 0)
	must(err)
	mac.Write(data)
	holds("a MAC of a key that was made", len(mac.Sum(nil)) == sha256.Size)
	must(key.Delete())
}

func randomBytes(context *crypto11.Context) {
	reader, err := context.NewRandomReader()
	must(err)
	data := make([]byte, 16_000)
	_, err = io.ReadFull(reader, data)
	must(err)
	ones := 0
	for _, one := range data {
		ones += bits.OnesCount8(one)
	}
	// 64,000 are expected, with a deviation of 179.
	holds("about half the bits are ones", ones > 62_000 && ones < 66_000)
}
