//! `outdial why` with a real SQLite file and no dialer: from a list to the answer.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed setup is a failed test")]

mod small_site;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime};

use outdial::logic::dialer::command::{
    AgentLine, AgentState, CampaignLine, LedgerLine, Reply, View,
};
use outdial::logic::dialer::*;
use outdial::logic::ids::{AttemptId, IdMaker, LegId, SuppressionId};
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;
use outdial::store::{
    Db, NewNode, calling_classes, find_campaign, next_epoch, register_node, run_batch,
    upsert_campaign,
};
use serde_json::Value;
use small_site::{CAMPAIGN, outdial, small_site};
use sqlx::Connection as _;

#[test]
fn a_number_typed_at_home_is_answered_gate_by_gate() {
    let site = site();
    let output = why(&site, &["090-1111-2222"]);
    let text = said(&output);
    for part in [
        "Ann  [C-1]",
        "+819011112222  (090-1111-2222)",
        "busy  SIP 486  Q.850 17",
        "no dialer runs",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = json(&why(&site, &["090-1111-2222", "--json"]));
    let lead = &json[0]["campaigns"][0];
    assert_eq!((&lead["state"], &lead["next"]["when"]), (&"waiting".into(), &"at".into()));
    let closed: Vec<_> = gates(lead).into_iter().filter(|(_, open)| !open).collect();
    assert_eq!(closed, [("retry".to_owned(), false), ("min_gap".to_owned(), false)]);
    assert_eq!(gates(lead).len(), 14, "every gate has its verdict");
}

#[test]
fn a_refusal_is_found_by_the_customers_own_id_in_japanese_too() {
    let site = site();
    let text = said(&why(&site, &["C-2", "--lang", "ja"]));
    assert!(text.contains("架電禁止 (person): refused") && text.contains("発信しません"), "{text}");
    let json = json(&why(&site, &["C-2", "--json"]));
    let next = &json[0]["campaigns"][0]["next"];
    assert_eq!((&next["when"], &next["gate"]), (&"never".into(), &"suppressed".into()));
}

#[test]
fn a_lead_that_nothing_holds_is_called_when_its_turn_comes() {
    let site = site();
    let json = json(&why(&site, &["C-4", "--campaign", "small", "--json"]));
    let lead = &json[0]["campaigns"][0];
    assert_eq!((&lead["next"]["when"], &lead["before"]), (&"now".into(), &1.into()));
    assert!(gates(lead).iter().all(|(_, open)| *open), "{lead}");
}

#[test]
fn a_campaign_says_what_its_leads_wait_for() {
    let site = site();
    let answer = json(&why(&site, &["--campaign", "small", "--json"]));
    assert_eq!(answer["dialer"], Value::Null);
    assert_eq!(answer["hours"]["open"], 1);
    let leads: Vec<_> = answer["leads"].as_array().unwrap().iter().collect();
    let line = |state: &str| leads.iter().find(|line| line["state"] == state).unwrap();
    assert_eq!(line("ready")["leads"], 2);
    assert_eq!((&line("waiting")["gate"], &line("waiting")["leads"]), (&"retry".into(), &1.into()));
    assert!(line("waiting")["opens"].is_i64());
    assert_eq!(line("blocked")["gate"], "suppressed");
    let text = said(&why(&site, &["--campaign", "demo"]));
    assert!(text.contains("none runs this campaign"), "{text}");
}

#[test]
fn a_talk_without_a_disposition_is_listed_with_what_to_do() {
    let site = site();
    let none = json(&why(&site, &["--campaign", "small", "--json"]));
    assert_eq!(none["held"], Value::Array(vec![]));
    let url = format!("sqlite:{}", site.path().join("outdial.db").display());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut db = sqlx_sqlite::SqliteConnection::connect(&url).await.unwrap();
        let hold = "update lead set state = 4 where id = (select lead_id from attempt)";
        assert_eq!(sqlx::query(hold).execute(&mut db).await.unwrap().rows_affected(), 1);
        db.close().await.unwrap();
    });
    let answer = json(&why(&site, &["--campaign", "small", "--json"]));
    let held = &answer["held"][0];
    assert_eq!((&held["call_ref"], &held["contact_id"]), (&"ref-1".into(), &"C-1".into()));
    let text = said(&why(&site, &["--campaign", "small"]));
    assert!(text.contains("outdial agent disposition") && text.contains("Ann [C-1]"), "{text}");
}

