//! Tokens of requests for approval: 256 bits that only their holder knows.
//!
//! A token is HMAC-SHA-256 (RFC 2104) of the place that asks, under a secret that is kept outside the database. So the
//! same request has the same token however often somebody is told of it, and the database holds only its hash.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::ids::RunId;

/// What tokens are made of.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: [u8; 32]) -> Secret {
        Secret(bytes)
    }

    /// The token of a request: of one run, node and visit.
    pub fn token(&self, run: RunId, name: &str, scope: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length is a key");
        mac.update(&run.to_integer().to_be_bytes());
        mac.update(name.as_bytes());
        // Names and scopes have no such byte.
        mac.update(b"\0");
        mac.update(scope.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// What is stored of a token.
pub fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_run_one_node_and_one_visit() {
        let secret = Secret::new([7; 32]);
        let run = |id| RunId::from_integer(id).unwrap();
        let token = secret.token(run(1), "ask", "3");
        assert_eq!(token.len(), 64);
        assert_eq!(token, secret.token(run(1), "ask", "3"));
        for other in [
            secret.token(run(2), "ask", "3"),
            secret.token(run(1), "ask", ""),
            secret.token(run(1), "ask3", ""),
            Secret::new([8; 32]).token(run(1), "ask", "3"),
        ] {
            assert_ne!(token, other);
        }
        assert_ne!(hash(&token), token);
    }
}
