-- +goose Up

-- How leads that are not ready are warmed up. A lead goes on by the version that it began with.
CREATE TABLE nurture_programme (
    tenant_id  text        NOT NULL,
    code       text        COLLATE "C" NOT NULL, -- for life
    version    bigint      NOT NULL CHECK (version > 0),
    latest     boolean     NOT NULL,
    terms      jsonb       NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL,
    PRIMARY KEY (tenant_id, code, version)
);
CREATE UNIQUE INDEX nurture_programme_latest ON nurture_programme (tenant_id, code) WHERE latest;
SELECT guanxi_tenant_table('nurture_programme');

-- One time that a lead is warmed up.
CREATE TABLE nurture_case (
    tenant_id         text        NOT NULL,
    id                uuid        NOT NULL,
    lead_id           uuid        NOT NULL,
    programme         text        NOT NULL,
    programme_version bigint      NOT NULL,
    stage             text        NOT NULL CHECK (stage IN ('running', 'paused', 'handed_over', 'recycled', 'lost', 'cancelled')),
    code              text        NOT NULL, -- why it is over
    next              integer     NOT NULL, -- place of the touch that comes next, from 0
    round             integer     NOT NULL, -- how often accounts was asked about it in vain
    touches           integer     NOT NULL, -- that were made
    enquiries         integer     NOT NULL, -- how often the lead had come when it began
    threshold         integer     NOT NULL, -- score from which on it goes to sales, in hundredths of a percent; 0: none
    due_at            timestamptz,          -- when something is to be done; of a paused one: would have been
    paused_at         timestamptz,
    steps             jsonb       NOT NULL, -- what happened: codes, ids and subjects only
    version           bigint      NOT NULL,
    started_at        timestamptz NOT NULL,
    over_at           timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead (tenant_id, id),
    FOREIGN KEY (tenant_id, programme, programme_version) REFERENCES nurture_programme (tenant_id, code, version),
    CHECK ((stage IN ('running', 'paused')) = (over_at IS NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX nurture_case_running ON nurture_case (tenant_id, lead_id) WHERE over_at IS NULL;
CREATE INDEX nurture_case_lead ON nurture_case (tenant_id, lead_id, id);
CREATE INDEX nurture_case_stage ON nurture_case (tenant_id, stage, id);
CREATE INDEX nurture_case_due ON nurture_case (due_at) WHERE stage = 'running';
SELECT guanxi_tenant_table('nurture_case');

-- Which decisions of people were made, so that each is made once.
CREATE TABLE nurture_decision (
    tenant_id text  NOT NULL,
    id        uuid  NOT NULL,
    case_id   uuid  NOT NULL,
    hash      bytea, -- of the request
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, case_id) REFERENCES nurture_case (tenant_id, id)
);
SELECT guanxi_tenant_table('nurture_decision');

-- +goose StatementBegin
-- nurture_changed lists cases of all tenants whose lead was changed by something else, so that they are to be ended: it came again, it
-- is likely enough to be won, or it is no longer warmed up.
CREATE FUNCTION nurture_changed(p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM nurture_case c
      JOIN lead l ON l.tenant_id = c.tenant_id AND l.id = c.lead_id
      LEFT JOIN scoring_case s ON s.tenant_id = c.tenant_id AND s.id = c.lead_id AND c.threshold > 0
     WHERE c.over_at IS NULL
       AND (l.state <> 'nurturing' OR l.erased_at IS NOT NULL OR l.enquiries > c.enquiries
            OR c.threshold > 0 AND coalesce(s.manual, s.probability, 0) >= c.threshold)
     LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- nurture_overdue lists cases of all tenants about which nothing was done since they were due: their process is gone.
CREATE FUNCTION nurture_overdue(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM nurture_case c WHERE c.stage = 'running' AND c.due_at < p_before ORDER BY c.due_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON nurture_decision FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON nurture_case, nurture_programme FROM %I', guanxi_role('app'));
    FOREACH t IN ARRAY ARRAY['nurture_changed(integer)', 'nurture_overdue(timestamptz, integer)'] LOOP
        EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || t || ' FROM PUBLIC';
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
