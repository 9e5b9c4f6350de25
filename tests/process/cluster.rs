//! Several dialers on one PostgreSQL: one is stopped in order, one killed, one cut off from the database half-way; the list
//! is done, nobody is called twice at once, and the trunk never bears more than it may.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use outdial::carrier::CarrierHandle;
use outdial::carrier::CarrierSettings;
use outdial::carrier::PhonePlan;
use outdial::simulation::agent_brain::BrainSettings;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::dice::Law;
use serde_json::Value;
use serde_json::json;

use crate::postgres::Schema;
use crate::proxy::Proxy;
use crate::site::Dialer;
use crate::site::Plan;
use crate::site::Site;
use crate::site::agent_state;
use crate::site::ask;
use crate::site::eventually;
use crate::site::rest;
use crate::staff::Staff;

/// How long the proof is.
pub(crate) struct Size {
    pub(crate) contacts: usize,
    pub(crate) agents: usize,
    pub(crate) trunk: (u32, u32),
    pub(crate) within: Duration,
}

impl Size {
    /// The long one with `OUTDIAL_PROOF=full`.
    fn of_this_run() -> Self {
        if std::env::var("OUTDIAL_PROOF").is_ok_and(|word| word == "full") {
            let within = Duration::from_secs(7_200);
            Self { contacts: 20_000, agents: 30, trunk: (40, 48), within }
        } else {
            let within = Duration::from_secs(180);
            Self { contacts: 300, agents: 6, trunk: (9, 5), within }
        }
    }
}

#[test]
fn a_list_is_done_by_three_of_whom_one_is_killed_and_one_cut_off_from_the_database() {
    let _alone = crate::alone();
    let size = Size::of_this_run();
    let schema = Schema::new();
    let carrier = world(size.agents, size.trunk);
    let proxy = Proxy::to(server_of(&schema.url));
    let plan = plan(&schema, &carrier, size.contacts);
    let first = Site::new(&plan);
    let through = Plan { database: through(&schema.url, &proxy), ..plan };
    let plan = Plan { database: schema.url.clone(), ..through.clone() };
    let cut_off = first.colleague(&through, "east", size.trunk);
    let killed = first.colleague(&plan, "west", size.trunk);
    let stays = first.colleague(&plan, "north", size.trunk);
    let sites = [&cut_off, &killed, &stays];
    let sockets = sites.map(Site::socket).to_vec();
    let mut dialers = sites.map(Site::run_for_ever);
    let (staff, carrier) = Staff::hire_at(carrier, sockets);

    let attempts = || schema.number("select count(*) from attempt where ended_ms is not null");
    let done = |part: usize| i64::try_from(size.contacts * part / 10).unwrap();
    eventually("a third is called", size.within, || attempts() >= done(3));
    let by = |node: &str| {
        let nodes: Value = serde_json::from_str(&stays.outdial(&["nodes", "--json"]).text).unwrap();
        let all = nodes["nodes"].as_array().unwrap().clone();
        all.into_iter().find(|row| row["name"] == node).unwrap()
    };
    for node in ["east", "west", "north"] {
        let row = by(node);
        assert_eq!(row["state"], "alive", "{row}");
        assert!(row["shares"][0]["calls_per_second"].as_u64().unwrap() >= 1, "{row}");
        let theirs = schema.attempts_of(node);
        assert!(theirs > 0, "{node} has called nobody");
    }
    let [east, west, north] = &mut dialers;
    west.kill();
    proxy.cut();
    let before = carrier.report().unwrap().totals.calls;
    // East starts no call once its trust is over, and no sooner has anybody taken over from it.
    eventually("both are taken over", size.within, || {
        by("east")["state"] == "ended" && by("west")["state"] == "ended"
    });
    assert!(carrier.report().unwrap().totals.calls > before, "north went on meanwhile");
    proxy.mend();
    let exit = east.wait(Duration::from_secs(120));
    assert_eq!(
        exit.code(),
        Some(0),
        "it heard that it was dead, and drained:\n{}",
        cut_off.last_words()
    );
    eventually("the list is done", size.within, || {
        schema.number("select count(*) from lead where state in (0, 2)") == 0
    });
    assert_eq!(ask(&stays.socket(), &json!({ "op": "drain" })).unwrap()["reply"], "ok");
    assert_eq!(north.wait(Duration::from_secs(90)).code(), Some(0), "{}", stays.last_words());
    rest(Duration::from_millis(300));
    staff.dismiss();
    check(&schema, &carrier, &size);
}

/// The list is done, and every dialer leaves.
pub(crate) fn finish(schema: &Schema, sites: &[Site], dialers: &mut [Dialer]) {
    eventually("the list is done", Duration::from_secs(120), || {
        schema.number("select count(*) from lead where state in (0, 2)") == 0
    });
    for (site, dialer) in sites.iter().zip(dialers) {
        dialer.terminate();
        assert_eq!(dialer.wait(Duration::from_secs(90)).code(), Some(0), "{}", site.last_words());
    }
    rest(Duration::from_millis(300));
}

