-- The journal. Each statement has a name, and what it is for; migrations are numbered and only
-- ever added to (`PRAGMA user_version` says how many have been done).

-- migration: 1
CREATE TABLE event (
    seq       INTEGER PRIMARY KEY,
    run       TEXT NOT NULL,
    n         INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    v         INTEGER NOT NULL,
    at        TEXT NOT NULL,
    active_ms INTEGER NOT NULL,
    facts     BLOB NOT NULL,   -- exact JSON bytes, kept for good
    content   BLOB,            -- exact JSON bytes of the conversation; NULL: none, or erased
    digest    BLOB NOT NULL,   -- sha256(facts), then sha256(content) where there was any
    hash      BLOB NOT NULL,   -- hmac(key, previous hash || all of the above but facts, content)
    UNIQUE (run, n)            -- fences a second driver of the same run
);
-- A projection of the events, written with them; it can be rebuilt.
CREATE TABLE run (
    id         TEXT PRIMARY KEY,
    root       TEXT NOT NULL,
    parent     TEXT,
    agent      TEXT NOT NULL,
    goal       TEXT NOT NULL,
    status     TEXT NOT NULL,
    host       TEXT,
    last_n     INTEGER NOT NULL,
    spent      INTEGER NOT NULL,
    uncertain  INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at   TEXT
);
CREATE INDEX run_root ON run (root);
CREATE INDEX run_parent ON run (parent);
-- A process that drives runs, or drove them; alive while it holds the lock on its file.
CREATE TABLE host (
    id         TEXT PRIMARY KEY,
    pid        INTEGER NOT NULL,
    boot_id    TEXT NOT NULL,
    started_at TEXT NOT NULL,
    lock_path  TEXT NOT NULL
);
-- What the user allowed here for good.
CREATE TABLE approval (
    digest   TEXT PRIMARY KEY,
    what     TEXT NOT NULL,
    scope    TEXT NOT NULL,
    given_at TEXT NOT NULL,
    by       TEXT NOT NULL
);

-- migration: 2
-- What retention goes by.
ALTER TABLE run ADD COLUMN content_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE run SET content_bytes =
    (SELECT coalesce(sum(length(content)), 0) FROM event WHERE event.run = run.id);
CREATE INDEX run_content ON run (ended_at) WHERE content_bytes > 0;

-- query: head
-- The end of the chain.
SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1;

-- query: hash
SELECT hash FROM event WHERE seq = ?;

-- query: insert_event
INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- query: insert_run
INSERT INTO run VALUES (?, ?, ?, ?, ?, 'running', NULL, 0, 0, 0, ?, NULL, 0);

-- query: update_run
-- A status comes with when it ended, or with NULL: a run that had ended may go on.
UPDATE run SET last_n = ?1, spent = spent + ?2, uncertain = uncertain + ?3,
    status = coalesce(?4, status), ended_at = iif(?4 IS NULL, ended_at, ?5),
    host = coalesce(?6, host), content_bytes = content_bytes + ?7
WHERE id = ?8;

-- query: release
-- A tree that its host has left off is driven by nobody, though the host goes on.
UPDATE run SET host = NULL WHERE root = ? AND ended_at IS NULL;

-- query: insert_host
INSERT INTO host VALUES (?, ?, ?, ?, ?);

-- query: erase
-- Retention: the conversation of a run goes, its facts stay, and so does the chain.
UPDATE event SET content = NULL WHERE run = ? AND content IS NOT NULL;

-- query: erased
UPDATE run SET content_bytes = 0 WHERE id = ?;

-- query: kept
-- The ended runs whose conversation is kept, the oldest first; a tree ends with its root.
SELECT run.id, run.content_bytes, root.ended_at FROM run JOIN run AS root ON root.id = run.root
WHERE run.content_bytes > 0 AND root.ended_at IS NOT NULL ORDER BY root.ended_at, run.rowid;

-- query: keeps
-- How much conversation they keep together, and when the oldest of their trees ended.
SELECT sum(run.content_bytes), min(root.ended_at) FROM run JOIN run AS root ON root.id = run.root
WHERE run.content_bytes > 0 AND root.ended_at IS NOT NULL;

-- query: insert_approval
INSERT OR REPLACE INTO approval VALUES (?, ?, ?, ?, ?);

-- query: approval
SELECT scope FROM approval WHERE digest = ?;

-- query: events_of_run
SELECT * FROM event WHERE run = ? ORDER BY n;

-- query: events
SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?;

-- query: first_seq
-- Where the log of a run, and of all that it started, begins.
SELECT seq FROM event WHERE run = ? AND n = 1;

-- query: roots
SELECT id FROM run WHERE parent IS NULL ORDER BY rowid DESC LIMIT ?;

-- query: children
SELECT id FROM run WHERE parent = ? ORDER BY rowid;

-- query: like
SELECT id FROM run WHERE id LIKE ? || '%' LIMIT 9;

-- query: run
SELECT * FROM run WHERE id = ?;

-- query: ids
SELECT id FROM run;

-- query: beside
-- The ids just before and just after a run's: what tells it from them tells it from all.
SELECT * FROM (SELECT id FROM run WHERE id < ?1 ORDER BY id DESC LIMIT 1) UNION ALL
SELECT * FROM (SELECT id FROM run WHERE id > ?1 ORDER BY id LIMIT 1);

-- query: host_lock
SELECT lock_path FROM host WHERE id = ?;

-- query: host_pid
SELECT pid FROM host WHERE id = ?;

-- query: spent_since
-- Tokens of the root runs that began at or after an instant.
SELECT coalesce(sum(spent), 0) FROM run WHERE parent IS NULL AND started_at >= ?;
