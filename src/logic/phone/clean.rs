//! The cleaner in front of the numbering plan: what people write around a number in a list.
//!
//! Anything it does not know stays in the way and refuses the number. Parsers of phone numbers read letters as keys
//! of a telephone (`03-1234-567O` became +81 3 1234 5676, a stranger), so no letter ever reaches one.

use unicode_normalization::UnicodeNormalization;

use super::reason::PhoneKind;
use super::reason::PhoneRefusal;

/// One cell of a list, taken apart: at most 8 numbers, the first is the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanedCell {
    /// What each part of the cell gave. Never empty.
    pub numbers: Vec<Result<CleanNumber, PhoneRefusal>>,
}

/// A number as it would be typed: nothing but digits, `*`, `#` and a leading `+`.
#[derive(Clone, PartialEq, Eq)]
pub struct CleanNumber {
    /// Such as `0312345678` or `+81312345678`.
    pub text: String,
    /// Digits after 内線, ext, x or #.
    pub extension: Option<String>,
}

/// Hides the number: logs may print this.
impl std::fmt::Debug for CleanNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CleanNumber({} signs)", self.text.len())
    }
}

/// Takes a cell apart. Any text at all may come in; longer than 512 bytes it is no number.
#[must_use]
pub fn clean(raw: &str) -> CleanedCell {
    if raw.len() > MAX_CELL {
        return refuse(PhoneRefusal::NotNumber);
    }
    match plain(raw) {
        Some(number) => CleanedCell { numbers: vec![Ok(number)] },
        None => take_apart(raw),
    }
}

/// Nothing but digits, hyphens and a leading `+`, as in most lists: nothing is to be taken off.
fn plain(raw: &str) -> Option<CleanNumber> {
    let digits = raw.strip_prefix('+').unwrap_or(raw);
    let is_plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_plain
        .then(|| CleanNumber { text: raw.chars().filter(|c| *c != '-').collect(), extension: None })
}

fn take_apart(raw: &str) -> CleanedCell {
    let Some(text) = normalize(raw) else {
        return refuse(PhoneRefusal::NotNumber);
    };
    let text = unwrap_spreadsheet(text.trim()).to_owned();
    if NOTHING.split('|').any(|word| text.eq_ignore_ascii_case(word)) {
        return refuse(PhoneRefusal::Empty);
    }
    // RFC 3966 §5.3 writes extensions behind a semicolon, which elsewhere parts two numbers.
    let text = hyphens(&text).replace(";ext=", " ext ");
    let text = brackets(&text);
    let parts: Vec<&str> =
        text.split(SEPARATORS).map(str::trim).filter(|p| !p.is_empty()).collect();
    if parts.len() > MAX_PARTS {
        return refuse(PhoneRefusal::NotNumber);
    }
    let numbers: Vec<_> = parts.into_iter().filter_map(part).collect();
    if numbers.is_empty() { refuse(PhoneRefusal::Empty) } else { CleanedCell { numbers } }
}

fn refuse(why: PhoneRefusal) -> CleanedCell {
    CleanedCell { numbers: vec![Err(why)] }
}

/// Removes invisible signs and folds widths (NFKC). `None`: a sign that would fold into a digit and is none, such as
/// `①` in front of a number or `½`.
fn normalize(raw: &str) -> Option<String> {
    let visible = raw.chars().filter(|c| !is_invisible(*c));
    let mut text = String::with_capacity(raw.len());
    for c in visible {
        let full_width = ('\u{ff10}'..='\u{ff19}').contains(&c);
        if c.is_ascii() {
            text.push(c);
            continue;
        }
        let folded: String = std::iter::once(c).nfkc().collect();
        if !full_width && folded.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        text.push_str(&folded);
    }
    // Once more over the whole: half-width kana with their voice marks join.
    Some(text.nfkc().collect())
}

/// Byte order mark, zero-width, bidirectional and soft-hyphen signs: copied along from web pages and mails.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// A leading `'` and `="…"` keep spreadsheets from eating a zero.
fn unwrap_spreadsheet(text: &str) -> &str {
    let text = text.trim_start_matches('\'');
    let inner = text.strip_prefix("=\"").and_then(|t| t.strip_suffix('"'));
    inner
        .or_else(|| text.strip_prefix('"').and_then(|t| t.strip_suffix('"')))
        .unwrap_or(text)
        .trim()
}

