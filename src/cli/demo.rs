//! `outdial demo`: 500 made-up people, a simulated carrier and ten simulated agents on this machine, dialed for real.
//!
//! Everything it needs is inside the program; everything it makes is in one folder, where the other verbs find it:
//! `outdial --config outdial-demo/outdial.toml status`.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::carrier::{self, CarrierHandle, CarrierSettings};
use crate::cli::args::{Args, DemoArgs};
use crate::cli::demo_world::World;
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::export;
use crate::cli::import;
use crate::cli::output::say;
use crate::cli::report::Report;
use crate::cli::run as dialing;
use crate::cli::setup;
use crate::cli::text::texts;
use crate::config::CampaignFile;
use crate::config::OutdialFile;
use crate::config::parse_book;
use crate::runtime::StartSettings;
use crate::runtime::lock::{DialerLock, LockError, beside};
use crate::simulation::dice::Law;

/// Makes the folder, imports, dials, reports.
pub(crate) fn run(args: &Args, demo: &DemoArgs) -> Result<Exit, Failure> {
    let folder = Folder::fresh(&demo.folder, demo.contacts)?;
    if let Some(ratio) = demo.ratio {
        folder.dial_by(&format!("dial_mode = \"ratio\"\ndial_ratio = {ratio}"))?;
    }
    if demo.predictive {
        folder.dial_by("dial_mode = \"predictive\"")?;
    }
    let agents: Vec<String> = (1..=AGENTS).map(|n| format!("agent{n:02}")).collect();
    let book = parse_book("campaigns/demo/carrier.toml", CALLEES)?;
    let mut settings = CarrierSettings::demo(book, demo.seed, agents);
    for brain in settings.phones.iter_mut().filter_map(|phone| phone.brain.as_mut()) {
        // The key is a tenth of a second long, and the wrap-up of the demo's campaign ends after three.
        brain.wrap = Law::between(60, 150);
    }
    let sip_port = free_port()?;
    // Two demos in two folders get ranges of their own, most times; ports that others hold are passed over.
    let step = sip_port % 8 * 1_000;
    settings.rtp_ports = 40_000 + step..=40_999 + step;
    let carrier = carrier::start(settings)?;
    folder.write_settings(&carrier, sip_port, 20_000 + step)?;
    let config = folder.path("outdial.toml");
    let file = setup::outdial_file(&config)?;
    let campaign = setup::campaign_file(&config, &folder.path("campaign").display().to_string())?;
    let (_log, _) = setup::start_log(&file)?;

    let imported = import::quietly(&file, &campaign, &folder.path("rejects.csv"))?;
    eprintln!("{}", imported.text(args.lang.for_files()));
    let (report, exit) = dial(args, demo, &file, &campaign, &config, carrier)?;
    let results = folder.path("results.csv");
    export::attempts_to_file(&file, &campaign, &results)?;
    if demo.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        say!("{}", report.text(args.lang));
        say!("{}: {}", texts(args.lang).results, results.display());
    }
    Ok(exit)
}

/// From the first login to the last outcome.
fn dial(
    args: &Args,
    demo: &DemoArgs,
    file: &OutdialFile,
    campaign: &CampaignFile,
    config: &Path,
    carrier: CarrierHandle,
) -> Result<(Report, Exit), Failure> {
    let resolved = setup::resolve(file).or_exit(Exit::BadInput)?;
    let campaigns = std::slice::from_ref(campaign);
    let settings = setup::start_settings(config, file, resolved, campaigns, true);
    let pacing_journal = demo.pacing_journal.clone();
    let running = dialing::start(StartSettings { pacing_journal, ..settings })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let names = file.agents.iter().map(|agent| agent.name.clone()).collect();
    let title = format!("outdial demo ({})", demo.folder.display());
    let world = World::new(running.handle(), carrier, names, &title, args.lang);
    let (pictures, carrier) = runtime.block_on(world.live())?;
    let ended =
        running.wait().ok_or_else(|| anyhow!("the dialer's thread panicked: see the log"))?;
    carrier.stop()?;
    let last = dialing::with_final_counts(file, pictures.first_at, pictures.last)?;
    let report = Report::of(pictures.first_at, &last, &dialing::known(campaigns));
    Ok((report, dialing::exit_of(ended)?))
}

/// The demo's folder.
struct Folder(PathBuf);

