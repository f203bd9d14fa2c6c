-- A step is known by its name: a run that an earlier version laid out gets the steps that it did not
-- know. A worker of that version goes on beside it: what it inserts carries both columns. And a step
-- is updated as often as it is inserted: room for that on its page.
ALTER TABLE run_step DROP CONSTRAINT run_step_pkey, ADD PRIMARY KEY (run_id, name), SET (fillfactor = 60);
