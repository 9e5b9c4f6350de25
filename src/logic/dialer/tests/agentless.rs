//! Whoever answers hears the campaign's message; nobody waits for an agent.

use std::sync::Arc;

use super::*;
use crate::logic::dialer::command::AgentState;
use crate::logic::media::{MediaCommand, Sound};
use crate::logic::settings::{DialMode, DialRatio, Recording, RetryRule};

/// As a campaign without agents; the sounds differ by their first sample.
fn agentless(contacts: i64, agents: &[&str]) -> Run {
    let mut run = Run::new(contacts, agents, message);
    run.dialer.until_idle = false;
    for (path, sample) in [("message", MESSAGE), ("removed", REMOVED), ("thanks", THANKS)] {
        run.dialer.sounds.insert(path.to_owned(), Arc::from([sample]));
    }
    run.pass(Duration::from_millis(1));
    run
}

fn message(campaign: &mut CampaignSettings) {
    let file = |path: &str| BTreeMap::from([("ja".to_owned(), path.to_owned())]);
    campaign.mode = DialMode::Agentless;
    campaign.retry.insert(Outcome::MessageCut, RetryRule { delay: Duration::ZERO, max: 0 });
    campaign.recording = Some(Recording {
        basis: "consent".to_owned(),
        files: file("message"),
        removed: file("removed"),
        thanks: file("thanks"),
        keys: BTreeMap::from([('1', "SALE".to_owned()), ('9', "REFUSED".to_owned())]),
        repeat: 0,
        wait: Duration::from_secs(5),
        wrong_keys: 3,
        lines: None,
    });
}

/// What is being played, by its first sample; and its number.
fn playing(run: &Run) -> Option<(i16, u64)> {
    run.media.iter().rev().find_map(|command| {
        if let MediaCommand::Play { play, sound: Sound::Samples(samples), .. } = command {
            Some((samples[0], *play))
        } else {
            None
        }
    })
}

/// Calls that play the message, those that have not left yet included.
fn under_way(run: &Run) -> usize {
    run.dialer.calls.values().filter(|call| call.machine.is_agentless()).count()
}

fn outcome(run: &Run) -> &OutcomeRecord {
    run.rows
        .iter()
        .find_map(
            |row| if let StoreCommand::Outcome(record) = row { Some(&**record) } else { None },
        )
        .unwrap()
}

fn dispositions(run: &Run) -> Vec<(Option<AgentId>, &str, bool)> {
    let mut said = vec![];
    for row in &run.rows {
        if let StoreCommand::Disposition(record) = row {
            said.push((record.agent, &*record.code, record.suppress.is_some()));
        }
    }
    said
}

#[test]
fn calls_go_out_without_an_agent_as_fast_as_the_trunk_allows() {
    let mut run = agentless(200, &[]);
    run.pass(Duration::from_secs(3));
    // 10 a second from the trunk; its channels are the other bound.
    assert!((25..=31).contains(&run.dialed().len()), "{}", run.dialed().len());
    run.pass(Duration::from_secs(10));
    assert_eq!(run.view().campaigns[0].held_by, Some("channels"));
    assert_eq!(run.view().campaigns[0].ledger.uncovered, 0);
}

#[test]
fn the_message_begins_at_the_answer_and_a_call_that_heard_it_earns_no_credit() {
    let mut run = agentless(1, &["a"]).ready();
    let [customer] = run.dialed()[..] else { panic!() };
    run.leg(customer, LegEvent::Answered(dialog()));
    let (sample, play) = playing(&run).unwrap();
    assert_eq!(sample, MESSAGE);
    assert_eq!(run.view().agents[0].state, AgentState::Ready, "no agent has to do with it");
    run.pass(Duration::from_secs(20));
    run.leg(customer, LegEvent::PlayDone(play));
    run.pass(Duration::from_secs(5));
    assert_eq!(run.outcomes(), [Outcome::MessagePlayed]);
    let record = outcome(&run);
    assert_eq!(
        (record.live, record.booking.answered, record.booking.abandoned),
        (None, false, false)
    );
    assert_eq!(
        (record.message, record.after.state),
        (Some(crate::logic::attempt::MessageKind::Campaign), LeadState::Done)
    );
    assert_eq!(run.account, Account::default());
}

