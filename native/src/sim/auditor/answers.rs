//! What the engine answers is true of what is committed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::observe::APPROVAL;
use super::{Auditor, Verdict, broken, ensure};
use crate::ids::RunId;
use crate::limits;
use crate::model::{Handler, RunStatus, StepRow, StepStatus};
use crate::sim::messages::{Answer, Answered};
use crate::sim::oracle::Awaited;
use crate::sim::wish::{Attempt, Ending, Outcome, Requested, Wish};
use crate::sim::workload::{Intent, Told, workflow_id};

impl Auditor {
    /// What the engine answers to these wishes, in all texts of one commit.
    pub fn answer(&mut self, answers: &[Answer], wishes: &BTreeMap<u64, Wish>) -> Verdict {
        for answered in answers.iter().flat_map(|answer| &answer.requests) {
            // The echo of a request the host no longer waits for says nothing.
            let Some(wish) = wishes.get(&answered.seq) else { continue };
            if let Some(error) = &answered.error {
                ensure(error.class == "unavailable", "only the storage makes a request fail", || format!("{error:?}"))?;
            } else if self.answered.insert(answered.seq) {
                self.granted(wish, answered)?;
            }
        }
        answers.iter().flat_map(|answer| &answer.effects).try_for_each(|effect| self.effect(effect))?;
        self.check_polls(answers)?;
        self.check_limits()
    }

    fn granted(&mut self, wish: &Wish, answered: &Answered) -> Verdict {
        let run = answered.result().and_then(|result| result.run);
        match (wish, answered.refusal()) {
            (_, Some("workflow_not_found")) => self.is_unknown(wish),
            (Wish::Start { workflow, intent }, None) => self.started(*workflow, intent, run),
            (Wish::Start { workflow, intent }, Some("idempotency_conflict")) => {
                let key = (workflow_id(*workflow), intent.key.clone().unwrap_or_default());
                let earlier = self.keys.get(&key).and_then(|run| self.runs.get(run));
                let was_removed = self.freed.get(&key) == Some(&self.transaction);
                ensure(
                    was_removed || earlier.is_some_and(|seen| seen.intent.fingerprint != intent.fingerprint),
                    "P5 another body is a conflict, the same is not",
                    || format!("{intent:?} was refused because of {earlier:?}"),
                )
            }
            (Wish::Start { workflow, intent }, Some("delivery_conflict")) => ensure(
                self.is_other_delivery(&workflow_id(*workflow), intent),
                "P5 another body is a conflict, the same is not",
                || format!("{intent:?} was refused"),
            ),
            (Wish::Polled(ending), None) => {
                self.took(ending, answered.result().map_or(&[], |result| result.runs.as_slice()))
            }
            (Wish::Polled(ending), Some("schedule_not_found")) => self.is_no_poll(ending),
            (Wish::Resolve(ending), None) => self.resolved(ending),
            (Wish::Resolve(ending), Some("attempt_ended")) => self.is_stale(ending.attempt),
            (Wish::Recall { attempt, .. }, None) => {
                let hit = answered.result().and_then(|result| result.hit);
                let hit = hit.ok_or_else(|| broken("a recall says whether", format!("{answered:?}")))?;
                if hit { self.is_stale(*attempt) } else { Ok(()) }
            }
            (Wish::Recall { attempt, .. }, Some("attempt_ended")) => self.is_stale(*attempt),
            (Wish::Cancel { run }, None) => {
                let moved_on = self.runs.get(run).is_some_and(|seen| seen.was_taken_up_in(self.transaction));
                let status = self.runs.get(run).map(|seen| seen.row.status);
                ensure(moved_on || status == Some(RunStatus::Cancelled), "P1 an acknowledged cancel is stored", || {
                    format!("{run} is {status:?}")
                })
            }
            (Wish::Cancel { run }, Some("run_ended")) => self.has_ended(*run),
            (Wish::Retry { run }, None) => {
                let marked = self
                    .runs
                    .get(run)
                    .is_some_and(|seen| seen.rows_of(self.transaction).any(|step| step.handler == Handler::Retry));
                ensure(marked, "P1 an acknowledged retry is stored", || run.to_string())
            }
            (Wish::Retry { run }, Some("run_not_retryable")) => {
                let seen = self.runs.get(run);
                let moved = seen.is_some_and(|seen| seen.moved_in == self.transaction);
                let may = seen.is_some_and(|seen| {
                    matches!(seen.row.status, RunStatus::Failed | RunStatus::Cancelled) && !seen.row.open
                });
                ensure(moved || !may, "what has ended is retried", || format!("{seen:?}"))
            }
            (Wish::Inspect { run }, None) => self.inspected(*run, answered),
            (Wish::Inspect { .. }, Some("answers_full")) => {
                self.beginnings.saw("a question is to be asked again");
                ensure(self.answer_bytes < limits::ANSWER_BYTES, "a question is answered", || format!("{answered:?}"))
            }
            (
                Wish::Cancel { run } | Wish::Retry { run } | Wish::Replay { run, .. } | Wish::Inspect { run },
                Some("run_not_found"),
            ) => {
                let is_gone = self.runs.get(run).is_none_or(|seen| seen.is_gone);
                ensure(is_gone, "P1 what is committed stays", || format!("{run} is not found"))
            }
            (Wish::Replay { run, from_step: Some(step), .. }, Some("step_not_found")) => {
                let seen = self.runs.get(run);
                let moved = seen.is_some_and(|seen| seen.moved_in == self.transaction);
                let came = seen.is_some_and(|seen| {
                    seen.row.status != RunStatus::Completed || seen.steps.iter().any(|row| row.name == *step)
                });
                ensure(moved || !came, "a replay begins with any step its origin came to", || format!("{wish:?}"))
            }
            (Wish::Replay { run: origin, from_step, .. }, None) => self.replayed(*origin, from_step.as_deref(), run),
            (Wish::Publish { name, told, starts }, None) => {
                self.listened(starts, answered.result().map_or(&[], |result| result.runs.as_slice()))?;
                self.was_published(name, told, answered.result().and_then(|result| result.event))
            }
            (Wish::Approve { place, number, .. }, refusal) => self.approved(place, *number, refusal),
            (Wish::Share, None) => {
                self.shared_least += 1;
                Ok(())
            }
            (Wish::Define { workflow }, None) => {
                self.defined.insert(workflow_id(*workflow));
                Ok(())
            }
            (_, None) => Ok(()),
            (_, Some(code)) => Err(broken("a sound request is granted", format!("{code}: {wish:?}"))),
        }
    }

