//! Call-ID, tags and branches: keyed hashes, so that nobody can guess one and a restart can make each again.

use super::settings::Identity;
use crate::logic::ids::LegId;
use crate::logic::sip::digest::KeyedHash;
use crate::logic::sip::message::MAGIC_COOKIE;

/// Makes the tokens of one installation.
#[derive(Debug)]
pub(super) struct Tokens {
    hash: KeyedHash,
    installation: String,
}

impl Tokens {
    pub(super) fn new(identity: &Identity) -> Self {
        Self { hash: KeyedHash::new(&identity.secret), installation: identity.installation.clone() }
    }

    /// The Call-ID of a leg of the process `boot`.
    pub(super) fn call_id(&self, boot: u64, leg: LegId) -> String {
        self.text(boot, leg, "call-id", 0, "")
    }

    /// Our tag in every dialog of a leg.
    pub(super) fn local_tag(&self, boot: u64, leg: LegId) -> String {
        let mut tag = self.text(boot, leg, "tag", 0, "");
        tag.truncate(TAG_LENGTH);
        tag
    }

    /// The branch of a request. `remote_tag` tells the dialogs of a forked call apart; it is empty for an INVITE that
    /// starts one, so that a restart needs nothing but the leg to cancel it.
    pub(super) fn branch(
        &self,
        boot: u64,
        leg: LegId,
        kind: &str,
        cseq: u32,
        remote_tag: &str,
    ) -> u128 {
        number(&self.text(boot, leg, kind, cseq, remote_tag)).unwrap_or(0)
    }

    /// Any other token.
    pub(super) fn text(
        &self,
        boot: u64,
        leg: LegId,
        kind: &str,
        number: u32,
        extra: &str,
    ) -> String {
        // Neither the kind nor the number has a slash, and the rest goes last.
        let label = format!("{kind}/{number}/{}/{extra}", self.installation);
        self.hash.token(boot, leg.0, &label, TOKEN_LENGTH)
    }
}

impl Identity {
    /// The Call-ID of one of this process's legs: by it the records of carriers are compared with stored legs.
    #[must_use]
    pub fn call_id(&self, leg: LegId) -> String {
        Tokens::new(self).call_id(self.boot, leg)
    }
}

/// Our tag as a number; `None` for a text that is none of ours.
pub(super) fn tag_number(tag: &str) -> Option<u64> {
    if tag.len() == TAG_LENGTH { u64::try_from(number(tag)?).ok() } else { None }
}

/// A branch as it stands in Via.
pub(super) fn branch_text(branch: u128) -> String {
    let digits = (0..TOKEN_LENGTH).rev().map(|place| {
        let five = (branch >> (place * 5)) & 31;
        char::from(DIGITS.get(usize::try_from(five).unwrap_or(0)).copied().unwrap_or(b'a'))
    });
    MAGIC_COOKIE.chars().chain(digits).collect()
}

/// Our branch as a number; `None` for a text that is none of ours.
pub(super) fn branch_number(branch: &str) -> Option<u128> {
    let token = branch.strip_prefix(MAGIC_COOKIE)?;
    if token.len() == TOKEN_LENGTH { number(token) } else { None }
}

/// A token as a number: a key that takes less room than its text.
fn number(token: &str) -> Option<u128> {
    token.bytes().try_fold(0, |sum: u128, byte| {
        let digit = match byte {
            b'a'..=b'z' => byte - b'a',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        Some((sum << 5) | u128::from(digit))
    })
}

/// 125 bits: nobody guesses one, and none comes twice.
const TOKEN_LENGTH: usize = 25;
/// 60 bits; RFC 3261 §19.3 asks for 32.
const TAG_LENGTH: usize = 12;
/// RFC 4648 §6 in lower case.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(installation: &str) -> Tokens {
        let secret = b"secret".to_vec();
        Tokens::new(&Identity { installation: installation.into(), secret, boot: 1 })
    }

    #[test]
    fn tokens_are_the_same_after_a_restart_and_differ_in_every_part() {
        let (one, leg) = (tokens("a"), LegId(7));
        assert_eq!(one.call_id(5, leg), tokens("a").call_id(5, leg));
        let branch = |boot, leg, kind, cseq, tag| one.branch(boot, LegId(leg), kind, cseq, tag);
        let mut all = vec![
            branch(5, 7, "INVITE", 1, ""),
            branch(6, 7, "INVITE", 1, ""),
            branch(5, 8, "INVITE", 1, ""),
            branch(5, 7, "BYE", 1, ""),
            branch(5, 7, "INVITE", 2, ""),
            branch(5, 7, "INVITE", 1, "x"),
            tokens("b").branch(5, leg, "INVITE", 1, ""),
        ];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 7);
    }

    #[test]
    fn only_our_own_texts_are_read_back() {
        let (tokens, leg) = (tokens("a"), LegId(7));
        let branch = tokens.branch(1, leg, "INVITE", 1, "");
        assert!(branch_text(branch).ends_with(&tokens.text(1, leg, "INVITE", 1, "")));
        assert_eq!(branch_number(&branch_text(branch)), Some(branch));
        assert_eq!(branch_number("z9hG4bK-524287-1"), None);
        assert_eq!(tag_number("ABCDEFGHIJKL"), None);
        assert!(tag_number(&tokens.local_tag(1, leg)).is_some());
    }
}
