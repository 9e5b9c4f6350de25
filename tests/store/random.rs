//! The same random commands on SQLite, PostgreSQL and the model: every reply equal, and in the end every row.
//!
//! A failing seed is printed; OUTDIAL_SEED replays it.

use std::collections::BTreeMap;
use std::time::Duration;

use outdial::logic::attempt::MessageKind;
use outdial::logic::compliance::abandon_ledger::WindowSpan;
use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::pacing::trunk_share::{Share, ShareAsk};
use outdial::logic::time::UtcMs;
use outdial::simulation::dice::Dice;
use outdial::simulation::store_model::{ModelContact, StoreModel};
use outdial::store::{NewNode, Rule, check_health, register_node, upsert_campaign};

use crate::copies::copied_everywhere;
use crate::harness::*;

#[test]
#[expect(clippy::print_stdout, reason = "shown only when the test fails: it names the seed")]
fn both_databases_and_the_model_agree_on_random_commands() {
    if let Ok(seed) = std::env::var("OUTDIAL_SEED") {
        block_on(run(seed.parse().unwrap(), &mut BTreeMap::new()));
        return;
    }
    let mut seen = BTreeMap::new();
    for seed in 1..=20 {
        println!("OUTDIAL_SEED={seed}");
        block_on(run(seed, &mut seen));
    }
    let gates = [
        Gate::LeaseLost,
        Gate::NodeLease,
        Gate::CampaignState,
        Gate::Suppressed,
        Gate::NumberBusy,
        Gate::Undelivered,
        Gate::Total,
        Gate::PerDay,
        Gate::Per30Days,
        Gate::MinGap,
        Gate::Credit,
    ];
    // The commands are no use if every intent meets the same gate.
    for word in gates.map(Gate::as_str).into_iter().chain(["saved", "held", "taken over"]) {
        assert!(seen.get(word).is_some_and(|times| *times > 1), "{word}: {seen:?}");
    }
}

async fn run(seed: u64, seen: &mut BTreeMap<&'static str, u32>) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let mut sqlite = World::new(&url).await;
    let mut postgres = World::new(&postgres_schema().await).await;
    let mut nodes = vec![];
    for world in [&mut sqlite, &mut postgres] {
        let lease_until = T0 + DAY * 5;
        let there = NewNode { lease_until, ..new_node("there", 2) };
        nodes.push([world.node.clone(), register_node(&mut world.db, &there).await.unwrap()]);
        world.sql("insert into agent (id, name) values (55, 'ann'), (56, 'bob')").await;
    }
    let epochs = [nodes[0][0].epoch, nodes[0][1].epoch];
    let mut author = Author::new(seed, epochs, &mut sqlite, &mut postgres).await;
    let mut model = author.model();
    for step in 0..50 {
        let batch = author.batch();
        let writer = author.writer;
        let times = if author.dice.below(4) == 0 { 2 } else { 1 };
        for time in 0..times {
            let expected = model.run(epochs[writer], &batch);
            for (world, nodes) in [&mut sqlite, &mut postgres].into_iter().zip(&nodes) {
                world.node.clone_from(&nodes[writer]);
                let replies = world.run(&batch).await;
                for (at, reply) in replies.iter().enumerate() {
                    let engine = world.db.engine();
                    assert_eq!(
                        &as_the_model_knows_it(reply),
                        &expected[at],
                        "{engine:?}, seed {seed}, step {step}, time {time}, command {at} of {batch:#?}"
                    );
                }
            }
            author.read(&batch, &expected);
            for reply in &expected {
                if let StoreReply::Refused { gate, .. } = reply {
                    *seen.entry(gate.as_str()).or_default() += 1;
                } else if *reply == StoreReply::Saved {
                    *seen.entry("saved").or_default() += 1;
                } else if let StoreReply::Held { .. } = reply {
                    *seen.entry("held").or_default() += 1;
                } else if let StoreReply::Seen(about) = reply
                    && !about.work.attempts.is_empty()
                {
                    *seen.entry("taken over").or_default() += 1;
                }
            }
        }
        let drawn = model.drawn("t");
        assert!(drawn.calls_per_second <= 10 && drawn.channels <= 12, "{drawn:?}, seed {seed}");
    }
    assert_same(&sqlite.dump().await, &postgres.dump().await);
    compare(&mut sqlite, &model, &author).await;
    for world in [&mut sqlite, &mut postgres] {
        world.sql("insert into calling_class (id, descriptor) values (78, 'closed')").await;
        let found = check_health(&mut world.db, author.now).await.unwrap().found;
        // The commands book at random, not as a dialer whom the ledger holds.
        let faults = found.iter().filter(|one| one.rule.is_fault() && one.rule != Rule::CapKept);
        assert_eq!(faults.count(), 0, "seed {seed}: {found:?}");
    }
    if seed % 4 == 1 {
        copied_everywhere(&mut sqlite).await;
        copied_everywhere(&mut postgres).await;
    }
    sqlite.close().await;
    postgres.close().await;
}

