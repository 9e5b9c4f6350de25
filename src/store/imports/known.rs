//! What the database knows of a chunk's rows, and what is to become of each.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::write::{Plan, PlannedContact, PlannedLead, PlannedPhone, SeenRow};
use super::{ImportJob, ImportRow, RowResult};
use crate::logic::ids::{ContactId, IdMaker};
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql, json_cells, json_rows, sql_cells, sql_rows};
use crate::store::suppressions::person_key;

/// Judges every row in order: later rows see what earlier ones of the same chunk will have written.
pub(super) async fn judge<'r>(
    db: &mut Db,
    ids: &mut IdMaker,
    job: &ImportJob,
    rows: &'r [ImportRow],
) -> Result<(Vec<RowResult>, Plan<'r>), StoreError> {
    let mut known = Known::read(db, job, rows).await?;
    let mut plan = Plan::default();
    let mut results = Vec::with_capacity(rows.len());
    for row in rows {
        results.push(known.row(ids, job, row, &mut plan)?);
    }
    if job.dry_run {
        const SEEN: Sql = sql_cells!(
            [0 row_key text, 1 file_row int],
            "insert into import_seen (row_key, row_no) select row_key, file_row from r where true \
             on conflict (row_key) do nothing"
        );
        let fresh = rows.iter().zip(&results);
        let fresh = fresh
            .filter(|(_, result)| matches!(result, RowResult::Added | RowResult::Updated))
            .map(|(row, _)| (&row.row_key, row.row_no));
        db.run("noting rows of a dry run", &SEEN, &[Bind::Text(&json_cells(fresh))]).await?;
    }
    Ok((results, plan))
}

/// The row of each calling class of the new leads, by its descriptor; made where there is none.
pub(super) async fn classes(
    db: &mut Db,
    ids: &mut IdMaker,
    job: &ImportJob,
    plan: &Plan<'_>,
) -> Result<Vec<(String, i64)>, StoreError> {
    const READ: Sql = sql_cells!(
        [0 class text],
        "select k.descriptor, k.id from r join calling_class k on k.descriptor = r.class \
           join campaign_class m on m.campaign_id = $2 and m.class_id = k.id"
    );
    const MAKE: Sql = sql_cells!(
        [0 class text, 1 class_id int],
        "insert into calling_class (id, descriptor) select class_id, class from r where true \
         on conflict (descriptor) do nothing"
    );
    const OF_CAMPAIGN: Sql = sql_cells!(
        [0 class text],
        "insert into campaign_class (campaign_id, class_id) select $2, k.id \
         from r join calling_class k on k.descriptor = r.class where true \
         on conflict (campaign_id, class_id) do nothing"
    );
    let doing = "looking for calling classes";
    let mut wanted = BTreeSet::new();
    let mut asked = vec![];
    for lead in &plan.leads {
        if wanted.insert(lead.class) {
            asked.push((lead.class, ids.make().ok_or(StoreError::NoIdsLeft)?));
        }
    }
    if asked.is_empty() {
        return Ok(vec![]);
    }
    let json = json_cells(asked.iter());
    let (json, campaign) = (Bind::Text(&json), Bind::Int(job.campaign.0));
    let mut made = false;
    loop {
        let rows = db.rows(doing, &READ, &[json, campaign]).await?;
        if rows.len() == asked.len() {
            return rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect();
        }
        if made {
            return Err(StoreError::Damaged { doing, found: format!("{} classes", rows.len()) });
        }
        db.run(doing, &MAKE, &[json]).await?;
        db.run(doing, &OF_CAMPAIGN, &[json, campaign]).await?;
        made = true;
    }
}

/// A row that was written before.
struct Seen {
    import: i64,
    row_no: i64,
    result: String,
}

/// A person of the seller.
struct Person {
    name: Option<String>,
    language: Option<String>,
    custom: String,
    /// By key: position, kind and extension.
    phones: BTreeMap<String, (i64, Option<String>, Option<String>)>,
    has_lead: bool,
    suppressed: bool,
}

