//! A token that is in files, put into a database as SoftHSM has it (objectstore.backend = db), which Debian's cannot
//! make. Values are copied as they are stored.

use std::{fs, path::Path};

use rusqlite::{Connection, params};

const TABLES: [(&str, &str); 7] = [
    ("text", "text"),
    ("integer", "integer"),
    ("binary", "blob"),
    ("array", "blob"),
    ("boolean", "boolean"),
    ("datetime", "datetime"),
    ("real", "real"),
];
const ALLOWED_MECHANISMS: u64 = 0x4000_0600;

/// The tables, empty.
pub(crate) fn create(database: &Path) -> Connection {
    let connection = Connection::open(database).unwrap();
    connection.execute_batch("create table object (id integer primary key autoincrement);").unwrap();
    for (name, value) in TABLES {
        let table = format!(
            "create table attribute_{name} (value {value}, type integer, \
             object_id integer references object(id) on delete cascade, id integer primary key autoincrement);"
        );
        connection.execute_batch(&table).unwrap();
    }
    connection
}

/// Puts the token of a directory into a database in the place of its files.
pub(crate) fn convert(directory: &Path) {
    let connection = create(&directory.join("sqlite3.db"));
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The token's own attributes are those of the first object.
    files.sort_by_key(|path| (!path.ends_with("token.object"), path.clone()));
    connection.execute_batch("begin").unwrap();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "object")) {
        insert(&connection, &fs::read(file).unwrap());
    }
    connection.execute_batch("commit").unwrap();
    for file in files.iter().filter(|file| !file.ends_with("sqlite3.db")) {
        fs::remove_file(file).unwrap();
    }
}

/// Adds an object, from what is in its file.
pub(crate) fn insert(connection: &Connection, file: &[u8]) {
    connection.execute("insert into object default values", []).unwrap();
    let object = connection.last_insert_rowid();
    let mut rest = &file[8..];
    while !rest.is_empty() {
        let (name, kind) = (number(&mut rest), number(&mut rest));
        let signed = i64::from_ne_bytes(name.to_ne_bytes());
        let add = |table: &str, value: &dyn rusqlite::ToSql| {
            let query = format!("insert into attribute_{table} (value, type, object_id) values (?1, ?2, ?3)");
            connection.prepare_cached(&query).unwrap().execute(params![value, signed, object]).unwrap();
        };
        match kind {
            1 => add("boolean", &(take(&mut rest, 1) != [0])),
            2 => add("integer", &i64::from_ne_bytes(number(&mut rest).to_ne_bytes())),
            3 => {
                let len = number(&mut rest);
                let value = take(&mut rest, len);
                // SQLite keeps what has no bytes and no address as NULL.
                add("binary", &(!value.is_empty()).then_some(value));
            }
            4 => {
                let len = number(&mut rest);
                let value = map(take(&mut rest, len));
                add("array", &(!value.is_empty()).then_some(value));
            }
            5 => {
                assert_eq!(name, ALLOWED_MECHANISMS);
                let value = mechanisms(&mut rest);
                add("binary", &(!value.is_empty()).then_some(value));
            }
            kind => panic!("{kind}"),
        }
    }
}

/// A template, its numbers as the machine has them.
fn map(mut rest: &[u8]) -> Vec<u8> {
    let mut map = Vec::new();
    while !rest.is_empty() {
        map.extend(number(&mut rest).to_le_bytes());
        let kind = number(&mut rest);
        map.extend(u32::try_from(kind).unwrap().to_le_bytes());
        match kind {
            1 => map.push(u8::from(take(&mut rest, 1) != [0])),
            2 => map.extend(number(&mut rest).to_le_bytes()),
            3 => {
                let len = number(&mut rest);
                map.extend(len.to_le_bytes());
                map.extend(take(&mut rest, len));
            }
            5 => {
                let numbers = mechanisms(&mut rest);
                map.extend((numbers.len() as u64).to_le_bytes());
                map.extend(numbers);
            }
            kind => panic!("{kind}"),
        }
    }
    map
}

fn mechanisms(rest: &mut &[u8]) -> Vec<u8> {
    (0..number(rest)).flat_map(|_| number(rest).to_le_bytes()).collect()
}

fn number(rest: &mut &[u8]) -> u64 {
    u64::from_be_bytes(take(rest, 8).try_into().unwrap())
}

fn take<'a>(rest: &mut &'a [u8], len: u64) -> &'a [u8] {
    let (taken, left) = rest.split_at(usize::try_from(len).unwrap());
    *rest = left;
    taken
}
