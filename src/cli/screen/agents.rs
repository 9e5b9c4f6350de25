//! The table of agents: as many as there is room for, those who wait for something first.

use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use crate::cli::figures::clock;
use crate::cli::picture::{Agent, Picture};
use crate::cli::screen::model::Model;
use crate::cli::text::{cut, pad};
use crate::logic::dialer::command::AgentState;

/// States in the order in which they are counted; that of preview mode only where somebody is in it.
pub(super) fn shown_states(picture: &Picture) -> impl Iterator<Item = AgentState> {
    let preview = (picture.agents_in(AgentState::Previewing) > 0).then_some(AgentState::Previewing);
    preview.into_iter().chain(SHOWN_STATES)
}

/// States that are always counted.
pub(super) const SHOWN_STATES: [AgentState; 6] = [
    AgentState::Ready,
    AgentState::Reserved,
    AgentState::OnCall,
    AgentState::WrapUp,
    AgentState::Paused,
    AgentState::Offline,
];

/// At most `rows` lines of `width` columns, filled by columns; the last place says how many are not shown.
pub(super) fn table(model: &Model, width: usize, rows: usize) -> Vec<Line<'static>> {
    let agents = in_order(&model.picture.agents);
    let columns = width / CELL;
    if columns == 0 {
        return Vec::new();
    }
    let rows = rows.min(agents.len().div_ceil(columns));
    if rows == 0 {
        return Vec::new();
    }
    let room = rows * columns;
    let shown = if agents.len() > room { room - 1 } else { agents.len() };
    let mut cells: Vec<Vec<Span<'static>>> =
        agents.iter().take(shown).map(|agent| cell(model, agent)).collect();
    if agents.len() > shown {
        let more = (model.words.more_agents)(agents.len() - shown);
        cells.push(vec![Span::raw(pad(&more, CELL))]);
    }
    (0..rows)
        .map(|row| {
            let places = (0..columns).map(|column| column * rows + row);
            Line::from_iter(places.filter_map(|place| cells.get(place)).flatten().cloned())
        })
        .collect()
}

/// Whoever is wanted back first: the longest in each state, the states in the order of a supervisor's interest.
fn in_order(agents: &[Agent]) -> Vec<&Agent> {
    let mut agents: Vec<&Agent> = agents.iter().collect();
    agents.sort_by_key(|agent| (interest(agent.state), agent.since, &agent.name));
    agents
}

const fn interest(state: AgentState) -> u8 {
    match state {
        AgentState::WrapUp => 0,
        AgentState::OnCall => 1,
        AgentState::Ready => 2,
        AgentState::Previewing => 3,
        AgentState::Reserved => 4,
        AgentState::LoggingIn => 5,
        AgentState::Paused => 6,
        AgentState::Offline => 7,
    }
}

fn cell(model: &Model, agent: &Agent) -> Vec<Span<'static>> {
    let since = clock(model.picture.at.saturating_sub(agent.since));
    vec![
        Span::raw(pad(&cut(&agent.name, NAME), NAME + 1)),
        Span::styled(
            pad(&cut(model.texts.agent_state(agent.state), STATE), STATE),
            color(agent.state),
        ),
        Span::raw(format!("{since:>SINCE$}{:GAP$}", "")),
    ]
}

/// Redundant with the word: nobody needs colours to read the screen.
pub(super) const fn color(state: AgentState) -> Style {
    let style = Style::new();
    match state {
        AgentState::Ready => style.fg(Color::Green),
        AgentState::Previewing | AgentState::Reserved => style.fg(Color::Blue),
        AgentState::OnCall => style.fg(Color::Cyan),
        AgentState::WrapUp => style.fg(Color::Yellow),
        AgentState::Paused | AgentState::LoggingIn => style.fg(Color::Magenta),
        AgentState::Offline => style.fg(Color::DarkGray),
    }
}

const NAME: usize = 9;
const STATE: usize = 8;
const SINCE: usize = 7;
const GAP: usize = 1;
/// Three agents on a line of 80 columns.
const CELL: usize = NAME + 1 + STATE + SINCE + GAP;
