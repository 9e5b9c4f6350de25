//! Decimal numbers as people write them, read without rounding.

/// A number in digits with at most `places` decimals, times ten to the power of `places`: `2.5` with four is 25,000.
#[must_use]
pub fn fixed_point(text: &str, places: usize) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > places {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let decimals: u32 = format!("{decimals:0<places$}").parse().ok()?;
    whole.checked_mul(10_u32.checked_pow(u32::try_from(places).ok()?)?)?.checked_add(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_without_rounding() {
        for (text, parts) in [("3", 30_000), ("2.5", 25_000), ("0.0001", 1), ("0", 0)] {
            assert_eq!(fixed_point(text, 4), Some(parts), "{text}");
        }
        for text in ["-1", "1e2", "0.00001", "nan", "4294967295"] {
            assert_eq!(fixed_point(text, 4), None, "{text}");
        }
    }
}
