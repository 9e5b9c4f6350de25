//! Floor 2: the database. Every SQL text of the program is in this folder, beside the function that runs it.
//!
//! Called by `runtime` (one task runs the dialer's commands through [`run_batch_isolating`], on one connection of its
//! own) and by `cli` (import, export, status). One text serves SQLite and PostgreSQL; where they truly differ a [`Db`]
//! statement is a pair. Time is always handed in, never asked of the database, so that a virtual clock reaches the rows.
//!
//! | file | holds |
//! |---|---|
//! | `db`, `sqlite`, `sql`, `rows`, `copy`, `error`, `migrations` | connections, statements, what to do about a failure, the schema |
//! | `batch` | many commands in one transaction |
//! | `leads`, `intents`, `legs`, `outcomes`, `dispositions`, `callbacks`, `suppressions`, `campaigns`, `agents`, `nodes` | the commands, by the rows they are about |
//! | `ledger`, `events`, `audit` | what follows from them in the same transaction |
//! | `recovery` | what dead processes left open |
//! | `shares` | what each process may use of a trunk |
//! | `tables` | every table and column, in one list; a new one belongs into it |
//! | `check`, `moving` | whether a database is sound; all of it to another one |
//! | `campaign_texts`, `history` | what a rehearsal and a plan ask: the campaign's last file, calls, shifts, the open list |
//! | `imports` | contacts in |
//! | `exports` | results out, and how far who has fetched them |
//! | `reports` | status, KPIs, persons and calls |

mod agents;
mod audit;
mod batch;
mod callbacks;
mod campaign_texts;
mod campaigns;
mod check;
mod copy;
mod db;
mod dispositions;
mod error;
mod events;
mod exports;
mod history;
mod imports;
mod intents;
mod leads;
mod ledger;
mod legs;
mod migrations;
mod models;
mod moving;
mod nodes;
mod outcomes;
#[cfg(test)]
mod plans;
mod recovery;
mod reports;
mod rows;
mod shares;
mod sql;
mod sqlite;
mod suppressions;
mod tables;

pub use agents::upsert_agents;
pub use audit::check_audit;
pub use batch::{run_batch, run_batch_isolating};
pub use callbacks::promises;
pub use campaign_texts::{campaign_text, keep_campaign_text};
pub use campaigns::{CampaignRow, calling_classes, upsert_campaign, upsert_list};
pub use check::{Found, Health, Rule, check_health, check_pages};
pub use db::{Checkpoint, Db, Engine};
pub use error::{Driver, StoreError, Trouble};
pub use events::{
    EVENTS_PAGE, EventKind, EventNames, LoggedEvent, event_names, events_after, events_end,
};
pub use exports::{
    ExportCursor, ExportNames, ExportRange, ExportedAttempt, PlannedExport, advance_export,
    export_cursor, export_page, lock_export, plan_export,
};
pub use history::{HistoryCall, OpenLead, history_calls, history_states, open_leads};
pub use imports::{
    ImportJob, ImportPace, ImportPhone, ImportRow, RowResult, begin_dry_run, begin_import,
    finish_import, import_rows, nobody_waits,
};
pub use intents::ask_gates;
pub use migrations::{MIGRATIONS, Migrated, Migration};
pub use models::learned;
pub use moving::{Copied, CopyError, Side, copy_installation, reopen};
pub use nodes::{LiveNode, NewNode, NodeIdentity, live_node, next_epoch, register_node};
pub use recovery::take_over;
pub use reports::{
    AgentRow, AgentTimes, AttemptFilter, AttemptRecord, CampaignStatus, GateCount, HeldLead, Kpis,
    LeadRecord, NodeRow, NodeShare, NodeState, PEOPLE, Person, PersonLead, Status, SuppressionRow,
    WindowRow, attempts_page, attempts_to, find_campaign, find_people, gate_counts, held_leads,
    kpis, leads_page, ledger_windows, nodes, person, status,
};
pub use suppressions::{sellers, suppress};
pub use tables::{Kind, TABLES, Table};
