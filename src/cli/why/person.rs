//! One person: every gate with its verdict, every call with its cause, what happens next.

use std::fmt::Write;

use serde::Serialize;

use super::words;
use crate::cli::page::plain;
use crate::cli::picture::Picture;
use crate::cli::text::{Lang, pad, texts};
use crate::config::CampaignFile;
use crate::logic::compliance::calling_class::ClassHours;
use crate::logic::compliance::local_time;
use crate::logic::dialer::{
    Intent, LeadPhone, LeadState, NextCall, gates_in_memory, home_zone, next_call, zone_of,
};
use crate::logic::gate::{Answer, Gate};
use crate::logic::ids::{AttemptId, ContactId, LegId};
use crate::logic::time::UtcMs;
use crate::store::{self, AttemptRecord, Db, Person, PersonLead, StoreError};

/// Who is asked for.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) now: UtcMs,
    pub(super) contact: ContactId,
    /// What was typed, as numbers may be stored.
    pub(super) keys: &'a [String],
    pub(super) typed: &'a str,
    /// Only this campaign.
    pub(super) campaign: Option<&'a str>,
    pub(super) campaigns: &'a [(String, Option<CampaignFile>)],
    pub(super) live: Option<&'a Picture>,
}

/// All that can be said.
#[derive(Debug, Serialize)]
pub(super) struct PersonAnswer {
    seller: String,
    contact_id: Option<String>,
    name: Option<String>,
    phones: Vec<PhoneLine>,
    suppressions: Vec<SuppressionLine>,
    campaigns: Vec<LeadLine>,
    attempts: Vec<AttemptLine>,
    /// By whose clock times are shown.
    zone: String,
}

#[derive(Debug, Serialize)]
struct PhoneLine {
    number: String,
    /// As it was asked for, if it was.
    typed: Option<String>,
    invalid: bool,
}

#[derive(Debug, Serialize)]
struct SuppressionLine {
    scope: String,
    reason: String,
    proof: String,
    at: UtcMs,
    lifted: Option<UtcMs>,
}

#[derive(Debug, Serialize)]
struct LeadLine {
    campaign: String,
    campaign_state: String,
    /// Whether a dialer runs the campaign now, and what that waits for.
    dialer: Option<String>,
    state: &'static str,
    attempts: u64,
    last_outcome: Option<&'static str>,
    /// The number the next call goes to.
    number: Option<String>,
    /// False: the campaign's file was not found, and only the rows were asked.
    file: bool,
    gates: Vec<GateLine>,
    promised: Option<UtcMs>,
    promised_by: Option<String>,
    held_by: Option<String>,
    /// Ready leads that rank before it.
    before: u64,
    next: NextLine,
    #[serde(skip)]
    shown: (LeadState, Option<NextCall>),
}

#[derive(Debug, Serialize)]
struct GateLine {
    gate: &'static str,
    open: bool,
    until: Option<UtcMs>,
    #[serde(skip)]
    of: Gate,
}

