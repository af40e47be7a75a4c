//! `simulate [--seeds N] [--first S] [--seed S] [--failures N] [--events N]`: lives through many simulated worlds, and says which promise broke.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use cronflow::sim::{Counts, Failure, relive};

fn main() -> ExitCode {
    let wanted = match arguments(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(message) => {
            eprintln!("{message}\nusage: simulate [--seeds N] [--first S] [--seed S] [--failures N] [--events N]");
            return ExitCode::from(2);
        }
    };
    let started = std::time::Instant::now();
    let (counts, simulated, mut failures) = run(&wanted);
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

struct Wanted {
    first: u64,
    seeds: u64,
    /// Failures after which looking for more tells nothing new.
    failures_most: u64,
    /// Events shown with a failure.
    events: usize,
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted { first: 0, seeds: 200, failures_most: 5, events: 60 };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
        let number = value.parse().map_err(|_| format!("{value} is not a number"))?;
        match word.as_str() {
            "--seeds" => wanted.seeds = number,
            "--first" => wanted.first = number,
            "--seed" => (wanted.first, wanted.seeds) = (number, 1),
            "--events" => wanted.events = number as usize,
            "--failures" => wanted.failures_most = number,
            _ => return Err(format!("{word} is not an option")),
        }
    }
    Ok(wanted)
}

/// Worlds are independent of each other: every processor takes the next seed.
fn run(wanted: &Wanted) -> (Counts, u64, Vec<Failure>) {
    let Wanted { first, seeds, failures_most, events } = *wanted;
    let next = AtomicU64::new(0);
    let results = Mutex::new((Counts::default(), 0, Vec::new()));
    let show_progress = std::io::stdout().is_terminal();
    let work = || {
        loop {
            let offset = next.fetch_add(1, Ordering::Relaxed);
            if offset >= seeds {
                return;
            }
            let report = relive(first + offset, events);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.0.add(&report.counts);
            results.1 += 1;
            results.2.extend(report.failure);
            if results.2.len() as u64 >= failures_most {
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
