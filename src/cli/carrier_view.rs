//! What `outdial carrier` shows: one line in place on a terminal, a line every five seconds elsewhere, totals at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use crate::carrier::CarrierReport;
use crate::cli::output::line;
use crate::cli::text::{Lang, cut, pad};
use crate::simulation::carrier_record::{EndedBy, LiveTotals};

/// Where the calls of a carrier are shown.
#[derive(Debug)]
pub(crate) struct View {
    lang: Lang,
    json: bool,
    in_place: bool,
    last_us: Option<u64>,
    shown: String,
}

impl View {
    /// Shown on the standard error output; as JSON on the standard output.
    pub(crate) fn new(lang: Lang, json: bool) -> Self {
        let in_place = std::io::stderr().is_terminal() && !json;
        Self { lang, json, in_place, last_us: None, shown: String::new() }
    }

    /// Where to call, and how to end it.
    pub(crate) fn announce(&self, at: SocketAddr, book: &str, seed: u64) {
        let texts = texts(self.lang);
        eprintln!("{} {at} (SIP/UDP)  {} {book}  seed {seed}", texts.listens, texts.book);
        if !self.json {
            eprintln!("{} sipp -sn uac {at} -s 0312340001 -m 1", texts.try_it);
        }
    }

    /// Shows the figures of the moment, if it is time to.
    pub(crate) fn show(&mut self, live: &LiveTotals) -> anyhow::Result<()> {
        let every_us = if self.json || self.in_place { 1_000_000 } else { 5_000_000 };
        if self.last_us.is_some_and(|last| live.at_us.saturating_sub(last) < every_us) {
            return Ok(());
        }
        self.last_us = Some(live.at_us);
        if self.json {
            return line(&serde_json::to_string(live)?);
        }
        let text = self.line(live);
        let mut err = std::io::stderr().lock();
        if self.in_place {
            write!(err, "\r\x1b[K{text}")?;
        } else if self.shown != text {
            // Nothing new is not worth a line.
            writeln!(err, "{text}")?;
        }
        self.shown = text;
        Ok(err.flush()?)
    }

    /// The line in place is over.
    pub(crate) fn end(&self) -> std::io::Result<()> {
        if self.in_place { writeln!(std::io::stderr().lock()) } else { Ok(()) }
    }

    fn line(&self, live: &LiveTotals) -> String {
        let t = texts(self.lang);
        let text = format!(
            "{} {}  {} {}  {} {}  {} {}  {} {}  {} {} ({} {})",
            t.calls,
            live.calls,
            t.open,
            live.open,
            t.answered,
            live.answered,
            t.refused,
            live.refused,
            t.cancelled,
            live.cancelled,
            t.per_second,
            live.invites_in_the_last_second,
            t.highest,
            live.most_invites_in_a_second,
        );
        if self.in_place { cut(&text, COLUMNS) } else { text }
    }

    /// The end.
    pub(crate) fn totals(&self, report: &CarrierReport) -> String {
        let t = texts(self.lang);
        let totals = &report.totals;
        let mut out = String::new();
        let mut row = |label: &str, value: String| {
            // Writing into a String cannot fail.
            writeln!(out, "{}{value}", pad(label, 16)).unwrap_or_default();
        };
        row(t.calls, format!("{}  ({} {})", totals.calls, totals.invites, t.invites));
        row(t.answered, totals.answered.to_string());
        if totals.open > 0 {
            row(t.open, totals.open.to_string());
        }
        row(
            t.highest,
            format!(
                "{} {}, {} {}",
                t.in_a_second, totals.most_calls_in_a_second, t.at_once, totals.most_at_once
            ),
        );
        row(t.statuses, listed(&totals.by_status, u16::to_string));
        row(t.ended_by, listed(&totals.by_end, |end| self.ended_by(*end).to_owned()));
        row(t.behaviours, listed(&totals.by_behaviour, String::clone));
        if totals.overlaps > 0 {
            row(t.overlaps, totals.overlaps.to_string());
        }
        if report.unrecorded > 0 {
            row(t.unrecorded, report.unrecorded.to_string());
        }
        if report.sip_lost > 0 {
            row(t.lost, report.sip_lost.to_string());
        }
        out
    }

