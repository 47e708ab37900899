package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// peopleLoaded is how many customers the figures of the customer master are measured with.
const peopleLoaded = 1_000_000

// measureCustomers loads the customers by the import's API, which is a figure itself, and then asks for them as people
// and programs do, each figure beside a plain query of the same tables in the same run.
func measureCustomers(ctx context.Context, b *bench) error {
	n := cmp.Or(b.people, length(b, peopleLoaded, 20_000))
	if err := b.loadPeople(ctx, n); err != nil {
		return err
	}
	b.say("waiting until every projection is level with the customers")
	if err := b.settleWithin(ctx, time.Hour); err != nil {
		return err
	}
	if err := b.indexed(ctx); err != nil {
		return err
	}
	if err := b.analyzed(ctx); err != nil {
		return err
	}
	for _, q := range questions(n) {
		if err := b.ask(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
	}
	return b.createThroughput(ctx, fmt.Sprintf("POST /v1/customers beside %d", n))
}

// loadPeople brings n customers in with accounts' imports at work alone, and then a few more while all services follow
// what happens: what the import can do, and what is left of that where one machine does everything at once. Both take
// the rate and the memory of the process meanwhile.
func (b *bench) loadPeople(ctx context.Context, n int) error {
	const wantedRate, wantedMemory = 20_000, 256 << 20 / 1e6
	copied, err := b.copyPeople(ctx, min(n, 100_000))
	if err != nil {
		return err
	}
	if err := b.serve(ctx, "http,workers"); err != nil {
		return err
	}
	alone, err := b.importPeople(ctx, 0, n)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("import of %d customers, events waiting", n)
	b.add(row{Name: name + ": from the first byte to the last row", Unit: "rows/s", Measured: perSecond(n, alone.took)}.
		against("COPY into one table", copied).atLeast(wantedRate),
		row{Name: name + ": from the accepted file to the last row", Unit: "rows/s", Measured: perSecond(n, alone.sinceUpload)},
		row{Name: name + ": most memory of the process", Unit: "MB", Measured: alone.memory}.atMost(wantedMemory),
		row{Name: name + ": processors' time of the program, a row", Unit: "µs", Measured: alone.program},
		row{Name: name + ": processors' time of PostgreSQL, a row", Unit: "µs", Measured: alone.database})
	if err := b.serve(ctx, ""); err != nil {
		return err
	}
	b.say("waiting until every projection is level with the customers")
	began := time.Now()
	if err := b.settleWithin(ctx, time.Hour); err != nil {
		return err
	}
	b.add(row{Name: "their events, from the table to all services' projections", Unit: "/s", Measured: perSecond(n, time.Since(began))})
	if err := b.indexed(ctx); err != nil {
		return err
	}
	more := n / 5
	beside, err := b.importPeople(ctx, n, more)
	if err != nil {
		return err
	}
	name = fmt.Sprintf("import of %d more, all services following", more)
	b.add(row{Name: name + ": from the first byte to the last row", Unit: "rows/s", Measured: perSecond(more, beside.took)},
		row{Name: name + ": most memory of the all-in-one process", Unit: "MB", Measured: beside.memory}.atMost(wantedMemory))
	return nil
}

// imported is how an import went.
type imported struct {
	took, sinceUpload time.Duration
	memory            float64 // MB, the most that the process held
	program, database float64 // processors' time of the process and of PostgreSQL, microseconds a row
}

// importPeople brings n customers in, the first of them the person of that number.
func (b *bench) importPeople(ctx context.Context, first, n int) (imported, error) {
	file, err := b.filePeople(first, n)
	if err != nil {
		return imported{}, err
	}
	most, worked := b.watchMemory(ctx), b.watchProcessors()
	began := time.Now()
	job, err := sendPeople(ctx, b.api, file)
	if err != nil {
		return imported{}, err
	}
	uploaded := time.Now()
	if job, err = b.api.WaitImport(ctx, "customers", job.ID, nil); err != nil {
		return imported{}, err
	}
	if job.State != "finished" || job.Accepted != int64(n) {
		return imported{}, fmt.Errorf("the import is %s %s: %d of %d rows were taken", job.State, job.Failure, job.Accepted, n)
	}
	done := imported{took: time.Since(began), sinceUpload: time.Since(uploaded), memory: most()}
	done.program, done.database = worked()
	done.program, done.database = done.program/float64(n)*1e6, done.database/float64(n)*1e6
	return done, nil
}

// watchProcessors begins to count the processors' time; the returned function gives what the process and PostgreSQL took
// since then, in seconds.
func (b *bench) watchProcessors() func() (program, database float64) {
	look := func() (program, database float64) {
		program, _ = processorTime(b.process.Pid())
		database, _ = processorTime(b.stack.Part(stack.Postgres).Pid())
		return program, database
	}
	program, database := look()
	return func() (float64, float64) {
		p, d := look()
		return p - program, d - database
	}
}

// filePeople writes the file that is to be sent, which is not part of what is measured: it takes a second for a million people.
func (b *bench) filePeople(first, n int) (*os.File, error) {
	file, err := os.Create(filepath.Join(b.dir, fmt.Sprintf("people-%d-%d.csv", first, n)))
	if err != nil {
		return nil, err
	}
	if err = writePeople(file, first, n); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// sendPeople uploads a file of people, and closes it.
func sendPeople(ctx context.Context, api *client.Client, file io.ReadCloser) (client.Import, error) {
	return api.StartImport(ctx, client.ImportRequest{Kind: "customers", Format: "csv", Header: true, Policy: "skip", Body: file})
}

// watchMemory looks at the process's memory until most is called, which gives the most that it was, in MB.
func (b *bench) watchMemory(ctx context.Context) (most func() float64) {
	watching, cancel := context.WithCancel(ctx)
	found := make(chan float64, 1)
	go func() {
		var highest float64
		for pause(watching, time.Second) == nil { // each look walks all of its pages
			if now, err := proportional(b.process.Pid()); err == nil {
				highest = max(highest, now*1024/1e6)
			}
		}
		found <- highest
	}()
	return func() float64 {
		cancel()
		return <-found
	}
}

// copyPeople is what cannot be beaten: the columns of the file, as text, into one table with a key, in one COPY.
func (b *bench) copyPeople(ctx context.Context, n int) (rate float64, err error) {
	conn, err := b.database(ctx, "accounts")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, `DROP TABLE IF EXISTS bench_people;
		CREATE TABLE bench_people (external text PRIMARY KEY, family text, given text, phone text, email text, card text, tags text)`); err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"bench_people"}, []string{"external", "family", "given", "phone", "email", "card", "tags"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			p := personAt(i)
			return []any{p.External, p.Family, p.Given, p.Phone, p.Email, p.Card, p.Tags}, nil
		}))
	rate = perSecond(n, time.Since(began))
	if err != nil {
		return 0, err
	}
	_, err = conn.Exec(ctx, `DROP TABLE bench_people`)
	return rate, err
}

