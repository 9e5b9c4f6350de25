//! The carrier's side of digest authentication (RFC 3261 §22.3, RFC 7616, RFC 8760).

use std::collections::BTreeMap;

use crate::logic::sip::digest::Algorithm;
use crate::logic::sip::digest::Challenge;
use crate::logic::sip::digest::QopOffer;
use crate::logic::sip::message::AuthValue;
use crate::simulation::dice::Dice;

/// Who may call by password, and how everybody is asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// The one user.
    pub user: DigestUser,
    /// How every call is asked; absent: only those whose behaviour says so.
    pub every_call: Option<ChallengeStyle>,
}

/// The user whom the simulated carrier admits.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestUser {
    /// Digest realm.
    pub realm: String,
    /// Digest username.
    pub username: String,
    /// Digest password.
    pub password: String,
}

impl std::fmt::Debug for DigestUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DigestUser").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How a caller is asked for the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeStyle {
    /// Who asks.
    pub asker: Asker,
    /// One challenge each, in this order (RFC 8760 §2.3: the strongest first).
    pub algorithms: Vec<Algorithm>,
    /// The list of qop.
    pub qop: QopOffer,
    /// The first right answer of each call counts as too late: `stale=true` and another nonce.
    pub stale_first: bool,
    /// A nonce is good for so many INVITEs, then stale; absent: until [`MOST_NONCES`] newer ones were made.
    pub nonce_uses: Option<u32>,
}

/// Who asks for the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// 401, WWW-Authenticate.
    Server,
    /// 407, Proxy-Authenticate.
    Proxy,
}

impl Default for ChallengeStyle {
    /// What most trunks do.
    fn default() -> Self {
        Self {
            asker: Asker::Proxy,
            algorithms: vec![Algorithm::Md5],
            qop: QopOffer::Auth,
            stale_first: false,
            nonce_uses: None,
        }
    }
}

