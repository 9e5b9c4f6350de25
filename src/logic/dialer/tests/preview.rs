//! An agent sees the person first, and then has the call made or passes it by.

use super::*;
use crate::logic::dialer::command::AgentState;
use crate::logic::settings::DialMode;

fn preview(contacts: i64, agents: &[&str]) -> Run {
    let mut run = Run::new(contacts, agents, |campaign| campaign.mode = DialMode::Preview);
    run.dialer.until_idle = false;
    run.ready()
}

fn ask(run: &mut Run, command: Command) -> Reply {
    run.command(command);
    run.replies.last().unwrap().clone()
}

fn dial(run: &mut Run, agent: &str) -> Reply {
    ask(run, Command::AgentDial { agent: agent.to_owned(), whom: None })
}

fn skip(run: &mut Run, agent: &str) -> Reply {
    ask(run, Command::AgentSkip { agent: agent.to_owned() })
}

/// Whom an agent sees.
fn shown(run: &mut Run, agent: &str) -> Option<String> {
    let Reply::Agent(notice) = ask(run, Command::AgentPage { agent: agent.to_owned() }) else {
        panic!("no page")
    };
    notice.page.and_then(|page| page.external_id)
}

fn state(run: &Run, agent: &str) -> AgentState {
    run.view().agents.iter().find(|line| line.name == agent).unwrap().state
}

fn code(reply: &Reply) -> &'static str {
    let Reply::Refused { code, .. } = reply else { panic!("{reply:?}") };
    code
}

/// Leads that were given back, and how.
fn given_back(run: &Run) -> Vec<(LeadId, LeadState, Option<Gate>)> {
    let mut back = vec![];
    for row in &run.rows {
        if let StoreCommand::Release(release) = row {
            back.push((release.lead, release.after.state, release.after.gate));
        }
    }
    back
}

#[test]
fn nobody_is_called_before_the_agent_says_so_and_then_with_that_agent() {
    let mut run = preview(3, &["a", "b"]);
    run.pass(Duration::from_secs(5));
    assert_eq!(run.prepared().len() + run.dialed().len(), 0);
    assert_eq!(shown(&mut run, "a").as_deref(), Some("C1"));
    assert_eq!(shown(&mut run, "b").as_deref(), Some("C2"));
    assert_eq!(dial(&mut run, "b"), Reply::Ok);
    run.pass(Duration::from_secs(1));
    let [customer] = run.dialed()[..] else { panic!("{:?}", run.dialed()) };
    assert_eq!(
        (state(&run, "a"), state(&run, "b")),
        (AgentState::Previewing, AgentState::Reserved)
    );
    run.leg(customer, LegEvent::Answered(dialog()));
    assert_eq!(state(&run, "b"), AgentState::OnCall);
    assert_eq!(shown(&mut run, "b").as_deref(), Some("C2"));
    assert_eq!(code(&dial(&mut run, "b")), "no_offer");
}

#[test]
fn a_person_stays_before_the_agent_while_the_campaigns_own_rate_is_used_up() {
    let change = |campaign: &mut CampaignSettings| {
        campaign.mode = DialMode::Preview;
        campaign.rates.prefixes = vec![("+81".to_owned(), 1)];
    };
    let mut run = Run::new(4, &["a", "b", "c"], change).ready();
    assert_eq!((dial(&mut run, "a"), dial(&mut run, "b")), (Reply::Ok, Reply::Ok));
    assert_eq!(code(&dial(&mut run, "c")), "not_now", "one has left, one waits for a second");
    assert_eq!(shown(&mut run, "c").as_deref(), Some("C3"));
    run.pass(Duration::from_millis(1_100));
    assert_eq!(dial(&mut run, "c"), Reply::Ok);
    run.pass(Duration::from_millis(1_100));
    assert_eq!(run.dialed().len(), 3);
    assert_eq!(run.outcomes(), [], "none grew too old to leave");
}

#[test]
fn whoever_is_passed_by_waits_and_the_next_person_comes() {
    let mut run = preview(2, &["a"]);
    assert_eq!(skip(&mut run, "a"), Reply::Ok);
    assert_eq!(given_back(&run), [(LeadId(1), LeadState::Waiting, Some(Gate::Skipped))]);
    assert_eq!(shown(&mut run, "a").as_deref(), Some("C2"));
    assert_eq!(run.view().campaigns[0].gates, [("skipped", 1)]);
    skip(&mut run, "a");
    assert_eq!((shown(&mut run, "a"), state(&run, "a")), (None, AgentState::Ready));
    assert_eq!(code(&skip(&mut run, "a")), "no_offer");
}

