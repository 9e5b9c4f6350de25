//! Challenges: SIPp checks MD5 by itself, the test SHA-256.

use sha2::{Digest, Sha256};

use crate::stage::{Played, Stage, hang_up_once_answered};

#[test]
fn stale_nonces_are_replaced_until_one_is_fresh() {
    let played = Stage::set("stale_nonce").play(hang_up_once_answered).faultless();
    let thrice = ["challenged", "challenged", "challenged", "answered", "ended by us"];
    assert_eq!(played.concluded(), thrice);
    assert_eq!(played.counters.invites, 4);
}

#[test]
fn a_list_of_qop_is_answered_with_auth() {
    let played = Stage::set("qop_list").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["challenged", "answered", "ended by us"]);
}

#[test]
fn of_sha_256_and_md5_the_stronger_is_answered() {
    let played = Stage::set("sha256_then_md5").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["challenged", "answered", "ended by us"]);
    let header = credentials(&played);
    let get = |name: &str| {
        let value = header.split(&format!(" {name}=")).nth(1).unwrap();
        value.split(',').next().unwrap().trim().trim_matches('"')
    };
    // RFC 7616 §3.4.1, written down once more.
    let secret = hash("line1:trunk:secret");
    let request = hash(&format!("INVITE:{}", get("uri")));
    let count = format!("sha:{}:{}:auth", get("nc"), get("cnonce"));
    assert_eq!(get("response"), hash(&format!("{secret}:{count}:{request}")));
}

fn credentials(played: &Played) -> &str {
    const NAME: &str = "Proxy-Authorization:";
    let (_, invite) = played.message(|it| it.received && it.text.contains(NAME));
    invite.lines().find_map(|line| line.strip_prefix(NAME)).unwrap()
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
