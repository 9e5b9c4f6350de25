//! How many lines are opened for the agents who are free.

use std::fmt;
use std::str::FromStr;

use crate::logic::settings::fixed_point;

/// How calls are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialMode {
    /// Nothing is dialed by itself: an agent names whom to call.
    Manual,
    /// An agent sees the person first, and then has the call made or passes it by.
    Preview,
    /// One line per free agent, who is reserved first.
    Progressive,
    /// As progressive, and beyond that up to so many lines per free agent, as far as the abandonment ledger has credit.
    Ratio(DialRatio),
    /// As progressive, and beyond that as many lines as will find an agent by the time they are answered, as far as the
    /// abandonment ledger has credit.
    Predictive,
    /// No agent: whoever answers hears a recorded message and may press keys. As fast as lines and calls per second allow.
    Agentless,
}

impl DialMode {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Preview => "preview",
            Self::Progressive => "progressive",
            Self::Ratio(_) => "ratio",
            Self::Predictive => "predictive",
            Self::Agentless => "agentless",
        }
    }
}

/// Lines per free agent, in thousandths: 1,500 is one and a half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialRatio(u32);

impl DialRatio {
    /// One line per free agent.
    pub const ONE: Self = Self(1_000);
    /// Ten lines per free agent: more is never reached under any lawful cap.
    pub const MOST: Self = Self(10_000);

    /// From thousandths; `None` below one line or above ten.
    #[must_use]
    pub const fn from_thousandths(thousandths: u32) -> Option<Self> {
        if thousandths < Self::ONE.0 || thousandths > Self::MOST.0 {
            return None;
        }
        Some(Self(thousandths))
    }

    /// In thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// Whole lines for so many free agents.
    #[must_use]
    pub fn lines(self, agents: usize) -> usize {
        let agents = u64::try_from(agents).unwrap_or(u64::MAX);
        usize::try_from(agents.saturating_mul(u64::from(self.0)) / 1_000).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for DialRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1_000, self.0 % 1_000 / 100)?;
        match self.0 % 100 {
            0 => Ok(()),
            rest if rest % 10 == 0 => write!(f, "{}", rest / 10),
            rest => write!(f, "{rest:02}"),
        }
    }
}

/// The text is no [`DialRatio`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no number of lines per free agent; write 1.0 to 10.0, such as 1.5")]
pub struct NotADialRatio(pub String);

impl FromStr for DialRatio {
    type Err = NotADialRatio;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        fixed_point(text, 3)
            .and_then(Self::from_thousandths)
            .ok_or_else(|| NotADialRatio(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_written_as_it_is_read() {
        for text in ["1.0", "1.5", "2.25", "1.005", "10.0"] {
            assert_eq!(text.parse::<DialRatio>().unwrap().to_string(), text);
        }
        for text in ["0.9", "10.001", "1,5", "", "1.0005"] {
            assert_eq!(text.parse::<DialRatio>(), Err(NotADialRatio(text.to_owned())));
        }
    }

    #[test]
    fn part_of_a_line_is_no_line() {
        let ratio: DialRatio = "1.5".parse().unwrap();
        assert_eq!([0, 1, 2, 3, 10].map(|agents| ratio.lines(agents)), [0, 1, 3, 4, 15]);
    }
}
