//! A leg of an earlier process that may still be up: ended with what was stored of it.
//!
//! Its Call-ID, tag and branches are made again from its boot and number. With a stored dialog: BYE. Without: CANCEL for
//! every INVITE that may have been sent, an ACK for each final response that still comes, and BYE for a late 2xx.
//!
//! A CANCEL belongs to its INVITE by the sent-by of the Via, too (RFC 3261 §9.2, §17.2.3): for a leg of a process that ran
//! elsewhere it is theirs. The answer finds us all the same (RFC 3581 §4: to where the request came from).

use std::net::SocketAddr;
use std::time::Duration;

use super::FailureCause;
use super::OutgoingCall;
use super::RemoteDialog;
use super::again::MAX_INVITES;
use super::again::asks_again;
use super::engine::Engine;
use super::leg::Cancel;
use super::leg::Invite;
use super::leg::Leg;
use super::leg::Side;
use super::leg::Stage;
use super::leg::Turn;
use crate::logic::ids::LegId;
use crate::logic::sip::dialog::Dialog;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::NameAddr;
use crate::logic::sip::transaction::client_invite::ClientInvite;

impl Leg {
    /// The leg as it was; what ends it has left when this returns.
    pub(super) fn recover(
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        id: LegId,
        boot: u64,
        call: Box<OutgoingCall>,
        stored: Option<RemoteDialog>,
        sent_by: Option<SocketAddr>,
    ) -> Self {
        let peer = call.peer;
        let mut leg = Self::outgoing(engine, turn.now, id, boot, call, Vec::new());
        let Side::Outgoing(outgoing) = &mut leg.side else { return leg };
        outgoing.recovering = true;
        outgoing.sent_by = sent_by;
        if let Some(stored) = stored {
            leg.dialog = Some(Dialog {
                local: format!("{};tag={}", outgoing.call.from, leg.local_tag),
                remote: with_tag(&outgoing.call.to, &stored.remote_tag),
                remote_tag: stored.remote_tag,
                // Above every request that the earlier process may have sent in the dialog.
                local_cseq: stored.cseq.saturating_add(CSEQ_LEAP),
                remote_cseq: None,
                remote_target: stored.remote_target,
                route_set: stored.route_set,
                peer,
                allows_update: false,
            });
            leg.stage = Stage::Up;
            leg.send_bye(engine, turn);
            return leg;
        }
        // Without credentials only a 422 made a second one.
        let last = if outgoing.call.credentials.is_some() { MAX_INVITES } else { 2 };
        for cseq in (1..).take(last) {
            let branch = engine.tokens.branch(boot, id, "INVITE", cseq, "");
            engine.invites.insert(branch, (id, cseq));
            let machine = ClientInvite::resumed();
            outgoing.invites.push(Invite {
                cseq,
                branch,
                machine,
                bytes: Vec::new(),
                settled: false,
            });
        }
        leg.send_cancel(engine, turn);
        leg
    }

    /// A CANCEL of ours has its final response. Only recovery needs to know: 481 says that there is no such INVITE.
    pub(super) fn on_cancel_done(
        &mut self,
        engine: &Engine,
        turn: &mut Turn<'_>,
        cseq: u32,
        response: Option<&Message>,
    ) {
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        let status = response.and_then(Message::status);
        outgoing.heard |= status.is_some();
        let elsewhere = outgoing.sent_by.is_some_and(|at| at != engine.settings.sent_by);
        if elsewhere && status.is_some_and(|status| status < 300) {
            let to = response.and_then(Message::to);
            outgoing.cancelled_tag = to.as_ref().and_then(|to| to.tag()).map(str::to_owned);
            outgoing.cancel = Cancel::Sent { give_up_at: turn.now + UNHEARD };
        }
        if !outgoing.recovering || self.stage != Stage::Setup {
            return;
        }
        if status.is_some_and(|status| status >= 300)
            && let Some(invite) = outgoing.invite(cseq)
        {
            invite.settled = true;
        }
        self.settle_recovery(turn, None);
    }

    /// The INVITE's final response goes to the address it came from, where nobody is any more. By the tag of the answer to
    /// the CANCEL, which is that of the INVITE's (RFC 3261 §9.2), a BYE ends what had been answered before (§15); where the
    /// CANCEL was in time, the far end says that there is no such call.
    pub(super) fn end_by_tag(&mut self, engine: &mut Engine, turn: &mut Turn<'_>, tag: String) {
        let Side::Outgoing(outgoing) = &self.side else { return };
        self.dialog = Some(Dialog {
            local: format!("{};tag={}", outgoing.call.from, self.local_tag),
            remote: with_tag(&outgoing.call.to, &tag),
            remote_tag: tag,
            local_cseq: CSEQ_LEAP,
            remote_cseq: None,
            // Its Contact is not known: the way the INVITE went.
            remote_target: outgoing.call.request_uri.clone(),
            route_set: vec![],
            peer: outgoing.call.peer,
            allows_update: false,
        });
        self.stage = Stage::Up;
        self.send_bye(engine, turn);
    }

    /// Ends the recovery when nothing more is expected. `refused`: the final response to one of the INVITEs.
    pub(super) fn settle_recovery(&mut self, turn: &mut Turn<'_>, refused: Option<u16>) {
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        // What asks for another INVITE ended one, and the next may have been sent.
        if let Some(status) = refused.filter(|status| !asks_again(*status)) {
            self.linger(turn.now);
            self.fail(turn, FailureCause::Status(status));
        } else if !outgoing.is_open() {
            self.linger(turn.now);
            self.fail(turn, FailureCause::Status(refused.unwrap_or(NO_SUCH_CALL)));
        }
    }
}

fn with_tag(value: &str, tag: &str) -> String {
    match NameAddr::parse(value) {
        _ if tag.is_empty() => value.to_owned(),
        Some(mut address) => {
            address.params.set("tag", Some(tag));
            address.to_string()
        }
        None => format!("{value};tag={tag}"),
    }
}

/// How long the far end may take to end an INVITE after it has taken the CANCEL.
const UNHEARD: Duration = Duration::from_secs(1);
/// More requests than any dialog of an earlier process has seen from us.
const CSEQ_LEAP: u32 = 1_000;
/// The far end's own word for it.
const NO_SUCH_CALL: u16 = 481;
