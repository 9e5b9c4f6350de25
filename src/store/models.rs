//! What pacing has learned per campaign: one text, replaced as a whole.

use serde_json::json;

use crate::logic::dialer::Learned;
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
    let binds = [Bind::Int(learned.campaign.0), Bind::Text(NAME), Bind::Text(&learned.body)];
    let changed = batch.db.run("writing what pacing has learned", &WRITE, &binds).await?;
    if let Some(wrong) = learned.unreadable.as_ref().filter(|_| changed > 0) {
        let body = json!({ "campaign": learned.campaign, "name": NAME, "wrong": wrong });
        let kind = EventKind::ModelUnreadable;
        batch.events.push(Event { at: learned.at, kind, row: learned.campaign.0, body });
    }
    Ok(())
}

/// What the pacing engine of a campaign had learned when it was last written.
///
/// # Errors
/// As every statement.
pub async fn learned(db: &mut Db, campaign: CampaignId) -> Result<Option<String>, StoreError> {
    const READ: Sql =
        Sql::both("select body from model_state where campaign_id = $1 and name = $2");
    let binds = [Bind::Int(campaign.0), Bind::Text(NAME)];
    let rows = db.rows("reading what pacing has learned", &READ, &binds).await?;
    rows.first().map(|row| row.text(0)).transpose()
}

/// Of the row that the predictive engine has.
const NAME: &str = "pacing";
