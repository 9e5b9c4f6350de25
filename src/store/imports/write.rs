//! What a chunk writes. New rows are most of it, and nothing can be in their way: their ids are new, and one import per
//! seller runs at a time. So SQLite gets plain inserts and PostgreSQL a COPY per table; only what changes a row that is
//! there goes the longer way.

use serde::Serialize;

use super::ImportJob;
use crate::store::copy::CopyRows;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql, json_cells, json_rows, sql_cells, sql_rows};

/// Everything a chunk writes.
#[derive(Default)]
pub(super) struct Plan<'r> {
    pub(super) contacts: Vec<PlannedContact<'r>>,
    /// Of persons who are new.
    pub(super) phones: Vec<PlannedPhone<'r>>,
    pub(super) leads: Vec<PlannedLead<'r>>,
    pub(super) seen: Vec<SeenRow<'r>>,
    /// Persons who were known, with other data.
    pub(super) changed_contacts: Vec<PlannedContact<'r>>,
    pub(super) changed_phones: Vec<PlannedPhone<'r>>,
    /// Rows whose key an earlier file of the list had.
    pub(super) seen_again: Vec<SeenRow<'r>>,
}

#[derive(Serialize)]
pub(super) struct PlannedContact<'r> {
    pub(super) id: i64,
    pub(super) external_id: Option<&'r str>,
    pub(super) name: Option<&'r str>,
    pub(super) language: Option<&'r str>,
    pub(super) custom: String,
}

#[derive(Serialize)]
pub(super) struct PlannedPhone<'r> {
    pub(super) id: i64,
    pub(super) contact: i64,
    pub(super) position: i64,
    pub(super) key: &'r str,
    pub(super) number: &'r str,
    pub(super) kind: Option<&'r str>,
    pub(super) extension: Option<&'r str>,
    pub(super) zones: String,
}

