//! `[[behaviour]]`: one way to take a call.

use std::time::Duration;

use crate::config::book::auth;
use crate::config::book::law;
use crate::config::book::network;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::trunk::unique;
use crate::simulation::callee::Behaviour;
use crate::simulation::callee::End;
use crate::simulation::callee::Ring;
use crate::simulation::callee::Voice;
use crate::simulation::callee::digits;
use crate::simulation::dice::Law;
use crate::simulation::quirks::Ignores;
use crate::simulation::quirks::MOST_ACTS;
use crate::simulation::quirks::MOST_FORKS;
use crate::simulation::quirks::Quirks;
use crate::simulation::quirks::Trying;

/// A behaviour with its name and its weight.
pub(super) struct Named {
    pub(super) name: String,
    /// 0: only for numbers that are told so.
    pub(super) share: u32,
    pub(super) behaviour: Behaviour,
}

/// One behaviour whose name is none of `taken`. `can_ask` are the challenges, where the book has a user to be asked.
pub(super) fn behaviour(
    section: &Section<'_>,
    taken: &[String],
    can_ask: Option<&[auth::Style]>,
) -> Option<Named> {
    let name = section.need("name", "a name for this behaviour").and_then(|f| unique(&f, taken));
    let share = section.get("share").map_or(Some(0), |field| field.whole(0..=1_000_000));
    let kind = section.need("kind", "how the call goes, such as \"answer\" or \"busy\"");
    // Which other keys are right depends on it.
    let kind = kind.and_then(|field| field.choice(&KINDS))?;
    let made = of_kind(section, kind);
    let ring = section.get("ring").map(|field| field.choice(&RINGS));
    let early_voice = section.get("early_voice").map(|field| (voice(&field), field));
    let ring_after = section.get("ring_after").map(|field| law::law(&field));
    let challenge = section.get("challenge").map(|field| match can_ask {
        Some(styles) => auth::style_named(&field, styles),
        None => {
            field.wrong(Wrong::new("a challenge", "a user to be asked", "add the section [auth]"));
            None
        }
    });
    let quirks = quirks(section, kind);
    section.finish();
    let mut behaviour = made?;
    if let Some(ring) = ring {
        behaviour.ring = match ring? {
            Rings::None => Ring::None,
            Rings::Ringing => Ring::Ringing,
            Rings::EarlyMedia => Ring::EarlyMedia { voice: RINGBACK },
        };
    }
    match (&mut behaviour.ring, early_voice) {
        (Ring::EarlyMedia { voice }, Some((heard, _))) => *voice = heard?,
        (Ring::None | Ring::Ringing, Some((_, field))) => {
            field.unexpected("no early sound without 183", "add `ring = \"183\"`, or take it out");
        }
        (_, None) => {}
    }
    if let Some(after) = ring_after {
        behaviour.ring_after = after?;
    }
    behaviour.challenge = challenge.flatten();
    behaviour.quirks = quirks?;
    let name = name?;
    behaviour.name.clone_from(&name);
    Some(Named { name, share: share?, behaviour })
}

