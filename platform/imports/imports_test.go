package imports_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

func TestImportBringsEveryRowInOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	v := w.ended(w.upload("", file(3500)).ID)
	require.Equal(t, "finished", v.State)
	require.Equal(t, []int64{3500, 3500, 0}, []int64{v.Rows, v.Accepted, v.Rejected})
	require.InDelta(t, 1, v.Progress, 0)
	require.NotNil(t, v.FinishedAt)
	require.Equal(t, int64(3500), w.count(`SELECT count(*) FROM person WHERE tenant_id = 'music' AND line = substr(ref, 2)::bigint + 1`))
	require.Zero(t, w.count(`SELECT count(*) FROM import_chunk`), "the file is cleared away")
}

func TestFinishedImportTellsTheWorldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	v := w.ended(w.upload("", file(10)).ID)
	id := workflowID("music", v.ID)
	require.Len(t, w.frontend.Started(), 1)
	require.Equal(t, "import-people", w.frontend.Started()[0].Type)
	require.Equal(t, "people", w.frontend.Started()[0].Queue)
	// Started anew, as after a lost answer, the workflow finds nothing to do.
	env := flowtest.Environment(t, auth.Principal{Subject: "ann", Tenant: "music"}, id)
	w.imports.Register(env)
	env.ExecuteWorkflow("import-people", map[string]any{"kind": "people", "id": v.ID})
	require.NoError(t, env.GetWorkflowError())
	relay := w.database.DB(pg.Relay)
	rows, _, err := outbox.Backlog(t.Context(), relay)
	require.NoError(t, err)
	require.Equal(t, int64(1), rows)
}

// TestRowsWithFaults is the table of what can be wrong with a row. Each file has good rows around the bad one, and they
// all go in.
func TestRowsWithFaults(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20+1)
	cases := []struct {
		name, query, file string
		accepted          int64
		rejected          []string
	}{
		{"too few columns", "", "ref,name,age\na,Ann,1\nb,Bob\nc,Cid,3\n", 2, []string{"3::column_count"}},
		{"too many columns", "", "ref,name,age\na,Ann,1\nb,Bob,2,3\nc,Cid,3\n", 2, []string{"3::column_count"}},
		{"a required value is missing", "", "ref,name,age\na, ,1\n,Bob,2\n,,\nc,Cid,3\n", 1,
			[]string{"2:name:required", "3:ref:required", "4:ref:required", "4:name:required"}},
		{"broken UTF-8", "", "ref,name,age\na,A\xffn,1\nb,Bob,2\n", 1, []string{"2::broken_utf8"}},
		{"U+0000", "", "ref,name,age\na,A\x00n,1\nb,Bob,2\n", 1, []string{"2::contains_nul"}},
		{"quote in the middle", "", "ref,name,age\na,A\"n,1\nb,Bob,2\n", 1, []string{"2::quote_misplaced"}},
		{"quote never closed", "", "ref,name,age\na,\"Ann,1\nb,Bob,2\nc,Cid,3\n", 2, []string{"2::quote_unclosed"}},
		{"too long", "", "ref,name,age\na," + long + ",1\nb,Bob,2\n", 1, []string{"2::record_too_long"}},
		{"refused by a rule of the service", "", "ref,name,age\na,nobody,1\nb,Bob,2\n", 1, []string{"2:name:name_reserved"}},
		{"refused by a problem", "", "ref,name,age\na,everybody,1\nb,Bob,2\nc,Cid,3\n", 2, []string{"2:name:not_one"}},
		{"refused by a constraint", "", "ref,name,age\na,Ann,1\nb,Bob,-2\nc,Cid,3\n", 2, []string{"3::constraint"}},
		{"not a number", "", "ref,name,age\na,Ann,1\nb,Bob,old\nc,Cid,3\n", 2, []string{"3::value_invalid"}},
		{"lines are physical lines", "", "ref,name,age\na,\"A\nn\nn\",1\n\n\nb,Bob\n", 1, []string{"7::column_count"}},
		{"CRLF and a mark at the beginning", "", "\uFEFFref,name,age\r\na,Ann,1\r\nb,Bob\r\n", 1, []string{"3::column_count"}},
		{"no line break at the end", "", "ref,name,age\na,Ann,1\nb,Bob", 1, []string{"3::column_count"}},
		{"only a header", "", "ref,name,age\n", 0, nil},
		{"white space", "?format=whitespace&mapping=ref=%232,name='x',age=%231", "1 a\n2   b\n\t3\tc \nd\n5 e f\n", 3,
			[]string{"4::column_count", "5::column_count"}},
		{"not JSON", "?format=jsonl", `{"ref":"a","name":"Ann"}` + "\nnope\n" + `{"ref":"b"` + "\n[]\n" + `{"ref":"c","name":"C"} {}` + "\n", 1,
			[]string{"2::json_malformed", "3::json_malformed", "4::json_malformed", "5::json_malformed"}},
		{"JSON of another shape", "?format=jsonl", `{"ref":"a","ref":"b","name":"Ann"}` + "\n" + `{"ref":"b","name":{"given":"Bob"}}` + "\n" +
			`{"ref":"c","name":"C","colour":"red"}` + "\n" + `{"ref":7,"name":"D","age":null}` + "\n" + `{"ref":"\u0000","name":"E"}` + "\n" +
			`{"ref":"f","name":"F","tags":[{}],"external:":"1"}` + "\n" + `{"ref":"f","name":"F","tags":[{}],"external:x":{}}` + "\n" + `{"ref":"g","name":"G","extra":["\u0000"]}` + "\n", 1,
			[]string{"1::key_duplicate", "2:name:value_not_scalar", "3::column_unknown", "5:ref:contains_nul",
				"6::column_unknown", "7:tags:value_not_scalar", "7:external:x:value_not_scalar", "8:extra:contains_nul"}},
		{"broken in the middle of a large file", "", file(5000) + "a,\xe4\xb8,1\nb,\x00,2\n" + strings.ReplaceAll(file(3000), "r", "s")[len("sef,name,age\n"):], 8000,
			[]string{"5002::broken_utf8", "5003::contains_nul"}},
	}
	all := newWorld(t)
	all.work()
	for k, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := all.as(t, fmt.Sprintf("tenant-%d", k))
			v := w.ended(w.upload(c.query, c.file).ID)
			require.Equal(t, "finished", v.State)
			require.Equal(t, c.rejected, w.rejections(v.ID, 1))
			require.Equal(t, c.accepted, v.Accepted)
			require.Equal(t, v.Rows, v.Accepted+v.Rejected)
			require.Equal(t, c.accepted, w.count(`SELECT count(*) FROM person WHERE tenant_id = $1`, w.tenant))
		})
	}
}

