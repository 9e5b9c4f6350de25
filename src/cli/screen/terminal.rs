//! The terminal: taken over and given back, also by a panic. No decision is taken here.

use std::io::{Error, IsTerminal, Stderr, Write};
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::text::Text;
use tokio::sync::mpsc;

use crate::cli::screen::draw;
use crate::cli::screen::keys::Key;
use crate::cli::screen::model::Model;

/// Whether there is a person's terminal at both ends that can place text, and it is us who may use it: a job in the
/// background that reads keys or changes the terminal is stopped by the system.
pub(super) fn is_ours() -> bool {
    let places_text =
        std::env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb");
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    places_text && is_terminal && in_foreground()
}

/// Our process group and that of the terminal's foreground: fields 5 and 8 of proc(5), counted behind the name, which
/// may hold anything. Unknown: as if in the foreground.
fn in_foreground() -> bool {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return true };
    let Some((_, fields)) = stat.rsplit_once(')') else { return true };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields.get(2) == fields.get(5)
}

/// The whole terminal; as it was when this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
}

impl Screen {
    pub(super) fn enter() -> std::io::Result<Self> {
        restore_on_panic();
        enable_raw_mode()?;
        let mut out = std::io::stderr();
        let entered = execute!(out, EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(out)));
        // What was entered half is left again.
        let terminal = entered.inspect_err(|_| restore())?;
        Ok(Self { terminal })
    }

    /// Shows the model in the size that the window has now.
    pub(super) fn draw(&mut self, model: &Model) -> std::io::Result<()> {
        self.terminal.draw(|frame| {
            let area = frame.area();
            let lines = draw::lines(model, area.width.into(), area.height.into());
            frame.render_widget(Text::from(lines), area);
        })?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back. Where that fails it is gone, and there is nobody to tell.
fn restore() {
    drop(disable_raw_mode());
    let mut out = std::io::stderr();
    drop(execute!(out, LeaveAlternateScreen, Show).and_then(|()| out.flush()));
}

/// The panic's words belong on the terminal as it was.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
}

/// Keys, read by a thread of their own: the system's reading waits.
#[derive(Debug)]
pub(super) struct Keyboard {
    keys: mpsc::Receiver<Option<Key>>,
    over: Arc<AtomicBool>,
}

impl Keyboard {
    pub(super) fn listen() -> std::io::Result<Self> {
        let (to_screen, keys) = mpsc::channel(KEYS);
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        std::thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
            // Ends with the program at the latest; a terminal that fails has no more keys.
            while !told.load(Ordering::Relaxed) && read(&to_screen).is_ok() {}
        })?;
        Ok(Self { keys, over })
    }

    /// The next key; `None`: only the window's size changed. Never, when the keyboard is gone.
    pub(super) async fn next(&mut self) -> Option<Key> {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// One event, or none for a moment.
fn read(to_screen: &mpsc::Sender<Option<Key>>) -> std::io::Result<()> {
    if !event::poll(LOOK_UP)? {
        return Ok(());
    }
    let key = match event::read()? {
        Event::Key(key) => match known(key) {
            Some(key) => Some(key),
            None => return Ok(()),
        },
        Event::Resize(..) => None,
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => return Ok(()),
    };
    match to_screen.try_send(key) {
        // Somebody leans on the keyboard: what the screen has not taken in is lost.
        Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::other("nobody listens")),
    }
}

fn known(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if let KeyCode::Char(letter) = key.code {
        return if control {
            (letter == 'c').then_some(Key::Interrupt)
        } else {
            Some(Key::Char(letter))
        };
    }
    let others =
        [(KeyCode::Enter, Key::Enter), (KeyCode::Tab, Key::Tab), (KeyCode::Esc, Key::Escape)];
    others.into_iter().find(|(code, _)| *code == key.code).map(|(_, known)| known)
}

/// Keys that may wait for the screen.
const KEYS: usize = 32;
/// How long the keyboard's thread may outlive the screen.
const LOOK_UP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs itself a second time on a terminal of its own (`script` of util-linux), where it panics with the screen taken.
    #[test]
    fn a_panic_gives_the_terminal_back_and_then_says_its_words() {
        if std::env::var_os(CHILD).is_some() {
            let _screen = Screen::enter().unwrap();
            panic!("{WORDS}");
        }
        let program = std::env::current_exe().unwrap();
        let name =
            "cli::screen::terminal::tests::a_panic_gives_the_terminal_back_and_then_says_its_words";
        let commands = format!(
            "stty sane; stty -g; {CHILD}=1 {} --exact {name} --nocapture; stty -g",
            program.display()
        );
        let output = Command::new("script")
            .args(["-qec", &commands, "/dev/null"])
            .env("TERM", "xterm")
            .output()
            .expect("`script` is missing: apt-get install bsdutils");
        let text = String::from_utf8_lossy(&output.stdout);
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?}: {text:?}"));
        assert!(place("\x1b[?1049h") < place("\x1b[?1049l"), "taken and given back: {text:?}");
        assert!(place("\x1b[?1049l") < place(WORDS), "the words are on the plain screen: {text:?}");
        let settings: Vec<&str> = text
            .lines()
            .filter(|line| line.matches(':').count() > 10 && !line.contains(' '))
            .collect();
        assert!(settings.len() == 2 && settings[0] == settings[1], "{settings:?}");
    }

    const CHILD: &str = "OUTDIAL_TEST_PANICS";
    const WORDS: &str = "the screen was taken when this happened";
}
