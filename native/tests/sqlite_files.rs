//! The store on disk and the files it is given: other people's, newer, damaged, owned, on a full disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cronflow::error::{Class, Code, Error};
use cronflow::ids::RunId;
use cronflow::model::{NewRun, Origin, RunFilter, RunStatus, Write};
use cronflow::store::{Durability, SqliteStore, Store, secret_beside};

fn open(path: &Path) -> Result<SqliteStore, Error> {
    SqliteStore::open(path, Durability::Full)
}

fn refused(path: &Path) -> Error {
    open(path).expect_err("the file must be refused")
}

fn id(number: u32) -> RunId {
    RunId::from_integer(i64::from(number)).unwrap()
}

fn payload_of(number: u32) -> String {
    format!("\"{}\"", char::from(b'a' + (number % 26) as u8).to_string().repeat(500))
}

fn insert(store: &mut SqliteStore, number: u32) -> Result<(), Error> {
    let definition = store.define("orders", "hash", "{}", 0)?;
    store.write(&Write::InsertRun(NewRun {
        id: id(number),
        definition,
        workflow_id: "orders",
        status: RunStatus::Running,
        created_at_ms: 1,
        origin: Box::new(Origin { payload: Some(payload_of(number).into()), ..Origin::default() }),
    }))
}

fn commit_run(store: &mut SqliteStore, number: u32) -> Result<(), Error> {
    store.begin()?;
    let outcome = insert(store, number).and_then(|()| store.commit());
    if outcome.is_err() {
        store.rollback();
    }
    outcome
}

/// A database with so many runs, closed.
fn database(directory: &Path, runs: u32) -> PathBuf {
    let path = directory.join("cronflow.db");
    let mut store = open(&path).unwrap();
    for number in 1..=runs {
        commit_run(&mut store, number).unwrap();
    }
    path
}

fn pragma(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn what_was_committed_is_there_when_the_file_is_opened_again_and_the_rest_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let mut store = open(&path).unwrap();
    commit_run(&mut store, 1).unwrap();
    store.begin().unwrap();
    insert(&mut store, 2).unwrap();
    drop(store);
    let mut store = open(&path).unwrap();
    assert_eq!(store.run(id(1)).unwrap().unwrap().payload, Some(payload_of(1)));
    assert!(store.run(id(2)).unwrap().is_none());
}

#[cfg(unix)]
#[test]
fn files_and_new_directories_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/deep/cronflow.db");
    let mut store = open(&path).unwrap();
    commit_run(&mut store, 1).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o700);
    let files: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "database, log, shared memory, owner: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    let text = "these are my notes\n".repeat(100);
    fs::write(&path, &text).unwrap();
    let error = refused(&path);
    assert_eq!(error.code, Code::NotADatabase);
    assert!(error.message.contains("notes.txt"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[cfg(unix)]
#[test]
fn a_database_that_may_not_be_written_is_refused_and_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), 1);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new().write(true).open(&path).is_ok() {
        // For root the mode says nothing.
        return;
    }
    let error = refused(&path);
    assert_eq!(error.code, Code::NotWritable);
    assert!(error.message.contains("cronflow.db"), "{error}");
    assert!(!directory.path().join("cronflow.db-wal").exists() && !directory.path().join("cronflow.db-shm").exists());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(open(&path).unwrap().run(id(1)).unwrap().is_some());
}

#[test]
fn a_database_of_another_application_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("theirs.db");
    pragma(&path, "CREATE TABLE things (a); INSERT INTO things VALUES (1)");
    assert_eq!(refused(&path).code, Code::DatabaseForeign);
    let marked = directory.path().join("marked.db");
    pragma(&marked, "PRAGMA application_id = 7; PRAGMA user_version = 1");
    assert_eq!(refused(&marked).code, Code::DatabaseForeign);
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), 1);
    pragma(&path, "PRAGMA user_version = 999");
    let error = refused(&path);
    assert_eq!(error.code, Code::DatabaseNewer);
    assert!(error.message.contains("999") && error.message.contains("use a newer"), "{error}");
}

#[test]
fn a_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(refused(directory.path()).code, Code::PathInvalid);
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(refused(&file.join("below/cronflow.db")).code, Code::PathInvalid);
}

#[test]
fn a_second_owner_is_told_who_the_first_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), 1);
    let owner = open(&path).unwrap();
    let error = refused(&path);
    assert_eq!((error.code, error.code.class()), (Code::DatabaseOwned, Class::Unavailable));
    assert!(error.message.contains(&format!("process {}", std::process::id())), "{error}");
    drop(owner);
    open(&path).unwrap();
}

#[cfg(unix)]
use std::os::unix::fs::{symlink as link_to_file, symlink as link_to_directory};
#[cfg(windows)]
use std::os::windows::fs::{symlink_dir as link_to_directory, symlink_file as link_to_file};

#[test]
fn a_link_to_a_database_is_that_database() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let (file, link) = (elsewhere.join("real.db"), directory.path().join("link.db"));
    // Also before there is a file.
    match link_to_file(&file, &link) {
        Err(error) if cfg!(windows) => return println!("skipped: not everybody may make links on Windows: {error}"),
        linked => linked.unwrap(),
    }
    let store = open(&link).unwrap();
    assert!(refused(&file).message.contains(&format!("process {}", std::process::id())));
    assert_eq!(refused(&link).code, Code::DatabaseOwned);
    let secret = secret_beside(&link).unwrap();
    drop(store);
    let through_its_directory = directory.path().join("other");
    link_to_directory(&elsewhere, &through_its_directory).unwrap();
    let _store = open(&file).unwrap();
    assert_eq!(refused(&through_its_directory.join("real.db")).code, Code::DatabaseOwned);
    assert_eq!(secret_beside(&file).unwrap(), secret);
    assert_eq!(secret_beside(&through_its_directory.join("real.db")).unwrap(), secret);
}

