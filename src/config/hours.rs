//! `[hours]`: weekly windows, holidays, and the zones in which they are read.

use std::collections::BTreeSet;

use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::presets::Rules;
use crate::logic::compliance::calling_hours::both;
use crate::logic::compliance::holidays;
use crate::logic::settings::Calendar;
use crate::logic::settings::CallingHours;
use crate::logic::settings::TimeRange;
use crate::logic::settings::Weekly;

/// Ranges of each day, Monday first, and of holidays.
#[derive(Clone, Debug, Default)]
pub(super) struct DayTable {
    pub(super) days: [Vec<TimeRange>; 7],
    pub(super) holiday: Option<Vec<TimeRange>>,
}

/// The hours of a campaign for callees in `zones`, in the country `region`.
pub(super) fn hours(
    root: &Section<'_>,
    rules: &Rules,
    region: &str,
    zones: &[String],
) -> Option<CallingHours> {
    let preset_days = rules.preset.as_ref().map(|preset| preset.hours.clone());
    let Some(field) = root.get("hours") else {
        let Some(days) = preset_days else {
            let expected = "when people may be called, or a preset that says so";
            root.need_section("hours", "[hours]", expected);
            return None;
        };
        let calendar = calendar(root, None, rules, region, &days);
        return Some(weekly(zones, days, calendar));
    };
    if field.is_text() {
        return always(&field, rules);
    }
    let section = field.section()?;
    let problems = section.problems();
    let table = days(&section, &preset_days.clone().unwrap_or_default());
    if let Some(preset) = &preset_days {
        check_tighter(&section, rules, &table, preset);
    }
    let named = section.get("zone").and_then(|field| zone(&field, zones));
    let own = section.get("extra_holidays");
    let calendar = calendar(&section, own, rules, region, &table);
    if table.days.iter().all(Vec::is_empty) && section.problems() == problems {
        let wrong = Wrong::new(
            "no open day",
            "ranges on at least one day",
            "add a line such as `mon_fri = [\"09:00-12:00\", \"13:00-20:00\"]`",
        );
        section.wrong(wrong);
    }
    section.finish();
    let zones = named.map_or_else(|| zones.to_vec(), |zone| vec![zone]);
    Some(weekly(&zones, table, calendar))
}

fn weekly(zones: &[String], table: DayTable, calendar: Calendar) -> CallingHours {
    let DayTable { days, holiday } = table;
    CallingHours::Weekly(Weekly {
        default_zones: zones.to_vec(),
        days,
        holidays: holiday,
        calendar,
    })
}

fn always(field: &Field<'_>, rules: &Rules) -> Option<CallingHours> {
    field.choice(&[("always", ())])?;
    if !rules.simulated_only {
        field.unexpected(
            "a section of hours, for nobody may be called around the clock",
            "write [hours], or `simulated_only = true` for a campaign that calls nobody",
        );
        return None;
    }
    Some(CallingHours::Always)
}

/// The day keys of `section`; days without a key are those of `base`.
pub(super) fn days(section: &Section<'_>, base: &DayTable) -> DayTable {
    let mut table = base.clone();
    if let Some(ranges) = section.get("mon_fri").and_then(|field| ranges(&field)) {
        for day in table.days.iter_mut().take(5) {
            day.clone_from(&ranges);
        }
    }
    for (day, key) in table.days.iter_mut().zip(DAYS) {
        if let Some(ranges) = section.get(key).and_then(|field| ranges(&field)) {
            *day = ranges;
        }
    }
    if let Some(ranges) = section.get("holiday").and_then(|field| ranges(&field)) {
        table.holiday = Some(ranges);
    }
    table
}

/// A list of ranges in order, none touching another.
fn ranges(field: &Field<'_>) -> Option<Vec<TimeRange>> {
    let expected = "ranges such as [\"09:00-12:00\", \"13:00-20:00\"], or [] for closed";
    if field.is_text() {
        field.unexpected(expected, "put it in square brackets");
        return None;
    }
    let items = field.items()?;
    let read: Vec<TimeRange> = items
        .iter()
        .filter_map(|item| {
            let advice = "write hours and minutes, the end after the start, at most 24:00";
            item.parse("a range such as \"09:00-12:00\"", advice, range)
        })
        .collect();
    let ordered = read.iter().zip(read.iter().skip(1)).all(|(a, b)| a.end < b.start);
    if !ordered {
        let wrong = Wrong::new(
            "ranges that touch, overlap or stand out of order",
            "each range to start after the one before has ended",
            "join or sort them",
        );
        field.wrong(wrong);
        return None;
    }
    (read.len() == items.len()).then_some(read)
}

