//! Sessions.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*};

fn info(t: &Hsm, session: CK_SESSION_HANDLE) -> Result<CK_SESSION_INFO, CK_RV> {
    // SAFETY: numbers.
    let mut info: CK_SESSION_INFO = unsafe { std::mem::zeroed() };
    match call!(t, C_GetSessionInfo(session, &raw mut info)) {
        CKR_OK => Ok(info),
        rv => Err(rv),
    }
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Sessions");
    list.add("a session's state and flags", "0 4 0 2 6 0", |t| {
        t.token();
        for flags in [READER, WRITER] {
            let session = t.open(flags);
            let info = info(t, session).unwrap();
            t.word(info.state);
            t.word(info.flags);
            t.word(info.ulDeviceError);
        }
    });
    list.add("the officer's session", "4", |t| {
        let session = t.public();
        t.login(session, CKU_SO, OFFICER_PIN);
        t.word(info(t, session).unwrap().state);
    });
    list.add("a session that is not serial", "SESSION_PARALLEL_NOT_SUPPORTED", |t| {
        t.token();
        t.rv(outcome(&t.try_open(CKF_RW_SESSION)));
    });
    list.add("a session to nowhere", "ARGUMENTS_BAD", |t| {
        t.token();
        say!(t, C_OpenSession(t.slot, WRITER, ptr::null_mut(), None, ptr::null_mut()));
    });
    list.add("a session with an unknown flag", "OK", |t| {
        t.token();
        t.rv(outcome(&t.try_open(WRITER | 0x8000)));
    });
    list.add("close a session twice", "OK SESSION_HANDLE_INVALID", |t| {
        let session = t.public();
        say!(t, C_CloseSession(session));
        say!(t, C_CloseSession(session));
    });
    list.add("close all sessions", "OK SESSION_HANDLE_INVALID SESSION_HANDLE_INVALID OK", |t| {
        let session = t.public();
        let other = t.open(READER);
        say!(t, C_CloseAllSessions(t.slot));
        t.rv(outcome(&info(t, session)));
        t.rv(outcome(&info(t, other)));
        say!(t, C_CloseAllSessions(t.slot));
    });
    list.add("close all sessions of no slot", "SLOT_ID_INVALID", |t| {
        t.start();
        say!(t, C_CloseAllSessions(NOBODY));
    });
    list.add("three hundred sessions", "300 OK", |t| {
        t.token();
        let sessions: Vec<_> = (0..300).map(|_| t.open(READER)).collect();
        t.word(sessions.len());
        t.rv(outcome(&info(t, sessions[299])));
    });
    list.add("the information about a session to nowhere", "ARGUMENTS_BAD", |t| {
        let session = t.public();
        say!(t, C_GetSessionInfo(session, ptr::null_mut()));
    });
    list.add("handles are not used again", "differ", |t| {
        let first = t.public();
        call!(t, C_CloseSession(first));
        t.word(if t.open(WRITER) == first { "same" } else { "differ" });
    });
    list.add("a session takes its objects with it", "1 0", |t| {
        let session = t.user();
        let other = t.open(WRITER);
        t.create(&[number(CKA_CLASS, CKO_DATA), no(CKA_TOKEN), no(CKA_PRIVATE)]);
        t.session = other;
        t.word(t.count(&[]).unwrap());
        call!(t, C_CloseSession(session));
        t.word(t.count(&[]).unwrap());
    });
    list.add("a read-only session makes a token object", "SESSION_READ_ONLY OK", |t| {
        t.user();
        t.session = t.open(READER);
        t.rv(outcome(&t.try_create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), no(CKA_PRIVATE)])));
        t.rv(outcome(&t.try_create(&[number(CKA_CLASS, CKO_DATA), no(CKA_TOKEN), no(CKA_PRIVATE)])));
    });
    list.add("a read-only session changes and destroys a token object", "SESSION_READ_ONLY SESSION_READ_ONLY", |t| {
        t.user();
        let object = t.create(&[number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), no(CKA_PRIVATE)]);
        t.session = t.open(READER);
        t.rv(t.set(object, &[bytes(CKA_LABEL, b"x")]));
        say!(t, C_DestroyObject(t.session, object));
    });
    list.add("the end takes sessions with it", "SESSION_HANDLE_INVALID", |t| {
        let session = t.user();
        call!(t, C_Finalize(ptr::null_mut()));
        call!(t, C_Initialize(ptr::null_mut()));
        t.rv(outcome(&info(t, session)));
    });

    list.group("The state of an operation");
    list.add("save the state of a digest", "OK FUNCTION_NOT_SUPPORTED", |t| {
        let session = t.user();
        let (mut place, mut room) = ([0; 512], 512);
        t.rv(t.begin(Do::Digest, &plain(CKM_SHA256), 0));
        say!(t, C_GetOperationState(session, place.as_mut_ptr(), &raw mut room));
    });
    list.add("save the state of no operation", "FUNCTION_NOT_SUPPORTED", |t| {
        let session = t.user();
        let (mut place, mut room) = ([0; 512], 512);
        say!(t, C_GetOperationState(session, place.as_mut_ptr(), &raw mut room));
    });
    list.add("restore a state", "FUNCTION_NOT_SUPPORTED", |t| {
        let session = t.user();
        let mut place = [0; 512];
        say!(t, C_SetOperationState(session, place.as_mut_ptr(), 512, 0, 0));
    });
}
