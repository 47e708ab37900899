package asset

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// assetView is an asset as the API shows it: its own history, and of its owners the present one only.
type assetView struct {
	AssetID        uuid.UUID        `json:"asset_id" format:"uuid"`
	CustomerID     *uuid.UUID       `json:"customer_id,omitempty" format:"uuid" doc:"The present owner; absent where there is none."`
	Type           Type             `json:"type" enum:"vehicle,machine,appliance,device,software,other"`
	Product        string           `json:"product" doc:"Code." example:"GOLF-8"`
	Serial         string           `json:"serial,omitempty" doc:"In capitals, without blanks; of a vehicle its VIN." example:"1M8GDM9AXKP042788"`
	CheckDigitOK   *bool            `json:"check_digit_ok,omitempty" doc:"Of a VIN: whether its check digit is right. One that is wrong is worth a second look at vehicles made for North America or China; others need not have one."`
	Name           string           `json:"name,omitempty" doc:"What the owner calls it."`
	PurchasedOn    string           `json:"purchased_on,omitempty" format:"date" doc:"When the present owner bought it."`
	OwnedSince     string           `json:"owned_since,omitempty" format:"date"`
	State          State            `json:"state" enum:"in_use,scrapped"`
	MeterUnit      Unit             `json:"meter_unit" enum:"km,mi,h,count" doc:"What its meter counts."`
	Meter          *int64           `json:"meter,omitempty" doc:"What it showed last."`
	MeterReadOn    string           `json:"meter_read_on,omitempty" format:"date"`
	IntervalMonths int              `json:"interval_months" doc:"Between services; 0: not by date."`
	IntervalMeter  int64            `json:"interval_meter" doc:"Between services; 0: not by meter."`
	LastService    *lastServiceView `json:"last_service,omitempty"`
	NextService    nextServiceView  `json:"next_service"`
	Version        int64            `json:"version" doc:"Rises by one with every change; the ETag."`
	RegisteredAt   time.Time        `json:"registered_at"`
	ChangedAt      time.Time        `json:"changed_at"`

	Withheld []access.Withheld `json:"withheld,omitempty" doc:"The classes that are out of your sight: what is of them was left out, if there is any. A serial and a name are of the class identity, all else is of the class behaviour."`
}

type lastServiceView struct {
	On    string `json:"on" format:"date"`
	Meter *int64 `json:"meter,omitempty" doc:"Absent: nobody read it."`
}

// nextServiceView is when an asset is to be serviced next.
type nextServiceView struct {
	DueDate  string `json:"due_date,omitempty" format:"date" doc:"By the months."`
	DueMeter *int64 `json:"due_meter,omitempty" doc:"By the meter, as it will show it."`
	DueOn    string `json:"due_on,omitempty" format:"date" doc:"due_date or the day on which due_meter is likely to be reached, whichever comes first. Likely: as the readings of the last year go."`
	DueBy    By     `json:"due_by,omitempty" enum:"date,meter" doc:"Which of them due_on is."`
	Due      bool   `json:"due" doc:"Whether that is today or was before."`
}

// format gives a day, empty for none.
func format(day time.Time) string {
	if day.IsZero() {
		return ""
	}
	return day.Format(time.DateOnly)
}

// sees tells whether the caller sees assets at all: they are what a customer does.
func sees(s access.Sight) bool { return s.May(access.Behaviour) }

// withheld says which classes that an asset is of are out of sight.
func withheld(s access.Sight) []access.Withheld {
	return s.Withheld(access.Identity, access.Behaviour)
}

// show gives what of an asset is in sight of one who sees assets.
func show(a Asset, s access.Sight) assetView {
	v := assetView{
		AssetID: a.ID, Type: a.Type, Product: a.Product, State: a.State, MeterUnit: a.Unit,
		IntervalMonths: a.Plan.Months, IntervalMeter: a.Plan.Meter, Version: a.Version, RegisteredAt: a.RegisteredAt.UTC(), ChangedAt: a.ChangedAt.UTC(),
		NextService: nextServiceView{
			DueDate: format(a.Due.Date), DueMeter: a.Due.Meter, DueOn: format(a.Due.On), DueBy: a.Due.By, Due: a.DueNow,
		},
	}
	known := s.May(access.Identity)
	if known {
		v.Serial = a.Serial
	}
	if a.Type == Vehicle && v.Serial != "" {
		v.CheckDigitOK = new(CheckDigitOK(a.Serial))
	}
	if o := a.Owner; o != nil {
		v.CustomerID, v.PurchasedOn, v.OwnedSince = &o.Root, format(o.PurchasedOn), format(o.Since)
		if known {
			v.Name = o.Name
		}
	}
	if r := a.Latest; r != nil {
		v.Meter, v.MeterReadOn = &r.Meter, format(r.On)
	}
	if s := a.LastService; s != nil {
		v.LastService = &lastServiceView{format(s.On), s.Meter}
	}
	return v
}

