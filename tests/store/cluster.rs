//! Several processes on one database: agents held, the dead taken over by exactly one, trunks shared. And on PostgreSQL all
//! of it at the same moment.

use std::collections::BTreeSet;
use std::time::Duration;

use outdial::logic::compliance::abandon_ledger::WindowSpan;
use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::pacing::trunk_share::{Share, ShareAsk};
use outdial::logic::time::UtcMs;
use outdial::store::{
    Db, NewNode, NodeIdentity, NodeState, nodes, register_node, run_batch, run_batch_isolating,
};

use crate::harness::*;

on_both! {
    an_agent_is_held_by_one_process_until_the_shift_ends
    an_agent_of_a_dead_process_is_free
    what_a_dead_process_left_is_taken_by_exactly_one
    what_a_dead_survivor_had_taken_is_taken_again
    a_process_that_was_taken_over_starts_nothing_and_its_facts_are_kept
    a_lease_that_is_over_is_as_good_as_new_until_somebody_takes_over
    attempts_of_a_campaign_we_do_not_run_wait_and_their_legs_do_not
    shares_of_a_trunk_never_add_up_to_more
    legs_that_a_dead_process_left_up_hold_their_channels
    a_process_that_ends_in_order_leaves_nothing
    the_list_of_processes_says_who_is_there
}

/// Another process on the same database.
struct Peer {
    db: Db,
    node: NodeIdentity,
    ids: IdMaker,
}

impl Peer {
    async fn join(world: &World, name: &str, lease: Duration) -> Self {
        let mut db = Db::open_writer(&world.url).await.unwrap();
        let new = NewNode { lease_until: world.now + lease, now: world.now, ..new_node(name, 77) };
        let node = register_node(&mut db, &new).await.unwrap();
        let ids = IdMaker::new(node.epoch);
        Self { db, node, ids }
    }

    /// The world acts as this process; called again, as itself.
    fn swap(&mut self, world: &mut World) {
        std::mem::swap(&mut self.db, &mut world.db);
        std::mem::swap(&mut self.node, &mut world.node);
        std::mem::swap(&mut self.ids, &mut world.ids);
    }

    async fn one(&mut self, command: StoreCommand) -> StoreReply {
        run_batch(&mut self.db, &self.node, &[command]).await.unwrap().remove(0)
    }

    async fn look(&mut self, world: &World, take_lapsed: bool) -> Seen {
        let look = Look { campaigns: vec![world.campaign], take_lapsed, now: world.now };
        let reply = self.one(StoreCommand::Look(look)).await;
        let StoreReply::Seen(seen) = reply else { panic!("{reply:?}") };
        *seen
    }

