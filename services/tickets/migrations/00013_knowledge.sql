-- +goose Up

-- What is known of recurring matters. A row says how an article stands and what the version says that people find; all
-- versions stand below.
CREATE TABLE article (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL, -- UUIDv7
    version    bigint      NOT NULL, -- rises with every change
    state      text        NOT NULL CHECK (state IN ('draft', 'published', 'archived')),
    current    integer     NOT NULL CHECK (current > 0), -- the version that is found: the published one; before there is any, the draft
    draft      integer     NOT NULL, -- the version that is being written; 0 for none
    last       integer     NOT NULL, -- the highest number of a version
    title      text        NOT NULL, -- of the current version, as are the next four
    category   text,                 -- none: of no category
    audience   text        NOT NULL CHECK (audience IN ('internal', 'public')),
    language   text        NOT NULL,
    excerpt    text        NOT NULL, -- the beginning of the body
    helped     bigint      NOT NULL CHECK (helped >= 0), -- tickets that it helped with
    not_helped bigint      NOT NULL CHECK (not_helped >= 0),
    changed_at timestamptz NOT NULL,
    terms      tsvector    NOT NULL, -- what the current version is found by; each term begins with a mark of the tenant
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, category) REFERENCES ticket_category (tenant_id, code)
) WITH (fillfactor = 90);
CREATE INDEX article_by_state ON article (tenant_id, state, id);
CREATE INDEX article_by_category ON article (tenant_id, category);
CREATE INDEX article_terms ON article USING gin (terms) WITH (gin_pending_list_limit = 256);
SELECT guanxi_tenant_table('article');

-- Every version that there was. Only a draft is written to.
CREATE TABLE article_version (
    tenant_id    text        NOT NULL,
    article_id   uuid        NOT NULL,
    no           integer     NOT NULL CHECK (no > 0),
    state        text        NOT NULL CHECK (state IN ('draft', 'published', 'archived')),
    title        text        NOT NULL,
    body         text        NOT NULL,
    keywords     text[]      NOT NULL,
    category     text,
    audience     text        NOT NULL CHECK (audience IN ('internal', 'public')),
    language     text        NOT NULL,
    by_subject   text        NOT NULL, -- who wrote it last
    written_at   timestamptz NOT NULL,
    published_by text        NOT NULL, -- empty: it never was
    published_at timestamptz,
    archived_at  timestamptz,          -- when another one took its place, or the article was withdrawn
    PRIMARY KEY (tenant_id, article_id, no),
    FOREIGN KEY (tenant_id, article_id) REFERENCES article (tenant_id, id),
    CHECK ((published_at IS NULL) = (published_by = ''))
);
CREATE UNIQUE INDEX article_version_published ON article_version (tenant_id, article_id) WHERE state = 'published';
CREATE UNIQUE INDEX article_version_draft ON article_version (tenant_id, article_id) WHERE state = 'draft';
SELECT guanxi_tenant_table('article_version');

-- Whether an article helped with a ticket, as its last word.
CREATE TABLE article_use (
    tenant_id  text        NOT NULL,
    article_id uuid        NOT NULL,
    ticket_id  uuid        NOT NULL,
    helped     boolean     NOT NULL,
    no         integer     NOT NULL, -- the version that was read
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, article_id, ticket_id),
    FOREIGN KEY (tenant_id, article_id) REFERENCES article (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id)
);
CREATE INDEX article_use_by_ticket ON article_use (tenant_id, ticket_id);
SELECT guanxi_tenant_table('article_use');

-- The operator @@ is not leakproof: under row level security it cannot use an index. These functions apply the tenant
-- themselves. Tenant and state are compared so that no other index than that of the terms fits.

-- +goose StatementBegin
-- article_counts gives for each term, numbered from 1, how many articles in the state have it, p_most at most; 0 is how many
-- there are.
CREATE FUNCTION article_counts(p_terms tsquery[], p_state text, p_most integer) RETURNS TABLE (n bigint, articles bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
    SELECT 0::bigint, count(*) FROM article a WHERE a.tenant_id = current_setting('app.tenant_id', true) AND a.state = p_state
    UNION ALL
    SELECT t.n, h.articles FROM unnest(p_terms) WITH ORDINALITY t(term, n)
    CROSS JOIN LATERAL (
        SELECT count(*) AS articles FROM (
            SELECT FROM article a
             WHERE a.terms @@ t.term AND a.tenant_id || '' = current_setting('app.tenant_id', true) AND a.state || '' = p_state
             LIMIT p_most) AS found) h
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- article_find gives the articles in a state that have any of the terms, and all that p_every asks for where it asks for
-- something, the best first: those behind the place (p_score, p_id), at most p_limit. The score, in thousandths, is the sum of
-- the weights of the terms that an article has, three times the weight for those that stand in its title (p_titles); times 0.5
-- to 1.5 for how often it helped, by Laplace's rule of succession; times 1.5 where it is of the category p_near. matched are the
-- numbers of the terms, from 1. An empty text, or none, of a filter lets all pass. Every term is asked of the index, so that no
-- article's terms are read.
CREATE FUNCTION article_find(p_every tsquery, p_terms tsquery[], p_titles tsquery[], p_weights float8[], p_state text, p_audience text,
    p_language text, p_categories text[], p_near text, p_score bigint, p_id uuid, p_limit integer)
RETURNS TABLE (article_id uuid, score bigint, matched bigint[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
    WITH hits AS (
        SELECT a.id, a.category, a.helped, a.not_helped, t.n, t.weight
          FROM unnest(p_terms, p_weights) WITH ORDINALITY t(term, weight, n)
         CROSS JOIN LATERAL (
            SELECT a.id, a.category, a.helped, a.not_helped FROM article a
             WHERE a.terms @@ coalesce(p_every && t.term, t.term) AND a.tenant_id || '' = current_setting('app.tenant_id', true)
               AND a.state || '' = p_state
               AND (p_audience = '' OR a.audience = p_audience) AND (p_language = '' OR a.language = p_language)
               AND (p_categories IS NULL OR a.category = ANY (p_categories))) a
        UNION ALL
        SELECT a.id, a.category, a.helped, a.not_helped, NULL, 2 * t.weight FROM unnest(p_titles, p_weights) t(title, weight)
         CROSS JOIN LATERAL (
            SELECT a.id, a.category, a.helped, a.not_helped FROM article a
             WHERE a.terms @@ coalesce(p_every && t.title, t.title) AND a.tenant_id || '' = current_setting('app.tenant_id', true)) a
    ), scored AS (
        SELECT h.id, array_agg(h.n ORDER BY h.n) FILTER (WHERE h.n IS NOT NULL) AS matched,
               round(1000 * sum(h.weight) * (0.5 + (h.helped + 1) / (h.helped + h.not_helped + 2)::float8)
                   * CASE WHEN p_near <> '' AND h.category = p_near THEN 1.5 ELSE 1 END)::bigint AS score
          FROM hits h GROUP BY h.id, h.category, h.helped, h.not_helped
        HAVING count(h.n) > 0)
    SELECT s.id, s.score, s.matched FROM scored s WHERE (s.score, s.id) < (p_score, p_id) ORDER BY s.score DESC, s.id DESC LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    f text;
BEGIN
    FOREACH f IN ARRAY ARRAY ['article_counts(tsquery[], text, integer)',
        'article_find(tsquery, tsquery[], tsquery[], float8[], text, text, text, text[], text, bigint, uuid, integer)'] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
