//! When agents come, rest and go.

use crate::simulation::dice::Dice;

/// Why somebody is away. The later one is the longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absence {
    /// Microseconds.
    Rest(u64),
    /// For today.
    Home,
}

/// Log-in, and the absences with the second at which each is wished for: two breaks, lunch in two waves, three short
/// pauses, and home.
#[must_use]
pub fn roster(agent: usize, seconds: u32, dice: &mut Dice) -> (f64, Vec<(f64, Absence)>) {
    let day = f64::from(seconds);
    let mut between = |from: f64, to: f64| from + (to - from) * dice.unit();
    let login = between(0.0, 300.0);
    let lunch = if agent.is_multiple_of(2) { 0.42 } else { 0.52 };
    let mut absences = Vec::new();
    let mut rest =
        |at: f64, minutes: f64| absences.push((at, Absence::Rest(super::micros(minutes * 60.0))));
    rest(day * between(0.18, 0.30), between(10.0, 15.0));
    rest(day * lunch + between(0.0, 300.0), between(30.0, 45.0));
    rest(day * between(0.70, 0.82), between(10.0, 15.0));
    for _ in 0..3 {
        rest(day * between(0.03, 0.95), between(2.0, 6.0));
    }
    absences.push((day - between(0.0, 900.0), Absence::Home));
    (login, absences)
}
