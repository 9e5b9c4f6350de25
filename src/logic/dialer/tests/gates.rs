//! Gates between the claim and the INVITE, each asked again while a call waits.

use super::*;

#[test]
fn a_refused_intent_frees_the_agent_and_sends_nothing() {
    let mut run = Run::new(3, &["a"], |_| {});
    run.refuse = Some(Gate::Suppressed);
    let run = run.ready();
    assert_eq!(run.dialed(), []);
    assert_eq!(run.outcomes(), []);
    let blocked = run.rows.iter().filter(
        |row| matches!(row, StoreCommand::Release(release) if release.after.state == LeadState::Blocked),
    );
    assert_eq!(blocked.count(), 3);
}

#[test]
fn a_number_we_are_speaking_with_is_asked_for_again_in_minutes() {
    let mut run = Run::new(1, &["a"], |_| {});
    run.refuse = Some(Gate::NumberBusy);
    let run = run.ready();
    let after = run.rows.iter().find_map(|row| {
        if let StoreCommand::Release(release) = row { Some(&release.after) } else { None }
    });
    let after = after.unwrap();
    assert_eq!((after.state, after.gate), (LeadState::Waiting, Some(Gate::NumberBusy)));
    assert!(after.due <= run.now.utc + Duration::from_secs(300), "{after:?}");
}

#[test]
fn a_number_outside_the_countries_is_never_dialed() {
    let run = Run::new(3, &["a"], |settings| settings.countries = vec!["44".to_owned()]).ready();
    assert_eq!(run.dialed(), []);
    assert_eq!(run.view().campaigns[0].gates, [("country", 3)]);
}

#[test]
fn a_refusal_is_confirmed_only_when_it_is_durable() {
    let mut run = Run::new(1, &["a"], |_| {}).ready();
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Answered(dialog()));
    run.leg(customer, LegEvent::Ended { by_peer: true, q850: None });
    run.hangs = true;
    run.media.clear();
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    run.leg(phone, LegEvent::Digit('9'));
    assert_eq!(run.media, [], "no tone before the commit");
    run.database_is_back();
    assert!(matches!(run.media[..], [crate::logic::media::MediaCommand::Play { .. }]));
    let suppressed = run
        .rows
        .iter()
        .any(|row| matches!(row, StoreCommand::Disposition(d) if d.suppress.is_some()));
    assert!(suppressed);
}

#[test]
fn a_number_that_is_suppressed_while_its_intent_waits_is_not_called() {
    let mut run = Run::new(2, &["a", "b"], |_| {});
    run.pass(Duration::from_millis(1));
    let mut run = run.ready();
    let before = run.dialed().len();
    assert_eq!(before, 1, "the second one waits for the rate");
    run.command(Command::Suppress {
        seller: "ACME".to_owned(),
        number: lead(2).phones[0].key.clone(),
        reason: "do_not_call".to_owned(),
        proof: "letter".to_owned(),
    });
    run.pass(Duration::from_secs(3));
    assert_eq!(run.dialed().len(), 1, "{:?}", run.legs);
}

#[test]
fn a_number_that_is_suppressed_while_its_second_invite_waits_is_not_called() {
    let mut run = Run::new(2, &["a", "b"], |_| {}).ready();
    run.command(Command::TrunkRate { trunk: trunk().name, calls_per_second: 1 });
    let (first, before) = (run.dialed()[0], run.legs.len());
    run.leg(first, LegEvent::Challenged);
    run.command(Command::Suppress {
        seller: "ACME".to_owned(),
        number: lead(1).phones[0].key.clone(),
        reason: "do_not_call".to_owned(),
        proof: "letter".to_owned(),
    });
    assert!(run.legs[before..].contains(&(first, LegCommand::HangUp)), "{:?}", run.legs);
    run.pass(Duration::from_secs(5));
    assert!(!run.legs.contains(&(first, LegCommand::Authorize)), "{:?}", run.legs);
    // Whose number was not named is called, after a challenge as without one.
    let second = run.dialed()[1];
    run.leg(second, LegEvent::Challenged);
    run.pass(Duration::from_secs(2));
    assert!(run.legs.contains(&(second, LegCommand::Authorize)), "{:?}", run.legs);
}

#[test]
fn what_happens_while_a_call_waits_for_its_turn_is_asked_once_more() {
    let changes: [fn(&mut Run); 3] = [
        |run| {
            let kept = run.dialer.calls.values().last().unwrap().agent.unwrap();
            let phone = run.dialer.desks[&kept].leg.unwrap();
            run.leg(phone, LegEvent::Dead);
        },
        // 23:59:50 in Tokyo: too late for a whole ring.
        |run| run.now.utc = UtcMs(1_790_002_790_000),
        |run| run.input(Input::StoreHealth(StoreHealth::Gone)),
    ];
    for change in changes {
        let mut run = Run::new(2, &["a", "b"], promises::evenings).ready();
        assert_eq!((run.prepared().len(), run.dialed().len()), (2, 1));
        change(&mut run);
        run.pass(Duration::from_secs(1));
        assert_eq!(run.dialed().len(), 1);
        assert_eq!(run.outcomes(), [Outcome::NotPlaced]);
    }
}
