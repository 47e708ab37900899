-- +goose Up

-- Customers who changed since they were indexed: what they are found by and compared by is made of their rows soon after
-- the change, by one process at a time, many at once. A customer who is in here is found as they were before. It is a
-- queue of marks, not of work: a mark is taken out in the transaction that reads the rows, so that a change that is
-- committed later leaves a mark of its own.
CREATE TABLE customer_pending (
    tenant_id   text        NOT NULL,
    seq         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    customer_id uuid        NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, seq)
);
SELECT guanxi_tenant_table('customer_pending');

-- +goose StatementBegin
-- Whatever changes what a customer is found by raises the version in the customer's row (identities, addresses, merges), so
-- that marking the row's changes misses nothing, whichever room makes them, and costs no round trip.
CREATE FUNCTION customer_mark_pending() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO customer_pending (tenant_id, customer_id) SELECT tenant_id, id FROM changed;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION customer_mark_pending() FROM PUBLIC;
CREATE TRIGGER customer_pending_inserted AFTER INSERT ON customer
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION customer_mark_pending();
CREATE TRIGGER customer_pending_updated AFTER UPDATE ON customer
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION customer_mark_pending();
INSERT INTO customer_pending (tenant_id, customer_id) SELECT tenant_id, id FROM customer WHERE root_id IS NULL;

-- What customers are found by: one row for each who stands for themselves, with what those say who were merged into them.
-- Every term begins with a mark of the tenant, so that tenants share no list of the index.
CREATE TABLE customer_search (
    tenant_id   text     NOT NULL,
    customer_id uuid     NOT NULL, -- UUIDv7: the order of registration
    name_key    text     NOT NULL, -- the display name, folded: what is sorted by, and what names begin with
    words       text[]   NOT NULL, -- of the names, in letters
    terms       tsvector NOT NULL,
    PRIMARY KEY (tenant_id, customer_id)
);
CREATE INDEX customer_search_name ON customer_search (tenant_id, name_key, customer_id);
-- A search reads what was not put into the index proper yet: that is kept short.
CREATE INDEX customer_search_terms ON customer_search USING gin (terms) WITH (gin_pending_list_limit = 256);
SELECT guanxi_tenant_table('customer_search');

-- The words of the tenant's customers, by which a misspelt one is found: near are keys that it shares with its misspellings.
CREATE TABLE customer_search_word (
    tenant_id text     NOT NULL,
    word      text     NOT NULL,
    near      bigint[] NOT NULL,
    PRIMARY KEY (tenant_id, word)
);
CREATE INDEX customer_search_word_near ON customer_search_word USING gin (near) WITH (gin_pending_list_limit = 256);
SELECT guanxi_tenant_table('customer_search_word');

-- The operators @@ and && are not leakproof: under row level security they cannot use an index. These functions apply the
-- tenant themselves. The tenant is compared so that no other index than that of the terms fits.

-- +goose StatementBegin
-- customer_search_few gives what p_all finds, as long as that is no more than p_cap: those whose name lies from p_low to
-- below p_high first (tier 0, by name), then those whom p_exact finds (1) and all others (2), the latest first; those behind
-- the place (p_tier, p_name, p_id), at most p_limit. There is always a row; many says that there are more than p_cap.
CREATE FUNCTION customer_search_few(p_all tsquery, p_exact tsquery, p_low text, p_high text, p_tier integer, p_name text,
    p_id uuid, p_limit integer, p_cap integer)
