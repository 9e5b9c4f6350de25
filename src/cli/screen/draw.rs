//! The model as lines, and nothing else: what a terminal of a size shows.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::cli::figures::{cap, clock, percent};
use crate::cli::picture::{Campaign, Trunk};
use crate::cli::screen::agents::{self, shown_states};
use crate::cli::screen::keys::Stage;
use crate::cli::screen::model::Model;
use crate::cli::screen::words::HELP_KEYS;
use crate::cli::text::{cut, pad, width as columns};
use crate::logic::dialer::clocks_are_apart;
use crate::logic::settings::DialRatio;

/// Exactly what fits into `width` and `height`; the last line is that of the keys.
pub(super) fn lines(model: &Model, width: usize, height: usize) -> Vec<Line<'static>> {
    let room = height.saturating_sub(1);
    let mut lines = body(model, width);
    let below = match &model.keys.stage {
        Stage::Help => help(model, width),
        Stage::Watching | Stage::Sure { .. } => {
            agents::table(model, width, room.saturating_sub(lines.len() + 1))
        }
    };
    if lines.len() + below.len() > room {
        let left = room.saturating_sub(below.len() + 1);
        let more = lines.len().saturating_sub(left);
        lines.truncate(left);
        lines.push(Line::styled(cut(&(model.words.more_lines)(more), width), DIM));
    } else if lines.len() + below.len() < room && !below.is_empty() {
        lines.push(Line::default());
    }
    lines.extend(below);
    lines.resize(room, Line::default());
    lines.truncate(room);
    if height > 0 {
        lines.push(bottom(model, width));
    }
    lines
}

/// Everything, without keys and without a limit to the agents: for a command that prints it once.
pub(super) fn text(model: &Model, width: usize) -> String {
    let mut lines = body(model, width);
    lines.extend(agents::table(model, width, usize::MAX));
    let mut out = String::new();
    for line in lines {
        out.push_str(line.to_string().trim_end());
        out.push('\n');
    }
    out
}

fn body(model: &Model, width: usize) -> Vec<Line<'static>> {
    let (t, words, picture) = (model.texts, model.words, &model.picture);
    let mut page = Page { width, lines: Vec::new() };
    page.title(model);
    let mut states: Vec<Value> = shown_states(picture)
        .map(|state| {
            let count = picture.agents_in(state);
            let style = if count > 0 { agents::color(state) } else { PLAIN };
            (format!("{} {count}", t.agent_state(state)), style)
        })
        .collect();
    if picture.agents.is_empty() {
        states = vec![(words.nobody.to_owned(), WARNING)];
    }
    page.row(t.agents, states);
    let calls = picture.calls;
    let stages = [
        (t.dialing, calls.dialing),
        (t.ringing, calls.ringing),
        (t.waiting, calls.waiting),
        (t.talking, calls.talking),
        (t.message, calls.message),
        (t.cancelling, calls.cancelling),
    ];
    page.row(t.calls, stages.map(|(name, count)| (format!("{name} {count}"), PLAIN)).into());
    for (index, campaign) in picture.campaigns.iter().enumerate() {
        page.campaign(model, index, campaign);
    }
    for (index, trunk) in picture.trunks.iter().enumerate() {
        page.trunk(model, index, trunk);
    }
    let well = picture.store == "ok";
    let mut store = vec![(words.say(&picture.store).to_owned(), if well { PLAIN } else { ALARM })];
    if picture.unstored > 0 {
        store.push(((words.unstored)(picture.unstored), if well { PLAIN } else { WARNING }));
    }
    if clocks_are_apart(picture.clock_ahead_ms) {
        store.push((format!("{} {:+} ms", t.clock, picture.clock_ahead_ms), ALARM));
    }
    page.row(t.store, store);
    page.lines
}

/// A text and how it looks.
type Value = (String, Style);

