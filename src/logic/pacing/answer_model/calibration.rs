//! Whether chances that were told came true: of those told 30 %, three in ten.

/// What was told, beside what came.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    bins: [Bin; BINS],
    calls: f64,
    answers: f64,
    brier: f64,
    base: f64,
    prior: f64,
}

/// Calls for which about the same chance was told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub calls: f64,
    /// Sum of the chances.
    pub told: f64,
    /// How many a person answered.
    pub answers: f64,
}

impl Calibration {
    /// Before the first call; `prior` is what one would tell of it.
    pub(super) const fn new(prior: f64) -> Self {
        let bin = Bin { calls: 0.0, told: 0.0, answers: 0.0 };
        Self { bins: [bin; BINS], calls: 0.0, answers: 0.0, brier: 0.0, base: 0.0, prior }
    }

    pub(super) fn note(&mut self, told: f64, answered: bool) {
        let came = f64::from(u8::from(answered));
        // Who knows only how many were answered so far would have told this.
        let mean = (self.answers + self.prior) / (self.calls + 1.0);
        self.brier += (told - came) * (told - came);
        self.base += (mean - came) * (mean - came);
        self.calls += 1.0;
        self.answers += came;
        let mut least = 0.0;
        for bin in &mut self.bins {
            least += WIDTH;
            if told < least || least > 1.0 - WIDTH / 2.0 {
                bin.calls += 1.0;
                bin.told += told;
                bin.answers += came;
                break;
            }
        }
    }

    /// The tenths of chance, the least likely first.
    #[must_use]
    pub const fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// Calls so far.
    #[must_use]
    pub const fn calls(&self) -> f64 {
        self.calls
    }

    /// Mean squared error of what was told (Brier 1950): 0 for a prophet, less than [`Self::base`] for whoever knows more
    /// than the share of answers.
    #[must_use]
    pub fn brier(&self) -> f64 {
        self.brier / self.calls.max(1.0)
    }

    /// The same for telling, each time, the share that was answered until then.
    #[must_use]
    pub fn base(&self) -> f64 {
        self.base / self.calls.max(1.0)
    }

    /// Greatest distance between what was told and what came among bins of a hundred calls or more.
    #[must_use]
    pub fn worst(&self) -> f64 {
        let full = self.bins.iter().filter(|bin| bin.calls >= 100.0);
        full.map(|bin| ((bin.told - bin.answers) / bin.calls).abs()).fold(0.0, f64::max)
    }

    /// By how much more often people answered where so much more was told (weighted least squares over the tenths): 1 as
    /// told, less where the differences were told too large, 0 where they say nothing.
    #[must_use]
    pub fn slope(&self) -> f64 {
        let full = || self.bins.iter().filter(|bin| bin.calls > 0.0);
        let calls: f64 = full().map(|bin| bin.calls).sum();
        let mean = |of: fn(&Bin) -> f64| full().map(of).sum::<f64>() / calls.max(1.0);
        let (told, came) = (mean(|bin| bin.told), mean(|bin| bin.answers));
        let (mut both, mut alone) = (0.0, 0.0);
        for bin in full() {
            let (x, y) = (bin.told / bin.calls - told, bin.answers / bin.calls - came);
            both += bin.calls * x * y;
            alone += bin.calls * x * x;
        }
        if alone > 0.0 { both / alone } else { 1.0 }
    }

    pub(super) fn numbers(&self) -> Vec<f64> {
        let bins = self.bins.iter().flat_map(|bin| [bin.calls, bin.told, bin.answers]);
        [self.calls, self.answers, self.brier, self.base, self.prior]
            .into_iter()
            .chain(bins)
            .collect()
    }

    pub(super) fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (head, rest) = numbers.split_first_chunk::<5>()?;
        let [calls, answers, brier, base, prior] = *head;
        let mut calibration = Self { calls, answers, brier, base, ..Self::new(prior) };
        if rest.len() != 3 * BINS {
            return None;
        }
        for (bin, numbers) in calibration.bins.iter_mut().zip(rest.chunks_exact(3)) {
            if let [calls, told, answers] = *numbers {
                *bin = Bin { calls, told, answers };
            }
        }
        Some(calibration)
    }
}

const BINS: usize = 10;
const WIDTH: f64 = 0.1;
