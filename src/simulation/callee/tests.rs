//! Whom the book gives which fate.

use std::collections::BTreeMap;

use crate::simulation::callee::Behaviour;
use crate::simulation::callee::BehaviourBook;
use crate::simulation::callee::FateEnd;
use crate::simulation::callee::NumberPattern;
use crate::simulation::callee::NumberRule;
use crate::simulation::dice::Law;

fn book() -> BehaviourBook {
    BehaviourBook::shares([
        (30, Behaviour::person(Law::between(300, 1000), Law::between(800, 1600))),
        (50, Behaviour::busy(Law::between(100, 300))),
        (20, Behaviour::no_answer()),
    ])
}

fn number(i: u32) -> String {
    format!("+8190{i:08}")
}

#[test]
fn a_fate_depends_on_seed_number_and_turn_only() {
    let book = book();
    let forward: Vec<_> = (0..200).map(|i| book.fate(1, &number(i), i % 3)).collect();
    let mut backward: Vec<_> = (0..200).rev().map(|i| book.fate(1, &number(i), i % 3)).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    assert_ne!(forward, (0..200).map(|i| book.fate(2, &number(i), i % 3)).collect::<Vec<_>>());
}

#[test]
fn who_a_number_is_stays_the_same_from_call_to_call() {
    let book = book();
    for i in 0..100 {
        assert_eq!(book.fate(5, &number(i), 0).name, book.fate(5, &number(i), 1).name);
    }
}

#[test]
fn rows_keep_their_shares() {
    let book = book();
    let mut count = BTreeMap::<String, u32>::new();
    for i in 0..10_000 {
        *count.entry(book.fate(11, &number(i), 0).name).or_default() += 1;
    }
    assert!((2_850..3_150).contains(&count["person"]), "{count:?}");
    assert!((4_850..5_150).contains(&count["busy"]), "{count:?}");
    assert!((1_850..2_150).contains(&count["no_answer"]), "{count:?}");
}

#[test]
fn a_named_number_goes_through_its_list_and_stays_at_the_last() {
    let calls = [Behaviour::busy(Law::fixed(1)), Behaviour::no_answer()];
    let book = book().with_number("+81 90-0000-0001", calls);
    let names: Vec<_> = (0..4).map(|turn| book.fate(1, "819000000001", turn).name).collect();
    assert_eq!(names, ["busy", "no_answer", "no_answer", "no_answer"]);
}

#[test]
fn an_empty_book_knows_no_number() {
    let fate = BehaviourBook::default().fate(1, "+81312345678", 0);
    assert!(matches!(fate.end, FateEnd::Refuse { status: 404, .. }));
}

#[test]
fn a_ring_that_would_come_after_the_end_is_left_out() {
    let book = BehaviourBook::all(Behaviour::decline(Law::fixed(5)));
    assert_eq!(book.fate(1, "+81312345678", 0).ring, None);
}

#[test]
fn the_first_rule_that_fits_a_number_counts() {
    let rule = |pattern, behaviour| NumberRule { pattern, calls: vec![behaviour] };
    let soon = Law::fixed(1);
    let mut book = BehaviourBook::all(Behaviour::busy(soon)).with_number("0120-11", []);
    book.numbers.extend([
        rule(NumberPattern::Exact("012011".into()), Behaviour::decline(soon)),
        rule(NumberPattern::Prefix("0120".into()), Behaviour::silent()),
        rule(NumberPattern::Last("11".into()), Behaviour::no_answer()),
    ]);
    for (number, name) in [
        ("0120-11", "decline"),
        ("0120-12", "silent"),
        ("0120-2211", "silent"),
        ("+81 3 0000 0011", "no_answer"),
        ("0312345678", "busy"),
    ] {
        assert_eq!(book.fate(1, number, 0).name, name, "{number}");
    }
}
