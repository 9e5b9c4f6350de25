//! What the database says to people: status, figures, results. Reads only, in pages where there can be many rows.

mod figures;
mod people;
mod processes;
mod results;
mod standing;

pub use figures::{AgentTimes, Kpis, kpis};
pub use people::{
    GateCount, PEOPLE, Person, PersonLead, SuppressionRow, find_people, gate_counts, person,
};
pub use processes::{NodeRow, NodeShare, NodeState, nodes};
pub use results::{
    AttemptFilter, AttemptRecord, HeldLead, LeadRecord, attempts_page, attempts_to, held_leads,
    leads_page,
};
pub use standing::{
    AgentRow, CampaignStatus, Status, WindowRow, find_campaign, ledger_windows, status,
};
