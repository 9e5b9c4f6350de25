//! The media threads of all parties in virtual time: no packets, only who hears whom.
//!
//! Each party (dialer, carrier, phones) gives its [`MediaCommand`]s and gets its [`MediaEvent`]s back as its own media
//! thread would: ports, first packets, keys, ends of sounds, silence that lasts.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::logic::ids::LegId;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::media::MediaStats;
use crate::logic::media::RemoteMedia;
use crate::logic::media::Sound;
use crate::logic::rtp::liveness::LivenessLimits;
use crate::logic::time::Deadlines;
use crate::logic::time::Tick;

/// Whose media thread; the harness numbers its parties.
pub type Party = u16;

/// All media threads.
#[derive(Debug)]
pub struct VirtualMedia {
    legs: BTreeMap<Place, Leg>,
    /// RTP port to leg; ports are unique over all parties, whatever their addresses.
    ports: BTreeMap<u16, Place>,
    events: BTreeMap<(Tick, u64), (Party, MediaEvent)>,
    timers: Deadlines<(Place, Timer)>,
    dead: BTreeSet<Party>,
    serial: u64,
    next_port: u16,
    limits: LivenessLimits,
}

/// What a far end hears from a leg.
#[derive(Clone, Debug, PartialEq)]
pub enum Audible {
    /// No packets.
    Nothing,
    /// Packets of silence.
    Silence,
    /// A sound that one party plays.
    Sound {
        /// Who plays.
        party: Party,
        /// On which leg.
        leg: LegId,
        /// What.
        sound: Sound,
    },
}

type Place = (Party, LegId);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    PlayEnds,
    Quiet,
    Dead,
}

#[derive(Debug)]
struct Leg {
    port: u16,
    remote: Option<RemoteMedia>,
    partner: Option<LegId>,
    playing: Option<(u64, Sound)>,
    heard_once: bool,
    receiving: bool,
    /// The timers of silence run, or have fired.
    missing: bool,
    /// `Quiet` was told.
    missed: bool,
}

impl Default for VirtualMedia {
    fn default() -> Self {
        Self {
            legs: BTreeMap::new(),
            ports: BTreeMap::new(),
            events: BTreeMap::new(),
            timers: Deadlines::default(),
            dead: BTreeSet::new(),
            serial: 0,
            next_port: FIRST_PORT,
            limits: LivenessLimits::default(),
        }
    }
}

impl VirtualMedia {
    /// One party gives its media thread a command.
    pub fn command(&mut self, now: Tick, party: Party, command: MediaCommand) {
        match command {
            MediaCommand::Open { leg } => self.open(now, (party, leg)),
            MediaCommand::Remote { leg, remote } => {
                if let Some(found) = self.legs.get_mut(&(party, leg)) {
                    found.remote = Some(remote);
                }
            }
            MediaCommand::Bridge { a, b } => {
                for (one, other) in [(a, b), (b, a)] {
                    self.unbridge(party, one);
                    if let Some(found) = self.legs.get_mut(&(party, one)) {
                        found.partner = Some(other);
                    }
                }
            }
            MediaCommand::Unbridge { leg } => self.unbridge(party, leg),
            MediaCommand::Play { leg, play, sound } => {
                let ends = length(&sound).map(|length| now + length);
                if let Some(found) = self.legs.get_mut(&(party, leg)) {
                    found.playing = Some((play, sound));
                    self.timers.set(((party, leg), Timer::PlayEnds), ends);
                }
            }
            MediaCommand::StopPlay { leg } => {
                self.timers.set(((party, leg), Timer::PlayEnds), None);
                if let Some(found) = self.legs.get_mut(&(party, leg)) {
                    found.playing = None;
                }
            }
            MediaCommand::SendDigits { leg, digits } => self.digits(now, (party, leg), &digits),
            MediaCommand::Tap { .. } => {}
            MediaCommand::Close { leg } => self.close(now, (party, leg)),
        }
        self.listen(now);
    }

    /// A party's process is gone, or there again: its legs vanish without `Closed`, and nothing reaches it.
    pub fn kill(&mut self, now: Tick, party: Party) {
        let legs: Vec<Place> = self.legs.keys().filter(|(of, _)| *of == party).copied().collect();
        for place in legs {
            self.remove(place);
        }
        self.events.retain(|_, (of, _)| *of != party);
        self.listen(now);
    }

