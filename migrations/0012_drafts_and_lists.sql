-- Drafts that stay thrown away, and a quick list of what lives in a few projects.

-- What a browser still sends of a form that was thrown away does not bring its draft back. Without
-- fields there is no draft: the row only tells which form ended.
ALTER TABLE request_draft ALTER COLUMN fields DROP NOT NULL;
-- The idempotency key of the last form that was sent or thrown away.
ALTER TABLE request_draft ADD COLUMN ended_key text CHECK (length(ended_key) <= 200);

-- The newest of a project, without passing over those that are gone.
CREATE INDEX environment_live_project ON environment (project_id, created_at DESC, id DESC) WHERE state <> 'deleted';
