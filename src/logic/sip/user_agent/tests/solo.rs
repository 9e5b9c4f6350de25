//! One user agent, its far end written by hand.

use std::net::SocketAddr;
use std::time::Duration;

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::call;
use super::far;
use super::near;
use super::settings;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::Start;
use crate::logic::sip::message::name;
use crate::logic::sip::user_agent::SipAction;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;
use crate::logic::sip::user_agent::SipInput;
use crate::logic::sip::user_agent::UserAgent;
use crate::logic::sip::user_agent::UserAgentSettings;
use crate::logic::time::Tick;

pub(super) struct Solo {
    pub(super) now: Tick,
    pub(super) agent: UserAgent,
    sent: Vec<(SocketAddr, Message)>,
    events: Vec<SipEvent>,
}

impl Solo {
    pub(super) fn new() -> Self {
        Self::with(settings(near(), far()))
    }

    pub(super) fn with(settings: UserAgentSettings) -> Self {
        Self { now: Tick::START, agent: UserAgent::new(settings, 1), sent: vec![], events: vec![] }
    }

    pub(super) fn order(&mut self, command: SipCommand) {
        self.handle(SipInput::Command(command));
    }

    /// Sends the INVITE of [`LEG`] and gives it.
    pub(super) fn invite(&mut self) -> Message {
        self.order(SipCommand::Invite { leg: LEG, call: call(), offer: OFFER.to_vec() });
        self.request(Method::INVITE)
    }

    /// An answered call: its INVITE and the 200.
    pub(super) fn answered(&mut self) -> (Message, Message) {
        let invite = self.invite();
        let ok = answer(&invite, 200, "far");
        self.receive(&ok);
        self.request(Method::ACK);
        self.events();
        (invite, ok)
    }

    pub(super) fn hang_up(&mut self) {
        self.order(SipCommand::HangUp { leg: LEG });
    }

    /// A datagram from the far end.
    pub(super) fn receive(&mut self, message: &Message) {
        self.receive_from(far(), &message.to_bytes());
    }

    pub(super) fn receive_from(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.handle(SipInput::Datagram { from, bytes });
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..100_000 {
            let Some(at) = self.agent.next_deadline().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = at;
            self.handle(SipInput::Timeout);
        }
        panic!("the agent never comes to rest");
    }

    /// What was sent since the last call of this, where it went left out.
    pub(super) fn sent(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.sent).into_iter().map(|(_, message)| message).collect()
    }

    pub(super) fn sent_with_targets(&mut self) -> Vec<(SocketAddr, Message)> {
        std::mem::take(&mut self.sent)
    }

    /// The only message sent since the last call.
    pub(super) fn one(&mut self) -> Message {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    /// The only message sent since, which is a request of this method.
    pub(super) fn request(&mut self, method: Method) -> Message {
        let message = self.one();
        assert_eq!(message.method(), Some(&method));
        message
    }

    pub(super) fn events(&mut self) -> Vec<SipEvent> {
        std::mem::take(&mut self.events)
    }

    fn handle(&mut self, input: SipInput<'_>) {
        let mut out = vec![];
        self.agent.handle(self.now, input, &mut out);
        for action in out {
            match action {
                SipAction::Send { to, bytes } => {
                    self.sent.push((to, Message::parse(&bytes).unwrap()));
                }
                SipAction::Event(event) => self.events.push(event),
            }
        }
    }
}

/// A response to an INVITE with Contact; SDP in all but 180 and refusals.
pub(super) fn answer(invite: &Message, status: u16, tag: &str) -> Message {
    let mut response = invite.reply(status, Some(tag));
    if status < 300 {
        response.push(name::CONTACT, "<sip:callee@192.0.2.2:5070>");
        response.push(name::ALLOW, "INVITE, ACK, BYE, CANCEL, UPDATE");
    }
    if status < 300 && status != 180 {
        response.set_body("application/sdp", ANSWER.to_vec());
    }
    response
}

/// A request of the far end inside the dialog that `ok` made.
pub(super) fn from_peer(ok: &Message, method: Method, cseq: u32) -> Message {
    let mut request = Message::request(method.clone(), "sip:outdial@192.0.2.1:5060");
    let via = format!("SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKpeer{cseq}{method};rport");
    request.push(name::VIA, via).push(name::MAX_FORWARDS, "70");
    request.push(name::FROM, ok.first(name::TO).unwrap());
    request.push(name::TO, ok.first(name::FROM).unwrap());
    request.push(name::CALL_ID, ok.first(name::CALL_ID).unwrap());
    request.push(name::CSEQ, format!("{cseq} {method}"));
    request.push(name::CONTACT, "<sip:callee@192.0.2.2:5070>");
    request
}

/// Statuses and methods, for comparing at a glance.
pub(super) fn words(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .map(|message| match (message.status(), message.method()) {
            (Some(status), _) => status.to_string(),
            (None, method) => method.unwrap().to_string(),
        })
        .collect()
}

/// The Request-URI as it stands.
pub(super) fn target(request: &Message) -> &str {
    let Start::Request { uri, .. } = &request.start else { panic!("a response") };
    uri
}
