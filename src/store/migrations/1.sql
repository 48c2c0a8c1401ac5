-- A call that has an idempotency key, or that is queued. `request` is there while the call is open; `outcome` from its end on.
CREATE TABLE calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    caller TEXT NOT NULL,
    client TEXT,
    idempotency_key TEXT,
    digest BLOB NOT NULL,
    route TEXT NOT NULL,
    model TEXT NOT NULL,
    lane TEXT,
    state TEXT NOT NULL,
    request BLOB,
    outcome BLOB,
    error TEXT,
    attempts BIGINT NOT NULL,
    unfinished BIGINT NOT NULL,
    holder TEXT,
    lease_until BIGINT NOT NULL,
    first_attempt BIGINT,
    last_attempt BIGINT,
    accepted BIGINT NOT NULL,
    closed BIGINT,
    expires BIGINT,
    keep BIGINT
);
CREATE UNIQUE INDEX calls_key ON calls (caller, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX calls_lane ON calls (lane, seq) WHERE state = 'queued';
CREATE INDEX calls_client ON calls (client, accepted, state) WHERE state = 'queued';
-- One for each state: SQLite does not see that one state of a list is within a longer list.
CREATE INDEX calls_running ON calls (lease_until) WHERE state = 'running';
CREATE INDEX calls_dead ON calls (client, state) WHERE state = 'dead';
CREATE INDEX calls_in_doubt ON calls (client, state) WHERE state = 'in_doubt';
CREATE INDEX calls_done ON calls (closed, seq) WHERE state = 'done';
CREATE INDEX calls_expires ON calls (expires) WHERE expires IS NOT NULL;

-- An ordering key with open calls. `due` is when its first call may be taken, and while it is held the end of the lease.
CREATE TABLE lanes (
    lane TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    depth BIGINT NOT NULL,
    due BIGINT NOT NULL,
    holder TEXT
);
CREATE INDEX lanes_due ON lanes (client, due);

-- Clients whose queue is paused.
CREATE TABLE pauses (
    client TEXT PRIMARY KEY,
    why TEXT NOT NULL,
    since BIGINT NOT NULL
);

-- Ends of calls that their client is still to be told.
CREATE TABLE callbacks (
    id TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    body BLOB NOT NULL,
    attempts BIGINT NOT NULL,
    due BIGINT NOT NULL,
    holder TEXT,
    until BIGINT NOT NULL
);
CREATE INDEX callbacks_due ON callbacks (due);
