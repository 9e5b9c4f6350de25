//! Step one, "as written": a TOML file as a tree that knows where each value stands.
//!
//! The checking files ask it for what they want; what is not there, is of another type, or was never asked for becomes
//! a [`Problem`] with its place. Reading goes on after a problem, so that one run shows them all.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::config::duration;
use crate::config::problem::Problem;
use crate::config::problem::Problems;
use crate::logic::settings::fixed_point;

/// A file while it is being checked.
#[derive(Debug)]
pub(super) struct Source<'a> {
    name: &'a str,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

/// Reads a file of at most [`MAX_BYTES`].
pub(super) fn read_text(path: &Path, name: &str) -> Result<String, Problems> {
    let whole = |found: String, advice: &str| {
        Problems(vec![Problem {
            file: name.to_owned(),
            line: 1,
            column: 1,
            found,
            expected: "a readable file".to_owned(),
            advice: advice.to_owned(),
        }])
    };
    let bytes = read_at_most(path, MAX_BYTES)
        .map_err(|error| whole(format!("\"{error}\""), "check the path and who may read it"))?
        .ok_or_else(|| whole("more than 1 MiB".to_owned(), "is this the right file?"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let before = String::from_utf8_lossy(valid);
        let (line, column) = place(&before, before.len());
        Problems(vec![Problem {
            file: name.to_owned(),
            line,
            column,
            found: "bytes that are no UTF-8".to_owned(),
            expected: "UTF-8 text".to_owned(),
            advice: "save the file as UTF-8".to_owned(),
        }])
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// A whole file; `None`: it has more bytes than `most`. What has no length of its own, a pipe or a device, ends there, too.
pub(super) fn read_at_most(path: &Path, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![];
    let read = File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(u64::try_from(read).is_ok_and(|read| read <= most).then_some(bytes))
}

/// Parses `text` and hands its tree to `check`. `Ok` only when nothing was wrong.
pub(super) fn with_document<T>(
    name: &str,
    text: &str,
    check: impl FnOnce(&Section<'_>) -> T,
) -> Result<T, Problems> {
    let source = Source { name, text, problems: RefCell::default() };
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        source.report(
            at,
            Wrong::new(
                format!("text that is no TOML ({})", error.message().replace('\n', ", ")),
                "`key = value` or `[section]`",
                "correct the line",
            ),
        );
    }
    // A tree patched together after a syntax error would only add noise.
    let checked = errors.is_empty().then(|| {
        let root = Section {
            source: &source,
            table: tree.get_ref(),
            at: 0,
            label: String::new(),
            asked: RefCell::default(),
        };
        let checked = check(&root);
        root.finish();
        checked
    });
    let mut problems = source.problems.into_inner();
    problems.sort_by_key(|p| (p.line, p.column));
    problems.dedup();
    match checked {
        Some(checked) if problems.is_empty() => Ok(checked),
        Some(_) | None => Err(Problems(problems)),
    }
}

/// What is wrong with a value, without its place.
#[derive(Debug)]
pub(super) struct Wrong {
    found: String,
    expected: String,
    advice: String,
}

impl Wrong {
    pub(super) fn new(
        found: impl Into<String>,
        expected: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { found: found.into(), expected: expected.into(), advice: advice.into() }
    }
}

impl Source<'_> {
    /// Past [`MAX_PROBLEMS`] nothing is added: nobody reads on.
    fn report(&self, at: usize, wrong: Wrong) {
        if self.problems.borrow().len() >= MAX_PROBLEMS {
            return;
        }
        let (line, column) = place(self.text, at);
        let Wrong { found, expected, advice } = wrong;
        let file = self.name.to_owned();
        self.problems.borrow_mut().push(Problem { file, line, column, found, expected, advice });
    }
}

/// One table of the file.
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    table: &'a DeTable<'a>,
    at: usize,
    label: String,
    asked: RefCell<Vec<&'static str>>,
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("label", &self.label).finish_non_exhaustive()
    }
}

