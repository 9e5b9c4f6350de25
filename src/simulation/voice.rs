//! What simulated people and machines sound like. Everything is made, nothing is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::logic::media::Sound;
use crate::logic::rtp::player::Player;
use crate::simulation::callee::BehaviourBook;
use crate::simulation::callee::Voice;
use crate::simulation::dice::Dice;

/// Sounds made once and shared by all legs.
#[derive(Clone, Debug)]
pub struct Voices {
    speech: Arc<[i16]>,
    announcement: Arc<[i16]>,
    voicemail: BTreeMap<Voice, Arc<[i16]>>,
}

impl Default for Voices {
    fn default() -> Self {
        Self::of(&BehaviourBook::default())
    }
}

impl Voices {
    /// Every voice that a book needs.
    #[must_use]
    pub fn of(book: &BehaviourBook) -> Self {
        let speech = speech();
        let made = book.behaviours().flat_map(|behaviour| behaviour.voices());
        let voicemail =
            made.filter_map(|voice| Some((voice, voicemail(voice, &speech)?))).collect();
        Self { speech, announcement: announcement(), voicemail }
    }

    /// What to play; `None` leaves the silence.
    #[must_use]
    pub fn sound(&self, voice: Voice) -> Option<Sound> {
        match voice {
            Voice::Silence | Voice::Dead => None,
            Voice::Tone { hz } => Some(Sound::Tone { hz, millis: 0, level: TONE_LEVEL }),
            Voice::Speech => Some(Sound::Loop(Arc::clone(&self.speech))),
            Voice::Announcement => Some(Sound::Loop(Arc::clone(&self.announcement))),
            Voice::Voicemail { .. } => match self.voicemail.get(&voice) {
                Some(made) => Some(Sound::Samples(Arc::clone(made))),
                None => voicemail(voice, &self.speech).map(Sound::Samples),
            },
        }
    }
}

/// The tone of a voice, for reports.
#[must_use]
pub const fn hz(voice: Voice) -> Option<u16> {
    match voice {
        Voice::Tone { hz } => Some(hz),
        Voice::Silence
        | Voice::Speech
        | Voice::Voicemail { .. }
        | Voice::Announcement
        | Voice::Dead => None,
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

/// The greeting, a short silence, the beep; then nothing.
fn voicemail(voice: Voice, speech: &[i16]) -> Option<Arc<[i16]>> {
    let Voice::Voicemail { greeting_ms, beep_hz } = voice else { return None };
    let greeting = speech.iter().copied().cycle().take(samples(greeting_ms));
    let beep = tone(beep_hz, BEEP_MS);
    Some(greeting.chain(silence(BEFORE_BEEP_MS)).chain(beep).collect())
}

/// The special information tone (ITU-T E.180, E.182: 950, 1400 and 1800 Hz, a third of a second each), twice, then the
/// busy tone as in Japan (400 Hz, half a second on and off).
fn announcement() -> Arc<[i16]> {
    let rising =
        || SPECIAL_HZ.into_iter().flat_map(|hz| tone(hz, SPECIAL_MS)).chain(silence(1_000));
    let busy = (0..BUSY_TONES).flat_map(|_| tone(BUSY_HZ, BUSY_MS).chain(silence(BUSY_MS)));
    rising().chain(rising()).chain(busy).collect()
}

fn tone(hz: u16, millis: u32) -> impl Iterator<Item = i16> {
    let mut player = Player::new(&Sound::Tone { hz, millis, level: TONE_LEVEL });
    std::iter::from_fn(move || player.next_frame()).flatten().take(samples(millis))
}

fn silence(millis: u32) -> impl Iterator<Item = i16> {
    std::iter::repeat_n(0, samples(millis))
}

/// At 8 kHz.
fn samples(millis: u32) -> usize {
    usize::try_from(u64::from(millis) * 8).unwrap_or(0)
}

/// Of full scale: about -10 dBm0, as loud speech.
const TONE_LEVEL: f32 = 0.3;
const SYLLABLE_SAMPLES: u32 = 2_000;
const VOICED_SAMPLES: u32 = 1_440;
const SPEECH_SAMPLES: u32 = 16 * SYLLABLE_SAMPLES;
const BEFORE_BEEP_MS: u32 = 300;
const BEEP_MS: u32 = 500;
const SPECIAL_HZ: [u16; 3] = [950, 1_400, 1_800];
const SPECIAL_MS: u32 = 330;
const BUSY_HZ: u16 = 400;
const BUSY_MS: u32 = 500;
const BUSY_TONES: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::rtp::goertzel::amplitude;

    #[test]
    fn speech_is_loud_and_silent_in_turns() {
        let speech = speech();
        assert_eq!(speech.len(), 32_000);
        assert!(speech[..1_440].iter().any(|s| s.unsigned_abs() > 2_000));
        assert!(speech[1_440..2_000].iter().all(|s| *s == 0));
        assert!(speech[14_000..16_000].iter().all(|s| *s == 0));
    }

    #[test]
    fn voicemail_greets_then_beeps() {
        let voice = Voice::Voicemail { greeting_ms: 5_000, beep_hz: 850 };
        let Some(Sound::Samples(sound)) = Voices::default().sound(voice) else { panic!() };
        assert_eq!(sound.len(), 8 * (5_000 + 300 + 500));
        assert!(sound[..40_000].iter().any(|s| s.unsigned_abs() > 2_000));
        assert!(sound[40_000..42_400].iter().all(|s| *s == 0));
        assert!((amplitude(&sound[42_400..], 850) - TONE_LEVEL).abs() < 0.01);
        assert!(amplitude(&sound[42_400..], 1_000) < 0.01);
    }

    #[test]
    fn an_announcement_rises_and_ends_in_the_busy_tone() {
        let sound = announcement();
        for (n, hz) in SPECIAL_HZ.into_iter().enumerate() {
            let third = &sound[n * 2_640..(n + 1) * 2_640];
            assert!((amplitude(third, hz) - TONE_LEVEL).abs() < 0.01, "{hz}");
        }
        let busy = 2 * (3 * 2_640 + 8_000);
        assert!((amplitude(&sound[busy..busy + 4_000], 400) - TONE_LEVEL).abs() < 0.01);
        assert!(sound[busy + 4_000..busy + 8_000].iter().all(|s| *s == 0));
    }
}
