//! Between the carrier's user agent and the network: what is odd about a call's messages is done here, so that the user
//! agent stays an honest one.
//!
//! Going out, responses to the INVITE are held back, changed, repeated, or sent for other branches too. Coming in,
//! requests are lost on purpose, and those for another branch are answered. Both ways, datagrams may be lost, late,
//! doubled and overtaken.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::transaction::T1;
use crate::logic::sip::transaction::T2;
use crate::logic::time::Tick;
use crate::simulation::carrier::CarrierAction;
use crate::simulation::dice::Dice;
use crate::simulation::network::Link;
use crate::simulation::network::MOST_UNDER_WAY;
use crate::simulation::peer;
use crate::simulation::quirks::Quirks;
use crate::simulation::quirks::Trying;

/// The odd part of the wire. Calls without oddities pass untouched.
#[derive(Debug)]
pub(super) struct Wire {
    link: Option<Link>,
    dice: Dice,
    /// By Call-ID.
    calls: BTreeMap<String, OddCall>,
    later: BTreeMap<(Tick, u64), Later>,
    serial: u64,
}

#[derive(Debug)]
struct OddCall {
    quirks: Quirks,
    began: Tick,
    /// CSeq of the INVITE as written: a re-INVITE is not meant.
    cseq: String,
    branches: Vec<Branch>,
    trying_held: bool,
    answered: bool,
    /// A final response has left.
    over: bool,
    crossed: bool,
}

/// Another branch of a forked call: a tag, and nobody behind it.
#[derive(Debug)]
struct Branch {
    tag: String,
    acknowledged: bool,
}

