//! IANA zones from the bundled database, and moments of their clocks.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::tz::TimeZoneDatabase;

use crate::logic::time::UtcMs;

/// The name is no IANA zone of the bundled database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IANA time zone; write one such as Asia/Tokyo")]
pub struct UnknownZone(pub String);

/// Whether the bundled database has this zone, spelled exactly so.
#[must_use]
pub fn is_zone(name: &str) -> bool {
    zone(name).is_ok()
}

/// Looks a zone up. Spelling counts, so that one zone is one class.
pub(super) fn zone(name: &str) -> Result<TimeZone, UnknownZone> {
    let unknown = || UnknownZone(name.to_owned());
    let zone = BUNDLED.get(name).map_err(|_| unknown())?;
    if zone.iana_name() == Some(name) { Ok(zone) } else { Err(unknown()) }
}

/// The moment of a local clock time that starts something allowed: the later one where the clock shows it twice, after
/// the gap where the clock skips it.
pub(super) fn latest(zone: &TimeZone, local: DateTime) -> Option<UtcMs> {
    zone.to_ambiguous_timestamp(local).later().ok().map(utc)
}

/// The moment of a local clock time that ends something allowed: the earlier one where the clock shows it twice, before
/// the gap where the clock skips it.
pub(super) fn earliest(zone: &TimeZone, local: DateTime) -> Option<UtcMs> {
    zone.to_ambiguous_timestamp(local).earlier().ok().map(utc)
}

/// Our moment as theirs; `None` beyond the years 9999.
pub(super) fn timestamp(at: UtcMs) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.0).ok()
}

pub(super) fn utc(at: Timestamp) -> UtcMs {
    UtcMs(at.as_millisecond())
}

/// Only what is compiled in: the machine's zone files would make a rule depend on where it runs.
static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_must_be_spelled_as_in_the_database() {
        assert!(is_zone("Asia/Tokyo"));
        assert!(is_zone("America/Argentina/Buenos_Aires"));
        for bad in ["asia/tokyo", "JST", "+09:00", "", "Asia/Kyoto", "../etc/passwd"] {
            assert_eq!(zone(bad), Err(UnknownZone(bad.to_owned())));
        }
    }
}
