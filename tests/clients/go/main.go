// The client makes its checks with miekg/pkcs11, then with crypto11; the last line says how many there were.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/ThalesGroup/crypto11"
)

func main() {
	log.SetFlags(log.Lshortfile)
	module, pin := os.Getenv("PKCS11_MODULE"), os.Getenv("PIN")

	token := openToken(module, pin)
	token.objects()
	token.pairs()
	token.secrets()
	token.wraps()
	token.agreements()
	token.digests()
	software := token.imports()
	token.close()

	context, err := crypto11.Configure(&crypto11.Config{Path: module, TokenLabel: "test", Pin: pin})
	must(err)
	imported(context, software)
	ecdsaKeys(context)
	rsaKeys(context)
	secretKeys(context)
	randomBytes(context)
	tlsServers(context)
	manySignatures(context)
	keep(context)
	must(context.Close())
	fmt.Println(made.Load(), "checks")
}
