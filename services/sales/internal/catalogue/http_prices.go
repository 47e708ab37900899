package catalogue

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// PriceListBody is what a price list says, as the API takes and shows it. It is exported so that what embeds it is documented whole.
type PriceListBody struct {
	Name      string     `json:"name" maxLength:"200" example:"Shops"`
	Currency  string     `json:"currency" maxLength:"3" example:"CNY" doc:"ISO 4217, of every price; stays as it is."`
	ValidFrom *time.Time `json:"valid_from,omitempty" doc:"Left out: ever since."`
	ValidTo   *time.Time `json:"valid_to,omitempty" doc:"Exclusive. Left out: for ever."`
	Archived  bool       `json:"archived,omitempty" doc:"No longer used."`
}

type priceListView struct {
	Code string `json:"code" example:"shops"`
	PriceListBody
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

func showList(l PriceList) priceListView {
	return priceListView{Code: l.Code, Version: l.Version, ChangedAt: l.ChangedAt.UTC(), PriceListBody: PriceListBody{
		Name: l.Name, Currency: l.Currency, ValidFrom: pg.OrNull(l.From), ValidTo: pg.OrNull(l.To), Archived: l.Archived,
	}}
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

type priceListInput struct {
	Code    string `path:"code" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the list as it was read; \"0\" makes it, * does not mind."`
	Body    PriceListBody
}

type priceListAnswer struct {
	ETag string `header:"ETag"`
	Body priceListView
}

func listAnswered(l PriceList, err error) (*priceListAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &priceListAnswer{httpx.ETag(l.Version), showList(l)}, nil
}

type priceListsAnswer struct{ Body priceListPage }

type priceListPage struct {
	Items      []priceListView `json:"items" nullable:"false" doc:"By code."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (c *Catalogue) listRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-price-lists", Method: http.MethodGet, Path: "/v1/price-lists", Tag: tag, Summary: "List price lists", Permission: auth.CatalogueRead,
	}, func(ctx context.Context, in *codeList) (*priceListsAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]PriceList, error) {
			return c.priceLists(ctx, after, in.Archived, limit)
		}, func(l PriceList) string { return l.Code }, showList)
		return &priceListsAnswer{priceListPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-price-list", Method: http.MethodGet, Path: "/v1/price-lists/{code}", Tag: tag, Summary: "Read a price list",
		Permission: auth.CatalogueRead, Errors: missing,
	}, func(ctx context.Context, in *byCode) (*priceListAnswer, error) {
		return listAnswered(c.PriceList(ctx, in.Code))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-price-list", Method: http.MethodPut, Path: "/v1/price-lists/{code}", Tag: tag, Summary: "Make or change a price list",
		Permission: auth.CatalogueWrite, Errors: append([]int{http.StatusConflict}, versioned...),
	}, func(ctx context.Context, in *priceListInput) (*priceListAnswer, error) {
		l := PriceList{Code: in.Code, Name: in.Body.Name, Currency: in.Body.Currency, From: moment(in.Body.ValidFrom), To: moment(in.Body.ValidTo), Archived: in.Body.Archived}
		return listAnswered(c.PutPriceList(ctx, l, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}

// ListPriceBody is what a product costs by a list, as the API takes and shows it. It is exported so that what embeds it is
// documented whole.
type ListPriceBody struct {
	UnitMinor int64           `json:"unit_minor" doc:"Of one unit, in minor units of the list's currency." example:"500"`
	Tiers     []listPriceTier `json:"tiers,omitempty" nullable:"false" doc:"Other prices of each unit, where more are bought: at most 20, by min_quantity."`
}

type listPriceTier struct {
	MinQuantity int64 `json:"min_quantity" doc:"2 or more." example:"10"`
	UnitMinor   int64 `json:"unit_minor" example:"450"`
}

type listPriceView struct {
	SKU string `json:"sku" example:"COLA"`
	ListPriceBody
	Version   int64     `json:"version" doc:"Rises by one with every change; the ETag."`
	ChangedAt time.Time `json:"changed_at"`
}

func (b ListPriceBody) price(sku string) Price {
	p := Price{SKU: sku, UnitMinor: b.UnitMinor}
	for _, t := range b.Tiers {
		p.Tiers = append(p.Tiers, Tier(t))
	}
	return p
}

func showPrice(p Price) listPriceView {
	v := listPriceView{SKU: p.SKU, Version: p.Version, ChangedAt: p.ChangedAt.UTC(), ListPriceBody: ListPriceBody{UnitMinor: p.UnitMinor}}
	for _, t := range p.Tiers {
		v.Tiers = append(v.Tiers, listPriceTier(t))
	}
	return v
}

type onePrice struct {
	Code string `path:"code" maxLength:"64"`
	SKU  string `path:"sku" maxLength:"64"`
}

type listPriceInput struct {
	Code    string `path:"code" maxLength:"64"`
	SKU     string `path:"sku" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the price as it was read; \"0\" makes it, * does not mind."`
	Body    ListPriceBody
}

type removePriceInput struct {
	Code    string `path:"code" maxLength:"64"`
	SKU     string `path:"sku" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the price as it was read."`
}

type listPriceAnswer struct {
	ETag string `header:"ETag"`
	Body listPriceView
}

func priceAnswered(p Price, err error) (*listPriceAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &listPriceAnswer{httpx.ETag(p.Version), showPrice(p)}, nil
}

type pricesInput struct {
	Code string `path:"code" maxLength:"64"`
	httpx.Page
}

type listPricesAnswer struct{ Body listPricePage }

type listPricePage struct {
	Items      []listPriceView `json:"items" nullable:"false" doc:"By sku."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type priceBatchInput struct {
	Code string `path:"code" maxLength:"64"`
	Body priceBatch
}

type priceBatch struct {
	Items []priceBatchItem `json:"items" nullable:"false" minItems:"1" maxItems:"1000"`
}

type priceBatchItem struct {
	SKU string `json:"sku" example:"COLA"`
	ListPriceBody
}

func (c *Catalogue) priceRoutes(api *httpx.API) {
	const path = "/v1/price-lists/{code}/prices"
	httpx.Register(api, httpx.Operation{
		ID: "list-prices", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List the prices of a list", Permission: auth.CatalogueRead, Errors: missing,
	}, func(ctx context.Context, in *pricesInput) (*listPricesAnswer, error) {
		items, next, err := httpx.PageByText(in.Page, func(after string, limit int) ([]Price, error) {
			return c.prices(ctx, in.Code, after, limit)
		}, func(p Price) string { return p.SKU }, showPrice)
		return &listPricesAnswer{listPricePage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-price", Method: http.MethodGet, Path: path + "/{sku}", Tag: tag, Summary: "Read what a product costs by a list",
		Permission: auth.CatalogueRead, Errors: missing,
	}, func(ctx context.Context, in *onePrice) (*listPriceAnswer, error) {
		return priceAnswered(c.Price(ctx, in.Code, in.SKU))
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-price", Method: http.MethodPut, Path: path + "/{sku}", Tag: tag, Summary: "Set what a product costs by a list",
		Permission: auth.CatalogueWrite, Errors: append([]int{http.StatusNotFound}, versioned...),
	}, func(ctx context.Context, in *listPriceInput) (*listPriceAnswer, error) {
		fresh := func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }
		return priceAnswered(c.PutPrice(ctx, in.Code, in.Body.price(in.SKU), fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "remove-price", Method: http.MethodDelete, Path: path + "/{sku}", Tag: tag, Summary: "Take a product out of a list",
		Permission: auth.CatalogueWrite, Status: http.StatusNoContent, Errors: append([]int{http.StatusNotFound}, versioned...),
	}, func(ctx context.Context, in *removePriceInput) (*struct{}, error) {
		return nil, c.RemovePrice(ctx, in.Code, in.SKU, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) })
	})
	httpx.Register(api, httpx.Operation{
		ID: "put-prices", Method: http.MethodPost, Path: path + "/batch", Tag: tag, Summary: "Set what many products cost by a list",
		Description: "Idempotent by sku; each row replaces all that the list says of its product. Rows that are not right are named and left out.",
		Permission:  auth.CatalogueWrite, Status: http.StatusOK, MaxBody: maxBatch, Errors: missing,
	}, func(ctx context.Context, in *priceBatchInput) (*batchAnswer, error) {
		rows := make([]Price, len(in.Body.Items))
		for i, item := range in.Body.Items {
			rows[i] = item.price(item.SKU)
		}
		return batchAnswered(c.PutPrices(ctx, in.Code, rows))
	})
}
