//! Who answers: learned from what happens, called first, told to the engine.

use super::*;
use crate::logic::pacing::answer_model::AnswerModel;
use crate::logic::pacing::answer_model::features::{Features, LastTime, NumberKind, region};
use crate::logic::pacing::journal::{Line, Replay};
use crate::logic::phone::PhoneKind;
use crate::logic::settings::DialMode;

/// A model that has seen mobile phones answered and landlines not.
fn taught() -> String {
    let mut model = AnswerModel::new();
    for call in 0..2_000 {
        let kind = if call % 2 == 0 { NumberKind::Mobile } else { NumberKind::Fixed };
        let known = Features {
            hour: 9,
            weekday: 1,
            kind,
            region: region("8190"),
            attempts: 0,
            last: LastTime::Never,
            rang: 0,
        };
        model.learn(&known, kind == NumberKind::Mobile && call % 4 == 0);
    }
    model.to_text()
}

fn of(n: i64, kind: PhoneKind) -> ClaimedLead {
    let mut lead = lead(n);
    lead.phones[0].kind = Some(kind);
    lead
}

/// A run in predictive mode, with these leads and what an earlier one has learned.
fn knowing(leads: Vec<ClaimedLead>, learn: bool) -> Run {
    let account = Account { answered: 1_000, ..Account::default() };
    let mut run = Run::with_ledger(account, 100, &["a", "b", "c", "d"], |settings| {
        settings.learn_who_answers = learn;
    });
    // Instead of those that were claimed at once.
    run.leads = leads;
    let room = run.dialer.rooms.get_mut(&CAMPAIGN).unwrap();
    room.leads.clear();
    room.learned.answers = Some(taught());
    let (campaign, mode) = ("test".to_owned(), DialMode::Predictive.as_str().to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: None });
    run
}

/// The first three, in the order in which they were called.
fn called(run: &Run) -> Vec<i64> {
    run.dialer.calls.values().map(|call| call.lead.lead.0).take(3).collect()
}

fn lines(run: &Run) -> command::AnswersLine {
    run.view().campaigns[0].pacing.clone().unwrap().answers.unwrap()
}

fn mixed() -> Vec<ClaimedLead> {
    let mut leads: Vec<ClaimedLead> = (1..=3).map(|n| of(n, PhoneKind::Fixed)).collect();
    leads.extend((4..=6).map(|n| of(n, PhoneKind::Mobile)));
    leads
}

#[test]
fn of_leads_that_are_equally_urgent_the_likeliest_are_called_first() {
    let run = |learn| {
        let mut run = knowing(mixed(), learn).ready();
        run.pass(Duration::from_secs(2));
        run
    };
    assert_eq!(called(&run(true)), [4, 5, 6]);
    let off = run(false);
    assert_eq!(called(&off), [1, 2, 3], "as they came");
    assert_eq!(off.view().campaigns[0].pacing.clone().unwrap().answers, None);
}

#[test]
fn rank_and_promises_go_before_any_chance() {
    let mut leads = mixed();
    // Lower ranks come first: one landline before all others.
    for (lead, rank) in leads.iter_mut().zip([1, 1, 0, 1, 1, 1]) {
        lead.rank = rank;
    }
    let due = UtcMs(1_790_000_000_000);
    leads[1].promise = Some(Promise { due, owner: None });
    let mut run = knowing(leads, true).ready();
    run.pass(Duration::from_secs(2));
    assert_eq!(called(&run), [2, 3, 4]);
}

#[test]
fn nobody_is_passed_over_for_more_than_a_minute() {
    let mut run = knowing(vec![], true);
    let now = run.now;
    let first = |run: &mut Run, seconds, leads: Vec<ClaimedLead>| {
        let after = Duration::from_secs(seconds);
        let at = Now { tick: now.tick + after, utc: now.utc + after };
        let room = run.dialer.rooms.get_mut(&CAMPAIGN).unwrap();
        room.line_up(at, leads);
        room.leads[0].lead.lead.0
    };
    assert_eq!(first(&mut run, 0, vec![of(1, PhoneKind::Fixed)]), 1);
    assert_eq!(first(&mut run, 59, vec![of(2, PhoneKind::Mobile)]), 2);
    assert_eq!(first(&mut run, 60, vec![of(3, PhoneKind::Mobile)]), 1);
}

#[test]
fn only_what_tells_of_the_person_is_learned_from() {
    let mut run = knowing((1..=40).map(|n| of(n, PhoneKind::Mobile)).collect(), true).ready();
    run.pass(Duration::from_secs(2));
    let (before, legs) = (lines(&run), run.dialed());
    assert_eq!(before.calls, 2_000.0);
    run.leg(legs[0], failed(503));
    assert_eq!(lines(&run).calls, 2_000.0, "the carrier did not even try");
    run.leg(legs[1], failed(486));
    assert_eq!(lines(&run).calls, 2_001.0);
    run.leg(legs[2], LegEvent::Ringing);
    run.leg(legs[2], LegEvent::Answered(dialog()));
    run.leg(legs[2], LegEvent::Ended { by_peer: true, q850: None });
    let after = lines(&run);
    let answers =
        |line: &command::AnswersLine| -> f64 { line.tenths.iter().map(|t| t.answers).sum() };
    assert_eq!(after.calls, 2_002.0);
    assert_eq!(answers(&after), answers(&before) + 1.0);
}

#[test]
fn what_is_learned_is_written_and_a_damaged_text_is_told() {
    let written = |run: &Run| -> Vec<(String, bool)> {
        let learned = run.rows.iter().filter_map(|row| {
            let StoreCommand::Learned(learned) = row else { return None };
            let ours = learned.part == LearnedPart::Answers;
            ours.then(|| (learned.body.clone(), learned.unreadable.is_some()))
        });
        learned.collect()
    };
    let mut run = knowing(mixed(), true).ready();
    run.pass(Duration::from_secs(2));
    run.leg(run.dialed()[0], failed(486));
    run.pass(Duration::from_secs(61));
    let (text, unreadable) = written(&run).pop().unwrap();
    assert!(!unreadable && AnswerModel::from_text(&text).is_ok() && text != taught());
    let mut run = Run::new(3, &["a"], |_| {});
    run.dialer.rooms.get_mut(&CAMPAIGN).unwrap().learned.answers = Some("torn".to_owned());
    let (campaign, mode) = ("test".to_owned(), DialMode::Predictive.as_str().to_owned());
    run.command(Command::CampaignMode { campaign, mode, ratio: None });
    assert!(matches!(&written(&run)[..], [(_, true)]), "told once");
}

#[test]
fn a_journal_holds_the_odds_and_says_the_same_again() {
    let mut run = knowing((1..=40).map(|n| of(n, PhoneKind::Mobile)).collect(), true);
    run.dialer.keep_journal(1 << 20);
    let mut run = run.ready();
    for _ in 0..8 {
        run.pass(Duration::from_millis(500));
    }
    let (mut replay, mut with_odds, mut asked) = (Replay::default(), 0, 0);
    for (_, line) in run.dialer.take_journal() {
        if let Line::Asked { next, calls, .. } = &line {
            with_odds += usize::from(!next.is_empty() || !calls.is_empty());
        }
        if let Some((said, written)) = replay.play(line).unwrap() {
            assert_eq!(said, written);
            asked += 1;
        }
    }
    assert!(asked >= 8 && with_odds > 0, "{asked} {with_odds}");
}
