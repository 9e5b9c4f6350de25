//! The anchors: what SQLite does with bare prepared statements, without anything of ours around it. A process of its own,
//! so that its processor time is its own.

use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use outdial::store::{Engine, ImportPace};
use rusqlite::Connection;

use crate::person::Person;

/// Whether this process is an anchor; then it has done its work.
pub(crate) fn is_child() -> bool {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [WORD, work, path, rest @ ..] = words.as_slice() else { return false };
    let path = Path::new(path);
    match (*work, rest) {
        ("insert", [rows, commits]) => {
            insert_prepared(path, rows.parse().unwrap(), *commits == "one commit");
        }
        ("claim", []) => in_turns(path, claim),
        ("outcomes-alone", []) => in_turns(path, |db, first| outcomes(db, first, 1)),
        ("outcomes-grouped", []) => in_turns(path, |db, first| outcomes(db, first, 10)),
        ("updates-grouped", []) => in_turns(path, updates),
        other => panic!("unknown anchor {other:?}"),
    }
    true
}

/// Works once for each number on the standard input, and says how many milliseconds it took.
fn in_turns(path: &Path, work: fn(&Connection, i64)) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "pragma synchronous = full; pragma cache_size = -32768; pragma wal_autocheckpoint = 0",
    )
    .unwrap();
    for line in std::io::stdin().lock().lines() {
        let number = line.unwrap().parse().unwrap();
        let begun = Instant::now();
        work(&db, number);
        println!("{}", begun.elapsed().as_secs_f64() * 1_000.0);
    }
}

/// What a claim cannot do without: mark a hundred leads of three classes, read them and their numbers.
fn claim(db: &Connection, turn: i64) {
    db.execute_batch("begin immediate").unwrap();
    db.prepare_cached(CLAIM).unwrap().execute([turn]).unwrap();
    let mut read = 0;
    for text in [LEADS, PHONES] {
        let mut statement = db.prepare_cached(text).unwrap();
        let mut rows = statement.query([turn]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            read += i64::from(row.get_ref(1).is_ok());
        }
    }
    db.execute_batch("commit").unwrap();
    assert!(read > 0);
}

/// A hundred outcomes from `first` on, so many of each a commit: the rows that an outcome changes and adds, and no question.
fn outcomes(db: &Connection, first: i64, group: usize) {
    for first in (first..first + 100).step_by(group) {
        db.execute_batch("begin immediate").unwrap();
        let last = first + i64::try_from(group).unwrap();
        db.prepare_cached(COUNTER).unwrap().execute([last - first]).unwrap();
        for id in first..last {
            db.prepare_cached(ENDED).unwrap().execute([id]).unwrap();
            db.prepare_cached(CLOSED).unwrap().execute([id]).unwrap();
            db.prepare_cached(DONE).unwrap().execute([id]).unwrap();
            db.prepare_cached(EVENT)
                .unwrap()
                .execute((last - 1 - id, id.to_string(), BODY))
                .unwrap();
        }
        db.execute_batch("commit").unwrap();
    }
}

/// A hundred attempts and their leads from `first` on, ten of each a commit: less than an outcome is.
fn updates(db: &Connection, first: i64) {
    for first in (first..first + 100).step_by(10) {
        db.execute_batch("begin immediate").unwrap();
        for id in first..first + 10 {
            db.prepare_cached(ATTEMPT).unwrap().execute([id]).unwrap();
            db.prepare_cached(LEAD).unwrap().execute([id]).unwrap();
        }
        db.execute_batch("commit").unwrap();
    }
}

