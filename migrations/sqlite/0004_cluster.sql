-- Several processes on one database: where a process runs, who holds which agent, who may use how much of a trunk.

alter table node add column host text;
create index node_alive on node (lease_until_ms) where ended_ms is null;

-- The process that holds the agent, and the leg of the shift; free when that process has ended.
alter table agent add column node_epoch integer;
alter table agent add column leg_id integer;
alter table agent add column held_ms integer;
create index agent_leg on agent (leg_id) where leg_id is not null;

-- What a process may use of a trunk. Over all processes that have not ended, and the legs that ended ones left up, the
-- sum is at most the trunk's limit.
create table trunk_share (
    trunk text not null,
    node_epoch integer not null,
    calls_per_second integer not null,
    channels integer not null,
    wanted integer not null,
    drawn_ms integer not null,
    primary key (trunk, node_epoch)
) strict;
