//! One agent: a phone that is up for the whole shift, and what the agent does between calls.
//!
//! ```text
//! Offline ─login─▶ LoggingIn ─answered─▶ Paused ◀─pause─ Ready ─reserve─▶ Reserved ─joined─▶ OnCall ─over─▶ WrapUp
//!    ▲                                      └──ready──▶    ▲                  └──released──▶ Ready      └─time─▶ Ready
//!    │                               Ready ─offered─▶ Previewing ─dialed─▶ Reserved; passed by ─▶ Ready; nobody there ─▶ Paused
//!    └── phone gone, from every state; a pause or log-out asked for during a call waits for its end
//! ```

mod keys;

use std::time::Duration;

pub use keys::DigitMap;
use keys::{CallKey, CallKeys, WrapUpKeys};

use crate::logic::ids::AttemptId;
use crate::logic::time::{Now, Tick, UtcMs};

/// One agent's machine.
#[derive(Debug)]
pub struct Agent {
    state: State,
    /// Since when in this state.
    since: Now,
    /// What to become when the call is settled.
    wish: Option<Wish>,
    /// No RTP for 2 s: gets no new call.
    quiet: bool,
    /// The phone has put us on hold, in whatever state: no customer is to hear its music.
    on_hold: bool,
    pause_reason: Option<String>,
    totals: Totals,
}

/// What this agent did in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Customers taken.
    pub calls: u64,
    /// With customers.
    pub talk: Duration,
    /// After calls.
    pub wrap_up: Duration,
    /// Logged in and not paused.
    pub staffed: Duration,
}

#[derive(Debug)]
enum State {
    Offline,
    LoggingIn,
    Paused {
        held: bool,
    },
    Ready,
    /// Looks at a person; calls or passes by before `until`.
    Previewing {
        until: Tick,
    },
    Reserved {
        attempt: AttemptId,
    },
    OnCall {
        attempt: AttemptId,
        keys: CallKeys,
        map: DigitMap,
        wrap_up: Duration,
    },
    WrapUp {
        attempt: AttemptId,
        until: Tick,
        keys: WrapUpKeys,
    },
}

#[derive(Clone, Debug)]
enum Wish {
    Pause(Option<String>),
    LogOut,
}

/// What happens to an agent.
#[derive(Clone, Debug)]
pub enum Event {
    /// Calls the phone.
    LogIn,
    /// The phone answered.
    PhoneUp,
    /// The phone's leg failed or ended.
    PhoneDown,
    /// No sign of life: as good as down, and the leg is to be ended.
    PhoneDead,
    /// No RTP for 2 s.
    Quiet,
    /// RTP again.
    Heard,
    /// The phone put us on hold or came back.
    Held(bool),
    /// Takes calls.
    Ready,
    /// Takes no more calls.
    Pause(Option<String>),
    /// Ends the shift.
    LogOut,
    /// A person is shown before the call; nobody at the desk decides anything after this time.
    Offer(Duration),
    /// That person is passed by, or may not be called any more.
    OfferOver,
    /// Kept for an attempt.
    Reserve(AttemptId),
    /// The attempt ended or went to another agent.
    Release(AttemptId),
    /// Hears the customer.
    Join {
        /// The attempt.
        attempt: AttemptId,
        /// Keys that hang up the customer.
        hang_up_keys: String,
        /// Keys of the dispositions.
        map: DigitMap,
        /// Time after the call.
        wrap_up: Duration,
    },
    /// The customer is gone.
    CallOver(AttemptId),
    /// A key.
    Digit(char),
    /// A deadline passed.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Calls the phone.
    Dial,
    /// Ends the phone's leg.
    HangUpPhone,
    /// The phone is gone during this attempt.
    Lost(AttemptId),
    /// The agent hangs up this customer.
    HangUpCustomer(AttemptId),
    /// Keys for the customer's ear.
    Pass(AttemptId, String),
    /// The disposition at this place of the map was keyed.
    Chose(AttemptId, usize),
    /// Wrap-up is over: what is not said by now stays unsaid.
    WrapUpOver(AttemptId),
    /// The person who was shown is for somebody else.
    PutBack,
    /// The state changed.
    Changed,
}

