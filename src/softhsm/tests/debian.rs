//! Tokens that Debian's SoftHSM makes (package softhsm2, and opensc for pkcs11-tool), read here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

mod converted;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use strongroom_softhsm::{Error, Token, Who, token_directory, tokens};
use types::{AttributeType as A, KeyType, ObjectClass, Template, Value};

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "4711";
const SO_PIN: &str = "officer-12345";
const AES: [u8; 16] = *b"an AES-128 key..";

/// A directory of SoftHSM's with a token.
struct Source(tempfile::TempDir);

impl Source {
    fn new() -> Self {
        let source = Self(tempfile::tempdir().unwrap());
        fs::create_dir(source.tokens()).unwrap();
        fs::write(source.conf(), format!("directories.tokendir = {}\n", source.tokens().display())).unwrap();
        source.util(&["--init-token", "--free", "--label", "old", "--pin", PIN, "--so-pin", SO_PIN]);
        source
    }

    /// One with keys, a certificate's place taken by a data object.
    fn filled() -> Self {
        let source = Self::new();
        source.tool(&["--keypairgen", "--key-type", "rsa:2048", "--label", "rsa", "--id", "01"]);
        source.tool(&["--keypairgen", "--key-type", "EC:prime256v1", "--label", "ec", "--id", "02"]);
        let value = source.0.path().join("value");
        fs::write(&value, AES).unwrap();
        let value = value.to_str().unwrap();
        let aes =
            ["--write-object", value, "--type", "secrkey", "--key-type", "AES:16", "--label", "aes", "--id", "03"];
        source.tool(&[&aes[..], &["--private", "--sensitive", "--usage-wrap"]].concat());
        source.tool(&["--write-object", value, "--type", "data", "--label", "note", "--application-label", "app"]);
        source
    }

    fn tokens(&self) -> PathBuf {
        self.0.path().join("tokens")
    }

    fn conf(&self) -> PathBuf {
        self.0.path().join("softhsm2.conf")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let output = Command::new(program).args(arguments).env("SOFTHSM2_CONF", self.conf()).output();
        let output = output.unwrap_or_else(|why| panic!("{program} (packages softhsm2, opensc): {why}"));
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
        output
    }

    fn util(&self, arguments: &[&str]) {
        self.run("softhsm2-util", arguments);
    }

    fn tool(&self, arguments: &[&str]) {
        let login = ["--module", SOFTHSM, "--token-label", "old", "--login", "--pin", PIN];
        self.run("pkcs11-tool", &[&login[..], arguments].concat());
    }

    fn token(&self) -> Token {
        let [token] = <[_; 1]>::try_from(tokens(&self.tokens()).unwrap()).ok().unwrap();
        token.unwrap()
    }

    fn objects(&self, who: Who, pin: &str) -> Vec<Template> {
        let token = self.token();
        let open = token.open(who, pin.as_bytes()).unwrap();
        open.objects().unwrap().map(|object| object.attributes.unwrap()).collect()
    }

    /// Every file with its bytes and times.
    fn state(&self) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
        let directory = self.token().directory().to_owned();
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        entries
            .map(|path| (path.clone(), (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap())))
            .collect()
    }
}

fn value(object: &Template, name: A) -> &Value {
    &object.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}")).1
}

fn bytes(object: &Template, name: A) -> &[u8] {
    value(object, name).as_bytes().unwrap()
}

fn of(objects: &[Template], class: ObjectClass, label: &str) -> usize {
    let fits = |object: &Template| {
        *value(object, A::CLASS) == Value::Number(class.0) && bytes(object, A::LABEL) == label.as_bytes()
    };
    objects.iter().position(fits).unwrap()
}

