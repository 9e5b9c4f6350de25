//! A process start from the database, the same whether it is the first one or follows a crash.

use std::time::Duration;

use outdial::logic::dialer::{CampaignStart, DialerStart, Look};
use outdial::logic::ids::IdMaker;
use outdial::logic::node::NodeStart;
use outdial::logic::time::UtcMs;
use outdial::store::{
    Db, NewNode, NodeIdentity, begin_import, calling_classes, finish_import, import_rows, learned,
    next_epoch, register_node, take_over, upsert_agents, upsert_campaign, upsert_list,
};

use crate::plan::{self, Plan};

/// The lists come in, as `outdial import` brings them.
pub(crate) async fn import(db: &mut Db, plan: &Plan) {
    db.migrate(plan::T0, &[7; 48]).await.unwrap();
    let mut ids = IdMaker::new(next_epoch(db).await.unwrap());
    for (campaign, &(from, to)) in plan.campaigns.iter().zip(&plan.people) {
        let (name, seller) = (&campaign.name, &campaign.seller);
        let row = upsert_campaign(db, &mut ids, name, seller, plan::T0, false).await.unwrap();
        let list = upsert_list(db, &mut ids, row.id, "list").await.unwrap();
        let whose = (row.seller, row.id, list);
        let job = begin_import(db, &mut ids, whose, name, plan::T0).await.unwrap();
        let rows: Vec<_> = (from..to).map(plan::person).collect();
        for chunk in rows.chunks(500) {
            import_rows(db, &mut ids, &job, chunk).await.unwrap();
        }
        finish_import(db, &job, plan::T0).await.unwrap();
    }
}

/// What the runtime does before the first call.
pub(crate) async fn start(
    db: &mut Db,
    plan: &Plan,
    boot: u64,
    now: UtcMs,
) -> (NodeStart, NodeIdentity) {
    let lease_until = now + Duration::from_secs(30);
    let new = NewNode { name: "sim", boot, pid: 1, host: "here", now, lease_until };
    let identity = register_node(db, &new).await.unwrap();
    let mut ids = IdMaker::new(identity.epoch);
    let mut campaigns = vec![];
    for settings in &plan.campaigns {
        let (name, seller) = (&settings.name, &settings.seller);
        let row = upsert_campaign(db, &mut ids, name, seller, now, true).await.unwrap();
        campaigns.push(CampaignStart {
            id: row.id,
            seller: row.seller,
            settings: settings.clone(),
            first_run: row.first_run,
            classes: calling_classes(db, row.id).await.unwrap(),
            paused: row.paused,
            learned: learned(db, row.id).await.unwrap(),
        });
    }
    let names: Vec<&str> = plan.agents.iter().map(|agent| agent.name.as_str()).collect();
    let agents = upsert_agents(db, &mut ids, &names).await.unwrap();
    let campaign_ids = campaigns.iter().map(|campaign| campaign.id).collect();
    let look = Look { campaigns: campaign_ids, take_lapsed: true, now };
    let open = take_over(db, &identity, &look).await.unwrap().work;
    let dialer = DialerStart {
        ids,
        boot,
        campaigns,
        agents: agents.into_iter().zip(plan.agents.clone()).collect(),
        trunks: vec![plan.trunk()],
        lines: plan.lines,
        until_idle: plan.until_idle,
        open_attempts: open.attempts,
        shared: false,
    };
    let start = NodeStart {
        dialer,
        installation: identity.installation.clone(),
        secret: identity.secret.clone(),
        sip_address: plan::NODE.into(),
        rtp_address: plan::NODE.0.into(),
        sounds: plan::sounds(),
        stray_legs: open.stray_legs,
        seed: boot,
    };
    (start, identity)
}
