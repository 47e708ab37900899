-- +goose Up

-- A spend may take points of several members who are one customer since a merge: one entry each, of which all but the first
-- name the first.
ALTER TABLE ledger_entry ADD COLUMN part_of uuid;
CREATE INDEX ledger_entry_part ON ledger_entry (tenant_id, part_of) WHERE part_of IS NOT NULL;
