//! Books that are right, and what is said of those that are not.

use std::time::Duration;

use crate::config::parse_book;
use crate::logic::sip::digest::Algorithm;
use crate::logic::sip::digest::QopOffer;
use crate::simulation::callee::Behaviour;
use crate::simulation::callee::BehaviourBook;
use crate::simulation::callee::End;
use crate::simulation::callee::FateEnd;
use crate::simulation::callee::Ring;
use crate::simulation::callee::Voice;
use crate::simulation::dice::Law;
use crate::simulation::digest_user::Asker;
use crate::simulation::quirks::Act;
use crate::simulation::quirks::Trying;

fn read(text: &str) -> BehaviourBook {
    parse_book("book.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn only(text: &str) -> Behaviour {
    let book = read(&format!("[[behaviour]]\nname = \"it\"\nshare = 1\n{text}\n"));
    book.rows[0].behaviour.clone()
}

fn wrong(text: &str) -> Vec<String> {
    let problems = parse_book("book.toml", text).unwrap_err();
    problems.0.iter().map(ToString::to_string).collect()
}

#[test]
fn a_kind_alone_is_a_whole_behaviour() {
    for (kind, status) in [
        ("busy", 486),
        ("decline", 603),
        ("unwanted", 607),
        ("dead_number", 404),
        ("announcement", 404),
        ("unavailable", 480),
        ("congestion", 503),
    ] {
        let End::Refuse { status: made, .. } = only(&format!("kind = \"{kind}\"")).end else {
            panic!("{kind} is no refusal")
        };
        assert_eq!(made, status, "{kind}");
    }
    for kind in ["answer", "voicemail"] {
        let behaviour = only(&format!("kind = \"{kind}\""));
        assert!(matches!(behaviour.end, End::Answer { talk: Some(_), .. }), "{kind}");
        assert_eq!((behaviour.name.as_str(), behaviour.ring), ("it", Ring::Ringing));
    }
    assert!(matches!(only("kind = \"late_answer\"").end, End::AnswerOnCancel { .. }));
    assert_eq!(only("kind = \"no_answer\"").ring, Ring::Ringing);
    assert_eq!(only("kind = \"silent\"").ring, Ring::None);
}

#[test]
fn times_are_fixed_between_two_bounds_or_by_a_law() {
    let after = |text: &str| {
        let end = only(&format!("kind = \"answer\"\nafter = {text}")).end;
        let End::Answer { after, .. } = end else { panic!("{end:?}") };
        after
    };
    assert_eq!(after("\"2s\""), Law::fixed(2_000));
    assert_eq!(after("\"300ms-1s\""), Law::between(300, 1_000));
    let law = after("{ law = \"lognormal\", mean = \"60s\", spread = 1.5 }");
    assert_eq!(law, Law::Lognormal { mean_ms: 60_000, cv: 1.5 });
    let law = after("{ law = \"gamma\", mean = \"10s\", spread = 1 }");
    assert_eq!(law, Law::Gamma { mean_ms: 10_000, cv: 1.0 });
    let law = after("{ law = \"exponential\", mean = \"5s\" }");
    assert_eq!(law, Law::Exponential { mean_ms: 5_000 });
}

#[test]
fn every_key_of_a_behaviour_is_understood() {
    let person = only(
        "kind = \"answer\"\nring = \"183\"\nearly_voice = \"tone 425\"\nring_after = \"1s\"\n\
         talk = \"never\"\nvoice = \"none\"\ntrying = \"3s\"\nearly_forks = 2\nearly_update = \"2s\"\n\
         ignores = [\"ack\", \"bye\", \"cancel\"]\nanswer_status = 202\nanswer_forks = 1\n\
         answer_repeats = 3\ncontact = false\nbye_crosses = true\n\
         acts = [\"2s hold\", \"4s resume\", \"5s re-invite\", \"6s update\", \"7s press 1*#\"]\n\
         [behaviour.network]\nloss = 2.5\ndouble = 1\ndelay = \"1ms-9ms\"",
    );
    assert_eq!(person.ring, Ring::EarlyMedia { voice: Voice::Tone { hz: 425 } });
    assert!(matches!(person.end, End::Answer { talk: None, voice: Voice::Dead, .. }));
    let quirks = person.quirks;
    assert_eq!(quirks.trying, Trying::After(Duration::from_secs(3)));
    assert_eq!((quirks.early_forks, quirks.answer_forks, quirks.answer_repeats), (2, 1, 3));
    assert_eq!(quirks.early_update, Some(Duration::from_secs(2)));
    assert!(quirks.ignores.ack && quirks.ignores.bye && quirks.ignores.cancel);
    assert_eq!(
        (quirks.answer_status, quirks.no_contact, quirks.bye_crosses),
        (Some(202), true, true)
    );
    let network = quirks.network.unwrap();
    assert_eq!((network.loss_ppm, network.double_ppm), (25_000, 10_000));
    assert_eq!(network.delay, Law::between(1, 9));
    let acts: Vec<Act> = quirks.acts.into_iter().map(|(_, act)| act).collect();
    let press = Act::Press("1*#".into());
    assert_eq!(acts, [Act::Hold, Act::Resume, Act::Reinvite, Act::Update, press]);
    assert_eq!(only("kind = \"busy\"\ntrying = \"never\"").quirks.trying, Trying::Never);
}

#[test]
fn figures_of_a_refusal_may_be_given_anew() {
    let refuse =
        only("kind = \"busy\"\nstatus = 600\ncause = 31\nretry_after = \"9s\"\nafter = \"1s\"");
    let End::Refuse { after, status, q850, retry_after_s, .. } = refuse.end else { panic!() };
    assert_eq!((after, status, q850, retry_after_s), (Law::fixed(1_000), 600, Some(31), Some(9)));
    let moved = only("kind = \"moved\"\nto = \"+81312345678\"");
    assert!(
        matches!(moved.end, End::Refuse { status: 302, moved_to: Some(to), .. } if to == "+81312345678")
    );
}

#[test]
fn numbers_go_their_way_call_by_call() {
    let book = read(
        "[[behaviour]]\nname = \"a\"\nkind = \"busy\"\n[[behaviour]]\nname = \"b\"\nkind = \"silent\"\n\
         [[number]]\nnumber = \"+81 3-1234-5678\"\ncalls = [\"a\", \"b\"]\n\
         [[number]]\nprefix = \"0120\"\ncalls = [\"b\"]\n[[number]]\nlast = \"99\"\ncalls = [\"a\"]\n",
    );
    assert_eq!(book.fate(1, "+81312345678", 0).name, "a");
    assert_eq!(book.fate(1, "81312345678", 7).name, "b");
    assert_eq!(book.fate(1, "0120555555", 0).name, "b");
    assert_eq!(book.fate(1, "0999999999", 0).name, "a");
    let nobody = book.fate(1, "0312345678", 0);
    assert!(matches!(nobody.end, FateEnd::Refuse { status: 404, .. }), "neither rule nor share");
}

#[test]
fn storms_passwords_and_the_network_are_read() {
    let book = read(
        "[auth]\nusername = \"u\"\npassword = \"p\"\nchallenge = \"strong\"\n\
         [[challenge]]\nname = \"strong\"\nstatus = 401\nalgorithms = [\"SHA-256\", \"MD5\"]\n\
         qop = \"auth,auth-int\"\nstale_first = true\nnonce_uses = 3\n\
         [[storm]]\nevery = \"60s\"\nlasts = \"10s\"\nshare = 50\nretry_after = \"5s\"\n\
         [network]\nloss = 10\n\
         [[behaviour]]\nname = \"a\"\nshare = 1\nkind = \"busy\"\nchallenge = \"strong\"\n",
    );
    let auth = book.auth.unwrap();
    let style = auth.every_call.unwrap();
    assert_eq!((style.asker, style.qop), (Asker::Server, QopOffer::Both));
    assert_eq!(style.algorithms, [Algorithm::Sha256, Algorithm::Md5]);
    assert_eq!((style.stale_first, style.nonce_uses), (true, Some(3)));
    assert_eq!(book.rows[0].behaviour.challenge, Some(style));
    let storm = book.storms[0];
    assert_eq!((storm.share_ppm, storm.status, storm.retry_after_s), (500_000, 503, Some(5)));
    assert_eq!(book.network.unwrap().loss_ppm, 100_000);
}

#[test]
fn every_fault_is_told_with_its_place() {
    let told = wrong(
        "[[behaviour]]\nname = \"a\"\nkind = \"bussy\"\n\
         [[behaviour]]\nname = \"b\"\nkind = \"busy\"\ntalk = \"3s\"\nafter = \"1s-300ms\"\n\
         [[behaviour]]\nname = \"b\"\nkind = \"answer\"\nchallenge = \"x\"\nacts = [\"2s dance\"]\n\
         [[number]]\nprefix = \"01\"\nlast = \"1\"\ncalls = [\"c\"]\n\
         [[storm]]\nevery = \"5s\"\nlasts = \"10s\"\n",
    );
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn one_fault_makes_no_right_key_unknown() {
    for (wrong_line, keys) in [
        ("after = 3", "kind = \"busy\"\nstatus = 600\ncause = 17\nretry_after = \"2s\""),
        (
            "trying = 3",
            "kind = \"answer\"\nacts = [\"1s hold\"]\ncontact = false\nanswer_forks = 1",
        ),
        ("talk = 3", "kind = \"voicemail\"\ngreeting = \"5s\"\nbeep_hz = 850\nafter = \"1s\""),
        ("after = 3", "kind = \"moved\"\nto = \"0312345678\""),
    ] {
        let told = wrong(&format!("[[behaviour]]\nname = \"a\"\n{keys}\n{wrong_line}\n"));
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[test]
fn an_empty_book_is_no_book() {
    assert_eq!(
        wrong(""),
        ["book.toml:1:1: found no `[[behaviour]]`, expected at least one behaviour; \
          add the line `[[behaviour]]` and the keys below it"]
    );
}