/// The model keeps no far sides of legs, and neither boot nor name of what it does not need.
fn as_the_model_knows_it(reply: &StoreReply) -> StoreReply {
    let StoreReply::Seen(seen) = reply else { return reply.clone() };
    let mut seen = seen.clone();
    let legs = seen.work.attempts.iter_mut().flat_map(|attempt| &mut attempt.legs);
    for leg in legs.chain(&mut seen.work.stray_legs) {
        leg.boot = u64::try_from(leg.leg.0 >> 32).unwrap();
        leg.call.clear();
        leg.dialog = None;
        if leg.peer_name != "t" {
            leg.peer_name.clear();
        }
    }
    StoreReply::Seen(seen)
}

/// Leads and ledger of a database against the model.
async fn compare(world: &mut World, model: &StoreModel, author: &Author) {
    for lead in &author.leads {
        let seen = model.lead(*lead).unwrap();
        let last = seen.last_outcome.map_or("", Outcome::as_str);
        let sql = format!(
            "select state, attempts, same_outcome, fence, \
               (select count(*) from lead o where o.id = lead.id and coalesce(o.last_outcome, '') = '{last}') \
             from lead where id = {lead}"
        );
        let expected =
            [seen.state.code(), seen.attempts, i64::from(seen.same_outcome), seen.fence, 1];
        assert_eq!(world.numbers(&sql).await, expected, "{lead}: {last}");
    }
    for ((campaign, starts), window) in model.windows() {
        let sql = format!(
            "select count(*), sum(answered), sum(abandoned), sum(fault) from abandon_window \
             where campaign_id = {campaign} and starts_ms = {}",
            starts.0
        );
        let found = world.numbers(&sql).await;
        let expected = [window.answered, window.abandoned, window.fault];
        if found[0] == 0 {
            assert_eq!(expected, [0, 0, 0]);
        } else {
            assert_eq!(found[1..], expected);
        }
    }
    let sums = "select (select count(*) from attempt where booked_answered + booked_live > 0) - \
         (select coalesce(sum(answered), 0) from abandon_window), \
         (select coalesce(sum(booked_abandoned), 0) from attempt) - \
         (select coalesce(sum(abandoned), 0) from abandon_window), \
         (select count(*) from attempt where ended_ms is null)";
    let open = i64::try_from(model.open_attempts().count()).unwrap();
    assert_eq!(world.numbers(sums).await, [0, 0, open]);
}

/// Makes up commands from what it was told so far.
struct Author {
    dice: Dice,
    now: UtcMs,
    next_id: i64,
    campaigns: Vec<(CampaignId, SellerId)>,
    contacts: Vec<(i64, SellerId)>,
    leads: Vec<LeadId>,
    claims: Vec<u64>,
    /// By process.
    claimed: [Vec<ClaimedLead>; 2],
    /// Which process sends the next batch, and their epochs.
    writer: usize,
    epochs: [u32; 2],
    /// Agents' legs.
    shifts: Vec<LegId>,
    intents: Vec<Intent>,
}