/// What the same file is called otherwise is no other database: one owner, one secret.
#[test]
fn a_path_that_goes_back_and_forth_is_the_same_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), 1);
    fs::create_dir(directory.path().join("beside")).unwrap();
    let roundabout = directory.path().join("beside").join("..").join("cronflow.db");
    let _store = open(&path).unwrap();
    assert_eq!(refused(&roundabout).code, Code::DatabaseOwned);
    assert_eq!(secret_beside(&path).unwrap(), secret_beside(&roundabout).unwrap());
}

/// Windows takes small letters and capitals for the same, and writes a path in a form that people do not know.
#[cfg(windows)]
#[test]
fn other_spellings_of_a_path_are_the_same_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), 1);
    let _store = open(&path).unwrap();
    for spelling in [directory.path().join("CRONFLOW.DB"), path.canonicalize().unwrap()] {
        assert_eq!(refused(&spelling).code, Code::DatabaseOwned);
        assert!(!refused(&spelling).message.contains(r"\\?\"), "{}", refused(&spelling));
        assert_eq!(secret_beside(&spelling).unwrap(), secret_beside(&path).unwrap());
    }
}

/// Where that of a file beside the database becomes so long that Windows takes it in its own form only.
#[test]
fn a_long_path_is_opened_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    for length in [230, 250, 251, 252, 255, 259] {
        let mut path = directory.path().to_owned();
        while path.as_os_str().len() + 60 < length {
            path.push("d".repeat(40));
        }
        path.push("f".repeat(length.saturating_sub(path.as_os_str().len() + 1)));
        let mut store = open(&path).unwrap_or_else(|error| panic!("{length}: {error}"));
        commit_run(&mut store, 1).unwrap_or_else(|error| panic!("{length}: {error}"));
        secret_beside(&path).unwrap();
        assert_eq!(refused(&path).code, Code::DatabaseOwned);
    }
}

#[test]
fn a_store_that_is_closed_leaves_no_log_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), 3);
    assert!(!directory.path().join("cronflow.db-wal").exists());
    assert_eq!(open(&path).unwrap().list(&RunFilter { limit: 10, ..RunFilter::default() }).unwrap().len(), 3);
}

/// `/proc` is such a place, for root, too.
#[cfg(target_os = "linux")]
#[test]
fn a_place_that_cannot_be_written_is_refused_with_its_path() {
    for path in ["/proc/cronflow.db", "/proc/cronflow/cronflow.db"] {
        let error = refused(Path::new(path));
        assert!(matches!(error.code, Code::NotWritable | Code::PathInvalid), "{error:?}");
        assert!(error.message.contains("/proc/cronflow"), "{error}");
    }
}

#[test]
fn a_damaged_page_is_reported_and_never_served() {
    const RUNS: u32 = 400;
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), RUNS);
    let whole = fs::read(&path).unwrap();
    let page = 4_096;
    let mut reported = 0;
    for damaged in 1..whole.len() / page {
        let mut bytes = whole.clone();
        bytes[damaged * page..][..page].fill(if damaged % 2 == 0 { 0xA5 } else { 0 });
        fs::write(&path, &bytes).unwrap();
        let mut store = match open(&path) {
            Ok(store) => store,
            Err(error) => {
                assert_eq!(error.code.class(), Class::Corrupt, "page {damaged}: {error}");
                reported += 1;
                continue;
            }
        };
        let mut check = |outcome: Result<bool, Error>, what: &str| match outcome {
            Ok(right) => assert!(right, "page {damaged}: {what} was served wrong"),
            Err(error) => {
                assert_eq!(error.code.class(), Class::Corrupt, "page {damaged}: {error}");
                reported += 1;
            }
        };
        for number in 1..=RUNS {
            let read = store.run(id(number));
            check(read.map(|row| row.and_then(|row| row.payload) == Some(payload_of(number))), "a run");
        }
        let all = RunFilter { limit: 1_000, ..RunFilter::default() };
        check(store.list(&all).map(|rows| rows.len() == RUNS as usize), "the list");
        check(store.ready_runs("orders").map(|runs| runs.len() == RUNS as usize), "the open runs");
    }
    assert!(reported > 20, "{reported}");
}

/// A small file system of its own, or the reason why there is none.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(directory: &Path) -> Result<SmallDisk, String> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory).output();
        match mount {
            Ok(output) if output.status.success() => Ok(SmallDisk(directory.to_owned())),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_committed() {
    let directory = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(directory.path()) {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: a small file system cannot be mounted here: {reason}"),
    };
    let path = disk.0.join("cronflow.db");
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![0; 400_000]).unwrap();
    let mut store = open(&path).unwrap();
    let mut committed = 0;
    let error = loop {
        match commit_run(&mut store, committed + 1) {
            Ok(()) => committed += 1,
            Err(error) => break error,
        }
        assert!(committed < 10_000, "the disk never fills");
    };
    assert_eq!((error.code, error.code.class()), (Code::DiskFull, Class::Unavailable), "{error}");
    assert!(committed > 10);
    assert!(store.run(id(committed + 1)).unwrap().is_none());
    fs::remove_file(&ballast).unwrap();
    commit_run(&mut store, committed + 1).unwrap();
    drop(store);
    let mut store = open(&path).unwrap();
    for number in 1..=committed + 1 {
        assert_eq!(store.run(id(number)).unwrap().unwrap().payload, Some(payload_of(number)));
    }
    drop(store);
    drop(disk);
}
