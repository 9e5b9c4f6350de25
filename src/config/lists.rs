//! `lists` and `[[list]]`: the files with the people to call.

use std::collections::BTreeMap;
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
    /// Our field (see [`LIST_FIELDS`]) to the header in the file; fields not named are found by their usual headers.
    pub columns: BTreeMap<String, String>,
    /// How its bytes are read.
    pub encoding: ListEncoding,
    /// What stands between two cells; `None`: found in the file.
    pub delimiter: Option<u8>,
}

/// How the bytes of a list are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEncoding {
    /// By its byte order mark, else UTF-8, else CP932.
    Auto,
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// Windows-31J, what Excel writes in Japan as "CSV".
    Cp932,
}

/// Fields a column can be given to; every other column is kept as a custom field.
pub const LIST_FIELDS: [&str; 10] = [
    "phone",
    "phone2",
    "phone3",
    "external_id",
    "name",
    "name_kana",
    "company",
    "language",
    "note",
    "rank",
];

/// The lists of a campaign, relative to `base`.
pub(super) fn lists(root: &Section<'_>, base: &Path) -> Vec<ListSource> {
    let short = root.get("lists");
    let long = root.get("list");
    if let (Some(_), Some(long)) = (&short, &long) {
        let wrong = Wrong::new("`list` beside `lists`", "one of them", "move all to [[list]]");
        long.wrong_key(wrong);
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
    ListSource {
        name: name.to_owned(),
        path: base.join(name),
        columns: BTreeMap::new(),
        encoding: ListEncoding::Auto,
        delimiter: None,
    }
}

fn list(section: &Section<'_>, base: &Path) -> Option<ListSource> {
    let name = section.need("path", "the path of a CSV file").and_then(|field| field.line(400));
    let encoding = section.get("encoding").and_then(|field| field.choice(&ENCODINGS));
    let delimiter = section.get("delimiter").and_then(|field| field.choice(&DELIMITERS)).flatten();
    let columns = section.get("columns").map(|field| columns(&field)).unwrap_or_default();
    section.finish();
    let list = plain(&name?, base);
    Some(ListSource {
        columns,
        encoding: encoding.unwrap_or(ListEncoding::Auto),
        delimiter,
        ..list
    })
}

fn columns(field: &Field<'_>) -> BTreeMap<String, String> {
    let Some(section) = field.section() else { return BTreeMap::new() };
    let column = |field: Field<'_>| {
        if !LIST_FIELDS.contains(&field.key()) {
            let expected = nearest(field.key(), &LIST_FIELDS).map_or_else(
                || format!("one of {}", LIST_FIELDS.join(", ")),
                |near| format!("`{near}`"),
            );
            let found = format!("the unknown field `{}`", field.key());
            let advice = "columns without a field are kept as they are; take it out";
            field.wrong_key(Wrong::new(found, expected, advice));
            return None;
        }
        Some((field.key().to_owned(), field.line(200)?))
    };
    section.entries().filter_map(column).collect()
}

const ENCODINGS: [(&str, ListEncoding); 3] =
    [("auto", ListEncoding::Auto), ("utf-8", ListEncoding::Utf8), ("cp932", ListEncoding::Cp932)];

const DELIMITERS: [(&str, Option<u8>); 5] = [
    ("auto", None),
    (",", Some(b',')),
    ("\t", Some(b'\t')),
    ("tab", Some(b'\t')),
    (";", Some(b';')),
];
