//! From the cells of a row to a person, or to what is wrong with it.

use unicode_normalization::UnicodeNormalization;

use super::ReadOptions;
use super::contact::{ContactPhone, ContactRow};
use super::custom::pairs;
use crate::files::header::{Field, Header};
use crate::files::records::shorten;
use crate::files::refusal::{RefusalReason, RowWarning};
use crate::files::spreadsheet::unguard;
use crate::logic::phone::{CellReader, Found, PhoneRefusal, Region};

/// What is wrong, and where.
pub(super) struct Blame {
    pub(super) column: Option<String>,
    pub(super) reason: RefusalReason,
    pub(super) raw: String,
}

/// One row of the right width.
pub(super) struct Reading<'a> {
    pub(super) header: &'a Header,
    pub(super) options: &'a ReadOptions,
    pub(super) row: u64,
    pub(super) line: u64,
    pub(super) cells: &'a csv::StringRecord,
}

impl Reading<'_> {
    /// `text`: the whole row.
    pub(super) fn contact(
        &self,
        text: &str,
        numbers: &mut CellReader,
    ) -> Result<ContactRow, Blame> {
        let wrong = |text: &str| text.contains('\u{fffd}') || text.contains('\0');
        if wrong(text)
            && let Some(at) = self.cells.iter().position(wrong)
        {
            return Err(self.blame(at, RefusalReason::EncodingInvalid));
        }
        if let Some(at) = self.header.column(Field::DoNotCall)
            && means_yes(self.cell(at))
        {
            return Err(self.blame(at, RefusalReason::DoNotCall));
        }
        let mut warnings = Vec::new();
        let phones = self.phones(numbers, &mut warnings)?;
        let language = self.text(Field::Language).and_then(|text| {
            let tag = language_tag(&text);
            warnings.extend(tag.is_none().then_some(RowWarning::LanguageUnknown));
            tag
        });
        let priority = self.text(Field::Priority).and_then(|text| {
            let number = text.nfkc().collect::<String>().parse().ok();
            warnings.extend(number.is_none().then_some(RowWarning::PriorityInvalid));
            number
        });
        let kept = self.header.kept.iter().map(|(at, key)| (&**key, self.cell(*at)));
        let kept = kept.filter(|(_, cell)| !cell.is_empty());
        Ok(ContactRow {
            row: self.row,
            line: self.line,
            external_id: self.text(Field::ExternalId),
            name: self.joined(Field::Name, Field::FamilyName, Field::GivenName),
            kana: self.joined(Field::Kana, Field::FamilyKana, Field::GivenKana),
            company: self.text(Field::Company),
            language,
            phones,
            priority,
            custom: pairs(kept),
            warnings,
            text: String::new(),
        })
    }

    /// The numbers of all phone columns, each once; or what is wrong with the first column that holds anything.
    fn phones(
        &self,
        numbers: &mut CellReader,
        warnings: &mut Vec<RowWarning>,
    ) -> Result<Vec<ContactPhone>, Blame> {
        let mut phones: Vec<ContactPhone> = Vec::new();
        let mut blames: Vec<(usize, RefusalReason)> = Vec::new();
        for &at in &self.header.phones {
            let cell = numbers.read(self.cell(at));
            let empty = PhoneRefusal::Empty;
            blames.extend(
                cell.refused
                    .iter()
                    .filter(|r| **r != empty)
                    .map(|r| (at, RefusalReason::Phone(*r))),
            );
            if cell.found.is_empty() && cell.refused.iter().any(|r| *r != empty) {
                warnings.push(RowWarning::PhoneColumnRefused);
            }
            for found in cell.found {
                if let Err(blocked) = self.country_allowed(found.country) {
                    warnings.push(RowWarning::PhoneColumnRefused);
                    blames.push((at, blocked));
                    continue;
                }
                let key = found.key();
                warnings.extend(found.warnings.iter().copied().map(RowWarning::Phone));
                if phones.iter().all(|phone| phone.key != key) && phones.len() < MAX_PHONES {
                    let Found { number, kind, country, extension, warnings: _ } = found;
                    phones.push(ContactPhone { number, kind, country, extension, key });
                }
            }
        }
        if !phones.is_empty() {
            return Ok(phones);
        }
        let first = self.header.phones.first().copied().unwrap_or_default();
        let nothing = (first, RefusalReason::Phone(PhoneRefusal::Empty));
        let (at, reason) = blames.into_iter().next().unwrap_or(nothing);
        Err(self.blame(at, reason))
    }

    fn country_allowed(&self, country: Option<Region>) -> Result<(), RefusalReason> {
        if self.options.countries.is_empty() {
            return Ok(());
        }
        let allowed = country.is_some_and(|region| self.options.countries.contains(&region));
        if allowed { Ok(()) } else { Err(RefusalReason::CountryBlocked(country)) }
    }

    fn blame(&self, at: usize, reason: RefusalReason) -> Blame {
        let names = (0..self.cells.len()).filter(|at| self.header.is_original(*at));
        let column = names
            .zip(&self.header.names)
            .find(|(column, _)| *column == at)
            .map(|(_, name)| name.clone());
        Blame { column, reason, raw: shorten(self.cell(at)).to_owned() }
    }

    fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map(|cell| unguard(cell).trim()).unwrap_or_default()
    }

    fn text(&self, field: Field) -> Option<String> {
        let text = self.cell(self.header.column(field)?);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The whole, or its two parts: 姓 名 in Japanese, first name first in Latin letters.
    fn joined(&self, whole: Field, family: Field, given: Field) -> Option<String> {
        self.text(whole).or_else(|| match (self.text(family), self.text(given)) {
            (Some(family), Some(given)) if family.is_ascii() && given.is_ascii() => {
                Some(format!("{given} {family}"))
            }
            (Some(family), Some(given)) => Some(format!("{family} {given}")),
            (one, other) => one.or(other),
        })
    }
}

/// A mark in a do-not-call column. What is not clearly "no" means: do not call.
fn means_yes(cell: &str) -> bool {
    let folded: String = cell.nfkc().flat_map(char::to_lowercase).collect();
    !"|0|no|n|false|off|ok|-|いいえ|なし|無し|無|可|可能".split('|').any(|no| no == folded)
}

/// A language tag (`ja`, `en`, `zh`) from what people write. Unknown words have none.
fn language_tag(text: &str) -> Option<String> {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    for (tag, words) in LANGUAGES {
        if words.split('|').any(|word| word == folded) {
            return Some((*tag).to_owned());
        }
    }
    // `en-US`, `pt_br`: the language is enough to find an agent.
    let (language, rest) =
        folded.split_once(['-', '_']).map_or((folded.as_str(), ""), |(l, r)| (l, r));
    let letters = language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase());
    (letters && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .then(|| language.to_owned())
}

const LANGUAGES: &[(&str, &str)] = &[
    ("ja", "jp|jpn|日本語|日|japanese|にほんご"),
    ("en", "eng|英語|英|english"),
    ("zh", "cn|中国語|中文|chinese|mandarin"),
    ("ko", "kr|kor|韓国語|한국어|korean"),
    ("pt", "por|ポルトガル語|portuguese|português"),
    ("es", "spa|スペイン語|spanish|español"),
    ("vi", "vie|ベトナム語|vietnamese"),
    ("tl", "fil|タガログ語|フィリピン語|tagalog|filipino"),
];

const MAX_PHONES: usize = 8;