    const fn ended_by(&self, end: EndedBy) -> &'static str {
        match (self.lang, end) {
            (Lang::En, EndedBy::Callee) => "callee",
            (Lang::En, EndedBy::Caller) => "caller",
            (Lang::En, EndedBy::Cancel) => "cancel",
            (Lang::En, EndedBy::Refusal) => "refusal",
            (Lang::En, EndedBy::Challenge) => "challenge",
            (Lang::En, EndedBy::Lost) => "lost",
            (Lang::Ja, EndedBy::Callee) => "着信側切断",
            (Lang::Ja, EndedBy::Caller) => "発信側切断",
            (Lang::Ja, EndedBy::Cancel) => "取消",
            (Lang::Ja, EndedBy::Refusal) => "拒否",
            (Lang::Ja, EndedBy::Challenge) => "認証",
            (Lang::Ja, EndedBy::Lost) => "途絶",
        }
    }
}

/// A line that wraps is not replaced by the next one.
const COLUMNS: usize = 79;

/// `486 12  404 3`; a dash for nothing.
fn listed<K>(counts: &BTreeMap<K, u64>, name: impl Fn(&K) -> String) -> String {
    let parts: Vec<String> =
        counts.iter().map(|(key, count)| format!("{} {count}", name(key))).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join("  ") }
}

const fn texts(lang: Lang) -> &'static Texts {
    match lang {
        Lang::En => &EN,
        Lang::Ja => &JA,
    }
}

#[derive(Debug)]
struct Texts {
    answered: &'static str,
    at_once: &'static str,
    behaviours: &'static str,
    book: &'static str,
    calls: &'static str,
    cancelled: &'static str,
    ended_by: &'static str,
    highest: &'static str,
    in_a_second: &'static str,
    invites: &'static str,
    listens: &'static str,
    lost: &'static str,
    open: &'static str,
    overlaps: &'static str,
    per_second: &'static str,
    refused: &'static str,
    statuses: &'static str,
    try_it: &'static str,
    unrecorded: &'static str,
}

const EN: Texts = Texts {
    answered: "answered",
    at_once: "at once",
    behaviours: "behaviours",
    book: "book",
    calls: "calls",
    cancelled: "cancelled",
    ended_by: "ended by",
    highest: "highest",
    in_a_second: "in a second",
    invites: "INVITEs",
    listens: "The carrier takes calls at",
    lost: "datagrams lost",
    open: "open",
    overlaps: "overlaps",
    per_second: "calls/s",
    refused: "refused",
    statuses: "final status",
    try_it: "Call it, for example:",
    unrecorded: "not recorded",
};

const JA: Texts = Texts {
    answered: "応答",
    at_once: "同時",
    behaviours: "ふるまい",
    book: "台本",
    calls: "着信",
    cancelled: "取消",
    ended_by: "終わり方",
    highest: "最大",
    in_a_second: "毎秒",
    invites: "INVITE",
    listens: "模擬キャリアの待受:",
    lost: "失われたデータグラム",
    open: "接続中",
    overlaps: "重なり",
    per_second: "着信/秒",
    refused: "拒否",
    statuses: "最終応答",
    try_it: "発信の例:",
    unrecorded: "記録外",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::width;

    #[test]
    fn a_line_in_place_never_wraps() {
        let live = LiveTotals {
            calls: 200_000,
            answered: 123_456,
            refused: 50_000,
            cancelled: 26_544,
            open: 1_000,
            invites_in_the_last_second: 1_000,
            most_invites_in_a_second: 1_000,
            ..LiveTotals::default()
        };
        for lang in [Lang::En, Lang::Ja] {
            let view = View { in_place: true, ..View::new(lang, false) };
            assert!((60..=COLUMNS).contains(&width(&view.line(&live))), "{}", view.line(&live));
        }
    }

    #[test]
    fn totals_say_what_was_counted() {
        let mut report = CarrierReport::default();
        report.totals.calls = 3;
        report.totals.invites = 4;
        report.totals.answered = 1;
        report.totals.by_status = [(200, 1), (486, 2)].into();
        report.totals.by_end = [(EndedBy::Caller, 1), (EndedBy::Refusal, 2)].into();
        report.totals.by_behaviour = [("busy".to_owned(), 2), ("person".to_owned(), 1)].into();
        report.totals.most_calls_in_a_second = 2;
        report.totals.most_at_once = 1;
        insta::assert_snapshot!(View::new(Lang::En, false).totals(&report));
        insta::assert_snapshot!(View::new(Lang::Ja, false).totals(&report));
    }
}
