-- Whom the ids of merged customers mean, as accounts tells. Run in the schema public, or, for a service with a projection, in
-- live and in shadow: no name here has a schema.
--
-- Rows that hang on a customer keep the id that they were written with, and are read by all ids that mean the same one.

-- +goose Up

-- A row for each id that was ever absorbed. One without a survivor stays when a merge was undone: it knows which event was
-- the last, so that an older one that comes late changes nothing.
CREATE TABLE customer_alias (
    tenant_id   text    NOT NULL,
    customer_id uuid    NOT NULL,
    survivor_id uuid,             -- whom the id means; may be an alias itself, so that aliases form a tree
    merge_id    uuid    NOT NULL, -- that set it or was undone
    epoch       integer NOT NULL, -- of the event; so is seq, in the stream of customer_id
    seq         bigint  NOT NULL,
    PRIMARY KEY (tenant_id, customer_id),
    CHECK (survivor_id <> customer_id)
);
CREATE INDEX customer_alias_survivor ON customer_alias (tenant_id, survivor_id) WHERE survivor_id IS NOT NULL;
SELECT guanxi_tenant_table('customer_alias');

-- The functions run with the rights of whoever calls them. They read by key whatever the planner was told of the table, which
-- is empty in most tenants for ever. Aliases that form a ring, as they can for a moment when events of several customers
-- come late, all mean the one of the ring with the least id.

-- +goose StatementBegin
-- customer_root gives the customer whom an id means: itself where it was never merged.
CREATE FUNCTION customer_root(p_tenant text, p_id uuid) RETURNS uuid LANGUAGE plpgsql STABLE STRICT SET enable_seqscan = off AS $$
DECLARE
    path uuid[] := ARRAY[p_id];
    next uuid;
BEGIN
    LOOP
        SELECT a.survivor_id INTO next FROM customer_alias a WHERE a.tenant_id = p_tenant AND a.customer_id = path[cardinality(path)];
        IF next IS NULL THEN
            RETURN path[cardinality(path)];
        ELSIF next = ANY (path) THEN
            RETURN (SELECT r.id FROM unnest(path[array_position(path, next):]) AS r(id) ORDER BY r.id LIMIT 1);
        END IF;
        path := path || next;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- customer_group gives all ids that mean the same customer as an id does, the root first. None for no id.
CREATE FUNCTION customer_group(p_tenant text, p_id uuid) RETURNS uuid[] LANGUAGE plpgsql STABLE STRICT SET enable_seqscan = off AS $$
DECLARE
    found uuid[] := ARRAY[customer_root(p_tenant, p_id)];
    level uuid[] := found;
BEGIN
    LOOP
        SELECT array_agg(a.customer_id ORDER BY a.customer_id) INTO level FROM customer_alias a
         WHERE a.tenant_id = p_tenant AND a.survivor_id = ANY (level) AND a.customer_id <> ALL (found);
        IF level IS NULL THEN
            RETURN found;
        END IF;
        found := found || level;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- customer_aliases gives every id of a tenant that means another customer, with that one: what a statement over all
-- customers joins, once, in the place of asking for each.
CREATE FUNCTION customer_aliases(p_tenant text) RETURNS TABLE (customer_id uuid, root_id uuid) LANGUAGE sql STABLE ROWS 100 AS $$
    SELECT a.customer_id, customer_root(a.tenant_id, a.customer_id) FROM customer_alias a
     WHERE a.tenant_id = p_tenant AND a.survivor_id IS NOT NULL
$$;
-- +goose StatementEnd
