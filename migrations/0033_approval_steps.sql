-- Approvals in an order: people of a step are asked when everybody of the earlier ones has agreed.
ALTER TABLE approval_requirement
    ADD COLUMN step integer NOT NULL DEFAULT 1 CHECK (step BETWEEN 1 AND 9),
    -- Its turn has come and it is not met: the request is in the list of those who can agree.
    ADD COLUMN awaited boolean NOT NULL DEFAULT true;
