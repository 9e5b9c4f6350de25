//! Promised calls: when they may be, and who makes them.

use super::*;
use crate::logic::settings::{Calendar, CallingHours, TimeRange, Weekly};

/// Everybody's evening, 22:00 to 24:00 in Tokyo: it is 23:13 there when a run begins.
pub(super) fn evenings(settings: &mut CampaignSettings) {
    settings.hours = CallingHours::Weekly(Weekly {
        default_zones: vec!["Asia/Tokyo".to_owned()],
        days: std::array::from_fn(|_| vec![TimeRange { start: 1_320, end: 1_440 }]),
        holidays: None,
        calendar: Calendar::default(),
    });
}

/// Two agents, an empty list, and no hurry to go home.
fn waiting_for_work() -> Run {
    let mut run = Run::new(1, &["a", "b"], |_| {});
    run.dialer.until_idle = false;
    let mut run = run.ready();
    let only = run.dialed()[0];
    run.leg(only, failed(404));
    run
}

fn talk_and_end(run: &mut Run) {
    let customer = *run.dialed().last().unwrap();
    run.leg(customer, LegEvent::Answered(dialog()));
    run.leg(customer, LegEvent::Ended { by_peer: true, q850: None });
}

fn say(run: &mut Run, code: &str, callback: Option<&str>) -> Reply {
    let (agent, code, callback) = ("a".to_owned(), code.to_owned(), callback.map(str::to_owned));
    let (attempt, memo) = (None, None);
    run.command(Command::AgentDisposition { agent, code, attempt, memo, callback });
    run.replies.last().unwrap().clone()
}

fn said(run: &Run) -> Vec<&DispositionRecord> {
    let mut said = vec![];
    for row in &run.rows {
        if let StoreCommand::Disposition(record) = row {
            said.push(&**record);
        }
    }
    said
}

fn promised(n: i64, due: UtcMs, owner: Option<AgentId>) -> ClaimedLead {
    ClaimedLead { promise: Some(Promise { due, owner }), ..lead(n) }
}

/// The database says that a promised call is due, and gives it with the next claim.
fn fall_due(run: &mut Run, lead: ClaimedLead) {
    run.promised.push(lead);
    run.promises = Promises { open: 1, due: 1, overdue: 0 };
    run.pass(Duration::from_secs(6));
    run.promises = Promises::default();
}

fn with(run: &Run, lead: LeadId) -> Option<AgentId> {
    *run.dialer.calls.values().find(|call| call.lead.lead == lead)?.agent
}

#[test]
fn the_time_an_agent_gives_is_read_by_the_persons_clock_and_the_lead_waits_for_it() {
    let mut run = Run::new(1, &["a"], evenings).ready();
    talk_and_end(&mut run);
    assert_eq!(say(&mut run, "CALLBACK_AGENT", Some("2026-09-22T22:30")), Reply::Ok);
    let row = said(&run)[0];
    let promise = row.callback.as_ref().unwrap();
    assert_eq!(promise.due, UtcMs(1_790_083_800_000));
    assert_eq!(promise.window_end, promise.due + Duration::from_secs(1_800));
    assert_eq!(promise.owner, Some(AgentId(1)));
    assert_eq!((row.after.state, row.after.due), (LeadState::Waiting, promise.due));
    assert_eq!(row.after.gate, Some(Gate::Callback));
}

#[test]
fn a_promise_outside_the_calling_hours_is_refused_with_the_next_time() {
    let mut run = Run::new(1, &["a"], evenings).ready();
    talk_and_end(&mut run);
    let refused = |reply: Reply| {
        let Reply::Refused { code, message } = reply else { panic!("{reply:?}") };
        (code, message)
    };
    let (code, message) = refused(say(&mut run, "CALLBACK_AGENT", Some("2026-09-22T10:00")));
    assert_eq!(code, "outside_hours");
    assert!(message.contains("2026-09-22T22:00 (Asia/Tokyo)"), "{message}");
    for (code, time, wanted) in [
        ("CALLBACK_AGENT", "2026-09-21T22:30", "bad_time"),
        ("CALLBACK_AGENT", "2028-09-21T22:30", "bad_time"),
        ("CALLBACK_AGENT", "tomorrow", "bad_time"),
        // Within the gap that the campaign keeps between two calls.
        ("CALLBACK_AGENT", "2026-09-21T23:14", "outside_hours"),
        ("SALE", "2026-09-22T22:30", "no_callback"),
    ] {
        assert_eq!(refused(say(&mut run, code, Some(time))).0, wanted, "{code} {time}");
    }
    assert_eq!(said(&run), Vec::<&DispositionRecord>::new(), "nothing is half applied");
}

#[test]
fn keys_promise_the_codes_own_time_moved_into_the_calling_hours() {
    let mut run = Run::new(1, &["a"], evenings).ready();
    talk_and_end(&mut run);
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    run.leg(phone, LegEvent::Digit('3'));
    // Two hours on it is night: tomorrow evening.
    assert_eq!(said(&run)[0].callback.as_ref().unwrap().due, UtcMs(1_790_082_000_000));
}

#[test]
fn a_promised_call_goes_before_the_list_and_to_the_agent_who_promised_it() {
    let mut run = Run::new(20, &["a", "b"], |_| {}).ready();
    run.pass(Duration::from_secs(1));
    let due = run.now.utc;
    fall_due(&mut run, promised(90, due, Some(AgentId(1))));
    let b = run.dialer.calls.values().find(|call| *call.agent == Some(AgentId(2))).unwrap().leg;
    run.leg(b, failed(486));
    run.pass(Duration::from_secs(1));
    assert_eq!(with(&run, LeadId(90)), None, "the free agent did not promise it");
    let a = run.dialer.calls.values().find(|call| *call.agent == Some(AgentId(1))).unwrap().leg;
    run.leg(a, failed(486));
    run.pass(Duration::from_secs(1));
    assert_eq!(with(&run, LeadId(90)), Some(AgentId(1)), "before nineteen others");
    let page = run.dialer.desks[&AgentId(1)].notice().page.unwrap();
    assert!(page.promised.is_some());
}

#[test]
fn after_a_while_anybody_keeps_the_promise_of_an_agent_who_is_away() {
    let mut run = waiting_for_work();
    run.command(Command::AgentPause { agent: "a".to_owned(), reason: None });
    let due = run.now.utc;
    fall_due(&mut run, promised(90, due, Some(AgentId(1))));
    run.pass(Duration::from_secs(290));
    assert_eq!(with(&run, LeadId(90)), None);
    run.pass(Duration::from_secs(10));
    assert_eq!(with(&run, LeadId(90)), Some(AgentId(2)));
}

#[test]
fn what_anybody_may_make_is_made_at_once() {
    let mut run = waiting_for_work();
    let due = run.now.utc;
    fall_due(&mut run, promised(90, due, None));
    assert!(with(&run, LeadId(90)).is_some());
}
