-- +goose Up

ALTER TABLE ticket
    ADD COLUMN live           boolean     NOT NULL DEFAULT false, -- opened while the customer was on the line
    ADD COLUMN queue          text        NOT NULL DEFAULT '',    -- code; empty for none
    ADD COLUMN agent          text        NOT NULL DEFAULT '',    -- subject; empty for nobody
    ADD COLUMN category       text        NOT NULL DEFAULT '',    -- code; empty for none
    ADD COLUMN asset_id       uuid,
    ADD COLUMN tags           text[]      NOT NULL DEFAULT '{}',  -- sorted
    ADD COLUMN custom         jsonb       NOT NULL DEFAULT '{}',  -- values of the tenant's fields, by name
    ADD COLUMN resolution     text        NOT NULL DEFAULT '',    -- code; of the last time it was resolved
    ADD COLUMN reopened       integer     NOT NULL DEFAULT 0,     -- how often
    ADD COLUMN entries        integer     NOT NULL DEFAULT 0,     -- of its history
    ADD COLUMN policy_id      uuid,                               -- none where no policy fits
    ADD COLUMN policy_version bigint      NOT NULL DEFAULT 0,
    ADD COLUMN grade          text        NOT NULL DEFAULT '',    -- of the customer, when the policy was chosen
    ADD COLUMN tier           text        NOT NULL DEFAULT '',
    ADD COLUMN next_due_at    timestamptz,                        -- the earliest deadline of a clock that runs; none: all pause, or are done
    ADD COLUMN next_clock     text        NOT NULL DEFAULT '',
    ADD COLUMN resolved_at    timestamptz,                        -- while it is resolved or closed after that
    ADD COLUMN close_at       timestamptz,                        -- when a resolved one is closed by itself; none: never
    ADD COLUMN closed_at      timestamptz,
    ADD COLUMN merged_into    uuid,
    ADD COLUMN written_at     timestamptz NOT NULL DEFAULT now(); -- by the clock, whatever times were given

-- Open tickets by deadline: all, of a queue, of an agent or of nobody. Those without one come last, in the order of their ids.
CREATE INDEX ticket_by_due ON ticket (tenant_id, next_due_at, id) WHERE status IN ('new', 'open', 'pending', 'on_hold');
CREATE INDEX ticket_by_queue ON ticket (tenant_id, queue, next_due_at, id) WHERE status IN ('new', 'open', 'pending', 'on_hold');
CREATE INDEX ticket_by_agent ON ticket (tenant_id, agent, next_due_at, id) WHERE status IN ('new', 'open', 'pending', 'on_hold');
CREATE INDEX ticket_by_close ON ticket (close_at) WHERE close_at IS NOT NULL AND status = 'resolved';

-- What happened to a ticket, entry by entry, without words; append-only. All deadlines are computed from it.
CREATE TABLE ticket_history (
    tenant_id   text        NOT NULL,
    ticket_id   uuid        NOT NULL,
    no          integer     NOT NULL CHECK (no > 0),
    at          timestamptz NOT NULL, -- when it happened
    recorded_at timestamptz NOT NULL DEFAULT now(), -- when it was written down
    what        text        NOT NULL CHECK (what IN ('opened', 'opened_live', 'customer_contact', 'public_reply', 'automatic_reply', 'note',
                                                     'status', 'reclassified', 'edited', 'assigned', 'linked', 'merged')),
    status      text        NOT NULL, -- after it; so is priority
    priority    smallint    NOT NULL,
    by_subject  text        NOT NULL,
    code        text        NOT NULL DEFAULT '', -- resolution, or why
    queue       text        NOT NULL DEFAULT '', -- after it, of an assignment; so is agent
    agent       text        NOT NULL DEFAULT '',
    ref         uuid,       -- the reply, the note, the other ticket
    fields      text[]      NOT NULL DEFAULT '{}', -- names of what was changed
    PRIMARY KEY (tenant_id, ticket_id, no),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id)
);
SELECT guanxi_tenant_table('ticket_history');

-- What the customer can read, or wrote.
CREATE TABLE ticket_reply (
    tenant_id  text        NOT NULL,
    ticket_id  uuid        NOT NULL,
    no         integer     NOT NULL, -- of its entry in the history
    id         uuid        NOT NULL, -- UUIDv7
    author     text        NOT NULL CHECK (author IN ('customer', 'agent', 'automatic')),
    channel    text        NOT NULL,
    words      text        NOT NULL, -- as they were given; empty once erased
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, ticket_id, no),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id)
);
SELECT guanxi_tenant_table('ticket_reply');

-- What only the staff can read.
CREATE TABLE ticket_note (
    tenant_id  text        NOT NULL,
    ticket_id  uuid        NOT NULL,
    no         integer     NOT NULL, -- of its entry in the history
    id         uuid        NOT NULL, -- UUIDv7
    words      text        NOT NULL, -- as they were given; empty once erased
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, ticket_id, no),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id)
);
SELECT guanxi_tenant_table('ticket_note');

