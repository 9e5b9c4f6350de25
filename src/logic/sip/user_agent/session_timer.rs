//! Session timers: who must refresh a session, and until when it lives without (RFC 4028).

use std::time::Duration;

use crate::logic::sip::message::Message;
use crate::logic::sip::message::Refresher;
use crate::logic::sip::message::SessionExpires;
use crate::logic::sip::message::name;
use crate::logic::time::Tick;

/// A session timer in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionTimer {
    pub(super) interval: Duration,
    /// True: we send UPDATE or re-INVITE. False: the far end does, and we hang up when it does not.
    pub(super) we_refresh: bool,
    /// When to refresh, or to hang up.
    pub(super) at: Tick,
    /// Where we refresh: when a session that could not be refreshed is hung up.
    pub(super) ends: Tick,
}

impl SessionTimer {
    /// RFC 4028 §10: refresh at half the interval; without a refresh hang up a third of it, at most 32 s, before the
    /// end.
    pub(super) fn start(now: Tick, interval: Duration, we_refresh: bool) -> Self {
        let interval = interval.clamp(SHORTEST, LONGEST);
        let margin = (interval / 3).min(LONGEST_MARGIN);
        let wait = if we_refresh { interval / 2 } else { interval - margin };
        Self { interval, we_refresh, at: now + wait, ends: now + interval - margin }
    }

    /// The same session, looked at again at `at`.
    pub(super) fn later(self, at: Tick) -> Self {
        Self { at: at.min(self.ends), ..self }
    }

    /// From the 2xx to a request of ours. Without a refresher it is us: we sent the request (RFC 4028 §7.2).
    pub(super) fn from_answer(now: Tick, header: Option<SessionExpires>) -> Option<Self> {
        let header = header?;
        let we_refresh = match header.refresher {
            Some(Refresher::Uac) | None => true,
            Some(Refresher::Uas) => false,
        };
        Some(Self::start(now, Duration::from_secs(header.seconds.into()), we_refresh))
    }

    /// From a request of the far end that asks for a timer. Without a refresher we let the far end do it, if it can: a
    /// proxy may have asked on behalf of one that knows no timers (RFC 4028 §9, table 2).
    pub(super) fn from_request(now: Tick, request: &Message) -> Option<Self> {
        let header = request.session_expires()?;
        let we_refresh = match header.refresher {
            Some(Refresher::Uas) => true,
            Some(Refresher::Uac) => false,
            None => !request.lists(name::SUPPORTED, "timer"),
        };
        Some(Self::start(now, Duration::from_secs(header.seconds.into()), we_refresh))
    }

    /// Value of Session-Expires in our 2xx to a request of the far end.
    pub(super) fn answer_value(&self) -> String {
        let refresher = if self.we_refresh { "uas" } else { "uac" };
        format!("{};refresher={refresher}", self.interval.as_secs())
    }

    /// Value of Session-Expires in a re-INVITE of ours: who refreshes stays as it is.
    pub(super) fn renewal_value(&self) -> String {
        let refresher = if self.we_refresh { "uac" } else { "uas" };
        format!("{};refresher={refresher}", self.interval.as_secs())
    }

    /// Value of Session-Expires in our own refresh. The roles of a refresh are relative to it (RFC 4028 §7.4).
    pub(super) fn refresh_value(&self) -> String {
        format!("{};refresher=uac", self.interval.as_secs())
    }
}

/// RFC 4028 §4 wants 90 s at least; peers that ask for less are kept to their word, down to this.
const SHORTEST: Duration = Duration::from_secs(4);
/// Longer than any call.
pub(super) const LONGEST: Duration = Duration::from_secs(86_400);
/// RFC 4028 §10.
const LONGEST_MARGIN: Duration = Duration::from_secs(32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::sip::message::Method;

    fn header(seconds: u32, refresher: Option<Refresher>) -> Option<SessionExpires> {
        Some(SessionExpires { seconds, refresher })
    }

    fn asked(headers: &[(&str, &str)]) -> Option<SessionTimer> {
        let mut request = Message::request(Method::INVITE, "sip:us");
        for (name, value) in headers {
            request.push(name, value);
        }
        SessionTimer::from_request(Tick::START, &request)
    }

    #[test]
    fn the_refresher_acts_at_half_time_and_the_other_hangs_up_before_the_end() {
        let ours = SessionTimer::from_answer(Tick::START, header(1_800, None)).unwrap();
        assert_eq!((ours.we_refresh, ours.at.since(Tick::START).as_secs()), (true, 900));
        let theirs =
            SessionTimer::from_answer(Tick::START, header(1_800, Some(Refresher::Uas))).unwrap();
        assert_eq!((theirs.we_refresh, theirs.at.since(Tick::START).as_secs()), (false, 1_768));
        let short = asked(&[(name::SESSION_EXPIRES, "90;refresher=uac")]).unwrap();
        assert_eq!((short.we_refresh, short.at.since(Tick::START).as_secs()), (false, 60));
        assert_eq!(short.answer_value(), "90;refresher=uac");
    }

    #[test]
    fn no_header_means_no_timer() {
        assert_eq!(SessionTimer::from_answer(Tick::START, None), None);
        assert_eq!(asked(&[(name::SUPPORTED, "timer")]), None);
    }

    #[test]
    fn who_knows_no_timers_is_refreshed_by_us() {
        let by_proxy = asked(&[(name::SESSION_EXPIRES, "1800")]).unwrap();
        assert_eq!(by_proxy.answer_value(), "1800;refresher=uas");
        let able = [(name::SESSION_EXPIRES, "1800"), (name::SUPPORTED, "100rel, timer")];
        assert_eq!(asked(&able).unwrap().answer_value(), "1800;refresher=uac");
    }
}
