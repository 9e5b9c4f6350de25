//! Two user agents and a network between them that delays, loses and reorders by a seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::far;
use super::near;
use super::settings;
use crate::logic::sip::user_agent::SipAction;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;
use crate::logic::sip::user_agent::SipInput;
use crate::logic::sip::user_agent::UserAgent;
use crate::logic::time::Tick;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// The dialer.
    Near,
    /// The callee.
    Far,
}

pub(super) struct Pair {
    pub(super) now: Tick,
    pub(super) near: UserAgent,
    pub(super) far: UserAgent,
    /// Everything that happened, in order.
    pub(super) events: Vec<(Tick, Who, SipEvent)>,
    /// Everything that was sent, lost or not.
    pub(super) sent: Vec<(Tick, Who, String)>,
    /// Of 1000 datagrams, how many are lost.
    pub(super) loss: u64,
    /// Every datagram takes between these two.
    pub(super) delay: (Duration, Duration),
    queue: BTreeMap<(Tick, u64), Due>,
    serial: u64,
    dice: u64,
}

enum Due {
    Packet { to: SocketAddr, from: SocketAddr, bytes: Vec<u8> },
    Command(Who, SipCommand),
}

impl Pair {
    pub(super) fn new(seed: u64) -> Self {
        let mut callee = settings(far(), near());
        callee.accept_incoming = true;
        Self {
            now: Tick::START,
            near: UserAgent::new(settings(near(), far()), seed),
            far: UserAgent::new(callee, seed),
            events: vec![],
            sent: vec![],
            loss: 0,
            delay: (Duration::from_millis(10), Duration::from_millis(10)),
            queue: BTreeMap::new(),
            serial: 0,
            dice: seed | 1,
        }
    }

    /// Gives an order after `wait`.
    pub(super) fn after(&mut self, wait: Duration, who: Who, command: SipCommand) {
        self.serial += 1;
        self.queue.insert((self.now + wait, self.serial), Due::Command(who, command));
    }

    pub(super) fn order(&mut self, who: Who, command: SipCommand) {
        self.handle(who, SipInput::Command(command));
    }

    /// Runs for `time`; `react` sees each event and may give orders, each after a wait.
    pub(super) fn run(
        &mut self,
        time: Duration,
        mut react: impl FnMut(Who, &SipEvent) -> Vec<(Duration, Who, SipCommand)>,
    ) {
        let end = self.now + time;
        let mut seen = self.events.len();
        for _ in 0..2_000_000 {
            while let Some((_, who, event)) = self.events.get(seen) {
                let orders = react(*who, event);
                seen += 1;
                for (wait, who, command) in orders {
                    self.after(wait, who, command);
                }
            }
            let due = self.queue.first_key_value().map(|((at, _), _)| *at);
            let wakes = [self.near.next_deadline(), self.far.next_deadline(), due];
            let Some(at) = wakes.into_iter().flatten().min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = at.max(self.now);
            if due == Some(at) {
                match self.queue.pop_first().unwrap().1 {
                    Due::Command(who, command) => self.handle(who, SipInput::Command(command)),
                    Due::Packet { to, from, bytes } => {
                        let who = if to == near() { Who::Near } else { Who::Far };
                        self.handle(who, SipInput::Datagram { from, bytes: &bytes });
                    }
                }
            } else {
                let who = if self.near.next_deadline() == Some(at) { Who::Near } else { Who::Far };
                self.handle(who, SipInput::Timeout);
            }
        }
        panic!("the two never come to rest");
    }

    pub(super) fn events_of(&self, wanted: Who) -> Vec<&SipEvent> {
        self.events.iter().filter(|(_, who, _)| *who == wanted).map(|(_, _, event)| event).collect()
    }

    /// First lines of what one side sent.
    pub(super) fn lines(&self, wanted: Who) -> Vec<&str> {
        self.sent
            .iter()
            .filter(|(_, who, _)| *who == wanted)
            .map(|(_, _, text)| text.lines().next().unwrap())
            .collect()
    }

    /// Methods and statuses of both sides, in order of sending.
    pub(super) fn ladder(&self) -> Vec<String> {
        self.sent
            .iter()
            .map(|(_, who, text)| {
                let line = text.lines().next().unwrap();
                let word = line.strip_prefix("SIP/2.0 ").unwrap_or(line).split(' ').next().unwrap();
                format!("{}{word}", if *who == Who::Near { ">" } else { "<" })
            })
            .collect()
    }

    fn handle(&mut self, who: Who, input: SipInput<'_>) {
        let mut out = vec![];
        let (agent, from) = match who {
            Who::Near => (&mut self.near, near()),
            Who::Far => (&mut self.far, far()),
        };
        let woken = matches!(input, SipInput::Timeout);
        agent.handle(self.now, input, &mut out);
        assert!(
            !woken || agent.next_deadline().is_none_or(|at| at > self.now),
            "a deadline was left due"
        );
        for action in out {
            match action {
                SipAction::Event(event) => self.events.push((self.now, who, event)),
                SipAction::Send { to, bytes } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.sent.push((self.now, who, text));
                    if self.roll() % 1000 >= self.loss {
                        let (least, most) = self.delay;
                        let spread = u64::try_from((most - least).as_micros()).unwrap();
                        let extra = Duration::from_micros(self.roll() % (spread + 1));
                        self.serial += 1;
                        let at = self.now + least + extra;
                        self.queue.insert((at, self.serial), Due::Packet { to, from, bytes });
                    }
                }
            }
        }
    }

    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice >> 11
    }
}
