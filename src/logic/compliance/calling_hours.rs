//! Calling hours: a moment is allowed when the clock of *every* zone of the callee shows an allowed time, and goes on
//! showing one until the phone would have rung out.
//!
//! Days on which the clock is changed are read the strict way: a window that starts at a time shown twice starts the
//! second time, one that ends at a time shown twice ends the first time; the hour that does not exist is not allowed.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::logic::compliance::UnknownZone;
use crate::logic::compliance::Verdict;
use crate::logic::compliance::zone;
use crate::logic::gate::Gate;
use crate::logic::settings::CallingHours;
use crate::logic::settings::TimeRange;
use crate::logic::settings::Weekly;
use crate::logic::time::UtcMs;

/// Calling hours of one set of zones, looked up and ready to be asked.
#[derive(Clone, Debug)]
pub struct HoursRule(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Always,
    Closed,
    Weekly(Box<Rule>),
}

#[derive(Clone, Debug)]
struct Rule {
    zones: Vec<TimeZone>,
    days: [Vec<TimeRange>; 7],
    holiday: Option<Vec<TimeRange>>,
    holidays: BTreeSet<Date>,
    known_until: Option<Date>,
}

impl HoursRule {
    /// Prepares `hours` for callees in all of `zones`; with none given, in the default zones of `hours`.
    ///
    /// # Errors
    /// A zone is not in the bundled database. Such a callee is not dialed: use [`HoursRule::closed`].
    pub fn new(hours: &CallingHours, zones: &[String]) -> Result<Self, UnknownZone> {
        let weekly = match hours {
            CallingHours::Always => return Ok(Self(Kind::Always)),
            CallingHours::Weekly(weekly) => weekly,
        };
        let names = if zones.is_empty() { &weekly.default_zones } else { zones };
        let zones: Vec<TimeZone> =
            names.iter().map(|name| zone::zone(name)).collect::<Result<_, _>>()?;
        if zones.is_empty() {
            return Ok(Self::closed());
        }
        let rule = Rule {
            zones,
            days: weekly.days.clone(),
            holiday: weekly.holidays.clone(),
            holidays: weekly.calendar.dates.iter().filter_map(|text| date(text)).collect(),
            known_until: known_until(weekly),
        };
        Ok(Self(Kind::Weekly(Box::new(rule))))
    }

    /// Never open: for a callee whose zone is not known.
    #[must_use]
    pub const fn closed() -> Self {
        Self(Kind::Closed)
    }

    /// Whether a call may start at `now` if it can ring for `ring`; else when, looking 60 days ahead.
    #[must_use]
    pub fn verdict(&self, now: UtcMs, ring: Duration) -> Verdict {
        match &self.0 {
            Kind::Always => Verdict::Allow,
            Kind::Closed => Verdict::Never(Gate::Hours),
            Kind::Weekly(rule) => match rule.next_open(now, ring) {
                Some(at) if at <= now => Verdict::Allow,
                Some(at) => Verdict::Later(at),
                None => Verdict::Never(Gate::Hours),
            },
        }
    }
}

impl Rule {
    /// The first moment from `now` on from which all zones allow `ring` without a break.
    fn next_open(&self, now: UtcMs, ring: Duration) -> Option<UtcMs> {
        // Nearly every answer lies in the first days; the far look is for holidays and closed campaigns. An interval
        // that the horizon cuts can only be refused, never be found too early.
        [NEAR_DAYS, FAR_DAYS].into_iter().find_map(|days| {
            self.open(now, days).into_iter().find_map(|span| {
                let start = span.start.max(now);
                (start + ring <= span.end && start < span.end).then_some(start)
            })
        })
    }

    /// What all zones allow from the day before `now` to `days` after it, in order and without overlap.
    fn open(&self, now: UtcMs, days: i64) -> Vec<Span> {
        let mut zones = self.zones.iter().map(|zone| self.open_in(zone, now, days));
        let first = zones.next().unwrap_or_default();
        zones.fold(first, |a, b| intersect(&a, &b))
    }

    fn open_in(&self, zone: &TimeZone, now: UtcMs, days: i64) -> Vec<Span> {
        let Some(now) = zone::timestamp(now) else { return Vec::new() };
        let today = zone.to_datetime(now).date();
        let mut spans = Vec::new();
        for offset in -1..=days {
            let day = today.checked_add(jiff::Span::new().days(offset));
            let Ok(day) = day else { break };
            spans.extend(self.ranges_on(day).iter().filter_map(|r| span_of(zone, day, *r)));
        }
        joined(spans)
    }

