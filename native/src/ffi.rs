//! The door: six C functions, JSON in, JSON out, and the only unsafe code of the crate.
//!
//! Every buffer belongs to the caller and is used only during the call. Handles are numbers looked up in a table,
//! never pointers. Every export catches panics: nothing unwinds into the caller.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::error::{Code, Error};
use crate::host::{Core, Refused};
use crate::limits;

/// The version of these functions and of the protocol behind them. Checked first.
pub const CRONFLOW_ABI_VERSION: u32 = 2;
// A literal above, because cbindgen reads no other crate file.
const _: () = assert!(CRONFLOW_ABI_VERSION == crate::protocol::ABI_VERSION);

/// A pointer is null where it may not be, or the output buffer is missing.
pub const CRONFLOW_ERROR_ARGUMENT: i32 = -1;
/// The handle was never given out, or is closed.
pub const CRONFLOW_ERROR_HANDLE: i32 = -2;
/// Too many requests wait for the engine: try again later.
pub const CRONFLOW_ERROR_QUEUE_FULL: i32 = -3;
/// The engine is closed.
pub const CRONFLOW_ERROR_CLOSED: i32 = -4;
/// A panic was caught: the engine refuses further work.
pub const CRONFLOW_ERROR_POISONED: i32 = -5;
/// The request is larger than the limit.
pub const CRONFLOW_ERROR_TOO_LARGE: i32 = -6;
/// The engine could not be opened: `cronflow_call` tells why.
pub const CRONFLOW_ERROR_OPEN_FAILED: i32 = -7;

/// The handle of a core that could not even be entered into the table.
const LAST_RESORT: u32 = u32::MAX;

struct Table {
    last: u32,
    cores: BTreeMap<u32, Arc<Core>>,
}

static TABLE: RwLock<Table> = RwLock::new(Table { last: 0, cores: BTreeMap::new() });
static LAST_RESORT_CORE: Mutex<Option<Arc<Core>>> = Mutex::new(None);

fn find(handle: u32) -> Option<Arc<Core>> {
    if handle == LAST_RESORT {
        return LAST_RESORT_CORE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    }
    TABLE.read().unwrap_or_else(PoisonError::into_inner).cores.get(&handle).cloned()
}

/// Enters a core into the table. Handles are not used again, so that a stale one stays an error.
fn enter(core: Core) -> u32 {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    if table.cores.len() as u64 >= limits::CORES || table.last == LAST_RESORT - 1 {
        drop(table);
        core.close();
        let message = format!("at most {} engines can be open in one process", limits::CORES);
        return last_resort(Error::new(Code::TooManyCores, message));
    }
    table.last += 1;
    let handle = table.last;
    table.cores.insert(handle, Arc::new(core));
    handle
}

fn last_resort(error: Error) -> u32 {
    *LAST_RESORT_CORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Core::failed(error)));
    LAST_RESORT
}

/// Runs an export's body; a panic becomes `otherwise`.
fn guard<T>(export: &'static str, otherwise: impl FnOnce() -> T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(|| {
        panic_if_asked(export);
        body()
    }))
    .unwrap_or_else(|_| otherwise())
}

