//! The leads of a rehearsal: made up, or those of a database.

use std::sync::Arc;

use crate::logic::dialer::{LeadPhone, LeadState};
use crate::logic::gate::Gate;
use crate::logic::ids::{CampaignId, ClassId, ContactId, LeadId, PhoneId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::phone::{PhoneNumber, never_dial};
use crate::logic::time::UtcMs;
use crate::simulation::store_model::{ModelContact, ModelLead, StoreModel};

/// Leads in order.
#[derive(Clone, Debug)]
pub enum List {
    /// So many people whom nobody has called yet.
    MadeUp {
        /// How many.
        size: u32,
        /// Calling code of their numbers.
        prefix: String,
        /// Their class.
        class: ClassId,
    },
    /// Real ones.
    Read(Arc<Vec<Listed>>),
}

/// One real lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its numbers in order.
    pub phones: Vec<(String, PhoneNumber, Vec<String>)>,
    /// Language of the person.
    pub language: Option<String>,
    /// Its class.
    pub class: ClassId,
    /// Its place in the order.
    pub rank: i64,
    /// Ready, or waiting.
    pub state: LeadState,
    /// When it is due.
    pub due: UtcMs,
    /// What holds it back.
    pub gate: Option<Gate>,
    /// Attempts that count.
    pub attempts: u32,
    /// End of the last one.
    pub last_outcome: Option<Outcome>,
    /// How often in a row.
    pub same_outcome: u32,
    /// When calls to the person began that still count against the caps.
    pub called: Vec<UtcMs>,
}

impl List {
    /// How many leads.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::MadeUp { size, .. } => usize::try_from(*size).unwrap_or(usize::MAX),
            Self::Read(leads) => leads.len(),
        }
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts everybody into the model.
    pub(super) fn fill(&self, store: &mut StoreModel, campaign: CampaignId, seller: SellerId) {
        match self {
            Self::MadeUp { size, prefix, class } => {
                let first = number_block(prefix);
                for n in 1..=i64::from(*size) {
                    let digits = format!("{first}{n:08}");
                    let Ok(number) = digits.parse::<PhoneNumber>() else { continue };
                    let phones = vec![(digits, number, vec![])];
                    add_contact(store, seller, n, &phones, None);
                    store.add_lead(LeadId(n), campaign, ContactId(n), *class, 0);
                }
            }
            Self::Read(leads) => {
                for (lead, n) in leads.iter().zip(1..) {
                    add_contact(store, seller, n, &lead.phones, lead.language.clone());
                    let seen = ModelLead {
                        state: lead.state,
                        due: lead.due,
                        gate: lead.gate,
                        attempts: i64::from(lead.attempts),
                        same_outcome: lead.same_outcome,
                        last_outcome: lead.last_outcome,
                        fence: 0,
                    };
                    let contact = ContactId(n);
                    store.add_lead_as(LeadId(n), campaign, contact, (lead.class, lead.rank), seen);
                    for (started, turn) in lead.called.iter().zip(0..) {
                        store.add_past_call(LeadId(n), campaign, (n << 16) | turn, *started);
                    }
                }
            }
        }
    }

    /// Calls that a number had before the rehearsal, by its key.
    pub(super) fn earlier(&self) -> impl Iterator<Item = (&str, u32)> {
        let read = match self {
            Self::MadeUp { .. } => &[][..],
            Self::Read(leads) => leads.as_slice(),
        };
        let called = read.iter().filter(|lead| lead.attempts > 0);
        called.filter_map(|lead| Some((lead.phones.first()?.0.as_str(), lead.attempts)))
    }
}

fn add_contact(
    store: &mut StoreModel,
    seller: SellerId,
    n: i64,
    phones: &[(String, PhoneNumber, Vec<String>)],
    language: Option<String>,
) {
    let phones = phones.iter().zip(0..).map(|((key, number, zones), place)| LeadPhone {
        phone: PhoneId((n << 8) | place),
        key: key.clone(),
        number: number.clone(),
        zones: zones.clone(),
        suspect_day: None,
        kind: None,
    });
    store.add_contact(ModelContact {
        contact: ContactId(n),
        seller,
        external_id: None,
        name: None,
        language,
        fields: vec![],
        phones: phones.collect(),
    });
}

/// The first digits of numbers that no table forbids: nobody is called, but the gates are asked.
fn number_block(prefix: &str) -> String {
    let blocks = ["90", "7", "6", "9", "5", "4", "3", "2", "8", "1"];
    let free = blocks.into_iter().map(|block| format!("+{prefix}{block}")).find(|first| {
        let one: Option<PhoneNumber> = format!("{first}10000000").parse().ok();
        one.is_some_and(|number| never_dial(&number).is_none())
    });
    free.unwrap_or_else(|| format!("+{prefix}9"))
}
