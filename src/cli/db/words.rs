//! The words of `outdial db` in both languages.

use std::path::Path;

use crate::cli::text::{Lang, either};
use crate::config::Database;
use crate::logic::compliance::local_time;
use crate::logic::time::UtcMs;
use crate::store::{Found, Health, Migrated, Rule};

pub(super) fn migrated(lang: Lang, done: Migrated) -> String {
    let Migrated { from, to } = done;
    match (lang, from) {
        (Lang::En, from) if from == to => format!("schema {to}: nothing to do"),
        (Lang::Ja, from) if from == to => format!("スキーマ {to}: 変更はありません"),
        (Lang::En, 0) => format!("a new database with schema {to}"),
        (Lang::Ja, 0) => format!("スキーマ {to} の新しいデータベースを作りました"),
        (Lang::En, from) => format!("schema {from} became {to}"),
        (Lang::Ja, from) => format!("スキーマ {from} を {to} に更新しました"),
    }
}

pub(super) fn reopened(lang: Lang, marked: bool) -> &'static str {
    match (lang, marked) {
        (Lang::En, true) => "this database is dialed from again; see to it that its copy is not",
        (Lang::Ja, true) => "このデータベースから再び発信できます。写しからは発信しないでください",
        (Lang::En, false) => "this database was never copied: nothing to do",
        (Lang::Ja, false) => "写しは作られていません。変更はありません",
    }
}

pub(super) fn backed_up(lang: Lang, to: &Path, bytes: u64) -> String {
    let to = to.display();
    let (whole, tenth) = (bytes / 1_000_000, bytes / 100_000 % 10);
    match lang {
        Lang::En => format!("{to}: {whole}.{tenth} MB, read again and found sound"),
        Lang::Ja => format!("{to}: {whole}.{tenth} MB。読み直して異常がないことを確かめました"),
    }
}

/// PostgreSQL brings better programs than ours could be.
pub(super) fn use_pg_dump(lang: Lang, database: &Database, to: &Path) -> String {
    let url = match database {
        Database::Postgres { url, .. } => url.as_str(),
        Database::Sqlite(_) => "",
    };
    let to = to.display();
    let dump = format!("pg_dump --format=custom --file='{to}' '{url}'");
    let restore = format!("pg_restore --no-owner --dbname='{url}' '{to}'");
    match lang {
        Lang::En => format!(
            "nothing was written: PostgreSQL has programs of its own, which are safe while dialers run. Back up:\n  {dump}\n\
             Restore, into an empty database and with no dialer running:\n  {restore}\n\
             Their password: PGPASSWORD or ~/.pgpass. To any moment of the past: continuous archiving (pg_basebackup and WAL)"
        ),
        Lang::Ja => format!(
            "何も書き出していません。PostgreSQL には発信中でも安全な専用の道具があります。バックアップ:\n  {dump}\n\
             復元(発信を止め、空のデータベースへ):\n  {restore}\n\
             パスワードは PGPASSWORD または ~/.pgpass に置きます。任意の時点へ戻すには継続アーカイブ(pg_basebackup と WAL)を使います"
        ),
    }
}

pub(super) fn copied(lang: Lang, tables: usize, rows: u64, to: &Database) -> String {
    let address = match to {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Postgres { url, .. } => url.clone(),
    };
    match lang {
        Lang::En => format!(
            "{tables} tables with {rows} rows were copied, read again and found the same.\n\
             Now write in outdial.toml:  database = \"{address}\"\n\
             No dialer starts on the old database any more; keep it until the first calls from the new one are in its results."
        ),
        Lang::Ja => format!(
            "{tables} 表 {rows} 行を写し、読み直して一致を確かめました。\n\
             outdial.toml に次のように書いてください:  database = \"{address}\"\n\
             元のデータベースからは発信できなくなりました。新しい方での発信を確かめるまで残しておいてください。"
        ),
    }
}

