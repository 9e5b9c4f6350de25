//! A country or territory with a numbering plan.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::PHONE_NUMBER_UTIL;

/// ISO 3166-1 alpha-2 code (`JP`) of a place whose numbering plan we know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; 2]);

impl Region {
    /// Japan.
    pub const JP: Self = Self(*b"JP");

    /// The two capital letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The country calling code, such as 81. Several regions may share one.
    #[must_use]
    pub fn calling_code(self) -> Option<i32> {
        PHONE_NUMBER_UTIL.get_country_code_for_region(self.in_library()?)
    }

    pub(super) fn in_library(self) -> Option<rlibphonenumber::Region> {
        rlibphonenumber::Region::from_code(self.as_str()).ok()
    }

    pub(super) fn from_library(region: rlibphonenumber::Region) -> Option<Self> {
        region.as_region_str().as_str().parse().ok()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no place whose numbering plan we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a country code of two letters (ISO 3166-1), such as JP or US")]
pub struct UnknownRegion(pub String);

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || UnknownRegion(text.to_owned());
        let bytes: [u8; 2] = text.as_bytes().try_into().map_err(|_ignored| refused())?;
        let region = Self(bytes.map(|b| b.to_ascii_uppercase()));
        if region.calling_code().is_some() { Ok(region) } else { Err(refused()) }
    }
}

impl serde::Serialize for Region {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Region {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_known_country_in_either_case() {
        assert_eq!("jp".parse(), Ok(Region::JP));
        assert_eq!(Region::JP.calling_code(), Some(81));
        assert_eq!("US".parse::<Region>().unwrap().calling_code(), Some(1));
        for bad in ["", "J", "JPN", "XQ", "日本", "001", "81"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
