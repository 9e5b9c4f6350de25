//! More lines than free agents, as far as the ledger bears it.

use super::*;
use crate::logic::settings::{DialMode, DialRatio};

/// A run in ratio mode whose ledger holds so many answers and nothing abandoned.
fn ratio(agents: &[&str], thousandths: u32, answered: u64) -> Run {
    let account = Account { answered, ..Account::default() };
    let run = Run::with_ledger(account, 100, agents, |campaign| {
        campaign.mode = DialMode::Ratio(DialRatio::from_thousandths(thousandths).unwrap());
    });
    let mut run = run.ready();
    run.pass(Duration::from_secs(2));
    run
}

fn answer(run: &mut Run, leg: LegId) {
    run.leg(leg, LegEvent::Answered(dialog()));
}

/// When calls under way got an agent of their own (`true`) or gave it up.
fn coverage(run: &Run) -> Vec<bool> {
    run.rows
        .iter()
        .filter_map(|row| {
            if let StoreCommand::Covered { .. } = row {
                Some(true)
            } else if let StoreCommand::Connected { given_up: Some(_), .. } = row {
                Some(false)
            } else {
                None
            }
        })
        .collect()
}

fn used(run: &Run) -> (u64, u64) {
    let ledger = run.view().campaigns[0].ledger;
    (ledger.uncovered, ledger.uncovered_allowed)
}

#[test]
fn a_new_window_has_no_credit_so_the_first_calls_all_have_an_agent() {
    let run = ratio(&["a", "b"], 2_000, 0);
    assert_eq!(run.dialed().len(), 2);
    assert_eq!(run.view().campaigns[0].held_by, Some("credit"));
}

#[test]
fn lines_beyond_the_agents_are_opened_as_far_as_ratio_and_credit_go() {
    let run = ratio(&["a", "b", "c", "d"], 1_500, 1_000);
    assert_eq!(run.dialed().len(), 6);
    assert_eq!(run.view().campaigns[0].held_by, Some("agents"));
    assert_eq!(used(&run), (2, 30));
    let run = ratio(&["a", "b", "c", "d"], 2_000, 33);
    assert_eq!(run.dialed().len(), 5, "one call may be lost among thirty-four answers");
    assert_eq!(used(&run), (1, 1));
}

