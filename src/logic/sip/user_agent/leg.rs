//! One leg: everything the user agent keeps about a call.

use std::net::SocketAddr;
use std::time::Duration;

use super::FailureCause;
use super::OutgoingCall;
use super::SipAction;
use super::SipEvent;
use super::session_timer::SessionTimer;
use crate::logic::ids::LegId;
use crate::logic::sip::dialog::Dialog;
use crate::logic::sip::transaction::SIXTY_FOUR_T1;
use crate::logic::sip::transaction::T1;
use crate::logic::sip::transaction::client_invite::ClientInvite;
use crate::logic::sip::transaction::doubled;
use crate::logic::sip::transaction::forgotten_at;
use crate::logic::time::Tick;

/// The moment and the list of what is to be done; every step of the machine is handed one.
pub(super) struct Turn<'a> {
    pub(super) now: Tick,
    pub(super) out: &'a mut Vec<SipAction>,
}

impl Turn<'_> {
    pub(super) fn event(&mut self, event: SipEvent) {
        self.out.push(SipAction::Event(event));
    }
}

/// A call, from its INVITE until nothing of it can come any more.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    /// The boot from which its tokens are made: ours, or that of the process that made it.
    pub(super) boot: u64,
    pub(super) call_id: String,
    pub(super) local_tag: String,
    pub(super) side: Side,
    /// Outgoing: there from the first 2xx on. Incoming: from the INVITE on.
    pub(super) dialog: Option<Dialog>,
    pub(super) stage: Stage,
    /// After [`Stage::Closed`]: until when late messages are still looked after.
    pub(super) linger_until: Option<Tick>,
    /// A re-INVITE or UPDATE of the far end that waits for our answer.
    pub(super) asked: Option<Asked>,
    /// Our 2xx to an INVITE of the far end, sent again and again until its ACK (RFC 3261 §13.3.1.4).
    pub(super) repeating: Option<Repeating>,
    /// ACKs we sent, to be sent again when their 2xx comes again. The first is the leg's own.
    pub(super) acks: Vec<Acked>,
    /// The ACK to the first 2xx is held until then; in `acks` it has been sent no times.
    pub(super) ack_held_until: Option<Tick>,
    pub(super) session: Option<SessionTimer>,
    /// Our re-INVITE or UPDATE that has no final response yet.
    pub(super) refresh: Option<Refresh>,
    /// How often our refresh was challenged or found too short since the last one that succeeded.
    pub(super) refresh_challenges: u8,
    /// The shortest session that the far end accepts, as a 422 told (RFC 4028 §7.4).
    pub(super) min_se: Option<Duration>,
    /// Branches of our last re-INVITEs: their responses may come again.
    pub(super) reinvites: Vec<u128>,
    /// What we last said about our media; kept only where a refresh may need it.
    pub(super) local_sdp: Vec<u8>,
    /// How often our BYE was challenged.
    pub(super) bye_challenges: u8,
    /// BYE was ordered before it was allowed: our 2xx has no ACK yet (RFC 3261 §15).
    pub(super) bye_after_ack: bool,
    /// Its end was taken off the number of open legs.
    pub(super) counted: bool,
}

/// Where a leg stands. Which messages belong to it is for `side` to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No 2xx yet.
    Setup,
    /// A 2xx was sent or received.
    Up,
    /// Our BYE is out.
    Ending,
    /// Failed or Ended was reported.
    Closed,
}

#[derive(Debug)]
pub(super) enum Side {
    Outgoing(Box<Outgoing>),
    /// The serial of the INVITE's server transaction.
    Incoming {
        server: u64,
        /// Key of the index that finds merged requests.
        caller: String,
        /// Whether a provisional response of ours had SDP.
        sent_sdp: bool,
    },
}

/// What only a leg with an INVITE of ours has.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) call: Box<OutgoingCall>,
    /// Our offer, until it cannot be needed again.
    pub(super) offer: Vec<u8>,
    /// Our INVITEs by CSeq; each [`super::SipEvent::Challenged`] that is followed adds one, [`super::again`] says how
    /// many.
    pub(super) invites: Vec<Invite>,
    pub(super) cancel: Cancel,
    /// 401, 407 or 422, and until when [`super::SipCommand::Authorize`] is awaited.
    pub(super) challenged: Option<(u16, Tick)>,
    /// Whose challenges were answered: by 407 or not, and the realm.
    pub(super) answered: Vec<(bool, String)>,
    /// The credentials in the current INVITE; its ACK repeats them (RFC 3261 §22.1).
    pub(super) authorization: Vec<(&'static str, String)>,
    /// Early dialogs, one per To tag.
    pub(super) early: Vec<Early>,
    /// Set for a leg of an earlier process: no answer is reported, only its end.
    pub(super) recovering: bool,
    /// Under which address that process sent its INVITE, where it is not ours.
    pub(super) sent_by: Option<SocketAddr>,
    /// The far end's tag, as its answer to our CANCEL told it to one who cannot hear the answer to the INVITE.
    pub(super) cancelled_tag: Option<String>,
    /// When an INVITE that only ever rings is cancelled by ourselves.
    pub(super) rings_until: Tick,
    /// Whether anything came back for any INVITE or CANCEL of this leg.
    pub(super) heard: bool,
}

