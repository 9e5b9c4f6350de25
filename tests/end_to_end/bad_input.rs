//! Torture messages and arbitrary bytes at the SIP and RTP ports while calls go on.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::logic::outcome::Outcome;
use outdial::simulation::callee::{Behaviour, BehaviourBook};
use outdial::simulation::dice::{Dice, Law};

use crate::alone;
use crate::stage::{Plan, RINGS, Stage};

#[test]
fn garbage_at_every_port_is_dropped_and_counted_and_no_call_notices() {
    let _alone = alone();
    let talk = Behaviour::tone(Law::between(50, 150), Some(Law::between(600, 900)));
    let stage = Stage::set(Plan {
        contacts: CONTACTS,
        agents: 5,
        carrier: CarrierSettings {
            rtp_ports: 46_000..=46_999,
            ..CarrierSettings::on_loopback(BehaviourBook::all(talk), 1)
        },
        trunk: None,
        calls_per_second: 10,
        ring: RINGS,
        talk: None,
        rtp_ports: FIRST_RTP_PORT..=FIRST_RTP_PORT + 199,
    });
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let torture = torture_messages();
    let mut dice = Dice::of(7, "garbage", 0);
    let seen = stage.play(Duration::from_secs(60), async |scene| {
        scene.until(|view| view.calls.talking >= 3).await;
        for round in 0..ROUNDS {
            for message in &torture {
                stranger.send_to(message, scene.sip).unwrap();
            }
            for _ in 0..100 {
                let bytes = arbitrary(&mut dice);
                stranger.send_to(&bytes, scene.sip).unwrap();
                let port = FIRST_RTP_PORT + u16::try_from(dice.below(40)).unwrap();
                // Nobody may be listening there: the refusal comes back with the next send and says nothing.
                let _refused = stranger.send_to(&bytes, SocketAddr::from(([127, 0, 0, 1], port)));
            }
            // Sent in portions that the receive buffer holds: what is to be tried is reading, not the kernel.
            if round % 4 == 3 {
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let outcomes =
        seen.attempts.iter().fold(BTreeMap::new(), |mut counts: BTreeMap<_, u64>, attempt| {
            *counts.entry(attempt.outcome.map_or("none", Outcome::as_str)).or_default() += 1;
            counts
        });
    println!("{outcomes:?}; {:?}", seen.metrics);
    assert_eq!(outcomes, BTreeMap::from([(Outcome::Connected.as_str(), CONTACTS)]));
    assert_eq!(
        seen.carrier.rtp.lost, 0,
        "strangers' packets are heard by nobody: {:?}",
        seen.carrier.rtp
    );
    let dropped = seen.metrics["outdial_sip_dropped_total"];
    assert!(dropped >= ROUNDS * 100, "{dropped} dropped");
}

/// RFC 4475, as files.
fn torture_messages() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/rfc4475");
    let mut messages: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    messages.retain(|message| message.len() < 9_000);
    assert!(messages.len() > 40, "the vectors are there");
    messages
}

/// Noise, noise that begins like SIP, and noise that begins like RTP.
fn arbitrary(dice: &mut Dice) -> Vec<u8> {
    let mut bytes: Vec<u8> = match dice.below(3) {
        0 => vec![],
        1 => b"INVITE sip:x@127.0.0.1 SIP/2.0\r\nVia: ".to_vec(),
        _ => vec![0x80, 0],
    };
    for _ in 0..dice.below(400) {
        bytes.push(u8::try_from(dice.below(256)).unwrap());
    }
    bytes
}

const CONTACTS: u64 = 40;
const ROUNDS: u64 = 40;
const FIRST_RTP_PORT: u16 = 28_000;
