//! What a world is made of: campaigns, people, agents, callees.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use outdial::logic::compliance::calling_class::CallingClass;
use outdial::logic::outcome::Outcome;
use outdial::logic::settings::*;
use outdial::logic::sip::user_agent::Credentials;
use outdial::logic::time::UtcMs;
use outdial::simulation::callee::{Behaviour, BehaviourBook};
use outdial::simulation::dice::Law;
use outdial::simulation::digest_user::DigestUser;
use outdial::simulation::quirks::{Act, Quirks};
use outdial::store::{ImportPhone, ImportRow};

/// When the world begins: Monday 2026-09-21, 09:00 in Tokyo.
pub(crate) const T0: UtcMs = UtcMs(1_789_948_800_000);

pub(crate) const NODE: ([u8; 4], u16) = ([192, 0, 2, 1], 5060);
pub(crate) const CARRIER: ([u8; 4], u16) = ([192, 0, 2, 2], 5060);

pub(crate) fn phone_address(agent: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 10 + u8::try_from(agent).unwrap()], 5060))
}

/// The settings of a run, as `runtime` would hand them over at every start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) campaigns: Vec<CampaignSettings>,
    /// People per campaign: numbers `from..to`. Campaigns may share people.
    pub(crate) people: Vec<(u32, u32)>,
    pub(crate) agents: Vec<AgentSettings>,
    pub(crate) trunk: TrunkSettings,
    pub(crate) lines: u32,
    pub(crate) until_idle: bool,
    pub(crate) book: BehaviourBook,
    pub(crate) digest: bool,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self {
            campaigns: vec![campaign("autumn")],
            people: vec![(0, 100)],
            agents: agents(8),
            trunk: trunk(),
            lines: 50,
            until_idle: true,
            book: mixed_callees(),
            digest: false,
        }
    }

    pub(crate) fn trunk(&self) -> TrunkSettings {
        let credentials =
            self.digest.then(|| Credentials { username: "outdial".into(), password: "s3".into() });
        TrunkSettings { credentials, ..self.trunk.clone() }
    }

    pub(crate) fn digest_user(&self) -> Option<DigestUser> {
        self.digest.then(|| DigestUser {
            realm: "trunk".into(),
            username: "outdial".into(),
            password: "s3".into(),
        })
    }
}

