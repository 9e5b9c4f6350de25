//! What is looked ahead, read off at the moments at which a new call may be answered.

use crate::logic::pacing::predictive::chance::{HORIZONS, Lanes};
use crate::logic::pacing::predictive::life_table::LifeTable;
use crate::logic::pacing::predictive::look_ahead::{AgentOutlook, CallOutlook, Curve, Spot};

/// Chances at those moments, by what calls and agents are doing and for how long. Kept for some seconds: making it is
/// worth some hundred thousand multiplications.
#[derive(Clone, Debug)]
pub struct Outlook {
    calls: CallOutlook,
    calls_at: f64,
    level: f64,
    agents: AgentOutlook,
    agents_at: f64,
    grace: f64,
    new_call: Chances,
    dialing: Vec<Chances>,
    ringing: Vec<Chances>,
    talking: Vec<Lanes>,
    wrapping: Vec<Lanes>,
}

/// The tables that are looked ahead with.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// From the start to ringing.
    pub dial: &'a LifeTable,
    /// From ringing to the answer.
    pub ring: &'a LifeTable,
    /// Talks.
    pub talk: &'a LifeTable,
    /// Wrap-up.
    pub wrap: &'a LifeTable,
}

/// Chances of a call to be answered by a person.
#[derive(Clone, Copy, Debug)]
pub struct Chances {
    within: Lanes,
    /// Within all the time that is looked ahead.
    ever: f64,
}

impl Outlook {
    /// Of now: the old one as long as it will do. `level`: answers are so many times as likely as the table says;
    /// `grace`: seconds that an agent may come later than the answer.
    #[must_use]
    pub fn at(
        now: f64,
        old: Option<Box<Self>>,
        tables: Tables<'_>,
        level: f64,
        grace: f64,
    ) -> Option<Box<Self>> {
        let Some(mut outlook) = old else {
            let calls = CallOutlook::new(tables.dial, tables.ring, level);
            let agents = AgentOutlook::new(tables.talk, tables.wrap);
            let mut outlook = Box::new(Self {
                calls,
                calls_at: now,
                level,
                agents,
                agents_at: now,
                grace,
                new_call: Chances { within: [0.0; HORIZONS], ever: 0.0 },
                dialing: Vec::new(),
                ringing: Vec::new(),
                talking: Vec::new(),
                wrapping: Vec::new(),
            });
            return outlook.read_off().then_some(outlook);
        };
        let moved = (level / outlook.level - 1.0).abs() >= MOVED;
        let calls = now - outlook.calls_at >= CALLS_EVERY || moved;
        let agents = now - outlook.agents_at >= AGENTS_EVERY;
        if calls {
            outlook.calls = CallOutlook::new(tables.dial, tables.ring, level);
            (outlook.calls_at, outlook.level) = (now, level);
        }
        if agents {
            outlook.agents = AgentOutlook::new(tables.talk, tables.wrap);
            outlook.agents_at = now;
        }
        let same = !calls && !agents && grace.to_bits() == outlook.grace.to_bits();
        outlook.grace = grace;
        (same || outlook.read_off()).then_some(outlook)
    }

    /// Of a call that starts now.
    #[must_use]
    pub const fn new_call(&self) -> &Chances {
        &self.new_call
    }

    /// Of one that does not ring yet, in this bin of the dial table.
    #[must_use]
    pub fn dialing(&self, bin: usize) -> Option<&Chances> {
        self.dialing.get(bin)
    }

    /// Of one that rings, in this bin of the ring table.
    #[must_use]
    pub fn ringing(&self, bin: usize) -> Option<&Chances> {
        self.ringing.get(bin)
    }

    /// That an agent is free who talks, in this bin of the talk table.
    #[must_use]
    pub fn talking(&self, bin: usize) -> Option<&Lanes> {
        self.talking.get(bin)
    }

    /// That an agent is free who is in wrap-up, in this bin of the wrap table.
    #[must_use]
    pub fn wrapping(&self, bin: usize) -> Option<&Lanes> {
        self.wrapping.get(bin)
    }

    /// `false`: nobody will ever answer, as far as is known; or a chance is no number.
    fn read_off(&mut self) -> bool {
        let Some(new_call) = self.calls.new_call() else { return false };
        let mut moments = [0.0; HORIZONS];
        let mut place = 0.5;
        for moment in &mut moments {
            *moment = new_call.quantile(place * EACH);
            place += 1.0;
        }
        let later = moments.map(|moment| Spot::of(moment + self.grace));
        let moments = moments.map(Spot::of);
        self.new_call = Chances::of(new_call, &moments);
        let chances = |curve: &Curve| Chances::of(curve, &moments);
        refill(&mut self.dialing, self.calls.dialing(), chances);
        refill(&mut self.ringing, self.calls.ringing(), chances);
        let lanes = |curve: &Curve| later.map(|spot| curve.at(spot));
        refill(&mut self.talking, self.agents.talking(), lanes);
        refill(&mut self.wrapping, self.agents.wrapping(), lanes);
        self.new_call.ever > 0.0 && self.new_call.ever.is_finite()
    }
}

impl Chances {
    fn of(curve: &Curve, moments: &[Spot; HORIZONS]) -> Self {
        Self { within: moments.map(|spot| curve.at(spot)), ever: curve.ever() }
    }

    /// Within all the time that is looked ahead.
    #[must_use]
    pub const fn ever(&self) -> f64 {
        self.ever
    }

    /// Of a call whose odds to be answered at all are so many times the usual ones.
    ///
    /// Who will not answer and who has not answered yet sound alike, so that waiting changes the odds of both alike and
    /// their ratio stays: by Bayes each chance is multiplied by the same number.
    #[must_use]
    pub fn with_odds(&self, odds: f64) -> Lanes {
        let times = self.times(odds);
        self.within.map(|chance| (chance * times).min(1.0))
    }

    /// What such odds multiply each chance by.
    #[must_use]
    pub fn times(&self, odds: f64) -> f64 {
        if odds == 1.0 {
            return 1.0;
        }
        let ever = self.ever.clamp(0.0, 1.0);
        odds / (1.0 - ever + odds * ever)
    }
}

fn refill<T>(lanes: &mut Vec<T>, curves: &[Curve], of: impl Fn(&Curve) -> T) {
    lanes.clear();
    lanes.extend(curves.iter().map(of));
}

/// One of [`HORIZONS`].
pub const EACH: f64 = 0.125;
const _: () = assert!(HORIZONS == 8);
/// Seconds after which what is looked ahead is made anew.
const CALLS_EVERY: f64 = 2.0;
const AGENTS_EVERY: f64 = 5.0;
/// Or as soon as the answer level has moved by so much.
const MOVED: f64 = 0.03;
