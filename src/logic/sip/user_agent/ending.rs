//! Ending a call that is up: our BYE, the far end's, and the session that nobody refreshes.

use super::OutgoingCall;
use super::engine::Engine;
use super::engine::Purpose;
use super::inside::Inside;
use super::leg::Leg;
use super::leg::Stage;
use super::leg::Turn;
use super::outgoing::MAX_CHALLENGES;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;

impl Leg {
    /// Sends our BYE; its end is the end of the leg.
    pub(super) fn send_bye(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        self.release_ack(engine, turn);
        if let Some(asked) = self.asked.take() {
            // RFC 3261 §15.1.2: pending requests of the dialog get a final response.
            engine.answer(turn, asked.server, 487, &self.local_tag);
        }
        let Some(dialog) = &mut self.dialog else { return };
        let (leg, boot, call_id) = (self.id, self.boot, &self.call_id);
        let inside = Inside { leg, boot, call_id, call: self.side.call(), dialog };
        inside.send(engine, turn, Method::BYE, Purpose::Bye { leg }, |_| {});
        self.stage = Stage::Ending;
        self.repeating = None;
        self.session = None;
    }

    /// Our BYE has its final response, or none came (RFC 3261 §15.1.1: the dialog is over either way).
    pub(super) fn on_bye_done(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        response: Option<&Message>,
    ) {
        if self.stage != Stage::Ending {
            return;
        }
        if self.bye_challenges < MAX_CHALLENGES && self.learns(engine, response) {
            self.bye_challenges += 1;
            self.send_bye(engine, turn);
            return;
        }
        self.end(turn, false, None);
    }

    /// The far end's BYE; the 200 has left.
    pub(super) fn on_bye(&mut self, engine: &mut Engine, turn: &mut Turn<'_>, q850: Option<u8>) {
        self.release_ack(engine, turn);
        if let Some(asked) = self.asked.take() {
            engine.answer(turn, asked.server, 487, &self.local_tag);
        }
        // Crossing BYEs: ours was first.
        let by_peer = self.stage != Stage::Ending;
        self.end(turn, by_peer, q850);
    }

    /// Deadlines of a call that is up.
    pub(super) fn on_up_timeout(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        let now = turn.now;
        if self.stage == Stage::Up && self.ack_held_until.is_some_and(|until| until <= now) {
            self.release_ack(engine, turn);
        }
        if let Some(repeating) = &mut self.repeating {
            if repeating.give_up_at <= now {
                // RFC 3261 §13.3.1.4 and §14.2: no ACK, so BYE.
                self.repeating = None;
                self.send_bye(engine, turn);
            } else if repeating.repeat_at <= now {
                repeating.repeated(now);
                let (to, bytes) = (repeating.to, repeating.bytes.clone());
                engine.counters.repeated += 1;
                engine.send(turn, to, bytes);
            }
        }
        if self.asked.as_ref().is_some_and(|asked| asked.answer_by <= now) {
            self.answer_offer(engine, turn, None);
        }
        self.on_refresh_timeout(engine, turn);
        if self.stage == Stage::Up
            && let Some(session) = self.session
            && session.at <= now
        {
            if session.we_refresh && now < session.ends {
                self.send_refresh(engine, turn, session);
            } else {
                self.send_bye(engine, turn);
            }
        }
    }

    /// Keeps the challenge in a 401 or 407; false when there is none that we can answer.
    pub(super) fn learns(&self, engine: &mut Engine, response: Option<&Message>) -> bool {
        let (Some(response), Some(call)) = (response, self.call()) else { return false };
        engine.learn(call.peer, call.credentials.as_ref(), response).is_usable()
    }

    pub(super) fn call(&self) -> Option<&OutgoingCall> {
        self.side.call()
    }
}
