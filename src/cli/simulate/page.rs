//! The rehearsal as one HTML page: tables and charts, nothing loaded from elsewhere, no script.

use std::fmt::Write;

use crate::cli::figures::cap;
use crate::cli::simulate::Outlook;
use crate::cli::simulate::chart::{Chart, Line, Style, escaped};
use crate::cli::simulate::steps::{self, Steps};
use crate::cli::simulate::{summary, words};
use crate::cli::text::{Lang, either};
use crate::simulation::rehearsal::figures::Figure;
use crate::simulation::rehearsal::record::Step;
use crate::simulation::rehearsal::sure::Sure;

/// The whole page.
pub(crate) fn html(outlook: &Outlook, lang: Lang) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    fill(&mut out, outlook, lang).unwrap_or_default();
    out
}

fn fill(out: &mut String, outlook: &Outlook, lang: Lang) -> std::fmt::Result {
    head(out, &outlook.rehearsal.campaign.name, lang)?;
    writeln!(out, "<h1>{}</h1>", escaped(&outlook.rehearsal.campaign.name))?;
    writeln!(out, "<p class=\"lead\">{}</p>", escaped(&summary::title(outlook, lang)))?;
    let kept = outlook.records.iter().all(|record| record.breaches.is_empty());
    let class = if kept { "kept" } else { "broken" };
    writeln!(out, "<p class=\"{class}\">{}</p>", escaped(&summary::promise_text(outlook, lang)))?;
    tiles(out, outlook, lang)?;
    writeln!(out, "<p>{}</p>", escaped(&summary::list_text(outlook, lang)))?;
    writeln!(out, "<h2>{}</h2>", either(lang, "Over the day", "一日の推移"))?;
    if outlook.records.len() > 1 {
        let text = either(
            lang,
            "Lines are means over the seeds; the pale band goes from the least to the most.",
            "線は各回の平均、淡い帯は最小から最大までです。",
        );
        writeln!(out, "<p>{text}</p>")?;
    }
    charts(out, outlook, lang)?;
    writeln!(out, "<h2>{}</h2>", either(lang, "Figures", "数値"))?;
    table(out, outlook, lang)?;
    held(out, outlook, lang)?;
    writeln!(out, "<h2>{}</h2>", either(lang, "What was assumed, and whence", "前提とその出所"))?;
    writeln!(out, "<table><tbody>")?;
    for told in &outlook.told {
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td>{}</td></tr>",
            escaped(words::part(lang, told.part)),
            escaped(&words::value(lang, &told.value)),
            escaped(&words::source(lang, told.part, told.from))
        )?;
    }
    writeln!(out, "</tbody></table>\n</main></body></html>")
}

/// Everything before the text.
pub(crate) fn head(out: &mut String, title: &str, lang: Lang) -> std::fmt::Result {
    let code = either(lang, "en", "ja");
    let title = escaped(title);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>"
    )
}

fn tiles(out: &mut String, outlook: &Outlook, lang: Lang) -> std::fmt::Result {
    writeln!(out, "<div class=\"tiles\">")?;
    for figure in [
        Figure::Occupancy,
        Figure::AbandonRate,
        Figure::TalksPerHour,
        Figure::IdleMean,
        Figure::LinesPeak,
        Figure::RatePeak,
    ] {
        let Some(sure) = outlook.sure(figure) else { continue };
        let (label, _, _) = words::figure(lang, figure);
        let note = tile_note(outlook, lang, figure, sure);
        writeln!(
            out,
            "<div><span>{}</span><b>{}</b><small>{}</small></div>",
            escaped(label),
            escaped(&words::shown(lang, figure, sure.mean)),
            escaped(&note)
        )?;
    }
    writeln!(out, "</div>")
}

