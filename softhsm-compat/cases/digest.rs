//! Digests.

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*, keys::*};

pub(crate) fn cases(list: &mut Cases) {
    list.group("Digests");
    for (name, mechanism, want) in [
        ("MD5", CKM_MD5, "900150983cd24fb0/16"),
        ("SHA-1", CKM_SHA_1, "a9993e364706816a/20"),
        ("SHA-224", CKM_SHA224, "23097d223405d822/28"),
        ("SHA-256", CKM_SHA256, "ba7816bf8f01cfea/32"),
        ("SHA-384", CKM_SHA384, "cb00753f45a35e8b/48"),
        ("SHA-512", CKM_SHA512, "ddaf35a193617aba/64"),
    ] {
        list.add(format!("{name} of abc, at once and in parts"), format!("{want} {want}"), move |t| {
            t.public();
            t.answer(t.run(Do::Digest, &plain(mechanism), 0, b"abc"));
            t.answer(t.parts(Do::Digest, &plain(mechanism), 0, &[b"a", b"", b"bc"]));
        });
    }
    list.add("SHA3-256", "MECHANISM_INVALID", |t| {
        t.public();
        t.rv(t.begin(Do::Digest, &plain(CKM_SHA3_256), 0));
    });
    list.add("a digest of nothing, at once and in no parts", "e3b0c44298fc1c14/32 e3b0c44298fc1c14/32", |t| {
        t.public();
        t.answer(t.run(Do::Digest, &plain(CKM_SHA256), 0, b""));
        t.answer(t.parts(Do::Digest, &plain(CKM_SHA256), 0, &[]));
    });
    list.add("a digest's length, too small a place, and the digest", "OK OK 32 BUFFER_TOO_SMALL 32 OK", |t| {
        t.public();
        t.rv(t.begin(Do::Digest, &plain(CKM_SHA256), 0));
        let (mut place, mut room) = ([0; 64], 0);
        t.rv(t.whole_in(Do::Digest, b"abc", NULL, &mut room));
        t.word(room);
        room = 31;
        t.rv(t.whole_in(Do::Digest, b"abc", place.as_mut_ptr(), &mut room));
        t.word(room);
        t.rv(t.whole_in(Do::Digest, b"abc", place.as_mut_ptr(), &mut room));
    });
    list.add("the length of a digest in parts, and too small a place", "OK 32 BUFFER_TOO_SMALL 32 OK", |t| {
        let session = t.public();
        t.begin(Do::Digest, &plain(CKM_SHA256), 0);
        t.update(Do::Digest, b"abc").unwrap();
        let (mut place, mut room) = ([0; 64], 0);
        say!(t, C_DigestFinal(session, NULL, &raw mut room));
        t.word(room);
        room = 31;
        say!(t, C_DigestFinal(session, place.as_mut_ptr(), &raw mut room));
        t.word(room);
        say!(t, C_DigestFinal(session, place.as_mut_ptr(), &raw mut room));
    });
    list.add("a digest is over when it is over", "OPERATION_NOT_INITIALIZED", |t| {
        t.public();
        let _ = t.run(Do::Digest, &plain(CKM_SHA256), 0, b"abc");
        t.answer(t.whole(Do::Digest, b"abc"));
    });
    list.add("a digest within a digest", "OK OPERATION_ACTIVE", |t| {
        t.public();
        t.rv(t.begin(Do::Digest, &plain(CKM_SHA256), 0));
        t.rv(t.begin(Do::Digest, &plain(CKM_SHA256), 0));
    });
    list.add("a digest at once after a part", "bbb59da3af939f7a/32", |t| {
        t.public();
        t.begin(Do::Digest, &plain(CKM_SHA256), 0);
        t.update(Do::Digest, b"abc").unwrap();
        t.answer(t.whole(Do::Digest, b"abc"));
    });
    list.add(
        "a digest that was not begun",
        "OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED",
        |t| {
            t.public();
            t.answer(t.whole(Do::Digest, b"abc"));
            t.answer(t.update(Do::Digest, b"abc"));
            t.answer(t.end(Do::Digest));
        },
    );
    list.add("a digest by a mechanism that is none", "MECHANISM_INVALID ARGUMENTS_BAD", |t| {
        let session = t.public();
        t.rv(t.begin(Do::Digest, &with(CKM_AES_CBC, &[0; 16]), 0));
        say!(t, C_DigestInit(session, std::ptr::null_mut()));
    });
    list.add("a digest with a parameter", "OK", |t| {
        t.public();
        t.rv(t.begin(Do::Digest, &with(CKM_SHA256, &[1, 2, 3]), 0));
    });
    list.add("a digest of a key", "OK 630dcd2966c43366/32", |t| {
        let session = t.user();
        let key = generic(t, 32);
        t.begin(Do::Digest, &plain(CKM_SHA256), 0);
        say!(t, C_DigestKey(session, key));
        t.answer(t.end(Do::Digest));
    });
    list.add("a digest of a sensitive key", "OK", |t| {
        let session = t.user();
        let key = generic(t, 32);
        t.set(key, &[no(CKA_EXTRACTABLE)]);
        t.begin(Do::Digest, &plain(CKM_SHA256), 0);
        say!(t, C_DigestKey(session, key));
    });
    list.add("a digest of a public key", "KEY_INDIGESTIBLE", |t| {
        let session = t.user();
        let (key, _) = rsa_pair(t);
        t.begin(Do::Digest, &plain(CKM_SHA256), 0);
        say!(t, C_DigestKey(session, key));
    });
    list.add("a digest of no key", "KEY_HANDLE_INVALID", |t| {
        let session = t.user();
        t.begin(Do::Digest, &plain(CKM_SHA256), 0);
        say!(t, C_DigestKey(session, NOBODY));
    });
}
