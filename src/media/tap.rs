//! Copies of received audio, for those who listen: recording, detection, the simulated phones.

use std::sync::mpsc::SyncSender;

use crate::logic::ids::LegId;
use crate::logic::rtp::FRAME;
use crate::logic::rtp::g711;
use crate::logic::rtp::packet::RtpHeader;
use crate::logic::rtp::session::Audio;
use crate::logic::time::Tick;

/// Up to 20 ms of what one far end said. Longer packets come as several frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapFrame {
    /// Who said it.
    pub leg: LegId,
    /// When its packet arrived.
    pub at: Tick,
    /// RTP timestamp of its first sample: places it, gaps and all.
    pub timestamp: u32,
    /// A change of it is a change of source, with timestamps of its own.
    pub ssrc: u32,
    /// Set where the far end says that a new sound or source begins.
    pub marker: bool,
    samples: [i16; FRAME],
    count: usize,
}

impl TapFrame {
    /// The samples, 160 at most.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        self.samples.get(..self.count).unwrap_or_default()
    }
}

/// The end of the queue that the media threads fill. A full queue loses frames, which are counted.
#[derive(Debug)]
pub(super) struct Tap {
    queue: Option<SyncSender<TapFrame>>,
    dropped: u64,
}

impl Tap {
    pub(super) const fn new(queue: Option<SyncSender<TapFrame>>) -> Self {
        Self { queue, dropped: 0 }
    }

    pub(super) fn push(&mut self, at: Tick, leg: LegId, audio: &Audio<'_>) {
        let Some(queue) = &self.queue else { return };
        let RtpHeader { mut marker, mut timestamp, ssrc, .. } = audio.header;
        for piece in audio.payload.chunks(FRAME) {
            let mut samples = [0; FRAME];
            for (sample, byte) in samples.iter_mut().zip(piece) {
                *sample = g711::decode(audio.codec, *byte);
            }
            let count = piece.len();
            let frame = TapFrame { leg, at, timestamp, ssrc, marker, samples, count };
            if queue.try_send(frame).is_err() {
                self.dropped += 1;
            }
            marker = false;
            timestamp = timestamp.wrapping_add(u32::try_from(count).unwrap_or(0));
        }
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::media::Codec;

    #[test]
    fn a_long_packet_is_several_frames_and_a_full_queue_loses_them() {
        let (to, from) = std::sync::mpsc::sync_channel(2);
        let mut tap = Tap::new(Some(to));
        let header =
            RtpHeader { marker: true, payload_type: 8, sequence: 1, timestamp: 1_000, ssrc: 5 };
        let audio = Audio { header, codec: Codec::Pcma, payload: &[0xd5; 400] };
        tap.push(Tick::START, LegId(1), &audio);
        assert_eq!(tap.dropped(), 1);
        let frames: Vec<_> = from.try_iter().collect();
        assert_eq!(frames.iter().map(|f| f.timestamp).collect::<Vec<_>>(), [1_000, 1_160]);
        assert_eq!(frames.iter().map(|f| f.marker).collect::<Vec<_>>(), [true, false]);
        assert!(frames.iter().all(|f| f.samples() == [8; FRAME]));
    }
}