type answer struct {
	ETag string `header:"ETag"`
	Body assetView
}

// answered shows one asset.
func answered(a Asset, s access.Sight, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	v := show(a, s)
	v.Withheld = withheld(s)
	return &answer{ETag: httpx.ETag(a.Version), Body: v}, nil
}

// changed shows an asset to whoever just changed it, as far as one of that role usually sees it.
func changed(ctx context.Context, a Asset, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	s, err := access.For(ctx, "")
	return answered(a, s, err)
}

// sight gives what the caller sees who asks so, who must see assets at all.
func sight(ctx context.Context, asked access.Asked) (access.Sight, error) {
	s, err := asked.Sight(ctx)
	if err == nil && !sees(s) {
		err = problem.New(problem.Forbidden, "class_withheld", "An asset is of the class behaviour, which is out of your sight for this purpose.")
	}
	return s, err
}

// heldAssetView is a customer's time with an asset. Of an asset that was given up it says what the customer knew, and
// nothing of what came after.
type heldAssetView struct {
	AssetID     uuid.UUID  `json:"asset_id" format:"uuid"`
	State       string     `json:"state" enum:"owned,given_up"`
	Type        Type       `json:"type" enum:"vehicle,machine,appliance,device,software,other"`
	Product     string     `json:"product"`
	Name        string     `json:"name,omitempty" doc:"What the customer calls it."`
	PurchasedOn string     `json:"purchased_on,omitempty" format:"date"`
	OwnedSince  string     `json:"owned_since" format:"date"`
	GivenUpOn   string     `json:"given_up_on,omitempty" format:"date"`
	GivenUp     string     `json:"given_up,omitempty" enum:"sold,scrapped"`
	Asset       *assetView `json:"asset,omitempty" doc:"As it is now; absent where it was given up."`
}

func showHeld(h Held, s access.Sight) heldAssetView {
	v := heldAssetView{
		AssetID: h.AssetID, State: "owned", Type: h.Type, Product: h.Product, PurchasedOn: format(h.PurchasedOn),
		OwnedSince: format(h.Since), GivenUpOn: format(h.Until), GivenUp: h.GivenUp,
	}
	if h.GivenUp != "" {
		v.State = "given_up"
	}
	if s.May(access.Identity) {
		v.Name = h.Name
	}
	if h.Asset != nil {
		v.Asset = new(show(*h.Asset, s))
	}
	return v
}

// assetReadingView is what a meter showed.
type assetReadingView struct {
	ReadingID  uuid.UUID `json:"reading_id" format:"uuid"`
	ReadOn     string    `json:"read_on" format:"date"`
	Meter      int64     `json:"meter"`
	Replaced   bool      `json:"replaced" doc:"It is the first one of another meter."`
	Reason     string    `json:"reason,omitempty" doc:"Code of why it was replaced."`
	RecordedAt time.Time `json:"recorded_at"`
}

func showReading(r Reading) assetReadingView {
	return assetReadingView{r.ID, format(r.On), r.Meter, r.Replaced, r.Reason, r.RecordedAt.UTC()}
}

// assetServiceView is a service that was done.
type assetServiceView struct {
	ServiceID  uuid.UUID `json:"service_id" format:"uuid"`
	ServicedOn string    `json:"serviced_on" format:"date"`
	Meter      *int64    `json:"meter,omitempty" doc:"Absent: nobody read it."`
	Work       string    `json:"work,omitempty" doc:"Code of what was done."`
	RecordedAt time.Time `json:"recorded_at"`
}

func showService(s Service) assetServiceView {
	return assetServiceView{s.ID, format(s.On), s.Meter, s.Work, s.RecordedAt.UTC()}
}