/// The anchor of the import: the rows that it makes, into the same tables with the same indexes, by prepared statements
/// and with the same durability. Commits as often as the import does (by its clock, not by its rows), or once.
fn insert_prepared(path: &Path, rows: u64, one_commit: bool) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -32768; \
         pragma wal_autocheckpoint = 16384",
    )
    .unwrap();
    let mut contact = db
        .prepare("insert into contact (id, seller_id, external_id, name, language, custom) values (?, 1, ?, ?, null, ?)")
        .unwrap();
    let mut phone = db
        .prepare(
            "insert into phone (id, seller_id, contact_id, position, key, number, kind, extension, zones) \
             values (?, 1, ?, 0, ?, ?, 'mobile', null, '[\"Asia/Tokyo\"]')",
        )
        .unwrap();
    let mut lead = db
        .prepare(
            "insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id) \
             values (?, 2, ?, 3, 2147483647, 0, 0, 4)",
        )
        .unwrap();
    let mut seen = db
        .prepare("insert into import_row (list_id, row_key, import_id, row_no, result) values (4, ?, 5, ?, 'added')")
        .unwrap();
    let (mut first, mut pace) = (0, ImportPace::new(Engine::Sqlite));
    while first < rows {
        let chunk = if one_commit { rows } else { u64::try_from(pace.rows()).unwrap() };
        let last = rows.min(first + chunk);
        let begun = Instant::now();
        db.execute_batch("begin immediate").unwrap();
        for n in first..last {
            let person = Person::new(n);
            let id = (1_i64 << 32) + i64::try_from(n).unwrap() * 3;
            let (external_id, key) = (person.external_id(), person.key());
            contact.execute((id, &external_id, person.name(), person.custom())).unwrap();
            phone.execute((id + 1, id, &key, &key)).unwrap();
            lead.execute((id + 2, id)).unwrap();
            seen.execute((format!("id:{external_id}"), i64::try_from(n).unwrap() + 1)).unwrap();
        }
        db.execute_batch("commit").unwrap();
        pace.took(usize::try_from(last - first).unwrap(), begun.elapsed(), true);
        first = last;
    }
}

/// The first argument of such a process.
pub(crate) const WORD: &str = "anchor";

const CLAIM: &str = "update lead set state = 2, claimed_by = -1, claim_no = ?1, fence = fence + 1, gate = null \
     where id in (select id from (select * from (select id, rank from lead where state = 0 and promised = 0 \
         and campaign_id = 1 and class_id = 1 order by rank, id limit 100) union all \
       select * from (select id, rank from lead where state = 0 and promised = 0 and campaign_id = 1 and class_id = 3 \
         order by rank, id limit 100) union all \
       select * from (select id, rank from lead where state = 0 and promised = 0 and campaign_id = 1 and class_id = 5 \
         order by rank, id limit 100)) order by rank, id limit 100)";
const LEADS: &str = "select l.id, l.fence, c.seller_id, c.id, c.external_id, c.name, c.language, c.custom, l.class_id, \
       l.attempts, l.same_outcome, l.last_outcome, l.next_phone_id from lead l join contact c on c.id = l.contact_id \
     where l.claimed_by = -1 and l.campaign_id = 1 and l.claim_no = ?1 and l.state = 2 order by l.rank, l.id";
const PHONES: &str = "select l.id, p.id, p.key, p.number, p.zones, p.suspect_day \
     from lead l join phone p on p.contact_id = l.contact_id \
     where l.claimed_by = -1 and l.campaign_id = 1 and l.claim_no = ?1 and l.state = 2 and p.invalid = 0 \
     order by l.id, p.position, p.id";
pub(crate) const ENDED: &str = "update attempt set first_outcome = outcome, outcome = 'busy', ended_ms = 2000, sip_status = 486, \
     q850 = 17, counted = 1, undelivered = 0, abandoned = 0, window_ms = 0, booked_answered = 0, booked_abandoned = 0, \
     booked_fault = 0 where id = ?";
pub(crate) const CLOSED: &str = "update leg set ended_ms = 2000, sip_status = 486, q850 = 17 where attempt_id = ? and ended_ms is null";
pub(crate) const DONE: &str = "update lead set attempts = attempts + 1, same_outcome = 1, last_outcome = 'busy', state = 3, \
     gate = null, due_ms = 0, claimed_by = null, claim_no = null where id = ?";
pub(crate) const EVENT: &str = "insert into event (seq, at_ms, kind, ref, body) values \
     ((select value from counter where name = 'event') - ?, 2000, 'attempt_ended', ?, ?)";
pub(crate) const BODY: &str = "{\"abandoned\":false,\"agent\":null,\"attempt\":\"1000\",\"campaign\":\"1\",\"fault\":false,\
     \"lead\":\"1000\",\"live\":null,\"number\":null,\"outcome\":\"busy\",\"q850\":17,\"refused\":false,\
     \"sip_status\":486,\"was\":null}";
pub(crate) const COUNTER: &str = "update counter set value = value + ? where name = 'event'";
const ATTEMPT: &str = "update attempt set outcome = 'busy', ended_ms = 2, counted = 1 where id = ?";
const LEAD: &str =
    "update lead set state = 3, attempts = attempts + 1, last_outcome = 'busy' where id = ?";
