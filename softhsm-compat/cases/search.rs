//! Searches.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*, keys::*};

fn datum(label: &[u8], more: &[Attribute]) -> Vec<Attribute> {
    joined(&joined(&[number(CKA_CLASS, CKO_DATA), bytes(CKA_LABEL, label)], &open()), more)
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Searches");
    list.add("an empty token", "0", |t| {
        t.user();
        t.word(t.count(&[]).unwrap());
    });
    list.add("by label, class and both", "3 2 3 1 0", |t| {
        t.user();
        t.create(&datum(b"one", &[]));
        t.create(&datum(b"two", &[]));
        t.create(&datum(b"one", &[]));
        for template in [
            vec![],
            vec![bytes(CKA_LABEL, b"one")],
            vec![number(CKA_CLASS, CKO_DATA)],
            vec![number(CKA_CLASS, CKO_DATA), bytes(CKA_LABEL, b"two")],
            vec![bytes(CKA_LABEL, b"on")],
        ] {
            t.word(t.count(&template).unwrap());
        }
    });
    list.add("by an attribute that no object has", "0 0", |t| {
        t.user();
        t.create(&datum(b"one", &[]));
        t.word(t.count(&[bytes(CKA_MODULUS, b"x")]).unwrap());
        t.word(t.count(&[bytes(0x7777, b"x")]).unwrap());
    });
    list.add("by an empty label", "1", |t| {
        t.user();
        t.create(&datum(b"", &[]));
        t.create(&datum(b"one", &[]));
        t.word(t.count(&[bytes(CKA_LABEL, b"")]).unwrap());
    });
    list.add("by the value of a sensitive key", "1", |t| {
        t.user();
        let key = aes(t, 16);
        t.set(key, &[yes(CKA_SENSITIVE)]);
        t.word(t.count(&[bytes(CKA_VALUE, &(0..16).collect::<Vec<u8>>())]).unwrap());
    });
    list.add("by the value of a key that can be read", "1", |t| {
        t.user();
        aes(t, 16);
        t.word(t.count(&[bytes(CKA_VALUE, &(0..16).collect::<Vec<u8>>())]).unwrap());
    });
    list.add("by flags", "1 1", |t| {
        t.user();
        aes(t, 16);
        t.create(&datum(b"one", &[]));
        t.word(t.count(&[yes(CKA_ENCRYPT)]).unwrap());
        t.word(t.count(&[no(CKA_SENSITIVE)]).unwrap());
    });
    list.add("by the list of allowed mechanisms", "0", |t| {
        t.user();
        let list = bytes(CKA_ALLOWED_MECHANISMS, &CKM_AES_CBC.to_ne_bytes());
        t.create(&joined(&secret_template(CKK_AES, &[1; 16]), std::slice::from_ref(&list)));
        t.word(t.count(&[list]).unwrap());
    });
    list.add("one after the other", "1 1 0 0", |t| {
        let session = t.user();
        t.create(&datum(b"one", &[]));
        t.create(&datum(b"two", &[]));
        call!(t, C_FindObjectsInit(session, ptr::null_mut(), 0));
        for _ in 0..4 {
            let (mut object, mut found) = (0, 9);
            call!(t, C_FindObjects(session, &raw mut object, 1, &raw mut found));
            t.word(found);
        }
    });
    list.add("two hundred and fifty objects", "250", |t| {
        t.user();
        for _ in 0..250 {
            t.create(&datum(b"one", &[]));
        }
        t.word(t.count(&[]).unwrap());
    });
    list.add("with room for none", "OK 0 1", |t| {
        let session = t.user();
        t.create(&datum(b"one", &[]));
        let (mut object, mut found) = (0, 9);
        call!(t, C_FindObjectsInit(session, ptr::null_mut(), 0));
        say!(t, C_FindObjects(session, &raw mut object, 0, &raw mut found));
        t.word(found);
        call!(t, C_FindObjects(session, &raw mut object, 1, &raw mut found));
        t.word(found);
    });
    list.add("a search within a search", "OK OPERATION_ACTIVE OK", |t| {
        let session = t.user();
        say!(t, C_FindObjectsInit(session, ptr::null_mut(), 0));
        say!(t, C_FindObjectsInit(session, ptr::null_mut(), 0));
        say!(t, C_FindObjectsFinal(session));
    });
    list.add("a search beside a digest", "OK OPERATION_ACTIVE", |t| {
        let session = t.user();
        say!(t, C_FindObjectsInit(session, ptr::null_mut(), 0));
        t.rv(t.begin(Do::Digest, &plain(CKM_SHA256), 0));
    });
    list.add("no search", "OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED", |t| {
        let session = t.user();
        let (mut object, mut found) = (0, 9);
        say!(t, C_FindObjects(session, &raw mut object, 1, &raw mut found));
        say!(t, C_FindObjectsFinal(session));
    });
    list.add("a search to nowhere", "ARGUMENTS_BAD ARGUMENTS_BAD", |t| {
        let session = t.user();
        let (mut object, mut found) = (0, 9);
        say!(t, C_FindObjectsInit(session, ptr::null_mut(), 1));
        call!(t, C_FindObjectsInit(session, ptr::null_mut(), 0));
        say!(t, C_FindObjects(session, ptr::null_mut(), 1, &raw mut found));
        let _ = call!(t, C_FindObjects(session, &raw mut object, 1, ptr::null_mut()));
    });
    list.add("an object that is destroyed meanwhile", "1 OBJECT_HANDLE_INVALID", |t| {
        let session = t.user();
        let one = t.create(&datum(b"one", &[]));
        call!(t, C_FindObjectsInit(session, ptr::null_mut(), 0));
        call!(t, C_DestroyObject(session, one));
        let (mut object, mut found) = (0, 9);
        call!(t, C_FindObjects(session, &raw mut object, 1, &raw mut found));
        t.word(found);
        t.answer(t.get(object, CKA_LABEL));
    });
    list.add("private objects without a log-in", "0 1", |t| {
        let session = t.user();
        t.create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), yes(CKA_PRIVATE)]);
        t.create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), no(CKA_PRIVATE)]);
        call!(t, C_Logout(session));
        t.word(t.count(&[yes(CKA_PRIVATE)]).unwrap());
        t.word(t.count(&[]).unwrap());
    });
    list.add("public secret keys without a log-in", "1", |t| {
        let session = t.user();
        t.create(&[
            number(CKA_CLASS, CKO_SECRET_KEY),
            number(CKA_KEY_TYPE, CKK_AES),
            bytes(CKA_VALUE, &[1; 16]),
            yes(CKA_TOKEN),
            no(CKA_PRIVATE),
            no(CKA_SENSITIVE),
            yes(CKA_EXTRACTABLE),
        ]);
        call!(t, C_Logout(session));
        t.word(t.count(&[number(CKA_CLASS, CKO_SECRET_KEY)]).unwrap());
    });
    list.add("objects of another session", "1", |t| {
        t.user();
        t.create(&datum(b"one", &[]));
        t.session = t.open(READER);
        t.word(t.count(&[]).unwrap());
    });
}
