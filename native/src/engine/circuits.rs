//! Circuits that opened while the host's clock, in this process or in one before, was ahead of now.

use super::Engine;
use crate::error::Result;
use crate::machine;
use crate::model::Write;

impl Engine {
    /// No circuit stays open for longer than the longest recovery time of those who share it, from now on.
    pub(super) fn put_circuits_right(&mut self, now_ms: i64) -> Result<()> {
        let Engine { circuits, catalog, store, .. } = self;
        for (name, circuit) in circuits.iter_mut().filter(|(_, circuit)| circuit.row.open_until_ms.is_some()) {
            let policies = catalog.graphs().flat_map(|graph| graph.circuits()).filter(|policy| policy.name == *name);
            let longest_ms = policies.map(|policy| policy.recovery_ms).max();
            let latest_ms = longest_ms.map(|recovery_ms| machine::later(now_ms, recovery_ms));
            if latest_ms.is_some() && circuit.row.open_until_ms > latest_ms {
                circuit.row.open_until_ms = latest_ms;
                store.write(&Write::SetCircuit(name.clone(), circuit.row))?;
            }
        }
        Ok(())
    }
}