#[test]
fn an_uncovered_intent_names_the_windows_in_which_it_may_be_answered() {
    let run = ratio(&["a"], 2_000, 1_000);
    let starts: Vec<_> = run
        .rows
        .iter()
        .filter_map(|row| {
            if let StoreCommand::Intent(intent) = row {
                Some((intent.agent, intent.uncovered.map(|start| start.cap_ppm)))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(starts, [(Some(AgentId(1)), None), (None, Some(30_000))]);
}

#[test]
fn whoever_answers_first_gets_the_agent_and_the_other_call_goes_on_in_the_free_place() {
    let mut run = ratio(&["a"], 2_000, 40);
    let (kept, other) = (run.dialed()[0], run.dialed()[1]);
    run.leg(kept, LegEvent::Ringing);
    answer(&mut run, other);
    assert_eq!(run.view().calls.talking, 1);
    assert_eq!(coverage(&run), [false]);
    assert_eq!(used(&run), (1, 1));
    // The one that gave up its agent is answered too: nobody is there, and the ledger had credit for it.
    answer(&mut run, kept);
    run.pass(Duration::from_secs(3));
    assert_eq!(run.account, Account { answered: 41, abandoned: 1, fault: 0 });
    assert_eq!(used(&run), (0, 0));
}

#[test]
fn among_other_dialers_no_call_gives_up_its_agent_on_credit_that_was_not_drawn_for_it() {
    for shared in [false, true] {
        let account = Account { answered: 40, ..Account::default() };
        let mut run = Run::sharing(shared, account, 2, &["a", "b"], |campaign| {
            campaign.mode = DialMode::Ratio(DialRatio::from_thousandths(2_000).unwrap());
        })
        .ready();
        run.pass(Duration::from_secs(2));
        let [first, other] = run.dialed()[..] else { panic!("{:?}", run.dialed()) };
        run.leg(other, LegEvent::Ringing);
        let Some(LegOwner::Call(attempt)) = run.dialer.legs.get(&first) else { panic!() };
        let agent = run.dialer.calls[attempt].agent.unwrap();
        let phone = run.dialer.desks[&agent].leg.unwrap();
        run.leg(phone, LegEvent::Dead);
        answer(&mut run, first);
        assert_eq!(run.view().calls.talking == 1, !shared);
        assert_eq!(coverage(&run).contains(&false), !shared);
    }
}

#[test]
fn among_other_dialers_no_place_is_handed_on_into_a_window_that_did_not_bear_it() {
    for shared in [false, true] {
        let account = Account { answered: 40, ..Account::default() };
        let mut run = Run::sharing(shared, account, 2, &["a"], |campaign| {
            campaign.mode = DialMode::Ratio(DialRatio::from_thousandths(2_000).unwrap());
        })
        .ready();
        run.pass(Duration::from_secs(2));
        let [kept, uncovered] = run.dialed()[..] else { panic!("{:?}", run.dialed()) };
        assert_eq!(run.view().campaigns[0].ledger.uncovered, 1);
        run.leg(kept, LegEvent::Ringing);
        run.leg(uncovered, LegEvent::Ringing);
        // Ten seconds before midnight in Tokyo: either day bears one such call, of all dialers together.
        run.set_clock(UtcMs(1_790_002_790_000));
        answer(&mut run, uncovered);
        assert_eq!(run.view().calls.talking == 1, !shared);
    }
}

#[test]
fn a_call_that_has_not_left_is_not_started_when_its_agent_is_wanted() {
    let mut run = ratio(&["a"], 2_000, 40);
    let (first, second) = (run.dialed()[0], run.dialed()[1]);
    run.leg(first, failed(486));
    // The agent of the busy number covers the second call; the next call is uncovered and waits for its turn.
    assert_eq!(coverage(&run), [true]);
    answer(&mut run, second);
    assert_eq!(run.view().calls.talking, 1);
    assert_eq!(used(&run).0, 1);
}

#[test]
fn an_agent_who_becomes_free_is_kept_for_a_call_under_way_before_another_is_started() {
    let mut run = ratio(&["a"], 2_000, 40);
    run.command(Command::AgentLogin { agent: "a".to_owned() });
    let (kept, other) = (run.dialed()[0], run.dialed()[1]);
    answer(&mut run, kept);
    assert_eq!(run.view().calls.talking, 1);
    assert_eq!(used(&run), (1, 1), "the other call goes on uncovered");
    run.leg(kept, LegEvent::Ended { by_peer: true, q850: None });
    run.command(Command::AgentReady { agent: "a".to_owned() });
    assert_eq!(coverage(&run), [true]);
    answer(&mut run, other);
    assert_eq!(run.view().calls.talking, 1);
    assert_eq!(run.account.abandoned, 0);
}

/// Two people who were promised a call, or who may have met silence in a crash.
fn owed(now: UtcMs) -> [ClaimedLead; 2] {
    let promise = Some(Promise { due: now, owner: None });
    let last_outcome = Some(Outcome::Unknown);
    [ClaimedLead { promise, ..lead(1) }, ClaimedLead { last_outcome, ..lead(1) }]
}

/// A run of ratio 2.0 with credit for one call, whose list begins with these leads.
fn beginning_with(leads: &[ClaimedLead]) -> Run {
    let account = Account { answered: 40, ..Account::default() };
    let mut run = Run::with_ledger(account, 100, &["a"], |campaign| {
        campaign.mode = DialMode::Ratio(DialRatio::from_thousandths(2_000).unwrap());
    });
    let at_hand = &mut run.dialer.rooms.get_mut(&CAMPAIGN).unwrap().leads;
    for (place, lead) in at_hand.iter_mut().zip(leads) {
        place.lead.clone_from(lead);
    }
    let mut run = run.ready();
    run.pass(Duration::from_secs(2));
    run
}

#[test]
fn whoever_is_owed_a_call_is_called_with_an_agent_only() {
    for owed in owed(UtcMs(1_790_000_000_000)) {
        let second = ClaimedLead { lead: LeadId(2), ..owed };
        let run = beginning_with(&[lead(1), second]);
        let alone: Vec<_> = run.dialer.calls.values().filter(|call| call.agent.is_none()).collect();
        assert_eq!(alone.len(), 1);
        assert_ne!(alone[0].lead.lead, LeadId(2), "{:?}", alone[0].lead);
    }
}

#[test]
fn whoever_is_owed_a_call_keeps_the_agent_though_another_answers_first() {
    for owed in owed(UtcMs(1_790_000_000_000)) {
        let mut run = beginning_with(&[owed]);
        let (kept, other) = (run.dialed()[0], run.dialed()[1]);
        answer(&mut run, other);
        assert_eq!(run.view().calls.talking, 0);
        answer(&mut run, kept);
        assert_eq!(run.view().calls.talking, 1);
    }
}

/// 00:00 in Tokyo, where the windows of the ledger begin, after a run's own beginning.
const MIDNIGHT: UtcMs = UtcMs(1_790_002_800_000);

#[test]
fn a_call_needs_credit_in_every_window_in_which_it_may_yet_be_answered() {
    // Two seconds to the INVITE, 60 of set-up, then a CANCEL that a 200 may cross for 64*T1, and a margin.
    for (before, windows) in [(106, 1), (103, 2)] {
        let account = Account { answered: 1_000, ..Account::default() };
        let mut run = Run::with_ledger(account, 100, &["a"], |campaign| {
            campaign.mode = DialMode::Ratio(DialRatio::from_thousandths(2_000).unwrap());
        });
        run.set_clock(MIDNIGHT - Duration::from_secs(before));
        let mut run = run.ready();
        run.pass(Duration::from_millis(1_500));
        let span = run.rows.iter().find_map(|row| {
            if let StoreCommand::Intent(intent) = row { intent.uncovered } else { None }
        });
        let span = span.unwrap().windows;
        assert_eq!(if span.first == span.last { 1 } else { 2 }, windows, "{before} s before");
        assert!(span.first < MIDNIGHT && span.last <= MIDNIGHT);
    }
}

#[test]
fn a_loss_that_a_crash_hides_is_a_fault_where_the_window_of_the_answer_gave_no_credit() {
    for (before, fault) in [(200, 1), (50, 0)] {
        let open = OpenAttempt {
            covered: false,
            answered_at: Some(MIDNIGHT + Duration::from_secs(10)),
            ..left_open(MIDNIGHT - Duration::from_secs(before))
        };
        let run = Run::start(Account::default(), 0, &[], |_| {}, Some(open));
        assert_eq!(run.account, Account { answered: 1, abandoned: 1, fault }, "{before} s before");
    }
}

#[test]
fn a_call_of_the_window_before_gives_up_its_agent_only_if_that_window_bears_its_loss() {
    let account = Account { answered: 40, ..Account::default() };
    for (before, talking) in [(Account::default(), 0), (account, 1)] {
        let mut run = Run::with_ledger(account, 100, &["a"], |_| {});
        run.set_clock(MIDNIGHT - Duration::from_secs(2));
        let mut run = run.ready();
        let kept = run.dialed()[0];
        run.leg(kept, LegEvent::Ringing);
        run.pass(Duration::from_secs(4));
        let (campaign, mode) = ("test".to_owned(), "ratio".to_owned());
        run.command(Command::CampaignMode { campaign, mode, ratio: Some(2_000) });
        run.pass(Duration::from_secs(2));
        let room = run.dialer.rooms.get_mut(&CAMPAIGN).unwrap();
        let yesterday = room.window(MIDNIGHT - Duration::from_secs(2)).starts;
        assert_ne!(yesterday, room.window(run.now.utc).starts);
        room.credit.ledger.learn(yesterday, before);
        let after_midnight = run.dialed()[1];
        answer(&mut run, after_midnight);
        // While nobody has answered it, a crash would book its loss yesterday.
        assert_eq!(run.view().calls.talking, talking, "{before:?}");
    }
}

#[test]
fn credit_that_the_database_refuses_is_not_asked_for_with_every_lead_at_hand() {
    let mut run = ratio(&["a"], 1_000, 1_000);
    run.refuse = Some(Gate::Credit);
    let (campaign, mode) = ("test".to_owned(), "ratio".to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: Some(2_000) });
    run.pass(Duration::from_millis(3_500));
    assert_eq!(run.dialed().len(), 1);
    let gates = run.view().campaigns[0].gates.clone();
    assert!(matches!(gates[..], [("credit", 2..=4)]), "{gates:?}");
    assert_eq!(run.view().campaigns[0].held_by, Some("credit"));
    assert_eq!(used(&run).0, 0);
    run.refuse = None;
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 2);
}

#[test]
fn a_pause_asked_for_while_kept_waits_for_the_person_who_answered_first() {
    let mut run = ratio(&["a"], 2_000, 40);
    let other = run.dialed()[1];
    run.command(Command::AgentPause { agent: "a".to_owned(), reason: None });
    answer(&mut run, other);
    assert_eq!(run.view().calls.talking, 1);
}

#[test]
fn a_lost_agent_is_a_fault_and_stops_uncovered_calls_until_it_is_repaid() {
    let mut run = ratio(&["a", "b"], 1_500, 50);
    assert_eq!(run.dialed().len(), 3);
    let (one, two, three) = (run.dialed()[0], run.dialed()[1], run.dialed()[2]);
    run.leg(three, failed(486));
    for agent in [1, 2] {
        let phone = run.dialer.desks[&AgentId(agent)].leg.unwrap();
        run.leg(phone, LegEvent::Dead);
    }
    answer(&mut run, one);
    run.leg(two, failed(486));
    run.pass(Duration::from_secs(3));
    assert_eq!(run.account, Account { answered: 51, abandoned: 1, fault: 1 });
    assert_eq!(used(&run).1, 0, "52 answers do not bear two losses");
}

#[test]
fn the_ledger_is_asked_only_after_what_was_booked() {
    let mut run = ratio(&["a"], 1_000, 0);
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    let customer = run.dialed()[0];
    run.leg(phone, LegEvent::Dead);
    answer(&mut run, customer);
    run.hangs = true;
    run.pass(Duration::from_secs(3));
    let ledger = run.view().campaigns[0].ledger;
    assert_eq!((ledger.answered, ledger.abandoned), (0, 0), "the rows are not written");
    run.database_is_back();
    let ledger = run.view().campaigns[0].ledger;
    assert_eq!((ledger.answered, ledger.abandoned, ledger.fault), (1, 1, 1));
}

#[test]
fn the_mode_is_changed_in_mid_run_and_confirmed_when_durable() {
    let mut run = ratio(&["a", "b"], 1_000, 1_000);
    assert_eq!(run.dialed().len(), 2);
    let mode = |word: &str, ratio| Command::CampaignMode {
        campaign: "test".to_owned(),
        mode: word.to_owned(),
        ratio,
    };
    run.hangs = true;
    let before = run.replies.len();
    run.command(mode("ratio", Some(2_000)));
    assert_eq!(run.replies.len(), before);
    run.database_is_back();
    assert_eq!(run.replies.last(), Some(&Reply::Ok));
    run.pass(Duration::from_secs(2));
    assert_eq!(run.dialed().len(), 4);
    run.command(mode("ratio", Some(900)));
    assert!(matches!(run.replies.last(), Some(Reply::Refused { code: "bad_ratio", .. })));
    run.command(mode("agentless", None));
    assert!(matches!(run.replies.last(), Some(Reply::Refused { code: "bad_mode", .. })));
}
