//! A token in a database of SQLite's, which is opened to be read only.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, config::DbConfig, params, types::ValueRef};
use types::{AttributeType, Template, Value};

use crate::{
    Error,
    backend::Stored,
    file::{self, PATIENCE},
    map,
    parse::Fault,
};

/// The object whose attributes are the token's own.
const TOKEN: i64 = 1;
/// Stands for the row of an object itself, among the tables of attributes.
const ITSELF: i64 = -1;

/// What the values of a table are.
#[derive(Clone, Copy)]
enum Kind {
    Flags,
    Numbers,
    Bytes,
    Templates,
    /// SoftHSM makes the table, and puts nothing there.
    Unused,
}

const TABLES: [(&str, Kind); 7] = [
    ("attribute_boolean", Kind::Flags),
    ("attribute_integer", Kind::Numbers),
    ("attribute_binary", Kind::Bytes),
    ("attribute_array", Kind::Templates),
    ("attribute_text", Kind::Unused),
    ("attribute_datetime", Kind::Unused),
    ("attribute_real", Kind::Unused),
];

/// What a token says of itself, if its database is whole and has what SoftHSM's have.
pub(crate) fn token(path: &Path) -> Result<Template, Error> {
    must_be_database(path)?;
    let connection = open(path)?;
    let failed = |why| failed(path, &why);
    connection.prepare("SELECT id FROM main.object").map_err(failed)?;
    for (table, _) in TABLES {
        connection.prepare(&format!("SELECT value, type, object_id, id FROM main.{table}")).map_err(failed)?;
    }
    let said: String = connection.query_row("PRAGMA main.quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if said != "ok" {
        return Err(Error::Damaged(path.to_owned(), MALFORMED));
    }
    let mut attributes = Template::new();
    for (table, kind) in TABLES {
        let query = format!("SELECT type, value FROM main.{table} WHERE object_id = ?1");
        let mut statement = connection.prepare(&query).map_err(failed)?;
        let mut rows = statement.query([TOKEN]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let attribute = attribute(kind, row).map_err(failed)?;
            attributes.push(attribute.map_err(|what| Error::Damaged(path.to_owned(), what))?);
        }
    }
    ordered(attributes).map_err(|what| Error::Damaged(path.to_owned(), what))
}

/// The objects of a token. As long as this lives, nobody changes the database.
pub(crate) struct Rows {
    path: PathBuf,
    connection: Connection,
    /// The last object that was given; `None` after a failure that would meet every other.
    last: Option<i64>,
    left: usize,
}

impl Rows {
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let connection = open(path)?;
        let left = list(&connection).map_err(|why| failed(path, &why))?;
        Ok(Self { path: path.to_owned(), connection, last: Some(i64::MIN), left })
    }

    pub(crate) fn next(&mut self) -> Option<Stored> {
        loop {
            let object = match self.after(self.last?) {
                Ok(object) => object?,
                Err(why) => {
                    self.last = None;
                    return Some((self.path.clone(), Err(failed(&self.path, &why))));
                }
            };
            self.last = Some(object);
            self.left = self.left.saturating_sub(1);
            let mut place = self.path.clone().into_os_string();
            place.push(format!("#{object}"));
            let place = PathBuf::from(place);
            let attributes = match self.attributes(object) {
                // SoftHSM makes the row before it gives it attributes.
                Ok(Ok(attributes)) if attributes.is_empty() => continue,
                Ok(attributes) => attributes.map_err(|what| Error::Damaged(place.clone(), what)),
                Err(why) => Err(failed(&place, &why)),
            };
            return Some((place, attributes));
        }
    }

    pub(crate) fn at_most(&self) -> usize {
        self.left
    }

    fn after(&self, object: i64) -> rusqlite::Result<Option<i64>> {
        let query = "SELECT object FROM place WHERE object > ?1 AND object <> ?2 ORDER BY object LIMIT 1";
        self.connection.prepare_cached(query)?.query_row([object, TOKEN], |row| row.get(0)).optional()
    }

    fn attributes(&self, object: i64) -> rusqlite::Result<Result<Template, Fault>> {
        let mut attributes = Template::new();
        let mut places = self.connection.prepare_cached("SELECT \"table\", line FROM place WHERE object = ?1")?;
        let mut places = places.query([object])?;
        let mut is_object = false;
        while let Some(place) = places.next()? {
            let (table, line): (i64, i64) = (place.get(0)?, place.get(1)?);
            let Some((table, kind)) = usize::try_from(table).ok().and_then(|table| TABLES.get(table)) else {
                is_object = true;
                continue;
            };
            let query = format!("SELECT type, value FROM main.{table} WHERE id = ?1");
            let mut statement = self.connection.prepare_cached(&query)?;
            match statement.query_row([line], |row| attribute(*kind, row))? {
                Ok(attribute) => attributes.push(attribute),
                Err(what) => return Ok(Err(what)),
            }
        }
        Ok(if is_object { ordered(attributes) } else { Err("there are attributes of it, and no object") })
    }
}

