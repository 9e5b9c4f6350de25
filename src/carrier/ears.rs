//! A thread that listens to the tap of the media thread and tells when a tone begins.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::logic::ids::LegId;
use crate::logic::time::Tick;
use crate::media::TapFrame;
use crate::simulation::ear::Ear;

/// A tone that began on a leg of the media thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToneBegun {
    pub(super) leg: LegId,
    pub(super) hz: u16,
    pub(super) at: Tick,
}

/// Listens until the tap or the receiver of tones is gone.
pub(super) fn start(
    tones: Vec<u16>,
    tap: Receiver<TapFrame>,
    begun: mpsc::Sender<ToneBegun>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("carrier-ears".to_owned()).spawn(move || {
        let mut ears = BTreeMap::<LegId, (Ear, Tick)>::new();
        let mut frames = 0_u64;
        while let Ok(frame) = tap.recv() {
            let (ear, last) = ears.entry(frame.leg).or_insert_with(|| (Ear::new(&tones), frame.at));
            *last = frame.at;
            let mut gone = false;
            ear.listen(frame.at, frame.samples(), |hz| {
                gone |=
                    begun.blocking_send(ToneBegun { leg: frame.leg, hz, at: frame.at }).is_err();
            });
            if gone {
                return;
            }
            frames += 1;
            if frames.is_multiple_of(FRAMES_BETWEEN_SWEEPS) {
                ears.retain(|_, (_, last)| frame.at.since(*last) < FORGET_AFTER);
            }
        }
    })
}

/// Frames that wait for the ears: 2 s of 100 legs. More are lost, and counted by the media thread.
pub(super) const TAP_QUEUE: usize = 10_000;

const FRAMES_BETWEEN_SWEEPS: u64 = 10_000;

/// A leg that was silent for so long is closed, or begins anew.
const FORGET_AFTER: Duration = Duration::from_secs(10);
