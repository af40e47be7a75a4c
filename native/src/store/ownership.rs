//! One process owns a database file. The lock is on `<database>-owner`, which also says who that is.
//!
//! Not on the database file itself: closing a second descriptor of it would drop SQLite's own POSIX locks
//! (<https://sqlite.org/howtocorrupt.html>, section 2.2).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::{Code, Error, Result};

/// Held as long as the store is open. The operating system drops it when the process dies, however it dies.
#[derive(Debug)]
pub struct Ownership {
    _file: File,
}

impl Ownership {
    /// Becomes the owner, or names the process that is.
    pub fn take(database: &Path) -> Result<Ownership> {
        let mut path = database.as_os_str().to_owned();
        path.push("-owner");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        super::files::restrict(&mut options);
        let mut file = options.open(&path).map_err(|error| super::files::file_error(Path::new(&path), &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // An owner that has not written its name yet is still an owner.
                let _ = file.read_to_string(&mut owner);
                let owner = Some(owner.trim()).filter(|name| !name.is_empty()).unwrap_or("another process").to_owned();
                let message = format!("{} is owned by {owner}; one process at a time can open it", database.display());
                return Err(Error::new(Code::DatabaseOwned, message));
            }
            Err(TryLockError::Error(error)) => return Err(super::files::file_error(Path::new(&path), &error)),
        }
        let name = format!("process {}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(name.as_bytes()))
            .map_err(|error| super::files::file_error(Path::new(&path), &error))?;
        Ok(Ownership { _file: file })
    }
}
