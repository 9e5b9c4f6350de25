//! Agentless mode: whoever answers hears the campaign's message and may press keys.
//!
//! Such a call needs no agent, so the ledger has nothing to do with it: a message that begins within two seconds of the
//! answer is no abandoned call (47 CFR 64.1200(a)(7)(iii), 16 CFR 310.4(b)(1)(v)), and it earns no credit either. What
//! ends in silence all the same (an answer after our CANCEL at the end of the process, a crash) is booked as a fault.
//!
//! What a key says is written as a disposition that no agent gave. It is confirmed to the person only once it is durable.

use std::collections::BTreeMap;

use crate::logic::attempt::{self, Menu, MenuLimits, MessageKind, Part, Stage};
use crate::logic::dialer::answers::AtHand;
use crate::logic::dialer::call::Call;
use crate::logic::dialer::desk::page_of;
use crate::logic::dialer::pace::LOOK_PAST;
use crate::logic::dialer::rows::{LastCall, Said, Saying};
use crate::logic::dialer::{Action, Dialer, StoreReply, Waiting};
use crate::logic::ids::{AttemptId, CampaignId};
use crate::logic::media::{MediaCommand, Sound};
use crate::logic::settings::{CampaignSettings, DispositionEffect};
use crate::logic::time::Now;

/// The menu of a campaign's calls; `None`: it has no message.
pub(super) fn menu_of(settings: &CampaignSettings) -> Option<Menu> {
    let recording = settings.recording.as_ref()?;
    let refuses = |code: &String| {
        let known = settings.dispositions.iter().find(|known| known.code == *code);
        known.is_some_and(|known| known.effect == DispositionEffect::Refusal)
    };
    Some(Menu::new(MenuLimits {
        keys: recording.keys.iter().map(|(key, code)| (*key, refuses(code))).collect(),
        repeat: recording.repeat,
        wait: recording.wait,
        wrong_keys: recording.wrong_keys,
    }))
}

impl Dialer {
    /// The first lead that may hear the message, or what holds that back. A call promised to a person waits for one.
    pub(super) fn match_any(&self, campaign: CampaignId) -> Result<usize, &'static str> {
        let room = self.rooms.get(&campaign).ok_or("state")?;
        if room.leads.is_empty() {
            return Err("list");
        }
        let most = room.settings.recording.as_ref().and_then(|recording| recording.lines);
        let ours = |call: &&Call| call.campaign == campaign && call.machine.is_agentless();
        let under_way = || u32::try_from(self.calls.values().filter(ours).count());
        if most.is_some_and(|most| under_way().unwrap_or(u32::MAX) >= most) {
            return Err("lines");
        }
        let full = self.full_prefixes(room);
        let unpromised = || {
            let leads = room.leads.iter().enumerate();
            leads.filter(|(_, next)| next.lead.promise.is_none()).take(LOOK_PAST)
        };
        let found = unpromised().find(|(_, next)| !room.is_under(&next.lead, &full));
        match found {
            Some((place, _)) => Ok(place),
            None if unpromised().next().is_some() => Err("prefix_rate"),
            None => Err("agents"),
        }
    }

    /// Leads at hand to whom a call was promised are left to others, if the campaign has come to play a message: nobody is
    /// here who could keep the promise, and a run `until_idle` would wait for it for ever.
    pub(super) fn free_promised(&mut self, now: Now, campaign: CampaignId, out: &mut Vec<Action>) {
        let Some(room) = self.rooms.get_mut(&campaign).filter(|room| !room.needs_agents()) else {
            return;
        };
        let (promised, others) =
            room.leads.drain(..).partition::<Vec<_>, _>(|next| next.lead.promise.is_some());
        room.leads.extend(others);
        for AtHand { lead, .. } in promised {
            self.free_lead(now, campaign, &lead, out);
        }
    }

    /// Plays a part of the message.
    pub(super) fn say(&mut self, now: Now, attempt: AttemptId, part: Part, out: &mut Vec<Action>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let language = self.language_of(call);
        let recording =
            self.rooms.get(&call.campaign).and_then(|room| room.settings.recording.as_ref());
        let none = BTreeMap::new();
        let files = recording.map_or(&none, |recording| match part {
            Part::Message => &recording.files,
            Part::Removed => &recording.removed,
            Part::Thanks => &recording.thanks,
        });
        let path = files.get(&language).or_else(|| files.values().next());
        let sound = path.and_then(|path| self.sounds.get(path)).cloned();
        let leg = call.leg;
        let Some(samples) = sound else {
            // A confirmation that the campaign does not have ends the call; so does a message that is gone.
            let over = match part {
                Part::Message => attempt::Event::Stop,
                Part::Removed | Part::Thanks => attempt::Event::MessageDone,
            };
            return self.call_event(now, attempt, over, out);
        };
        let play = self.next_play();
        if let Some(call) = self.calls.get_mut(&attempt) {
            let first = call.message.replace(MessageKind::Campaign).is_none();
            call.play = Some(play);
            if let Some(room) = self.rooms.get_mut(&call.campaign).filter(|_| first) {
                room.counts.messages += 1;
            }
        }
        out.push(Action::Media(MediaCommand::Play { leg, play, sound: Sound::Samples(samples) }));
    }

    /// Ends what is being played.
    pub(super) fn hush(&mut self, attempt: AttemptId, out: &mut Vec<Action>) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.play = None;
            out.push(Action::Media(MediaCommand::StopPlay { leg: call.leg }));
        }
    }

    /// The person pressed a key of the menu: what it says is written, and stops the seller's other calls where it is a
    /// refusal.
    pub(super) fn choose(
        &mut self,
        now: Now,
        attempt: AttemptId,
        key: char,
        out: &mut Vec<Action>,
    ) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let Some(room) = self.rooms.get(&call.campaign) else { return };
        let code = room.settings.recording.as_ref().and_then(|recording| recording.keys.get(&key));
        let chosen = room.settings.dispositions.iter().find(|known| Some(&known.code) == code);
        let Some(chosen) = chosen.cloned() else { return };
        let page = page_of(room, &call.lead, &call.phone, call.public_ref.clone());
        let last = LastCall::of(call, room, page);
        let saying = Saying { code: &chosen.code, memo: None, callback: None, asker: None };
        let Some(record) = self.disposition(now, &last, None, &chosen, saying) else {
            // The ids are used up, and the process drains: nothing is confirmed that is not written.
            return self.call_event(now, attempt, attempt::Event::Stop, out);
        };
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.said = Some(Said { after: record.after.clone(), live: Some(true) });
        }
        self.store_disposition(now, record, Waiting::Choice { attempt, key }, out);
    }

    pub(super) fn choice_stored(
        &mut self,
        now: Now,
        attempt: AttemptId,
        key: char,
        reply: &StoreReply,
        out: &mut Vec<Action>,
    ) {
        let event = if reply.is_rejected() {
            attempt::Event::Stop
        } else {
            attempt::Event::ChoiceStored(key)
        };
        if self.calls.get(&attempt).is_some_and(|call| call.machine.stage() == Stage::Message) {
            self.call_event(now, attempt, event, out);
        }
    }
}
