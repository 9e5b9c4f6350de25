//! An installation in a folder of its own: the files a person writes, the real program as a child process, and the
//! simulated carrier and phones in this process.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use outdial::carrier::CarrierHandle;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

/// The folder and what is in it.
#[derive(Debug)]
pub(crate) struct Site {
    folder: Arc<TempDir>,
    /// Its files are called so: `outdial.toml`, `outdial.log`.
    stem: String,
    socket: String,
}

/// What differs between the installations of the tests.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The address of the database, as written in `outdial.toml`.
    pub(crate) database: String,
    /// Where INVITEs to customers go.
    pub(crate) carrier: String,
    /// Agents: name and URI.
    pub(crate) agents: Vec<(String, String)>,
    /// The numbers to call.
    pub(crate) numbers: Vec<String>,
    /// Lines of `[limits]`.
    pub(crate) limits: &'static str,
}

impl Plan {
    /// On SQLite, with a carrier of this process and its phones as the agents; so many numbers, the first of which is
    /// `+8190` and these eight digits.
    pub(crate) fn of(
        carrier: &CarrierHandle,
        first: usize,
        numbers: usize,
        limits: &'static str,
    ) -> Self {
        let phones = carrier.phone_addrs();
        Self {
            database: SQLITE.to_owned(),
            carrier: carrier.sip_addr().to_string(),
            agents: phones
                .iter()
                .map(|(name, at)| (name.clone(), format!("sip:{name}@{at}")))
                .collect(),
            numbers: (first..first + numbers).map(number).collect(),
            limits,
        }
    }
}

/// A mobile number that nobody has been given.
pub(crate) fn number(digits: usize) -> String {
    format!("+8190{digits}")
}

impl Site {
    /// Writes the files and imports the list.
    pub(crate) fn new(plan: &Plan) -> Self {
        let socket = if plan.database == SQLITE { "outdial.db.sock" } else { "outdial.sock" };
        let (folder, stem) = (Arc::new(tempfile::tempdir().unwrap()), "outdial".to_owned());
        let site = Self { folder, stem, socket: socket.to_owned() };
        std::fs::create_dir(site.path("campaign")).unwrap();
        site.write("outdial.toml", &outdial_toml(plan, "proof", "outdial.log"));
        site.write("campaign/campaign.toml", &campaign_toml(plan));
        let mut list = String::from("id,name,phone,language\n");
        for (row, number) in plan.numbers.iter().enumerate() {
            list.push_str(&format!("P{row:04},Person {row},{number},en\n"));
        }
        site.write("campaign/contacts.csv", &list);
        let output = site.outdial(&["import", &site.campaign(), "--json"]);
        assert!(output.success, "import failed:\n{}", output.text);
        site
    }

    /// A dialer of the same installation with a name, ports, a socket and a log of its own. `trunk`: what it bears in all,
    /// calls per second and channels.
    pub(crate) fn colleague(&self, plan: &Plan, node: &str, trunk: (u32, u32)) -> Self {
        let socket = format!("{node}.sock");
        let site = Self { folder: Arc::clone(&self.folder), stem: node.to_owned(), socket };
        let usual = "calls_per_second = 50\nchannels = 40";
        let (rate, channels) = trunk;
        let text = outdial_toml(plan, node, &format!("{node}.log"));
        let text =
            text.replace(usual, &format!("calls_per_second = {rate}\nchannels = {channels}"));
        site.write(&format!("{node}.toml"), &text);
        site
    }

    /// Its dialers take commands here, on whatever database.
    pub(crate) fn control_at(&mut self, name: &str) {
        self.change("[sip]", &format!("control = \"{name}\"\n[sip]"));
        self.socket = name.to_owned();
    }

    /// The next dialer runs on another database.
    pub(crate) fn use_database(&self, url: &str) {
        self.change(&format!("database = \"{SQLITE}\""), &format!("database = \"{url}\""));
    }

    fn change(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("outdial.toml")).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        self.write("outdial.toml", &text.replacen(from, to, 1));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn campaign(&self) -> String {
        self.path("campaign").display().to_string()
    }

