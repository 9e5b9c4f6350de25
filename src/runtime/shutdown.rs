//! Ctrl-C and SIGTERM, counted: the first drains, the second ends every call, the third leaves at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals as one stream.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes both signals over; they no longer end the process by themselves.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next signal of either kind. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        let (interrupt, terminate) = (&mut self.interrupt, &mut self.terminate);
        let got = tokio::select! {
            got = interrupt.recv() => got,
            got = terminate.recv() => got,
        };
        if got.is_none() {
            // No more signals can come: never, rather than again and again.
            std::future::pending::<()>().await;
        }
    }
}
