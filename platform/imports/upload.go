package imports

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
)

// chunksPerTx bounds the transactions of an upload: 2 MiB each.
const chunksPerTx = 8

// upload takes a file in: what is wrong with the request as a whole is answered at once, what is wrong with a row is
// found later.
func (i *Imports) upload(c *gin.Context) error {
	ctx := c.Request.Context()
	principal, ok := auth.From(ctx)
	if !ok {
		return errors.New("imports: an upload without a principal")
	}
	s, how, err := i.request(c, principal)
	if err != nil {
		return err
	}
	body := httpx.HashBody(c)
	file := bufio.NewReaderSize(body, maxRecord+1)
	if err := i.look(file, &s, how); err != nil {
		return err
	}
	if err := i.check(ctx, &s); err != nil {
		return err
	}
	if err := i.receive(ctx, file, &s); err != nil {
		i.forget(ctx, &s)
		return err
	}
	done, err := i.accept(body.Context(), &s)
	if err != nil || done.Replayed {
		i.forget(ctx, &s)
	}
	if err != nil {
		return err
	}
	if done.Replayed {
		httpx.MarkReplayed(ctx)
		if s, err = i.find(ctx, s.Tenant, done.ID); err != nil {
			return err
		}
	} else if err := i.start(ctx, &s); err != nil {
		i.flow.Log().WarnContext(ctx, "import is accepted but could not be started; the sweep will", "import", s.ID, "error", err)
	}
	c.Header("Location", i.kind.Path+"/"+s.ID.String())
	c.JSON(http.StatusAccepted, i.view(&s))
	return nil
}

// reading is how the request says the file is to be read.
type reading struct {
	header  bool
	mapping []assignment
}

// request reads the parameters of an upload.
func (i *Imports) request(c *gin.Context, p auth.Principal) (stored, reading, error) {
	query := c.Request.URL.Query()
	id, err := uuid.NewV7()
	if err != nil {
		return stored{}, reading{}, err
	}
	now := i.clock()
	s := stored{
		Job: Job{ID: id, Tenant: p.Tenant, Kind: i.kind.Name, State: Uploading, Policy: Policy(query.Get("policy")),
			CreatedAt: now.UTC()},
		Format: format(query.Get("format")), Actor: p, Trace: telemetry.Inject(c.Request.Context()), UpdatedAt: now,
	}
	switch s.Format {
	case formatCSV, formatJSONL, formatWhitespace:
	case "":
		s.Format = formatCSV
	default:
		return s, reading{}, invalid("format_unknown", "query.format", "the format %q is not known; there are csv, jsonl and whitespace", s.Format)
	}
	switch known := i.kind.policies(); {
	case s.Policy == "":
		s.Policy = known[0]
	case !slices.Contains(known, s.Policy):
		return s, reading{}, invalid("policy_unknown", "query.policy", "the policy %q is not known; there are %s", s.Policy, list(known))
	}
	how := reading{}
	if s.DryRun, err = truth(query.Get("dry_run"), "dry_run", false); err != nil {
		return s, how, err
	}
	if how.header, err = truth(query.Get("header"), "header", s.Format == formatCSV); err != nil {
		return s, how, err
	}
	if s.Format == formatJSONL && how.header {
		return s, how, invalid("header_unknown", "query.header", "JSON Lines have no header")
	}
	how.mapping, err = parseMapping(query["mapping"])
	return s, how, err
}

// list names policies for people.
func list(known []Policy) string {
	names := make([]string, len(known))
	for k, p := range known {
		names[k] = string(p)
	}
	return strings.Join(names, ", ")
}

func truth(s, name string, otherwise bool) (bool, error) {
	switch s {
	case "":
		return otherwise, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, invalid(name+"_unknown", "query."+name, "%q is neither true nor false", s)
	}
}

