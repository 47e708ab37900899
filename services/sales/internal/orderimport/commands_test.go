package orderimport_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

const imports = "/v1/orders/imports"

// cohort is how the file of the music shop is read: each line is an order, known by its number.
var cohort = url.Values{"format": {"whitespace"}, "header": {"true"}, "mapping": {
	"external_id=$line,customer=#1,customer_system='cdnow',placed_at=#2,quantity=#3,amount=#4,currency='USD'",
}}

// header is the first line of the music shop's file.
const header = " customer_id  date number_of_cds  dollar_value\r\n"

// bring uploads a file and waits until its import has ended.
func bring(w *salestest.World, token string, query url.Values, file string) apptest.Import {
	return w.Ended(w.Upload(imports, token, query, file))
}

func TestGoodRowsGoInAndBadOnesAreNamed(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	integrator := w.Token(auth.RoleIntegrator, "music")
	v := bring(w, integrator, cohort, header+
		" 00001 19970101  1   11.77\r\n"+
		" 00001 19970101  1   11.77\r\n"+ // a purchase of its own: another line
		" 00002 19970231  1   12.00\r\n"+
		" 00002 19970112  0   12.00\r\n"+
		" 00002 19970112  5   77.001\r\n"+
		" 00002 19970112  5   -77.00\r\n"+
		" 00002 19970112  five   77.00\r\n"+
		" 00003 19970102  2    0.00\r\n")
	if v.State != "finished" || v.Rows != 8 || v.Accepted != 3 || v.Rejected != 5 {
		t.Fatalf("%+v", v)
	}
	var got []string
	for _, r := range w.Rejections(v) {
		got = append(got, r.String())
	}
	if want := []string{
		"4 placed_at time_malformed", "5 quantity quantity_out_of_range", "6 amount amount_too_precise",
		"7 amount amount_negative", "8 quantity quantity_malformed",
	}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if n := w.Count(`SELECT sum(total_minor)::bigint FROM sales_order`); n != 2354 {
		t.Errorf("revenue %d, want 2354", n)
	}
	if n := len(w.EventsOf("OrderPlaced", 3)); n != 3 {
		t.Errorf("%d orders were told of, want 3", n)
	}
}

func TestAFileBroughtTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	integrator := w.Token(auth.RoleIntegrator, "music")
	var file strings.Builder
	file.WriteString(header)
	for n := range 2500 { // three batches
		fmt.Fprintf(&file, "%05d 19970101 2 1.25\n", n/2)
	}
	for range 2 {
		if v := bring(w, integrator, cohort, file.String()); v.State != "finished" || v.Accepted != 2500 || v.Rejected != 0 {
			t.Fatalf("%+v", v)
		}
	}
	other := bring(w, integrator, cohort, strings.Replace(file.String(), "1.25", "1.26", 1))
	if other.Accepted != 2499 || other.Rejected != 1 {
		t.Fatalf("a file with one other amount: %+v", other)
	}
	if n := w.Count(`SELECT count(*) FROM sales_order`); n != 2500 {
		t.Fatalf("%d orders, want 2500", n)
	}
	if n := w.Count(`SELECT sum(total_minor)::bigint FROM sales_order`); n != 2500*125 {
		t.Fatalf("revenue %d", n)
	}
	if n := len(w.EventsOf("OrderPlaced", 2500)); n != 2500 {
		t.Fatalf("%d events", n)
	}
}

// TestImportedOrdersFindTheirCustomers brings orders in while the news of their customers comes in.
func TestImportedOrdersFindTheirCustomers(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var file strings.Builder
	file.WriteString(header)
	const customers, orders = 300, 3000
	for n := range orders {
		fmt.Fprintf(&file, "%05d 19970101 1 1.00\n", n%customers)
	}
	integrator := w.Token(auth.RoleIntegrator, "music")
	running := w.Upload(imports, integrator, cohort, file.String())
	for n := range customers {
		w.Tell("music", uuid.Must(uuid.NewV7()), "cdnow", fmt.Sprintf("%05d", n))
	}
	if v := w.Ended(running); v.Accepted != orders {
		t.Fatalf("%+v", v)
	}
	w.Eventually("every order has its customer", func() bool {
		return w.Count(`SELECT count(*) FROM sales_order o JOIN customer_ref r USING (tenant_id, customer_id)
			WHERE r.system = o.customer_system AND r.external_id = o.customer_external_id`) == orders
	})
}

// invoices is a file in which orders have lines.
var invoices = url.Values{"format": {"csv"}, "header": {"true"}}

