//! Shows every other copy of SQLite that the file is in use, also one in this process.
//!
//! SQLite's own locks are POSIX locks, which do not conflict within a process, and are gone when anybody in it closes a
//! descriptor of the file (<https://sqlite.org/howtocorrupt.html>, section 2.2). `bun:sqlite` is another copy of SQLite
//! than ours: who opened the database with it, and closed it, was the last by its own count, moved the write-ahead log
//! into the database and unlinked it, and what was committed afterwards was lost.
//!
//! Locks of an open file description conflict with POSIX locks, whoever holds those, and stay until it is closed. A
//! shared one on the bytes that every reader of SQLite shares, and one on the byte that says that the index of the log
//! is in use, let everybody read and nobody take the log away. Linux alone has them, and not every file system and
//! sandbox there; without them the file must not be opened in this process by anything else.

use std::path::Path;

use crate::error::Result;

/// Held as long as the connection is open.
#[derive(Debug)]
pub struct Presence {
    #[cfg(target_os = "linux")]
    files: [std::fs::File; 2],
}

#[cfg(target_os = "linux")]
impl Presence {
    /// Locks a database that is open, with its log. Its files must not be closed before the connection is.
    pub fn show(database: &Path) -> Result<Presence> {
        use nix::errno::Errno;
        let mut index = database.as_os_str().to_owned();
        index.push("-shm");
        let open = |path: &Path| std::fs::File::open(path).map_err(|error| super::files::file_error(path, &error));
        let presence = Presence { files: [open(database)?, open(Path::new(&index))?] };
        match presence.lock(nix::libc::F_RDLCK) {
            Ok(()) | Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOLCK | Errno::EOPNOTSUPP) => Ok(presence),
            Err(error) => Err(super::files::file_error(database, &error.into())),
        }
    }

    /// The connection is about to be closed, and takes the log away itself.
    pub fn hide(&self) {
        // What stays locked keeps the log, which the next connection reads.
        let _ = self.lock(nix::libc::F_UNLCK);
    }

    fn lock(&self, kind: i32) -> nix::Result<()> {
        use nix::fcntl::{FcntlArg, fcntl};
        use nix::libc;
        // The range of SHARED_FIRST (`os.h`), and the "deadman switch" of the index (`os_unix.c`).
        for (file, (start, length)) in self.files.iter().zip([(0x4000_0002, 510), (128, 1)]) {
            let lock = libc::flock {
                l_type: kind as libc::c_short,
                l_whence: libc::SEEK_SET as libc::c_short,
                l_start: start,
                l_len: length,
                l_pid: 0,
            };
            fcntl(file, FcntlArg::F_OFD_SETLK(&lock))?;
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
impl Presence {
    /// Nothing can be shown here.
    pub fn show(_database: &Path) -> Result<Presence> {
        Ok(Presence {})
    }

    /// Nothing was shown.
    pub fn hide(&self) {}
}
