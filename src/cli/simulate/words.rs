//! The words of a rehearsal in both languages.

use crate::cli::simulate::assemble::{Part, Source, Value};
use crate::cli::text::{Lang, either};
use crate::simulation::rehearsal::figures::Figure;

/// What a figure is called, and how many decimals and which unit it has.
pub(crate) const fn figure(lang: Lang, figure: Figure) -> (&'static str, usize, &'static str) {
    let (en, ja, decimals, unit_en, unit_ja) = match figure {
        Figure::Occupancy => ("agents busy (occupancy)", "稼働率", 1, " %", " %"),
        Figure::TalksPerHour => ("talks per agent and hour", "1人1時間あたり通話数", 1, "", ""),
        Figure::Talks => ("talks", "通話", 0, "", ""),
        Figure::Dials => ("calls started", "発信", 0, "", ""),
        Figure::DialsPerTalk => ("calls started per talk", "通話1件あたり発信数", 2, "", ""),
        Figure::Answered => ("answered", "応答", 0, "", ""),
        Figure::Live => ("live answers (A)", "有人応答 (A)", 0, "", ""),
        Figure::Abandoned => ("abandoned (D)", "放棄呼 (D)", 1, "", ""),
        Figure::Faults => ("of these, faults", "うち障害", 1, "", ""),
        Figure::AbandonRate => ("abandoned of live answers", "放棄呼率", 2, " %", " %"),
        Figure::WorstHour => ("the same, worst hour", "放棄呼率(最悪の1時間)", 2, " %", " %"),
        Figure::WaitMean => {
            ("people wait for an agent, mean", "応答から担当者まで(平均)", 2, " s", " 秒")
        }
        Figure::WaitP95 => ("the same, 95 % at most", "応答から担当者まで(95 %)", 2, " s", " 秒"),
        Figure::IdleMean => ("agents wait for a talk, mean", "担当者の待機(平均)", 1, " s", " 秒"),
        Figure::IdleP95 => ("the same, 95 % at most", "担当者の待機(95 %)", 1, " s", " 秒"),
        Figure::LinesPeak => ("most calls at once", "最大同時回線数", 0, "", ""),
        Figure::RatePeak => ("most calls started in a second", "最大発信数/秒", 0, "", ""),
        Figure::Done => ("leads done", "完了した架電先", 0, "", ""),
        Figure::FirstRound => {
            ("first round of the list ends after", "リスト一巡まで", 2, " h", " 時間")
        }
        Figure::ListEnd => ("the list ends after", "リスト終了まで", 2, " h", " 時間"),
    };
    (either(lang, en, ja), decimals, either(lang, unit_en, unit_ja))
}

/// A value of a figure.
pub(crate) fn shown(lang: Lang, of: Figure, value: f64) -> String {
    let (_, decimals, unit) = figure(lang, of);
    format!("{value:.decimals$}{unit}")
}

/// What a part of the assumptions is called.
pub(crate) const fn part(lang: Lang, part: Part) -> &'static str {
    let (en, ja) = match part {
        Part::List => ("leads", "架電先"),
        Part::ListCut => ("further leads, left out", "対象外とした架電先"),
        Part::Agents => ("agents", "担当者"),
        Part::Roster => ("when agents come and go", "勤務"),
        Part::Rate => ("calls per second, at most", "発信/秒 上限"),
        Part::Channels => ("calls at once, at most", "同時回線 上限"),
        Part::Answer => ("a person answers", "有人応答率"),
        Part::ByCall => ("the same, by how often called", "有人応答率(架電回数別)"),
        Part::Machine => ("a machine answers", "留守電率"),
        Part::Busy => ("busy", "話中率"),
        Part::Dead => ("no such number", "欠番率"),
        Part::PostDial => ("until it rings", "呼出まで"),
        Part::Ring => ("ringing until answered", "呼出から応答まで"),
        Part::Patience => ("patience of who hears nobody", "無音に待つ時間"),
        Part::Talk => ("talk", "通話時間"),
        Part::Wrap => ("wrap-up", "後処理時間"),
        Part::Said => ("what agents say", "対応結果"),
        Part::TestOnly => ("`test_only` is passed over, numbers", "`test_only` は無視(番号数)"),
    };
    either(lang, en, ja)
}

/// A value of a part.
pub(crate) fn value(lang: Lang, value: &Value) -> String {
    match value {
        Value::Count(count) => thousands(*count),
        Value::Percent(least, most) if most - least < 0.05 => format!("{most:.1} %"),
        Value::Percent(least, most) => format!("{least:.1}-{most:.1} %"),
        Value::Mean(seconds) => {
            format!("{seconds:.1}{}", either(lang, " s on average", " 秒(平均)"))
        }
        Value::Plain => String::new(),
    }
}

/// Whence a part comes.
pub(crate) fn source(lang: Lang, part: Part, from: Source) -> String {
    let plain = match from {
        Source::Scenario => either(lang, "scenario", "シナリオ"),
        Source::History(count) => return seen(lang, part, count),
        Source::Site => "outdial.toml",
        Source::Database => either(lang, "database", "データベース"),
        Source::Default => either(lang, "default", "既定値"),
        Source::Lifted => either(lang, "a rehearsal calls nobody", "誰にも発信しません"),
    };
    plain.to_owned()
}

/// From how many of what it was fitted.
fn seen(lang: Lang, part: Part, count: u64) -> String {
    let count = thousands(count);
    let of = match part {
        Part::Agents => either(lang, "days", "日"),
        Part::Roster => either(lang, "shifts", "勤務"),
        Part::Dead => either(lang, "first calls", "初回架電"),
        Part::Talk | Part::Said => either(lang, "talks", "通話"),
        Part::Wrap => either(lang, "wrap-ups", "後処理"),
        Part::List
        | Part::ListCut
        | Part::Rate
        | Part::Channels
        | Part::Answer
        | Part::ByCall
        | Part::Machine
        | Part::Busy
        | Part::PostDial
        | Part::Ring
        | Part::Patience
        | Part::TestOnly => either(lang, "calls", "件"),
    };
    match lang {
        Lang::En => format!("history, {count} {of}"),
        Lang::Ja => format!("実績 {count} {of}"),
    }
}

/// `12,345`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(shown(Lang::En, Figure::Occupancy, 68.25), "68.2 %");
        assert_eq!(value(Lang::Ja, &Value::Percent(12.0, 25.0)), "12.0-25.0 %");
    }
}
