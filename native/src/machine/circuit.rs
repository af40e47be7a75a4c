//! Circuit breakers: what keeps failing is left alone for a while, then tried with one attempt.
//!
//! ```text
//! closed ── threshold consecutive failures ──► open ── recovery is over ──► half-open: one attempt probes
//!    ▲                                           ▲                             │            │
//!    └─────────────── it completes ──────────────┼─────────────────────────────┘            │
//!                                                └──────────────── it fails ────────────────┘
//! ```
//!
//! (Nygard, "Release It!", 2nd edition, section 5.2.)

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Turn, later};
use crate::definition::CircuitPolicy;
use crate::ids::RunId;
use crate::model::{CircuitRow, Write};

/// A circuit, and the attempt that probes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Circuit {
    /// As stored.
    pub row: CircuitRow,
    /// The attempt that probes it. It dies with the process, as the attempt does.
    pub probe: Option<(RunId, u64)>,
}

/// Circuits by name; one that is not there is closed.
pub type Circuits = BTreeMap<Arc<str>, Circuit>;

/// Whether an attempt may be made now.
pub fn enter(policy: &CircuitPolicy, attempt: (RunId, u64), turn: &mut Turn<'_>) -> bool {
    let Some(circuit) = turn.circuits.get_mut(&policy.name) else { return true };
    match circuit.row.open_until_ms {
        None => true,
        Some(until_ms) if turn.now_ms < until_ms => false,
        Some(_) => *circuit.probe.get_or_insert(attempt) == attempt,
    }
}

/// How an attempt ended, as far as a circuit cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What is behind it works.
    Works,
    /// It does not.
    Fails,
    /// The attempt says nothing of it: it was interrupted or cancelled, or its error was expected.
    Unknown,
}

/// An attempt that was let through has ended.
pub fn leave(policy: &CircuitPolicy, attempt: (RunId, u64), verdict: Verdict, turn: &mut Turn<'_>) {
    let before = turn.circuits.get(&policy.name).copied().unwrap_or_default();
    let mut circuit = before;
    let probed = circuit.probe == Some(attempt);
    if probed {
        circuit.probe = None;
    }
    match verdict {
        Verdict::Works => circuit.row = CircuitRow::default(),
        Verdict::Fails => {
            circuit.row.failures = circuit.row.failures.saturating_add(1);
            // After its time it is open in name only: who fails then opens it again, whether it was the probe or not.
            let is_open = circuit.row.open_until_ms.is_some_and(|until_ms| turn.now_ms < until_ms);
            if probed || (!is_open && circuit.row.failures >= policy.threshold) {
                circuit.row.open_until_ms = Some(later(turn.now_ms, policy.recovery_ms));
            }
        }
        Verdict::Unknown => {}
    }
    if circuit != before {
        turn.circuits.insert(policy.name.clone(), circuit);
    }
    if circuit.row != before.row {
        turn.write(Write::SetCircuit(policy.name.clone(), circuit.row));
    }
}
