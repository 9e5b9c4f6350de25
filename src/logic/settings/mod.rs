//! What the machines are told at start: campaigns, trunks, agents, as checked values that cannot be wrong.
//!
//! `config` builds them from the files a person writes; tests build them by hand.

mod agent;
mod campaign;
mod dial_mode;
mod fixed_point;
mod inbound;
mod recording;
mod trunk;

pub use agent::{AgentSettings, AutoAnswer};
pub use campaign::{
    AbandonBound, AbandonSettings, AbandonWindow, Calendar, CallLimits, CallingHours,
    CampaignSettings, CapSettings, DebtLimit, Disposition, DispositionEffect, Messages,
    NumberFormat, PreviewSettings, Rates, RetryRule, Sharing, TimeRange, Weekly,
};
pub use dial_mode::{DialMode, DialRatio, NotADialRatio};
pub use fixed_point::fixed_point;
pub use inbound::ReturnCalls;
pub use recording::Recording;
pub use trunk::{FromFormat, TrunkSettings};

/// Limits of the whole process.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// This process's name in the `node` table.
    pub name: String,
    /// Every trunk.
    pub trunks: Vec<TrunkSettings>,
    /// Every agent.
    pub agents: Vec<AgentSettings>,
    /// Every campaign of this run.
    pub campaigns: Vec<CampaignSettings>,
    /// Most customer legs at once, over all trunks.
    pub lines: u32,
}

/// A campaign for tests: short, always open, of a made-up seller.
#[cfg(test)]
#[must_use]
pub fn test_campaign() -> CampaignSettings {
    use std::time::Duration;

    CampaignSettings {
        name: "test".to_owned(),
        seller: "ACME".to_owned(),
        mode: DialMode::Progressive,
        sharing: Sharing::DEFAULT,
        rates: Rates::default(),
        learn_who_answers: true,
        preview: PreviewSettings {
            within: Duration::from_secs(60),
            skip: Duration::from_secs(600),
        },
        caller_id: "+81312345678".parse().unwrap(),
        countries: vec!["81".to_owned()],
        test_only: vec![],
        trunk: None,
        hours: CallingHours::Always,
        caps: CapSettings {
            per_day: 3,
            per_30_days: 10,
            total: 10,
            min_gap: Duration::from_secs(60),
            undelivered_per_hour: 3,
        },
        retry: std::collections::BTreeMap::new(),
        default_retry: RetryRule { delay: Duration::from_secs(3600), max: 3 },
        limits: CallLimits {
            ring: Duration::from_secs(25),
            post_dial_delay: Duration::from_secs(15),
            set_up: Duration::from_secs(60),
            connect: Duration::from_secs(2),
            talk: Duration::from_secs(3600),
            person_after: Duration::from_secs(10),
        },
        wrap_up: Duration::from_secs(10),
        dispositions: vec![
            Disposition {
                code: "SALE".to_owned(),
                label_en: "Sale".to_owned(),
                label_ja: "成約".to_owned(),
                digits: "1".to_owned(),
                effect: DispositionEffect::Success,
                live: Some(true),
            },
            Disposition {
                code: "REFUSED".to_owned(),
                label_en: "Refused".to_owned(),
                label_ja: "断り".to_owned(),
                digits: "9".to_owned(),
                effect: DispositionEffect::Refusal,
                live: Some(true),
            },
            Disposition {
                code: "CALLBACK_AGENT".to_owned(),
                label_en: "Call back, by me".to_owned(),
                label_ja: "再コール(自分)".to_owned(),
                digits: "3".to_owned(),
                effect: DispositionEffect::Callback {
                    after: Duration::from_secs(7_200),
                    within: Duration::from_secs(1_800),
                    personal: true,
                },
                live: Some(true),
            },
        ],
        hang_up_keys: "##".to_owned(),
        messages: Messages::default(),
        recording: None,
        return_calls: None,
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
