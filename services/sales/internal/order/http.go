package order

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type refView struct {
	System string `json:"system" doc:"The other system's code." example:"shop" maxLength:"32"`
	ID     string `json:"id" doc:"The id as that system writes it." example:"2026-0017" maxLength:"128"`
}

func showRef(r externalref.Ref) *refView {
	if r.IsZero() {
		return nil
	}
	return &refView{r.System, r.ID}
}

// orderView is an order as the API shows it.
type orderView struct {
	OrderID       uuid.UUID       `json:"order_id" format:"uuid"`
	ExternalRef   *refView        `json:"external_ref,omitempty" doc:"The selling system's name for the order."`
	CustomerID    *uuid.UUID      `json:"customer_id,omitempty" format:"uuid" doc:"The customer whom the order's id means now; absent while the customer is not known yet."`
	CustomerRef   *refView        `json:"customer_ref,omitempty" doc:"The selling system's name for the customer."`
	Channel       string          `json:"channel" example:"shop"`
	Currency      string          `json:"currency" doc:"ISO 4217, of every amount." example:"CNY"`
	Lines         []orderLineView `json:"lines" nullable:"false"`
	Units         int64           `json:"units" doc:"Of all lines, as sold."`
	TotalMinor    int64           `json:"total_minor" doc:"Of all lines, as sold, in minor units."`
	ReturnedUnits int64           `json:"returned_units" doc:"What came back."`
	ReturnedMinor int64           `json:"returned_minor" doc:"What was given back, in minor units."`
	PlacedAt      time.Time       `json:"placed_at" doc:"When the customer bought."`
	RecordedAt    time.Time       `json:"recorded_at" doc:"When the order came in here."`
	QuoteID       *uuid.UUID      `json:"quote_id,omitempty" format:"uuid" doc:"The quote that the customer accepted; absent where there was none."`
	OpportunityID *uuid.UUID      `json:"opportunity_id,omitempty" format:"uuid" doc:"The opportunity that was won by it; absent for none."`
}

type orderLineView struct {
	LineNo           int32  `json:"line_no"`
	SKU              string `json:"sku"`
	Quantity         int64  `json:"quantity"`
	AmountMinor      int64  `json:"amount_minor" doc:"Of the whole line, in minor units."`
	ReturnedQuantity int64  `json:"returned_quantity"`
	ReturnedMinor    int64  `json:"returned_minor"`
}

func show(o Order) orderView {
	v := orderView{
		OrderID: o.ID, ExternalRef: showRef(o.ExternalRef), CustomerRef: showRef(o.CustomerRef), Channel: o.Channel,
		Currency: o.Currency, Lines: make([]orderLineView, len(o.Lines)), Units: o.Units, TotalMinor: o.TotalMinor,
		ReturnedUnits: o.ReturnedUnits, ReturnedMinor: o.ReturnedMinor, PlacedAt: o.PlacedAt, RecordedAt: o.RecordedAt,
		QuoteID: pg.OrNull(o.QuoteID), OpportunityID: pg.OrNull(o.OpportunityID),
	}
	if o.CustomerID != uuid.Nil {
		v.CustomerID = &o.Root
	}
	for i, l := range o.Lines {
		v.Lines[i] = orderLineView{l.No, l.SKU, l.Quantity, l.AmountMinor, l.ReturnedQuantity, l.ReturnedMinor}
	}
	return v
}

type placeInput struct{ Body newOrder }

// newOrder is what an order is placed from.
type newOrder struct {
	ExternalRef *refView       `json:"external_ref,omitempty" doc:"The selling system's name for the order. The same order sent again is answered as it stands."`
	CustomerID  *uuid.UUID     `json:"customer_id,omitempty" format:"uuid" doc:"Either this or customer_ref."`
	CustomerRef *refView       `json:"customer_ref,omitempty" doc:"The selling system's name for the customer, who may become known later."`
	Channel     string         `json:"channel,omitempty" example:"shop" maxLength:"64"`
	Currency    string         `json:"currency" doc:"ISO 4217, of every amount." example:"CNY"`
	Lines       []newOrderLine `json:"lines" nullable:"false" minItems:"1" maxItems:"1000"`
	TotalMinor  *int64         `json:"total_minor,omitempty" doc:"A control: when given, it must be the sum of the lines."`
	PlacedAt    *time.Time     `json:"placed_at,omitempty" doc:"When the customer bought; now, where it is left out."`
}

type newOrderLine struct {
	SKU         string `json:"sku,omitempty" example:"PIZZA-MARGHERITA" maxLength:"64"`
	Quantity    int64  `json:"quantity" example:"2" minimum:"1"`
	AmountMinor int64  `json:"amount_minor" doc:"Of the whole line, in minor units." example:"13800" minimum:"0"`
}

