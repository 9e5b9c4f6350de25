//! Free agents are kept for people who call back.

use super::*;
use crate::logic::pacing::journal::Line;
use crate::logic::pacing::pacer::AgentSince;
use crate::logic::settings::{DialMode, ReturnCalls};

/// Twenty an hour, three minutes each: one agent.
fn expecting(per_hour: u32) -> impl FnOnce(&mut CampaignSettings) {
    move |campaign| {
        campaign.return_calls = Some(ReturnCalls { per_hour, talk: Duration::from_secs(180) });
    }
}

#[test]
fn new_calls_leave_as_many_agents_free_as_return_calls_keep_busy() {
    let mut run = Run::new(50, &["a", "b", "c", "d"], expecting(20)).ready();
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 3);
    let view = run.view();
    assert_eq!(view.campaigns[0].kept_for_return_calls, 1);
    assert_eq!(view.campaigns[0].held_by, Some("return_calls"));
}

#[test]
fn whoever_is_on_a_return_call_is_the_one_who_was_kept() {
    let mut run = Run::new(50, &["a", "b", "c", "d"], expecting(20));
    run.dialer.until_idle = false;
    let mut run = run.ready();
    run.pass(Duration::from_secs(1));
    let reserved: Vec<_> = run.dialer.calls.values().filter_map(|call| *call.agent).collect();
    let free = run.dialer.desks.values().find(|desk| !reserved.contains(&desk.id)).unwrap();
    let agent = free.settings.name.clone();
    run.command(Command::AgentPause { agent, reason: Some("return call".to_owned()) });
    assert_eq!(run.view().campaigns[0].kept_for_return_calls, 0);
    let first = run.dialed()[0];
    run.leg(first, failed(486));
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 4, "nobody else is kept");
}

#[test]
fn a_person_who_has_answered_is_given_an_agent_who_was_kept() {
    let mut run = Run::new(50, &["a", "b"], expecting(20)).ready();
    run.pass(Duration::from_secs(1));
    let [customer] = run.dialed()[..] else { panic!("{:?}", run.dialed()) };
    run.leg(customer, LegEvent::Ringing);
    let kept = run.dialer.calls.values().find_map(|call| *call.agent).unwrap();
    let phone = run.dialer.desks[&kept].leg.unwrap();
    run.leg(phone, LegEvent::Dead);
    run.leg(customer, LegEvent::Answered(dialog()));
    assert_eq!(run.view().calls.talking, 1);
}

fn skilled(skills: &[&str]) -> Vec<String> {
    skills.iter().map(|skill| (*skill).to_owned()).collect()
}

fn campaign(name: &str, skills: &[&str]) -> CampaignSettings {
    CampaignSettings { name: name.to_owned(), skills: skilled(skills), ..test_campaign() }
}

/// Two campaigns, the second of which expects return calls; each has a skill of its own.
fn two_teams(agents: &[(&str, &[&str])]) -> Run {
    let mut called_back = campaign("two", &["inbound"]);
    expecting(20)(&mut called_back);
    teams(vec![campaign("one", &["sales"]), called_back], agents)
}

/// These campaigns, and agents with these skills.
fn teams(campaigns: Vec<CampaignSettings>, agents: &[(&str, &[&str])]) -> Run {
    let names: Vec<&str> = agents.iter().map(|(name, _)| *name).collect();
    let mut run = Run::of(Account::default(), 60, &names, campaigns, None, false);
    run.dialer.until_idle = false;
    for (id, (_, skills)) in (1..).zip(agents) {
        run.dialer.desks.get_mut(&AgentId(id)).unwrap().settings.skills = skilled(skills);
    }
    run.ready()
}

fn call_of(run: &Run, agent: i64) -> Option<AttemptId> {
    run.dialer.desks[&AgentId(agent)].machine.attempt()
}

#[test]
fn a_call_that_lost_its_agent_gets_one_who_is_not_kept() {
    let mut run = two_teams(&[("a", &["sales", "inbound"]), ("b", &["sales"]), ("c", &["sales"])]);
    run.pass(Duration::from_secs(1));
    let (first, second) = (call_of(&run, 2).unwrap(), call_of(&run, 3).unwrap());
    assert_eq!(call_of(&run, 1), None, "kept");
    run.command(Command::AgentPause { agent: "a".to_owned(), reason: None });
    let phone = run.dialer.desks[&AgentId(3)].leg.unwrap();
    run.leg(phone, LegEvent::Dead);
    run.command(Command::AgentReady { agent: "a".to_owned() });
    assert_eq!(*run.dialer.calls[&second].agent, None, "who is free is kept for return calls");
    let over = run.dialer.calls[&first].leg;
    run.pass(Duration::from_secs(1));
    run.leg(over, failed(486));
    assert_eq!(*run.dialer.calls[&second].agent, Some(AgentId(2)), "though another is idle longer");
}

