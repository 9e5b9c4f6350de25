//! Carrier and phones share one media thread, yet each numbers its legs by itself: the owner goes into the id.

use crate::logic::ids::LegId;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;

/// 0 is the carrier, phones follow.
pub(super) type Owner = u16;

/// The id on the media thread.
pub(super) fn outer(owner: Owner, leg: LegId) -> LegId {
    LegId(leg.0 & !OWNER_MASK | i64::from(owner) << OWNER_SHIFT)
}

/// The owner and the owner's own id.
pub(super) fn inner(leg: LegId) -> (Owner, LegId) {
    let owner = (leg.0 & OWNER_MASK) >> OWNER_SHIFT;
    (Owner::try_from(owner).unwrap_or(Owner::MAX), LegId(leg.0 & !OWNER_MASK))
}

/// A machine's command with the id of the media thread.
pub(super) fn command(owner: Owner, command: MediaCommand) -> MediaCommand {
    let to = |leg| outer(owner, leg);
    match command {
        MediaCommand::Open { leg } => MediaCommand::Open { leg: to(leg) },
        MediaCommand::Remote { leg, remote } => MediaCommand::Remote { leg: to(leg), remote },
        MediaCommand::Bridge { a, b } => MediaCommand::Bridge { a: to(a), b: to(b) },
        MediaCommand::Unbridge { leg } => MediaCommand::Unbridge { leg: to(leg) },
        MediaCommand::Play { leg, play, sound } => MediaCommand::Play { leg: to(leg), play, sound },
        MediaCommand::StopPlay { leg } => MediaCommand::StopPlay { leg: to(leg) },
        MediaCommand::SendDigits { leg, digits } => {
            MediaCommand::SendDigits { leg: to(leg), digits }
        }
        MediaCommand::Tap { leg, on } => MediaCommand::Tap { leg: to(leg), on },
        MediaCommand::Close { leg } => MediaCommand::Close { leg: to(leg) },
    }
}

/// The owner of an event, and the event as the owner knows it.
pub(super) fn event(event: MediaEvent) -> (Owner, MediaEvent) {
    let leg = match &event {
        MediaEvent::Opened { leg, .. }
        | MediaEvent::OpenFailed { leg }
        | MediaEvent::FirstPacket { leg, .. }
        | MediaEvent::Digit { leg, .. }
        | MediaEvent::PlayDone { leg, .. }
        | MediaEvent::Quiet { leg }
        | MediaEvent::Dead { leg }
        | MediaEvent::Heard { leg }
        | MediaEvent::Closed { leg, .. } => *leg,
    };
    let (owner, leg) = inner(leg);
    let event = match event {
        MediaEvent::Opened { port, .. } => MediaEvent::Opened { leg, port },
        MediaEvent::OpenFailed { .. } => MediaEvent::OpenFailed { leg },
        MediaEvent::FirstPacket { from, .. } => MediaEvent::FirstPacket { leg, from },
        MediaEvent::Digit { digit, .. } => MediaEvent::Digit { leg, digit },
        MediaEvent::PlayDone { play, .. } => MediaEvent::PlayDone { leg, play },
        MediaEvent::Quiet { .. } => MediaEvent::Quiet { leg },
        MediaEvent::Dead { .. } => MediaEvent::Dead { leg },
        MediaEvent::Heard { .. } => MediaEvent::Heard { leg },
        MediaEvent::Closed { stats, .. } => MediaEvent::Closed { leg, stats },
    };
    (owner, event)
}

/// User agents number legs from 1 with bit 62 set: bits 40 to 55 are free.
const OWNER_SHIFT: u32 = 40;
const OWNER_MASK: i64 = 0xffff << OWNER_SHIFT;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_goes_in_and_comes_out_again() {
        let leg = LegId(1 << 62 | 77);
        for owner in [0, 1, 999, Owner::MAX] {
            assert_eq!(inner(outer(owner, leg)), (owner, leg));
            let MediaCommand::Open { leg: sent } = command(owner, MediaCommand::Open { leg })
            else {
                panic!()
            };
            let opened = MediaEvent::Opened { leg: sent, port: 4000 };
            assert_eq!(event(opened), (owner, MediaEvent::Opened { leg, port: 4000 }));
        }
        assert_ne!(outer(1, leg), outer(2, leg));
    }
}