const invoicesHeader = "external_id,line,customer,customer_system,placed_at,quantity,amount,currency,sku,channel\n"

func TestOrdersOfSeveralLinesComeInWhereverAFileIsCut(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	integrator := w.Token(auth.RoleIntegrator, "music")
	var file strings.Builder
	file.WriteString(invoicesHeader)
	rows, orders := 0, 0
	for ; rows < 3500; orders++ { // cut three times, in the middle of an order each time
		for l := range 7 {
			fmt.Fprintf(&file, "I%d,%d,c%d,erp,20261120,2,10.0%d,USD,CD-%d,till\n", orders, l+1, orders%50, l, l)
			rows++
		}
	}
	for range 2 {
		if v := bring(w, integrator, invoices, file.String()); v.State != "finished" || v.Accepted != int64(rows) || v.Rejected != 0 {
			t.Fatalf("%+v", v)
		}
	}
	if n := w.Count(`SELECT count(*) FROM sales_order WHERE units = 14 AND total_minor = 7021`); n != int64(orders) {
		t.Errorf("%d orders have their 7 lines, want %d", n, orders)
	}
	if n := len(w.EventsOf("OrderPlaced", orders)); n != orders {
		t.Errorf("%d orders were told of", n)
	}
	other := bring(w, integrator, invoices, strings.Replace(file.String(), "I3,2,c3,erp,20261120,2,10.01", "I3,2,c3,erp,20261120,2,10.02", 1))
	if other.Rejected != 7 {
		t.Errorf("with one other line: %+v", other)
	}
	for _, r := range w.Rejections(other) {
		if r.String() != fmt.Sprintf("%d external_id order_differs", r.Line) {
			t.Errorf("%s", r)
		}
	}
}

func TestAnOrderThatContradictsItselfIsLeftOutWhole(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	integrator := w.Token(auth.RoleIntegrator, "music")
	v := bring(w, integrator, invoices, invoicesHeader+
		"A,1,c1,erp,20261120,1,10.00,USD,X,till\nA,2,c1,erp,20261120,1,10.00,EUR,Y,till\n"+
		"B,1,c1,erp,20261120,1,10.00,USD,X,till\nB,2,c1,erp,20261120,1,,USD,Y,till\n"+
		"C,1,c1,erp,20261120,1,10.00,USD,X,till\nC,2,c1,erp,20261120,1,5.00,USD,Y,till\n"+
		"A,1,c1,erp,20261120,1,10.00,USD,X,till\n")
	var got []string
	for _, r := range w.Rejections(v) {
		got = append(got, r.String())
	}
	want := []string{"2 external_id together_incomplete", "3 currency currency_mixed", "4 external_id together_incomplete", "5 amount required"}
	if !slices.Equal(got, want) || v.Accepted != 3 {
		t.Fatalf("%+v %q", v, got)
	}
	if n := w.Count(`SELECT count(*) FROM sales_order WHERE (external_id, total_minor) IN (('A', 1000), ('C', 1500))`); n != 2 {
		t.Errorf("%d of the two good orders are there", n)
	}
}

func TestRowsOfErasedCustomersAreRefused(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	integrator := w.Token(auth.RoleIntegrator, "music")
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	w.Tell("music", wei, "erp", "wei")
	w.Eventually("the name is known", func() bool { return w.Count(`SELECT count(*) FROM customer_ref`) == 1 })
	w.AskToErase("music", wei)
	const header = "external_id,line,customer_id,customer,customer_system,system,placed_at,quantity,amount,currency\n"
	v := bring(w, integrator, invoices, header+
		"A,1,"+wei.String()+",,,erp,20261120,1,10.00,USD\nA,2,"+wei.String()+",,,erp,20261120,1,10.00,USD\n"+
		"B,1,"+li.String()+",,,erp,20261120,1,10.00,USD\nC,1,,wei,erp,,20261120,1,10.00,USD\n")
	var got []string
	for _, r := range w.Rejections(v) {
		got = append(got, r.String())
	}
	if want := []string{"2 customer_id customer_erased", "3 customer_id customer_erased"}; !slices.Equal(got, want) {
		t.Fatalf("%+v %q", v, got)
	}
	if n := w.Count(`SELECT count(*) FROM sales_order WHERE external_id = 'B' AND customer_id = $1 OR external_id = 'C' AND customer_id IS NULL`, li); n != 2 {
		t.Errorf("%d of the two others are there: one by the id, one of a name that is nobody's", n)
	}
}
