-- Promised calls are found by their time and by their lead; an attempt knows which message was played.

create index callback_due on callback (due_ms, id) where state = 0;
create index callback_lead on callback (lead_id) where state = 0;

alter table attempt add column message text;
