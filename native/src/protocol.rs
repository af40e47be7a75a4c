//! The messages between the host and the engine: serde types only.
//!
//! A request carries the host's clock, the slots it offers and a list of commands. One commit answers with the
//! results of every request it took, in order, the effects it caused, and the earliest timer (engine/answer.rs): in one
//! text, or in several if the effects are very many bytes.

mod effect;
mod request;
mod result;

pub use effect::{AbortReason, Effect, Execute, Key};
pub use request::{
    Approve, Cache, Cancel, Change, Command, Delivery, Heartbeat, Idempotency, Incr, Item, Polled, Publish, Query,
    Recall, Replay, Request, Resolve, Set, Start,
};
pub use result::{ApprovalJson, ChangedValue, CommandResult, ErrorBody};

/// The version of the six functions and of this protocol.
pub const ABI_VERSION: u32 = 2;

fn is_empty(text: &str) -> bool {
    text.is_empty()
}
