package quote

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type quoteAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   quoteFull
}

func answered(status int) func(Told, error) (*quoteAnswer, error) {
	return func(t Told, err error) (*quoteAnswer, error) {
		if err != nil {
			return nil, err
		}
		return &quoteAnswer{Status: status, ETag: httpx.ETag(t.Revision), Body: show(t)}, nil
	}
}

type createQuote struct{ Body newQuote }

type editQuote struct {
	ID      uuid.UUID `path:"quote_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the quote as it was read."`
	Body    QuoteContent
}

type byQuote struct {
	ID uuid.UUID `path:"quote_id" format:"uuid"`
}

// ByQuoteVersion names a version of a quote.
type ByQuoteVersion struct {
	ID      uuid.UUID `path:"quote_id" format:"uuid"`
	Version int       `path:"version" minimum:"1" maximum:"1000"`
}

type acceptQuote struct {
	ByQuoteVersion
	Body *quoteAcceptance
}

// quoteAcceptance is how a customer took a quote.
type quoteAcceptance struct {
	WinOpportunity bool `json:"win_opportunity,omitempty" doc:"Whether its opportunity is won by that as well."`
}

type endQuote struct {
	ID   uuid.UUID `path:"quote_id" format:"uuid"`
	Body quoteReason
}

type declineQuote struct {
	ByQuoteVersion
	Body quoteReason
}

// quoteReason is why something ends.
type quoteReason struct {
	Reason string `json:"reason" maxLength:"64" doc:"A code of the tenant's." example:"too_expensive"`
	Words  string `json:"words,omitempty" maxLength:"10000" doc:"It goes into no event."`
}

type approveQuote struct {
	ByQuoteVersion
	Body quoteConsent
}

// quoteConsent is an approval.
type quoteConsent struct {
	Level string `json:"level" maxLength:"64" doc:"Code of the level for which it is given: the one that is asked." example:"manager"`
	Words string `json:"words,omitempty" maxLength:"10000" doc:"It goes into no event."`
}

type rejectQuote struct {
	ByQuoteVersion
	Body quoteRefusal
}

// quoteRefusal is a rejection.
type quoteRefusal struct {
	Level  string `json:"level" maxLength:"64" doc:"Code of the level for which it is said: the one that is asked." example:"manager"`
	Reason string `json:"reason" maxLength:"64" doc:"A code of the tenant's." example:"margin"`
	Words  string `json:"words,omitempty" maxLength:"10000" doc:"It goes into no event."`
}

type listQuotes struct {
	httpx.Page
	CustomerID    uuid.UUID `query:"customer_id" format:"uuid" doc:"Only this customer's, those included of customers who were merged with this one."`
	OpportunityID uuid.UUID `query:"opportunity_id" format:"uuid" doc:"Only those of this opportunity."`
	State         State     `query:"state" enum:"draft,in_approval,approved,sent,accepted,declined,expired,withdrawn" doc:"Only those whose latest version is in this state."`
}

type quoteListAnswer struct{ Body quotePage }

