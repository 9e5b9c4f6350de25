//! `kill -9` again and again until the list is done, and what is true after all.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use outdial::carrier::CarrierHandle;
use outdial::carrier::CarrierSettings;
use outdial::carrier::PhonePlan;
use outdial::simulation::agent_brain::BrainSettings;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::carrier_record::CallRecord;
use outdial::simulation::dice::Dice;
use outdial::simulation::dice::Law;
use outdial::simulation::phone::PhoneCall;

use crate::records::CLAIMED;
use crate::records::READY;
use crate::records::Records;
use crate::site::Plan;
use crate::site::Site;
use crate::site::rest;
use crate::staff::Staff;

/// One SIGKILL, on the carrier's clock.
#[derive(Debug)]
struct Kill {
    at_us: u64,
    /// When the next process was started.
    restart_us: u64,
    /// Attempts without an outcome in the database.
    open_rows: usize,
}

/// How long the proof is.
struct Size {
    contacts: usize,
    kills: usize,
}

impl Size {
    /// The long one with `OUTDIAL_PROOF=full`.
    fn of_this_run() -> Self {
        if std::env::var("OUTDIAL_PROOF").is_ok_and(|word| word == "full") {
            Self { contacts: 500, kills: 24 }
        } else {
            Self { contacts: 120, kills: 5 }
        }
    }
}

#[test]
fn killed_again_and_again_it_calls_everybody_once_and_leaves_nobody_ringing() {
    let _alone = crate::alone();
    let size = Size::of_this_run();
    let zero = Instant::now();
    let carrier = outdial::carrier::start(world()).unwrap();
    let limits =
        "ring = \"1500ms\"\nset_up = \"5s\"\nperson_after = \"500ms\"\nwrap_up = \"300ms\"";
    let site = Site::new(&Plan::of(&carrier, 10_000_000, size.contacts, limits));
    let (staff, carrier) = Staff::hire(carrier, &site.socket());
    let kills = dial_with_kills(&site, &carrier, zero, &size);
    // Answers to the last BYEs are under way.
    rest(Duration::from_millis(500));
    let report = carrier.report().unwrap();
    staff.dismiss();
    let records = Records::read(&site.database());
    let phones: Vec<&PhoneCall> = report.phones.iter().flat_map(|phone| &phone.calls).collect();
    let proof = Proof {
        size,
        kills,
        calls: &report.calls,
        phones,
        records,
        overlaps: report.totals.overlaps,
    };
    proof.print();
    proof.check();
}

/// The world: whoever talks or rings does so for much longer than five seconds unless the dialer ends it, so that nothing
/// is over by luck. Not for ever: an agent whose key is lost on an overloaded machine presses no second time.
fn world() -> CarrierSettings {
    let rows = [
        (40, Behaviour::tone(Law::between(200, 800), Some(Law::fixed(20_000)))),
        (10, Behaviour::person(Law::between(200, 800), Law::between(200, 1500))),
        (20, Behaviour::busy(Law::between(50, 300))),
        (20, Behaviour::no_answer()),
        (5, Behaviour::late_answer(Some(Law::fixed(20_000)))),
        (5, Behaviour::hang_up_at_once(Law::between(100, 500))),
    ];
    let mut settings = CarrierSettings::on_loopback(BehaviourBook::shares(rows), SEED);
    let brain =
        BrainSettings { hang_up_after: Some(Law::between(400, 1500)), ..BrainSettings::demo() };
    settings.phones = (1..=AGENTS)
        .map(|n| PhonePlan {
            brain: Some(brain.clone()),
            ..PhonePlan::new(&format!("agent{n:02}"))
        })
        .collect();
    settings
}

