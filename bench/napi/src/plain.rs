//! The functions as one writes them with napi-rs: strings in, strings out.

use cronflow::ffi;
use napi::{Error, Result};
use napi_derive::napi;

use crate::echo::{bench_echo, bench_noop};
use crate::scratch::with_scratch;

fn code_error(code: i32) -> Error {
    Error::from_reason(format!("the core answered with code {code}"))
}

/// The string that a C function writes.
fn answered(write: impl FnOnce(*mut u8, u32) -> i32, again: impl FnOnce(*mut u8, u32) -> i32) -> Result<String> {
    with_scratch(|scratch| {
        let length = scratch.answer.fill(write, again).map_err(code_error)?;
        std::str::from_utf8(scratch.answer.bytes(length))
            .map(str::to_owned)
            .map_err(|error| Error::from_reason(format!("the core answered with bytes that are no text: {error}")))
    })
}

/// Nothing but the door.
#[napi]
pub fn noop() -> u32 {
    bench_noop()
}

/// Nothing but the door and a text.
#[napi]
pub fn echo(text: String) -> Result<String> {
    // SAFETY: the buffers are as long as said.
    let write = |out, cap| unsafe { bench_echo(text.as_ptr(), text.len() as u32, out, cap) };
    answered(write, write)
}

/// The version of the functions below, which are those of `native/include/cronflow.h`.
#[napi]
pub fn abi_version() -> u32 {
    ffi::cronflow_abi_version()
}

/// Opens an engine and gives its handle.
#[napi]
pub fn open(config: String) -> u32 {
    // SAFETY: the bytes are there during the call.
    unsafe { ffi::cronflow_open(config.as_ptr(), config.len() as u32) }
}

/// Applies one request and gives its answer.
#[napi]
pub fn call(core: u32, request: String) -> Result<String> {
    answered(
        // SAFETY: the bytes are there during the call, and the buffer is as long as said; the same below.
        |out, cap| unsafe { ffi::cronflow_call(core, request.as_ptr(), request.len() as u32, out, cap) },
        |out, cap| unsafe { ffi::cronflow_take(core, out, cap) },
    )
}

/// Queues one request; 0, or the code of why not.
#[napi]
pub fn submit(core: u32, request: String) -> i32 {
    // SAFETY: the bytes are there during the call.
    unsafe { ffi::cronflow_submit(core, request.as_ptr(), request.len() as u32) }
}

/// The next answer; empty when there is none.
#[napi]
pub fn take(core: u32) -> Result<String> {
    // SAFETY: the buffer is as long as said.
    let write = |out, cap| unsafe { ffi::cronflow_take(core, out, cap) };
    answered(write, write)
}

/// Closes an engine.
#[napi]
pub fn close(core: u32) -> i32 {
    ffi::cronflow_close(core)
}
