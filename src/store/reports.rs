//! What the database says to people: status, figures, results. Reads only, in pages where there can be many rows.

mod figures;
mod results;
mod standing;

pub use figures::{AgentTimes, Kpis, kpis};
pub use results::{
    AttemptFilter, AttemptRecord, HeldLead, LeadRecord, attempts_page, held_leads, leads_page,
};
pub use standing::{
    AgentRow, CampaignStatus, NodeRow, Status, WindowRow, find_campaign, ledger_windows, status,
};