-- Who wants to hear of a ticket besides the agent who has it.
CREATE TABLE ticket_watcher (
    tenant_id text        NOT NULL,
    ticket_id uuid        NOT NULL,
    subject   text        NOT NULL,
    added_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, ticket_id, subject),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id)
);
CREATE INDEX ticket_watcher_by_subject ON ticket_watcher (tenant_id, subject, ticket_id);
SELECT guanxi_tenant_table('ticket_watcher');

-- The tree of what tickets can be about.
CREATE TABLE ticket_category (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL, -- for life
    parent     text,                 -- none: a root
    title      text        NOT NULL,
    archived   boolean     NOT NULL DEFAULT false, -- takes no new tickets
    used       boolean     NOT NULL DEFAULT false, -- a ticket bears it, or bore it
    version    bigint      NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code),
    FOREIGN KEY (tenant_id, parent) REFERENCES ticket_category (tenant_id, code)
);
CREATE INDEX ticket_category_by_parent ON ticket_category (tenant_id, parent);
SELECT guanxi_tenant_table('ticket_category');

-- What a tenant keeps of its tickets besides.
CREATE TABLE ticket_field (
    tenant_id  text        NOT NULL,
    name       text        NOT NULL, -- for life
    title      text        NOT NULL,
    type       text        NOT NULL CHECK (type IN ('text', 'integer', 'number', 'boolean', 'date', 'choice', 'choices')),
    choices    text[]      NOT NULL,
    archived   boolean     NOT NULL DEFAULT false,
    used       boolean     NOT NULL DEFAULT false,
    version    bigint      NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
SELECT guanxi_tenant_table('ticket_field');

-- How a tenant deals with its tickets; the standard holds where there is no row.
CREATE TABLE ticket_setting (
    tenant_id        text    NOT NULL PRIMARY KEY,
    version          bigint  NOT NULL,
    close_after_days integer NOT NULL CHECK (close_after_days BETWEEN 0 AND 365) -- after it was resolved; 0: never
);
SELECT guanxi_tenant_table('ticket_setting');

-- +goose StatementBegin
-- ticket_to_close lists resolved tickets of all tenants that are to be closed by p_now, and were not written to since
-- p_quiet. It gives ids only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION ticket_to_close(p_now timestamptz, p_quiet timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.id FROM ticket t
     WHERE t.close_at IS NOT NULL AND t.status = 'resolved' AND t.close_at <= p_now AND t.written_at <= p_quiet
     ORDER BY t.close_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- ticket_erase_words empties what was written about tickets of the customers, of the tenant that is set, and gives how many
-- replies and notes that were. Nothing else changes them. Who wrote them, and when, stays.
CREATE FUNCTION ticket_erase_words(p_customers uuid[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH mine AS (
        SELECT t.tenant_id, t.id FROM ticket t
         WHERE t.tenant_id = current_setting('app.tenant_id', true) AND t.customer_id = ANY (p_customers)
    ), replies AS (
        UPDATE ticket_reply r SET words = '' FROM mine m WHERE r.tenant_id = m.tenant_id AND r.ticket_id = m.id AND r.words <> '' RETURNING 1
    ), notes AS (
        UPDATE ticket_note n SET words = '' FROM mine m WHERE n.tenant_id = m.tenant_id AND n.ticket_id = m.id AND n.words <> '' RETURNING 1
    )
    SELECT (SELECT count(*) FROM replies) + (SELECT count(*) FROM notes)
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['ticket_history', 'ticket_reply', 'ticket_note'] LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', t, guanxi_role('app'));
    END LOOP;
    FOREACH t IN ARRAY ARRAY ['ticket_to_close(timestamptz, timestamptz, integer)', 'ticket_erase_words(uuid[])'] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', t);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd

-- Tickets from before have a history that begins with their opening, and say how they stand.
INSERT INTO ticket_history (tenant_id, ticket_id, no, at, recorded_at, what, status, priority, by_subject)
SELECT tenant_id, id, 1, opened_at, opened_at, 'opened', 'new', priority, '' FROM ticket;
INSERT INTO ticket_history (tenant_id, ticket_id, no, at, recorded_at, what, status, priority, by_subject)
SELECT tenant_id, id, 2, changed_at, changed_at, 'status', status, priority, '' FROM ticket WHERE status <> 'new';
UPDATE ticket SET entries = CASE WHEN status = 'new' THEN 1 ELSE 2 END, written_at = changed_at,
    resolved_at = CASE WHEN status IN ('resolved', 'closed') THEN changed_at END,
    closed_at = CASE WHEN status = 'closed' THEN changed_at END;