impl Author {
    /// Two campaigns of one seller and one of another; persons of both share numbers.
    async fn new(seed: u64, epochs: [u32; 2], sqlite: &mut World, postgres: &mut World) -> Self {
        let mut campaigns = vec![(sqlite.campaign, sqlite.seller)];
        let mut contacts = vec![];
        let mut leads = vec![];
        for world in [sqlite, postgres] {
            campaigns.truncate(1);
            contacts.clear();
            leads.clear();
            for (name, seller) in [("autumn", "Acme"), ("other", "Bolt")] {
                let row = upsert_campaign(&mut world.db, &mut world.ids, name, seller, T0, true)
                    .await
                    .unwrap();
                campaigns.push((row.id, row.seller));
            }
            for n in 1..=14 {
                let seller = campaigns[if n > 10 { 2 } else { 0 }].1;
                contacts.push((n, seller));
                world.contact(n, seller).await;
                for (campaign, _) in campaigns.iter().filter(|(_, owner)| *owner == seller) {
                    leads.push(world.lead_of(n, *campaign).await.1);
                }
            }
            world
                .sql(&format!(
                    "update phone set key = '{0}', number = '{0}' where contact_id in (2, 3, 12); \
                     update lead set class_id = 78 where contact_id in (4, 5); \
                     update lead set rank = 3 where contact_id in (6, 7, 8)",
                    number(2)
                ))
                .await;
        }
        Self {
            dice: Dice::new(seed),
            now: T0,
            next_id: 1 << 20,
            campaigns,
            contacts,
            leads,
            claims: vec![1; 3],
            claimed: [vec![], vec![]],
            writer: 0,
            epochs,
            shifts: vec![],
            intents: vec![],
        }
    }

    fn model(&self) -> StoreModel {
        let mut model = StoreModel::default();
        model.add_node(self.epochs[0], "here", T0 + DAY * 400);
        model.add_node(self.epochs[1], "there", T0 + DAY * 5);
        for (campaign, _) in &self.campaigns {
            model.add_campaign(*campaign, T0);
        }
        for (n, seller) in &self.contacts {
            let key = number(if [3, 12].contains(n) { 2 } else { *n });
            let phone = LeadPhone {
                phone: PhoneId(n + 1000),
                number: key.parse().unwrap(),
                key,
                zones: vec!["Asia/Tokyo".to_owned()],
                suspect_day: None,
                kind: None,
            };
            model.add_contact(ModelContact {
                contact: ContactId(*n),
                seller: *seller,
                external_id: Some(format!("X{n}")),
                name: Some(format!("Name {n}")),
                language: Some("ja".to_owned()),
                fields: vec![("plan".to_owned(), "A".to_owned())],
                phones: vec![phone],
            });
            let class = if [4, 5].contains(n) { ClassId(78) } else { CLASS };
            let rank = if [6, 7, 8].contains(n) { 3 } else { *n };
            for (campaign, _) in self.campaigns.iter().filter(|(_, owner)| owner == seller) {
                let lead = LeadId(n + campaign.0 * 1000);
                model.add_lead(lead, *campaign, ContactId(*n), class, rank);
            }
        }
        model
    }

    fn batch(&mut self) -> Vec<StoreCommand> {
        let minutes = [0, 1, 1, 7, 61, 24 * 60][usize::try_from(self.dice.below(6)).unwrap()];
        self.now = self.now + Duration::from_secs(60 * minutes);
        self.writer = usize::from(self.dice.below(4) == 0);
        let count = 1 + self.dice.below(10);
        let mut batch = vec![];
        while u64::try_from(batch.len()).unwrap() < count {
            batch.extend(self.command());
        }
        batch
    }

