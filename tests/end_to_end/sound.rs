//! Who hears whom, and how soon: 1 kHz from the callee, 440 Hz from the agent, the dialer between.

use std::collections::BTreeMap;
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::logic::outcome::Outcome;
use outdial::simulation::callee::{Behaviour, BehaviourBook, digits};
use outdial::simulation::carrier_record::HeardTone;
use outdial::simulation::dice::Law;

use crate::stage::{Plan, RINGS, Stage};
use crate::{alone, full_proof};

#[test]
fn callee_and_agent_hear_each_other_soon_after_the_answer() {
    let _alone = alone();
    let contacts = if full_proof() { 200 } else { 40 };
    let callees = Behaviour::tone(Law::between(200, 500), Some(Law::between(2_000, 2_500)));
    let stage = Stage::set(Plan {
        contacts,
        agents: 16,
        carrier: CarrierSettings {
            listen_for: vec![440, 1000],
            rtp_ports: 42_000..=43_999,
            ..CarrierSettings::on_loopback(BehaviourBook::all(callees), 1)
        },
        trunk: None,
        calls_per_second: 20,
        ring: RINGS,
        talk: None,
        rtp_ports: 24_000..=25_999,
    });
    let seen = stage.play(Duration::from_secs(100), async |_| {});

    let agents: BTreeMap<String, &str> = seen
        .attempts
        .iter()
        .filter(|attempt| attempt.outcome == Some(Outcome::Connected))
        .map(|attempt| (digits(attempt.to.reveal()), attempt.agent.as_deref().unwrap()))
        .collect();
    assert_eq!(agents.len() as u64, contacts, "{:?}", seen.attempts);
    let (mut to_agent, mut to_callee) = (Vec::new(), Vec::new());
    for call in &seen.carrier.calls {
        let agent = agents[&digits(&call.called)];
        let (answered, ended) = (call.answered_us.unwrap(), call.ended_us.unwrap());
        let during = |at: &u64| (answered..=ended).contains(at);
        let phone = seen.carrier.phones.iter().find(|phone| phone.name == agent).unwrap();
        // An agent has one call at a time: what begins during the call is the call's.
        let at_agent = phone.heard.iter().filter(|tone| tone.hz == 1000).map(|tone| tone.at_us);
        let at_callee = call.heard.iter().filter(|tone| tone.hz == 440).map(|tone| tone.at_us);
        let first = |mut times: Box<dyn Iterator<Item = u64> + '_>| {
            times.find(during).map(|at| at - answered)
        };
        let (agent_heard, callee_heard) = (first(Box::new(at_agent)), first(Box::new(at_callee)));
        if agent_heard.is_none() || callee_heard.is_none() {
            let near = |tone: &&HeardTone| tone.at_us.abs_diff(answered) < 3_000_000;
            let heard: Vec<_> = phone.heard.iter().filter(near).collect();
            let attempt =
                seen.attempts.iter().find(|a| digits(a.to.reveal()) == digits(&call.called));
            println!("not heard by both: {call:?}; {attempt:?}; at the phone {heard:?}");
        }
        to_agent.extend(agent_heard);
        to_callee.extend(callee_heard);
    }
    let (at_agent, at_callee) = (Spread::of(to_agent), Spread::of(to_callee));
    println!(
        "{contacts} calls; from the 200 OK to 1 kHz at the agent {at_agent}; to 440 Hz at the callee {at_callee}; \
         {:?}; processor time per call {:.1} ms",
        seen.carrier.rtp,
        seen.cpu.as_secs_f64() * 1e3 / contacts as f64
    );
    assert_eq!(at_agent.count as u64, contacts, "each agent heard the callee");
    assert_eq!(at_callee.count as u64, contacts, "each callee heard the agent");
    assert_eq!((seen.carrier.rtp.lost, seen.carrier.sip_lost), (0, 0), "{:?}", seen.carrier.rtp);
    // A shared machine may hold everything up; the figure is asked of a machine of one's own.
    let bound = Duration::from_millis(if full_proof() { 100 } else { 2_000 });
    assert!(at_agent.p99 <= bound, "from the 200 OK to the customer's first packet: {at_agent}");
}

/// Delays in figures.
struct Spread {
    count: usize,
    p50: Duration,
    p90: Duration,
    p99: Duration,
    max: Duration,
}

impl Spread {
    fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        let at = |percent: usize| {
            let place = (micros.len() * percent).div_ceil(100).max(1) - 1;
            Duration::from_micros(micros.get(place).copied().unwrap_or(0))
        };
        Self { count: micros.len(), p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { p50, p90, p99, max, count } = self;
        write!(f, "p50 {p50:?}, p90 {p90:?}, p99 {p99:?}, longest {max:?} of {count}")
    }
}
