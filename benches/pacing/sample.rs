//! Means of few days, and how sure they are.

/// Figures of the same thing on several seeds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(pub(crate) Vec<f64>);

impl Sample {
    pub(crate) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }

    pub(crate) fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Half the width of the 95 % confidence interval of the mean (Student's t).
    pub(crate) fn within(&self) -> f64 {
        let (count, mean) = (self.0.len(), self.mean());
        if count < 2 {
            return f64::NAN;
        }
        let squares: f64 = self.0.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = (squares / (count - 1) as f64).sqrt();
        student(count - 1) * deviation / (count as f64).sqrt()
    }

    /// Pair by pair.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one - other).collect())
    }

    /// Mean and half width.
    pub(crate) fn show(&self) -> String {
        let within = self.within();
        if within.is_nan() {
            format!("{:.1}", self.mean())
        } else {
            format!("{:.1} ± {within:.1}", self.mean())
        }
    }
}

/// The 97.5 % point by degrees of freedom.
fn student(freedom: usize) -> f64 {
    const POINTS: [f64; 11] = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20];
    POINTS.get(freedom - 1).copied().unwrap_or(2.1)
}
