package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"sync"

	"github.com/ThalesGroup/crypto11"
)

const (
	signatures = 3200
	workers    = 32
)

// manySignatures are made at once, by as many goroutines as take them: three quarters with EC, one with RSA.
func manySignatures(context *crypto11.Context) {
	ec, err := context.GenerateECDSAKeyPair(random(16), elliptic.P256())
	must(err)
	pair, err := context.GenerateRSAKeyPair(random(16), 2048)
	must(err)

	work := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for number := range work {
				digest := random(32)
				signer := crypto.Signer(ec)
				if number%4 == 0 {
					signer = pair
				}
				signature, err := signer.Sign(rand.Reader, digest, crypto.SHA256)
				must(err)
				switch public := signer.Public().(type) {
				case *ecdsa.PublicKey:
					holds("ECDSA of many", ecdsa.VerifyASN1(public, digest, signature))
				case *rsa.PublicKey:
					holds("RSA of many", rsa.VerifyPKCS1v15(public, crypto.SHA256, digest, signature) == nil)
				}
			}
		})
	}
	for number := range signatures {
		work <- number
	}
	close(work)
	group.Wait()
	must(ec.Delete())
	must(pair.Delete())
}
