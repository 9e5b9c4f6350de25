//! Durations as a person writes them: `90s`, `1500ms`, `1h30m`.

use std::time::Duration;

/// Reads numbers with units, largest first or not, without spaces: `1h30m`. `None` for anything else.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let number: u32 = number.parse().ok()?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(Duration::from_millis(*millis).checked_mul(number)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// The duration in the largest unit that holds it whole.
pub(super) fn text(duration: Duration) -> String {
    let millis = duration.as_millis();
    let whole = |(_, unit): &&(&str, u64)| millis.is_multiple_of(u128::from(*unit)) && millis > 0;
    let (name, unit) = UNITS.iter().find(whole).unwrap_or(&("s", 1000));
    format!("{}{name}", millis / u128::from(*unit))
}

/// Largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in
            [("90s", 90_000), ("1500ms", 1500), ("3h", 10_800_000), ("1h30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "90", "s", "1.5s", "-1s", "1 s", "3w", "99999999999s", "1h30"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_duration_reads_back_from_its_text(millis in 0u64..1_000_000_000) {
            let duration = Duration::from_millis(millis);
            proptest::prop_assert_eq!(parse(&text(duration)), Some(duration));
        }
    }
}