    /// Cuts one party's RTP off, both ways, or joins it again: its legs stay.
    pub fn cut(&mut self, now: Tick, party: Party, cut: bool) {
        if cut {
            self.dead.insert(party);
        } else {
            self.dead.remove(&party);
        }
        self.listen(now);
    }

    /// When [`VirtualMedia::pop_due`] gives something next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        [event, self.timers.next()].into_iter().flatten().min()
    }

    /// The next event that is due, and whose it is.
    pub fn pop_due(&mut self, now: Tick) -> Option<(Party, MediaEvent)> {
        while let Some((place, timer)) = self.timers.pop_due(now) {
            self.fire(now, place, timer);
        }
        let at = self.events.first_key_value().map(|((at, _), _)| *at)?;
        if at > now {
            return None;
        }
        self.events.pop_first().map(|(_, event)| event)
    }

    /// What comes in on a leg.
    #[must_use]
    pub fn heard(&self, party: Party, leg: LegId) -> Audible {
        self.incoming((party, leg), MOST_HOPS)
    }

    /// How many legs a party has open.
    #[must_use]
    pub fn open_legs(&self, party: Party) -> usize {
        self.legs.keys().filter(|(of, _)| *of == party).count()
    }

    fn open(&mut self, now: Tick, place: Place) {
        let (party, leg) = place;
        let free = (0..PORTS / 2).find_map(|_| {
            let port = self.next_port;
            self.next_port = if port >= FIRST_PORT + PORTS - 2 { FIRST_PORT } else { port + 2 };
            (!self.ports.contains_key(&port)).then_some(port)
        });
        let Some(port) = free.filter(|_| !self.legs.contains_key(&place)) else {
            return self.tell(now + STEP, party, MediaEvent::OpenFailed { leg });
        };
        self.ports.insert(port, place);
        let opened = Leg {
            port,
            remote: None,
            partner: None,
            playing: None,
            heard_once: false,
            receiving: false,
            missing: false,
            missed: false,
        };
        self.legs.insert(place, opened);
        self.tell(now + STEP, party, MediaEvent::Opened { leg, port });
    }

    fn close(&mut self, now: Tick, place: Place) {
        if self.remove(place) {
            let (party, leg) = place;
            self.tell(now + STEP, party, MediaEvent::Closed { leg, stats: MediaStats::default() });
        }
    }

    fn remove(&mut self, place: Place) -> bool {
        self.unbridge(place.0, place.1);
        for timer in [Timer::PlayEnds, Timer::Quiet, Timer::Dead] {
            self.timers.set((place, timer), None);
        }
        let Some(leg) = self.legs.remove(&place) else { return false };
        self.ports.remove(&leg.port);
        true
    }

    fn unbridge(&mut self, party: Party, leg: LegId) {
        let partner = self.legs.get_mut(&(party, leg)).and_then(|leg| leg.partner.take());
        if let Some(partner) = partner.and_then(|partner| self.legs.get_mut(&(party, partner))) {
            partner.partner = None;
        }
    }

    fn digits(&mut self, now: Tick, from: Place, digits: &str) {
        let Some(to) = self.far_end(from) else { return };
        let mut at = now + STEP;
        for digit in digits.chars() {
            self.tell(at, to.0, MediaEvent::Digit { leg: to.1, digit });
            at = at + DIGIT;
        }
    }

    fn fire(&mut self, now: Tick, place: Place, timer: Timer) {
        let (party, leg) = place;
        let Some(found) = self.legs.get_mut(&place) else { return };
        match timer {
            Timer::PlayEnds => {
                if let Some((play, _)) = found.playing.take() {
                    self.tell(now, party, MediaEvent::PlayDone { leg, play });
                }
            }
            Timer::Quiet => {
                found.missed = true;
                self.tell(now, party, MediaEvent::Quiet { leg });
            }
            Timer::Dead => self.tell(now, party, MediaEvent::Dead { leg }),
        }
    }

    /// After each change: who receives packets now, and who no longer does.
    fn listen(&mut self, now: Tick) {
        let senders: BTreeMap<Place, Place> =
            self.legs.keys().filter_map(|from| Some((self.far_end(*from)?, *from))).collect();
        let places: Vec<Place> = self.legs.keys().copied().collect();
        for place in places {
            let source =
                senders.get(&place).and_then(|from| self.legs.get(from)).map(|from| from.port);
            let Some(leg) = self.legs.get_mut(&place) else { continue };
            let watched = leg.remote.is_some();
            let (party, id) = place;
            if let Some(port) = source {
                if !leg.receiving {
                    leg.receiving = true;
                    leg.missing = false;
                    let missed = std::mem::take(&mut leg.missed);
                    let first = !std::mem::replace(&mut leg.heard_once, true);
                    self.timers.set((place, Timer::Quiet), None);
                    self.timers.set((place, Timer::Dead), None);
                    if first {
                        let from = std::net::SocketAddr::from(([127, 0, 0, 1], port));
                        self.tell(now + PACKET, party, MediaEvent::FirstPacket { leg: id, from });
                    }
                    if missed {
                        self.tell(now + PACKET, party, MediaEvent::Heard { leg: id });
                    }
                }
            } else if watched && !leg.missing {
                leg.receiving = false;
                leg.missing = true;
                self.timers.set((place, Timer::Quiet), Some(now + self.limits.quiet_after));
                self.timers.set((place, Timer::Dead), Some(now + self.limits.dead_after));
            }
        }
    }

    /// Where the packets of a leg arrive, if they are sent and the far end is open.
    fn far_end(&self, from: Place) -> Option<Place> {
        let remote = self.legs.get(&from)?.remote.as_ref().filter(|remote| remote.send)?;
        let to = *self.ports.get(&remote.rtp.port())?;
        (!self.dead.contains(&from.0) && !self.dead.contains(&to.0)).then_some(to)
    }

    fn incoming(&self, place: Place, hops: u8) -> Audible {
        let source = self.legs.keys().find(|from| self.far_end(**from) == Some(place));
        let Some((party, leg)) = source.copied() else { return Audible::Nothing };
        let Some(found) = self.legs.get(&(party, leg)) else { return Audible::Nothing };
        if let Some((_, sound)) = &found.playing {
            return Audible::Sound { party, leg, sound: sound.clone() };
        }
        match (found.partner, hops.checked_sub(1)) {
            (Some(partner), Some(hops)) => match self.incoming((party, partner), hops) {
                // A bridge whose other side is silent sends silence.
                Audible::Nothing | Audible::Silence => Audible::Silence,
                Audible::Sound { party, leg, sound } => Audible::Sound { party, leg, sound },
            },
            (None, _) | (_, None) => Audible::Silence,
        }
    }

    fn tell(&mut self, at: Tick, party: Party, event: MediaEvent) {
        self.serial += 1;
        self.events.insert((at, self.serial), (party, event));
    }
}

