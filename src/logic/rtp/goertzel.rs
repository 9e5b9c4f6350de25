//! How loud one frequency is in a stretch of samples (Goertzel's algorithm).

use crate::logic::rtp::SAMPLE_RATE;

/// Peak of the sine of `hz` in `samples`, 0 to 1 of full scale.
///
/// Exact when the stretch holds whole waves; a frequency `f` away is damped once the stretch is longer than `1 / f`.
#[must_use]
pub fn amplitude(samples: &[i16], hz: u16) -> f32 {
    let mut meter = ToneMeter::new(hz);
    meter.push(samples);
    meter.amplitude()
}

/// The same, fed piece by piece.
#[derive(Clone, Copy, Debug)]
pub struct ToneMeter {
    twice_cosine: f64,
    newer: f64,
    older: f64,
    samples: u32,
}

impl ToneMeter {
    /// Listens for `hz`.
    #[must_use]
    pub fn new(hz: u16) -> Self {
        let turn = std::f64::consts::TAU * f64::from(hz) / f64::from(SAMPLE_RATE);
        Self { twice_cosine: 2.0 * turn.cos(), newer: 0.0, older: 0.0, samples: 0 }
    }

    /// The next samples.
    pub fn push(&mut self, samples: &[i16]) {
        for sample in samples {
            let newest = f64::from(*sample) + self.twice_cosine * self.newer - self.older;
            (self.older, self.newer) = (self.newer, newest);
            self.samples = self.samples.saturating_add(1);
        }
    }

    /// Samples heard since the start.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.samples
    }

    /// Peak of the sine in all that was pushed, 0 to 1 of full scale; 0 before the first sample.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "f64 to f32 has no other form in std")]
    pub fn amplitude(&self) -> f32 {
        if self.samples == 0 {
            return 0.0;
        }
        let power = self.newer * self.newer + self.older * self.older
            - self.twice_cosine * self.newer * self.older;
        (power.max(0.0).sqrt() * 2.0 / f64::from(self.samples) / 32_768.0) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::media::Sound;
    use crate::logic::rtp::player::Player;

    #[test]
    fn a_tone_is_heard_at_its_own_frequency_only() {
        let mut player = Player::new(&Sound::Tone { hz: 1_000, millis: 0, level: 0.5 });
        let samples: Vec<i16> = (0..10).flat_map(|_| player.next_frame().unwrap()).collect();
        assert!((amplitude(&samples, 1_000) - 0.5).abs() < 0.001);
        assert!(amplitude(&samples, 440) < 0.01);
        assert!(amplitude(&[], 440) < f32::EPSILON);
    }

    #[test]
    fn pieces_add_up_to_the_whole() {
        let samples: Vec<i16> =
            (0..1_600).map(|n| if n % 8 < 4 { 8_000 } else { -8_000 }).collect();
        let mut meter = ToneMeter::new(1_000);
        samples.chunks(160).for_each(|piece| meter.push(piece));
        assert_eq!(meter.samples(), 1_600);
        assert!((meter.amplitude() - amplitude(&samples, 1_000)).abs() < 1e-6);
    }
}
