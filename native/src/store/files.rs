//! Paths, modes and errors of the database file and the files beside it.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};

/// The absolute path, in a directory that exists; a missing directory is created for its owner only.
pub fn prepare_path(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| file_error(path, &error))?;
    if path.is_dir() {
        return Err(Error::new(Code::PathInvalid, format!("{} is a directory, not a database file", path.display())));
    }
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory).map_err(|error| file_error(directory, &error))?;
    }
    Ok(path)
}

/// SQLite creates files readable by all; one that exists keeps its mode, and `-wal` and `-shm` follow it.
pub fn create_file(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    restrict(&mut options);
    // Closed before SQLite opens the file, so that no lock of SQLite's is lost with it.
    options.open(path).map(drop).map_err(|error| file_error(path, &error))
}

/// What an error of the file system means.
pub fn file_error(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Code::NotWritable,
        io::ErrorKind::StorageFull => Code::DiskFull,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Code::PathInvalid,
        _ => Code::StorageFailed,
    };
    Error::new(code, format!("{}: {error}", path.display()))
}

/// Files are for their owner only.
#[cfg(unix)]
pub fn restrict(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
pub fn restrict(_options: &mut OpenOptions) {}