#[test]
fn nine_in_mid_message_is_durable_before_it_is_confirmed() {
    let mut run = agentless(2, &[]);
    run.pass(Duration::from_secs(1));
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Answered(dialog()));
    run.hangs = true;
    run.leg(customer, LegEvent::Digit('9'));
    assert!(matches!(run.media.last(), Some(MediaCommand::StopPlay { leg }) if *leg == customer));
    assert_eq!(playing(&run).unwrap().0, MESSAGE, "nothing is confirmed yet");
    run.database_is_back();
    assert_eq!(dispositions(&run), [(None, "REFUSED", true)]);
    let (sample, play) = playing(&run).unwrap();
    assert_eq!(sample, REMOVED);
    run.leg(customer, LegEvent::PlayDone(play));
    let record = outcome(&run);
    assert_eq!((record.outcome, record.live), (Outcome::MessagePlayed, Some(true)));
    assert_eq!(
        (record.after.state, record.after.gate),
        (LeadState::Blocked, Some(Gate::Suppressed))
    );
    assert!(!record.booking.answered);
}

#[test]
fn a_refusal_that_the_database_does_not_take_in_time_is_not_confirmed_and_lands_later() {
    let mut run = agentless(1, &[]);
    run.pass(Duration::from_secs(1));
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Answered(dialog()));
    run.hangs = true;
    run.leg(customer, LegEvent::Digit('9'));
    run.pass(Duration::from_secs(6));
    assert!(!run.is_up(customer), "the call is over");
    assert_eq!(playing(&run).unwrap().0, MESSAGE);
    run.database_is_back();
    assert_eq!(dispositions(&run), [(None, "REFUSED", true)]);
    assert_eq!(playing(&run).unwrap().0, MESSAGE);
}

#[test]
fn another_key_gives_its_code_and_the_person_may_still_refuse() {
    let mut run = agentless(1, &[]);
    run.pass(Duration::from_secs(1));
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Answered(dialog()));
    run.leg(customer, LegEvent::Digit('1'));
    assert_eq!(playing(&run).unwrap().0, THANKS);
    run.leg(customer, LegEvent::Digit('9'));
    assert_eq!(playing(&run).unwrap().0, REMOVED);
    assert_eq!(dispositions(&run), [(None, "SALE", false), (None, "REFUSED", true)]);
    run.leg(customer, LegEvent::Ended { by_peer: true, q850: None });
    assert_eq!(outcome(&run).after.gate, Some(Gate::Suppressed));
}

#[test]
fn whoever_hangs_up_in_mid_message_was_not_abandoned() {
    let mut run = agentless(1, &[]);
    run.pass(Duration::from_secs(1));
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Answered(dialog()));
    run.pass(Duration::from_secs(1));
    run.leg(customer, LegEvent::Ended { by_peer: true, q850: None });
    assert_eq!(run.outcomes(), [Outcome::MessageCut]);
    assert_eq!((run.account, outcome(&run).after.state), (Account::default(), LeadState::Done));
}

#[test]
fn an_answer_that_crosses_the_end_of_the_process_is_booked_as_a_fault() {
    let mut run = agentless(1, &[]);
    run.pass(Duration::from_secs(1));
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Ringing);
    run.pass(Duration::from_secs(16));
    run.input(Input::Shutdown);
    run.input(Input::Shutdown);
    run.leg(customer, LegEvent::Answered(dialog()));
    assert_eq!(run.outcomes(), [Outcome::Abandoned], "silence is no message");
    assert_eq!(run.account, Account { answered: 1, abandoned: 1, fault: 1 });
}

#[test]
fn the_mode_is_taken_and_left_live_and_each_call_stays_what_it_was() {
    let mut run = agentless(60, &["a"]).ready();
    run.pass(Duration::from_secs(1));
    let messages = under_way(&run);
    assert!(messages > 5);
    assert_eq!(switch(&mut run, "progressive"), Reply::Ok);
    run.pass(Duration::from_secs(2));
    let dialed = run.dialed();
    assert_eq!(dialed.len(), messages + 1, "one line for the one agent");
    assert_eq!(under_way(&run), messages);
    run.leg(dialed[0], LegEvent::Answered(dialog()));
    assert_eq!(playing(&run).unwrap().0, MESSAGE);
    assert_eq!(run.view().agents[0].state, AgentState::Reserved, "kept for his own call");
    run.leg(dialed[messages], LegEvent::Answered(dialog()));
    assert_eq!(run.view().calls.talking, 1);
    assert_eq!(switch(&mut run, "agentless"), Reply::Ok);
    run.pass(Duration::from_secs(1));
    assert!(run.dialed().len() > messages + 5);
}

fn switch(run: &mut Run, mode: &str) -> Reply {
    let (campaign, mode) = ("test".to_owned(), mode.to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: None });
    run.replies.last().cloned().unwrap()
}

/// One lead to call, and another one to whom a call was promised that is due.
fn with_a_promise(mode: DialMode) -> Run {
    let mut run = Run::new(1, &["a"], |campaign| {
        message(campaign);
        campaign.mode = mode;
    });
    let promise = Some(Promise { due: run.now.utc, owner: None });
    run.promised.push(ClaimedLead { promise, ..lead(90) });
    run.promises = Promises { open: 1, due: 1, overdue: 0 };
    run
}

