//! The simulated agents of dialers that may vanish at any moment: they log in whenever they are offline, at another dialer
//! where theirs is gone.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use outdial::carrier::CarrierHandle;
use outdial::carrier::CarrierSettings;
use outdial::carrier::PhonePlan;
use outdial::logic::dialer::command::AgentNotice;
use outdial::logic::dialer::command::AgentState;
use outdial::simulation::agent_brain::BrainSettings;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::dice::Law;
use serde_json::json;

use crate::site::ask;
use crate::site::rest;

/// Three agents' phones, and people of whom two in three answer and talk for half a second.
pub(crate) fn brisk_carrier(seed: u64) -> CarrierHandle {
    let people = [
        (2, Behaviour::person(Law::between(100, 300), Law::between(200, 600))),
        (1, Behaviour::busy(Law::between(50, 150))),
    ];
    let mut settings = CarrierSettings::on_loopback(BehaviourBook::shares(people), seed);
    let brain =
        BrainSettings { hang_up_after: Some(Law::between(200, 500)), ..BrainSettings::demo() };
    settings.phones = (1..=3)
        .map(|n| PhonePlan { brain: Some(brain.clone()), ..PhonePlan::new(&format!("agent{n}")) })
        .collect();
    outdial::carrier::start(settings).unwrap()
}

/// One thread per agent, and one that carries their wish to be ready.
#[derive(Debug)]
pub(crate) struct Staff {
    done: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Staff {
    /// Everybody watches the socket for a dialer.
    pub(crate) fn hire(carrier: CarrierHandle, socket: &Path) -> (Self, Arc<CarrierHandle>) {
        Self::hire_at(carrier, vec![socket.to_owned()])
    }

    /// Likewise, at several dialers: as many at each at first.
    pub(crate) fn hire_at(
        mut carrier: CarrierHandle,
        sockets: Vec<PathBuf>,
    ) -> (Self, Arc<CarrierHandle>) {
        let wishes = carrier.take_wishes().unwrap();
        let carrier = Arc::new(carrier);
        let done = Arc::new(AtomicBool::new(false));
        let places = Arc::new(Mutex::new(BTreeMap::new()));
        let mut threads = Vec::new();
        for (number, (name, _)) in carrier.phone_addrs().iter().enumerate() {
            let mut sockets = sockets.clone();
            let first = number % sockets.len();
            sockets.rotate_left(first);
            let agent = Agent {
                name: name.clone(),
                sockets,
                places: Arc::clone(&places),
                carrier: Arc::clone(&carrier),
                done: Arc::clone(&done),
            };
            threads.push(std::thread::spawn(move || agent.work()));
        }
        let over = Arc::clone(&done);
        threads.push(std::thread::spawn(move || {
            let mut wishes = wishes;
            while !over.load(Ordering::Relaxed) {
                match wishes.try_recv() {
                    Ok(wish) => {
                        // A dialer that died meanwhile is told again by the next login.
                        let wish = serde_json::to_value(&wish).unwrap();
                        let agent = wish["agent"].as_str().unwrap();
                        let place = places.lock().unwrap().get(agent).cloned();
                        place.and_then(|place: PathBuf| ask(&place, &wish));
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
    /// Where to work, the best place first.
    sockets: Vec<PathBuf>,
    /// Where everybody works now.
    places: Arc<Mutex<BTreeMap<String, PathBuf>>>,
    carrier: Arc<CarrierHandle>,
    done: Arc<AtomicBool>,
}

impl Agent {
    fn work(&self) {
        let mut place = 0;
        while !self.done.load(Ordering::Relaxed) {
            if self.watch(&self.sockets[place]).is_none() {
                place = (place + 1) % self.sockets.len();
                rest(Duration::from_millis(20));
            }
        }
    }

    /// Until the dialer is gone, or will not have us. `None`: there is none.
    fn watch(&self, socket: &Path) -> Option<()> {
        let mut stream = UnixStream::connect(socket).ok()?;
        self.places.lock().unwrap().insert(self.name.clone(), socket.to_owned());
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
                let login = json!({ "op": "agent_login", "agent": self.name });
                let reply = ask(socket, &login).unwrap_or_default();
                if self.sockets.len() > 1 && reply["reply"] == "refused" {
                    return None;
                }
                offline = false;
            }
        }
        Some(())
    }
}

/// The limits of a campaign that calls them.
pub(crate) const BRISK: &str =
    "ring = \"5s\"\nset_up = \"8s\"\nperson_after = \"500ms\"\nwrap_up = \"300ms\"";
