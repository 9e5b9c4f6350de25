//! Challenges and credentials: `Digest realm="x", nonce="y"` (RFC 3261 §20.7, §20.27, RFC 7235 §2.1).

use std::fmt;

use super::syntax::is_token;
use super::syntax::split_list;
use super::syntax::take_quoted;
use super::syntax::write_quoted;

/// One challenge, or one set of credentials. `Debug` shows the names of its parameters only.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthValue {
    /// Such as `Digest`; as written.
    pub scheme: String,
    params: Vec<AuthParam>,
}

#[derive(Clone, PartialEq, Eq)]
struct AuthParam {
    name: String,
    value: String,
    quoted: bool,
}

impl AuthValue {
    /// An empty one of the given scheme, to be filled.
    #[must_use]
    pub fn new(scheme: &str) -> Self {
        Self { scheme: scheme.to_owned(), params: Vec::new() }
    }

    /// Adds `name=value`, as a token.
    #[must_use]
    pub fn token(self, name: &str, value: &str) -> Self {
        self.with(name, value, false)
    }

    /// Adds `name="value"`.
    #[must_use]
    pub fn quoted(self, name: &str, value: &str) -> Self {
        self.with(name, value, true)
    }

    /// A parameter without quotes and escapes; names compare without case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let param = self.params.iter().find(|param| param.name.eq_ignore_ascii_case(name))?;
        Some(&param.value)
    }

    /// Whether this is a Digest.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// Reads one header value, which may hold several challenges; what is garbled is left out.
    #[must_use]
    pub fn parse_all(value: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for item in split_list(value, ',') {
            // `Digest realm="x"` begins a new challenge, `realm="x"` continues the last one.
            let param = match item.split_once([' ', '\t']) {
                Some((scheme, rest)) if is_token(scheme) && !rest.trim_start().starts_with('=') => {
                    if found.len() == MAX_CHALLENGES {
                        break;
                    }
                    found.push(Self::new(scheme));
                    rest
                }
                _ if found.is_empty() && is_token(item) => {
                    found.push(Self::new(item));
                    continue;
                }
                _ => item,
            };
            if let (Some(last), Some(param)) = (found.last_mut(), AuthParam::parse(param))
                && last.params.len() < MAX_PARAMS
            {
                last.params.push(param);
            }
        }
        found
    }

    fn with(mut self, name: &str, value: &str, quoted: bool) -> Self {
        self.params.push(AuthParam { name: name.to_owned(), value: value.to_owned(), quoted });
        self
    }
}

impl AuthParam {
    fn parse(item: &str) -> Option<Self> {
        let (name, value) = item.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if !is_token(name) {
            return None;
        }
        let (value, quoted) = if value.starts_with('"') {
            (take_quoted(value)?.0, true)
        } else {
            (value.to_owned(), false)
        };
        Some(Self { name: name.to_owned(), value, quoted })
    }
}

impl fmt::Display for AuthValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        for (at, param) in self.params.iter().enumerate() {
            write!(f, "{}{}=", if at == 0 { " " } else { ", " }, param.name)?;
            if param.quoted { write_quoted(f, &param.value)? } else { f.write_str(&param.value)? }
        }
        Ok(())
    }
}

impl fmt::Debug for AuthValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.params.iter().map(|param| param.name.as_str()).collect();
        write!(f, "{} {names:?}", self.scheme)
    }
}

/// More than any real server sends in one header.
const MAX_CHALLENGES: usize = 8;
const MAX_PARAMS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_challenges_in_one_header_are_told_apart() {
        let value = concat!(
            r#"Digest realm="a, b", qop="auth,auth-int" , nonce = "n\"1", algorithm=SHA-256, "#,
            r#"NewScheme x=y, Digest realm=bare, stale=TRUE"#
        );
        let found = AuthValue::parse_all(value);
        let schemes: Vec<_> = found.iter().map(|one| one.scheme.as_str()).collect();
        assert_eq!(schemes, ["Digest", "NewScheme", "Digest"]);
        assert_eq!(found[0].get("Realm"), Some("a, b"));
        assert_eq!(found[0].get("qop"), Some("auth,auth-int"));
        assert_eq!(found[0].get("nonce"), Some("n\"1"));
        assert_eq!(found[0].get("algorithm"), Some("SHA-256"));
        assert_eq!(found[2].get("stale"), Some("TRUE"));
    }

    #[test]
    fn printing_keeps_quotes_where_they_were() {
        let text = r#"Digest realm="a \"b\"", algorithm=MD5"#;
        assert_eq!(AuthValue::parse_all(text)[0].to_string(), text);
    }

    #[test]
    fn garbage_gives_nothing() {
        for text in ["", "=", "\"", ",,,", "a=b"] {
            assert!(AuthValue::parse_all(text).is_empty(), "{text}");
        }
    }
}
