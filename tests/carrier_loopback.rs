//! The simulated carrier and phones on real sockets, called by SIPp: their count is compared with SIPp's own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed setup is a failed test")]

#[path = "sipp/mod.rs"]
#[expect(dead_code, reason = "other tests look at more of what SIPp wrote")]
mod sipp;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::carrier::PhonePlan;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::callee::Voice;
use outdial::simulation::carrier_record::EndedBy;
use outdial::simulation::dice::Law;

use crate::sipp::Sipp;

#[test]
fn the_carrier_counts_the_calls_that_sipp_counts() {
    let book = BehaviourBook::all(Behaviour::tone(Law::between(50, 300), None));
    let settings =
        CarrierSettings { listen_for: vec![1000], ..CarrierSettings::on_loopback(book, 1) };
    let carrier = outdial::carrier::start(settings).unwrap();
    let seen = sipp(carrier.sip_addr(), "0312345678", 20);
    let report = carrier.stop().unwrap();
    assert_eq!(seen, Seen { successful: 20, failed: 0 });
    assert_eq!((report.totals.calls, report.totals.invites), (20, 20), "{:?}", report.totals);
    assert_eq!((report.totals.answered, report.totals.open), (20, 0));
    assert_eq!(report.totals.by_end.get(&EndedBy::Caller), Some(&20));
    assert!(report.totals.overlaps > 0, "twenty calls to one number overlap");
    assert_eq!(report.sip_lost, 0);
    // SIPp sends every packet back: each callee hears its own tone.
    let heard =
        report.calls.iter().filter(|call| call.heard.iter().any(|tone| tone.hz == 1000)).count();
    assert_eq!(heard, 20, "{:?}", report.calls);
    assert!(
        report.calls.iter().all(|call| call.confirmed_us.is_some() && call.called == "0312345678")
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["totals"]["by_end"]["caller"], 20);
}

#[test]
fn refused_calls_are_failures_for_sipp_and_busy_for_the_carrier() {
    let book = BehaviourBook::all(Behaviour::busy(Law::between(10, 50)));
    let carrier = outdial::carrier::start(CarrierSettings::on_loopback(book, 1)).unwrap();
    let seen = sipp(carrier.sip_addr(), "0312345678", 10);
    let report = carrier.stop().unwrap();
    assert_eq!(seen, Seen { successful: 0, failed: 10 });
    assert_eq!(report.totals.by_status.get(&486), Some(&10));
}

#[test]
fn a_phone_is_called_and_hears_what_it_says() {
    let mut settings = CarrierSettings::on_loopback(BehaviourBook::default(), 1);
    settings.listen_for = vec![440];
    settings.phones = vec![PhonePlan {
        pick_up_after: Some(Duration::from_millis(20)),
        voice: Voice::Tone { hz: 440 },
        ..PhonePlan::new("agent1")
    }];
    let carrier = outdial::carrier::start(settings).unwrap();
    let (name, address) = carrier.phone_addrs().first().cloned().unwrap();
    let seen = sipp(address, &name, 1);
    let report = carrier.stop().unwrap();
    assert_eq!(seen, Seen { successful: 1, failed: 0 });
    let phone = report.phones.first().unwrap();
    let call = phone.calls.first().unwrap();
    assert!(call.by_caller && call.answered_us.is_some() && call.ended_us.is_some());
    let first = phone.heard.first().unwrap();
    let after = Duration::from_micros(first.at_us - call.answered_us.unwrap());
    assert_eq!(first.hz, 440);
    assert!(after < Duration::from_secs(1), "heard after {after:?}");
    assert_eq!(report.rtp.legs, 1);
    assert!(report.rtp.received >= 10, "{:?}", report.rtp);
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    successful: u64,
    failed: u64,
}

/// SIPp's own `uac` scenario, with RTP sent back, `calls` times, each 400 ms long.
fn sipp(to: SocketAddr, user: &str, calls: u32) -> Seen {
    let (calls, to) = (calls.to_string(), to.to_string());
    let rtp = sipp::free_port(HERE).to_string();
    let mut sipp = Sipp::start(
        HERE,
        &[
            "-sn",
            "uac",
            "-mp",
            &rtp,
            "-rtp_echo",
            "-s",
            user,
            "-m",
            &calls,
            "-r",
            "20",
            "-d",
            "400",
            &to,
        ],
    );
    for _ in 0..3_000 {
        if sipp.ended().is_some() {
            let account = sipp.account();
            return Seen { successful: account.successful, failed: account.failed };
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("SIPp does not come to an end");
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