impl Agent {
    /// Offline.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self {
            state: State::Offline,
            since: now,
            wish: None,
            quiet: false,
            on_hold: false,
            pause_reason: None,
            totals: Totals::default(),
        }
    }

    /// Takes one event.
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::PhoneDown | Event::PhoneDead => {
                self.phone_gone(now, matches!(event, Event::PhoneDead), out)
            }
            Event::Quiet => self.quiet = true,
            Event::Heard => self.quiet = false,
            Event::LogIn => {
                if matches!(self.state, State::Offline) {
                    self.change(now, State::LoggingIn, out);
                    out.push(Action::Dial);
                }
            }
            Event::PhoneUp => {
                if matches!(self.state, State::LoggingIn) {
                    self.quiet = false;
                    self.on_hold = false;
                    self.change(now, State::Paused { held: false }, out);
                }
            }
            Event::Ready => self.ready(now, out),
            Event::Pause(reason) => self.pause(now, reason, out),
            Event::LogOut => self.log_out(now, out),
            Event::Held(held) => self.held(now, held, out),
            Event::Offer(time) => {
                if matches!(self.state, State::Ready) {
                    self.change(now, State::Previewing { until: now.tick + time }, out);
                }
            }
            Event::OfferOver => {
                if matches!(self.state, State::Previewing { .. }) {
                    self.settle(now, out);
                }
            }
            Event::Reserve(attempt) => {
                if matches!(self.state, State::Ready | State::Previewing { .. }) {
                    self.change(now, State::Reserved { attempt }, out);
                }
            }
            Event::Release(attempt) => {
                if matches!(self.state, State::Reserved { attempt: kept } if kept == attempt) {
                    self.settle(now, out);
                }
            }
            Event::Join { attempt, hang_up_keys, map, wrap_up } => {
                if matches!(self.state, State::Ready | State::Reserved { .. }) {
                    self.totals.calls += 1;
                    let keys = CallKeys::new(hang_up_keys);
                    self.change(now, State::OnCall { attempt, keys, map, wrap_up }, out);
                }
            }
            Event::CallOver(attempt) => self.call_over(now, attempt, out),
            Event::Digit(digit) => self.digit(now, digit, out),
            Event::Timeout => self.timeout(now, out),
        }
    }

    /// When [`Event::Timeout`] is wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Tick> {
        match &self.state {
            State::OnCall { keys, .. } => keys.next_timeout(),
            State::WrapUp { until, .. } | State::Previewing { until } => Some(*until),
            State::Offline
            | State::LoggingIn
            | State::Paused { .. }
            | State::Ready
            | State::Reserved { .. } => None,
        }
    }

    /// Ready, with a phone that is heard.
    #[must_use]
    pub const fn may_take_call(&self) -> bool {
        matches!(self.state, State::Ready) && !self.quiet
    }

    /// Looks at a person, with a phone that is heard.
    #[must_use]
    pub const fn may_dial(&self) -> bool {
        matches!(self.state, State::Previewing { .. }) && !self.quiet
    }

    /// Kept for this attempt, with a phone that is heard.
    #[must_use]
    pub fn is_kept_for(&self, attempt: AttemptId) -> bool {
        matches!(self.state, State::Reserved { attempt: kept } if kept == attempt) && !self.quiet
    }

    /// Takes no further call after this one.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.wish.is_some()
    }

    /// The attempt this agent has to do with.
    #[must_use]
    pub const fn attempt(&self) -> Option<AttemptId> {
        match self.state {
            State::Reserved { attempt }
            | State::OnCall { attempt, .. }
            | State::WrapUp { attempt, .. } => Some(attempt),
            State::Offline
            | State::LoggingIn
            | State::Paused { .. }
            | State::Ready
            | State::Previewing { .. } => None,
        }
    }

    /// The state's kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.state {
            State::Offline => Kind::Offline,
            State::LoggingIn => Kind::LoggingIn,
            State::Paused { .. } => Kind::Paused,
            State::Ready => Kind::Ready,
            State::Previewing { .. } => Kind::Previewing,
            State::Reserved { .. } => Kind::Reserved,
            State::OnCall { .. } => Kind::OnCall,
            State::WrapUp { .. } => Kind::WrapUp,
        }
    }

    /// Since when in this state.
    #[must_use]
    pub const fn since(&self) -> Now {
        self.since
    }

    /// Since when on the wall clock.
    #[must_use]
    pub const fn since_utc(&self) -> UtcMs {
        self.since.utc
    }

    /// Why paused.
    #[must_use]
    pub fn pause_reason(&self) -> Option<&str> {
        self.pause_reason.as_deref()
    }

    /// What this agent did, the present state included.
    #[must_use]
    pub fn totals(&self, now: Now) -> Totals {
        let mut totals = self.totals;
        add_time(&mut totals, self.kind(), now.tick.since(self.since.tick));
        totals
    }

    fn change(&mut self, now: Now, state: State, out: &mut Vec<Action>) {
        let kind = self.kind();
        add_time(&mut self.totals, kind, now.tick.since(self.since.tick));
        if !matches!(state, State::Paused { .. }) {
            self.pause_reason = None;
        }
        self.state = state;
        self.since = now;
        out.push(Action::Changed);
    }

    /// A call is settled: what was wished for during it happens now.
    fn settle(&mut self, now: Now, out: &mut Vec<Action>) {
        match self.wish.take() {
            None => self.free(now, out),
            Some(Wish::Pause(reason)) => {
                self.pause_reason = reason;
                self.change(now, State::Paused { held: false }, out);
            }
            Some(Wish::LogOut) => {
                self.change(now, State::Offline, out);
                out.push(Action::HangUpPhone);
            }
        }
    }

    /// Takes calls, unless the phone is on hold.
    fn free(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.on_hold {
            self.pause_reason = Some("hold".to_owned());
            self.change(now, State::Paused { held: true }, out);
        } else {
            self.change(now, State::Ready, out);
        }
    }

    fn ready(&mut self, now: Now, out: &mut Vec<Action>) {
        match self.state {
            State::Paused { held: false } => {
                self.wish = None;
                self.free(now, out);
            }
            // The agent is done with the last call, or takes back a wish for a pause.
            State::WrapUp { attempt, .. } => {
                self.wish = None;
                out.push(Action::WrapUpOver(attempt));
                self.free(now, out);
            }
            State::Reserved { .. } | State::OnCall { .. } | State::Paused { held: true } => {
                self.wish = None;
            }
            State::Offline | State::LoggingIn | State::Ready | State::Previewing { .. } => {}
        }
    }

    fn pause(&mut self, now: Now, reason: Option<String>, out: &mut Vec<Action>) {
        match self.state {
            State::Ready | State::Paused { held: false } => {
                self.pause_reason = reason;
                self.change(now, State::Paused { held: false }, out);
            }
            State::Previewing { .. } => {
                self.wish = Some(Wish::Pause(reason));
                self.put_back(now, out);
            }
            State::Reserved { .. }
            | State::OnCall { .. }
            | State::WrapUp { .. }
            | State::Paused { held: true } => self.wish = Some(Wish::Pause(reason)),
            State::Offline | State::LoggingIn => {}
        }
    }

    fn log_out(&mut self, now: Now, out: &mut Vec<Action>) {
        match self.state {
            State::Offline => {}
            State::LoggingIn | State::Paused { .. } | State::Ready => {
                self.wish = Some(Wish::LogOut);
                self.settle(now, out);
            }
            State::Previewing { .. } => {
                self.wish = Some(Wish::LogOut);
                self.put_back(now, out);
            }
            State::Reserved { .. } | State::OnCall { .. } | State::WrapUp { .. } => {
                self.wish = Some(Wish::LogOut)
            }
        }
    }

    /// Nobody is called yet: what is wished for happens at once, and the person goes to somebody else.
    fn put_back(&mut self, now: Now, out: &mut Vec<Action>) {
        self.settle(now, out);
        out.push(Action::PutBack);
    }

    /// Hold means paused; during a call and its wrap-up it is the agent's business, and counts when they are over.
    fn held(&mut self, now: Now, held: bool, out: &mut Vec<Action>) {
        self.on_hold = held;
        match self.state {
            State::Ready if held => self.free(now, out),
            State::Previewing { .. } if held => self.put_back(now, out),
            State::Paused { held: true } if !held => self.settle(now, out),
            State::Offline
            | State::LoggingIn
            | State::Paused { .. }
            | State::Ready
            | State::Previewing { .. }
            | State::Reserved { .. }
            | State::OnCall { .. }
            | State::WrapUp { .. } => {}
        }
    }

    fn call_over(&mut self, now: Now, attempt: AttemptId, out: &mut Vec<Action>) {
        let State::OnCall { attempt: with, keys: _, map, wrap_up } = &self.state else { return };
        if *with != attempt {
            return;
        }
        let (until, keys) = (now.tick + *wrap_up, WrapUpKeys::new(map.clone()));
        self.change(now, State::WrapUp { attempt, until, keys }, out);
    }

    fn digit(&mut self, now: Now, digit: char, out: &mut Vec<Action>) {
        match &mut self.state {
            State::OnCall { attempt, keys, .. } => {
                let attempt = *attempt;
                match keys.press(now.tick, digit) {
                    CallKey::HangUp => out.push(Action::HangUpCustomer(attempt)),
                    CallKey::Pass(digits) => out.push(Action::Pass(attempt, digits)),
                    CallKey::Wait => {}
                }
            }
            State::WrapUp { attempt, keys, .. } => {
                if let Some(place) = keys.press(digit) {
                    out.push(Action::Chose(*attempt, place));
                }
            }
            State::Offline
            | State::LoggingIn
            | State::Paused { .. }
            | State::Ready
            | State::Previewing { .. }
            | State::Reserved { .. } => {}
        }
    }

    fn timeout(&mut self, now: Now, out: &mut Vec<Action>) {
        match &mut self.state {
            State::OnCall { attempt, keys, .. } => {
                if let Some(digits) = keys.timeout(now.tick) {
                    out.push(Action::Pass(*attempt, digits));
                }
            }
            State::WrapUp { attempt, until, .. } => {
                if now.tick >= *until {
                    out.push(Action::WrapUpOver(*attempt));
                    self.settle(now, out);
                }
            }
            State::Previewing { until } => {
                if now.tick >= *until {
                    self.wish = Some(Wish::Pause(Some(UNATTENDED.to_owned())));
                    self.put_back(now, out);
                }
            }
            State::Offline
            | State::LoggingIn
            | State::Paused { .. }
            | State::Ready
            | State::Reserved { .. } => {}
        }
    }

    fn phone_gone(&mut self, now: Now, dead: bool, out: &mut Vec<Action>) {
        if matches!(self.state, State::Offline) {
            return;
        }
        let left = match self.state {
            State::Reserved { attempt } | State::OnCall { attempt, .. } => {
                Some(Action::Lost(attempt))
            }
            State::WrapUp { attempt, .. } => Some(Action::WrapUpOver(attempt)),
            State::Previewing { .. } => Some(Action::PutBack),
            State::Offline | State::LoggingIn | State::Paused { .. } | State::Ready => None,
        };
        self.wish = None;
        self.change(now, State::Offline, out);
        out.extend(left);
        if dead {
            out.push(Action::HangUpPhone);
        }
    }
}

/// The state's kind, for those who only look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No phone.
    Offline,
    /// The phone is being called.
    LoggingIn,
    /// Takes no calls.
    Paused,
    /// Waits for a call.
    Ready,
    /// Looks at a person before the call.
    Previewing,
    /// Kept for an attempt.
    Reserved,
    /// With a customer.
    OnCall,
    /// After a call.
    WrapUp,
}

/// Why an agent is paused who neither called nor passed by in time.
const UNATTENDED: &str = "preview";

fn add_time(totals: &mut Totals, kind: Kind, time: Duration) {
    match kind {
        Kind::Offline | Kind::LoggingIn | Kind::Paused => {}
        Kind::Ready | Kind::Previewing | Kind::Reserved => totals.staffed += time,
        Kind::OnCall => {
            totals.staffed += time;
            totals.talk += time;
        }
        Kind::WrapUp => {
            totals.staffed += time;
            totals.wrap_up += time;
        }
    }
}

#[cfg(test)]
mod tests;
