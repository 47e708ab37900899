package asset

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

type registerInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newAsset
}

// newAsset is what an asset is registered from.
type newAsset struct {
	Type             Type   `json:"type" enum:"vehicle,machine,appliance,device,software,other"`
	Product          string `json:"product" doc:"Code." example:"GOLF-8" maxLength:"64"`
	Serial           string `json:"serial,omitempty" doc:"Of a vehicle its VIN." example:"1M8GDM9AXKP042788" maxLength:"128"`
	Name             string `json:"name,omitempty" doc:"What the owner calls it." maxLength:"400"`
	PurchasedOn      string `json:"purchased_on,omitempty" format:"date"`
	MeterUnit        Unit   `json:"meter_unit,omitempty" enum:"km,mi,h,count" doc:"What its meter counts; left out: km of a vehicle, h of all else."`
	IntervalMonths   int    `json:"interval_months,omitempty" doc:"Between services; left out: not by date." minimum:"0" maximum:"600"`
	IntervalMeter    int64  `json:"interval_meter,omitempty" doc:"Between services; left out: not by meter." minimum:"0" maximum:"1000000000"`
	Meter            *int64 `json:"meter,omitempty" doc:"What it shows today." minimum:"0" maximum:"1000000000"`
	LastServiceOn    string `json:"last_service_on,omitempty" format:"date"`
	LastServiceMeter *int64 `json:"last_service_meter,omitempty" minimum:"0" maximum:"1000000000"`
}

type getInput struct {
	ID uuid.UUID `path:"asset_id" format:"uuid"`
	access.Asked
}

type ofCustomerInput struct {
	ID    uuid.UUID `path:"customer_id" format:"uuid"`
	State string    `query:"state" enum:"owned,all" default:"all" doc:"owned: without those that were given up."`
	access.Asked
	httpx.Page
}

type ofCustomerAnswer struct{ Body heldAssetPage }

type heldAssetPage struct {
	CustomerID uuid.UUID       `json:"customer_id" format:"uuid" doc:"Whom the id in the path means."`
	Items      []heldAssetView `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`

	Withheld []access.Withheld `json:"withheld" nullable:"false" doc:"The classes that are out of your sight: what is of them was left out, if there is any."`
}

type dueInput struct {
	DueBefore string `query:"due_before" required:"true" format:"date" doc:"Those whose next service is due before this day."`
	access.Asked
	httpx.Page
}

type dueAnswer struct{ Body assetPage }

type assetPage struct {
	Items      []assetView `json:"items" nullable:"false" doc:"The first due first."`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`

	Withheld []access.Withheld `json:"withheld" nullable:"false" doc:"The classes that are out of your sight: what is of them was left out, if there is any."`
}

type lookupInput struct {
	Type    Type   `query:"type" required:"true" enum:"vehicle,machine,appliance,device,software,other"`
	Product string `query:"product" doc:"Needed where the type is not vehicle: serials are a product's own." maxLength:"64"`
	Serial  string `query:"serial" required:"true" doc:"As people write it; of a vehicle its VIN." maxLength:"128"`
	access.Asked
}

type changeInput struct {
	ID      uuid.UUID `path:"asset_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the asset as it was read."`
	Body    assetChange
}

// assetChange are the fields that change.
type assetChange struct {
	Name           *string `json:"name,omitempty" maxLength:"400" doc:"Empty: none."`
	Serial         *string `json:"serial,omitempty" maxLength:"128" doc:"Empty: none."`
	PurchasedOn    *string `json:"purchased_on,omitempty" format:"date"`
	IntervalMonths *int    `json:"interval_months,omitempty" minimum:"0" maximum:"600" doc:"0: not by date."`
	IntervalMeter  *int64  `json:"interval_meter,omitempty" minimum:"0" maximum:"1000000000" doc:"0: not by meter."`
}

type readInput struct {
	ID   uuid.UUID `path:"asset_id" format:"uuid"`
	Body newAssetReading
}

// newAssetReading is what somebody read from a meter.
type newAssetReading struct {
	Meter    int64  `json:"meter" minimum:"0" maximum:"1000000000"`
	ReadOn   string `json:"read_on,omitempty" format:"date" doc:"Left out: today."`
	Replaced bool   `json:"replaced,omitempty" doc:"It is the first reading of another meter, which may show less than the one before."`
	Reason   string `json:"reason,omitempty" maxLength:"64" doc:"Code of why the meter was replaced; needed then." example:"meter_broken"`
}

type serviceInput struct {
	ID   uuid.UUID `path:"asset_id" format:"uuid"`
	Body newAssetService
}

// newAssetService is a service that was done.
type newAssetService struct {
	ServicedOn string `json:"serviced_on,omitempty" format:"date" doc:"Left out: today."`
	Meter      *int64 `json:"meter,omitempty" minimum:"0" maximum:"1000000000" doc:"What it showed; a reading of its own."`
	Work       string `json:"work,omitempty" maxLength:"64" doc:"Code of what was done." example:"oil_change"`
}

type sellInput struct {
	ID   uuid.UUID `path:"asset_id" format:"uuid"`
	Body assetSale
}

// assetSale says to whom an asset was sold.
type assetSale struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"The next owner."`
	SoldOn     string    `json:"sold_on,omitempty" format:"date" doc:"Left out: today."`
	Name       string    `json:"name,omitempty" maxLength:"400" doc:"What the next owner calls it."`
}

