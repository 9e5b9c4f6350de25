//! A recorded message over real SIP and RTP: nine is pressed (RFC 4733), and the refusal outlives a `kill -9` in the moment
//! in which it is confirmed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::dice::Law;
use outdial::simulation::quirks::Act;
use outdial::simulation::quirks::Quirks;

use crate::records::Records;
use crate::site::Plan;
use crate::site::Site;
use crate::site::eventually;
use crate::site::number;

#[test]
fn nine_is_durable_before_it_is_confirmed_and_no_other_campaign_of_the_seller_calls() {
    let _alone = crate::alone();
    let press = |after, keys: &str| {
        let acts = vec![(Duration::from_millis(after), Act::Press(keys.to_owned()))];
        let person = Behaviour::person(Law::fixed(200), Law::fixed(60_000));
        person.with_quirks(Quirks { acts, ..Quirks::default() })
    };
    let book = BehaviourBook::all(Behaviour::busy(Law::fixed(100)))
        .with_number(&number(FIRST), vec![press(3_500, "9")])
        .with_number(&number(FIRST + 1), vec![press(300, "1")]);
    let mut settings = CarrierSettings::on_loopback(book, 3);
    settings.listen_for = vec![MESSAGE_HZ, REMOVED_HZ, THANKS_HZ];
    let carrier = outdial::carrier::start(settings).unwrap();
    let plan = Plan {
        agents: vec![("nobody".to_owned(), "sip:nobody@127.0.0.1:9".to_owned())],
        ..Plan::of(&carrier, FIRST, 3, "ring = \"15s\"")
    };
    let site = Site::new(&plan);
    for (name, hz, seconds) in
        [("message", MESSAGE_HZ, 8), ("removed", REMOVED_HZ, 5), ("thanks", THANKS_HZ, 1)]
    {
        write_tone(&site.path(&format!("campaign/{name}.wav")), hz, seconds);
    }
    let told = std::fs::read_to_string(site.path("campaign/campaign.toml")).unwrap();
    let told = told.replace("\"progressive\"", "\"agentless\"") + MESSAGE;
    std::fs::write(site.path("campaign/campaign.toml"), told).unwrap();

    let mut dialer = site.spawn(&["run", &site.campaign(), "--json"], Stdio::null());
    let heard = |digits: usize, hz| {
        let called = number(digits);
        let report = carrier.report().unwrap();
        let tones = report.calls.iter().filter(|call| call.called.ends_with(&called[1..]));
        tones.flat_map(|call| call.heard.clone()).any(|tone| tone.hz == hz)
    };
    eventually("the message is heard", Duration::from_secs(20), || heard(FIRST, MESSAGE_HZ));
    eventually("the choice of another is confirmed", Duration::from_secs(10), || {
        heard(FIRST + 1, THANKS_HZ)
    });
    eventually("the refusal is confirmed", Duration::from_secs(10), || heard(FIRST, REMOVED_HZ));
    dialer.kill();

    let records = Records::read_copy(&site.database());
    let said: Vec<&str> = records.dispositions.values().map(String::as_str).collect();
    assert!(said.contains(&"REFUSED") && said.contains(&"SALE"), "{said:?}");
    let why = site.outdial(&["why", &number(FIRST), "--json"]);
    assert!(why.text.contains("suppressed"), "{}", why.text);

    // Another campaign of the same seller has the same three on its list.
    std::fs::create_dir(site.path("winter")).unwrap();
    for name in ["contacts.csv", "message.wav", "removed.wav", "thanks.wav"] {
        std::fs::copy(site.path(&format!("campaign/{name}")), site.path(&format!("winter/{name}")))
            .unwrap();
    }
    let told = std::fs::read_to_string(site.path("campaign/campaign.toml")).unwrap();
    let told = told.replace("name = \"proof\"", "name = \"winter\"");
    std::fs::write(site.path("winter/campaign.toml"), told).unwrap();
    let winter = site.path("winter").display().to_string();
    let imported = site.outdial(&["import", &winter, "--json"]);
    assert!(imported.success, "{}", imported.text);
    let calls = |digits: usize| {
        let called = number(digits);
        let report = carrier.report().unwrap();
        report.calls.iter().filter(|call| call.called.ends_with(&called[1..])).count()
    };
    let before = [calls(FIRST), calls(FIRST + 1), calls(FIRST + 2)];
    let mut dialer = site.spawn(&["run", &winter, "--until-idle", "--json"], Stdio::null());
    let status = dialer.wait(Duration::from_secs(40));
    assert!(status.success(), "{status}\n{}", site.last_words());
    let after = [calls(FIRST), calls(FIRST + 1), calls(FIRST + 2)];
    assert_eq!(before, [1, 1, 1]);
    assert_eq!(after, [1, 2, 2], "whoever refused is not called by the other campaign");
    carrier.stop().unwrap();
}

const MESSAGE: &str = "[attempts]\nmin_gap = \"0s\"\n\
    [message]\nfile = \"message.wav\"\nremoved = \"removed.wav\"\nthanks = \"thanks.wav\"\n\
    keys = { 9 = \"remove\", 1 = \"SALE\" }\n";

/// A WAV file of 8 kHz, mono, 16 bit (RIFF).
fn write_tone(path: &Path, hz: u16, seconds: u32) {
    let samples = seconds * 8_000;
    let bytes = samples * 2;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    for part in [16_u32.to_le_bytes(), [1, 0, 1, 0], 8_000_u32.to_le_bytes()] {
        file.extend_from_slice(&part);
    }
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&bytes.to_le_bytes());
    // A triangle: its third harmonic is a ninth as loud, and none of the tones listened for.
    let period = 8_000.0 / f64::from(hz);
    for n in 0..samples {
        let phase = (f64::from(n) / period).fract();
        let level = 4.0 * (phase - 0.5).abs() - 1.0;
        let level: i32 = format!("{:.0}", level * 12_000.0).parse().unwrap();
        file.extend_from_slice(&i16::try_from(level).unwrap().to_le_bytes());
    }
    std::fs::write(path, file).unwrap();
}

const MESSAGE_HZ: u16 = 440;
const REMOVED_HZ: u16 = 1_000;
const THANKS_HZ: u16 = 700;
/// The list's first number.
const FIRST: usize = 30_000_000;
