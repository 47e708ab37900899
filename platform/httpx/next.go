package httpx

// NextPage cuts rows, of which one more than limit was asked for, to one page and gives the cursor of the next; empty
// on the last page. Key gives the sort key of the page's last row, as DecodeCursor will give it back.
func NextPage[T any](rows []T, limit int, key func(last T) []string) (page []T, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	page = rows[:limit]
	return page, EncodeCursor(key(page[limit-1])...)
}

// CursorInvalid is the answer to a cursor whose parts are not what the list put there.
func CursorInvalid() error { return cursorInvalid() }
