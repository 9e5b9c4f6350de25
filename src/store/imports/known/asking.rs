//! What the database knows of a chunk's rows.
//!
//! SQLite is asked row by row, after its indexes have said which rows are there at all: most are not. PostgreSQL is asked once
//! about all.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::super::ImportJob;
use super::{KeyedRow, Known, Person, Seen, by_number, id_key, new_number_key, number_key};
use crate::logic::ids::ContactId;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, DbRow, Sql, json_cells, json_rows, sql_cells, sql_rows};
use crate::store::suppressions::person_key;

impl Known<'_> {
    pub(super) async fn read(
        db: &mut Db,
        job: &ImportJob,
        rows: &[KeyedRow<'_>],
    ) -> Result<Self, StoreError> {
        let mut known = Self {
            by_external_id: HashMap::with_capacity(rows.len()),
            by_number: HashMap::with_capacity(rows.len()),
            taken: HashSet::with_capacity(rows.len()),
            touched: HashSet::with_capacity(rows.len()),
            ..Self::default()
        };
        let keys = rows.iter().map(|row| Cow::Borrowed(row.key.as_str()));
        let dry = rows.iter().filter(|_| job.dry_run).filter_map(|row| by_number(row.row));
        let dry = dry.map(|phone| Cow::Owned(new_number_key(&phone.key)));
        known.read_seen(db, job, keys.chain(dry).collect()).await?;
        // Of the others nothing else is asked: they are the most of a file that is read again.
        let rows: Vec<_> = rows.iter().filter(|row| known.written(job, row).is_none()).collect();
        match db.engine() {
            Engine::Sqlite => {
                known.ask_persons(db, job, &rows)?;
                known.ask_suppressions(db, job, &rows)?;
            }
            Engine::Postgres => {
                let persons = json_cells(rows.iter().map(|KeyedRow { row, .. }| {
                    (&row.external_id, by_number(row).map(|phone| &phone.key))
                }));
                let phones = rows.iter().flat_map(|row| &row.row.phones);
                let numbers = json_cells(phones.map(|phone| (&phone.key,)));
                known.read_persons(db, job, &persons).await?;
                known.read_suppressions(db, job, &numbers).await?;
            }
        }
        known.read_details(db, job).await?;
        known.read_other_keys(db, job, &rows).await?;
        Ok(known)
    }

    /// A person may have come under another key than a row's: by id and by number, or by another number.
    async fn read_other_keys(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        rows: &[&KeyedRow<'_>],
    ) -> Result<(), StoreError> {
        if self.persons.is_empty() {
            return Ok(());
        }
        let asked: HashSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        let mut keys = vec![];
        for person in self.persons.values() {
            keys.extend(person.external_id.as_deref().map(id_key));
            keys.extend(person.phones.keys().map(|number| number_key(number)));
        }
        keys.retain(|key| !asked.contains(key.as_str()));
        self.read_seen(db, job, keys.into_iter().map(Cow::Owned).collect()).await?;
        // Whom each of those numbers means.
        const FIRST: Sql = sql_cells!(
            [0 phone_key text],
            "select r.phone_key, (select min(p.contact_id) from phone p where +p.seller_id = $2 and p.key = r.phone_key) \
             from r"
        );
        let numbers = self.persons.values().flat_map(|person| person.phones.keys());
        let numbers: BTreeSet<_> = numbers
            .filter(|number| !self.by_number.contains_key(number.as_str()))
            .filter(|number| self.of_this_import(job, &number_key(number)).is_some())
            .collect();
        if numbers.is_empty() {
            return Ok(());
        }
        let json = json_cells(numbers.iter().map(|number| (number,)));
        for row in
            db.rows(LOOKING_PERSONS, &FIRST, &[Bind::Text(&json), Bind::Int(job.seller.0)]).await?
        {
            self.by_number.insert(Cow::Owned(row.text(0)?), row.int(1)?);
        }
        Ok(())
    }

    async fn read_seen(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        keys: Vec<Cow<'_, str>>,
    ) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        match db.engine() {
            Engine::Sqlite => self.ask_seen(db, job, &keys),
            Engine::Postgres => {
                let json = json_cells(keys.iter().map(|key| (key,)));
                self.join_seen(db, job, &json).await
            }
        }
    }

    /// On SQLite a question of its own for each row that is there costs less than one about all of them; most rows are
    /// not, which the index says of many at once.
    fn ask_seen(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        keys: &[Cow<'_, str>],
    ) -> Result<(), StoreError> {
        const NEXT: &str = "select row_key from import_row where list_id = ? and row_key >= ? order by row_key limit 1";
        const NEXT_DRY: &str = "select row_key from import_seen where ? is not null and row_key >= ? order by row_key limit 1";
        const SEEN: &str =
            "select import_id, row_no, result from import_row where list_id = ? and row_key = ?";
        const DRY: &str = "select ?, row_no, '' from import_seen where row_key = ?";
        let (next, sql, bind) =
            if job.dry_run { (NEXT_DRY, DRY, job.id) } else { (NEXT, SEEN, job.list.0) };
        let keys = keys.iter().map(AsRef::as_ref).collect();
        let keys = db.present(LOOKING_ROWS, next, &[Bind::Int(bind)], keys)?;
        let asked = keys.iter().map(|key| [Bind::Int(bind), Bind::Text(key)]);
        db.ask_each(LOOKING_ROWS, sql.into(), asked, |place, row| {
            let (import, row_no, result) = (row.int(0)?, row.int(1)?, row.text(2)?);
            if let Some(key) = keys.get(place) {
                self.seen.insert((*key).to_owned(), Seen { import, row_no, result });
            }
            Ok(())
        })
    }

    fn ask_persons(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        rows: &[&KeyedRow<'_>],
    ) -> Result<(), StoreError> {
        const NEXT_ID: &str = "select external_id from contact where seller_id = ? and external_id >= ? \
             order by external_id limit 1";
        const NEXT_NUMBER: &str = "select key from phone where key >= ? order by key limit 1";
        const BY_ID: &str = "select c.id, c.name, c.language, c.custom, \
               (select count(*) from lead l where l.campaign_id = ? and l.contact_id = c.id), c.external_id \
             from contact c where c.seller_id = ? and c.external_id = ?";
        // Several persons may have a number: the first one is meant. `+`: no index by seller, or SQLite reads every number
        // of the seller.
        const BY_NUMBER: &str = "select c.id, c.name, c.language, c.custom, \
               (select count(*) from lead l where l.campaign_id = ? and l.contact_id = c.id), c.external_id \
             from contact c where c.id = (select min(p.contact_id) from phone p where +p.seller_id = ? and p.key = ?)";
        let (campaign, seller) = (Bind::Int(job.campaign.0), Bind::Int(job.seller.0));
        let ids = rows.iter().filter_map(|row| row.row.external_id.as_deref()).collect();
        let ids = db.present(LOOKING_PERSONS, NEXT_ID, &[seller], ids)?;
        let numbers = rows.iter().filter_map(|row| by_number(row.row));
        let numbers = numbers.map(|phone| phone.key.as_str()).collect();
        let numbers = db.present(LOOKING_PERSONS, NEXT_NUMBER, &[], numbers)?;
        let by_ids = ids.iter().map(|id| [campaign, seller, Bind::Text(id)]);
        let by_keys = numbers.iter().map(|key| [campaign, seller, Bind::Text(key)]);
        db.ask_each(LOOKING_PERSONS, BY_ID.into(), by_ids, |place, row| {
            let contact = self.learn_person(&row, 0)?;
            let id = ids.get(place).copied().unwrap_or_default().to_owned();
            self.by_external_id.insert(Cow::Owned(id), contact);
            Ok(())
        })?;
        db.ask_each(LOOKING_PERSONS, BY_NUMBER.into(), by_keys, |place, row| {
            let contact = self.learn_person(&row, 0)?;
            let number = numbers.get(place).copied().unwrap_or_default().to_owned();
            self.by_number.insert(Cow::Owned(number), contact);
            Ok(())
        })
    }

    fn ask_suppressions(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        rows: &[&KeyedRow<'_>],
    ) -> Result<(), StoreError> {
        const NEXT: &str = "select key from suppression where key >= ? order by key limit 1";
        const NUMBER: &str = "select key from suppression where key = ? and seller_id in (?, 0) and lifted_ms is null";
        let numbers = rows.iter().flat_map(|row| &row.row.phones).map(|phone| phone.key.as_str());
        let keys = numbers.chain([EVERYBODY]).collect();
        let keys = db.present(LOOKING_REFUSALS, NEXT, &[], keys)?;
        let asked = keys.iter().map(|key| [Bind::Text(key), Bind::Int(job.seller.0)]);
        db.ask_each(LOOKING_REFUSALS, NUMBER.into(), asked, |_, row| {
            self.learn_refusal(row.text(0)?)
        })
    }

    async fn join_seen(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        json: &str,
    ) -> Result<(), StoreError> {
        const DRY: Sql = sql_cells!(
            [0 row_key text],
            "select i.row_key, $2, i.row_no, '' from r cross join lateral \
               (select * from import_seen i where i.row_key = r.row_key offset 0) i"
        );
        let (sql, bind) = if job.dry_run { (&DRY, job.id) } else { (&SEEN, job.list.0) };
        let binds = [Bind::Text(json), Bind::Int(bind)];
        for row in db.rows(LOOKING_ROWS, sql, &binds).await? {
            let (import, row_no, result) = (row.int(1)?, row.int(2)?, row.text(3)?);
            self.seen.insert(row.text(0)?, Seen { import, row_no, result });
        }
        Ok(())
    }

    async fn read_persons(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        json: &str,
    ) -> Result<(), StoreError> {
        let binds = [Bind::Text(json), Bind::Int(job.seller.0), Bind::Int(job.campaign.0)];
        for row in db.rows(LOOKING_PERSONS, &PERSONS, &binds).await? {
            let contact = self.learn_person(&row, 2)?;
            if let Some(external_id) = row.opt_text(0)? {
                self.by_external_id.insert(Cow::Owned(external_id), contact);
            } else if let Some(key) = row.opt_text(1)? {
                self.by_number.insert(Cow::Owned(key), contact);
            }
        }
        Ok(())
    }

    /// The columns of a person, from `first` on.
    fn learn_person(&mut self, row: &DbRow, first: usize) -> Result<i64, StoreError> {
        let contact = row.int(first)?;
        let person = Person {
            name: row.opt_text(first + 1)?,
            language: row.opt_text(first + 2)?,
            custom: row.text(first + 3)?,
            phones: BTreeMap::new(),
            has_lead: row.flag(first + 4)?,
            external_id: row.opt_text(first + 5)?,
            suppressed: false,
        };
        self.persons.insert(contact, person);
        Ok(contact)
    }

    /// Numbers and refusals of the persons that were found.
    async fn read_details(&mut self, db: &mut Db, job: &ImportJob) -> Result<(), StoreError> {
        #[derive(Serialize)]
        struct AskedPerson {
            contact: i64,
            person: String,
        }
        let asked: Vec<AskedPerson> = (self.persons.keys().copied())
            .map(|contact| AskedPerson { contact, person: person_key(ContactId(contact)) })
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        const PHONES: Sql = sql_rows!(
            [contact int],
            "select p.contact_id, p.key, p.position, p.kind, p.extension \
             from r join phone p on p.contact_id = r.contact"
        );
        let json = json_rows(&asked);
        for row in db.rows(LOOKING_PERSONS, &PHONES, &[Bind::Text(&json)]).await? {
            if let Some(person) = self.persons.get_mut(&row.int(0)?) {
                let phone = (row.int(2)?, row.opt_text(3)?, row.opt_text(4)?);
                person.phones.insert(row.text(1)?, phone);
            }
        }
        const REFUSED: Sql = sql_rows!(
            [contact int, person text],
            "select r.contact from r join suppression s on s.key = r.person \
             where s.seller_id = $2 and s.lifted_ms is null"
        );
        let binds = [Bind::Text(&json), Bind::Int(job.seller.0)];
        for row in db.rows(LOOKING_PERSONS, &REFUSED, &binds).await? {
            if let Some(person) = self.persons.get_mut(&row.int(0)?) {
                person.suppressed = true;
            }
        }
        Ok(())
    }

    async fn read_suppressions(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        json: &str,
    ) -> Result<(), StoreError> {
        const NUMBERS: Sql = sql_cells!(
            [0 key text],
            "select s.key from suppression s where s.seller_id in ($2, 0) and s.lifted_ms is null \
             and s.key in (select r.key from r union all select '')"
        );
        let binds = [Bind::Text(json), Bind::Int(job.seller.0)];
        for row in db.rows(LOOKING_REFUSALS, &NUMBERS, &binds).await? {
            self.learn_refusal(row.text(0)?)?;
        }
        Ok(())
    }

    fn learn_refusal(&mut self, key: String) -> Result<(), StoreError> {
        self.everybody_suppressed |= key == EVERYBODY;
        self.suppressed_numbers.insert(key);
        Ok(())
    }
}

/// The key of a refusal of all calls.
const EVERYBODY: &str = "";
const LOOKING_ROWS: &str = "looking for known rows";
const LOOKING_PERSONS: &str = "looking for known persons";
const LOOKING_REFUSALS: &str = "looking for refusals";

// On PostgreSQL. `lateral (… offset 0)`: each row of the chunk seeks its own. It knows nothing yet of a table that grows from nothing,
// and would read all of it for each chunk.

pub(in crate::store) const SEEN: Sql = sql_cells!(
    [0 row_key text],
    "select i.row_key, i.import_id, i.row_no, i.result from r cross join lateral \
       (select * from import_row i where i.list_id = $2 and i.row_key = r.row_key offset 0) i"
);

/// Several persons may have a number: the first one is meant.
pub(in crate::store) const PERSONS: Sql = sql_cells!(
    [0 external_id text, 1 phone_key text],
    "select r.external_id, r.phone_key, c.id, c.name, c.language, c.custom, \
       (select count(*) from lead l where l.campaign_id = $3 and l.contact_id = c.id), c.external_id \
     from r cross join lateral (select * from contact c where c.id = case when r.external_id is not null \
       then (select e.id from contact e where e.seller_id = $2 and e.external_id = r.external_id) \
       else (select min(p.contact_id) from phone p where +p.seller_id = $2 and p.key = r.phone_key) end \
       offset 0) c"
);