#[derive(Debug, Serialize)]
struct NextLine {
    when: &'static str,
    at: Option<UtcMs>,
    gate: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct AttemptLine {
    call_ref: String,
    campaign: String,
    number: String,
    started: UtcMs,
    ended: Option<UtcMs>,
    outcome: Option<&'static str>,
    first_outcome: Option<&'static str>,
    sip_status: Option<u64>,
    q850: Option<u64>,
    agent: Option<String>,
    disposition: Option<String>,
    message: Option<String>,
    callback: Option<UtcMs>,
}

/// Asks the database and every gate.
pub(super) async fn answer(
    db: &mut Db,
    question: &Question<'_>,
) -> Result<Option<PersonAnswer>, StoreError> {
    let Some(person) = store::person(db, question.contact).await? else { return Ok(None) };
    let zone = question
        .campaigns
        .iter()
        .filter_map(|(_, file)| file.as_ref())
        .find(|file| person.leads.iter().any(|lead| lead.campaign_name == file.settings.name))
        .map_or("Etc/UTC", |file| match person.phones.first() {
            Some((phone, _)) => zone_of(&file.settings, phone),
            None => home_zone(&file.settings),
        })
        .to_owned();
    let mut campaigns = vec![];
    let wanted = |lead: &&PersonLead| question.campaign.is_none_or(|c| named(question, c, lead));
    for lead in person.leads.iter().filter(wanted) {
        campaigns.push(lead_line(db, question, &person, lead).await?);
    }
    let attempts = store::attempts_to(db, person.seller, person.contact, ATTEMPTS).await?;
    Ok(Some(PersonAnswer {
        seller: person.seller_name,
        contact_id: person.external_id,
        name: person.name,
        phones: person
            .phones
            .iter()
            .map(|(phone, invalid)| PhoneLine {
                number: phone.number.reveal().to_owned(),
                typed: question.keys.contains(&phone.key).then(|| question.typed.to_owned()),
                invalid: *invalid,
            })
            .collect(),
        suppressions: person
            .suppressions
            .into_iter()
            .map(|row| SuppressionLine {
                scope: row.scope,
                reason: row.reason,
                proof: row.proof,
                at: row.at,
                lifted: row.lifted,
            })
            .collect(),
        campaigns,
        attempts: attempts.into_iter().map(attempt_line).collect(),
        zone,
    }))
}

/// A campaign is asked for by its name, or by the folder in which its file lies.
fn named(question: &Question<'_>, asked: &str, lead: &PersonLead) -> bool {
    lead.campaign_name == asked
        || question.campaigns.iter().any(|(name, _)| *name == lead.campaign_name)
}

async fn lead_line(
    db: &mut Db,
    question: &Question<'_>,
    person: &Person,
    lead: &PersonLead,
) -> Result<LeadLine, StoreError> {
    let file = question
        .campaigns
        .iter()
        .find(|(name, _)| *name == lead.campaign_name)
        .and_then(|(_, file)| file.as_ref());
    // As a claim hands it out: the number chosen for next, else the first one.
    let good = || person.phones.iter().filter(|(_, invalid)| !invalid).map(|(phone, _)| phone);
    let chosen = good().find(|phone| Some(phone.phone) == lead.next_phone);
    let phone = chosen.or_else(|| good().next());
    let mut answers = row_answers(lead, question.now);
    answers.push(Answer::unless(Gate::NoNumber, phone.is_none()));
    let mut next = None;
    let own = answers.len();
    if let (Some(file), Some(phone)) = (file, phone) {
        let settings = &file.settings;
        let mut hours = ClassHours::new(settings.hours.clone());
        hours.learn(lead.class, &lead.descriptor);
        let now = question.now;
        answers.extend(gates_in_memory(settings, &hours, &phone.number, lead.class, now));
        let intent = intent(file, person, lead, phone, now);
        answers.extend(store::ask_gates(db, &[intent]).await?.into_iter().flatten());
        let stated = (lead.state, lead.due, lead.class);
        // Asked anew, a gate that also stands in the row answers once.
        let asked = answers.split_off(own);
        answers.retain(|row| asked.iter().all(|one| one.gate != row.gate || one.open.is_ok()));
        answers.extend(asked);
        next = Some(next_call(stated.0, stated.1, &answers, settings, &hours, stated.2, now));
    }
    let live = question.live.and_then(|live| {
        live.campaigns.iter().find(|campaign| campaign.name == lead.campaign_name)
    });
    let (at, gate) = match next {
        Some(NextCall::At(at)) => (Some(at), None),
        Some(NextCall::Never(gate)) => (None, Some(gate.as_str())),
        Some(NextCall::Now | NextCall::UnderWay | NextCall::Held | NextCall::Over) | None => {
            (None, None)
        }
    };
    Ok(LeadLine {
        campaign: lead.campaign_name.clone(),
        campaign_state: lead.campaign_state.clone(),
        dialer: live.map(|campaign| campaign.held_by.clone().unwrap_or_else(|| "-".to_owned())),
        state: lead.state.as_str(),
        attempts: lead.attempts,
        last_outcome: lead.last_outcome.map(|outcome| outcome.as_str()),
        number: phone.map(|phone| phone.number.reveal().to_owned()),
        file: file.is_some(),
        gates: answers
            .iter()
            .map(|answer| GateLine {
                gate: answer.gate.as_str(),
                open: answer.open.is_ok(),
                until: answer.open.err().flatten(),
                of: answer.gate,
            })
            .collect(),
        promised: lead.promise.map(|promise| promise.due),
        promised_by: lead.promised_by.clone(),
        held_by: lead.held_by.clone().filter(|_| lead.state == LeadState::Claimed),
        before: lead.before,
        next: NextLine { when: next.map_or("unknown", words::next_code), at, gate },
        shown: (lead.state, next),
    })
}

/// What the lead's own row says: a time it waits for, or what has stopped it.
fn row_answers(lead: &PersonLead, now: UtcMs) -> Vec<Answer> {
    let open = match lead.state {
        LeadState::Waiting if lead.due > now => Err(Some(lead.due)),
        LeadState::Blocked => Err(None),
        LeadState::Ready
        | LeadState::Waiting
        | LeadState::Claimed
        | LeadState::Done
        | LeadState::Held => return vec![],
    };
    // The other gates are asked anew; what keeps a lead waiting or blocked is known by its row alone.
    vec![Answer { gate: lead.gate.unwrap_or(Gate::Retry), open }]
}

/// The call that the dialer would decide on now, never written.
fn intent(
    file: &CampaignFile,
    person: &Person,
    lead: &PersonLead,
    phone: &LeadPhone,
    now: UtcMs,
) -> Intent {
    let settings = &file.settings;
    Intent {
        attempt: AttemptId(0),
        public_ref: String::new(),
        leg: LegId(0),
        lead: lead.lead,
        fence: lead.fence,
        campaign: lead.campaign,
        seller: person.seller,
        contact: person.contact,
        phone: phone.clone(),
        trunk: String::new(),
        caller_id: settings.caller_id.clone(),
        call: String::new(),
        agent: None,
        uncovered: None,
        now,
        per_day: settings.caps.per_day,
        per_30_days: settings.caps.per_30_days,
        total: settings.caps.total,
        min_gap: settings.caps.min_gap,
        undelivered_per_hour: settings.caps.undelivered_per_hour,
    }
}

fn attempt_line(row: AttemptRecord) -> AttemptLine {
    AttemptLine {
        call_ref: row.public_ref,
        campaign: row.campaign,
        number: row.to.reveal().to_owned(),
        started: row.started,
        ended: row.ended,
        outcome: row.outcome.map(|outcome| outcome.as_str()),
        first_outcome: row.first_outcome.map(|outcome| outcome.as_str()),
        sip_status: row.sip_status,
        q850: row.q850,
        agent: row.agent,
        disposition: row.disposition,
        message: row.message,
        callback: row.callback_due,
    }
}

/// For people.
pub(super) fn text(people: &[PersonAnswer], lang: Lang) -> String {
    let mut out = String::new();
    for person in people {
        // Writing into a String cannot fail.
        person.fill(&mut out, lang).unwrap_or_default();
        out.push('\n');
    }
    out
}

impl PersonAnswer {
    fn fill(&self, out: &mut String, lang: Lang) -> std::fmt::Result {
        let dash = |text: &Option<String>| plain(text.as_deref().unwrap_or("-"));
        let time = |at: UtcMs| local_time::shown(&self.zone, at);
        let seller = plain(&self.seller);
        writeln!(out, "{}  [{}]  {seller}", dash(&self.name), dash(&self.contact_id))?;
        for phone in &self.phones {
            let typed = phone.typed.as_ref().filter(|typed| **typed != phone.number);
            let typed = typed.map(|typed| format!("  ({})", plain(typed))).unwrap_or_default();
            let gone = match phone.invalid {
                true => words::either(lang, "  given up: not in service", "  欠番のため発信停止"),
                false => "",
            };
            writeln!(out, "  {}{typed}{gone}", phone.number)?;
        }
        for entry in &self.suppressions {
            let label = words::either(lang, "do not call", "架電禁止");
            let (reason, proof) = (plain(&entry.reason), plain(&entry.proof));
            let lifted = entry.lifted.map(|at| format!(" - {}", time(at))).unwrap_or_default();
            let scope = plain(&entry.scope);
            writeln!(out, "  {label} ({scope}): {reason}  {}{lifted}  {proof}", time(entry.at))?;
        }
        for lead in &self.campaigns {
            writeln!(out)?;
            lead.fill(out, lang, &self.zone)?;
        }
        self.fill_attempts(out, lang)
    }

