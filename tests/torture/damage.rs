//! Token files that are damaged or edited while nobody has them open.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use cryptoki_sys::*;
use rusqlite::{Connection, params, types::Value};

use crate::{
    object::{
        Outcome, bytes, create_data, create_key, destroy, encrypt, finalize, find_all, find_label, generate_pair,
        initialize, is_pair, outcome, read, read_class, read_label, session, set_label, sign, value_of,
    },
    p11,
    process::{Choices, Journal, Scene, duration, is_long},
    raw::{USER_PIN, WRITABLE, attribute, length, mechanism, text},
};

const LABELS: [&str; 8] =
    ["cipher", "cipher 2", "hash key", "curve", "modulus", "public data", "private data", "private data 2"];

/// A handful of objects of all kinds.
pub(crate) fn fill() {
    let session = session();
    create_key(session, true, "cipher", &value_of(1)).unwrap();
    create_key(session, true, "cipher 2", &value_of(2)).unwrap();
    generate_pair(session, "curve").unwrap();
    create_data(session, "public data", b"what everybody may see", CK_FALSE).unwrap();
    create_data(session, "private data", b"what the user may see", CK_TRUE).unwrap();
    create_data(session, "private data 2", b"what else the user may see", CK_TRUE).unwrap();

    let (yes, size, bits): (_, CK_ULONG, CK_ULONG) = (CK_TRUE, 32, 2048);
    let mut template = [
        attribute(CKA_TOKEN, &yes),
        attribute(CKA_SIGN, &yes),
        attribute(CKA_VALUE_LEN, &size),
        bytes(CKA_LABEL, b"hash key"),
    ];
    let (mut generate, mut key) = (mechanism(CKM_GENERIC_SECRET_KEY_GEN), 0);
    let rv = p11!(C_GenerateKey(session, &raw mut generate, template.as_mut_ptr(), 4, &raw mut key));
    assert_eq!(rv, CKR_OK);

    let mut public = [attribute(CKA_TOKEN, &yes), attribute(CKA_MODULUS_BITS, &bits), bytes(CKA_LABEL, b"modulus")];
    let mut private = [attribute(CKA_TOKEN, &yes), attribute(CKA_SIGN, &yes), bytes(CKA_LABEL, b"modulus")];
    let (mut generate, mut keys) = (mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN), (0, 0));
    let rv = p11!(C_GenerateKeyPair(
        session,
        &raw mut generate,
        public.as_mut_ptr(),
        3,
        private.as_mut_ptr(),
        3,
        &raw mut keys.0,
        &raw mut keys.1,
    ));
    assert_eq!(rv, CKR_OK);
    finalize();
}

/// Changes a little, so that what was before is an older version.
pub(crate) fn change() {
    let session = session();
    for (before, after) in [("cipher 2", "cipher of later"), ("private data 2", "data of later")] {
        let found = find_label(session, before).unwrap();
        set_label(session, found[0], after).unwrap();
    }
    let found = find_label(session, "private data").unwrap();
    destroy(session, found[0]).unwrap();
    create_data(session, "new data", b"what came later", CK_TRUE).unwrap();
    finalize();
}

/// The attributes that are looked at. Which of them an object has depends on its class.
const ATTRIBUTES: [CK_ATTRIBUTE_TYPE; 21] = [
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_LABEL,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_MODIFIABLE,
    CKA_DESTROYABLE,
    CKA_SENSITIVE,
    CKA_ALWAYS_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_NEVER_EXTRACTABLE,
    CKA_LOCAL,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_SIGN,
    CKA_VERIFY,
    CKA_DERIVE,
    CKA_EC_POINT,
    CKA_MODULUS,
    CKA_UNIQUE_ID,
];

