//! A rehearsal as JSON, for a program: figures by their stable names, words in English whatever the language.

use serde_json::{Map, Value, json};

use crate::cli::simulate::pairs::Pair;
use crate::cli::simulate::{Outlook, mode_text, words};
use crate::cli::text::Lang;
use crate::simulation::rehearsal::figures::Figure;
use crate::simulation::rehearsal::record::Record;
use crate::simulation::rehearsal::sure::Sure;

/// What came of one setting.
pub(crate) fn outlook(outlook: &Outlook) -> Value {
    let rehearsal = &outlook.rehearsal;
    let days = rehearsal.days.iter().map(|day| {
        let length = u64::try_from(day.length.as_millis()).unwrap_or(u64::MAX);
        json!({ "starts_ms": day.starts, "length_ms": length })
    });
    let assumed = outlook.told.iter().map(|told| {
        json!({
            "what": words::part(Lang::En, told.part),
            "value": words::value(Lang::En, &told.value),
            "from": words::source(Lang::En, told.part, told.from),
        })
    });
    json!({
        "campaign": rehearsal.campaign.name,
        "mode": mode_text(rehearsal.campaign.mode),
        "agents": rehearsal.agents.len(),
        "leads": rehearsal.list.len(),
        "cap_ppm": rehearsal.campaign.abandon.cap_ppm,
        "days": days.collect::<Vec<_>>(),
        "figures": by_name(|figure| outlook.sure(figure).map(sure)),
        "seeds": outlook.records.iter().map(seed).collect::<Vec<_>>(),
        "held_by": outlook.held().into_iter().map(|(word, share)| (word.to_owned(), json!(share))).collect::<Map<_, _>>(),
        "assumed": assumed.collect::<Vec<_>>(),
    })
}

/// Two settings and the difference of each pair.
pub(crate) fn pair(pair: &Pair) -> Value {
    let side = |name: &str, of: &Outlook| json!({ "name": name, "rehearsed": outlook(of) });
    json!({
        "a": side(&pair.one_name, &pair.one),
        "b": side(&pair.other_name, &pair.other),
        "difference": by_name(|figure| pair.difference(figure).map(sure)),
    })
}

/// What came of one seed, and what was broken in it.
fn seed(record: &Record) -> Value {
    let breaches = record.breaches.iter();
    let breaches = breaches.map(|breach| json!({ "at_ms": breach.at, "what": breach.what }));
    json!({
        "seed": record.seed,
        "figures": by_name(|figure| figure.of(record).map(Value::from)),
        "breaches": breaches.collect::<Vec<_>>(),
    })
}

fn sure(sure: Sure) -> Value {
    let interval = sure.half.map(|half| [sure.mean - half, sure.mean + half]);
    let Sure { count, mean, least, most, .. } = sure;
    json!({ "seeds": count, "mean": mean, "interval": interval, "least": least, "most": most })
}

/// Figures that have a value.
fn by_name(of: impl Fn(Figure) -> Option<Value>) -> Map<String, Value> {
    let named = Figure::ALL.into_iter();
    named.filter_map(|figure| Some((figure.as_str().to_owned(), of(figure)?))).collect()
}