pub(super) fn versions(lang: Lang, health: &Health) -> String {
    let (ours, engine, schema) = (env!("CARGO_PKG_VERSION"), &health.engine, health.schema);
    match lang {
        Lang::En => format!("outdial {ours}, {engine}, schema {schema}"),
        Lang::Ja => format!("outdial {ours}、{engine}、スキーマ {schema}"),
    }
}

pub(super) fn other_schema(lang: Lang, health: &Health) -> String {
    let Health { schema, known, .. } = health;
    match (lang, schema < known) {
        (Lang::En, true) => format!(
            "the schema is older than this program, which has {known}: `outdial db backup`, then `outdial db migrate`"
        ),
        (Lang::Ja, true) => format!(
            "スキーマがこのプログラム({known})より古いです。`outdial db backup` の後に `outdial db migrate` を実行してください"
        ),
        (Lang::En, false) => {
            format!(
                "the schema is newer than this program, which knows up to {known}: update outdial"
            )
        }
        (Lang::Ja, false) => {
            format!("スキーマがこのプログラム({known})より新しいです。outdial を更新してください")
        }
    }
}

pub(super) fn damaged(lang: Lang, line: &str) -> String {
    match lang {
        Lang::En => format!(
            "the file is damaged ({line}): stop the dialer, keep the file as it is, restore the last backup, and look for a \
             failing disk"
        ),
        Lang::Ja => format!(
            "ファイルが壊れています({line})。発信を止め、ファイルをそのまま残し、最後のバックアップを戻してください。ディスクの故障も\
             確かめてください"
        ),
    }
}

pub(super) fn missing(lang: Lang, names: &[String]) -> String {
    let names = names.join(", ");
    match lang {
        Lang::En => format!(
            "not there though the schema has them: {names}; somebody changed the schema by hand: restore a backup, or put them \
             back as in migrations/"
        ),
        Lang::Ja => format!(
            "あるはずのものがありません: {names}。手作業で変えられています。バックアップを戻すか、migrations/ のとおりに作り直して\
             ください"
        ),
    }
}

pub(super) fn audit_broken(lang: Lang, (epoch, seq): (i64, i64)) -> String {
    match lang {
        Lang::En => format!(
            "entry {seq} of process start {epoch} does not fit the chain of the audit log: it, or one before it, was changed or \
             removed after it was written"
        ),
        Lang::Ja => format!(
            "監査記録の連鎖が合いません(起動 {epoch} の {seq} 番)。書かれた後に変えられたか、消されています"
        ),
    }
}

pub(super) fn moved(lang: Lang, at: i64) -> String {
    let at = local_time::shown("Etc/UTC", UtcMs(at));
    match lang {
        Lang::En => format!(
            "it was copied to another database at {at}, and no dialer starts here: name that one in outdial.toml, or, where \
             the copy is not used, `outdial db reopen`"
        ),
        Lang::Ja => format!(
            "{at} に別のデータベースへ写され、ここからは発信できません。outdial.toml に写した先を書くか、写しを使わないなら \
             `outdial db reopen` を実行してください"
        ),
    }
}

pub(super) fn sound(lang: Lang, rules: usize) -> String {
    match lang {
        Lang::En => format!(
            "every table and index is there, the audit chain is whole, and all {rules} rules hold"
        ),
        Lang::Ja => format!(
            "表と索引が揃い、監査記録の連鎖が正しく、{rules} 件の規則がすべて守られています"
        ),
    }
}

