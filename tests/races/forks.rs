//! Several branches of one call.

use std::time::Duration;

use crate::stage::{Stage, hang_up_once_answered};

#[test]
fn forked_early_dialogs_ring_side_by_side_and_the_one_that_answers_is_the_call() {
    let played = Stage::set("forked").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["180", "183 with SDP", "answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
}

#[test]
fn of_two_200s_with_different_tags_the_second_is_acknowledged_and_ended() {
    let mut answers = 0;
    let played = Stage::set("two_answers").play(|event| {
        let mut orders = hang_up_once_answered(event);
        // Long after the second branch has answered.
        orders.iter_mut().for_each(|(wait, _)| *wait += Duration::from_secs(1));
        answers += usize::from(!orders.is_empty());
        orders
    });
    let played = played.faultless();
    assert_eq!(answers, 1, "nobody is told of the second");
    assert_eq!(played.concluded(), ["180", "answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "1 ACK", "2 BYE", "2 BYE"]);
    assert_eq!(played.counters.extra_answers, 1);
}
