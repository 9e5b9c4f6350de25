//! Two settings, the same people, the same seeds: the difference of each pair.

use std::fmt::Write;

use crate::cli::simulate::Outlook;
use crate::cli::simulate::chart::{Chart, Line, Style, escaped};
use crate::cli::simulate::steps::{self, Steps};
use crate::cli::simulate::{page, summary, words};
use crate::cli::text::{Lang, either, pad, pad_left};
use crate::simulation::rehearsal::figures::Figure;
use crate::simulation::rehearsal::record::Step;
use crate::simulation::rehearsal::sure::Sure;

/// Two outlooks over the same seeds.
#[derive(Debug)]
pub(crate) struct Pair {
    /// What the first one is called.
    pub(crate) one_name: String,
    pub(crate) one: Outlook,
    /// What the second one is called.
    pub(crate) other_name: String,
    pub(crate) other: Outlook,
}

impl Pair {
    /// The other less the one, seed by seed, where both have a value.
    pub(crate) fn difference(&self, figure: Figure) -> Option<Sure> {
        let pairs = self.one.records.iter().zip(&self.other.records);
        let both = pairs.filter_map(|(one, other)| Some(figure.of(other)? - figure.of(one)?));
        Sure::of(&both.collect::<Vec<f64>>())
    }

    /// For people.
    pub(crate) fn text(&self, lang: Lang) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        self.fill(&mut out, lang).unwrap_or_default();
        out
    }

    fn fill(&self, out: &mut String, lang: Lang) -> std::fmt::Result {
        writeln!(out, "A  {}\n   {}", self.one_name, summary::title(&self.one, lang))?;
        writeln!(out, "B  {}\n   {}", self.other_name, summary::title(&self.other, lang))?;
        writeln!(out)?;
        let difference = either(lang, "B - A", "B - A");
        let interval = either(lang, "95 % interval", "95 %信頼区間");
        writeln!(
            out,
            "{} {} {} {}  {interval}",
            pad("", LABEL),
            pad_left("A", COLUMN),
            pad_left("B", COLUMN),
            pad_left(difference, COLUMN)
        )?;
        for figure in Figure::ALL {
            let Some(row) = self.row(lang, figure) else { continue };
            let Row { label, one, other, difference, interval, clear } = row;
            let mark = if clear { "" } else { "  ~" };
            writeln!(
                out,
                "{} {} {} {}  {interval}{mark}",
                pad(&label, LABEL),
                pad_left(&one, COLUMN),
                pad_left(&other, COLUMN),
                pad_left(&difference, COLUMN)
            )?;
        }
        writeln!(out)?;
        writeln!(out, "{}", self.note(lang))?;
        for outlook in [&self.one, &self.other] {
            writeln!(out, "{}", summary::list_text(outlook, lang))?;
        }
        writeln!(out, "{}", summary::promise_text(self.worst(), lang))
    }

    fn row(&self, lang: Lang, figure: Figure) -> Option<Row> {
        let shown = |outlook: &Outlook| {
            outlook
                .sure(figure)
                .map_or_else(|| "-".to_owned(), |sure| words::shown(lang, figure, sure.mean))
        };
        let (one, other) = (shown(&self.one), shown(&self.other));
        if one == "-" && other == "-" {
            return None;
        }
        let (label, decimals, unit) = words::figure(lang, figure);
        let unit = if unit == " %" { either(lang, " points", " ポイント") } else { unit };
        let sure = self.difference(figure);
        let difference =
            sure.map_or_else(|| "-".to_owned(), |sure| format!("{:+.decimals$}{unit}", sure.mean));
        let interval = sure.and_then(|sure| Some((sure.mean, sure.half?))).map(|(mean, half)| {
            format!("{:+.decimals$} .. {:+.decimals$}", mean - half, mean + half)
        });
        Some(Row {
            label: label.to_owned(),
            one,
            other,
            difference,
            interval: interval.unwrap_or_default(),
            clear: sure.is_some_and(|sure| sure.is_clear()),
        })
    }

    fn note(&self, lang: Lang) -> &'static str {
        match (lang, self.one.records.len()) {
            (Lang::En, 1) => {
                "One seed says nothing of how sure a difference is: use --seeds 5 or more."
            }
            (Lang::Ja, 1) => "1回だけでは差の確かさは分かりません。--seeds 5 以上にしてください。",
            (Lang::En, _) => {
                "The same people in the same seeds; ~ marks a difference that may be chance (its interval holds 0)."
            }
            (Lang::Ja, _) => {
                "同じ人・同じシードでの比較。~ は偶然かもしれない差(区間が0を含む)です。"
            }
        }
    }

    fn worst(&self) -> &Outlook {
        let broken = self.other.records.iter().any(|record| !record.breaches.is_empty());
        if broken { &self.other } else { &self.one }
    }

    /// The page.
    pub(crate) fn html(&self, lang: Lang) -> String {
        let mut out = String::new();
        self.fill_html(&mut out, lang).unwrap_or_default();
        out
    }

    fn fill_html(&self, out: &mut String, lang: Lang) -> std::fmt::Result {
        let name = &self.one.rehearsal.campaign.name;
        page::head(out, name, lang)?;
        writeln!(out, "<h1>{}</h1>", escaped(name))?;
        for (letter, name, outlook, folder) in
            [("A", &self.one_name, &self.one, "a"), ("B", &self.other_name, &self.other, "b")]
        {
            writeln!(
                out,
                "<p class=\"lead\"><b>{letter}</b> {}: {} (<a href=\"{folder}/index.html\">{}</a>)</p>",
                escaped(name),
                escaped(&summary::title(outlook, lang)),
                either(lang, "alone", "詳細")
            )?;
        }
        writeln!(out, "<p>{}</p>", escaped(self.note(lang)))?;
        writeln!(
            out,
            "<table><thead><tr><th></th><th class=\"n\">A</th><th class=\"n\">B</th><th class=\"n\">B - A</th>\
             <th class=\"n\">{}</th><th></th></tr></thead><tbody>",
            either(lang, "95 % interval", "95 %信頼区間")
        )?;
        for row in Figure::ALL.into_iter().filter_map(|figure| self.row(lang, figure)) {
            writeln!(
                out,
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{}</td><td>{}</td></tr>",
                escaped(&row.label),
                row.one,
                row.other,
                row.difference,
                row.interval,
                if row.clear { "" } else { "~" }
            )?;
        }
        writeln!(out, "</tbody></table>")?;
        self.charts(out, lang);
        writeln!(out, "</main></body></html>")
    }

    fn charts(&self, out: &mut String, lang: Lang) {
        let (one, other) = (Steps::of(&self.one), Steps::of(&self.other));
        let labels =
            if one.labels().len() >= other.labels().len() { one.labels() } else { other.labels() };
        let two = |of: &dyn Fn(&Step) -> Option<f64>| {
            let means = |steps: &Steps<'_>| {
                steps.over(of).iter().map(|sure| sure.map(|sure| sure.mean)).collect::<Vec<_>>()
            };
            let line = |name, values, style| Line { name, values, band: vec![], style };
            vec![line("A", means(&one), Style::First), line("B", means(&other), Style::Second)]
        };
        let e = |en, ja| either(lang, en, ja);
        let charts = [
            (e("Agents busy (occupancy)", "稼働率"), "%", two(&steps::occupancy), 100.0),
            (
                e("Abandoned calls of the window", "期間内の放棄呼"),
                e("calls", "件"),
                two(&steps::lost),
                4.0,
            ),
            (e("Agents wait for a talk", "担当者の待機"), e("s", "秒"), two(&steps::idle), 4.0),
            (
                e("Calls started in five minutes", "5分あたりの発信"),
                e("calls", "件"),
                two(&|step: &Step| Some(f64::from(step.dials))),
                4.0,
            ),
            (
                e("Most calls at once", "最大同時回線数"),
                e("calls", "回線"),
                two(&|step: &Step| Some(f64::from(step.lines_peak))),
                4.0,
            ),
        ];
        for (title, unit, lines, at_least) in charts {
            out.push_str(&Chart { title, unit, labels: &labels, lines, at_least }.html());
        }
    }
}

struct Row {
    label: String,
    one: String,
    other: String,
    difference: String,
    interval: String,
    clear: bool,
}

const LABEL: usize = 36;
const COLUMN: usize = 14;
