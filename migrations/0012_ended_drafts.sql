-- What a browser still sends of a form that was thrown away does not bring its draft back.

-- Without fields there is no draft: the row only tells which form ended.
ALTER TABLE request_draft ALTER COLUMN fields DROP NOT NULL;
-- The idempotency key of the last form that was sent or thrown away.
ALTER TABLE request_draft ADD COLUMN ended_key text CHECK (length(ended_key) <= 200);
