//! The other sides of legs: people called and agents' phones. They outlive the dialer.

use std::time::Duration;

use outdial::logic::dialer::{Input, LegCall, LegCommand, LegEvent, LegFailure};
use outdial::logic::ids::{AttemptId, LegId};
use outdial::logic::sip::user_agent::RemoteDialog;
use outdial::logic::time::Tick;
use outdial::simulation::dice::Law;

use crate::floor::{Floor, Todo};

/// The other side of a leg. It outlives the dialer.
#[derive(Clone, Debug)]
pub(super) struct FarEnd {
    /// `None`: an agent's phone.
    pub(super) attempt: Option<AttemptId>,
    pub(super) stage: Stage,
    cancelled: bool,
    /// An agent and this person could hear each other.
    pub(super) met: bool,
    /// The campaign's message began.
    pub(super) heard: bool,
    /// The process died while there was such a leg.
    pub(super) crashed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Rings,
    Up,
    /// A person answered and the call is over.
    WasUp,
    NeverUp,
}

impl FarEnd {
    const fn new(attempt: Option<AttemptId>) -> Self {
        let stage = Stage::Rings;
        Self { attempt, stage, cancelled: false, met: false, heard: false, crashed: false }
    }
}

impl Floor {
    pub(super) fn leg_command(&mut self, leg: LegId, command: LegCommand) {
        match command {
            // Nothing of another process is up here.
            LegCommand::Prepare(_) | LegCommand::Authorize | LegCommand::Recover(_) => {}
            LegCommand::Dial(LegCall::Agent { .. }) => {
                self.legs.insert(leg, FarEnd::new(None));
                self.plan(Duration::from_millis(20), Todo::Answer(leg));
            }
            LegCommand::Dial(LegCall::Customer { attempt, .. }) => self.ring(leg, attempt),
            LegCommand::HangUp => self.hang_up(leg),
        }
    }

    fn ring(&mut self, leg: LegId, attempt: AttemptId) {
        self.legs.insert(leg, FarEnd::new(Some(attempt)));
        let post_dial_delay = Duration::from_millis(50 + self.dice.below(400));
        self.plan(post_dial_delay, Todo::Leg(leg, Stage::Rings, LegEvent::Ringing));
        let alone = self.uncovered.contains(&attempt) || self.messages.contains(&attempt);
        let eager = self.style.against_uncovered && alone;
        let shy = self.style.against_uncovered && !eager;
        if eager || (!shy && self.dice.chance_ppm(self.style.answers)) {
            let mut ring = self.style.ring.draw(&mut self.dice);
            if let Some(every) = self.style.burst {
                // All who ring are answered at the same moment.
                let at = self.now.since(Tick::START) + ring;
                let turns = at.as_micros() / every.as_micros() + 1;
                ring = every * u32::try_from(turns).unwrap() - self.now.since(Tick::START);
            }
            self.plan(ring, Todo::Answer(leg));
        } else if self.dice.below(2) == 0 {
            let busy = failed(Some(486), false);
            self.plan(Duration::from_millis(500), Todo::Leg(leg, Stage::Rings, busy));
        }
    }

    pub(super) fn hang_up(&mut self, leg: LegId) {
        let Some(far) = self.legs.get_mut(&leg) else {
            // Nobody knows the call.
            self.plan(
                Duration::from_millis(1),
                Todo::Leg(leg, Stage::NeverUp, failed(Some(481), false)),
            );
            return;
        };
        match far.stage {
            Stage::Rings if !far.cancelled => {
                far.cancelled = true;
                let customer = far.attempt.is_some();
                if customer && self.dice.chance_ppm(self.style.crosses) {
                    self.report.late_answers += 1;
                    let wait = Law::between(0, 400).draw(&mut self.dice);
                    self.plan(wait, Todo::Answer(leg));
                } else if customer && self.dice.chance_ppm(self.style.silent) {
                    let nothing = failed(None, true);
                    self.plan(Duration::from_secs(32), Todo::Leg(leg, Stage::Rings, nothing));
                } else {
                    let wait = Law::between(1, 300).draw(&mut self.dice);
                    self.plan(wait, Todo::Leg(leg, Stage::Rings, failed(Some(487), false)));
                }
            }
            Stage::Rings => {}
            Stage::Up => {
                let over = LegEvent::Ended { by_peer: false, q850: None };
                self.plan(Duration::from_millis(20), Todo::Leg(leg, Stage::Up, over));
            }
            Stage::WasUp | Stage::NeverUp => {
                let stage = far.stage;
                self.plan(
                    Duration::from_millis(1),
                    Todo::Leg(leg, stage, failed(Some(481), false)),
                );
            }
        }
    }

    pub(super) fn answer(&mut self, leg: LegId) {
        let Some(far) = self.legs.get_mut(&leg).filter(|far| far.stage == Stage::Rings) else {
            return;
        };
        far.stage = Stage::Up;
        if far.attempt.is_some() {
            if self.dice.chance_ppm(self.style.vanish) {
                for _ in 0..self.style.agents {
                    self.a_phone_dies();
                }
            }
            let talk = self.style.talk.draw(&mut self.dice);
            let over = LegEvent::Ended { by_peer: true, q850: Some(16) };
            self.plan(talk, Todo::Leg(leg, Stage::Up, over));
        }
        if self.legs[&leg].stage == Stage::Up {
            self.tell(Input::Leg(leg, LegEvent::Answered(dialog())));
        }
    }

    /// A sound begins for a person: it ends by itself, mostly, and keys may be pressed to a message.
    pub(super) fn plays(&mut self, leg: LegId, play: u64) {
        let Some(far) = self.legs.get_mut(&leg).filter(|far| far.stage == Stage::Up) else {
            return;
        };
        let Some(attempt) = far.attempt else { return };
        if self.messages.contains(&attempt) {
            self.report.heard += u64::from(!far.heard);
            far.heard = true;
            if self.dice.chance_ppm(self.style.keys) {
                let key = ['1', '9', '5'][usize::try_from(self.dice.below(3)).unwrap()];
                let wait = Law::between(0, 4_000).draw(&mut self.dice);
                self.plan(wait, Todo::Leg(leg, Stage::Up, LegEvent::Digit(key)));
            }
        }
        if self.dice.below(10) > 0 {
            let wait = Law::between(500, 6_000).draw(&mut self.dice);
            self.plan(wait, Todo::Leg(leg, Stage::Up, LegEvent::PlayDone(play)));
        }
    }

    pub(super) fn far_event(&mut self, leg: LegId, stage: Stage, event: LegEvent) {
        if let Some(far) = self.legs.get_mut(&leg) {
            if far.stage != stage {
                return;
            }
            if event.end().is_some() {
                far.stage = match far.stage {
                    Stage::Rings | Stage::NeverUp => Stage::NeverUp,
                    Stage::Up | Stage::WasUp => Stage::WasUp,
                };
            }
        }
        self.tell(Input::Leg(leg, event));
    }
}

fn failed(status: Option<u16>, uncertain: bool) -> LegEvent {
    LegEvent::Failed(LegFailure { status, sent: true, uncertain, q850: None, retry_after: None })
}

fn dialog() -> RemoteDialog {
    RemoteDialog {
        remote_tag: "far".to_owned(),
        remote_target: "sip:192.0.2.2".to_owned(),
        route_set: vec![],
        cseq: 1,
    }
}