impl<'a> Section<'a> {
    /// The value of `key`, if it is written.
    pub(super) fn get(&self, key: &'static str) -> Option<Field<'a>> {
        self.asked.borrow_mut().push(key);
        let (written, value) = self.table.get_key_value(key)?;
        Some(Field { source: self.source, key, key_at: written.span(), value })
    }

    /// The value of `key`; a problem where it is missing.
    pub(super) fn need(&self, key: &'static str, expected: &str) -> Option<Field<'a>> {
        let field = self.get(key);
        if field.is_none() {
            self.missing(key, expected);
        }
        field
    }

    /// The section of `key`, written as `header`; a problem where it is missing.
    pub(super) fn need_section(
        &self,
        key: &'static str,
        header: &str,
        expected: &str,
    ) -> Option<Field<'a>> {
        let field = self.get(key);
        if field.is_none() {
            let advice = format!("add the line `{header}` and the keys below it");
            self.wrong(Wrong::new(format!("no `{header}`"), expected, advice));
        }
        field
    }

    /// Reports that `key` is missing.
    pub(super) fn missing(&self, key: &str, expected: &str) {
        let place = if self.label.is_empty() {
            "at the top of the file".to_owned()
        } else {
            format!("in {}", self.label)
        };
        let advice = format!("add `{key} = …` {place}");
        self.wrong(Wrong::new(format!("no `{key}`"), expected, advice));
    }

    /// How many problems the file has so far: what follows from one is not worth a second.
    pub(super) fn problems(&self) -> usize {
        self.source.problems.borrow().len()
    }

    /// Reports a problem of the section as a whole.
    pub(super) fn wrong(&self, wrong: Wrong) {
        self.source.report(self.at, wrong);
    }

    /// A key that is never right here.
    pub(super) fn refuse(&self, key: &'static str, expected: &str, advice: &str) {
        if let Some((written, _)) = self.table.get_key_value(key) {
            let at = written.span().start;
            self.source.report(at, Wrong::new(format!("`{key}`"), expected, advice));
        }
        self.asked.borrow_mut().push(key);
    }

    /// Every key with its value, for tables whose keys the person chooses.
    pub(super) fn entries(&self) -> impl Iterator<Item = Field<'a>> {
        self.asked.borrow_mut().push(ANY_KEY);
        let source = self.source;
        self.table.iter().map(move |(key, value)| Field {
            source,
            key: key.get_ref(),
            key_at: key.span(),
            value,
        })
    }

    /// Reports the keys that nobody asked for. Called once, when all has been asked.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        if asked.contains(&ANY_KEY) {
            return;
        }
        for key in self.table.keys() {
            let written: &str = key.get_ref();
            if asked.contains(&written) {
                continue;
            }
            let expected = match nearest(written, &asked) {
                Some(known) => format!("`{known}`"),
                None => format!("one of {}", listed(&asked)),
            };
            let found = format!("the unknown key `{}`", shortened(written));
            let advice = "correct its spelling or take it out";
            self.source.report(key.span().start, Wrong::new(found, expected, advice));
        }
    }
}

/// One value of the file.
#[derive(Clone)]
pub(super) struct Field<'a> {
    source: &'a Source<'a>,
    key: &'a str,
    key_at: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("key", &self.key).finish_non_exhaustive()
    }
}

