//! One process owns a database file. It holds `<database>-owner`, which also says who that is.
//!
//! Not on the database file itself: closing a second descriptor of it would drop SQLite's own POSIX locks
//! (<https://sqlite.org/howtocorrupt.html>, section 2.2).

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
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
        let path = Path::new(&path);
        let owned = open_alone(path).map_err(|error| super::files::file_error(path, &error))?;
        let Some(mut file) = owned else {
            // An owner that has not written its name yet is still an owner.
            let owner = std::fs::read_to_string(path).unwrap_or_default();
            let owner = Some(owner.trim()).filter(|name| !name.is_empty()).unwrap_or("another process");
            let message = format!("{} is owned by {owner}; one process at a time can open it", database.display());
            return Err(Error::new(Code::DatabaseOwned, message));
        };
        let name = format!("process {}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(name.as_bytes()))
            .map_err(|error| super::files::file_error(path, &error))?;
        Ok(Ownership { _file: file })
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    super::files::restrict(&mut options);
    options
}

/// Opens the file for its owner; none when it has one.
#[cfg(not(windows))]
fn open_alone(path: &Path) -> io::Result<Option<File>> {
    use std::fs::TryLockError;
    let file = options().open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A lock would keep the others from reading who the owner is. Here a file can be opened so that others only read it.
#[cfg(windows)]
fn open_alone(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    match options().share_mode(FILE_SHARE_READ).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}
