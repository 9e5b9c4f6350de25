//! What a person sees, in both languages, in small and large windows.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::text::Text;

use super::*;
use crate::cli::picture::{Agent, Leads, Ledger, Pacing, Picture, Stages};
use crate::cli::screen::agents::SHOWN_STATES;
use crate::cli::screen::keys::{Key, Wish};
use crate::cli::text::Lang;
use crate::logic::dialer::Promises;
use crate::logic::dialer::command::Command;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);
const NOON: i64 = 1_790_000_000_000;

/// What the window shows, as a terminal would: read from its cells.
fn window(model: &Model, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let drawn = lines(model, width.into(), height.into());
    assert_eq!(drawn.len(), usize::from(height));
    for line in &drawn {
        assert!(columns(&line.to_string()) <= usize::from(width), "too long: {line}");
    }
    terminal.draw(|frame| frame.render_widget(Text::from(drawn), frame.area())).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in 0..height {
        let mut line = String::new();
        let mut column = 0;
        while column < width {
            let symbol = buffer[(column, row)].symbol();
            line.push_str(symbol);
            // A wide sign covers the cell behind it.
            column += u16::try_from(columns(symbol).max(1)).unwrap();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn agents(count: usize) -> Vec<Agent> {
    (0..count)
        .map(|n| {
            let state = SHOWN_STATES[[2, 1, 2, 3, 0, 2, 4, 1, 5, 2][n % 10]];
            Agent {
                name: format!("agent{:02}", n + 1),
                state,
                since: NOON - 1_000 * i64::try_from(n * 37 % 900).unwrap(),
                calls: 3,
                talk_ms: 60_000,
                wrap_up_ms: 9_000,
                staffed_ms: 90_000,
            }
        })
        .collect()
}

fn campaign(name: &str) -> Campaign {
    let outcome = |text: &str, count| (text.to_owned(), count);
    Campaign {
        name: name.to_owned(),
        state: "running".to_owned(),
        mode: "ratio".to_owned(),
        ratio: Some(1_500),
        ledger: Ledger {
            cap_ppm: 30_000,
            answered: 412,
            abandoned: 9,
            fault: 1,
            owed: 0,
            may_owe: 0,
            uncovered_allowed: 3,
            uncovered: 2,
        },
        pacing: None,
        prefetched: 0,
        leads: Leads { ready: 180, waiting: 90, claimed: 9, done: 200, held: 4, blocked: 17 },
        outcomes: vec![
            outcome("connected", 81),
            outcome("agent_lost", 1),
            outcome("no_answer", 44),
            outcome("busy", 106),
            outcome("invalid", 49),
        ],
        dialed: 281,
        answered: 82,
        live: 82,
        abandoned: 0,
        faults: 0,
        messages: 1,
        promises: Promises::default(),
        dispositions: Vec::new(),
        kept_for_return_calls: 0,
        held_by: Some("agents".to_owned()),
        gates: Vec::new(),
    }
}

fn picture(agent_count: usize) -> Picture {
    Picture {
        at: NOON,
        draining: false,
        old_legs: 0,
        store: "ok".to_owned(),
        unstored: 0,
        clock_ahead_ms: 0,
        agents: agents(agent_count),
        campaigns: vec![campaign("demo")],
        trunks: vec![Trunk {
            name: "simulator".to_owned(),
            in_use: 9,
            channels: 40,
            last_second: 8,
            calls_per_second: 20,
            limit: 20,
        }],
        calls: Stages { dialing: 1, ringing: 6, waiting: 0, talking: 2, message: 0, cancelling: 0 },
    }
}

/// Half a minute into a run that shows `picture` now.
fn model(lang: Lang, picture: Picture) -> Model {
    let mut model = Model::new("outdial demo (outdial-demo)", lang, false);
    for seconds in (0..=30).rev() {
        let mut before = picture.clone();
        before.at -= seconds * 1_000;
        let ago = u64::try_from(seconds).unwrap();
        for campaign in &mut before.campaigns {
            campaign.dialed = campaign.dialed.saturating_sub(9 * ago);
            campaign.leads.done = campaign.leads.done.saturating_sub(6 * ago);
        }
        model.take(before);
    }
    model
}

#[test]
fn a_run_with_ten_agents_fits_the_smallest_window_in_both_languages() {
    insta::assert_snapshot!(window(&model(Lang::En, picture(10)), SMALL));
    insta::assert_snapshot!(window(&model(Lang::Ja, picture(10)), SMALL));
}

#[test]
fn three_hundred_agents_fill_the_window_and_the_rest_is_counted() {
    insta::assert_snapshot!(window(&model(Lang::En, picture(300)), SMALL));
    insta::assert_snapshot!(window(&model(Lang::En, picture(300)), LARGE));
    insta::assert_snapshot!(window(&model(Lang::Ja, picture(300)), LARGE));
}

#[test]
fn an_empty_list_without_agents_is_no_accident() {
    let mut empty = picture(0);
    empty.campaigns[0] = Campaign {
        leads: Leads::default(),
        outcomes: Vec::new(),
        dialed: 0,
        mode: "progressive".to_owned(),
        ratio: None,
        ledger: Ledger { cap_ppm: 30_000, ..Ledger::default() },
        messages: 0,
        held_by: Some("list".to_owned()),
        ..campaign("spring")
    };
    empty.trunks.clear();
    insta::assert_snapshot!(window(&model(Lang::En, empty.clone()), SMALL));
    insta::assert_snapshot!(window(&model(Lang::Ja, empty), SMALL));
}

#[test]
fn a_pause_a_slower_trunk_and_a_store_that_is_gone_are_seen() {
    let mut troubled = picture(3);
    troubled.campaigns[0].state = "paused".to_owned();
    troubled.campaigns[0].held_by = Some("state".to_owned());
    troubled.trunks[0].calls_per_second = 5;
    troubled.store = "gone".to_owned();
    troubled.unstored = 12;
    troubled.clock_ahead_ms = -1_200;
    troubled.campaigns[0].promises = Promises { open: 7, due: 2, overdue: 1 };
    insta::assert_snapshot!(window(&model(Lang::En, troubled.clone()), SMALL));
    insta::assert_snapshot!(window(&model(Lang::Ja, troubled), SMALL));
}

#[test]
fn a_drain_says_for_what_it_waits() {
    let mut draining = picture(3);
    draining.draining = true;
    draining.old_legs = 2;
    insta::assert_snapshot!(window(&model(Lang::En, draining.clone()), SMALL));
    insta::assert_snapshot!(window(&model(Lang::Ja, draining), SMALL));
}

#[test]
fn several_campaigns_and_trunks_show_which_one_the_keys_are_about() {
    let mut several = picture(40);
    several.campaigns.push(campaign("春の満足度調査"));
    several.trunks.push(Trunk { name: "second".to_owned(), ..several.trunks[0].clone() });
    let mut model = model(Lang::Ja, several);
    model.press(Key::Tab);
    model.press(Key::Char('t'));
    insta::assert_snapshot!(window(&model, LARGE));
    let wish = model.press(Key::Char('p'));
    let paused = Command::CampaignPause { campaign: "春の満足度調査".to_owned() };
    assert_eq!(wish, Some(Wish::Ask(paused)));
}

#[test]
fn a_window_too_small_says_so_and_every_size_can_be_drawn() {
    let model = model(Lang::En, picture(300));
    insta::assert_snapshot!(window(&model, (60, 8)));
    for size in [(1, 1), (3, 2), (20, 5), (200, 3), (79, 24), (81, 24), (300, 100)] {
        window(&model, size);
    }
}

#[test]
fn a_drain_is_asked_for_twice_and_anything_but_yes_is_no() {
    let mut model = model(Lang::En, picture(3));
    assert_eq!(model.press(Key::Char('d')), None);
    insta::assert_snapshot!(window(&model, SMALL).lines().last().unwrap(), @" No new calls, and the dialer ends when those in progress are over?  y / n");
    assert_eq!(model.press(Key::Char('n')), None);
    assert_eq!(window(&model, SMALL).lines().last(), Some(" nothing was done"));
    model.press(Key::Char('d'));
    assert_eq!(model.press(Key::Char('y')), Some(Wish::Ask(Command::Drain)));
    model.told(Err("no".to_owned()));
    assert_eq!(window(&model, SMALL).lines().last(), Some(" no"));
}

#[test]
fn help_fits_the_smallest_window_in_both_languages() {
    for lang in [Lang::En, Lang::Ja] {
        let mut model = model(lang, picture(300));
        model.press(Key::Char('?'));
        insta::assert_snapshot!(window(&model, SMALL));
        let room = usize::from(SMALL.0) - LABEL;
        for text in model.words.help {
            assert!(columns(text) <= room, "{text} is cut at {room} columns");
        }
        model.press(Key::Escape);
        assert!(!window(&model, SMALL).contains("Ctrl-C"));
    }
}

#[test]
fn the_pace_stays_between_one_and_the_limit_of_the_trunk() {
    let mut model = model(Lang::En, picture(3));
    let rate = |calls_per_second| {
        Some(Wish::Ask(Command::TrunkRate { trunk: "simulator".to_owned(), calls_per_second }))
    };
    assert_eq!(model.press(Key::Char('-')), rate(19));
    assert_eq!(model.press(Key::Char('+')), None, "it is at its limit");
    model.picture.trunks[0].calls_per_second = 1;
    assert_eq!(model.press(Key::Char('-')), None);
    assert_eq!(model.press(Key::Char('+')), rate(2));
}

#[test]
fn more_lines_than_agents_are_asked_for_twice_and_fewer_come_at_once() {
    let mut model = model(Lang::En, picture(3));
    let mode = |mode: &str, ratio| {
        let (campaign, mode) = ("demo".to_owned(), mode.to_owned());
        Some(Wish::Ask(Command::CampaignMode { campaign, mode, ratio }))
    };
    assert_eq!(model.press(Key::Char('>')), mode("ratio", Some(1_600)));
    assert_eq!(model.press(Key::Char('<')), mode("ratio", Some(1_400)));
    assert_eq!(model.press(Key::Char('m')), mode("progressive", None));
    model.picture.campaigns[0].mode = "progressive".to_owned();
    model.picture.campaigns[0].ratio = None;
    assert_eq!(model.press(Key::Char('>')), None);
    assert_eq!(model.press(Key::Char('m')), None, "a question first");
    assert_eq!(model.press(Key::Enter), mode("ratio", Some(1_500)));
    assert_eq!(model.press(Key::Char('f')), None, "a question first");
    assert_eq!(model.press(Key::Enter), mode("predictive", None));
    model.picture.campaigns[0].mode = "predictive".to_owned();
    assert_eq!(model.press(Key::Char('f')), mode("progressive", None));
}

#[test]
fn what_is_predicted_is_seen_in_both_languages() {
    let mut predictive = picture(3);
    predictive.campaigns[0].mode = "predictive".to_owned();
    predictive.campaigns[0].ratio = None;
    predictive.campaigns[0].held_by = Some("risk".to_owned());
    predictive.campaigns[0].pacing = Some(Pacing {
        launch: 2,
        idle: 2,
        lines: 9,
        answer: 0.253,
        level: 1.07,
        allowed: 0.031,
        risk: 0.042,
        credit: 1.25,
        small_team: false,
        answers: None,
    });
    insta::assert_snapshot!(window(&model(Lang::En, predictive.clone()), SMALL));
    predictive.campaigns[0].pacing.as_mut().unwrap().small_team = true;
    predictive.campaigns[0].ledger.owed = 1;
    predictive.campaigns[0].ledger.may_owe = 4;
    insta::assert_snapshot!(window(&model(Lang::Ja, predictive), SMALL));
}

#[test]
fn leaving_a_screen_of_another_process_leaves_its_dialer_alone() {
    let mut here = model(Lang::En, picture(3));
    let mut there = model(Lang::En, picture(3));
    there.attached = true;
    assert_eq!(here.press(Key::Interrupt), Some(Wish::Signal));
    assert_eq!(here.press(Key::Char('q')), None, "a question first");
    assert_eq!(there.press(Key::Interrupt), Some(Wish::Leave));
    assert_eq!(there.press(Key::Char('q')), Some(Wish::Leave));
}

#[test]
fn names_cannot_steer_the_terminal() {
    let mut evil = picture(1);
    evil.agents[0].name = "a\x1b[2Jb".to_owned();
    evil.campaigns[0].name = "\x1b]0;owned\x07".to_owned();
    assert!(!window(&model(Lang::En, evil), SMALL).contains('\x1b'));
}

#[test]
fn as_text_it_shows_every_agent() {
    let text = text(&model(Lang::En, picture(300)), 80);
    assert!(text.contains("agent01") && text.contains("agent300"));
    assert!(text.lines().all(|line| columns(line) <= 80));
}
