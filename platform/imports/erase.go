package imports

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Erase takes the content out of all rejected rows of the tenant, of every kind, that hold one of the values, and gives
// how many there were. Values are names, numbers and addresses as the service keeps them. As files write them in many
// ways, signs, blanks, widths and case do not count, nor does the country code of a telephone number: rather a row too
// many loses its content than one too few. Where the row was, and why it was not taken, stays. Repeated, it finds nothing.
func Erase(ctx context.Context, tx *pg.Tx, values []string) (erased int64, err error) {
	const page = 1000
	wanted := needles(values)
	if len(wanted) == 0 {
		return 0, nil
	}
	at := kept{}
	for {
		rows, err := tx.Query(ctx, `SELECT import_id, n, raw FROM import_rejection
			WHERE tenant_id = $1 AND (import_id, n) > ($2, $3) AND raw IS NOT NULL ORDER BY import_id, n LIMIT $4`,
			tx.Tenant(), at.id, at.n, page)
		if err != nil {
			return erased, err
		}
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k kept, err error) {
			return k, row.Scan(&k.id, &k.n, &k.raw)
		})
		if err != nil || len(all) == 0 {
			return erased, err
		}
		at = all[len(all)-1]
		var ids []uuid.UUID
		var numbers []int64
		for _, k := range all {
			if wanted.in(k.raw) {
				ids, numbers = append(ids, k.id), append(numbers, k.n)
			}
		}
		if len(ids) > 0 {
			tx.Queue(`UPDATE import_rejection SET raw = NULL FROM unnest($2::uuid[], $3::bigint[]) AS e(id, number)
				WHERE tenant_id = $1 AND import_id = e.id AND n = e.number`, tx.Tenant(), ids, numbers)
			erased += int64(len(ids))
		}
	}
}

// kept is the content of a rejected row.
type kept struct {
	id  uuid.UUID
	n   int64
	raw []byte
}

// Pending gives how many files that were sent before the time are still kept, of every kind: those that are being
// brought in, and those that ended and are just being cleared away. An erasure waits until there is none: until then such
// a file may name whoever is to be erased, and bring them in again.
func Pending(ctx context.Context, tx *pg.Tx, before time.Time) (files int64, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM import_job WHERE tenant_id = $1 AND NOT closed AND created_at < $2`,
		tx.Tenant(), before).Scan(&files)
	return files, err
}

// found holds folded values that are looked for.
type found []string

// national is how many of a number's last digits are compared: the subscriber's, which are written alike with and without
// a country code or an area code.
const national = 8

func needles(values []string) found {
	var all found
	for _, v := range values {
		folded := fold(v)
		if strings.Trim(folded, "0123456789") == "" && len(folded) > national {
			folded = folded[len(folded)-national:]
		}
		if folded != "" {
			all = append(all, folded)
		}
	}
	return all
}

func (f found) in(raw []byte) bool {
	text := string(raw)
	if strings.Contains(text, `\`) { // JSON may write any character by its number
		text = unescaped(text)
	}
	text = fold(text)
	for _, one := range f {
		if strings.Contains(text, one) {
			return true
		}
	}
	return false
}

// unescaped gives a JSON text with its escapes resolved, as far as it is one; a cut or broken one keeps the rest as it is.
func unescaped(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, `"`) {
		var s string
		if i > 0 {
			b.WriteByte('"')
		}
		if err := json.Unmarshal([]byte(`"`+part+`"`), &s); err == nil {
			part = s
		}
		b.WriteString(part)
	}
	return b.String()
}

// fold gives the letters and digits of a text, in one form and in lower case.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKC.String(strings.ToValidUTF8(text, "")))
}