#[test]
fn a_token_says_what_softhsm_says_of_it() {
    let source = Source::new();
    let token = source.token();
    assert_eq!(token.label(), b"old                             ");
    let shown = source.run("softhsm2-util", &["--show-slots"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(token.serial()), "{shown}");
    assert!(token.has_user_pin());
    // RNG, login required, PIN and token initialised.
    assert_eq!(token.flags() & 0x40d, 0x40d);
    assert_eq!(token_directory(&source.conf()).unwrap(), source.tokens());
    // The token's own directory will do, too.
    assert_eq!(tokens(token.directory()).unwrap().len(), 1);
}

#[test]
fn both_pins_open_the_same_objects_and_the_files_stay_as_they_are() {
    let source = Source::filled();
    let before = source.state();
    let objects = source.objects(Who::User, PIN);
    assert_eq!(objects.len(), 6);
    assert!(objects == source.objects(Who::Officer, SO_PIN));
    assert!(source.state() == before);
}

#[test]
fn values_are_those_that_were_put_in() {
    let source = Source::filled();
    let objects = source.objects(Who::User, PIN);
    let aes = &objects[of(&objects, ObjectClass::SECRET_KEY, "aes")];
    assert_eq!(bytes(aes, A::VALUE), AES);
    assert_eq!(bytes(aes, A::ID), [3]);
    assert!(*value(aes, A::KEY_TYPE) == Value::Number(KeyType::AES.0), "{}", A::KEY_TYPE);
    assert!(*value(aes, A::PRIVATE) == Value::Flag(true), "{}", A::PRIVATE);
    assert!(*value(aes, A::LOCAL) == Value::Flag(false), "{}", A::LOCAL);
    assert!(*value(aes, A::START_DATE) == Value::Date(None), "{}", A::START_DATE);
    assert!(*value(aes, A::ALLOWED_MECHANISMS) == Value::Numbers(Vec::new()), "{}", A::ALLOWED_MECHANISMS);
    assert!(*value(aes, A::WRAP_TEMPLATE) == Value::Template(Vec::new()), "{}", A::WRAP_TEMPLATE);
    let note = &objects[of(&objects, ObjectClass::DATA, "note")];
    assert_eq!((bytes(note, A::VALUE), bytes(note, A::APPLICATION)), (&AES[..], &b"app"[..]));
    let public = &objects[of(&objects, ObjectClass::PUBLIC_KEY, "rsa")];
    let private = &objects[of(&objects, ObjectClass::PRIVATE_KEY, "rsa")];
    assert_eq!(bytes(public, A::MODULUS), bytes(private, A::MODULUS));
    assert_eq!(bytes(private, A::MODULUS).len(), 256);
    let ec = &objects[of(&objects, ObjectClass::PRIVATE_KEY, "ec")];
    assert_eq!(bytes(ec, A::EC_PARAMS), [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    assert!(bytes(ec, A::VALUE).len() <= 32);
}

#[test]
fn wrong_pins_open_nothing() {
    let source = Source::new();
    let token = source.token();
    for (who, pin) in [(Who::User, SO_PIN), (Who::Officer, PIN), (Who::User, "4712"), (Who::User, "")] {
        assert!(matches!(token.open(who, pin.as_bytes()), Err(Error::PinIncorrect(_))), "{who:?} {pin}");
    }
}

#[test]
fn a_directory_without_tokens_and_a_file_that_is_no_configuration_are_said() {
    let empty = tempfile::tempdir().unwrap();
    let said = |path: &Path| match token_directory(path).and_then(|path| tokens(&path)) {
        Ok(_) => panic!("{}", path.display()),
        Err(why) => why.to_string(),
    };
    assert!(said(empty.path()).contains("there is no token of SoftHSM in it"));
    assert!(said(&empty.path().join("none")).contains("cannot be read"));
    let conf = empty.path().join("conf");
    fs::write(&conf, "log.level = INFO\n").unwrap();
    assert!(said(&conf).contains("directories.tokendir"));
    fs::write(&conf, "objectstore.backend = other\ndirectories.tokendir = /tmp\n").unwrap();
    assert!(said(&conf).contains("is not known"));
}

#[test]
fn a_token_in_a_database_is_the_one_in_files_and_nothing_is_written() {
    let source = Source::filled();
    let (files, directory) = (source.objects(Who::User, PIN), source.token().directory().to_owned());
    let serial = source.token().serial().to_owned();
    converted::convert(&directory);
    let database = directory.join("sqlite3.db");
    // What one may read, and nobody write.
    fs::set_permissions(&database, fs::Permissions::from_mode(0o400)).unwrap();
    let before = source.state();
    assert_eq!(before.keys().collect::<Vec<_>>(), [&database]);
    let token = source.token();
    assert_eq!((token.serial(), token.label()), (serial.as_str(), b"old                             "));
    assert!(source.objects(Who::User, PIN) == files);
    assert!(source.objects(Who::Officer, SO_PIN) == files);
    // Objects have numbers here, in the order in which they were made.
    let open = token.open(Who::User, PIN.as_bytes()).unwrap();
    let names: Vec<_> = open.objects().unwrap().map(|object| object.file).collect();
    let expected: Vec<_> = (2..8).map(|number| PathBuf::from(format!("{}#{number}", database.display()))).collect();
    assert_eq!(names, expected);
    assert!(source.state() == before);
}

/// A token in a database that a statement of SQL has changed; and what is said of the token, or of its objects.
fn changed(source: &Source, whole: &[u8], sql: &str) -> Result<Vec<Result<(), String>>, String> {
    let database = tokens_directory(source).join("sqlite3.db");
    fs::write(&database, whole).unwrap();
    rusqlite::Connection::open(&database).unwrap().execute_batch(sql).unwrap();
    let token = tokens(&source.tokens()).unwrap().pop().unwrap().map_err(|why| why.to_string())?;
    let open = token.open(Who::User, PIN.as_bytes()).map_err(|why| why.to_string())?;
    let objects = open.objects().map_err(|why| why.to_string())?;
    Ok(objects.map(|object| object.attributes.map(drop).map_err(|why| why.to_string())).collect())
}

fn tokens_directory(source: &Source) -> PathBuf {
    fs::read_dir(source.tokens()).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn what_is_wrong_in_a_database_is_said_of_its_object_or_of_the_token() {
    let source = Source::filled();
    converted::convert(&tokens_directory(&source));
    let whole = fs::read(tokens_directory(&source).join("sqlite3.db")).unwrap();
    assert_eq!(changed(&source, &whole, "").unwrap(), vec![Ok(()); 6]);

    // One of six, whose numbers begin with 2: with templates and lists. Objects come in the order of their files, whose names are random.
    let connection = rusqlite::Connection::open(tokens_directory(&source).join("sqlite3.db")).unwrap();
    let query = "select max(object_id) from attribute_array where object_id in (select object_id from attribute_binary where type = 0x40000600)";
    let with_lists = connection.query_row(query, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    connection.close().unwrap();
    let name = format!("sqlite3.db#{with_lists}");
    let of_an_object = [
        ("update attribute_boolean set value = 7 where object_id = ? and type = 1", "neither true nor false"),
        ("update attribute_boolean set value = 'yes' where object_id = ? and type = 1", "neither true nor false"),
        ("update attribute_integer set value = NULL where object_id = ? and type = 0", "a number is none"),
        ("update attribute_binary set value = 'text' where object_id = ? and type = 3", "should be bytes"),
        ("update attribute_array set value = x'0102' where object_id = ?", "in the middle"),
        ("update attribute_binary set value = x'01' where object_id = ? and type = 0x40000600", "in the middle"),
        ("update attribute_boolean set type = NULL where object_id = ? and type = 1", "has no number"),
        ("update attribute_boolean set type = 2 where object_id = ? and type = 1", "twice"),
        ("delete from attribute_boolean where object_id = ? and type = 1", "lacks attributes"),
        ("delete from object where id = ?", "no object"),
        ("insert into attribute_text (value, type, object_id) values ('x', 9, ?)", "does not use"),
    ];
    for (sql, expected) in of_an_object {
        let sql = sql.replace('?', &with_lists.to_string());
        let said = changed(&source, &whole, &format!("pragma foreign_keys = off; {sql}")).unwrap();
        let faults: Vec<_> = said.iter().enumerate().filter_map(|(at, said)| Some((at, said.clone().err()?))).collect();
        assert!(
            matches!(&faults[..], [(at, why)] if at + 2 == with_lists && why.contains(expected) && why.contains(&name)),
            "{sql}: {faults:?}"
        );
        assert_eq!(said.len(), 6);
    }
    let of_none = "insert into attribute_boolean (value, type, object_id) values (1, 1, NULL)";
    assert!(changed(&source, &whole, of_none).unwrap()[0].clone().unwrap_err().contains("sqlite3.db#0"));
    assert_eq!(
        changed(&source, &whole, "insert into object default values").unwrap().len(),
        6,
        "one that is being made"
    );

    let of_the_token = [
        ("drop table attribute_array", "no such table: main.attribute_array"),
        ("alter table attribute_binary rename column type to kind", "no such column: type"),
        ("drop table attribute_text; create view attribute_text as select * from attribute_real", "attribute_text"),
        ("delete from attribute_binary where object_id = 1 and type = 0x8000534c", "no security officer's PIN"),
        (
            "update attribute_binary set value = x'00' where object_id = 1 and type = 0x8000534d",
            "the user's PIN is none",
        ),
        ("pragma journal_mode = wal", "WAL mode"),
    ];
    for (sql, expected) in of_the_token {
        let said = changed(&source, &whole, sql).unwrap_err();
        assert!(said.contains(expected) && said.contains("sqlite3.db"), "{sql}: {said}");
    }
}

#[test]
fn a_database_that_is_none_or_was_left_in_the_middle_of_a_change_is_named_and_stays_as_it_is() {
    let source = Source::filled();
    let directory = tokens_directory(&source);
    converted::convert(&directory);
    let database = directory.join("sqlite3.db");
    let whole = fs::read(&database).unwrap();
    let said = || tokens(&source.tokens()).unwrap().pop().unwrap().err().map(|why| why.to_string());
    for (bytes, expected) in [
        (&b""[..], "it is no SQLite database"),
        (b"SQLite format 3", "it is no SQLite database"),
        (&[7; 4096], "it is no SQLite database"),
        (&whole[..4096], "SQLite finds it malformed"),
        (&whole[..whole.len() - 5000], "SQLite finds it malformed"),
    ] {
        fs::write(&database, bytes).unwrap();
        let why = said().unwrap_or_else(|| panic!("{} bytes are read", bytes.len()));
        assert!(why.contains(expected) && why.contains("sqlite3.db"), "{why}");
        assert_eq!(fs::read(&database).unwrap(), bytes);
    }
    fs::write(&database, &whole).unwrap();
    assert_eq!(said(), None);
    for (beside, expected) in
        [("sqlite3.db-journal", "is not finished"), ("sqlite3.db-wal", "there is a log beside it")]
    {
        fs::write(directory.join(beside), "something").unwrap();
        assert!(said().unwrap().contains(expected), "{beside}");
        assert_eq!(fs::read(directory.join(beside)).unwrap(), b"something");
        fs::remove_file(directory.join(beside)).unwrap();
    }
    fs::write(directory.join("token.object"), "").unwrap();
    assert!(said().unwrap().contains("a token.object and a sqlite3.db"));
    fs::remove_file(directory.join("token.object")).unwrap();
    // Any byte may be another: an error or another value, and no panic.
    for place in (0..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[place] ^= 0x41;
        fs::write(&database, changed).unwrap();
        let Ok(token) = tokens(&source.tokens()).unwrap().pop().unwrap() else { continue };
        let Ok(open) = token.open(Who::User, PIN.as_bytes()) else { continue };
        let Ok(objects) = open.objects() else { continue };
        assert!(objects.count() <= 8, "{place}");
    }
}

#[test]
fn nobody_changes_a_database_whose_objects_are_being_read() {
    let source = Source::filled();
    converted::convert(&tokens_directory(&source));
    let token = source.token();
    let open = token.open(Who::User, PIN.as_bytes()).unwrap();
    let mut objects = open.objects().unwrap();
    objects.next().unwrap();
    let writer = rusqlite::Connection::open(tokens_directory(&source).join("sqlite3.db")).unwrap();
    let delete = || {
        writer.busy_timeout(std::time::Duration::ZERO).unwrap();
        writer.execute("delete from object where id = 7", [])
    };
    assert!(delete().unwrap_err().to_string().contains("locked"));
    assert_eq!(objects.count(), 5);
    assert_eq!(delete().unwrap(), 1);
}

/// Reads a token whose file was changed; what is wrong is said of that file, and no other is affected.
fn read_damaged(source: &Source, file: &Path) -> Result<(), String> {
    let found = tokens(&source.tokens()).unwrap().pop().unwrap();
    let token = match found {
        Ok(token) => token,
        Err(why) => return Err(why.to_string()),
    };
    let open = token.open(Who::User, PIN.as_bytes()).map_err(|why| why.to_string())?;
    let mut fault = Ok(());
    for object in open.objects().unwrap() {
        if let Err(why) = object.attributes {
            // A changed key of the token opens no private object.
            assert!(object.file == file || file.ends_with("token.object"), "{why}");
            assert!(why.to_string().contains(object.file.to_str().unwrap()), "{why}");
            fault = Err(why.to_string());
        }
    }
    fault
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_damaged_and_one_with_changed_bytes_never_panics() {
    let source = Source::filled();
    let files: Vec<_> =
        source.state().into_keys().filter(|path| path.extension().is_some_and(|end| end == "object")).collect();
    assert_eq!(files.len(), 7);
    for file in files {
        let whole = fs::read(&file).unwrap();
        let of_token = file.ends_with("token.object");
        // An empty object file is one that is being made. One that ends before its list of allowed mechanisms, or before its
        // flags of copying, is one of an older SoftHSM.
        let tail = if of_token { 88 } else { 24 + 2 * 17 + 24 };
        let mut read = 0;
        for len in (1..whole.len()).step_by(7) {
            fs::write(&file, &whole[..len]).unwrap();
            match read_damaged(&source, &file) {
                Err(_) => {}
                Ok(()) if len + tail >= whole.len() => read += 1,
                Ok(()) => panic!("{} with {len} of {} bytes is read", file.display(), whole.len()),
            }
        }
        assert!(read <= 3, "{read}");
        let mut faults = 0;
        for place in (0..whole.len()).step_by(5) {
            let mut changed = whole.clone();
            changed[place] ^= 0x41;
            fs::write(&file, changed).unwrap();
            faults += usize::from(read_damaged(&source, &file).is_err());
        }
        assert!(faults > 10, "{} {faults}", file.display());
        fs::write(&file, &whole).unwrap();
        read_damaged(&source, &file).unwrap();
    }
}