    fn ranges_on(&self, day: Date) -> Vec<TimeRange> {
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or_default();
        let usual = self.days.get(weekday).map(Vec::as_slice).unwrap_or_default();
        match &self.holiday {
            None => usual.to_vec(),
            Some(holiday) if self.known_until.is_some_and(|until| day >= until) => {
                both(usual, holiday)
            }
            Some(holiday) if self.holidays.contains(&day) => holiday.clone(),
            Some(_) => usual.to_vec(),
        }
    }
}

/// From `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: UtcMs,
    end: UtcMs,
}

fn span_of(zone: &TimeZone, day: Date, range: TimeRange) -> Option<Span> {
    let start = zone::latest(zone, clock(day, range.start)?)?;
    let end = zone::earliest(zone, clock(day, range.end)?)?;
    (start < end).then_some(Span { start, end })
}

/// The clock time `minute` minutes after midnight; 1440 is midnight of the next day.
fn clock(day: Date, minute: u16) -> Option<DateTime> {
    if minute >= MINUTES_OF_DAY {
        return Some(day.tomorrow().ok()?.to_datetime(Time::midnight()));
    }
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    Some(day.at(hour, minute, 0, 0))
}

fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut whole: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match whole.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            Some(_) | None => whole.push(span),
        }
    }
    whole
}

fn intersect(a: &[Span], b: &[Span]) -> Vec<Span> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    let mut common = Vec::new();
    while let (Some(x), Some(y)) = (a.peek().copied(), b.peek().copied()) {
        let (start, end) = (x.start.max(y.start), x.end.min(y.end));
        if start < end {
            common.push(Span { start, end });
        }
        if x.end <= y.end {
            a.next();
        } else {
            b.next();
        }
    }
    common
}

/// The minutes that lie in a range of each of two lists.
#[must_use]
pub fn both(a: &[TimeRange], b: &[TimeRange]) -> Vec<TimeRange> {
    let mut common = Vec::new();
    for x in a {
        for y in b {
            let (start, end) = (x.start.max(y.start), x.end.min(y.end));
            if start < end {
                common.push(TimeRange { start, end });
            }
        }
    }
    common.sort_unstable();
    common
}

fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}

/// A date that cannot be read is taken as "nothing is known", the strict reading.
fn known_until(weekly: &Weekly) -> Option<Date> {
    weekly.calendar.known_until.as_deref().map(|text| date(text).unwrap_or(Date::MIN))
}

