-- Requests that wait long. Since when a requirement waits: its turn has come and it is not met.
ALTER TABLE approval_requirement ADD COLUMN awaited_since timestamptz;
-- When the requester asked for an answer, the last time.
ALTER TABLE request ADD COLUMN reminded_at timestamptz;

UPDATE approval_requirement a SET awaited_since = r.created_at
FROM request r WHERE r.id = a.request_id AND r.status = 'awaiting_approval' AND a.awaited;