impl Asker {
    /// 401 or 407.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Server => 401,
            Self::Proxy => 407,
        }
    }

    const fn asks_in(self) -> &'static str {
        match self {
            Self::Server => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    const fn is_answered_in(self) -> &'static str {
        match self {
            Self::Server => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

/// Challenges INVITEs and checks the answers.
#[derive(Debug)]
pub(crate) struct DigestGate {
    user: DigestUser,
    dice: Dice,
    /// Nonces that are accepted, in the order they were made.
    nonces: BTreeMap<u64, Nonce>,
    made: u64,
}

#[derive(Debug)]
struct Nonce {
    text: String,
    /// The highest count used.
    count: u32,
    uses: u32,
}

impl DigestGate {
    pub(crate) fn new(user: DigestUser, seed: u64) -> Self {
        Self { user, dice: Dice::of(seed, "nonce", 0), nonces: BTreeMap::new(), made: 0 }
    }

    /// Whether an INVITE with these headers and this body may pass; otherwise the headers of its 401 or 407. `asked` is how often
    /// this call was challenged before.
    ///
    /// A nonce may be used again with a higher count, as RFC 7616 §3.4 allows.
    pub(crate) fn admit(
        &mut self,
        headers: &[(String, String)],
        body: &[u8],
        style: &ChallengeStyle,
        asked: u32,
    ) -> Result<(), Vec<(String, String)>> {
        let name = style.asker.is_answered_in();
        let answers = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let mut stale = false;
        for answer in answers.flat_map(|(_, value)| AuthValue::parse_all(value)) {
            match self.judge(&answer, body, style) {
                Verdict::Right if style.stale_first && asked == 1 => stale = true,
                Verdict::Right => return Ok(()),
                Verdict::Stale => stale = true,
                Verdict::Wrong => {}
            }
        }
        let nonce = format!("{:016x}", self.dice.next());
        let value = |algorithm: &Algorithm| {
            challenge(&self.user.realm, &nonce, *algorithm, style.qop, stale).to_value().to_string()
        };
        let asks = style.asker.asks_in();
        let headers = style.algorithms.iter().map(|a| (asks.to_owned(), value(a))).collect();
        self.made += 1;
        self.nonces.insert(self.made, Nonce { text: nonce, count: 0, uses: 0 });
        if self.nonces.len() > MOST_NONCES {
            self.nonces.pop_first();
        }
        Err(headers)
    }

    fn judge(&mut self, answer: &AuthValue, body: &[u8], style: &ChallengeStyle) -> Verdict {
        if answer.get("realm") != Some(&self.user.realm)
            || answer.get("username") != Some(&self.user.username)
        {
            return Verdict::Wrong;
        }
        let known = self.nonces.values_mut().find(|n| answer.get("nonce") == Some(&n.text));
        let Some(nonce) = known else { return Verdict::Stale };
        // Each challenge asked for one algorithm; the answer says which one it is for.
        let counted = style.algorithms.iter().find_map(|algorithm| {
            let challenge = challenge(&self.user.realm, &nonce.text, *algorithm, style.qop, false);
            challenge.verify(answer, &self.user.password, "INVITE", body).ok()
        });
        let Some(count) = counted else { return Verdict::Wrong };
        // Without qop there is no count (RFC 2069), and a count used twice is somebody who repeats what he overheard,
        // or a nonce that two share.
        let spent = style.nonce_uses.is_some_and(|most| nonce.uses >= most);
        if spent || (style.qop != QopOffer::None && count <= nonce.count) {
            return Verdict::Stale;
        }
        nonce.count = count;
        nonce.uses = nonce.uses.saturating_add(1);
        Verdict::Right
    }
}

enum Verdict {
    Right,
    /// The password may be right; the nonce is not, or no longer.
    Stale,
    Wrong,
}

/// As many as calls that are being set up at once; older ones are stale.
pub const MOST_NONCES: usize = 1_000;

fn challenge(
    realm: &str,
    nonce: &str,
    algorithm: Algorithm,
    qop: QopOffer,
    stale: bool,
) -> Challenge {
    Challenge {
        realm: realm.to_owned(),
        nonce: nonce.to_owned(),
        opaque: None,
        stale,
        algorithm,
        qop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::sip::digest::DigestRequest;
    use crate::logic::sip::digest::DigestSession;

    fn gate() -> DigestGate {
        let user = DigestUser { realm: "trunk".into(), username: "u".into(), password: "p".into() };
        DigestGate::new(user, 1)
    }

    fn session(refusal: &[(String, String)]) -> DigestSession {
        let challenges: Vec<AuthValue> =
            refusal.iter().flat_map(|(_, value)| AuthValue::parse_all(value)).collect();
        DigestSession::new(Challenge::choose(&challenges).remove(0), "cnonce")
    }

    fn answer(session: &mut DigestSession, password: &str) -> Vec<(String, String)> {
        let request =
            DigestRequest { username: "u", password, method: "INVITE", uri: "sip:1@h", body: b"" };
        vec![("Proxy-Authorization".into(), session.authorize(&request).to_string())]
    }

    #[test]
    fn the_right_password_passes_once_per_count() {
        let (mut gate, style) = (gate(), ChallengeStyle::default());
        let mut session = session(&gate.admit(&[], b"", &style, 0).unwrap_err());
        let first = answer(&mut session, "p");
        assert_eq!(gate.admit(&first, b"", &style, 1), Ok(()));
        let again = gate.admit(&first, b"", &style, 1).unwrap_err();
        assert!(again[0].1.contains("stale=true"), "{again:?}");
        assert_eq!(gate.admit(&answer(&mut session, "p"), b"", &style, 2), Ok(()));
    }

    #[test]
    fn the_wrong_password_and_a_forgotten_nonce_do_not_pass() {
        let (mut gate, style) = (gate(), ChallengeStyle::default());
        let refusal = gate.admit(&[], b"", &style, 0).unwrap_err();
        assert!(gate.admit(&answer(&mut session(&refusal), "x"), b"", &style, 1).is_err());
        for _ in 0..MOST_NONCES {
            gate.admit(&[], b"", &style, 0).unwrap_err();
        }
        let late = gate.admit(&answer(&mut session(&refusal), "p"), b"", &style, 1).unwrap_err();
        assert!(late[0].1.contains("stale=true"));
    }

    #[test]
    fn several_algorithms_are_offered_and_the_strongest_is_answered() {
        let mut gate = gate();
        let style = ChallengeStyle {
            asker: Asker::Server,
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            qop: QopOffer::Both,
            ..ChallengeStyle::default()
        };
        let refusal = gate.admit(&[], b"", &style, 0).unwrap_err();
        assert_eq!(refusal.len(), 2);
        assert!(refusal[0].1.contains("SHA-256") && refusal[1].1.contains("MD5"), "{refusal:?}");
        assert!(refusal.iter().all(|(name, value)| {
            name == "WWW-Authenticate" && value.contains("qop=\"auth,auth-int\"")
        }));
        let mut session = session(&refusal);
        assert_eq!(session.challenge().algorithm, Algorithm::Sha256);
        let mut headers = answer(&mut session, "p");
        assert!(gate.admit(&headers, b"", &style, 1).is_err(), "a proxy's header answers no 401");
        headers[0].0 = "Authorization".into();
        assert_eq!(gate.admit(&headers, b"", &style, 1), Ok(()));
    }

    #[test]
    fn a_nonce_may_be_spent_or_stale_from_the_first() {
        let mut gate = gate();
        let once = ChallengeStyle { nonce_uses: Some(1), ..ChallengeStyle::default() };
        let mut first = session(&gate.admit(&[], b"", &once, 0).unwrap_err());
        assert_eq!(gate.admit(&answer(&mut first, "p"), b"", &once, 1), Ok(()));
        let spent = gate.admit(&answer(&mut first, "p"), b"", &once, 0).unwrap_err();
        assert!(spent[0].1.contains("stale=true"), "{spent:?}");

        let late = ChallengeStyle { stale_first: true, ..ChallengeStyle::default() };
        let mut first = session(&gate.admit(&[], b"", &late, 0).unwrap_err());
        let refusal = gate.admit(&answer(&mut first, "p"), b"", &late, 1).unwrap_err();
        assert!(refusal[0].1.contains("stale=true"), "{refusal:?}");
        assert_eq!(gate.admit(&answer(&mut session(&refusal), "p"), b"", &late, 2), Ok(()));
    }
}
