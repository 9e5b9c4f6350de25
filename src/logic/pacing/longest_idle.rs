//! Which agent takes the next call: the longest idle among those whose skills and languages fit.

use std::cmp::Reverse;

use crate::logic::time::Tick;

/// What is asked of an agent.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// All of these.
    pub skills: &'a [String],
    /// The person's language.
    pub language: &'a str,
}

/// What an agent offers.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// Skills.
    pub skills: &'a [String],
    /// Languages, best first; empty: any.
    pub languages: &'a [String],
}

/// Whether this agent may take such a call.
#[must_use]
pub fn fits(offered: Offered<'_>, wanted: Wanted<'_>) -> bool {
    let speaks =
        offered.languages.is_empty() || offered.languages.iter().any(|l| l == wanted.language);
    speaks && wanted.skills.iter().all(|skill| offered.skills.contains(skill))
}

/// The longest idle of `ready`, a list of (since when, agent, what is offered); equal times go by agent.
pub fn longest_idle<'a, Id: Ord + Copy>(
    ready: impl Iterator<Item = (Tick, Id, Offered<'a>)>,
    wanted: Wanted<'_>,
) -> Option<Id> {
    ready
        .filter(|(_, _, offered)| fits(*offered, wanted))
        .max_by_key(|(since, id, _)| (Reverse(*since), Reverse(*id)))
        .map(|(_, id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_longest_idle_agent_with_the_language_is_taken() {
        let (ja, en, none) = (vec!["ja".to_owned()], vec!["en".to_owned()], vec![]);
        let at = |s| Tick::START + Duration::from_secs(s);
        let ready = [
            (at(1), 1, Offered { skills: &none, languages: &en }),
            (at(3), 2, Offered { skills: &none, languages: &ja }),
            (at(2), 3, Offered { skills: &none, languages: &ja }),
            (at(2), 4, Offered { skills: &none, languages: &none }),
        ];
        let wanted = Wanted { skills: &none, language: "ja" };
        assert_eq!(longest_idle(ready.into_iter(), wanted), Some(3));
        let skilled = vec!["sales".to_owned()];
        assert_eq!(
            longest_idle(ready.into_iter(), Wanted { skills: &skilled, language: "ja" }),
            None
        );
    }
}