    /// Where a running dialer takes commands.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path(&self.socket)
    }

    /// The SQLite file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path("outdial.db")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outdial"));
        command
            .args(args)
            .env("OUTDIAL_CONFIG", self.path(&format!("{}.toml", self.stem)))
            .env("LANG", "C");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn outdial(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().unwrap();
        let text =
            [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
        Output { success: output.status.success(), code: output.status.code(), text: text.concat() }
    }

    /// Starts a verb whose output goes somewhere.
    pub(crate) fn spawn(&self, args: &[&str], out: impl Into<Stdio>) -> Dialer {
        let child = self.command(args).stdout(out).stderr(Stdio::null()).spawn().unwrap();
        Dialer { child, started: Instant::now() }
    }

    /// Starts a verb whose outputs go to pipes.
    pub(crate) fn spawn_unread(&self, args: &[&str]) -> Dialer {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Dialer { child, started: Instant::now() }
    }

    /// Starts `outdial run --until-idle`.
    pub(crate) fn run(&self) -> Dialer {
        self.start(&["--until-idle"])
    }

    /// Starts `outdial run`. What it prints goes to `outdial.run.txt`.
    fn start(&self, more: &[&str]) -> Dialer {
        let run = format!("{}.run.txt", self.stem);
        let out = File::options().create(true).append(true).open(self.path(&run)).unwrap();
        let err = out.try_clone().unwrap();
        let campaign = self.campaign();
        let mut command = self.command(&["run", &campaign, "--json"]);
        command.args(more);
        let child = command.stdout(out).stderr(err).spawn().unwrap();
        Dialer { child, started: Instant::now() }
    }

    /// Starts `outdial run`, which then goes on when the list is done, and waits until it takes commands.
    pub(crate) fn run_for_ever(&self) -> Dialer {
        let mut dialer = self.start(&[]);
        eventually("the dialer takes commands", Duration::from_secs(20), || {
            assert!(dialer.exited().is_none(), "the dialer ended:\n{}", self.last_words());
            ask(&self.socket(), &json!({ "op": "status" })).is_some()
        });
        dialer
    }

    /// The end of the log and of what the program printed, for a failed test.
    pub(crate) fn last_words(&self) -> String {
        let tail = |name: &str| {
            let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(LAST_LINES).collect();
            format!("--- {name}\n{}\n", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        tail(&format!("{}.run.txt", self.stem)) + &tail(&format!("{}.log", self.stem))
    }
}

/// After a failed test, database and log stay to be looked at.
impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(folder) = Arc::get_mut(&mut self.folder) {
                folder.disable_cleanup(true);
            }
            eprintln!("kept for you: {}", self.folder.path().display());
        }
    }
}

/// What a verb said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

/// A running `outdial run` (or another verb that goes on); killed when dropped.
#[derive(Debug)]
pub(crate) struct Dialer {
    child: Child,
    pub(crate) started: Instant,
}

impl Dialer {
    /// SIGKILL: no farewell, nothing flushed.
    pub(crate) fn kill_9(mut self) {
        self.kill();
    }

    /// Likewise, of one among others.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let status =
            Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "kill -TERM failed");
    }

    /// Whoever read the pipes goes away.
    pub(crate) fn drop_output(&mut self) {
        drop((self.child.stdout.take(), self.child.stderr.take()));
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ends, within a time.
    #[track_caller]
    pub(crate) fn wait(&mut self, within: Duration) -> ExitStatus {
        let mut ended = None;
        eventually("the dialer has ended", within, || {
            ended = self.exited();
            ended.is_some()
        });
        ended.unwrap()
    }

    /// How it ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Dialer {
    fn drop(&mut self) {
        // Ended already, as a rule.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One command on a connection of its own; `None`: nobody answers.
pub(crate) fn ask(socket: &Path, command: &Value) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    writeln!(stream, "{command}").ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

/// The state of one agent, as the dialer tells it.
pub(crate) fn agent_state(socket: &Path, agent: &str) -> String {
    let page = ask(socket, &json!({ "op": "agent_page", "agent": agent })).unwrap_or_default();
    page["state"].as_str().unwrap_or("no answer").to_owned()
}

/// Looks again every 10 ms until it holds. A process of its own cannot be waited for otherwise.
#[track_caller]
pub(crate) fn eventually(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < until, "after {within:?} it still does not hold that {what}");
        rest(Duration::from_millis(10));
    }
}

/// Nothing for a while; only for times that a test is about (when to kill) and between two looks.
pub(crate) fn rest(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) =
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}

fn outdial_toml(plan: &Plan, node: &str, log: &str) -> String {
    let sip_port = free_port();
    let first_port = 20_000 + sip_port % 8 * 1_000;
    let mut text = format!(
        "database = \"{}\"\nnode = \"{node}\"\nlines = 40\n\
         [sip]\nbind = \"127.0.0.1:{sip_port}\"\n\
         [rtp]\nports = \"{first_port}-{}\"\n\
         [log]\nfile = \"{log}\"\nlevel = \"{}\"\n\
         [[trunk]]\nname = \"simulator\"\npeers = [\"{}\"]\ncalls_per_second = 50\nchannels = 40\n\
         caller_ids = []\nsimulated = true\n",
        plan.database,
        first_port + 999,
        std::env::var("OUTDIAL_PROOF_LOG").unwrap_or_else(|_| "info".to_owned()),
        plan.carrier,
    );
    for (name, uri) in &plan.agents {
        text.push_str(&format!(
            "[[agent]]\nname = \"{name}\"\nuri = \"{uri}\"\nlanguages = [\"en\"]\n"
        ));
    }
    text
}

fn campaign_toml(plan: &Plan) -> String {
    let sounds = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/demo/sounds");
    let sounds = sounds.display();
    format!(
        "name = \"proof\"\nseller = \"Sakura Demo K.K.\"\ncountry = \"JP\"\nlanguages = [\"en\"]\n\
         lists = [\"contacts.csv\"]\ndial_mode = \"progressive\"\ncaller_id = \"+81312345678\"\n\
         simulated_only = true\nhours = \"always\"\nretry = \"none\"\n\
         [limits]\n{}\n\
         [messages.safe_harbour]\nen = \"{sounds}/safe_harbour_en.wav\"\n\
         [messages.call_lost]\nen = \"{sounds}/call_lost_en.wav\"\n",
        plan.limits,
    )
}

/// A UDP port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A file beside `outdial.toml`.
pub(crate) const SQLITE: &str = "sqlite://outdial.db";
const LAST_LINES: usize = 40;
