//! How long to wait before the next attempt.

use crate::definition::{RetryPolicy, Strategy};
use crate::ids::RunId;

/// Milliseconds from the end of the `failures`-th failed attempt to the next one.
///
/// The random part is a hash of (run, node, failures): the same attempt always waits equally long, and runs that
/// failed together spread out. With `jitter` 1 this is "full jitter"
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
pub fn delay_ms(policy: &RetryPolicy, failures: u32, run: RunId, node: u32) -> u64 {
    let first = policy.delay_ms as f64;
    let grown = match policy.strategy {
        Strategy::Fixed => first,
        Strategy::Linear => first * f64::from(failures),
        Strategy::Exponential => first * policy.multiplier.powi(failures.saturating_sub(1).min(1_000) as i32),
    };
    let capped = grown.min(policy.max_delay_ms as f64);
    let part = unit(run.to_integer() as u64 ^ (u64::from(node) << 32 | u64::from(failures)).rotate_left(17));
    (capped * (1.0 - policy.jitter * part)) as u64
}

/// A number from 0 to below 1 from a seed: the output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
pub fn unit(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(strategy: Strategy) -> RetryPolicy {
        RetryPolicy { attempts: 10, strategy, delay_ms: 100, max_delay_ms: 1_000, multiplier: 3.0, jitter: 0.0 }
    }

    fn delays(policy: &RetryPolicy) -> Vec<u64> {
        let run = RunId::from_integer(42).unwrap();
        (1..=5).map(|failures| delay_ms(policy, failures, run, 0)).collect()
    }

    #[test]
    fn grows_by_strategy_up_to_the_longest_delay() {
        assert_eq!(delays(&policy(Strategy::Fixed)), [100, 100, 100, 100, 100]);
        assert_eq!(delays(&policy(Strategy::Linear)), [100, 200, 300, 400, 500]);
        assert_eq!(delays(&policy(Strategy::Exponential)), [100, 300, 900, 1_000, 1_000]);
    }

    #[test]
    fn jitter_takes_a_part_away_and_is_the_same_for_the_same_attempt() {
        let full = RetryPolicy { jitter: 1.0, ..policy(Strategy::Fixed) };
        let half = RetryPolicy { jitter: 0.5, ..policy(Strategy::Fixed) };
        assert_eq!(delays(&full), delays(&full));
        let waits: Vec<u64> = (1..=1_000).map(|run| delay_ms(&half, 1, RunId::from_integer(run).unwrap(), 0)).collect();
        assert!(waits.iter().all(|&wait| (50..=100).contains(&wait)));
        let mean = waits.iter().sum::<u64>() / 1_000;
        assert!((70..=80).contains(&mean), "{mean}");
    }
}
