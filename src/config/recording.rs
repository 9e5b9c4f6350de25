//! `[message]`: what a person hears in agentless mode, and what the keys mean.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::messages;
use crate::config::presets::Rules;
use crate::logic::settings::DialMode;
use crate::logic::settings::Disposition;
use crate::logic::settings::DispositionEffect;
use crate::logic::settings::Recording;

/// The message of a campaign; needed in agentless mode, possible in any: a mode can be left while it runs.
pub(super) fn recording(
    root: &Section<'_>,
    base: &Path,
    languages: &[String],
    dispositions: &[Disposition],
    mode: Option<DialMode>,
    rules: &Rules,
) -> Option<Recording> {
    let field = if mode == Some(DialMode::Agentless) {
        root.need_section("message", "[message]", "what a person hears who answers")
    } else {
        root.get("message")
    };
    let section = field?.section()?;
    let sounds = |field: Option<Field<'_>>| {
        field.map(|field| of_each(&field, base, languages)).unwrap_or_default()
    };
    let whole = |key, range, usual| section.get(key).map_or(Some(usual), |f| f.whole(range));
    let basis = if rules.simulated_only {
        section.get("basis").map_or(Some(String::new()), |field| field.line(400))
    } else {
        section.need("basis", BASIS).and_then(|field| field.line(400))
    };
    let files = sounds(section.need("file", "the WAV file with the message"));
    let (removed, thanks) = (sounds(section.get("removed")), sounds(section.get("thanks")));
    let keys = section
        .need("keys", "what each key means, such as [message.keys] with 9 = \"remove\"")
        .and_then(|field| keys(&field, dispositions));
    let repeat = whole("repeat", REPEAT, 0);
    let wait = section.get("wait").map_or(Some(WAIT), |field| field.duration(WAITS));
    let wrong_keys = whole("wrong_keys", WRONG_KEYS, 3);
    let lines = section.get("lines").map(|field| field.whole(LINES));
    section.finish();
    let basis = basis?;
    if !basis.is_empty() {
        rules.note(format!("recorded messages rest on: {basis}"));
    }
    Some(Recording {
        basis,
        files,
        removed,
        thanks,
        keys: keys?,
        repeat: repeat?,
        wait: wait?,
        wrong_keys: wrong_keys?,
        lines: match lines {
            Some(lines) => Some(lines?),
            None => None,
        },
    })
}

/// One file for everybody, or one for each language.
fn of_each(field: &Field<'_>, base: &Path, languages: &[String]) -> BTreeMap<String, String> {
    if field.is_text() {
        let file = messages::sound(field, base);
        return languages.iter().filter_map(|of| Some((of.clone(), file.clone()?))).collect();
    }
    messages::sounds(field, field.key(), base, languages)
}

/// Each key with the code it stands for. One of them refuses: who hears a recorded message can end all further ones at
/// any time (47 CFR 64.1200(b)(3), 16 CFR 310.4(b)(1)(v)(B)).
fn keys(field: &Field<'_>, dispositions: &[Disposition]) -> Option<BTreeMap<char, String>> {
    let section = field.section()?;
    let mut read = BTreeMap::new();
    let (mut wrong, mut refuses) = (false, false);
    for entry in section.entries() {
        let meant = key(&entry).zip(meaning(&entry, dispositions));
        let Some((key, chosen)) = meant else {
            wrong = true;
            continue;
        };
        refuses |= chosen.effect == DispositionEffect::Refusal;
        read.insert(key, chosen.code.clone());
    }
    if !refuses && !wrong {
        field.wrong_key(Wrong::new(
            "no key with which a person is removed",
            "one key that means \"remove\"",
            "add `9 = \"remove\"` below [message.keys], and say so in the message",
        ));
    }
    (refuses && !wrong).then_some(read)
}

fn key(entry: &Field<'_>) -> Option<char> {
    let mut letters = entry.key().chars();
    let key = letters.next().filter(|key| key.is_ascii_digit() || matches!(key, '*' | '#'));
    let key = key.filter(|_| letters.next().is_none());
    if key.is_none() {
        let found = format!("the key `{}`", entry.key().chars().take(20).collect::<String>());
        let advice = "write one key of a phone; `*` and `#` in quotes";
        entry.wrong_key(Wrong::new(found, "one of 0-9, * and #", advice));
    }
    key
}

/// `remove`, or the code of a disposition that needs no agent.
fn meaning<'d>(entry: &Field<'_>, dispositions: &'d [Disposition]) -> Option<&'d Disposition> {
    let text = entry.text()?;
    if text == REMOVE {
        let refusal = dispositions.iter().find(|d| d.effect == DispositionEffect::Refusal);
        if refusal.is_none() {
            let advice = "give one [[disposition]] effect = \"refusal\": it is what results say";
            entry.unexpected("a disposition that refuses", advice);
        }
        return refusal;
    }
    let found = dispositions.iter().find(|known| known.code == text);
    let Some(found) = found else {
        let codes: Vec<&str> = dispositions.iter().map(|known| known.code.as_str()).collect();
        let expected = format!("\"remove\" or one of the dispositions {}", codes.join(", "));
        entry.unexpected(expected, "a handover to an agent is not possible in agentless mode");
        return None;
    };
    if matches!(found.effect, DispositionEffect::Callback { .. }) {
        entry.unexpected(
            "a disposition that promises no call",
            "nobody is there who could keep the promise; use one with effect = \"retry\" or \"success\"",
        );
        return None;
    }
    Some(found)
}

const REMOVE: &str = "remove";
const BASIS: &str =
    "on what recorded calls to these people rest, such as \"written consent in the order form\"";
const REPEAT: RangeInclusive<u32> = 0..=3;
const WRONG_KEYS: RangeInclusive<u32> = 1..=20;
const LINES: RangeInclusive<u32> = 1..=10_000;
const WAIT: Duration = Duration::from_secs(5);
const WAITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
