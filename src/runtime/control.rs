//! The control socket: a Unix socket beside the database, for its owner only. One JSON command a line, one JSON
//! reply a line.
//!
//! ```text
//!   {"op":"agent_ready","agent":"hanako"}          -> {"reply":"ok"}
//!   {"op":"metrics"}                  -> {"reply":"metrics","counters":[{"name":…,"help":…,"count":…},…]}
//!   {"op":"agent_page","agent":"hanako","watch":true} -> {"reply":"agent",...} now and at every change
//! ```

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::logic::dialer::command::Command;
use crate::logic::dialer::command::Reply;
use crate::runtime::handle::Handle;
use crate::telemetry::Metrics;

/// The bound socket; its file goes when this is dropped.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A Unix socket's path has room for 107 bytes (`sun_path`).
    #[error("{} is too long for a socket (at most 107 bytes): let `control` in outdial.toml name a shorter one", .0.display())]
    TooLong(PathBuf),
    /// Another dialer answers there.
    #[error("another dialer answers at {}: stop it first", .0.display())]
    Held(PathBuf),
    /// The socket cannot be made.
    #[error("cannot make the control socket {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Control {
    /// Binds the socket, in the place of one that a dead process left. Needs a tokio runtime.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(ControlError::TooLong(path.to_owned()));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ControlError::Held(path.to_owned()));
        }
        let io = |source| ControlError::Io { path: path.to_owned(), source };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        // Between bind and chmod only somebody who may write the database's folder could connect, and the first line
        // of a connection is read after the chmod.
        let listener = UnixListener::bind(path).map_err(io)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves until dropped; `most` connections at once.
    pub async fn serve(self, handle: Handle, metrics: Arc<Metrics>, most: usize) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < most => {
                        connections.spawn(serve_one(stream, handle.clone(), Arc::clone(&metrics)));
                    }
                    Ok((stream, _)) => {
                        metrics.control_refused.one();
                        connections.spawn(refuse(stream));
                    }
                    Err(error) => {
                        // Out of file handles: those in use will be closed some time.
                        tracing::warn!(%error, "the control socket cannot take a connection");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a control connection failed");
                    }
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket's file was gone already");
        }
    }
}

/// One connection's life: a wrong line is answered, an over-long one ends it.
async fn serve_one(stream: UnixStream, handle: Handle, metrics: Arc<Metrics>) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let line = match next_line(&mut read).await {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(error) => {
                metrics.control_refused.one();
                let reply = refused("bad_line", &error.to_string());
                return part(read, write, &reply).await;
            }
        };
        if asks_for_counters(&line) {
            let counters = json!({ "reply": "metrics", "counters": metrics.read() });
            if say(&mut write, &counters).await.is_err() {
                return;
            }
            continue;
        }
        let served = match parse(&line) {
            Ok((Command::AgentPage { agent }, true)) => {
                return watch(&mut read, &mut write, &handle, &agent).await;
            }
            Ok((command, _)) => match handle.ask(command).await {
                Ok(reply) => say(&mut write, &reply).await,
                Err(gone) => {
                    let told = say(&mut write, &refused("ended", &gone.to_string())).await;
                    if told.is_err() {
                        tracing::debug!("a control client left before the dialer's end");
                    }
                    return;
                }
            },
            Err(why) => {
                metrics.control_refused.one();
                say(&mut write, &refused("bad_command", &why)).await
            }
        };
        if served.is_err() {
            return;
        }
    }
}

