//! Digest on our side: nonces by peer and realm, used again with rising counts, so that most calls to a challenging
//! trunk cost one INVITE (RFC 3261 §22.2, RFC 7616 §3.4).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Credentials;
use super::OutgoingCall;
use super::engine::Engine;
use crate::logic::ids::LegId;
use crate::logic::sip::digest;
use crate::logic::sip::digest::DigestRequest;
use crate::logic::sip::digest::DigestSession;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::Start;
use crate::logic::sip::message::name;

/// What the servers have asked of us.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    sessions: BTreeMap<Realm, DigestSession>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Realm {
    peer: SocketAddr,
    username: String,
    /// Asked by 407, not 401.
    proxy: bool,
    realm: String,
}

/// What a 401 or 407 was good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    /// Who asks: by 407 or not, and the realm. Empty: nothing in it that we can answer.
    pub(super) askers: Vec<(bool, String)>,
    /// A nonce was too old, the password may be right.
    pub(super) stale: bool,
}

impl Learned {
    /// Whether another request may convince the far end.
    pub(super) fn is_usable(&self) -> bool {
        !self.askers.is_empty()
    }
}

impl Engine {
    /// Keeps the challenges of a 401 or 407.
    pub(super) fn learn(
        &mut self,
        peer: SocketAddr,
        credentials: Option<&Credentials>,
        response: &Message,
    ) -> Learned {
        let mut learned = Learned::default();
        let Some(credentials) = credentials else { return learned };
        let proxy = match response.status() {
            Some(401) => false,
            Some(407) => true,
            Some(_) | None => return learned,
        };
        for challenge in digest::Challenge::choose(&response.challenges()) {
            learned.stale |= challenge.stale;
            learned.askers.push((proxy, challenge.realm.clone()));
            let username = credentials.username.clone();
            let realm = Realm { peer, username, proxy, realm: challenge.realm.clone() };
            let same = |session: &DigestSession| session.challenge().nonce == challenge.nonce;
            if self.nonces.sessions.get(&realm).is_some_and(same) {
                // Asked again for a nonce that we have: its count goes on.
                continue;
            }
            if self.nonces.sessions.len() >= MAX_REALMS {
                self.nonces.sessions.pop_first();
            }
            let number = i64::from_ne_bytes(self.roll().to_ne_bytes());
            let boot = self.settings.identity.boot;
            let cnonce = self.tokens.text(boot, LegId(number), "cnonce", 0, "");
            self.nonces.sessions.insert(realm, DigestSession::new(challenge, &cnonce));
        }
        learned
    }

    /// Forgets what did not convince the server.
    pub(super) fn forget(&mut self, peer: SocketAddr, credentials: Option<&Credentials>) {
        let Some(credentials) = credentials else { return };
        self.nonces
            .sessions
            .retain(|realm, _| realm.peer != peer || realm.username != credentials.username);
    }

    /// Authorization and Proxy-Authorization for a request, from what this peer has asked before; empty if nothing.
    pub(super) fn authorization(
        &mut self,
        peer: SocketAddr,
        credentials: Option<&Credentials>,
        method: &Method,
        uri: &str,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        let Some(Credentials { username, password }) = credentials else { return Vec::new() };
        let request = DigestRequest { username, password, method: method.as_str(), uri, body };
        let from = Realm { peer, username: username.clone(), proxy: false, realm: String::new() };
        self.nonces
            .sessions
            .range_mut(&from..)
            .take_while(|(realm, _)| realm.peer == peer && realm.username == *username)
            .map(|(realm, session)| {
                let name =
                    if realm.proxy { name::PROXY_AUTHORIZATION } else { name::AUTHORIZATION };
                (name, session.authorize(&request).to_string())
            })
            .collect()
    }

    /// The credentials for a request inside a dialog of `call`.
    pub(super) fn authorization_for(
        &mut self,
        request: &Message,
        call: &OutgoingCall,
    ) -> Vec<(&'static str, String)> {
        let Start::Request { method, uri } = &request.start else { return Vec::new() };
        self.authorization(call.peer, call.credentials.as_ref(), method, uri, &request.body)
    }

    /// Adds them.
    pub(super) fn credentials_for(&mut self, request: &mut Message, call: &OutgoingCall) {
        for (name, value) in self.authorization_for(request, call) {
            request.push(name, value);
        }
    }
}

/// Realms of all trunks together; beyond, the first in order is asked again at its next call.
const MAX_REALMS: usize = 256;
