-- +goose Up
-- What to mind about a model, with codes and values beside the words. Those of a row that has words alone were written before: column
-- warnings stays filled until no version is left that reads it.
ALTER TABLE model ADD COLUMN warned jsonb NOT NULL DEFAULT '[]';

-- +goose Down
ALTER TABLE model DROP COLUMN warned;