/// Says all that can be seen and done, a line each: what was asked, and `=` with the answer or `!` with the error.
pub(crate) fn inspect() {
    let journal = Journal::open();
    initialize();
    let tell = |what: String, answer: Outcome<String>| match answer {
        Ok(answer) => journal.say(format!("{what} = {answer}")),
        Err(rv) => journal.say(format!("{what} ! {rv:#x}")),
    };
    let (mut slots, mut count, mut session) = ([0; 8], 8, 0);
    let listed = p11!(C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count));
    tell("slots".to_owned(), outcome(listed, count.to_string()));
    let slot = slots[0];
    let opened = p11!(C_OpenSession(slot, WRITABLE, std::ptr::null_mut(), None, &raw mut session));
    tell("open".to_owned(), outcome(opened, String::new()));
    let mut logged_in = false;
    if opened == CKR_OK {
        let rv = p11!(C_Login(session, CKU_USER, text(USER_PIN), length(USER_PIN)));
        tell("login".to_owned(), outcome(rv, String::new()));
        logged_in = rv == CKR_OK;
    }
    if logged_in {
        let all = find_all(session);
        tell("all".to_owned(), all.as_ref().map(|found| found.len().to_string()).map_err(|rv| *rv));
        for handle in all.unwrap_or_default() {
            match describe(session, handle) {
                Ok((name, attributes)) => tell(format!("object {name}"), Ok(attributes)),
                Err(rv) => tell("object".to_owned(), Err(rv)),
            }
        }
        for label in LABELS.iter().chain(&["cipher of later", "data of later", "new data"]) {
            let found = find_label(session, label);
            tell(format!("labelled {label}"), found.as_ref().map(|found| found.len().to_string()).map_err(|rv| *rv));
            let found = found.unwrap_or_default();
            for handle in &found {
                let used = read_class(session, *handle).and_then(|class| apply(session, class, *handle, &found));
                if used != Ok(None) {
                    tell(format!("use {label}"), used.map(Option::unwrap_or_default));
                }
            }
        }
    }
    let _ = p11!(C_Finalize(std::ptr::null_mut()));
    journal.say("end");
}

/// An object's name and its attributes.
fn describe(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE) -> Outcome<(String, String)> {
    let class = read_class(session, handle)?;
    let name = format!("{class} {}", read_label(session, handle)?);
    let mut attributes = String::new();
    for attribute in ATTRIBUTES.iter().chain((class == CKO_DATA).then_some(&CKA_VALUE)) {
        match read(session, handle, *attribute) {
            Ok(value) => attributes += &format!("{attribute:x}:{} ", hex(&value)),
            Err(CKR_ATTRIBUTE_TYPE_INVALID) => {}
            Err(rv) => return Err(rv),
        }
    }
    Ok((name, attributes))
}

