//! Tokens and PINs.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*};

fn flags(t: &Hsm) -> CK_FLAGS {
    info(t).flags
}

fn info(t: &Hsm) -> CK_TOKEN_INFO {
    // SAFETY: numbers and bytes.
    let mut token: CK_TOKEN_INFO = unsafe { std::mem::zeroed() };
    assert_eq!(call!(t, C_GetTokenInfo(t.slot, &raw mut token)), CKR_OK);
    token
}

fn set_pin(t: &Hsm, session: CK_SESSION_HANDLE, old: &[u8], new: &[u8]) -> CK_RV {
    call!(t, C_SetPIN(session, data(old), length(old), data(new), length(new)))
}

/// The flags that tell about a token's state.
const STATE: CK_FLAGS = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | CKF_TOKEN_INITIALIZED;

pub(crate) fn cases(list: &mut Cases) {
    list.group("Tokens");
    list.add("the flags of a token on its way", "5 405 40d", |t| {
        t.start();
        t.word(format!("{:x}", flags(t) & STATE));
        t.init_token(OFFICER_PIN, "case");
        t.word(format!("{:x}", flags(t) & STATE));
        let session = t.open(WRITER);
        t.login(session, CKU_SO, OFFICER_PIN);
        call!(t, C_InitPIN(session, data(USER_PIN), length(USER_PIN)));
        t.word(format!("{:x}", flags(t) & STATE));
    });
    list.add("initialise a token", "OK case", |t| {
        t.start();
        t.rv(t.init_token(OFFICER_PIN, "case"));
        t.word(String::from_utf8_lossy(&info(t).label).trim_end());
    });
    list.add("all flags of a token", "42d", |t| {
        t.token();
        t.word(format!("{:x}", flags(t)));
    });
    list.add("the token's words about itself", "SoftHSM_project SoftHSM_v2 16", |t| {
        t.token();
        let token = info(t);
        t.word(String::from_utf8_lossy(&token.manufacturerID).trim_end().replace(' ', "_"));
        t.word(String::from_utf8_lossy(&token.model).trim_end().replace(' ', "_"));
        t.word(String::from_utf8_lossy(&token.serialNumber).trim_end().len());
    });
    list.add("initialise a token without a label", "ARGUMENTS_BAD", |t| {
        t.start();
        say!(t, C_InitToken(t.slot, data(OFFICER_PIN), length(OFFICER_PIN), NULL));
    });
    list.add("initialise a token without a PIN", "ARGUMENTS_BAD", |t| {
        t.start();
        let mut label = [b' '; 32];
        say!(t, C_InitToken(t.slot, NULL, 0, label.as_mut_ptr()));
    });
    list.add("initialise a token with a PIN of three bytes", "PIN_INCORRECT", |t| {
        t.start();
        t.rv(t.init_token(b"123", "case"));
    });
    list.add("initialise a token with a PIN of 256 bytes", "PIN_INCORRECT", |t| {
        t.start();
        t.rv(t.init_token(&[b'1'; 256], "case"));
    });
    list.add("initialise a token in no slot", "SLOT_ID_INVALID", |t| {
        t.start();
        t.slot = NOBODY;
        t.rv(t.init_token(OFFICER_PIN, "case"));
    });
    list.add("initialise a token anew with a wrong PIN", "PIN_INCORRECT", |t| {
        t.token();
        t.rv(t.init_token(b"wrong-pin", "again"));
    });
    list.add("initialise a token anew", "OK 405 again", |t| {
        t.token();
        t.rv(t.init_token(OFFICER_PIN, "again"));
        t.word(format!("{:x}", flags(t) & STATE));
        t.word(String::from_utf8_lossy(&info(t).label).trim_end());
    });
    list.add("initialise a token anew while there is a session", "SESSION_EXISTS", |t| {
        t.public();
        t.rv(t.init_token(OFFICER_PIN, "again"));
    });
    list.add("a token anew has lost its objects", "1 OK 0", |t| {
        t.user();
        t.create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), no(CKA_PRIVATE), bytes(CKA_LABEL, b"x")]);
        t.word(t.count(&[]).unwrap());
        call!(t, C_CloseAllSessions(t.slot));
        t.rv(t.init_token(OFFICER_PIN, "again"));
        t.session = t.open(WRITER);
        t.word(t.count(&[]).unwrap());
    });
    list.add("the lengths of PINs", "4 255", |t| {
        t.token();
        let token = info(t);
        t.word(token.ulMinPinLen);
        t.word(token.ulMaxPinLen);
    });
    list.add("the counts of sessions", "18446744073709551615 18446744073709551615", |t| {
        t.public();
        let token = info(t);
        t.word(token.ulSessionCount);
        t.word(token.ulRwSessionCount);
    });
    list.add("the numbers that nobody knows", "unlimited unlimited unknown", |t| {
        t.token();
        let token = info(t);
        for number in [token.ulMaxSessionCount, token.ulMaxRwSessionCount, token.ulFreePublicMemory] {
            t.word(match number {
                CK_EFFECTIVELY_INFINITE => "unlimited".into(),
                CK_UNAVAILABLE_INFORMATION => "unknown".into(),
                number => number.to_string(),
            });
        }
    });

    list.group("PINs");
    list.add("the officer sets the user's PIN", "OK OK OK", |t| {
        t.officer_only();
        let session = t.open(WRITER);
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
        say!(t, C_InitPIN(session, data(USER_PIN), length(USER_PIN)));
        call!(t, C_Logout(session));
        t.rv(t.login(session, CKU_USER, USER_PIN));
    });
    list.add("nobody sets the user's PIN", "USER_NOT_LOGGED_IN", |t| {
        let session = t.public();
        say!(t, C_InitPIN(session, data(USER_PIN), length(USER_PIN)));
    });
    list.add("the user sets the user's PIN as the officer does", "USER_NOT_LOGGED_IN", |t| {
        let session = t.user();
        say!(t, C_InitPIN(session, data(USER_PIN), length(USER_PIN)));
    });
    list.add("the officer sets a PIN of three bytes", "PIN_LEN_RANGE", |t| {
        let session = t.public();
        t.login(session, CKU_SO, OFFICER_PIN);
        say!(t, C_InitPIN(session, data(b"123"), 3));
    });
    list.add("the officer sets no PIN", "ARGUMENTS_BAD", |t| {
        let session = t.public();
        t.login(session, CKU_SO, OFFICER_PIN);
        say!(t, C_InitPIN(session, NULL, 0));
    });
    list.add("the officer gives a user who forgot his PIN his objects back", "OK OK 1", |t| {
        let session = t.user();
        t.create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), yes(CKA_PRIVATE), bytes(CKA_VALUE, b"x")]);
        call!(t, C_Logout(session));
        t.login(session, CKU_SO, OFFICER_PIN);
        say!(t, C_InitPIN(session, data(b"another-pin"), 11));
        call!(t, C_Logout(session));
        t.rv(t.login(session, CKU_USER, b"another-pin"));
        t.word(t.count(&[]).unwrap());
    });
    list.add("the user changes his PIN", "OK PIN_INCORRECT OK", |t| {
        let session = t.user();
        t.rv(set_pin(t, session, USER_PIN, b"another-pin"));
        call!(t, C_Logout(session));
        t.rv(t.login(session, CKU_USER, USER_PIN));
        t.rv(t.login(session, CKU_USER, b"another-pin"));
    });
    list.add("the officer changes his PIN", "OK PIN_INCORRECT OK", |t| {
        let session = t.public();
        t.login(session, CKU_SO, OFFICER_PIN);
        t.rv(set_pin(t, session, OFFICER_PIN, b"another-pin"));
        call!(t, C_Logout(session));
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
        t.rv(t.login(session, CKU_SO, b"another-pin"));
    });
    list.add("without a log-in the user's PIN is changed", "OK OK", |t| {
        let session = t.public();
        t.rv(set_pin(t, session, USER_PIN, b"another-pin"));
        t.rv(t.login(session, CKU_USER, b"another-pin"));
    });
    list.add("a PIN is changed with a wrong old one", "PIN_INCORRECT", |t| {
        let session = t.user();
        t.rv(set_pin(t, session, b"wrong-pin", b"another-pin"));
    });
    list.add("a PIN is changed to three bytes", "PIN_LEN_RANGE", |t| {
        let session = t.user();
        t.rv(set_pin(t, session, USER_PIN, b"123"));
    });
    list.add("a PIN is changed in a read-only session", "SESSION_READ_ONLY", |t| {
        t.token();
        let session = t.open(READER);
        t.rv(set_pin(t, session, USER_PIN, b"another-pin"));
    });
    list.add("a PIN is changed to nothing", "ARGUMENTS_BAD ARGUMENTS_BAD", |t| {
        let session = t.user();
        say!(t, C_SetPIN(session, data(USER_PIN), length(USER_PIN), NULL, 5));
        say!(t, C_SetPIN(session, NULL, 5, data(USER_PIN), length(USER_PIN)));
    });
    list.add("a PIN with bytes that are no text", "OK OK", |t| {
        let session = t.user();
        t.rv(set_pin(t, session, USER_PIN, &[0, 255, 1, 128, 7]));
        call!(t, C_Logout(session));
        t.rv(t.login(session, CKU_USER, &[0, 255, 1, 128, 7]));
    });
    list.add("after a wrong PIN the flags tell", "PIN_INCORRECT 10000 OK 0", |t| {
        const LOW: CK_FLAGS = CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED;
        let session = t.public();
        t.rv(t.login(session, CKU_USER, b"wrong-pin"));
        t.word(format!("{:x}", flags(t) & LOW));
        t.rv(t.login(session, CKU_USER, USER_PIN));
        t.word(format!("{:x}", flags(t) & LOW));
    });
    list.add("twenty wrong PINs of the user", "PIN_INCORRECT OK", |t| {
        let session = t.public();
        for _ in 0..19 {
            t.login(session, CKU_USER, b"wrong-pin");
        }
        t.rv(t.login(session, CKU_USER, b"wrong-pin"));
        t.rv(t.login(session, CKU_USER, USER_PIN));
    });
    list.add("twenty wrong PINs of the officer", "PIN_INCORRECT OK", |t| {
        let session = t.public();
        for _ in 0..19 {
            t.login(session, CKU_SO, b"wrong-pin");
        }
        t.rv(t.login(session, CKU_SO, b"wrong-pin"));
        t.rv(t.login(session, CKU_SO, OFFICER_PIN));
    });
    list.add("log in where the user has no PIN", "USER_PIN_NOT_INITIALIZED", |t| {
        t.officer_only();
        let session = t.open(WRITER);
        t.rv(t.login(session, CKU_USER, USER_PIN));
    });
    list.add("a session on a token that is not initialised", "TOKEN_NOT_RECOGNIZED", |t| {
        t.start();
        let mut session = 0;
        say!(t, C_OpenSession(t.slot, WRITER, ptr::null_mut(), None, &raw mut session));
    });
}
