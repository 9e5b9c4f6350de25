//! Everybody else: the carrier, the agents' phones, and what passes between them and the process.

use std::net::SocketAddr;

use outdial::logic::media::MediaEvent;
use outdial::logic::node::NodeInput;
use outdial::simulation::carrier::{CarrierAction, CarrierInput};
use outdial::simulation::phone::{PhoneAction, PhoneInput};
use outdial::simulation::virtual_media::Party;

use crate::plan;
use crate::wire_text;
use crate::world::{CARRIER, DIALER, FIRST_PHONE, World, phone_party};

impl World {
    pub(super) fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if to == plan::NODE.into() {
            self.note(|| format!("{from} -> node: {}", wire_text::word(bytes)));
            return self.tell_node(NodeInput::Datagram { from, bytes });
        }
        if to == plan::CARRIER.into() {
            return self.tell_carrier(CarrierInput::Datagram { from, bytes });
        }
        if let Some(at) = (0..self.phones.len()).find(|at| plan::phone_address(*at) == to) {
            self.tell_phone(at, PhoneInput::Datagram { from, bytes });
        }
    }

    pub(super) fn media_event(&mut self, party: Party, event: MediaEvent) {
        match party {
            DIALER => {
                self.note(|| format!("{event:?}"));
                self.tell_node(NodeInput::Media(event));
            }
            CARRIER => self.tell_carrier(CarrierInput::Media(event)),
            phone => self.tell_phone(usize::from(phone - FIRST_PHONE), PhoneInput::Media(event)),
        }
    }

    pub(super) fn tell_carrier(&mut self, input: CarrierInput<'_>) {
        let mut out = vec![];
        self.carrier.handle(self.now, input, &mut out);
        for action in out {
            match action {
                CarrierAction::Send { to, bytes } => {
                    self.network.send(self.now, plan::CARRIER.into(), to, bytes);
                }
                CarrierAction::Media(command) => self.media.command(self.now, CARRIER, command),
                CarrierAction::Record(_) => {}
            }
        }
    }

    pub(super) fn tell_phone(&mut self, at: usize, input: PhoneInput<'_>) {
        let mut out = vec![];
        self.phones[at].handle(self.now, input, &mut out);
        for action in out {
            match action {
                PhoneAction::Send { to, bytes } => {
                    self.network.send(self.now, plan::phone_address(at), to, bytes);
                }
                PhoneAction::Media(command) => {
                    self.media.command(self.now, phone_party(at), command);
                }
            }
        }
    }
}
