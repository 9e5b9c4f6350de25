//! Moments as people say them: by a clock of one zone.

use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;

use crate::logic::compliance::zone;
use crate::logic::time::UtcMs;

/// What was written is no moment of that clock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMoment {
    /// Not a date with a time.
    #[error(
        "`{0}` is no date with a time by the person's clock; write 2026-11-23T10:30, without a zone"
    )]
    NotATime(String),
    /// The clock skips it.
    #[error("the clock in {zone} never shows {text}: it is set forward then")]
    Skipped {
        /// As written.
        text: String,
        /// The zone.
        zone: String,
    },
    /// The zone is not known.
    #[error(transparent)]
    Zone(#[from] zone::UnknownZone),
}

/// The moment at which the clock of `zone` shows `text`; the first of the two where it is set back.
///
/// # Errors
/// See [`NoMoment`].
pub fn moment(zone: &str, text: &str) -> Result<UtcMs, NoMoment> {
    let local: DateTime = text
        .trim()
        .parse()
        .ok()
        // A date alone would be midnight, which nobody means; an offset or zone would be passed over, and the call be
        // promised for another time than was meant.
        .filter(|_| text.contains(':') && !text.contains(['+', '[', 'Z', 'z']))
        .filter(|_| text.matches('-').count() == 2)
        .ok_or_else(|| NoMoment::NotATime(text.to_owned()))?;
    let at = zone::zone(zone)?.to_ambiguous_timestamp(local);
    if matches!(at.offset(), AmbiguousOffset::Gap { .. }) {
        return Err(NoMoment::Skipped { text: text.to_owned(), zone: zone.to_owned() });
    }
    at.earlier().map(zone::utc).map_err(|_| NoMoment::NotATime(text.to_owned()))
}

/// When the next day begins by the clock of `zone`; where the zone is not known, by none.
#[must_use]
pub fn next_day(zone: &str, at: UtcMs) -> Option<UtcMs> {
    let now = zone::timestamp(at)?.to_zoned(zone::zone(zone).ok()?);
    now.tomorrow().and_then(|day| day.start_of_day()).ok().map(|day| zone::utc(day.timestamp()))
}

/// A clock of one zone, for many moments.
#[derive(Clone, Debug)]
pub struct LocalClock(jiff::tz::TimeZone);

impl LocalClock {
    /// # Errors
    /// The zone is not known.
    pub fn of(zone: &str) -> Result<Self, zone::UnknownZone> {
        zone::zone(zone).map(Self)
    }

    /// The day (since 1970-01-01) and the milliseconds of it that this clock shows.
    #[must_use]
    pub fn shows(&self, at: UtcMs) -> Option<(i64, u32)> {
        const DAY_MS: i64 = 86_400_000;
        let offset = self.0.to_offset(zone::timestamp(at)?);
        let local = at.0.checked_add(i64::from(offset.seconds()).checked_mul(1_000)?)?;
        Some((local.div_euclid(DAY_MS), u32::try_from(local.rem_euclid(DAY_MS)).ok()?))
    }
}

/// What the clock of `zone` shows: `2026-11-23T10:30 (Asia/Tokyo)`. In UTC where the zone is not known.
#[must_use]
pub fn shown(zone: &str, at: UtcMs) -> String {
    let known = zone::zone(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let name = known.iana_name().unwrap_or("UTC").to_owned();
    zone::timestamp(at).map_or_else(
        || "-".to_owned(),
        |at| format!("{} ({name})", at.to_zoned(known).strftime("%Y-%m-%dT%H:%M")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_by_the_clock_of_its_zone_and_shown_again() {
        let at = moment("Asia/Tokyo", "2026-11-23T10:30").unwrap();
        assert_eq!(at, UtcMs(1_795_397_400_000));
        assert_eq!(moment("Asia/Tokyo", "2026-11-23 10:30:00"), Ok(at));
        assert_eq!(shown("Asia/Tokyo", at), "2026-11-23T10:30 (Asia/Tokyo)");
        assert_eq!(shown("Europe/London", at), "2026-11-23T01:30 (Europe/London)");
    }

    #[test]
    fn a_clock_shows_day_and_time() {
        let at = moment("Asia/Tokyo", "2026-11-23T08:30").unwrap();
        let day = 20_780;
        assert_eq!(LocalClock::of("Asia/Tokyo").unwrap().shows(at), Some((day, 30_600_000)));
        assert_eq!(LocalClock::of("Etc/UTC").unwrap().shows(at), Some((day - 1, 84_600_000)));
    }

    #[test]
    fn what_no_clock_shows_is_refused() {
        for text in ["tomorrow", "2026-11-23", "2026-13-01T10:00", "10:30", ""] {
            assert_eq!(moment("Asia/Tokyo", text), Err(NoMoment::NotATime(text.to_owned())));
        }
        for elsewhere in ["Z", "+01:00", "-05:00", "[Europe/London]"] {
            let text = format!("2026-11-23T10:30{elsewhere}");
            assert_eq!(moment("Asia/Tokyo", &text), Err(NoMoment::NotATime(text.clone())));
        }
        let skipped = moment("Europe/London", "2026-03-29T01:30");
        assert!(matches!(skipped, Err(NoMoment::Skipped { .. })), "{skipped:?}");
        assert!(matches!(moment("Asia/Edo", "2026-11-23T10:30"), Err(NoMoment::Zone(_))));
    }

    #[test]
    fn of_an_hour_that_comes_twice_the_first_is_meant() {
        let first = moment("Europe/London", "2026-10-25T01:30").unwrap();
        assert_eq!(first, moment("Europe/London", "2026-10-25T00:30").unwrap() + HOUR);
    }

    const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);
}
