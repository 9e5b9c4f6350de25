//! The agent's behaviour in virtual time.

use super::*;

struct Run {
    agent: Agent,
    now: Now,
}

const A: AttemptId = AttemptId(1);

impl Run {
    fn ready() -> Self {
        let now = Now { tick: Tick::START, utc: UtcMs(0) };
        let mut run = Self { agent: Agent::new(now), now };
        assert_eq!(run.event(Event::LogIn), [Action::Changed, Action::Dial]);
        run.event(Event::PhoneUp);
        assert_eq!(run.agent.kind(), Kind::Paused, "paused until they press ready");
        run.event(Event::Ready);
        run
    }

    fn on_call() -> Self {
        let mut run = Self::ready();
        run.event(Event::Reserve(A));
        run.event(join());
        assert_eq!(run.agent.kind(), Kind::OnCall);
        run
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        let mut out = vec![];
        self.agent.handle(self.now, event, &mut out);
        out
    }

    fn wait(&mut self, time: Duration) {
        self.now = Now { tick: self.now.tick + time, utc: self.now.utc + time };
    }
}

fn join() -> Event {
    let map = DigitMap(["1".to_owned(), "9".to_owned()].into());
    Event::Join { attempt: A, hang_up_keys: "##".to_owned(), map, wrap_up: Duration::from_secs(20) }
}

#[test]
fn a_pause_while_reserved_takes_effect_when_the_call_is_settled() {
    let mut run = Run::ready();
    run.event(Event::Reserve(A));
    assert_eq!(run.event(Event::Pause(Some("lunch".to_owned()))), []);
    assert!(run.agent.is_kept_for(A));
    run.event(Event::Release(A));
    assert_eq!(run.agent.kind(), Kind::Paused);
    assert_eq!(run.agent.pause_reason(), Some("lunch"));
}

#[test]
fn wrap_up_ends_by_itself_and_the_agent_is_ready_again() {
    let mut run = Run::on_call();
    run.event(Event::CallOver(A));
    assert_eq!(run.event(Event::Digit('9')), [Action::Chose(A, 1)]);
    assert_eq!(
        run.event(Event::Digit('1')),
        [Action::Chose(A, 0)],
        "a disposition may be corrected"
    );
    run.wait(Duration::from_secs(20));
    assert_eq!(run.event(Event::Timeout), [Action::WrapUpOver(A), Action::Changed]);
    assert!(run.agent.may_take_call());
}

#[test]
fn a_phone_that_dies_in_mid_talk_gives_the_customer_back() {
    let mut run = Run::on_call();
    assert_eq!(
        run.event(Event::PhoneDead),
        [Action::Changed, Action::Lost(A), Action::HangUpPhone]
    );
    assert_eq!(run.agent.kind(), Kind::Offline);
}

#[test]
fn a_quiet_phone_gets_no_new_call_until_it_is_heard() {
    let mut run = Run::ready();
    run.event(Event::Quiet);
    assert!(!run.agent.may_take_call());
    run.event(Event::Heard);
    assert!(run.agent.may_take_call());
}

#[test]
fn hold_means_paused_and_coming_back_means_ready() {
    let mut run = Run::ready();
    run.event(Event::Held(true));
    assert_eq!(run.agent.kind(), Kind::Paused);
    assert_eq!(run.event(Event::Ready), [], "a phone on hold cannot take a call");
    run.event(Event::Held(false));
    assert!(run.agent.may_take_call());
}

#[test]
fn a_phone_put_on_hold_after_the_call_gets_no_customer_when_wrap_up_ends() {
    let mut run = Run::on_call();
    run.event(Event::CallOver(A));
    run.event(Event::Held(true));
    run.wait(Duration::from_secs(20));
    run.event(Event::Timeout);
    assert_eq!((run.agent.kind(), run.agent.pause_reason()), (Kind::Paused, Some("hold")));
    run.event(Event::Held(false));
    assert!(run.agent.may_take_call());
}

#[test]
fn a_pause_asked_for_on_hold_outlasts_it() {
    let mut run = Run::ready();
    run.event(Event::Held(true));
    run.event(Event::Pause(Some("lunch".to_owned())));
    run.event(Event::Held(false));
    assert_eq!((run.agent.kind(), run.agent.pause_reason()), (Kind::Paused, Some("lunch")));
    run.event(Event::Ready);
    assert!(run.agent.may_take_call());
}

#[test]
fn log_out_during_a_call_waits_for_the_end_of_wrap_up() {
    let mut run = Run::on_call();
    run.event(Event::LogOut);
    run.event(Event::CallOver(A));
    assert_eq!(run.agent.kind(), Kind::WrapUp);
    run.wait(Duration::from_secs(20));
    assert_eq!(
        run.event(Event::Timeout),
        [Action::WrapUpOver(A), Action::Changed, Action::HangUpPhone]
    );
    assert_eq!(run.agent.kind(), Kind::Offline);
}

#[test]
fn time_is_counted_by_state() {
    let mut run = Run::on_call();
    run.wait(Duration::from_secs(60));
    run.event(Event::CallOver(A));
    run.wait(Duration::from_secs(5));
    run.event(Event::Ready);
    run.wait(Duration::from_secs(10));
    let totals = run.agent.totals(run.now);
    assert_eq!(totals.talk, Duration::from_secs(60));
    assert_eq!(totals.wrap_up, Duration::from_secs(5));
    assert_eq!(totals.staffed, Duration::from_secs(75));
    assert_eq!(totals.calls, 1);
}

#[test]
fn who_looks_at_a_person_may_leave_at_once_and_the_person_goes_back() {
    let leaves: [(Event, Kind); 5] = [
        (Event::Pause(None), Kind::Paused),
        (Event::Held(true), Kind::Paused),
        (Event::LogOut, Kind::Offline),
        (Event::PhoneDown, Kind::Offline),
        (Event::PhoneDead, Kind::Offline),
    ];
    for (event, kind) in leaves {
        let mut run = Run::ready();
        run.event(Event::Offer(Duration::from_secs(60)));
        assert_eq!((run.agent.kind(), run.agent.attempt()), (Kind::Previewing, None));
        let actions = run.event(event);
        assert!(actions.contains(&Action::PutBack), "{actions:?}");
        assert_eq!(run.agent.kind(), kind);
    }
}

#[test]
fn who_decides_nothing_in_time_is_paused() {
    let mut run = Run::ready();
    run.event(Event::Offer(Duration::from_secs(60)));
    run.wait(Duration::from_secs(59));
    assert_eq!(run.event(Event::Timeout), []);
    run.wait(Duration::from_secs(1));
    assert_eq!(run.event(Event::Timeout), [Action::Changed, Action::PutBack]);
    assert_eq!((run.agent.kind(), run.agent.pause_reason()), (Kind::Paused, Some("preview")));
    run.event(Event::Ready);
    run.event(Event::Offer(Duration::from_secs(60)));
    run.event(Event::Reserve(A));
    assert_eq!((run.agent.kind(), run.agent.next_timeout()), (Kind::Reserved, None));
}