/// One INVITE of ours, initial or repeated with credentials.
#[derive(Debug)]
pub(super) struct Invite {
    pub(super) cseq: u32,
    pub(super) branch: u128,
    pub(super) machine: ClientInvite,
    /// The INVITE while it may have to be sent again, then the ACK to its refusal.
    pub(super) bytes: Vec<u8>,
    /// Its CANCEL was answered with 481, or it was refused: nothing will come of it (recovery only).
    pub(super) settled: bool,
}

/// CANCEL of the current INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    /// Ordered before any provisional response; it waits for one (RFC 3261 §9.1).
    Held,
    /// Sent; the final response is awaited until then.
    Sent {
        give_up_at: Tick,
    },
}

/// An early dialog of our INVITE.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// RSeq of the last reliable response (RFC 3262 §4).
    pub(super) rseq: Option<u32>,
    /// The SDP of its last response with any, reliable ones first: then our offer counts as answered.
    pub(super) answer: Option<Vec<u8>>,
    /// Whether that came in a reliable response: it is the answer, and no other is.
    pub(super) is_final: bool,
    /// The far end's BYE overtook its 2xx.
    pub(super) bye_came: Option<Option<u8>>,
}

/// The far end's re-INVITE or UPDATE that waits for [`super::SipCommand::AnswerOffer`].
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) server: u64,
    pub(super) cseq: u32,
    pub(super) is_invite: bool,
    /// Refused with 488 when no answer comes until then.
    pub(super) answer_by: Tick,
    /// The session timer it asks for.
    pub(super) session: Option<SessionTimer>,
    /// Whether its sender knows session timers.
    pub(super) knows_timer: bool,
}

/// A 2xx of ours without its ACK.
#[derive(Clone, Debug)]
pub(super) struct Repeating {
    pub(super) cseq: u32,
    /// The 2xx that made the call, not that of a re-INVITE.
    pub(super) initial: bool,
    pub(super) bytes: Vec<u8>,
    pub(super) to: SocketAddr,
    pub(super) repeat_at: Tick,
    pub(super) interval: Duration,
    pub(super) give_up_at: Tick,
}

impl Repeating {
    pub(super) fn new(
        now: Tick,
        cseq: u32,
        initial: bool,
        (to, bytes): (SocketAddr, Vec<u8>),
    ) -> Self {
        let (repeat_at, give_up_at) = (now + T1, now + SIXTY_FOUR_T1);
        Self { cseq, initial, bytes, to, repeat_at, interval: T1, give_up_at }
    }

    pub(super) fn deadline(&self) -> Tick {
        self.repeat_at.min(self.give_up_at)
    }

    pub(super) fn repeated(&mut self, now: Tick) {
        self.interval = doubled(self.interval);
        self.repeat_at = (self.repeat_at + self.interval).max(now + T1);
    }
}

/// A 2xx that we acknowledged.
#[derive(Debug)]
pub(super) struct Acked {
    pub(super) cseq: u32,
    pub(super) remote_tag: String,
    pub(super) ack: Vec<u8>,
    pub(super) to: SocketAddr,
    pub(super) last_sent: Tick,
    pub(super) times: u32,
    /// A branch that is not the leg's own, and how often its BYE was challenged.
    pub(super) extra: Option<(Dialog, u8)>,
}

/// A request of ours inside a call that is up, still without its final response.
#[derive(Debug)]
pub(super) enum Refresh {
    Update,
    Invite(Box<Reinvite>),
}

/// Our re-INVITE.
#[derive(Debug)]
pub(super) struct Reinvite {
    pub(super) cseq: u32,
    pub(super) branch: u128,
    pub(super) machine: ClientInvite,
    /// The request, while it may have to be sent again.
    pub(super) bytes: Vec<u8>,
    pub(super) to: SocketAddr,
    pub(super) sdp: Vec<u8>,
    /// The dialer's offer; else a refresh of the session.
    pub(super) offered: bool,
    /// Its credentials; its ACK repeats them.
    pub(super) authorization: Vec<(&'static str, String)>,
    /// When a far end that said 1xx and nothing more counts as gone.
    pub(super) give_up_at: Tick,
}

impl Leg {
    pub(super) fn new(
        id: LegId,
        boot: u64,
        call_id: String,
        local_tag: String,
        side: Side,
    ) -> Self {
        Self {
            id,
            boot,
            call_id,
            local_tag,
            side,
            dialog: None,
            stage: Stage::Setup,
            linger_until: None,
            asked: None,
            repeating: None,
            acks: Vec::new(),
            ack_held_until: None,
            session: None,
            refresh: None,
            refresh_challenges: 0,
            min_se: None,
            reinvites: Vec::new(),
            local_sdp: Vec::new(),
            bye_challenges: 0,
            bye_after_ack: false,
            counted: false,
        }
    }