/// What stands below a figure: its limit where it has one, else how sure it is.
fn tile_note(outlook: &Outlook, lang: Lang, figure: Figure, sure: Sure) -> String {
    let rehearsal = &outlook.rehearsal;
    let of_at_most = |most: u32| format!("{} {most}", either(lang, "of at most", "上限"));
    if figure == Figure::AbandonRate {
        let cap = cap(rehearsal.campaign.abandon.cap_ppm);
        format!("{} {cap}", either(lang, "cap", "上限"))
    } else if figure == Figure::LinesPeak {
        of_at_most(rehearsal.trunk.channels.min(rehearsal.lines))
    } else if figure == Figure::RatePeak {
        of_at_most(rehearsal.trunk.calls_per_second)
    } else {
        summary::interval_of(lang, figure, sure)
    }
}

fn table(out: &mut String, outlook: &Outlook, lang: Lang) -> std::fmt::Result {
    let several = outlook.records.len() > 1;
    writeln!(
        out,
        "<table><thead><tr><th></th><th class=\"n\">{}</th>",
        either(lang, "mean", "平均")
    )?;
    if several {
        writeln!(
            out,
            "<th class=\"n\">{}</th><th class=\"n\">{}</th>",
            either(lang, "95 % interval of the mean", "平均の95 %信頼区間"),
            either(lang, "least - most", "最小-最大")
        )?;
    }
    writeln!(out, "</tr></thead><tbody>")?;
    for figure in Figure::ALL {
        let Some(sure) = outlook.sure(figure) else { continue };
        let (label, _, _) = words::figure(lang, figure);
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td>",
            escaped(label),
            words::shown(lang, figure, sure.mean)
        )?;
        if several {
            write!(
                out,
                "<td class=\"n\">{}</td><td class=\"n\">{}</td>",
                summary::interval_of(lang, figure, sure),
                summary::range(lang, figure, sure)
            )?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table>")
}

fn held(out: &mut String, outlook: &Outlook, lang: Lang) -> std::fmt::Result {
    writeln!(
        out,
        "<h2>{}</h2><table><tbody>",
        either(lang, "What held dialing back, by time", "発信を抑えたもの(時間の割合)")
    )?;
    for (word, share) in outlook.held().into_iter().filter(|(_, share)| *share >= 0.005) {
        writeln!(
            out,
            "<tr><th scope=\"row\"><code>{word}</code></th><td class=\"n\">{:.1} %</td>\
             <td><svg viewBox=\"0 0 200 10\" width=\"200\" height=\"10\" aria-hidden=\"true\">\
             <rect width=\"{:.1}\" height=\"10\" fill=\"#0b5fa5\"/></svg></td></tr>",
            100.0 * share,
            200.0 * share
        )?;
    }
    writeln!(out, "</tbody></table>")
}

fn charts(out: &mut String, outlook: &Outlook, lang: Lang) -> std::fmt::Result {
    let steps = Steps::of(outlook);
    let labels = steps.labels();
    let several = outlook.records.len() > 1;
    let line = |name, style, of: &dyn Fn(&Step) -> Option<f64>| {
        let over = steps.over(of);
        let band =
            |sure: &Option<Sure>| sure.filter(|_| several).map(|sure| (sure.least, sure.most));
        Line {
            name,
            band: over.iter().map(band).collect(),
            values: over.iter().map(|sure| sure.map(|sure| sure.mean)).collect(),
            style,
        }
    };
    let count = |of: fn(&Step) -> u32| move |step: &Step| Some(f64::from(of(step)));
    let listed = |of: fn(&Step) -> u64| {
        move |step: &Step| {
            let sampled = !step.held.is_empty();
            sampled.then(|| crate::simulation::rehearsal::record::float(of(step)))
        }
    };
    let cap_ppm = outlook.rehearsal.campaign.abandon.cap_ppm;
    let bound = move |step: &Step| steps::bound(step, cap_ppm);
    let e = |en, ja| either(lang, en, ja);
    let charts = [
        Chart {
            title: e(
                "Agents busy: talk and wrap-up of the time at work",
                "稼働率: 通話と後処理の割合",
            ),
            unit: "%",
            labels: &labels,
            lines: vec![line(e("occupancy", "稼働率"), Style::First, &steps::occupancy)],
            at_least: 100.0,
        },
        Chart {
            title: e(
                "Abandoned calls of the window, and what the cap allows",
                "期間内の放棄呼と上限",
            ),
            unit: e("calls", "件"),
            labels: &labels,
            lines: vec![
                line(
                    e("abandoned (D, without faults)", "放棄呼 (D、障害を除く)"),
                    Style::First,
                    &steps::lost,
                ),
                line(e("bound r·A + B(t)", "上限 r·A + B(t)"), Style::Bound, &bound),
            ],
            at_least: 4.0,
        },
        Chart {
            title: e("Calls in five minutes", "5分あたりの件数"),
            unit: e("calls", "件"),
            labels: &labels,
            lines: vec![
                line(e("started", "発信"), Style::First, &count(|step| step.dials)),
                line(e("talks", "通話"), Style::Second, &count(|step| step.talks)),
            ],
            at_least: 4.0,
        },
        Chart {
            title: e("Agents wait for a talk", "担当者の待機"),
            unit: e("s", "秒"),
            labels: &labels,
            lines: vec![line(e("mean", "平均"), Style::First, &steps::idle)],
            at_least: 4.0,
        },
        Chart {
            title: e(
                "People wait for an agent after they answered",
                "応答した人が担当者を待つ時間",
            ),
            unit: e("s", "秒"),
            labels: &labels,
            lines: vec![line(e("mean", "平均"), Style::First, &steps::wait)],
            at_least: 1.0,
        },
        Chart {
            title: e("Calls at once", "同時回線数"),
            unit: e("calls", "回線"),
            labels: &labels,
            lines: vec![
                line(e("most", "最大"), Style::First, &count(|step| step.lines_peak)),
                line(e("mean", "平均"), Style::Second, &|step: &Step| Some(steps::lines(step))),
            ],
            at_least: 4.0,
        },
        Chart {
            title: e("Most calls started in a second", "1秒あたりの最大発信数"),
            unit: e("calls", "件"),
            labels: &labels,
            lines: vec![line(e("most", "最大"), Style::First, &count(|step| step.rate_peak))],
            at_least: 4.0,
        },
        Chart {
            title: e("The list", "リスト"),
            unit: e("leads", "件"),
            labels: &labels,
            lines: vec![
                line(e("ready", "発信待ち"), Style::First, &listed(|step| step.list.ready)),
                line(
                    e("wait for their time", "時刻待ち"),
                    Style::Second,
                    &listed(|step| step.list.waiting),
                ),
                line(
                    e("done", "完了"),
                    Style::Bound,
                    &listed(|step| step.list.done + step.list.blocked),
                ),
            ],
            at_least: 4.0,
        },
    ];
    for chart in charts {
        out.push_str(&chart.html());
    }
    Ok(())
}

const STYLE: &str = "\
:root{color-scheme:light}body{margin:0;background:#fff;color:#1a1a1a;font:16px/1.5 system-ui,'Hiragino Sans','Noto Sans CJK JP','Yu Gothic',sans-serif}\
main{max-width:900px;margin:0 auto;padding:24px 20px 60px}h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 8px;border-bottom:1px solid #ccc}\
.lead{color:#444;margin:0 0 12px}.kept,.broken{padding:8px 12px;border-left:4px solid #2b7a3d;background:#eef6ef;margin:12px 0}\
.broken{border-color:#8a1c1c;background:#fbeaea;font-weight:600}\
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:10px;margin:16px 0}\
.tiles div{border:1px solid #d5d5d5;border-radius:6px;padding:10px 12px}.tiles span,.tiles small{display:block;color:#555;font-size:13px}\
.tiles b{display:block;font-size:24px;font-variant-numeric:tabular-nums}\
table{border-collapse:collapse;width:100%;font-size:14.5px}th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid #e6e6e6;font-weight:400}\
thead th{font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
figure{margin:18px 0;break-inside:avoid}figcaption{font-weight:600;margin-bottom:2px}figure>svg{width:100%;height:auto}\
svg text{font-size:12px;fill:#444}.grid{stroke:#e4e4e4;fill:none}.axis{stroke:#888;fill:none}.band{opacity:.16}\
.key{margin:0;font-size:13px;color:#333}.key span{margin-right:18px}code{font-size:13.5px}\
.better{color:#1e6b33}.worse{color:#8a1c1c}";
