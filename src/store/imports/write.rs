//! What a chunk writes. New rows are most of it, and nothing can be in their way: their ids are new, and one import per
//! seller runs at a time. So SQLite gets plain inserts of many rows and PostgreSQL a COPY per table; only what changes a
//! row that is there goes the longer way.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::ImportJob;
use crate::store::copy::CopyRows;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};

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
    pub(super) custom: &'r str,
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
    #[serde(serialize_with = "as_text")]
    pub(super) zones: Arc<str>,
}

fn as_text<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
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
            Engine::Sqlite => self.insert(db, job, classes)?,
            Engine::Postgres => self.copy(db, job, classes).await?,
        }
        self.change(db, job).await
    }

    /// Prepared once: nothing is quoted or parsed.
    fn insert(
        &self,
        db: &mut Db,
        job: &ImportJob,
        classes: &[(String, i64)],
    ) -> Result<(), StoreError> {
        const CONTACT: &str = "contact (id, seller_id, external_id, name, language, custom)";
        const PHONE: &str =
            "phone (id, seller_id, contact_id, position, key, number, kind, extension, zones)";
        const LEAD: &str =
            "lead (id, campaign_id, contact_id, class_id, rank, list_id, state, due_ms)";
        const SEEN: &str = "import_row (list_id, row_key, import_id, row_no, result)";
        const READY: Bind<'static> = Bind::Int(0);
        const AT_ONCE: Bind<'static> = Bind::Int(0);
        let seller = Bind::Int(job.seller.0);
        let (campaign, list) = (Bind::Int(job.campaign.0), Bind::Int(job.list.0));
        let contacts = self.contacts.iter().map(|c| {
            let [id, name, language] = [c.external_id, c.name, c.language].map(Bind::opt);
            [Bind::Int(c.id), seller, id, name, language, Bind::Text(c.custom)]
        });
        db.insert(WRITING, CONTACT, contacts)?;
        let phones = self.phones.iter().map(|p| {
            let [id, contact, position] = [p.id, p.contact, p.position].map(Bind::Int);
            let [key, number, zones] = [p.key, p.number, &p.zones].map(Bind::Text);
            let [kind, extension] = [p.kind, p.extension].map(Bind::opt);
            [id, seller, contact, position, key, number, kind, extension, zones]
        });
        db.insert(WRITING, PHONE, phones)?;
        let leads = self.leads.iter().map(|l| {
            let class = Bind::Int(class_of(classes, l.class));
            let [id, contact, rank] = [l.id, l.contact, l.rank].map(Bind::Int);
            [id, campaign, contact, class, rank, list, READY, AT_ONCE]
        });
        db.insert(WRITING, LEAD, leads)?;
        let seen = self.seen.iter().map(|s| {
            let row = Bind::Int(s.file_row);
            [list, Bind::Text(s.row_key), Bind::Int(job.id), row, Bind::Text(s.result)]
        });
        db.insert(WRITING, SEEN, seen)
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
            rows.text(Some(contact.custom));
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
