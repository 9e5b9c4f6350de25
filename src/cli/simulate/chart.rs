//! Charts as plain inline SVG: lines over the day, no script, legible in print.

use std::fmt::Write;

/// One chart over the steps of a day.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    /// What the left axis counts.
    pub(crate) unit: &'a str,
    /// Labels of the steps, one each.
    pub(crate) labels: &'a [String],
    pub(crate) lines: Vec<Line<'a>>,
    /// The axis goes at least so far.
    pub(crate) at_least: f64,
}

/// One line of a chart; a step without a value is a gap.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) values: Vec<Option<f64>>,
    /// Least and most over the seeds, where it is a mean.
    pub(crate) band: Vec<Option<(f64, f64)>>,
    pub(crate) style: Style,
}

/// How a line is drawn: by colour and by dashes, for those who do not see the colour.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    First,
    Second,
    /// A limit.
    Bound,
}

impl Style {
    const fn stroke(self) -> &'static str {
        match self {
            Self::First => "#0b5fa5",
            Self::Second => "#b3541e",
            Self::Bound => "#8a1c1c",
        }
    }

    const fn dashes(self) -> &'static str {
        match self {
            Self::First => "",
            Self::Second => " stroke-dasharray=\"6 2\"",
            Self::Bound => " stroke-dasharray=\"2 3\"",
        }
    }
}

impl Chart<'_> {
    /// The chart as a figure.
    pub(crate) fn html(&self) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        self.draw(&mut out).unwrap_or_default();
        out
    }

    fn draw(&self, out: &mut String) -> std::fmt::Result {
        let top = self.top();
        writeln!(out, "<figure><figcaption>{}</figcaption>", escaped(self.title))?;
        writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escaped(self.title)
        )?;
        for part in 0..=TICKS {
            let value = top * f64::from(part) / f64::from(TICKS);
            let y = height(value, top);
            writeln!(
                out,
                "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" class=\"grid\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                tick(value, top)
            )?;
        }
        writeln!(out, "<text x=\"4\" y=\"14\">{}</text>", escaped(self.unit))?;
        let every = self.labels.len().div_ceil(LABELS).max(1);
        for (place, label) in
            self.labels.iter().enumerate().filter(|(place, _)| place.is_multiple_of(every))
        {
            let x = self.across(place);
            writeln!(
                out,
                "<path d=\"M{x:.1} {BOTTOM}v4\" class=\"axis\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                BOTTOM + 18.0,
                escaped(label)
            )?;
        }
        writeln!(out, "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" class=\"axis\"/>")?;
        for line in &self.lines {
            self.draw_band(out, line, top)?;
        }
        for line in &self.lines {
            self.draw_line(out, line, top)?;
        }
        writeln!(out, "</svg>")?;
        write!(out, "<p class=\"key\">")?;
        for line in &self.lines {
            write!(
                out,
                "<span><svg viewBox=\"0 0 28 8\" width=\"28\" height=\"8\"><path d=\"M0 4H28\" fill=\"none\" stroke=\"{}\" \
                 stroke-width=\"2\"{}/></svg> {}</span> ",
                line.style.stroke(),
                line.style.dashes(),
                escaped(line.name)
            )?;
        }
        writeln!(out, "</p></figure>")
    }

    fn draw_band(&self, out: &mut String, line: &Line<'_>, top: f64) -> std::fmt::Result {
        // One piece for each run of steps that have a band.
        let mut run: Vec<(usize, f64, f64)> = vec![];
        for (place, band) in line.band.iter().map(Some).chain([None]).enumerate() {
            if let Some(Some((low, high))) = band {
                run.push((place, *low, *high));
                continue;
            }
            if run.len() > 1 {
                write!(out, "<path fill=\"{}\" class=\"band\" d=\"", line.style.stroke())?;
                let upper = run.iter().map(|(place, _, high)| (*place, *high));
                let lower = run.iter().rev().map(|(place, low, _)| (*place, *low));
                for (turn, (place, value)) in upper.chain(lower).enumerate() {
                    let step = if turn == 0 { 'M' } else { 'L' };
                    write!(out, "{step}{:.1} {:.1}", self.across(place), height(value, top))?;
                }
                writeln!(out, "Z\"/>")?;
            }
            run.clear();
        }
        Ok(())
    }

    fn draw_line(&self, out: &mut String, line: &Line<'_>, top: f64) -> std::fmt::Result {
        write!(
            out,
            "<path fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{} d=\"",
            line.style.stroke(),
            line.style.dashes()
        )?;
        let mut pen_down = false;
        for (place, value) in line.values.iter().enumerate() {
            let Some(value) = value else {
                pen_down = false;
                continue;
            };
            let step = if pen_down { 'L' } else { 'M' };
            write!(out, "{step}{:.1} {:.1}", self.across(place), height(*value, top))?;
            pen_down = true;
        }
        writeln!(out, "\"/>")
    }

    fn across(&self, place: usize) -> f64 {
        let count = |length: usize| f64::from(u32::try_from(length).unwrap_or(u32::MAX));
        let steps = count(self.labels.len().saturating_sub(1)).max(1.0);
        LEFT + (RIGHT - LEFT) * count(place) / steps
    }

    /// The top of the axis: a round number above everything.
    fn top(&self) -> f64 {
        let values = self.lines.iter().flat_map(|line| line.values.iter().flatten().copied());
        let bands =
            self.lines.iter().flat_map(|line| line.band.iter().flatten().map(|band| band.1));
        round_up(values.chain(bands).fold(self.at_least, f64::max))
    }
}

/// 1, 2, 4 or 8 times a power of ten: four parts of it are round, too.
fn round_up(value: f64) -> f64 {
    let mut power = 1e-3;
    for _ in 0..15 {
        for step in [1.0, 2.0, 4.0, 8.0] {
            if value <= step * power + 1e-9 {
                return step * power;
            }
        }
        power *= 10.0;
    }
    value
}

fn height(value: f64, top: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * (value / top).clamp(0.0, 1.0)
}

fn tick(value: f64, top: f64) -> String {
    if top >= 20.0 {
        format!("{value:.0}")
    } else if top >= 2.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// Text as HTML: names of campaigns are other people's.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 836.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 222.0;
const TICKS: u32 = 4;
const LABELS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_on_a_round_number_above_everything() {
        for (value, top) in [(0.7, 0.8), (3.0, 4.0), (100.0, 100.0), (101.0, 200.0), (450.0, 800.0)]
        {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}: {}", round_up(value));
        }
    }

    #[test]
    fn a_step_without_a_value_is_a_gap_and_names_do_not_become_markup() {
        let labels: Vec<String> = (9..14).map(|hour| format!("{hour}:00")).collect();
        let chart = Chart {
            title: "<b>",
            unit: "%",
            labels: &labels,
            lines: vec![Line {
                name: "a & b",
                values: vec![Some(1.0), Some(2.0), None, Some(3.0), Some(4.0)],
                band: vec![],
                style: Style::First,
            }],
            at_least: 0.0,
        };
        let html = chart.html();
        assert_eq!(html.matches("stroke-width=\"2\" d=\"M").count(), 1);
        assert_eq!(html.matches('M').count() - html.matches("d=\"M").count(), 1, "{html}");
        assert!(html.contains("&lt;b&gt;") && html.contains("a &amp; b") && !html.contains("<b>"));
    }
}
