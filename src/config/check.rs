//! Both files together: what `outdial check` says before it looks at network and database.

use std::fmt;

use crate::config::CampaignFile;
use crate::config::OutdialFile;
use crate::logic::settings::DialMode;
use crate::logic::settings::TrunkSettings;

/// One finding, in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What, and what to do.
    pub text: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What holds.
    Fine,
    /// Worth a thought; dialing starts.
    Warning,
    /// Dialing does not start.
    Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.level {
            Level::Fine => "ok",
            Level::Warning => "warning",
            Level::Problem => "problem",
        };
        write!(f, "{mark}: {}", self.text)
    }
}

/// Everything `outdial check` can say of a campaign without network and database.
#[must_use]
pub fn check(outdial: &OutdialFile, campaign: &CampaignFile) -> Vec<Finding> {
    let name = &campaign.settings.name;
    let mut findings: Vec<Finding> =
        campaign.notes.iter().map(|note| fine(format!("campaign {name}: {note}"))).collect();
    findings.extend(check_against(outdial, campaign));
    findings.extend(campaign.lists.iter().filter(|list| !list.path.is_file()).map(|list| {
        problem(format!(
            "campaign {name}: the list {} is not there; put it at {}",
            list.name,
            list.path.display()
        ))
    }));
    findings
}

/// What keeps `campaign` from being dialed by the installation of `outdial`, and what is worth a thought.
#[must_use]
pub fn check_against(outdial: &OutdialFile, campaign: &CampaignFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    match trunk_of(outdial, campaign) {
        Ok(trunk) => against_trunk(campaign, trunk, &mut findings),
        Err(finding) => findings.push(finding),
    }
    against_agents(outdial, campaign, &mut findings);
    let channels: u32 =
        outdial.trunks.iter().fold(0, |n, t| n.saturating_add(t.without_peers().channels));
    let ports = outdial.rtp_ports.end().saturating_sub(*outdial.rtp_ports.start());
    // RTP and RTCP of each leg; an agent's shift is a leg too.
    let legs = u32::from(ports).saturating_add(1) / 2;
    let wanted = outdial.lines.min(channels).saturating_add(count(outdial.agents.len()));
    if legs < wanted {
        findings.push(warning(format!(
            "{} has RTP ports for {legs} legs, but lines and agents may need {wanted}; widen `ports` of [rtp]",
            outdial.name
        )));
    }
    findings
}

fn trunk_of<'o>(
    outdial: &'o OutdialFile,
    campaign: &CampaignFile,
) -> Result<&'o TrunkSettings, Finding> {
    let settings = &campaign.settings;
    let found = match &settings.trunk {
        Some(name) => outdial.trunks.iter().find(|trunk| trunk.name() == name),
        None => outdial.trunks.first(),
    };
    found.map(|trunk| trunk.without_peers()).ok_or_else(|| {
        let wanted = settings.trunk.as_deref().unwrap_or("(the first)");
        let there: Vec<&str> = outdial.trunks.iter().map(|trunk| trunk.name()).collect();
        problem(format!(
            "campaign {}: no trunk is named {wanted}; {} has {}",
            settings.name,
            outdial.name,
            there.join(", ")
        ))
    })
}

fn against_trunk(campaign: &CampaignFile, trunk: &TrunkSettings, findings: &mut Vec<Finding>) {
    let settings = &campaign.settings;
    let (name, trunk_name) = (&settings.name, &trunk.name);
    match (settings.simulated_only, trunk.simulated) {
        (true, false) => findings.push(problem(format!(
            "campaign {name} is simulated_only, but trunk {trunk_name} leads to real people; \
             name a trunk with `simulated = true`, or give the campaign real hours and limits"
        ))),
        (false, true) => findings.push(problem(format!(
            "campaign {name} is real, but trunk {trunk_name} is simulated; name a real trunk, \
             or set `simulated_only = true` in the campaign"
        ))),
        (true, true) | (false, false) => {}
    }
    if trunk.caller_ids.is_empty() {
        if !trunk.simulated {
            findings.push(warning(format!(
                "trunk {trunk_name} lets any caller ID through; list yours in `caller_ids`, \
                 or the carrier may refuse or replace it"
            )));
        }
    } else if !trunk.caller_ids.contains(&settings.caller_id) {
        findings.push(problem(format!(
            "campaign {name} shows {}, which is not among `caller_ids` of trunk {trunk_name}; \
             use one of them",
            settings.caller_id
        )));
    }
    if !settings.test_only.is_empty() {
        findings.push(warning(format!(
            "campaign {name} reaches only the {} numbers of `test_only`; take it out for the real run",
            settings.test_only.len()
        )));
    }
}

fn against_agents(outdial: &OutdialFile, campaign: &CampaignFile, findings: &mut Vec<Finding>) {
    let settings = &campaign.settings;
    let name = &settings.name;
    if settings.mode == DialMode::Agentless {
        findings.push(fine(format!("campaign {name}: needs no agent")));
        return;
    }
    let skilled = || {
        outdial
            .agents
            .iter()
            .filter(|agent| settings.skills.iter().all(|skill| agent.skills.contains(skill)))
    };
    if skilled().next().is_none() {
        findings.push(problem(format!(
            "campaign {name}: no agent has all of its skills ({}); add them to an [[agent]]",
            settings.skills.join(", ")
        )));
        return;
    }
    for language in &campaign.languages {
        let speaks = skilled().filter(|a| a.languages.is_empty() || a.languages.contains(language));
        let speakers = speaks.count();
        if speakers == 0 {
            findings.push(problem(format!(
                "campaign {name}: no agent with its skills speaks {language}; \
                 add it to `languages` of an [[agent]]"
            )));
        } else {
            findings
                .push(fine(format!("campaign {name}: agents who can take {language}: {speakers}")));
        }
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

const fn fine(text: String) -> Finding {
    Finding { level: Level::Fine, text }
}

const fn warning(text: String) -> Finding {
    Finding { level: Level::Warning, text }
}

const fn problem(text: String) -> Finding {
    Finding { level: Level::Problem, text }
}
