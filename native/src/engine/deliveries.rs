//! Messages that may be delivered again: each is remembered with the run it has started.

use serde::{Deserialize, Serialize};

use super::{Engine, state};
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::limits;
use crate::model::StateValue;
use crate::protocol::Delivery;
use crate::value;

/// What is remembered of a message.
#[derive(Serialize, Deserialize)]
struct Delivered {
    run: RunId,
    fingerprint: String,
}

/// Where the messages of a workflow are remembered; `#` is in no name.
fn space(workflow: &str) -> String {
    format!("#delivery/{workflow}")
}

impl Engine {
    /// The run that an earlier delivery of a message has started.
    pub(super) fn delivered(&mut self, workflow: &str, delivery: &Delivery<'_>, now_ms: i64) -> Result<Option<RunId>> {
        value::check_text("delivery id", &delivery.id, limits::KEY_BYTES)?;
        value::check_text("fingerprint", &delivery.fingerprint, limits::KEY_BYTES)?;
        let Some(kept) = self.store.state(&space(workflow), &delivery.id, now_ms)? else { return Ok(None) };
        let earlier: Delivered =
            serde_json::from_str(&kept.value).map_err(|_| Error::corrupt("a remembered delivery is damaged"))?;
        if earlier.fingerprint != delivery.fingerprint {
            let message = format!("a message of this id was delivered before, with another body, to {}", earlier.run);
            return Err(Error::new(Code::DeliveryConflict, message));
        }
        Ok(Some(earlier.run))
    }

    /// Remembers a message with the run it has started.
    pub(super) fn remember_delivery(
        &mut self,
        workflow: &str,
        delivery: &Delivery<'_>,
        run: RunId,
        now_ms: i64,
    ) -> Result<()> {
        let delivered = Delivered { run, fingerprint: delivery.fingerprint.clone().into_owned() };
        let value = serde_json::to_string(&delivered).map_err(|error| Error::bug(error.to_string()))?;
        let kept = StateValue { value, expires_at_ms: state::expiry(delivery.ttl_ms, now_ms) };
        self.timers_changed |= kept.expires_at_ms.is_some();
        self.store.set_state(&space(workflow), &delivery.id, Some(&kept))
    }
}