/// The one lead has no such number, and nothing else is to do.
fn ends(run: &mut Run) {
    let [only] = run.dialed()[..] else { panic!("{:?}", run.dialed()) };
    run.leg(only, failed(404));
    run.pass(Duration::from_secs(20));
    assert!(run.finished, "it would wait for ever");
    assert_eq!(run.dialed().len(), 1, "no message is played to whom a call was promised");
}

/// How often the lead was given back; it must be as it was, for whoever has agents.
fn given_back(run: &Run) -> usize {
    let back = run.rows.iter().filter(|row| {
        let StoreCommand::Release(release) = row else { return false };
        assert_eq!((release.lead, release.after.state), (LeadId(90), LeadState::Ready));
        true
    });
    back.count()
}

#[test]
fn a_run_until_idle_leaves_a_promised_call_to_those_who_have_agents_and_ends() {
    let mut run = with_a_promise(DialMode::Agentless);
    run.pass(Duration::from_millis(1));
    run.leg(run.dialed()[0], LegEvent::Ringing);
    run.pass(Duration::from_secs(6));
    assert_eq!(run.view().campaigns[0].promises.due, 1, "it is told of");
    ends(&mut run);
    assert_eq!(run.promised.len(), 1, "nobody asked for it");
}

#[test]
fn a_promised_call_that_arrives_after_the_switch_to_messages_is_given_back() {
    let mut run = with_a_promise(DialMode::Progressive);
    run.hangs = true;
    run.pass(Duration::from_secs(6));
    // The database is asked for leads, and the mode changes before it answers.
    let (campaign, mode) = ("test".to_owned(), "agentless".to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: None });
    run.database_is_back();
    assert_eq!((run.promised.len(), given_back(&run)), (0, 1));
    run.pass(Duration::from_secs(1));
    ends(&mut run);
    assert_eq!(given_back(&run), 1);
}

#[test]
fn a_promised_call_that_an_agent_leaves_undecided_after_the_switch_is_given_back() {
    let mut run = with_a_promise(DialMode::Preview);
    run.dialer.until_idle = false;
    run.pass(Duration::from_secs(6));
    let mut run = run.ready();
    assert_eq!(run.view().agents[0].state, AgentState::Previewing);
    assert_eq!(switch(&mut run, "agentless"), Reply::Ok);
    assert_eq!(given_back(&run), 0, "he may still decide");
    run.command(Command::AgentLogout { agent: "a".to_owned() });
    assert_eq!(given_back(&run), 1);
    run.dialer.until_idle = true;
    run.pass(Duration::from_secs(1));
    ends(&mut run);
}

#[test]
fn a_campaign_without_a_message_cannot_play_one() {
    let mut run = Run::new(1, &[], |_| {});
    let (campaign, mode) = ("test".to_owned(), "agentless".to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: None });
    assert!(matches!(run.replies.last(), Some(Reply::Refused { code: "bad_mode", .. })));
    assert_eq!(run.view().campaigns[0].mode, "progressive");
}

#[test]
fn messages_are_no_lines_of_another_mode_and_ask_the_ledger_nothing() {
    let mut run = agentless(40, &["a"]).ready();
    run.pass(Duration::from_secs(1));
    let messages = under_way(&run);
    let account = Account { answered: 1_000, abandoned: 0, fault: 0 };
    let window = run.dialer.rooms[&CAMPAIGN].window(run.now.utc).starts;
    let room = run.dialer.rooms.get_mut(&CAMPAIGN).unwrap();
    room.credit.ledger.learn(window, account);
    room.settings.mode = DialMode::Ratio(DialRatio::from_thousandths(2_000).unwrap());
    run.pass(Duration::from_secs(2));
    assert_eq!(run.dialed().len(), messages + 2, "two lines for one agent");
    assert_eq!(run.view().campaigns[0].ledger.uncovered, 1);
}

#[test]
fn a_campaign_has_no_more_messages_under_way_than_it_says() {
    let mut run = agentless(40, &[]);
    let room = run.dialer.rooms.get_mut(&CAMPAIGN).unwrap();
    room.settings.recording.as_mut().unwrap().lines = Some(3);
    run.pass(Duration::from_secs(3));
    let before = run.dialed().len();
    for leg in run.dialed().into_iter().skip(3) {
        run.leg(leg, failed(486));
    }
    run.pass(Duration::from_secs(3));
    assert_eq!((run.dialed().len(), run.dialer.calls.len()), (before, 3));
    assert_eq!(run.view().campaigns[0].held_by, Some("lines"));
}

const MESSAGE: i16 = 1;
const REMOVED: i16 = 2;
const THANKS: i16 = 3;