    async fn close(self) {
        self.db.close().await.unwrap();
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn shift(leg: i64, at: UtcMs) -> StoreCommand {
    let call = "{}".to_owned();
    StoreCommand::AgentLeg(AgentLeg { leg: LegId(leg), agent: AGENT, call, now: at })
}

fn leg_ended(leg: LegId, at: UtcMs) -> StoreCommand {
    StoreCommand::LegEnded(LegEnded { leg, sip_status: None, q850: None, at })
}

async fn an_agent_is_held_by_one_process_until_the_shift_ends(world: &mut World) {
    world.sql("insert into agent (id, name) values (55, 'ann')").await;
    let mut there = Peer::join(world, "there", DAY).await;
    let (first, at) = (world.id(), world.now);
    assert_eq!(world.twice(&[shift(first, at)]).await, [StoreReply::Done]);
    let theirs = there.ids.make().unwrap();
    let held = StoreReply::Held { by: "here".to_owned() };
    assert_eq!(there.one(shift(theirs, at)).await, held);
    assert_eq!(world.numbers("select count(*) from leg").await, [1], "no leg without its agent");
    // A leg of an earlier shift that ends late frees nobody.
    let second = world.id();
    world.twice(&[shift(second, at), leg_ended(LegId(first), at)]).await;
    assert_eq!(there.one(shift(theirs, at)).await, held);
    world.twice(&[leg_ended(LegId(second), at)]).await;
    assert_eq!(there.one(shift(theirs, at)).await, StoreReply::Done);
    let back = world.id();
    let reply = world.one(shift(back, at)).await;
    assert_eq!(reply, StoreReply::Held { by: "there".to_owned() });
    there.close().await;
}

async fn an_agent_of_a_dead_process_is_free(world: &mut World) {
    world.sql("insert into agent (id, name) values (55, 'ann')").await;
    let mut there = Peer::join(world, "there", MINUTE).await;
    let leg = there.ids.make().unwrap();
    there.one(shift(leg, world.now)).await;
    world.now = world.now + MINUTE * 2;
    let (ours, at) = (world.id(), world.now);
    let reply = world.one(shift(ours, at)).await;
    assert_eq!(reply, StoreReply::Held { by: "there".to_owned() }, "late is not dead");
    let node = world.node.clone();
    let seen = world.take_over(&node, true).await;
    assert_eq!(seen.work.stray_legs[0].leg, LegId(leg));
    assert_eq!(seen.work.stray_legs[0].peer_name, "ann");
    assert_eq!(world.one(shift(ours, at)).await, StoreReply::Done);
    // The old leg is ended by us: it frees nobody.
    world.one(leg_ended(LegId(leg), at)).await;
    let held = "select count(*) from agent where leg_id is not null";
    assert_eq!(world.numbers(held).await, [1]);
    there.close().await;
}

/// A process with one call under way and one lead more in hand, whose lease lasts a minute.
async fn doomed(world: &mut World) -> (Peer, Intent) {
    for n in 1..=2 {
        world.lead(n).await;
    }
    let mut doomed = Peer::join(world, "doomed", MINUTE).await;
    doomed.swap(world);
    let leads = world.claim(1, 2).await;
    let intent = world.intent(&leads[0]);
    assert_eq!(world.one(StoreCommand::Intent(Box::new(intent.clone()))).await, StoreReply::Saved);
    doomed.swap(world);
    world.now = world.now + MINUTE;
    (doomed, intent)
}

async fn what_a_dead_process_left_is_taken_by_exactly_one(world: &mut World) {
    let (doomed, intent) = doomed(world).await;
    let (mut one, mut two) =
        (Peer::join(world, "one", DAY).await, Peer::join(world, "two", DAY).await);
    assert_eq!(one.look(world, false).await, world.nothing_seen(T0));
    let seen = one.look(world, true).await;
    assert_eq!(seen.leads, 1);
    assert_eq!(seen.work.attempts.len(), 1);
    let open = &seen.work.attempts[0];
    assert_eq!((open.attempt, open.lead, open.covered), (intent.attempt, intent.lead, true));
    assert_eq!((open.legs[0].leg, open.legs[0].boot), (intent.leg, 77));
    assert_eq!(two.look(world, true).await, world.nothing_seen(T0), "one was faster");
    let again = one.look(world, true).await;
    assert_eq!((again.work, again.leads), (seen.work, 0), "the reply may have been lost");
    for peer in [doomed, one, two] {
        peer.close().await;
    }
}

async fn what_a_dead_survivor_had_taken_is_taken_again(world: &mut World) {
    let (doomed, intent) = doomed(world).await;
    let mut one = Peer::join(world, "one", MINUTE).await;
    let first = one.look(world, true).await.work;
    world.now = world.now + MINUTE * 2;
    let mut two = Peer::join(world, "two", DAY).await;
    assert_eq!(two.look(world, true).await.work, first, "with the boot of who made it");
    let unknown = world.outcome(&intent, Outcome::Unknown);
    two.one(StoreCommand::Outcome(Box::new(unknown))).await;
    assert_eq!(two.look(world, true).await.work, OpenWork::default());
    for peer in [doomed, one, two] {
        peer.close().await;
    }
}

async fn a_process_that_was_taken_over_starts_nothing_and_its_facts_are_kept(world: &mut World) {
    let (mut back, intent) = doomed(world).await;
    let node = world.node.clone();
    world.take_over(&node, true).await;
    let mut unknown = world.outcome(&intent, Outcome::Unknown);
    (unknown.after.state, unknown.after.due) = (LeadState::Waiting, world.now + DAY);
    world.one(StoreCommand::Outcome(Box::new(unknown))).await;
    // It comes back, and hears so at its first beat.
    let fenced = StoreReply::Refused { gate: Gate::NodeLease, until: None };
    let (until, now) = (world.now + MINUTE, world.now);
    assert_eq!(back.one(StoreCommand::Heartbeat { until, now }).await, fenced);
    world.lead(3).await;
    back.swap(world);
    let leads = world.claim(2, 5).await;
    let next = world.intent(&leads[0]);
    assert_eq!(world.one(StoreCommand::Intent(Box::new(next))).await, fenced);
    // What it saw of its last call is a fact.
    let mut talked = world.outcome(&intent, Outcome::Connected);
    talked.after.state = LeadState::Done;
    world.twice(&[StoreCommand::Outcome(Box::new(talked))]).await;
    back.swap(world);
    let sql = format!(
        "select count(*) from attempt where id = {} and outcome = 'connected' and first_outcome = 'unknown'",
        intent.attempt
    );
    assert_eq!(world.numbers(&sql).await, [1]);
    let lead = format!("select state from lead where id = {}", intent.lead);
    assert_eq!(world.numbers(&lead).await, [LeadState::Done.code()]);
    // And the leads it took since come back at the next look.
    assert!(world.take_over(&node, true).await.leads > 0);
    back.close().await;
}

async fn a_lease_that_is_over_is_as_good_as_new_until_somebody_takes_over(world: &mut World) {
    let (mut slow, intent) = doomed(world).await;
    let (until, now) = (world.now + MINUTE, world.now);
    let node = world.node.clone();
    world.take_over(&node, false).await;
    assert_eq!(slow.one(StoreCommand::Heartbeat { until, now }).await, StoreReply::Done);
    assert_eq!(world.take_over(&node, true).await, world.nothing_seen(T0));
    let busy = world.outcome(&intent, Outcome::Busy);
    slow.one(StoreCommand::Outcome(Box::new(busy))).await;
    slow.close().await;
}

async fn attempts_of_a_campaign_we_do_not_run_wait_and_their_legs_do_not(world: &mut World) {
    let (doomed, intent) = doomed(world).await;
    let (node, now) = (world.node.clone(), world.now);
    let look = Look { campaigns: vec![], take_lapsed: true, now };
    let seen = outdial::store::take_over(&mut world.db, &node, &look).await.unwrap();
    assert_eq!((seen.work.attempts.len(), seen.work.stray_legs[0].leg), (0, intent.leg));
    let mut other = Peer::join(world, "other", DAY).await;
    let theirs = other.look(world, true).await.work;
    assert_eq!(theirs.attempts[0].attempt, intent.attempt);
    assert_eq!((theirs.attempts[0].legs.len(), theirs.stray_legs.len()), (0, 0));
    other.close().await;
    doomed.close().await;
}

const LIMIT: Share = Share { calls_per_second: 10, channels: 30 };

fn draw(keep: Share, want: Share, now: UtcMs) -> StoreCommand {
    let wanted = want != Share::default();
    let ask = ShareAsk { limit: LIMIT, keep, want, wanted };
    StoreCommand::DrawShare(DrawShare { trunk: "main".to_owned(), ask, now })
}

fn drawn(reply: &StoreReply) -> (Share, u32, u32) {
    let StoreReply::Share(drawn) = reply else { panic!("{reply:?}") };
    (drawn.share, drawn.wanting, drawn.place)
}

async fn shares_of_a_trunk_never_add_up_to_more(world: &mut World) {
    let (nothing, at) = (Share::default(), world.now);
    let mut there = Peer::join(world, "there", MINUTE).await;
    let all = world.twice(&[draw(nothing, LIMIT, at)]).await;
    assert_eq!(drawn(&all[0]), (LIMIT, 1, 0));
    let half = Share { calls_per_second: 5, channels: 15 };
    assert_eq!(drawn(&there.one(draw(nothing, half, at)).await), (nothing, 2, 1));
    // Twenty calls are up: so many channels stay.
    let keep = Share { calls_per_second: 5, channels: 20 };
    assert_eq!(drawn(&world.one(draw(keep, keep, at)).await), (keep, 2, 0));
    let rest = Share { calls_per_second: 5, channels: 10 };
    assert_eq!(drawn(&there.one(draw(nothing, half, at)).await).0, rest);
    // Another trunk is another matter; and who has died holds nothing once he is taken over.
    world.now = world.now + MINUTE * 2;
    assert_eq!(drawn(&world.one(draw(keep, LIMIT, at)).await).0, keep);
    let node = world.node.clone();
    world.take_over(&node, true).await;
    assert_eq!(drawn(&world.one(draw(keep, LIMIT, at)).await), (LIMIT, 1, 0));
    there.close().await;
}

async fn legs_that_a_dead_process_left_up_hold_their_channels(world: &mut World) {
    let (doomed, intent) = doomed(world).await;
    let (node, at) = (world.node.clone(), world.now);
    world.take_over(&node, true).await;
    let nothing = Share::default();
    let less = Share { channels: LIMIT.channels - 1, ..LIMIT };
    assert_eq!(drawn(&world.one(draw(nothing, LIMIT, at)).await).0, less);
    let mut unknown = world.outcome(&intent, Outcome::Unknown);
    unknown.legs_closed = false;
    world.one(StoreCommand::Outcome(Box::new(unknown))).await;
    assert_eq!(drawn(&world.one(draw(less, LIMIT, at)).await).0, less, "it may ring still");
    world.one(leg_ended(intent.leg, at)).await;
    assert_eq!(drawn(&world.one(draw(less, LIMIT, at)).await).0, LIMIT);
    doomed.close().await;
}

async fn a_process_that_ends_in_order_leaves_nothing(world: &mut World) {
    world.sql("insert into agent (id, name) values (55, 'ann')").await;
    let mut there = Peer::join(world, "there", DAY).await;
    let (leg, at) = (there.ids.make().unwrap(), world.now);
    there.one(shift(leg, at)).await;
    there.one(draw(Share::default(), LIMIT, at)).await;
    there.one(StoreCommand::NodeEnded { at }).await;
    let ours = world.id();
    assert_eq!(world.one(shift(ours, at)).await, StoreReply::Done);
    assert_eq!(drawn(&world.one(draw(Share::default(), LIMIT, at)).await), (LIMIT, 1, 0));
    let node = world.node.clone();
    let seen = world.take_over(&node, false).await;
    assert_eq!(seen.work.stray_legs[0].leg, LegId(leg), "its phone was not answered for");
    there.close().await;
}

async fn the_list_of_processes_says_who_is_there(world: &mut World) {
    let (mut doomed, _) = doomed(world).await;
    doomed.one(draw(Share::default(), LIMIT, world.now)).await;
    let read = async |world: &mut World, since| {
        let now = world.now;
        nodes(&mut world.db, now, since).await.unwrap()
    };
    let seen = read(world, UtcMs(0)).await;
    let states: Vec<_> = seen.iter().map(|node| (node.name.as_str(), node.state)).collect();
    assert_eq!(states, [("here", NodeState::Alive), ("doomed", NodeState::Late)]);
    assert_eq!((seen[1].calls, seen[1].host.as_deref()), (1, Some("here")));
    assert_eq!((seen[1].shares[0].calls_per_second, seen[1].shares[0].channels), (10, 30));
    let node = world.node.clone();
    world.take_over(&node, true).await;
    let now = world.now;
    let seen = read(world, now).await;
    assert_eq!((seen[1].state, seen[1].ended), (NodeState::Ended, Some(now)));
    assert_eq!((seen[0].calls, seen[1].calls, seen[1].shares.len()), (1, 0, 0));
    assert_eq!(read(world, UtcMs(now.0 + 1)).await.len(), 1);
    doomed.close().await;
}

// ---- at the same moment ----

async fn peers(world: &World, many: usize) -> Vec<Peer> {
    let mut peers = vec![];
    for n in 0..many {
        peers.push(Peer::join(world, &format!("p{n}"), DAY).await);
    }
    peers
}

#[test]
fn processes_that_claim_at_once_never_take_a_lead_twice() {
    on_postgres(async |world| {
        for n in 1..=120 {
            world.lead(n).await;
        }
        let mut peers = peers(world, 4).await;
        let mut taken = vec![];
        for claim in 1..=10 {
            let command = world.claim_command(claim, 4);
            let [a, b, c, d] = &mut peers[..] else { panic!() };
            let (a, b, c, d) = tokio::join!(
                a.one(command.clone()),
                b.one(command.clone()),
                c.one(command.clone()),
                d.one(command.clone())
            );
            for reply in [a, b, c, d] {
                let StoreReply::Claimed(leads) = reply else { panic!("{reply:?}") };
                taken.extend(leads.into_iter().map(|lead| lead.lead));
            }
        }
        assert_eq!(taken.len(), 120);
        assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 120);
        for peer in peers {
            peer.close().await;
        }
    });
}

#[test]
fn processes_that_start_uncovered_calls_at_once_never_spend_the_credit_twice() {
    on_postgres(async |world| {
        let mut peers = peers(world, 4).await;
        let first = world.window().starts;
        // 3 % of 100: with none abandoned, three may be under way.
        world
            .sql(&format!(
                "insert into abandon_window (campaign_id, starts_ms, ends_ms, cap_ppm, answered, abandoned, fault) \
                 values ({}, {}, {}, 30000, 100, 0, 0)",
                world.campaign, first.0, first.0 + 86_400_000
            ))
            .await;
        let start = UncoveredStart { cap_ppm: 30_000, windows: WindowSpan::instant(first, first) };
        let mut batches = vec![];
        for (n, peer) in (0_i64..).zip(&mut peers) {
            for of in 1..=3 {
                world.lead(n * 3 + of).await;
            }
            peer.swap(world);
            let leads = world.claim(1, 3).await;
            let intents: Vec<_> = leads.iter().map(|lead| world.intent(lead)).collect();
            peer.swap(world);
            let batch = intents.into_iter().map(|intent| {
                let uncovered = Some(start);
                StoreCommand::Intent(Box::new(Intent { agent: None, uncovered, ..intent }))
            });
            batches.push(batch.collect::<Vec<_>>());
        }
        let [a, b, c, d] = &mut peers[..] else { panic!() };
        let (a, b, c, d) = tokio::join!(
            run_batch(&mut a.db, &a.node, &batches[0]),
            run_batch(&mut b.db, &b.node, &batches[1]),
            run_batch(&mut c.db, &c.node, &batches[2]),
            run_batch(&mut d.db, &d.node, &batches[3])
        );
        let replies: Vec<_> = [a, b, c, d].into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(replies.iter().filter(|reply| **reply == StoreReply::Saved).count(), 3);
        let refused = StoreReply::Refused { gate: Gate::Credit, until: None };
        assert_eq!(replies.iter().filter(|reply| **reply == refused).count(), 9);
        for peer in peers {
            peer.close().await;
        }
    });
}

#[test]
fn processes_that_draw_and_look_at_once_share_without_a_rest() {
    on_postgres(async |world| {
        let (doomed, _) = doomed(world).await;
        let mut peers = peers(world, 4).await;
        let look = Look { campaigns: vec![world.campaign], take_lapsed: true, now: world.now };
        let third = Share { calls_per_second: 3, channels: 9 };
        let both = [StoreCommand::Look(look), draw(Share::default(), third, world.now)];
        let [a, b, c, d] = &mut peers[..] else { panic!() };
        // Whoever meets another in the middle of it may be told to try again.
        let again = async |peer: &mut Peer| loop {
            match run_batch_isolating(&mut peer.db, &peer.node, &both).await {
                Ok(replies) => return replies.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        };
        let (a, b, c, d) = tokio::join!(again(a), again(b), again(c), again(d));
        let (mut attempts, mut sum) = (0, Share::default());
        for replies in [a, b, c, d] {
            let StoreReply::Seen(seen) = &replies[0] else { panic!("{replies:?}") };
            attempts += seen.work.attempts.len();
            let share = drawn(&replies[1]).0;
            sum.calls_per_second += share.calls_per_second;
            sum.channels += share.channels;
        }
        assert_eq!(attempts, 1);
        assert_eq!(sum, Share { calls_per_second: 10, channels: 29 }, "one leg is up yet");
        for peer in peers {
            peer.close().await;
        }
        doomed.close().await;
    });
}

#[test]
fn nobody_is_ended_in_the_middle_of_an_intent() {
    on_postgres(async |world| {
        let (doomed, _) = doomed(world).await;
        // The dying process stands still with its row in hand, as an intent has it.
        let mut hand = <sqlx::PgConnection as sqlx::Connection>::connect(&world.url).await.unwrap();
        let hold = format!(
            "begin; select lease_until_ms from node where epoch = {} for share",
            doomed.node.epoch
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(&mut hand).await.unwrap();
        let node = world.node.clone();
        assert_eq!(world.take_over(&node, true).await, world.nothing_seen(T0));
        sqlx::raw_sql("rollback").execute(&mut hand).await.unwrap();
        assert_eq!(world.take_over(&node, true).await.work.attempts.len(), 1);
        <sqlx::PgConnection as sqlx::Connection>::close(hand).await.unwrap();
        doomed.close().await;
    });
}

#[test]
fn processes_that_notice_at_once_that_a_window_closed_in_debt_tell_it_once() {
    on_postgres(async |world| {
        let mut peers = peers(world, 4).await;
        for round in 0..10 {
            world
                .sql(&format!(
                    "insert into abandon_window (campaign_id, starts_ms, ends_ms, cap_ppm, answered, abandoned, fault) \
                     values ({}, {round}, 100, 30000, 1, 1, 0)",
                    world.campaign
                ))
                .await;
            let beat = [StoreCommand::Heartbeat { until: T0 + DAY * 9, now: T0 + DAY }];
            let [a, b, c, d] = &mut peers[..] else { panic!() };
            let (a, b, c, d) = tokio::join!(
                run_batch(&mut a.db, &a.node, &beat),
                run_batch(&mut b.db, &b.node, &beat),
                run_batch(&mut c.db, &c.node, &beat),
                run_batch(&mut d.db, &d.node, &beat)
            );
            for replies in [a, b, c, d] {
                assert_eq!(replies.unwrap(), [StoreReply::Done]);
            }
            let told = "select count(*) from event where kind = 'window_closed_in_debt'";
            assert_eq!(world.numbers(told).await, [round + 1]);
        }
        for peer in peers {
            peer.close().await;
        }
    });
}
