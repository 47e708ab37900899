-- +goose Up
-- What customers bought, as sales tells. Run once in the schema live and once in shadow: no name here has a schema. All rows
-- follow from events alone. Nothing refers to another table by foreign key, since events of different aggregates come in any
-- order.

CREATE TABLE purchase (
    tenant_id   text        NOT NULL,
    order_id    uuid        NOT NULL,
    customer_id uuid,       -- as it was written, for ever; none until the customer is heard of
    channel     text        NOT NULL,
    currency    text        NOT NULL,
    units       bigint      NOT NULL,
    total_minor bigint      NOT NULL,
    placed_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
) WITH (fillfactor = 90);
CREATE INDEX purchase_by_customer ON purchase (tenant_id, customer_id, placed_at);
SELECT guanxi_tenant_table('purchase');

CREATE TABLE purchase_line (
    tenant_id    text    NOT NULL,
    order_id     uuid    NOT NULL,
    line_no      integer NOT NULL,
    sku          text    NOT NULL, -- empty where the source knows only totals
    quantity     bigint  NOT NULL,
    amount_minor bigint  NOT NULL, -- of the whole line
    PRIMARY KEY (tenant_id, order_id, line_no)
);
SELECT guanxi_tenant_table('purchase_line');

CREATE TABLE purchase_return (
    tenant_id    text        NOT NULL,
    return_id    uuid        NOT NULL,
    order_id     uuid        NOT NULL,
    units        bigint      NOT NULL,
    amount_minor bigint      NOT NULL, -- positive
    returned_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, return_id)
);
CREATE INDEX purchase_return_by_order ON purchase_return (tenant_id, order_id, returned_at);
SELECT guanxi_tenant_table('purchase_return');

-- Units that were sold of an article on a day, in UTC; under the empty sku stands what was sold of all of them together. What
-- comes back is not taken off: it was sold, and could be complained of. The slot is the partition that the events came by:
-- partitions are applied side by side, and a row that all of them add to would make them wait for each other.
CREATE TABLE purchase_unit (
    tenant_id text     NOT NULL,
    sku       text     NOT NULL,
    day       date     NOT NULL,
    slot      smallint NOT NULL,
    units     bigint   NOT NULL,
    PRIMARY KEY (tenant_id, sku, day, slot)
) WITH (fillfactor = 80);
CREATE INDEX purchase_unit_by_day ON purchase_unit (tenant_id, day, sku);
SELECT guanxi_tenant_table('purchase_unit');

-- The time of the newest event that was placed, per partition: the "as of" of every figure that hangs on purchases.
CREATE TABLE purchase_as_of (
    tenant_id text        NOT NULL,
    slot      smallint    NOT NULL,
    newest_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, slot)
) WITH (fillfactor = 50);
SELECT guanxi_tenant_table('purchase_as_of');

-- The version before had no projection: where its consumers stood, and whom merged customers meant, stood in the schema public.
-- That is taken over, so that nobody hears anew what was heard, and no merge is unknown for a while. What was one consumer,
-- "customers", is two now: merges, which are a part of the projection, and "erasures", which are not.
-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    IF current_schema() <> 'live' OR to_regclass('public.customer_alias') IS NULL THEN
        RETURN;
    END IF;
    FOREACH t IN ARRAY ARRAY ['customer_alias', 'inbox_position', 'inbox_cursor', 'inbox_seen', 'inbox_parked', 'inbox_discarded', 'inbox_audit'] LOOP
        EXECUTE format('INSERT INTO live.%1$I SELECT * FROM public.%1$I', t);
    END LOOP;
    INSERT INTO inbox_position SELECT 'erasures', topic, partition, next_offset, moved_at FROM inbox_position WHERE consumer = 'customers';
    INSERT INTO inbox_seen SELECT 'erasures', event_id, seen_at FROM inbox_seen WHERE consumer = 'customers';
    UPDATE inbox_parked SET consumer = 'erasures' WHERE consumer = 'customers' AND event_type = 'guanxi.accounts.events.v1.CustomerErased';
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE purchase_as_of, purchase_unit, purchase_return, purchase_line, purchase;
