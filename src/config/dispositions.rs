//! `[[disposition]]`: what an agent can say of a call, and with which keys.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::presets::Rules;
use crate::logic::settings::Disposition;
use crate::logic::settings::DispositionEffect;

/// The dispositions of a campaign; without any, the common set.
pub(super) fn dispositions(root: &Section<'_>, rules: &Rules) -> Vec<Disposition> {
    let Some(field) = root.get("disposition") else { return common() };
    let mut read = Vec::new();
    let mut codes = BTreeSet::new();
    let mut digits: Vec<String> = Vec::new();
    let sections = field.sections();
    if sections.len() > MOST {
        let found = format!("{} dispositions", sections.len());
        field.wrong(Wrong::new(found, format!("at most {MOST}"), "no agent remembers more"));
        return read;
    }
    for section in sections {
        let code = section.need("code", "a code such as \"SALE\"").and_then(|f| code(&f, &codes));
        let keys = section.need("digits", "keys such as \"1\"").and_then(|f| keys(&f, &digits));
        codes.extend(code.clone());
        digits.extend(keys.clone());
        let label = |key| section.need(key, "what the agent reads").and_then(|f| f.line(60));
        let (label_en, label_ja) = (label("en"), label("ja"));
        let effect = effect(&section, rules);
        let live = section.get("live").and_then(|f| f.flag());
        section.finish();
        if let (Some(code), Some(digits), Some(label_en), Some(label_ja), Some(effect)) =
            (code, keys, label_en, label_ja, effect)
        {
            read.push(Disposition { code, label_en, label_ja, digits, effect, live });
        }
    }
    read
}

/// Keys with which the agent hangs the customer up.
pub(super) fn hang_up_keys(root: &Section<'_>) -> String {
    let read = root.get("hang_up_keys").and_then(|field| {
        field.parse("2 to 4 of the keys 0-9, * and #", "the usual choice is \"##\"", |text| {
            ((2..=4).contains(&text.len()) && text.chars().all(is_key)).then(|| text.to_owned())
        })
    });
    read.unwrap_or_else(|| "##".to_owned())
}

fn code(field: &Field<'_>, taken: &BTreeSet<String>) -> Option<String> {
    let advice = "write it in capitals: it is the stable word in results and reports";
    let code = field.parse("1 to 32 of A-Z, 0-9 and _", advice, |text| {
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        ((1..=32).contains(&text.len()) && text.chars().all(plain)).then(|| text.to_owned())
    })?;
    if taken.contains(&code) {
        field.unexpected("a code of its own", "rename one of the two");
        return None;
    }
    Some(code)
}

/// Keys of which none begins another: the dialer acts on the last key, without a wait.
fn keys(field: &Field<'_>, taken: &[String]) -> Option<String> {
    let keys = field.parse("1 to 4 of the keys 0-9 and *", "write them in quotes", |text| {
        let plain = |c: char| is_key(c) && c != '#';
        ((1..=4).contains(&text.len()) && text.chars().all(plain)).then(|| text.to_owned())
    })?;
    let clash = taken.iter().find(|other| other.starts_with(&keys) || keys.starts_with(*other));
    if let Some(other) = clash {
        let advice = format!("\"{other}\" is taken already, and no code may begin another");
        field.unexpected("keys of its own", advice);
        return None;
    }
    Some(keys)
}

fn effect(section: &Section<'_>, rules: &Rules) -> Option<DispositionEffect> {
    let field =
        section.need("effect", "final, success, refusal, retry, callback or wrong_number")?;
    let word = field.choice(&EFFECTS)?;
    let range = if rules.simulated_only { Duration::ZERO..=*AFTER.end() } else { AFTER };
    if matches!(word, Effect::Callback) {
        return callback(section, range);
    }
    for key in ["within", "personal"] {
        if let Some(field) = section.get(key) {
            field.unexpected(
                format!("`{key}` with effect = \"callback\" only"),
                "take one of them out",
            );
        }
    }
    let after = section.get("after");
    match (word, after) {
        (Effect::Retry, after) => {
            let Some(field) = after else {
                section.missing("after", "the time until the lead is due, for effect \"retry\"");
                return None;
            };
            Some(DispositionEffect::Retry { after: field.duration(range)? })
        }
        (Effect::Plain(effect), None) => Some(effect),
        (Effect::Callback, _) => None,
        (Effect::Plain(_), Some(after)) => {
            after.unexpected(
                "`after` with effect = \"retry\" or \"callback\" only",
                "take one of them out",
            );
            None
        }
    }
}

