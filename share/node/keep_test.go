package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shoal/bt/bencode"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/secret"
	"shoal/share/wire"
)

// book is a ledger in memory. look, when it is not nil, is called when somebody has looked and not yet decided.
type book struct {
	has  map[unit]bool
	kept map[unit]time.Time
	now  *time.Time
	look func()
}

func (b *book) holds(_ context.Context, units []unit, _ bool) ([]bool, error) {
	have := make([]bool, len(units))
	for i, u := range units {
		have[i] = b.has[u]
	}
	if b.look != nil {
		b.look()
	}
	return have, nil
}

func (b *book) promise(_ context.Context, units []unit, until time.Time) error {
	for _, u := range units {
		b.kept[u] = until
	}
	return nil
}

func (b *book) promised(_ context.Context, units []unit) (latest time.Time, err error) {
	for _, u := range units {
		if until := b.kept[u]; until.After(*b.now) && until.After(latest) {
			latest = until
		}
	}
	return latest, nil
}

// dropper is a node that drops one unit, a step at a time: as messages arrive in any order.
type dropper struct {
	id   [32]byte
	book *book
	k    *keeper
	end  func()
	wait []int   // nodes that were asked and have not answered
	got  []claim // answers
	over bool
}

// TestDroppersKeepOne is T2: whatever the order of what nodes say when they drop the same file at once, one of them keeps
// it; and the further keys of one store, which are not listed, count for nothing.
func TestDroppersKeepOne(t *testing.T) {
	for seed := range uint64(2000) {
		if err := dropAtOnce(rand.New(rand.NewPCG(seed, 1))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func dropAtOnce(r *rand.Rand) error {
	now := time.Unix(1_800_000_000, 0)
	u := unit{2, 1}
	nodes := make([]*dropper, 2+r.IntN(3))
	for i := range nodes {
		b := &book{has: map[unit]bool{u: true}, kept: map[unit]time.Time{}, now: &now}
		nodes[i] = &dropper{id: [32]byte{byte(i)}, book: b, k: newKeeper(b, func() time.Time { return now })}
	}
	liar := [32]byte{99} // says yes to everything, under a key that nobody has listed
	listed := func(id [32]byte) bool { return id != liar }
	for step := 0; step < 1000; step++ {
		d := nodes[r.IntN(len(nodes))]
		switch {
		case d.over:
			continue
		case d.end == nil:
			end, err := d.k.give(context.Background(), []unit{u}, false)
			if promised := (*errPromised)(nil); errors.As(err, &promised) {
				d.over = true
				continue
			}
			d.end, d.wait = end, r.Perm(len(nodes))
			d.got = []claim{{node: liar, have: []bool{true}}}
		case len(d.wait) > 0:
			i := d.wait[0]
			d.wait = d.wait[1:]
			if nodes[i] == d {
				continue
			}
			have, err := nodes[i].k.answer(context.Background(), []unit{u}, 60)
			if err != nil {
				return err
			}
			d.got = append(d.got, claim{node: nodes[i].id, have: have})
		default:
			if promises(1, d.got, listed)[0] >= 1 {
				delete(d.book.has, u)
			}
			d.end()
			d.over = true
		}
	}
	for _, d := range nodes {
		if d.book.has[u] {
			return nil
		}
	}
	return fmt.Errorf("none of %d nodes has it", len(nodes))
}

// A promise is not given for what went while the node looked whether it has it.
func TestAnswerSeesWhatWent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	u := unit{2}
	b := &book{has: map[unit]bool{u: true}, kept: map[unit]time.Time{}, now: &now}
	k := newKeeper(b, func() time.Time { return now })
	b.look = func() {
		b.look = nil
		end, err := k.give(t.Context(), []unit{u}, false)
		if err != nil {
			t.Error(err)
			return
		}
		delete(b.has, u)
		end()
	}
	have, err := k.answer(t.Context(), []unit{u}, 60)
	if err != nil || have[0] || len(b.kept) > 0 {
		t.Fatalf("%v %v %v", have, b.kept, err)
	}
}

// A question that binds nobody refuses nothing, and is no promise.
func TestOnlyAsking(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	u := unit{2}
	b := &book{has: map[unit]bool{u: true}, kept: map[unit]time.Time{}, now: &now}
	k := newKeeper(b, func() time.Time { return now })
	if have, err := k.answer(t.Context(), []unit{u}, 0); err != nil || !have[0] || len(b.kept) > 0 {
		t.Fatalf("%v %v %v", have, b.kept, err)
	}
	if _, err := k.answer(t.Context(), []unit{u}, 1<<40); err != nil || b.kept[u] != now.Add(24*time.Hour) {
		t.Fatalf("promised until %v, want a day at most: %v", b.kept[u], err)
	}
	if _, err := k.give(t.Context(), []unit{u}, false); err == nil {
		t.Fatal("a promised unit is given up")
	}
	now = now.Add(25 * time.Hour)
	end, err := k.give(t.Context(), []unit{u}, false)
	if err != nil {
		t.Fatal(err)
	}
	if have, _ := k.answer(t.Context(), []unit{u}, 60); have[0] {
		t.Fatal("what is being given up is promised")
	}
	end()
	if have, _ := k.answer(t.Context(), []unit{u}, 60); !have[0] {
		t.Fatal("what was not given up is not promised")
	}
}

func TestPromisesCountNodesOnce(t *testing.T) {
	t.Parallel()
	yes := func(id byte) claim { return claim{node: [32]byte{id}, have: []bool{true, id == 2}} }
	all := func([32]byte) bool { return true }
	if got := promises(2, []claim{yes(1), yes(1), yes(2), {node: [32]byte{3}, have: []bool{true}}}, all); !slices.Equal(got, []int{2, 1}) {
		t.Fatal(got)
	}
}

func TestProven(t *testing.T) {
	t.Parallel()
	chal := []wire.Challenge{{Unit: 1}, {Unit: 0}}
	want := [][]byte{[]byte("a"), []byte("b")}
	for _, c := range []struct {
		name  string
		have  []bool
		proof [][]byte
		ok    bool
	}{
		{"shown", []bool{true, true}, want, true},
		{"not shown", []bool{true, true}, nil, false},
		{"wrong", []bool{true, true}, [][]byte{[]byte("a"), []byte("x")}, false},
		{"not had", []bool{false, true}, [][]byte{[]byte("a"), nil}, true},
	} {
		if got := proven(chal, want, c.have, c.proof); got != c.ok {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	info, recipe := blob.ID{byte(blob.Info), 7}, blob.ID{byte(blob.Recipe), 8}
	row := index.Base{Type: index.File, Size: 5 << 30, Caps: []blob.Cap{{ID: recipe}}}
	if _, ok := rowUnits(&row, nil); ok {
		t.Fatal("units of a torrent that is not known")
	}
	units, ok := rowUnits(&row, map[blob.ID]blob.ID{recipe: info})
	if !ok || len(units) != 2+5 || units[0] != recipe || units[1] != info || units[2] == units[3] {
		t.Fatalf("%d units", len(units))
	}
	rapid.Check(t, func(t *rapid.T) {
		length := blob.Padme(rapid.Int64Range(blob.Small+1, 8<<40).Draw(t, "size"))
		var sum int64
		for i := range stripes(length) {
			sum += stripe{info, i, length}.len()
		}
		if sum != length {
			t.Fatalf("stripes of %d bytes have %d", length, sum)
		}
	})
}

func TestWanted(t *testing.T) {
	t.Parallel()
	paths := []string{"", "a", "a/b", "a/b/c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		c := api.ShareConfig{OnDemand: rapid.Bool().Draw(t, "on demand")}
		want := map[string]bool{}
		for _, p := range paths {
			want[p] = !c.OnDemand
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			p, get := rapid.SampledFrom(paths).Draw(t, "path"), rapid.Bool().Draw(t, "get")
			if get {
				c = wantPath(c, p)
			} else {
				c = dropPath(c, p)
			}
			for _, q := range paths {
				if within(q, []string{p}) {
					want[q] = get
				}
			}
			for _, q := range paths {
				if wants(&c, q) != want[q] {
					t.Fatalf("%q is wanted: %v, after %v of %q: %+v", q, !want[q], get, p, c)
				}
			}
		}
	})
}

// signedPolicy is a policy by an admin.
func signedPolicy(t testing.TB, admin secret.Token, dict string) []byte {
	keys, err := admin.Keys()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(dict), secret.Sign(keys.AdminSign, secret.SignPolicy, append(admin.Share[:], dict...))...)
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	admin, err := secret.NewAdmin(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	pk := [32]byte{5}
	dict := string(bencode.AppendString([]byte("d1:Ni2e1:Pll"), pk[:])) + "i10eee1:Ri3e3:seqi7ee"
	b := signedPolicy(t, admin, dict)
	p, ok := parsePolicy(admin.Share, b)
	if !ok || p.N != 2 || p.R != 3 || p.Seq != 7 || p.Stores[pk] != 10 {
		t.Fatalf("%+v %v", p, ok)
	}
	b[5] ^= 1
	if _, ok := parsePolicy(admin.Share, b); ok {
		t.Fatal("a policy that nobody signed")
	}
}

// FuzzPolicy: what strangers write as a policy makes no trouble, even if it is signed; what is read is within bounds.
func FuzzPolicy(f *testing.F) {
	admin, err := secret.NewAdmin(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("d1:Ni2e1:Plee")
	f.Add("d1:Plli1eee1:Ri-1ee")
	f.Fuzz(func(t *testing.T, dict string) {
		p, ok := parsePolicy(admin.Share, signedPolicy(t, admin, dict))
		if ok && (p.N < 0 || p.N > maxCopies || p.R < 0 || p.R > maxCopies || len(p.Stores) > maxPlaced) {
			t.Fatalf("%+v", p)
		}
	})
}
