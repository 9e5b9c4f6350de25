//! A behaviour book: how the callees of the simulated carrier behave. Every key: `campaigns/carrier/README.md`.

mod auth;
mod behaviour;
pub(super) mod law;

use std::path::Path;
use std::time::Duration;

use crate::config::book::behaviour::Named;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::read_text;
use crate::config::file::with_document;
use crate::config::problem::Problems;
use crate::simulation::callee::Behaviour;
use crate::simulation::callee::BehaviourBook;
use crate::simulation::callee::NumberPattern;
use crate::simulation::callee::NumberRule;
use crate::simulation::callee::Row;
use crate::simulation::callee::digits;
use crate::simulation::dice::Law;
use crate::simulation::limits::Storm;
use crate::simulation::network::Link;

/// Reads and checks the book at `path`.
///
/// # Errors
/// Everything that is wrong in it, each with line and column.
pub fn read_book(path: &Path) -> Result<BehaviourBook, Problems> {
    let name = path.display().to_string();
    parse_book(&name, &read_text(path, &name)?)
}

/// Checks the text of a book called `name`.
///
/// # Errors
/// As [`read_book`].
pub fn parse_book(name: &str, text: &str) -> Result<BehaviourBook, Problems> {
    let checked = with_document(name, text, check)?;
    // `None` without a problem cannot be: every missing part has been reported.
    checked.ok_or_else(|| Problems(Vec::new()))
}

fn check(root: &Section<'_>) -> Option<BehaviourBook> {
    let styles = auth::styles(root);
    let auth_field = root.get("auth");
    let auth = auth_field.as_ref().and_then(Field::section).map(|s| auth::auth(&s, &styles));
    let network = root.get("network").and_then(|field| field.section()).map(|s| network(&s));
    let storms = root.get("storm").map(|f| f.sections().iter().map(storm).collect::<Vec<_>>());
    let can_ask = auth_field.is_some().then_some(styles.as_slice());
    let named = behaviours(root, can_ask);
    let numbers = root.get("number").map(|field| {
        field.sections().iter().map(|section| number_rule(section, &named)).collect::<Vec<_>>()
    });
    let rows = named
        .into_iter()
        .filter(|named| named.share > 0)
        .map(|Named { share, behaviour, .. }| Row { share, behaviour })
        .collect();
    Some(BehaviourBook {
        rows,
        numbers: numbers.unwrap_or_default().into_iter().collect::<Option<_>>()?,
        storms: storms.unwrap_or_default().into_iter().collect::<Option<_>>()?,
        auth: auth.map_or(Some(None), |auth| auth.map(Some))?,
        network,
    })
}

fn behaviours(root: &Section<'_>, can_ask: Option<&[auth::Style]>) -> Vec<Named> {
    let Some(field) = root.need_section("behaviour", "[[behaviour]]", "at least one behaviour")
    else {
        return Vec::new();
    };
    let (mut names, mut read) = (Vec::new(), Vec::new());
    for section in field.sections() {
        if let Some(named) = behaviour::behaviour(&section, &names, can_ask) {
            names.push(named.name.clone());
            read.push(named);
        }
    }
    read
}

/// `[[number]]`: which numbers, and what they do call by call.
fn number_rule(section: &Section<'_>, named: &[Named]) -> Option<NumberRule> {
    let ways: [(&'static str, Way); 3] = [
        ("number", NumberPattern::Exact),
        ("prefix", NumberPattern::Prefix),
        ("last", NumberPattern::Last),
    ];
    let found: Vec<_> =
        ways.into_iter().filter_map(|(key, way)| Some((section.get(key)?, way))).collect();
    let calls =
        section.need("calls", "what the first call meets, the second…: names of behaviours");
    let calls = calls.map(|field| field.list(|item| behaviour_named(item, named)));
    section.finish();
    let pattern = match found.as_slice() {
        [] => {
            section.missing(
                "number",
                "the number, or `prefix` or `last` with its first or last digits",
            );
            None
        }
        [(field, way)] => {
            let advice = "write it as callers dial it; + - ( ) and spaces do not count";
            let expected = "1 to 20 digits";
            let written = |c: char| c.is_ascii_digit() || "+-() ".contains(c);
            let read = field.parse(expected, advice, |text| {
                let key = digits(text);
                ((1..=20).contains(&key.len()) && text.chars().all(written)).then_some(key)
            });
            read.map(*way)
        }
        [_, (second, _), ..] => {
            second.unexpected("one of `number`, `prefix` and `last`", "make a [[number]] of each");
            None
        }
    };
    Some(NumberRule { pattern: pattern?, calls: calls? })
}

fn behaviour_named(item: &Field<'_>, named: &[Named]) -> Option<Behaviour> {
    let found = item.one_of(named, "[[behaviour]]", |named| &named.name);
    found.map(|named| named.behaviour.clone())
}

/// `[[storm]]`: refusals every so often.
fn storm(section: &Section<'_>) -> Option<Storm> {
    let long = Duration::from_millis(1)..=DAY;
    let first =
        section.get("first").map_or(Some(Duration::ZERO), |f| f.duration(Duration::ZERO..=DAY));
    let every = section.need("every", "from one storm to the next, such as \"60s\"");
    let every = every.and_then(|field| field.duration(long.clone()));
    let lasts_field = section.need("lasts", "how long it lasts, such as \"10s\"");
    let lasts = lasts_field.as_ref().and_then(|field| field.duration(long));
    let share_ppm = section.get("share").map_or(Some(1_000_000), |field| field.percent(100));
    let status = section.get("status").map_or(Some(503), |field| field.whole(400..=699));
    let retry_after_s = section.get("retry_after").map(|field| law::whole_seconds(&field));
    section.finish();
    if let (Some(every), Some(lasts), Some(field)) = (every, lasts, &lasts_field)
        && lasts > every
    {
        field.unexpected("at most as long as `every`", "shorten it, or make `every` longer");
    }
    Some(Storm {
        first: first?,
        every: every?,
        lasts: lasts?,
        share_ppm: share_ppm?,
        status: u16::try_from(status?).ok()?,
        retry_after_s: retry_after_s.flatten(),
    })
}

/// `[network]`, of the book or of one behaviour. What is wrong in it is reported and left as it comes.
fn network(section: &Section<'_>) -> Link {
    let parts = |key| section.get(key).and_then(|field| field.percent(100)).unwrap_or(0);
    let (loss_ppm, double_ppm) = (parts("loss"), parts("double"));
    let delay = section.get("delay").and_then(|field| law::law(&field)).unwrap_or(Law::fixed(0));
    section.finish();
    Link { delay, loss_ppm, double_ppm }
}

type Way = fn(String) -> NumberPattern;

const DAY: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
