//! What an engine has learned, as text that outlives the process.
//!
//! One line a part: its name and its numbers, written so that reading them back gives the same bits. The first line has
//! the version; a text of another version, with another number of bins or with a number that cannot be is not read at
//! all, and the campaign begins cold.

use std::fmt::Write;

use crate::logic::pacing::predictive::Predictor;

/// A remembered text cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not this version's first line.
    #[error("its first line is not `{FIRST_LINE}`")]
    Version,
    /// A part is missing, has another length, or holds what is no finite number.
    #[error("its line `{0}` is missing, too short or too long, or has something that is no number")]
    Part(&'static str),
}

impl Predictor {
    /// Tables, filters and threshold as text. Calls under way are not in it: they are seen again.
    #[must_use]
    pub fn remember(&self) -> String {
        let detector = vec![self.detector.persons, self.detector.decided, self.detector.delay];
        let parts = [
            ("level", self.level.numbers().to_vec()),
            ("detector", detector),
            ("breaker", self.breaker.numbers().to_vec()),
            ("threshold", self.threshold.numbers().to_vec()),
            ("dial", self.dial.numbers()),
            ("ring", self.ring.numbers()),
            ("talk", self.talk.numbers()),
            ("wrap", self.wrap.numbers()),
        ];
        let mut text = String::from(FIRST_LINE);
        for (name, numbers) in parts {
            text.push('\n');
            text.push_str(name);
            for number in numbers {
                // Writing into a String cannot fail.
                write!(text, " {number}").unwrap_or_default();
            }
        }
        text
    }

    /// An engine for an abandonment cap that knows what [`Self::remember`] wrote.
    ///
    /// # Errors
    /// The text is of another version, or damaged: which part.
    pub fn recall(cap: f64, text: &str) -> Result<Self, Unreadable> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(Unreadable::Version);
        }
        let mut part = |name: &'static str| -> Result<Vec<f64>, Unreadable> {
            let mut words = lines.next().unwrap_or_default().split(' ');
            let named = words.next() == Some(name);
            let numbers: Option<Vec<f64>> = words
                .map(|word| word.parse::<f64>().ok().filter(|number| number.is_finite()))
                .collect();
            numbers.filter(|_| named).ok_or(Unreadable::Part(name))
        };
        let mut engine = Self::new(cap);
        let read = |fits: bool, name| if fits { Ok(()) } else { Err(Unreadable::Part(name)) };
        read(engine.level.set(&part("level")?), "level")?;
        let detector = part("detector")?;
        let &[persons, decided, delay] = detector.as_slice() else {
            return Err(Unreadable::Part("detector"));
        };
        read(persons >= 0.0 && decided > 0.0, "detector")?;
        engine.detector.persons = persons;
        engine.detector.decided = decided;
        engine.detector.delay = delay;
        read(engine.breaker.set(&part("breaker")?), "breaker")?;
        read(engine.threshold.set(&part("threshold")?), "threshold")?;
        read(engine.dial.set(&part("dial")?), "dial")?;
        read(engine.ring.set(&part("ring")?), "ring")?;
        read(engine.talk.set(&part("talk")?), "talk")?;
        read(engine.wrap.set(&part("wrap")?), "wrap")?;
        if lines.next().is_some() {
            return Err(Unreadable::Part("wrap"));
        }
        Ok(engine)
    }
}

/// Of this version.
const FIRST_LINE: &str = "outdial pacing 1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pacing::predictive::{
        AgentNow, AgentStage, CallNow, CallStage, Happened, Moment, Seen,
    };

    fn step(engine: &mut Predictor, at: f64, events: &[Seen]) -> super::super::Decision {
        let stages = [AgentStage::Idle, AgentStage::Talking, AgentStage::Wrapping];
        let agents: Vec<AgentNow> = (0..12)
            .map(|n: u32| AgentNow {
                stage: stages[usize::try_from(n % 3).unwrap()],
                age: f64::from(n) * 11.0,
                leaving: n == 7,
            })
            .collect();
        let calls: Vec<CallNow> = (0..5)
            .map(|n: u32| CallNow {
                id: u64::from(n),
                stage: if n < 2 { CallStage::Dialing } else { CallStage::Ringing },
                age: f64::from(n) + 1.0,
                stage_age: f64::from(n) * 0.7,
            })
            .collect();
        engine.decide(&Moment {
            at,
            agents: &agents,
            calls: &calls,
            events,
            window_left: 10_000.0,
            most_lines: 60,
            most_uncovered: usize::MAX,
        })
    }

    fn taught() -> Predictor {
        let mut engine = Predictor::new(0.03);
        let mut at = 0.0;
        for n in 0..300u64 {
            let (call, ends) = (1_000 + n, [Happened::Connected, Happened::Abandoned]);
            let ended = Seen { at, what: ends[usize::from(n % 40 == 0)](call) };
            let talk = Seen { at, what: Happened::TalkEnded { after: 97.3, machine: n % 9 == 0 } };
            let wrap = Seen { at, what: Happened::WrapEnded { after: 13.7 } };
            let dead = Seen { at, what: Happened::Refused(9_000 + n) };
            step(&mut engine, at, &[ended, talk, wrap, dead]);
            at += 0.5;
        }
        engine
    }

    #[test]
    fn what_is_read_back_decides_as_what_was_written() {
        let engine = taught();
        let text = engine.remember();
        let mut recalled = Predictor::recall(0.03, &text).unwrap();
        assert_eq!(recalled.remember(), text, "to the last bit");
        assert!(text.len() < 32_000, "{} bytes", text.len());
        // Both see the calls under way anew.
        let mut again = Predictor::recall(0.03, &text).unwrap();
        let mut cold = Predictor::new(0.03);
        let (one, two) = (step(&mut recalled, 5_000.0, &[]), step(&mut again, 5_000.0, &[]));
        assert_eq!(one, two);
        assert_ne!(one, step(&mut cold, 5_000.0, &[]));
    }

    #[test]
    fn a_text_that_is_not_whole_is_not_read() {
        let text = taught().remember();
        let recall = |text: &str| Predictor::recall(0.03, text).map(|_| ()).unwrap_err();
        assert_eq!(recall("{}"), Unreadable::Version);
        assert_eq!(recall(&text.replace("pacing 1", "pacing 2")), Unreadable::Version);
        let (whole, last) = text.rsplit_once(' ').unwrap();
        assert_eq!(recall(whole), Unreadable::Part("wrap"));
        assert_eq!(recall(&format!("{whole} NaN")), Unreadable::Part("wrap"));
        assert_eq!(recall(&format!("{whole} -1")), Unreadable::Part("wrap"));
        assert_eq!(recall(&format!("{text} {last}")), Unreadable::Part("wrap"));
        assert_eq!(recall(&format!("{text}\nmore 1")), Unreadable::Part("wrap"));
        assert_eq!(recall(&text.replace("\nring", "\nrang")), Unreadable::Part("ring"));
        assert_eq!(recall(&text.replace("\nlevel ", "\nlevel inf ")), Unreadable::Part("level"));
    }
}
