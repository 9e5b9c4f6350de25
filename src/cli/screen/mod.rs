//! The live view: one screen refreshed in place on a terminal, one plain line every two seconds elsewhere.
//!
//! | file | what it does |
//! |---|---|
//! | `model` | what is shown: the newest picture, speed and progress from those before it |
//! | `draw` | model to lines, nothing else; `agents` lays out the table of agents |
//! | `keys` | a key to a wish, with the question in between where it hurts |
//! | `words` | the texts of the screen in both languages |
//! | `terminal` | the thin part: raw mode, alternate screen, keyboard thread, and everything back as it was |
//! | `plain` | the line for pipes and logs |

mod agents;
mod draw;
mod keys;
mod model;
mod plain;
mod terminal;
mod words;

pub(crate) use keys::Wish;

use crate::cli::picture::Picture;
use crate::cli::text::Lang;
use model::Model;
use plain::Plain;
use terminal::{Keyboard, Screen};

/// Where a run is shown.
#[derive(Debug)]
pub(crate) enum Live {
    /// On a terminal.
    InPlace(Box<InPlace>),
    /// Elsewhere.
    Lines(Box<Plain>),
}

/// The model and the terminal it is shown on.
#[derive(Debug)]
pub(crate) struct InPlace {
    model: Model,
    screen: Screen,
    keyboard: Keyboard,
}

impl Live {
    /// Shown on the standard error output, so that the standard output stays for results. `attached`: the dialer is
    /// another process, which goes on when this one leaves.
    pub(crate) fn new(title: &str, lang: Lang, attached: bool) -> std::io::Result<Self> {
        if !terminal::is_ours() {
            return Ok(Self::Lines(Box::new(Plain::new())));
        }
        let model = Model::new(title, lang, attached);
        let screen = Screen::enter()?;
        Ok(Self::InPlace(Box::new(InPlace { model, screen, keyboard: Keyboard::listen()? })))
    }

    /// Shows a picture, if it is time to.
    pub(crate) fn show(&mut self, picture: Picture) -> std::io::Result<()> {
        match self {
            Self::InPlace(live) => {
                live.model.take(picture);
                live.screen.draw(&live.model)
            }
            Self::Lines(lines) => lines.show(&picture),
        }
    }

    /// The next wish of the person before the screen; never, where there is none. Cancel-safe.
    pub(crate) async fn wish(&mut self) -> std::io::Result<Wish> {
        let Self::InPlace(live) = self else { return std::future::pending().await };
        loop {
            let key = live.keyboard.next().await;
            let wish = key.and_then(|key| live.model.press(key));
            live.screen.draw(&live.model)?;
            if let Some(wish) = wish {
                return Ok(wish);
            }
        }
    }

    /// What became of a wish: shown for some seconds.
    pub(crate) fn told(&mut self, answer: Result<(), String>) -> std::io::Result<()> {
        let Self::InPlace(live) = self else { return Ok(()) };
        live.model.told(answer);
        live.screen.draw(&live.model)
    }
}

/// A picture as text of a width, for `outdial status`.
pub(crate) fn text_of(title: &str, lang: Lang, picture: Picture) -> String {
    let mut model = Model::new(title, lang, true);
    model.take(picture);
    draw::text(&model, 80)
}
