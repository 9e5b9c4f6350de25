//! The carrier's side of digest authentication (RFC 3261 §22.3).

use crate::simulation::dice::Dice;
use crate::simulation::peer::header;

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

impl DigestUser {
    /// The header of a 407: the `count`-th nonce of a carrier with this seed.
    pub(crate) fn challenge(&self, seed: u64, count: u64) -> Vec<(String, String)> {
        let nonce = Dice::of(seed, "nonce", count).next();
        let value = format!(
            "Digest realm=\"{}\", nonce=\"{nonce:016x}\", algorithm=MD5, qop=\"auth\"",
            self.realm
        );
        vec![("Proxy-Authenticate".to_owned(), value)]
    }

    /// Whether an INVITE carries an answer to one of our challenges.
    pub(crate) fn admits(&self, headers: &[(String, String)]) -> bool {
        let Some(answer) = header(headers, "Proxy-Authorization") else { return false };
        answer.contains(&format!("username=\"{}\"", self.username))
            && answer.contains(&format!("realm=\"{}\"", self.realm))
    }
}
