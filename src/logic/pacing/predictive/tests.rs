//! The engine among liars: whatever it is told, it never launches more than it may, and never stops working.

use super::*;
use crate::logic::split_mix::SplitMix;

struct Liar(SplitMix);

impl Liar {
    fn below(&mut self, n: u32) -> u32 {
        u32::try_from(self.0.next() % u64::from(n)).unwrap()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(u32::try_from(all.len()).unwrap())).unwrap()]
    }

    /// A time or an age: now and then one that is none.
    fn seconds(&mut self) -> f64 {
        match self.below(12) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => -1.0,
            4 => 1e300,
            _ => f64::from(self.below(4_000)) / 100.0,
        }
    }

    fn agents(&mut self) -> Vec<AgentNow> {
        let stages =
            [AgentStage::Idle, AgentStage::Talking, AgentStage::Wrapping, AgentStage::Paused];
        (0..self.below(14))
            .map(|_| AgentNow {
                stage: self.one_of(&stages),
                age: self.seconds(),
                leaving: self.below(8) == 0,
            })
            .collect()
    }

    fn calls(&mut self) -> Vec<CallNow> {
        let stages =
            [CallStage::Dialing, CallStage::Ringing, CallStage::Detecting, CallStage::Waiting];
        (0..self.below(30))
            .map(|_| CallNow {
                id: u64::from(self.below(40)),
                stage: self.one_of(&stages),
                age: self.seconds(),
                stage_age: self.seconds(),
            })
            .collect()
    }

    fn events(&mut self) -> Vec<Seen> {
        (0..self.below(12))
            .map(|_| {
                let call = u64::from(self.below(60));
                let what = match self.below(11) {
                    0 => Happened::Ringback(call),
                    1 => Happened::Answered(call),
                    2 => Happened::Live(call),
                    3 => Happened::Machine(call),
                    4 => Happened::Refused(call),
                    5 => Happened::NoAnswer(call),
                    6 => Happened::Cancelled(call),
                    7 => Happened::Connected(call),
                    8 => Happened::Abandoned(call),
                    9 => Happened::TalkEnded { after: self.seconds(), machine: call % 2 == 0 },
                    _ => Happened::WrapEnded { after: self.seconds() },
                };
                Seen { at: self.seconds(), what }
            })
            .collect()
    }
}

fn idle(count: usize) -> Vec<AgentNow> {
    vec![AgentNow { stage: AgentStage::Idle, age: 1.0, leaving: false }; count]
}

fn moment<'a>(
    at: f64,
    agents: &'a [AgentNow],
    calls: &'a [CallNow],
    events: &'a [Seen],
) -> Moment<'a> {
    Moment {
        at,
        agents,
        calls,
        events,
        window_left: 20_000.0,
        most_lines: 1_000,
        most_uncovered: usize::MAX,
    }
}

/// An engine that has heard enough to predict: each second a call began to ring, and ten seconds later every fourth was
/// answered.
fn experienced() -> Predictor {
    let mut engine = Predictor::new(0.03);
    let agents = idle(5);
    for tick in 0..200u32 {
        let at = f64::from(tick);
        let rings = |id: u32| CallNow {
            id: u64::from(id),
            stage: CallStage::Ringing,
            age: f64::from(tick - id) + 2.0,
            stage_age: f64::from(tick - id),
        };
        let calls: Vec<CallNow> = (tick.saturating_sub(9)..=tick).map(rings).collect();
        let mut events = vec![Seen { at, what: Happened::Ringback(u64::from(tick)) }];
        if let Some(old) = tick.checked_sub(10) {
            let all: [fn(u64) -> Happened; 3] =
                [Happened::Answered, Happened::Live, Happened::Connected];
            let none: [fn(u64) -> Happened; 1] = [Happened::NoAnswer];
            let happened: &[fn(u64) -> Happened] = if old % 4 == 0 { &all } else { &none };
            events.extend(happened.iter().map(|what| Seen { at, what: what(u64::from(old)) }));
        }
        engine.decide(&moment(at, &agents, &calls, &events));
    }
    engine
}