/// What only this kind has.
fn of_kind(section: &Section<'_>, kind: Kind) -> Option<Behaviour> {
    let after = |otherwise| law::law_of(section, "after", otherwise);
    Some(match kind {
        Kind::Answer => {
            let (after, talk) = (after(PICKS_UP), talk(section, TALKS));
            let voice = section.get("voice").map_or(Some(Voice::Speech), |field| voice(&field));
            let mut person = Behaviour::person(after?, TALKS);
            person.end = End::Answer { after: after?, talk: talk?, voice: voice? };
            person
        }
        Kind::Voicemail => {
            let (after, talk) = (after(MACHINE_PICKS_UP), talk(section, RECORDS));
            let greeting = section.get("greeting").map_or(Some(GREETING_MS), |field| {
                let time = field.duration(Duration::ZERO..=LONGEST_GREETING)?;
                u32::try_from(time.as_millis()).ok()
            });
            let beep = section.get("beep_hz").map_or(Some(1_000), |field| field.whole(300..=3_400));
            let beep_hz = beep.and_then(|hz| u16::try_from(hz).ok());
            let voice = Voice::Voicemail { greeting_ms: greeting?, beep_hz: beep_hz? };
            let mut machine = Behaviour::person(after?, TALKS);
            machine.end = End::Answer { after: after?, talk: talk?, voice };
            machine
        }
        Kind::LateAnswer => {
            let talk = talk(section, TALKS);
            let voice = section.get("voice").map_or(Some(Voice::Speech), |field| voice(&field));
            let mut late = Behaviour::late_answer(None);
            late.end = End::AnswerOnCancel { talk: talk?, voice: voice? };
            late
        }
        Kind::NoAnswer => Behaviour::no_answer(),
        Kind::Silent => Behaviour::silent(),
        Kind::Moved => {
            let advice = "write the number as it is to be dialed here";
            let to = section.need("to", "the number to call instead").and_then(|field| {
                let fits = |text: &str| !digits(text).is_empty() && text.len() <= 64;
                let written = |c: char| c.is_ascii_digit() || c == '+';
                field.parse("a number such as \"0312345678\"", advice, |text| {
                    (fits(text) && text.chars().all(written)).then(|| text.to_owned())
                })
            });
            let after = after(SOON);
            Behaviour::moved(after?, &to?)
        }
        Kind::Busy => refusal(section, after(SOON), Behaviour::busy)?,
        Kind::Decline => refusal(section, after(PICKS_UP), Behaviour::decline)?,
        Kind::Unwanted => refusal(section, after(PICKS_UP), Behaviour::unwanted)?,
        Kind::DeadNumber => refusal(section, after(SOON), Behaviour::dead_number)?,
        Kind::Announcement => refusal(section, after(ANNOUNCES), Behaviour::dead_announcement)?,
        Kind::Unavailable => refusal(section, after(SOON), Behaviour::unavailable)?,
        Kind::Congestion => {
            refusal(section, after(SOON), |after| Behaviour::congestion(after, PATIENCE_S))?
        }
        Kind::Refuse => {
            if section.get("status").is_none() {
                section.missing("status", "the status of the refusal, 300 to 699");
            }
            refusal(section, after(SOON), |after| Behaviour::refusal("refuse", after, 500, None))?
        }
    })
}

/// A refusal whose figures may be given anew.
fn refusal(
    section: &Section<'_>,
    after: Option<Law>,
    make: impl FnOnce(Law) -> Behaviour,
) -> Option<Behaviour> {
    let given = section.get("status").map(|field| field.whole(300..=699));
    let cause = section.get("cause").map(|field| field.whole(1..=127));
    let patience = section.get("retry_after").map(|field| law::whole_seconds(&field));
    let mut behaviour = make(after?);
    if let End::Refuse { status, q850, retry_after_s, .. } = &mut behaviour.end {
        if let Some(given) = given {
            *status = u16::try_from(given?).ok()?;
        }
        if let Some(cause) = cause {
            *q850 = Some(u8::try_from(cause?).ok()?);
        }
        if let Some(patience) = patience {
            *retry_after_s = Some(patience?);
        }
    }
    Some(behaviour)
}

fn quirks(section: &Section<'_>, kind: Kind) -> Option<Quirks> {
    let trying = section.get("trying").map_or(Some(Trying::AsUsual), |field| {
        if field.value().as_str() == Some("never") {
            return Some(Trying::Never);
        }
        law::time(&field).map(Trying::After)
    });
    let early_forks = few(section, "early_forks", MOST_FORKS);
    let early_update = section.get("early_update").map(|field| law::time(&field));
    let words = [("ack", Lost::Ack), ("bye", Lost::Bye), ("cancel", Lost::Cancel)];
    let lost = section.get("ignores").map(|f| f.list(|item| item.choice(&words)));
    let lost = lost.unwrap_or_default();
    let network = section.get("network").and_then(|field| field.section()).map(|s| network(&s));
    let answer = if kind.answers() { of_answer(section) } else { Some(Quirks::default()) };
    Some(Quirks {
        trying: trying?,
        early_forks: early_forks?,
        early_update: early_update.flatten(),
        ignores: Ignores {
            ack: lost.contains(&Lost::Ack),
            bye: lost.contains(&Lost::Bye),
            cancel: lost.contains(&Lost::Cancel),
        },
        network,
        ..answer?
    })
}

