//! Anything in any order: no panic, and one closing event per leg.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::call_with_password;
use super::far;
use super::near;
use super::settings;
use super::solo::Solo;
use super::solo::from_peer;
use crate::logic::ids::LegId;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

#[derive(Clone, Debug)]
enum Step {
    /// A response to the n-th request we sent, counted from the last.
    Respond {
        back: usize,
        status: u16,
        tag: u8,
        odd: u8,
    },
    /// A request inside the dialog with this tag.
    Request {
        method: usize,
        cseq: u32,
        tag: u8,
        sdp: bool,
    },
    /// A new call of the far end, its ACK or its CANCEL.
    Call {
        method: usize,
        number: u8,
    },
    Order(u8),
    Pass(u64),
    Bytes(Vec<u8>),
    /// The last message we sent, damaged at one place, as if the far end sent it.
    Damaged {
        at: usize,
        byte: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        Just(100u16),
        Just(180),
        Just(183),
        Just(200),
        Just(202),
        Just(302),
        Just(401),
        Just(407),
        Just(408),
        Just(422),
        Just(481),
        Just(486),
        Just(487),
        Just(491),
        Just(503),
        100u16..700
    ];
    prop_oneof![
        6 => (0usize..4, status, 0u8..4, any::<u8>())
            .prop_map(|(back, status, tag, odd)| Step::Respond { back, status, tag, odd }),
        3 => (0usize..8, 0u32..6, 0u8..4, any::<bool>())
            .prop_map(|(method, cseq, tag, sdp)| Step::Request { method, cseq, tag, sdp }),
        2 => (0usize..3, 0u8..3).prop_map(|(method, number)| Step::Call { method, number }),
        4 => (0u8..18).prop_map(Step::Order),
        3 => prop_oneof![0u64..2_000, 0u64..40_000].prop_map(Step::Pass),
        1 => vec(any::<u8>(), 0..200).prop_map(Step::Bytes),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Step::Damaged { at, byte }),
    ]
}

struct World {
    solo: Solo,
    sent: Vec<Message>,
    invite: Option<Message>,
    incoming: Option<LegId>,
    opened: BTreeMap<LegId, u32>,
    /// Legs that a later command may not use again: one leg, one call.
    next_leg: i64,
}