impl<'a> Field<'a> {
    /// The key under which it stands.
    pub(super) const fn key(&self) -> &'a str {
        self.key
    }

    /// Reports a problem at the value.
    pub(super) fn wrong(&self, wrong: Wrong) {
        self.source.report(self.value.span().start, wrong);
    }

    /// Reports that the value is not what was expected.
    pub(super) fn unexpected(&self, expected: impl Into<String>, advice: impl Into<String>) {
        self.wrong(Wrong::new(described(self.value.get_ref()), expected, advice));
    }

    /// Reports a problem at the key.
    pub(super) fn wrong_key(&self, wrong: Wrong) {
        self.source.report(self.key_at.start, wrong);
    }

    /// Line and column of the value.
    pub(super) fn place(&self) -> (usize, usize) {
        place(self.source.text, self.value.span().start)
    }

    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    pub(super) fn is_text(&self) -> bool {
        self.value().is_str()
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.value().as_str();
        if text.is_none() {
            self.unexpected("text", "write it in quotes");
        }
        text
    }

    /// Text of one line, not empty, of at most `most` characters.
    pub(super) fn line(&self, most: usize) -> Option<String> {
        let text = self.text()?;
        let fits = !text.trim().is_empty()
            && text.chars().count() <= most
            && !text.chars().any(char::is_control);
        if !fits {
            self.unexpected(format!("one line of 1 to {most} characters"), "shorten or fill it in");
        }
        fits.then(|| text.trim().to_owned())
    }

    /// Text as `read` understands it.
    pub(super) fn parse<T>(
        &self,
        expected: &str,
        advice: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = read(self.text()?);
        if value.is_none() {
            self.unexpected(expected, advice);
        }
        value
    }

    pub(super) fn flag(&self) -> Option<bool> {
        let flag = self.value().as_bool();
        if flag.is_none() {
            self.unexpected("true or false", "write it without quotes");
        }
        flag
    }

    /// A whole number within `range`.
    pub(super) fn whole(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let number = self
            .value()
            .as_integer()
            .and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok())
            .filter(|n| range.contains(n));
        if number.is_none() {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            self.unexpected(expected, "write it without quotes");
        }
        number
    }

    /// A percentage as parts per million: `2.5` is 25,000. Read as text, so that no rounding comes in.
    pub(super) fn percent(&self, most: u32) -> Option<u32> {
        let parts = self.fixed_point(4).filter(|parts| *parts <= most * 10_000);
        if parts.is_none() {
            let expected = format!("a percentage from 0 to {most} with at most four decimals");
            self.unexpected(expected, "write it without quotes and without %");
        }
        parts
    }

    /// A number with at most three decimals, in thousandths: `1.5` is 1,500. `read` says which are possible.
    pub(super) fn thousandths<T>(
        &self,
        expected: &str,
        advice: &str,
        read: impl FnOnce(u32) -> Option<T>,
    ) -> Option<T> {
        let value = self.fixed_point(3).and_then(read);
        if value.is_none() {
            self.unexpected(expected, advice);
        }
        value
    }

    /// A number as written, times ten to the power of `places`.
    fn fixed_point(&self, places: usize) -> Option<u32> {
        let text = match self.value() {
            DeValue::Integer(n) if n.radix() == 10 => n.as_str(),
            DeValue::Float(x) => x.as_str(),
            DeValue::Integer(_)
            | DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => return None,
        };
        fixed_point(text, places)
    }

    /// A duration such as `"90s"` within `range`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let expected = || {
            let (least, most) = (duration::text(*range.start()), duration::text(*range.end()));
            format!("a duration from \"{least}\" to \"{most}\"")
        };
        let read = self.value().as_str().and_then(duration::parse);
        let fits = read.filter(|d| range.contains(d));
        if fits.is_none() {
            let advice = match read {
                Some(_) => "choose one in that range",
                None => "write a number and its unit in quotes: ms, s, m, h or d",
            };
            self.unexpected(expected(), advice);
        }
        fits
    }

    /// One of a closed list of words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let chosen = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if chosen.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let advice =
                did_you_mean(text, &names).unwrap_or_else(|| "choose one of them".to_owned());
            let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            let one_of = if names.len() == 1 { "" } else { "one of " };
            self.unexpected(format!("{one_of}{}", names.join(", ")), advice);
        }
        chosen
    }

    /// The one of `all` that is called so, where `table` is how the file makes one.
    pub(super) fn one_of<'all, T>(
        &self,
        all: &'all [T],
        table: &str,
        name_of: impl Fn(&T) -> &str,
    ) -> Option<&'all T> {
        let text = self.text()?;
        let found = all.iter().find(|one| name_of(one) == text);
        if found.is_none() {
            let names: Vec<&str> = all.iter().map(name_of).collect();
            let advice =
                did_you_mean(text, &names).unwrap_or_else(|| format!("add a {table} of that name"));
            self.unexpected(format!("the name of a {table}"), advice);
        }
        found
    }

    /// The values of a list, at most [`MAX_ITEMS`].
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let Some(items) = self.value().as_array() else {
            self.unexpected("a list", "write it in square brackets: [\"…\", \"…\"]");
            return None;
        };
        if items.len() > MAX_ITEMS {
            let found = format!("a list of {} values", items.len());
            self.wrong(Wrong::new(found, format!("at most {MAX_ITEMS}"), "shorten it"));
            return None;
        }
        let item = |value| Self { value, ..self.clone() };
        Some(items.iter().map(item).collect())
    }

    /// A list of which `read` understands every value; those it does not are left out.
    pub(super) fn list<T>(&self, read: impl Fn(&Self) -> Option<T>) -> Vec<T> {
        self.items().unwrap_or_default().iter().filter_map(read).collect()
    }

    /// A table.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        let Some(table) = self.value().as_table() else {
            let advice = format!("write `[{}]` on a line of its own and the keys below", self.key);
            self.unexpected("a section", advice);
            return None;
        };
        Some(Section {
            source: self.source,
            table,
            at: self.value.span().start,
            label: format!("[{}]", self.key),
            asked: RefCell::default(),
        })
    }

    /// A table that may be repeated: `[[trunk]]`.
    pub(super) fn sections(&self) -> Vec<Section<'a>> {
        let many =
            self.value().as_array().is_some_and(|a| a.iter().all(|v| v.get_ref().is_table()));
        if !many {
            let advice = format!("write `[[{}]]` with double brackets above the keys", self.key);
            self.unexpected("sections that can be repeated", advice);
            return Vec::new();
        }
        let named =
            |section: Section<'a>| Section { label: format!("[[{}]]", self.key), ..section };
        self.list(|item| item.section().map(named))
    }
}

