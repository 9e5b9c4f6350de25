//! A dialer with its database, its agents and their phones; the trunk is the test's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use outdial::carrier::{CarrierHandle, CarrierReport, CarrierSettings, PhonePlan};
use outdial::logic::compliance::calling_class::CallingClass;
use outdial::logic::dialer::command::{AgentState, Command, Reply, View};
use outdial::logic::ids::{AttemptId, IdMaker};
use outdial::logic::media::IpNet;
use outdial::logic::settings::{
    AbandonBound, AbandonSettings, AbandonWindow, AgentSettings, AutoAnswer, CallLimits,
    CallingHours, CampaignSettings, CapSettings, DialMode, Disposition, DispositionEffect,
    Messages, PreviewSettings, Rates, RetryRule, Sharing, TrunkSettings,
};
use outdial::logic::time::UtcMs;
use outdial::runtime::handle::Handle;
use outdial::runtime::{Running, StartSettings};
use outdial::simulation::callee::Voice;
use outdial::store::{
    AttemptFilter, AttemptRecord, Db, ImportPhone, ImportRow, RowResult, attempts_page,
    begin_import, finish_import, import_rows, next_epoch, upsert_campaign, upsert_list,
};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use crate::cpu::Cpu;

/// What a test wants.
pub(crate) struct Plan {
    /// How many people are on the list; the nth has [`number`] n.
    pub(crate) contacts: u64,
    /// How many agents, each with a phone of the simulated world.
    pub(crate) agents: u32,
    /// The simulated world: its callees are the trunk, unless `trunk` says otherwise.
    pub(crate) carrier: CarrierSettings,
    /// Another trunk.
    pub(crate) trunk: Option<SocketAddr>,
    /// INVITEs per second.
    pub(crate) calls_per_second: u32,
    /// How long a phone may ring.
    pub(crate) ring: Duration,
    /// When the agent hangs up; absent: the customer does.
    pub(crate) talk: Option<Duration>,
    /// Ports of the dialer's RTP.
    pub(crate) rtp_ports: std::ops::RangeInclusive<u16>,
}

/// A dialer at work.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    running: Running,
    pub(crate) carrier: CarrierHandle,
    cpu: Cpu,
    talk: Option<Duration>,
    agents: Vec<String>,
}

/// What is left when the dialer has ended by itself.
pub(crate) struct Seen {
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) carrier: CarrierReport,
    /// Processor time of the dialer's threads.
    pub(crate) cpu: Duration,
    pub(crate) metrics: BTreeMap<String, u64>,
}

impl Stage {
    /// Imports the list, starts phones and dialer.
    pub(crate) fn set(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let agents: Vec<String> = (1..=plan.agents).map(|n| format!("agent{n:02}")).collect();
        let mut carrier = plan.carrier;
        carrier.phones = agents
            .iter()
            .map(|name| PhonePlan { voice: Voice::Tone { hz: 440 }, ..PhonePlan::new(name) })
            .collect();
        let carrier = outdial::carrier::start(carrier).unwrap();
        block_on(import(&url(&folder), plan.contacts));
        let cpu = Cpu::before();
        let settings = StartSettings {
            database_url: url(&folder),
            database_file: Some(folder.path().join("outdial.db")),
            control: folder.path().join("outdial.sock"),
            node: "test".to_owned(),
            lines: 1_000,
            sip_bind: SocketAddr::from((HERE, 0)),
            advertised_address: None,
            rtp_address: IpAddr::V4(HERE),
            rtp_ports: plan.rtp_ports,
            trunks: vec![trunk(
                plan.trunk.unwrap_or_else(|| carrier.sip_addr()),
                plan.calls_per_second,
            )],
            agents: carrier.phone_addrs().iter().map(|(name, peer)| agent(name, *peer)).collect(),
            campaigns: vec![campaign(plan.ring)],
            until_idle: true,
            pacing_journal: None,
            signals: false,
        };
        let running = outdial::runtime::start(settings).unwrap();
        Self { folder, running, carrier, cpu, talk: plan.talk, agents }
    }