impl Folder {
    /// A folder with the campaign in it and nothing of an earlier demo. Files that the demo did not make stay.
    fn fresh(path: &Path, contacts: Option<u32>) -> Result<Self, Failure> {
        let folder = Self(path.to_owned());
        fs::create_dir_all(folder.path("campaign/sounds"))
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        let database = folder.path("outdial.db");
        // A demo that runs here now keeps its files.
        match DialerLock::take(&database, "demo") {
            Ok(lock) => drop(lock),
            Err(held @ LockError::Held { .. }) => return Err(Failure::new(Exit::Refused, held)),
            Err(error @ LockError::Io { .. }) => return Err(error.into()),
        }
        for suffix in ["", "-wal", "-shm", ".sock"] {
            remove(&beside(&database, suffix))?;
        }
        for name in ["results.csv", "rejects.csv", "outdial.log", "outdial.toml"] {
            remove(&folder.path(name))?;
        }
        for (name, bytes) in CAMPAIGN {
            folder.write(name, bytes)?;
        }
        // The header and so many rows: no cell of the demo's list holds a line break.
        let rows = contacts.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX);
        let list: String = CONTACTS.split_inclusive('\n').take(rows.saturating_add(1)).collect();
        folder.write("campaign/contacts.csv", list.as_bytes())?;
        Ok(folder)
    }

    /// Changes the campaign as a person would, so that the file in the folder says how it was dialed.
    fn dial_by(&self, mode: &str) -> anyhow::Result<()> {
        let file = "campaign/campaign.toml";
        let text = fs::read_to_string(self.path(file))
            .with_context(|| format!("cannot read {}", self.path(file).display()))?;
        self.write(file, text.replace("dial_mode = \"progressive\"", mode).as_bytes())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.path(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The installation's file, as a person would write it.
    fn write_settings(
        &self,
        carrier: &CarrierHandle,
        sip_port: u16,
        first_port: u16,
    ) -> anyhow::Result<()> {
        let mut text = format!(
            "# Made by `outdial demo`; replaced by the next one.\n\
             database = \"sqlite://outdial.db\"\n\
             node = \"demo\"\n\
             lines = {CHANNELS}\n\n\
             [sip]\nbind = \"127.0.0.1:{sip_port}\"\n\n\
             [rtp]\nports = \"{first_port}-{}\"\n\n\
             [log]\nfile = \"outdial.log\"\n\n\
             [[trunk]]\nname = \"simulator\"\npeers = [\"{}\"]\ncalls_per_second = {CALLS_PER_SECOND}\n\
             channels = {CHANNELS}\ncaller_ids = []\nsimulated = true\n",
            first_port + 999,
            carrier.sip_addr(),
        );
        for (name, address) in carrier.phone_addrs() {
            text.push_str(&format!(
                "\n[[agent]]\nname = \"{name}\"\nuri = \"sip:{name}@{address}\"\nlanguages = [\"ja\", \"en\"]\n"
            ));
        }
        self.write("outdial.toml", text.as_bytes())
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A UDP port of 127.0.0.1 that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("no free UDP port on 127.0.0.1")?;
    Ok(socket.local_addr()?.port())
}

/// Agents of the demo.
const AGENTS: u32 = 10;
const CHANNELS: u32 = 40;
const CALLS_PER_SECOND: u32 = 20;
/// How the carrier's callees behave.
const CALLEES: &str = include_str!("../../campaigns/demo/carrier.toml");
const CONTACTS: &str = include_str!("../../campaigns/demo/contacts.csv");
const CAMPAIGN: [(&str, &[u8]); 5] = [
    ("campaign/campaign.toml", include_bytes!("../../campaigns/demo/campaign.toml")),
    (
        "campaign/sounds/safe_harbour_ja.wav",
        include_bytes!("../../campaigns/demo/sounds/safe_harbour_ja.wav"),
    ),
    (
        "campaign/sounds/safe_harbour_en.wav",
        include_bytes!("../../campaigns/demo/sounds/safe_harbour_en.wav"),
    ),
    (
        "campaign/sounds/call_lost_ja.wav",
        include_bytes!("../../campaigns/demo/sounds/call_lost_ja.wav"),
    ),
    (
        "campaign/sounds/call_lost_en.wav",
        include_bytes!("../../campaigns/demo/sounds/call_lost_en.wav"),
    ),
];