#[derive(Debug)]
enum Later {
    Send {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Receive {
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    /// The 100 that was held back.
    Trying {
        call_id: String,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// The 200 of another branch, again until its ACK (RFC 3261 §13.3.1.4).
    Branch {
        call_id: String,
        branch: usize,
        to: SocketAddr,
        bytes: Vec<u8>,
        wait: Duration,
    },
    Forget {
        call_id: String,
        began: Tick,
    },
}

/// What becomes of a datagram that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The user agent is to have it.
    Pass,
    /// The same, after our own BYE has left.
    PassAfterBye,
    /// The user agent never sees it, or sees it later.
    Keep,
    /// The same; it is a BYE that gets no answer.
    IgnoreBye,
    /// The same; another branch was ended.
    BranchEnded,
}

impl Wire {
    pub(super) const fn new(link: Option<Link>, dice: Dice) -> Self {
        Self { link, dice, calls: BTreeMap::new(), later: BTreeMap::new(), serial: 0 }
    }

    /// A call whose messages are odd from now on.
    pub(super) fn watch(&mut self, now: Tick, call_id: &str, cseq: &str, quirks: &Quirks) {
        if *quirks == Quirks::default() {
            return;
        }
        let call = OddCall {
            quirks: quirks.clone(),
            began: now,
            cseq: cseq.to_owned(),
            branches: Vec::new(),
            trying_held: false,
            answered: false,
            over: false,
            crossed: false,
        };
        self.calls.insert(call_id.to_owned(), call);
    }

    /// The call is over; its last messages may still come.
    pub(super) fn leave(&mut self, now: Tick, call_id: &str) {
        if let Some(call) = self.calls.get(call_id) {
            // Not a datagram: one for each call, and never lost.
            let forget = Later::Forget { call_id: call_id.to_owned(), began: call.began };
            self.later.insert((now + LINGER, self.serial), forget);
            self.serial += 1;
        }
    }

    /// When [`Self::pop_due`] is wanted.
    pub(super) fn next_deadline(&self) -> Option<Tick> {
        self.later.first_key_value().map(|((due, _), _)| *due)
    }

    /// Sends what is due; gives back a datagram that has arrived by now, with its verdict.
    pub(super) fn pop_due(
        &mut self,
        now: Tick,
        out: &mut Vec<CarrierAction>,
    ) -> Option<(SocketAddr, Vec<u8>, Verdict)> {
        while self.next_deadline()? <= now {
            let (_, later) = self.later.pop_first()?;
            match later {
                Later::Send { to, bytes } => out.push(CarrierAction::Send { to, bytes }),
                Later::Receive { from, bytes } => {
                    let verdict = self.judge(now, from, &bytes, out);
                    return Some((from, bytes, verdict));
                }
                Later::Trying { call_id, to, bytes } => {
                    if let Some(call) = self.calls.get(&call_id).filter(|call| !call.over) {
                        let link = call.quirks.network.or(self.link);
                        self.travel(now, link, to, bytes, out);
                    }
                }
                Later::Branch { call_id, branch, to, bytes, wait } => {
                    self.answer_branch(now, call_id, branch, (to, bytes), wait, out);
                }
                Later::Forget { call_id, began } => {
                    // Who follows a 3xx may keep the Call-ID (RFC 3261 §8.1.3.4).
                    if self.calls.get(&call_id).is_some_and(|call| call.began == began) {
                        self.calls.remove(&call_id);
                    }
                }
            }
        }
        None
    }

    /// A datagram of the user agent's.
    pub(super) fn send(
        &mut self,
        now: Tick,
        to: SocketAddr,
        bytes: Vec<u8>,
        out: &mut Vec<CarrierAction>,
    ) {
        if self.is_plain() {
            return out.push(CarrierAction::Send { to, bytes });
        }
        let call_id = peer::head(&bytes).map(|head| head.call_id.to_owned()).unwrap_or_default();
        let Some(call) = self.calls.get_mut(&call_id) else {
            return self.travel(now, self.link, to, bytes, out);
        };
        let link = call.quirks.network.or(self.link);
        let message = Message::parse(&bytes)
            .ok()
            .filter(|message| message.first(name::CSEQ) == Some(&call.cseq));
        let Some((message, status)) = message.and_then(|m| m.status().map(|status| (m, status)))
        else {
            return self.travel(now, link, to, bytes, out);
        };
        match status {
            ..=100 => match call.quirks.trying {
                Trying::AsUsual => self.travel(now, link, to, bytes, out),
                Trying::Never => {}
                Trying::After(wait) => {
                    let due = call.began + wait;
                    if due <= now {
                        self.travel(now, link, to, bytes, out);
                    } else if !std::mem::replace(&mut call.trying_held, true) {
                        self.put(due, Later::Trying { call_id, to, bytes });
                    }
                }
            },
            101..=199 => {
                let forks = usize::from(call.quirks.early_forks);
                let copies: Vec<_> =
                    (0..forks).filter_map(|branch| call.of_branch(branch, &message)).collect();
                for copy in copies {
                    self.travel(now, link, to, copy, out);
                }
                self.travel(now, link, to, bytes, out);
            }
            200..=299 => self.answer(now, &call_id, message, to, out),
            300.. => {
                call.over = true;
                self.travel(now, link, to, bytes, out);
            }
        }
    }

    /// A datagram came.
    pub(super) fn arrive(
        &mut self,
        now: Tick,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<CarrierAction>,
    ) -> Verdict {
        if self.is_plain() {
            return Verdict::Pass;
        }
        let call = peer::head(bytes).and_then(|head| self.calls.get(head.call_id));
        if let Some(link) = call.and_then(|call| call.quirks.network).or(self.link) {
            let mut arrived = false;
            for due in link.arrivals(&mut self.dice, now).into_iter().flatten() {
                if due <= now && !arrived {
                    arrived = true;
                } else {
                    self.put(due, Later::Receive { from, bytes: bytes.to_vec() });
                }
            }
            if !arrived {
                return Verdict::Keep;
            }
        }
        self.judge(now, from, bytes, out)
    }

    fn is_plain(&self) -> bool {
        self.link.is_none() && self.calls.is_empty()
    }

    /// What a call's oddities do with a request.
    fn judge(
        &mut self,
        now: Tick,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<CarrierAction>,
    ) -> Verdict {
        let call = peer::head(bytes).and_then(|head| self.calls.get_mut(head.call_id));
        let (Some(call), Ok(message)) = (call, Message::parse(bytes)) else {
            return Verdict::Pass;
        };
        let Some(method) = message.method() else { return Verdict::Pass };
        let to = message.to();
        let tag = to.as_ref().and_then(|to| to.tag()).unwrap_or_default();
        if let Some(branch) = call.branches.iter_mut().find(|branch| branch.tag == tag) {
            if *method == Method::ACK {
                branch.acknowledged = true;
                return Verdict::Keep;
            }
            let is_bye = *method == Method::BYE;
            let link = call.quirks.network.or(self.link);
            let reply = message.reply(if is_bye { 200 } else { 481 }, None);
            self.travel(now, link, from, reply.to_bytes(), out);
            return if is_bye { Verdict::BranchEnded } else { Verdict::Keep };
        }
        let quirks = &call.quirks;
        match method {
            &Method::ACK if quirks.ignores.ack => Verdict::Keep,
            &Method::CANCEL if quirks.ignores.cancel => Verdict::Keep,
            &Method::BYE if quirks.ignores.bye => Verdict::IgnoreBye,
            &Method::BYE if quirks.bye_crosses => {
                let first = !std::mem::replace(&mut call.crossed, true);
                if first { Verdict::PassAfterBye } else { Verdict::Pass }
            }
            Method::Known(_) | Method::Other(_) => Verdict::Pass,
        }
    }

    /// Our 2xx, and those of the other branches.
    fn answer(
        &mut self,
        now: Tick,
        call_id: &str,
        mut message: Message,
        to: SocketAddr,
        out: &mut Vec<CarrierAction>,
    ) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let link = call.quirks.network.or(self.link);
        call.over = true;
        if let Some(status) = call.quirks.answer_status {
            message.start = Message::response(status, "").start;
        }
        if call.quirks.no_contact {
            message.remove(name::CONTACT);
        }
        let bytes = message.to_bytes();
        let mut later = Vec::new();
        // Repeats by the user agent find the rest done.
        if !std::mem::replace(&mut call.answered, true) {
            for branch in 0..usize::from(call.quirks.answer_forks) {
                let Some(bytes) = call.of_branch(branch, &message) else { continue };
                let after = BRANCH_AFTER.saturating_mul(u32::try_from(branch + 1).unwrap_or(1));
                let call_id = call_id.to_owned();
                later.push((after, Later::Branch { call_id, branch, to, bytes, wait: T1 }));
            }
            for nth in 1..=u32::from(call.quirks.answer_repeats) {
                later.push((REPEAT_AFTER * nth, Later::Send { to, bytes: bytes.clone() }));
            }
        }
        for (after, later) in later {
            self.put(now + after, later);
        }
        self.travel(now, link, to, bytes, out);
    }

    /// The 2xx of another branch, and its next repeat.
    fn answer_branch(
        &mut self,
        now: Tick,
        call_id: String,
        branch: usize,
        (to, bytes): (SocketAddr, Vec<u8>),
        wait: Duration,
        out: &mut Vec<CarrierAction>,
    ) {
        let Some(call) = self.calls.get(&call_id) else { return };
        if call.branches.get(branch).is_none_or(|branch| branch.acknowledged) {
            return;
        }
        let link = call.quirks.network.or(self.link);
        self.travel(now, link, to, bytes.clone(), out);
        if wait <= T2 {
            self.put(now + wait, Later::Branch { call_id, branch, to, bytes, wait: wait * 2 });
        }
    }

    fn travel(
        &mut self,
        now: Tick,
        link: Option<Link>,
        to: SocketAddr,
        bytes: Vec<u8>,
        out: &mut Vec<CarrierAction>,
    ) {
        let Some(link) = link else { return out.push(CarrierAction::Send { to, bytes }) };
        for due in link.arrivals(&mut self.dice, now).into_iter().flatten() {
            if due <= now {
                out.push(CarrierAction::Send { to, bytes: bytes.clone() });
            } else {
                self.put(due, Later::Send { to, bytes: bytes.clone() });
            }
        }
    }

    /// Beyond [`MOST_UNDER_WAY`] it is lost, as in a full queue.
    fn put(&mut self, due: Tick, later: Later) {
        if self.later.len() < MOST_UNDER_WAY {
            self.later.insert((due, self.serial), later);
            self.serial += 1;
        }
    }
}

impl OddCall {
    /// A response as another branch would give it.
    fn of_branch(&mut self, branch: usize, message: &Message) -> Option<Vec<u8>> {
        let (to, own_tag) = message.first(name::TO)?.rsplit_once(";tag=")?;
        while self.branches.len() <= branch {
            let tag = format!("{own_tag}-{}", self.branches.len() + 1);
            self.branches.push(Branch { tag, acknowledged: false });
        }
        let tag = &self.branches.get(branch)?.tag;
        let mut copy = message.clone();
        copy.set(name::TO, format!("{to};tag={tag}"));
        Some(copy.to_bytes())
    }
}

/// Late messages of a call that is over are looked after for 64*T1 and a little more.
const LINGER: Duration = Duration::from_secs(40);
/// Another branch answers this long after ours: late enough to be the second, early enough to cross the ACK.
const BRANCH_AFTER: Duration = Duration::from_millis(20);
/// Repeats of an answer that was acknowledged.
const REPEAT_AFTER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_follows_with_the_same_call_id_keeps_its_oddities() {
        let (mut wire, mut out) = (Wire::new(None, Dice::new(1)), vec![]);
        let quirks = Quirks { no_contact: true, ..Quirks::default() };
        let later = Tick::START + Duration::from_secs(1);
        wire.watch(Tick::START, "a", "1 INVITE", &quirks);
        wire.leave(Tick::START, "a");
        wire.watch(later, "a", "2 INVITE", &quirks);
        assert_eq!(wire.pop_due(Tick::START + LINGER, &mut out), None);
        assert!(!wire.is_plain());
        wire.leave(later, "a");
        assert_eq!(wire.pop_due(later + LINGER, &mut out), None);
        assert!(wire.is_plain());
    }

    #[test]
    fn a_call_is_forgotten_however_much_is_under_way() {
        let (mut wire, mut out) = (Wire::new(None, Dice::new(1)), vec![]);
        let to = SocketAddr::from(([192, 0, 2, 1], 5060));
        for _ in 0..MOST_UNDER_WAY + 1 {
            wire.put(Tick::START + LINGER, Later::Send { to, bytes: vec![] });
        }
        let quirks = Quirks { no_contact: true, ..Quirks::default() };
        wire.watch(Tick::START, "a", "1 INVITE", &quirks);
        wire.leave(Tick::START, "a");
        wire.pop_due(Tick::START + LINGER, &mut out);
        assert_eq!((out.len(), wire.is_plain()), (MOST_UNDER_WAY, true));
    }
}
