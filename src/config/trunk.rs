//! `[[trunk]]`: links to carriers.

use std::net::SocketAddr;
use std::path::Path;

use crate::config::campaign;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::host;
use crate::config::host::HostPort;
use crate::config::secret;
use crate::config::secret::Environment;
use crate::logic::compliance::country;
use crate::logic::settings::FromFormat;
use crate::logic::settings::NumberFormat;
use crate::logic::settings::TrunkSettings;
use crate::logic::sip::user_agent::Credentials;

/// A trunk whose peers may still be names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkFile {
    /// Where INVITEs go, as written, best first.
    pub hosts: Vec<HostPort>,
    settings: TrunkSettings,
}

impl TrunkFile {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Everything but the peers, which are empty here: use [`TrunkFile::with_peers`] for a trunk to call over.
    #[must_use]
    pub const fn without_peers(&self) -> &TrunkSettings {
        &self.settings
    }

    /// The trunk with the addresses of its hosts.
    #[must_use]
    pub fn with_peers(&self, peers: Vec<SocketAddr>) -> TrunkSettings {
        TrunkSettings { peers, ..self.settings.clone() }
    }
}

/// One trunk, whose name is none of `taken`.
pub(super) fn trunk(
    section: &Section<'_>,
    taken: &[String],
    base: &Path,
    environment: &Environment,
) -> Option<TrunkFile> {
    let name = section.need("name", "a name for this trunk").and_then(|f| unique(&f, taken));
    let simulated = section.get("simulated").and_then(|f| f.flag()).unwrap_or(false);
    let hosts = section.need("peers", "where INVITEs go").map(|field| {
        let hosts = field.list(host::host_port);
        if field.value().as_array().is_some_and(|list| list.is_empty()) {
            field.unexpected("at least one host", "write [\"sip.example.net\"]");
        }
        hosts
    });
    let networks = |key| section.get(key).map(|f| f.list(host::network)).unwrap_or_default();
    let (sip_from, rtp_from) = (networks("sip_from"), networks("rtp_from"));
    let domain = section.get("domain").and_then(|field| {
        field.parse("a host name or address", "write it without port", |text| {
            host::is_host(text).then(|| text.to_owned())
        })
    });
    let credentials = credentials(section, base, environment);
    let dial_format = format(section, "dial_format");
    let from_number = format(section, "from_format");
    let flag = |key| section.get(key).and_then(|field| field.flag()).unwrap_or(false);
    let from_format = FromFormat {
        number: from_number,
        display: section.get("from_display").and_then(|field| display(&field)),
        asserted_identity: flag("p_asserted_identity"),
        preferred_identity: flag("p_preferred_identity"),
        user_phone: flag("user_phone"),
    };
    let rate = section.need("calls_per_second", "INVITEs per second that the carrier allows");
    let rate = rate.and_then(|field| field.whole(1..=1000));
    let burst = section.get("burst").map_or(Some(1), |field| field.whole(1..=1000));
    let channels = section.need("channels", "calls at once that the carrier allows");
    let channels = channels.and_then(|field| field.whole(1..=100_000));
    let caller_ids = section.get("caller_ids").map(|f| f.list(campaign::number));
    if caller_ids.is_none() && !simulated {
        section.missing("caller_ids", "the numbers the carrier lets you show, [] for any");
    }
    section.finish();
    let settings = TrunkSettings {
        peers: Vec::new(),
        sip_from,
        rtp_from,
        domain,
        credentials,
        dial_format,
        from_format,
        caller_ids: caller_ids.unwrap_or_default(),
        simulated,
        name: name?,
        calls_per_second: rate?,
        burst: burst?,
        channels: channels?,
    };
    Some(TrunkFile { hosts: hosts?, settings })
}

/// A name that no earlier section of the same kind has.
pub(super) fn unique(field: &Field<'_>, taken: &[String]) -> Option<String> {
    let name = field.line(64)?;
    if taken.contains(&name) {
        field.unexpected("a name of its own", "rename one of the two");
        return None;
    }
    Some(name)
}

fn credentials(
    section: &Section<'_>,
    base: &Path,
    environment: &Environment,
) -> Option<Credentials> {
    let user = section.get("user");
    let keys = ["password", "password_env", "password_file"];
    let (named, password) = secret::password(section, keys, base, environment);
    if user.is_some() && !named {
        section.missing("password_env", "where the password of `user` is");
    }
    if let (None, true) = (&user, named) {
        section.missing("user", "whose password it is");
    }
    let username = user?.line(128)?;
    Some(Credentials { username, password: password?.reveal().to_owned() })
}

/// Display names go into a quoted string of From: no quote or backslash (RFC 3261 §25.1).
fn display(field: &Field<'_>) -> Option<String> {
    let text = field.line(64)?;
    if text.contains(['"', '\\', '<', '>']) {
        field.unexpected("a display name without \" \\ < >", "take them out");
        return None;
    }
    Some(text)
}

/// `"+e164"`, `"e164"`, or `{ national = "JP", prefix = "9" }`.
fn format(section: &Section<'_>, key: &'static str) -> NumberFormat {
    let Some(field) = section.get(key) else { return NumberFormat::PlusE164 };
    if field.is_text() {
        let format = field.choice(&WORDS);
        return format.map_or(NumberFormat::PlusE164, Into::into);
    }
    let Some(table) = field.section() else { return NumberFormat::PlusE164 };
    let national = table.get("national").and_then(|field| national(&field));
    let word = table.get("number").and_then(|field| field.choice(&WORDS));
    if let (Some(_), Some(_)) = (&national, &word) {
        let wrong = Wrong::new("`number` beside `national`", "one of them", "take `number` out");
        table.wrong(wrong);
    }
    let then = national.unwrap_or_else(|| word.map_or(NumberFormat::PlusE164, Into::into));
    let prefix = table.get("prefix").and_then(|field| {
        field.parse("1 to 8 of the keys 0-9, * and #", "write the keys in quotes", |text| {
            let key = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
            ((1..=8).contains(&text.len()) && text.chars().all(key)).then(|| text.to_owned())
        })
    });
    table.finish();
    match prefix {
        Some(prefix) => NumberFormat::Prefixed { prefix, then: Box::new(then) },
        None => then,
    }
}

fn national(field: &Field<'_>) -> Option<NumberFormat> {
    let advice = "numbers inside it are dialed as at home, all others by their E.164 digits";
    let country = field
        .parse("a country code such as \"JP\"", advice, |text| country::country(text).cloned())?;
    let [prefix] = country.prefixes.as_slice() else {
        field.unexpected("a country with one calling code", "use \"+e164\" or \"e164\"");
        return None;
    };
    Some(NumberFormat::National {
        calling_code: (*prefix).to_owned(),
        trunk_prefix: country.trunk_prefix.to_owned(),
    })
}

#[derive(Clone, Copy)]
enum Word {
    PlusE164,
    E164,
}

impl From<Word> for NumberFormat {
    fn from(word: Word) -> Self {
        match word {
            Word::PlusE164 => Self::PlusE164,
            Word::E164 => Self::E164,
        }
    }
}

const WORDS: [(&str, Word); 2] = [("+e164", Word::PlusE164), ("e164", Word::E164)];
