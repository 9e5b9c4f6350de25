//! From settings to a running dialer: database, lock, rows, sounds, sockets, media, node, loop.
//!
//! The dialer gets a thread and a runtime of its own, so that a screen that blocks delays no call.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::files::sound::{self, SoundError};
use crate::logic::dialer::{CampaignStart, DialerStart, Look, Seen};
use crate::logic::ids::IdMaker;
use crate::logic::media::MediaCommand;
use crate::logic::node::NodeStart;
use crate::logic::settings::{AgentSettings, CampaignSettings, TrunkSettings};
use crate::media::{self, MediaClock, MediaHandle, MediaSettings, MediaStartError, MediaThreads};
use crate::runtime::clock::Clock;
use crate::runtime::control::{CONNECTIONS, CONNECTIONS_OF_AGENT, Control, ControlError};
use crate::runtime::dice::{Dice, DiceError};
use crate::runtime::driver::{self, Ended, MediaPort, Ports};
use crate::runtime::handle::{Handle, HandleEnds};
use crate::runtime::journal::JournalWriter;
use crate::runtime::lock::{DialerLock, LockError, host};
use crate::runtime::shutdown::Signals;
use crate::runtime::store_link::{self, StoreLink};
use crate::runtime::store_task::{self, StoreTimes};
use crate::store::{self, Db, Engine, NewNode, StoreError};
use crate::telemetry::Metrics;
use crate::wire::udp::{BindError, SIP_BUFFER, SipSocket};

/// What a dialer is started with: files read, names resolved.
#[derive(Clone, Debug)]
pub struct StartSettings {
    /// `sqlite:FILE` or `postgres://…`.
    pub database_url: String,
    /// The file to lock, where the database is one.
    pub database_file: Option<PathBuf>,
    /// Where the control socket is made.
    pub control: PathBuf,
    /// This dialer's name; the same at every start.
    pub node: String,
    /// Most customer legs at once.
    pub lines: u32,
    /// Our SIP socket; port 0: any.
    pub sip_bind: SocketAddr,
    /// Our address as far ends see it, where that is not the socket's.
    pub advertised_address: Option<IpAddr>,
    /// Our RTP sockets.
    pub rtp_address: IpAddr,
    /// Their ports.
    pub rtp_ports: RangeInclusive<u16>,
    /// Every trunk.
    pub trunks: Vec<TrunkSettings>,
    /// Every agent.
    pub agents: Vec<AgentSettings>,
    /// Every campaign of this run.
    pub campaigns: Vec<CampaignSettings>,
    /// End when nothing is left to do.
    pub until_idle: bool,
    /// Take over Ctrl-C and SIGTERM.
    pub signals: bool,
    /// The folder in which a journal of pacing is kept.
    pub pacing_journal: Option<PathBuf>,
}

/// Why a dialer does not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process holds the database.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another dialer holds the control socket, or it cannot be made.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another dialer of our name is at work on the same server: we would end its calls.
    #[error(
        "a dialer named {name} runs on {host} (process {pid}) with this database: give this one another `node` in \
         outdial.toml. If that one has died, its name is free in {seconds} s"
    )]
    NameHeld {
        /// The name of both.
        name: String,
        /// Its machine.
        host: String,
        /// Its process id there.
        pid: u32,
        /// Until its lease is over.
        seconds: u64,
    },
    /// A message of a campaign.
    #[error("campaign {campaign}: {source}")]
    Sound {
        /// Which.
        campaign: String,
        /// What is wrong.
        source: SoundError,
    },
    /// The journal of pacing.
    #[error("cannot keep a journal of pacing in {}: {source}; choose another folder", .folder.display())]
    Journal {
        /// Its folder.
        folder: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The SIP socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The media thread.
    #[error(transparent)]
    Media(#[from] MediaStartError),
    /// No random numbers.
    #[error(transparent)]
    Dice(#[from] DiceError),
    /// Threads, signals.
    #[error("cannot start the dialer's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The dialer's thread ended while it started: a bug, told on the error output.
    #[error("the dialer's thread ended while it started")]
    Died,
}

impl StartError {
    /// Whether another process is in the way.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(
            self,
            Self::Lock(LockError::Held { .. })
                | Self::Control(ControlError::Held(_))
                | Self::NameHeld { .. }
        )
    }
}

