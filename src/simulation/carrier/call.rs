//! One call as the carrier keeps it, and what it says of its media.

use std::net::IpAddr;
use std::net::SocketAddr;

use crate::logic::ids::LegId;
use crate::logic::media::MediaCommand;
use crate::logic::media::RemoteMedia;
use crate::simulation::callee::Fate;
use crate::simulation::callee::Voice;
use crate::simulation::carrier::CarrierAction;
use crate::simulation::carrier::steps::Step;
use crate::simulation::peer_sdp;
use crate::simulation::peer_sdp::Direction;
use crate::simulation::voice::Voices;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) call_id: String,
    pub(super) fate: Fate,
    pub(super) state: State,
    pub(super) remote: RemoteMedia,
    pub(super) media: Media,
    /// Steps whose time came before the ports were bound.
    pub(super) waiting: Vec<Step>,
    pub(super) voice: Voice,
    pub(super) sdp_version: u64,
    /// How the callee wants to be spoken to.
    pub(super) direction: Direction,
    /// The re-INVITE under way, to be made again after glare.
    pub(super) offering: Option<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Answered,
    /// A final refusal or our BYE has left; the user agent closes the leg.
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    NotNeeded,
    Opening,
    Open(u16),
}

impl Call {
    /// What the callee says of its own accord.
    pub(super) fn sdp(&mut self, rtp: IpAddr) -> Vec<u8> {
        self.sdp_towards(rtp, self.direction)
    }

    pub(super) fn sdp_towards(&mut self, rtp: IpAddr, direction: Direction) -> Vec<u8> {
        let port = match self.media {
            Media::Open(port) => port,
            Media::NotNeeded | Media::Opening => 0,
        };
        self.sdp_version += 1;
        let address = SocketAddr::new(rtp, port);
        let RemoteMedia { codec, telephone_event, .. } = self.remote;
        peer_sdp::write(address, self.sdp_version, codec, telephone_event, direction)
    }

    pub(super) fn speak(
        &mut self,
        leg: LegId,
        voice: Voice,
        voices: &Voices,
        out: &mut Vec<CarrierAction>,
    ) {
        self.voice = voice;
        self.aim(leg, self.remote.clone(), out);
        out.push(CarrierAction::Media(MediaCommand::StopPlay { leg }));
        if let Some(sound) = voices.sound(voice) {
            out.push(CarrierAction::Media(MediaCommand::Play { leg, play: 0, sound }));
        }
    }

    /// Sends to where the far end says from now on.
    pub(super) fn aim(&mut self, leg: LegId, remote: RemoteMedia, out: &mut Vec<CarrierAction>) {
        self.remote = remote;
        let mut remote = self.remote.clone();
        remote.send &= self.voice != Voice::Dead;
        out.push(CarrierAction::Media(MediaCommand::Remote { leg, remote }));
    }
}
