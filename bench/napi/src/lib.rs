//! The core of cronflow-ffi as an N-API addon, to measure that door against the one that ships (`native/src/ffi.rs`).
//!
//! Every door here leads to the same functions: the six of the core, and an echo and a no-op that do nothing else.
//! `plain` is what one writes with napi-rs, `by_hand` is the fewest calls of N-API that do the same, `echo` is also
//! exported in C, so that one file has all the doors.

pub mod by_hand;
pub mod echo;
pub mod plain;
mod scratch;
