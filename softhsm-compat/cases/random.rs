//! Random bytes.

use crate::{case::Cases, hsm::*};

pub(crate) fn cases(list: &mut Cases) {
    list.group("Random bytes");
    list.add("random bytes are others each time", "OK OK differ", |t| {
        let session = t.public();
        let (mut one, mut other) = ([0; 32], [0; 32]);
        say!(t, C_GenerateRandom(session, one.as_mut_ptr(), 32));
        say!(t, C_GenerateRandom(session, other.as_mut_ptr(), 32));
        t.word(if one == other || one == [0; 32] { "same" } else { "differ" });
    });
    list.add("no random bytes", "OK", |t| {
        let session = t.public();
        let mut one = [0; 1];
        say!(t, C_GenerateRandom(session, one.as_mut_ptr(), 0));
    });
    list.add("random bytes to nowhere", "ARGUMENTS_BAD", |t| {
        let session = t.public();
        say!(t, C_GenerateRandom(session, NULL, 8));
    });
    list.add("a million random bytes", "OK", |t| {
        let session = t.public();
        let mut many = vec![0; 1 << 20];
        say!(t, C_GenerateRandom(session, many.as_mut_ptr(), 1 << 20));
        assert_ne!(many[many.len() - 16..], [0; 16]);
    });
    list.add("a seed", "OK ARGUMENTS_BAD", |t| {
        let session = t.public();
        say!(t, C_SeedRandom(session, data(b"seed"), 4));
        say!(t, C_SeedRandom(session, NULL, 4));
    });
    list.add("random bytes in no session", "SESSION_HANDLE_INVALID SESSION_HANDLE_INVALID", |t| {
        t.token();
        let mut one = [0; 1];
        say!(t, C_GenerateRandom(NOBODY, one.as_mut_ptr(), 1));
        say!(t, C_SeedRandom(NOBODY, one.as_mut_ptr(), 1));
    });
}