/// Lists where the attributes of each object are, since no table has an index of that. The list has numbers only: SQLite
/// puts it into a temporary file if it is long. Says how many objects there are.
fn list(connection: &Connection) -> rusqlite::Result<usize> {
    // Who reads a database until the end of a transaction sees no change, and lets nobody make one.
    connection.execute_batch(
        "BEGIN;
        CREATE TEMP TABLE place (object, \"table\", line, PRIMARY KEY (object, \"table\", line)) WITHOUT ROWID;",
    )?;
    let objects = connection.execute("INSERT INTO place SELECT id, ?1, 0 FROM main.object", [ITSELF])?;
    for (number, (table, _)) in (0_i64..).zip(TABLES) {
        // What names no object is no object's.
        let query = format!(
            "INSERT INTO place SELECT iif(typeof(object_id) = 'integer', object_id, 0), ?1, id FROM main.{table}"
        );
        connection.execute(&query, params![number])?;
    }
    Ok(objects)
}

/// What a row has: `type`, and `value` as its table keeps it.
fn attribute(kind: Kind, row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<(AttributeType, Value), Fault>> {
    let ValueRef::Integer(name) = row.get_ref(0)? else { return Ok(Err("an attribute has no number")) };
    let name = AttributeType(name.cast_unsigned());
    let value = match (kind, row.get_ref(1)?) {
        (Kind::Flags, ValueRef::Integer(0)) => Ok(Value::Flag(false)),
        (Kind::Flags, ValueRef::Integer(1)) => Ok(Value::Flag(true)),
        (Kind::Flags, _) => Err("a flag is neither true nor false"),
        // Its sign is no part of it: CK_UNAVAILABLE_INFORMATION is -1.
        (Kind::Numbers, ValueRef::Integer(number)) => Ok(Value::Number(number.cast_unsigned())),
        (Kind::Bytes, value) => bytes(value).and_then(|bytes| match name {
            AttributeType::ALLOWED_MECHANISMS => map::numbers(bytes).map(Value::Numbers),
            _ => Ok(Value::bytes(bytes)),
        }),
        (Kind::Templates, value) => bytes(value).and_then(map::template).map(Value::Template),
        (Kind::Numbers, _) => Err("a number is none"),
        (Kind::Unused, _) => Err("an attribute is in a table that SoftHSM does not use"),
    };
    Ok(value.map(|value| (name, value)))
}

/// Bytes; none are no value at all.
fn bytes(value: ValueRef<'_>) -> Result<&[u8], Fault> {
    match value {
        ValueRef::Blob(bytes) => Ok(bytes),
        ValueRef::Null => Ok(&[]),
        _ => Err("a value that should be bytes is none"),
    }
}

/// Attributes in the order of their numbers.
fn ordered(mut attributes: Template) -> Result<Template, Fault> {
    attributes.sort_by_key(|(name, _)| *name);
    if attributes.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
        return Err("it has an attribute twice");
    }
    Ok(attributes)
}

const MALFORMED: &str = "SQLite finds it malformed";

fn failed(path: &Path, why: &rusqlite::Error) -> Error {
    match why.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::Damaged(path.to_owned(), NO_DATABASE),
        Some(ErrorCode::DatabaseCorrupt) => Error::Damaged(path.to_owned(), MALFORMED),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::unreadable(path)(io::Error::other("somebody is writing it: stop that first"))
        }
        _ => Error::unreadable(path)(io::Error::other(why.to_string())),
    }
}

/// Opens it, without a change to it or beside it: what SQLite would have to repair first is an error.
fn open(path: &Path) -> Result<Connection, Error> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let unreadable = |words: &str| Err(Error::unreadable(path)(io::Error::other(words)));
    if beside("-wal").exists() {
        return unreadable(
            "there is a log beside it (sqlite3.db-wal), which SoftHSM does not write: end WAL mode first",
        );
    }
    let begin = Instant::now();
    while beside("-journal").metadata().is_ok_and(|journal| journal.len() > 0) {
        if begin.elapsed() > PATIENCE {
            return unreadable(
                "a change of it is not finished (sqlite3.db-journal): let SoftHSM open the token once, which takes it back",
            );
        }
        thread::sleep(Duration::from_millis(10));
    }
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // Whoever wrote it, it has tables only.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        connection.pragma_update(None, "trusted_schema", 0)?;
        connection.pragma_update(None, "cell_size_check", 1)?;
        Ok(connection)
    };
    open().map_err(|why| failed(path, &why))
}

const NO_DATABASE: &str = "it is no SQLite database";

/// Looks at a file's first bytes, before SQLite does.
fn must_be_database(path: &Path) -> Result<(), Error> {
    let mut header = [0; 20];
    match file::open(path)?.read_exact(&mut header) {
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(Error::Damaged(path.to_owned(), NO_DATABASE));
        }
        read => read.map_err(Error::unreadable(path))?,
    }
    match header {
        [magic @ .., 1, 1] if magic.starts_with(b"SQLite format 3\0") => Ok(()),
        [magic @ .., _, _] if magic.starts_with(b"SQLite format 3\0") => {
            Err(Error::unreadable(path)(io::Error::other(
                "it is in WAL mode, which SoftHSM's are not: `PRAGMA journal_mode = DELETE` of SQLite ends that",
            )))
        }
        _ => Err(Error::Damaged(path.to_owned(), NO_DATABASE)),
    }
}
