-- +goose Up

-- What a tenant has set, and which counts hold. A tenant without a row has the defaults, and generation 1.
CREATE TABLE scoring_setting (
    tenant_id       text        NOT NULL,
    fields          text[]      NOT NULL, -- that make factors
    start_at        timestamptz,          -- outcomes before it do not count; none: all do
    generation      integer     NOT NULL DEFAULT 1 CHECK (generation > 0), -- of the counts that hold
    next_generation integer     CHECK (next_generation > generation),      -- that a rebuild is filling
    next_start_at   timestamptz,          -- of that one
    version         bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
    by_subject      text        NOT NULL,
    changed_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id)
);
SELECT guanxi_tenant_table('scoring_setting');

-- Cases as they are now: leads, after their conversion the opportunities that came of them, and opportunities of their own.
CREATE TABLE scoring_case (
    tenant_id      text        NOT NULL,
    id             uuid        NOT NULL, -- the lead's, where there is one, else the opportunity's
    opportunity_id uuid,       -- that came of the lead, or is the case
    team           text        NOT NULL, -- empty for none
    pipeline       text        NOT NULL,
    stage          text        NOT NULL,
    stages         text[]      NOT NULL, -- of the pipeline, in order
    fields         jsonb       NOT NULL, -- codes by field, only those that are set
    tags           text[]      NOT NULL,
    state          text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'won', 'lost')),
    probability    integer     CHECK (probability BETWEEN 1 AND 9999), -- hundredths of a percent, as reckoned; none while nothing was learnt
    manual         integer     CHECK (manual BETWEEN 1 AND 9999),      -- set by hand
    manual_by      text,
    manual_at      timestamptz,
    scored_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK ((manual IS NULL) = (manual_by IS NULL) AND (manual IS NULL) = (manual_at IS NULL))
) WITH (fillfactor = 70); -- a score is a new version of the row, on the same page
CREATE INDEX scoring_case_open ON scoring_case (tenant_id, id) WHERE state = 'open';
CREATE INDEX scoring_case_opportunity ON scoring_case (tenant_id, opportunity_id) WHERE opportunity_id IS NOT NULL;
SELECT guanxi_tenant_table('scoring_case');

-- What a case counted when it was won or lost, so that exactly that can be taken back, and counted anew. Codes only: it
-- stays when the case is forgotten.
CREATE TABLE scoring_outcome (
    tenant_id     text        NOT NULL,
    case_id       uuid        NOT NULL,
    no            integer     NOT NULL CHECK (no > 0),
    won           boolean     NOT NULL,
    at            timestamptz NOT NULL,
    team          text        NOT NULL,
    fields        text[]      NOT NULL, -- side by side with values
    values        text[]      NOT NULL CHECK (cardinality(values) = cardinality(fields)),
    generations   integer[]   NOT NULL, -- of the counts that it stands in
    taken_back_at timestamptz,
    PRIMARY KEY (tenant_id, case_id, no)
);
SELECT guanxi_tenant_table('scoring_outcome');

-- Outcomes by team, field and value. Each count is 0.1 more than what stands here.
CREATE TABLE scoring_count (
    tenant_id  text    NOT NULL,
    generation integer NOT NULL,
    team       text    NOT NULL,
    field      text    NOT NULL,
    value      text    NOT NULL,
    won        bigint  NOT NULL,
    lost       bigint  NOT NULL,
    PRIMARY KEY (tenant_id, generation, team, field, value)
) WITH (fillfactor = 70);
SELECT guanxi_tenant_table('scoring_count');

-- One row says that counts moved since open cases were scored. Rows of their own, as one flag would make all who close cases wait for each other.
CREATE TABLE scoring_mark (
    tenant_id text NOT NULL,
    id        uuid NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
SELECT guanxi_tenant_table('scoring_mark');

-- Who scores a tenant's open cases now, and when that may be done again.
CREATE TABLE scoring_pass (
    tenant_id    text        NOT NULL,
    leased_until timestamptz NOT NULL,
    not_before   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id)
);
SELECT guanxi_tenant_table('scoring_pass');

-- Counts made anew from the outcomes.
CREATE TABLE scoring_rebuild (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    start_at    timestamptz,
    state       text        NOT NULL CHECK (state IN ('queued', 'running', 'done')),
    generation  integer,    -- that it fills
    after_case  uuid,       -- where it stands
    after_no    integer,
    outcomes    bigint      NOT NULL DEFAULT 0, -- counted so far
    by_subject  text        NOT NULL,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX scoring_rebuild_one ON scoring_rebuild (tenant_id) WHERE state <> 'done';
SELECT guanxi_tenant_table('scoring_rebuild');

-- +goose StatementBegin
-- scoring_due lists what is to be done behind the scenes, over all tenants: rebuilds, and tenants whose open cases are to be
-- scored again.
CREATE FUNCTION scoring_due() RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.tenant_id, r.id FROM scoring_rebuild r WHERE r.state <> 'done'
    UNION ALL
    SELECT DISTINCT m.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid FROM scoring_mark m
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION scoring_due() FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION scoring_due() TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