impl World {
    /// `hold`: the ACK waits for the order to send it.
    fn new(hold: bool) -> Self {
        let mut open = settings(near(), far());
        open.hold_ack = hold.then_some(Duration::from_millis(200));
        (open.accept_incoming, open.offer_100rel) = (true, true);
        open.session_expires = Some(Duration::from_secs(90));
        let solo = Solo::with(open);
        let (sent, opened) = (vec![], BTreeMap::new());
        Self { solo, sent, invite: None, incoming: None, opened, next_leg: 0 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Respond { back, status, tag, odd } => {
                let requests: Vec<_> =
                    self.sent.iter().rev().filter(|sent| sent.method().is_some()).collect();
                let Some(request) = requests.get(back) else { return };
                let mut response = request.reply(status, Some(&format!("tag{tag}")));
                if odd & 1 == 0 {
                    response.push(name::CONTACT, "<sip:callee@192.0.2.2:5070>");
                }
                if odd & 2 == 0 {
                    response.set_body("application/sdp", ANSWER.to_vec());
                }
                if odd & 4 == 0 && status < 200 {
                    response.push(name::REQUIRE, "100rel").push(name::RSEQ, "1");
                }
                if odd & 8 == 0 {
                    let who = if odd & 16 == 0 { "uac" } else { "uas" };
                    response.push(name::SESSION_EXPIRES, format!("90;refresher={who}"));
                }
                let challenge =
                    format!(r#"Digest realm="r", nonce="{odd}", stale={}"#, odd & 32 == 0);
                if odd & 64 == 0 {
                    response.push(name::MIN_SE, u32::from(odd).to_string());
                }
                response.push(name::WWW_AUTHENTICATE, &challenge);
                response.push(name::PROXY_AUTHENTICATE, &challenge);
                self.solo.receive(&response);
            }
            Step::Request { method, cseq, tag, sdp } => {
                let Some(invite) = &self.invite else { return };
                let ok = invite.reply(200, Some(&format!("tag{tag}")));
                let methods = [
                    Method::BYE,
                    Method::INVITE,
                    Method::UPDATE,
                    Method::INFO,
                    Method::ACK,
                    Method::OPTIONS,
                    Method::CANCEL,
                    Method::PRACK,
                ];
                let mut request = from_peer(&ok, methods[method].clone(), cseq);
                if sdp {
                    request.set_body("application/sdp", OFFER.to_vec());
                }
                self.solo.receive(&request);
            }
            Step::Call { method, number } => {
                let method = [Method::INVITE, Method::ACK, Method::CANCEL][method].clone();
                let mut request = Message::request(method.clone(), "sip:100@192.0.2.1");
                let via = format!("SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKcall{number};rport");
                request.push(name::VIA, via).push(name::FROM, "<sip:x@y>;tag=f");
                request.push(name::TO, "<sip:100@192.0.2.1>");
                request.push(name::CALL_ID, format!("call{number}"));
                request.push(name::CSEQ, format!("1 {method}"));
                request.push(name::CONTACT, "<sip:x@192.0.2.2:5070>");
                self.solo.receive(&request);
            }
            Step::Order(order) => self.order(order),
            Step::Pass(millis) => self.solo.pass(Duration::from_millis(millis)),
            Step::Bytes(bytes) => self.solo.receive_from(far(), &bytes),
            Step::Damaged { at, byte } => {
                let Some(last) = self.sent.last() else { return };
                let mut bytes = last.to_bytes();
                let at = at % bytes.len();
                bytes[at] = byte;
                self.solo.receive_from(far(), &bytes);
            }
        }
    }

    fn order(&mut self, order: u8) {
        let current = LegId(LEG.0 + self.next_leg);
        let leg = if order & 1 == 0 { current } else { self.incoming.unwrap_or(current) };
        let sdp = ANSWER.to_vec();
        let command = match order {
            0 | 1 => {
                self.next_leg += 1;
                let leg = LegId(LEG.0 + self.next_leg);
                self.opened.insert(leg, 0);
                let (call, offer) = (call_with_password(), OFFER.to_vec());
                SipCommand::Invite { leg, call, offer }
            }
            2 | 17 => {
                self.next_leg += 1;
                let leg = LegId(LEG.0 + self.next_leg);
                self.opened.insert(leg, 0);
                let dialog = (order == 17).then(|| RemoteDialog {
                    remote_tag: "tag1".into(),
                    remote_target: "sip:callee@192.0.2.2:5070".into(),
                    route_set: vec![],
                    cseq: 1,
                });
                SipCommand::Recover {
                    leg,
                    boot: 5,
                    call: call_with_password(),
                    dialog,
                    sent_by: None,
                }
            }
            3..=5 => SipCommand::HangUp { leg },
            6 => SipCommand::Authorize { leg: current },
            7 => SipCommand::AnswerOffer { leg, sdp: Some(sdp) },
            8 => SipCommand::AnswerOffer { leg, sdp: None },
            9 => SipCommand::Progress { leg, status: 183, sdp: Some(sdp) },
            10 | 11 => SipCommand::Answer { leg: self.incoming.unwrap_or(leg), sdp },
            12 => SipCommand::Offer { leg, sdp },
            13 | 14 => SipCommand::Acknowledge { leg },
            15 => SipCommand::Ping { ping: 1, uri: "sip:192.0.2.2".into(), peer: far() },
            _ => {
                let leg = self.incoming.unwrap_or(leg);
                SipCommand::Refuse { leg, status: 486, q850: None, headers: vec![] }
            }
        };
        self.solo.order(command);
    }

    /// Books what came out, and checks that nothing is said of a leg that is closed.
    fn book(&mut self) -> Result<(), TestCaseError> {
        let sent = self.solo.sent();
        if let Some(invite) = sent.iter().find(|sent| sent.method() == Some(&Method::INVITE)) {
            self.invite = Some(invite.clone());
        }
        self.sent.extend(sent);
        for event in self.solo.events() {
            if let SipEvent::Incoming { leg, .. } = &event {
                self.incoming = Some(*leg);
                prop_assert!(self.opened.insert(*leg, 0).is_none());
            }
            let Some(leg) = leg_of(&event) else { continue };
            let closed = self.opened.get_mut(&leg).unwrap();
            prop_assert_eq!(*closed, 0, "{:?} after the end", event);
            if matches!(event, SipEvent::Failed { .. } | SipEvent::Ended { .. }) {
                *closed += 1;
            }
        }
        let open = self.opened.values().filter(|closed| **closed == 0).count();
        prop_assert_eq!(open, self.solo.agent.legs());
        prop_assert!(self.solo.agent.next_deadline().is_none_or(|at| at > self.solo.now));
        Ok(())
    }
}

fn leg_of(event: &SipEvent) -> Option<LegId> {
    match event {
        SipEvent::Provisional { leg, .. }
        | SipEvent::Challenged { leg }
        | SipEvent::Answered { leg, .. }
        | SipEvent::Failed { leg, .. }
        | SipEvent::Ended { leg, .. }
        | SipEvent::Offer { leg, .. }
        | SipEvent::OfferDone { leg, .. }
        | SipEvent::Digit { leg, .. }
        | SipEvent::Incoming { leg, .. }
        | SipEvent::Cancelled { leg }
        | SipEvent::Confirmed { leg, .. } => Some(*leg),
        SipEvent::OptionsDone { .. } | SipEvent::Dropped { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_leg_is_closed_exactly_once_whatever_comes(
        hold in any::<bool>(), steps in vec(step(), 1..60)
    ) {
        let mut world = World::new(hold);
        world.take(Step::Order(0));
        world.book()?;
        for step in steps {
            world.take(step);
            world.book()?;
        }
        // Everybody hangs up; the far end is silent from now on.
        let legs: Vec<_> = world.opened.keys().copied().collect();
        for _ in 0..3 {
            for leg in &legs {
                world.solo.order(SipCommand::HangUp { leg: *leg });
            }
            world.book()?;
            world.solo.pass(Duration::from_secs(70));
            world.book()?;
        }
        prop_assert_eq!(world.solo.agent.legs(), 0);
        world.solo.pass(Duration::from_secs(200));
        prop_assert_eq!(world.solo.agent.next_deadline(), None, "everything is forgotten");
    }
}
