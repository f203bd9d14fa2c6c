-- The promotion of a lane's next run, cheaper where nothing waits: it happens at the end of every run,
-- and an UPDATE that finds no row costs Postgres nearly what one costs that finds one.
CREATE OR REPLACE FUNCTION promote_next(subject uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    next uuid;
BEGIN
    PERFORM lock_lane(subject);
    SELECT id INTO next FROM run WHERE subject_id = subject AND state = 'queued' AND NOT head
        AND NOT EXISTS (SELECT FROM run WHERE subject_id = subject AND head)
        ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF next IS NULL THEN
        RETURN false;
    END IF;
    UPDATE run SET head = true WHERE id = next;
    RETURN FOUND;
END
$$;
