//! A real softphone, baresip, as the agent's phone: it picks up by itself, hears the customer, is heard, sends digits,
//! holds and hangs up.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::logic::rtp::goertzel;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::carrier_record::EndedBy;
use outdial::simulation::dice::Law;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::records::Records;
use crate::site::Plan;
use crate::site::SQLITE;
use crate::site::Site;
use crate::site::agent_state;
use crate::site::ask;
use crate::site::eventually;
use crate::site::free_port;
use crate::site::rest;

#[test]
fn baresip_as_the_agents_phone_answers_hears_speaks_sends_digits_holds_and_hangs_up() {
    let _alone = crate::alone();
    let mut phone = Baresip::start();
    let mut settings =
        CarrierSettings::on_loopback(BehaviourBook::all(Behaviour::tone(Law::fixed(300), None)), 5);
    settings.listen_for = vec![VOICE_HZ];
    let carrier = outdial::carrier::start(settings).unwrap();
    let site = Site::new(&Plan {
        database: SQLITE.to_owned(),
        carrier: carrier.sip_addr().to_string(),
        agents: vec![(AGENT.to_owned(), format!("sip:{AGENT}@127.0.0.1:{}", phone.sip_port))],
        numbers: vec!["+819030000000".to_owned()],
        limits: "ring = \"20s\"\nset_up = \"30s\"\nperson_after = \"500ms\"\nwrap_up = \"3s\"",
    });
    let mut dialer = site.run_for_ever();
    let state = || agent_state(&site.socket(), AGENT);
    let order = |op: &str| {
        let reply = ask(&site.socket(), &json!({ "op": op, "agent": AGENT })).unwrap();
        assert_eq!(reply["reply"], "ok", "{op}: {reply}");
    };
    let last_words = phone.output();
    let becomes = |wanted: &str, within: u64| {
        let said = || std::fs::read_to_string(&last_words).unwrap_or_default() + &site.last_words();
        let until = std::time::Instant::now() + Duration::from_secs(within);
        while state() != wanted {
            assert!(
                std::time::Instant::now() < until,
                "still {}, not {wanted}\n{}",
                state(),
                said()
            );
            rest(Duration::from_millis(10));
        }
    };

    // It picks up by itself.
    order("agent_login");
    becomes("paused", 10);
    let calls = phone.command("callstat", "");
    assert!(calls.contains("audio RTP/AVP"), "baresip has no call: {calls}");

    // The customer's tone is heard, and the agent's voice is heard by the customer.
    order("agent_ready");
    becomes("on_call", 10);
    rest(Duration::from_millis(1_500));

    // Two hashes hang the customer up, and only the customer.
    phone.press("##");
    becomes("wrap_up", 5);
    let report = carrier.report().unwrap();
    assert_eq!(report.totals.by_end.get(&EndedBy::Caller), Some(&1), "{:?}", report.calls);
    assert!(
        report.calls[0].heard.iter().any(|tone| tone.hz == VOICE_HZ),
        "the customer heard nothing: {report:?}"
    );

    // A digit in wrap-up is the disposition; it may be corrected while wrap-up lasts.
    phone.press("1");
    let page =
        || ask(&site.socket(), &json!({ "op": "agent_page", "agent": AGENT })).unwrap_or_default();
    eventually("the disposition is durable", Duration::from_secs(3), || {
        page()["page"]["saved"] == Value::Bool(true)
    });
    let chosen = page()["page"]["chosen"].as_str().unwrap_or_default().to_owned();
    becomes("ready", 10);

    // Hold is a pause.
    phone.command("hold", "");
    becomes("paused", 5);
    phone.command("resume", "");
    becomes("ready", 5);

    // BYE ends the shift.
    phone.command("hangup", "");
    becomes("offline", 5);
    dialer.terminate();
    assert_eq!(dialer.wait(Duration::from_secs(10)).code(), Some(0), "{}", site.last_words());

    let records = Records::read(&site.database());
    assert_eq!(records.outcomes().get("connected"), Some(&1), "{:?}", records.outcomes());
    let stored: Vec<&String> = records.dispositions.values().collect();
    assert_eq!(stored, [&chosen], "digit 1 of the common set");
    assert!(!chosen.is_empty());
    let (tone, beside) = phone.loudest(1_000);
    eprintln!("baresip heard 1 kHz at {tone:.3} of full scale, {beside:.3} beside it");
    assert!(
        tone > 0.1 && beside < tone / 10.0,
        "the customer's 1 kHz was not heard: {tone}, {beside}"
    );
    assert_eq!(records.open_legs, 0);
}

/// Debian's baresip in a folder of its own, without any sound device: its voice is a made-up tone, what it hears is
/// written as WAV, and it is controlled by its own JSON socket.
struct Baresip {
    folder: TempDir,
    child: Child,
    control: TcpStream,
    sip_port: u16,
}