pub(crate) fn check(schema: &Schema, carrier: &Arc<CarrierHandle>, size: &Size) {
    let contacts = i64::try_from(size.contacts).unwrap();
    assert_eq!(schema.number("select count(distinct lead_id) from attempt"), contacts);
    let without = "select count(*) from attempt where outcome is null or ended_ms is null";
    assert_eq!(schema.number(without), 0, "one outcome each");
    assert_eq!(schema.number("select count(*) from leg where ended_ms is null"), 0);
    assert_eq!(schema.number("select count(*) from agent where node_epoch is not null"), 0);
    assert_eq!(schema.number("select count(*) from node where ended_ms is null"), 0);
    // The ledger is the sum of what the attempts say.
    let ledger = "select (select coalesce(sum(answered), 0) - (select count(*) from attempt \
           where booked_answered + booked_live > 0) from abandon_window)::bigint";
    assert_eq!(schema.number(ledger), 0);
    let lost = "select ((select coalesce(sum(abandoned), 0) from abandon_window) - \
           (select coalesce(sum(booked_abandoned), 0) from attempt))::bigint";
    assert_eq!(schema.number(lost), 0);
    let totals = carrier.report().unwrap().totals;
    assert_eq!((totals.open, totals.overlaps), (0, 0), "{totals:?}");
    let (rate, channels) = size.trunk;
    assert!(totals.most_invites_in_a_second <= u64::from(rate), "{totals:?}");
    assert!(totals.most_at_once <= u64::from(channels), "{totals:?}");
    assert_eq!(totals.by_status.get(&503), None, "{totals:?}");
    eprintln!(
        "{contacts} leads: {} calls, at most {} in a second (of {rate}) and {} at once (of {channels}), {} unknown",
        totals.calls,
        totals.most_invites_in_a_second,
        totals.most_at_once,
        schema.number("select count(*) from attempt where outcome = 'unknown'"),
    );
}

#[test]
fn dialers_are_restarted_one_after_the_other_and_no_outcome_is_lost() {
    let _alone = crate::alone();
    let (contacts, trunk) = (120, (12, 8));
    let schema = Schema::new();
    let carrier = world(4, trunk);
    let plan = plan(&schema, &carrier, contacts);
    let first = Site::new(&plan);
    let sites = [first.colleague(&plan, "east", trunk), first.colleague(&plan, "west", trunk)];
    let mut dialers = sites.each_ref().map(Site::run_for_ever);
    let sockets = sites.each_ref().map(Site::socket);
    let (staff, carrier) = Staff::hire_at(carrier, sockets.to_vec());
    let attempts = || schema.number("select count(*) from attempt where ended_ms is not null");
    for (turn, (site, dialer)) in (1..).zip(sites.iter().zip(&mut dialers)) {
        let so_far = turn * 20;
        eventually("some calls are over", Duration::from_secs(60), || attempts() >= so_far);
        dialer.terminate();
        let exit = dialer.wait(Duration::from_secs(90));
        assert_eq!(exit.code(), Some(0), "{}", site.last_words());
        *dialer = site.run_for_ever();
    }
    finish(&schema, &sites, &mut dialers);
    staff.dismiss();
    let unknown = "select count(*) from attempt where outcome = 'unknown'";
    assert_eq!(schema.number(unknown), 0, "nothing was lost");
    let within = Duration::ZERO;
    check(&schema, &carrier, &Size { contacts, agents: 4, trunk, within });
}

#[test]
fn a_database_that_was_away_for_everybody_makes_nobody_dead_and_loses_no_outcome() {
    let _alone = crate::alone();
    let (contacts, trunk) = (120, (12, 8));
    let schema = Schema::new();
    let carrier = world(4, trunk);
    let proxy = Proxy::to(server_of(&schema.url));
    let direct = plan(&schema, &carrier, contacts);
    let first = Site::new(&direct);
    let plan = Plan { database: through(&schema.url, &proxy), ..direct };
    let sites = [first.colleague(&plan, "east", trunk), first.colleague(&plan, "west", trunk)];
    let mut dialers = sites.each_ref().map(Site::run_for_ever);
    let sockets = sites.each_ref().map(Site::socket);
    let (staff, carrier) = Staff::hire_at(carrier, sockets.to_vec());
    let attempts = || schema.number("select count(*) from attempt where ended_ms is not null");
    eventually("both are at work", Duration::from_secs(60), || attempts() >= 40);
    proxy.go_away();
    let over = "select count(*) from node where ended_ms is null \
         and lease_until_ms <= extract(epoch from clock_timestamp()) * 1000";
    eventually("each of them looks dead to the other", Duration::from_secs(60), || {
        schema.number(over) == 2
    });
    let calls = carrier.report().unwrap().totals.calls;
    rest(Duration::from_secs(1));
    assert_eq!(carrier.report().unwrap().totals.calls, calls, "no call starts without a database");
    proxy.come_back();
    finish(&schema, &sites, &mut dialers);
    staff.dismiss();
    assert_eq!(schema.number("select count(*) from attempt where outcome = 'unknown'"), 0);
    let found_dead = "select count(*) from event where kind = 'node_ended' \
         and body::json ->> 'by' <> body::json ->> 'epoch'";
    assert_eq!(schema.number(found_dead), 0);
    check(&schema, &carrier, &Size { contacts, agents: 4, trunk, within: Duration::ZERO });
}

