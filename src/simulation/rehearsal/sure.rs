//! How sure a figure is that was seen in several seeds.

/// Mean of some values and the 95 % interval of the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sure {
    /// How many values.
    pub count: u32,
    /// Their mean.
    pub mean: f64,
    /// Half the width of the 95 % interval of the mean, by Student's t; `None` from one value alone.
    pub half: Option<f64>,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Sure {
    /// Of some values; `None` of none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = u32::try_from(values.len()).ok().filter(|count| *count > 0)?;
        let mean = values.iter().sum::<f64>() / f64::from(count);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let half = (count > 1).then(|| {
            let freedom = count - 1;
            student_t(freedom) * (squares / f64::from(freedom) / f64::from(count)).sqrt()
        });
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { count, mean, half, least, most })
    }

    /// Whether the interval excludes zero; for differences.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.half.is_some_and(|half| self.mean.abs() > half)
    }
}

/// The 97.5 % quantile of Student's t with so many degrees of freedom.
#[must_use]
pub fn student_t(freedom: u32) -> f64 {
    let place = usize::try_from(freedom).unwrap_or(usize::MAX);
    match place.checked_sub(1).and_then(|place| STUDENT_T.get(place)) {
        Some(t) => *t,
        None if freedom == 0 => f64::INFINITY,
        // Cornish and Fisher's expansion, better than 0.001 from here on.
        None => {
            let n = f64::from(freedom);
            NORMAL
                + (NORMAL.powi(3) + NORMAL) / (4.0 * n)
                + (5.0 * NORMAL.powi(5) + 16.0 * NORMAL.powi(3) + 3.0 * NORMAL) / (96.0 * n * n)
        }
    }
}

/// The value below which so many of a thousand lie (nearest rank); 0 of none. `sorted` is in order.
#[must_use]
pub fn quantile(sorted: &[u32], per_mille: usize) -> u32 {
    let place = (sorted.len() * per_mille).div_ceil(1_000).saturating_sub(1);
    sorted.get(place).or_else(|| sorted.last()).copied().unwrap_or(0)
}

/// The 97.5 % quantile of the normal distribution.
const NORMAL: f64 = 1.959_964;
/// For 1 to 12 degrees of freedom, from tables.
const STUDENT_T: [f64; 12] =
    [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_students() {
        let sure = Sure::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        // Deviation 1.5811, error of the mean 0.7071, t of four 2.776.
        assert!((sure.mean - 3.0).abs() < 1e-9);
        assert!((sure.half.unwrap() - 1.963).abs() < 1e-3, "{sure:?}");
        assert!(sure.is_clear());
        assert!(!Sure::of(&[-1.0, 1.0]).unwrap().is_clear());
        assert_eq!(Sure::of(&[2.0]).unwrap().half, None);
        assert_eq!(Sure::of(&[]), None);
    }

    #[test]
    fn quantiles_of_student_are_those_of_the_tables() {
        for (freedom, t) in
            [(1, 12.706), (5, 2.571), (13, 2.160), (20, 2.086), (30, 2.042), (1_000, 1.962)]
        {
            assert!((student_t(freedom) - t).abs() < 2e-3, "{freedom}: {}", student_t(freedom));
        }
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let sorted: Vec<u32> = (1..=20).collect();
        assert_eq!([500, 950, 1_000].map(|q| quantile(&sorted, q)), [10, 19, 20]);
        assert_eq!(quantile(&[], 500), 0);
    }
}