    fn command(&mut self) -> Option<StoreCommand> {
        let now = self.now;
        let at = usize::try_from(self.dice.below(3)).unwrap();
        let campaign = self.campaigns[at].0;
        Some(match self.dice.below(28) {
            0..=2 => {
                // Sometimes the last claim again.
                if self.dice.below(3) > 0 {
                    self.claims[at] += 1;
                }
                let open_classes = match self.dice.below(3) {
                    0 => vec![CLASS],
                    1 => vec![ClassId(78)],
                    _ => vec![ClassId(78), CLASS],
                };
                let (claim, want) = (self.claims[at], u32::try_from(self.dice.below(5)).unwrap());
                let promised = PromisedClaim {
                    most: u32::try_from(self.dice.below(3)).unwrap(),
                    owners: if self.dice.below(2) == 0 { vec![AGENT] } else { vec![] },
                    anybody_since: now - HOUR,
                };
                // Now and then one lead by its number or its id.
                let whom = i64::try_from(claim % 15 + 1).unwrap();
                let named = match claim % 7 {
                    3 => Some(number(whom)),
                    5 => Some(format!("X{whom}")),
                    _ => None,
                };
                StoreCommand::Claim(Claim {
                    campaign,
                    claim,
                    want,
                    open_classes,
                    promised,
                    named,
                    now,
                })
            }
            3..=7 => StoreCommand::Intent(Box::new(self.intent()?)),
            8..=12 => StoreCommand::Outcome(Box::new(self.outcome()?)),
            13 | 14 => StoreCommand::Disposition(Box::new(self.disposition()?)),
            15 => {
                let lead = self.pick_claimed()?;
                let after = self.after();
                StoreCommand::Release(Release { lead: lead.lead, fence: lead.fence, after })
            }
            16 => StoreCommand::Promote { campaign, now, limit: 3 },
            17 => StoreCommand::Count { campaign },
            20 => StoreCommand::Account { campaign, window: self.window(campaign).starts },
            21 => StoreCommand::Covered { attempt: self.pick_intent()?.attempt },
            22 => {
                let (attempt, other) = (self.pick_intent()?.attempt, self.pick_intent()?.attempt);
                let given_up = (self.dice.below(2) == 0 && other != attempt).then_some(other);
                StoreCommand::Connected { attempt, agent: AGENT, at: now, given_up }
            }
            18 if self.dice.below(3) == 0 => {
                let (contact, _) = self.contacts[usize::try_from(self.dice.below(14)).unwrap()];
                StoreCommand::Suppress(self.refusal(ContactId(contact)))
            }
            18 => StoreCommand::Heartbeat { until: now + DAY, now },
            23 => {
                let (leg, agent) =
                    (LegId(self.id()), AgentId(55 + i64::from(self.dice.below(2) == 0)));
                self.shifts.push(leg);
                StoreCommand::AgentLeg(AgentLeg { leg, agent, call: "{}".to_owned(), now })
            }
            24 => {
                let len = u64::try_from(self.shifts.len()).unwrap();
                let at = usize::try_from(self.dice.below(len.max(1))).unwrap();
                let leg = *self.shifts.get(at)?;
                StoreCommand::LegEnded(LegEnded { leg, sip_status: None, q850: None, at: now })
            }
            25 | 26 => {
                let mut small = || u32::try_from(self.dice.below(9)).unwrap();
                let mut share = || Share { calls_per_second: small(), channels: small() };
                let limit = Share { calls_per_second: 10, channels: 12 };
                let want = share();
                // Nobody keeps what was never drawn: here nothing is kept.
                let ask = ShareAsk {
                    limit,
                    keep: Share::default(),
                    want,
                    wanted: want != Share::default(),
                };
                StoreCommand::DrawShare(DrawShare { trunk: "t".to_owned(), ask, now })
            }
            27 => {
                let campaigns = self.campaigns.iter().map(|(id, _)| *id).collect();
                let take_lapsed = self.dice.below(2) == 0;
                StoreCommand::Look(Look { campaigns, take_lapsed, now })
            }
            _ => {
                let paused = self.dice.below(8) == 0;
                let state = if paused { CampaignState::Paused } else { CampaignState::Running };
                StoreCommand::CampaignState { campaign, state, at: now, by: "test".to_owned() }
            }
        })
    }

