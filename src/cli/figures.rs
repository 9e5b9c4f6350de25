//! Figures as people read them.

/// So many in so many milliseconds.
pub(crate) fn per_second(count: u64, millis: i64) -> f64 {
    let (count, millis) = (u32::try_from(count), u32::try_from(millis));
    match (count, millis) {
        (Ok(count), Ok(millis)) if millis > 0 => f64::from(count) * 1_000.0 / f64::from(millis),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => 0.0,
    }
}

/// `3.21 %` of two counts; a dash where there is nothing to divide by.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match (u32::try_from(part), u32::try_from(whole)) {
        (Ok(part), Ok(whole)) if whole > 0 => {
            format!("{:.2} %", f64::from(part) * 100.0 / f64::from(whole))
        }
        (Ok(_) | Err(_), Ok(_) | Err(_)) => "-".to_owned(),
    }
}

/// Parts per million as percent: `3.00 %`.
pub(crate) fn cap(ppm: u32) -> String {
    format!("{:.2} %", f64::from(ppm) / 10_000.0)
}

/// A time by the clock: `4:05`, `1:02:03`; never negative.
pub(crate) fn clock(millis: i64) -> String {
    let seconds = millis.max(0) / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!((percent(1, 3), percent(1, 0)), ("33.33 %".to_owned(), "-".to_owned()));
        assert_eq!(cap(30_000), "3.00 %");
        let times = [-5, 65_999, 3_723_000].map(clock);
        assert_eq!(times, ["0:00", "1:05", "1:02:03"]);
        assert!((per_second(3, 1_500) - 2.0).abs() < 1e-9);
    }
}
