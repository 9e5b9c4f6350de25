//! What a chunk writes, one statement per table.

use serde::Serialize;

use super::ImportJob;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};

/// Everything a chunk writes.
#[derive(Default)]
pub(super) struct Plan<'r> {
    pub(super) contacts: Vec<NewContact<'r>>,
    pub(super) phones: Vec<NewPhone<'r>>,
    pub(super) leads: Vec<NewLead<'r>>,
    pub(super) seen: Vec<SeenRow<'r>>,
}

#[derive(Serialize)]
pub(super) struct NewContact<'r> {
    pub(super) id: i64,
    pub(super) external_id: Option<&'r str>,
    pub(super) name: Option<&'r str>,
    pub(super) language: Option<&'r str>,
    pub(super) custom: String,
}

#[derive(Serialize)]
pub(super) struct NewPhone<'r> {
    pub(super) id: i64,
    pub(super) contact: i64,
    pub(super) position: i64,
    pub(super) key: &'r str,
    pub(super) number: &'r str,
    pub(super) kind: Option<&'r str>,
    pub(super) extension: Option<&'r str>,
    pub(super) zones: String,
}

#[derive(Serialize)]
pub(super) struct NewLead<'r> {
    pub(super) id: i64,
    pub(super) contact: i64,
    pub(super) class: &'r str,
    /// For the class, should it be new.
    pub(super) class_id: i64,
    pub(super) rank: i64,
}

#[derive(Serialize)]
pub(super) struct SeenRow<'r> {
    pub(super) row_key: &'r str,
    pub(super) file_row: i64,
    pub(super) result: &'static str,
}

/// One import per seller at a time: two lists may hold the same persons. SQLite has one writer anyhow.
pub(super) async fn lock(db: &mut Db, job: &ImportJob) -> Result<(), StoreError> {
    if db.engine() == Engine::Postgres {
        const LOCK: Sql = Sql::both("select id from seller where id = $1 for no key update");
        db.rows("waiting for another import", &LOCK, &[Bind::Int(job.seller.0)]).await?;
    }
    Ok(())
}

impl Plan<'_> {
    pub(super) async fn write(&self, db: &mut Db, job: &ImportJob) -> Result<(), StoreError> {
        if self.seen.is_empty() {
            return Ok(());
        }
        const CONTACTS: Sql = sql_rows!(
            [id int, external_id text, name text, language text, custom text],
            "insert into contact (id, seller_id, external_id, name, language, custom) \
             select id, $2, external_id, name, language, custom from r where true \
             on conflict (id) do update set name = excluded.name, language = excluded.language, \
               custom = excluded.custom"
        );
        // Sorted by key: neighbours in the index are written together.
        const PHONES: Sql = sql_rows!(
            [id int, contact int, position int, key text, number text, kind text, extension text, zones text],
            "insert into phone (id, seller_id, contact_id, position, key, number, kind, extension, zones) \
             select id, $2, contact, position, key, number, kind, extension, zones from r where true order by key, id \
             on conflict (seller_id, contact_id, key) do update set position = excluded.position, \
               kind = excluded.kind, extension = excluded.extension"
        );
        const CLASSES: Sql = sql_rows!(
            [class text, class_id int],
            "insert into calling_class (id, descriptor) select min(class_id), class from r group by class \
             on conflict (descriptor) do nothing"
        );
        const OF_CAMPAIGN: Sql = sql_rows!(
            [class text],
            "insert into campaign_class (campaign_id, class_id) \
             select $2, k.id from (select distinct class from r) c join calling_class k on k.descriptor = c.class \
             where true on conflict (campaign_id, class_id) do nothing"
        );
        const LEADS: Sql = sql_rows!(
            [id int, contact int, class text, rank int],
            "insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id) \
             select r.id, $2, r.contact, k.id, r.rank, 0, 0, $3 from r join calling_class k on k.descriptor = r.class \
             where true on conflict (campaign_id, contact_id) do nothing"
        );
        const SEEN: Sql = sql_rows!(
            [row_key text, file_row int, result text],
            "insert into import_row (list_id, row_key, import_id, row_no, result) \
             select $2, row_key, $3, file_row, result from r where true \
             on conflict (list_id, row_key) do update set import_id = excluded.import_id, \
               row_no = excluded.row_no, result = excluded.result"
        );
        let doing = "writing a list";
        let seller = Bind::Int(job.seller.0);
        let contacts = json_rows(&self.contacts);
        db.run(doing, &CONTACTS, &[Bind::Text(&contacts), seller]).await?;
        let phones = json_rows(&self.phones);
        db.run(doing, &PHONES, &[Bind::Text(&phones), seller]).await?;
        if !self.leads.is_empty() {
            let leads = json_rows(&self.leads);
            let (json, campaign) = (Bind::Text(&leads), Bind::Int(job.campaign.0));
            db.run(doing, &CLASSES, &[json]).await?;
            db.run(doing, &OF_CAMPAIGN, &[json, campaign]).await?;
            db.run(doing, &LEADS, &[json, campaign, Bind::Int(job.list.0)]).await?;
        }
        let seen = json_rows(&self.seen);
        let binds = [Bind::Text(&seen), Bind::Int(job.list.0), Bind::Int(job.id)];
        db.run(doing, &SEEN, &binds).await?;
        Ok(())
    }
}
