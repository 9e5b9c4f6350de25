-- A disposition without an agent: the person pressed a key of a recorded message. The same steps as on SQLite, which
-- cannot take a condition from a column.
create table disposition_8 (
    attempt_id bigint primary key,
    agent_id bigint,
    code text not null,
    memo text,
    at_ms bigint not null
);

insert into disposition_8 (attempt_id, agent_id, code, memo, at_ms)
select attempt_id, agent_id, code, memo, at_ms from disposition;

drop table disposition;

alter table disposition_8 rename to disposition;
