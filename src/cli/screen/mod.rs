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

/// Where a run is shown. Showing never fails: a reader or a terminal that goes away must not end anybody's calls.
#[derive(Debug)]
pub(crate) enum Live {
    /// On a terminal.
    InPlace(Box<InPlace>),
    /// Elsewhere.
    Lines(Box<Plain>),
    /// Nowhere any more.
    Gone,
}

/// The model and the terminal it is shown on.
#[derive(Debug)]
pub(crate) struct InPlace {
    model: Model,
    screen: Screen,
    keyboard: Keyboard,
}

impl Live {
    /// Of a dialer in this process, on the standard error output, so that the standard output stays for results.
    pub(crate) fn of_ours(title: &str, lang: Lang) -> Self {
        Self::new(Model::new(title, lang, false), Plain::on_error_output())
    }

    /// Of a dialer in another process, which goes on when this one leaves: lines go to the standard output.
    pub(crate) fn of_another(title: &str, lang: Lang) -> Self {
        Self::new(Model::new(title, lang, true), Plain::on_output())
    }

    fn new(model: Model, plain: Plain) -> Self {
        if !terminal::is_ours() {
            return Self::Lines(Box::new(plain));
        }
        let entered = Screen::enter().and_then(|screen| Ok((screen, Keyboard::listen()?)));
        match entered {
            Ok((screen, keyboard)) => Self::InPlace(Box::new(InPlace { model, screen, keyboard })),
            Err(error) => {
                tracing::warn!(%error, "the terminal cannot show the live view");
                Self::Lines(Box::new(plain))
            }
        }
    }

    /// Nobody sees anything any more.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    /// Shows a picture, if it is time to.
    pub(crate) fn show(&mut self, picture: Picture) {
        let shown = match self {
            Self::InPlace(live) => {
                live.model.take(picture);
                live.screen.draw(&live.model)
            }
            Self::Lines(lines) => lines.show(picture),
            Self::Gone => Ok(()),
        };
        self.unless_gone(shown);
    }

    /// The next wish of the person before the screen; never, where there is none. Cancel-safe.
    pub(crate) async fn wish(&mut self) -> Wish {
        loop {
            let Self::InPlace(live) = self else { return std::future::pending().await };
            let key = live.keyboard.next().await;
            let wish = key.and_then(|key| live.model.press(key));
            let shown = live.screen.draw(&live.model);
            self.unless_gone(shown);
            if let Some(wish) = wish {
                return wish;
            }
        }
    }

    /// What became of a wish: shown for some seconds.
    pub(crate) fn told(&mut self, answer: Result<(), String>) {
        if let Self::InPlace(live) = self {
            live.model.told(answer);
            let shown = live.screen.draw(&live.model);
            self.unless_gone(shown);
        }
    }

    fn unless_gone(&mut self, shown: std::io::Result<()>) {
        if let Err(error) = shown {
            tracing::warn!(%error, "nobody sees the live view any more");
            *self = Self::Gone;
        }
    }
}

/// A picture as text of a width, for `outdial status`.
pub(crate) fn text_of(title: &str, lang: Lang, picture: Picture) -> String {
    let mut model = Model::new(title, lang, true);
    model.take(picture);
    draw::text(&model, 80)
}
