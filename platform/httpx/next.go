package httpx

import (
	"strconv"

	"github.com/google/uuid"
)

// NextPage cuts rows, of which one more than limit was asked for, to one page and gives the cursor of the next; empty
// on the last page. Key gives the sort key of the page's last row, as DecodeCursor will give it back.
func NextPage[T any](rows []T, limit int, key func(last T) []string) (page []T, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	page = rows[:limit]
	return page, EncodeCursor(key(page[limit-1])...)
}

// PageByID gives one page of a list that is sorted by id alone: rows are asked for after (or before, as the list goes) the
// id that the cursor names, one more than the page takes, and shown.
func PageByID[T, V any](in Page, rows func(after uuid.UUID, limit int) ([]T, error), id func(T) uuid.UUID, show func(T) V,
) (items []V, next string, err error) {
	after, err := AfterID(in.Cursor)
	if err != nil {
		return nil, "", err
	}
	found, err := rows(after, in.Limit+1)
	if err != nil {
		return nil, "", err
	}
	page, next := NextPage(found, in.Limit, func(last T) []string { return []string{id(last).String()} })
	items = make([]V, len(page))
	for i, one := range page {
		items[i] = show(one)
	}
	return items, next, nil
}

// PageByText gives one page of a list that is sorted by a text alone, such as a code: rows are asked for after the text that
// the cursor names, empty where there is none, one more than the page takes, and shown.
func PageByText[T, V any](in Page, rows func(after string, limit int) ([]T, error), text func(T) string, show func(T) V,
) (items []V, next string, err error) {
	parts, err := DecodeCursor(in.Cursor, 1)
	if err != nil {
		return nil, "", err
	}
	after := ""
	if parts != nil {
		after = parts[0]
	}
	found, err := rows(after, in.Limit+1)
	if err != nil {
		return nil, "", err
	}
	page, next := NextPage(found, in.Limit, func(last T) []string { return []string{text(last)} })
	items = make([]V, len(page))
	for i, one := range page {
		items[i] = show(one)
	}
	return items, next, nil
}

// AfterID gives the id of the row after which a page begins, of a list that is sorted by id alone; uuid.Nil without a
// cursor.
func AfterID(cursor string) (uuid.UUID, error) {
	parts, err := DecodeCursor(cursor, 1)
	if parts == nil || err != nil {
		return uuid.Nil, err
	}
	id, err := uuid.Parse(parts[0])
	if err != nil {
		return uuid.Nil, cursorInvalid()
	}
	return id, nil
}

// CursorInvalid is the answer to a cursor whose parts are not what the list put there.
func CursorInvalid() error { return cursorInvalid() }

// PageByNumber gives one page of a list that is sorted by a number alone: rows are asked for before (or after, as the list goes)
// the number that the cursor names, 0 where there is none, one more than the page takes, and shown.
func PageByNumber[T, V any](in Page, rows func(from, limit int) ([]T, error), number func(T) int, show func(T) V,
) (items []V, next string, err error) {
	from, err := FromNumber(in.Cursor)
	if err != nil {
		return nil, "", err
	}
	found, err := rows(from, in.Limit+1)
	if err != nil {
		return nil, "", err
	}
	page, next := NextPage(found, in.Limit, func(last T) []string { return []string{strconv.Itoa(number(last))} })
	items = make([]V, len(page))
	for i, one := range page {
		items[i] = show(one)
	}
	return items, next, nil
}

// FromNumber gives the number of the row from which a page goes on, of a list that is sorted by a number alone: 1 to 2^31-1, which
// every integer column can be compared with; 0 without a cursor.
func FromNumber(cursor string) (int, error) {
	parts, err := DecodeCursor(cursor, 1)
	if parts == nil || err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(parts[0], 10, 32)
	if err != nil || n < 1 {
		return 0, cursorInvalid()
	}
	return int(n), nil
}