RETURNS TABLE (customer_id uuid, name_key text, tier integer, many boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
    WITH found AS MATERIALIZED (
        SELECT s.customer_id, s.name_key, s.terms FROM customer_search s
         WHERE s.terms @@ p_all AND s.tenant_id || '' = current_setting('app.tenant_id', true)
         LIMIT p_cap + 1)
    SELECT f.customer_id, f.name_key, f.tier, m.many
      FROM (SELECT count(*) > p_cap AS many FROM found) m
      LEFT JOIN LATERAL (
        SELECT t.* FROM (
            SELECT found.customer_id, found.name_key, CASE WHEN found.name_key >= p_low AND found.name_key < p_high THEN 0
                   WHEN found.terms @@ p_exact THEN 1 ELSE 2 END AS tier
              FROM found WHERE NOT m.many) t
         WHERE t.tier > p_tier OR t.tier = p_tier AND CASE t.tier
                   WHEN 0 THEN (t.name_key, t.customer_id) > (p_name, p_id) ELSE t.customer_id < p_id END
         ORDER BY t.tier, CASE t.tier WHEN 0 THEN t.name_key END, CASE t.tier WHEN 0 THEN t.customer_id END, t.customer_id DESC
         LIMIT p_limit) f ON true
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- customer_search_walk gives the same of one tier where there are many: it goes through the customers in the tier's order,
-- from behind the place on, until it has p_limit or has looked at p_scan. Then the last row has hit = false and tells how
-- far it has come.
CREATE FUNCTION customer_search_walk(p_all tsquery, p_exact tsquery, p_low text, p_high text, p_tier integer, p_name text,
    p_id uuid, p_limit integer, p_scan integer)
RETURNS TABLE (customer_id uuid, name_key text, hit boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    tenant text := current_setting('app.tenant_id', true);
    hits integer := 0;
    seen integer := 0;
    r record;
    places refcursor;
BEGIN
    IF p_tier = 0 THEN
        OPEN places FOR SELECT s.customer_id, s.name_key, s.terms @@ p_all AS fits FROM customer_search s
             WHERE s.tenant_id = tenant AND (s.name_key, s.customer_id) > (p_name, p_id) AND s.name_key < p_high
             ORDER BY s.name_key, s.customer_id;
    ELSE
        OPEN places FOR SELECT s.customer_id, s.name_key,
                   s.terms @@ p_all AND NOT (s.name_key >= p_low AND s.name_key < p_high) AND s.terms @@ p_exact = (p_tier = 1) AS fits
              FROM customer_search s WHERE s.tenant_id = tenant AND s.customer_id < p_id ORDER BY s.customer_id DESC;
    END IF;
    LOOP
        FETCH places INTO r;
        EXIT WHEN NOT FOUND;
        seen := seen + 1;
        customer_id := r.customer_id; name_key := r.name_key; hit := r.fits;
        IF hit THEN
            hits := hits + 1;
            RETURN NEXT;
            EXIT WHEN hits = p_limit;
        END IF;
        IF seen = p_scan THEN
            hit := false;
            RETURN NEXT;
            EXIT;
        END IF;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- customer_search_hits gives for each term, numbered from 1, the customers who have it, at most p_limit.
CREATE FUNCTION customer_search_hits(p_terms tsquery[], p_limit integer) RETURNS TABLE (n bigint, customer_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
    SELECT t.n, h.customer_id FROM unnest(p_terms) WITH ORDINALITY t(term, n)
    CROSS JOIN LATERAL (
        SELECT s.customer_id FROM customer_search s
         WHERE s.terms @@ t.term AND s.tenant_id || '' = current_setting('app.tenant_id', true) LIMIT p_limit) h
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- customer_search_near gives the words that share a key with a misspelt one.
CREATE FUNCTION customer_search_near(p_keys bigint[], p_limit integer) RETURNS TABLE (word text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
    SELECT w.word FROM customer_search_word w
     WHERE w.near && p_keys AND w.tenant_id || '' = current_setting('app.tenant_id', true) LIMIT p_limit
$$;
-- +goose StatementEnd

-- The tenant's rules, whole; none: the standard ones, which stand in the program.
CREATE TABLE matching_rules (
    tenant_id  text        NOT NULL PRIMARY KEY,
    version    bigint      NOT NULL,
    rules      jsonb       NOT NULL,
    changed_by text        NOT NULL, -- subject
    changed_at timestamptz NOT NULL
);
SELECT guanxi_tenant_table('matching_rules');

-- Pairs of customers who may be one. The ids are those that the customers had when the pair was found; a pair that was
-- decided stays, so that it does not come back.
CREATE TABLE duplicate_pair (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL,
    low        uuid        NOT NULL,
    high       uuid        NOT NULL CHECK (low < high),
    score      integer     NOT NULL CHECK (score BETWEEN 0 AND 100),
    result     text        NOT NULL CHECK (result IN ('automatic', 'review')),
    rule       text        NOT NULL,
    criteria   text[]      NOT NULL, -- codes of what the two have in common
    state      text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'dismissed')),
    found_at   timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text        NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, low, high)
);
CREATE INDEX duplicate_pair_queue ON duplicate_pair (tenant_id, state, score DESC, id);
CREATE INDEX duplicate_pair_high ON duplicate_pair (tenant_id, high);
SELECT guanxi_tenant_table('duplicate_pair');

-- +goose StatementBegin
DO $$
DECLARE
    f text;
BEGIN
    FOREACH f IN ARRAY ARRAY [
        'customer_search_few(tsquery, tsquery, text, text, integer, text, uuid, integer, integer)',
        'customer_search_walk(tsquery, tsquery, text, text, integer, text, uuid, integer, integer)',
        'customer_search_hits(tsquery[], integer)', 'customer_search_near(bigint[], integer)']
    LOOP
        EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || f || ' FROM PUBLIC';
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