/// How long a sound is; `None`: until stopped.
fn length(sound: &Sound) -> Option<Duration> {
    match sound {
        Sound::Tone { millis: 0, .. } | Sound::Loop(_) => None,
        Sound::Tone { millis, .. } => Some(Duration::from_millis(u64::from(*millis))),
        // 8,000 samples a second: 125 µs each.
        Sound::Samples(samples) => {
            u64::try_from(samples.len()).ok().map(|count| Duration::from_micros(count * 125))
        }
    }
}

const FIRST_PORT: u16 = 10_000;
const PORTS: u16 = 50_000;

/// From a command to its event.
const STEP: Duration = Duration::from_micros(200);

/// From the start of sending to the first packet at the far end.
const PACKET: Duration = Duration::from_millis(20);

/// One key and the gap after it, as `SendDigits` says.
const DIGIT: Duration = Duration::from_millis(160);

/// Bridges on the way of a sound: far more than two dialers in a row have.
const MOST_HOPS: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::peer;

    const DIALER: Party = 0;
    const CARRIER: Party = 1;
    const PHONE: Party = 2;

    fn after(ms: u64) -> Tick {
        Tick::START + Duration::from_millis(ms)
    }

    fn drain(media: &mut VirtualMedia, until: Tick) -> Vec<(Party, MediaEvent)> {
        let mut seen = Vec::new();
        while let Some(at) = media.next_deadline().filter(|at| *at <= until) {
            seen.extend(std::iter::from_fn(|| media.pop_due(at)));
        }
        seen
    }

    /// A customer's leg 1 and an agent's leg 2 at the dialer, each joined to leg 9 of its far end.
    fn joined() -> VirtualMedia {
        let mut media = VirtualMedia::default();
        let places = [
            (DIALER, 1, CARRIER, 9),
            (CARRIER, 9, DIALER, 1),
            (DIALER, 2, PHONE, 9),
            (PHONE, 9, DIALER, 2),
        ];
        for (party, leg, ..) in places {
            media.command(after(0), party, MediaCommand::Open { leg: LegId(leg) });
        }
        for (party, leg, far, far_leg) in places {
            let port = media.legs[&(far, LegId(far_leg))].port;
            let rtp = ([127, 0, 0, 1], port).into();
            let remote = RemoteMedia { rtp, send: true, ..peer::nowhere() };
            media.command(after(1), party, MediaCommand::Remote { leg: LegId(leg), remote });
        }
        media
    }

    fn play(media: &mut VirtualMedia, now: Tick, party: Party, leg: i64, millis: u32) {
        let sound = Sound::Tone { hz: 1000, millis, level: 0.3 };
        media.command(now, party, MediaCommand::Play { leg: LegId(leg), play: 7, sound });
    }

    #[test]
    fn a_bridge_carries_sound_and_keys_reach_only_the_next_party() {
        let mut media = joined();
        let firsts = drain(&mut media, after(100));
        assert_eq!(
            firsts.iter().filter(|(_, e)| matches!(e, MediaEvent::FirstPacket { .. })).count(),
            4
        );
        play(&mut media, after(100), CARRIER, 9, 0);
        assert_eq!(media.heard(PHONE, LegId(9)), Audible::Silence);
        media.command(after(200), DIALER, MediaCommand::Bridge { a: LegId(1), b: LegId(2) });
        assert!(matches!(media.heard(PHONE, LegId(9)), Audible::Sound { party: CARRIER, .. }));
        media.command(
            after(300),
            PHONE,
            MediaCommand::SendDigits { leg: LegId(9), digits: "##".into() },
        );
        let digits = drain(&mut media, after(1_000));
        assert_eq!(digits, vec![(DIALER, MediaEvent::Digit { leg: LegId(2), digit: '#' }); 2]);
        media.command(after(1_000), DIALER, MediaCommand::Unbridge { leg: LegId(2) });
        assert_eq!(media.heard(PHONE, LegId(9)), Audible::Silence);
    }

    #[test]
    fn a_sound_of_known_length_ends_by_itself_and_goes_before_the_bridge() {
        let mut media = joined();
        media.command(after(50), DIALER, MediaCommand::Bridge { a: LegId(1), b: LegId(2) });
        drain(&mut media, after(100));
        play(&mut media, after(100), DIALER, 2, 200);
        assert!(matches!(media.heard(PHONE, LegId(9)), Audible::Sound { party: DIALER, .. }));
        assert_eq!(media.next_deadline(), Some(after(300)));
        assert_eq!(
            drain(&mut media, after(400)),
            [(DIALER, MediaEvent::PlayDone { leg: LegId(2), play: 7 })]
        );
        assert_eq!(media.heard(PHONE, LegId(9)), Audible::Silence);
    }

    #[test]
    fn a_far_end_that_vanishes_is_quiet_after_2_s_and_dead_after_10_s() {
        let mut media = joined();
        drain(&mut media, after(1_000));
        media.kill(after(1_000), PHONE);
        assert_eq!(media.heard(DIALER, LegId(2)), Audible::Nothing);
        assert_eq!(
            drain(&mut media, after(3_000)),
            [(DIALER, MediaEvent::Quiet { leg: LegId(2) })]
        );
        assert_eq!(
            drain(&mut media, after(60_000)),
            [(DIALER, MediaEvent::Dead { leg: LegId(2) })]
        );
        assert_eq!(media.open_legs(PHONE), 0);
    }

    #[test]
    fn a_cut_that_is_mended_is_heard_again() {
        let mut media = joined();
        drain(&mut media, after(1_000));
        media.cut(after(1_000), PHONE, true);
        drain(&mut media, after(4_000));
        media.cut(after(4_000), PHONE, false);
        let heard = drain(&mut media, after(60_000));
        assert!(heard.contains(&(DIALER, MediaEvent::Heard { leg: LegId(2) })), "{heard:?}");
    }

    #[test]
    fn a_closed_leg_frees_its_port_and_its_partner() {
        let mut media = joined();
        media.command(after(50), DIALER, MediaCommand::Bridge { a: LegId(1), b: LegId(2) });
        drain(&mut media, after(100));
        media.command(after(100), DIALER, MediaCommand::Close { leg: LegId(1) });
        media.command(after(100), DIALER, MediaCommand::Close { leg: LegId(1) });
        let closed = drain(&mut media, after(101));
        assert_eq!(
            closed,
            [(DIALER, MediaEvent::Closed { leg: LegId(1), stats: MediaStats::default() })]
        );
        assert_eq!(media.legs[&(DIALER, LegId(2))].partner, None);
        assert_eq!(media.ports.len(), 3);
    }
}
