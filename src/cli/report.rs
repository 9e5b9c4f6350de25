//! The report at the end of a run: the figures with what they are divided by.

use std::fmt::Write;

use serde::Serialize;

use crate::cli::figures::{cap, per_second, percent};
use crate::cli::page::plain;
use crate::cli::picture::{Answers, Campaign, Picture, Tenth};
use crate::cli::text::{Lang, either, pad, texts};
use crate::logic::dialer::Promises;
use crate::logic::settings::{DialMode, Disposition};

/// What a campaign's file says.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    /// The cap on D / A in parts per million.
    pub(crate) cap_ppm: u32,
    /// In the order of the file.
    pub(crate) dispositions: Vec<Disposition>,
}

/// The figures of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    /// From the first picture to the last.
    pub(crate) duration_ms: i64,
    /// INVITEs per second over that time.
    pub(crate) calls_per_second: f64,
    pub(crate) agents: AgentFigures,
    pub(crate) campaigns: Vec<CampaignFigures>,
}

/// All agents together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct AgentFigures {
    /// Agents who took a call.
    pub(crate) with_calls: usize,
    /// Calls taken.
    pub(crate) calls: u64,
    /// Talk and wrap-up of all.
    pub(crate) busy_ms: u64,
    /// Logged in and not paused, of all.
    pub(crate) staffed_ms: u64,
    /// Talk per call.
    pub(crate) average_talk_ms: u64,
    /// Wrap-up per call.
    pub(crate) average_wrap_up_ms: u64,
}

/// One campaign.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CampaignFigures {
    pub(crate) name: String,
    /// Attempts with an INVITE sent.
    pub(crate) attempts: u64,
    /// Answered by whomever.
    pub(crate) answered: u64,
    /// Of these, a person and an agent spoke.
    pub(crate) connected: u64,
    /// A: live answers that are resolved.
    pub(crate) live: u64,
    /// D.
    pub(crate) abandoned: u64,
    /// Of these, losses of calls that had an agent of their own.
    pub(crate) faults: u64,
    /// The cap on D / A in parts per million.
    pub(crate) cap_ppm: u32,
    /// Safe-harbour and call-lost messages played.
    pub(crate) messages: u64,
    /// Leads with nothing left to do, of all.
    pub(crate) leads_over: u64,
    pub(crate) leads: u64,
    /// In the order of the closed list.
    pub(crate) outcomes: Vec<(String, u64)>,
    /// What agents said, in the order of the campaign's file.
    pub(crate) dispositions: Vec<SaidFigures>,
    /// What held leads back.
    pub(crate) gates: Vec<(String, u64)>,
    /// Promised calls that are not made yet.
    pub(crate) promises: Promises,
    /// Due promised calls stay because a message was played, and no agent was there.
    #[serde(skip)]
    pub(crate) nobody_keeps: bool,
    /// What was told about who answers, since the campaign began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answers: Option<Answers>,
}

/// Calls by the agents' last word.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SaidFigures {
    pub(crate) code: String,
    pub(crate) label_en: String,
    pub(crate) label_ja: String,
    pub(crate) count: u64,
}

