//! As many lines as will find an agent, as far as the ledger bears it.

use super::*;
use crate::logic::settings::DialMode;

/// A run in predictive mode whose ledger holds so many answers and nothing abandoned.
fn predictive(agents: &[&str], answered: u64) -> Run {
    let account = Account { answered, ..Account::default() };
    let run = Run::with_ledger(account, 400, agents, |campaign| {
        campaign.mode = DialMode::Predictive;
    });
    let mut run = run.ready();
    run.pass(Duration::from_millis(1_400));
    run
}

fn pacing(run: &Run) -> command::PacingLine {
    run.view().campaigns[0].pacing.clone().expect("nothing was predicted")
}

#[test]
fn without_credit_it_dials_as_progressive() {
    let run = predictive(&["a", "b", "c"], 0);
    assert_eq!(run.dialed().len(), 3);
    assert_eq!(run.view().campaigns[0].held_by, Some("credit"));
    assert_eq!(run.view().campaigns[0].mode, "predictive");
}

#[test]
fn until_twenty_answers_are_seen_it_opens_half_a_line_more_for_each_agent() {
    let run = predictive(&["a", "b", "c", "d"], 1_000);
    assert_eq!(run.dialed().len(), 6);
    assert_eq!(run.view().campaigns[0].held_by, Some("cold_start"));
    assert!(pacing(&run).answer > 0.2, "{:?}", pacing(&run));
}

#[test]
fn the_ledger_admits_what_the_engine_wants_and_no_more() {
    let mut run = predictive(&["a", "b", "c", "d"], 33);
    assert_eq!(run.dialed().len(), 5, "one call may be lost among thirty-four answers");
    // Short of credit the engine takes less risk, so that either holds it in turn.
    let mut held_by = vec![];
    for _ in 0..4 {
        run.pass(Duration::from_millis(500));
        let campaign = &run.view().campaigns[0];
        assert!(campaign.ledger.uncovered <= 1, "{:?}", campaign.ledger);
        held_by.push(campaign.held_by);
    }
    assert!(held_by.contains(&Some("credit")), "{held_by:?}");
}

#[test]
fn one_agent_alone_is_told_that_prediction_does_not_help() {
    let run = predictive(&["a"], 1_000);
    assert!(pacing(&run).small_team);
    assert_eq!(run.dialed().len(), 2, "progressive, and one line more while credit bears it");
    assert_eq!(run.view().campaigns[0].held_by, Some("small_team"));
    assert_eq!(predictive(&["a"], 0).dialed().len(), 1);
}

#[test]
fn once_it_knows_how_long_agents_take_it_calls_before_any_is_free() {
    let mut run = predictive(&["a", "b", "c", "d"], 1_000);
    let waits = |run: &Run| {
        let free = [command::AgentState::Ready, command::AgentState::Reserved];
        run.view().agents.iter().any(|agent| free.contains(&agent.state))
    };
    // Every call rings for two seconds and is talked on for three; every wrap-up lasts its ten.
    let (mut begun, mut ahead) = (BTreeMap::new(), 0);
    for step in 0..600 {
        for leg in run.dialed() {
            let since = *begun.entry(leg).or_insert(step);
            match step - since {
                1 => run.leg(leg, LegEvent::Ringing),
                5 => run.leg(leg, LegEvent::Answered(dialog())),
                11 => run.leg(leg, LegEvent::Ended { by_peer: true, q850: None }),
                _ => {}
            }
        }
        let before = run.dialed().len();
        let busy = !waits(&run);
        run.pass(Duration::from_millis(500));
        ahead += if busy && !waits(&run) { run.dialed().len() - before } else { 0 };
    }
    assert!(ahead > 10, "{ahead} of {}, {:?}", run.dialed().len(), pacing(&run));
}

#[test]
fn it_learns_from_what_happens() {
    let mut run = predictive(&["a", "b"], 1_000);
    let at_first = pacing(&run).answer;
    // Every number is dead.
    let mut told = 0;
    while run.view().campaigns[0].held_by != Some("carrier") && told < 200 {
        for leg in run.dialed().into_iter().skip(told).collect::<Vec<_>>() {
            run.leg(leg, failed(404));
            told += 1;
        }
        run.pass(Duration::from_millis(500));
    }
    assert!((10..100).contains(&told), "{told}");
    assert!(pacing(&run).answer < at_first, "{at_first} {:?}", pacing(&run));
}

#[test]
fn it_is_switched_on_and_off_in_mid_run() {
    let mut run = Run::with_ledger(
        Account { answered: 1_000, ..Account::default() },
        400,
        &["a", "b", "c", "d"],
        |_| {},
    )
    .ready();
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 4);
    let mode = |mode: &str, ratio| Command::CampaignMode {
        campaign: "test".to_owned(),
        mode: mode.to_owned(),
        ratio,
    };
    run.command(mode("predictive", Some(2_000)));
    assert!(matches!(run.replies.last(), Some(Reply::Refused { code: "bad_mode", .. })));
    run.command(mode("predictive", None));
    assert_eq!(run.replies.last(), Some(&Reply::Ok));
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 6);
    run.command(mode("progressive", None));
    assert_eq!(run.view().campaigns[0].pacing, None);
    for leg in run.dialed() {
        run.leg(leg, failed(486));
    }
    run.pass(Duration::from_secs(1));
    let uncovered = run.view().campaigns[0].ledger.uncovered;
    assert_eq!(uncovered, 0, "one line per free agent again");
}

