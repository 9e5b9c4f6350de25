//! The summary on the terminal.

use std::fmt::Write;

use crate::cli::figures::cap;
use crate::cli::simulate::words;
use crate::cli::simulate::{Outlook, mode_text};
use crate::cli::text::{Lang, either, pad, pad_left};
use crate::logic::settings::AbandonBound;
use crate::simulation::rehearsal::figures::Figure;
use crate::simulation::rehearsal::sure::Sure;

/// For people.
pub(crate) fn text(outlook: &Outlook, lang: Lang) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    fill(&mut out, outlook, lang).unwrap_or_default();
    out
}

fn fill(out: &mut String, outlook: &Outlook, lang: Lang) -> std::fmt::Result {
    writeln!(out, "{}", title(outlook, lang))?;
    writeln!(out)?;
    let mean = either(lang, "mean", "平均");
    let interval = either(lang, "95 % interval of the mean", "平均の95 %信頼区間");
    let spread = either(lang, "least - most", "最小-最大");
    let several = outlook.records.len() > 1;
    if several {
        writeln!(
            out,
            "{} {} {} {spread}",
            pad("", LABEL),
            pad_left(mean, 12),
            pad(&format!("  {interval}"), 30)
        )?;
    }
    for figure in Figure::ALL {
        let Some(sure) = outlook.sure(figure) else { continue };
        let (label, _, _) = words::figure(lang, figure);
        let value = words::shown(lang, figure, sure.mean);
        write!(out, "{} {}", pad(label, LABEL), pad_left(&value, 12))?;
        if several {
            write!(
                out,
                " {} {}",
                pad(&format!("  {}", interval_of(lang, figure, sure)), 30),
                range(lang, figure, sure)
            )?;
        }
        if figure == Figure::AbandonRate {
            let cap = cap(outlook.rehearsal.campaign.abandon.cap_ppm);
            write!(out, "  ({} {cap})", either(lang, "cap", "上限"))?;
        }
        let seen = usize::try_from(sure.count).unwrap_or(0);
        if seen < outlook.records.len() {
            write!(out, "  ({})", in_seeds(lang, seen, outlook.records.len()))?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    writeln!(out, "{}", list_text(outlook, lang))?;
    writeln!(out, "{}", held_text(outlook, lang))?;
    writeln!(out, "{}", promise_text(outlook, lang))?;
    writeln!(out)?;
    writeln!(out, "{}", either(lang, "what was assumed, and whence:", "前提とその出所:"))?;
    for told in &outlook.told {
        let label = words::part(lang, told.part);
        let value = words::value(lang, &told.value);
        writeln!(
            out,
            "  {} {} {}",
            pad(label, LABEL),
            pad(&value, 20),
            words::source(lang, told.part, told.from)
        )?;
    }
    Ok(())
}

/// Campaign, day, team and mode.
pub(crate) fn title(outlook: &Outlook, lang: Lang) -> String {
    let rehearsal = &outlook.rehearsal;
    let (agents, mode) = (rehearsal.agents.len(), mode_text(rehearsal.campaign.mode));
    let seeds = match outlook.records.as_slice() {
        [only] => format!("{} {}", either(lang, "seed", "シード"), only.seed),
        [first, .., last] => {
            format!("{} {}-{}", either(lang, "seeds", "シード"), first.seed, last.seed)
        }
        [] => String::new(),
    };
    let when = outlook.when();
    match lang {
        Lang::En => format!(
            "{}: rehearsed {when}, {agents} agents, {mode}, {seeds}",
            rehearsal.campaign.name
        ),
        Lang::Ja => {
            format!("{}: 予行 {when}、担当者 {agents} 人、{mode}、{seeds}", rehearsal.campaign.name)
        }
    }
}

/// `67.9 - 68.7 %`.
pub(crate) fn interval_of(lang: Lang, figure: Figure, sure: Sure) -> String {
    let Some(half) = sure.half else { return String::new() };
    let (_, decimals, unit) = words::figure(lang, figure);
    let low = (sure.mean - half).max(0.0);
    format!("{low:.decimals$} - {:.decimals$}{unit}", sure.mean + half)
}

/// `66.1 - 69.9 %`.
pub(crate) fn range(lang: Lang, figure: Figure, sure: Sure) -> String {
    let (_, decimals, unit) = words::figure(lang, figure);
    format!("{:.decimals$} - {:.decimals$}{unit}", sure.least, sure.most)
}

fn in_seeds(lang: Lang, seen: usize, of: usize) -> String {
    match lang {
        Lang::En => format!("in {seen} of {of} seeds"),
        Lang::Ja => format!("{of} 回中 {seen} 回"),
    }
}

/// How far the list went.
pub(crate) fn list_text(outlook: &Outlook, lang: Lang) -> String {
    let size = words::thousands(u64::try_from(outlook.rehearsal.list.len()).unwrap_or(u64::MAX));
    let ended = outlook.records.iter().filter(|record| record.list_end.is_some()).count();
    let seeds = outlook.records.len();
    if ended == seeds {
        return match lang {
            Lang::En => format!("The list of {size} ends within this time."),
            Lang::Ja => format!("リスト {size} 件はこの期間内に終わります。"),
        };
    }
    let left = |of: fn(&crate::logic::dialer::LeadCounts) -> u64| {
        let sum: u64 = outlook.records.iter().map(|record| of(&record.left)).sum();
        words::thousands(sum / u64::try_from(seeds).unwrap_or(1).max(1))
    };
    let (ready, waiting) =
        (left(|counts| counts.ready + counts.claimed), left(|counts| counts.waiting));
    match lang {
        Lang::En => format!(
            "The list of {size} does not end within this time{}: then {ready} are ready and {waiting} wait for their time.",
            if ended > 0 {
                format!(" in {} of {seeds} seeds", seeds - ended)
            } else {
                String::new()
            }
        ),
        Lang::Ja => format!(
            "リスト {size} 件はこの期間内に終わりません: 終了時点で発信待ち {ready} 件、時刻待ち {waiting} 件。"
        ),
    }
}

/// What held dialing back.
fn held_text(outlook: &Outlook, lang: Lang) -> String {
    let shares = outlook.held();
    let words: Vec<String> = shares
        .iter()
        .filter(|(_, share)| *share >= 0.005)
        .map(|(word, share)| format!("{word} {:.0} %", 100.0 * share))
        .collect();
    let label = either(lang, "What held dialing back, by time:", "発信を抑えたもの(時間の割合):");
    format!("{label} {}", words.join(", "))
}

/// Whether the promise held at every instant.
pub(crate) fn promise_text(outlook: &Outlook, lang: Lang) -> String {
    let breaches: usize = outlook.records.iter().map(|record| record.breaches.len()).sum();
    let first = outlook.records.iter().find_map(|record| {
        record.breaches.first().map(|breach| (record.seed, breach.what.clone()))
    });
    let debt = match outlook.rehearsal.campaign.abandon.bound {
        AbandonBound::Instant => "",
        AbandonBound::Window(_) => " + B(t)",
    };
    match (lang, first) {
        (Lang::En, None) => format!(
            "The promise D <= r·A{debt} + faults held at every instant, and no call left outside the hours or above the \
             limits."
        ),
        (Lang::Ja, None) => format!(
            "D <= r·A{debt} + 障害 は常に守られ、時間外や上限を超える発信はありませんでした。"
        ),
        (Lang::En, Some((seed, what))) => format!(
            "A PROMISE WAS BROKEN, {breaches} times, first in seed {seed}: {what}. This is a bug of outdial: please report it."
        ),
        (Lang::Ja, Some((seed, what))) => {
            format!(
                "約束が {breaches} 回破られました(最初はシード {seed}: {what})。outdial の不具合です。"
            )
        }
    }
}

/// Columns of a label.
const LABEL: usize = 36;