/// What a key makes of known bytes; for a key with random signatures, whether the signature is right. `None` if it is
/// no key that does something.
fn apply(
    session: CK_SESSION_HANDLE,
    class: CK_OBJECT_CLASS,
    key: CK_OBJECT_HANDLE,
    found: &[CK_OBJECT_HANDLE],
) -> Outcome<Option<String>> {
    if !matches!(class, CKO_SECRET_KEY | CKO_PRIVATE_KEY) {
        return Ok(None);
    }
    let kind = CK_KEY_TYPE::from_ne_bytes(read(session, key, CKA_KEY_TYPE)?.try_into().unwrap());
    let bytes = match kind {
        CKK_AES => encrypt(session, key)?,
        CKK_RSA => sign(session, key, CKM_RSA_PKCS)?,
        CKK_GENERIC_SECRET => sign(session, key, CKM_SHA256_HMAC)?,
        _ => {
            let public = found.iter().find(|other| read_class(session, **other) == Ok(CKO_PUBLIC_KEY));
            let Some(public) = public else { return Ok(Some("no public key".to_owned())) };
            vec![u8::from(is_pair(session, *public, key)?)]
        }
    };
    Ok(Some(hex(&bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Errors that say that the token is not what it should be, and that PKCS#11 lets the functions return that are called.
/// Not among them: `CKR_GENERAL_ERROR`, which is what a panic becomes.
const NAMED: [CK_RV; 9] = [
    CKR_DEVICE_ERROR,
    CKR_DEVICE_MEMORY,
    CKR_DEVICE_REMOVED,
    CKR_TOKEN_NOT_PRESENT,
    CKR_TOKEN_NOT_RECOGNIZED,
    CKR_FUNCTION_FAILED,
    CKR_USER_PIN_NOT_INITIALIZED,
    CKR_PIN_INCORRECT,
    CKR_SLOT_ID_INVALID,
];

/// What an inspection of a damaged token came to.
enum Judgement {
    /// All as before.
    Same,
    /// At least one error, and nothing wrong beside it. The first question that was not answered.
    Noticed(String),
    /// An object is missing from a search that gave no error, or is there twice. Nothing else is wrong.
    Search(String),
    /// What must not be.
    Wrong(String),
}

/// Compares what was said of a damaged token with what was said of the same one before.
fn judge(expected: &[String], said: Result<Vec<String>, String>) -> Judgement {
    let said = match said {
        Ok(said) => said,
        Err(why) => return Judgement::Wrong(why),
    };
    if said.last().is_none_or(|line| line != "end") {
        return Judgement::Wrong(format!("it stopped after {:?}", said.last()));
    }
    let answers = |lines: &[String]| -> BTreeMap<String, Vec<String>> {
        let mut answers = BTreeMap::<_, Vec<_>>::new();
        for (what, answer) in lines.iter().filter_map(|line| line.split_once(" = ")) {
            answers.entry(what.to_owned()).or_default().push(answer.to_owned());
        }
        answers
    };
    let mut first = None;
    for (what, rv) in said.iter().filter_map(|line| line.split_once(" ! ")) {
        if !NAMED.iter().any(|named| rv == format!("{named:#x}")) {
            return Judgement::Wrong(format!("{what} gives {rv}"));
        }
        first.get_or_insert(format!("{what} ! {rv}"));
    }
    let (before, after) = (answers(expected), answers(&said));
    let mut search = None;
    for (what, answer) in &after {
        match before.get(what) {
            Some(right) if right == answer => {}
            Some(right) if what == "all" || what.starts_with("labelled") => {
                let [right, answer] = [right, answer].map(|texts| texts[0].parse::<usize>().unwrap());
                let finding = format!("{what} = {answer} instead of {right}");
                if what == "all" && answer > right {
                    return Judgement::Wrong(finding);
                }
                search.get_or_insert(finding);
            }
            // Two objects have this label, and one of them was not found, or found twice.
            Some(right) if answer.iter().all(|one| right.contains(one) || one == "no public key") => {}
            right => {
                let right = right.map_or("nothing".to_owned(), |right| right.join(", "));
                return Judgement::Wrong(format!("{what} = {} instead of {right}", answer.join(", ")));
            }
        }
    }
    match first {
        _ if search.is_some() => Judgement::Search(search.unwrap_or_default()),
        Some(first) => Judgement::Noticed(first),
        None if before == after => Judgement::Same,
        None => Judgement::Wrong("less is said than before, and no error".to_owned()),
    }
}

/// A copy of the directory with the token.
fn copy(from: &Path, to: &Path) {
    for part in ["store", "state"] {
        let _ = fs::remove_dir_all(to.join(part));
        fs::create_dir_all(to.join(part)).unwrap();
        let Ok(files) = fs::read_dir(from.join(part)) else { continue };
        for file in files {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(part).join(file.file_name())).unwrap();
        }
    }
}

/// The token's file, which nobody has open.
fn token_file(directory: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(directory.join("store")).unwrap().map(|file| file.unwrap().path()).collect();
    let log = files.iter().find(|path| path.to_string_lossy().ends_with("-wal"));
    assert!(log.is_none_or(|log| fs::metadata(log).unwrap().len() == 0), "all is in the token file");
    files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "token")).unwrap()
}

/// The files beside the token's that have something in them.
fn other_files(directory: &Path) -> Vec<PathBuf> {
    let files = ["store", "state"].iter().flat_map(|part| fs::read_dir(directory.join(part)).into_iter().flatten());
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "token"))
        .filter(|path| fs::metadata(path).unwrap().len() > 0)
        .map(|path| path.strip_prefix(directory).unwrap().to_owned())
        .collect()
}