#[test]
fn another_window_begins_with_a_balance_of_its_own() {
    let mut run = predictive(&["a", "b", "c", "d"], 1_000);
    let before = pacing(&run).credit;
    run.account = Account::default();
    // 00:00 in Tokyo, where the windows of the ledger begin.
    run.set_clock(UtcMs(1_790_002_800_000));
    run.pass(Duration::from_secs(2));
    assert!(before > 3.0 && pacing(&run).credit <= 0.5, "{before} {:?}", pacing(&run));
}

/// What was written of what a run has learned, and what was wrong with the text before.
fn learned(run: &Run) -> Vec<(&str, Option<&str>)> {
    run.rows
        .iter()
        .filter_map(|row| {
            let StoreCommand::Learned(learned) = row else { return None };
            let told = (learned.body.as_str(), learned.unreadable.as_deref());
            (learned.part == LearnedPart::Pacing).then_some(told)
        })
        .collect()
}

/// A run that is switched to predictive mode and finds this text.
fn with_learned(text: &str) -> Run {
    let account = Account { answered: 1_000, ..Account::default() };
    let mut run = Run::with_ledger(account, 100, &["a", "b", "c", "d"], |_| {}).ready();
    run.dialer.rooms.get_mut(&CAMPAIGN).unwrap().learned.pacing = Some(text.to_owned());
    let (campaign, mode) = ("test".to_owned(), "predictive".to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: None });
    run.pass(Duration::from_secs(1));
    run
}

#[test]
fn what_is_learned_is_written_every_minute_and_at_the_end_and_a_restart_knows_it() {
    let mut run = predictive(&["a", "b", "c", "d"], 1_000);
    let mut answered = 0;
    while learned(&run).is_empty() || answered < 25 {
        for leg in run.dialed().into_iter().skip(answered).collect::<Vec<_>>() {
            run.leg(leg, LegEvent::Ringing);
            run.leg(leg, LegEvent::Answered(dialog()));
            run.leg(leg, LegEvent::Ended { by_peer: true, q850: None });
            answered += 1;
        }
        run.pass(Duration::from_secs(1));
    }
    assert!(run.now.tick.since(Tick::START) >= Duration::from_secs(60));
    let before = learned(&run).len();
    run.command(Command::CampaignPause { campaign: "test".to_owned() });
    run.input(Input::Shutdown);
    run.pass(Duration::from_secs(40));
    let last = learned(&run).last().unwrap().0.to_owned();
    assert!(run.finished && learned(&run).len() > before);
    let again = with_learned(&last);
    assert_ne!(again.view().campaigns[0].held_by, Some("cold_start"));
    assert!((pacing(&again).level - 1.0).abs() > 0.1, "{:?}", pacing(&again));
    assert_eq!(learned(&again), []);
}

#[test]
fn whoever_has_no_calls_does_not_write_over_what_other_dialers_have_learned() {
    let predicts = |campaign: &mut CampaignSettings| campaign.mode = DialMode::Predictive;
    let account = Account { answered: 1_000, ..Account::default() };
    let mut idle = Run::sharing(true, account, 100, &["a"], predicts);
    idle.pass(Duration::from_secs(300));
    assert!(idle.view().campaigns[0].pacing.is_some(), "the engine is asked all the same");
    assert_eq!(learned(&idle), []);
    let (campaign, mode) = ("test".to_owned(), "progressive".to_owned());
    idle.command(Command::CampaignMode { campaign, mode, ratio: None });
    assert_eq!(learned(&idle), []);
    let mut paused = predictive(&["a", "b", "c", "d"], 1_000);
    paused.command(Command::CampaignPause { campaign: "test".to_owned() });
    for leg in paused.dialed() {
        paused.leg(leg, failed(486));
    }
    paused.pass(Duration::from_secs(300));
    let last = learned(&paused).len();
    assert!((1..=2).contains(&last), "at the pause, and what came after it: {last}");
}

#[test]
fn what_cannot_be_read_is_told_and_replaced_and_the_campaign_begins_cold() {
    let run = with_learned("{\"version\": 9}");
    let told = learned(&run);
    assert!(matches!(told[..], [(_, Some(wrong))] if wrong.contains("first line")), "{told:?}");
    assert!(told[0].0.starts_with("outdial pacing 1"));
    assert_eq!(run.view().campaigns[0].held_by, Some("cold_start"));
    assert_eq!(run.dialed().len(), 6, "it dials all the same");
}