/// Every dash becomes `-`; the long-vowel sign and the middle dot only between digits, where they stand for one.
fn hyphens(text: &str) -> String {
    let near_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit() || "()-".contains(c));
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let dash = match c {
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2500}' | '\u{2501}' | '\u{301c}' | '~' => {
                true
            }
            'ー' | '・' | '\u{b7}' | '\u{2022}' => {
                near_digit(out.trim_end().chars().next_back())
                    && near_digit(chars.clone().find(|c| *c != ' '))
            }
            _ => false,
        };
        out.push(match c {
            _ if dash => '-',
            '【' | '[' | '「' | '{' | '〔' | '〈' | '<' => '(',
            '】' | ']' | '」' | '}' | '〕' | '〉' | '>' => ')',
            '♯' => '#',
            '、' | '\t' | '\r' | '\n' | '|' => ';',
            other => other,
        });
    }
    out
}

/// Area codes in brackets stay, extensions are marked, notes go, and what holds a number of its own becomes a part.
fn brackets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        out.push_str(before);
        let Some((inner, tail)) = after.split_once(')') else {
            rest = after;
            break;
        };
        let inner = inner.trim();
        if inner.chars().all(|c| c.is_ascii_digit() || "+- .".contains(c)) {
            out.push_str(inner);
        } else if let Some(extension) = only_extension(inner) {
            out.push_str(" ext ");
            out.push_str(extension);
            out.push(' ');
        } else if is_fax(inner) {
            out.push_str(" FAX ");
        } else if !is_note(inner) {
            out.push(';');
            out.push_str(inner);
            out.push(';');
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// `内線123`: nothing but a mark and up to six digits.
fn only_extension(text: &str) -> Option<&str> {
    let (head, digits) = cut_trailing_digits(text)?;
    let head = head.trim_end_matches(EXTENSION_JOINTS);
    EXTENSION_MARKS.split('|').any(|mark| head.eq_ignore_ascii_case(mark)).then_some(digits)
}

/// One part of a cell; `None` when only a label was there.
fn part(text: &str) -> Option<Result<CleanNumber, PhoneRefusal>> {
    if is_spreadsheet_number(text) {
        return Some(Err(PhoneRefusal::Scientific));
    }
    let (text, fax) = strip_labels(text);
    let (number, extension) = cut_extension(text);
    let (number, fax_inside) = strip_labels(number);
    if number.is_empty() {
        return None;
    }
    if fax || fax_inside {
        return Some(Err(PhoneRefusal::ForbiddenType(PhoneKind::Fax)));
    }
    let mut text = String::with_capacity(number.len());
    for c in number.chars() {
        match c {
            '0'..='9' | '*' | '#' => text.push(c),
            '+' if text.is_empty() => text.push(c),
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return Some(Err(PhoneRefusal::NotNumber)),
        }
    }
    if text.is_empty() {
        return None;
    }
    Some(Ok(CleanNumber { text, extension: extension.map(str::to_owned) }))
}

/// `9.01235E+09`, `9E9`, `312345678.0`.
fn is_spreadsheet_number(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    let digits_and_dot = |t: &str| {
        t.starts_with(|c: char| c.is_ascii_digit())
            && t.chars().all(|c| c.is_ascii_digit() || c == '.')
            && t.matches('.').count() <= 1
    };
    if let Some((mantissa, power)) = text.split_once(['E', 'e']) {
        let power = power.trim_start_matches(['+', '-']);
        return digits_and_dot(mantissa)
            && !power.is_empty()
            && power.len() <= 3
            && power.bytes().all(|b| b.is_ascii_digit());
    }
    text.split_once('.').is_some_and(|(whole, fraction)| {
        whole.len() >= 7
            && whole.bytes().all(|b| b.is_ascii_digit())
            && !fraction.is_empty()
            && fraction.bytes().all(|b| b == b'0')
    })
}

/// Takes known words off both ends; says whether one of them was "fax".
fn strip_labels(text: &str) -> (&str, bool) {
    let (mut text, mut fax) = (text.trim(), false);
    // Each turn shortens the text, so this ends.
    'again: loop {
        for label in LABELS.split('|') {
            let cut = strip_prefix_ignoring_case(text, label)
                .filter(|rest| {
                    !label.is_ascii() || !rest.starts_with(|c: char| c.is_ascii_alphabetic())
                })
                .map(|rest| rest.trim_start_matches(LABEL_JOINTS))
                .or_else(|| {
                    let head = strip_suffix_ignoring_case(text, label)?;
                    let glued =
                        label.is_ascii() && head.ends_with(|c: char| c.is_ascii_alphabetic());
                    (!glued).then(|| head.trim_end_matches(LABEL_JOINTS))
                });
            if let Some(rest) = cut {
                fax |= is_fax(label);
                text = rest.trim();
                continue 'again;
            }
        }
        return (text, fax);
    }
}

