-- +goose Up

-- What agents can do, and tickets need.
CREATE TABLE routing_skill (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL, -- for life
    version    bigint      NOT NULL,
    title      text        NOT NULL,
    archived   boolean     NOT NULL, -- nothing new may name it
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('routing_skill');

-- Where tickets wait for somebody who takes them.
CREATE TABLE routing_queue (
    tenant_id        text        NOT NULL,
    code             text        NOT NULL, -- for life
    version          bigint      NOT NULL,
    title            text        NOT NULL,
    strategy         text        NOT NULL CHECK (strategy IN ('round_robin', 'least_loaded', 'best_skill', 'pull')),
    skills           jsonb       NOT NULL, -- that every ticket in it needs: [{"skill", "level"}]
    overflow_seconds bigint      NOT NULL CHECK (overflow_seconds >= 0), -- after which a ticket goes elsewhere; 0: never
    overflow_to      text        NOT NULL, -- code; empty for nowhere
    calendar_id      uuid,                 -- by which that time is reckoned; none: around the clock
    archived         boolean     NOT NULL, -- nothing new goes there
    changed_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendar (tenant_id, id),
    CHECK ((overflow_seconds = 0) = (overflow_to = ''))
);
SELECT guanxi_tenant_table('routing_queue');

-- Who takes tickets.
CREATE TABLE routing_agent (
    tenant_id     text        NOT NULL,
    subject       text        NOT NULL, -- of the token
    version       bigint      NOT NULL, -- of what is configured: presence does not raise it
    capacity      integer     NOT NULL CHECK (capacity >= 0), -- tickets at a time that are given without being asked
    queues        text[]      NOT NULL, -- codes
    skills        jsonb       NOT NULL, -- [{"skill", "level"}]
    changed_at    timestamptz NOT NULL,
    presence      text        NOT NULL CHECK (presence IN ('available', 'away', 'offline')),
    present_until timestamptz,          -- after it the agent counts as offline
    PRIMARY KEY (tenant_id, subject)
) WITH (fillfactor = 80);
SELECT guanxi_tenant_table('routing_agent');

-- When it was whose turn in a queue: the agent with the lowest number is next.
CREATE TABLE routing_turn (
    tenant_id text   NOT NULL,
    queue     text   NOT NULL,
    subject   text   NOT NULL,
    turn      bigint NOT NULL,
    PRIMARY KEY (tenant_id, queue, subject)
) WITH (fillfactor = 80);
SELECT guanxi_tenant_table('routing_turn');

-- Which tickets go to which queue, in order: the first rule that fits.
CREATE TABLE routing_rules (
    tenant_id  text        NOT NULL PRIMARY KEY,
    version    bigint      NOT NULL,
    rules      jsonb       NOT NULL, -- [{"condition", "queue", "skills"}]
    changed_at timestamptz NOT NULL
);
SELECT guanxi_tenant_table('routing_rules');

-- Tickets that nobody has. The ticket's own row says who has it: what stands here is only what routing remembers of it, and
-- may be made anew.
CREATE TABLE routing_wait (
    tenant_id   text        NOT NULL,
    ticket_id   uuid        NOT NULL,
    queue       text        NOT NULL, -- that it was seen in; empty: in none yet
    need        text        NOT NULL, -- skills that it needs beside those of the queue, such as 'billing:3 french:2'
    released_by text        NOT NULL, -- subject who gave it back, and does not get it again unasked; empty for nobody
    reopened    boolean     NOT NULL, -- it may have an agent, who may be away
    since       timestamptz NOT NULL, -- it waits in the queue
    looked_at   timestamptz NOT NULL,
    look_at     timestamptz,          -- when it has to be looked at again: it is new, or overflows; none: not until something changes
    PRIMARY KEY (tenant_id, ticket_id) -- no reference to the ticket: whoever remembers one would wait for whoever works on it
) WITH (fillfactor = 80);
CREATE INDEX routing_wait_look ON routing_wait (tenant_id, look_at) WHERE look_at IS NOT NULL;
CREATE INDEX routing_wait_class ON routing_wait (tenant_id, queue, need, released_by);
SELECT guanxi_tenant_table('routing_wait');

-- Tickets that can be worked on and nobody has, the most urgent of each queue first.
CREATE INDEX ticket_waiting ON ticket (tenant_id, queue, next_due_at, id) WHERE agent = '' AND status IN ('new', 'open');

-- +goose StatementBegin
-- routing_tenants lists the tenants that have tickets waiting. Whoever calls it goes on under row level security, tenant by
-- tenant. It goes from one tenant to the next, however many tickets each has.
CREATE FUNCTION routing_tenants() RETURNS TABLE (tenant_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE t(id) AS (
        (SELECT w.tenant_id FROM routing_wait w ORDER BY w.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT w.tenant_id FROM routing_wait w WHERE w.tenant_id > t.id ORDER BY w.tenant_id LIMIT 1) FROM t WHERE t.id IS NOT NULL
    )
    SELECT t.id FROM t WHERE t.id IS NOT NULL
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION routing_tenants() FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION routing_tenants() TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