    /// The agents work until the list is done, while `story` happens.
    pub(crate) fn play(mut self, limit: Duration, story: impl AsyncFnOnce(&mut Scene<'_>)) -> Seen {
        let handle = self.running.handle();
        let (agents, talk) = (std::mem::take(&mut self.agents), self.talk);
        let mut cpu = self.cpu;
        let mut views = handle.clone();
        let (carrier, folder, sip) = (&self.carrier, &self.folder, self.running.sip_address());
        block_on(async {
            let mut scene = Scene { carrier, handle: handle.clone(), url: url(folder), sip };
            let watch = async {
                while views.next_view().await.is_ok() {
                    cpu.sample();
                }
            };
            let work = async {
                tokio::select! {
                    () = watch => {}
                    () = work(handle.clone(), agents, talk) => panic!("agents work until the dialer ends"),
                }
            };
            let both = async { tokio::join!(work, story(&mut scene)) };
            if tokio::time::timeout(limit, both).await.is_err() {
                panic!("the list is not done after {limit:?}: {:#?}", handle.view());
            }
        });
        let metrics = self.running.metrics();
        let ended = self.running.wait().unwrap();
        assert_eq!((ended.unstored, ended.forced), (0, false), "every fact is written");
        let attempts = block_on(all_attempts(&url(&self.folder)));
        let metrics = metrics.read().into_iter().map(|seen| (seen.name, seen.count)).collect();
        Seen { attempts, carrier: self.carrier.stop().unwrap(), cpu: cpu.total(), metrics }
    }
}

/// What a story may touch.
pub(crate) struct Scene<'a> {
    pub(crate) carrier: &'a CarrierHandle,
    handle: Handle,
    /// Of the database.
    pub(crate) url: String,
    /// Of the dialer's SIP socket.
    pub(crate) sip: SocketAddr,
}

impl Scene<'_> {
    /// Waits for a picture of which `fits` is true.
    pub(crate) async fn until(&mut self, fits: impl Fn(&View) -> bool) {
        while !fits(&self.handle.next_view().await.unwrap()) {}
    }

    /// The picture now.
    pub(crate) fn view(&self) -> std::sync::Arc<View> {
        self.handle.view()
    }
}

/// The number of the nth contact: Japanese mobile numbers.
pub(crate) fn number(n: u64) -> String {
    format!("+8190{:08}", 10_000_000 + n)
}

/// Logs everybody in; presses what agents press.
async fn work(handle: Handle, agents: Vec<String>, talk: Option<Duration>) {
    let mut notices = handle.notices();
    let mut tasks = JoinSet::new();
    for agent in agents {
        tasks.spawn(press(handle.clone(), Duration::ZERO, vec![Command::AgentLogin { agent }]));
    }
    let mut states = BTreeMap::new();
    loop {
        let notice = tokio::select! {
            notice = notices.recv() => notice,
            Some(done) = tasks.join_next() => {
                done.unwrap();
                continue;
            }
        };
        let notice = match notice {
            Ok(notice) => notice,
            Err(RecvError::Closed) => return,
            Err(RecvError::Lagged(missed)) => panic!("{missed} notices were missed"),
        };
        let agent = notice.agent.clone();
        if states.insert(agent.clone(), notice.state) == Some(notice.state) {
            continue;
        }
        let (after, commands) = match (notice.state, talk) {
            (AgentState::Paused, _) => (Duration::ZERO, vec![Command::AgentReady { agent }]),
            (AgentState::OnCall, Some(talk)) => (talk, vec![Command::AgentHangUp { agent }]),
            (AgentState::WrapUp, _) => {
                let disposition = Command::AgentDisposition {
                    agent: agent.clone(),
                    code: "SALE".to_owned(),
                    attempt: None,
                    memo: None,
                    callback: None,
                };
                (Duration::ZERO, vec![disposition, Command::AgentReady { agent }])
            }
            (AgentState::OnCall, None)
            | (
                AgentState::Offline
                | AgentState::LoggingIn
                | AgentState::Ready
                | AgentState::Previewing
                | AgentState::Reserved,
                _,
            ) => continue,
        };
        tasks.spawn(press(handle.clone(), after, commands));
    }
}

async fn press(handle: Handle, after: Duration, commands: Vec<Command>) {
    // How long an agent talks, not a wait for something to happen.
    tokio::time::sleep(after).await;
    for command in commands {
        // A dialer that has ended needs no agents.
        let Ok(reply) = handle.ask(command).await else { return };
        // The customer may have hung up meanwhile.
        assert!(matches!(reply, Reply::Ok | Reply::Refused { .. }), "{reply:?}");
    }
}

