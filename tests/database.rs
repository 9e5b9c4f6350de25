//! `outdial db` from outside: brought up to date, checked, backed up and restored, moved to another file.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod small_site;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use small_site::{CAMPAIGN, outdial, small_site};
use sqlx::{AssertSqlSafe, Connection as _};

/// With three people in it.
fn site() -> tempfile::TempDir {
    let site = small_site();
    let list = "name,phone\nAnn,090-1111-2222\nBob,090-3333-4444\nCid,090-5555-6666\n";
    std::fs::write(site.path().join("list.csv"), list).unwrap();
    said(&outdial(site.path(), &["import", CAMPAIGN, "list.csv"]));
    site
}

#[test]
fn a_schema_is_brought_up_to_date_once() {
    let site = small_site();
    let check = outdial(site.path(), &["db", "check"]);
    assert_eq!(check.status.code(), Some(1), "there is none yet");
    assert!(!site.path().join("outdial.db").exists(), "looking makes none");
    let made = said(&outdial(site.path(), &["db", "migrate"]));
    assert!(made.starts_with("a new database with schema"), "{made}");
    let json = said(&outdial(site.path(), &["db", "migrate", "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["from"], json["to"]);
    assert!(said(&outdial(site.path(), &["db", "migrate"])).contains("nothing to do"));
    sql(
        site.path(),
        "outdial.db",
        "insert into schema_version values (99, '0099_x.sql by outdial 9.0.1', 1)",
    );
    for verb in ["migrate", "backup"] {
        let args: &[&str] = if verb == "backup" { &["db", verb, "b.db"] } else { &["db", verb] };
        let refused = outdial(site.path(), args);
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            text(&refused.stderr).contains("needs outdial 9.0.1 or later"),
            "{}",
            text(&refused.stderr)
        );
    }
    let check = outdial(site.path(), &["db", "check"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(text(&check.stdout).contains("newer than this program"), "{}", text(&check.stdout));
}

#[test]
fn a_check_says_what_is_wrong_and_what_to_do_in_both_languages() {
    let site = site();
    let sound = said(&outdial(site.path(), &["db", "check"]));
    assert!(sound.contains("ok: every table and index is there"), "{sound}");
    sql(
        site.path(),
        "outdial.db",
        "update lead set attempts = 3 where rank = (select min(rank) from lead)",
    );
    let found = outdial(site.path(), &["db", "check"]);
    assert_eq!(found.status.code(), Some(1));
    let told = text(&found.stdout);
    assert!(
        told.contains("problem: leads whose count") && told.contains("changed by hand"),
        "{told}"
    );
    let found = outdial(site.path(), &["db", "check", "--lang", "ja"]);
    let told = text(&found.stdout);
    assert!(told.contains("問題: ") && told.contains("架電数が合わない架電先"), "{told}");
    assert!(told.contains("もう一度確認してください"), "{told}");
    let json = outdial(site.path(), &["db", "check", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(json.as_array().unwrap().iter().any(|line| line["level"] == "problem"), "{json}");
}

#[test]
fn a_backup_is_for_its_owner_only_and_becomes_the_database_again() {
    let site = site();
    let before = said(&outdial(site.path(), &["status", "--json"]));
    let told = said(&outdial(site.path(), &["db", "backup", "backup.db"]));
    assert!(told.contains("backup.db") && told.contains("found sound"), "{told}");
    let file = site.path().join("backup.db");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = std::fs::read_dir(site.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("backup.db"))
        .collect();
    assert_eq!(left, ["backup.db"], "nothing half is left");
    sql(site.path(), "outdial.db", "delete from lead");
    assert!(said(&outdial(site.path(), &["status", "--json"])) != before);
    // Restored as docs/database.md says.
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(site.path().join(format!("outdial.db{suffix}"))).ok();
    }
    std::fs::copy(&file, site.path().join("outdial.db")).unwrap();
    assert_eq!(said(&outdial(site.path(), &["status", "--json"])), before);
    // Again, over the old one; onto itself never.
    said(&outdial(site.path(), &["db", "backup", "backup.db"]));
    assert_eq!(outdial(site.path(), &["db", "backup", "outdial.db"]).status.code(), Some(2));
}

#[test]
fn postgresql_is_backed_up_by_its_own_programs_which_are_named_without_a_password() {
    let site = small_site();
    let path = site.path().join("outdial.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    let settings = settings.replace("sqlite://outdial.db", "postgres://dialer@db.example/calls");
    std::fs::write(&path, settings).unwrap();
    let told = outdial(site.path(), &["db", "backup", "b.dump"]);
    assert_eq!(told.status.code(), Some(2), "nothing was backed up");
    let words = text(&told.stderr);
    let command = "pg_dump --format=custom --file='b.dump' 'postgres://dialer@db.example/calls'";
    assert!(words.contains(command) && words.contains("pg_restore"), "{words}");
    assert!(!site.path().join("b.dump").exists());
}

#[test]
fn an_installation_moves_to_another_file_and_only_there_it_goes_on() {
    let site = site();
    let status = said(&outdial(site.path(), &["status", "--json"]));
    let copy = |from: &str, to: &str| outdial(site.path(), &["db", "copy", from, to]);
    for (from, to, part) in [
        ("sqlite:outdial.db", "sqlite:outdial.db", "the same database"),
        ("outdial.db", "sqlite:b.db", "write `sqlite:FILE`"),
        ("sqlite:outdial.db", "postgres://me:secret@host/db", "no password belongs"),
    ] {
        let refused = copy(from, to);
        assert_eq!(refused.status.code(), Some(2), "{from} {to}");
        let words = text(&refused.stderr);
        assert!(words.contains(part) && !words.contains("secret"), "{words}");
    }
    let lock = std::fs::File::create(site.path().join("outdial.db.lock")).unwrap();
    std::io::Write::write_all(&mut &lock, b"process 7 on desk (node main)\n").unwrap();
    lock.lock().unwrap();
    let held = copy("sqlite:outdial.db", "sqlite:new.db");
    assert_eq!(held.status.code(), Some(3));
    assert!(text(&held.stderr).contains("process 7 on desk"), "{}", text(&held.stderr));
    lock.unlock().unwrap();

    let done = said(&copy("sqlite:outdial.db", "sqlite://new.db"));
    assert!(done.contains("found the same") && done.contains("sqlite://new.db"), "{done}");
    // The old one is read, and starts nothing.
    assert_eq!(said(&outdial(site.path(), &["status", "--json"])), status);
    let refused = outdial(site.path(), &["import", CAMPAIGN, "list.csv"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stdout));
    assert!(text(&refused.stderr).contains("outdial db reopen"), "{}", text(&refused.stderr));

    let path = site.path().join("outdial.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, settings.replace("sqlite://outdial.db", "sqlite://new.db")).unwrap();
    assert_eq!(said(&outdial(site.path(), &["status", "--json"])), status);
    said(&outdial(site.path(), &["db", "check"]));
    let again = said(&outdial(site.path(), &["import", CAMPAIGN, "list.csv", "--json"]));
    assert!(again.contains("\"imported_before\": true"), "{again}");
    assert_eq!(copy("sqlite:outdial.db", "sqlite:new.db").status.code(), Some(1), "copied already");

    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("new.db", "outdial.db"))
        .unwrap();
    let reopened = said(&outdial(site.path(), &["db", "reopen"]));
    assert!(reopened.contains("dialed from again"), "{reopened}");
    assert_eq!(
        copy("sqlite:outdial.db", "sqlite:new.db").status.code(),
        Some(2),
        "it is not empty"
    );
    assert!(said(&outdial(site.path(), &["db", "reopen"])).contains("nothing to do"));
}

/// Somebody with a shell.
#[test]
fn an_import_that_was_cut_off_has_all_its_rejects_in_the_end() {
    let site = site();
    let list =
        "name,phone\nDan,090-7777-8888\nEve,no number\nDan,090-7777-8888\nFay,090-9999-0000\n";
    std::fs::write(site.path().join("more.csv"), list).unwrap();
    let import = || said(&outdial(site.path(), &["import", CAMPAIGN, "more.csv", "--json"]));
    let whole: Value = serde_json::from_str(&import()).unwrap();
    let rejects = site.path().join("more.rejects.csv");
    let told = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(told.lines().count(), 3, "{told}");
    // As a run leaves it that is killed while the file is not written yet.
    sql(site.path(), "outdial.db", "update import set state = 'running', ended_ms = null");
    std::fs::write(&rejects, "half of it").unwrap();
    let again: Value = serde_json::from_str(&import()).unwrap();
    assert_eq!(again[0]["counts"], whole[0]["counts"]);
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), told);
    let status = said(&outdial(site.path(), &["status", "--json"]));
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["campaigns"][0]["leads"]["ready"], 5);
}

fn sql(folder: &Path, file: &str, text: &str) {
    let url = format!("sqlite:{}", folder.join(file).display());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut db = sqlx_sqlite::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