/// Runs the dialer until it ends by itself, killing it on the way.
fn dial_with_kills(
    site: &Site,
    carrier: &Arc<CarrierHandle>,
    zero: Instant,
    size: &Size,
) -> Vec<Kill> {
    let mut dice = Dice::new(SEED);
    let mut kills: Vec<Kill> = Vec::new();
    let mut pending: Option<(u64, usize)> = None;
    let until = Instant::now()
        + Duration::from_secs(60)
        + Duration::from_secs(5) * u32::try_from(size.kills).unwrap();
    loop {
        let mut dialer = site.run();
        if let Some((at_us, open_rows)) = pending.take() {
            kills.push(Kill { at_us, restart_us: since(zero), open_rows });
        }
        // Every third kill comes while the process before it is still being mended.
        let during_recovery = kills.len() % 3 == 2;
        let threshold = size.contacts * (kills.len() + 1) / (size.kills + 2);
        let random = Duration::from_millis(dice.below(1_500));
        let moment =
            if during_recovery { dialer.started + random / 3 } else { dialer.started + random };
        loop {
            if let Some(status) = dialer.exited() {
                assert!(status.success(), "{status}\n{}", site.last_words());
                return kills;
            }
            assert!(Instant::now() < until, "the list is not done in time\n{}", site.last_words());
            let dialed = || carrier.report().unwrap().calls.len() >= threshold;
            let due = kills.len() < size.kills
                && Instant::now() >= moment
                && (during_recovery || dialed());
            if due {
                break;
            }
            rest(Duration::from_millis(10));
        }
        if !during_recovery {
            rest(Duration::from_millis(dice.below(400)));
        }
        dialer.kill_9();
        let at_us = since(zero);
        let open_rows = Records::read_copy(&site.database())
            .attempts
            .iter()
            .filter(|a| a.outcome.is_none())
            .count();
        pending = Some((at_us, open_rows));
    }
}

fn since(zero: Instant) -> u64 {
    u64::try_from(zero.elapsed().as_micros()).unwrap()
}

struct Proof<'a> {
    size: Size,
    kills: Vec<Kill>,
    calls: &'a [CallRecord],
    phones: Vec<&'a PhoneCall>,
    records: Records,
    overlaps: u64,
}