async fn import(url: &str, contacts: u64) {
    let mut db = Db::open(url).await.unwrap();
    db.migrate(UtcMs(0), &outdial::runtime::dice::Dice::throw().unwrap().installation)
        .await
        .unwrap();
    let mut ids = IdMaker::new(next_epoch(&mut db).await.unwrap());
    let settings = campaign(RINGS);
    let row = upsert_campaign(&mut db, &mut ids, &settings.name, &settings.seller, UtcMs(0), false)
        .await
        .unwrap();
    let list = upsert_list(&mut db, &mut ids, row.id, "list").await.unwrap();
    let place = (row.seller, row.id, list);
    let job = begin_import(&mut db, &mut ids, place, "hash", UtcMs(0)).await.unwrap();
    let rows: Vec<ImportRow> = (1..=contacts).map(contact).collect();
    for chunk in rows.chunks(500) {
        let done = import_rows(&mut db, &mut ids, &job, chunk).await.unwrap();
        assert!(done.iter().all(|result| *result == RowResult::Added), "{done:?}");
    }
    finish_import(&mut db, &job, UtcMs(0)).await.unwrap();
    db.close().await.unwrap();
}

fn contact(n: u64) -> ImportRow {
    let zone = "Asia/Tokyo".to_owned();
    let phone = ImportPhone {
        key: number(n),
        number: number(n).parse().unwrap(),
        kind: Some("mobile"),
        extension: None,
        zones: [zone.clone()].into(),
    };
    ImportRow {
        row_no: n,
        external_id: Some(format!("X{n}")),
        name: Some(format!("Name {n}")),
        language: None,
        phones: vec![phone],
        rank: n.try_into().unwrap(),
        custom: "[]".to_owned(),
        class: CallingClass::of_zones([zone]).to_string().into(),
    }
}

async fn all_attempts(url: &str) -> Vec<AttemptRecord> {
    let mut db = Db::open(url).await.unwrap();
    let (mut all, mut after) = (Vec::new(), AttemptId(0));
    loop {
        let page = attempts_page(&mut db, &AttemptFilter::default(), after, 500).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.attempt;
        all.extend(page);
    }
    db.close().await.unwrap();
    all
}

fn trunk(peer: SocketAddr, calls_per_second: u32) -> TrunkSettings {
    let loopback = IpNet { addr: IpAddr::V4(HERE), prefix: 8 };
    TrunkSettings {
        sip_from: vec![loopback],
        rtp_from: vec![loopback],
        calls_per_second,
        channels: 500,
        ..TrunkSettings::simulated("trunk", vec![peer])
    }
}

fn agent(name: &str, peer: SocketAddr) -> AgentSettings {
    AgentSettings {
        name: name.to_owned(),
        uri: format!("sip:{name}@{peer}"),
        peer,
        skills: Vec::new(),
        languages: Vec::new(),
        auto_answer: AutoAnswer::Both,
        nat: false,
    }
}

fn campaign(ring: Duration) -> CampaignSettings {
    let sale = Disposition {
        code: "SALE".to_owned(),
        label_en: "Sale".to_owned(),
        label_ja: "成約".to_owned(),
        digits: "1".to_owned(),
        effect: DispositionEffect::Success,
        live: Some(true),
    };
    CampaignSettings {
        learn_who_answers: true,
        name: "proof".to_owned(),
        seller: "ACME".to_owned(),
        mode: DialMode::Progressive,
        sharing: Sharing::DEFAULT,
        rates: Rates::default(),
        preview: PreviewSettings::DEFAULT,
        caller_id: "+81312345678".parse().unwrap(),
        countries: vec!["81".to_owned()],
        test_only: Vec::new(),
        trunk: None,
        hours: CallingHours::Always,
        caps: CapSettings {
            per_day: 3,
            per_30_days: 10,
            total: 10,
            min_gap: Duration::from_secs(60),
            undelivered_per_hour: 3,
        },
        retry: BTreeMap::new(),
        default_retry: RetryRule { delay: Duration::from_secs(3_600), max: 0 },
        limits: CallLimits {
            ring,
            post_dial_delay: Duration::from_secs(15),
            set_up: Duration::from_secs(40),
            connect: Duration::from_secs(2),
            talk: Duration::from_secs(600),
            person_after: Duration::from_millis(500),
        },
        wrap_up: Duration::from_secs(3),
        dispositions: vec![sale],
        hang_up_keys: "##".to_owned(),
        recording: None,
        return_calls: None,
        messages: Messages::default(),
        abandon: AbandonSettings {
            cap_ppm: 30_000,
            window: AbandonWindow::Day,
            zone: "Asia/Tokyo".to_owned(),
            bound: AbandonBound::Instant,
        },
        skills: Vec::new(),
        language: "ja".to_owned(),
        script: String::new(),
        simulated_only: true,
    }
}

fn url(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("outdial.db").display())
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Longer than anybody here lets a phone ring.
pub(crate) const RINGS: Duration = Duration::from_secs(20);
pub(crate) const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
