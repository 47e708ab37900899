-- +goose Up

-- Who sells together.
CREATE TABLE team (
    tenant_id     text        NOT NULL,
    code          text        COLLATE "C" NOT NULL, -- for life
    version       bigint      NOT NULL CHECK (version > 0),
    name          text        NOT NULL,
    lead          text        NOT NULL, -- subject of who leads it; empty for nobody
    pipeline      text        NOT NULL, -- code of the one that it sells along; empty: the tenant's default
    price_list    text        NOT NULL, -- code of the one that it sells by; empty: none of its own
    zone          text        NOT NULL, -- IANA name of the time zone in which its days begin
    strategy      text        NOT NULL CHECK (strategy IN ('round_robin', 'least_loaded', 'by_hand')),
    outside_hours text        NOT NULL CHECK (outside_hours IN ('wait', 'next')),
    archived      boolean     NOT NULL, -- gets no new leads
    changed_at    timestamptz NOT NULL,
    changed_by    text        NOT NULL, -- subject
    PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('team');

-- Somebody who sells.
CREATE TABLE team_person (
    tenant_id  text        NOT NULL,
    subject    text        COLLATE "C" NOT NULL, -- of the token
    version    bigint      NOT NULL CHECK (version > 0),
    capacity   integer     NOT NULL CHECK (capacity >= 0), -- open leads at a time that are given unasked
    languages  text[]      NOT NULL, -- that they speak: BCP 47 primary tags
    skills     text[]      NOT NULL, -- codes
    zone       text        NOT NULL, -- IANA name of the time zone whose wall clock the hours mean
    hours      jsonb,                -- weekly hours, holidays and openings; none: around the clock
    archived   boolean     NOT NULL, -- has left: gets no new leads
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL, -- subject
    PRIMARY KEY (tenant_id, subject)
);
SELECT guanxi_tenant_table('team_person');

CREATE TABLE team_member (
    tenant_id text NOT NULL,
    team      text COLLATE "C" NOT NULL,
    subject   text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, team, subject),
    FOREIGN KEY (tenant_id, team) REFERENCES team (tenant_id, code),
    FOREIGN KEY (tenant_id, subject) REFERENCES team_person (tenant_id, subject)
);
CREATE INDEX team_member_subject ON team_member (tenant_id, subject, team);
SELECT guanxi_tenant_table('team_member');

-- When somebody is not there. Why is nobody's business here.
CREATE TABLE team_absence (
    tenant_id text        NOT NULL,
    id        uuid        NOT NULL,
    subject   text        COLLATE "C" NOT NULL,
    from_at   timestamptz NOT NULL,
    to_at     timestamptz, -- not included; none: until it is ended
    told_by   text        NOT NULL, -- subject
    told_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, subject) REFERENCES team_person (tenant_id, subject),
    CHECK (to_at > from_at)
);
CREATE INDEX team_absence_subject ON team_absence (tenant_id, subject, id);
SELECT guanxi_tenant_table('team_absence');
