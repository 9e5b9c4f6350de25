//! Several seeds, on as many threads as the machine has.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::simulation::rehearsal::Rehearsal;
use crate::simulation::rehearsal::record::Record;

/// Runs each rehearsal with each seed: records by rehearsal, in the order of the seeds, whoever was done first.
pub(crate) fn run_all(rehearsals: &[&Rehearsal], seeds: &[u64]) -> Vec<Vec<Record>> {
    let jobs: Vec<(usize, u64)> =
        (0..rehearsals.len()).flat_map(|of| seeds.iter().map(move |seed| (of, *seed))).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = vec![];
        while let Some((of, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(rehearsal) = rehearsals.get(*of) {
                done.push((*of, rehearsal.run(*seed)));
            }
        }
        done
    };
    let mut records = vec![vec![]; rehearsals.len()];
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in started {
            let done = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            for (of, record) in done {
                if let Some(list) = records.get_mut(of) {
                    list.push(record);
                }
            }
        }
    });
    for list in &mut records {
        list.sort_by_key(|record: &Record| record.seed);
    }
    records
}
