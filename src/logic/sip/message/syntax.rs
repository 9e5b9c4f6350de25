//! The small words of the grammar that several headers share: tokens, quoted strings, lists, parameters.

use std::fmt;

/// Whether every character is of `token` (RFC 3261 §25.1), and there is one.
#[must_use]
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Makes a header value safe to store and print: control characters become spaces, so that no value can end its line,
/// and the ends are trimmed.
#[must_use]
pub(super) fn clean(text: &str) -> String {
    let ends = |byte: Option<&u8>| byte.is_some_and(|b| *b == b' ' || b.is_ascii_control());
    let control = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    // As good as always there is nothing to clean. Without an early end the look at all bytes is a look at many at once.
    let bytes = text.as_bytes();
    let dirty = bytes.iter().fold(false, |dirty, byte| dirty | control(*byte));
    if !dirty && !ends(bytes.first()) && !ends(bytes.last()) {
        return text.to_owned();
    }
    let trimmed = text.trim_matches(|c: char| c == ' ' || c.is_ascii_control());
    trimmed.replace(|c: char| c.is_ascii_control() && c != '\t', " ")
}

/// Splits at `separator` outside quoted strings and `<…>`. Items are trimmed, empty ones are left out.
pub(super) fn split_list(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let now = rest?;
        let at = find_outside(now, separator);
        let (item, after) = match at.and_then(|at| now.split_at_checked(at)) {
            Some((item, after)) => (item, after.get(separator.len_utf8()..)),
            None => (now, None),
        };
        rest = after;
        Some(item.trim())
    })
    .filter(|item| !item.is_empty())
}

/// The first `wanted` outside quoted strings and `<…>`.
fn find_outside(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, c) in text.char_indices() {
        if quoted {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
        } else if c == wanted && !angle {
            return Some(at);
        } else {
            match c {
                '"' => quoted = true,
                '<' => angle = true,
                '>' => angle = false,
                _ => {}
            }
        }
    }
    None
}

/// Reads a quoted string at the start of `text`: its content without escapes, and what follows the closing quote.
#[must_use]
pub(super) fn take_quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut content = String::new();
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => {
                content.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((content, inner.get(at + 1..)?)),
            _ => content.push(c),
        }
    }
    None
}

/// Writes a quoted string, with escapes.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, content: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in content.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            _ if c.is_ascii_control() && c != '\t' => f.write_str(" ")?,
            _ => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// The `;name=value` list behind a Via, an address or a media type. Order is kept; names compare without case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<Param>);

#[derive(Clone, PartialEq, Eq)]
struct Param {
    name: String,
    value: Option<String>,
    quoted: bool,
}

impl Params {
    /// Reads `;a=1;b;c="x"`; the first semicolon may be missing. `None` when a name is no token, a quote is open, or
    /// there are more than 64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut params = Vec::new();
        for item in split_list(text, ';') {
            if params.len() == MAX_PARAMS {
                return None;
            }
            params.push(Param::parse(item)?);
        }
        Some(Self(params))
    }

    /// The value without quotes; `Some("")` for a name without a value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let param = self.0.iter().find(|param| param.name.eq_ignore_ascii_case(name))?;
        Some(param.value.as_deref().unwrap_or(""))
    }

    /// Whether the name is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets or replaces a value; it is written as it stands (a token or a host), so it must need no quotes.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let param = Param { name: name.to_owned(), value: value.map(str::to_owned), quoted: false };
        match self.0.iter_mut().find(|param| param.name.eq_ignore_ascii_case(name)) {
            Some(old) => *old = param,
            None => self.0.push(param),
        }
    }

    /// Takes a parameter away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|param| !param.name.eq_ignore_ascii_case(name));
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|param| (param.name.as_str(), param.value.as_deref()))
    }
}

impl Param {
    fn parse(item: &str) -> Option<Self> {
        let (name, value) = match item.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (item, None),
        };
        if !is_param_name(name) {
            return None;
        }
        let (value, quoted) = match value {
            None => (None, false),
            Some(value) if value.starts_with('"') => {
                let (content, rest) = take_quoted(value)?;
                if !rest.is_empty() {
                    return None;
                }
                (Some(content), true)
            }
            Some(value) => (Some(value.to_owned()), false),
        };
        Some(Self { name: name.to_owned(), value, quoted })
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for param in &self.0 {
            write!(f, ";{}", param.name)?;
            if let Some(value) = &param.value {
                f.write_str("=")?;
                if param.quoted { write_quoted(f, value)? } else { f.write_str(value)? }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A token, and what URI parameters may hold besides (RFC 3261 §25.1 `param-unreserved`).
fn is_param_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| is_token_byte(b) || b"[]/:&$".contains(&b))
}

const fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// More parameters than any real header has; keeps a hostile one from costing memory.
const MAX_PARAMS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let items: Vec<_> =
            split_list(r#""Bell, \"A.\" <x>" <sip:a,b@c>;q=1 , ,sip:d"#, ',').collect();
        assert_eq!(items, [r#""Bell, \"A.\" <x>" <sip:a,b@c>;q=1"#, "sip:d"]);
    }

    #[test]
    fn parameters_round_trip_with_their_quotes() {
        let params =
            Params::parse(r#" ; lr ;+sip.instance = "<urn:uuid:1;2,3>" ;a=\b;; c="#).unwrap();
        assert_eq!(params.get("+SIP.Instance"), Some("<urn:uuid:1;2,3>"));
        assert_eq!(params.get("LR"), Some(""));
        assert_eq!(params.get("c"), Some(""));
        assert_eq!(params.get("d"), None);
        assert_eq!(params.to_string(), r#";lr;+sip.instance="<urn:uuid:1;2,3>";a=\b;c="#);
    }

    #[test]
    fn open_quotes_are_refused() {
        assert_eq!(Params::parse(r#"a="b"#), None);
        assert_eq!(Params::parse(r#"a="b"c"#), None);
    }
}
