-- Events on their way to Kafka: written in the transaction that caused them, carried by the relay, deleted when the
-- broker has them.

-- +goose Up
CREATE TABLE outbox (
    shard          smallint NOT NULL CHECK (shard BETWEEN 0 AND 15),
    id             bigint GENERATED ALWAYS AS IDENTITY,
    event_id       uuid NOT NULL,
    tenant_id      text NOT NULL,
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    seq            bigint NOT NULL,
    topic          text NOT NULL,
    headers        json NOT NULL,
    payload        bytea NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_threshold = -1);
COMMENT ON COLUMN outbox.id IS 'within an aggregate in the order of seq: it is drawn after the row of outbox_seq was locked';

-- One row a shard: whoever holds its lock is the only one to produce from it.
CREATE TABLE outbox_shard (
    shard      smallint PRIMARY KEY,
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    attempts   integer NOT NULL DEFAULT 0
);
INSERT INTO outbox_shard (shard) SELECT generate_series(0, 15);

-- The last sequence number of each aggregate.
CREATE TABLE outbox_seq (
    tenant_id      text NOT NULL,
    topic          text NOT NULL,
    aggregate_type text NOT NULL,
    aggregate_id   uuid NOT NULL,
    seq            bigint NOT NULL,
    PRIMARY KEY (tenant_id, topic, aggregate_type, aggregate_id)
) WITH (fillfactor = 80);

-- Rows that the broker refused for good.
CREATE TABLE outbox_parked (
    LIKE outbox,
    reason    text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, id)
);

-- Raised after every restore of the database; travels in ce_source.
CREATE TABLE outbox_epoch (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch     integer NOT NULL DEFAULT 1
);
INSERT INTO outbox_epoch DEFAULT VALUES;

SELECT guanxi_tenant_table('outbox_seq');

-- +goose StatementBegin
-- outbox_lease locks one shard that has rows and is due, the next one after the given, and reads its first rows, up to
-- max_bytes of them but at least one. The shards are tried one by one, since where much was deleted a look into a shard
-- goes over many dead rows. Each look, and the reading, is a statement of its own, so with a snapshot taken after the
-- lock: a row that the previous holder has just deleted is not seen again.
CREATE FUNCTION outbox_lease(after integer, max_rows integer, max_bytes bigint)
RETURNS TABLE (shard smallint, id bigint, event_id uuid, tenant_id text, aggregate_type text, aggregate_id text,
               seq bigint, topic text, headers json, payload bytea, created_at timestamptz, epoch integer)
LANGUAGE plpgsql VOLATILE ROWS 500 AS $$
DECLARE
    leased smallint;
BEGIN
    FOR k IN 1..16 LOOP
        SELECT s.shard INTO leased FROM outbox_shard s
         WHERE s.shard = (after + k + 16) % 16 AND s.not_before <= clock_timestamp()
               AND EXISTS (SELECT FROM outbox o WHERE o.shard = s.shard)
           FOR UPDATE OF s SKIP LOCKED;
        -- Its last holder may have emptied it between the look and the lock.
        EXIT WHEN FOUND AND EXISTS (SELECT FROM outbox o WHERE o.shard = leased);
        leased := NULL;
    END LOOP;
    IF leased IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT r.shard, r.id, r.event_id, r.tenant_id, r.aggregate_type, r.aggregate_id, r.seq, r.topic, r.headers,
               r.payload, r.created_at, e.epoch
          FROM (SELECT o.*, sum(octet_length(o.payload) + octet_length(o.headers::text) + 512)
                              OVER (ORDER BY o.id ROWS UNBOUNDED PRECEDING) AS bytes, row_number() OVER (ORDER BY o.id) AS n
                  FROM (SELECT * FROM outbox x WHERE x.shard = leased ORDER BY x.id LIMIT max_rows) o) r
         CROSS JOIN outbox_epoch e
         WHERE r.n = 1 OR r.bytes <= max_bytes
         ORDER BY r.id;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    app   text := guanxi_role('app');
    relay text := guanxi_role('relay');
    ops   text := guanxi_role('ops');
    t     text;
BEGIN
    FOREACH t IN ARRAY ARRAY['outbox', 'outbox_parked'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY guanxi_relay ON %I TO %I USING (true) WITH CHECK (true)', t, relay);
        EXECUTE format('CREATE POLICY guanxi_ops ON %I TO %I USING (true) WITH CHECK (true)', t, ops);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I TO %I, %I', t, relay, ops);
    END LOOP;
    -- Copies that belong to no tenant (what could not be decoded) have the empty one.
    EXECUTE format($p$CREATE POLICY guanxi_append ON outbox FOR INSERT TO %I
        WITH CHECK (tenant_id = coalesce(current_setting('app.tenant_id', true), ''))$p$, app);
    EXECUTE format('GRANT INSERT ON outbox TO %I', app);
    EXECUTE format('GRANT SELECT, UPDATE ON outbox_shard TO %I', relay);
    EXECUTE format('GRANT SELECT ON outbox_shard TO %I', ops);
    EXECUTE format('GRANT SELECT ON outbox_epoch TO %I', relay);
    EXECUTE format('GRANT SELECT, UPDATE ON outbox_epoch TO %I', ops);
    EXECUTE 'REVOKE EXECUTE ON FUNCTION outbox_lease(integer, integer, bigint) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION outbox_lease(integer, integer, bigint) TO %I', relay);
END
$$;
-- +goose StatementEnd