#[test]
fn a_running_dialer_is_asked_for_its_own_word() {
    let site = site();
    let listener = UnixListener::bind(site.path().join("outdial.db.sock")).unwrap();
    let dialer = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut asked = String::new();
        BufReader::new(&stream).read_line(&mut asked).unwrap();
        let view = serde_json::to_value(Reply::Status(paused_by_a_clock())).unwrap();
        writeln!(&stream, "{view}").unwrap();
        asked
    });
    let answer = json(&why(&site, &["--campaign", "small", "--json"]));
    assert_eq!(dialer.join().unwrap().trim(), r#"{"op":"status"}"#);
    let live = &answer["dialer"];
    assert_eq!((&live["held_by"], &live["at_hand"]), (&"clock".into(), &2.into()));
    assert_eq!((&live["uncovered"], &live["uncovered_allowed"]), (&1.into(), &3.into()));
    assert_eq!((&live["agents_ready"], &live["agents_paused"]), (&0.into(), &1.into()));
}

fn paused_by_a_clock() -> View {
    View {
        store: "ok",
        clock_ahead_ms: 1_500,
        agents: vec![AgentLine {
            name: "hanako".to_owned(),
            state: AgentState::Paused,
            since: UtcMs(1),
            calls: 0,
            talk_ms: 0,
            wrap_up_ms: 0,
            staffed_ms: 0,
        }],
        campaigns: vec![CampaignLine {
            name: "demo".to_owned(),
            state: "running",
            mode: "ratio",
            ratio: Some(1_500),
            pacing: None,
            ledger: LedgerLine { uncovered: 1, uncovered_allowed: 3, ..LedgerLine::default() },
            leads: LeadCounts::default(),
            prefetched: 2,
            outcomes: vec![],
            dialed: 0,
            answered: 0,
            live: 0,
            abandoned: 0,
            faults: 0,
            messages: 0,
            promises: Promises::default(),
            kept_for_return_calls: 0,
            held_by: Some("clock"),
            gates: vec![],
        }],
        ..View::default()
    }
}