impl Report {
    /// Of a run's first and last pictures.
    pub(crate) fn of(first_at: i64, last: &Picture, known: &[Known]) -> Self {
        let duration_ms = last.at.saturating_sub(first_at).max(0);
        let calls: u64 = last.agents.iter().map(|agent| agent.calls).sum();
        let talk: u64 = last.agents.iter().map(|agent| agent.talk_ms).sum();
        let wrap_up: u64 = last.agents.iter().map(|agent| agent.wrap_up_ms).sum();
        let campaigns = last.campaigns.iter().map(|campaign| {
            let known = known.iter().find(|known| known.name == campaign.name);
            let connected = campaign.outcomes.iter().find(|(text, _)| text == "connected");
            let leads = campaign.leads;
            CampaignFigures {
                name: campaign.name.clone(),
                attempts: campaign.dialed,
                answered: campaign.answered,
                connected: connected.map_or(0, |(_, count)| *count),
                live: campaign.live,
                abandoned: campaign.abandoned,
                faults: campaign.faults,
                cap_ppm: known.map_or(0, |known| known.cap_ppm),
                messages: campaign.messages,
                leads_over: leads.over(),
                leads: leads.all(),
                outcomes: campaign.outcomes.iter().filter(|(_, n)| *n > 0).cloned().collect(),
                dispositions: said(campaign, known.map_or(&[], |known| &known.dispositions)),
                gates: campaign.gates.iter().filter(|(_, n)| *n > 0).cloned().collect(),
                promises: campaign.promises,
                nobody_keeps: campaign.promises.due > 0
                    && campaign.mode == DialMode::Agentless.as_str(),
                answers: campaign.pacing.as_ref().and_then(|pacing| pacing.answers.clone()),
            }
        });
        Self {
            duration_ms,
            calls_per_second: per_second(last.dialed(), duration_ms),
            agents: AgentFigures {
                with_calls: last.agents.iter().filter(|agent| agent.calls > 0).count(),
                calls,
                busy_ms: talk + wrap_up,
                staffed_ms: last.agents.iter().map(|agent| agent.staffed_ms).sum(),
                average_talk_ms: talk.checked_div(calls).unwrap_or(0),
                average_wrap_up_ms: wrap_up.checked_div(calls).unwrap_or(0),
            },
            campaigns: campaigns.collect(),
        }
    }

    /// For people.
    pub(crate) fn text(&self, lang: Lang) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        self.fill(&mut out, lang).unwrap_or_default();
        out
    }

    fn fill(&self, out: &mut String, lang: Lang) -> std::fmt::Result {
        let t = texts(lang);
        let tenths =
            |millis: u64| format!("{}.{} {}", millis / 1_000, millis % 1_000 / 100, t.seconds);
        let duration = tenths(u64::try_from(self.duration_ms).unwrap_or(0));
        writeln!(out, "{}", t.report)?;
        writeln!(
            out,
            "{}{duration}   {:.1} {}",
            label(t.duration),
            self.calls_per_second,
            t.calls_per_second
        )?;
        let agents = &self.agents;
        writeln!(
            out,
            "{}{}   {} {}   {} {}   {} {}",
            label(t.agents),
            agents.with_calls,
            t.occupancy,
            percent(agents.busy_ms, agents.staffed_ms),
            t.average_talk,
            tenths(agents.average_talk_ms),
            t.average_wrap_up,
            tenths(agents.average_wrap_up_ms),
        )?;
        for campaign in &self.campaigns {
            writeln!(out)?;
            writeln!(
                out,
                "{}{}   {} {}/{}",
                label(t.campaign),
                campaign.name,
                t.done,
                campaign.leads_over,
                campaign.leads
            )?;
            let share = |count| percent(count, campaign.attempts);
            writeln!(out, "{}{:>6}", label(t.attempts), campaign.attempts)?;
            writeln!(
                out,
                "{}{:>6}   {}",
                label(t.answered),
                campaign.answered,
                share(campaign.answered)
            )?;
            writeln!(
                out,
                "{}{:>6}   {}",
                label(t.connected),
                campaign.connected,
                share(campaign.connected)
            )?;
            writeln!(
                out,
                "{}{:>6}   {} {} ({}), {} {}, {} {}",
                label(t.abandoned),
                campaign.abandoned,
                percent(campaign.abandoned, campaign.live),
                t.of_live,
                campaign.live,
                t.cap,
                cap(campaign.cap_ppm),
                t.faults,
                campaign.faults,
            )?;
            writeln!(out, "{}{:>6}", label(t.messages), campaign.messages)?;
            writeln!(out, "{}", t.outcomes)?;
            for (text, count) in &campaign.outcomes {
                writeln!(out, "  {}{count:>6}   {}", pad(t.outcome(text), 20), share(*count))?;
            }
            if !campaign.dispositions.is_empty() {
                writeln!(out, "{}", t.dispositions)?;
            }
            let all: u64 = campaign.dispositions.iter().map(|said| said.count).sum();
            for said in &campaign.dispositions {
                let label = match lang {
                    Lang::Ja => &said.label_ja,
                    Lang::En => &said.label_en,
                };
                let (count, share) = (said.count, percent(said.count, all));
                writeln!(out, "  {}{count:>6}   {share}  {}", pad(&said.code, 20), plain(label))?;
            }
            if !campaign.gates.is_empty() {
                let gates: Vec<_> =
                    campaign.gates.iter().map(|(text, count)| format!("{text} {count}")).collect();
                writeln!(out, "{}{}", label(t.gates), gates.join(", "))?;
            }
            if let Some(promises) = t.promises(campaign.promises) {
                writeln!(out, "{}{promises}", label(t.promised))?;
            }
            if campaign.nobody_keeps {
                writeln!(out, "  {}", nobody_keeps(lang))?;
            }
            if let Some(answers) = &campaign.answers {
                who_answers(out, answers, lang)?;
            }
        }
        Ok(())
    }
}

