//! A refusal that another INVITE of the same call may satisfy: a digest challenge (401, 407), a session too short (422).
//!
//! The next INVITE waits for [`super::SipCommand::Authorize`]: it counts against the trunk's calls per second.

use std::time::Duration;

use super::SipEvent;
use super::engine::Engine;
use super::leg::Cancel;
use super::leg::Leg;
use super::leg::Outgoing;
use super::leg::Side;
use super::leg::Turn;
use super::session_timer::LONGEST;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::name;
use crate::logic::sip::transaction::SIXTY_FOUR_T1;

impl Leg {
    /// Keeps what a refusal asks for and reports it; false when the leg has failed with it.
    pub(super) fn may_ask_again(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        status: u16,
        response: &Message,
    ) -> bool {
        let Side::Outgoing(outgoing) = &mut self.side else { return false };
        if outgoing.cancel != Cancel::No {
            return false;
        }
        let tries_left = outgoing.invites.len() < MAX_INVITES;
        let again = match status {
            401 | 407 => outgoing.learns(engine, response, tries_left),
            // RFC 4028 §7.4, once: whoever finds his own minimum too short does not know what he wants.
            422 if tries_left && self.min_se.is_none() => {
                self.min_se = shortest_session(response)
                    .filter(|wanted| engine.settings.session_expires.is_none_or(|it| it < *wanted));
                self.min_se.is_some()
            }
            _ => false,
        };
        if again {
            outgoing.challenged = Some((status, turn.now + SIXTY_FOUR_T1));
            self.drop_early();
            turn.event(SipEvent::Challenged { leg: self.id });
        }
        again
    }
}

impl Outgoing {
    /// Whoever asks for the first time may be answered, and so may a nonce that is too old. Whoever asks again has seen
    /// our password: it is wrong, and what did not convince is forgotten.
    fn learns(&mut self, engine: &mut Engine, response: &Message, tries_left: bool) -> bool {
        let (peer, credentials) = (self.call.peer, self.call.credentials.as_ref());
        let learned = engine.learn(peer, credentials, response);
        let new = learned.askers.iter().any(|asker| !self.answered.contains(asker));
        let again = tries_left && learned.is_usable() && (new || learned.stale);
        if again {
            self.answered.extend(learned.askers);
        } else {
            engine.forget(peer, credentials);
        }
        again
    }
}

/// Whether a refusal may be followed by another INVITE of the same call.
pub(super) const fn asks_again(status: u16) -> bool {
    matches!(status, 401 | 407 | 422)
}

/// Min-SE of a 422, if a session may last that long.
pub(super) fn shortest_session(response: &Message) -> Option<Duration> {
    let wanted = Duration::from_secs(response.min_se()?.into());
    (wanted <= LONGEST).then_some(wanted)
}

/// RFC 4028 §7.4: after a 422 every request that asks for a session timer says what the far end wants at least.
pub(super) fn push_min_se(request: &mut Message, min_se: Option<Duration>) {
    if let Some(min) = min_se {
        request.push(name::MIN_SE, min.as_secs().to_string());
    }
}

/// INVITEs of one call: the first, two more for challenges of two proxies or a stale nonce, one for a 422. Each costs
/// one of the trunk's calls per second.
pub(super) const MAX_INVITES: usize = 4;
