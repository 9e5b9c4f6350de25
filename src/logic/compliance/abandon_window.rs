//! Which fixed window a call is booked in. Windows of one campaign follow each other without gap or overlap.

use jiff::civil::Date;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::logic::compliance::UnknownZone;
use crate::logic::compliance::zone;
use crate::logic::settings::AbandonSettings;
use crate::logic::settings::AbandonWindow;
use crate::logic::time::UtcMs;

/// The windows of one campaign.
#[derive(Clone, Debug)]
pub struct AbandonWindows {
    kind: AbandonWindow,
    zone: TimeZone,
    first_day: Date,
}

/// From `starts` to before `ends`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowBounds {
    /// First moment.
    pub starts: UtcMs,
    /// First moment of the next window.
    pub ends: UtcMs,
}

impl AbandonWindows {
    /// Windows of a campaign whose first call was (or is about to be) at `campaign_start`.
    ///
    /// # Errors
    /// The zone of `settings` is not in the bundled database.
    pub fn new(settings: &AbandonSettings, campaign_start: UtcMs) -> Result<Self, UnknownZone> {
        let zone = zone::zone(&settings.zone)?;
        let first_day = local_date(&zone, campaign_start);
        Ok(Self { kind: settings.window, zone, first_day })
    }

    /// The window to which a call answered at `at` belongs.
    #[must_use]
    pub fn of(&self, at: UtcMs) -> WindowBounds {
        let day = local_date(&self.zone, at);
        let (first, next) = match self.kind {
            AbandonWindow::Day => (day, days_after(day, 1)),
            AbandonWindow::Days30 => {
                let since = i64::from(self.first_day.until(day).map_or(0, |span| span.get_days()));
                let first = days_after(self.first_day, since.div_euclid(30) * 30);
                (first, days_after(first, 30))
            }
            AbandonWindow::Month => {
                let first = day.first_of_month();
                (first, days_after(day.last_of_month(), 1))
            }
        };
        WindowBounds { starts: self.midnight(first), ends: self.midnight(next) }
    }

    /// Start of a local day; where the clock skips midnight, the moment of the change.
    fn midnight(&self, day: Date) -> UtcMs {
        let local = day.to_datetime(Time::midnight());
        let at = self.zone.to_ambiguous_timestamp(local).compatible();
        at.map_or(UtcMs(i64::MAX), zone::utc)
    }
}

fn local_date(zone: &TimeZone, at: UtcMs) -> Date {
    zone::timestamp(at).map_or(Date::MIN, |at| zone.to_datetime(at).date())
}

fn days_after(day: Date, days: i64) -> Date {
    day.saturating_add(jiff::Span::new().days(days))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logic::settings::AbandonBound;

    fn at(text: &str) -> UtcMs {
        let zoned: jiff::Zoned = text.parse().unwrap();
        UtcMs(zoned.timestamp().as_millisecond())
    }

    fn windows(window: AbandonWindow, zone: &str, start: &str) -> AbandonWindows {
        let settings = AbandonSettings {
            cap_ppm: 30_000,
            window,
            zone: zone.to_owned(),
            bound: AbandonBound::Instant,
        };
        AbandonWindows::new(&settings, at(start)).unwrap()
    }

    #[test]
    fn a_day_is_the_local_day() {
        let days =
            windows(AbandonWindow::Day, "Europe/London", "2026-01-01T00:00+00:00[Europe/London]");
        assert_eq!(
            days.of(at("2026-03-29T12:00+01:00[Europe/London]")),
            WindowBounds {
                starts: at("2026-03-29T00:00+00:00[Europe/London]"),
                ends: at("2026-03-30T00:00+01:00[Europe/London]"),
            }
        );
    }

    #[test]
    fn thirty_days_are_counted_from_the_first_day_of_the_campaign() {
        let blocks =
            windows(AbandonWindow::Days30, "Asia/Tokyo", "2026-11-10T15:00+09:00[Asia/Tokyo]");
        let last = at("2026-12-09T23:59+09:00[Asia/Tokyo]");
        let edge = at("2026-12-10T00:00+09:00[Asia/Tokyo]");
        assert_eq!(blocks.of(last).starts, at("2026-11-10T00:00+09:00[Asia/Tokyo]"));
        assert_eq!(blocks.of(last).ends, edge);
        assert_eq!(blocks.of(edge).starts, edge);
        assert_eq!(blocks.of(edge).ends, at("2027-01-09T00:00+09:00[Asia/Tokyo]"));
    }

    #[test]
    fn a_month_is_the_calendar_month() {
        let months =
            windows(AbandonWindow::Month, "Asia/Tokyo", "2026-11-10T15:00+09:00[Asia/Tokyo]");
        assert_eq!(
            months.of(at("2026-02-14T12:00+09:00[Asia/Tokyo]")),
            WindowBounds {
                starts: at("2026-02-01T00:00+09:00[Asia/Tokyo]"),
                ends: at("2026-03-01T00:00+09:00[Asia/Tokyo]"),
            }
        );
    }

    proptest! {
        #[test]
        fn windows_hold_their_moment_and_meet_at_their_edges(
            kind in prop::sample::select(vec![
                AbandonWindow::Day, AbandonWindow::Days30, AbandonWindow::Month,
            ]),
            zone in prop::sample::select(vec![
                "Asia/Tokyo", "Europe/London", "America/Havana", "Africa/Cairo", "Pacific/Apia",
            ]),
            // 2011 to 2036: Apia skipped a whole day in 2011.
            moment in 1_293_840_000_000i64..2_100_000_000_000,
        ) {
            let windows = windows(kind, zone, "2026-11-10T15:00+09:00[Asia/Tokyo]");
            let window = windows.of(UtcMs(moment));
            prop_assert!(window.starts.0 <= moment && moment < window.ends.0);
            prop_assert_eq!(windows.of(window.ends).starts, window.ends);
            prop_assert_eq!(windows.of(UtcMs(window.starts.0 - 1)).ends, window.starts);
        }
    }
}
