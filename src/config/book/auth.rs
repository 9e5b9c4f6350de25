//! `[auth]` and `[[challenge]]`: who may call by password, and how he is asked for it.

use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::trunk::unique;
use crate::logic::sip::digest::Algorithm;
use crate::logic::sip::digest::QopOffer;
use crate::simulation::digest_user::Asker;
use crate::simulation::digest_user::Auth;
use crate::simulation::digest_user::ChallengeStyle;
use crate::simulation::digest_user::DigestUser;

/// One `[[challenge]]`.
pub(super) struct Style {
    name: String,
    style: ChallengeStyle,
}

/// Every `[[challenge]]` of the book.
pub(super) fn styles(root: &Section<'_>) -> Vec<Style> {
    let (mut names, mut read) = (Vec::new(), Vec::new());
    for section in root.get("challenge").map(|field| field.sections()).unwrap_or_default() {
        if let Some(style) = style(&section, &names) {
            names.push(style.name.clone());
            read.push(style);
        }
    }
    read
}

/// The style that a field names.
pub(super) fn style_named(field: &Field<'_>, styles: &[Style]) -> Option<ChallengeStyle> {
    let found = field.one_of(styles, "[[challenge]]", |style| &style.name);
    found.map(|style| style.style.clone())
}

/// `[auth]`. The password stands in the file, as nothing real is behind it.
pub(super) fn auth(section: &Section<'_>, styles: &[Style]) -> Option<Auth> {
    let line = |field: Field<'_>| field.line(100);
    let realm = section.get("realm").map_or_else(|| Some(REALM.to_owned()), line);
    let username = section.need("username", "the name callers must give").and_then(line);
    let password = section.need("password", "a made-up password").and_then(line);
    let every_call = section.get("every_call").map_or(Some(true), |field| field.flag());
    let style = section
        .get("challenge")
        .map_or_else(|| Some(ChallengeStyle::default()), |field| style_named(&field, styles));
    section.finish();
    let user = DigestUser { realm: realm?, username: username?, password: password? };
    Some(Auth { user, every_call: Some(style?).filter(|_| every_call == Some(true)) })
}

fn style(section: &Section<'_>, taken: &[String]) -> Option<Style> {
    let name = section.need("name", "a name for this challenge").and_then(|f| unique(&f, taken));
    let usual = ChallengeStyle::default();
    let asker = section.get("status").map_or(Some(usual.asker), |field| {
        let asker = match field.value().as_integer().map(|n| n.as_str()) {
            Some("401") => Some(Asker::Server),
            Some("407") => Some(Asker::Proxy),
            Some(_) | None => None,
        };
        if asker.is_none() {
            field.unexpected("401 or 407", "write it without quotes");
        }
        asker
    });
    let algorithms = section.get("algorithms").map_or(Some(usual.algorithms), |field| {
        let read = field.list(|item| item.choice(&ALGORITHMS));
        if field.value().as_array().is_some_and(|list| list.is_empty()) {
            field.unexpected("at least one algorithm", "write [\"SHA-256\", \"MD5\"]");
        }
        Some(read)
    });
    let qop = section.get("qop").map_or(Some(usual.qop), |field| field.choice(&QOPS));
    let stale_first = section.get("stale_first").map_or(Some(false), |field| field.flag());
    let nonce_uses = section.get("nonce_uses").and_then(|field| field.whole(1..=1_000_000));
    section.finish();
    let style = ChallengeStyle {
        asker: asker?,
        algorithms: algorithms?,
        qop: qop?,
        stale_first: stale_first?,
        nonce_uses,
    };
    Some(Style { name: name?, style })
}

const REALM: &str = "outdial carrier";
const ALGORITHMS: [(&str, Algorithm); 3] = [
    ("MD5", Algorithm::Md5),
    ("SHA-256", Algorithm::Sha256),
    ("SHA-512-256", Algorithm::Sha512Half),
];
const QOPS: [(&str, QopOffer); 4] = [
    ("none", QopOffer::None),
    ("auth", QopOffer::Auth),
    ("auth-int", QopOffer::AuthInt),
    ("auth,auth-int", QopOffer::Both),
];
