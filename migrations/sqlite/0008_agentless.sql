-- A disposition without an agent: the person pressed a key of a recorded message.
create table disposition_8 (
    attempt_id integer primary key,
    agent_id integer,
    code text not null,
    memo text,
    at_ms integer not null
) strict;

insert into disposition_8 (attempt_id, agent_id, code, memo, at_ms)
select attempt_id, agent_id, code, memo, at_ms from disposition;

drop table disposition;

alter table disposition_8 rename to disposition;
