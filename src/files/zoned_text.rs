//! Times as text in one zone: `2026-11-21T21:19:36.120+09:00`, five of them in every row of an export.
//!
//! Neighbours in a file are minutes apart, so the offset is asked for once between two changes of the clocks, and the date
//! is written once a day; what is left are a few divisions.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Writes times of one zone.
#[derive(Debug)]
pub(super) struct ZonedText {
    zone: TimeZone,
    season: Season,
    day: Day,
}

/// Between two changes of the clocks.
#[derive(Debug)]
struct Season {
    /// UTC milliseconds: the first one, and the first one after it.
    from: i64,
    until: i64,
    /// Milliseconds ahead of UTC.
    ahead: i64,
    /// `+09:00`.
    text: [u8; 6],
}

/// A day of the calendar.
#[derive(Debug)]
struct Day {
    /// Days since 1970-01-01.
    number: i64,
    /// `2026-11-21T`.
    text: [u8; 11],
}

impl ZonedText {
    /// Of this zone.
    pub(super) fn new(zone: TimeZone) -> Self {
        // Nothing is in them yet.
        let season = Season { from: 0, until: 0, ahead: 0, text: *b"+00:00" };
        let day = Day { number: i64::MIN, text: *b"0000-00-00T" };
        Self { zone, season, day }
    }

    /// Appends a time; nothing for one that no calendar has.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, ms: i64) {
        if !(self.season.from..self.season.until).contains(&ms) {
            let Ok(at) = Timestamp::from_millisecond(ms) else { return };
            self.season = Season::at(&self.zone, at);
        }
        let local = ms.saturating_add(self.season.ahead);
        let (number, of_day) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS));
        if number != self.day.number {
            let Ok(at) = Timestamp::from_millisecond(local) else { return };
            self.day = Day { number, text: date(at) };
        }
        out.extend_from_slice(&self.day.text);
        let (seconds, ms) = (of_day / 1_000, of_day % 1_000);
        let [[h1, h2], [m1, m2], [s1, s2]] =
            [seconds / 3_600, seconds / 60 % 60, seconds % 60].map(two_digits);
        let [[_, ms1], [ms2, ms3]] = [ms / 100, ms % 100].map(two_digits);
        out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2, b'.', ms1, ms2, ms3]);
        out.extend_from_slice(&self.season.text);
    }
}

impl Season {
    fn at(zone: &TimeZone, at: Timestamp) -> Self {
        let offset = zone.to_offset(at);
        // A change is to the whole second; `preceding` is about those before an instant, not at it.
        let next = at.checked_add(jiff::SignedDuration::from_millis(1)).unwrap_or(at);
        let from = zone.preceding(next).next();
        let until = zone.following(at).next();
        Self {
            from: from.map_or(i64::MIN, |change| change.timestamp().as_millisecond()),
            until: until.map_or(i64::MAX, |change| change.timestamp().as_millisecond()),
            ahead: i64::from(offset.seconds()).saturating_mul(1_000),
            text: offset_text(offset),
        }
    }
}

/// The date of a local time, given as if it were UTC.
fn date(local: Timestamp) -> [u8; 11] {
    let date = Offset::UTC.to_datetime(local);
    let year = i64::from(date.year()).abs();
    let [[y1, y2], [y3, y4]] = [year / 100, year % 100].map(two_digits);
    let [[m1, m2], [d1, d2]] = [date.month(), date.day()].map(|n| two_digits(n.into()));
    [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T']
}

/// Seconds, which only zones of the 19th century have, are left out.
fn offset_text(offset: Offset) -> [u8; 6] {
    let minutes = i64::from(offset.seconds() / 60);
    let sign = if minutes < 0 { b'-' } else { b'+' };
    let [[h1, h2], [m1, m2]] = [minutes.abs() / 60, minutes.abs() % 60].map(two_digits);
    [sign, h1, h2, b':', m1, m2]
}

/// Of a number below 100.
fn two_digits(number: i64) -> [u8; 2] {
    let number = u8::try_from(number).unwrap_or(0);
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(zone: &mut ZonedText, ms: i64) -> String {
        let mut out = vec![];
        zone.push(&mut out, ms);
        String::from_utf8(out).unwrap()
    }

    fn long_way(zone: &TimeZone, ms: i64) -> String {
        let at = Timestamp::from_millisecond(ms).unwrap().to_zoned(zone.clone());
        at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    }

    #[test]
    fn times_have_the_offset_of_their_zone_and_season() {
        for (zone, ms, expected) in [
            ("Asia/Tokyo", 1_795_302_000_007, "2026-11-22T08:00:00.007+09:00"),
            ("America/St_Johns", 1_795_302_000_000, "2026-11-21T19:30:00.000-03:30"),
            ("Europe/London", 1_784_000_000_999, "2026-07-14T04:33:20.999+01:00"),
            ("Etc/UTC", 0, "1970-01-01T00:00:00.000+00:00"),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            assert_eq!(text(&mut ZonedText::new(zone.clone()), ms), expected);
            assert_eq!(long_way(&zone, ms), expected);
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_left_out() {
        let mut zone = ZonedText::new(TimeZone::get("Asia/Tokyo").unwrap());
        assert_eq!([i64::MAX, i64::MIN].map(|ms| text(&mut zone, ms)), ["", ""]);
    }

    proptest::proptest! {
        /// Steps of whatever size, over the changes of the clocks and their very milliseconds.
        #[test]
        fn neighbours_are_written_as_each_would_be_alone(
            zone in proptest::sample::select(vec!["Asia/Tokyo", "America/New_York", "Europe/London", "Australia/Lord_Howe"]),
            start in 0..2_000_000_000_000_i64,
            steps in proptest::collection::vec((-3_i64..4, 0_u32..10), 1..40),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let mut writer = ZonedText::new(zone.clone());
            let mut ms = start;
            for (factor, power) in steps {
                ms += factor * 10_i64.pow(power);
                proptest::prop_assert_eq!(text(&mut writer, ms), long_way(&zone, ms));
                let change = zone.following(Timestamp::from_millisecond(ms).unwrap()).next();
                for at in change.iter().flat_map(|change| {
                    let change = change.timestamp().as_millisecond();
                    [change - 1, change, change + 1]
                }) {
                    proptest::prop_assert_eq!(text(&mut writer, at), long_way(&zone, at));
                }
            }
        }
    }
}
