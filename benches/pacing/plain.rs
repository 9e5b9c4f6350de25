//! The risk of a call computed as the formulas are written: one moment after the other, a growing list of chances each.
//! It is the anchor that the engine's arithmetic is held against.

/// Mean over the moments of the chance that answers are at least `idle` and those who become free; all chances by moment.
pub(crate) fn risk(idle: usize, answers: &[[f64; 8]], free: &[[f64; 8]]) -> f64 {
    let moments = (0..8).map(|moment| {
        let of = |events: &[[f64; 8]]| {
            events.iter().fold(vec![1.0], |cells, event| more(&cells, event[moment]))
        };
        let (answers, free) = (of(answers), of(free));
        let lost = |come: usize| {
            let least = idle + come;
            answers.iter().skip(least).sum::<f64>()
        };
        free.iter().enumerate().map(|(come, chance)| chance * lost(come)).sum::<f64>()
    });
    moments.sum::<f64>() / 8.0
}

fn more(cells: &[f64], chance: f64) -> Vec<f64> {
    let mut next = vec![0.0; (cells.len() + 1).min(64)];
    for (count, cell) in cells.iter().enumerate() {
        let last = next.len() - 1;
        next[count.min(last)] += cell * (1.0 - chance);
        next[(count + 1).min(last)] += cell * chance;
    }
    next
}