#[test]
fn what_nobody_knows_is_told_with_what_to_do() {
    let site = site();
    for (asked, parts) in [
        (&["nobody"][..], &["no attempt, customer id or number", "--campaign NAME"][..]),
        (&["110"], &["no attempt, customer id or number", "never dialed: police"]),
        (&["--campaign", "nowhere"], &["no campaign `nowhere`", "it has demo"]),
    ] {
        let output = why(&site, asked);
        assert_eq!(output.status.code(), Some(2), "{asked:?}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        for part in parts {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    assert_eq!(why(&site, &[]).status.code(), Some(2));
}

fn gates(lead: &Value) -> Vec<(String, bool)> {
    let lines = lead["gates"].as_array().unwrap();
    let line =
        |line: &Value| (line["gate"].as_str().unwrap().to_owned(), line["open"].as_bool().unwrap());
    lines.iter().map(line).collect()
}

/// Four people: one busy ten minutes ago, one who refused, two that wait for their turn.
fn site() -> tempfile::TempDir {
    let folder = small_site();
    std::fs::write(
        folder.path().join("list.csv"),
        "customer id,name,phone\nC-1,Ann,090-1111-2222\nC-2,Bob,090-1111-3333\n\
         C-3,Cid,090-1111-4444\nC-4,Dee,090-1111-5555\n",
    )
    .unwrap();
    let imported = outdial(folder.path(), &["import", CAMPAIGN, "list.csv"]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(yesterday(folder.path()));
    folder
}

/// What a dialer left in the database.
async fn yesterday(folder: &Path) {
    let mut db =
        Db::open(&format!("sqlite:{}", folder.join("outdial.db").display())).await.unwrap();
    let now = now();
    let then = now - Duration::from_secs(600);
    let lease_until = now + Duration::from_secs(600);
    let new = NewNode { name: "main", boot: 1, pid: 1, host: "here", now: then, lease_until };
    let node = register_node(&mut db, &new).await.unwrap();
    let mut ids = IdMaker::new(next_epoch(&mut db).await.unwrap());
    let found = find_campaign(&mut db, "demo").await.unwrap();
    assert!(found.is_some(), "the import made it");
    let row =
        upsert_campaign(&mut db, &mut ids, "demo", "Sakura Demo K.K.", then, true).await.unwrap();
    let classes = calling_classes(&mut db, row.id).await.unwrap();
    let claim = StoreCommand::Claim(Claim {
        campaign: row.id,
        claim: 1,
        want: 2,
        open_classes: classes.into_iter().map(|(class, _)| class).collect(),
        promised: PromisedClaim::default(),
        named: None,
        now: then,
    });
    let StoreReply::Claimed(leads) = run_batch(&mut db, &node, &[claim]).await.unwrap().remove(0)
    else {
        panic!("claimed")
    };
    let [ann, bob] = &leads[..] else { panic!("{leads:?}") };
    let attempt = AttemptId(ids.make().unwrap());
    let intent = Intent {
        attempt,
        public_ref: "ref-1".to_owned(),
        leg: LegId(ids.make().unwrap()),
        lead: ann.lead,
        fence: ann.fence,
        campaign: row.id,
        seller: ann.seller,
        contact: ann.contact,
        phone: ann.phones.first().unwrap().clone(),
        trunk: "main".to_owned(),
        caller_id: "+81312345678".parse().unwrap(),
        call: "{}".to_owned(),
        agent: None,
        uncovered: None,
        now: then,
        per_day: 9,
        per_30_days: 9,
        total: 9,
        min_gap: Duration::ZERO,
        undelivered_per_hour: 9,
    };
    let window =
        LedgerWindow { campaign: row.id, starts: UtcMs(0), ends: now, cap_ppm: 30_000, debt: 0 };
    let outcome = OutcomeRecord {
        attempt,
        lead: ann.lead,
        fence: ann.fence,
        outcome: Outcome::Busy,
        early_at: None,
        answered_at: None,
        connected_at: None,
        // A moment ago: within any gap between two calls.
        ended_at: now + Duration::from_secs(60),
        agent: None,
        legs_closed: true,
        sip_status: Some(486),
        q850: Some(17),
        message: None,
        live: None,
        booking: Booking { window, answered: false, abandoned: false, fault: false },
        after: LeadAfter {
            state: LeadState::Waiting,
            due: now + Duration::from_secs(3_600),
            gate: Some(Gate::Retry),
            next_phone: None,
        },
        phone: None,
        suppress: None,
    };
    let refusal = Suppress {
        suppression: SuppressionId(ids.make().unwrap()),
        seller: bob.seller,
        contact: Some(bob.contact),
        phone_key: bob.phones.first().map(|phone| phone.key.clone()),
        reason: "refused".to_owned(),
        proof: "letter".to_owned(),
        at: then,
    };
    let batch = [
        StoreCommand::Intent(Box::new(intent)),
        StoreCommand::Outcome(Box::new(outcome)),
        StoreCommand::Suppress(refusal),
    ];
    run_batch(&mut db, &node, &batch).await.unwrap();
    db.close().await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the same clock")]
fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UtcMs(i64::try_from(since.as_millis()).unwrap())
}

fn why(site: &tempfile::TempDir, asked: &[&str]) -> Output {
    outdial(site.path(), &[&["why"], asked].concat())
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&said(output)).unwrap()
}
