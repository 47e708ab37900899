-- The consumers' side of the event backbone. Run in the schema public, or, for a service with a projection, in live and
-- in shadow: no name of a table here has a schema, but for the one that both must share.

-- +goose Up

-- The next offset of each partition, moved by compare-and-set in the transaction that applies the events before it.
CREATE TABLE inbox_position (
    consumer    text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    next_offset bigint      NOT NULL CHECK (next_offset >= 0),
    moved_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

-- How far an ordered consumer is with each aggregate.
CREATE TABLE inbox_cursor (
    tenant_id      text    NOT NULL,
    consumer       text    NOT NULL,
    topic          text    NOT NULL,
    aggregate_type text    NOT NULL,
    aggregate_id   text    NOT NULL,
    epoch          integer NOT NULL,
    last_seq       bigint  NOT NULL,
    PRIMARY KEY (tenant_id, consumer, topic, aggregate_type, aggregate_id)
) WITH (fillfactor = 80);

-- What an unordered consumer has had, kept for 30 days.
CREATE TABLE inbox_seen (
    consumer text        NOT NULL,
    event_id uuid        NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_seen_age ON inbox_seen USING brin (seen_at);

-- Events that could not be applied (parked) and those of the same aggregate behind them (queued). What could not even
-- be decoded has no tenant and no aggregate. A release is requested here and carried out by a process with the consumer.
CREATE TABLE inbox_parked (
    id                   uuid        PRIMARY KEY,
    consumer             text        NOT NULL,
    ordered              boolean     NOT NULL,
    tenant_id            text,
    topic                text        NOT NULL,
    partition            integer     NOT NULL,
    kafka_offset         bigint      NOT NULL,
    event_id             uuid,
    event_type           text,
    aggregate_type       text,
    aggregate_id         text,
    epoch                integer,
    seq                  bigint,
    message_time         timestamptz NOT NULL,
    message_key          bytea,
    headers              bytea       NOT NULL, -- JSON: [{"Key": text, "Value": base64}]
    payload              bytea,
    state                text        NOT NULL CHECK (state IN ('parked', 'queued')),
    code                 text        NOT NULL DEFAULT '',
    error                text        NOT NULL DEFAULT '',
    tries                integer     NOT NULL DEFAULT 0,
    parked_at            timestamptz NOT NULL DEFAULT now(),
    release_requested_at timestamptz,
    release_requested_by text,
    UNIQUE (consumer, topic, partition, kafka_offset)
);
CREATE UNIQUE INDEX inbox_parked_aggregate ON inbox_parked
    (consumer, tenant_id, topic, aggregate_type, aggregate_id, epoch, seq) WHERE ordered AND tenant_id IS NOT NULL;
CREATE INDEX inbox_parked_release ON inbox_parked (consumer, release_requested_at) WHERE release_requested_at IS NOT NULL;

-- Parked events that people decided to drop, whole, with who, why and when.
CREATE TABLE inbox_discarded (
    id             uuid        PRIMARY KEY,
    consumer       text        NOT NULL,
    tenant_id      text,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    kafka_offset   bigint      NOT NULL,
    event_id       uuid,
    event_type     text,
    aggregate_type text,
    aggregate_id   text,
    epoch          integer,
    seq            bigint,
    headers        bytea       NOT NULL,
    payload        bytea,
    code           text        NOT NULL,
    error          text        NOT NULL,
    parked_at      timestamptz NOT NULL,
    discarded_by   text        NOT NULL,
    reason         text        NOT NULL,
    discarded_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_discarded_event ON inbox_discarded (consumer, topic, partition, kafka_offset);

-- Every decision of a person about a parked event.
CREATE TABLE inbox_audit (
    id        uuid        PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    tenant_id text,
    actor     text        NOT NULL,
    action    text        NOT NULL CHECK (action IN ('release', 'discard')),
    consumer  text        NOT NULL,
    parked_id uuid        NOT NULL,
    event_id  uuid,
    reason    text        NOT NULL DEFAULT ''
);

-- Rebuilds of the projection. One for both schemas, since it outlives their exchange.
CREATE TABLE IF NOT EXISTS public.inbox_rebuild (
    id           uuid        PRIMARY KEY,
    state        text        NOT NULL CHECK (state IN ('requested', 'running', 'done', 'failed')),
    requested_by text        NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    runs         integer     NOT NULL DEFAULT 0, -- more than one: a process died over it and another began again
    phase        text        NOT NULL DEFAULT '',
    events       bigint      NOT NULL DEFAULT 0,
    total        bigint      NOT NULL DEFAULT 0,
    result       jsonb,
    error        text        NOT NULL DEFAULT ''
);

-- A rebuild publishes nothing: what tries to is refused, and the rebuild fails with it.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'DROP POLICY IF EXISTS rebuild_publishes_nothing ON public.outbox';
    EXECUTE format($p$CREATE POLICY rebuild_publishes_nothing ON public.outbox AS RESTRICTIVE FOR INSERT TO %I
        WITH CHECK (coalesce(current_setting('guanxi.rebuilding', true), '') <> 'on')$p$, guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- Before a swap: brings over to the shadow what the rebuild has not made. That is where the consumers stand that are no
-- part of the projection, all decisions of people, and what the parked events that both sides have are called.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION public.inbox_carry_over(lasting text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO shadow.inbox_position SELECT * FROM live.inbox_position WHERE consumer = ANY (lasting);
    INSERT INTO shadow.inbox_cursor SELECT * FROM live.inbox_cursor WHERE consumer = ANY (lasting);
    INSERT INTO shadow.inbox_seen SELECT * FROM live.inbox_seen WHERE consumer = ANY (lasting);
    INSERT INTO shadow.inbox_parked SELECT * FROM live.inbox_parked WHERE consumer = ANY (lasting);
    INSERT INTO shadow.inbox_discarded SELECT * FROM live.inbox_discarded;
    INSERT INTO shadow.inbox_audit SELECT * FROM live.inbox_audit;
    UPDATE shadow.inbox_parked s
       SET id = l.id, parked_at = l.parked_at, tries = s.tries + l.tries,
           release_requested_at = l.release_requested_at, release_requested_by = l.release_requested_by
      FROM live.inbox_parked l
     WHERE (l.consumer, l.topic, l.partition, l.kafka_offset) = (s.consumer, s.topic, s.partition, s.kafka_offset)
       AND NOT (l.consumer = ANY (lasting));
END
$$;
-- +goose StatementEnd

-- Rights. A consumer works through several tenants in one transaction, so positions and what was seen belong to none.
-- Cursors are bound to the tenant that is set. Parked events and decisions are bound to it as well, but are open to a
-- transaction without one: undecodable messages have no tenant, and the platform's own operators see all.
SELECT guanxi_plain_table('inbox_position');
SELECT guanxi_plain_table('inbox_seen');
SELECT guanxi_plain_table('inbox_parked');
SELECT guanxi_plain_table('inbox_discarded');
SELECT guanxi_plain_table('inbox_audit');
SELECT guanxi_plain_table('public.inbox_rebuild');
SELECT guanxi_tenant_table('inbox_cursor');
SELECT guanxi_ops_table('inbox_seen'); -- which prunes it

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['inbox_parked', 'inbox_discarded', 'inbox_audit'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY guanxi_ops ON %I FOR SELECT TO %I USING (true)', t, guanxi_role('ops'));
        EXECUTE format($p$CREATE POLICY guanxi_tenant ON %I TO %I
            USING (tenant_id = current_setting('app.tenant_id', true) OR coalesce(current_setting('app.tenant_id', true), '') = '')$p$,
            t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION public.inbox_carry_over(text[]) FROM PUBLIC;
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION public.inbox_carry_over(text[]) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