/// What became of many cases.
#[derive(Default)]
struct Tally {
    tried: usize,
    same: usize,
    /// How often the first question that was not answered was this one, with this error.
    noticed: BTreeMap<String, usize>,
    searches: Vec<String>,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, case: &str, judgement: Judgement) {
        self.tried += 1;
        match judgement {
            Judgement::Same => self.same += 1,
            Judgement::Noticed(first) => *self.noticed.entry(first).or_default() += 1,
            Judgement::Search(why) => self.searches.push(format!("{case}: {why}")),
            Judgement::Wrong(why) => self.wrong.push(format!("{case}: {why}")),
        }
    }

    #[track_caller]
    fn finish(self, what: &str, allowed: Allowed) {
        let noticed: usize = self.noticed.values().sum();
        println!(
            "{what}: {} tried, {noticed} noticed, {} harmless, {} wrong searches, {} wrong; {:?}",
            self.tried,
            self.same,
            self.searches.len(),
            self.wrong.len(),
            self.noticed
        );
        self.searches.iter().chain(&self.wrong).for_each(|case| println!("    {case}"));
        assert!(self.wrong.is_empty(), "{} of {} are wrong", self.wrong.len(), self.tried);
        if allowed == Allowed::Nothing {
            assert!(self.searches.is_empty(), "{} of {} make a search wrong", self.searches.len(), self.tried);
        }
    }
}

/// What a test forgives.
#[derive(PartialEq, Eq)]
enum Allowed {
    Nothing,
    /// Objects that are missing from a search without an error, or there twice.
    WrongSearches,
}

/// Does the same in two threads until it says that nothing is left to do.
fn in_two_lanes(directory: &Path, step: impl Fn(&Path) -> bool + Sync) {
    thread::scope(|scope| {
        for lane in 0..2 {
            let (directory, step) = (directory.join(format!("lane {lane}")), &step);
            scope.spawn(move || while step(&directory) {});
        }
    });
}

#[test]
#[ignore = "what fails: nobody vouches for the index yet, so a damaged term hides an object from a search without an error"]
fn every_byte_of_a_token_file_that_is_flipped_is_noticed_or_harmless() {
    flip_bytes(Allowed::Nothing);
}

#[test]
fn a_flipped_byte_gives_no_wrong_answer() {
    flip_bytes(Allowed::WrongSearches);
}

fn flip_bytes(allowed: Allowed) {
    let scene = Scene::with_token();
    scene.run("fill", 0, 60).unwrap();
    let whole = fs::read(token_file(&scene.directory)).unwrap();
    let expected = scene.run("inspect", 0, 20).unwrap();
    assert!(!expected.iter().any(|line| line.contains(" ! ")), "{expected:?}");

    let choices = Mutex::new(Choices::new());
    let end = Instant::now() + duration(8);
    let long = is_long();
    let written: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let others = other_files(&scene.directory);
    let (tally, started) = (Mutex::new(Tally::default()), AtomicUsize::new(0));
    in_two_lanes(&scene.directory, |directory| {
        if Instant::now() > end || (!long && started.fetch_add(1, Ordering::Relaxed) >= 300) {
            return false;
        }
        copy(&scene.directory, directory);
        let case = {
            let mut choices = choices.lock().unwrap();
            let mask = if choices.below(2) == 0 { 1 << choices.below(8) } else { 1 + choices.below(255) as u8 };
            let which = choices.below(10);
            // One in ten in another file than the token's; else half anywhere, half where something is written.
            let path = match others.get(choices.below(others.len().max(1))) {
                Some(other) if which == 0 => directory.join(other),
                _ => token_file(directory),
            };
            let mut bytes = fs::read(&path).unwrap();
            let at = match which {
                1..5 => written[choices.below(written.len())],
                _ => choices.below(bytes.len()),
            };
            bytes[at] ^= mask;
            fs::write(&path, &bytes).unwrap();
            let kind = path.extension().map_or("next-slot".to_owned(), |kind| kind.to_string_lossy().into_owned());
            format!("{kind} byte {at} ^ {mask:#04x}")
        };
        let said = scene.start_in(directory, "inspect", 0, |_| {}).finish(10);
        tally.lock().unwrap().count(&case, judge(&expected, said));
        true
    });
    let size = whole.len();
    tally.into_inner().unwrap().finish(&format!("flipped bytes of a file of {size}"), allowed);
}

