//! The file with which a campaign was last imported or run, so that a changed one can be set against it.

use crate::logic::ids::CampaignId;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql};

/// Keeps the text of the campaign's file in the place of an earlier one.
///
/// # Errors
/// As every statement.
pub async fn keep_campaign_text(
    db: &mut Db,
    campaign: CampaignId,
    text: &str,
) -> Result<(), StoreError> {
    const KEEP: Sql = Sql::both(
        "insert into model_state (campaign_id, name, body) values ($1, 'campaign_file', $2) \
         on conflict (campaign_id, name) do update set body = excluded.body",
    );
    let binds = [Bind::Int(campaign.0), Bind::Text(text)];
    db.run("keeping a campaign's file", &KEEP, &binds).await.map(|_| ())
}

/// The text kept last.
///
/// # Errors
/// As every statement.
pub async fn campaign_text(
    db: &mut Db,
    campaign: CampaignId,
) -> Result<Option<String>, StoreError> {
    const READ: Sql =
        Sql::both("select body from model_state where campaign_id = $1 and name = 'campaign_file'");
    let rows = db.rows("reading a campaign's file", &READ, &[Bind::Int(campaign.0)]).await?;
    rows.first().map(|row| row.text(0)).transpose()
}
