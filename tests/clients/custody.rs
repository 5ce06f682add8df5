//! A week in the life of a token: what goes wrong is noticed, and comes right.

use crate::guide;

#[test]
fn a_week_in_the_life_of_a_token_is_as_its_page_says() {
    let said = guide::follow("custody");
    for what in [
        "the program fails",
        "lookup of the deleted key 'signer'",
        "strongroom key restore unique:",
        "key-deleted",
        "it is not there: the log was cut off",
        "it is noticed",
        "nothing is done that is not written down",
        "is right",
        "are as they were written; the last checkpoint whose signature is right is entry",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
}
