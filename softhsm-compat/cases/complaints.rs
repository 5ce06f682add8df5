//! What users of SoftHSM complained of, by the numbers of the threads in SoftHSM's tracker, or in the one that is named.
//! `COMPLAINTS.md` has all of them.

use std::{
    env, fs,
    process::{Command, Stdio},
    ptr,
};

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*, keys::*};

/// A number of this process that the system keeps in a file of `/proc`.
fn count_of(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    let row = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    row.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

/// How often this process has called to read.
fn reads() -> u64 {
    count_of("/proc/self/io", "syscr")
}

/// How much memory this process has for data, in KiB; be it there or swapped out.
fn memory() -> u64 {
    count_of("/proc/self/status", "VmData")
}

/// A token object of anybody's.
fn kept(label: &[u8]) -> [Attribute; 4] {
    [number(CKA_CLASS, CKO_DATA), yes(CKA_TOKEN), no(CKA_PRIVATE), bytes(CKA_LABEL, label)]
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Complaints");
    list.add("#680, #711: a search reads less often than there are objects", "1 no", |t| {
        const OBJECTS: u8 = 100;
        t.user();
        for n in 0..OBJECTS {
            t.create(&kept(&[n]));
        }
        t.count(&[bytes(CKA_LABEL, &[1])]).unwrap();
        let before = reads();
        let found = t.count(&[bytes(CKA_LABEL, &[7])]).unwrap();
        t.word(found);
        t.word(if reads() - before < OBJECTS.into() { "yes" } else { "no" });
    });
    list.add("#137, #439: twenty signatures by a key of the token read less than twenty times", "no", |t| {
        t.user();
        let key = t.create(&joined(
            &[number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, CKK_GENERIC_SECRET), bytes(CKA_VALUE, &[7; 32])],
            &[yes(CKA_TOKEN), yes(CKA_PRIVATE), yes(CKA_SIGN)],
        ));
        t.run(Do::Sign, &plain(CKM_SHA256_HMAC), key, b"abc").unwrap();
        let before = reads();
        for _ in 0..20 {
            t.run(Do::Sign, &plain(CKM_SHA256_HMAC), key, b"abc").unwrap();
        }
        t.word(if reads() - before < 20 { "yes" } else { "no" });
    });
    for (what, want) in [("destroyed", "more"), ("left to a session that is closed", "more")] {
        list.add(format!("#562, #563, #863: memory after twenty thousand objects that were {what}"), want, move |t| {
            let session = t.user();
            let round = |t: &mut Hsm, objects: usize| {
                t.session = t.open(WRITER);
                for _ in 0..objects {
                    let object = t.create(&joined(&[number(CKA_CLASS, CKO_DATA), bytes(CKA_LABEL, &[7; 64])], &open()));
                    if what == "destroyed" {
                        assert_eq!(call!(t, C_DestroyObject(t.session, object)), CKR_OK);
                    }
                }
                assert_eq!(call!(t, C_CloseSession(t.session)), CKR_OK);
                t.session = session;
            };
            // The first ones come into memory that stays: an allocator's.
            round(t, 4000);
            let before = memory();
            (0..4).for_each(|_| round(t, 4000));
            t.word(if memory() < before + 2048 { "as before" } else { "more" });
        });
    }
    list.add("PowerDNS #2823: a token that another process makes", "0 1 0", |t| {
        t.start();
        let tokens = |t: &mut Hsm| {
            // The list is a new one once it was counted.
            let mut count = 0;
            assert_eq!(call!(t, C_GetSlotList(CK_TRUE, ptr::null_mut(), &raw mut count)), CKR_OK);
            let initialised = |slot: &CK_SLOT_ID| {
                // SAFETY: numbers and bytes.
                let mut token: CK_TOKEN_INFO = unsafe { std::mem::zeroed() };
                assert_eq!(call!(t, C_GetTokenInfo(*slot, &raw mut token)), CKR_OK);
                token.flags & CKF_TOKEN_INITIALIZED != 0
            };
            t.slots(CK_TRUE).iter().filter(|slot| initialised(slot)).count()
        };
        let before = tokens(t);
        t.word(before);
        let mut other = Command::new(env::current_exe().unwrap());
        other.args(["one_case_in_a_process", "--exact", "--ignored"]).env("CASE", "").env_remove("CASE_MADE");
        let place = env::var("CASE_PLACE").unwrap();
        other.env("CASE_SAID", format!("{place}/other")).stdout(Stdio::null()).stderr(Stdio::null());
        t.word(u8::from(other.status().unwrap().success()));
        let after = tokens(t);
        t.word(after);
    });
    list.add("#900: a private key signs after a log-out", "OK 127da4ced6a839b8/32", |t| {
        let session = t.user();
        let key = t.create(&joined(
            &[number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, CKK_GENERIC_SECRET), bytes(CKA_VALUE, &[7; 32])],
            &[no(CKA_TOKEN), yes(CKA_PRIVATE), yes(CKA_SIGN)],
        ));
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key));
        call!(t, C_Logout(session));
        let answer = t.whole(Do::Sign, b"abc");
        t.answer(answer);
    });
    list.add("#898: a private key is found by its template for wrapping", "1 0", |t| {
        t.user();
        let inner = [bytes(CKA_LABEL, b"inner")];
        let inner = template(&inner);
        let size = size_of::<CK_ATTRIBUTE>() * inner.len();
        // SAFETY: a C struct of numbers and a pointer to what lives until the end, read as bytes.
        let raw = unsafe { std::slice::from_raw_parts(inner.as_ptr().cast::<u8>(), size) };
        let nested = bytes(CKA_WRAP_TEMPLATE, raw);
        t.create(&joined(
            &[number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, CKK_AES), bytes(CKA_VALUE, &[7; 16])],
            &[yes(CKA_TOKEN), yes(CKA_PRIVATE), yes(CKA_WRAP), nested.clone()],
        ));
        t.word(t.count(&[number(CKA_CLASS, CKO_SECRET_KEY)]).unwrap());
        t.word(t.count(&[nested]).unwrap());
    });
    list.add("dns-tools #8: the dates of a private key", "GENERAL_ERROR GENERAL_ERROR", |t| {
        t.user();
        let key = t.create(&joined(
            &[number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, CKK_AES), bytes(CKA_VALUE, &[7; 16])],
            &[yes(CKA_TOKEN), yes(CKA_PRIVATE), bytes(CKA_START_DATE, b"20260101"), bytes(CKA_END_DATE, b"20360101")],
        ));
        for name in [CKA_START_DATE, CKA_END_DATE] {
            t.answer(t.get(key, name));
        }
    });
    list.add("#904: a template that says a length and has nothing", "signal 11", |t| {
        let session = t.user();
        t.create(&kept(b"1234"));
        let mut one = CK_ATTRIBUTE { type_: CKA_LABEL, pValue: ptr::null_mut(), ulValueLen: 4 };
        say!(t, C_FindObjectsInit(session, &raw mut one, 1));
    });
    list.add("#904: CKM_AES_GCM with an IV that says a length and has nothing", "signal 11", |t| {
        t.user();
        let key = aes(t, 16);
        let parameter = CK_GCM_PARAMS {
            pIv: ptr::null_mut(),
            ulIvLen: 12,
            ulIvBits: 96,
            pAAD: ptr::null_mut(),
            ulAADLen: 0,
            ulTagBits: 128,
        };
        t.rv(t.begin(Do::Encrypt, &with_struct(CKM_AES_GCM, &parameter, vec![]), key));
    });
}