    /// An answer is no longer than it may be, but for its last question or effect.
    pub fn check_bound(&self, text: &[u8]) -> Verdict {
        #[derive(Deserialize)]
        struct Answered<'a> {
            #[serde(borrow, default)]
            results: Vec<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow)]
            requests: Vec<Answered<'a>>,
            #[serde(borrow, default)]
            effects: Vec<&'a RawValue>,
        }
        let rule = "answers have a bound";
        let answer: Answer<'_> = serde_json::from_slice(text).map_err(|error| broken(rule, error.to_string()))?;
        let mut bytes = 0;
        for result in answer.requests.iter().flat_map(|request| &request.results) {
            if result.get().contains(r#""steps":["#) {
                ensure(bytes <= self.answer_bytes, rule, || format!("{bytes} bytes before {result}"))?;
                bytes += result.get().len() as u64;
            }
        }
        let but_the_last = answer.effects.iter().rev().skip(1).map(|effect| effect.get().len() as u64).sum::<u64>();
        ensure(but_the_last <= self.answer_bytes, rule, || format!("{but_the_last} bytes of effects"))
    }

    /// What is told of a run is what was committed with the answer, unless the same transaction has moved it.
    fn inspected(&self, run: RunId, answered: &Answered) -> Verdict {
        let seen = self.runs.get(&run).filter(|seen| !seen.is_gone);
        let moved = self.touched.contains(&run);
        let told = answered.result().map(|result| (result.status, result.steps.len()));
        let stored = seen.map(|seen| (Some(seen.row.status), seen.steps.len()));
        ensure(moved || (told.is_some() && told == stored), "what is told is what is stored", || {
            format!("{run}: told {told:?}, stored {stored:?}")
        })
    }

    /// A workflow is refused only while it is not defined in this process.
    fn is_unknown(&self, wish: &Wish) -> Verdict {
        let may = match wish {
            Wish::Publish { starts, .. } => !starts.is_empty(),
            _ => matches!(wish, Wish::Start { .. } | Wish::Pause { .. } | Wish::Retry { .. } | Wish::Replay { .. }),
        };
        ensure(may, "a sound request is granted", || format!("workflow_not_found: {wish:?}"))
    }

    pub(super) fn started(&mut self, workflow: usize, intent: &Intent, run: Option<RunId>) -> Verdict {
        let run = run.ok_or_else(|| broken("a start is answered with a run", format!("{intent:?}")))?;
        let seen = self.runs.get(&run);
        let seen = seen.ok_or_else(|| broken("P1 an acknowledged start is stored", format!("{run} of {intent:?}")))?;
        let same = if intent.key.is_some() || intent.delivery.is_some() {
            let of = |intent: &Intent| (intent.key.clone(), intent.delivery.clone(), intent.fingerprint.clone());
            of(&seen.intent) == of(intent)
        } else {
            seen.intent == *intent
        };
        ensure(same && seen.row.workflow_id == workflow_id(workflow), "P5 a wish gets its own run", || {
            format!("{intent:?} got {run} of {:?}", seen.intent)
        })?;
        self.acknowledged.insert(run);
        self.check_delivery(workflow_id(workflow), intent, run)
    }

    /// The end of an attempt is stored, in the transaction that was answered.
    fn resolved(&self, ending: &Ending) -> Verdict {
        let (run, _) = ending.attempt;
        let rule = "P1 an acknowledged result is stored, P7 a late one is refused";
        let seen = self.runs.get(&run).ok_or_else(|| broken(rule, format!("{run} is not stored")))?;
        let name = ending.step.as_deref().unwrap_or(ending.handler.as_str());
        let is_here = |step: &&StepRow| step.name == name && step.scope == ending.scope;
        let mut rows = seen.rows_of(self.transaction).filter(is_here);
        let is_it = |step: &StepRow| {
            let same = step.handler == ending.handler && step.attempt == ending.number;
            match &ending.outcome {
                Outcome::Returned(output) if ending.handler == Handler::Filter => match output.as_deref() {
                    Some("true") => step.handler == Handler::Body && step.status == StepStatus::Completed,
                    Some("false") => same && step.status == StepStatus::Completed,
                    _ => same && step.status == StepStatus::Failed,
                },
                // What a function decides may be nonsense; then it has failed.
                Outcome::Returned(_) => same && matches!(step.status, StepStatus::Completed | StepStatus::Failed),
                Outcome::Threw { error, .. } => {
                    same && step.status == StepStatus::Failed && step.error.as_ref() == Some(error)
                }
                Outcome::Cancelled => step.status == StepStatus::Cancelled,
            }
        };
        ensure(rows.any(is_it), rule, || format!("{ending:?}, but {:?}", seen.steps))
    }

    fn is_stale(&self, attempt: Attempt) -> Verdict {
        ensure(!self.is_current(attempt), "P7 only a stale result is refused", || {
            let steps = self.runs.get(&attempt.0).map(|seen| &seen.steps);
            format!("{attempt:?} is {:?} after {steps:?}", self.fences.get(&attempt))
        })
    }

    fn has_ended(&self, run: RunId) -> Verdict {
        let seen = self.runs.get(&run);
        let ended = seen.is_some_and(|seen| seen.row.status.is_final() || seen.was_taken_up_in(self.transaction));
        ensure(ended, "only an ended run cannot be cancelled", || run.to_string())
    }

    /// A replay has taken over what was completed before the step it begins with.
    fn replayed(&mut self, origin: RunId, from_step: Option<&str>, run: Option<RunId>) -> Verdict {
        let rule = "a replay takes over exactly what was completed";
        let run = run.ok_or_else(|| broken("a replay is answered with a run", origin.to_string()))?;
        let seen = self.runs.get(&run).ok_or_else(|| broken("P1 an acknowledged start is stored", run.to_string()))?;
        ensure(seen.row.replay_of == Some(origin), rule, || format!("{:?}", seen.row))?;
        let copies = &seen.steps[..seen.walk.copied.saturating_sub(1)];
        let again = copies.iter().find(|step| Some(step.name.as_str()) == from_step);
        ensure(again.is_none() && (from_step.is_some() || copies.is_empty()), rule, || format!("{run}: {again:?}"))?;
        self.acknowledged.insert(run);
        Ok(())
    }

    /// Who waited for an event of this name when it was told has been told, and does not wait any longer; a filter
    /// may have to look at it first.
    fn was_published(&mut self, name: &str, told: &Told, event: Option<i64>) -> Verdict {
        let rule = "no event is lost that is told after the commit of a wait";
        for (run, seen) in self.runs.iter().filter(|(_, seen)| !seen.is_gone) {
            for (waited, since) in seen.waits.iter().filter(|((event, ..), _)| event == name) {
                if *since >= self.transaction {
                    continue;
                }
                ensure(event.is_some(), rule, || format!("{run} waits for {waited:?} and {told:?} was not stored"))?;
                let filtered = seen.walk.awaited().into_iter().any(|(node, scope, what)| {
                    (&node, &scope) == (&waited.1, &waited.2) && matches!(what, Awaited::Event(_, true))
                });
                ensure(filtered, rule, || format!("{run} still waits for {waited:?} after {told:?}"))?;
            }
        }
        if let (Some(event), Some(published)) = (event, self.published.get_mut(&told.publication)) {
            published.stored = Some((self.transaction, event));
        }
        Ok(())
    }

    /// One token, one accepted answer.
    fn approved(&self, place: &Requested, number: u64, refusal: Option<&str>) -> Verdict {
        let rule = "one token, one accepted answer";
        let seen = self.runs.get(&place.run).filter(|seen| !seen.is_gone);
        let awaited = seen.into_iter().flat_map(|seen| seen.walk.awaited());
        let open = awaited.into_iter().find_map(|(name, scope, what)| match what {
            Awaited::Approval(until_ms) if name == place.name && scope == place.scope => Some(until_ms),
            _ => None,
        });
        let moved = seen.is_some_and(|seen| seen.moved_in == self.transaction);
        match refusal {
            None => {
                let is_it = |step: &StepRow| {
                    let output = step.output.as_deref().unwrap_or("null");
                    let value: serde_json::Value = serde_json::from_str(output).unwrap_or_default();
                    step.name == place.name && step.scope == place.scope && value["answer"] == number
                };
                let known = self.runs.get(&place.run);
                let stored = known.is_some_and(|seen| seen.rows_of(self.transaction).any(is_it));
                ensure(stored, rule, || format!("answer {number} to {place:?} is not stored: {known:?}"))
            }
            Some("token_unknown") => {
                let key = (APPROVAL.to_owned(), place.name.clone(), place.scope.clone());
                let since = seen.and_then(|seen| seen.waits.get(&key));
                let has_waited = since.is_some_and(|since| *since < self.transaction) && !moved;
                ensure(!has_waited, rule, || format!("{place:?} is not known"))
            }
            Some("token_used") => ensure(open.is_none() || moved, rule, || format!("{place:?} was used")),
            Some("token_expired") => {
                let is_over = open.is_none_or(|until_ms| until_ms.is_some_and(|until_ms| until_ms <= self.latest_ms));
                ensure(is_over || moved, "P6 timers are never early", || format!("{place:?} has expired: {open:?}"))
            }
            Some(code) => Err(broken("a sound request is granted", format!("{code}: {place:?}"))),
        }
    }
}
