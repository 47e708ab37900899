package order

import (
	"context"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	salesactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/activities/v1"
)

// Register registers the activities that other services may ask for under the names of their requests.
func (o *Orders) Register(r worker.Registry) {
	r.RegisterActivityWithOptions(o.Refund, activity.RegisterOptions{Name: flow.ActivityName(&salesactivitiesv1.RefundOrder{})})
}

// refund is a return of all that has not come back yet, as a workflow asked for it.
type refund struct {
	returnID, orderID, customerID uuid.UUID
	atMost                        int64
	currency                      string
}

// refunds is the name space of the ids of returns that are made of a workflow's key: a version 5 UUID of tenant and key.
// It stays for ever, since the id is what tells a repetition.
var refunds = uuid.MustParse("6f1d3a52-8f0e-5c7b-9a64-1f7f0d2b6c11")

// Refund takes back whatever of an order has not come back yet. See the contract of RefundOrder.
func (o *Orders) Refund(ctx context.Context, in *salesactivitiesv1.RefundOrder) (*salesactivitiesv1.RefundOrderResult, error) {
	asked, err := readRefund(auth.Tenant(ctx), in)
	if err != nil {
		return nil, err
	}
	amount, err := o.refund(ctx, asked)
	if name, _ := pg.Constraint(err); name == returnKey {
		amount, err = o.refund(ctx, asked) // somebody asked the same for another order at the same time: now it is seen
	}
	if err != nil {
		return nil, err
	}
	return &salesactivitiesv1.RefundOrderResult{ReturnId: asked.returnID.String(), AmountMinor: amount}, nil
}

// readRefund takes a request apart and names every field that is not right.
func readRefund(tenant string, in *salesactivitiesv1.RefundOrder) (refund, error) {
	key := in.GetIdempotencyKey()
	r := refund{returnID: uuid.NewSHA1(refunds, []byte(tenant+"\x00"+key)), atMost: in.GetAtMostMinor(), currency: in.GetCurrency()}
	p := problem.New(problem.Unprocessable, "refund_invalid", "Nothing was taken back: what was asked for is not valid.")
	if fault, ok := flow.CheckKey(key); !ok {
		p = p.WithField(fault.Location, fault.Code, fault.Message)
	}
	var err error
	if r.orderID, err = uuid.Parse(in.GetOrderId()); err != nil {
		p = p.WithField("order_id", "order_id_invalid", "must be an order's id, a UUID")
	}
	if r.customerID, err = uuid.Parse(in.GetCustomerId()); err != nil || r.customerID == uuid.Nil {
		p = p.WithField("customer_id", "customer_id_invalid", "must be a customer's id, a UUID")
	}
	if r.atMost < 0 {
		p = p.WithField("at_most_minor", "amount_negative", "must not be negative")
	}
	if _, ok := money.Digits(r.currency); !ok {
		p = p.WithField("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
	if len(p.Fields) > 0 {
		return r, p
	}
	return r, nil
}

// refund gives what goes back: two round trips, the order locked in between.
func (o *Orders) refund(ctx context.Context, asked refund) (amount int64, err error) {
	_, err = o.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx, asked.orderID)
		root := alias.Root(tx, asked.customerID)
		first := findReturn(tx, asked.returnID)
		was, err := get(ctx, tx, asked.orderID)
		switch {
		case first.orderID != uuid.Nil && first.orderID != asked.orderID:
			return pg.Result{}, problem.New(problem.Unprocessable, "idempotency_key_reused",
				"This key was used for the refund of another order. Use a new key for a new refund.")
		case err != nil:
			return pg.Result{}, err
		case was.Root != *root:
			return pg.Result{}, errNotFound
		case first.orderID == asked.orderID:
			amount = first.amount
			return pg.Result{}, nil
		case was.Currency != asked.currency:
			return pg.Result{}, problem.New(problem.Unprocessable, "refund_invalid", "Nothing was taken back: the order is in another currency.").
				WithField("currency", "currency_differs", "must be the order's")
		}
		now, taken, faults := was.Return(asked.returnID, ReturnDraft{All: true}, o.now())
		if len(faults) > 0 {
			return pg.Result{}, problem.InvalidBody("return_invalid", "Nothing was taken back: the order cannot be returned.", faults)
		}
		if taken.AmountMinor > asked.atMost {
			return pg.Result{}, problem.New(problem.Unprocessable, "refund_exceeds",
				"Nothing was taken back: %d would go back, which is more than the %d agreed on.", taken.AmountMinor, asked.atMost)
		}
		amount = taken.AmountMinor
		saveReturn(tx, now, taken)
		return pg.Result{}, o.outbox.Append(ctx, tx, returnedEvent(now, taken))
	})
	return amount, err
}
