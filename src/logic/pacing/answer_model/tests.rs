//! What the model learns from made-up calls, and that it claims no more.

use super::features::{LastTime, NumberKind};
use super::*;
use crate::logic::split_mix::SplitMix;

struct World(SplitMix);

impl World {
    fn unit(&mut self) -> f64 {
        f64::from(self.below(1 << 30)) / f64::from(1 << 30)
    }

    fn below(&mut self, n: u32) -> u32 {
        u32::try_from(self.0.next() % u64::from(n)).unwrap()
    }

    fn lead(&mut self) -> Features {
        Features {
            hour: 9 + u8::try_from(self.below(10)).unwrap(),
            weekday: u8::try_from(self.below(5)).unwrap(),
            kind: if self.below(2) == 0 { NumberKind::Mobile } else { NumberKind::Fixed },
            region: u64::from(self.below(8)),
            attempts: self.below(4),
            last: LastTime::NoAnswer,
            rang: 22,
        }
    }

    /// Teaches calls whose log odds are `truth` of their lead.
    fn teach(&mut self, model: &mut AnswerModel, calls: u32, truth: impl Fn(&Features) -> f64) {
        for _ in 0..calls {
            let lead = self.lead();
            let answered = self.unit() < logistic(truth(&lead));
            model.learn(&lead, answered);
        }
    }
}

fn truth(lead: &Features) -> f64 {
    let kind = if lead.kind == NumberKind::Mobile { 0.7 } else { -0.3 };
    let hour = if lead.hour >= 16 { 0.8 } else { 0.0 };
    -1.6 + kind + hour - 0.25 * f64::from(lead.attempts)
}

#[test]
fn it_recovers_the_odds_that_made_the_calls() {
    let (mut world, mut model) = (World(SplitMix::new(1)), AnswerModel::new());
    world.teach(&mut model, 20_000, truth);
    for _ in 0..200 {
        let lead = world.lead();
        let exact = truth(&lead);
        let learned = log_odds(model.chance(&lead));
        assert!((exact - learned).abs() < 0.45, "{lead:?}: {exact} {learned}");
    }
    let lead = world.lead();
    let mobile = model.odds(&Features { kind: NumberKind::Mobile, ..lead });
    let fixed = model.odds(&Features { kind: NumberKind::Fixed, ..lead });
    assert!((libm::log(mobile / fixed) - 1.0).abs() < 0.2, "{mobile} {fixed}");
}

#[test]
fn what_it_tells_comes_true_and_says_more_than_the_share_of_answers() {
    let (mut world, mut model) = (World(SplitMix::new(2)), AnswerModel::new());
    world.teach(&mut model, 20_000, truth);
    let calibration = model.calibration();
    assert!(calibration.worst() < 0.05, "{calibration:?}");
    assert!(calibration.brier() < 0.95 * calibration.base(), "{calibration:?}");
}

#[test]
fn where_nothing_can_be_known_every_lead_is_an_average_one() {
    let (mut world, mut model) = (World(SplitMix::new(3)), AnswerModel::new());
    world.teach(&mut model, 20_000, |_| -1.2);
    for _ in 0..200 {
        let odds = model.odds(&world.lead());
        assert!((0.75..1.35).contains(&odds), "{odds}");
    }
    let calibration = model.calibration();
    assert!(calibration.brier() < 1.01 * calibration.base(), "{calibration:?}");
}

#[test]
fn before_the_first_call_every_lead_is_an_average_one() {
    let (mut world, model) = (World(SplitMix::new(4)), AnswerModel::new());
    let (one, other) = (model.odds(&world.lead()), model.odds(&world.lead()));
    assert!((one - 1.0).abs() < 1e-9 && (other - 1.0).abs() < 1e-9, "{one} {other}");
}

#[test]
fn it_follows_a_world_that_changes() {
    let (mut world, mut model) = (World(SplitMix::new(5)), AnswerModel::new());
    let turned = |lead: &Features| if lead.kind == NumberKind::Mobile { -2.5 } else { -0.5 };
    world.teach(&mut model, 10_000, truth);
    world.teach(&mut model, 10_000, turned);
    let lead = world.lead();
    let mobile = model.odds(&Features { kind: NumberKind::Mobile, ..lead });
    let fixed = model.odds(&Features { kind: NumberKind::Fixed, ..lead });
    assert!(fixed > 4.0 * mobile, "{mobile} {fixed}");
}

#[test]
fn the_likeliest_come_first_and_equals_keep_their_order() {
    let (mut world, mut model) = (World(SplitMix::new(6)), AnswerModel::new());
    world.teach(&mut model, 5_000, truth);
    let lead = Features { kind: NumberKind::Fixed, ..world.lead() };
    let mobile = Features { kind: NumberKind::Mobile, ..lead };
    assert_eq!(model.order(&[lead, mobile, lead, mobile]), [1, 3, 0, 2]);
}

#[test]
fn text_holds_all_of_it_and_damaged_text_is_named() {
    let (mut world, mut model) = (World(SplitMix::new(7)), AnswerModel::new());
    world.teach(&mut model, 3_000, truth);
    let text = model.to_text();
    assert_eq!(AnswerModel::from_text(&text), Ok(model));
    assert!(text.len() < 12_000, "bounded whatever was learned: {}", text.len());
    let error = AnswerModel::from_text(&text.replace("model 1", "model 2")).unwrap_err();
    assert!(error.to_string().contains("another version"), "{error}");
    for (old, new) in [("bias ", "bias x "), ("weights ", "weights NaN "), ("usual ", "bias ")] {
        let error = AnswerModel::from_text(&text.replace(old, new)).unwrap_err();
        assert!(matches!(error, MemoryError::Line { .. }), "{error}");
    }
    assert!(AnswerModel::from_text("").is_err());
}

#[test]
fn nonsense_about_a_lead_is_taken_for_something() {
    let lead = Features {
        hour: 255,
        weekday: 255,
        kind: NumberKind::Other,
        region: u64::MAX,
        attempts: u32::MAX,
        last: LastTime::Other,
        rang: u32::MAX,
    };
    assert!(lead.places().all(|place| place < WEIGHTS));
    let mut model = AnswerModel::new();
    (0..10_000).for_each(|_| model.learn(&lead, true));
    assert!(model.chance(&lead) > 0.95 && model.odds(&lead).is_finite());
}
