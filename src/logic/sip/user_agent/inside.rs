//! A request of ours inside a dialog, other than INVITE and ACK: built, signed, sent, and repeated by its transaction.

use super::OutgoingCall;
use super::engine::Engine;
use super::engine::Purpose;
use super::leg::Turn;
use crate::logic::ids::LegId;
use crate::logic::sip::dialog::Dialog;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;

/// The leg, and the one of its dialogs in which the request goes out.
pub(super) struct Inside<'a> {
    pub(super) leg: LegId,
    pub(super) boot: u64,
    pub(super) call_id: &'a str,
    /// Whose credentials go with it; none in a call of the far end.
    pub(super) call: Option<&'a OutgoingCall>,
    pub(super) dialog: &'a mut Dialog,
}

impl Inside<'_> {
    /// `more` adds what the method needs besides.
    pub(super) fn send(
        self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        method: Method,
        purpose: Purpose,
        more: impl FnOnce(&mut Message),
    ) {
        let cseq = self.dialog.next_cseq();
        let tag = &self.dialog.remote_tag;
        let branch = engine.tokens.branch(self.boot, self.leg, method.as_str(), cseq, tag);
        let mut request = self.dialog.request(method, self.call_id, cseq);
        engine.dress(&mut request, branch);
        more(&mut request);
        if let Some(call) = self.call {
            engine.credentials_for(&mut request, call);
        }
        let to = self.dialog.next_hop(engine.settings.symmetric);
        engine.start_client(turn, branch, &request, to, purpose);
    }
}
