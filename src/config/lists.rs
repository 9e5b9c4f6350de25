//! `lists` and `[[list]]`: the files with the people to call.

use std::path::Path;
use std::path::PathBuf;

use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::file::nearest;

/// One file with people to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSource {
    /// As written.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// One of [`LIST_FIELDS`] and the header in the file; several for `phone`, in the order they are called. Fields not
    /// named are found by their usual headers.
    pub columns: Vec<(String, String)>,
    /// One of [`LIST_ENCODINGS`]; `None`: found by looking at the bytes.
    pub encoding: Option<String>,
}

/// Fields that a column can be given to; every other column is kept as a custom field.
pub const LIST_FIELDS: [&str; 13] = [
    "phone",
    "external_id",
    "name",
    "family_name",
    "given_name",
    "kana",
    "family_kana",
    "given_kana",
    "company",
    "language",
    "priority",
    "do_not_call",
    "note",
];

/// How the bytes of a list can be read.
pub const LIST_ENCODINGS: [&str; 9] = [
    "utf-8",
    "cp932",
    "utf-16le",
    "utf-16be",
    "euc-jp",
    "windows-1252",
    "gb18030",
    "big5",
    "euc-kr",
];

/// The lists of a campaign, relative to `base`.
pub(super) fn lists(root: &Section<'_>, base: &Path) -> Vec<ListSource> {
    let short = root.get("lists");
    let long = root.get("list");
    if let (Some(_), Some(long)) = (&short, &long) {
        long.wrong_key(Wrong::new("`list` beside `lists`", "one of them", "move all to [[list]]"));
    }
    let mut lists: Vec<ListSource> = match &short {
        Some(field) => field.list(|item| Some(plain(&item.line(400)?, base))),
        None => Vec::new(),
    };
    if let Some(field) = long {
        lists.extend(field.sections().iter().filter_map(|section| list(section, base)));
    }
    lists
}

fn plain(name: &str, base: &Path) -> ListSource {
    let path = base.join(name);
    ListSource { name: name.to_owned(), path, columns: Vec::new(), encoding: None }
}

fn list(section: &Section<'_>, base: &Path) -> Option<ListSource> {
    let name = section.need("path", "the path of a CSV file").and_then(|field| field.line(400));
    let encoding = section.get("encoding").and_then(|field| {
        let words = LIST_ENCODINGS.map(|name| (name, Some(name)));
        let auto = [("auto", None)];
        let words: Vec<_> = auto.into_iter().chain(words).collect();
        field.choice(&words)
    });
    let columns = section.get("columns").map(|field| columns(&field)).unwrap_or_default();
    section.finish();
    let encoding = encoding.flatten().map(str::to_owned);
    Some(ListSource { columns, encoding, ..plain(&name?, base) })
}

fn columns(field: &Field<'_>) -> Vec<(String, String)> {
    let Some(section) = field.section() else { return Vec::new() };
    let mut columns = Vec::new();
    for field in section.entries() {
        let key = field.key();
        if !LIST_FIELDS.contains(&key) {
            let expected = nearest(key, &LIST_FIELDS).map_or_else(
                || format!("one of {}", LIST_FIELDS.join(", ")),
                |near| format!("`{near}`"),
            );
            let advice = "columns without a field are kept as they are; take it out";
            field.wrong_key(Wrong::new(format!("the unknown field `{key}`"), expected, advice));
        } else if key == "phone" && !field.is_text() {
            let headers = field.list(|item| item.line(200));
            columns.extend(headers.into_iter().map(|header| (key.to_owned(), header)));
        } else {
            columns.extend(field.line(200).map(|header| (key.to_owned(), header)));
        }
    }
    columns
}
