//! What is to become of each row of a chunk.

mod asking;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

#[cfg(test)]
pub(in crate::store) use asking::{PERSONS, SEEN};

use super::write::{Plan, PlannedContact, PlannedLead, PlannedPhone, SeenRow};
use super::{ImportJob, ImportPhone, ImportRow, RowResult};
use crate::logic::ids::IdMaker;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql, json_cells, json_rows, sql_cells};

/// Judges every row in order: later rows see what earlier ones of the same chunk will have written.
pub(super) async fn judge<'r>(
    db: &mut Db,
    ids: &mut IdMaker,
    job: &ImportJob,
    rows: &'r [KeyedRow<'r>],
) -> Result<(Vec<RowResult>, Plan<'r>), StoreError> {
    let mut known = Known::read(db, job, rows).await?;
    let mut plan = Plan::default();
    let mut results = Vec::with_capacity(rows.len());
    for row in rows {
        results.push(known.row(ids, job, row, &mut plan)?);
    }
    if job.dry_run {
        note_dry(db, rows, &results).await?;
    }
    Ok((results, plan))
}

/// What later chunks of a dry run must know of this one, which writes nothing else.
async fn note_dry(
    db: &mut Db,
    rows: &[KeyedRow<'_>],
    results: &[RowResult],
) -> Result<(), StoreError> {
    const SEEN: Sql = sql_cells!(
        [0 row_key text, 1 file_row int],
        "insert into import_seen (row_key, row_no) select row_key, file_row from r where true \
         on conflict (row_key) do nothing"
    );
    let fresh = rows.iter().zip(results);
    let fresh = fresh
        .filter(|(_, result)| matches!(result, RowResult::Added | RowResult::Updated))
        .flat_map(|(KeyedRow { key, row }, _)| {
            let numbers = row.phones.iter().map(|phone| new_number_key(&phone.key));
            std::iter::once(key.clone()).chain(numbers).map(|key| (key, row.row_no))
        });
    db.run("noting rows of a dry run", &SEEN, &[Bind::Text(&json_cells(fresh))]).await?;
    Ok(())
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

/// A row of a list, and who it is about within the list: two rows with the same key are the same person.
pub(super) struct KeyedRow<'r> {
    key: String,
    pub(super) row: &'r ImportRow,
}

impl<'r> KeyedRow<'r> {
    /// The seller's id, else the first number.
    pub(super) fn new(row: &'r ImportRow) -> Self {
        let first = row.phones.first().map_or("", |phone| &phone.key);
        Self { key: row.external_id.as_deref().map_or_else(|| number_key(first), id_key), row }
    }
}

/// The key of rows with this id of the seller's.
fn id_key(external_id: &str) -> String {
    ["id:", external_id].concat()
}

/// The key of rows without an id that begin with this number.
fn number_key(number: &str) -> String {
    ["tel:", number].concat()
}

/// No row's key: in a dry run, a number of a person whom the file brought.
fn new_number_key(number: &str) -> String {
    ["new:", number].concat()
}

/// A row that was written before.
struct Seen {
    import: i64,
    row_no: i64,
    result: String,
}

/// A person of the seller.
struct Person {
    external_id: Option<String>,
    name: Option<String>,
    language: Option<String>,
    custom: String,
    /// By key: position, kind and extension.
    phones: BTreeMap<String, (i64, Option<String>, Option<String>)>,
    has_lead: bool,
    suppressed: bool,
}

/// What is hashed is only looked up, never walked: so the order of a hash does not matter.
#[derive(Default)]
struct Known<'r> {
    seen: HashMap<String, Seen>,
    persons: BTreeMap<i64, Person>,
    by_external_id: HashMap<Cow<'r, str>, i64>,
    by_number: HashMap<Cow<'r, str>, i64>,
    suppressed_numbers: BTreeSet<String>,
    everybody_suppressed: bool,
    /// Keys of rows of this chunk that were taken.
    taken: HashSet<&'r str>,
    /// Persons that rows of this chunk are about already.
    touched: HashSet<i64>,
    zones: ZonesText,
}

/// The zones of the number before, as the table has them: most numbers of a list have the same.
#[derive(Default)]
struct ZonesText {
    zones: Arc<[String]>,
    text: Arc<str>,
}

impl ZonesText {
    fn text(&mut self, zones: &Arc<[String]>) -> Arc<str> {
        if self.text.is_empty() || self.zones != *zones {
            (self.zones, self.text) = (Arc::clone(zones), json_rows(zones).into());
        }
        Arc::clone(&self.text)
    }
}