/// A row, as it is.
type Row = Vec<Value>;

const TABLES: [(&str, usize); 4] = [("head", 4), ("record", 4), ("body", 4), ("term", 2)];

fn rows(connection: &Connection, table: &str, columns: usize) -> Vec<Row> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

/// Removes a row, found by its first two columns.
fn drop_row(connection: &Connection, table: &str, row: &Row) {
    let [first, second] = match table {
        "head" => ["only", "revision"],
        "record" => ["id", "version"],
        "body" => ["number", "terms"],
        _ => ["term", "record"],
    };
    let gone = connection
        .execute(&format!("DELETE FROM {table} WHERE {first} = ?1 AND {second} = ?2"), params![row[0], row[1]])
        .unwrap();
    assert_eq!(gone, 1);
}

fn put_row(connection: &Connection, table: &str, row: &Row) {
    let places: Vec<_> = (1..=row.len()).map(|at| format!("?{at}")).collect();
    let statement = format!("INSERT OR REPLACE INTO {table} VALUES ({})", places.join(","));
    connection.execute(&statement, rusqlite::params_from_iter(row)).unwrap();
}

/// An edit of a token's tables.
type Edit = Box<dyn Fn(&Connection) + Send + Sync>;

/// Each edit that is tried, with what it is.
fn edits(now: &Connection, older: &Connection) -> Vec<(String, Edit)> {
    let mut edits: Vec<(String, Edit)> = Vec::new();
    let table = |connection: &Connection, name| {
        let columns = TABLES.iter().find(|(known, _)| *known == name).unwrap().1;
        rows(connection, name, columns)
    };
    for (name, _) in TABLES {
        for (at, row) in table(now, name).into_iter().enumerate() {
            edits.push((format!("{name} {at} dropped"), Box::new(move |c| drop_row(c, name, &row))));
        }
    }

    // A record's columns: id, version, tag, body.
    let records = table(now, "record");
    for (one, other) in records.iter().zip(records.iter().skip(1)) {
        let (one, other) = (one.clone(), other.clone());
        let (first, second) = (one.clone(), other.clone());
        edits.push((
            "two bodies swapped".to_owned(),
            Box::new(move |c| {
                let set = "UPDATE record SET body = ?1 WHERE id = ?2";
                c.execute(set, params![second[3], first[0]]).unwrap();
                c.execute(set, params![first[3], second[0]]).unwrap();
            }),
        ));
        let (first, second) = (one.clone(), other.clone());
        edits.push((
            "two records swapped but for their names".to_owned(),
            Box::new(move |c| {
                let set = "UPDATE record SET version = ?1, tag = ?2, body = ?3 WHERE id = ?4";
                c.execute(set, params![second[1], second[2], second[3], first[0]]).unwrap();
                c.execute(set, params![first[1], first[2], first[3], second[0]]).unwrap();
            }),
        ));
        edits.push((
            "a record's version counted up".to_owned(),
            Box::new(move |c| {
                c.execute("UPDATE record SET version = version + 1 WHERE id = ?1", params![one[0]]).unwrap();
            }),
        ));
    }
    for (at, row) in records.iter().enumerate() {
        // The same object under another name.
        let row = row.clone();
        edits.push((
            format!("record {at} copied"),
            Box::new(move |c| {
                let Value::Blob(mut id) = row[0].clone() else { panic!("a name is a blob") };
                id[15] ^= 1;
                let mut copy = row.clone();
                copy[0] = Value::Blob(id);
                put_row(c, "record", &copy);
            }),
        ));
    }

    let bodies = table(older, "body");
    for (at, row) in table(older, "record").into_iter().enumerate() {
        if records.contains(&row) {
            continue;
        }
        let body = bodies.iter().find(|body| body[0] == row[3]).unwrap().clone();
        let terms: Vec<Row> = table(older, "term").into_iter().filter(|term| term[1] == row[0]).collect();
        edits.push((
            format!("older record {at} put back"),
            Box::new(move |c| {
                let Value::Integer(number) = body[0] else { panic!("a body has a number") };
                let number = Value::Integer(number + 1000);
                c.execute("DELETE FROM term WHERE record = ?1", params![row[0]]).unwrap();
                put_row(c, "body", &[std::slice::from_ref(&number), &body[1..]].concat());
                put_row(c, "record", &[&row[..3], &[number]].concat());
                terms.iter().for_each(|term| put_row(c, "term", term));
            }),
        ));
    }

    // The head's columns: only, revision, clear, sealed.
    let (head, old) = (table(now, "head").remove(0), table(older, "head").remove(0));
    for (name, columns) in [
        ("older head put back", [0, 1, 2, 3].as_slice()),
        ("older head put back under the newer number", &[2, 3]),
        ("older sealed header put back", &[3]),
        ("older sealed header and its number put back", &[1, 3]),
    ] {
        let mut head = head.clone();
        columns.iter().for_each(|column| head[*column] = old[*column].clone());
        edits.push((name.to_owned(), Box::new(move |c| put_row(c, "head", &head))));
    }

    let terms = table(now, "term");
    for (at, row) in terms.iter().enumerate() {
        // The term of one object at another, too: a search finds both.
        let Some(other) = records.iter().find(|record| record[0] != row[1]) else { continue };
        let copy = vec![row[0].clone(), other[0].clone()];
        if !terms.contains(&copy) {
            edits.push((format!("term {at} also at another object"), Box::new(move |c| put_row(c, "term", &copy))));
        }
        let nobody = vec![row[0].clone(), Value::Blob(vec![7; 16])];
        edits.push((format!("term {at} also at no object"), Box::new(move |c| put_row(c, "term", &nobody))));
    }
    edits
}