type quotePage struct {
	Items      []QuoteSummary `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type compareQuotes struct {
	ID   uuid.UUID `path:"quote_id" format:"uuid"`
	From int       `query:"from" required:"true" minimum:"1" maximum:"1000" doc:"The version that is taken as the earlier one."`
	To   int       `query:"to" required:"true" minimum:"1" maximum:"1000"`
}

type compareAnswer struct{ Body quoteDifferences }

// quoteDifferences are what is different between two versions.
type quoteDifferences struct {
	From   int32                 `json:"from"`
	To     int32                 `json:"to"`
	Fields []quoteDifference     `json:"fields" nullable:"false"`
	Lines  []quoteLineDifference `json:"lines" nullable:"false" doc:"Lines that came, went or were changed."`
}

type quoteDifference struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

type quoteLineDifference struct {
	Change string            `json:"change" enum:"added,removed,changed"`
	From   int32             `json:"from,omitempty" doc:"Its number in the earlier version."`
	To     int32             `json:"to,omitempty" doc:"Its number in the later one."`
	SKU    string            `json:"sku,omitempty"`
	Text   string            `json:"text"`
	Fields []quoteDifference `json:"fields" nullable:"false"`
}

func showDifferences(d Differences) quoteDifferences {
	fields := func(all []Difference) []quoteDifference {
		shown := make([]quoteDifference, len(all))
		for i, f := range all {
			shown[i] = quoteDifference(f)
		}
		return shown
	}
	v := quoteDifferences{From: d.From, To: d.To, Fields: fields(d.Fields), Lines: make([]quoteLineDifference, len(d.Lines))}
	for i, l := range d.Lines {
		change := "changed"
		switch {
		case l.From == 0:
			change = "added"
		case l.To == 0:
			change = "removed"
		}
		v.Lines[i] = quoteLineDifference{change, l.From, l.To, l.SKU, l.Text, fields(l.Fields)}
	}
	return v
}

const (
	tagQuotes   = "Quotes"
	pathQuotes  = "/v1/quotes"
	pathQuote   = "/v1/quotes/{quote_id}"
	pathVersion = "/v1/quotes/{quote_id}/versions/{version}"
)

// Routes adds the operations on quotes.
func (s *Quotes) Routes(api *httpx.API) {
	s.writing(api)
	s.reading(api)
	s.going(api)
	s.approving(api)
	s.policyRoutes(api)
}

func (s *Quotes) writing(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "create-quote", Method: http.MethodPost, Path: pathQuotes, Tag: tagQuotes, Summary: "Write a quote",
		Description: "Its first version, a draft. Shares are rounded half away from zero, line by line; the discount on the whole is spread over the lines by largest " +
			"remainder; taxes are on what is left of each line; the total is the sum of the lines.",
		Permission: auth.SalesWrite, Status: http.StatusCreated, Errors: []int{http.StatusGone},
	}, func(ctx context.Context, in *createQuote) (*quoteAnswer, error) {
		of := uuid.Nil
		if in.Body.OpportunityID != nil {
			of = *in.Body.OpportunityID
		}
		return answered(http.StatusCreated)(s.Create(ctx, in.Body.CustomerID, of, in.Body.offer()))
	})
	httpx.Register(api, httpx.Operation{
		ID: "edit-quote", Method: http.MethodPut, Path: pathQuote, Tag: tagQuotes, Summary: "Write a quote anew",
		Description: "The latest version, which is a draft again; where the customer has that, or had it, it stays as it is and the next one is made.",
		Permission:  auth.SalesWrite, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *editQuote) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Edit(ctx, in.ID, in.Body.offer(), func(revision int64) error { return httpx.IfMatch(in.IfMatch, revision) }))
	})
}

func (s *Quotes) reading(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "list-quotes", Method: http.MethodGet, Path: pathQuotes, Tag: tagQuotes, Summary: "List quotes, the latest first", Permission: auth.SalesRead,
	}, func(ctx context.Context, in *listQuotes) (*quoteListAnswer, error) {
		return s.page(in.Page, func(before uuid.UUID, limit int) ([]Quote, error) {
			return s.List(ctx, Filter{CustomerID: in.CustomerID, OpportunityID: in.OpportunityID, State: in.State, Before: before}, limit)
		})
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-quote", Method: http.MethodGet, Path: pathQuote, Tag: tagQuotes, Summary: "Read a quote", Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byQuote) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Get(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-quote-version", Method: http.MethodGet, Path: pathVersion, Tag: tagQuotes, Summary: "Read a version of a quote",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ByQuoteVersion) (*quoteAnswer, error) {
		t, err := s.Version(ctx, in.ID, int32(in.Version))
		answer, err := answered(http.StatusOK)(t, err)
		if err == nil {
			shown := showVersion(t.Versions[t.Shown-1])
			answer.Body.Version = &shown
		}
		return answer, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "compare-quote-versions", Method: http.MethodGet, Path: pathQuote + "/differences", Tag: tagQuotes, Summary: "Compare two versions of a quote",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *compareQuotes) (*compareAnswer, error) {
		d, err := s.Compare(ctx, in.ID, int32(in.From), int32(in.To))
		return &compareAnswer{showDifferences(d)}, err
	})
	httpx.Stream(api, httpx.Operation{
		ID: "get-quote-pdf", Method: http.MethodGet, Path: pathVersion + "/pdf", Tag: tagQuotes, Summary: "A version of a quote on paper",
		Description: "The same bytes for the same version. What was not sent says that it is a draft.",
		Permission:  auth.SalesRead, Produces: []string{"application/pdf"}, Timeout: time.Minute,
		Errors: []int{http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity},
	}, s.pdfHTTP)
}

func (s *Quotes) page(p httpx.Page, list func(before uuid.UUID, limit int) ([]Quote, error)) (*quoteListAnswer, error) {
	items, next, err := httpx.PageByID(p, list, func(q Quote) uuid.UUID { return q.ID }, showSummary)
	if err != nil {
		return nil, err
	}
	return &quoteListAnswer{quotePage{items, next}}, nil
}

// pdfHTTP sends a version as a PDF.
func (s *Quotes) pdfHTTP(c *gin.Context) error {
	bad := problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.")
	id, err := uuid.Parse(c.Param("quote_id"))
	if err != nil {
		return bad.WithField("path.quote_id", "format", "must be a UUID")
	}
	no, err := strconv.ParseInt(c.Param("version"), 10, 32)
	if err != nil || no < 1 {
		return bad.WithField("path.version", "format", "must be the number of a version")
	}
	q, err := s.Paper(c.Request.Context(), id, int32(no))
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := s.fonts.PDF(&out, q, q.Versions[no-1]); err != nil {
		return err
	}
	c.Header("Content-Disposition", fmt.Sprintf(`inline; filename="%s-%d.pdf"`, q.Name(), no))
	c.DataFromReader(http.StatusOK, int64(out.Len()), "application/pdf", &out, nil)
	return nil
}

func (s *Quotes) going(api *httpx.API) {
	conflicts := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "submit-quote", Method: http.MethodPost, Path: pathVersion + "/submit", Tag: tagQuotes, Summary: "Have a quote approved",
		Description: "Within the seller's own limits it is approved at once; otherwise the levels of the policy are asked, one after the other.",
		Permission:  auth.SalesWrite, Status: http.StatusOK, Errors: conflicts,
	}, func(ctx context.Context, in *ByQuoteVersion) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Submit(ctx, in.ID, int32(in.Version)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "send-quote", Method: http.MethodPost, Path: pathVersion + "/send", Tag: tagQuotes, Summary: "Mark an approved quote as sent",
		Description: "From then on it stays as it is and can be accepted; the version that was sent before it is withdrawn. A quote that cannot be drawn is not sent.",
		Permission:  auth.SalesWrite, Status: http.StatusOK, Errors: conflicts,
	}, func(ctx context.Context, in *ByQuoteVersion) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Send(ctx, in.ID, int32(in.Version)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "accept-quote", Method: http.MethodPost, Path: pathVersion + "/accept", Tag: tagQuotes, Summary: "Say that the customer takes a quote",
		Description: "It makes the order in the same moment: a line for a line, with tax, so that the order's total is the quote's.",
		Permission:  auth.SalesWrite, Status: http.StatusOK, Errors: conflicts,
	}, func(ctx context.Context, in *acceptQuote) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Accept(ctx, in.ID, int32(in.Version), in.Body != nil && in.Body.WinOpportunity))
	})
	httpx.Register(api, httpx.Operation{
		ID: "decline-quote", Method: http.MethodPost, Path: pathVersion + "/decline", Tag: tagQuotes, Summary: "Say that the customer does not want a quote",
		Description: "A new version may follow.", Permission: auth.SalesWrite, Status: http.StatusOK, Errors: conflicts,
	}, func(ctx context.Context, in *declineQuote) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Decline(ctx, in.ID, int32(in.Version), in.Body.Reason, in.Body.Words))
	})
	httpx.Register(api, httpx.Operation{
		ID: "withdraw-quote", Method: http.MethodPost, Path: pathQuote + "/withdraw", Tag: tagQuotes, Summary: "Take a quote back",
		Description: "All of its versions. Nothing more can be done with it.", Permission: auth.SalesWrite, Status: http.StatusOK, Errors: conflicts,
	}, func(ctx context.Context, in *endQuote) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Withdraw(ctx, in.ID, in.Body.Reason, in.Body.Words))
	})
}

func (s *Quotes) approving(api *httpx.API) {
	errs := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusServiceUnavailable}
	httpx.Register(api, httpx.Operation{
		ID: "list-quotes-to-approve", Method: http.MethodGet, Path: "/v1/quote-approvals", Tag: tagQuotes, Summary: "List the quotes that wait for the caller's approval",
		Permission: auth.QuotesApprove,
	}, func(ctx context.Context, in *httpx.Page) (*quoteListAnswer, error) {
		return s.page(*in, func(before uuid.UUID, limit int) ([]Quote, error) { return s.Awaiting(ctx, before, limit) })
	})
	httpx.Register(api, httpx.Operation{
		ID: "approve-quote", Method: http.MethodPost, Path: pathVersion + "/approve", Tag: tagQuotes, Summary: "Approve a quote for a level",
		Description: "Nobody approves what they wrote, edited or submitted themselves, nor, unless the policy allows it, on two levels.",
		Permission:  auth.QuotesApprove, Status: http.StatusOK, Errors: errs,
	}, func(ctx context.Context, in *approveQuote) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Decide(ctx, Decision{QuoteID: in.ID, Version: int32(in.Version), Action: ActionApprove, Level: in.Body.Level}, in.Body.Words))
	})
	httpx.Register(api, httpx.Operation{
		ID: "reject-quote", Method: http.MethodPost, Path: pathVersion + "/reject", Tag: tagQuotes, Summary: "Reject a quote for a level",
		Description: "The version is a draft again.", Permission: auth.QuotesApprove, Status: http.StatusOK, Errors: errs,
	}, func(ctx context.Context, in *rejectQuote) (*quoteAnswer, error) {
		return answered(http.StatusOK)(s.Decide(ctx, Decision{QuoteID: in.ID, Version: int32(in.Version), Action: ActionReject, Level: in.Body.Level, Code: in.Body.Reason}, in.Body.Words))
	})
}
