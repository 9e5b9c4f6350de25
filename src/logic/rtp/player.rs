//! What is played to one leg, 20 ms at a time.

use std::sync::Arc;

use crate::logic::media::Sound;
use crate::logic::rtp::FRAME;
use crate::logic::rtp::SAMPLE_RATE;

/// One sound on its way.
#[derive(Clone, Debug)]
pub struct Player {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// `phase` is `hz * n mod 8000` for sample n: exact however long it sounds.
    Tone {
        hz: u32,
        phase: u32,
        peak: f32,
        left: Option<u64>,
    },
    Samples {
        samples: Arc<[i16]>,
        next: usize,
        again: bool,
    },
}

impl Player {
    /// Starts at the beginning of `sound`.
    #[must_use]
    pub fn new(sound: &Sound) -> Self {
        let samples = |samples: &Arc<[i16]>, again| Source::Samples {
            samples: Arc::clone(samples),
            next: 0,
            again,
        };
        let source = match sound {
            Sound::Tone { hz, millis, level } => Source::Tone {
                hz: u32::from(*hz) % SAMPLE_RATE,
                phase: 0,
                peak: if level.is_finite() { level.clamp(0.0, 1.0) * 32_767.0 } else { 0.0 },
                left: (*millis > 0).then(|| u64::from(*millis) * u64::from(SAMPLE_RATE) / 1_000),
            },
            Sound::Samples(given) => samples(given, false),
            Sound::Loop(given) => samples(given, true),
        };
        Self { source }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.source {
            Source::Tone { left, .. } => *left == Some(0),
            Source::Samples { samples, next, .. } => *next >= samples.len(),
        }
    }

    /// The next 20 ms; the last one is filled up with silence. `None` at the end, and for a loop of nothing.
    pub fn next_frame(&mut self) -> Option<[i16; FRAME]> {
        if self.is_over() {
            return None;
        }
        let mut frame = [0; FRAME];
        match &mut self.source {
            Source::Tone { hz, phase, peak, left } => {
                for sample in &mut frame {
                    if let Some(left) = left {
                        let Some(less) = left.checked_sub(1) else { break };
                        *left = less;
                    }
                    *sample = sine(*phase, *peak);
                    *phase = (*phase + *hz) % SAMPLE_RATE;
                }
            }
            Source::Samples { samples, next, again } => {
                for sample in &mut frame {
                    let Some(value) = samples.get(*next) else { break };
                    *sample = *value;
                    *next += 1;
                    if *again && *next == samples.len() {
                        *next = 0;
                    }
                }
            }
        }
        Some(frame)
    }
}

#[expect(clippy::as_conversions, reason = "float and integer have no other form in std; saturates")]
fn sine(phase: u32, peak: f32) -> i16 {
    let turn = std::f32::consts::TAU * phase as f32 / SAMPLE_RATE as f32;
    (turn.sin() * peak).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(sound: &Sound, at_most: usize) -> Vec<[i16; FRAME]> {
        let mut player = Player::new(sound);
        (0..at_most).map_while(|_| player.next_frame()).collect()
    }

    #[test]
    fn a_tone_lasts_as_long_as_was_asked() {
        let frames = frames(&Sound::Tone { hz: 1_000, millis: 50, level: 1.0 }, 100);
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[0][2], 32_767);
        assert_eq!(frames[2][80..], [0; 80]);
    }

    #[test]
    fn a_tone_without_length_goes_on_without_a_click() {
        let frames = frames(&Sound::Tone { hz: 440, millis: 0, level: 0.5 }, 1_000);
        assert_eq!(frames.len(), 1_000);
        // 440 Hz turns 8.8 times in a frame: five frames are whole turns.
        assert_eq!(frames[0], frames[5]);
        assert_eq!(frames[0], frames[995]);
        assert_ne!(frames[0], frames[1]);
    }

    #[test]
    fn samples_play_once_and_a_loop_for_ever() {
        let samples: Arc<[i16]> = (0..200).collect();
        let once = frames(&Sound::Samples(Arc::clone(&samples)), 9);
        assert_eq!(once.len(), 2);
        assert_eq!(once[1][39..42], [199, 0, 0]);
        let looped = frames(&Sound::Loop(samples), 9);
        assert_eq!(looped.len(), 9);
        assert_eq!(looped[1][39..42], [199, 0, 1]);
    }

    #[test]
    fn nothing_to_play_is_over_at_once() {
        let nothing: Arc<[i16]> = Arc::from([]);
        assert!(frames(&Sound::Samples(Arc::clone(&nothing)), 9).is_empty());
        assert!(frames(&Sound::Loop(nothing), 9).is_empty());
        assert!(
            frames(&Sound::Tone { hz: 440, millis: 1, level: f32::NAN }, 9)[0]
                .iter()
                .all(|s| *s == 0)
        );
    }
}