impl<'r> Known<'r> {
    fn row(
        &mut self,
        ids: &mut IdMaker,
        job: &ImportJob,
        keyed: &'r KeyedRow<'r>,
        plan: &mut Plan<'r>,
    ) -> Result<RowResult, StoreError> {
        let KeyedRow { key, row } = keyed;
        let row_no = number(row.row_no);
        if let Some(seen) = self.written(job, keyed) {
            let updated = seen.result == RowResult::Updated.as_str();
            return Ok(if updated { RowResult::Updated } else { RowResult::Added });
        }
        let found = self.find(row);
        // Rows of this import that were written, about the same person.
        let mut others: Vec<_> =
            self.of_this_import(job, key).map(|seen| seen.row_no).into_iter().collect();
        others.extend(found.into_iter().flat_map(|contact| self.rows_about(job, contact)));
        let here = self.taken.contains(key.as_str())
            || found.is_some_and(|contact| self.touched.contains(&contact))
            || (job.dry_run && found.is_none() && self.is_new_number(row));
        if here || others.iter().any(|other| *other < row_no) {
            return Ok(RowResult::DuplicateInFile);
        }
        // A later row was written: this one was refused when it was read first, and must not undo the later one.
        let refused = !others.is_empty();
        let person = found.and_then(|contact| self.persons.get(&contact));
        let blocked = self.everybody_suppressed
            || person.is_some_and(|person| person.suppressed)
            || row.phones.iter().any(|phone| self.suppressed_numbers.contains(&phone.key));
        if blocked {
            return Ok(RowResult::Suppressed);
        }
        let changed = person.is_none_or(|person| differs(person, row));
        let has_lead = person.is_some_and(|person| person.has_lead);
        if refused || (has_lead && !changed) {
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
                custom: &row.custom,
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
                    kind: phone.kind,
                    extension: phone.extension.as_deref(),
                    zones: self.zones.text(&phone.zones),
                });
            }
        }
        let result = if has_lead { RowResult::Updated } else { RowResult::Added };
        if !has_lead {
            plan.leads.push(PlannedLead { id: id()?, contact, class: &row.class, rank: row.rank });
        }
        let seen = SeenRow { row_key: key, file_row: row_no, result: result.as_str() };
        if self.seen.contains_key(key) {
            plan.seen_again.push(seen);
        } else {
            plan.seen.push(seen);
        }
        self.taken.insert(key);
        self.learn(row, contact);
        Ok(result)
    }

    fn of_this_import(&self, job: &ImportJob, key: &str) -> Option<&Seen> {
        self.seen.get(key).filter(|seen| seen.import == job.id)
    }

    /// This very row, which is sent again after its reply was lost, or read again after the import was cut off.
    fn written(&self, job: &ImportJob, KeyedRow { key, row }: &KeyedRow<'_>) -> Option<&Seen> {
        self.of_this_import(job, key).filter(|seen| seen.row_no == number(row.row_no))
    }

    /// Places of the rows of this import that were written about a known person, under whatever key.
    fn rows_about(&self, job: &ImportJob, contact: i64) -> impl Iterator<Item = i64> {
        let person = self.persons.get(&contact);
        let by_id = person.and_then(|person| person.external_id.as_deref()).map(id_key);
        let numbers = person.into_iter().flat_map(|person| person.phones.keys());
        // Others may have the number too: a row by number is about the first of them.
        let numbers =
            numbers.filter(move |number| self.by_number.get(number.as_str()) == Some(&contact));
        let keys = by_id.into_iter().chain(numbers.map(|number| number_key(number)));
        keys.filter_map(|key| self.of_this_import(job, &key)).map(|seen| seen.row_no)
    }

    /// Whether a row without an id is about a person whom an earlier chunk of this dry run would have made.
    fn is_new_number(&self, row: &ImportRow) -> bool {
        by_number(row).is_some_and(|phone| self.seen.contains_key(&new_number_key(&phone.key)))
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
            let first = self.by_number.entry(Cow::Borrowed(&phone.key)).or_insert(contact);
            *first = contact.min(*first);
        }
    }
}

/// The number that a person without an id of the seller's is known by.
fn by_number(row: &ImportRow) -> Option<&ImportPhone> {
    row.phones.first().filter(|_| row.external_id.is_none())
}

/// Whether the row says anything that the database does not.
fn differs(person: &Person, row: &ImportRow) -> bool {
    person.name != row.name
        || person.language != row.language
        || person.custom != row.custom
        || (0..).zip(&row.phones).any(|(position, phone)| {
            let known = person.phones.get(&phone.key);
            known.is_none_or(|(at, kind, extension)| {
                (*at, kind.as_deref(), extension) != (position, phone.kind, &phone.extension)
            })
        })
}

fn number(row_no: u64) -> i64 {
    i64::try_from(row_no).unwrap_or(i64::MAX)
}
