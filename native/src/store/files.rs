//! Paths, modes and errors of the database file and the files beside it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};

/// The path of the file itself, whatever links lead to it: so that one file has one owner and one key. What is missing,
/// the file and directories, is created for its owner only.
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
    match resolved(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_file(&path)?,
        Err(error) => return Err(file_error(&path, &error)),
        Ok(_) => {}
    }
    resolved(&path).map_err(|error| file_error(&path, &error))
}

/// Without links. Windows writes such a path as `\\?\C:\…`, which only one needs that is too long for it otherwise.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let resolved = path.canonicalize()?;
    let plain = resolved.to_str().filter(|_| cfg!(windows)).and_then(|text| text.strip_prefix(r"\\?\"));
    match plain.filter(|plain| plain.as_bytes().get(1) == Some(&b':') && plain.len() <= LONGEST_PLAIN) {
        Some(plain) => Ok(plain.into()),
        None => Ok(resolved),
    }
}

/// Windows takes 259 characters, with what the names of the files beside the database have more than its own.
const LONGEST_PLAIN: usize = 259 - "-journal".len();

/// SQLite creates files readable by all; one that exists keeps its mode, and `-wal` and `-shm` follow it.
fn create_file(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    restrict(&mut options);
    // Closed before anybody can have opened the file with SQLite, so that no lock of SQLite's is lost with it.
    options.open(path).map(drop).map_err(|error| file_error(path, &error))
}

/// The secret of a database that exists, in `<database>-key` beside it: made when there is none. Kept apart, so that a copy of the
/// database gives nobody its tokens.
pub fn secret_beside(database: &Path) -> Result<[u8; 32]> {
    let mut path = resolved(database).map_err(|error| file_error(database, &error))?.into_os_string();
    path.push("-key");
    let path = PathBuf::from(path);
    if let Ok(stored) = std::fs::read(&path)
        && let Ok(secret) = stored.try_into()
    {
        return Ok(secret);
    }
    let secret = random_secret()?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    restrict(&mut options);
    let mut file = options.open(&path).map_err(|error| file_error(&path, &error))?;
    file.write_all(&secret).and_then(|()| file.sync_all()).map_err(|error| file_error(&path, &error))?;
    Ok(secret)
}

/// 256 bits from the operating system.
pub fn random_secret() -> Result<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Error::new(Code::StorageFailed, format!("the system gave no random bytes: {error}")))?;
    Ok(secret)
}

/// What an error of the file system means.
pub fn file_error(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Code::NotWritable,
        io::ErrorKind::StorageFull => Code::DiskFull,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Code::PathInvalid,
        // Windows says so of a file where a directory is to be.
        io::ErrorKind::AlreadyExists => Code::PathInvalid,
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