    /// When [`super::SipInput::Timeout`] is wanted for this leg.
    pub(super) fn deadline(&self) -> Option<Tick> {
        let closed = self.stage == Stage::Closed;
        let side = match &self.side {
            Side::Outgoing(outgoing) if self.stage == Stage::Setup => outgoing.deadline(),
            Side::Outgoing(_) | Side::Incoming { .. } => None,
        };
        let refresh = match &self.refresh {
            Some(Refresh::Invite(reinvite)) if !closed => {
                let at = reinvite.machine.deadline().unwrap_or(reinvite.give_up_at);
                Some(at.min(reinvite.give_up_at))
            }
            Some(Refresh::Update | Refresh::Invite(_)) | None => None,
        };
        [
            side,
            refresh,
            self.repeating.as_ref().map(Repeating::deadline),
            self.asked.as_ref().map(|asked| asked.answer_by),
            self.ack_held_until.filter(|_| self.stage == Stage::Up),
            self.session.filter(|_| self.stage == Stage::Up).map(|session| session.at),
            self.linger_until.filter(|_| closed),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Reports the end, once. Late messages are looked after until `linger`.
    pub(super) fn close(&mut self, turn: &mut Turn<'_>, event: SipEvent) {
        if self.stage == Stage::Closed {
            return;
        }
        self.stage = Stage::Closed;
        self.repeating = None;
        self.asked = None;
        self.session = None;
        self.local_sdp = Vec::new();
        if let Side::Outgoing(outgoing) = &mut self.side {
            outgoing.offer = Vec::new();
            outgoing.challenged = None;
            outgoing.early = Vec::new();
            // An ACK must still be repeated, an INVITE must not.
            for invite in outgoing.invites.iter_mut().filter(|invite| invite.machine.is_pending()) {
                invite.bytes = Vec::new();
            }
        }
        turn.event(event);
    }

    pub(super) fn fail(&mut self, turn: &mut Turn<'_>, cause: FailureCause) {
        let event = SipEvent::Failed { leg: self.id, cause, q850: None, retry_after: None };
        self.close(turn, event);
    }

    pub(super) fn end(&mut self, turn: &mut Turn<'_>, by_peer: bool, q850: Option<u8>) {
        let event = SipEvent::Ended { leg: self.id, by_peer, q850 };
        self.close(turn, event);
    }

    /// Keeps a closed leg alive for late responses (64*T1 from `now`, and a little).
    pub(super) fn linger(&mut self, now: Tick) {
        let until = forgotten_at(now, SIXTY_FOUR_T1);
        self.linger_until = Some(self.linger_until.map_or(until, |old| old.max(until)));
    }
}

impl Side {
    /// How the call was made, if we made it.
    pub(super) fn call(&self) -> Option<&OutgoingCall> {
        match self {
            Self::Outgoing(outgoing) => Some(&outgoing.call),
            Self::Incoming { .. } => None,
        }
    }
}

impl Outgoing {
    /// The INVITE that counts: the last one.
    pub(super) fn current(&self) -> Option<&Invite> {
        self.invites.last()
    }

    pub(super) fn invite(&mut self, cseq: u32) -> Option<&mut Invite> {
        self.invites.iter_mut().find(|invite| invite.cseq == cseq)
    }

    /// Before the call is up; afterwards its INVITEs have nothing to do on time.
    fn deadline(&self) -> Option<Tick> {
        let invites = self.invites.iter().filter_map(|invite| {
            // Only a pending INVITE has something to do on time; the rest lingers with the leg.
            invite.machine.is_pending().then(|| invite.machine.deadline()).flatten()
        });
        let cancel = match self.cancel {
            Cancel::Sent { give_up_at } => Some(give_up_at),
            Cancel::No | Cancel::Held => None,
        };
        let pending = self.is_open();
        let rings = pending && !self.recovering && self.cancel == Cancel::No;
        invites
            .chain(cancel.filter(|_| pending))
            .chain(self.challenged.map(|(_, until)| until))
            .chain(rings.then_some(self.rings_until))
            .min()
    }

    /// Whether a final response may still come.
    pub(super) fn is_open(&self) -> bool {
        self.invites.iter().any(|invite| invite.machine.is_pending() && !invite.settled)
    }
}
