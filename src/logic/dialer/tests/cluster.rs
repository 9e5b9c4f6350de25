//! One dialer among others: its lease, its share, and what it takes over.

use super::run::*;
use super::*;
use crate::logic::pacing::trunk_share::Share;

#[test]
fn no_invite_leaves_seven_seconds_after_the_last_beat_that_landed() {
    let mut run = Run::new(50, &["a", "b"], |_| {}).ready();
    run.deaf_to_beats = true;
    run.pass(Duration::from_secs(6));
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Challenged);
    let followed = |run: &Run| run.legs.contains(&(customer, LegCommand::Authorize));
    assert!(followed(&run), "trusted still");
    run.legs.clear();
    run.pass(Duration::from_secs(3));
    run.leg(customer, failed(486));
    run.pass(Duration::from_secs(1));
    assert_eq!((run.dialed(), run.view().campaigns[0].held_by), (vec![], Some("lease")));
    // Neither does the second INVITE of a call that is under way: another dialer may be ending it.
    let other = *run.dialer.legs.keys().next_back().unwrap();
    run.leg(other, LegEvent::Challenged);
    assert!(run.legs.contains(&(other, LegCommand::HangUp)), "{:?}", run.legs);
    run.deaf_to_beats = false;
    run.database_is_back();
    run.pass(Duration::from_secs(1));
    assert!(!run.dialed().is_empty(), "the beat that follows is trusted");
}

#[test]
fn who_was_taken_over_starts_nothing_and_goes_home_after_its_talks() {
    let mut run = Run::new(50, &["a", "b"], |_| {}).ready();
    run.pass(Duration::from_secs(1));
    let [talks, rings] = run.dialed()[..] else { panic!() };
    run.leg(talks, LegEvent::Answered(dialog()));
    run.deaf_to_beats = true;
    run.pass(Duration::from_secs(3));
    let (ticket, _) = run.held.pop().unwrap();
    let fenced = StoreReply::Refused { gate: Gate::NodeLease, until: None };
    run.input(Input::Stored(ticket, fenced));
    run.leg(rings, failed(486));
    run.pass(Duration::from_secs(20));
    assert_eq!(run.dialed().len(), 2);
    assert!(!run.finished, "a talk goes on");
    run.leg(talks, LegEvent::Ended { by_peer: true, q850: None });
    run.pass(Duration::from_secs(60));
    assert!(run.finished);
    assert!(run.outcomes().contains(&Outcome::Connected));
}

#[test]
fn the_work_of_a_dead_dialer_is_booked_and_its_legs_are_ended_once() {
    let mut run = Run::among_others(0, &["a"]);
    let mut open = left_open(run.now.utc);
    open.covered = false;
    let stray = OpenLeg { leg: LegId(9), ..open.legs[0].clone() };
    let work = OpenWork { attempts: vec![open], stray_legs: vec![stray] };
    let seen = Seen { work, ..Seen::default() };
    run.seen = seen.clone();
    run.pass(Duration::from_secs(2));
    let ended = |run: &Run| {
        let of = run.legs.iter().filter(|(_, command)| matches!(command, LegCommand::Recover(_)));
        of.map(|(leg, _)| *leg).collect::<Vec<_>>()
    };
    assert_eq!(ended(&run), [LegId(6), LegId(9)]);
    assert_eq!(run.outcomes(), [Outcome::Unknown]);
    assert_eq!((run.account.answered, run.account.abandoned), (1, 1));
    run.seen = Seen { work: OpenWork { attempts: vec![], ..seen.work }, ..seen };
    run.pass(Duration::from_secs(4));
    assert_eq!(ended(&run).len(), 2, "they are being ended already");
    run.leg(LegId(6), failed(486));
    assert_eq!(run.outcomes(), [Outcome::Unknown, Outcome::Busy]);
}

#[test]
fn nobody_is_ended_by_one_who_has_not_had_the_database_for_long() {
    let mut run = Run::among_others(0, &[]);
    run.pass(Duration::from_secs(19));
    let takes = |run: &Run| {
        run.rows.iter().any(|row| matches!(row, StoreCommand::Look(look) if look.take_lapsed))
    };
    assert!(!takes(&run));
    run.pass(Duration::from_secs(3));
    assert!(takes(&run));
    run.rows.clear();
    run.input(Input::ClockAhead(2_000));
    run.pass(Duration::from_secs(4));
    assert!(!takes(&run), "by a clock that is off, everybody may seem dead");
}

