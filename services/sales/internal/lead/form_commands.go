package lead

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadfield"
)

// DefineForm makes a form. A code that another one has is a Conflict, lead_form_exists.
func (s *Leads) DefineForm(ctx context.Context, code string, c FormContent) (Form, error) {
	var made Form
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		w := s.look(tx, true)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		content, wrong := c.check(w.Fields, w.Teams)
		form, more := newForm(uuid.Must(uuid.NewV7()), code, newKey(), content, actor(ctx), s.now())
		if wrong = append(wrong, more...); len(wrong) > 0 {
			return pg.Result{}, invalidForm(wrong)
		}
		made = form
		saveForm(tx, made)
		return pg.Result{ID: made.ID, Status: http.StatusCreated}, nil
	})
	if name, _ := pg.Constraint(err); name == formCode {
		return Form{}, problem.New(problem.Conflict, "lead_form_exists", "There is a form of this code already: change it, or choose another code.").Because(err)
	}
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return s.Form(ctx, result.ID)
	}
	return made, err
}

func invalidForm(wrong faults) error {
	return problem.InvalidBody("lead_form_invalid", "The form was not accepted: mend the fields named here.", wrong)
}

// ChangeForm changes what is said of a form, if it still is as the caller saw it: fresh is asked with the version.
func (s *Leads) ChangeForm(ctx context.Context, id uuid.UUID, c FormContent, fresh func(version int64) error) (Form, error) {
	return s.form(ctx, id, fresh, func(tx *pg.Tx, f Form) (Form, error) {
		w := s.look(tx, true)
		if err := tx.Flush(ctx); err != nil {
			return f, err
		}
		if c.Team == f.Team { // it may be in the archive by now
			w.Teams = nil
		}
		content, wrong := c.check(w.Fields, w.Teams)
		if len(wrong) > 0 {
			return f, invalidForm(wrong)
		}
		f.FormContent = content
		return f, nil
	})
}

// OpenForm closes a form, or opens one that was closed.
func (s *Leads) OpenForm(ctx context.Context, id uuid.UUID, open bool, fresh func(version int64) error) (Form, error) {
	return s.form(ctx, id, fresh, func(_ *pg.Tx, f Form) (Form, error) {
		if f.Open == open {
			return f, problem.New(problem.Conflict, "lead_form_state_unfit", "The form is so already.")
		}
		f.Open = open
		return f, nil
	})
}

// RenewKey gives a form another key: whoever knows the one before cannot fill it in any more.
func (s *Leads) RenewKey(ctx context.Context, id uuid.UUID, fresh func(version int64) error) (Form, error) {
	return s.form(ctx, id, fresh, func(_ *pg.Tx, f Form) (Form, error) {
		f.Key = newKey()
		return f, nil
	})
}

// form changes a form that is locked.
func (s *Leads) form(ctx context.Context, id uuid.UUID, fresh func(version int64) error, do func(tx *pg.Tx, f Form) (Form, error)) (Form, error) {
	var now Form
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := getForm(ctx, tx, id, `FOR UPDATE`)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		if now, err = do(tx, was); err != nil {
			return pg.Result{}, err
		}
		now = now.change(actor(ctx), s.now())
		saveForm(tx, now)
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return s.Form(ctx, id)
	}
	return now, err
}

// Form gives a form of the caller's tenant.
func (s *Leads) Form(ctx context.Context, id uuid.UUID) (f Form, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		f, err = getForm(ctx, tx, id, ``)
		return err
	})
	return f, err
}

// Forms gives up to limit forms after the one of an id (Nil: from the first).
func (s *Leads) Forms(ctx context.Context, after uuid.UUID, limit int) (page []Form, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = listForms(ctx, tx, after, limit)
		return err
	})
	return page, err
}

// visitor is whoever fills a form in: they have no token.
func visitor(ctx context.Context, tenant string) context.Context {
	return auth.With(ctx, auth.Principal{Subject: "form", Tenant: tenant})
}

// FormOf gives the open form of a key, and the context in which it is filled in. Keys of no open form are all answered alike.
func (s *Leads) formOf(ctx context.Context, key string) (context.Context, Form, error) {
	of, ok, err := formByKey(ctx, s.db, key)
	if err != nil || !ok {
		if err == nil {
			err = errNoForm
		}
		return ctx, Form{}, err
	}
	ctx = visitor(ctx, of.Tenant)
	f, err := s.Form(ctx, of.ID)
	if err == nil && !f.Open {
		err = errNoForm
	}
	return ctx, f, err
}

// Fill takes in what somebody filled a form in with. Nothing tells them whether they are known: a new lead, an enquiry on an open one and
// the work of a machine are all answered alike.
func (s *Leads) Fill(ctx context.Context, f Form, given map[string]string) error {
	tenant := auth.Tenant(ctx)
	var may bool
	err := s.db.Tx(ctx, tenant, func(tx *pg.Tx) (err error) { // a transaction of its own: it counts what is refused, too
		may, err = use(ctx, tx, f, s.now())
		return err
	})
	if err != nil {
		return err
	}
	if !may {
		return problem.New(problem.TooMany, "lead_form_busy", "This form is filled in too often at the moment. Try again in a minute.")
	}
	if f.trapped(given) {
		return nil
	}
	_, err = s.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		w := s.look(tx, false)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		d, wrong := f.draft(given, w.Fields)
		l, enquiry, more := Take(uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), d, w.world(), s.now())
		if wrong = append(wrong, inForm(more)...); len(wrong) > 0 {
			return pg.Result{}, problem.InvalidBody("lead_form_unfit", "The form was not accepted: mend the fields named here.", wrong)
		}
		leadfield.Kind().Use(tx, w.Fields, l.Custom)
		hold(tx, l, w.Setting.Dedupe)
		_, err := s.bring(ctx, tx, w.world(), []Arrival{{Lead: l, Enquiry: enquiry}})
		return pg.Result{ID: l.ID, Status: http.StatusAccepted}, err
	})
	return err
}
