//! Who is logged in, in every order.

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*};

fn state(t: &Hsm, session: CK_SESSION_HANDLE) -> CK_STATE {
    // SAFETY: numbers.
    let mut info: CK_SESSION_INFO = unsafe { std::mem::zeroed() };
    assert_eq!(call!(t, C_GetSessionInfo(session, &raw mut info)), CKR_OK);
    info.state
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Log-in");
    list.add("the user logs in and out", "OK OK", |t| {
        let session = t.public();
        t.rv(t.login(session, CKU_USER, USER_PIN));
        say!(t, C_Logout(session));
    });
    list.add("the user logs in twice", "USER_ALREADY_LOGGED_IN", |t| {
        let session = t.user();
        t.rv(t.login(session, CKU_USER, USER_PIN));
    });
    list.add("the user logs in twice, with a wrong PIN", "USER_ALREADY_LOGGED_IN", |t| {
        let session = t.user();
        t.rv(t.login(session, CKU_USER, b"wrong-pin"));
    });
    list.add("the user logs in once for all sessions", "3 1 3 USER_ALREADY_LOGGED_IN", |t| {
        let session = t.user();
        let (writer, reader) = (t.open(WRITER), t.open(READER));
        for session in [session, reader, writer] {
            t.word(state(t, session));
        }
        t.rv(t.login(reader, CKU_USER, USER_PIN));
    });
    list.add("the officer logs in after the user", "USER_ANOTHER_ALREADY_LOGGED_IN", |t| {
        let session = t.user();
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
    });
    list.add("the user logs in after the officer", "OK USER_ANOTHER_ALREADY_LOGGED_IN", |t| {
        let session = t.public();
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
        t.rv(t.login(session, CKU_USER, USER_PIN));
    });
    list.add("the officer logs in twice", "OK USER_ALREADY_LOGGED_IN", |t| {
        let session = t.public();
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
    });
    list.add("the officer logs in to a read-only session", "SESSION_READ_ONLY_EXISTS", |t| {
        t.token();
        let session = t.open(READER);
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
    });
    list.add("the officer logs in beside a read-only session", "SESSION_READ_ONLY_EXISTS", |t| {
        let session = t.public();
        t.open(READER);
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
    });
    list.add("a read-only session beside the officer's", "OK SESSION_READ_WRITE_SO_EXISTS", |t| {
        let session = t.public();
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
        t.rv(outcome(&t.try_open(READER)));
    });
    list.add("a wrong PIN", "PIN_INCORRECT PIN_INCORRECT", |t| {
        let session = t.public();
        t.rv(t.login(session, CKU_USER, b"wrong-pin"));
        t.rv(t.login(session, CKU_SO, b"wrong-pin"));
    });
    list.add("a PIN of three bytes", "PIN_INCORRECT", |t| {
        let session = t.public();
        t.rv(t.login(session, CKU_USER, b"123"));
    });
    list.add("no PIN", "ARGUMENTS_BAD", |t| {
        let session = t.public();
        say!(t, C_Login(session, CKU_USER, NULL, 0));
    });
    list.add("an empty PIN", "PIN_INCORRECT", |t| {
        let session = t.public();
        t.rv(t.login(session, CKU_USER, b""));
    });
    list.add("a user that is none", "USER_TYPE_INVALID", |t| {
        let session = t.public();
        t.rv(t.login(session, 7, USER_PIN));
    });
    list.add("the context's user without an operation", "OPERATION_NOT_INITIALIZED", |t| {
        let session = t.user();
        t.rv(t.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN));
    });
    list.add("log out without a log-in", "OK", |t| {
        let session = t.public();
        say!(t, C_Logout(session));
    });
    list.add("log out twice", "OK OK", |t| {
        let session = t.user();
        say!(t, C_Logout(session));
        say!(t, C_Logout(session));
    });
    list.add("a log-out is for all sessions", "3 2 0", |t| {
        let session = t.user();
        let (writer, reader) = (t.open(WRITER), t.open(READER));
        t.word(state(t, writer));
        call!(t, C_Logout(session));
        t.word(state(t, writer));
        t.word(state(t, reader));
    });
    list.add("the last session takes the log-in with it", "2", |t| {
        let session = t.user();
        call!(t, C_CloseSession(session));
        let session = t.open(WRITER);
        t.word(state(t, session));
    });
    list.add("a log-out hides private objects", "1 OBJECT_HANDLE_INVALID 0", |t| {
        let session = t.user();
        let object = t.create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), yes(CKA_PRIVATE), bytes(CKA_VALUE, b"x")]);
        t.word(t.count(&[]).unwrap());
        call!(t, C_Logout(session));
        t.answer(t.get(object, CKA_VALUE));
        t.word(t.count(&[]).unwrap());
    });
    list.add("a log-out destroys private session objects", "OK 0", |t| {
        let session = t.user();
        t.rv(outcome(&t.try_create(&[number(CKA_CLASS, CKO_DATA), no(CKA_TOKEN), yes(CKA_PRIVATE)])));
        call!(t, C_Logout(session));
        t.login(session, CKU_USER, USER_PIN);
        t.word(t.count(&[]).unwrap());
    });
    list.add("a log-out leaves public objects", "1", |t| {
        let session = t.user();
        t.create(&[number(CKA_CLASS, CKO_DATA), no(CKA_TOKEN), no(CKA_PRIVATE)]);
        call!(t, C_Logout(session));
        t.word(t.count(&[]).unwrap());
    });
    list.add("a log-out in the middle of a signature", "OK f0133729c4163ded/32", |t| {
        let session = t.user();
        let key = crate::keys::generic(t, 32);
        call!(t, C_SignInit(session, plain(CKM_SHA256_HMAC).raw(), key));
        say!(t, C_Logout(session));
        let answer = t.whole(Do::Sign, b"abc");
        t.answer(answer);
    });
    list.add("the officer sees no private objects", "0", |t| {
        let session = t.user();
        t.create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), yes(CKA_PRIVATE)]);
        call!(t, C_Logout(session));
        t.login(session, CKU_SO, OFFICER_PIN);
        t.word(t.count(&[]).unwrap());
    });
    list.add("the officer makes a private object", "USER_NOT_LOGGED_IN", |t| {
        let session = t.public();
        t.login(session, CKU_SO, OFFICER_PIN);
        t.rv(outcome(&t.try_create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), yes(CKA_PRIVATE)])));
    });
    list.add("the officer makes a public object", "OK", |t| {
        let session = t.public();
        t.login(session, CKU_SO, OFFICER_PIN);
        t.rv(outcome(&t.try_create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), no(CKA_PRIVATE)])));
    });
    list.add("a key that asks for the PIN at each use", "OK USER_NOT_LOGGED_IN OK 128", |t| {
        let session = t.user();
        let mut key = crate::keys::rsa_private_template();
        key.retain(|attribute| attribute.0 != CKA_PRIVATE);
        key.extend([yes(CKA_PRIVATE), yes(CKA_ALWAYS_AUTHENTICATE)]);
        let key = t.create(&key);
        t.rv(t.begin(Do::Sign, &plain(CKM_RSA_PKCS), key));
        t.size(&t.whole(Do::Sign, b"abc"));
        t.begin(Do::Sign, &plain(CKM_RSA_PKCS), key);
        t.rv(t.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN));
        t.size(&t.whole(Do::Sign, b"abc"));
    });
}