#[test]
fn without_a_share_of_the_trunk_nothing_is_dialed() {
    let mut run = Run::among_others(50, &["a", "b"]);
    run.share = Share::default();
    let mut run = run.ready();
    run.pass(Duration::from_secs(3));
    assert_eq!((run.dialed(), run.view().campaigns[0].held_by), (vec![], Some("share")));
    run.share = Share { calls_per_second: 10, channels: 1 };
    run.pass(Duration::from_secs(4));
    assert_eq!(run.dialed().len(), 1);
    assert_eq!(run.view().campaigns[0].held_by, Some("channels"));
    // Nobody is here any more: all is given back but the channel in use.
    for agent in ["a", "b"] {
        run.command(Command::AgentLogout { agent: agent.to_owned() });
    }
    let busy = run.dialed()[0];
    run.leg(busy, failed(486));
    run.pass(Duration::from_secs(3));
    let trunk = &run.view().trunks[0];
    assert_eq!((trunk.calls_per_second, trunk.channels, trunk.limit), (0, 0, 10));
}

#[test]
fn a_share_that_others_want_is_given_up_before_the_row_says_so() {
    let mut run = Run::among_others(50, &["a", "b"]).ready();
    run.pass(Duration::from_secs(4));
    assert_eq!(run.view().trunks[0].calls_per_second, 10);
    run.wanting = 2;
    run.pass(Duration::from_secs(2));
    let mut asks = run.rows.iter().rev().filter_map(|row| {
        if let StoreCommand::DrawShare(draw) = row { Some(draw.ask) } else { None }
    });
    assert_eq!(asks.next().unwrap().keep, Share { calls_per_second: 5, channels: 25 });
    assert_eq!(run.view().trunks[0].calls_per_second, 5);
}

#[test]
fn an_agent_of_another_dialer_is_told_where() {
    let mut run = Run::new(5, &["a"], |_| {});
    run.held_by = Some("east".to_owned());
    run.command(Command::AgentLogin { agent: "a".to_owned() });
    let Some(Reply::Refused { code: "held_elsewhere", message }) = run.replies.last() else {
        panic!("{:?}", run.replies)
    };
    assert!(message.contains("east"), "{message}");
    assert_eq!(run.view().agents[0].state, command::AgentState::Offline);
    run.held_by = None;
    run.command(Command::AgentLogin { agent: "a".to_owned() });
    assert_eq!(run.replies.last(), Some(&Reply::Ok));
}

#[test]
fn a_pause_at_another_dialer_holds_this_one_back() {
    let mut run = Run::among_others(50, &["a"]).ready();
    run.pass(Duration::from_secs(4));
    assert_eq!(run.dialed().len(), 1);
    let later = run.now.utc;
    run.seen.campaigns = vec![(CAMPAIGN, CampaignState::Paused, later)];
    run.pass(Duration::from_secs(2));
    assert_eq!(run.view().campaigns[0].state, "paused");
    assert!(run.rows.iter().any(|row| matches!(row, StoreCommand::Release(_))));
    run.seen.campaigns = vec![(CAMPAIGN, CampaignState::Running, later + Duration::from_secs(1))];
    run.pass(Duration::from_secs(2));
    assert_eq!(run.view().campaigns[0].state, "running");
}

#[test]
fn leads_are_left_to_others_while_nobody_here_can_take_a_call() {
    let mut run = Run::among_others(50, &["a"]);
    run.pass(Duration::from_secs(3));
    assert!(!run.rows.iter().any(|row| matches!(row, StoreCommand::Claim(_))));
    let mut run = run.ready();
    run.pass(Duration::from_secs(3));
    assert_eq!(run.dialed().len(), 1);
    let busy = run.dialed()[0];
    run.command(Command::AgentPause { agent: "a".to_owned(), reason: None });
    run.leg(busy, failed(486));
    run.pass(Duration::from_secs(2));
    let given_back = run.rows.iter().filter(|row| matches!(row, StoreCommand::Release(_))).count();
    assert_eq!((given_back, run.view().campaigns[0].prefetched), (19, 0));
}