impl Proof<'_> {
    fn check(&self) {
        let records = &self.records;
        assert_eq!(self.kills.len(), self.size.kills, "every planned kill took place");
        assert_eq!(self.overlaps, 0, "two calls to one number at once");

        // Every Call-ID is a stored leg's, and has one INVITE.
        let seen: BTreeSet<&str> = self.calls.iter().map(|call| call.call_id.as_str()).collect();
        assert_eq!(seen.len(), self.calls.len(), "each Call-ID once");
        for call in self.calls {
            assert!(
                records.calls.contains_key(&call.call_id),
                "a call without a stored leg: {call:?}"
            );
            assert_eq!(call.invites_us.len(), 1, "{call:?}");
            assert!(call.ended_us.is_some(), "still up after all: {call:?}\n{:?}", self.kills);
        }

        // One outcome per attempt, none lost, nobody called twice.
        for attempt in &records.attempts {
            assert!(attempt.outcome.is_some() && attempt.ended, "without an outcome: {attempt:?}");
        }
        let counted = records.attempts.iter().filter(|attempt| attempt.counted);
        let mut by_number: BTreeMap<&str, usize> = BTreeMap::new();
        let mut leads = BTreeSet::new();
        for attempt in counted {
            *by_number.entry(&attempt.number).or_default() += 1;
            leads.insert(attempt.lead);
        }
        assert!(
            by_number.values().all(|calls| *calls == 1),
            "called twice in a day: {by_number:?}"
        );
        assert_eq!(leads.len(), self.size.contacts, "every lead got its one call");
        assert_eq!(
            records.leads.values().sum::<usize>(),
            self.size.contacts,
            "{:?}",
            records.leads
        );
        assert!(
            !records.leads.contains_key(&READY) && !records.leads.contains_key(&CLAIMED),
            "{:?}",
            records.leads
        );
        let mut dialed: BTreeMap<&str, usize> = BTreeMap::new();
        for call in self.calls {
            *dialed.entry(&call.called).or_default() += 1;
        }
        assert!(dialed.values().all(|calls| *calls == 1), "rung twice: {dialed:?}");

        // A CANCEL of a call that was over before it is answered by nothing but 64*T1: also those rows are closed.
        assert_eq!(records.open_legs, 0, "legs whose end is not stored");

        // What became unknown was open at a kill.
        for id in self.unknown() {
            let call = self.calls.iter().find(|call| records.calls.get(&call.call_id) == Some(&id));
            let open = call.is_none_or(|call| self.kills.iter().any(|kill| kill.cut(call)));
            assert!(open, "unknown, yet over before the kill: {call:?} {:?}", self.kills);
        }
        let (unknown, open) =
            (self.unknown().len(), self.live_at_kills().iter().sum::<usize>() + self.never_sent());
        assert!(unknown <= open, "{unknown} unknown, {open} open at the kills");

        let slowest = self.slowest_end();
        assert!(slowest <= LEFT_RINGING, "left up for {slowest:?} after a restart");
    }

    fn unknown(&self) -> Vec<i64> {
        let unknown =
            self.records.attempts.iter().filter(|a| a.outcome.as_deref() == Some("unknown"));
        unknown.map(|attempt| attempt.id).collect()
    }

    /// Calls that were up at the carrier in the moment of each kill.
    fn live_at_kills(&self) -> Vec<usize> {
        self.kills
            .iter()
            .map(|kill| self.calls.iter().filter(|call| kill.cut_now(call)).count())
            .collect()
    }

    /// Killed between the commit of the intent and its INVITE.
    fn never_sent(&self) -> usize {
        self.records
            .calls
            .keys()
            .filter(|id| !self.calls.iter().any(|call| call.call_id == **id))
            .count()
    }

    /// The longest that anything which was up at a kill stayed up after the restart that followed. A restart that was
    /// killed within five seconds hands its duty to the next.
    fn slowest_end(&self) -> Duration {
        let customers =
            self.calls.iter().map(|call| (call.invites_us.first().copied(), call.ended_us));
        let phones = self.phones.iter().map(|call| (Some(call.arrived_us), call.ended_us));
        let mut slowest = 0;
        for (began, ended) in customers.chain(phones) {
            let (Some(began), ended) = (began, ended.unwrap_or(u64::MAX)) else { continue };
            let cut = self.kills.iter().filter(|kill| began < kill.at_us && kill.at_us < ended);
            // Up at several kills: the last of them counts.
            if let Some(kill) = cut.max_by_key(|kill| kill.at_us) {
                slowest = slowest.max(ended.saturating_sub(kill.restart_us));
            }
        }
        Duration::from_micros(slowest)
    }

    fn print(&self) {
        let records = &self.records;
        let live = self.live_at_kills();
        let open: usize = self.kills.iter().map(|kill| kill.open_rows).sum();
        eprintln!("contacts {}, kills {}", self.size.contacts, self.kills.len());
        eprintln!("calls at the carrier {}, stored legs {}", self.calls.len(), records.calls.len());
        eprintln!(
            "calls up at the carrier at each kill: {live:?}, together {}",
            live.iter().sum::<usize>()
        );
        eprintln!(
            "attempts without an outcome at the kills: {open}, INVITE never sent {}; unknown in the end {}",
            self.never_sent(),
            self.unknown().len()
        );
        eprintln!("outcomes {:?}, lead states {:?}", records.outcomes(), records.leads);
        eprintln!("dispositions {}, phone calls {}", records.dispositions.len(), self.phones.len());
        eprintln!("longest anything stayed up after a restart: {:?}", self.slowest_end());
    }
}

impl Kill {
    /// Up in that moment.
    fn cut_now(&self, call: &CallRecord) -> bool {
        call.invites_us.first().is_some_and(|began| *began <= self.at_us)
            && call.ended_us.is_none_or(|ended| ended >= self.at_us)
    }

    /// Up, or over so recently that its end was not durable yet.
    fn cut(&self, call: &CallRecord) -> bool {
        call.invites_us.first().is_some_and(|began| *began <= self.at_us + NOT_YET_SEEN)
            && call.ended_us.is_none_or(|ended| ended + NOT_YET_DURABLE >= self.at_us)
    }
}

const SEED: u64 = 7;
const AGENTS: u32 = 10;
/// The requirement.
const LEFT_RINGING: Duration = Duration::from_secs(5);
/// A datagram that was under way when its sender died.
const NOT_YET_SEEN: u64 = 50_000;
/// From the end at the carrier to the commit of the outcome.
const NOT_YET_DURABLE: u64 = 250_000;
