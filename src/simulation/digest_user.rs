//! The carrier's side of digest authentication (RFC 3261 §22.3, RFC 7616).

use std::collections::BTreeMap;

use crate::logic::sip::digest::Algorithm;
use crate::logic::sip::digest::Challenge;
use crate::logic::sip::digest::QopOffer;
use crate::logic::sip::message::AuthValue;
use crate::simulation::dice::Dice;

/// The user whom the simulated carrier admits.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
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

/// Challenges INVITEs and checks the answers.
#[derive(Debug)]
pub(crate) struct DigestGate {
    user: DigestUser,
    dice: Dice,
    /// Nonces that are accepted, in the order they were made, with the highest count used.
    nonces: BTreeMap<u64, (String, u32)>,
    made: u64,
}

impl DigestGate {
    pub(crate) fn new(user: DigestUser, seed: u64) -> Self {
        Self { user, dice: Dice::of(seed, "nonce", 0), nonces: BTreeMap::new(), made: 0 }
    }

    /// Whether an INVITE with these headers may pass; otherwise the headers of its 407.
    ///
    /// A nonce may be used again with a higher count, as RFC 7616 §3.4 allows, until [`MOST_NONCES`] newer ones came.
    pub(crate) fn admit(
        &mut self,
        headers: &[(String, String)],
    ) -> Result<(), Vec<(String, String)>> {
        let answers =
            headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Proxy-Authorization"));
        let mut stale = false;
        for answer in answers.flat_map(|(_, value)| AuthValue::parse_all(value)) {
            if answer.get("realm") != Some(&self.user.realm)
                || answer.get("username") != Some(&self.user.username)
            {
                continue;
            }
            let known =
                self.nonces.values_mut().find(|(nonce, _)| answer.get("nonce") == Some(nonce));
            let Some((nonce, used)) = known else {
                stale = true;
                continue;
            };
            let challenge = challenge(&self.user.realm, nonce, false);
            match challenge.verify(&answer, &self.user.password, "INVITE", b"") {
                Ok(count) if count > *used => {
                    *used = count;
                    return Ok(());
                }
                // A count used twice: somebody repeats what he overheard, or a nonce is shared.
                Ok(_) => stale = true,
                Err(_) => {}
            }
        }
        let nonce = format!("{:016x}", self.dice.next());
        let value = challenge(&self.user.realm, &nonce, stale).to_value().to_string();
        self.made += 1;
        self.nonces.insert(self.made, (nonce, 0));
        if self.nonces.len() > MOST_NONCES {
            self.nonces.pop_first();
        }
        Err(vec![("Proxy-Authenticate".to_owned(), value)])
    }
}

/// As many as calls that are being set up at once; older ones are stale.
const MOST_NONCES: usize = 1_000;

fn challenge(realm: &str, nonce: &str, stale: bool) -> Challenge {
    Challenge {
        realm: realm.to_owned(),
        nonce: nonce.to_owned(),
        opaque: None,
        stale,
        algorithm: Algorithm::Md5,
        qop: QopOffer::Auth,
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
        let challenges = AuthValue::parse_all(&refusal[0].1);
        DigestSession::new(Challenge::choose(&challenges).remove(0), "cnonce")
    }

    fn answer(session: &mut DigestSession, password: &str) -> Vec<(String, String)> {
        let request =
            DigestRequest { username: "u", password, method: "INVITE", uri: "sip:1@h", body: b"" };
        vec![("Proxy-Authorization".into(), session.authorize(&request).to_string())]
    }

    #[test]
    fn the_right_password_passes_once_per_count() {
        let mut gate = gate();
        let mut session = session(&gate.admit(&[]).unwrap_err());
        let first = answer(&mut session, "p");
        assert_eq!(gate.admit(&first), Ok(()));
        let again = gate.admit(&first).unwrap_err();
        assert!(again[0].1.contains("stale=true"), "{again:?}");
        assert_eq!(gate.admit(&answer(&mut session, "p")), Ok(()));
    }

    #[test]
    fn the_wrong_password_and_a_forgotten_nonce_do_not_pass() {
        let mut gate = gate();
        let refusal = gate.admit(&[]).unwrap_err();
        assert!(gate.admit(&answer(&mut session(&refusal), "x")).is_err());
        for _ in 0..MOST_NONCES {
            gate.admit(&[]).unwrap_err();
        }
        let late = gate.admit(&answer(&mut session(&refusal), "p")).unwrap_err();
        assert!(late[0].1.contains("stale=true"));
    }
}
