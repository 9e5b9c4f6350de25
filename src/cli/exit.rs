//! How a command ends, for the shell that called it.

use std::process::ExitCode;

/// Exit codes; the table in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Ok,
    /// 1: it failed: database, network, disk.
    Failed,
    /// 2: the command line or a file is wrong (clap uses 2 for the command line as well).
    BadInput,
    /// 3: refused: another process holds the database, or the dialer said no.
    Refused,
    /// 4: no dialer runs there.
    NoDialer,
    /// 130: a second Ctrl-C ended calls that were in progress.
    Forced,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::BadInput => 2,
            Exit::Refused => 3,
            Exit::NoDialer => 4,
            Exit::Forced => 130,
        })
    }
}

/// An error and the code it ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }
}

/// What nobody sorted is a failure of the world, not of the person.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: Exit::Failed, error: error.into() }
    }
}

/// Says which code an error ends with: `open(path).or_exit(Exit::BadInput)?`.
pub(crate) trait OrExit<T> {
    /// The same value, or the error with its code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}