/// Rows on their way to lines of a width.
struct Page {
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Page {
    fn title(&mut self, model: &Model) {
        let picture = &model.picture;
        let mut title = vec![(model.title.clone(), BOLD)];
        if let Some(rate) = model.rate() {
            title.push((clock(model.elapsed()), PLAIN));
            title.push((format!("{rate:.1} {}", model.texts.calls_per_second), PLAIN));
        }
        if picture.draining {
            title.push((model.texts.draining.to_owned(), ALARM));
        }
        self.values(Vec::new(), 0, title);
        if picture.old_legs > 0 {
            let text = (model.words.old_legs)(picture.old_legs);
            self.lines.push(Line::styled(cut(&text, self.width), WARNING));
        }
    }

    fn campaign(&mut self, model: &Model, index: usize, campaign: &Campaign) {
        let (t, words) = (model.texts, model.words);
        let several = model.picture.campaigns.len() > 1;
        let chosen = several && model.keys.chosen_campaign(&model.picture) == index;
        let mut head = vec![
            (marked(&campaign.name, chosen), BOLD),
            (
                words.say(&campaign.state).to_owned(),
                if campaign.state == "running" { PLAIN } else { WARNING },
            ),
        ];
        let ratio = campaign.ratio.and_then(DialRatio::from_thousandths);
        let ratio = ratio.map(|ratio| format!(" {ratio}")).unwrap_or_default();
        head.push((format!("{}{ratio}", words.say(&campaign.mode)), PLAIN));
        if let Some(held_by) = campaign.held_by.as_ref().filter(|_| campaign.state == "running") {
            head.push((format!("{}: {}", t.held_by, words.say(held_by)), PLAIN));
        }
        self.row(t.campaign, head);

        let leads = campaign.leads;
        let mut list = vec![
            (bar(leads.over(), leads.all(), BAR), PLAIN),
            (format!("{}/{}", leads.over(), leads.all()), PLAIN),
            (format!("{} {}", words.leads_ready, leads.ready.saturating_add(leads.claimed)), PLAIN),
            (format!("{} {}", words.leads_waiting, leads.waiting), PLAIN),
        ];
        if leads.held > 0 {
            list.push((format!("{} {}", words.leads_held, leads.held), WARNING));
        }
        if let Some(eta) = model.eta(index, campaign) {
            list.push((format!("{} {}", words.eta, clock(eta)), PLAIN));
        }
        if campaign.kept_for_return_calls > 0 {
            let kept = campaign.kept_for_return_calls;
            list.push((format!("{} {kept}", words.kept_for_return_calls), PLAIN));
        }
        self.row(t.list, list);

        if let Some(promises) = t.promises(campaign.promises) {
            let late = campaign.promises.overdue > 0;
            self.row(t.promised, vec![(promises, if late { WARNING } else { PLAIN })]);
        }
        let counted = campaign.outcomes.iter().filter(|(_, count)| *count > 0);
        let mut outcomes: Vec<Value> =
            counted.map(|(text, count)| (format!("{} {count}", t.outcome(text)), PLAIN)).collect();
        if campaign.messages > 0 {
            outcomes.push((format!("{} {}", t.messages, campaign.messages), PLAIN));
        }
        self.row(t.outcomes, outcomes);
        self.ledger(model, campaign);
    }

    fn ledger(&mut self, model: &Model, campaign: &Campaign) {
        let (t, words) = (model.texts, model.words);
        let window = &campaign.ledger;
        let (used, allowed) = (window.uncovered, window.uncovered_allowed);
        let mut ledger = vec![
            (format!("A {}", window.answered), PLAIN),
            (format!("D {}", window.abandoned), PLAIN),
            (percent(window.abandoned, window.answered), PLAIN),
            (format!("{} {}", t.cap, cap(window.cap_ppm)), PLAIN),
            (
                format!("{} {}", t.faults, window.fault),
                if window.fault > 0 { WARNING } else { PLAIN },
            ),
            (format!("{} {used} ({} {allowed})", words.uncovered, words.allowed), PLAIN),
        ];
        if window.owed > 0 || window.may_owe > 0 {
            let style = if window.owed > u64::from(window.may_owe) { WARNING } else { PLAIN };
            ledger.push(((words.owes)(window.owed, window.may_owe), style));
        }
        self.row(t.ledger, ledger);
        if let Some(pacing) = &campaign.pacing {
            let texts = pacing.texts(words.lang()).into_iter().map(|text| (text, PLAIN)).collect();
            self.row(words.pacing, texts);
        }
    }

    fn trunk(&mut self, model: &Model, index: usize, trunk: &Trunk) {
        let (t, words) = (model.texts, model.words);
        let several = model.picture.trunks.len() > 1;
        let chosen = several && model.keys.chosen_trunk(&model.picture) == index;
        let (now, most) = (trunk.last_second, trunk.calls_per_second);
        let mut values = vec![
            (marked(&trunk.name, chosen), BOLD),
            (format!("{}/{} {}", trunk.in_use, trunk.channels, t.channels), PLAIN),
            (format!("{now}/{most} {}", t.calls_per_second), PLAIN),
            (bar(now.into(), most.into(), BAR / 2), PLAIN),
        ];
        if most < trunk.limit {
            values.push((format!("{} {}", words.limit, trunk.limit), WARNING));
        }
        self.row(t.trunk, values);
    }

    /// A label and its values, wrapped before the window would.
    fn row(&mut self, label: &str, values: Vec<Value>) {
        let label = pad(&cut(label, LABEL.min(self.width)), LABEL.min(self.width));
        let indent = columns(&label);
        self.values(vec![Span::styled(label, DIM)], indent, values);
    }

    /// Values behind what the line has already, further lines by so many columns to the right.
    fn values(&mut self, mut line: Vec<Span<'static>>, indent: usize, values: Vec<Value>) {
        let mut used = indent;
        let room = self.width.saturating_sub(indent);
        for (text, style) in values {
            let text = cut(&text, room);
            let wide = columns(&text);
            if used > indent && used + 2 + wide > self.width {
                self.lines.push(Line::from(std::mem::take(&mut line)));
                line.push(Span::raw(" ".repeat(indent)));
                used = indent;
            }
            if used > indent {
                line.push(Span::raw("  "));
                used += 2;
            }
            line.push(Span::styled(text, style));
            used += wide;
        }
        self.lines.push(Line::from(line));
    }
}

fn help(model: &Model, width: usize) -> Vec<Line<'static>> {
    let line = |(key, does): (&str, &str)| {
        Line::from(vec![
            Span::styled(cut(&pad(&format!(" {key}"), LABEL), width), BOLD),
            Span::raw(cut(does, width.saturating_sub(LABEL))),
        ])
    };
    HELP_KEYS.into_iter().zip(model.words.help).map(line).collect()
}

