-- Uncovered calls under way are counted at every uncovered start.
create index attempt_uncovered on attempt (campaign_id)
    where uncovered = 1 and connected_ms is null and ended_ms is null;

-- The dial mode a person chose last while the campaign was running; its file decides at the next start.
alter table campaign add column mode text;
alter table campaign add column mode_ms bigint;
