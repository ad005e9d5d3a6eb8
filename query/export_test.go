package query

// SetMaxAddresses has queries name so many addresses of trunks until the end of the
// test, for which undo is called.
func SetMaxAddresses(n int) (undo func()) {
	was := maxAddresses
	maxAddresses = n
	return func() { maxAddresses = was }
}
