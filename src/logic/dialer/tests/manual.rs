//! Nothing is dialed by itself; an agent names whom to call.

use super::*;
use crate::logic::dialer::command::AgentState;
use crate::logic::settings::DialMode;

fn manual(contacts: i64, agents: &[&str]) -> Run {
    let mut run = Run::new(contacts, agents, |campaign| campaign.mode = DialMode::Manual);
    run.dialer.until_idle = false;
    run.ready()
}

fn dial(run: &mut Run, agent: &str, whom: &str) -> Reply {
    run.command(Command::AgentDial { agent: agent.to_owned(), whom: Some(whom.to_owned()) });
    run.replies.last().unwrap().clone()
}

fn code(reply: &Reply) -> &'static str {
    let Reply::Refused { code, .. } = reply else { panic!("{reply:?}") };
    code
}

fn state(run: &Run, agent: &str) -> AgentState {
    run.view().agents.iter().find(|line| line.name == agent).unwrap().state
}

#[test]
fn nobody_is_called_until_an_agent_names_a_person_and_then_with_that_agent() {
    let mut run = manual(5, &["a", "b"]);
    run.pass(Duration::from_secs(10));
    assert_eq!((run.dialed(), run.leads.len()), (vec![], 5), "no lead is held either");
    assert_eq!(run.view().campaigns[0].held_by, Some("manual"));
    assert_eq!(dial(&mut run, "b", "C3"), Reply::Ok);
    run.pass(Duration::from_secs(1));
    let [customer] = run.dialed()[..] else { panic!("{:?}", run.dialed()) };
    assert_eq!((state(&run, "a"), state(&run, "b")), (AgentState::Ready, AgentState::Reserved));
    run.leg(customer, LegEvent::Answered(dialog()));
    assert_eq!(state(&run, "b"), AgentState::OnCall);
    let asked = run.rows.iter().find_map(|row| {
        let StoreCommand::Intent(intent) = row else { return None };
        Some((intent.lead, intent.uncovered.is_none()))
    });
    assert_eq!(asked, Some((LeadId(3), true)), "every gate of the database was asked");
}

#[test]
fn a_number_is_as_good_as_an_id_and_who_is_not_on_the_list_is_told() {
    let mut run = manual(2, &["a"]);
    let number = lead(2).phones[0].number.reveal().to_owned();
    assert_eq!(code(&dial(&mut run, "a", "+815055555555")), "no_lead");
    assert_eq!(state(&run, "a"), AgentState::Ready);
    assert_eq!(dial(&mut run, "a", &number), Reply::Ok);
    assert_eq!(code(&dial(&mut run, "a", "C1")), "not_ready", "one at a time");
}

#[test]
fn a_gate_in_memory_stops_a_person_who_was_named_and_the_lead_goes_back() {
    let mut run = manual(1, &["a"]);
    let room = run.dialer.rooms.get_mut(&CAMPAIGN).unwrap();
    room.settings.test_only = vec!["+815011111111".parse().unwrap()];
    assert_eq!(code(&dial(&mut run, "a", "C1")), "gate");
    assert_eq!((run.dialed(), state(&run, "a")), (vec![], AgentState::Ready));
    let back = run.rows.iter().any(|row| {
        matches!(row, StoreCommand::Release(release) if release.after.gate == Some(Gate::TestOnly))
    });
    assert!(back);
}

#[test]
fn the_agent_may_be_gone_when_the_database_answers() {
    let mut run = manual(1, &["a"]);
    run.hangs = true;
    run.command(Command::AgentDial { agent: "a".to_owned(), whom: Some("C1".to_owned()) });
    run.command(Command::AgentPause { agent: "a".to_owned(), reason: None });
    run.database_is_back();
    assert_eq!(code(run.replies.last().unwrap()), "not_now");
    assert_eq!(run.dialed(), []);
    assert_eq!(run.freed(), [LeadId(1)], "the lead is free again");
}

#[test]
fn whoever_was_named_and_not_called_is_free_again_when_the_agent_leaves() {
    let mut run = manual(1, &["a"]);
    run.hangs = true;
    run.command(Command::AgentDial { agent: "a".to_owned(), whom: Some("C1".to_owned()) });
    run.dialer.max_lines = 0;
    run.database_is_back();
    assert_eq!(code(run.replies.last().unwrap()), "not_now");
    assert_eq!((state(&run, "a"), run.freed()), (AgentState::Previewing, vec![]));
    run.command(Command::AgentPause { agent: "a".to_owned(), reason: None });
    assert_eq!(run.freed(), [LeadId(1)]);
}

#[test]
fn other_modes_give_their_leads_back_when_it_is_taken_live() {
    let mut run = Run::new(20, &["a"], |_| {});
    run.dialer.until_idle = false;
    run.pass(Duration::from_millis(1));
    assert!(run.leads.is_empty(), "all twenty are at hand");
    let (campaign, mode) = ("test".to_owned(), "manual".to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: None });
    let released = run.rows.iter().filter(|row| matches!(row, StoreCommand::Release(_)));
    assert_eq!(released.count(), 20);
    let mut run = run.ready();
    run.pass(Duration::from_secs(5));
    assert_eq!(run.dialed(), []);
    assert_eq!(code(&dial(&mut run, "a", "nobody")), "no_lead");
}

#[test]
fn without_a_campaign_in_manual_mode_nobody_can_be_named() {
    let mut run = Run::new(5, &["a"], |campaign| campaign.mode = DialMode::Preview);
    run.command(Command::AgentLogin { agent: "a".to_owned() });
    assert_eq!(code(&dial(&mut run, "a", "C1")), "not_ready");
    let elsewhere = "+815011111111".parse().unwrap();
    let mut run = Run::new(1, &["a"], |campaign| campaign.test_only = vec![elsewhere]);
    run.dialer.until_idle = false;
    let mut run = run.ready();
    assert_eq!(code(&dial(&mut run, "a", "C1")), "no_manual_campaign");
}

#[test]
fn a_campaign_that_is_paused_is_not_in_the_way_of_the_one_that_runs() {
    let campaign = |name: &str| CampaignSettings {
        name: name.to_owned(),
        mode: DialMode::Manual,
        ..test_campaign()
    };
    let both = vec![campaign("one"), campaign("two")];
    let mut run = Run::of(Account::default(), 5, &["a"], both, None, false);
    run.dialer.until_idle = false;
    let mut run = run.ready();
    assert_eq!(code(&dial(&mut run, "a", "C1")), "several_campaigns");
    run.command(Command::CampaignPause { campaign: "one".to_owned() });
    run.command(Command::CampaignPause { campaign: "two".to_owned() });
    let Reply::Refused { code, message } = dial(&mut run, "a", "C1") else { panic!() };
    assert_eq!((code, message.contains("(state)")), ("not_now", true), "{message}");
    run.command(Command::CampaignResume { campaign: "two".to_owned() });
    assert_eq!(dial(&mut run, "a", "C1"), Reply::Ok);
    let claim = run.rows.iter().rev().find_map(|row| {
        let StoreCommand::Claim(claim) = row else { return None };
        Some(claim.campaign)
    });
    assert_eq!(claim, Some(CampaignId(CAMPAIGN.0 + 1)));
}