pub(super) struct PlannedLead<'r> {
    pub(super) id: i64,
    pub(super) contact: i64,
    pub(super) class: &'r str,
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
    /// `classes`: row of each calling class, by its descriptor.
    pub(super) async fn write(
        &self,
        db: &mut Db,
        job: &ImportJob,
        classes: &[(String, i64)],
    ) -> Result<(), StoreError> {
        match db.engine() {
            Engine::Sqlite => self.insert(db, job, classes).await?,
            Engine::Postgres => self.copy(db, job, classes).await?,
        }
        self.change(db, job).await
    }

    /// `or fail`: the whole transaction is undone anyhow, so SQLite need not keep a copy of every page that a statement
    /// touches.
    async fn insert(
        &self,
        db: &mut Db,
        job: &ImportJob,
        classes: &[(String, i64)],
    ) -> Result<(), StoreError> {
        const CONTACTS: Sql = sql_cells!(
            [0 id int, 1 external_id text, 2 name text, 3 language text, 4 custom text],
            "insert or fail into contact (id, seller_id, external_id, name, language, custom) \
             select id, $2, external_id, name, language, custom from r"
        );
        const PHONES: Sql = sql_cells!(
            [0 id int, 1 contact int, 2 position int, 3 key text, 4 number text, 5 kind text, 6 extension text,
             7 zones text],
            "insert or fail into phone (id, seller_id, contact_id, position, key, number, kind, extension, zones) \
             select id, $2, contact, position, key, number, kind, extension, zones from r"
        );
        const LEADS: Sql = sql_cells!(
            [0 id int, 1 contact int, 2 class int, 3 rank int],
            "insert or fail into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id) \
             select id, $2, contact, class, rank, 0, 0, $3 from r"
        );
        const SEEN: Sql = sql_cells!(
            [0 row_key text, 1 file_row int, 2 result text],
            "insert or fail into import_row (list_id, row_key, import_id, row_no, result) \
             select $2, row_key, $3, file_row, result from r"
        );
        let seller = Bind::Int(job.seller.0);
        let (campaign, list) = (Bind::Int(job.campaign.0), Bind::Int(job.list.0));
        let contacts = json_cells(
            self.contacts.iter().map(|c| (c.id, c.external_id, c.name, c.language, &c.custom)),
        );
        db.run(WRITING, &CONTACTS, &[Bind::Text(&contacts), seller]).await?;
        let phones = json_cells(self.phones.iter().map(|p| {
            (p.id, p.contact, p.position, p.key, p.number, p.kind, p.extension, &p.zones)
        }));
        db.run(WRITING, &PHONES, &[Bind::Text(&phones), seller]).await?;
        let leads = json_cells(
            self.leads.iter().map(|l| (l.id, l.contact, class_of(classes, l.class), l.rank)),
        );
        db.run(WRITING, &LEADS, &[Bind::Text(&leads), campaign, list]).await?;
        let seen = json_cells(self.seen.iter().map(|s| (s.row_key, s.file_row, s.result)));
        db.run(WRITING, &SEEN, &[Bind::Text(&seen), list, Bind::Int(job.id)]).await?;
        Ok(())
    }

    async fn copy(
        &self,
        db: &mut Db,
        job: &ImportJob,
        classes: &[(String, i64)],
    ) -> Result<(), StoreError> {
        let mut rows = CopyRows::new();
        for contact in &self.contacts {
            rows.row(6);
            rows.int(contact.id);
            rows.int(job.seller.0);
            for text in [contact.external_id, contact.name, contact.language] {
                rows.text(text);
            }
            rows.text(Some(&contact.custom));
        }
        let sql = "copy contact (id, seller_id, external_id, name, language, custom) from stdin (format binary)";
        db.copy(WRITING, sql, rows).await?;
        let mut rows = CopyRows::new();
        for phone in &self.phones {
            rows.row(9);
            for int in [phone.id, job.seller.0, phone.contact, phone.position] {
                rows.int(int);
            }
            for text in [Some(phone.key), Some(phone.number), phone.kind, phone.extension] {
                rows.text(text);
            }
            rows.text(Some(&phone.zones));
        }
        let sql = "copy phone (id, seller_id, contact_id, position, key, number, kind, extension, zones) \
             from stdin (format binary)";
        db.copy(WRITING, sql, rows).await?;
        let mut rows = CopyRows::new();
        for lead in &self.leads {
            rows.row(8);
            let class = class_of(classes, lead.class);
            for int in [lead.id, job.campaign.0, lead.contact, class, lead.rank, 0, 0, job.list.0] {
                rows.int(int);
            }
        }
        let sql = "copy lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id) \
             from stdin (format binary)";
        db.copy(WRITING, sql, rows).await?;
        let mut rows = CopyRows::new();
        for seen in &self.seen {
            rows.row(5);
            rows.int(job.list.0);
            rows.text(Some(seen.row_key));
            rows.int(job.id);
            rows.int(seen.file_row);
            rows.text(Some(seen.result));
        }
        let sql = "copy import_row (list_id, row_key, import_id, row_no, result) from stdin (format binary)";
        db.copy(WRITING, sql, rows).await?;
        Ok(())
    }

    async fn change(&self, db: &mut Db, job: &ImportJob) -> Result<(), StoreError> {
        const CONTACTS: Sql = sql_rows!(
            [id int, name text, language text, custom text],
            "update contact set name = r.name, language = r.language, custom = r.custom from r where contact.id = r.id"
        );
        const PHONES: Sql = sql_rows!(
            [id int, contact int, position int, key text, number text, kind text, extension text, zones text],
            "insert into phone (id, seller_id, contact_id, position, key, number, kind, extension, zones) \
             select id, $2, contact, position, key, number, kind, extension, zones from r where true order by key, id \
             on conflict (seller_id, contact_id, key) do update set position = excluded.position, \
               kind = excluded.kind, extension = excluded.extension"
        );
        const SEEN: Sql = sql_rows!(
            [row_key text, file_row int, result text],
            "insert into import_row (list_id, row_key, import_id, row_no, result) \
             select $2, row_key, $3, file_row, result from r where true \
             on conflict (list_id, row_key) do update set import_id = excluded.import_id, \
               row_no = excluded.row_no, result = excluded.result"
        );
        let seller = Bind::Int(job.seller.0);
        if !self.changed_contacts.is_empty() {
            let contacts = json_rows(&self.changed_contacts);
            db.run(WRITING, &CONTACTS, &[Bind::Text(&contacts)]).await?;
            let phones = json_rows(&self.changed_phones);
            db.run(WRITING, &PHONES, &[Bind::Text(&phones), seller]).await?;
        }
        if !self.seen_again.is_empty() {
            let seen = json_rows(&self.seen_again);
            let binds = [Bind::Text(&seen), Bind::Int(job.list.0), Bind::Int(job.id)];
            db.run(WRITING, &SEEN, &binds).await?;
        }
        Ok(())
    }
}

fn class_of(classes: &[(String, i64)], descriptor: &str) -> i64 {
    classes.iter().find(|(known, _)| known == descriptor).map_or(0, |(_, row)| *row)
}

const WRITING: &str = "writing a list";