fn bottom(model: &Model, width: usize) -> Line<'static> {
    let words = model.words;
    let (text, style) = match (&model.keys.stage, model.notice()) {
        (Stage::Sure { question, .. }, _) => (format!(" {question}  {}", words.yes_or_no), ALARM),
        (Stage::Watching | Stage::Help, Some(notice)) => (format!(" {notice}"), BOLD),
        (Stage::Watching | Stage::Help, None) => {
            let keys = if model.attached { words.keys_attached } else { words.keys };
            (keys.to_owned(), DIM)
        }
    };
    Line::styled(cut(&text, width), style)
}

fn marked(name: &str, chosen: bool) -> String {
    if chosen { format!("> {name}") } else { name.to_owned() }
}

/// `[####....]`, full only when all is done.
fn bar(part: u64, whole: u64, places: usize) -> String {
    let all = u64::try_from(places).unwrap_or(0);
    let filled = part.saturating_mul(all).checked_div(whole).unwrap_or(0);
    let filled = usize::try_from(filled).unwrap_or(places).min(places);
    format!("[{}{}]", "#".repeat(filled), ".".repeat(places - filled))
}

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const WARNING: Style = Style::new().fg(Color::Yellow);
const ALARM: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// Columns of the labels.
const LABEL: usize = 13;
const BAR: usize = 16;

#[cfg(test)]
mod tests;
