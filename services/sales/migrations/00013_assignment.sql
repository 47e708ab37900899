-- +goose Up

-- Which leads go to which team, in order: the first rule that fits.
CREATE TABLE assignment_rules (
    tenant_id  text        NOT NULL PRIMARY KEY,
    version    bigint      NOT NULL,
    rules      jsonb       NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL
);
SELECT guanxi_tenant_table('assignment_rules');

-- When it was whose turn in a team: who has the lowest number is next.
CREATE TABLE assignment_turn (
    tenant_id text   NOT NULL,
    team      text   NOT NULL,
    subject   text   NOT NULL,
    turn      bigint NOT NULL,
    PRIMARY KEY (tenant_id, team, subject)
) WITH (fillfactor = 80);
SELECT guanxi_tenant_table('assignment_turn');

-- Leads that nobody has. The lead's own row says who has it: what stands here is only what the rules said of it, and may be made
-- anew. Whoever can take one lead of a team with the same person, language, skills and not_to can take each.
CREATE TABLE assignment_wait (
    tenant_id    text        NOT NULL,
    lead_id      uuid        NOT NULL,
    team         text        NOT NULL, -- where it waits; empty: no rule fits
    rule         integer     NOT NULL, -- number of the rule that fits, from 1; 0: none does
    person       text        NOT NULL, -- subject whom the rule names; empty for nobody
    language     text        NOT NULL, -- that whoever gets it must speak; empty for any
    skills       text        NOT NULL, -- codes with spaces between
    not_to       text        NOT NULL, -- subject who gave it back, and does not get it again unasked
    lead_version bigint      NOT NULL, -- of the lead that was looked at
    generation   bigint      NOT NULL, -- of rules and teams by which it was
    since        timestamptz NOT NULL, -- nobody has it
    looked_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, lead_id) -- no reference to the lead: whoever remembers one would wait for whoever works on it
) WITH (fillfactor = 80);
CREATE INDEX assignment_wait_class ON assignment_wait (tenant_id, team, person, language, skills, not_to, lead_id);
CREATE INDEX assignment_wait_looked ON assignment_wait (tenant_id, looked_at);
SELECT guanxi_tenant_table('assignment_wait');

-- Who gave all that they had out of their hands, one row a command.
CREATE TABLE assignment_handover (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL,
    subject    text        NOT NULL, -- who had them
    to_subject text        NOT NULL, -- who has them; empty: they were given by the rules again
    handed     integer     NOT NULL, -- leads
    left_over  integer     NOT NULL, -- that the command did not come to
    told_by    text        NOT NULL, -- subject
    told_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX assignment_handover_subject ON assignment_handover (tenant_id, subject, id);
SELECT guanxi_tenant_table('assignment_handover');

-- Leads that a seller can work on and nobody has; and how many each has.
CREATE INDEX lead_unassigned ON lead (tenant_id, id) WHERE owner = '' AND state IN ('open', 'qualified') AND erased_at IS NULL;
CREATE INDEX lead_load ON lead (tenant_id, owner) WHERE owner <> '' AND state IN ('open', 'qualified');

-- +goose StatementBegin
-- assignment_tenants lists the tenants that have leads which nobody has. Whoever calls it goes on under row level security, tenant
-- by tenant. It goes from one tenant to the next, however many leads each has.
CREATE FUNCTION assignment_tenants() RETURNS TABLE (tenant_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE t(id) AS (
        (SELECT l.tenant_id FROM lead l WHERE l.owner = '' AND l.state IN ('open', 'qualified') AND l.erased_at IS NULL ORDER BY l.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT l.tenant_id FROM lead l WHERE l.owner = '' AND l.state IN ('open', 'qualified') AND l.erased_at IS NULL
            AND l.tenant_id > t.id ORDER BY l.tenant_id LIMIT 1) FROM t WHERE t.id IS NOT NULL
    )
    SELECT t.id FROM t WHERE t.id IS NOT NULL
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON assignment_handover FROM %I', guanxi_role('app'));
    EXECUTE 'REVOKE EXECUTE ON FUNCTION assignment_tenants() FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION assignment_tenants() TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