// look reads the beginning of the file, without taking it, and makes the plan: where the rows begin and what fills
// their columns.
func (i *Imports) look(file *bufio.Reader, s *stored, how reading) error {
	head, err := file.Peek(maxRecord + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.HasPrefix(head, []byte{0xFF, 0xFE}) || bytes.HasPrefix(head, []byte{0xFE, 0xFF}) {
		return invalid("encoding_unknown", "body", "the file is in UTF-16; save it as UTF-8")
	}
	if bytes.HasPrefix(head, []byte("\uFEFF")) {
		s.Position, head = 3, head[3:]
	}
	scan := newScanner(bytes.NewReader(head), s.Format, s.Position, 0)
	first, err := scan.next()
	if errors.Is(err, io.EOF) {
		return invalid("file_empty", "body", "the file is empty")
	}
	if err != nil {
		return err
	}
	var fields []string
	switch {
	case s.Format == formatJSONL:
	case first.fault != nil:
		return invalid("first_line_broken", "body", "the first line %s", first.fault.reason)
	case s.Format == formatCSV:
		fields = splitCSV(first.raw, nil)
	default:
		fields = strings.Fields(first.raw)
	}
	var header []string
	if how.header {
		for _, name := range fields {
			header = append(header, strings.TrimSpace(name))
		}
		s.Position, s.Line = scan.position, scan.line
	}
	if s.Plan, err = resolve(i.kind, s.Format, how.mapping, header, len(fields)); err != nil {
		return err
	}
	s.Columns = s.Plan.columns()
	return nil
}

// check refuses a mapping to columns that only other tenants have.
func (i *Imports) check(ctx context.Context, s *stored) error {
	if i.kind.Check == nil {
		return nil
	}
	var unknown []string
	err := i.db.Read(ctx, s.Tenant, func(tx *pg.Tx) (err error) {
		unknown, err = i.kind.Check(ctx, tx, s.Columns)
		return err
	})
	if err == nil && len(unknown) > 0 {
		return invalid("mapping_target_unknown", "query.mapping", "%q is no column of this tenant", unknown[0])
	}
	return err
}

// receive stores the file in chunks, a few a transaction. It holds no more of it than that.
func (i *Imports) receive(ctx context.Context, file io.Reader, s *stored) error {
	buffer := make([]byte, chunksPerTx*chunkSize)
	for n := 0; ; n += chunksPerTx {
		size, err := io.ReadFull(file, buffer)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		err = i.db.Tx(ctx, s.Tenant, func(tx *pg.Tx) error {
			if n == 0 {
				if err := s.insert(tx); err != nil {
					return err
				}
			}
			for k := 0; k*chunkSize < size; k++ {
				tx.Queue(`INSERT INTO import_chunk (tenant_id, import_id, n, bytes) VALUES ($1, $2, $3, $4)`,
					s.Tenant, s.ID, n+k, buffer[k*chunkSize:min(size, (k+1)*chunkSize)])
			}
			tx.Queue(`UPDATE import_job SET bytes = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2`,
				s.Tenant, s.ID, s.Bytes+int64(size), i.clock())
			return nil
		})
		if err != nil {
			return err
		}
		s.Bytes += int64(size)
		if last {
			return nil
		}
	}
}

// accept makes the upload an import, once a key: an earlier one with the same key is given instead.
func (i *Imports) accept(ctx context.Context, s *stored) (pg.Result, error) {
	s.State = Accepted
	return i.db.Command(ctx, s.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		tag, err := tx.ExecNow(ctx, `UPDATE import_job SET state = 'accepted', updated_at = $3
			WHERE tenant_id = $1 AND id = $2 AND state IN ('uploading', 'accepted')`, s.Tenant, s.ID, i.clock())
		if err == nil && tag.RowsAffected() == 0 {
			err = problem.New(problem.Unavailable, "upload_lost", "The upload was given up meanwhile. Send the file again.")
		}
		return pg.Result{ID: s.ID, Status: http.StatusAccepted}, err
	})
}

// forget discards an upload that came to nothing, even when its request is gone. What it cannot discard now, the sweep
// will.
func (i *Imports) forget(ctx context.Context, s *stored) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := i.discard(ctx, s.Tenant, s.ID); err != nil {
		i.flow.Log().WarnContext(ctx, "broken upload stays until the sweep", "import", s.ID, "error", err)
	}
}
