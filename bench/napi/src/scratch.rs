//! Memory that is kept between calls, for what an addon cannot leave in JavaScript's buffers.

use std::cell::RefCell;

const FIRST_BYTES: usize = 64 << 10;

/// Copies are up to three times as fast between whole lines of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes that only grow.
pub struct Buffer(Vec<Line>);

impl Buffer {
    fn new() -> Buffer {
        Buffer(vec![Line([0; 64]); FIRST_BYTES / 64])
    }

    /// How many bytes fit.
    pub fn capacity(&self) -> usize {
        self.0.len() * 64
    }

    /// Where they are, until the buffer grows.
    pub fn pointer(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }

    /// Makes room; what was there is lost.
    pub fn grow(&mut self, bytes: usize) {
        self.0 = vec![Line([0; 64]); bytes.div_ceil(64)];
    }

    /// The first bytes, up to the capacity.
    pub fn bytes(&self, length: usize) -> &[u8] {
        // SAFETY: lines are bytes without gaps, and as many as `capacity` says.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), length.min(self.capacity())) }
    }

    /// Has an answer written by one of the C functions and returns its length, or the negative code. What does not fit
    /// is written `again` after the buffer has grown.
    pub fn fill(
        &mut self,
        write: impl FnOnce(*mut u8, u32) -> i32,
        again: impl FnOnce(*mut u8, u32) -> i32,
    ) -> Result<usize, i32> {
        let mut length = write(self.pointer(), self.capacity() as u32);
        if length as i64 > self.capacity() as i64 {
            self.grow(length as usize * 3 / 2);
            length = again(self.pointer(), self.capacity() as u32);
        }
        usize::try_from(length).map_err(|_| length)
    }
}

/// One buffer for each direction.
pub struct Scratch {
    pub request: Buffer,
    pub answer: Buffer,
}

thread_local!(static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch { request: Buffer::new(), answer: Buffer::new() }));

/// Works with this thread's buffers.
pub fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(work)
}