/// Line and column, from 1, of a byte offset.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before: String = text.char_indices().take_while(|(i, _)| *i < at).map(|(_, c)| c).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", shortened(text)),
        DeValue::Integer(n) => format!("the number {}", shortened(&n.to_string())),
        DeValue::Float(x) => format!("the number {}", shortened(x.as_str())),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> = items
                .iter()
                .take(4)
                .map(|v| Some(format!("\"{}\"", v.get_ref().as_str()?)))
                .collect();
            texts.map_or_else(|| "a list".to_owned(), |t| format!("[{}]", shortened(&t.join(", "))))
        }
        DeValue::Table(_) => "a section".to_owned(),
    }
}

/// At most 40 characters of what was written, on one line.
fn shortened(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = text.chars().take(40).map(plain).collect();
    if text.chars().count() > 40 { format!("{start}…") } else { start }
}

fn listed(keys: &[&str]) -> String {
    let keys: BTreeSet<&str> = keys.iter().copied().collect();
    let keys: Vec<String> = keys.into_iter().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}

/// The known word that is nearest, if near at all.
pub(super) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let (distance, word) = known.iter().map(|word| (distance(written, word), *word)).min()?;
    let near = (written.chars().count() / 3).min(3);
    (distance <= near).then_some(word)
}

fn did_you_mean(written: &str, known: &[&str]) -> Option<String> {
    nearest(written, known).map(|near| format!("did you mean \"{near}\"?"))
}

/// Edit distance (Levenshtein), of words cut to 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().take(64).enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (pair, y) in row.windows(2).zip(&b) {
            if let [diagonal, above] = pair {
                left = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
                next.push(left);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

const ANY_KEY: &str = "*";
const MAX_BYTES: u64 = 1024 * 1024;
const MAX_ITEMS: usize = 10_000;
const MAX_PROBLEMS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_only_when_near() {
        let known = ["caller_id", "countries", "country"];
        assert_eq!(nearest("callerid", &known), Some("caller_id"));
        assert_eq!(nearest("contry", &known), Some("country"));
        assert_eq!(nearest("volume", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        assert_eq!(place("名前 = 1\nx", 0), (1, 1));
        assert_eq!(place("名前 = 1\nx", "名前 = ".len()), (1, 6));
        assert_eq!(place("名前 = 1\nx", "名前 = 1\n".len()), (2, 1));
    }
}