/// A dialer at work.
#[derive(Debug)]
pub struct Running {
    handle: Handle,
    metrics: Arc<Metrics>,
    sip_address: SocketAddr,
    thread: JoinHandle<Ended>,
}

impl Running {
    /// The way to it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Its SIP address, as far ends see it.
    #[must_use]
    pub const fn sip_address(&self) -> SocketAddr {
        self.sip_address
    }

    /// Waits for its end. `None`: its thread panicked.
    #[must_use]
    pub fn wait(self) -> Option<Ended> {
        self.thread.join().ok()
    }
}

/// Starts a dialer; when this returns, it dials as soon as an agent is ready.
///
/// # Errors
/// See [`StartError`].
pub fn start(settings: StartSettings) -> Result<Running, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let metrics = Arc::new(Metrics::default());
    let (started, told) = std::sync::mpsc::sync_channel(1);
    let thread = {
        let metrics = Arc::clone(&metrics);
        std::thread::Builder::new().name("dialer".to_owned()).spawn(move || {
            let ended = runtime.block_on(async {
                match Box::pin(assemble(settings, Arc::clone(&metrics))).await {
                    Ok(parts) => {
                        let ready = (parts.handle.clone(), parts.node.sip_address);
                        if started.send(Ok(ready)).is_err() {
                            return Ended::default();
                        }
                        Box::pin(parts.run()).await
                    }
                    Err(error) => {
                        // Whoever started us waits for exactly this.
                        drop(started.send(Err(error)));
                        Ended::default()
                    }
                }
            });
            // A database that hangs must not hold the process: its worker is left behind.
            runtime.shutdown_timeout(Duration::from_millis(100));
            ended
        })?
    };
    let (handle, sip_address) = told.recv().map_err(|_| StartError::Died)??;
    Ok(Running { handle, metrics, sip_address, thread })
}

/// Everything that is open, before the first call.
struct Parts {
    handle: Handle,
    ends: HandleEnds,
    node: NodeStart,
    clock: Clock,
    socket: SipSocket,
    media: (MediaHandle, MediaThreads),
    media_events: mpsc::Receiver<crate::logic::media::MediaEvent>,
    store: StoreLink,
    checkpoints: Db,
    control: Control,
    /// Most connections to it.
    connections: usize,
    signals: Option<Signals>,
    metrics: Arc<Metrics>,
    journal: Option<JournalWriter>,
    _lock: Option<DialerLock>,
}

