//! The attempt's behaviour in virtual time.

use proptest::prelude::*;

use super::*;

const LIMITS: CallLimits = CallLimits {
    ring: Duration::from_secs(30),
    post_dial_delay: Duration::from_secs(15),
    set_up: Duration::from_secs(90),
    connect: Duration::from_secs(2),
    talk: Duration::from_secs(3600),
    person_after: Duration::from_secs(10),
};

struct Run {
    attempt: Attempt,
    now: Now,
}

impl Run {
    fn new() -> Self {
        Self::within(LIMITS)
    }

    fn within(limits: CallLimits) -> Self {
        let now = Now { tick: Tick::START, utc: UtcMs(1_000_000) };
        Self { attempt: Attempt::new(now, limits, false, None), now }
    }

    fn dialing() -> Self {
        Self::new().dialed()
    }

    fn dialed(mut self) -> Self {
        self.event(Event::Saved);
        assert_eq!(self.event(Event::Granted), [Action::Dial]);
        self
    }

    fn wait(&mut self, time: Duration) {
        self.now = Now { tick: self.now.tick + time, utc: self.now.utc + time };
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        let mut out = vec![];
        self.attempt.handle(self.now, event, &mut out);
        out
    }

    /// Jumps to the next deadline.
    fn timeout(&mut self) -> Vec<Action> {
        let at = self.attempt.next_timeout().unwrap();
        self.wait(at.since(self.now.tick));
        self.event(Event::Timeout)
    }
}

fn recorded(actions: &[Action]) -> Option<Outcome> {
    actions.iter().find_map(|action| match action {
        Action::Record(end) => Some(end.outcome),
        Action::Queue
        | Action::Dial
        | Action::HangUp
        | Action::WantAgent
        | Action::Play(_)
        | Action::Say(_)
        | Action::Hush
        | Action::Chosen(_) => None,
    })
}

fn status(status: u16) -> Event {
    Event::Failed(Failure { status: Some(status), sent: true, ..Failure::default() })
}

#[test]
fn an_intent_unanswered_for_one_second_is_given_up_and_never_dialed() {
    let mut run = Run::new();
    assert_eq!(recorded(&run.timeout()), Some(Outcome::NotPlaced));
    assert_eq!(run.now.tick.since(Tick::START), Duration::from_secs(1));
    assert_eq!(run.event(Event::Saved), []);
    assert_eq!(run.event(Event::Granted), []);
}

#[test]
fn an_answer_that_nobody_can_talk_over_is_an_abandoned_call() {
    for ringing in [false, true] {
        let mut run = Run::dialing();
        if ringing {
            run.event(Event::Ringing);
            run.timeout();
        }
        let actions = run.event(status(200));
        let Some(Action::Record(end)) = actions.first() else { panic!("{actions:?}") };
        assert_eq!((end.outcome, end.answered_at), (Outcome::Abandoned, Some(run.now.utc)));
    }
}

#[test]
fn an_intent_older_than_two_seconds_is_not_sent() {
    let mut run = Run::new();
    run.event(Event::Saved);
    assert_eq!(recorded(&run.timeout()), Some(Outcome::NotPlaced));
    assert_eq!(run.now.tick.since(Tick::START), Duration::from_secs(2));
}

#[test]
fn a_silent_carrier_is_cancelled_at_the_post_dial_limit() {
    let mut run = Run::dialing();
    assert_eq!(run.timeout(), [Action::HangUp]);
    assert_eq!(run.now.tick.since(Tick::START), LIMITS.post_dial_delay);
    assert_eq!(recorded(&run.event(status(487))), Some(Outcome::NoAnswer));
}

#[test]
fn ringing_is_cancelled_at_the_ring_limit_counted_from_the_first_180() {
    let mut run = Run::dialing();
    run.wait(Duration::from_secs(3));
    run.event(Event::Progress);
    run.wait(Duration::from_secs(4));
    run.event(Event::Ringing);
    assert_eq!(run.timeout(), [Action::HangUp]);
    assert_eq!(run.now.tick.since(Tick::START), Duration::from_secs(37));
    assert_eq!(recorded(&run.event(status(487))), Some(Outcome::NoAnswer));
}

#[test]
fn a_repeated_180_does_not_lengthen_the_ring() {
    let mut run = Run::dialing();
    run.event(Event::Ringing);
    run.wait(Duration::from_secs(20));
    run.event(Event::Ringing);
    run.timeout();
    assert_eq!(run.now.tick.since(Tick::START), LIMITS.ring);
}

#[test]
fn the_outcome_waits_for_the_final_response() {
    let mut run = Run::dialing();
    run.event(Event::Ringing);
    run.timeout();
    assert_eq!(run.attempt.next_timeout(), None);
    assert_eq!(recorded(&run.event(status(486))), Some(Outcome::Busy));
}

#[test]
fn a_cancel_without_final_response_is_unknown() {
    let mut run = Run::dialing();
    run.event(Event::Ringing);
    run.timeout();
    let gone = Event::Failed(Failure { sent: true, uncertain: true, ..Failure::default() });
    assert_eq!(recorded(&run.event(gone)), Some(Outcome::Unknown));
}

#[test]
fn an_answer_that_crosses_the_cancel_is_an_answered_call() {
    let mut run = Run::dialing();
    run.event(Event::Ringing);
    run.timeout();
    assert_eq!(run.event(Event::Answered), [Action::WantAgent]);
    assert_eq!(run.event(Event::AgentJoined), []);
    let end = run.event(Event::LegEnded { by_peer: true, q850: None });
    assert_eq!(recorded(&end), Some(Outcome::Connected));
}