/// Short limits, so that much happens in twenty minutes.
pub(crate) fn campaign(name: &str) -> CampaignSettings {
    let rule = |secs, max| RetryRule { delay: Duration::from_secs(secs), max };
    let file = |path: &str| BTreeMap::from([("ja".to_owned(), path.to_owned())]);
    CampaignSettings {
        learn_who_answers: true,
        name: name.to_owned(),
        seller: "ACME".to_owned(),
        mode: DialMode::Progressive,
        sharing: Sharing::DEFAULT,
        rates: Rates::default(),
        preview: PreviewSettings {
            within: Duration::from_secs(30),
            skip: Duration::from_secs(120),
        },
        caller_id: "+81312345678".parse().unwrap(),
        countries: vec!["81".to_owned()],
        test_only: vec![],
        trunk: None,
        hours: CallingHours::Always,
        caps: CapSettings {
            per_day: 4,
            per_30_days: 10,
            total: 5,
            min_gap: MIN_GAP,
            undelivered_per_hour: 3,
        },
        retry: BTreeMap::from([
            (Outcome::Busy, rule(90, 2)),
            (Outcome::NoAnswer, rule(150, 2)),
            (Outcome::Congestion, rule(60, 5)),
            (Outcome::Abandoned, rule(120, 3)),
            (Outcome::AgentLost, rule(120, 3)),
        ]),
        default_retry: rule(3_600, 3),
        limits: CallLimits {
            ring: Duration::from_secs(12),
            post_dial_delay: Duration::from_secs(6),
            set_up: Duration::from_secs(30),
            connect: Duration::from_secs(2),
            talk: Duration::from_secs(120),
            person_after: Duration::from_secs(10),
        },
        wrap_up: Duration::from_secs(15),
        dispositions: vec![
            disposition("SALE", "1", DispositionEffect::Success, Some(true)),
            disposition(
                "LATER",
                "2",
                DispositionEffect::Retry { after: Duration::from_secs(200) },
                Some(true),
            ),
            disposition("MACHINE", "3", DispositionEffect::Final, Some(false)),
            disposition(
                "PROMISED",
                "4",
                DispositionEffect::Callback {
                    after: Duration::from_secs(150),
                    within: Duration::from_secs(60),
                    personal: true,
                },
                Some(true),
            ),
            disposition("WRONG", "8", DispositionEffect::WrongNumber, Some(true)),
            disposition("REFUSED", "9", DispositionEffect::Refusal, Some(true)),
        ],
        hang_up_keys: "##".to_owned(),
        messages: Messages { safe_harbour: file(HARBOUR), call_lost: file(LOST) },
        return_calls: None,
        recording: Some(Recording {
            basis: String::new(),
            files: file(MESSAGE),
            removed: file(REMOVED),
            thanks: file(THANKS),
            keys: BTreeMap::from([('1', "SALE".to_owned()), ('9', "REFUSED".to_owned())]),
            repeat: 1,
            wait: Duration::from_secs(3),
            wrong_keys: 3,
            lines: None,
        }),
        abandon: AbandonSettings {
            cap_ppm: 30_000,
            window: AbandonWindow::Day,
            zone: "Asia/Tokyo".to_owned(),
            bound: AbandonBound::Instant,
        },
        skills: vec![],
        language: "ja".to_owned(),
        script: String::new(),
        simulated_only: true,
    }
}

/// Those who answer a recorded message: they listen, hang up, press 1 or 9 or a key without a meaning, or are machines.
pub(crate) fn listeners() -> BehaviourBook {
    let pressing = |share, name: &str, keys: &[(u64, &str)]| {
        let acts = keys
            .iter()
            .map(|(after, key)| (Duration::from_millis(*after), Act::Press((*key).to_owned())));
        let mut person = Behaviour::person(Law::between(1_000, 6_000), Law::fixed(40_000));
        person.name = name.to_owned();
        (share, person.with_quirks(Quirks { acts: acts.collect(), ..Quirks::default() }))
    };
    BehaviourBook::shares([
        pressing(20, "listens", &[]),
        pressing(10, "interested", &[(2_500, "1")]),
        pressing(15, "refuses", &[(1_200, "9")]),
        pressing(5, "refuses_at_once", &[(30, "9")]),
        pressing(5, "changes_his_mind", &[(2_000, "1"), (2_600, "9")]),
        pressing(5, "plays_with_keys", &[(500, "5#52")]),
        (15, Behaviour::person(Law::between(1_000, 6_000), Law::between(100, 2_500))),
        (10, Behaviour::busy(Law::fixed(800))),
        (15, Behaviour::no_answer()),
    ])
}

/// Open in these minutes of each day in Tokyo.
pub(crate) fn open_only(minutes: &[(u16, u16)]) -> CallingHours {
    let ranges: Vec<TimeRange> =
        minutes.iter().map(|&(start, end)| TimeRange { start, end }).collect();
    CallingHours::Weekly(Weekly {
        default_zones: vec!["Asia/Tokyo".to_owned()],
        days: std::array::from_fn(|_| ranges.clone()),
        holidays: None,
        calendar: Calendar::default(),
    })
}

pub(crate) fn agents(count: usize) -> Vec<AgentSettings> {
    (0..count)
        .map(|at| AgentSettings {
            name: agent_name(at),
            uri: format!("sip:{}@{}", agent_name(at), phone_address(at)),
            peer: phone_address(at),
            skills: vec![],
            languages: vec![],
            auto_answer: AutoAnswer::Both,
            nat: false,
        })
        .collect()
}

