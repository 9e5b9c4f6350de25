-- Leads with a promised call leave the index of those that any claim may take: no claim walks over them again and again.
alter table lead add column promised integer not null default 0;
update lead set promised = 1 where id in (select lead_id from callback where state = 0);
drop index lead_ready;
create index lead_ready on lead (campaign_id, class_id, rank, id) where state = 0 and promised = 0;

-- Results go out in the order of commits, each attempt at its last change.
create index event_result on event (ref, seq) where kind in ('attempt_ended', 'disposition');

-- How far a program has fetched results: up to `seq`; `file` gets those up to `until_seq` and may be there already.
create table export_cursor (
    campaign_id integer not null,
    name text not null,
    seq integer not null,
    until_seq integer,
    file text,
    at_ms integer not null,
    primary key (campaign_id, name)
) strict;
