//! `simulate [--seeds N] [--first S] [--seed S]`: lives through many simulated worlds, and says which promise broke.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use cronflow::sim::{Counts, Failure, simulate};

/// Failures after which looking for more tells nothing new.
const FAILURES_MOST: usize = 5;

fn main() -> ExitCode {
    let (first, seeds) = match arguments(std::env::args().skip(1)) {
        Ok(range) => range,
        Err(message) => {
            eprintln!("{message}\nusage: simulate [--seeds N] [--first S] [--seed S]");
            return ExitCode::from(2);
        }
    };
    let started = std::time::Instant::now();
    let (counts, simulated, mut failures) = run(first, seeds);
    failures.sort_by_key(|failure| failure.seed);
    for failure in &failures {
        println!("{failure}\n");
    }
    println!("{:<22}{simulated:>14}", "seeds");
    for (name, count) in counts.named() {
        println!("{name:<22}{count:>14}");
    }
    println!("{:<22}{:>14.1}", "seconds", started.elapsed().as_secs_f64());
    println!("{} passed, {} failed", simulated - failures.len() as u64, failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first seed and how many.
fn arguments(mut words: impl Iterator<Item = String>) -> Result<(u64, u64), String> {
    let (mut first, mut seeds) = (0, 200);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
        let number = value.parse().map_err(|_| format!("{value} is not a number"))?;
        match word.as_str() {
            "--seeds" => seeds = number,
            "--first" => first = number,
            "--seed" => (first, seeds) = (number, 1),
            _ => return Err(format!("{word} is not an option")),
        }
    }
    Ok((first, seeds))
}

/// Worlds are independent of each other: every processor takes the next seed.
fn run(first: u64, seeds: u64) -> (Counts, u64, Vec<Failure>) {
    let next = AtomicU64::new(0);
    let results = Mutex::new((Counts::default(), 0, Vec::new()));
    let show_progress = std::io::stdout().is_terminal();
    let work = || {
        loop {
            let offset = next.fetch_add(1, Ordering::Relaxed);
            if offset >= seeds {
                return;
            }
            let report = simulate(first + offset);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.0.add(&report.counts);
            results.1 += 1;
            results.2.extend(report.failure);
            if results.2.len() >= FAILURES_MOST {
                next.store(seeds, Ordering::Relaxed);
            }
            if show_progress && results.1 % 50 == 0 {
                print!("\r{} of {seeds}", results.1);
                // A progress line that does not appear is no failure.
                let _ = std::io::stdout().flush();
            }
        }
    };
    std::thread::scope(|scope| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..processors {
            scope.spawn(work);
        }
    });
    if show_progress {
        print!("\r");
    }
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
