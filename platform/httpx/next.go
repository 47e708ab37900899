package httpx

import "github.com/google/uuid"

// NextPage cuts rows, of which one more than limit was asked for, to one page and gives the cursor of the next; empty
// on the last page. Key gives the sort key of the page's last row, as DecodeCursor will give it back.
func NextPage[T any](rows []T, limit int, key func(last T) []string) (page []T, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	page = rows[:limit]
	return page, EncodeCursor(key(page[limit-1])...)
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