    fn id(&mut self) -> i64 {
        // As the writing process makes them.
        self.next_id += 1;
        (i64::from(self.epochs[self.writer]) << 32) + self.next_id
    }

    fn pick_claimed(&mut self) -> Option<ClaimedLead> {
        // Now and then a lead of the other process.
        let whose = if self.dice.below(20) == 0 { 1 - self.writer } else { self.writer };
        let claimed = &self.claimed[whose];
        let at = self.dice.below(u64::try_from(claimed.len()).unwrap().max(1));
        claimed.get(usize::try_from(at).unwrap()).cloned()
    }

    fn pick_intent(&mut self) -> Option<Intent> {
        // The newest ones more often.
        let len = u64::try_from(self.intents.len()).unwrap();
        let back = 1 + self.dice.below(len.clamp(1, 12));
        self.intents.get(usize::try_from(len.checked_sub(back)?).unwrap()).cloned()
    }

    fn intent(&mut self) -> Option<Intent> {
        if self.dice.below(8) == 0 {
            return self.pick_intent();
        }
        let lead = self.pick_claimed()?;
        if self.dice.below(4) > 0 {
            self.claimed[self.writer].retain(|other| other.lead != lead.lead);
        }
        let attempt = self.id();
        let window = self.window(lead.campaign).starts;
        // Now and then near the end of the day.
        let span = if self.dice.below(6) == 0 { DAY } else { Duration::ZERO };
        let small = |dice: &mut Dice, n| u32::try_from(dice.below(n)).unwrap();
        let intent = Intent {
            attempt: AttemptId(attempt),
            public_ref: format!("r{attempt}"),
            leg: LegId(self.id()),
            lead: lead.lead,
            fence: lead.fence,
            campaign: lead.campaign,
            seller: lead.seller,
            contact: lead.contact,
            phone: lead.phones.first()?.clone(),
            trunk: "t".to_owned(),
            caller_id: "+81311112222".parse().unwrap(),
            call: "{}".to_owned(),
            agent: (self.dice.below(2) == 0).then_some(AGENT),
            uncovered: (self.dice.below(3) == 0).then(|| UncoveredStart {
                cap_ppm: 300_000 * small(&mut self.dice, 4),
                windows: WindowSpan::instant(window, window + span),
            }),
            now: self.now,
            per_day: small(&mut self.dice, 7),
            per_30_days: 1 + small(&mut self.dice, 5),
            total: 1 + small(&mut self.dice, 3),
            min_gap: Duration::from_secs(60 * self.dice.below(90)),
            undelivered_per_hour: small(&mut self.dice, 8),
        };
        self.intents.push(intent.clone());
        Some(intent)
    }

    fn after(&mut self) -> LeadAfter {
        let (state, due) = match self.dice.below(8) {
            0..=2 => (LeadState::Ready, self.now),
            3..=5 => (LeadState::Waiting, self.now + HOUR),
            6 => (LeadState::Held, self.now),
            _ => (LeadState::Done, self.now),
        };
        let gate = (state == LeadState::Waiting).then_some(Gate::Retry);
        LeadAfter { state, due, gate, next_phone: None }
    }

    fn window(&self, campaign: CampaignId) -> LedgerWindow {
        let day = (self.now.0 - T0.0) / 86_400_000;
        let starts = UtcMs(T0.0 + day * 86_400_000);
        LedgerWindow { campaign, starts, ends: starts + DAY, cap_ppm: 30_000, debt: 0 }
    }

