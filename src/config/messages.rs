//! `[messages]` and the script: what a callee hears, what an agent reads.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::file::read_at_most;
use crate::logic::settings::Messages;

/// The announcements of a campaign whose callees speak `languages`; paths are relative to `base`.
pub(super) fn messages(root: &Section<'_>, base: &Path, languages: &[String]) -> Messages {
    let expected = "what a callee hears when no agent is free";
    let Some(field) = root.need_section("messages", "[messages.safe_harbour]", expected) else {
        return Messages::default();
    };
    let Some(section) = field.section() else { return Messages::default() };
    let of_kind = |kind| {
        let Some(field) = section.need(kind, "a sound file for each language") else {
            return BTreeMap::new();
        };
        sounds(&field, kind, base, languages)
    };
    let messages =
        Messages { safe_harbour: of_kind("safe_harbour"), call_lost: of_kind("call_lost") };
    section.finish();
    messages
}

/// A file for each language; `kind` is what they are.
pub(super) fn sounds(
    field: &Field<'_>,
    kind: &str,
    base: &Path,
    languages: &[String],
) -> BTreeMap<String, String> {
    let Some(files) = field.section() else { return BTreeMap::new() };
    let read: BTreeMap<String, String> = files
        .entries()
        .filter_map(|file| Some((language(&file, file.key())?, sound(&file, base)?)))
        .collect();
    for language in languages {
        if files.entries().all(|file| file.key() != language) {
            let wrong = Wrong::new(
                format!("no `{kind}` for language \"{language}\""),
                format!("{language} = \"….wav\""),
                "add the file, or take the language out of `languages`",
            );
            field.wrong_key(wrong);
        }
    }
    read
}

/// A file that exists: the runtime's name for it is its path.
pub(super) fn sound(field: &Field<'_>, base: &Path) -> Option<String> {
    let path = base.join(field.line(400)?);
    if !path.is_file() {
        let advice = format!("put a WAV file (mono, 8 kHz, 16 bit) at {}", path.display());
        field.unexpected("the path of a file that exists", advice);
        return None;
    }
    let text = path.to_str().map(str::to_owned);
    if text.is_none() {
        field.unexpected("a path in UTF-8", "move the campaign to another folder");
    }
    text
}

/// A language as BCP 47 writes it, in its shortest form: `ja`.
pub(super) fn language(field: &Field<'_>, text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase();
    let fits = (2..=3).contains(&text.len()) && text.chars().all(plain);
    if !fits {
        let found = format!("the language \"{}\"", text.chars().take(20).collect::<String>());
        let wrong = Wrong::new(found, "two or three small letters", "write \"ja\" or \"en\"");
        field.wrong(wrong);
    }
    fits.then(|| text.to_owned())
}

/// `script` or `script_file`.
pub(super) fn script(root: &Section<'_>, base: &Path) -> String {
    let inline = root.get("script");
    let file = root.get("script_file");
    if let (Some(_), Some(file)) = (&inline, &file) {
        let wrong = Wrong::new("`script_file` beside `script`", "one of them", "take one out");
        file.wrong_key(wrong);
    }
    let text = match (inline, file) {
        (Some(field), _) => field.text().and_then(|text| {
            let fits = u64::try_from(text.len()).is_ok_and(|bytes| bytes <= MAX_SCRIPT);
            if !fits {
                too_long(&field);
            }
            fits.then(|| text.to_owned())
        }),
        (None, Some(field)) => field.line(400).and_then(|name| script_in(&field, &base.join(name))),
        (None, None) => None,
    };
    text.unwrap_or_default()
}

fn script_in(field: &Field<'_>, path: &Path) -> Option<String> {
    let text = match read_at_most(path, MAX_SCRIPT) {
        Ok(Some(bytes)) => String::from_utf8(bytes).ok(),
        Ok(None) => {
            too_long(field);
            return None;
        }
        Err(_) => None,
    };
    if text.is_none() {
        field.unexpected("the path of a UTF-8 text file", "check path and permissions");
    }
    text
}

fn too_long(field: &Field<'_>) {
    field.wrong(Wrong::new("a longer script", format!("at most {MAX_SCRIPT} bytes"), "shorten it"));
}

const MAX_SCRIPT: u64 = 16 * 1024;
