-- +goose Up

-- The C139 card of an opportunity, version by version: each holds from when it was written until the next one. What it counted
-- stands in it, so that win rates are measured of what people knew then and not of what is known by now.
CREATE TABLE c139_version (
    tenant_id       text        NOT NULL,
    opportunity_id  uuid        NOT NULL,
    version         integer     NOT NULL CHECK (version > 0),
    edition         integer     NOT NULL CHECK (edition >= 0), -- how often people changed the card; the ETag
    cause           text        NOT NULL CHECK (cause IN ('people', 'structure')), -- somebody wrote, or the contacts changed
    at              timestamptz NOT NULL,
    by_subject      text        NOT NULL, -- empty where the contacts changed
    things          smallint    NOT NULL CHECK (things BETWEEN 0 AND 9),       -- that were clear: C
    coached         smallint    NOT NULL CHECK (coached BETWEEN 0 AND things), -- of them, confirmed by a coach
    fronts          smallint    NOT NULL CHECK (fronts BETWEEN 0 AND 3),       -- signs of leading: F
    wins            smallint    NOT NULL CHECK (wins BETWEEN 0 AND 1),         -- W
    fit_highest     boolean,    -- what the decision structure said of the signs; none: it could not tell
    key_people_help boolean,
    majority_chose  boolean,
    top_decides     boolean,
    PRIMARY KEY (tenant_id, opportunity_id, version)
);
SELECT guanxi_tenant_table('c139_version');

-- What a version changed: an item is as its latest version has it.
CREATE TABLE c139_item (
    tenant_id      text        NOT NULL,
    opportunity_id uuid        NOT NULL,
    version        integer     NOT NULL,
    item           text        NOT NULL,
    holds          boolean,    -- a thing is clear, a sign is seen; none: nobody says
    coach_id       uuid,       -- the contact who confirmed it; none: nobody
    known_on       date        NOT NULL, -- the day of which it is known
    since          timestamptz NOT NULL, -- when holds became what it is
    worded         boolean     NOT NULL, -- there were words
    PRIMARY KEY (tenant_id, opportunity_id, item, version),
    FOREIGN KEY (tenant_id, opportunity_id, version) REFERENCES c139_version (tenant_id, opportunity_id, version)
);
CREATE INDEX c139_item_version ON c139_item (tenant_id, opportunity_id, version);
CREATE INDEX c139_item_coach ON c139_item (tenant_id, coach_id) WHERE coach_id IS NOT NULL;
SELECT guanxi_tenant_table('c139_item');

-- The words of an item. They are about people: an erasure takes them away, and nothing else ever does.
CREATE TABLE c139_words (
    tenant_id      text    NOT NULL,
    opportunity_id uuid    NOT NULL,
    version        integer NOT NULL,
    item           text    NOT NULL,
    known          text    NOT NULL,
    evidence       text    NOT NULL,
    PRIMARY KEY (tenant_id, opportunity_id, item, version),
    FOREIGN KEY (tenant_id, opportunity_id, item, version) REFERENCES c139_item (tenant_id, opportunity_id, item, version)
);
SELECT guanxi_tenant_table('c139_words');

-- +goose StatementBegin
DO $$ BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON c139_version, c139_item FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE UPDATE ON c139_words FROM %I', guanxi_role('app'));
END $$;
-- +goose StatementEnd
