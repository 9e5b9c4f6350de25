//! When agents come, rest and go.

use crate::simulation::dice::Dice;
use crate::simulation::pacing_day::roster::{Absence, roster};

/// How a team works.
#[derive(Clone, Debug, PartialEq)]
pub enum Roster {
    /// All day, without a rest.
    Steady,
    /// Log-ins over five minutes, two breaks, lunch in two waves, three short pauses.
    Breaks,
    /// As on one of these days, newest first; which one, the seed says.
    Seen {
        /// Of a team of so many. Another one is there in the same proportion.
        team: usize,
        /// Who was there when.
        days: Vec<Vec<Presence>>,
    },
}

/// One agent on one day: milliseconds since the begin of the shift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Log-in; before 0 it is 0.
    pub from: u64,
    /// Absences: from when, for how long.
    pub rests: Vec<(u64, u64)>,
    /// Log-out.
    pub until: u64,
}

impl Roster {
    /// Who is there when on a day that is `length` milliseconds long, by agent.
    pub(super) fn day(&self, seed: u64, day: u32, agents: usize, length: u64) -> Vec<Presence> {
        let mut dice = Dice::of(seed, "roster", u64::from(day));
        match self {
            Self::Steady => {
                vec![Presence { from: 0, rests: vec![], until: length }; agents]
            }
            Self::Breaks => {
                let seconds = u32::try_from(length / 1_000).unwrap_or(u32::MAX);
                (0..agents)
                    .map(|agent| {
                        // One agent's rests stay the same in a larger team.
                        let mut own = Dice::of(seed, &format!("roster of {agent}"), u64::from(day));
                        presence(roster(agent, seconds, &mut own))
                    })
                    .collect()
            }
            Self::Seen { team, days } => {
                let count = u64::try_from(days.len()).unwrap_or(0);
                let place = usize::try_from(dice.below(count)).unwrap_or(0);
                let seen = days.get(place).map(Vec::as_slice).unwrap_or_default();
                let there = (seen.len() * agents).div_ceil((*team).max(1)).min(agents);
                seen.iter().cycle().take(if seen.is_empty() { 0 } else { there }).cloned().collect()
            }
        }
    }
}

fn presence((login, absences): (f64, Vec<(f64, Absence)>)) -> Presence {
    let mut presence = Presence { from: millis(login), rests: vec![], until: 0 };
    for (at, absence) in absences {
        match absence {
            Absence::Rest(micros) => presence.rests.push((millis(at), micros / 1_000)),
            Absence::Home => presence.until = millis(at),
        }
    }
    presence.rests.sort_unstable();
    presence
}

fn millis(seconds: f64) -> u64 {
    let time = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_team_keeps_the_days_of_those_who_were_there() {
        for roster in [Roster::Steady, Roster::Breaks] {
            let few = roster.day(4, 0, 5, 28_800_000);
            let more = roster.day(4, 0, 8, 28_800_000);
            assert_eq!(few, more[..5]);
        }
        let day = vec![Presence::default(), Presence { until: 5, ..Presence::default() }];
        let ends = |agents| {
            let seen = Roster::Seen { team: 4, days: vec![day.clone()] };
            seen.day(1, 0, agents, 10).iter().map(|one| one.until).collect::<Vec<_>>()
        };
        // Half of the team was there that day.
        assert_eq!((ends(4), ends(6)), (vec![0, 5], vec![0, 5, 0]));
    }
}