/// A rule that rows break, with what to do.
pub(super) fn found(lang: Lang, found: &Found) -> String {
    let Found { rule, rows, example } = found;
    let about = meaning(lang, *rule);
    let example =
        example.map(|id| format!(", {} {id}", either(lang, "such as", "例:"))).unwrap_or_default();
    let what_to_do = match rule {
        Rule::LeftOpen | Rule::LeftClaimed => either(
            lang,
            "the next `outdial run` under the same name (`node` in outdial.toml) sees to it",
            "同じ名前(outdial.toml の node)の次の `outdial run` が片付けます",
        ),
        Rule::Undisposed => either(
            lang,
            "`outdial why --campaign NAME` lists them",
            "`outdial why --campaign 業務名` で一覧できます",
        ),
        Rule::ClosedInDebt => either(
            lang,
            "no answers came to repay them; a smaller `debt` or a longer `repaid_before` in [abandon] prevents it",
            "返すだけの応答がありませんでした。[abandon] の debt を小さく、または repaid_before を長くしてください",
        ),
        Rule::OneInstallation
        | Rule::EpochsCounted
        | Rule::EventsInOrder
        | Rule::PhonesOwned
        | Rule::LeadsWhole
        | Rule::LeadStates
        | Rule::ClaimsOwned
        | Rule::AttemptsWhole
        | Rule::OutcomesWhole
        | Rule::FencesHold
        | Rule::AttemptsCounted
        | Rule::LegsWhole
        | Rule::WordsWhole
        | Rule::LedgerAddsUp
        | Rule::CapKept
        | Rule::RefusalsKept => either(
            lang,
            "outdial never writes this: was it changed by hand? Keep a backup of it as it is; if nobody touched it, it is a \
             bug to report",
            "outdial がこう書くことはありません。手作業で変えていませんか。このままの状態を控え、覚えがなければ不具合として報告してください",
        ),
    };
    format!("{about} ({}): {rows}{example}; {what_to_do}", rule.as_str())
}

const fn meaning(lang: Lang, rule: Rule) -> &'static str {
    let (en, ja) = match rule {
        Rule::OneInstallation => {
            ("not exactly one identity of the installation", "設置の識別が一つではない")
        }
        Rule::EpochsCounted => {
            ("process starts that the counter does not know", "計数より新しい起動の記録")
        }
        Rule::EventsInOrder => ("gaps in the event log", "出来事の記録の欠番"),
        Rule::PhonesOwned => ("numbers without a person", "顧客のない電話番号"),
        Rule::LeadsWhole => {
            ("leads without person, campaign or calling class", "顧客・業務・区分のない架電先")
        }
        Rule::LeadStates => ("leads in a state nobody knows", "知らない状態の架電先"),
        Rule::ClaimsOwned => {
            ("leads held by a process that never was", "登録のないプロセスが確保した架電先")
        }
        Rule::AttemptsWhole => {
            ("attempts without a lead or without a node", "架電先または起動のない架電")
        }
        Rule::OutcomesWhole => {
            ("attempts ended without an outcome, or not ended with one", "終了と結果が揃わない架電")
        }
        Rule::FencesHold => {
            ("attempts younger than their lead's lease", "架電先の確保より新しい架電")
        }
        Rule::AttemptsCounted => (
            "leads whose count of attempts is not that of their attempts",
            "架電数が合わない架電先",
        ),
        Rule::LegsWhole => ("legs without a process or an attempt", "起動または架電のない呼"),
        Rule::WordsWhole => {
            ("dispositions or promises without an attempt", "架電のない対応結果・再コール予約")
        }
        Rule::LedgerAddsUp => (
            "windows of the abandonment ledger that are not the sum of their attempts",
            "架電の合計と合わない放棄呼台帳の期間",
        ),
        Rule::CapKept => {
            ("windows with more abandoned calls than their cap allows", "放棄呼の上限を超えた期間")
        }
        Rule::ClosedInDebt => ("windows that closed in debt", "放棄呼を返し終えずに閉じた期間"),
        Rule::RefusalsKept => {
            ("leads to be called though the person refused", "拒否した方への発信予定")
        }
        Rule::LeftOpen => {
            ("calls left open by a dialer that ended", "終了したプログラムが残した進行中の呼")
        }
        Rule::LeftClaimed => {
            ("leads kept by a dialer that ended", "終了したプログラムが確保したままの架電先")
        }
        Rule::Undisposed => ("talks without a disposition", "対応結果が未入力の通話"),
    };
    either(lang, en, ja)
}
