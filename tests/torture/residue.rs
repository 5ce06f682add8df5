//! What is left of keys in a process that has logged out.
//!
//! The needles are never whole in the memory that is searched: they are kept with each byte inverted.

use std::{
    env,
    fs::{self, File},
    os::unix::fs::FileExt,
    ptr,
};

use cryptoki_sys::*;

use crate::{
    object::{bytes, create, encrypt, finalize, find_label, read, read_label, session, sign},
    p11,
    process::{Journal, Scene},
    raw::{self, attribute, generate_pair},
};

const NEEDLES: &str = "STRONGROOM_TEST_NEEDLES";

/// So much of a key counts as found.
const LEN: usize = 24;

/// Makes keys of each kind that can be read, so that somebody knows what to look for.
pub(crate) fn make_readable_keys() {
    let journal = Journal::open();
    let session = session();
    let say = |what: &str, value: &[u8]| {
        let inverted: String = value.iter().map(|byte| format!("{:02x}", !byte)).collect();
        journal.say(format!("{what} {inverted}"));
    };
    for number in 0..4_u8 {
        let (on, class, kind) = (CK_TRUE, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
        let off = CK_FALSE;
        let mut value = [0; 48];
        assert_eq!(p11!(C_GenerateRandom(session, value.as_mut_ptr(), 48)), CKR_OK);
        let label = format!("secret {number}");
        let mut template = [
            attribute(CKA_CLASS, &class),
            attribute(CKA_KEY_TYPE, &kind),
            attribute(CKA_TOKEN, &on),
            attribute(CKA_SENSITIVE, &off),
            attribute(CKA_SIGN, &on),
            bytes(CKA_VALUE, &value),
            bytes(CKA_LABEL, label.as_bytes()),
        ];
        create(session, &mut template).unwrap();
        say("secret", &value);
    }
    for label in ["rsa used", "rsa seen"] {
        let (on, off, bits) = (CK_TRUE, CK_FALSE, 2048 as CK_ULONG);
        let mut public = [attribute(CKA_MODULUS_BITS, &bits)];
        let mut private = [
            attribute(CKA_TOKEN, &on),
            attribute(CKA_SENSITIVE, &off),
            attribute(CKA_EXTRACTABLE, &on),
            attribute(CKA_SIGN, &on),
            bytes(CKA_LABEL, label.as_bytes()),
        ];
        let (rv, (_, key)) = generate_pair(session, CKM_RSA_PKCS_KEY_PAIR_GEN, &mut public, &mut private);
        assert_eq!(rv, CKR_OK);
        for part in [CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_COEFFICIENT] {
            say(label, &read(session, key, part).unwrap());
        }
    }
    finalize();
}

/// Logs in, sees and uses the keys, forks, logs out; says each time which of the needles are where.
pub(crate) fn use_and_search() {
    let journal = Journal::open();
    let needles: Vec<Vec<u8>> = env::var(NEEDLES)
        .unwrap()
        .split(' ')
        .map(|hex| (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect())
        .collect();
    let session = session();
    let key = |label: &str| find_label(session, label).unwrap()[0];
    for label in ["secret 0", "rsa seen"] {
        assert_eq!(read_label(session, key(label)).unwrap(), label);
    }
    let mac = key("secret 1");
    assert!(sign(session, mac, CKM_SHA256_HMAC).is_ok());
    assert!(sign(session, key("rsa used"), CKM_SHA256_RSA_PKCS).is_ok());
    assert!(encrypt(session, key("secret 2")).is_err(), "it may not, and was opened all the same");
    let mut mechanism = raw::mechanism(CKM_SHA256_HMAC);
    assert_eq!(p11!(C_SignInit(session, &raw mut mechanism, mac)), CKR_OK, "an operation that is going on");
    let (apart, elsewhere) = found(&needles);
    journal.say(format!("while logged in {apart} apart"));
    journal.say(format!("while logged in {elsewhere} elsewhere"));
    // SAFETY: the child searches its own memory, and leaves without anybody's destructors.
    match unsafe { libc::fork() } {
        0 => {
            let (apart, elsewhere) = found(&needles);
            journal.say(format!("in a child {apart} {elsewhere}"));
            // SAFETY: as above.
            unsafe { libc::_exit(0) };
        }
        child => {
            // SAFETY: our child.
            assert_eq!(unsafe { libc::waitpid(child, ptr::null_mut(), 0) }, child);
        }
    }
    let (mut code, mut len) = ([0; 32], 32);
    assert_eq!(p11!(C_SignFinal(session, code.as_mut_ptr(), &raw mut len)), CKR_OK, "the parent goes on");
    let says = |when: &str| {
        let (apart, elsewhere) = found(&needles);
        journal.say(format!("{when} {apart} {elsewhere}"));
    };
    assert_eq!(p11!(C_Logout(session)), CKR_OK);
    says("after logout");
    finalize();
    says("after the end");
}

/// Which needles stand in the writable memory of this process, by their numbers: in pages that are out of core dumps,
/// wiped on fork and locked, and elsewhere.
fn found(needles: &[Vec<u8>]) -> (String, String) {
    let memory = File::open("/proc/self/mem").unwrap();
    let mut hits = vec![(0_u32, 0_u32); needles.len()];
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut page = vec![0; 1 << 16];
    let mut range = None;
    for line in maps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some((begin, end)) = words[0].split_once('-').filter(|_| !words[0].ends_with(':')) {
            let ends = [begin, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            range = Some(ends).filter(|_| words[1].starts_with("rw") && !line.ends_with("[vvar]"));
            continue;
        }
        let (Some([mut at, end]), "VmFlags:") = (range, words[0]) else { continue };
        let is_apart = ["dd", "wf"].iter().all(|flag| words.contains(flag));
        let own = page.as_ptr().addr() as u64;
        while at < end {
            let len = page.len().min((end - at) as usize);
            // What is being read into would be found again.
            let is_own = at < own + page.len() as u64 + 4096 && own < at + len as u64;
            if !is_own && memory.read_exact_at(&mut page[..len], at).is_ok() {
                for (needle, (apart, elsewhere)) in needles.iter().zip(&mut hits) {
                    let first = !needle[0];
                    let candidates = page[..len].windows(LEN).filter(|window| window[0] == first);
                    let hit = |window: &[u8]| window.iter().zip(needle).all(|(byte, inverted)| *byte == !inverted);
                    let count = candidates.filter(|window| hit(window)).count() as u32;
                    *if is_apart { apart } else { elsewhere } += count;
                }
            }
            // With an overlap, so that nothing is cut in two.
            at += if len == page.len() { (len - LEN) as u64 } else { len as u64 };
        }
    }
    page.fill(0);
    let list = |count: fn(&(u32, u32)) -> u32| -> String {
        let found = hits.iter().map(count).enumerate().filter(|(_, hits)| *hits > 0);
        let words: Vec<String> = found.map(|(number, hits)| format!("{number}x{hits}")).collect();
        format!("[{}]", words.join(" "))
    };
    (list(|(apart, _)| *apart), list(|(_, elsewhere)| *elsewhere))
}

#[test]
fn keys_are_in_no_dump_and_no_child_and_after_a_logout_nowhere() {
    let scene = Scene::with_token();
    let made = scene.run("make readable keys", 0, 60).unwrap();
    let needles: Vec<&str> = made.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(needles.len(), 14);
    let directory = scene.directory.clone();
    let worker = scene.start_in(&directory, "use and search", 0, |command| {
        command.env(NEEDLES, needles.join(" "));
    });
    let said = worker.finish(60).unwrap();
    println!("{said:#?}");
    assert!(said[0].contains('x'), "the search finds what is there: {}", said[0]);
    assert_eq!(said[1], "while logged in [] elsewhere", "pages that are in dumps and in children");
    assert_eq!(said[2], "in a child [] []");
    assert_eq!(said[3], "after logout [] []");
    assert_eq!(said[4], "after the end [] []");
}
