//! `outdial replay JOURNAL`: asks the pacing engine again what a journal says it was asked, and compares.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cli::args::ReplayArgs;
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::say;
use crate::cli::text::{Lang, either};
use crate::logic::pacing::journal::{Line, Replay};

/// Replays a journal and says what differs.
pub(crate) fn run(lang: Lang, wanted: &ReplayArgs) -> Result<Exit, Failure> {
    let path = &wanted.journal;
    let file = File::open(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .or_exit(Exit::BadInput)?;
    let found = replay(BufReader::new(file))
        .with_context(|| format!("replaying {}", path.display()))
        .or_exit(Exit::BadInput)?;
    for differs in found.differs.iter().take(SHOWN) {
        let Differs { place, recorded, now } = differs;
        say!(
            "{} {place}: {recorded}\n  {} {now}",
            either(lang, "line", "行"),
            either(lang, "now", "今回")
        );
    }
    let (asked, differs) = (found.asked, found.differs.len());
    match lang {
        Lang::En => say!("{asked} decisions, {differs} of them differ"),
        Lang::Ja => say!("判断 {asked} 件、うち相違 {differs} 件"),
    }
    Ok(if differs == 0 { Exit::Ok } else { Exit::Failed })
}

/// What a replay came to.
#[derive(Debug, Default)]
struct Found {
    asked: usize,
    differs: Vec<Differs>,
}

#[derive(Debug, PartialEq, Eq)]
struct Differs {
    place: usize,
    recorded: String,
    now: String,
}

fn replay(journal: impl BufRead) -> anyhow::Result<Found> {
    let (mut replay, mut found) = (Replay::default(), Found::default());
    for (place, line) in journal.lines().enumerate() {
        let place = place + 1;
        let line = line.with_context(|| format!("line {place} cannot be read"))?;
        let line: Line<Value> = serde_json::from_str(&line)
            .with_context(|| format!("line {place} is no line of a pacing journal"))?;
        let Some((said, recorded)) =
            replay.play(line).with_context(|| format!("line {place} cannot be replayed"))?
        else {
            continue;
        };
        found.asked += 1;
        // As text and back, as the recorded one went: equal figures stay equal.
        let now: Value = serde_json::from_str(&serde_json::to_string(&said)?)?;
        if now != recorded {
            let (recorded, now) = (recorded.to_string(), now.to_string());
            found.differs.push(Differs { place, recorded, now });
        }
    }
    if found.asked == 0 {
        bail!("it has no decision");
    }
    Ok(found)
}

/// So many differences are shown; all are counted.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pacing::journal::Journal;
    use crate::logic::pacing::pacer::{AgentSince, CallSince, Fact, OddsNow, Pacer, Scene};
    use crate::logic::pacing::predictive::{AgentStage, CallStage};

    /// A made-up hour of six agents, as the dialer would write it, in parts of so many bytes.
    fn journal(part: u64) -> Vec<String> {
        let mut pacer = Pacer::new(30_000);
        let mut journal: Option<Journal> = None;
        let (mut scene, mut lines) = (Scene::default(), vec![]);
        for step in 1..600u64 {
            scene.at = step * 500_000;
            scene.window_left_ms = 20_000_000 - step * 500;
            (scene.most_lines, scene.spare) = (50, step % 9);
            let agent = i64::try_from(step % 6).unwrap();
            let stages = [AgentStage::Idle, AgentStage::Talking, AgentStage::Wrapping];
            let stage = stages[usize::try_from(step / 7 % 3).unwrap()];
            scene.agents.insert(agent, AgentSince(stage, scene.at, step % 50 == 0));
            scene
                .calls
                .insert(step, CallSince(CallStage::Ringing, scene.at, scene.at, OddsNow::EVEN));
            let over = step.saturating_sub(11);
            scene.seen = vec![(scene.at, Fact::Ringback(step))];
            if scene.calls.remove(&over).is_some() {
                let ends = [Fact::Live(over), Fact::NoAnswer(over), Fact::Refused(over)];
                scene.seen.push((scene.at, ends[usize::try_from(step % 3).unwrap()]));
                scene.seen.push((scene.at, Fact::TalkEnded(90_000_000 + step, step % 5 == 0)));
            }
            if journal.as_ref().is_none_or(|journal| journal.bytes() > part) {
                let (new, begins, fresh) = Journal::begin(&pacer).unwrap();
                (journal, pacer) = (Some(new), fresh);
                lines.push(serde_json::to_string(&begins).unwrap());
            }
            let said = pacer.ask(&scene);
            let line = journal.as_mut().unwrap().asked(&scene, said);
            lines.push(serde_json::to_string(&line).unwrap());
        }
        lines
    }

    fn replayed(lines: &[String]) -> anyhow::Result<Found> {
        replay(lines.join("\n").as_bytes())
    }

    #[test]
    fn a_journal_replays_to_the_same_decisions_also_where_it_began_anew() {
        let lines = journal(20_000);
        let begun: Vec<usize> = lines
            .iter()
            .enumerate()
            .filter(|(_, l)| l.contains("begins"))
            .map(|(n, _)| n)
            .collect();
        assert!(begun.len() > 3, "{}", begun.len());
        let found = replayed(&lines).unwrap();
        assert_eq!((found.asked, found.differs.len()), (599, 0));
        let part = replayed(&lines[begun[1]..begun[2]]).unwrap();
        assert_eq!(part.differs, [], "each part can be replayed alone");
    }

    #[test]
    fn a_changed_line_is_found() {
        let lines = journal(u64::MAX);
        let mut changed = lines.clone();
        let at = (300..).find(|n| lines[*n].contains("\"launch\":0")).unwrap();
        changed[at] = lines[at].replace("\"launch\":0", "\"launch\":1");
        let found = replayed(&changed).unwrap();
        assert_eq!(found.differs.iter().map(|d| d.place).collect::<Vec<_>>(), [at + 1]);
        // An input that was changed makes other decisions from there on.
        changed = lines.clone();
        changed[500] =
            lines[500].replace("\"talking\"", "\"idle\"").replace("\"wrapping\"", "\"idle\"");
        changed.remove(300);
        let found = replayed(&changed).unwrap();
        assert!(found.differs.iter().any(|differs| differs.place >= 300), "{found:?}");
    }

    #[test]
    fn what_is_no_journal_is_refused_by_line() {
        let lines = journal(u64::MAX);
        let wrong = |lines: &[String]| format!("{:#}", replayed(lines).unwrap_err());
        assert!(wrong(&[]).contains("no decision"));
        assert!(wrong(&lines[1..]).contains("line 1 cannot be replayed: it comes before"));
        assert!(wrong(&[lines[0].clone(), "{".to_owned()]).contains("line 2 is no line of"));
        let newer = lines[0].replace("\"version\":2", "\"version\":9");
        assert!(wrong(&[newer]).contains("version 9"));
        let torn = lines[0].replace("outdial pacing 1", "outdial pacing 0");
        assert!(wrong(&[torn]).contains("cannot be read"));
    }
}
