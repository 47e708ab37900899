package pg

// OrNull gives what a nullable column is written with: NULL for the zero value.
func OrNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
