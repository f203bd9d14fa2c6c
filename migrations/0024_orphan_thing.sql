-- Two targets can lead to one server: what both list is looked up by what it is, and listed once.
CREATE INDEX orphan_thing ON orphan (provider_id, type) WHERE closed_at IS NULL;