pub(crate) fn agent_name(at: usize) -> String {
    format!("agent{at}")
}

fn trunk() -> TrunkSettings {
    let usual = TrunkSettings::simulated("main", vec![CARRIER.into()]);
    let from_format = FromFormat { asserted_identity: true, ..usual.from_format };
    TrunkSettings { from_format, calls_per_second: 5, channels: 20, ..usual }
}

/// Everything a carrier can do to us, with short talks.
pub(crate) fn mixed_callees() -> BehaviourBook {
    let (ring, talk) = (Law::between(500, 6_000), Law::between(3_000, 25_000));
    let soon = Law::between(200, 2_000);
    let rows = [
        (34, Behaviour::person(ring, talk)),
        (12, Behaviour::busy(soon)),
        (14, Behaviour::no_answer()),
        (5, Behaviour::dead_number(soon)),
        (2, Behaviour::nowhere(soon)),
        (4, Behaviour::decline(soon)),
        (3, Behaviour::unwanted(soon)),
        (3, Behaviour::unavailable(soon)),
        (4, Behaviour::congestion(soon, 20)),
        (2, Behaviour::dead_announcement(ring)),
        (5, Behaviour::early_media_person(ring, talk)),
        (3, Behaviour::silent()),
        (4, Behaviour::hang_up_at_once(ring)),
        (5, Behaviour::late_answer(Some(talk))),
    ];
    BehaviourBook::shares(rows)
}

/// The row of person `n`; each seventh has a second number.
pub(crate) fn person(n: u32) -> ImportRow {
    let phone = |number: String| ImportPhone {
        key: number.clone(),
        number: number.parse().unwrap(),
        kind: None,
        extension: None,
        zones: ["Asia/Tokyo".to_owned()].into(),
    };
    let mut phones = vec![phone(format!("+8190{:08}", 20_000_000 + n))];
    if n.is_multiple_of(7) {
        phones.push(phone(format!("+8180{:08}", 20_000_000 + n)));
    }
    ImportRow {
        row_no: u64::from(n) + 1,
        external_id: Some(format!("X{n}")),
        name: Some(format!("Person {n}")),
        language: Some("ja".to_owned()),
        phones,
        rank: i64::from(n),
        custom: "[]".to_owned(),
        class: CallingClass::of_zones(["Asia/Tokyo"]).to_string().into(),
    }
}

pub(crate) fn sounds() -> BTreeMap<String, Arc<[i16]>> {
    // Three seconds at 8,000 samples a second.
    let silence: Arc<[i16]> = vec![0_i16; 24_000].into();
    let mut sounds: BTreeMap<String, Arc<[i16]>> =
        [HARBOUR, LOST, MESSAGE, THANKS].map(|path| (path.to_owned(), Arc::clone(&silence))).into();
    sounds.insert(REMOVED.to_owned(), vec![0_i16; REMOVED_SAMPLES].into());
    sounds
}

fn disposition(
    code: &str,
    digits: &str,
    effect: DispositionEffect,
    live: Option<bool>,
) -> Disposition {
    Disposition {
        code: code.to_owned(),
        label_en: code.to_owned(),
        label_ja: code.to_owned(),
        digits: digits.to_owned(),
        effect,
        live,
    }
}

/// Longer than SIP repeats anything (64*T1), so that a lost BYE cannot make two calls to a number overlap.
pub(crate) const MIN_GAP: Duration = Duration::from_secs(60);

const HARBOUR: &str = "harbour.wav";
const LOST: &str = "lost.wav";
const MESSAGE: &str = "message.wav";
const REMOVED: &str = "removed.wav";
const THANKS: &str = "thanks.wav";
/// No other sound is as long: so it is known when it is heard.
pub(crate) const REMOVED_SAMPLES: usize = 8_000;
