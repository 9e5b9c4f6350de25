//! Ids are made by the process, never by the database: a repeated insert after a lost reply is the same row.

use std::fmt;
use std::str::FromStr;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}:{})"), self.0 >> 32, self.0 & 0xffff_ffff)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        /// As a string: JSON numbers lose precision above 2^53.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// The company for which calls are made.
    SellerId
);
id!(
    /// One person of one seller.
    ContactId
);
id!(
    /// One number of one contact.
    PhoneId
);
id!(
    /// Zone set, rule pack, state overlay and audience that leads share.
    ClassId
);
id!(
    /// One campaign.
    CampaignId
);
id!(
    /// One imported list of a campaign.
    ListId
);
id!(
    /// One person in one campaign; the lease is on it.
    LeadId
);
id!(
    /// One decision to call one number of a lead.
    AttemptId
);
id!(
    /// One SIP dialog: a customer's call or an agent's shift.
    LegId
);
id!(
    /// One agent.
    AgentId
);
id!(
    /// One promised call back.
    CallbackId
);
id!(
    /// One do-not-call entry.
    SuppressionId
);

/// Makes the ids of one process: `node_epoch << 32 | counter`.
#[derive(Clone, Debug)]
pub struct IdMaker {
    epoch: u32,
    counter: u32,
}

impl IdMaker {
    /// `epoch` is the database's own count of process starts, so no two processes share a range. It must be below 2^31.
    #[must_use]
    pub const fn new(epoch: u32) -> Self {
        Self { epoch, counter: 0 }
    }

    /// The epoch this process was given.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A new id, unique in the installation; `None` after 2^32 ids, when the process must be restarted.
    pub fn make(&mut self) -> Option<i64> {
        self.counter = self.counter.checked_add(1)?;
        Some((i64::from(self.epoch) << 32) | i64::from(self.counter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_epochs_never_meet() {
        let (mut one, mut two) = (IdMaker::new(1), IdMaker::new(2));
        assert_eq!(one.make(), Some((1 << 32) | 1));
        assert_eq!(one.make(), Some((1 << 32) | 2));
        assert_eq!(two.make(), Some((2 << 32) | 1));
    }

    #[test]
    fn json_carries_ids_as_strings() {
        let id = LeadId(i64::MAX);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"9223372036854775807\"");
        assert_eq!(serde_json::from_str::<LeadId>(&json).unwrap(), id);
    }
}