type scrapInput struct {
	ID   uuid.UUID `path:"asset_id" format:"uuid"`
	Body assetEnd
}

// assetEnd says when an asset was scrapped.
type assetEnd struct {
	ScrappedOn string `json:"scrapped_on,omitempty" format:"date" doc:"Left out: today."`
}

type historyInput struct {
	ID uuid.UUID `path:"asset_id" format:"uuid"`
	access.Asked
	httpx.Page
}

type readingsAnswer struct{ Body assetReadingPage }

type assetReadingPage struct {
	Items      []assetReadingView `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string             `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type servicesAnswer struct{ Body assetServicePage }

type assetServicePage struct {
	Items      []assetServiceView `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string             `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

const tag = "Assets"

// Routes adds the operations on assets.
func (s *Assets) Routes(api *httpx.API) {
	s.reads(api)
	conflicts := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "register-asset", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/assets", Tag: tag, Summary: "Register an asset of a customer",
		Description: "A VIN is one vehicle's in use, another serial one in use of its product: a second one is answered with 409 serial_taken.",
		Permission:  auth.CustomersWrite, Status: http.StatusCreated, Errors: conflicts,
	}, func(ctx context.Context, in *registerInput) (*answer, error) {
		a, err := s.Register(ctx, in.ID, in.Body.draft())
		return changed(ctx, a, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-asset", Method: http.MethodPatch, Path: "/v1/assets/{asset_id}", Tag: tag, Summary: "Change an asset",
		Description: "Fields that are left out stay as they are.",
		Permission:  auth.CustomersWrite, Errors: append(conflicts, http.StatusPreconditionFailed, http.StatusPreconditionRequired),
	}, func(ctx context.Context, in *changeInput) (*answer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		a, err := s.Change(ctx, in.ID, in.Body.patch(), fresh)
		return changed(ctx, a, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "record-asset-reading", Method: http.MethodPost, Path: "/v1/assets/{asset_id}/readings", Tag: tag, Summary: "Record what an asset's meter shows",
		Description: "A meter does not go back; where it was replaced, say so and why. When the next service is due follows.",
		Permission:  auth.CustomersWrite, Errors: conflicts,
	}, func(ctx context.Context, in *readInput) (*answer, error) {
		b := in.Body
		a, err := s.Read(ctx, in.ID, Meter{On: parse(b.ReadOn), Value: b.Meter, Replaced: b.Replaced, Reason: b.Reason})
		return changed(ctx, a, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "record-asset-service", Method: http.MethodPost, Path: "/v1/assets/{asset_id}/services", Tag: tag, Summary: "Record that an asset was serviced",
		Description: "The next service is counted from the last one; one that was done before that is history only.",
		Permission:  auth.CustomersWrite, Errors: conflicts,
	}, func(ctx context.Context, in *serviceInput) (*answer, error) {
		a, err := s.Serviced(ctx, in.ID, Done{On: parse(in.Body.ServicedOn), Meter: in.Body.Meter, Work: in.Body.Work})
		return changed(ctx, a, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "sell-asset", Method: http.MethodPost, Path: "/v1/assets/{asset_id}/sell", Tag: tag, Summary: "Give an asset to its next owner",
		Description: "What was done to the asset stays with it; who had it, what they called it and when they bought it is not shown to the next owner.",
		Permission:  auth.CustomersWrite, Errors: conflicts,
	}, func(ctx context.Context, in *sellInput) (*answer, error) {
		a, err := s.Sell(ctx, in.ID, Resale{To: in.Body.CustomerID, On: parse(in.Body.SoldOn), Name: in.Body.Name})
		return changed(ctx, a, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "scrap-asset", Method: http.MethodPost, Path: "/v1/assets/{asset_id}/scrap", Tag: tag, Summary: "End an asset's use",
		Description: "Its serial is free for another.",
		Permission:  auth.CustomersWrite, Errors: conflicts,
	}, func(ctx context.Context, in *scrapInput) (*answer, error) {
		a, err := s.Scrap(ctx, in.ID, parse(in.Body.ScrappedOn))
		return changed(ctx, a, err)
	})
}

// reads adds the operations that change nothing.
func (s *Assets) reads(api *httpx.API) {
	missing := []int{http.StatusNotFound}
	httpx.Register(api, httpx.Operation{
		ID: "list-customer-assets", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/assets", Tag: tag, Summary: "List what a customer has and had",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, s.ofCustomer)
	httpx.Register(api, httpx.Operation{
		ID: "list-due-assets", Method: http.MethodGet, Path: "/v1/assets", Tag: tag, Summary: "List assets that are to be serviced soon",
		Permission: auth.CustomersRead,
	}, s.due)
	httpx.Register(api, httpx.Operation{
		ID: "lookup-asset", Method: http.MethodGet, Path: "/v1/assets/lookup", Tag: tag, Summary: "Find an asset in use by its serial",
		Permission: auth.CustomersRead, Errors: missing,
	}, func(ctx context.Context, in *lookupInput) (*answer, error) {
		sight, err := sight(ctx, in.Asked)
		if err != nil {
			return nil, err
		}
		a, err := s.BySerial(ctx, in.Type, in.Product, in.Serial)
		return answered(a, sight, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-asset", Method: http.MethodGet, Path: "/v1/assets/{asset_id}", Tag: tag, Summary: "Read an asset",
		Permission: auth.CustomersRead, Errors: missing,
	}, func(ctx context.Context, in *getInput) (*answer, error) {
		sight, err := sight(ctx, in.Asked)
		if err != nil {
			return nil, err
		}
		a, err := s.Get(ctx, in.ID)
		return answered(a, sight, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-asset-readings", Method: http.MethodGet, Path: "/v1/assets/{asset_id}/readings", Tag: tag, Summary: "List what an asset's meter showed",
		Permission: auth.CustomersRead, Errors: missing,
	}, func(ctx context.Context, in *historyInput) (*readingsAnswer, error) {
		items, next, err := pageByDay(ctx, in, func(before Place, limit int) ([]Reading, error) {
			return s.Readings(ctx, in.ID, before, limit)
		}, func(r Reading) Place { return Place{r.On, r.No} }, showReading)
		return &readingsAnswer{assetReadingPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-asset-services", Method: http.MethodGet, Path: "/v1/assets/{asset_id}/services", Tag: tag, Summary: "List when an asset was serviced",
		Permission: auth.CustomersRead, Errors: missing,
	}, func(ctx context.Context, in *historyInput) (*servicesAnswer, error) {
		items, next, err := pageByDay(ctx, in, func(before Place, limit int) ([]Service, error) {
			return s.Services(ctx, in.ID, before, limit)
		}, func(s Service) Place { return Place{s.On, s.No} }, showService)
		return &servicesAnswer{assetServicePage{items, next}}, err
	})
}

func (s *Assets) ofCustomer(ctx context.Context, in *ofCustomerInput) (*ofCustomerAnswer, error) {
	sight, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	var root uuid.UUID
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Held, error) {
		ref, page, err := s.List(ctx, in.ID, in.State == "all", before, limit)
		root = ref.Root
		return page, err
	}, func(h Held) uuid.UUID { return h.ID }, func(h Held) heldAssetView { return showHeld(h, sight) })
	if err != nil {
		return nil, err
	}
	body := heldAssetPage{root, items, next, withheld(sight)}
	if !sees(sight) {
		body.Items, body.NextCursor = []heldAssetView{}, ""
	}
	return &ofCustomerAnswer{body}, nil
}

func (s *Assets) due(ctx context.Context, in *dueInput) (*dueAnswer, error) {
	sight, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	on, rest, err := cursor(in.Cursor)
	var after uuid.UUID
	if err == nil && rest != "" {
		if after, err = uuid.Parse(rest); err != nil {
			err = httpx.CursorInvalid()
		}
	}
	if err != nil || !sees(sight) {
		return &dueAnswer{assetPage{Items: []assetView{}, Withheld: withheld(sight)}}, err
	}
	found, err := s.DueBefore(ctx, parse(in.DueBefore), on, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last Asset) []string { return []string{format(last.Due.On), last.ID.String()} })
	items := make([]assetView, len(page))
	for n, one := range page {
		items[n] = show(one, sight)
	}
	return &dueAnswer{assetPage{items, next, withheld(sight)}}, nil
}

// pageByDay gives one page of a history, the latest first.
func pageByDay[T, V any](ctx context.Context, in *historyInput, rows func(before Place, limit int) ([]T, error),
	key func(T) Place, show func(T) V,
) (items []V, next string, err error) {
	if _, err = sight(ctx, in.Asked); err != nil {
		return nil, "", err
	}
	before := Place{On: latest}
	on, no, err := cursor(in.Cursor)
	if err == nil && no != "" {
		before.On = on
		if before.No, err = strconv.ParseInt(no, 10, 64); err != nil {
			err = httpx.CursorInvalid()
		}
	}
	if err != nil {
		return nil, "", err
	}
	found, err := rows(before, in.Limit+1)
	if err != nil {
		return nil, "", err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last T) []string {
		at := key(last)
		return []string{format(at.On), strconv.FormatInt(at.No, 10)}
	})
	items = make([]V, len(page))
	for n, one := range page {
		items[n] = show(one)
	}
	return items, next, nil
}

// latest is after every day that can be written.
var latest = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// cursor gives the day and the rest of the key of the row after which a page begins; nothing without a cursor.
func cursor(s string) (on time.Time, rest string, err error) {
	parts, err := httpx.DecodeCursor(s, 2)
	if parts == nil || err != nil {
		return on, "", err
	}
	if on, err = time.Parse(time.DateOnly, parts[0]); err != nil || parts[1] == "" {
		return on, "", httpx.CursorInvalid()
	}
	return on, parts[1], nil
}

// parse gives the day of a date whose form was checked, the zero day for none.
func parse(date string) time.Time {
	if date == "" {
		return time.Time{}
	}
	on, err := time.Parse(time.DateOnly, date)
	if err != nil || on.IsZero() { // 0001-01-01 is a date, though not one that passes the rules
		return on.Add(day)
	}
	return on
}

func (b newAsset) draft() Draft {
	return Draft{
		Type: b.Type, Product: b.Product, Serial: b.Serial, Name: b.Name, PurchasedOn: parse(b.PurchasedOn), Unit: b.MeterUnit,
		Plan: Plan{b.IntervalMonths, b.IntervalMeter}, Meter: b.Meter, LastServiceOn: parse(b.LastServiceOn), LastServiceMeter: b.LastServiceMeter,
	}
}

func (b assetChange) patch() Patch {
	p := Patch{Name: b.Name, Serial: b.Serial, IntervalMonths: b.IntervalMonths, IntervalMeter: b.IntervalMeter}
	if b.PurchasedOn != nil {
		p.PurchasedOn = new(parse(*b.PurchasedOn))
	}
	return p
}