#[test]
fn no_agent_within_two_seconds_of_the_answer_plays_the_message_and_is_abandoned() {
    let mut run = Run::dialing();
    run.event(Event::Answered);
    let answered = run.now.tick;
    assert_eq!(run.timeout(), [Action::Play(MessageKind::SafeHarbour)]);
    assert_eq!(run.now.tick.since(answered), Duration::from_secs(2));
    let end = run.event(Event::MessageDone);
    assert_eq!(end[0], Action::HangUp);
    assert_eq!(recorded(&end), Some(Outcome::Abandoned));
}

#[test]
fn a_hang_up_in_the_silence_is_abandoned() {
    let mut run = Run::dialing();
    run.event(Event::Answered);
    run.wait(Duration::from_millis(300));
    assert_eq!(
        recorded(&run.event(Event::LegEnded { by_peer: true, q850: None })),
        Some(Outcome::Abandoned)
    );
}

#[test]
fn an_agent_lost_in_mid_talk_is_replaced_or_the_message_is_played() {
    let mut run = Run::dialing();
    run.event(Event::Answered);
    run.event(Event::AgentJoined);
    run.wait(Duration::from_secs(20));
    assert_eq!(run.event(Event::AgentLost), [Action::WantAgent]);
    assert_eq!(run.timeout(), [Action::Play(MessageKind::CallLost)]);
    assert_eq!(recorded(&run.event(Event::MessageDone)), Some(Outcome::AgentLost));
}

#[test]
fn a_second_agent_makes_the_call_connected_again() {
    let mut run = Run::dialing();
    run.event(Event::Answered);
    run.event(Event::AgentJoined);
    run.event(Event::AgentLost);
    run.event(Event::AgentJoined);
    assert_eq!(
        recorded(&run.event(Event::LegEnded { by_peer: true, q850: None })),
        Some(Outcome::Connected)
    );
}

#[test]
fn a_ring_we_cut_under_fifteen_seconds_counts_as_abandoned() {
    let mut run = Run::dialing();
    run.event(Event::Ringing);
    run.wait(Duration::from_secs(14));
    assert_eq!(run.event(Event::Stop), [Action::HangUp]);
    assert_eq!(recorded(&run.event(status(487))), Some(Outcome::Abandoned));

    let mut run = Run::dialing();
    run.event(Event::Ringing);
    run.wait(Duration::from_secs(16));
    run.event(Event::Stop);
    assert_eq!(recorded(&run.event(status(487))), Some(Outcome::Cancelled));
}

#[test]
fn a_ring_that_the_set_up_limit_cuts_short_counts_as_abandoned_too() {
    // A first 180 long after the 183 begins the ring anew; ten seconds later the whole set-up has taken too long.
    let limits = CallLimits { set_up: Duration::from_secs(50), ..LIMITS };
    let mut run = Run::within(limits).dialed();
    run.wait(Duration::from_secs(12));
    run.event(Event::Progress);
    run.wait(Duration::from_secs(28));
    run.event(Event::Ringing);
    assert_eq!(run.timeout(), [Action::HangUp]);
    assert_eq!(recorded(&run.event(status(487))), Some(Outcome::Abandoned));
}

#[test]
fn a_ring_told_by_early_media_alone_is_a_ring() {
    let mut run = Run::dialing();
    run.event(Event::Progress);
    run.wait(Duration::from_secs(14));
    run.event(Event::Stop);
    assert_eq!(recorded(&run.event(status(487))), Some(Outcome::Abandoned));
}

#[test]
fn only_a_talk_with_the_agent_is_long_and_not_the_message_after_it() {
    let mut run = Run::dialing();
    run.event(Event::Answered);
    run.event(Event::AgentJoined);
    run.wait(Duration::from_secs(3));
    run.event(Event::AgentLost);
    run.timeout();
    run.wait(Duration::from_secs(20));
    let actions = run.event(Event::MessageDone);
    let Some(Action::Record(end)) = actions.last() else { panic!("{actions:?}") };
    assert_eq!((end.talk, end.long_talk), (Duration::from_secs(3), false));
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Saved),
        Just(Event::Withdrawn),
        Just(Event::Granted),
        Just(Event::Ringing),
        Just(Event::Progress),
        Just(Event::Answered),
        (300u16..700).prop_map(status),
        Just(Event::LegEnded { by_peer: true, q850: Some(16) }),
        Just(Event::AgentJoined),
        Just(Event::AgentLost),
        Just(Event::MessageDone),
        Just(Event::Stop),
        Just(Event::Timeout),
    ]
}

proptest! {
    #[test]
    fn an_attempt_records_at_most_one_outcome_and_dials_at_most_once(
        steps in proptest::collection::vec((any_event(), 0u64..40), 0..30),
    ) {
        let mut run = Run::new();
        let (mut records, mut dials, mut saved) = (0, 0, false);
        for (event, wait_s) in steps {
            run.wait(Duration::from_secs(wait_s));
            saved |= event == Event::Saved;
            for action in run.event(event) {
                match action {
                    Action::Record(_) => records += 1,
                    Action::Dial => {
                        prop_assert!(saved, "no INVITE without a stored intent");
                        dials += 1;
                    }
                    Action::Queue
                    | Action::HangUp
                    | Action::WantAgent
                    | Action::Play(_)
                    | Action::Say(_)
                    | Action::Hush
                    | Action::Chosen(_) => {}
                }
            }
        }
        prop_assert!(records <= 1 && dials <= 1);
    }
}
