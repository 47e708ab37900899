-- +goose Up
-- By which channel the customer was asked, and the answers of one survey.
ALTER TABLE fact_answer ADD COLUMN channel text NOT NULL DEFAULT ''; -- empty where it was asked by hand, and in anonymous mode
CREATE INDEX fact_answer_by_survey ON fact_answer (tenant_id, survey_id, answered_at);

-- +goose Down
DROP INDEX fact_answer_by_survey;
ALTER TABLE fact_answer DROP COLUMN channel;