// indexed waits until the search knows of all customers, and takes how fast it learns.
func (b *bench) indexed(ctx context.Context) (err error) {
	conn, err := b.database(ctx, "accounts")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	began, first := time.Now(), -1
	for {
		var pending int
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM customer_pending`).Scan(&pending); err != nil {
			return err
		}
		if first < 0 {
			first = pending
		}
		if pending == 0 {
			if took := time.Since(began); first > 10_000 {
				b.add(row{Name: "customers indexed for the search, when nothing else is to be done", Unit: "/s", Measured: perSecond(first, took)})
			}
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// analyzed has the planner know the tables of all services, as it does in an installation that has been running for a minute,
// and what was loaded written out: PostgreSQL would do both by itself, in the minutes in which its answers are timed.
func (b *bench) analyzed(ctx context.Context) error {
	for _, service := range client.Services() {
		if err := b.maintain(ctx, service, `VACUUM (ANALYZE)`, `CHECKPOINT`); err != nil {
			return fmt.Errorf("%s: %w", service, err)
		}
	}
	return nil
}

// maintain runs statements as the superuser in a service's database.
func (b *bench) maintain(ctx context.Context, service string, statements ...string) (err error) {
	conn, err := b.database(ctx, service)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range statements {
		if _, err = conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// measureCrashes kills the process again and again while it brings a file in, and counts whom it brought.
func measureCrashes(ctx context.Context, b *bench) error {
	const name = "bench-crashes"
	n := length(b, 300_000, 20_000)
	if err := b.ensureTenant(ctx, name); err != nil {
		return err
	}
	api, err := b.client(name, "admin")
	if err != nil {
		return err
	}
	file, err := b.filePeople(0, n)
	if err != nil {
		return err
	}
	began := time.Now()
	job, err := sendPeople(ctx, api, file)
	if err != nil {
		return err
	}
	kills := 0
	for _, share := range []float64{0.2, 0.4, 0.6, 0.8} {
		at, err := api.WaitImportAt(ctx, "customers", job.ID, share)
		if err != nil {
			return err
		}
		if at.Ended() {
			break
		}
		if err := b.process.Kill(); err != nil {
			return err
		}
		kills++
	}
	if job, err = api.WaitImport(ctx, "customers", job.ID, nil); err != nil {
		return err
	}
	took := time.Since(began)
	conn, err := b.database(ctx, "accounts")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var there, ids int64
	err = conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM customer WHERE tenant_id = $1),
		(SELECT count(DISTINCT value) FROM customer_identity WHERE tenant_id = $1 AND type = 'external:shop')`, name).Scan(&there, &ids)
	if err != nil {
		return err
	}
	if job.State != "finished" || job.Accepted != int64(n) {
		return fmt.Errorf("the import is %s %s: %d of %d rows were taken", job.State, job.Failure, job.Accepted, n)
	}
	b.add(row{Name: fmt.Sprintf("import of %d customers, the process killed %d times: lost or twice", n, kills), Unit: "customers",
		Measured: math.Abs(float64(int64(n)-there)) + math.Abs(float64(int64(n)-ids))}.atMost(0),
		row{Name: "import of customers with these crashes", Unit: "rows/s", Measured: perSecond(n, took)})
	return b.settleWithin(ctx, time.Hour)
}
