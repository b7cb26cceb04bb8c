package index

import "bytes"

// Frontier is the heads of all complete ones that no other has seen all of (docs/shares.md §3.4): one is the normal case.
// A head of a later epoch dominates all earlier ones; of two with the same state the one with the smaller id stays, of
// two that have seen the same and differ both do.
func Frontier(complete []Kept) []Kept {
	var out []Kept
	for i := range complete {
		dominated := false
		for j := range complete {
			if i != j && complete[j].Dominates(&complete[i]) {
				dominated = true
				break
			}
		}
		if !dominated {
			out = append(out, complete[i])
		}
	}
	return out
}

// Dominates reports whether k stands for o as well in a frontier. Both are complete.
func (k *Kept) Dominates(o *Kept) bool {
	switch {
	case k.Epoch != o.Epoch:
		return k.Epoch > o.Epoch
	case !o.State.Ctx.Leq(k.State.Ctx):
		return false
	case !k.State.Ctx.Leq(o.State.Ctx):
		return true
	}
	return k.State.Root == o.State.Root && bytes.Compare(k.ID[:], o.ID[:]) < 0
}
