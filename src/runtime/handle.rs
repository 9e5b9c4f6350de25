//! The way to a running dialer for everything else in the process: control socket, screens, later the web.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::logic::dialer::command::{AgentNotice, Command, Reply, View};

/// Cheap to clone; works from any thread and any tokio runtime.
#[derive(Clone, Debug)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    notices: broadcast::Sender<Arc<AgentNotice>>,
    view: watch::Receiver<Arc<View>>,
}

/// What a handle hands to the driver.
#[derive(Debug)]
pub(super) enum Ask {
    /// A command and where its answer goes.
    Command(Command, oneshot::Sender<Reply>),
    /// As the first (or second) Ctrl-C.
    Shutdown,
}

/// The driver's ends of a handle.
#[derive(Debug)]
pub(super) struct HandleEnds {
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) notices: broadcast::Sender<Arc<AgentNotice>>,
    pub(super) view: watch::Sender<Arc<View>>,
}

/// The dialer has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dialer has ended")]
pub struct DialerGone;

impl Handle {
    pub(super) fn new() -> (Self, HandleEnds) {
        let (asks, asks_end) = mpsc::channel(ASKS);
        let (notices, _) = broadcast::channel(NOTICES);
        let (view_end, view) = watch::channel(Arc::new(View::default()));
        let ends = HandleEnds { asks: asks_end, notices: notices.clone(), view: view_end };
        (Self { asks, notices, view }, ends)
    }

    /// Asks and waits for the answer. Waits too while [`ASKS`] others are being taken in.
    ///
    /// # Errors
    /// The dialer ended before it answered.
    pub async fn ask(&self, command: Command) -> Result<Reply, DialerGone> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Command(command, answer)).await.map_err(|_| DialerGone)?;
        answered.await.map_err(|_| DialerGone)
    }

    /// As a Ctrl-C: the first one drains, the second one ends every call.
    ///
    /// # Errors
    /// The dialer has ended already.
    pub async fn shut_down(&self) -> Result<(), DialerGone> {
        self.asks.send(Ask::Shutdown).await.map_err(|_| DialerGone)
    }

    /// Every change of every agent from now on. Who lags more than [`NOTICES`] behind is told so and asks for the
    /// page anew.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Arc<AgentNotice>> {
        self.notices.subscribe()
    }

    /// The whole picture, renewed about five times a second.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Waits for the next picture.
    ///
    /// # Errors
    /// The dialer has ended.
    pub async fn next_view(&mut self) -> Result<Arc<View>, DialerGone> {
        self.view.changed().await.map_err(|_| DialerGone)?;
        Ok(Arc::clone(&self.view.borrow_and_update()))
    }
}

/// Commands taken in at once; further ones wait in their senders.
pub const ASKS: usize = 256;
/// Notices that a watcher may lag behind.
pub const NOTICES: usize = 1_024;