#[test]
fn an_agent_who_decides_nothing_is_paused_and_another_sees_the_person() {
    let mut run = preview(1, &["a", "b"]);
    run.pass(Duration::from_secs(61));
    assert_eq!((state(&run, "a"), state(&run, "b")), (AgentState::Paused, AgentState::Previewing));
    assert_eq!(shown(&mut run, "b").as_deref(), Some("C1"));
    let Reply::Agent(notice) = ask(&mut run, Command::AgentPage { agent: "a".to_owned() }) else {
        panic!()
    };
    assert_eq!((notice.reason.as_deref(), notice.page), (Some("preview"), None));
    let leave = Command::AgentPause { agent: "b".to_owned(), reason: None };
    assert_eq!(ask(&mut run, leave), Reply::Ok);
    run.command(Command::AgentReady { agent: "a".to_owned() });
    assert_eq!(shown(&mut run, "a").as_deref(), Some("C1"), "nobody was lost on the way");
    assert_eq!(given_back(&run), []);
}

#[test]
fn a_refusal_a_pause_and_the_end_take_the_person_from_the_desk() {
    let mut run = preview(3, &["a"]);
    let number = lead(1).phones[0].number.reveal().to_owned();
    let refused = Command::Suppress {
        seller: "ACME".to_owned(),
        number,
        reason: "do_not_call".to_owned(),
        proof: "letter".to_owned(),
    };
    assert_eq!(ask(&mut run, refused), Reply::Ok);
    assert_eq!(given_back(&run), [(LeadId(1), LeadState::Blocked, Some(Gate::Suppressed))]);
    assert_eq!(shown(&mut run, "a").as_deref(), Some("C2"));
    run.command(Command::CampaignPause { campaign: "test".to_owned() });
    assert_eq!((shown(&mut run, "a"), state(&run, "a")), (None, AgentState::Ready));
    let free = |n| (LeadId(n), LeadState::Ready, None);
    assert_eq!(given_back(&run)[1..], [free(3), free(2)]);
    let mut run = preview(1, &["a"]);
    run.input(Input::Shutdown);
    assert_eq!(given_back(&run), [free(1)]);
    run.pass(Duration::from_secs(10));
    assert!(run.finished && run.dialed().is_empty());
}

#[test]
fn the_gates_are_asked_when_the_agent_dials_whatever_was_shown() {
    let mut run = Run::new(1, &["a"], |campaign| {
        promises::evenings(campaign);
        campaign.mode = DialMode::Preview;
        campaign.preview.within = Duration::from_secs(7_200);
    })
    .ready();
    assert_eq!(shown(&mut run, "a").as_deref(), Some("C1"));
    run.pass(Duration::from_secs(3_600));
    assert_eq!(code(&dial(&mut run, "a")), "gate");
    assert_eq!(given_back(&run), [(LeadId(1), LeadState::Waiting, Some(Gate::Hours))]);
    assert_eq!((state(&run, "a"), run.dialed()), (AgentState::Ready, vec![]));
}

#[test]
fn an_agent_whose_phone_is_not_heard_cannot_dial() {
    let mut run = preview(1, &["a"]);
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    run.leg(phone, LegEvent::Quiet);
    assert_eq!(code(&dial(&mut run, "a")), "phone_quiet");
    run.leg(phone, LegEvent::Heard);
    assert_eq!(dial(&mut run, "a"), Reply::Ok);
    let mut run = preview(1, &["a", "b"]);
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    run.leg(phone, LegEvent::Dead);
    assert_eq!(shown(&mut run, "b").as_deref(), Some("C1"));
}

#[test]
fn the_mode_is_left_in_mid_run_with_the_person_still_before_the_agent() {
    let mut run = preview(3, &["a", "b"]);
    let (campaign, mode) = ("test".to_owned(), "progressive".to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: None });
    skip(&mut run, "a");
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 1, "the next one is called at once");
    assert_eq!(
        (state(&run, "a"), state(&run, "b")),
        (AgentState::Reserved, AgentState::Previewing)
    );
    assert_eq!(dial(&mut run, "b"), Reply::Ok);
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 2);
}
