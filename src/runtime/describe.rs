//! Inputs and actions in a few words for the log: no names, no whole numbers, no SIP bodies.

use crate::logic::dialer::StoreCommand;
use crate::logic::dialer::StoreReply;
use crate::logic::dialer::command::Command;
use crate::logic::media::MediaCommand;
use crate::logic::node::NodeAction;
use crate::logic::node::NodeInput;

/// One input.
pub(super) fn input(input: &NodeInput<'_>) -> String {
    match input {
        NodeInput::Datagram { from, bytes } => {
            format!("datagram from {from}: {} ({} bytes)", first_word(bytes), bytes.len())
        }
        NodeInput::Media(event) => format!("media {event:?}"),
        NodeInput::Stored(ticket, reply) => format!("stored {} {}", ticket.0, store_reply(reply)),
        NodeInput::StoreHealth(health) => format!("store {health:?}"),
        NodeInput::ClockAhead(millis) => format!("clock {millis} ms ahead"),
        NodeInput::Command(asker, wish) => format!("command of {}: {}", asker.0, command(wish)),
        NodeInput::Shutdown => "shutdown".to_owned(),
        NodeInput::Timeout => "timeout".to_owned(),
    }
}

/// One action.
pub(super) fn action(action: &NodeAction) -> String {
    match action {
        NodeAction::Send { to, bytes } => {
            format!("datagram to {to}: {} ({} bytes)", first_word(bytes), bytes.len())
        }
        NodeAction::Media(command) => format!("media {}", media(command)),
        NodeAction::Store(ticket, command) => {
            format!("store {} {}", ticket.0, store_command(command))
        }
        NodeAction::Reply(asker, _) => format!("reply to {}", asker.0),
        NodeAction::Notice(notice) => {
            format!("agent {} is {}", notice.agent, notice.state.as_str())
        }
        NodeAction::Finished => "finished".to_owned(),
    }
}

/// What is worth a line at `info`: the steps of each call, as they are stored.
pub(super) fn milestone(command: &StoreCommand) {
    match command {
        StoreCommand::Intent(intent) => tracing::info!(
            attempt = %intent.attempt,
            public = intent.public_ref,
            lead = %intent.lead,
            number = %intent.phone.number,
            trunk = intent.trunk,
            "attempt"
        ),
        StoreCommand::LegAnswered(answered) => {
            tracing::info!(leg = %answered.leg, attempt = ?answered.attempt, "answered");
        }
        StoreCommand::Connected { attempt, agent, .. } => {
            tracing::info!(%attempt, %agent, "connected");
        }
        StoreCommand::Outcome(record) => tracing::info!(
            attempt = %record.attempt,
            outcome = record.outcome.as_str(),
            sip = record.sip_status,
            q850 = record.q850,
            abandoned = record.booking.abandoned,
            fault = record.booking.fault,
            "outcome"
        ),
        StoreCommand::Disposition(record) => {
            tracing::info!(attempt = %record.attempt, code = record.code, "disposition");
        }
        StoreCommand::Suppress(entry) => {
            tracing::info!(seller = %entry.seller, reason = entry.reason, "suppressed");
        }
        StoreCommand::CampaignState { campaign, state, by, .. } => {
            tracing::info!(%campaign, state = state.as_str(), by, "campaign");
        }
        StoreCommand::CampaignMode { campaign, mode, by, .. } => {
            tracing::info!(%campaign, ?mode, by, "dial mode");
        }
        StoreCommand::AgentState(record) => {
            tracing::info!(agent = %record.agent, state = record.state, "agent");
        }
        StoreCommand::Claim(_)
        | StoreCommand::Promote { .. }
        | StoreCommand::Release(_)
        | StoreCommand::AgentLeg(_)
        | StoreCommand::LegEnded(_)
        | StoreCommand::Covered { .. }
        | StoreCommand::Heartbeat { .. }
        | StoreCommand::Account { .. }
        | StoreCommand::Look(_)
        | StoreCommand::DrawShare(_)
        | StoreCommand::NodeEnded { .. }
        | StoreCommand::Count { .. } => {}
        StoreCommand::Learned(learned) => {
            if let Some(wrong) = &learned.unreadable {
                let part = learned.part.as_str();
                tracing::warn!(campaign = %learned.campaign, part, wrong, "what was learned cannot be read: pacing begins cold");
            }
        }
    }
}

