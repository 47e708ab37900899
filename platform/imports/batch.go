package imports

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Bounds of one batch: rows, and bytes of the file.
const (
	batchRows  = 1000
	batchBytes = 4 << 20
)

// batch is a run of records that is brought in by one transaction.
type batch struct {
	rows           []Row
	count          int64 // records, those that cannot be read included
	rejected       []rejected
	position, line int64 // behind it
	ended          bool  // it reaches the end of the file
	last           bool  // none comes after it in this round
	err            error // why it could not be read

	values []string // of all rows
	used   int      // of values
}

// rejected is a rejection with the row it is about.
type rejected struct {
	Rejection
	number int64
	raw    string
}

// reader makes batches of a file.
type reader struct {
	scanner *scanner
	parser  *parser
	number  int64 // data rows read so far

	// together is the place of the column by which rows belong together, -1 where each is for itself, and column its name. Then
	// a batch goes on to the end of those that it began; held is the record that was seen to be none of them.
	together int
	column   string
	held     *record
}

// next gives the next record.
func (r *reader) next() (record, error) {
	if r.held == nil {
		return r.scanner.next()
	}
	rec := *r.held
	r.held = nil
	return rec, nil
}

// read fills b with the next records. What b held before is no longer valid.
func (r *reader) read(b *batch) error {
	b.rows, b.rejected, b.count, b.ended, b.used = b.rows[:0], b.rejected[:0], 0, false, 0
	at := run{column: r.column}
	for begin := r.scanner.position; ; {
		full := len(b.rows) >= batchRows || b.count >= 2*batchRows || r.scanner.position-begin >= batchBytes
		if full && r.together < 0 {
			break
		}
		b.position, b.line = r.scanner.position, r.scanner.line
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			b.ended = true
			break
		}
		if err != nil {
			return err
		}
		values := b.place(len(r.parser.schema.columns))
		faults := r.parser.row(rec, values)
		if r.together >= 0 {
			key := at.keyOf(values, r.together, faults)
			if full && at.over(key) {
				at.end(b)
				r.held = &rec
				return nil
			}
			if err := b.bounded(r.scanner.position - begin); err != nil {
				return err
			}
			at.add(b, key, rec.line, len(faults) > 0)
		}
		b.count++
		r.number++
		for _, f := range faults {
			b.rejected = append(b.rejected, rejected{
				Rejection: Rejection{Line: rec.line, Column: f.column, Code: f.code, Reason: f.reason},
				number:    r.number, raw: rec.raw,
			})
		}
		if len(faults) == 0 {
			b.rows = append(b.rows, Row{Line: rec.line, Number: r.number, schema: r.parser.schema, values: values, more: r.parser.more, raw: rec.raw})
			b.used += len(values)
		}
	}
	at.end(b)
	b.position, b.line = r.scanner.position, r.scanner.line
	return nil
}

// place gives room for the values of the next row, which is taken where the row is one of the batch.
func (b *batch) place(width int) []string {
	if b.values == nil {
		b.values = make([]string, batchRows*width)
	}
	if b.used+width > len(b.values) {
		return make([]string, width) // of a batch that goes on
	}
	return b.values[b.used : b.used+width : b.used+width]
}

// errMoved says that somebody else works on the import: this attempt is a leftover.
var errMoved = errors.New("the import was moved on by another attempt")

// errCancelled says that the import is to stop.
var errCancelled = errors.New("the import is cancelled")

// errDryRun undoes what a dry run applied.
var errDryRun = errors.New("dry run")

// commit applies a batch in one transaction and moves the import behind it. s is how the import stands before, as far as that
// is known: where another batch is being written before this one, the import is moved when that is done.
func (i *Imports) commit(ctx context.Context, s stored, b *batch, before *writing) (next stored, err error) {
	err = i.db.Tx(ctx, s.Tenant, func(tx *pg.Tx) error {
		if s.Rows > 0 || before != nil { // a plan that is made while the tables are empty, and kept, knows no good index from a bad one
			tx.PlanForAny()
		}
		if i.kind.Apart != nil {
			tx.WaitAtMost(longestWait)
		}
		var found []Rejection
		if before != nil {
			if found, err = i.apply(ctx, tx, s.Job, b.rows); err != nil {
				return err
			}
			if s, err = before.follow(ctx); err != nil {
				return err
			}
		}
		if next, err = i.moved(ctx, tx, s); err != nil {
			return err
		}
		if before == nil {
			if found, err = i.apply(ctx, tx, next.Job, b.rows); err != nil {
				return err
			}
		}
		all, err := b.rejections(found)
		if err != nil {
			return err
		}
		saveRejections(tx, &next, next.Rejections, all)
		next.Position, next.Line, next.UpdatedAt = b.position, b.line, i.clock()
		next.Rows += b.count
		next.Rejected += distinct(all)
		next.Accepted = next.Rows - next.Rejected
		next.Rejections += int64(len(all))
		tx.Queue(`UPDATE import_job SET position = $3, line = $4, row_count = $5, accepted = $6, rejected = $7,
				rejections = $8, updated_at = $9 WHERE tenant_id = $1 AND id = $2`,
			s.Tenant, s.ID, next.Position, next.Line, next.Rows, next.Accepted, next.Rejected, next.Rejections, next.UpdatedAt)
		return nil
	})
	return next, err
}