async fn assemble(settings: StartSettings, metrics: Arc<Metrics>) -> Result<Parts, StartError> {
    let clock = Clock::start();
    let dice = Dice::throw()?;
    let lock = settings
        .database_file
        .as_deref()
        .map(|file| DialerLock::take(file, &settings.node))
        .transpose()?;
    let control = Control::bind(&settings.control)?;
    let connections = CONNECTIONS + CONNECTIONS_OF_AGENT * settings.agents.len();
    let sounds = load_sounds(&settings.campaigns)?;
    let mut db = Db::open_writer(&settings.database_url).await?;
    db.migrate(Clock::utc(), &dice.installation).await?;
    if db.engine() == Engine::Postgres {
        refuse_our_double(&mut db, &settings.node).await?;
    }
    let new = NewNode {
        name: &settings.node,
        boot: dice.boot,
        pid: std::process::id(),
        host: &host(),
        now: Clock::utc(),
        lease_until: Clock::utc() + FIRST_LEASE,
    };
    let identity = store::register_node(&mut db, &new).await?;
    let socket = SipSocket::bind(settings.sip_bind, SIP_BUFFER)?;
    let (media_events, from_media) = mpsc::channel(MEDIA_EVENTS);
    let media = media::start(
        MediaSettings::new(
            settings.rtp_address,
            settings.rtp_ports.clone(),
            dice.seed,
            MediaClock::since(clock.started()),
        ),
        media_events,
    )?;
    let local = socket.local_addr();
    let advertised = settings.advertised_address;
    let sip_address = SocketAddr::new(advertised.unwrap_or_else(|| local.ip()), local.port());
    let rtp_address = advertised.unwrap_or(settings.rtp_address);
    let (dialer, stray_legs) = Box::pin(dialer_start(&mut db, settings.clone(), &identity)).await?;
    let node = NodeStart {
        dialer,
        installation: identity.installation.clone(),
        secret: identity.secret.clone(),
        sip_address,
        rtp_address,
        sounds,
        stray_legs,
        seed: dice.seed,
    };
    let checkpoints = Db::open_checkpoints(&settings.database_url).await?;
    let signals = if settings.signals { Some(Signals::listen()?) } else { None };
    let journal = settings.pacing_journal.as_deref().map(|folder| {
        JournalWriter::start(folder)
            .map_err(|source| StartError::Journal { folder: folder.to_owned(), source })
    });
    let journal = journal.transpose()?;
    let (handle, ends) = Handle::new();
    tracing::info!(
        node = settings.node,
        epoch = identity.epoch,
        %sip_address,
        %rtp_address,
        open_attempts = node.dialer.open_attempts.len(),
        "the dialer starts"
    );
    Ok(Parts {
        handle,
        ends,
        node,
        clock,
        socket,
        media,
        media_events: from_media,
        store: StoreLink::new(db, settings.database_url, identity),
        checkpoints,
        control,
        connections,
        signals,
        metrics,
        journal,
        _lock: lock,
    })
}

/// A crash of our own is followed at once; one who is alive, or may be on another machine, is not taken for one.
async fn refuse_our_double(db: &mut Db, name: &str) -> Result<(), StartError> {
    let now = Clock::utc();
    let Some(live) = store::live_node(db, name, now).await? else { return Ok(()) };
    let here = live.host.as_deref() == Some(host().as_str());
    // Process ids begin anew in every container: our own may have been the dead one's.
    let alive = live.pid != std::process::id() && is_process(live.pid);
    if here && !alive {
        return Ok(());
    }
    Err(StartError::NameHeld {
        name: name.to_owned(),
        host: live.host.unwrap_or_else(|| "another machine".to_owned()),
        pid: live.pid,
        seconds: live.lease_until.since(now).as_secs() + 1,
    })
}

