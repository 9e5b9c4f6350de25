-- When the earliest call promised to a lead is due. Claims seek in it class by class: they never walk over promises of
-- people whose hours are closed.
alter table lead add column promised_ms bigint;
update lead set promised_ms = (select min(b.due_ms) from callback b where b.lead_id = lead.id and b.state = 0)
where promised = 1;
create index lead_promised on lead (campaign_id, class_id, promised_ms, id) where state = 0 and promised = 1;
