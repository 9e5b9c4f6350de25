//! Who may start how many calls: trunks, campaigns and prefixes, and agents between campaigns.

use super::*;

#[test]
fn calls_leave_no_faster_than_the_trunk_allows() {
    let names: Vec<String> = (0..40).map(|n| format!("agent{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut run = Run::new(100, &names, |_| {});
    run.pass(Duration::from_millis(1));
    let mut run = run.ready();
    run.pass(Duration::from_millis(990));
    assert!(run.dialed().len() <= 10, "{}", run.dialed().len());
    run.pass(Duration::from_secs(3));
    assert!((36..=40).contains(&run.dialed().len()), "{}", run.dialed().len());
}

#[test]
fn a_person_slows_a_trunk_down_and_never_speeds_it_up_beyond_its_limit() {
    let names: Vec<String> = (0..40).map(|n| format!("agent{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut run = Run::new(100, &names, |_| {}).ready();
    let rate = |calls_per_second| Command::TrunkRate { trunk: trunk().name, calls_per_second };
    run.command(rate(2));
    let before = run.dialed().len();
    run.pass(Duration::from_secs(10));
    let slow = run.dialed().len() - before;
    assert!((18..=20).contains(&slow), "{slow} in ten seconds");
    assert_eq!((run.view().trunks[0].calls_per_second, run.view().trunks[0].limit), (2, 10));
    for wrong in [0, 11] {
        run.command(rate(wrong));
        let last = run.replies.last().unwrap();
        assert!(matches!(last, Reply::Refused { code: "beyond_limit", .. }), "{last:?}");
    }
    run.command(Command::TrunkRate { trunk: "elsewhere".to_owned(), calls_per_second: 1 });
    let last = run.replies.last().unwrap();
    assert!(matches!(last, Reply::Refused { code: "unknown_trunk", .. }), "{last:?}");
}

#[test]
fn campaigns_share_agents_by_priority_and_weight() {
    let calls = |first: Sharing, second: Sharing| {
        let campaign = |name: &str, sharing| CampaignSettings {
            name: name.to_owned(),
            sharing,
            ..test_campaign()
        };
        let campaigns = vec![campaign("one", first), campaign("two", second)];
        let agents = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut run = Run::of(Account::default(), 100, &agents, campaigns, None, false).ready();
        run.pass(Duration::from_secs(2));
        let of = |id| run.dialer.calls.values().filter(|call| call.campaign == id).count();
        (of(CAMPAIGN), of(CampaignId(CAMPAIGN.0 + 1)))
    };
    let by = |priority, weight| Sharing { priority, weight };
    assert_eq!(calls(by(5, 1), by(5, 1)), (4, 4));
    assert_eq!(calls(by(5, 1), by(5, 3)), (2, 6));
    assert_eq!(calls(by(5, 100), by(4, 1)), (0, 8));
}

#[test]
fn a_campaigns_own_calls_per_second_hold_below_the_trunks_and_are_named() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let change = |settings: &mut CampaignSettings| settings.rates.campaign = Some(2);
    let mut run = Run::new(50, &names, change).ready();
    run.pass(Duration::from_millis(950));
    assert_eq!(run.dialed().len(), 2, "the trunk would have let ten go");
    assert_eq!(run.view().campaigns[0].held_by, Some("campaign_rate"));
    run.pass(Duration::from_secs(4));
    assert_eq!(run.dialed().len(), 8, "all agents have a call");
}

#[test]
fn numbers_that_begin_alike_have_calls_per_second_of_their_own_and_others_go_first() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut run = Run::new(6, &names, |settings| {
        settings.rates.prefixes = vec![("+8190".to_owned(), 1)];
    });
    let at_hand = &mut run.dialer.rooms.get_mut(&CAMPAIGN).unwrap().leads;
    for other in at_hand.iter_mut().skip(3) {
        let phone = &mut other.lead.phones[0];
        phone.number = phone.number.reveal().replace("+8190", "+8180").parse().unwrap();
    }
    let mut run = run.ready();
    run.pass(Duration::from_millis(600));
    assert_eq!(run.dialed().len(), 4, "three others, and one of those that begin alike");
    assert_eq!(run.view().campaigns[0].held_by, Some("prefix_rate"));
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 5);
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 6);
}