// TestUploadsThatCannotBegin is the table of what is wrong with an upload as a whole.
func TestUploadsThatCannotBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := "ref,name,age\na,Ann,1\n"
	cases := []struct {
		name, query, file, contentType string
		status                         int
		code                           string
	}{
		{"nothing", "", "", "", 422, "file_empty"},
		{"only blank lines", "", "\n \n\r\n", "", 422, "file_empty"},
		{"unknown format", "?format=xlsx", good, "", 422, "format_unknown"},
		{"unknown policy", "?policy=maybe", good, "", 422, "policy_unknown"},
		{"unknown truth", "?dry_run=perhaps", good, "", 422, "dry_run_unknown"},
		{"unknown parameter", "?colour=red", good, "", 422, "validation_failed"},
		{"JSON Lines with a header", "?format=jsonl&header=true", `{"ref":"a"}`, "", 422, "header_unknown"},
		{"mapping without a source", "?mapping=ref", good, "", 422, "mapping_malformed"},
		{"mapping to an unknown column", "?mapping=colour=ref", good, "", 422, "mapping_target_unknown"},
		{"mapping twice", "?mapping=ref=ref,ref=name", good, "", 422, "mapping_target_twice"},
		{"mapping from an unknown name", "?mapping=ref=reference,name=name", good, "", 422, "mapping_source_unknown"},
		{"mapping from a column too far", "?mapping=ref=%234,name=name", good, "", 422, "mapping_source_unknown"},
		{"mapping from an unknown sign", "?mapping=ref=$row,name=name", good, "", 422, "mapping_source_unknown"},
		{"mapping with an open quote", "?mapping=ref='x", good, "", 422, "mapping_malformed"},
		{"required column not mapped", "?mapping=ref=ref", good, "", 422, "column_missing"},
		{"header without a required column", "", "ref,age\na,1\n", "", 422, "column_missing"},
		{"header with an unknown column", "", "ref,name,colour\na,Ann,red\n", "", 422, "column_unknown"},
		{"no header and no mapping", "?header=false", "a,Ann,1\n", "", 422, "mapping_required"},
		{"ambiguous header", "?mapping=ref=x,name=x", "x,x\na,Ann\n", "", 422, "mapping_source_twice"},
		{"broken header", "", "ref,na\"me\na,Ann\n", "", 422, "first_line_broken"},
		{"header that never ends", "", strings.Repeat("ref,", 1<<19), "", 422, "first_line_broken"},
		{"header with a quote that never ends", "", "ref,\"" + strings.Repeat("name\n", 1<<18), "", 422, "first_line_broken"},
		{"broken UTF-8 in the header", "", "ref,na\xffme\na,Ann\n", "", 422, "first_line_broken"},
		{"U+0000 in the header", "", "ref,na\x00me\na,Ann\n", "", 422, "first_line_broken"},
		{"a policy that the kind does not know", "?policy=create", good, "", 422, "policy_unknown"},
		{"UTF-16", "", "\xff\xfer\x00e\x00f\x00", "", 422, "encoding_unknown"},
		{"a form", "", good, "multipart/form-data; boundary=x", 415, "content_type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var p struct {
				Code string `json:"code"`
			}
			resp := w.do(http.MethodPost, w.kind.Path+c.query, strings.NewReader(c.file), call{contentType: c.contentType}, &p)
			require.Equal(t, c.status, resp.StatusCode, p.Code)
			require.Equal(t, c.code, p.Code)
			require.Zero(t, w.count(`SELECT count(*) FROM import_job`))
		})
	}
}