/// Splits `03-1234-5678 内線 12`. Needs seven digits before the mark: `#7119` is a number, not an extension.
fn cut_extension(text: &str) -> (&str, Option<&str>) {
    let Some((head, digits)) = cut_trailing_digits(text) else {
        return (text, None);
    };
    let head = head.trim_end_matches(EXTENSION_JOINTS);
    for mark in EXTENSION_MARKS.split('|') {
        if let Some(number) = strip_suffix_ignoring_case(head, mark) {
            let glued = mark.is_ascii() && number.ends_with(|c: char| c.is_ascii_alphabetic());
            if !glued && number.bytes().filter(u8::is_ascii_digit).count() >= 7 {
                return (number.trim_end_matches([' ', '-', ',', ':', '.']), Some(digits));
            }
        }
    }
    (text, None)
}

/// `(rest, digits)` when the text ends in one to six digits.
fn cut_trailing_digits(text: &str) -> Option<(&str, &str)> {
    let head = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.get(head.len()..)?;
    (1..=6).contains(&digits.len()).then_some((head, digits))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..))?
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    text.get(at..)?.eq_ignore_ascii_case(suffix).then(|| text.get(..at))?
}

/// Words in brackets that say nothing about digits: Japanese words, or a known English one.
fn is_note(text: &str) -> bool {
    let japanese =
        |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '々' | ' ');
    let words_only = text.chars().all(|c| japanese(c) && !KANJI_DIGITS.contains(c));
    words_only || LABELS.split('|').any(|label| text.eq_ignore_ascii_case(label))
}

fn is_fax(text: &str) -> bool {
    ["fax", "ファックス", "ファクス", "ファクシミリ"]
        .iter()
        .any(|f| text.to_lowercase().contains(f))
}

const MAX_CELL: usize = 512;
const MAX_PARTS: usize = 8;
const SEPARATORS: [char; 3] = ['/', ',', ';'];
const LABEL_JOINTS: [char; 5] = [' ', ':', '.', '-', '='];
const EXTENSION_JOINTS: [char; 5] = [' ', ':', '.', '-', '='];
/// A zero written as a kanji must not vanish with a note.
const KANJI_DIGITS: &str = "〇零一二三四五六七八九十";

/// Longer marks before those they end with.
const EXTENSION_MARKS: &str = "内線番号|内線|内线|내선|分機|分机|内|extension|extn|ext|x|#";

/// Longer labels before those they begin or end with.
const LABELS: &str = "ファクシミリ|ファックス|ファクス|携帯電話番号|携帯電話|携帯番号|携帯|電話番号|電話|固定電話|\
    固定|自宅電話|自宅|会社|勤務先|連絡先|代表電話|代表|代|直通|本社|휴대폰|전화|手机|电话|\
    telephone|phone number|phone|mobile|cell|home|work|office|main|direct|tel|fax|☎|☏|📞|📱";

/// What people write when there is none.
const NOTHING: &str = "|-|--|ー|―|なし|無し|無|不明|未登録|未設定|n/a|na|none|null|?";

#[cfg(test)]
mod tests {
    use super::*;

    fn one(raw: &str) -> Result<(String, Option<String>), PhoneRefusal> {
        let cell = clean(raw);
        assert_eq!(cell.numbers.len(), 1, "{raw}");
        cell.numbers[0].clone().map(|n| (n.text, n.extension))
    }

    #[test]
    fn widths_dashes_labels_and_wrappers_vanish() {
        for raw in "03-1234-5678|０３－１２３４－５６７８|０３ー１２３４ー５６７８|03ｰ1234ｰ5678|03─1234─5678|\
             03・1234・5678|03･1234･5678|03～1234～5678|03〜1234〜5678|03−1234−5678|03—1234―5678|\
             （03）1234-5678|(03) 1234 5678|【03】1234-5678|03.1234.5678|'0312345678|=\"0312345678\"|\
             TEL:03-1234-5678|ＴＥＬ　０３－１２３４－５６７８|℡03-1234-5678|電話番号：03-1234-5678|\
             03-1234-5678(代)|03-1234-5678（代表）|03-1234-5678㈹|03-1234-5678 代表|03-1234-5678(妻)|\
             03-1234-5678 (mobile)|\u{feff}03-1234-5678|\u{202a}03-1234-5678\u{202c}|\
             03-\u{200b}1234-5678|☎03-1234-5678|tel.0312345678| 03 1234 5678 "
            .split('|')
        {
            assert_eq!(one(raw), Ok(("0312345678".to_owned(), None)), "{raw}");
        }
        assert_eq!(one("＋81-3-1234-5678"), Ok(("+81312345678".to_owned(), None)));
        assert_eq!(one("tel:+81-3-1234-5678;ext=12").unwrap().1.as_deref(), Some("12"));
    }

