-- A delivery to a hook: its hook, what its sender calls it, and what came of its calls that are done.
ALTER TABLE calls ADD COLUMN hook TEXT;
ALTER TABLE calls ADD COLUMN delivery_id TEXT;
ALTER TABLE calls ADD COLUMN progress BLOB;

-- The newest event that was done of each key of a hook (`only_if_newer`).
CREATE TABLE newest (
    hook TEXT NOT NULL,
    event_key TEXT NOT NULL,
    version DOUBLE PRECISION NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (hook, event_key)
);
CREATE INDEX newest_changed ON newest (changed);