/// The method of a request or the status of a response. The rest of the line may name a person's number.
fn first_word(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').take(2);
    let first = words.next().unwrap_or_default();
    let shown = if first.starts_with(b"SIP/") { words.next().unwrap_or_default() } else { first };
    let plain = shown.len() <= 16 && shown.iter().all(u8::is_ascii_alphanumeric);
    if plain { String::from_utf8_lossy(shown).into_owned() } else { "?".to_owned() }
}

fn command(command: &Command) -> String {
    match command {
        Command::AgentLogin { agent } => format!("agent_login {agent}"),
        Command::AgentReady { agent } => format!("agent_ready {agent}"),
        Command::AgentPause { agent, .. } => format!("agent_pause {agent}"),
        Command::AgentLogout { agent } => format!("agent_logout {agent}"),
        Command::AgentDisposition { agent, code, .. } => {
            format!("agent_disposition {agent} {code}")
        }
        // Whom is a person's number.
        Command::AgentDial { agent, whom: None } => format!("agent_dial {agent}"),
        Command::AgentDial { agent, whom: Some(_) } => {
            format!("agent_dial {agent}, somebody named")
        }
        Command::AgentSkip { agent } => format!("agent_skip {agent}"),
        Command::AgentHangUp { agent } => format!("agent_hang_up {agent}"),
        Command::AgentPage { agent } => format!("agent_page {agent}"),
        Command::CampaignPause { campaign } => format!("campaign_pause {campaign}"),
        Command::CampaignResume { campaign } => format!("campaign_resume {campaign}"),
        Command::TrunkRate { trunk, calls_per_second } => {
            format!("trunk_rate {trunk} {calls_per_second}")
        }
        Command::Drain => "drain".to_owned(),
        Command::CampaignMode { campaign, mode, .. } => format!("campaign_mode {campaign} {mode}"),
        Command::Suppress { seller, .. } => format!("suppress for {seller}"),
        Command::Status => "status".to_owned(),
    }
}

fn media(command: &MediaCommand) -> String {
    match command {
        MediaCommand::Open { leg } => format!("open {leg:?}"),
        MediaCommand::Remote { leg, remote } => {
            format!("remote {leg:?} {} {:?} send={}", remote.rtp, remote.codec, remote.send)
        }
        MediaCommand::Bridge { a, b } => format!("bridge {a:?} {b:?}"),
        MediaCommand::Unbridge { leg } => format!("unbridge {leg:?}"),
        MediaCommand::Play { leg, play, .. } => format!("play {play} to {leg:?}"),
        MediaCommand::StopPlay { leg } => format!("stop_play {leg:?}"),
        MediaCommand::SendDigits { leg, digits } => {
            format!("send {} digits to {leg:?}", digits.len())
        }
        MediaCommand::Tap { leg, on } => format!("tap {leg:?} {on}"),
        MediaCommand::Close { leg } => format!("close {leg:?}"),
    }
}

