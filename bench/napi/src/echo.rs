//! What is behind the doors when only they are to be measured.

/// Does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn bench_noop() -> u32 {
    cronflow::ffi::CRONFLOW_ABI_VERSION
}

/// Answers with its request, by the rules of `cronflow_call`: returns the length, and writes nothing if it is greater
/// than `cap`.
///
/// # Safety
/// `in_` points to `len` readable bytes, `out` to `cap` writable ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bench_echo(in_: *const u8, len: u32, out: *mut u8, cap: u32) -> i32 {
    if len <= cap {
        // SAFETY: the caller vouches for both lengths; `copy` also if both are one buffer.
        unsafe { std::ptr::copy(in_, out, len as usize) };
    }
    len as i32
}
