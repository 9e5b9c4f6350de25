//! The simulated agents of a dialer that may vanish at any moment: they log in whenever they are offline.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use outdial::carrier::CarrierHandle;
use outdial::logic::dialer::command::AgentNotice;
use outdial::logic::dialer::command::AgentState;
use serde_json::json;

use crate::site::ask;
use crate::site::rest;

/// One thread per agent, and one that carries their wish to be ready.
#[derive(Debug)]
pub(crate) struct Staff {
    done: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Staff {
    /// Everybody watches the socket for a dialer.
    pub(crate) fn hire(mut carrier: CarrierHandle, socket: &Path) -> (Self, Arc<CarrierHandle>) {
        let wishes = carrier.take_wishes().unwrap();
        let carrier = Arc::new(carrier);
        let done = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (name, _) in carrier.phone_addrs() {
            let agent = Agent {
                name: name.clone(),
                socket: socket.to_owned(),
                carrier: Arc::clone(&carrier),
                done: Arc::clone(&done),
            };
            threads.push(std::thread::spawn(move || agent.work()));
        }
        let (socket, over) = (socket.to_owned(), Arc::clone(&done));
        threads.push(std::thread::spawn(move || {
            let mut wishes = wishes;
            while !over.load(Ordering::Relaxed) {
                match wishes.try_recv() {
                    Ok(agent) => {
                        // A dialer that died meanwhile is told again by the next login.
                        ask(&socket, &json!({ "op": "agent_ready", "agent": agent }));
                    }
                    Err(_) => rest(Duration::from_millis(5)),
                }
            }
        }));
        (Self { done, threads }, carrier)
    }

    /// Everybody goes home; a dialer that still runs is left alone.
    pub(crate) fn dismiss(self) {
        self.done.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

struct Agent {
    name: String,
    socket: PathBuf,
    carrier: Arc<CarrierHandle>,
    done: Arc<AtomicBool>,
}

impl Agent {
    fn work(&self) {
        while !self.done.load(Ordering::Relaxed) {
            if self.watch().is_none() {
                rest(Duration::from_millis(20));
            }
        }
    }

    /// Until the dialer is gone. `None`: there is none.
    fn watch(&self) -> Option<()> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        writeln!(stream, "{}", json!({ "op": "agent_page", "agent": self.name, "watch": true }))
            .ok()?;
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        let mut offline = false;
        while !self.done.load(Ordering::Relaxed) {
            match lines.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {
                    let notice: AgentNotice = serde_json::from_str(&line).ok()?;
                    self.carrier.tell(&self.name, notice.state).unwrap();
                    offline = notice.state == AgentState::Offline;
                    line.clear();
                }
                // What came so far of a line stays in it.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
            if offline {
                ask(&self.socket, &json!({ "op": "agent_login", "agent": self.name }));
                offline = false;
            }
        }
        Some(())
    }
}