func TestMappings(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, query, file, ref, person string }{
		{"by the header", "", "name,ref\nAnn,a\n", "a", "Ann"},
		{"by names", "?mapping=ref=Nr,name=Name", "Name,Colour,Nr\nAnn,red,a\n", "a", "Ann"},
		{"repeated", "?mapping=ref=Nr&mapping=name=Name", "Name,Colour,Nr\nAnn,red,a\n", "a", "Ann"},
		{"by a quoted name", "?mapping=ref=Nr,name=%22Last,+%22%22First%22%22%22", "\"Last, \"\"First\"\"\",Nr\nAnn,a\n", "a", "Ann"},
		{"by numbers", "?header=false&mapping=ref=%232,name=%231", "Ann,a\n", "a", "Ann"},
		{"a constant", "?mapping=ref=Nr,name='It''s,+Ann'", "Nr\na\n", "a", "It's, Ann"},
		{"the line", "?mapping=ref=$line,name=Name", "Name\n\nAnn\n", "3", "Ann"},
		{"JSON keys", "?format=jsonl&mapping=ref=nr,name=who", `{"nr":12.50,"who":" Ann ","x":{}}`, "12.50", "Ann"},
		{"a mark against formulas", "", "ref,name\n'=1+1,'@Ann\n", "=1+1", "@Ann"},
		{"several values in JSON", "?format=jsonl", `{"ref":"a","name":"Ann","tags":["x"," y ",null,7],"extra":{"k":[1, 2]}}`, "a", "Ann|x\ny\n7|{\"k\":[1, 2]}"},
		{"open columns of JSON", "?format=jsonl", `{"ref":"a","name":"Ann","external:till":7,"external:shop":"8"}`, "a", "Ann[external:shop=8 external:till=7]"},
		{"several values in CSV", "", "ref,name,tags,extra\na,Ann,\"x\ny\",\"[1, 2]\"\n", "a", "Ann|x\ny|[1, 2]"},
		{"a name with a prefix", "?mapping=ref=Nr,name=Name,external:till=Nr", "Name,Nr\nAnn,a\n", "a", "Ann"},
	}
	all := newWorld(t)
	all.work()
	for k, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := all.as(t, fmt.Sprintf("tenant-%d", k))
			v := w.ended(w.upload(c.query, c.file).ID)
			require.Equal(t, int64(1), v.Accepted, w.rejections(v.ID, 10))
			require.Equal(t, int64(1), w.count(`SELECT count(*) FROM person WHERE tenant_id = $1 AND ref = $2 AND name = $3`, w.tenant, c.ref, c.person))
		})
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	w.ended(w.upload("", "ref,name\na,Ann\n").ID)
	w.ended(w.upload("", "ref,name\na,Bob\n").ID)
	require.Equal(t, int64(1), w.count(`SELECT count(*) FROM person WHERE name = 'Ann'`))
	w.ended(w.upload("?policy=update", "ref,name\na,Bob\n").ID)
	require.Equal(t, int64(1), w.count(`SELECT count(*) FROM person WHERE name = 'Bob'`))
}

func TestDryRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	v := w.ended(w.upload("?dry_run=true", "ref,name,age\na,Ann,1\nb,Bob,-1\nc,nobody,1\nd\n").ID)
	require.Equal(t, "finished", v.State)
	require.Equal(t, []int64{4, 1, 3}, []int64{v.Rows, v.Accepted, v.Rejected})
	require.Equal(t, []string{"3::constraint", "4:name:name_reserved", "5::column_count"}, w.rejections(v.ID, 50))
	require.Zero(t, w.count(`SELECT count(*) FROM person`))
	rows, _, err := outbox.Backlog(t.Context(), w.database.DB(pg.Relay))
	require.NoError(t, err)
	require.Zero(t, rows)
}

func TestRejectedRowsCanBeDownloaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	v := w.ended(w.upload("", "ref,name,age\na,Ann,1\n\"b, \"\"B\"\"\",,\n,,\n").ID)
	var text string
	resp := w.do(http.MethodGet, w.kind.Path+"/"+v.ID.String()+"/rejections.csv", nil, call{}, &text)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/csv; charset=utf-8", resp.Header.Get("Content-Type"))
	require.Equal(t, "line,row,column,code,reason,content\n"+
		"3,2,name,required,must have a value,\"\"\"b, \"\"\"\"B\"\"\"\"\"\",,\"\n"+
		"4,3,ref,required,must have a value,\",,\"\n"+
		"4,3,name,required,must have a value,\n", text)
}

func TestSameKeyIsTheSameImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := func(key, query, content string) (int, imports.View, *http.Response) {
		var v imports.View
		resp := w.do(http.MethodPost, w.kind.Path+query, strings.NewReader(content), call{key: key}, &v)
		return resp.StatusCode, v, resp
	}
	status, first, _ := post("k1", "", file(20))
	require.Equal(t, http.StatusAccepted, status)
	status, again, resp := post("k1", "", file(20))
	require.Equal(t, http.StatusAccepted, status)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, "true", resp.Header.Get("Idempotent-Replay"))
	status, _, _ = post("k1", "", file(21))
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, _, _ = post("k1", "?policy=update", file(20))
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, other, _ := post("k2", "", file(20))
	require.Equal(t, http.StatusAccepted, status)
	require.NotEqual(t, first.ID, other.ID)
	require.Equal(t, int64(2), w.count(`SELECT count(*) FROM import_job`))
	require.Equal(t, int64(2), w.count(`SELECT count(*) FROM import_chunk`))
}

func TestTenantsDoNotSeeEachOthersImports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	v := w.ended(w.upload("", "ref,name\na,\n").ID)
	for _, path := range []string{"", "/rejections", "/rejections.csv"} {
		resp := w.do(http.MethodGet, w.kind.Path+"/"+v.ID.String()+path, nil, call{tenant: "pizza"}, nil)
		require.Equal(t, http.StatusNotFound, resp.StatusCode, path)
	}
	resp := w.do(http.MethodPost, w.kind.Path+"/"+v.ID.String()+"/cancel", nil, call{tenant: "pizza"}, nil)
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	var list struct {
		Items []imports.View `json:"items"`
	}
	w.do(http.MethodGet, w.kind.Path, nil, call{tenant: "pizza"}, &list)
	require.Empty(t, list.Items)
	w.do(http.MethodGet, w.kind.Path, nil, call{}, &list)
	require.Len(t, list.Items, 1)
}

func TestUploadThatBreaksOffLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	part := strings.NewReader(file(100_000)) // more than one transaction of the upload
	broken := io.MultiReader(part, failing{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+w.kind.Path, broken)
	require.NoError(t, err)
	token, err := w.issuer.Token(auth.TokenRequest{Subject: "ann", Tenant: "music", Roles: []string{auth.RoleIntegrator}}, time.Now())
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "text/csv")
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	require.Error(t, err)
	require.Eventually(t, func() bool {
		return w.count(`SELECT count(*) FROM import_job`) == 0 && w.count(`SELECT count(*) FROM import_chunk`) == 0
	}, 20*time.Second, 20*time.Millisecond)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line went dead") }

func TestCancelStopsBetweenBatches(t *testing.T) {
	t.Parallel()
	var w *world
	w = newWorld(t, func(k *imports.Kind) {
		k.Apply = func(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
			if rows[0].Number == 2001 {
				// From outside, while the batch is worked on; it is heard before the next.
				go w.do(http.MethodPost, w.kind.Path+"/"+job.ID.String()+"/cancel", nil, call{}, nil)
				waitForLock(ctx, w)
			}
			return apply(ctx, tx, job, rows)
		}
	})
	w.work()
	v := w.ended(w.upload("", file(10_000)).ID)
	require.Equal(t, "cancelled", v.State)
	require.Equal(t, w.count(`SELECT count(*) FROM person`), v.Rows, "what was brought in stays and is counted")
	require.Less(t, v.Rows, int64(10_000))
	require.GreaterOrEqual(t, v.Rows, int64(3000))
	require.Zero(t, w.count(`SELECT count(*) FROM import_chunk`))

	resp := w.do(http.MethodPost, w.kind.Path+"/"+v.ID.String()+"/cancel", nil, call{}, nil)
	require.Equal(t, http.StatusAccepted, resp.StatusCode, "again changes nothing")
	done := w.ended(w.upload("", file(1)).ID)
	resp = w.do(http.MethodPost, w.kind.Path+"/"+done.ID.String()+"/cancel", nil, call{}, nil)
	require.Equal(t, http.StatusConflict, resp.StatusCode)
}

