//! An ear that knows a few tones: tells when each begins. For measuring sound between real sockets.

use std::time::Duration;

use crate::logic::rtp::goertzel;
use crate::logic::time::Tick;

/// Listens to what one far end says.
#[derive(Clone, Debug)]
pub struct Ear {
    tones: Vec<Tone>,
}

#[derive(Clone, Copy, Debug)]
struct Tone {
    hz: u16,
    heard_last: Option<Tick>,
    /// Frames without it since then: after a stall many frames arrive at once, and their silence is silence too.
    without: u32,
}

impl Ear {
    /// An ear for these frequencies; they should lie 100 Hz apart or more.
    #[must_use]
    pub fn new(tones: &[u16]) -> Self {
        Self {
            tones: tones.iter().map(|hz| Tone { hz: *hz, heard_last: None, without: 0 }).collect(),
        }
    }

    /// The next 20 ms, as they arrived at `at`; tells each tone that begins with them.
    pub fn listen(&mut self, at: Tick, samples: &[i16], mut begins: impl FnMut(u16)) {
        for tone in &mut self.tones {
            if goertzel::amplitude(samples, tone.hz) < AUDIBLE {
                tone.without = tone.without.saturating_add(1);
                continue;
            }
            if tone.heard_last.is_none_or(|last| at.since(last) > PAUSE)
                || tone.without >= PAUSE_FRAMES
            {
                begins(tone.hz);
            }
            tone.heard_last = Some(at);
            tone.without = 0;
        }
    }

    /// Whether nothing was heard since `since`.
    #[must_use]
    pub fn idle_since(&self, since: Tick) -> bool {
        self.tones.iter().all(|tone| tone.heard_last.is_none_or(|last| last < since))
    }
}

/// Of full scale. A simulated voice has 0.3, so a fifth of a frame is enough; another tone 100 Hz away leaks less
/// once it fills the frame.
const AUDIBLE: f32 = 0.06;

/// A tone that was away for longer begins anew. Longer than any jitter on loopback, shorter than between two calls.
const PAUSE: Duration = Duration::from_millis(150);
/// The same in frames of 20 ms.
const PAUSE_FRAMES: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(hz: f64, level: f64) -> Vec<i16> {
        (0..160)
            .map(|i| {
                let wave = (std::f64::consts::TAU * hz * f64::from(i) / 8000.0).sin() * level;
                #[expect(
                    clippy::as_conversions,
                    clippy::cast_possible_truncation,
                    reason = "a test's samples"
                )]
                let sample = (wave * 32_767.0) as i16;
                sample
            })
            .collect()
    }

    #[test]
    fn a_tone_begins_once_until_it_was_away() {
        let mut ear = Ear::new(&[440, 1000]);
        let mut begun = Vec::new();
        let sounds = [(0.0, 10), (1000.0, 20), (0.0, 20), (1000.0, 5), (440.0, 5)];
        let mut frames = 0;
        for (hz, count) in sounds {
            for _ in 0..count {
                let at = Tick::START + Duration::from_millis(20 * frames);
                ear.listen(at, &frame(hz, 0.3), |hz| begun.push((frames, hz)));
                frames += 1;
            }
        }
        assert_eq!(begun, [(10, 1000), (50, 1000), (55, 440)]);
    }

    #[test]
    fn a_pause_that_arrives_all_at_once_is_still_a_pause() {
        let mut ear = Ear::new(&[1000]);
        let mut begun = 0;
        for (hz, frames) in [(1000.0, 5), (0.0, 3), (1000.0, 5), (0.0, 20), (1000.0, 5)] {
            for _ in 0..frames {
                ear.listen(Tick::START, &frame(hz, 0.3), |_| begun += 1);
            }
        }
        assert_eq!(begun, 2, "three lost frames are no pause, twenty are");
    }

    #[test]
    fn silence_and_whispers_are_no_tones() {
        let mut ear = Ear::new(&[440, 1000]);
        for i in 0..50 {
            let at = Tick::START + Duration::from_millis(20 * i);
            ear.listen(at, &frame(1000.0, 0.02), |hz| panic!("heard {hz}"));
        }
        assert!(ear.idle_since(Tick::START));
    }
}
