//! The same functions by the fewest calls of N-API: no wrapper, no allocation, each string read by one call.

use std::ffi::CString;
use std::ptr::{null, null_mut};

use cronflow::ffi;
use napi::bindgen_prelude::{JsObjectValue, Object};
use napi::{Env, Result, check_status, sys};
use napi_derive::napi;

use crate::echo::{bench_echo, bench_noop};
use crate::scratch::{Buffer, with_scratch};

type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

/// Adds an object `byHand` with these functions to the addon.
#[napi(module_exports)]
pub fn export(mut exports: Object, env: Env) -> Result<()> {
    let mut by_hand = Object::new(&env)?;
    let functions: [(&str, Callback); 10] = [
        ("noop", noop),
        ("echo", echo),
        ("echoUncopied", echo_uncopied),
        ("echoBuffers", echo_buffers),
        ("abiVersion", abi_version),
        ("open", open),
        ("call", call),
        ("submit", submit),
        ("take", take),
        ("close", close),
    ];
    for (name, callback) in functions {
        let mut function = null_mut();
        let (text, length) = (name.as_ptr().cast(), name.len() as isize);
        // SAFETY: the name is as long as said, and the callback has no state.
        check_status!(unsafe {
            sys::napi_create_function(env.raw(), text, length, Some(callback), null_mut(), &mut function)
        })?;
        // SAFETY: a value that was just made.
        by_hand.set_named_property(name, unsafe { napi::Unknown::from_raw_unchecked(env.raw(), function) })?;
    }
    exports.set_named_property("byHand", by_hand)
}

/// One call and its arguments; fewer given are `undefined`.
///
/// N-API's rules are its safety: used only on the thread and during the call for which it was made.
#[derive(Clone, Copy)]
struct Call<const ARGUMENTS: usize> {
    env: sys::napi_env,
    arguments: [sys::napi_value; ARGUMENTS],
}

impl<const ARGUMENTS: usize> Call<ARGUMENTS> {
    /// # Safety
    /// Both are what N-API has called a callback with.
    unsafe fn new(env: sys::napi_env, info: sys::napi_callback_info) -> Self {
        let mut count = ARGUMENTS;
        let mut arguments = [null_mut(); ARGUMENTS];
        // SAFETY: as many arguments as the array holds.
        unsafe { sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), null_mut(), null_mut()) };
        Call { env, arguments }
    }

    /// A number; 0 if it is none.
    fn number(&self, argument: usize) -> u32 {
        let mut number = 0;
        // SAFETY: a value of this call.
        unsafe { sys::napi_get_value_uint32(self.env, self.arguments[argument], &mut number) };
        number
    }

    /// Reads a string into a buffer and returns its length: by one call, if it fits.
    fn text(&self, argument: usize, buffer: &mut Buffer) -> usize {
        let mut length = 0;
        let mut read = |pointer: *mut u8, capacity| {
            // SAFETY: a value of this call, and a buffer that is as long as said, or none to get the length.
            unsafe {
                let value = self.arguments[argument];
                sys::napi_get_value_string_utf8(self.env, value, pointer.cast(), capacity, &mut length)
            };
            length
        };
        let written = read(buffer.pointer(), buffer.capacity());
        // What did not fit ends before the terminating zero, or up to three bytes earlier, before a whole character.
        if written + 4 < buffer.capacity() {
            return written;
        }
        let needed = read(null_mut(), 0);
        buffer.grow(needed * 3 / 2 + 4);
        read(buffer.pointer(), buffer.capacity())
    }

    /// Where a Buffer's bytes are, and how many.
    fn buffer(&self, argument: usize) -> (*mut u8, u32) {
        let (mut pointer, mut length) = (null_mut(), 0);
        // SAFETY: a value of this call.
        unsafe { sys::napi_get_buffer_info(self.env, self.arguments[argument], &mut pointer, &mut length) };
        (pointer.cast(), length as u32)
    }

    fn make_number(&self, number: i32) -> sys::napi_value {
        let mut value = null_mut();
        // SAFETY: during this call.
        unsafe { sys::napi_create_int32(self.env, number, &mut value) };
        value
    }

    fn make_text(&self, text: &[u8]) -> sys::napi_value {
        let mut value = null_mut();
        // SAFETY: during this call, and the text is as long as said.
        unsafe { sys::napi_create_string_utf8(self.env, text.as_ptr().cast(), text.len() as isize, &mut value) };
        value
    }

    /// The string that a C function has written, or an exception.
    fn make_answer(&self, answer: &Buffer, written: std::result::Result<usize, i32>) -> sys::napi_value {
        match written {
            Ok(length) => self.make_text(answer.bytes(length)),
            Err(code) => {
                let message = CString::new(format!("the core answered with code {code}")).unwrap_or_default();
                // SAFETY: during this call; the message ends with a zero.
                unsafe { sys::napi_throw_error(self.env, null(), message.as_ptr()) };
                null_mut()
            }
        }
    }
}