/// Only looked up, never walked: so the order of a hash does not matter.
#[derive(Default)]
struct Known<'r> {
    seen: HashMap<String, Seen>,
    persons: HashMap<i64, Person>,
    by_external_id: HashMap<Cow<'r, str>, i64>,
    by_number: HashMap<Cow<'r, str>, i64>,
    suppressed_numbers: BTreeSet<String>,
    everybody_suppressed: bool,
    /// Keys of rows of this chunk that were taken.
    taken: HashSet<&'r str>,
    /// Persons that rows of this chunk are about already.
    touched: HashSet<i64>,
}

impl<'r> Known<'r> {
    fn row(
        &mut self,
        ids: &mut IdMaker,
        job: &ImportJob,
        row: &'r ImportRow,
        plan: &mut Plan<'r>,
    ) -> Result<RowResult, StoreError> {
        let row_no = number(row.row_no);
        if self.taken.contains(row.row_key.as_str()) {
            return Ok(RowResult::DuplicateInFile);
        }
        if let Some(seen) = self.seen.get(&row.row_key) {
            if seen.import == job.id && seen.row_no == row_no {
                // This very row, sent again after its reply was lost.
                let updated = seen.result == RowResult::Updated.as_str();
                return Ok(if updated { RowResult::Updated } else { RowResult::Added });
            }
            if seen.import == job.id {
                return Ok(RowResult::DuplicateInFile);
            }
        }
        let found = self.find(row);
        if found.is_some_and(|contact| self.touched.contains(&contact)) {
            return Ok(RowResult::DuplicateInFile);
        }
        let person = found.and_then(|contact| self.persons.get(&contact));
        let blocked = self.everybody_suppressed
            || person.is_some_and(|person| person.suppressed)
            || row.phones.iter().any(|phone| self.suppressed_numbers.contains(&phone.key));
        if blocked {
            return Ok(RowResult::Suppressed);
        }
        let custom = json_rows(&row.fields);
        let changed = person.is_none_or(|person| differs(person, row, &custom));
        let has_lead = person.is_some_and(|person| person.has_lead);
        if has_lead && !changed {
            return Ok(RowResult::DuplicateInList);
        }
        let mut id = || ids.make().ok_or(StoreError::NoIdsLeft);
        let contact = match found {
            Some(contact) => contact,
            None => id()?,
        };
        if changed {
            let (contacts, phones) = match found {
                Some(_) => (&mut plan.changed_contacts, &mut plan.changed_phones),
                None => (&mut plan.contacts, &mut plan.phones),
            };
            contacts.push(PlannedContact {
                id: contact,
                external_id: row.external_id.as_deref(),
                name: row.name.as_deref(),
                language: row.language.as_deref(),
                custom,
            });
            for (position, (at, phone)) in (0..).zip(row.phones.iter().enumerate()) {
                if row.phones.iter().take(at).any(|earlier| earlier.key == phone.key) {
                    continue;
                }
                phones.push(PlannedPhone {
                    id: id()?,
                    contact,
                    position,
                    key: &phone.key,
                    number: phone.number.reveal(),
                    kind: phone.kind.as_deref(),
                    extension: phone.extension.as_deref(),
                    zones: json_rows(&phone.zones),
                });
            }
        }
        let result = if has_lead { RowResult::Updated } else { RowResult::Added };
        if !has_lead {
            plan.leads.push(PlannedLead { id: id()?, contact, class: &row.class, rank: row.rank });
        }
        let seen = SeenRow { row_key: &row.row_key, file_row: row_no, result: result.as_str() };
        if self.seen.contains_key(&row.row_key) {
            plan.seen_again.push(seen);
        } else {
            plan.seen.push(seen);
        }
        self.learn(row, contact);
        Ok(result)
    }

    /// Seller and external id, else seller and first number.
    fn find(&self, row: &ImportRow) -> Option<i64> {
        match &row.external_id {
            Some(external_id) => self.by_external_id.get(external_id.as_str()).copied(),
            None => {
                let first = row.phones.first()?;
                self.by_number.get(first.key.as_str()).copied()
            }
        }
    }

    fn learn(&mut self, row: &'r ImportRow, contact: i64) {
        self.touched.insert(contact);
        if let Some(external_id) = &row.external_id {
            self.by_external_id.insert(Cow::Borrowed(external_id), contact);
        }
        for phone in &row.phones {
            self.by_number.entry(Cow::Borrowed(&phone.key)).or_insert(contact);
        }
        self.taken.insert(&row.row_key);
    }