type answer struct {
	Status int
	Body   orderView
}

type byID struct {
	ID uuid.UUID `path:"order_id" format:"uuid"`
}

type listInput struct {
	httpx.Page
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only this customer's, those included that were placed for a customer who was merged with this one."`
	PlacedFrom time.Time `query:"placed_from" doc:"Only those placed then or later."`
	PlacedTo   time.Time `query:"placed_to" doc:"Only those placed before then."`
}

type listAnswer struct{ Body orderPage }

type orderPage struct {
	Items      []orderView `json:"items" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type returnInput struct {
	ID   uuid.UUID `path:"order_id" format:"uuid"`
	Body newReturn
}

// newReturn is what a return is taken from.
type newReturn struct {
	All        bool            `json:"all,omitempty" doc:"Everything that has not come back yet. Either this or lines."`
	Lines      []newReturnLine `json:"lines,omitempty" nullable:"false" maxItems:"1000"`
	ReturnedAt *time.Time      `json:"returned_at,omitempty" doc:"When the goods came back; now, where it is left out."`
}

type newReturnLine struct {
	LineNo      int32  `json:"line_no" minimum:"1"`
	Quantity    int64  `json:"quantity" minimum:"1"`
	AmountMinor *int64 `json:"amount_minor,omitempty" doc:"What is given back; the quantity's share of the line, where it is left out." minimum:"0"`
}

type returnAnswer struct{ Body returnView }

// returnView is a return as the API shows it.
type returnView struct {
	ReturnID    uuid.UUID        `json:"return_id" format:"uuid"`
	OrderID     uuid.UUID        `json:"order_id" format:"uuid"`
	Currency    string           `json:"currency"`
	Lines       []returnLineView `json:"lines" nullable:"false"`
	Units       int64            `json:"units"`
	AmountMinor int64            `json:"amount_minor" doc:"What is given back for all lines, in minor units."`
	ReturnedAt  time.Time        `json:"returned_at"`
}

type returnLineView struct {
	LineNo      int32  `json:"line_no"`
	SKU         string `json:"sku"`
	Quantity    int64  `json:"quantity"`
	AmountMinor int64  `json:"amount_minor"`
}

type summaryAnswer struct{ Body orderSummary }

type orderSummary struct {
	Orders     int64         `json:"orders"`
	Units      int64         `json:"units" doc:"As sold."`
	Unresolved int64         `json:"unresolved" doc:"Orders whose customer is not known yet."`
	Revenue    []revenueView `json:"revenue" nullable:"false" doc:"By currency."`
}

type revenueView struct {
	Currency      string `json:"currency"`
	Orders        int64  `json:"orders"`
	Units         int64  `json:"units"`
	RevenueMinor  int64  `json:"revenue_minor" doc:"As sold, in minor units; what came back is not taken off."`
	ReturnedUnits int64  `json:"returned_units"`
	ReturnedMinor int64  `json:"returned_minor" doc:"What was given back, in minor units."`
}

// Routes adds the operations on orders.
func (o *Orders) Routes(api *httpx.API) {
	const tag = "Orders"
	httpx.Register(api, httpx.Operation{
		ID: "place-order", Method: http.MethodPost, Path: "/v1/orders", Tag: tag, Summary: "Place an order",
		Description: "An order whose external_ref is in the books already is answered as it stands (200) when it says the same, " +
			"and refused (409) when it does not. The customer may be one who is not known yet, but none who was erased (410).",
		Permission: auth.OrdersWrite, Status: http.StatusCreated, Errors: []int{http.StatusConflict, http.StatusGone},
	}, o.placeHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-orders", Method: http.MethodGet, Path: "/v1/orders", Tag: tag, Summary: "List orders, the latest first",
		Permission: auth.OrdersRead,
	}, o.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "summarise-orders", Method: http.MethodGet, Path: "/v1/orders/summary", Tag: tag, Summary: "Add orders up",
		Permission: auth.OrdersRead,
	}, o.summaryHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-order", Method: http.MethodGet, Path: "/v1/orders/{order_id}", Tag: tag, Summary: "Read an order",
		Permission: auth.OrdersRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byID) (*answer, error) {
		found, err := o.Get(ctx, in.ID)
		return &answer{Status: http.StatusOK, Body: show(found)}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "return-order", Method: http.MethodPost, Path: "/v1/orders/{order_id}/returns", Tag: tag, Summary: "Take goods of an order back",
		Description: "In parts or as a whole; never more than was bought and has not come back.",
		Permission:  auth.OrdersWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound},
	}, o.returnHTTP)
}

func (o *Orders) placeHTTP(ctx context.Context, in *placeInput) (*answer, error) {
	d, err := in.draft()
	if err != nil {
		return nil, err
	}
	order, placed, err := o.Place(ctx, d)
	status := http.StatusOK
	if placed {
		status = http.StatusCreated
	}
	return &answer{Status: status, Body: show(order)}, err
}

func (in *placeInput) draft() (Draft, error) {
	b := in.Body
	d := Draft{Channel: b.Channel, Currency: b.Currency, TotalMinor: b.TotalMinor, Lines: make([]DraftLine, len(b.Lines))}
	var faults []problem.Field
	for name, given := range map[string]struct {
		from *refView
		to   *externalref.Ref
	}{"external_ref": {b.ExternalRef, &d.ExternalRef}, "customer_ref": {b.CustomerRef, &d.CustomerRef}} {
		if given.from == nil {
			continue
		}
		ref, fault := externalref.New(given.from.System, given.from.ID)
		if fault != nil {
			faults = append(faults, problem.Field{Location: name + "." + fault.Field, Code: fault.Code, Message: fault.Message})
		}
		*given.to = ref
	}
	if len(faults) > 0 {
		return d, problem.InvalidBody("order_invalid", "The order was not accepted: mend the fields named here.", faults)
	}
	if b.CustomerID != nil {
		d.CustomerID = *b.CustomerID
	}
	if b.PlacedAt != nil {
		d.PlacedAt = *b.PlacedAt
	}
	for i, l := range b.Lines {
		d.Lines[i] = DraftLine(l)
	}
	return d, nil
}

func (o *Orders) listHTTP(ctx context.Context, in *listInput) (*listAnswer, error) {
	after, err := afterSpot(in.Cursor)
	if err != nil {
		return nil, err
	}
	filter := Filter{CustomerID: in.CustomerID, PlacedFrom: in.PlacedFrom, PlacedTo: in.PlacedTo, After: after}
	rows, err := o.List(ctx, filter, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(rows, in.Limit, func(last Order) []string {
		return []string{last.PlacedAt.Format(time.RFC3339Nano), last.ID.String()}
	})
	body := orderPage{Items: make([]orderView, len(page)), NextCursor: next}
	for i, one := range page {
		body.Items[i] = show(one)
	}
	return &listAnswer{body}, nil
}

// afterSpot gives the order after which a page begins; nil without a cursor.
func afterSpot(cursor string) (*Spot, error) {
	parts, err := httpx.DecodeCursor(cursor, 2)
	if parts == nil || err != nil {
		return nil, err
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil {
		return nil, httpx.CursorInvalid()
	}
	id, err := uuid.Parse(parts[1])
	if err != nil {
		return nil, httpx.CursorInvalid()
	}
	return &Spot{at, id}, nil
}

func (o *Orders) returnHTTP(ctx context.Context, in *returnInput) (*returnAnswer, error) {
	d := ReturnDraft{All: in.Body.All}
	if in.Body.ReturnedAt != nil {
		d.ReturnedAt = *in.Body.ReturnedAt
	}
	for _, l := range in.Body.Lines {
		d.Lines = append(d.Lines, ReturnDraftLine{No: l.LineNo, Quantity: l.Quantity, AmountMinor: l.AmountMinor})
	}
	order, taken, err := o.Return(ctx, in.ID, d)
	if err != nil {
		return nil, err
	}
	body := returnView{
		ReturnID: taken.ID, OrderID: order.ID, Currency: order.Currency, Lines: make([]returnLineView, len(taken.Lines)),
		Units: taken.Units, AmountMinor: taken.AmountMinor, ReturnedAt: taken.ReturnedAt.UTC(),
	}
	for i, l := range taken.Lines {
		body.Lines[i] = returnLineView{LineNo: l.No, SKU: l.SKU, Quantity: l.Quantity, AmountMinor: l.AmountMinor}
	}
	return &returnAnswer{body}, nil
}

func (o *Orders) summaryHTTP(ctx context.Context, _ *struct{}) (*summaryAnswer, error) {
	figures, err := o.Summary(ctx)
	body := orderSummary{Revenue: make([]revenueView, len(figures))}
	for i, f := range figures {
		body.Orders += f.Orders
		body.Units += f.Units
		body.Unresolved += f.Unresolved
		body.Revenue[i] = revenueView{
			Currency: f.Currency, Orders: f.Orders, Units: f.Units, RevenueMinor: f.RevenueMinor,
			ReturnedUnits: f.ReturnedUnits, ReturnedMinor: f.ReturnedMinor,
		}
	}
	return &summaryAnswer{body}, err
}