/// A promised call: the agent gives the time; these are for the keys of the phone, which cannot say one.
fn callback(section: &Section<'_>, range: RangeInclusive<Duration>) -> Option<DispositionEffect> {
    let time = |key, usual: Duration| match section.get(key) {
        Some(field) => field.duration(range.clone()),
        None => Some(usual),
    };
    let (after, within) = (time("after", CALL_BACK_AFTER), time("within", CALL_BACK_WITHIN));
    let personal = match section.get("personal") {
        Some(field) => field.flag(),
        None => Some(false),
    };
    Some(DispositionEffect::Callback { after: after?, within: within?, personal: personal? })
}

#[derive(Clone, Copy)]
enum Effect {
    Plain(DispositionEffect),
    Retry,
    Callback,
}

const EFFECTS: [(&str, Effect); 6] = [
    ("final", Effect::Plain(DispositionEffect::Final)),
    ("success", Effect::Plain(DispositionEffect::Success)),
    ("refusal", Effect::Plain(DispositionEffect::Refusal)),
    ("retry", Effect::Retry),
    ("callback", Effect::Callback),
    ("wrong_number", Effect::Plain(DispositionEffect::WrongNumber)),
];

const fn is_key(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '*' | '#')
}

/// Where a campaign writes none.
fn common() -> Vec<Disposition> {
    let after = |hours: u64| DispositionEffect::Retry { after: Duration::from_secs(hours * 3600) };
    let row =
        |code: &str, digits: &str, label_en: &str, label_ja: &str, effect, live| Disposition {
            code: code.to_owned(),
            label_en: label_en.to_owned(),
            label_ja: label_ja.to_owned(),
            digits: digits.to_owned(),
            effect,
            live,
        };
    let person = Some(true);
    let promised = |personal| DispositionEffect::Callback {
        after: CALL_BACK_AFTER,
        within: CALL_BACK_WITHIN,
        personal,
    };
    vec![
        row("SALE", "1", "sale", "成約", DispositionEffect::Success, person),
        row("APPT", "2", "appointment", "アポ獲得", DispositionEffect::Success, person),
        row("CALLBACK", "3", "call back", "再コール", promised(false), person),
        row("CALLBACK_AGENT", "0", "call back, by me", "再コール(自分)", promised(true), person),
        row("ABSENT", "4", "the right person is absent", "担当者不在", after(4), person),
        row(
            "REFUSED",
            "5",
            "refused: never call again",
            "断り",
            DispositionEffect::Refusal,
            person,
        ),
        row(
            "WRONG_NUMBER",
            "6",
            "wrong number",
            "番号違い",
            DispositionEffect::WrongNumber,
            person,
        ),
        row("NOT_ELIGIBLE", "7", "not eligible", "対象外", DispositionEffect::Final, person),
        row("VM", "8", "voicemail", "留守電", after(4), Some(false)),
        row("FAX", "9", "fax", "FAX", DispositionEffect::Final, Some(false)),
    ]
}

const MOST: usize = 50;
const CALL_BACK_AFTER: Duration = Duration::from_secs(86_400);
const CALL_BACK_WITHIN: Duration = Duration::from_secs(1_800);
const AFTER: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_set_keeps_its_own_rules() {
        let common = common();
        for a in &common {
            assert!(a.code.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
            for b in common.iter().filter(|b| b.code != a.code) {
                assert!(!b.digits.starts_with(&a.digits));
            }
        }
    }
}
