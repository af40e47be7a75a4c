//! What `cronflow_open` is given.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Code, Error, Result};
use crate::machine::Secret;
use crate::protocol::ABI_VERSION;
use crate::store::{Durability, MemoryStore, SqliteStore, Store, random_secret, secret_beside};

/// The configuration of one engine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Path of the database file, or `:memory:` for a store that dies with the engine.
    pub database: String,
    /// What a commit survives. Default `full`.
    #[serde(default)]
    pub durability: Durability,
    /// Without a thread: `cronflow_call` does the work itself. Default false.
    #[serde(default)]
    pub inline: bool,
    /// Tells the run ids of several engines over one store apart. Default 0.
    #[serde(default)]
    pub node: u8,
    /// Whether a socket tells of answers, where the system has socket pairs. Without one the host looks by itself.
    /// Default true.
    #[serde(default = "yes")]
    pub wake_up: bool,
}

fn yes() -> bool {
    true
}

impl Config {
    pub fn parse(text: &[u8]) -> Result<Config> {
        let invalid = |message: String| Error::new(Code::ConfigInvalid, message);
        let text = std::str::from_utf8(text).map_err(|error| invalid(format!("not UTF-8: {error}")))?;
        let config: Config = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        if config.database.is_empty() || config.database.contains('\0') {
            return Err(invalid("`database` is a path or `:memory:`".to_owned()));
        }
        Ok(config)
    }

    pub fn open_store(&self) -> Result<Box<dyn Store>> {
        if self.database == ":memory:" {
            return Ok(Box::new(MemoryStore::new()));
        }
        Ok(Box::new(SqliteStore::open(Path::new(&self.database), self.durability)?))
    }

    /// What tokens are made of. Read after the store is open, so that only the owner of the database makes one.
    pub fn secret(&self) -> Result<Secret> {
        let bytes = match self.database.as_str() {
            ":memory:" => random_secret()?,
            path => secret_beside(Path::new(path))?,
        };
        Ok(Secret::new(bytes))
    }

    /// What the engine says of itself.
    pub fn about(&self, wake_fd: Option<i32>) -> serde_json::Value {
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "abi": ABI_VERSION,
            "build": env!("CRONFLOW_BUILD"),
            "target": env!("CRONFLOW_TARGET"),
            "sqlite": rusqlite::version(),
            "database": self.database,
            "durability": self.durability,
            "inline": self.inline,
            "wake_fd": wake_fd,
        })
    }
}
