//! The test vectors of RFC 2069, 2617, 7616 and 4231, and both ends of every protection.

use super::*;
use crate::logic::sip::message::Message;

fn challenges(values: &[&str]) -> Vec<AuthValue> {
    let mut message = Message::response(401, "");
    for value in values {
        message.push("WWW-Authenticate", value);
    }
    message.challenges()
}

fn challenge(value: &str) -> Challenge {
    Challenge::from_value(&challenges(&[value])[0]).unwrap()
}

const GET: DigestRequest<'static> = DigestRequest {
    username: "Mufasa",
    password: "Circle Of Life",
    method: "GET",
    uri: "/dir/index.html",
    body: b"",
};

const RFC_2617: &str = r#"Digest realm="testrealm@host.com", qop="auth,auth-int",
    nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;

const RFC_7616: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int",
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", algorithm="#;

#[test]
fn the_example_of_rfc_2617_section_3_5_comes_out() {
    let mut session = DigestSession::new(challenge(RFC_2617), "0a4f113b");
    let answer = session.authorize(&GET);
    assert_eq!(answer.get("response"), Some("6629fae49393a05397450978507c4ef1"));
    assert_eq!(answer.get("nc"), Some("00000001"));
    assert_eq!(answer.get("opaque"), Some("5ccc069c403ebaf9f0171e9517f40e41"));
}

#[test]
fn the_examples_of_rfc_7616_section_3_9_1_come_out() {
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    let request = DigestRequest { password: "Circle of Life", ..GET };
    for (algorithm, expected) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let challenge = challenge(&format!("{RFC_7616}{algorithm}"));
        let answer = DigestSession::new(challenge, cnonce).authorize(&request);
        assert_eq!(answer.get("response"), Some(expected));
        assert_eq!(answer.get("algorithm"), Some(algorithm));
    }
}

#[test]
fn without_qop_the_example_of_rfc_2069_comes_out() {
    let challenge = challenge(
        r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#,
    );
    let request = DigestRequest { password: "CircleOfLife", ..GET };
    let answer = DigestSession::new(challenge, "unused").authorize(&request);
    // As corrected in the errata: the value printed in RFC 2069 itself is wrong.
    assert_eq!(answer.get("response"), Some("1949323746fe6a43ef61f9606e7febea"));
    assert_eq!((answer.get("cnonce"), answer.get("nc"), answer.get("qop")), (None, None, None));
}

#[test]
fn the_nonce_count_is_eight_hexadecimal_digits() {
    let mut session = DigestSession::new(challenge(RFC_2617), "c");
    let counts: Vec<_> =
        (0..16).map(|_| session.authorize(&GET).get("nc").unwrap().to_owned()).collect();
    assert_eq!((counts[9].as_str(), counts[15].as_str()), ("0000000a", "00000010"));
}

#[test]
fn the_strongest_challenge_of_each_realm_is_chosen() {
    let offered = challenges(&[
        r#"Digest realm="a", nonce="1", algorithm=MD5"#,
        r#"Digest realm="b", nonce="2", algorithm=AKAv1-MD5"#,
        r#"Digest realm="a", nonce="3", algorithm=sha-256, Basic realm="a""#,
        r#"Digest realm="a", nonce="4", algorithm="SHA-256""#,
        r#"Digest realm="c", nonce="5", qop="token""#,
        r#"Digest realm="d", nonce="6""#,
    ]);
    let chosen = Challenge::choose(&offered);
    let nonces: Vec<_> = chosen.iter().map(|one| one.nonce.as_str()).collect();
    assert_eq!(nonces, ["3", "6"]);
}

#[test]
fn a_session_algorithm_without_qop_is_refused() {
    let value = &challenges(&[r#"Digest realm="a", nonce="1", algorithm=MD5-sess"#])[0];
    assert_eq!(Challenge::from_value(value), None);
}

#[test]
fn every_algorithm_and_protection_is_verified_by_the_other_side() {
    for algorithm in ALGORITHMS.iter().copied() {
        for qop in [QopOffer::None, QopOffer::Auth, QopOffer::AuthInt, QopOffer::Both] {
            if algorithm.is_session() && qop == QopOffer::None {
                continue;
            }
            let asked = Challenge {
                realm: "r".into(),
                nonce: "n".into(),
                opaque: Some("o".into()),
                stale: true,
                algorithm,
                qop,
            };
            let read = Challenge::from_value(&asked.to_value()).unwrap();
            assert_eq!(read, asked);
            let request = DigestRequest { body: b"v=0", ..GET };
            let answer = DigestSession::new(read, "c").authorize(&request);
            let count = u32::from(qop != QopOffer::None);
            let verify = |password, body| asked.verify(&answer, password, "GET", body);
            assert_eq!(verify("Circle Of Life", b"v=0"), Ok(count));
            assert_eq!(verify("wrong", b"v=0"), Err(AuthRefusal::WrongResponse));
            let changed = verify("Circle Of Life", b"v=1");
            assert_eq!(changed.is_err(), qop == QopOffer::AuthInt);
            let renewed = Challenge { nonce: "n2".into(), ..asked.clone() };
            let late = renewed.verify(&answer, "Circle Of Life", "GET", b"v=0");
            assert_eq!(late, Err(AuthRefusal::OtherNonce));
        }
    }
}

#[test]
fn md5_sess_mixes_in_both_nonces() {
    // HA1 = MD5(MD5("Mufasa:testrealm@host.com:Circle Of Life"):nonce:cnonce), RFC 7616 §3.4.2.
    let challenge = challenge(&format!("{RFC_2617}, algorithm=MD5-sess"));
    let inner = Algorithm::Md5.hash(b"Mufasa:testrealm@host.com:Circle Of Life");
    assert_eq!(inner, "939e7578ed9e3c518a452acee763bce9");
    let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
    let ha1 = Algorithm::Md5.hash(format!("{inner}:{nonce}:0a4f113b").as_bytes());
    let ha2 = "39aff3a2bab6126f332b942af96d3366";
    let expected =
        Algorithm::Md5.hash(format!("{ha1}:{nonce}:00000001:0a4f113b:auth:{ha2}").as_bytes());
    let answer = DigestSession::new(challenge, "0a4f113b").authorize(&GET);
    assert_eq!(answer.get("response"), Some(expected.as_str()));
}

#[test]
fn keyed_tokens_are_those_of_rfc_4231() {
    // Test case 2 of RFC 4231 §4.3 (HMAC-SHA-256), by way of the inner hash.
    let mut mac = KeyedHash::new(b"Jefe").0;
    mac.update(b"what do ya want for nothing?");
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hex(&mac.finalize().into_bytes()), expected);
    // RFC 4648 §10, whole characters only.
    assert_eq!(base32(b"foobar", 10), "mzxw6ytbo");
}

#[test]
fn keyed_tokens_differ_in_every_input_and_repeat_exactly() {
    let hash = KeyedHash::new(b"secret");
    let token = hash.token(1, 2, "tag", 20);
    assert_eq!(token.len(), 20);
    assert_eq!(hash.token(1, 2, "tag", 20), token);
    for other in [
        hash.token(2, 2, "tag", 20),
        hash.token(1, 3, "tag", 20),
        hash.token(1, 2, "branch", 20),
        KeyedHash::new(b"other").token(1, 2, "tag", 20),
    ] {
        assert_ne!(other, token);
    }
    assert_eq!(hash.token(1, 2, "tag", 999).len(), MAX_TOKEN);
}