/// The page now, then every change of that agent, until the client closes.
async fn watch(
    read: &mut BufReader<OwnedReadHalf>,
    write: &mut OwnedWriteHalf,
    handle: &Handle,
    agent: &str,
) {
    let mut notices = handle.notices();
    let mut fresh = true;
    let mut scratch = [0_u8; 64];
    loop {
        if fresh {
            let page = Command::AgentPage { agent: agent.to_owned() };
            let Ok(reply) = handle.ask(page).await else { return };
            let known = matches!(reply, Reply::Agent(_));
            if say(write, &reply).await.is_err() || !known {
                return;
            }
            fresh = false;
        }
        tokio::select! {
            notice = notices.recv() => match notice {
                Ok(notice) if notice.agent == agent => {
                    if say(write, &Reply::Agent((*notice).clone())).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => fresh = true,
                Err(RecvError::Closed) => return,
            },
            // What a watcher sends is ignored; that it left is not.
            got = read.read(&mut scratch) => if matches!(got, Ok(0) | Err(_)) { return },
        }
    }
}

/// Last words. What the client still sends is read and thrown away for a while: closing over unread bytes would take
/// the words back.
async fn part(mut read: BufReader<OwnedReadHalf>, mut write: OwnedWriteHalf, reply: &Reply) {
    let words = async {
        say(&mut write, reply).await?;
        write.shutdown().await?;
        let mut rest = (&mut read).take(1 << 20);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    if !matches!(timeout(PATIENCE, words).await, Ok(Ok(_))) {
        tracing::debug!("a control client left before it heard why");
    }
}

async fn refuse(mut stream: UnixStream) {
    let reply = refused("busy", "too many connections to the control socket: try again later");
    let mut line = serde_json::to_vec(&reply).unwrap_or_default();
    line.push(b'\n');
    if timeout(PATIENCE, stream.write_all(&line)).await.is_err() {
        tracing::debug!("a refused control client does not read");
    }
}

/// Counters are this process's own: the dialer is not asked.
fn asks_for_counters(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|value| value == json!({ "op": "metrics" }))
}

/// A command and whether its changes are to follow.
fn parse(line: &str) -> Result<(Command, bool), String> {
    let mut value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let watch = value
        .as_object_mut()
        .filter(|object| object.get("op").is_some_and(|op| op == "agent_page"))
        .and_then(|object| object.remove("watch"));
    let watch = match watch {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(other) => return Err(format!("`watch` is true or false, not {other}")),
    };
    let command = serde_json::from_value(value).map_err(|error| error.to_string())?;
    Ok((command, watch))
}

fn refused(code: &'static str, message: &str) -> Reply {
    Reply::Refused { code, message: message.to_owned() }
}

async fn next_line(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
    read.take(most).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        let why = format!("a line ends with a line feed within {LONGEST_LINE} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    String::from_utf8(line)
        .map(Some)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a line is UTF-8"))
}

async fn say(write: &mut OwnedWriteHalf, reply: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    // Who does not read is left: the dialer's memory is not his mailbox.
    timeout(PATIENCE, write.write_all(&line)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// Longest line from a client.
pub const LONGEST_LINE: usize = 64 * 1024;
/// Connections at once, besides those of the agents: each watches a page of its own and gives orders. Further ones are
/// refused with `busy`.
pub const CONNECTIONS: usize = 64;
/// Connections for each agent.
pub const CONNECTIONS_OF_AGENT: usize = 2;
/// How long a client may leave its replies unread.
const PATIENCE: Duration = Duration::from_secs(5);
/// `sun_path` of Linux is 108 bytes with its closing zero.
const LONGEST_PATH: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::dialer::command::{AgentNotice, AgentState};
    use crate::logic::time::UtcMs;
    use crate::runtime::handle::Ask;
    use crate::runtime::handle::HandleEnds;

    fn notice(agent: &str, state: AgentState) -> AgentNotice {
        AgentNotice { agent: agent.to_owned(), state, since: UtcMs(5), reason: None, page: None }
    }

    /// Answers like a dialer with one paused agent, "hanako"; a `ready` of hers makes a notice.
    async fn answer(mut ends: HandleEnds) {
        while let Some(Ask::Command(command, answer)) = ends.asks.recv().await {
            let hanako = || "hanako".to_owned();
            let reply = if command == (Command::AgentPage { agent: hanako() }) {
                Reply::Agent(notice("hanako", AgentState::Paused))
            } else if command == (Command::AgentReady { agent: hanako() }) {
                for agent in ["taro", "hanako"] {
                    // Nobody may be watching.
                    drop(ends.notices.send(notice(agent, AgentState::Ready).into()));
                }
                Reply::Ok
            } else {
                Reply::Refused { code: "unknown", message: "?".to_owned() }
            };
            answer.send(reply).unwrap();
        }
    }

    /// Runs a story against a served socket in a folder of its own.
    fn with_socket<S: Future<Output = ()>>(story: impl FnOnce(PathBuf) -> S) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.sock");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (handle, ends) = Handle::new();
            let control = Control::bind(&path).unwrap();
            tokio::select! {
                () = control.serve(handle, Arc::default(), MOST) => panic!("serves for ever"),
                () = answer(ends) => panic!("the handle lives as long as the socket"),
                () = story(path.clone()) => {}
            }
        });
        assert!(!path.exists(), "the socket's file goes with it");
    }

    /// Connections of these tests.
    const MOST: usize = 3;

    struct Client(BufReader<UnixStream>);

    impl Client {
        async fn connect(path: &Path) -> Self {
            Self(BufReader::new(UnixStream::connect(path).await.unwrap()))
        }

        async fn send(&mut self, line: &str) {
            self.0.write_all(line.as_bytes()).await.unwrap();
            self.0.write_all(b"\n").await.unwrap();
        }

        async fn hear(&mut self) -> String {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            line.trim_end().to_owned()
        }
    }

    #[test]
    fn a_command_a_line_gets_a_reply_a_line() {
        with_socket(|path| async move {
            let mut client = Client::connect(&path).await;
            client.send(r#"{"op":"agent_ready","agent":"hanako"}"#).await;
            assert_eq!(client.hear().await, r#"{"reply":"ok"}"#);
            client.send(r#"{"op":"agent_redy"}"#).await;
            let reply = client.hear().await;
            assert!(reply.starts_with(r#"{"reply":"refused","code":"bad_command""#), "{reply}");
            client.send(r#"{"op":"agent_ready","agent":"nobody"}"#).await;
            assert!(client.hear().await.contains("unknown"));
        });
    }

    #[test]
    fn a_watcher_hears_of_its_own_agent_only() {
        with_socket(|path| async move {
            let mut watcher = Client::connect(&path).await;
            watcher.send(r#"{"op":"agent_page","agent":"hanako","watch":true}"#).await;
            assert!(watcher.hear().await.contains(r#""state":"paused""#));
            let mut other = Client::connect(&path).await;
            other.send(r#"{"op":"agent_ready","agent":"hanako"}"#).await;
            assert_eq!(other.hear().await, r#"{"reply":"ok"}"#);
            let line = watcher.hear().await;
            assert!(line.contains("hanako") && line.contains(r#""state":"ready""#), "{line}");
        });
    }

    #[test]
    fn an_endless_line_ends_the_connection_and_nothing_else() {
        with_socket(|path| async move {
            let mut client = Client::connect(&path).await;
            client.send(&"x".repeat(LONGEST_LINE)).await;
            assert!(client.hear().await.contains("bad_line"));
            assert_eq!(client.hear().await, "");
            let mut next = Client::connect(&path).await;
            next.send(r#"{"op":"agent_ready","agent":"hanako"}"#).await;
            assert_eq!(next.hear().await, r#"{"reply":"ok"}"#);
        });
    }

    #[test]
    fn one_connection_too_many_is_told_so_and_the_others_go_on() {
        with_socket(|path| async move {
            let ready = r#"{"op":"agent_ready","agent":"hanako"}"#;
            let mut clients = Vec::new();
            for _ in 0..MOST {
                let mut client = Client::connect(&path).await;
                client.send(ready).await;
                assert_eq!(client.hear().await, r#"{"reply":"ok"}"#);
                clients.push(client);
            }
            assert!(Client::connect(&path).await.hear().await.contains(r#""code":"busy""#));
            clients[0].send(ready).await;
            assert_eq!(clients[0].hear().await, r#"{"reply":"ok"}"#);
        });
    }

    #[test]
    fn the_socket_is_for_its_owner_and_replaces_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a dead process leaves its file");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _in = runtime.enter();
        let control = Control::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Control::bind(&path), Err(ControlError::Held(_))));
        drop(control);
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused_in_words() {
        let path = PathBuf::from(format!("/tmp/{}", "a".repeat(200)));
        assert!(matches!(Control::bind(&path), Err(ControlError::TooLong(_))));
    }
}