// waitForLock waits until a session waits for the lock on the import's row: the cancellation.
func waitForLock(ctx context.Context, w *world) {
	for ctx.Err() == nil && w.count(`SELECT count(*) FROM pg_locks WHERE NOT granted`) == 0 {
		time.Sleep(time.Millisecond)
	}
}

func TestSweepStartsWhatWasLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.upload("", file(10)).ID
	lost := flowtest.NewFrontend(t) // a Temporal that never heard of it
	again := imports.New(w.db, outbox.New("people"), lost.Client(), "people", w.kind, w.clock)
	later := time.Now().Add(time.Minute)
	w.now.Store(&later)
	require.NoError(t, again.Sweep(t.Context()))
	require.NoError(t, again.Sweep(t.Context()))
	require.Len(t, lost.Started(), 1, "once")
	lost.Work(again.Register)
	require.NoError(t, lost.Wait(t.Context(), workflowID("music", id)))
	require.Equal(t, "finished", w.read(id).State)
	require.NoError(t, again.Sweep(t.Context()))
	require.Len(t, lost.Started(), 1, "nothing is left to be done")
}

func TestSweepForgetsBrokenUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.upload("", file(10)).ID
	require.NoError(t, w.db.Tx(t.Context(), "music", func(tx *pg.Tx) error {
		tx.Queue(`UPDATE import_job SET state = 'uploading' WHERE id = $1`, id)
		return nil
	}))
	resp := w.do(http.MethodGet, w.kind.Path+"/"+id.String(), nil, call{}, nil)
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.NoError(t, w.imports.Sweep(t.Context()))
	require.Equal(t, int64(1), w.count(`SELECT count(*) FROM import_job`), "it may still be coming in")
	later := time.Now().Add(time.Hour)
	w.now.Store(&later)
	require.NoError(t, w.imports.Sweep(t.Context()))
	require.Zero(t, w.count(`SELECT count(*) FROM import_job`))
	require.Zero(t, w.count(`SELECT count(*) FROM import_chunk`))
}

func TestSweepDeletesRejectedRowsAfterAMonth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work()
	v := w.ended(w.upload("", "ref,name\na,\nb,\nc,Cid\n").ID)
	for _, c := range []struct{ days, kept int }{{29, 2}, {31, 0}} {
		later := time.Now().AddDate(0, 0, c.days)
		w.now.Store(&later)
		require.NoError(t, w.imports.Sweep(t.Context()))
		require.Len(t, w.rejections(v.ID, 50), c.kept)
	}
	require.Equal(t, int64(2), w.read(v.ID).Rejected, "how many there were stays")
}

func TestImportsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []uuid.UUID
	for range 5 {
		want = append([]uuid.UUID{w.upload("", file(1)).ID}, want...)
	}
	var got []uuid.UUID
	for cursor := ""; ; {
		var page struct {
			Items      []imports.View `json:"items"`
			NextCursor string         `json:"next_cursor"`
		}
		resp := w.do(http.MethodGet, w.kind.Path+"?limit=2&cursor="+cursor, nil, call{}, &page)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		for _, v := range page.Items {
			require.Equal(t, "accepted", v.State)
			got = append(got, v.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	require.Equal(t, want, got)
	resp := w.do(http.MethodGet, w.kind.Path+"?cursor=broken", nil, call{}, nil)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	resp = w.do(http.MethodGet, w.kind.Path+"?limit=10000", nil, call{}, nil)
	require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode)
}

func TestOperationsAreDocumented(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var doc string
	resp := w.do(http.MethodGet, "/openapi/people.yaml", nil, call{}, &doc)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	for _, want := range []string{"/v1/people/imports:", "/v1/people/imports/{id}/rejections.csv:", "what the person is called elsewhere"} {
		require.True(t, bytes.Contains([]byte(doc), []byte(want)), want)
	}
}
