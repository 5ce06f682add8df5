package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/ThalesGroup/crypto11"
)

func certificate(name string, key crypto.PublicKey, issuer *x509.Certificate, signer crypto.Signer) *x509.Certificate {
	serial := new(big.Int).SetBytes(random(8))
	wanted := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		DNSNames:              []string{name},
		IsCA:                  issuer == nil,
		BasicConstraintsValid: true,
	}
	if issuer == nil {
		issuer = wanted
	}
	encoded, err := x509.CreateCertificate(rand.Reader, wanted, issuer, key, signer)
	must(err)
	made, err := x509.ParseCertificate(encoded)
	must(err)
	return made
}

// tlsServers have keys and certificates of the token; the authority's key is there, too. The client is Go's own.
func tlsServers(context *crypto11.Context) {
	authority, err := context.GenerateECDSAKeyPair(random(16), elliptic.P384())
	must(err)
	root := certificate("root", authority.Public(), nil, authority)
	trusted := x509.NewCertPool()
	trusted.AddCert(root)

	ec, err := context.GenerateECDSAKeyPairWithLabel([]byte("ec id"), []byte("ec"), elliptic.P256())
	must(err)
	rsa, err := context.GenerateRSAKeyPairWithLabel([]byte("rsa id"), []byte("rsa"), 2048)
	must(err)
	must(context.ImportCertificateWithLabel([]byte("ec id"), []byte("ec"), certificate("ec.test", ec.Public(), root, authority)))
	must(context.ImportCertificateWithLabel([]byte("rsa id"), []byte("rsa"), certificate("rsa.test", rsa.Public(), root, authority)))

	pairs, err := context.FindAllPairedCertificates()
	must(err)
	holds("both certificates are found with their keys", len(pairs) == 2)
	for _, name := range []string{"ec.test", "rsa.test"} {
		for _, version := range []uint16{tls.VersionTLS13, tls.VersionTLS12} {
			talk(pairs, trusted, name, version)
		}
	}

	must(ec.Delete())
	must(rsa.Delete())
	must(authority.Delete())
	must(context.DeleteCertificate(nil, []byte("ec"), nil))
	must(context.DeleteCertificate([]byte("rsa id"), nil, nil))
	gone, err := context.FindCertificate(nil, []byte("ec"), nil)
	must(err)
	holds("the certificate is gone", gone == nil)
}

func talk(pairs []tls.Certificate, trusted *x509.CertPool, name string, version uint16) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: pairs})
	must(err)
	defer listener.Close()
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		data := make([]byte, 10)
		if _, err := io.ReadFull(connection, data); err == nil {
			slices.Reverse(data)
			connection.Write(data)
		}
	}()

	dialer := &net.Dialer{Timeout: 30 * time.Second}
	settings := &tls.Config{RootCAs: trusted, ServerName: name, MinVersion: version, MaxVersion: version}
	connection, err := tls.DialWithDialer(dialer, "tcp", listener.Addr().String(), settings)
	must(err)
	defer connection.Close()
	must(connection.SetDeadline(time.Now().Add(30 * time.Second)))
	_, err = connection.Write([]byte("moorgnorts"))
	must(err)
	said, err := io.ReadAll(connection)
	must(err)
	same("the server turns the word", []byte("strongroom"), said)
	state := connection.ConnectionState()
	holds("the certificate", state.PeerCertificates[0].Subject.CommonName == name && state.Version == version)
}

// keep leaves one pair with its certificate, for others to find.
func keep(context *crypto11.Context) {
	pair, err := context.GenerateECDSAKeyPairWithLabel([]byte("kept"), []byte("kept"), elliptic.P256())
	must(err)
	kept := certificate("kept", pair.Public(), nil, pair)
	must(context.ImportCertificateWithLabel([]byte("kept"), []byte("kept"), kept))
	digest := sha256.Sum256(kept.RawTBSCertificate)
	holds("it signed itself", ecdsa.VerifyASN1(pair.Public().(*ecdsa.PublicKey), digest[:], kept.Signature))
}
