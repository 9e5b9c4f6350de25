//! What is known about a lead before it is called. Closed lists, so that what is learned stays bounded.

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Hour at the person's place, 0 to 23.
    pub hour: u8,
    /// Day of the week at the person's place, 0 for Monday.
    pub weekday: u8,
    /// What kind of number it is.
    pub kind: NumberKind,
    /// Where the number belongs, as a number of the caller's choice ([`region`] makes one of a name).
    pub region: u64,
    /// Attempts made so far.
    pub attempts: u32,
    /// How the last one ended.
    pub last: LastTime,
    /// How long the last one rang, in seconds; 0 if it did not.
    pub rang: u32,
}

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// Of a mobile phone.
    Mobile,
    /// Of a place.
    Fixed,
    /// Neither, or not known.
    Other,
}

/// How the last attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastTime {
    /// There was none.
    Never,
    /// A person answered.
    Person,
    /// A machine did.
    Machine,
    /// Nobody did.
    NoAnswer,
    /// Busy, or turned away.
    Busy,
    /// In any other way.
    Other,
}

impl Features {
    /// The weights that apply, one of each group.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let kind = match self.kind {
            NumberKind::Mobile => 0,
            NumberKind::Fixed => 1,
            NumberKind::Other => 2,
        };
        let last = match self.last {
            LastTime::Never => 0,
            LastTime::Person => 1,
            LastTime::Machine => 2,
            LastTime::NoAnswer => 3,
            LastTime::Busy => 4,
            LastTime::Other => 5,
        };
        let rang = match self.rang {
            0 => 0,
            1..10 => 1,
            10..20 => 2,
            20..30 => 3,
            30.. => 4,
        };
        let attempts = usize::try_from(self.attempts).unwrap_or(usize::MAX).min(ATTEMPTS - 1);
        let region = usize::try_from(self.region % REGIONS_U64).unwrap_or(0);
        let groups = [
            (usize::from(self.hour % 24), HOURS),
            (usize::from(self.weekday % 7), DAYS),
            (kind, KINDS),
            (region, REGIONS),
            (attempts, ATTEMPTS),
            (last, LASTS),
            (rang, RANGS),
        ];
        let mut before = 0;
        groups.into_iter().map(move |(place, size)| {
            before += size;
            before - size + place
        })
    }
}

/// A number for the name of a region; the same for the same name, everywhere and always (FNV-1a).
#[must_use]
pub fn region(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

const HOURS: usize = 24;
const DAYS: usize = 7;
const KINDS: usize = 3;
/// Regions beyond so many share a weight with another one.
const REGIONS: usize = 64;
const REGIONS_U64: u64 = 64;
const ATTEMPTS: usize = 6;
const LASTS: usize = 6;
const RANGS: usize = 5;
/// So many weights apply to each lead.
pub(super) const GROUPS: f64 = 7.0;
/// All of them.
pub(super) const WEIGHTS: usize = HOURS + DAYS + KINDS + REGIONS + ATTEMPTS + LASTS + RANGS;
