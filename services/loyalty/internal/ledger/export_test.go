package ledger

// Small has the expirer work in small pages and transactions, so that there are many places to stop at.
func (x *Expirer) Small() *Expirer {
	x.bounds = bounds{groups: 7, look: 5, piece: 3}
	return x
}
