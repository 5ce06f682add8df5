package main

import (
	"strings"

	"github.com/miekg/pkcs11"
)

// token is the token as miekg/pkcs11 has it, with a session that is logged in.
type token struct {
	*pkcs11.Ctx
	session pkcs11.SessionHandle
}

type (
	handle   = pkcs11.ObjectHandle
	template = []*pkcs11.Attribute
)

// openToken logs in, after a PIN that is wrong.
func openToken(module, pin string) token {
	context := pkcs11.New(module)
	if context == nil {
		fail("the module is not loaded: " + module)
	}
	must(context.Initialize())
	refused("a second initialisation", pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED, context.Initialize())
	info, err := context.GetInfo()
	must(err)
	holds("the module says which it is", strings.Contains(info.LibraryDescription, "trongroom"))

	slots, err := context.GetSlotList(true)
	must(err)
	slot := -1
	for _, one := range slots {
		info, err := context.GetTokenInfo(one)
		must(err)
		if strings.TrimRight(info.Label, " ") == "test" {
			slot = int(one)
		}
	}
	holds("the token is found by its label", slot >= 0)

	session, err := context.OpenSession(uint(slot), pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	must(err)
	refused("a wrong PIN", pkcs11.CKR_PIN_INCORRECT, context.Login(session, pkcs11.CKU_USER, "4321"))
	must(context.Login(session, pkcs11.CKU_USER, pin))
	refused("a second log-in", pkcs11.CKR_USER_ALREADY_LOGGED_IN, context.Login(session, pkcs11.CKU_USER, pin))
	return token{context, session}
}

func (t token) close() {
	must(t.Logout(t.session))
	must(t.CloseSession(t.session))
	must(t.Finalize())
	_, err := t.GetSlotList(true)
	refused("a call after the end", pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, err)
	t.Destroy()
}

func attribute(kind uint, value any) *pkcs11.Attribute {
	return pkcs11.NewAttribute(kind, value)
}

func mechanism(kind uint, parameter any) []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(kind, parameter)}
}

func (t token) value(object handle, kind uint) []byte {
	attributes, err := t.GetAttributeValue(t.session, object, template{attribute(kind, nil)})
	must(err)
	return attributes[0].Value
}

// found is what a search finds, in steps of one.
func (t token) found(wanted template) []handle {
	must(t.FindObjectsInit(t.session, wanted))
	var all []handle
	for {
		some, _, err := t.FindObjects(t.session, 1)
		must(err)
		if len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	must(t.FindObjectsFinal(t.session))
	return all
}

// secret brings a value into the token, for a session; it does not come out but wrapped.
func (t token) secret(kind uint, value []byte, more ...*pkcs11.Attribute) handle {
	object, err := t.CreateObject(t.session, append(template{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		attribute(pkcs11.CKA_KEY_TYPE, kind),
		attribute(pkcs11.CKA_EXTRACTABLE, true),
		attribute(pkcs11.CKA_VALUE, value),
	}, more...))
	must(err)
	return object
}

// objects of data, which are found, changed, copied and destroyed.
func (t token) objects() {
	kind := attribute(pkcs11.CKA_CLASS, pkcs11.CKO_DATA)
	value := random(10_000)
	for _, name := range []string{"one", "two", "three"} {
		_, err := t.CreateObject(t.session, template{
			kind, attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_LABEL, name), attribute(pkcs11.CKA_VALUE, value),
		})
		must(err)
	}
	holds("all are found", len(t.found(template{kind})) == 3)
	two := t.found(template{kind, attribute(pkcs11.CKA_LABEL, "two")})
	holds("one is found by its label", len(two) == 1)
	same("its value", value, t.value(two[0], pkcs11.CKA_VALUE))
	must(t.SetAttributeValue(t.session, two[0], template{attribute(pkcs11.CKA_LABEL, "2")}))
	same("its new label", []byte("2"), t.value(two[0], pkcs11.CKA_LABEL))
	copied, err := t.CopyObject(t.session, two[0], template{attribute(pkcs11.CKA_TOKEN, false)})
	must(err)
	same("the value of its copy", value, t.value(copied, pkcs11.CKA_VALUE))
	for _, object := range t.found(template{kind}) {
		must(t.DestroyObject(t.session, object))
	}
	holds("none is left", len(t.found(template{kind})) == 0)
	refused("an object that is gone", pkcs11.CKR_OBJECT_HANDLE_INVALID, t.DestroyObject(t.session, two[0]))
}