/// What is odd about an answer and the call after it.
fn of_answer(section: &Section<'_>) -> Option<Quirks> {
    let status = section.get("answer_status").map(|field| field.whole(200..=299));
    let (forks, repeats) =
        (few(section, "answer_forks", MOST_FORKS), few(section, "answer_repeats", 20));
    let flag = |key, usual| section.get(key).map_or(Some(usual), |field| field.flag());
    let (contact, crosses) = (flag("contact", true), flag("bye_crosses", false));
    let acts = section.get("acts").map(|field| (field.list(law::act), field));
    if let Some((acts, field)) = &acts
        && acts.len() > MOST_ACTS
    {
        field.unexpected(format!("at most {MOST_ACTS} acts"), "shorten the list");
    }
    Some(Quirks {
        answer_status: status.flatten().and_then(|status| u16::try_from(status).ok()),
        answer_forks: forks?,
        answer_repeats: repeats?,
        no_contact: !contact?,
        bye_crosses: crosses?,
        acts: acts.map(|(acts, _)| acts).unwrap_or_default(),
        ..Quirks::default()
    })
}

fn few(section: &Section<'_>, key: &'static str, most: u8) -> Option<u8> {
    let Some(field) = section.get(key) else { return Some(0) };
    field.whole(0..=u32::from(most)).and_then(|few| u8::try_from(few).ok())
}

/// How long until the callee hangs up; `"never"`: not at all.
#[expect(
    clippy::option_option,
    reason = "nothing said, and said to be without end, are two things"
)]
fn talk(section: &Section<'_>, otherwise: Law) -> Option<Option<Law>> {
    match section.get("talk") {
        None => Some(Some(otherwise)),
        Some(field) if field.value().as_str() == Some("never") => Some(None),
        Some(field) => law::law(&field).map(Some),
    }
}

fn voice(field: &Field<'_>) -> Option<Voice> {
    let expected = "\"speech\", \"silence\", \"none\", \"announcement\" or \"tone 1000\"";
    let advice = "a tone takes its frequency, 100 to 3400 Hz; \"none\" sends no packets at all";
    field.parse(expected, advice, |text| match text {
        "speech" => Some(Voice::Speech),
        "silence" => Some(Voice::Silence),
        "none" => Some(Voice::Dead),
        "announcement" => Some(Voice::Announcement),
        other => {
            let hz: u16 = other.strip_prefix("tone ")?.trim().parse().ok()?;
            (100..=3_400).contains(&hz).then_some(Voice::Tone { hz })
        }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    Ack,
    Bye,
    Cancel,
}

#[derive(Clone, Copy)]
enum Rings {
    None,
    Ringing,
    EarlyMedia,
}

const RINGS: [(&str, Rings); 3] =
    [("none", Rings::None), ("180", Rings::Ringing), ("183", Rings::EarlyMedia)];

#[derive(Clone, Copy)]
enum Kind {
    Answer,
    Voicemail,
    LateAnswer,
    NoAnswer,
    Silent,
    Moved,
    Busy,
    Decline,
    Unwanted,
    DeadNumber,
    Announcement,
    Unavailable,
    Congestion,
    Refuse,
}

impl Kind {
    const fn answers(self) -> bool {
        match self {
            Self::Answer | Self::Voicemail | Self::LateAnswer => true,
            Self::NoAnswer
            | Self::Silent
            | Self::Moved
            | Self::Busy
            | Self::Decline
            | Self::Unwanted
            | Self::DeadNumber
            | Self::Announcement
            | Self::Unavailable
            | Self::Congestion
            | Self::Refuse => false,
        }
    }
}

const KINDS: [(&str, Kind); 14] = [
    ("answer", Kind::Answer),
    ("voicemail", Kind::Voicemail),
    ("late_answer", Kind::LateAnswer),
    ("no_answer", Kind::NoAnswer),
    ("silent", Kind::Silent),
    ("moved", Kind::Moved),
    ("busy", Kind::Busy),
    ("decline", Kind::Decline),
    ("unwanted", Kind::Unwanted),
    ("dead_number", Kind::DeadNumber),
    ("announcement", Kind::Announcement),
    ("unavailable", Kind::Unavailable),
    ("congestion", Kind::Congestion),
    ("refuse", Kind::Refuse),
];

/// The ringing tone of Japan.
const RINGBACK: Voice = Voice::Tone { hz: 400 };
/// Where the book says nothing.
const SOON: Law = Law::between(200, 1_500);
const PICKS_UP: Law = Law::between(2_000, 8_000);
const ANNOUNCES: Law = Law::fixed(8_000);
const MACHINE_PICKS_UP: Law = Law::between(12_000, 20_000);
const RECORDS: Law = Law::fixed(60_000);
const PATIENCE_S: u32 = 5;
const TALKS: Law = Law::Lognormal { mean_ms: 60_000, cv: 1.0 };
const GREETING_MS: u32 = 6_000;
/// A greeting is kept as samples.
const LONGEST_GREETING: Duration = Duration::from_secs(120);