const MINUTES_OF_DAY: u16 = 24 * 60;
const NEAR_DAYS: i64 = 3;
const FAR_DAYS: i64 = 60;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::logic::settings::Calendar;

    const RING: Duration = Duration::from_secs(30);

    fn at(text: &str) -> UtcMs {
        let zoned: jiff::Zoned = text.parse().unwrap();
        UtcMs(zoned.timestamp().as_millisecond())
    }

    fn range(start: u16, end: u16) -> TimeRange {
        TimeRange { start, end }
    }

    fn weekly(zones: &[&str], ranges: &[TimeRange]) -> Weekly {
        Weekly {
            default_zones: zones.iter().map(|z| (*z).to_owned()).collect(),
            days: std::array::from_fn(|_| ranges.to_vec()),
            holidays: None,
            calendar: Calendar::default(),
        }
    }

    fn rule(weekly: Weekly) -> HoursRule {
        HoursRule::new(&CallingHours::Weekly(weekly), &[]).unwrap()
    }

    #[test]
    fn a_call_may_not_ring_past_the_end_of_the_window() {
        let rule = rule(weekly(&["Asia/Tokyo"], &[range(540, 1200)]));
        assert_eq!(rule.verdict(at("2026-11-24T19:59:30+09:00[Asia/Tokyo]"), RING), Verdict::Allow);
        assert_eq!(
            rule.verdict(at("2026-11-24T19:59:30.001+09:00[Asia/Tokyo]"), RING),
            Verdict::Later(at("2026-11-25T09:00:00+09:00[Asia/Tokyo]"))
        );
    }

    #[test]
    fn a_number_of_two_zones_is_called_when_both_are_open() {
        // compliance T4: Chicago and New York, until 21:00.
        let rule = rule(weekly(&["America/Chicago", "America/New_York"], &[range(480, 1260)]));
        let refused = |text| assert_ne!(rule.verdict(at(text), RING), Verdict::Allow, "{text}");
        refused("2026-11-24T21:10:00-05:00[America/New_York]");
        refused("2026-11-24T08:30:00-05:00[America/New_York]");
        assert_eq!(
            rule.verdict(at("2026-11-24T08:30:00-05:00[America/New_York]"), RING),
            Verdict::Later(at("2026-11-24T09:00:00-05:00[America/New_York]"))
        );
    }

    #[test]
    fn zones_given_for_a_number_replace_the_default_ones() {
        let hours = CallingHours::Weekly(weekly(&["Australia/Sydney"], &[range(540, 1200)]));
        // compliance T5: Cairns keeps no summer time.
        let nine_in_sydney = at("2026-12-01T09:00:00+11:00[Australia/Sydney]");
        let sydney = HoursRule::new(&hours, &[]).unwrap();
        let cairns = HoursRule::new(&hours, &["Australia/Brisbane".to_owned()]).unwrap();
        assert_eq!(sydney.verdict(nine_in_sydney, RING), Verdict::Allow);
        assert_eq!(
            cairns.verdict(nine_in_sydney, RING),
            Verdict::Later(nine_in_sydney + Duration::from_secs(3600))
        );
    }

    #[test]
    fn a_holiday_has_hours_of_its_own() {
        let mut weekly = weekly(&["Asia/Tokyo"], &[range(540, 1200)]);
        weekly.holidays = Some(vec![]);
        weekly.calendar =
            Calendar { dates: Arc::from(["2026-11-23".to_owned()]), known_until: None };
        assert_eq!(
            rule(weekly).verdict(at("2026-11-23T10:00:00+09:00[Asia/Tokyo]"), RING),
            Verdict::Later(at("2026-11-24T09:00:00+09:00[Asia/Tokyo]"))
        );
    }

    #[test]
    fn past_the_end_of_the_calendar_every_day_may_be_a_holiday() {
        let mut weekly = weekly(&["Asia/Tokyo"], &[range(540, 1200)]);
        weekly.holidays = Some(vec![range(600, 660)]);
        weekly.calendar.known_until = Some("2029-01-01".to_owned());
        let rule = rule(weekly);
        assert_eq!(rule.verdict(at("2028-12-31T09:00:00+09:00[Asia/Tokyo]"), RING), Verdict::Allow);
        assert_eq!(
            rule.verdict(at("2029-01-01T09:00:00+09:00[Asia/Tokyo]"), RING),
            Verdict::Later(at("2029-01-01T10:00:00+09:00[Asia/Tokyo]"))
        );
    }

    #[test]
    fn a_window_that_ends_in_the_repeated_hour_ends_the_first_time() {
        // London 2026-10-25: 01:00-02:00 comes twice, first at +01:00.
        let rule = rule(weekly(&["Europe/London"], &[range(0, 90)]));
        assert_eq!(
            rule.verdict(at("2026-10-25T01:29:30+01:00[Europe/London]"), RING),
            Verdict::Allow
        );
        assert_eq!(
            rule.verdict(at("2026-10-25T01:10:00+00:00[Europe/London]"), RING),
            Verdict::Later(at("2026-10-26T00:00:00+00:00[Europe/London]"))
        );
    }

    #[test]
    fn a_window_that_starts_in_the_repeated_hour_starts_the_second_time() {
        let rule = rule(weekly(&["Europe/London"], &[range(90, 600)]));
        assert_eq!(
            rule.verdict(at("2026-10-25T01:40:00+01:00[Europe/London]"), RING),
            Verdict::Later(at("2026-10-25T01:30:00+00:00[Europe/London]"))
        );
    }

    #[test]
    fn a_window_inside_the_skipped_hour_is_not_open_that_day() {
        // London 2026-03-29: the clock goes from 01:00 to 02:00.
        let rule = rule(weekly(&["Europe/London"], &[range(60, 120)]));
        assert_eq!(
            rule.verdict(at("2026-03-29T00:30:00+00:00[Europe/London]"), RING),
            Verdict::Later(at("2026-03-30T01:00:00+01:00[Europe/London]"))
        );
    }

    #[test]
    fn days_open_around_the_clock_join_at_midnight() {
        let rule = rule(weekly(&["Asia/Tokyo"], &[range(0, 1440)]));
        assert_eq!(rule.verdict(at("2026-11-24T23:59:59+09:00[Asia/Tokyo]"), RING), Verdict::Allow);
    }

    #[test]
    fn hours_that_never_come_are_never() {
        let closed = rule(weekly(&["Asia/Tokyo"], &[]));
        let now = at("2026-11-24T12:00:00+09:00[Asia/Tokyo]");
        assert_eq!(closed.verdict(now, RING), Verdict::Never(Gate::Hours));
        assert_eq!(HoursRule::closed().verdict(now, RING), Verdict::Never(Gate::Hours));
        assert_eq!(closed.verdict(UtcMs(i64::MAX), RING), Verdict::Never(Gate::Hours));
        assert_eq!(closed.verdict(UtcMs(i64::MIN), RING), Verdict::Never(Gate::Hours));
    }

    #[test]
    fn an_unknown_zone_is_an_error_and_not_another_zone() {
        let hours = CallingHours::Weekly(weekly(&["Asia/Tokyo"], &[range(540, 1200)]));
        let error = HoursRule::new(&hours, &["Asia/Edo".to_owned()]).unwrap_err();
        assert_eq!(error, UnknownZone("Asia/Edo".to_owned()));
    }

    const ZONES: [&str; 8] = [
        "Asia/Tokyo",
        "Europe/London",
        "America/New_York",
        "America/Chicago",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "America/Havana",
        "Africa/Cairo",
    ];

    prop_compose! {
        fn any_ranges()(cuts in prop::collection::btree_set(0u16..=48, 0..6)) -> Vec<TimeRange> {
            let cuts: Vec<u16> = cuts.into_iter().map(|c| c * 30).collect();
            cuts.chunks_exact(2).map(|pair| range(pair[0], pair[1])).collect()
        }
    }

    prop_compose! {
        fn any_weekly()(
            zones in prop::collection::btree_set(prop::sample::select(ZONES.to_vec()), 1..3),
            days in prop::collection::vec(any_ranges(), 7),
            holiday in prop::option::of(any_ranges()),
        ) -> Weekly {
            let mut weekly = weekly(&zones.into_iter().collect::<Vec<_>>(), &[]);
            for (day, ranges) in weekly.days.iter_mut().zip(days) {
                *day = ranges;
            }
            weekly.holidays = holiday;
            weekly.calendar.dates = Arc::from(["2026-03-29".to_owned(), "2026-11-02".to_owned()]);
            weekly
        }
    }

    /// Half-hours of 2026 around changes of the clock somewhere, and any other.
    fn any_moment() -> impl Strategy<Value = UtcMs> {
        let day = prop_oneof![
            0i64..365,
            (64i64..100),  // March, April
            (270i64..312), // October, early November
        ];
        (day, 0i64..86_400_000)
            .prop_map(|(day, ms)| UtcMs(1_767_225_600_000 + day * 86_400_000 + ms))
    }

    /// The plain reading: every zone's clock shows an allowed minute, looked at minute by minute.
    fn clocks_allow(weekly: &Weekly, at: UtcMs) -> bool {
        weekly.default_zones.iter().all(|name| {
            let zone = zone::zone(name).unwrap();
            let local = zone.to_datetime(zone::timestamp(at).unwrap());
            let minute =
                u16::try_from(local.hour()).unwrap() * 60 + u16::try_from(local.minute()).unwrap();
            let date = local.date().to_string();
            let usual =
                &weekly.days[usize::try_from(local.weekday().to_monday_zero_offset()).unwrap()];
            let ranges = match &weekly.holidays {
                Some(holiday) if weekly.calendar.dates.contains(&date) => holiday,
                Some(_) | None => usual,
            };
            ranges.iter().any(|r| r.start <= minute && minute < r.end)
        })
    }

    proptest! {
        #[test]
        fn what_is_allowed_is_allowed_by_every_clock_while_it_rings(
            weekly in any_weekly(), now in any_moment(), ring_s in 0u64..120
        ) {
            let ring = Duration::from_secs(ring_s);
            if rule(weekly.clone()).verdict(now, ring) == Verdict::Allow {
                for s in 0..ring_s.max(1) {
                    prop_assert!(clocks_allow(&weekly, now + Duration::from_secs(s)));
                }
            }
        }

        #[test]
        fn the_next_opening_is_allowed_and_nothing_before_it_is(
            weekly in any_weekly(), now in any_moment()
        ) {
            let rule = rule(weekly);
            if let Verdict::Later(opening) = rule.verdict(now, RING) {
                prop_assert!(opening > now);
                prop_assert_eq!(rule.verdict(opening, RING), Verdict::Allow);
                prop_assert_ne!(rule.verdict(UtcMs(opening.0 - 1), RING), Verdict::Allow);
                let mut before = now;
                for _ in 0..400 {
                    if before >= opening { break }
                    prop_assert_eq!(rule.verdict(before, RING), Verdict::Later(opening));
                    before = before + Duration::from_secs(17 * 60);
                }
            }
        }

        #[test]
        fn away_from_changes_of_the_clock_the_plain_reading_is_ours(
            weekly in any_weekly(), ms in 0i64..(20 * 86_400_000)
        ) {
            // No zone of the list changes its clock from 10 May to 10 June.
            let now = UtcMs(1_778_371_200_000 + ms);
            let plain = clocks_allow(&weekly, now);
            prop_assert_eq!(rule(weekly).verdict(now, Duration::ZERO) == Verdict::Allow, plain);
        }
    }
}
