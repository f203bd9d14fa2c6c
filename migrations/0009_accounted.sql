-- Whether what a run did to a resource is known to a state or was told to people. What is not, may
-- exist and be in no state. Older runs are over and were looked at.
ALTER TABLE resource_timing ADD COLUMN accounted boolean NOT NULL DEFAULT true;
ALTER TABLE resource_timing ALTER COLUMN accounted SET DEFAULT false;
