//! Calendars that ship with the program, from `data/holidays_*.csv`.

use std::sync::Arc;

use crate::logic::settings::Calendar;

/// The calendar of a region (`JP`), if one ships.
#[must_use]
pub fn calendar(region: &str) -> Option<Calendar> {
    let (_, text) = FILES.iter().find(|(name, _)| *name == region)?;
    let known_until = text.lines().find_map(|l| l.strip_prefix("# known-until,"));
    let rows = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    let dates: Vec<String> =
        rows.filter_map(|row| row.split_once(',')).map(|(date, _)| date.to_owned()).collect();
    Some(Calendar { dates: Arc::from(dates), known_until: known_until.map(str::to_owned) })
}

/// Regions that have a calendar.
pub fn regions() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(region, _)| *region)
}

const FILES: [(&str, &str); 4] = [
    ("GB", include_str!("data/holidays_gb.csv")),
    ("JP", include_str!("data/holidays_jp.csv")),
    ("KR", include_str!("data/holidays_kr.csv")),
    ("SG", include_str!("data/holidays_sg.csv")),
];

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;

    #[test]
    fn every_calendar_is_sorted_and_says_where_it_ends() {
        for region in regions() {
            let calendar = calendar(region).unwrap();
            let dates: Vec<Date> = calendar.dates.iter().map(|d| d.parse().unwrap()).collect();
            assert!(dates.len() >= 15, "{region}");
            assert!(dates.is_sorted_by(|a, b| a < b), "{region}");
            let until: Date = calendar.known_until.unwrap().parse().unwrap();
            assert!(*dates.last().unwrap() < until, "{region}");
            assert!(FILES.iter().all(|(_, text)| text.contains("checked-on 20")));
        }
    }

    #[test]
    fn the_days_between_two_holidays_in_japan_are_in() {
        // 祝日法 3条3項: 22 September 2026 lies between two national holidays.
        assert!(calendar("JP").unwrap().dates.contains(&"2026-09-22".to_owned()));
        assert!(calendar("FR").is_none());
    }
}
