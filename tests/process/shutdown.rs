//! Told to stop once, the dialer starts nothing new and cuts nobody off; told twice, it ends everything and leaves.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use outdial::carrier::CarrierHandle;
use outdial::carrier::CarrierReport;
use outdial::carrier::CarrierSettings;
use outdial::carrier::PhonePlan;
use outdial::simulation::agent_brain::BrainSettings;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::carrier_record::EndedBy;
use outdial::simulation::dice::Law;

use crate::records::Records;
use crate::site::Dialer;
use crate::site::Plan;
use crate::site::Site;
use crate::site::eventually;
use crate::site::number;
use crate::site::rest;
use crate::staff::Staff;

#[test]
fn a_second_signal_ends_every_call_and_leaves_at_once() {
    let _alone = crate::alone();
    let talker = Behaviour::tone(Law::fixed(200), None);
    let mut world = World::start(&[talker.clone(), Behaviour::no_answer(), talker], 3);
    world.until_calls_are_up(3, 2);
    world.dialer.terminate();
    rest(Duration::from_millis(1_500));
    let report = world.carrier.report().unwrap();
    assert_eq!(report.totals.calls, 3, "a new call after the first signal");
    assert_eq!(report.totals.open, 3, "a call was cut off by the first signal");
    assert!(world.dialer.exited().is_none(), "left though calls were up");

    let second = Instant::now();
    world.dialer.terminate();
    let status = world.dialer.wait(Duration::from_secs(10));
    let took = second.elapsed();
    eprintln!("out {took:?} after the second signal, {status}");
    assert_eq!(status.code(), Some(130), "{}", world.site.last_words());
    assert!(took <= Duration::from_secs(2), "out only after {took:?}");
    let report = world.end();
    assert_eq!(report.totals.open, 0, "{:?}", report.calls);
    assert_eq!(report.totals.by_end.get(&EndedBy::Caller), Some(&2), "BYE for each talk");
    assert_eq!(report.totals.by_end.get(&EndedBy::Cancel), Some(&1), "CANCEL for the ringing one");
    let phones_up =
        report.phones.iter().flat_map(|phone| &phone.calls).filter(|call| call.ended_us.is_none());
    assert_eq!(phones_up.count(), 0, "an agent's phone was left up");
    let records = Records::read(&world.site.database());
    let outcomes = records.outcomes();
    assert_eq!(
        (outcomes.get("connected"), outcomes.get("cancelled")),
        (Some(&2), Some(&1)),
        "{outcomes:?}"
    );
    assert_eq!((records.attempts.len(), records.open_legs), (3, 0));
}

#[test]
fn after_one_signal_the_last_talk_is_finished_and_the_rest_of_the_list_stays() {
    let _alone = crate::alone();
    let talker = Behaviour::person(Law::fixed(200), Law::fixed(2_500));
    let mut world = World::start(&[talker.clone(), talker], 2);
    world.until_calls_are_up(2, 2);
    world.dialer.terminate();
    let status = world.dialer.wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{}", world.site.last_words());
    let report = world.end();
    assert_eq!(report.totals.calls, 2, "a new call after the signal");
    assert_eq!(report.totals.by_end.get(&EndedBy::Callee), Some(&2), "{:?}", report.totals);
    let records = Records::read(&world.site.database());
    assert_eq!(records.outcomes().get("connected"), Some(&2), "{:?}", records.outcomes());
    assert_eq!(records.leads.values().sum::<usize>(), LIST);
    assert_eq!(records.leads.get(&crate::records::READY), Some(&(LIST - 2)), "{:?}", records.leads);
    assert_eq!(records.open_legs, 0);
}

#[test]
fn a_second_dialer_on_the_same_database_is_refused_and_told_who_holds_it() {
    let _alone = crate::alone();
    let mut world = World::start(&[], 0);
    let second = world.site.outdial(&["run", &world.site.campaign(), "--until-idle"]);
    assert_eq!(second.code, Some(3), "{}", second.text);
    let holder = format!("process {}", world.dialer.pid());
    assert!(second.text.contains(&holder) && second.text.contains("proof"), "{}", second.text);
    assert!(world.dialer.exited().is_none(), "the first one goes on");
    world.end();
}

/// A dialer, its agents and its callees.
struct World {
    site: Site,
    carrier: Arc<CarrierHandle>,
    staff: Option<Staff>,
    dialer: Dialer,
}

impl World {
    /// The first numbers of the list behave as told; the agents are as many as may be called at once.
    fn start(callees: &[Behaviour], agents: u32) -> Self {
        let mut book = BehaviourBook::all(Behaviour::busy(Law::fixed(100)));
        for (n, behaviour) in callees.iter().enumerate() {
            book = book.with_number(&number(FIRST + n), vec![behaviour.clone()]);
        }
        let mut settings = CarrierSettings::on_loopback(book, 3);
        // One phone more than logs in would be one agent too many: nobody else has a phone.
        settings.phones = (0..agents.max(1))
            .map(|n| PhonePlan {
                brain: Some(brain(agents)),
                ..PhonePlan::new(&format!("agent{n}"))
            })
            .collect();
        let carrier = outdial::carrier::start(settings).unwrap();
        let limits =
            "ring = \"60s\"\nset_up = \"75s\"\nperson_after = \"500ms\"\nwrap_up = \"500ms\"";
        let site = Site::new(&Plan::of(&carrier, FIRST, LIST, limits));
        let dialer = site.run_for_ever();
        let (staff, carrier) = Staff::hire(carrier, &site.socket());
        Self { site, carrier, staff: Some(staff), dialer }
    }

    fn until_calls_are_up(&self, calls: u64, answered: u64) {
        eventually("all calls are up", Duration::from_secs(20), || {
            let report = self.carrier.report().unwrap();
            report.totals.calls == calls
                && report.totals.answered == answered
                && report.totals.open == calls
        });
        // And the agents hear them.
        eventually("every answered call has its agent", Duration::from_secs(5), || {
            let view =
                crate::site::ask(&self.site.socket(), &serde_json::json!({ "op": "status" }))
                    .unwrap();
            view["calls"]["talking"] == answered
        });
    }

    fn end(&mut self) -> CarrierReport {
        // Answers to the last BYEs and CANCELs are under way.
        rest(Duration::from_millis(200));
        if let Some(staff) = self.staff.take() {
            staff.dismiss();
        }
        self.carrier.report().unwrap()
    }
}

/// Ready at once where calls are wanted, and not at all where none are.
fn brain(agents: u32) -> BrainSettings {
    let ready_after = (agents > 0).then(|| Law::fixed(0));
    BrainSettings { ready_after, ..BrainSettings::demo() }
}

/// More than the agents can be busy with.
const LIST: usize = 12;
/// The list's first number.
const FIRST: usize = 20_000_000;
