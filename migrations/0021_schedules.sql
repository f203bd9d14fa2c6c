-- When environments are stopped and started by themselves.

CREATE TABLE schedule (
    environment_id     uuid PRIMARY KEY REFERENCES environment ON DELETE CASCADE,
    -- What its owner set: on these days (1 is Monday) at these times of this zone.
    zone               text,
    days               smallint[] NOT NULL DEFAULT '{}',
    stop_time          text CHECK (stop_time ~ '^[0-2][0-9]:[0-5][0-9]$'),
    start_time         text CHECK (start_time ~ '^[0-2][0-9]:[0-5][0-9]$'),
    -- What its template says: so long after each start.
    auto_stop_seconds  bigint CHECK (auto_stop_seconds > 0),
    -- The next ones: while it is ready, while it is stopped.
    stops_at           timestamptz,
    starts_at          timestamptz,
    delayed_seconds    bigint NOT NULL DEFAULT 0,
    -- 1: warned a day before, 2: an hour before.
    warned             smallint NOT NULL DEFAULT 0,
    CHECK ((stop_time IS NULL AND start_time IS NULL) = (zone IS NULL))
);
CREATE INDEX schedule_stops ON schedule (stops_at) WHERE stops_at IS NOT NULL;
CREATE INDEX schedule_starts ON schedule (starts_at) WHERE starts_at IS NOT NULL;

-- Of the end, people are warned a second time, an hour before.
ALTER TABLE environment ADD COLUMN expiry_warned_last_at timestamptz;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON schedule TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
