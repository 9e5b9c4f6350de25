-- A disposition without an agent: the person pressed a key of a recorded message.
alter table disposition alter column agent_id drop not null;