#[test]
fn nonsense_is_answered_with_a_bounded_number_that_the_ledger_admits() {
    for seed in 0..60 {
        let mut liar = Liar(SplitMix::new(seed));
        let mut engine = Predictor::new(0.03);
        let mut at = 0.0;
        for _ in 0..60 {
            at = if liar.below(10) == 0 { liar.seconds() } else { at + 0.5 };
            let (agents, calls, events) = (liar.agents(), liar.calls(), liar.events());
            let odds = [liar.seconds(), liar.seconds()];
            let now = Moment {
                window_left: liar.seconds(),
                most_lines: if liar.below(2) == 0 { usize::MAX } else { 20 },
                most_uncovered: liar.one_of(&[0, 1, 2, 5, usize::MAX]),
                ..moment(at, &agents, &calls, &events)
            };
            let said = engine.decide_with(&now, &Odds { calls: &odds, next: &odds });
            let staffed = agents.iter().filter(|agent| agent.stage != AgentStage::Paused).count();
            let lines = calls.len() + said.launch;
            assert!(said.launch == 0 || lines <= now.most_lines.min(15 * staffed), "{said:?}");
            assert!(
                said.launch == 0 || lines <= said.idle.saturating_add(now.most_uncovered),
                "{said:?}"
            );
            for number in [said.answer, said.level, said.allowed, said.risk, said.credit] {
                assert!(number.is_finite(), "{said:?}");
            }
        }
        // It has not gone mad: the carrier rings again, and a free agent gets a line.
        let agents = idle(3);
        for tick in 0..120u32 {
            let at = 1e6 + f64::from(tick) / 2.0;
            let rings = [Seen { at, what: Happened::Ringback(u64::from(1_000 + tick)) }];
            engine.decide(&moment(at, &agents, &[], &rings));
        }
        let said = engine.decide(&moment(1e6 + 60.0, &agents, &[], &[]));
        assert!(said.launch >= 3, "{said:?}");
        assert_ne!(said.held_by, HeldBy::Doubt);
    }
}

#[test]
fn after_a_gap_or_a_jump_of_the_clock_each_idle_agent_gets_one_line() {
    for jump in [10.0, -3.0, f64::NAN, f64::INFINITY] {
        let mut engine = experienced();
        let agents = idle(5);
        let before = engine.clone().decide(&moment(200.0, &agents, &[], &[]));
        assert!(before.launch > 5, "{before:?}");
        let said = engine.decide(&moment(199.0 + jump, &agents, &[], &[]));
        assert_eq!((said.launch, said.held_by), (5, HeldBy::Doubt), "{jump}");
    }
}

#[test]
fn when_all_agents_vanish_nothing_is_launched() {
    let mut engine = experienced();
    let said = engine.decide(&moment(199.5, &[], &[], &[]));
    assert_eq!((said.launch, said.held_by), (0, HeldBy::Agents));
    let paused = [AgentNow { stage: AgentStage::Paused, age: 1.0, leaving: false }; 3];
    assert_eq!(engine.decide(&moment(200.0, &paused, &[], &[])).launch, 0);
}

#[test]
fn who_leaves_after_this_call_is_not_counted_on() {
    let mut engine = experienced();
    let leaving = [AgentNow { stage: AgentStage::Idle, age: 1.0, leaving: true }; 5];
    let said = engine.decide(&moment(199.5, &leaving, &[], &[]));
    assert_eq!((said.idle, said.launch), (0, 0));
}

#[test]
fn when_everybody_answers_and_is_lost_it_stops_at_a_line_for_each_idle_agent() {
    let mut engine = experienced();
    let agents = idle(5);
    let (mut at, mut id, mut lost) = (200.0, 10_000u64, 0);
    let mut said = engine.decide(&moment(at, &agents, &[], &[]));
    for _ in 0..40 {
        at += 0.5;
        let mut events = Vec::new();
        for _ in 0..said.launch {
            id += 1;
            lost += 1;
            let happened =
                [Happened::Ringback, Happened::Answered, Happened::Live, Happened::Abandoned];
            events.extend(happened.map(|what| Seen { at, what: what(id) }));
        }
        said = engine.decide(&moment(at, &agents, &[], &events));
        if lost > 30 {
            assert!(said.launch <= 5, "{lost} lost: {said:?}");
            assert!(said.allowed == 0.0, "{said:?}");
        }
    }
    assert!(lost > 30 && engine.threshold.credit() < -2.0);
}

#[test]
fn calls_that_ring_for_ever_are_not_taken_for_answers_to_come() {
    let mut engine = experienced();
    let agents = idle(4);
    let ring = |age: f64| -> Vec<CallNow> {
        (0..40)
            .map(|id| CallNow { id: 90_000 + id, stage: CallStage::Ringing, age, stage_age: age })
            .collect()
    };
    let mut said = None;
    for tick in 0..400u32 {
        let age = f64::from(tick) / 2.0;
        said = Some(engine.decide(&moment(199.0 + age, &agents, &ring(age), &[])));
    }
    let said = said.unwrap();
    assert!(said.lines + said.launch <= 60, "lines stay bounded by the team: {said:?}");
    assert!(said.risk.is_finite() && said.answer > 0.0);
}

#[test]
fn likelier_leads_need_fewer_lines() {
    let launch = |odds: f64| {
        let mut engine = experienced();
        let next = [odds; 60];
        engine
            .decide_with(&moment(199.5, &idle(5), &[], &[]), &Odds { calls: &[], next: &next })
            .launch
    };
    assert_eq!(launch(1.0), experienced().decide(&moment(199.5, &idle(5), &[], &[])).launch);
    assert!(launch(3.0) < launch(1.0) && launch(1.0) < launch(0.3));
}

#[test]
fn the_same_moments_give_the_same_decisions_to_the_bit() {
    let run = || {
        let mut engine = experienced();
        let agents = idle(7);
        (0..50u32)
            .map(|tick| engine.decide(&moment(200.0 + f64::from(tick) / 2.0, &agents, &[], &[])))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