unsafe extern "C" fn noop(env: sys::napi_env, _info: sys::napi_callback_info) -> sys::napi_value {
    let mut value = null_mut();
    // SAFETY: during the call.
    unsafe { sys::napi_create_uint32(env, bench_noop(), &mut value) };
    value
}

unsafe extern "C" fn echo(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: passed on from N-API, as in all functions below.
    let this = unsafe { Call::<1>::new(env, info) };
    with_scratch(|scratch| {
        let length = this.text(0, &mut scratch.request) as u32;
        let request = scratch.request.pointer();
        // SAFETY: the buffers are as long as said, as in all functions below.
        let write = |out, cap| unsafe { bench_echo(request, length, out, cap) };
        let written = scratch.answer.fill(write, write);
        this.make_answer(&scratch.answer, written)
    })
}

/// Without the copy that a C function makes: what an addon saves whose answers are in memory of its own.
unsafe extern "C" fn echo_uncopied(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let this = unsafe { Call::<1>::new(env, info) };
    with_scratch(|scratch| {
        let length = this.text(0, &mut scratch.request);
        this.make_text(scratch.request.bytes(length))
    })
}

/// `(request, length, answer)`: the buffers are the caller's, and the answer's length is returned.
unsafe extern "C" fn echo_buffers(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let this = unsafe { Call::<3>::new(env, info) };
    let ((request, there), (answer, cap)) = (this.buffer(0), this.buffer(2));
    this.make_number(unsafe { bench_echo(request, this.number(1).min(there), answer, cap) })
}

unsafe extern "C" fn abi_version(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    unsafe { Call::<0>::new(env, info) }.make_number(ffi::cronflow_abi_version() as i32)
}

unsafe extern "C" fn open(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let this = unsafe { Call::<1>::new(env, info) };
    with_scratch(|scratch| {
        let length = this.text(0, &mut scratch.request) as u32;
        this.make_number(unsafe { ffi::cronflow_open(scratch.request.pointer(), length) } as i32)
    })
}

unsafe extern "C" fn call(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let this = unsafe { Call::<2>::new(env, info) };
    let core = this.number(0);
    with_scratch(|scratch| {
        let length = this.text(1, &mut scratch.request) as u32;
        let request = scratch.request.pointer();
        let written = scratch.answer.fill(
            |out, cap| unsafe { ffi::cronflow_call(core, request, length, out, cap) },
            |out, cap| unsafe { ffi::cronflow_take(core, out, cap) },
        );
        this.make_answer(&scratch.answer, written)
    })
}

unsafe extern "C" fn submit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let this = unsafe { Call::<2>::new(env, info) };
    with_scratch(|scratch| {
        let length = this.text(1, &mut scratch.request) as u32;
        this.make_number(unsafe { ffi::cronflow_submit(this.number(0), scratch.request.pointer(), length) })
    })
}

/// The next answer; empty when there is none.
unsafe extern "C" fn take(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let this = unsafe { Call::<1>::new(env, info) };
    let core = this.number(0);
    with_scratch(|scratch| {
        let write = |out, cap| unsafe { ffi::cronflow_take(core, out, cap) };
        let written = scratch.answer.fill(write, write);
        this.make_answer(&scratch.answer, written)
    })
}

unsafe extern "C" fn close(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let this = unsafe { Call::<1>::new(env, info) };
    this.make_number(ffi::cronflow_close(this.number(0)))
}