    async fn read(db: &mut Db, job: &ImportJob, rows: &[ImportRow]) -> Result<Self, StoreError> {
        let json = json_cells(rows.iter().map(|row| {
            let first = row.phones.first().map(|phone| &phone.key);
            let number = if row.external_id.is_some() { None } else { first };
            (&row.row_key, &row.external_id, number)
        }));
        let numbers =
            json_cells(rows.iter().flat_map(|row| &row.phones).map(|phone| (&phone.key,)));
        let mut known = Self::default();
        known.read_seen(db, job, &json).await?;
        known.read_persons(db, job, &json).await?;
        known.read_suppressions(db, job, &numbers).await?;
        Ok(known)
    }

    async fn read_seen(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        json: &str,
    ) -> Result<(), StoreError> {
        const SEEN: Sql = sql_cells!(
            [0 row_key text],
            "select i.row_key, i.import_id, i.row_no, i.result from r cross join import_row i \
             where i.list_id = $2 and i.row_key = r.row_key"
        );
        const DRY: Sql = sql_cells!(
            [0 row_key text],
            "select i.row_key, $2, i.row_no, '' from r cross join import_seen i where i.row_key = r.row_key"
        );
        let (sql, bind) = if job.dry_run { (&DRY, job.id) } else { (&SEEN, job.list.0) };
        let binds = [Bind::Text(json), Bind::Int(bind)];
        for row in db.rows("looking for known rows", sql, &binds).await? {
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
        // Several persons may have a number: the first one is meant. `+`: no index by seller, or SQLite reads every number
        // of the seller.
        const PERSONS: Sql = sql_cells!(
            [1 external_id text, 2 phone_key text],
            "select r.external_id, r.phone_key, c.id, c.name, c.language, c.custom, \
               (select count(*) from lead l where l.campaign_id = $3 and l.contact_id = c.id) \
             from r cross join contact c where c.id = case when r.external_id is not null \
               then (select e.id from contact e where e.seller_id = $2 and e.external_id = r.external_id) \
               else (select min(p.contact_id) from phone p where +p.seller_id = $2 and p.key = r.phone_key) end"
        );
        let doing = "looking for known persons";
        let binds = [Bind::Text(json), Bind::Int(job.seller.0), Bind::Int(job.campaign.0)];
        #[derive(Serialize)]
        struct AskedPerson {
            contact: i64,
            person: String,
        }
        let mut asked = vec![];
        for row in db.rows(doing, &PERSONS, &binds).await? {
            let contact = row.int(2)?;
            if let Some(external_id) = row.opt_text(0)? {
                self.by_external_id.insert(Cow::Owned(external_id), contact);
            } else if let Some(key) = row.opt_text(1)? {
                self.by_number.insert(Cow::Owned(key), contact);
            }
            let person = Person {
                name: row.opt_text(3)?,
                language: row.opt_text(4)?,
                custom: row.text(5)?,
                phones: BTreeMap::new(),
                has_lead: row.flag(6)?,
                suppressed: false,
            };
            if self.persons.insert(contact, person).is_none() {
                asked.push(AskedPerson { contact, person: person_key(ContactId(contact)) });
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        const PHONES: Sql = sql_rows!(
            [contact int],
            "select p.contact_id, p.key, p.position, p.kind, p.extension \
             from r join phone p on p.contact_id = r.contact"
        );
        let json = json_rows(&asked);
        for row in db.rows(doing, &PHONES, &[Bind::Text(&json)]).await? {
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
        for row in db.rows(doing, &REFUSED, &[Bind::Text(&json), Bind::Int(job.seller.0)]).await? {
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
        for row in db.rows("looking for refusals", &NUMBERS, &binds).await? {
            let key = row.text(0)?;
            self.everybody_suppressed |= key.is_empty();
            self.suppressed_numbers.insert(key);
        }
        Ok(())
    }
}

/// Whether the row says anything that the database does not.
fn differs(person: &Person, row: &ImportRow, custom: &str) -> bool {
    person.name != row.name
        || person.language != row.language
        || person.custom != custom
        || (0..).zip(&row.phones).any(|(position, phone)| {
            let known = person.phones.get(&phone.key);
            known != Some(&(position, phone.kind.clone(), phone.extension.clone()))
        })
}

fn number(row_no: u64) -> i64 {
    i64::try_from(row_no).unwrap_or(i64::MAX)
}