#[test]
#[ignore = "what fails: nobody vouches for the index yet, so a dropped term hides an object from a search without an error"]
fn every_row_that_is_edited_dropped_or_replayed_is_noticed() {
    edit_rows(Allowed::Nothing);
}

#[test]
fn an_edited_row_gives_no_wrong_answer() {
    edit_rows(Allowed::WrongSearches);
}

fn edit_rows(allowed: Allowed) {
    let scene = Scene::with_token();
    scene.run("fill", 0, 60).unwrap();
    let older = scene.directory.join("older");
    copy(&scene.directory, &older);
    scene.run("change", 0, 20).unwrap();
    let expected = scene.run("inspect", 0, 20).unwrap();
    assert!(!expected.iter().any(|line| line.contains(" ! ")), "{expected:?}");

    // Copies of both, so that no file of SQLite's is left beside the token.
    let spare = scene.directory.join("spare");
    copy(&scene.directory, &spare);
    let now = Connection::open(token_file(&spare)).unwrap();
    let mut edits = edits(&now, &Connection::open(token_file(&older)).unwrap());
    if !is_long() {
        // There are many terms, and they are all alike.
        let mut count = 0;
        edits.retain(|(name, _)| {
            count += 1;
            !name.starts_with("term") || count % 4 == 0
        });
    }
    let (tally, next) = (Mutex::new(Tally::default()), AtomicUsize::new(0));
    in_two_lanes(&scene.directory, |directory| {
        let Some((name, edit)) = edits.get(next.fetch_add(1, Ordering::Relaxed)) else { return false };
        copy(&scene.directory, directory);
        let connection = Connection::open(token_file(directory)).unwrap();
        edit(&connection);
        connection.close().unwrap();
        let said = scene.start_in(directory, "inspect", 0, |_| {}).finish(10);
        tally.lock().unwrap().count(name, judge(&expected, said));
        true
    });
    tally.into_inner().unwrap().finish("edited rows", allowed);
}
