//! Requests for approval: who has the token answers, once.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Engine;
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::machine::{self, Event};
use crate::model::{ApprovalRow, ApprovalStatus, RunStatus};
use crate::protocol::{ApprovalJson, Approve, CommandResult};
use crate::value;

impl Engine {
    pub(super) fn approve(&mut self, approve: &Approve<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        let row = self.approval(&approve.token)?;
        match row.status {
            ApprovalStatus::Open => {}
            ApprovalStatus::Expired => return Err(expired(&row)),
            _ if planted!(TokenReused) => return Ok(CommandResult::Done),
            _ => {
                let message =
                    format!("the approval `{}` of run {} was {}", row.place.name, row.place.run, row.status.as_str());
                return Err(Error::new(Code::TokenUsed, message));
            }
        }
        if row.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms) {
            return Err(expired(&row));
        }
        let payload = value::check_optional("payload", approve.payload)?;
        let output = output(approve.approved, payload)?;
        let place = row.place;
        let Some(active) = self.active_or_read(place.run, now_ms)? else { return Err(self.does_not_wait(place.run)?) };
        let slot_free = self.slots.is_free_for(&active) && self.is_defined(&active);
        let (name, scope) = (&*place.name, &*place.scope);
        let event = Event::Approved { name, scope, approved: approve.approved, output: &output };
        self.transition(active, event, now_ms, slot_free)?;
        Ok(CommandResult::Done)
    }

    /// Why a run whose request is open cannot be given its answer.
    fn does_not_wait(&mut self, run: RunId) -> Result<Error> {
        if self.store.run(run)?.is_some_and(|row| row.status == RunStatus::Stuck) {
            let message = format!("run {run} is stuck; the approval can be answered when the run goes on");
            return Ok(Error::new(Code::RunStuck, message));
        }
        Ok(Error::new(Code::TokenUsed, format!("run {run} does not wait for this approval")))
    }

    /// The request of a token.
    pub(super) fn approval(&mut self, token: &str) -> Result<ApprovalRow> {
        let unknown = || Error::new(Code::TokenUnknown, "no request for approval has this token");
        self.store.approval(&machine::token_hash(token))?.ok_or_else(unknown)
    }

    /// Requests as they are shown, JSON.
    pub(super) fn approvals_json(&mut self, rows: &[ApprovalRow]) -> Result<String> {
        let mut graphs = Vec::with_capacity(rows.len());
        for row in rows {
            graphs.push(self.catalog.stored(row.definition, &mut *self.store)?);
        }
        let json = rows.iter().zip(&graphs).map(|(row, graph)| {
            let spec = graph.definition.find(&row.place.name);
            ApprovalJson {
                run: row.place.run,
                workflow: &row.workflow_id,
                step: &row.place.name,
                scope: &row.place.scope,
                status: row.status,
                description: spec.and_then(|spec| spec.description.as_deref()),
                metadata: spec.and_then(|spec| spec.metadata.as_deref()),
                opened_at_ms: row.opened_at_ms,
                expires_at_ms: row.expires_at_ms,
            }
        });
        serde_json::to_string(&json.collect::<Vec<_>>()).map_err(|error| Error::bug(error.to_string()))
    }
}

fn expired(row: &ApprovalRow) -> Error {
    let message = format!("nobody answered the approval `{}` of run {} in time", row.place.name, row.place.run);
    Error::new(Code::TokenExpired, message)
}

/// `{ approved, timedOut, status, ...payload }`; of these three words the engine's count.
fn output(approved: bool, payload: Option<&str>) -> Result<String> {
    let status = if approved { ApprovalStatus::Approved } else { ApprovalStatus::Rejected };
    let mut text = format!(r#"{{"approved":{approved},"timedOut":false,"status":"{}""#, status.as_str());
    let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(payload.unwrap_or("null"))
        .map_err(|_| Error::new(Code::ValueInvalid, "the payload of an approval is an object"))?;
    for (name, value) in members.into_iter().flatten() {
        if !["approved", "timedOut", "status"].contains(&name.as_str()) {
            text.push_str(&format!(",{}:{value}", serde_json::Value::from(name)));
        }
    }
    text.push('}');
    Ok(text)
}
