-- +goose Up

-- Points run out, spends are given back, and balances are put right by hand.
ALTER TABLE lot
    ADD COLUMN expires_at timestamptz,                 -- from then on they cannot be spent; none: never by themselves
    ADD COLUMN expired    bigint NOT NULL DEFAULT 0 CHECK (expired BETWEEN 0 AND points), -- ran out
    ADD COLUMN waived     bigint NOT NULL DEFAULT 0 CHECK (waived BETWEEN 0 AND expired); -- of these, taken back in name only
DROP INDEX lot_open;
CREATE INDEX lot_open ON lot (tenant_id, member_id, released, expires_at, earned_at, id) WHERE remaining > 0;
CREATE INDEX lot_expiring ON lot (expires_at) WHERE remaining > 0 AND expires_at IS NOT NULL;

ALTER TABLE ledger_entry
    ADD COLUMN programme text   NOT NULL DEFAULT 'standard', -- the member's
    ADD COLUMN waived    bigint NOT NULL DEFAULT 0 CHECK (waived >= 0); -- of a reversal: not taken, since it had run out
ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_kind_check;
ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_kind_check CHECK (kind IN
    ('earn', 'grant', 'spend', 'release', 'reversal', 'void', 'restore', 'expiry', 'adjustment'));
-- A spend is given back once.
CREATE UNIQUE INDEX ledger_entry_restored ON ledger_entry (tenant_id, reverses) WHERE kind = 'restore';

-- When the member last earned or spent, by which points run out that nobody touches; and when its latest entry was booked,
-- so that entries are never booked before those that they follow.
ALTER TABLE member
    ADD COLUMN active_at timestamptz,
    ADD COLUMN booked_at timestamptz;