#[test]
fn an_agent_works_at_one_dialer_and_the_other_says_where() {
    let _alone = crate::alone();
    let schema = Schema::new();
    let mut settings = CarrierSettings::on_loopback(book(), 5);
    settings.phones = vec![PhonePlan::new("agent1")];
    let carrier = outdial::carrier::start(settings).unwrap();
    let plan = plan(&schema, &carrier, 1);
    let first = Site::new(&plan);
    let (east, west) =
        (first.colleague(&plan, "east", (5, 5)), first.colleague(&plan, "west", (5, 5)));
    let _dialers = [&east, &west].map(Site::run_for_ever);
    let login = east.outdial(&["agent", "login", "agent1"]);
    assert!(login.success, "{}", login.text);
    eventually("the phone is up", Duration::from_secs(10), || {
        agent_state(&east.socket(), "agent1") == "paused"
    });
    let refused = west.outdial(&["agent", "login", "agent1"]);
    assert!(!refused.success && refused.text.contains("east"), "{}", refused.text);
    assert_eq!(agent_state(&west.socket(), "agent1"), "offline");
    assert!(east.outdial(&["agent", "logout", "agent1"]).success);
    eventually("west has the agent", Duration::from_secs(10), || {
        west.outdial(&["agent", "login", "agent1"]).success
    });
    let table = west.outdial(&["nodes"]).text;
    let line = table.lines().find(|line| line.starts_with("west")).unwrap();
    assert!(line.contains("alive"), "{table}");
    // A pause at one holds both back.
    assert!(east.outdial(&["campaign", "pause", "proof"]).success);
    eventually("the other hears of it", Duration::from_secs(10), || {
        let status = ask(&west.socket(), &json!({ "op": "status" })).unwrap();
        status["campaigns"][0]["state"] == "paused"
    });
}

#[test]
fn a_second_dialer_of_the_same_name_is_refused_and_the_first_goes_on() {
    let _alone = crate::alone();
    let schema = Schema::new();
    let carrier = world(1, (5, 5));
    let plan = plan(&schema, &carrier, 1);
    let first = Site::new(&plan);
    let east = first.colleague(&plan, "east", (5, 5));
    let double = first.colleague(&plan, "double", (5, 5));
    let file = double.path("double.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("node = \"double\"", "node = \"east\"")).unwrap();
    let mut dialer = east.run_for_ever();
    let refused = double.outdial(&["run", &double.campaign()]);
    assert!(!refused.success && refused.text.contains("another `node`"), "{}", refused.text);
    assert_eq!(schema.number("select count(*) from node where ended_ms is null"), 1);
    // Killed, it is followed at once.
    dialer.kill();
    let again = double.run_for_ever();
    assert_eq!(schema.number("select count(*) from node where ended_ms is null"), 1);
    drop(again);
}

fn book() -> BehaviourBook {
    BehaviourBook::shares([
        (4, Behaviour::person(Law::between(100, 300), Law::between(200, 600))),
        (3, Behaviour::busy(Law::between(50, 150))),
        (2, Behaviour::no_answer()),
        (1, Behaviour::tone(Law::between(100, 300), Some(Law::fixed(2_000)))),
    ])
}

/// A carrier that enforces what the trunk may bear, and one phone with an agent for each.
pub(crate) fn world(agents: usize, (rate, channels): (u32, u32)) -> CarrierHandle {
    let mut settings = CarrierSettings::on_loopback(book(), 23);
    settings.calls_per_second = Some(rate);
    settings.channels = usize::try_from(channels).unwrap();
    let brain =
        BrainSettings { hang_up_after: Some(Law::between(200, 500)), ..BrainSettings::demo() };
    settings.phones = (1..=agents)
        .map(|n| PhonePlan { brain: Some(brain.clone()), ..PhonePlan::new(&format!("agent{n}")) })
        .collect();
    outdial::carrier::start(settings).unwrap()
}

pub(crate) fn plan(schema: &Schema, carrier: &CarrierHandle, contacts: usize) -> Plan {
    Plan {
        database: schema.url.clone(),
        carrier: carrier.sip_addr().to_string(),
        agents: carrier
            .phone_addrs()
            .iter()
            .map(|(name, at)| (name.clone(), format!("sip:{name}@{at}")))
            .collect(),
        numbers: (0..contacts).map(|n| format!("+8190{}", 50_000_000 + n)).collect(),
        limits: "ring = \"1500ms\"\nset_up = \"5s\"\nperson_after = \"500ms\"\nwrap_up = \"100ms\"",
    }
}

/// `postgres://user@host:port/name?…` has its server between `@` and `/`.
pub(crate) fn server_of(url: &str) -> SocketAddr {
    let (_, after) = url.split_once('@').unwrap();
    after.split_once('/').unwrap().0.parse().unwrap()
}

pub(crate) fn through(url: &str, proxy: &Proxy) -> String {
    url.replace(&server_of(url).to_string(), &proxy.address().to_string())
}
