-- Whether a window is over. 0: nobody has looked since its last booking; 1: it is, and within its cap; 2: it is, in debt,
-- and the event log says so.
alter table abandon_window add column closed integer not null default 0;
create index abandon_window_open on abandon_window (ends_ms) where closed = 0;