/// Where the system does not say, there is none.
fn is_process(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// The rows of campaigns and agents, and what earlier processes left open.
async fn dialer_start(
    db: &mut Db,
    settings: StartSettings,
    identity: &store::NodeIdentity,
) -> Result<(DialerStart, Vec<crate::logic::dialer::OpenLeg>), StoreError> {
    let mut ids = IdMaker::new(identity.epoch);
    let mut campaigns = Vec::with_capacity(settings.campaigns.len());
    for campaign in settings.campaigns {
        let row = store::upsert_campaign(
            db,
            &mut ids,
            &campaign.name,
            &campaign.seller,
            Clock::utc(),
            true,
        )
        .await?;
        campaigns.push(CampaignStart {
            id: row.id,
            seller: row.seller,
            settings: campaign,
            first_run: row.first_run,
            classes: store::calling_classes(db, row.id).await?,
            paused: row.paused,
            learned: store::learned(db, row.id).await?,
        });
    }
    let names: Vec<&str> = settings.agents.iter().map(|agent| agent.name.as_str()).collect();
    let rows = store::upsert_agents(db, &mut ids, &names).await?;
    // A file has one dialer: whoever has not ended there is dead. On a server the living may be slow to beat.
    let shared = db.engine() == Engine::Postgres;
    let look = Look {
        campaigns: campaigns.iter().map(|campaign| campaign.id).collect(),
        take_lapsed: !shared,
        now: Clock::utc(),
    };
    let Seen { work: open, leads, campaigns: _ } = store::take_over(db, identity, &look).await?;
    if leads > 0 || !open.attempts.is_empty() || !open.stray_legs.is_empty() {
        tracing::warn!(
            leads,
            attempts = open.attempts.len(),
            stray_legs = open.stray_legs.len(),
            "a dead process left work open"
        );
    }
    let dialer = DialerStart {
        ids,
        boot: identity.boot,
        campaigns,
        agents: rows.into_iter().zip(settings.agents).collect(),
        trunks: settings.trunks,
        lines: settings.lines,
        until_idle: settings.until_idle,
        open_attempts: open.attempts,
        shared,
    };
    Ok((dialer, open.stray_legs))
}

/// Every message of every campaign, by its path.
fn load_sounds(campaigns: &[CampaignSettings]) -> Result<BTreeMap<String, Arc<[i16]>>, StartError> {
    let mut sounds = BTreeMap::new();
    for campaign in campaigns {
        for path in campaign.sound_files() {
            if sounds.contains_key(path) {
                continue;
            }
            let samples = sound::read_sound(path.as_ref())
                .map_err(|source| StartError::Sound { campaign: campaign.name.clone(), source })?;
            sounds.insert(path.clone(), samples);
        }
    }
    Ok(sounds)
}

impl Parts {
    async fn run(self) -> Ended {
        let (orders, from_driver) = mpsc::channel(STORE_ORDERS);
        let (to_driver, news) = mpsc::channel(STORE_NEWS);
        let mut store = JoinSet::new();
        let counted = Arc::clone(&self.metrics);
        let metrics = Arc::clone(&self.metrics);
        store.spawn(store_task::run(
            self.store,
            from_driver,
            to_driver,
            metrics,
            StoreTimes::USUAL,
        ));
        // Ended by dropping the set: control socket and checkpoints have nothing to finish.
        let mut helpers = JoinSet::new();
        let counted_by = Arc::clone(&self.metrics);
        helpers.spawn(self.control.serve(self.handle, counted_by, self.connections));
        helpers.spawn(store_link::checkpoints(self.checkpoints));
        let (media, media_threads) = self.media;
        let ports = Ports {
            clock: self.clock,
            socket: self.socket,
            media: MediaQueue(media),
            media_events: self.media_events,
            orders,
            news,
            ends: self.ends,
            signals: self.signals,
            metrics: self.metrics,
            journal: self.journal,
        };
        let ended = Box::pin(driver::run(self.node, ports)).await;
        helpers.shutdown().await;
        media_threads.stop();
        // With the driver its orders end, and with them the task, unless the database hangs.
        let rest = async {
            while let Some(done) = store.join_next().await {
                if let Err(error) = done {
                    tracing::error!(%error, "the store task failed");
                }
            }
        };
        if tokio::time::timeout(STORE_END, rest).await.is_err() {
            tracing::error!("the database did not answer at the end");
        }
        tracing::info!(?ended, counted = ?counted.read(), "the dialer ended");
        ended
    }
}

struct MediaQueue(MediaHandle);

impl MediaPort for MediaQueue {
    fn send(&mut self, command: MediaCommand) -> Result<(), MediaCommand> {
        // The copy is small (sounds are shared) and says whose command was lost.
        let kept = command.clone();
        self.0.send(command).map_err(|_| kept)
    }
}

/// Longer than a slow start takes until the dialer's own heartbeat.
const FIRST_LEASE: Duration = Duration::from_secs(30);
/// A store task that is not done by then is left behind.
const STORE_END: Duration = Duration::from_millis(150);
const STORE_ORDERS: usize = 1_024;
const STORE_NEWS: usize = 1_024;
const MEDIA_EVENTS: usize = 16_384;
