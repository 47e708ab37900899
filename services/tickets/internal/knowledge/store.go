package knowledge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/category"
)

// The same for what is not there and for another tenant's.
var (
	errNotFound  = problem.New(problem.NotFound, "article_not_found", "There is no such article.")
	errNoVersion = problem.New(problem.NotFound, "article_version_not_found", "The article has no such version.")
)

const columns = `id, version, state, current, draft, last, title, coalesce(category, ''), audience, language, excerpt, helped, not_helped, changed_at`

func scan(row pgx.Row) (Article, error) {
	var a Article
	err := row.Scan(&a.ID, &a.Version, &a.State, &a.Current, &a.Draft, &a.Last, &a.Title, &a.Category, &a.Audience, &a.Language,
		&a.Excerpt, &a.Helped, &a.NotHelped, &a.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return a, err
}

// useCategory refuses a category that is not there, and marks it as used, so that it stays. An archived one takes no new
// tickets, and articles all the same. One round trip; none for the empty code.
func useCategory(ctx context.Context, tx *pg.Tx, code string) error {
	if code == "" {
		return nil
	}
	place := category.At(tx, code)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	if !place.Known {
		return invalid([]problem.Field{{Location: "category", Code: "category_unknown", Message: "is no category of this tenant"}})
	}
	place.Use(tx, code)
	return nil
}

func insert(tx *pg.Tx, a Article, v Version) {
	tx.Queue(`INSERT INTO article (tenant_id, id, version, state, current, draft, last, title, category, audience, language, excerpt, helped, not_helped, changed_at, terms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, $13, $14::text::tsvector)`,
		tx.Tenant(), a.ID, a.Version, a.State, a.Current, a.Draft, a.Last, a.Title, pg.OrNull(a.Category), a.Audience, a.Language, a.Excerpt,
		a.ChangedAt, Terms(tx.Tenant(), v.Text))
}

// save queues an article that is locked; its counts and terms stay.
func save(tx *pg.Tx, a Article) {
	tx.Queue(`UPDATE article SET version = $3, state = $4, current = $5, draft = $6, last = $7, title = $8, category = $9, audience = $10,
			language = $11, excerpt = $12, changed_at = $13
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), a.ID, a.Version, a.State, a.Current, a.Draft, a.Last, a.Title, pg.OrNull(a.Category), a.Audience, a.Language, a.Excerpt, a.ChangedAt)
}

// index queues what an article is found by.
func index(tx *pg.Tx, id uuid.UUID, t Text) {
	tx.Queue(`UPDATE article SET terms = $3::text::tsvector WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id, Terms(tx.Tenant(), t))
}

func saveCounts(tx *pg.Tx, a Article) {
	tx.Queue(`UPDATE article SET helped = $3, not_helped = $4 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), a.ID, a.Helped, a.NotHelped)
}

// lock gives an article that is locked until the transaction ends, or errNotFound.
func lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Article, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM article WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id))
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Article, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM article WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id))
}

// below is the code $n and all codes of the tree below it.
const below = `ARRAY(WITH RECURSIVE tree AS (
		SELECT code FROM ticket_category WHERE tenant_id = $1 AND code = $%[1]d
		UNION SELECT c.code FROM ticket_category c JOIN tree t ON c.parent = t.code WHERE c.tenant_id = $1)
	SELECT code FROM tree)`

// list gives up to limit articles that fit the filter, the latest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, before uuid.UUID, limit int) ([]Article, error) {
	where, args := []string{"tenant_id = $1", "state = $2"}, []any{tx.Tenant(), f.State}
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if before != uuid.Nil {
		only("id < $%d", before)
	}
	if f.Audience != "" {
		only("audience = $%d", f.Audience)
	}
	if f.Language != "" {
		only("language = $%d", f.Language)
	}
	if f.Category != "" {
		only("category = ANY ("+below+")", f.Category)
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s FROM article WHERE %s ORDER BY id DESC LIMIT %d`, columns, strings.Join(where, " AND "), limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Article, error) { return scan(row) })
}

// counts gives how many articles in the state there are, and then how many of them have each term: common for more than that.
func counts(ctx context.Context, tx *pg.Tx, terms []term, state State) ([]int64, error) {
	queries := make([]string, len(terms))
	for i, t := range terms {
		queries[i] = t.query
	}
	rows, err := tx.Query(ctx, `SELECT articles FROM article_counts($1::text[]::tsquery[], $2, $3) ORDER BY n`, queries, state, common)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// find asks article_find, and gives the articles as they are.
func find(ctx context.Context, tx *pg.Tx, l lookup) ([]Hit, error) {
	queries, titles, weights := make([]string, len(l.terms)), make([]string, len(l.terms)), make([]float64, len(l.terms))
	for i, t := range l.terms {
		queries[i], titles[i], weights[i] = t.query, t.title, t.weight
	}
	categories := "NULL::text[]"
	args := []any{tx.Tenant(), l.every(), queries, titles, weights, l.State, l.Audience, l.Language, l.near, l.after.Score, l.after.ID, l.limit}
	if l.Category != "" {
		args = append(args, l.Category)
		categories = fmt.Sprintf(below, len(args))
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+`, f.score, f.matched
		FROM article_find($2::text::tsquery, $3::text[]::tsquery[], $4::text[]::tsquery[], $5, $6, $7, $8, `+categories+`, $9, $10, $11, $12) f
		CROSS JOIN LATERAL (SELECT * FROM article WHERE tenant_id = $1 AND id = f.article_id LIMIT 1) a
		ORDER BY f.score DESC, f.article_id DESC`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Hit, error) {
		var h Hit
		var matched []int64
		a := &h.Article
		err := row.Scan(&a.ID, &a.Version, &a.State, &a.Current, &a.Draft, &a.Last, &a.Title, &a.Category, &a.Audience, &a.Language,
			&a.Excerpt, &a.Helped, &a.NotHelped, &a.ChangedAt, &h.Score, &matched)
		for _, n := range matched {
			h.Matched = append(h.Matched, l.terms[n-1].word)
		}
		return h, err
	})
}