fn store_command(command: &StoreCommand) -> String {
    match command {
        StoreCommand::Claim(claim) => format!("claim {} of {:?}", claim.want, claim.campaign),
        StoreCommand::Promote { campaign, limit, .. } => format!("promote {limit} of {campaign:?}"),
        StoreCommand::Release(release) => {
            format!("release {:?} to {:?}", release.lead, release.after.state)
        }
        StoreCommand::Intent(intent) => format!("intent {:?} {:?}", intent.attempt, intent.leg),
        StoreCommand::AgentLeg(leg) => format!("agent_leg {:?}", leg.leg),
        StoreCommand::LegAnswered(leg) => format!("leg_answered {:?}", leg.leg),
        StoreCommand::LegEnded(leg) => format!("leg_ended {:?}", leg.leg),
        StoreCommand::Covered { attempt } => format!("covered {attempt:?}"),
        StoreCommand::Connected { attempt, .. } => format!("connected {attempt:?}"),
        StoreCommand::Outcome(record) => {
            format!("outcome {:?} {}", record.attempt, record.outcome)
        }
        StoreCommand::Disposition(record) => {
            format!("disposition {:?} {}", record.attempt, record.code)
        }
        StoreCommand::Suppress(_) => "suppress".to_owned(),
        StoreCommand::AgentState(record) => {
            format!("agent_state {:?} {}", record.agent, record.state)
        }
        StoreCommand::CampaignState { campaign, state, .. } => {
            format!("campaign_state {campaign:?} {}", state.as_str())
        }
        StoreCommand::CampaignMode { campaign, mode, .. } => {
            format!("campaign_mode {campaign:?} {mode:?}")
        }
        StoreCommand::Heartbeat { .. } => "heartbeat".to_owned(),
        StoreCommand::Learned(learned) => {
            format!("learned {} {:?}", learned.part.as_str(), learned.campaign)
        }
        StoreCommand::Count { campaign } => format!("count {campaign:?}"),
        StoreCommand::Account { campaign, window } => format!("account {campaign:?} {window:?}"),
        StoreCommand::Look(look) => format!("look take_lapsed={}", look.take_lapsed),
        StoreCommand::DrawShare(draw) => format!("draw share of {} {:?}", draw.trunk, draw.ask),
        StoreCommand::NodeEnded { .. } => "node_ended".to_owned(),
    }
}

fn store_reply(reply: &StoreReply) -> String {
    match reply {
        StoreReply::Done => "done".to_owned(),
        StoreReply::Claimed(leads) => format!("claimed {}", leads.len()),
        StoreReply::Promoted { promoted, .. } => format!("promoted {promoted}"),
        StoreReply::Saved => "saved".to_owned(),
        StoreReply::Refused { gate, .. } => format!("refused {}", gate.as_str()),
        StoreReply::Counted(counts) => format!("counted {counts:?}"),
        StoreReply::Rejected => "rejected".to_owned(),
        StoreReply::Account(account) => format!("{account:?}"),
        StoreReply::Held { by } => format!("held by {by}"),
        StoreReply::Share(drawn) => format!("{drawn:?}"),
        StoreReply::Seen(seen) => format!(
            "seen: {} leads, {} attempts, {} other legs of dead processes",
            seen.leads,
            seen.work.attempts.len(),
            seen.work.stray_legs.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::dialer::Asker;

    #[test]
    fn a_logged_datagram_shows_no_number() {
        let bytes =
            b"INVITE sip:0312345678@192.0.2.1 SIP/2.0\r\nTo: <sip:0312345678@192.0.2.1>\r\n";
        let from = "192.0.2.1:5060".parse().unwrap();
        let text = input(&NodeInput::Datagram { from, bytes });
        assert_eq!(text, format!("datagram from 192.0.2.1:5060: INVITE ({} bytes)", bytes.len()));
        let bytes = b"SIP/2.0 486 Busy Here\r\n";
        assert!(input(&NodeInput::Datagram { from, bytes }).contains(": 486 ("));
        let bytes = b"\xff\x00garbage";
        assert!(input(&NodeInput::Datagram { from, bytes }).contains(": ? ("));
    }

    #[test]
    fn a_logged_command_shows_no_number() {
        let wish = Command::Suppress {
            seller: "Acme".to_owned(),
            number: "+819012345678".to_owned(),
            reason: "letter".to_owned(),
            proof: "file 7".to_owned(),
        };
        assert_eq!(input(&NodeInput::Command(Asker(3), wish)), "command of 3: suppress for Acme");
    }
}