#[cfg(test)]
thread_local!(static PANIC_IN: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") });

#[cfg(test)]
fn panic_if_asked(export: &'static str) {
    assert_ne!(PANIC_IN.get(), export, "the test asked for it");
}

#[cfg(not(test))]
fn panic_if_asked(_export: &'static str) {}

fn poison(handle: u32) -> i32 {
    if let Some(core) = find(handle) {
        core.poison();
    }
    CRONFLOW_ERROR_POISONED
}

/// The caller's input, or why it cannot be read.
///
/// # Safety
/// `pointer` is null or points to `length` readable bytes for the duration of the call.
unsafe fn input<'a>(pointer: *const u8, length: u32) -> Result<&'a [u8], i32> {
    match (pointer.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(CRONFLOW_ERROR_ARGUMENT),
        // SAFETY: not null, and the caller vouches for the length.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(pointer, length as usize) }),
    }
}

/// Copies an answer that fits into the caller's buffer.
///
/// # Safety
/// `out` points to at least `answer.len()` writable bytes.
unsafe fn output(answer: &[u8], out: *mut u8) -> i32 {
    // SAFETY: the caller has compared the lengths; the buffers belong to different owners.
    unsafe { std::ptr::copy_nonoverlapping(answer.as_ptr(), out, answer.len()) };
    length(answer.len())
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// The version of this interface. Call it first; everything else may change with it.
#[unsafe(no_mangle)]
pub extern "C" fn cronflow_abi_version() -> u32 {
    guard("cronflow_abi_version", || 0, || CRONFLOW_ABI_VERSION)
}

/// Opens an engine. Never 0: an engine that could not be opened answers every `cronflow_call` with its error.
///
/// # Safety
/// `config` is null or points to `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cronflow_open(config: *const u8, len: u32) -> u32 {
    let panicked = || last_resort(Error::new(Code::Poisoned, "opening the engine failed with an internal error"));
    guard("cronflow_open", panicked, || {
        // SAFETY: passed on from the caller.
        match unsafe { input(config, len) } {
            Ok(config) => enter(Core::open(config)),
            Err(_) => enter(Core::failed(Error::new(Code::ConfigInvalid, "the configuration is a null pointer"))),
        }
    })
}

/// Applies one request and writes its answer. Returns the answer's length; a length greater than `cap` means that
/// nothing was written and the answer is kept: bring a larger buffer and call `cronflow_take`.
///
/// # Safety
/// `in_` is null or points to `len` readable bytes, `out` is null or points to `cap` writable ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cronflow_call(core: u32, in_: *const u8, len: u32, out: *mut u8, cap: u32) -> i32 {
    guard(
        "cronflow_call",
        || poison(core),
        || {
            if out.is_null() && cap > 0 {
                return CRONFLOW_ERROR_ARGUMENT;
            }
            let Some(found) = find(core) else { return CRONFLOW_ERROR_HANDLE };
            // SAFETY: passed on from the caller.
            let request = match unsafe { input(in_, len) } {
                Ok(request) => request,
                Err(code) => return code,
            };
            let answer = found.call(request);
            if answer.len() > cap as usize {
                let needed = length(answer.len());
                found.keep(answer);
                return needed;
            }
            // SAFETY: the answer fits into `cap` bytes.
            unsafe { output(&answer, out) }
        },
    )
}

/// Queues one request and returns 0 at once. Its answer comes from `cronflow_take`.
///
/// # Safety
/// `in_` is null or points to `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cronflow_submit(core: u32, in_: *const u8, len: u32) -> i32 {
    guard(
        "cronflow_submit",
        || poison(core),
        || {
            let Some(found) = find(core) else { return CRONFLOW_ERROR_HANDLE };
            if u64::from(len) > limits::REQUEST_BYTES {
                return CRONFLOW_ERROR_TOO_LARGE;
            }
            // SAFETY: passed on from the caller.
            let request = match unsafe { input(in_, len) } {
                Ok(request) => request.to_vec(),
                Err(code) => return code,
            };
            match found.submit(request) {
                Ok(()) => 0,
                Err(Refused::Full) => CRONFLOW_ERROR_QUEUE_FULL,
                Err(Refused::Closed) => CRONFLOW_ERROR_CLOSED,
                Err(Refused::Poisoned) => CRONFLOW_ERROR_POISONED,
                Err(Refused::OpenFailed) => CRONFLOW_ERROR_OPEN_FAILED,
            }
        },
    )
}

/// Writes the next committed answer and returns its length; 0 when there is none, and then the next one wakes the
/// host. A length greater than `cap` means that nothing was written: bring a larger buffer and take again.
///
/// # Safety
/// `out` is null or points to `cap` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cronflow_take(core: u32, out: *mut u8, cap: u32) -> i32 {
    guard(
        "cronflow_take",
        || poison(core),
        || {
            if out.is_null() && cap > 0 {
                return CRONFLOW_ERROR_ARGUMENT;
            }
            let Some(found) = find(core) else { return CRONFLOW_ERROR_HANDLE };
            match found.take(cap as usize) {
                Ok(None) => 0,
                // SAFETY: the answer fits into `cap` bytes.
                Ok(Some(answer)) => unsafe { output(&answer, out) },
                Err(needed) => length(needed),
            }
        },
    )
}

/// Closes an engine and returns 0. What is queued is committed first. Closing twice does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn cronflow_close(core: u32) -> i32 {
    guard(
        "cronflow_close",
        || poison(core),
        || {
            let removed = TABLE.write().unwrap_or_else(PoisonError::into_inner).cores.remove(&core);
            match removed {
                Some(found) => {
                    found.close();
                    0
                }
                None => {
                    let given_out = core <= TABLE.read().unwrap_or_else(PoisonError::into_inner).last && core > 0;
                    if given_out || core == LAST_RESORT { 0 } else { CRONFLOW_ERROR_HANDLE }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests;