    fn fill_attempts(&self, out: &mut String, lang: Lang) -> std::fmt::Result {
        let t = texts(lang);
        writeln!(out, "\n{}", t.attempts)?;
        if self.attempts.is_empty() {
            writeln!(out, "  {}", words::either(lang, "none yet", "まだありません"))?;
        }
        for row in &self.attempts {
            let outcome = row.outcome.map_or(t.calls, |outcome| t.outcome(outcome));
            let first = row.first_outcome.map(|text| format!(" (was {text})")).unwrap_or_default();
            let sip = row.sip_status.map(|code| format!("  SIP {code}")).unwrap_or_default();
            let q850 = row.q850.map(|code| format!("  Q.850 {code}")).unwrap_or_default();
            let word = |text: &Option<String>| match text {
                Some(text) => format!("  {}", plain(text)),
                None => String::new(),
            };
            writeln!(
                out,
                "  {}  {}  {}  {outcome}{first}{sip}{q850}{}{}{}  {}",
                local_time::shown(&self.zone, row.started),
                plain(&row.campaign),
                row.number,
                word(&row.agent),
                word(&row.disposition),
                word(&row.message),
                row.call_ref,
            )?;
        }
        Ok(())
    }
}

impl LeadLine {
    fn fill(&self, out: &mut String, lang: Lang, zone: &str) -> std::fmt::Result {
        let (state, next) = self.shown;
        let next = match next {
            Some(next) => words::next(lang, next, self.before, zone),
            None if self.file => {
                words::next(lang, NextCall::Never(Gate::NoNumber), self.before, zone)
            }
            None => words::either(
                lang,
                "its campaign.toml was not found: hours and caps are not known",
                "campaign.toml が見つからず、時間と上限は不明です",
            )
            .to_owned(),
        };
        let (name, campaign_state) = (plain(&self.campaign), &self.campaign_state);
        writeln!(out, "{name} ({campaign_state}): {}  {next}", texts(lang).lead_state(state))?;
        if let Some(promised) = self.promised {
            let by = self.promised_by.as_ref().map(|name| format!("  {}", plain(name)));
            let at = local_time::shown(zone, promised);
            writeln!(out, "  {}: {at}{}", texts(lang).promised, by.unwrap_or_default())?;
        }
        if let Some(node) = &self.held_by {
            let label = words::either(lang, "held by dialer", "確保したプログラム");
            writeln!(out, "  {label}: {}", plain(node))?;
        }
        let dialer = match self.dialer.as_deref() {
            Some("-") => words::either(lang, "dials this campaign now", "この業務を発信中"),
            Some(held_by) => {
                let label = words::either(lang, "the dialer waits for", "発信プログラムの待ち");
                writeln!(out, "  {label}: {held_by}")?;
                ""
            }
            None => {
                words::either(lang, "no dialer runs this campaign", "この業務は実行されていません")
            }
        };
        if !dialer.is_empty() {
            writeln!(out, "  {dialer}")?;
        }
        for gate in &self.gates {
            let verdict = words::verdict(lang, gate.open, gate.until, zone);
            let meaning = if gate.open { "" } else { words::meaning(lang, gate.of) };
            let line = format!("  {}{}", pad(gate.gate, 16), pad(&verdict, 14));
            writeln!(out, "{}", format!("{line}  {meaning}").trim_end())?;
        }
        Ok(())
    }
}

/// Calls that are shown of a person.
const ATTEMPTS: u32 = 50;
