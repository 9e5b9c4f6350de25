//! Calling classes: leads whose numbers share zones have one row in `calling_class`, and their hours are asked once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::logic::compliance::Verdict;
use crate::logic::compliance::calling_hours::HoursRule;
use crate::logic::gate::Gate;
use crate::logic::ids::ClassId;
use crate::logic::settings::CallingHours;
use crate::logic::time::UtcMs;

/// What tells one class from another: so far the zones, none meaning "the campaign's own".
///
/// Its text is the `descriptor` of the row: `zones=America/Chicago,America/New_York`. Later parts (rule pack, overlay of
/// a state, audience) are appended after `;`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallingClass {
    zones: BTreeSet<String>,
}

impl CallingClass {
    /// The class of numbers in all of these zones, in whatever order.
    #[must_use]
    pub fn of_zones<I: IntoIterator<Item = S>, S: Into<String>>(zones: I) -> Self {
        Self { zones: zones.into_iter().map(Into::into).collect() }
    }

    /// The zones, sorted.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        self.zones.iter().map(String::as_str)
    }
}

impl fmt::Display for CallingClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zones: Vec<&str> = self.zones().collect();
        write!(f, "zones={}", zones.join(","))
    }
}

/// The text describes no class this program knows. Its leads are not dialed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not describe a calling class; it was written by another version")]
pub struct UnknownClass(pub String);

impl FromStr for CallingClass {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownClass(text.to_owned());
        let zones = text.strip_prefix("zones=").ok_or_else(unknown)?;
        // A part we do not know may be a stricter rule: refuse rather than overlook it.
        if zones.contains(';') {
            return Err(unknown());
        }
        Ok(Self::of_zones(zones.split(',').filter(|zone| !zone.is_empty())))
    }
}

/// The hours of one campaign, class by class.
#[derive(Clone, Debug)]
pub struct ClassHours {
    hours: CallingHours,
    rules: BTreeMap<ClassId, HoursRule>,
}

impl ClassHours {
    /// No class yet.
    #[must_use]
    pub const fn new(hours: CallingHours) -> Self {
        Self { hours, rules: BTreeMap::new() }
    }

    /// Learns a row of `calling_class`. A class that cannot be read, or has an unknown zone, stays closed.
    pub fn learn(&mut self, class: ClassId, descriptor: &str) {
        let rule = descriptor
            .parse()
            .ok()
            .and_then(|class: CallingClass| {
                let zones: Vec<String> = class.zones().map(str::to_owned).collect();
                HoursRule::new(&self.hours, &zones).ok()
            })
            .unwrap_or(HoursRule::closed());
        self.rules.insert(class, rule);
    }

    /// Whether a lead of this class may be dialed at `now` if it can ring for `ring`. A class never learned is closed.
    #[must_use]
    pub fn verdict(&self, class: ClassId, now: UtcMs, ring: Duration) -> Verdict {
        self.rules.get(&class).map_or(Verdict::Never(Gate::Hours), |r| r.verdict(now, ring))
    }

    /// The classes that may be dialed at `now`, in order.
    #[must_use]
    pub fn open(&self, now: UtcMs, ring: Duration) -> Vec<ClassId> {
        let open = |rule: &HoursRule| rule.verdict(now, ring) == Verdict::Allow;
        self.rules.iter().filter(|(_, rule)| open(rule)).map(|(class, _)| *class).collect()
    }

    /// When the first class that is closed now opens; `None` when none will.
    #[must_use]
    pub fn next_opening(&self, now: UtcMs, ring: Duration) -> Option<UtcMs> {
        let opening = |rule: &HoursRule| match rule.verdict(now, ring) {
            Verdict::Later(at) => Some(at),
            Verdict::Allow | Verdict::Never(_) => None,
        };
        self.rules.values().filter_map(opening).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::settings::Calendar;
    use crate::logic::settings::TimeRange;
    use crate::logic::settings::Weekly;

    #[test]
    fn a_class_reads_back_from_its_descriptor() {
        for class in [
            CallingClass::default(),
            CallingClass::of_zones(["Asia/Tokyo"]),
            CallingClass::of_zones(["America/New_York", "America/Chicago"]),
        ] {
            assert_eq!(class.to_string().parse(), Ok(class));
        }
        assert_eq!(
            CallingClass::of_zones(["America/New_York", "America/Chicago"]).to_string(),
            "zones=America/Chicago,America/New_York"
        );
    }

    #[test]
    fn a_descriptor_of_a_later_version_is_refused() {
        for text in ["", "Asia/Tokyo", "zones=Asia/Tokyo;overlay=us-fl"] {
            assert!(text.parse::<CallingClass>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_classes_whose_zones_are_open_are_claimed() {
        let weekly = Weekly {
            default_zones: vec!["Asia/Tokyo".to_owned()],
            days: std::array::from_fn(|_| vec![TimeRange { start: 540, end: 1200 }]),
            holidays: None,
            calendar: Calendar::default(),
        };
        let mut hours = ClassHours::new(CallingHours::Weekly(weekly));
        hours.learn(ClassId(1), "zones=Asia/Tokyo");
        hours.learn(ClassId(2), "zones=Europe/London");
        hours.learn(ClassId(3), "zones=Mars/Olympus");
        hours.learn(ClassId(4), "zones=");
        // 2026-11-24 10:00 in Tokyo, 01:00 in London.
        let now = UtcMs(1_795_482_000_000);
        let ring = Duration::from_secs(30);
        assert_eq!(hours.open(now, ring), [ClassId(1), ClassId(4)]);
        assert_eq!(hours.next_opening(now, ring), Some(now + Duration::from_secs(8 * 3600)));
        assert_eq!(hours.verdict(ClassId(3), now, ring), Verdict::Never(Gate::Hours));
        assert_eq!(hours.verdict(ClassId(5), now, ring), Verdict::Never(Gate::Hours));
    }
}