const versionColumns = `no, state, title, body, keywords, coalesce(category, ''), audience, language, by_subject, written_at, published_by, published_at, archived_at`

func scanVersion(row pgx.Row) (Version, error) {
	var v Version
	var published, archived *time.Time
	err := row.Scan(&v.No, &v.State, &v.Title, &v.Body, &v.Keywords, &v.Category, &v.Audience, &v.Language, &v.By, &v.WrittenAt,
		&v.PublishedBy, &published, &archived)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoVersion
	}
	if published != nil {
		v.PublishedAt = *published
	}
	if archived != nil {
		v.ArchivedAt = *archived
	}
	return v, err
}

func version(ctx context.Context, tx *pg.Tx, id uuid.UUID, no int) (Version, error) {
	return scanVersion(tx.QueryRow(ctx, `SELECT `+versionColumns+` FROM article_version WHERE tenant_id = $1 AND article_id = $2 AND no = $3`,
		tx.Tenant(), id, no))
}

func versions(ctx context.Context, tx *pg.Tx, id uuid.UUID, before, limit int) ([]Version, error) {
	rows, err := tx.Query(ctx, `SELECT `+versionColumns+` FROM article_version WHERE tenant_id = $1 AND article_id = $2 AND no < $3
		ORDER BY no DESC LIMIT $4`, tx.Tenant(), id, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Version, error) { return scanVersion(row) })
}

func insertVersion(tx *pg.Tx, id uuid.UUID, v Version) {
	tx.Queue(`INSERT INTO article_version (tenant_id, article_id, no, state, title, body, keywords, category, audience, language, by_subject, written_at, published_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '')`,
		tx.Tenant(), id, v.No, v.State, v.Title, v.Body, v.Keywords, pg.OrNull(v.Category), v.Audience, v.Language, v.By, v.WrittenAt)
}

// saveVersion queues a version that was a draft until now.
func saveVersion(tx *pg.Tx, id uuid.UUID, v Version) {
	tx.Queue(`UPDATE article_version SET state = $4, title = $5, body = $6, keywords = $7, category = $8, audience = $9, language = $10,
			by_subject = $11, written_at = $12, published_by = $13, published_at = $14
		WHERE tenant_id = $1 AND article_id = $2 AND no = $3 AND state = 'draft'`,
		tx.Tenant(), id, v.No, v.State, v.Title, v.Body, v.Keywords, pg.OrNull(v.Category), v.Audience, v.Language, v.By, v.WrittenAt,
		v.PublishedBy, pg.OrNull(v.PublishedAt))
}

// archiveVersions queues that the article's version in the state, if there is one, is archived.
func archiveVersions(tx *pg.Tx, id uuid.UUID, state State, at time.Time) {
	tx.Queue(`UPDATE article_version SET state = 'archived', archived_at = $4 WHERE tenant_id = $1 AND article_id = $2 AND state = $3`,
		tx.Tenant(), id, state, at)
}

// lastUse gives what was said until now of an article and a ticket; nil: nothing.
func lastUse(ctx context.Context, tx *pg.Tx, id, ticketID uuid.UUID) (*bool, error) {
	var helped bool
	err := tx.QueryRow(ctx, `SELECT helped FROM article_use WHERE tenant_id = $1 AND article_id = $2 AND ticket_id = $3`, tx.Tenant(), id, ticketID).Scan(&helped)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &helped, err
}

func saveUse(tx *pg.Tx, id, ticketID uuid.UUID, helped bool, no int, by string, at time.Time) {
	tx.Queue(`INSERT INTO article_use (tenant_id, article_id, ticket_id, helped, no, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, article_id, ticket_id) DO UPDATE SET helped = $4, no = $5, by_subject = $6, at = $7`,
		tx.Tenant(), id, ticketID, helped, no, by, at)
}

// judgements fills in what was said of the articles and the ticket.
func judgements(ctx context.Context, tx *pg.Tx, ticketID uuid.UUID, hits []Hit) error {
	rows, err := tx.Query(ctx, `SELECT article_id, helped FROM article_use WHERE tenant_id = $1 AND ticket_id = $2`, tx.Tenant(), ticketID)
	if err != nil {
		return err
	}
	said := make(map[uuid.UUID]bool)
	var id uuid.UUID
	var helped bool
	if _, err := pgx.ForEachRow(rows, []any{&id, &helped}, func() error { said[id] = helped; return nil }); err != nil {
		return err
	}
	for i := range hits {
		if verdict, known := said[hits[i].ID]; known {
			hits[i].Said = &verdict
		}
	}
	return nil
}