// moved locks the import and gives how it stands, which must be as in s still.
func (i *Imports) moved(ctx context.Context, tx *pg.Tx, s stored) (stored, error) {
	now, err := i.load(ctx, tx, s.ID, true)
	switch {
	case err != nil:
		return now, err
	case now.State != Running || now.Position != s.Position:
		return now, errMoved
	case now.CancelRequested:
		return now, errCancelled
	}
	return now, nil
}

// apply brings the rows in, or for a dry run finds out what would be rejected.
func (i *Imports) apply(ctx context.Context, tx *pg.Tx, job Job, rows []Row) (found []Rejection, err error) {
	if len(rows) == 0 {
		return nil, nil
	}
	if !job.DryRun {
		return i.bisect(ctx, tx, job, rows)
	}
	err = tx.Savepoint(ctx, func() error {
		if found, err = i.bisect(ctx, tx, job, rows); err != nil {
			return err
		}
		return errDryRun
	})
	if errors.Is(err, errDryRun) && !pg.Transient(err) {
		err = nil
	}
	return found, err
}

// bisect applies the rows under a savepoint. When they fail by their own fault they are halved until the culprits stand
// alone, so that one bad row does not stop the others.
func (i *Imports) bisect(ctx context.Context, tx *pg.Tx, job Job, rows []Row) (found []Rejection, err error) {
	err = tx.Savepoint(ctx, func() error {
		if found, err = i.kind.Apply(ctx, tx, job, rows); err != nil {
			return err
		}
		return tx.Flush(ctx)
	})
	switch {
	case err == nil:
		return found, nil
	case !ownFault(err):
		return nil, err
	case len(rows) == 1:
		return []Rejection{reject(rows[0], err)}, nil
	}
	place, _ := i.kind.together(job.Columns)
	middle := half(rows, place)
	if middle == 0 {
		found = nil
		for _, row := range rows {
			found = append(found, reject(row, err))
		}
		return found, nil
	}
	first, err := i.bisect(ctx, tx, job, rows[:middle])
	if err != nil {
		return nil, err
	}
	second, err := i.bisect(ctx, tx, job, rows[middle:])
	return append(first, second...), err
}

// ownFault tells whether the rows are to blame: a problem of the caller's kind, a broken constraint, a value that the
// database cannot take, or a refusal of one of its functions.
func ownFault(err error) bool {
	if pg.Transient(err) {
		return false
	}
	if problem.CallersFault(err) {
		return true
	}
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code[:2] == "22" || pe.Code[:2] == "23" || pe.Code == "P0001")
}

// reject says of one row why it failed, without the database's words, which may repeat another row's values.
func reject(row Row, err error) Rejection {
	r := Rejection{Line: row.Line}
	var p *problem.Error
	if errors.As(err, &p) {
		r.Code, r.Reason = p.Code, p.Detail
		if len(p.Fields) == 1 {
			r.Column, r.Reason = p.Fields[0].Location, p.Fields[0].Message
		}
		return r
	}
	if name, ok := pg.Constraint(err); ok {
		r.Code, r.Reason = "constraint", "breaks the rule "+name
		return r
	}
	r.Code, r.Reason = "value_invalid", "has a value that cannot be stored"
	return r
}

// rejections joins what could not be read with what was not taken, in the order of the file.
func (b *batch) rejections(found []Rejection) ([]rejected, error) {
	all := append([]rejected(nil), b.rejected...)
	if len(found) > 0 {
		rows := make(map[int64]Row, len(b.rows))
		for _, row := range b.rows {
			rows[row.Line] = row
		}
		for _, f := range found {
			row, ok := rows[f.Line]
			if !ok {
				return nil, fmt.Errorf("rejected line %d is not of this batch", f.Line)
			}
			all = append(all, rejected{Rejection: f, number: row.Number, raw: row.raw})
		}
	}
	sortByLine(all)
	return all, nil
}

func sortByLine(all []rejected) {
	slices.SortStableFunc(all, func(a, b rejected) int { return cmp.Compare(a.Line, b.Line) })
}

// distinct counts the rows that sorted rejections are about.
func distinct(all []rejected) (n int64) {
	for i := range all {
		if i == 0 || all[i].Line != all[i-1].Line {
			n++
		}
	}
	return n
}

// saveRejections queues the rejections; the row itself stands with its first one.
func saveRejections(tx *pg.Tx, s *stored, before int64, all []rejected) {
	if len(all) == 0 {
		return
	}
	var (
		n, lines, numbers      []int64
		columns, codes, reason []string
		raws                   [][]byte
	)
	for k, r := range all {
		n = append(n, before+int64(k)+1)
		lines, numbers = append(lines, r.Line), append(numbers, r.number)
		columns, codes, reason = append(columns, clean(r.Column)), append(codes, r.Code), append(reason, clean(r.Reason))
		var raw []byte
		if k == 0 || all[k-1].Line != r.Line {
			raw = []byte(r.raw)
		}
		raws = append(raws, raw)
	}
	tx.Queue(`INSERT INTO import_rejection (tenant_id, import_id, n, line, row_number, column_name, code, reason, raw)
		SELECT $1, $2, u.* FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bytea[]) u`,
		s.Tenant, s.ID, n, lines, numbers, columns, codes, reason, raws)
}

// clean makes a reason that may repeat a broken value fit to be stored.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "�"), "�")
}