    fn refusal(&mut self, contact: ContactId) -> Suppress {
        let seller = self.contacts.iter().find(|(n, _)| *n == contact.0).unwrap().1;
        let (with_contact, with_number) = match self.dice.below(3) {
            0 => (true, false),
            1 => (false, true),
            _ => (true, true),
        };
        let key = number(if [3, 12].contains(&contact.0) { 2 } else { contact.0 });
        Suppress {
            suppression: SuppressionId(self.id()),
            seller,
            contact: with_contact.then_some(contact),
            phone_key: with_number.then_some(key),
            reason: "refused".to_owned(),
            proof: "test".to_owned(),
            at: self.now,
        }
    }

    fn phone(&mut self, phone: PhoneId) -> Option<PhoneAfter> {
        match self.dice.below(12) {
            0 => Some(PhoneAfter::Suspect { phone, day: 20_000 }),
            1 => Some(PhoneAfter::Good { phone }),
            2 if self.dice.below(4) == 0 => Some(PhoneAfter::Invalid { phone }),
            _ => None,
        }
    }

    fn outcome(&mut self) -> Option<OutcomeRecord> {
        let intent = self.pick_intent()?;
        let outcomes = u64::try_from(Outcome::ALL.len()).unwrap();
        let outcome = Outcome::ALL[usize::try_from(self.dice.below(outcomes)).unwrap()];
        let outcome = match self.dice.below(8) {
            0 | 1 => Outcome::Unknown,
            2 | 3 => Outcome::Congestion,
            _ => outcome,
        };
        let answered = self.dice.below(2) == 0;
        let abandoned = answered && self.dice.below(3) == 0;
        let fault = abandoned && self.dice.below(2) == 0;
        let window = self.window(intent.campaign);
        let refused = outcome == Outcome::Unwanted && self.dice.below(2) == 0;
        Some(OutcomeRecord {
            attempt: intent.attempt,
            lead: intent.lead,
            fence: intent.fence,
            outcome,
            early_at: None,
            answered_at: answered.then_some(intent.now),
            connected_at: None,
            ended_at: self.now,
            agent: intent.agent,
            sip_status: Some(486),
            q850: None,
            message: abandoned.then_some(MessageKind::SafeHarbour),
            legs_closed: self.dice.below(2) == 0,
            live: (self.dice.below(3) == 0).then_some(answered),
            booking: Booking { window, answered, abandoned, fault },
            after: self.after(),
            phone: self.phone(intent.phone.phone),
            suppress: refused.then(|| self.refusal(intent.contact)),
        })
    }

    fn disposition(&mut self) -> Option<DispositionRecord> {
        let intent = self.pick_intent()?;
        let code = ["SALE", "VM", "ABSENT"][usize::try_from(self.dice.below(3)).unwrap()];
        let live = match self.dice.below(3) {
            0 => None,
            1 => Some(false),
            _ => Some(true),
        };
        let owner = (self.dice.below(2) == 0).then_some(AGENT);
        let callback = CallbackId(self.id());
        let (due, window_end) = (self.now + HOUR, self.now + HOUR * 2);
        let callback = CallbackRecord { callback, owner, due, window_end };
        let refused = self.dice.below(8) == 0;
        Some(DispositionRecord {
            attempt: intent.attempt,
            lead: intent.lead,
            // Without one, a key of a message says it.
            agent: (self.dice.below(4) > 0).then_some(AGENT),
            code: code.to_owned(),
            memo: None,
            at: self.now,
            live,
            window: self.window(intent.campaign),
            after: self.after(),
            phone: self.phone(intent.phone.phone),
            suppress: refused.then(|| self.refusal(intent.contact)),
            callback: (self.dice.below(4) == 0).then_some(callback),
        })
    }

    /// Learns which leads were claimed.
    fn read(&mut self, batch: &[StoreCommand], replies: &[StoreReply]) {
        for (command, reply) in batch.iter().zip(replies) {
            if let (StoreCommand::Claim(_), StoreReply::Claimed(leads)) = (command, reply) {
                self.claimed[self.writer].extend(leads.iter().cloned());
            }
        }
        let claimed = &mut self.claimed[self.writer];
        let old = claimed.len().saturating_sub(10);
        claimed.drain(..old);
    }
}
