//! The core of cronflow-ffi. A newcomer reads `machine` (the rules), then `engine` (the transaction), then `host`
//! (the thread) and `ffi` (the door). Imports go downward only; `machine` and `store` do not know each other.

/// Whether a deliberate bug is planted here. Always false in the shipped library (feature `sim`).
macro_rules! planted {
    ($bug:ident) => {{
        #[cfg(feature = "sim")]
        {
            $crate::sim::is_planted($crate::sim::Bug::$bug)
        }
        #[cfg(not(feature = "sim"))]
        {
            false
        }
    }};
}

pub mod cron;
pub mod definition;
pub mod engine;
pub mod error;
pub mod ffi;
pub mod graph;
mod host;
pub mod ids;
pub mod limits;
pub mod machine;
pub mod model;
pub mod protocol;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
mod value;