/// `09:00-12:30`.
fn range(text: &str) -> Option<TimeRange> {
    let (start, end) = text.split_once('-')?;
    let (start, end) = (minute(start)?, minute(end)?);
    (start < end).then_some(TimeRange { start, end })
}

/// `09:30` in minutes since midnight; `24:00` is the end of the day.
pub(super) fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let of_day = hour * 60 + minute;
    (minute < 60 && of_day <= 24 * 60).then_some(of_day)
}

fn zone(field: &Field<'_>, zones: &[String]) -> Option<String> {
    let expected = format!("{}, the zone of the countries called", zones.join(" or "));
    field.parse(&expected, "take the key out: the country decides", |text| {
        zones.iter().find(|zone| *zone == text).cloned()
    })
}

fn check_tighter(section: &Section<'_>, rules: &Rules, table: &DayTable, preset: &DayTable) {
    for (i, (day, allowed)) in table.days.iter().zip(&preset.days).enumerate() {
        if within(day, allowed) {
            continue;
        }
        let key = DAYS.get(i).copied().unwrap_or_default();
        let group = if i < 5 { section.get("mon_fri") } else { None };
        if let Some(field) = section.get(key).or(group) {
            rules.loosened(&field, &within_text(allowed));
        }
    }
    if let (Some(holiday), Some(allowed)) = (&table.holiday, &preset.holiday)
        && !within(holiday, allowed)
        && let Some(field) = section.get("holiday")
    {
        rules.loosened(&field, &within_text(allowed));
    }
}

/// Whether every minute of `inner` is one of `outer`.
fn within(inner: &[TimeRange], outer: &[TimeRange]) -> bool {
    both(inner, outer) == inner
}

fn within_text(ranges: &[TimeRange]) -> String {
    if ranges.is_empty() {
        return "closed ([])".to_owned();
    }
    let clock = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
    let texts: Vec<String> =
        ranges.iter().map(|r| format!("{}-{}", clock(r.start), clock(r.end))).collect();
    format!("within {}", texts.join(" and "))
}

fn preset_calendar(rules: &Rules, region: &str) -> Option<Calendar> {
    let named = rules.preset.as_ref().and_then(|preset| preset.calendar.as_deref());
    holidays::calendar(named.unwrap_or(region))
}

/// The shipped calendar of the country, with the campaign's own days added.
fn calendar(
    section: &Section<'_>,
    own: Option<Field<'_>>,
    rules: &Rules,
    region: &str,
    table: &DayTable,
) -> Calendar {
    let dates: BTreeSet<String> =
        own.map(|field| field.list(date).into_iter().collect()).unwrap_or_default();
    if let Some(shipped) = preset_calendar(rules, region) {
        let all: BTreeSet<String> = shipped.dates.iter().cloned().chain(dates).collect();
        return Calendar { dates: all.into_iter().collect(), known_until: shipped.known_until };
    }
    let stricter_on_holidays = table
        .holiday
        .as_ref()
        .is_some_and(|holiday| table.days.iter().any(|day| !within(day, holiday)));
    // A list made by hand ends with the year of its last day; later days must fit both ranges.
    let year = dates.last().and_then(|date| date.get(..4)?.parse::<u16>().ok());
    if stricter_on_holidays && year.is_none() {
        let wrong = Wrong::new(
            format!("hours of their own for holidays, but no calendar of {region} ships"),
            "the holidays in `extra_holidays` of [hours]",
            "list them: extra_holidays = [\"2026-12-25\"]",
        );
        section.wrong(wrong);
    }
    let known_until = year.map(|year| format!("{:04}-01-01", year.saturating_add(1)));
    Calendar { dates: dates.into_iter().collect(), known_until }
}

fn date(field: &Field<'_>) -> Option<String> {
    field.parse("a date such as \"2026-12-29\"", "write year, month and day in quotes", |text| {
        let date: jiff::civil::Date = text.parse().ok()?;
        (text.len() == 10).then(|| date.to_string())
    })
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