/// Why promised calls that are due stay when a run ends.
const fn nobody_keeps(lang: Lang) -> &'static str {
    either(
        lang,
        "a recorded message keeps no promise: these calls stay as they are; run the campaign with agents, with any other dial_mode",
        "録音メッセージでは約束した電話をかけられません。予約はそのまま残ります。担当者がつく dial_mode で実行してください",
    )
}

/// Whether what was told came true, by tenths of the chance.
fn who_answers(out: &mut String, answers: &Answers, lang: Lang) -> std::fmt::Result {
    let Some(text) = answers.text(lang) else { return Ok(()) };
    writeln!(out, "{}{text}", label(either(lang, "who answers", "応答予測")))?;
    for (Tenth { calls, told, answers }, from) in answers.tenths.iter().zip((0..).step_by(10)) {
        if *calls < 1.0 {
            continue;
        }
        let share = |of: f64| format!("{:.1} %", 100.0 * of / calls);
        let (told, came) = (share(*told), share(*answers));
        let tenth = pad(&format!("{from}-{} %", from + 10), 20);
        match lang {
            Lang::En => writeln!(out, "  {tenth}{calls:>6.0}   told {told}, answered {came}")?,
            Lang::Ja => writeln!(out, "  {tenth}{calls:>6.0}   予測 {told}、応答 {came}")?,
        }
    }
    Ok(())
}

/// In the order of the file; a code that is not in it any more comes last, under its own name.
fn said(campaign: &Campaign, known: &[Disposition]) -> Vec<SaidFigures> {
    let place = |code: &str| known.iter().position(|d| d.code == code).unwrap_or(known.len());
    let mut said: Vec<_> = campaign
        .dispositions
        .iter()
        .map(|(code, count)| {
            let label = known.iter().find(|d| d.code == *code);
            let text = |of: fn(&Disposition) -> &String| label.map_or(code, of).clone();
            SaidFigures {
                code: code.clone(),
                label_en: text(|d| &d.label_en),
                label_ja: text(|d| &d.label_ja),
                count: *count,
            }
        })
        .collect();
    said.sort_by_key(|said| place(&said.code));
    said
}