    #[test]
    fn extensions_are_split_off() {
        for raw in "03-1234-5678 内線12|03-1234-5678(内線12)|０３－１２３４－５６７８（内線：１２）|\
             03-1234-5678内12|03-1234-5678 ext.12|03-1234-5678 EXT 12|03-1234-5678x12|03-1234-5678 #12|\
             03-1234-5678 内線番号 12|03-1234-5678 extension 12|03-1234-5678(代) 内線12"
            .split('|')
        {
            assert_eq!(one(raw), Ok(("0312345678".to_owned(), Some("12".to_owned()))), "{raw}");
        }
        assert_eq!(one("#7119"), Ok(("#7119".to_owned(), None)));
    }

    #[test]
    fn a_letter_or_unknown_sign_refuses_the_number() {
        for raw in "03-1234-567O|O3-1234-5678|０３－１２３４－５６７Ｏ|03-1234-567l|1-800-FLOWERS|3月12日|abc|\
             03-1234-567〇|(〇三)1234-5678|(OO)3-1234-5678|03-1234-567О|①03-1234-5678|03-1234-567²|\
             03+1234-5678|03-1234-5678 内線|03\u{0}1234|03-1234-567\u{fffd}|山田太郎"
            .split('|')
        {
            let cell = clean(raw);
            assert!(
                cell.numbers.contains(&Err(PhoneRefusal::NotNumber)),
                "{raw}: {:?}",
                cell.numbers
            );
        }
    }

    #[test]
    fn spreadsheet_damage_is_named() {
        for raw in
            "9.01235E+09|9.01235e+09|9E9|９．０１Ｅ＋０９|312345678.0|9012345678.00".split('|')
        {
            assert_eq!(one(raw), Err(PhoneRefusal::Scientific), "{raw}");
        }
    }

    #[test]
    fn empty_is_empty_however_it_is_written() {
        for raw in ["", "  ", "　", "-", "なし", "N/A", "'", "TEL:", "()", "/"] {
            assert_eq!(one(raw), Err(PhoneRefusal::Empty), "{raw:?}");
        }
    }

    #[test]
    fn a_cell_with_several_numbers_gives_each_in_its_order() {
        for raw in [
            "03-1234-5678/090-1234-5678",
            "03-1234-5678、090-1234-5678",
            "03-1234-5678\n090-1234-5678",
            "TEL 03-1234-5678 ; 携帯 090-1234-5678",
            "03-1234-5678(090-1234-5678x)",
        ] {
            assert_eq!(clean(raw).numbers.len(), 2, "{raw}");
        }
        let cell = clean("03-1234-5678／fax 03-1234-5679");
        assert_eq!(cell.numbers[1], Err(PhoneRefusal::ForbiddenType(PhoneKind::Fax)));
        assert_eq!(clean("1/2/3/4/5/6/7/8/9").numbers, [Err(PhoneRefusal::NotNumber)]);
    }

    #[test]
    fn a_fax_is_not_called() {
        for raw in [
            "FAX 03-1234-5678",
            "03-1234-5678 (FAX)",
            "ファックス：03-1234-5678",
            "03-1234-5678 Fax",
        ] {
            assert_eq!(one(raw), Err(PhoneRefusal::ForbiddenType(PhoneKind::Fax)), "{raw}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_without_panic_and_leaves_only_dial_signs(raw in ".{0,80}") {
            for number in clean(&raw).numbers.into_iter().flatten() {
                let rest = number.text.strip_prefix('+').unwrap_or(&number.text);
                proptest::prop_assert!(rest.chars().all(|c| c.is_ascii_digit() || c == '*' || c == '#'));
            }
        }

        #[test]
        fn a_plain_number_is_what_it_would_be_the_long_way(raw in r"\+?[0-9][0-9-]{0,24}") {
            proptest::prop_assert_eq!(clean(&raw), take_apart(&raw));
        }

        #[test]
        fn any_ascii_letter_inside_a_number_refuses_it(at in 1usize..9, letter in "[A-WYZa-wyz]") {
            let mut raw = "0312345678".to_owned();
            raw.replace_range(at..=at, &letter);
            proptest::prop_assert!(clean(&raw).numbers.iter().all(Result::is_err));
        }
    }
}
