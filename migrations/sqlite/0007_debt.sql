-- The most calls that a window may owe before it closes (bound `window`); 0: the bound `instant`.
alter table abandon_window add column debt integer not null default 0;
