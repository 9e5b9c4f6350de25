//! What pacing has learned per campaign: one text of each part, replaced as a whole.

use serde_json::json;

use crate::logic::dialer::{Learned, LearnedBefore, LearnedPart};
use crate::logic::ids::CampaignId;
use crate::store::batch::Batch;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
use crate::store::sql::{Bind, Sql};

/// Replaces it; a repeat changes nothing and so tells nobody.
pub(crate) async fn write(batch: &mut Batch<'_>, learned: &Learned) -> Result<(), StoreError> {
    const WRITE: Sql = Sql::both(
        "insert into model_state (campaign_id, name, body) values ($1, $2, $3) \
         on conflict (campaign_id, name) do update set body = excluded.body where model_state.body <> excluded.body",
    );
    let name = learned.part.as_str();
    let binds = [Bind::Int(learned.campaign.0), Bind::Text(name), Bind::Text(&learned.body)];
    let changed = batch.db.run("writing what pacing has learned", &WRITE, &binds).await?;
    if let Some(wrong) = learned.unreadable.as_ref().filter(|_| changed > 0) {
        let body = json!({ "campaign": learned.campaign, "name": name, "wrong": wrong });
        let kind = EventKind::ModelUnreadable;
        batch.events.push(Event::new(learned.at, kind, learned.campaign.0, &body));
    }
    Ok(())
}

/// What was learned of a campaign when it was last written.
///
/// # Errors
/// As every statement.
pub async fn learned(db: &mut Db, campaign: CampaignId) -> Result<LearnedBefore, StoreError> {
    // The table also keeps the campaign's file, which may be long.
    const READ: Sql =
        Sql::both("select name, body from model_state where campaign_id = $1 and name in ($2, $3)");
    let doing = "reading what pacing has learned";
    let mut learned = LearnedBefore::default();
    let [pacing, answers] =
        [LearnedPart::Pacing, LearnedPart::Answers].map(|part| Bind::Text(part.as_str()));
    let binds = [Bind::Int(campaign.0), pacing, answers];
    for row in db.rows(doing, &READ, &binds).await? {
        let name = row.text(0)?;
        if name == LearnedPart::Pacing.as_str() {
            learned.pacing = Some(row.text(1)?);
        } else if name == LearnedPart::Answers.as_str() {
            learned.answers = Some(row.text(1)?);
        }
    }
    Ok(learned)
}