#[test]
fn return_calls_are_named_only_where_they_are_what_holds_a_campaign_back() {
    let mut run = two_teams(&[("a", &["inbound"]), ("b", &["sales"])]);
    run.pass(Duration::from_secs(1));
    let held_by = |run: &Run| run.view().campaigns.iter().map(|c| c.held_by).collect::<Vec<_>>();
    assert_eq!(held_by(&run), [Some("agents"), Some("return_calls")]);
    let call = call_of(&run, 2).unwrap();
    run.dialer.desks.get_mut(&AgentId(2)).unwrap().settings.languages = vec!["en".to_owned()];
    run.leg(run.dialer.calls[&call].leg, failed(486));
    run.pass(Duration::from_secs(1));
    assert_eq!(held_by(&run), [Some("agents"), Some("return_calls")], "nobody speaks Japanese");
}

#[test]
fn more_return_calls_than_agents_stop_new_calls_and_never_count_below_none() {
    let mut run = Run::new(50, &["a", "b"], expecting(1_000)).ready();
    run.pass(Duration::from_secs(3));
    assert_eq!(run.dialed(), []);
    assert_eq!(run.view().campaigns[0].kept_for_return_calls, 2);
}

#[test]
fn the_engine_does_not_count_on_those_who_are_kept() {
    let idle = |per_hour: Option<u32>| {
        let mut run = Run::new(200, &["a", "b", "c", "d", "e", "f"], |campaign| {
            campaign.mode = DialMode::Predictive;
            if let Some(per_hour) = per_hour {
                expecting(per_hour)(campaign);
            }
        });
        run.dialer.keep_journal(1_000_000);
        let mut run = run.ready();
        run.pass(Duration::from_secs(1));
        run.view().campaigns[0].pacing.as_ref().unwrap().idle
    };
    assert_eq!(idle(None), 6);
    assert_eq!(idle(Some(40)), 4);
}

#[test]
fn the_engine_does_not_count_on_an_agent_who_is_kept_for_a_skill_that_its_campaign_does_not_ask_for()
 {
    let idle = |skills: &[&str]| {
        let mut predictive = campaign("one", skills);
        predictive.mode = DialMode::Predictive;
        let mut called_back = campaign("two", &["sales", "inbound"]);
        expecting(20)(&mut called_back);
        let agents: [(_, &[_]); 3] =
            [("a", &["inbound", "sales"]), ("b", &["sales"]), ("c", &["sales"])];
        let mut run = teams(vec![predictive, called_back], &agents);
        run.pass(Duration::from_secs(1));
        assert_eq!(call_of(&run, 1), None, "kept");
        let lines = run.view().campaigns;
        (lines[0].pacing.as_ref().unwrap().idle, lines[0].kept_for_return_calls)
    };
    assert_eq!(idle(&[]), (2, 1));
    assert_eq!(idle(&["sales"]), (2, 1));
}

#[test]
fn one_agent_is_not_kept_for_two_return_calls_at_once_because_he_has_the_skills_of_both() {
    let (mut one, mut two) = (campaign("one", &[]), campaign("two", &["inbound"]));
    expecting(20)(&mut one);
    expecting(20)(&mut two);
    let mut run = teams(vec![one, two], &[("a", &["inbound"]), ("b", &[]), ("c", &[])]);
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 1);
    let kept: Vec<_> = run.view().campaigns.iter().map(|c| c.kept_for_return_calls).collect();
    assert_eq!((call_of(&run, 1), kept), (None, vec![2, 1]));
}

#[test]
fn the_engine_does_not_wait_for_agents_who_will_be_kept_when_their_calls_end() {
    let counted_on = |per_hour: Option<u32>| {
        let mut run =
            Run::new(50, &["a", "b", "c"], |campaign| campaign.mode = DialMode::Predictive);
        run.dialer.until_idle = false;
        let mut run = run.ready();
        run.pass(Duration::from_secs(1));
        for customer in run.dialed() {
            run.leg(customer, LegEvent::Answered(dialog()));
        }
        assert_eq!(run.view().calls.talking, 3);
        if let Some(per_hour) = per_hour {
            let room = run.dialer.rooms.get_mut(&CAMPAIGN).unwrap();
            expecting(per_hour)(&mut room.settings);
        }
        run.dialer.keep_journal(1_000_000);
        run.pass(Duration::from_secs(1));
        let mut awaited = BTreeMap::new();
        for (_, line) in run.dialer.take_journal() {
            if let Line::Asked { agents, .. } = line {
                awaited.extend(agents.into_iter().map(|(id, AgentSince(_, _, goes))| (id, !goes)));
            }
        }
        awaited.values().filter(|awaited| **awaited).count()
    };
    assert_eq!(counted_on(None), 3);
    assert_eq!(counted_on(Some(40)), 1);
    assert_eq!(counted_on(Some(1_000)), 0);
}
