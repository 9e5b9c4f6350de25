//! `"Display" <uri>;params`: From, To, Contact, Route and their kin (RFC 3261 §20.10).

use std::fmt;

use super::syntax::Params;
use super::syntax::split_list;
use super::syntax::take_quoted;
use super::syntax::write_quoted;
use super::uri::BadUri;
use super::uri::Uri;

/// An address with its parameters. `Display` writes it back, always in angle brackets; `Debug` hides whom it names.
#[derive(Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// Without quotes and escapes.
    pub display: Option<String>,
    /// The URI as written; read it with [`NameAddr::parsed_uri`].
    pub uri: String,
    /// What follows the address, such as `tag` or `expires`; never the URI's own parameters.
    pub params: Params,
}

/// Value of Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all bindings (REGISTER only).
    All,
    /// In order; may be empty.
    These(Vec<NameAddr>),
}

impl NameAddr {
    /// A bare address to be printed.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self { display: None, uri: uri.into(), params: Params::default() }
    }

    /// Reads one address. Without angle brackets every parameter belongs to the header, not to the URI
    /// (RFC 3261 §20.10).
    ///
    /// `None` when a quote or bracket is open, something stands between address and parameters, or a URI without
    /// brackets has a comma, a question mark or a space. A display name that should have been quoted is forgiven.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with('"') {
            let (display, rest) = take_quoted(text)?;
            return Self::in_brackets(Some(display), rest.trim_start());
        }
        match text.find(['<', '"']).and_then(|at| text.split_at_checked(at)) {
            Some((before, rest)) if rest.starts_with('<') => {
                let display = before.trim();
                Self::in_brackets((!display.is_empty()).then(|| display.to_owned()), rest)
            }
            Some(_) | None => Self::without_brackets(text),
        }
    }

    /// The tag parameter of From and To; an empty one counts as none.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The URI, read.
    ///
    /// # Errors
    /// [`BadUri`] as [`Uri::parse`].
    pub fn parsed_uri(&self) -> Result<Uri, BadUri> {
        Uri::parse(&self.uri)
    }

    fn in_brackets(display: Option<String>, text: &str) -> Option<Self> {
        let (uri, rest) = text.strip_prefix('<')?.split_once('>')?;
        let (uri, rest) = (uri.trim(), rest.trim());
        if uri.is_empty() || !(rest.is_empty() || rest.starts_with(';')) {
            return None;
        }
        Some(Self { display, uri: uri.to_owned(), params: Params::parse(rest)? })
    }

    fn without_brackets(text: &str) -> Option<Self> {
        let (uri, params) = text.split_once(';').unwrap_or((text, ""));
        let uri = uri.trim();
        if uri.is_empty() || uri.contains([' ', '\t', '?', ',', '<', '>', '"']) {
            return None;
        }
        Some(Self { display: None, uri: uri.to_owned(), params: Params::parse(params)? })
    }
}

impl Contacts {
    /// Reads the values of all Contact headers of a message; `None` when one is garbled.
    pub(super) fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut these = Vec::new();
        let mut all = false;
        for item in values.flat_map(|value| split_list(value, ',')) {
            if item == "*" {
                all = true;
            } else {
                these.push(NameAddr::parse(item)?);
            }
        }
        match (all, these.is_empty()) {
            (true, true) => Some(Self::All),
            (true, false) => None,
            (false, _) => Some(Self::These(these)),
        }
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write_quoted(f, display)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl fmt::Debug for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parsed_uri() {
            Ok(uri) => write!(f, "<{uri:?}>{:?}", self.params),
            Err(_) => write!(f, "<****>{:?}", self.params),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_display_names_keep_their_commas_and_quotes() {
        let to = NameAddr::parse(r#""Bell, \"A\" <x>" <sip:a@b;lr> ; tag=1"#).unwrap();
        assert_eq!(to.display.as_deref(), Some(r#"Bell, "A" <x>"#));
        assert_eq!((to.uri.as_str(), to.tag()), ("sip:a@b;lr", Some("1")));
        assert_eq!(to.to_string(), r#""Bell, \"A\" <x>" <sip:a@b;lr>;tag=1"#);
    }

    #[test]
    fn parameters_of_a_bare_uri_belong_to_the_header() {
        let from = NameAddr::parse("sip:a@b;tag=xyz").unwrap();
        assert_eq!((from.uri.as_str(), from.tag()), ("sip:a@b", Some("xyz")));
        assert_eq!(from.to_string(), "<sip:a@b>;tag=xyz");
        assert_eq!(NameAddr::parse("sip:a@b?Route=x"), None);
    }

    #[test]
    fn instance_ids_hold_brackets_in_quotes() {
        let both = [
            r#"<sip:a@b>;+sip.instance="<urn:uuid:0,1>";expires=60"#,
            r#"sip:c@d;+sip.instance="<urn:uuid:2>""#,
        ];
        let Some(Contacts::These(list)) = Contacts::parse([both.join(", ").as_str()].into_iter())
        else {
            panic!("refused")
        };
        assert_eq!(list[0].params.get("+sip.instance"), Some("<urn:uuid:0,1>"));
        assert_eq!(list[0].params.get("expires"), Some("60"));
        assert_eq!(list[1].uri, "sip:c@d");
    }

    #[test]
    fn a_star_stands_alone() {
        assert_eq!(Contacts::parse(["*"].into_iter()), Some(Contacts::All));
        assert_eq!(Contacts::parse(["*", "<sip:a@b>"].into_iter()), None);
    }

    #[test]
    fn garbled_addresses_are_refused() {
        for text in
            ["", "<>", "<sip:a@b", r#""open <sip:a@b>"#, "<sip:a@b> x", r#""x" sip:a@b"#, "a b"]
        {
            assert_eq!(NameAddr::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_display_name_without_its_quotes_is_forgiven() {
        let from = NameAddr::parse("Bell, Alexander <sip:a@b>;tag=43").unwrap();
        assert_eq!((from.display.as_deref(), from.tag()), (Some("Bell, Alexander"), Some("43")));
    }
}
