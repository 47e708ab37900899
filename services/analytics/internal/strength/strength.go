// Package strength says how strong relationships with customers are, and how loyal customers are.
package strength