/// baresip binds UDP and TCP on its port, and TLS on the next: all three were free a moment ago.
fn free_sip_port() -> u16 {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut ports = std::iter::repeat_with(free_port).take(100);
    ports.find(|port| free(*port) && port.checked_add(1).is_some_and(free)).expect("a free port")
}

impl Baresip {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sip_port, control_port) = (free_sip_port(), free_tcp_port());
        let path = folder.path().display().to_string();
        let config = format!(
            "poll_method epoll\nsip_listen 127.0.0.1:{sip_port}\ncall_max_calls 2\n\
             audio_source ausine,{VOICE_HZ}\naudio_player aubridge,nowhere\naudio_alert aubridge,nowhere\n\
             ausrc_srate 48000\nauplay_srate 8000\nausrc_channels 2\nauplay_channels 1\n\
             net_interface 127.0.0.1\nmodule_path {MODULES}\n\
             module g711.so\nmodule ausine.so\nmodule aubridge.so\nmodule sndfile.so\nsnd_path {path}\n\
             module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
             ctrl_tcp_listen 127.0.0.1:{control_port}\n"
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        let account = format!(
            "<sip:{AGENT}@127.0.0.1:{sip_port}>;regint=0;answermode=auto;audio_codecs=pcmu\n"
        );
        std::fs::write(folder.path().join("accounts"), account).unwrap();
        std::fs::write(folder.path().join("contacts"), "").unwrap();
        let out = File::create(folder.path().join("out.txt")).unwrap();
        let err = out.try_clone().unwrap();
        let child = Command::new("baresip")
            .args(["-s", "-f", &path])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot run baresip ({error}): install it with `apt-get install baresip-core`"
                )
            });
        let mut control = None;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, control_port));
        let mut phone = Starting { child: Some(child) };
        eventually("baresip takes commands", Duration::from_secs(10), || {
            let child = phone.child.as_mut().unwrap();
            let out = || std::fs::read_to_string(folder.path().join("out.txt")).unwrap_or_default();
            assert!(child.try_wait().unwrap().is_none(), "baresip ended:\n{}", out());
            control = TcpStream::connect(address).ok();
            control.is_some()
        });
        let control = control.unwrap();
        control.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { folder, child: phone.child.take().unwrap(), control, sip_port }
    }

    /// One command and its response; events in between are passed over.
    fn command(&mut self, command: &str, params: &str) -> String {
        let text = json!({ "command": command, "params": params }).to_string();
        write!(self.control, "{}:{text},", text.len()).unwrap();
        for _ in 0..MOST_EVENTS {
            let message = self.next_message();
            if message["response"] == Value::Bool(true) {
                return message["data"].as_str().unwrap_or_default().to_owned();
            }
        }
        panic!("baresip does not answer `{command}`");
    }

    /// Keys, one by one, as fast as a hand.
    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string());
            rest(Duration::from_millis(300));
        }
    }

    /// A netstring: length, colon, JSON, comma.
    fn next_message(&mut self) -> Value {
        let mut size = 0;
        loop {
            let byte = self.byte();
            match char::from(byte).to_digit(10) {
                Some(digit) => size = size * 10 + usize::try_from(digit).unwrap(),
                None => break,
            }
        }
        let mut text = vec![0; size + 1];
        self.control.read_exact(&mut text).unwrap();
        text.pop();
        serde_json::from_slice(&text).unwrap()
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.control.read_exact(&mut byte).expect("baresip does not answer");
        byte[0]
    }

    /// The highest amplitude of a tone in any 100 ms of what baresip heard, and how loud it is 300 Hz above in the same moment.
    fn loudest(&self, hz: u16) -> (f32, f32) {
        let heard = self.heard();
        let piece = |piece: &[i16], hz| goertzel::amplitude(piece, hz);
        heard
            .chunks(800)
            .map(|samples| (piece(samples, hz), piece(samples, hz + 300)))
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .unwrap_or_default()
    }

    /// What was decoded, from the WAV of baresip's only call.
    fn heard(&self) -> Vec<i16> {
        let is_heard = |path: &Path| path.to_string_lossy().ends_with("-dec.wav");
        let files =
            std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let wav = files.into_iter().find(|path| is_heard(path)).expect("baresip wrote no WAV");
        let bytes = std::fs::read(wav).unwrap();
        bytes
            .get(WAV_HEADER..)
            .unwrap_or_default()
            .chunks_exact(2)
            .map(|two| i16::from_le_bytes([two[0], two[1]]))
            .collect()
    }

    /// What it prints.
    fn output(&self) -> PathBuf {
        self.folder.path().join("out.txt")
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Ends a child that never became a phone.
struct Starting {
    child: Option<Child>,
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn free_tcp_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

const AGENT: &str = "hanako";
/// What the agent "says".
const VOICE_HZ: u16 = 440;
/// Where Debian keeps baresip's modules.
const MODULES: &str = "/usr/lib/baresip/modules";
const MOST_EVENTS: usize = 100;
/// RIFF, fmt and data headers of a plain PCM file.
const WAV_HEADER: usize = 44;
