package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/miekg/pkcs11"
)

// How many checks were made; the first that fails ends the program.
var made atomic.Int64

func fail(what string) {
	log.Output(3, what)
	panic("a check failed")
}

func must(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func holds(what string, is bool) {
	if !is {
		fail(what)
	}
	made.Add(1)
}

func same(what string, expected, found []byte) {
	if !bytes.Equal(expected, found) {
		fail(fmt.Sprintf("%s: %x is not %x", what, found, expected))
	}
	made.Add(1)
}

func refused(what string, code uint, err error) {
	if err != pkcs11.Error(code) {
		fail(fmt.Sprintf("%s: %v", what, err))
	}
	made.Add(1)
}

func random(length int) []byte {
	data := make([]byte, length)
	rand.Read(data)
	return data
}
