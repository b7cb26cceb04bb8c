package node

import (
	"shoal/bt/bencode"
	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/secret"
)

// policy is what the admin has signed about copies: the value of the meta entry "policy" (docs/shares.md §6.7).
type policy struct {
	N      int                // promises that a drop needs
	R      int                // copies on stores; 0 = every store has all
	Stores map[[32]byte]int64 // weights, GiB
	Seq    int64              // the highest counts
}

const (
	policyPath = "policy"
	maxPlaced  = 1024 // stores of a policy
	maxCopies  = 1024
)

// parsePolicy reads a value that is dict||sig. Unknown keys are passed over.
func parsePolicy(share secret.ShareID, value []byte) (p policy, ok bool) {
	if len(value) < secret.SignatureSize {
		return p, false
	}
	dict, sig := value[:len(value)-secret.SignatureSize], value[len(value)-secret.SignatureSize:]
	if !secret.Verify(share[:], secret.SignPolicy, append(share[:], dict...), sig) {
		return p, false
	}
	v, err := bencode.Parse(dict, bencode.Limits{Depth: 8, Size: blob.Small})
	if err != nil {
		return p, false
	}
	number := func(key string) int64 { n, _ := v.Get(key).Int64(); return n }
	n, r := number("N"), number("R")
	if n < 0 || n > maxCopies || r < 0 || r > maxCopies {
		return p, false
	}
	p = policy{N: int(n), R: int(r), Seq: number("seq"), Stores: map[[32]byte]int64{}}
	for i, pair := range v.Get("P").Items() {
		of := pair.Items()
		if i >= maxPlaced || len(of) != 2 || len(of[0].Bytes()) != 32 {
			return p, false
		}
		weight, _ := of[1].Int64()
		p.Stores[[32]byte(of[0].Bytes())] = weight
	}
	return p, true
}

// policy is the one that counts, or the default: one promise.
func (e *engine) policy(root index.Root) (policy, error) {
	best := policy{N: 1, Seq: -1}
	if p, ok := parsePolicy(e.token.Share, e.keptPolicy()); ok {
		best = p
	}
	forest := e.reader()
	set, err := forest.Find(root.Meta, policyPath)
	if err != nil {
		return best, err
	}
	for i := range set.Entries {
		x := &set.Entries[i]
		value := x.Value
		if len(x.Caps) > 0 {
			b, err := e.blobs.Get(x.Caps[0].ID)
			if err != nil {
				continue // it is not here; what is counts
			}
			if value, err = blob.OpenFile(x.Caps[0], x.Size, x.Hash, b); err != nil {
				continue
			}
		}
		if p, ok := parsePolicy(e.token.Share, value); ok && p.check() == nil && p.Seq > best.Seq {
			best = p
		}
	}
	best.N = max(1, best.N)
	return best, nil
}

// counting says how many promises are needed, and whose count: those of members, and of stores that the policy names.
func (e *engine) counting() (need int, counts func([32]byte) bool, err error) {
	v, _ := e.look()
	pol, err := e.policy(v.Root)
	if err != nil {
		return 0, nil, err
	}
	_, chains, err := e.members(v.Root)
	if err != nil {
		return 0, nil, err
	}
	return pol.N, func(pk [32]byte) bool {
		if pk == e.pk {
			return false
		}
		_, placed := pol.Stores[pk]
		return placed || chains[pk] != nil
	}, nil
}