fn label(text: &str) -> String {
    pad(text, 22)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::picture::Pacing;
    use crate::logic::settings::test_campaign;

    fn picture() -> Picture {
        serde_json::from_value(serde_json::json!({
            "at": 101_000, "draining": false, "old_legs": 0, "store": "ok", "unstored": 0,
            "agents": [
                {"name": "a", "state": "paused", "since": 1, "calls": 3, "talk_ms": 4_500, "wrap_up_ms": 900, "staffed_ms": 10_000},
                {"name": "b", "state": "offline", "since": 1, "calls": 0, "talk_ms": 0, "wrap_up_ms": 0, "staffed_ms": 2_000}],
            "campaigns": [{
                "name": "spring", "state": "finished", "mode": "progressive", "ratio": null,
                "ledger": {
                    "cap_ppm": 30_000, "answered": 4, "abandoned": 1, "fault": 1, "uncovered_allowed": 0, "uncovered": 0
                },
                "leads": {"ready": 0, "waiting": 1, "claimed": 0, "done": 7, "held": 1, "blocked": 1},
                "outcomes": [["connected", 3], ["abandoned", 1], ["busy", 6], ["unknown", 0]],
                "dialed": 10, "answered": 4, "live": 4, "abandoned": 1, "faults": 1, "messages": 1,
                "held_by": null, "gates": [["hours", 2], ["country", 0]],
                "dispositions": [["OLD_CODE", 1], ["REFUSED", 1], ["SALE", 2]]}],
            "trunks": [],
            "calls": {"dialing": 0, "ringing": 0, "waiting": 0, "talking": 0, "message": 0, "cancelling": 0}
        }))
        .unwrap()
    }

    #[test]
    fn the_report_says_what_each_share_is_of() {
        let dispositions = test_campaign().dispositions;
        let known = Known { name: "spring".to_owned(), cap_ppm: 30_000, dispositions };
        let report = Report::of(1_000, &picture(), &[known]);
        assert_eq!(report.agents.average_talk_ms, 1_500);
        assert_eq!(report.campaigns[0].leads_over, 9);
        insta::assert_snapshot!(report.text(Lang::En));
        insta::assert_snapshot!(report.text(Lang::Ja));
    }

    #[test]
    fn what_was_told_about_who_answers_stands_beside_what_came() {
        let mut picture = picture();
        let tenth = |calls, told, answers| Tenth { calls, told, answers };
        picture.campaigns[0].pacing = Some(Pacing {
            answers: Some(Answers {
                calls: 400.0,
                brier: 0.1512,
                base: 0.1873,
                slope: 0.96,
                tenths: vec![
                    tenth(0.0, 0.0, 0.0),
                    tenth(300.0, 45.0, 48.0),
                    tenth(100.0, 25.0, 24.0),
                ],
            }),
            ..Pacing::default()
        });
        let report = Report::of(1_000, &picture, &[]);
        let told = |lang| {
            let text = report.text(lang);
            let last = text.lines().rev().take(3);
            let words = last.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            words.collect::<Vec<_>>()
        };
        assert_eq!(
            told(Lang::En),
            [
                "20-30 % 100 told 25.0 %, answered 24.0 %",
                "10-20 % 300 told 15.0 %, answered 16.0 %",
                "who answers error 0.151 (mean alone 0.187), slope 0.96, 400 calls",
            ]
        );
        assert_eq!(told(Lang::Ja)[0], "20-30 % 100 予測 25.0 %、応答 24.0 %");
    }

    #[test]
    fn an_empty_run_divides_by_nothing() {
        let report = Report::of(0, &Picture::default(), &[]);
        assert!(report.text(Lang::En).contains("occupancy -"));
    }

    #[test]
    fn promised_calls_that_stay_are_told_of_and_where_nobody_could_keep_them_why() {
        let mut picture = picture();
        let mut lines = |mode: &str, promises| {
            picture.campaigns[0].mode = mode.to_owned();
            picture.campaigns[0].promises = promises;
            let report = Report::of(1_000, &picture, &[]);
            let lines = |lang| {
                let text = report.text(lang);
                let words = ["promise", "予約"];
                let told = text.lines().filter(|line| words.iter().any(|word| line.contains(word)));
                told.map(str::to_owned).collect::<Vec<_>>()
            };
            [lines(Lang::En), lines(Lang::Ja)]
        };
        let due = Promises { open: 3, due: 2, overdue: 1 };
        assert_eq!(lines("progressive", Promises::default()), [Vec::<String>::new(), vec![]]);
        assert_eq!(lines("progressive", due).map(|lines| lines.len()), [1, 1]);
        insta::assert_debug_snapshot!(lines("agentless", due));
        let later = Promises { due: 0, overdue: 0, ..due };
        assert_eq!(lines("agentless", later).map(|lines| lines.len()), [1, 1]);
    }
}
