//! What simulated people sound like.

use std::sync::Arc;

use crate::logic::media::Sound;
use crate::simulation::callee::Voice;
use crate::simulation::dice::Dice;

/// Sounds made once and shared by all legs.
#[derive(Clone, Debug)]
pub struct Voices {
    speech: Arc<[i16]>,
}

impl Default for Voices {
    fn default() -> Self {
        Self { speech: speech() }
    }
}

impl Voices {
    /// What to play; `None` leaves the silence.
    #[must_use]
    pub fn sound(&self, voice: Voice) -> Option<Sound> {
        match voice {
            Voice::Silence | Voice::Dead => None,
            Voice::Tone { hz } => Some(Sound::Tone { hz, millis: 0, level: TONE_LEVEL }),
            Voice::Speech => Some(Sound::Loop(Arc::clone(&self.speech))),
        }
    }
}

/// The tone of a voice, for reports.
#[must_use]
pub const fn hz(voice: Voice) -> Option<u16> {
    match voice {
        Voice::Tone { hz } => Some(hz),
        Voice::Silence | Voice::Speech | Voice::Dead => None,
    }
}

/// Noise through a low pass, in syllables of 180 ms with 70 ms between, and every eighth left out: four seconds.
fn speech() -> Arc<[i16]> {
    let mut dice = Dice::new(0x5eec);
    let mut low = 0_i64;
    (0..SPEECH_SAMPLES)
        .map(|i| {
            let noise = i64::try_from(dice.below(16_384)).unwrap_or(0) - 8_192;
            low += (noise - low) / 4;
            let (syllable, within) = (i / SYLLABLE_SAMPLES, i % SYLLABLE_SAMPLES);
            let loud = within < VOICED_SAMPLES && syllable % 8 != 7;
            if loud { i16::try_from(low * 2).unwrap_or(i16::MAX) } else { 0 }
        })
        .collect()
}

/// Of full scale: about -10 dBm0, as loud speech.
const TONE_LEVEL: f32 = 0.3;
const SYLLABLE_SAMPLES: u32 = 2_000;
const VOICED_SAMPLES: u32 = 1_440;
const SPEECH_SAMPLES: u32 = 16 * SYLLABLE_SAMPLES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_loud_and_silent_in_turns() {
        let speech = speech();
        assert_eq!(speech.len(), 32_000);
        assert!(speech[..1_440].iter().any(|s| s.unsigned_abs() > 2_000));
        assert!(speech[1_440..2_000].iter().all(|s| *s == 0));
        assert!(speech[14_000..16_000].iter().all(|s| *s == 0));
    }
}
