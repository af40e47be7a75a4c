//! What goes wrong, and how often.

use super::host::Message;
use super::random::Random;
use super::wish::Wish;

/// What happens to the commit of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitFate {
    /// It succeeds.
    #[default]
    Succeeds,
    /// The process dies first.
    DiesBefore,
    /// The process dies after it, before anyone hears of it.
    DiesAfter,
    /// It fails, and nothing is stored.
    Fails,
    /// It fails, and yet everything is stored.
    FailsButIsApplied,
    /// It fails, and what it wrote is back if the process dies before the next commit (`Store::commit`).
    FailsAndReturns,
}

/// What happens to one transaction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fate {
    /// The process dies in this operation.
    pub dies_at: Option<u64>,
    /// This operation fails.
    pub fails_at: Option<u64>,
    /// The commit.
    pub commit: CommitFate,
}

impl Fate {
    /// What happens to a transaction of these requests. Where slots are offered or taken back, a failure comes at the
    /// end: so the auditor knows that it happened, which is not stored anywhere.
    pub fn for_batch(self, batch: &[Message]) -> Fate {
        let is_of_slots = |message: &Message| matches!(message.wish, Wish::Offer { .. } | Wish::Release);
        match self.fails_at {
            Some(_) if batch.iter().any(is_of_slots) => Fate { commit: CommitFate::Fails, fails_at: None, ..self },
            _ => self,
        }
    }
}

/// Operations of a transaction among which one is chosen to fail.
const OPERATIONS: u64 = 40;

/// How often each fault happens, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// The process dies inside a transaction, around its commit, or between messages.
    pub death: u64,
    /// An operation or a commit fails.
    pub failure: u64,
    /// A request or an answer is lost.
    pub loss: u64,
    /// A request or an answer comes twice.
    pub repeat: u64,
    /// The clock jumps.
    pub clock_jump: u64,
}

impl Rates {
    /// Some kinds of faults, each as often as it likes: worlds differ more than if all faults were always on
    /// (swarm testing, Groce et al., ISSTA 2012).
    pub fn random(random: &mut Random) -> Rates {
        let mut rate = |most| if random.chance(700) { random.between(1, most) } else { 0 };
        Rates { death: rate(40), failure: rate(100), loss: rate(200), repeat: rate(200), clock_jump: rate(150) }
    }

    /// What happens to the next transaction.
    pub fn fate(&self, random: &mut Random) -> Fate {
        let mut fate = Fate::default();
        if random.chance(self.death) {
            match random.below(3) {
                0 => fate.dies_at = Some(random.between(1, OPERATIONS)),
                1 => fate.commit = CommitFate::DiesBefore,
                _ => fate.commit = CommitFate::DiesAfter,
            }
        } else if random.chance(self.failure) {
            match random.below(4) {
                0 => fate.fails_at = Some(random.between(1, OPERATIONS)),
                1 => fate.commit = CommitFate::Fails,
                2 => fate.commit = CommitFate::FailsButIsApplied,
                _ => fate.commit = CommitFate::FailsAndReturns,
            }
        }
        fate
    }
}
