//! Times that the command remembers from one run to the next, in files of the state directory.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
};

use crate::fault::Fault;

/// Two numbers by name; one of them at least is a time.
pub(crate) type Times = BTreeMap<String, (u64, u64)>;

/// What a file has; nothing if there is none. `what` says in words what it should be, and what is so without it.
pub(crate) fn read(path: &Path, what: &str) -> Result<Times, Fault> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|why| Fault::Failed(format!("{} is not {what} ({why})", path.display()))),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Times::new()),
        Err(why) => Err(Fault::Failed(format!("{} cannot be read: {why}", path.display()))),
    }
}

/// Puts them in the place of what was there, in one step.
pub(crate) fn write(path: &Path, times: &Times) -> Result<(), Fault> {
    let written = || {
        let directory = path.parent().unwrap_or(Path::new("."));
        // Made for its owner alone.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(serde_json::to_string(times)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        io::Result::Ok(())
    };
    written().map_err(|why| Fault::Failed(format!("{} cannot be written: {why}", path.display())))
}
