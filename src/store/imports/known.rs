//! What the database knows of a chunk's rows, and what is to become of each.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::write::{Plan, PlannedContact, PlannedLead, PlannedPhone, SeenRow};
use super::{ImportJob, ImportPhone, ImportRow, RowResult};
use crate::logic::ids::{ContactId, IdMaker};
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, DbRow, Sql, json_cells, json_rows, sql_cells, sql_rows};
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
                if let Some(contact) = self.find(row) {
                    self.learn(row, contact);
                }
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
        let changed = person.is_none_or(|person| differs(person, row));
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
        let mut known = Self {
            by_external_id: HashMap::with_capacity(rows.len()),
            by_number: HashMap::with_capacity(rows.len()),
            taken: HashSet::with_capacity(rows.len()),
            touched: HashSet::with_capacity(rows.len()),
            ..Self::default()
        };
        match db.engine() {
            Engine::Sqlite => {
                known.ask_seen(db, job, rows)?;
                known.ask_persons(db, job, rows)?;
                known.ask_suppressions(db, job, rows)?;
            }
            Engine::Postgres => {
                let json = json_cells(rows.iter().map(|row| {
                    let number = by_number(row).map(|phone| &phone.key);
                    (&row.row_key, &row.external_id, number)
                }));
                let phones = rows.iter().flat_map(|row| &row.phones);
                let numbers = json_cells(phones.map(|phone| (&phone.key,)));
                known.read_seen(db, job, &json).await?;
                known.read_persons(db, job, &json).await?;
                known.read_suppressions(db, job, &numbers).await?;
            }
        }
        known.read_details(db, job).await?;
        Ok(known)
    }

    /// On SQLite a question of its own for each row that is there costs less than one about all of them; most rows are
    /// not, which the index says of many at once.
    fn ask_seen(
        &mut self,
        db: &mut Db,
        job: &ImportJob,
        rows: &[ImportRow],
    ) -> Result<(), StoreError> {
        const NEXT: &str = "select row_key from import_row where list_id = ? and row_key >= ? order by row_key limit 1";
        const NEXT_DRY: &str = "select row_key from import_seen where ? is not null and row_key >= ? order by row_key limit 1";
        const SEEN: &str =
            "select import_id, row_no, result from import_row where list_id = ? and row_key = ?";
        const DRY: &str = "select ?, row_no, '' from import_seen where row_key = ?";
        let (next, sql, bind) =
            if job.dry_run { (NEXT_DRY, DRY, job.id) } else { (NEXT, SEEN, job.list.0) };
        let keys = rows.iter().map(|row| row.row_key.as_str()).collect();
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
        rows: &[ImportRow],
    ) -> Result<(), StoreError> {
        const NEXT_ID: &str = "select external_id from contact where seller_id = ? and external_id >= ? \
             order by external_id limit 1";
        const NEXT_NUMBER: &str = "select key from phone where key >= ? order by key limit 1";
        const BY_ID: &str = "select c.id, c.name, c.language, c.custom, \
               (select count(*) from lead l where l.campaign_id = ? and l.contact_id = c.id) \
             from contact c where c.seller_id = ? and c.external_id = ?";
        // Several persons may have a number: the first one is meant. `+`: no index by seller, or SQLite reads every number
        // of the seller.
        const BY_NUMBER: &str = "select c.id, c.name, c.language, c.custom, \
               (select count(*) from lead l where l.campaign_id = ? and l.contact_id = c.id) \
             from contact c where c.id = (select min(p.contact_id) from phone p where +p.seller_id = ? and p.key = ?)";
        let (campaign, seller) = (Bind::Int(job.campaign.0), Bind::Int(job.seller.0));
        let ids = rows.iter().filter_map(|row| row.external_id.as_deref()).collect();
        let ids = db.present(LOOKING_PERSONS, NEXT_ID, &[seller], ids)?;
        let numbers = rows.iter().filter_map(by_number).map(|phone| phone.key.as_str()).collect();
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
        rows: &[ImportRow],
    ) -> Result<(), StoreError> {
        const NEXT: &str = "select key from suppression where key >= ? order by key limit 1";
        const NUMBER: &str = "select key from suppression where key = ? and seller_id in (?, 0) and lifted_ms is null";
        let numbers = rows.iter().flat_map(|row| &row.phones).map(|phone| phone.key.as_str());
        let keys = numbers.chain([EVERYBODY]).collect();
        let keys = db.present(LOOKING_REFUSALS, NEXT, &[], keys)?;
        let asked = keys.iter().map(|key| [Bind::Text(key), Bind::Int(job.seller.0)]);
        db.ask_each(LOOKING_REFUSALS, NUMBER.into(), asked, |_, row| {
            self.learn_refusal(row.text(0)?)
        })
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
        // Several persons may have a number: the first one is meant.
        const PERSONS: Sql = sql_cells!(
            [1 external_id text, 2 phone_key text],
            "select r.external_id, r.phone_key, c.id, c.name, c.language, c.custom, \
               (select count(*) from lead l where l.campaign_id = $3 and l.contact_id = c.id) \
             from r cross join contact c where c.id = case when r.external_id is not null \
               then (select e.id from contact e where e.seller_id = $2 and e.external_id = r.external_id) \
               else (select min(p.contact_id) from phone p where +p.seller_id = $2 and p.key = r.phone_key) end"
        );
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
        let mut asked: Vec<AskedPerson> = (self.persons.keys().copied())
            .map(|contact| AskedPerson { contact, person: person_key(ContactId(contact)) })
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        asked.sort_by_key(|asked| asked.contact);
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

/// The number that a person without an id of the seller's is known by.
fn by_number(row: &ImportRow) -> Option<&ImportPhone> {
    row.phones.first().filter(|_| row.external_id.is_none())
}

/// The key of a refusal of all calls.
const EVERYBODY: &str = "";
const LOOKING_ROWS: &str = "looking for known rows";
const LOOKING_PERSONS: &str = "looking for known persons";
const LOOKING_REFUSALS: &str = "looking for refusals";

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
