package index

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"shoal/share/blob"
)

// Blobs is where trees read and write nodes.
type Blobs interface {
	Get(id blob.ID) ([]byte, error) // an error that wraps ErrMissing when it is not here
	Put(id blob.ID, b []byte) error // only nodes of a result that were not in their place before, children first
}

// A Forest is the trees of one share in one epoch. A tree is given by the cap of its top directory, or the zero Cap when
// it is empty; it is a function of the set of its entries alone (docs/shares.md §3.2). What is found in a tree is shared
// and must not be changed. A Forest may be used by several goroutines when its Blobs may.
type Forest struct {
	conv  [32]byte
	blobs Blobs
	cache cache
}

// NewForest is the forest whose new nodes are sealed under the convergence secret conv. It keeps some 32 MiB of decoded
// nodes.
func NewForest(conv [32]byte, blobs Blobs) *Forest {
	return &Forest{conv: conv, blobs: blobs, cache: cache{max: 32 << 20}}
}

// open reads the plain text of the node that c gives.
func (f *Forest) open(c blob.Cap) (refs []blob.ID, plain []byte, err error) {
	b, err := f.blobs.Get(c.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("reading node %s: %w", c.ID, err)
	}
	return openNode(c, b)
}

func openNode(c blob.Cap, b []byte) (refs []blob.ID, plain []byte, err error) {
	if c.ID.Kind() != blob.Node {
		return nil, nil, invalid("%s is no node", c.ID)
	}
	if refs, plain, err = blob.Open(c, b); err != nil {
		return nil, nil, fmt.Errorf("%w: opening node %s: %w", ErrInvalid, c.ID, err)
	}
	return refs, plain, nil
}

// node is the decoded node that c gives. It is shared.
func (f *Forest) node(c blob.Cap) (*node, error) {
	if n := f.cache.get(c); n != nil {
		return n, nil
	}
	refs, plain, err := f.open(c)
	if err != nil {
		return nil, err
	}
	n, err := decodeNode(refs, plain)
	if err != nil {
		return nil, fmt.Errorf("reading node %s: %w", c.ID, err)
	}
	f.cache.put(c, n, len(plain)+32*len(refs))
	return n, nil
}

// put seals a node and stores it, unless it is the one that was there before.
func (f *Forest) put(n *node, before blob.Cap) (blob.Cap, error) {
	refs, plain := n.encode()
	if len(refs) > blob.MaxRefs || !blob.Fits(len(refs), len(plain)) {
		return blob.Cap{}, overLimit("a node of %d bytes with %d references", len(plain), len(refs))
	}
	c, b := blob.Seal(f.conv, blob.Node, refs, plain)
	if c == before {
		return c, nil
	}
	if err := f.blobs.Put(c.ID, b); err != nil {
		return blob.Cap{}, fmt.Errorf("writing node %s: %w", c.ID, err)
	}
	f.cache.put(c, n, len(plain)+32*len(refs))
	return c, nil
}

// Names gives the names of one directory, in the order of their hashes' shards and by name within one, which is the same
// on every node.
func (f *Forest) Names(dir blob.Cap) iter.Seq2[NameSet, error] {
	return func(yield func(NameSet, error) bool) { f.names(dir, 0, yield) }
}

func (f *Forest) names(c blob.Cap, level int, yield func(NameSet, error) bool) bool {
	if c.IsZero() {
		return true
	}
	n, err := f.node(c)
	if err != nil {
		yield(NameSet{}, err)
		return false
	}
	for i := range n.names {
		if !yield(n.names[i], nil) {
			return false
		}
	}
	if n.kids == nil {
		return true
	}
	if level == nibbles {
		yield(NameSet{}, errDeep)
		return false
	}
	for _, kid := range n.kids {
		if !f.names(kid, level+1, yield) {
			return false
		}
	}
	return true
}

var (
	errDeep  = overLimit("a directory of more than %d levels", nibbles)
	errPaths = overLimit("a path of more than %d names", MaxDepth)
)

// Find is what the tree says of a natural path; nothing, without error, when it says nothing. The path "" is the top,
// which has no entries.
func (f *Forest) Find(tree blob.Cap, path string) (NameSet, error) {
	s := NameSet{Below: tree}
	for name := range names(path) {
		var err error
		if s, err = f.lookup(s.Below, name); err != nil {
			return NameSet{}, err
		}
	}
	return s, nil
}

// names are the names of a natural path; none of "".
func names(path string) iter.Seq[string] {
	if path == "" {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(path, "/")
}

// lookup finds a name in a directory.
func (f *Forest) lookup(dir blob.Cap, name string) (NameSet, error) {
	h := place(name)
	for level := 0; !dir.IsZero(); level++ {
		n, err := f.node(dir)
		if err != nil {
			return NameSet{}, err
		}
		if n.kids == nil {
			if i, ok := n.find(name); ok {
				return n.names[i], nil
			}
			break
		}
		if level == nibbles {
			return NameSet{}, errDeep
		}
		dir = n.kids[nibble(&h, level)]
	}
	return NameSet{Name: name}, nil
}

func (n *node) find(name string) (int, bool) {
	return slices.BinarySearchFunc(n.names, name, func(s NameSet, name string) int {
		return strings.Compare(s.Name, name)
	})
}

// A Place is a natural path and what a tree says of it.
type Place struct {
	Path string
	NameSet
}

// Walk gives every place at under and below it, a directory before what is in it, the names of each in the order of
// [Forest.Names]. It does not follow pins. An error is the last that it gives.
func (f *Forest) Walk(tree blob.Cap, under string) iter.Seq2[Place, error] {
	return func(yield func(Place, error) bool) {
		s, err := f.Find(tree, under)
		switch {
		case err != nil:
			yield(Place{}, err)
			return
		case s.count() == 0:
			return
		case under != "" && !yield(Place{under, s}, nil):
			return
		}
		f.walk(under, depthOf(under), s.Below, yield)
	}
}

func (f *Forest) walk(at string, depth int, dir blob.Cap, yield func(Place, error) bool) bool {
	if dir.IsZero() {
		return true
	}
	if depth >= MaxDepth {
		yield(Place{}, errPaths)
		return false
	}
	for s, err := range f.Names(dir) {
		if err != nil {
			yield(Place{}, err)
			return false
		}
		p := PathOf(at, s.Name)
		if !yield(Place{p, s}, nil) || !f.walk(p, depth+1, s.Below, yield) {
			return false
		}
	}
	return true
}

// PathOf is the path of a name in a directory; "" is the top.
func PathOf(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// depthOf is the number of names of a path.
func depthOf(path string) int {
	if path == "" {
		return 0
	}
	return strings.Count(path, "/") + 1
}

// ComparePaths orders natural paths by their names: a directory comes right before all that is in it.
func ComparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		}
		return int(a[i]) - int(b[i])
	}
	return len(a) - len(b)
}
