package node

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"shoal/bt"
	"shoal/bt/bencode"
	"shoal/share/api"
	"shoal/share/index"
	"shoal/share/secret"
)

// member is a node that is listed in the share: the value of the meta entry "member/<hex pk>" (docs/shares.md §7).
type member struct {
	PK    [32]byte
	Label string
	Role  secret.Role
	How   string // it joined: a word; "" = it created the share
	Box   [32]byte
	By    [32]byte // who admitted it; A for nodes with the admin secret
	SigJ  []byte   // by PK: it wants to be a member with this box
	SigB  []byte   // by By
}

const (
	memberPath = "member/"
	maxLabel   = 255 // bytes
	maxHow     = 32
	maxChain   = 64 // members from one up to the admin
)

// How a node joined.
const (
	howCreate = "create" // not written
	howInvite = "invite"
	howToken  = "token"
)

// path is where a member stands in the tree of meta. A "/" in a natural path separates names.
func (m *member) path() string { return memberPath + hex.EncodeToString(m.PK[:]) }

// signed is what By signs.
func (m *member) signed(share secret.ShareID) []byte {
	b := append([]byte(nil), share[:]...)
	b = append(b, 'd')
	b = appendPair(b, "box", m.Box[:])
	b = appendPair(b, "by", m.By[:])
	if m.How != "" {
		b = appendPair(b, "how", []byte(m.How))
	}
	b = appendPair(b, "label", []byte(m.Label))
	b = appendPair(b, "pk", m.PK[:])
	b = appendPair(b, "role", []byte(m.Role.String()))
	return append(b, 'e')
}

func joinSigned(share secret.ShareID, box [32]byte) []byte {
	return append(append([]byte(nil), share[:]...), box[:]...)
}

func appendPair(b []byte, key string, value []byte) []byte {
	return bencode.AppendString(bencode.AppendString(b, key), value)
}

// encode is the value of the entry.
func (m *member) encode() []byte {
	b := []byte{'d'}
	b = appendPair(b, "box", m.Box[:])
	b = appendPair(b, "by", m.By[:])
	if m.How != "" {
		b = appendPair(b, "how", []byte(m.How))
	}
	b = appendPair(b, "label", []byte(m.Label))
	b = appendPair(b, "role", []byte(m.Role.String()))
	b = appendPair(b, "sigb", m.SigB)
	b = appendPair(b, "sigj", m.SigJ)
	return append(b, 'e')
}

// parseMember reads an entry's value; the key is in its name. Unknown keys are passed over.
func parseMember(name string, value []byte) (m member, ok bool) {
	pk, err := hex.DecodeString(name)
	if err != nil || len(pk) != 32 {
		return m, false
	}
	m.PK = [32]byte(pk)
	v, err := bencode.Parse(value, bencode.Limits{Depth: 4, Size: index.MaxValue})
	if err != nil {
		return m, false
	}
	text := func(key string) []byte { return v.Get(key).Bytes() }
	box, by := text("box"), text("by")
	m.Role, err = secret.ParseRole(string(text("role")))
	if err != nil || len(box) != 32 || len(by) != 32 || len(text("label")) > maxLabel ||
		len(text("how")) > maxHow || bytes.ContainsFunc(text("how"), func(r rune) bool { return r < 'a' || r > 'z' }) {
		return m, false
	}
	m.Box, m.By, m.Label, m.SigB, m.SigJ = [32]byte(box), [32]byte(by), string(text("label")), text("sigb"), text("sigj")
	m.How = string(text("how"))
	return m, true
}

// verify checks both signatures. by is the key that SigB must be of.
func (m *member) verify(share secret.ShareID) bool {
	return secret.Verify(m.PK[:], secret.SignJoin, joinSigned(share, m.Box), m.SigJ) && secret.Verify(m.By[:], secret.SignMember, m.signed(share), m.SigB)
}

// memberEvent lists this node, signed by the admin secret that it has.
func (e *engine) memberEvent(id secret.Identity, label string, role secret.Role) (index.Event, error) {
	m := member{PK: publicKey(id), Label: label, Role: role, Box: [32]byte(id.Box.PublicKey().Bytes()), By: [32]byte(e.token.Share)}
	if label == "" {
		m.Label = e.node.label
	}
	m.SigJ = secret.Sign(id.Sign, secret.SignJoin, joinSigned(e.token.Share, m.Box))
	m.SigB = secret.Sign(e.keys.AdminSign, secret.SignMember, m.signed(e.token.Share))
	return e.listing(&m), nil
}

func (e *engine) listing(m *member) index.Event {
	return index.Event{Meta: true, AddAt: m.path(), Add: &index.Entry{Type: index.Meta, Value: m.encode()}}
}

// members are those that count: both signatures hold, and who admitted them leads over writers to the admin. chains are
// the keys from each to A.
func (e *engine) members(root index.Root) (all map[[32]byte]*member, chains map[[32]byte][][32]byte, err error) {
	all, chains = map[[32]byte]*member{}, map[[32]byte][][32]byte{}
	for p, err := range e.reader().Walk(root.Meta, "") {
		if err != nil {
			return nil, nil, err
		}
		name, ok := strings.CutPrefix(p.Path, memberPath)
		if !ok {
			continue
		}
		for i := range p.Entries {
			if m, ok := parseMember(name, p.Entries[i].Value); ok && m.verify(e.token.Share) {
				all[m.PK] = &m
			}
		}
	}
	for pk, m := range all {
		if chain := e.chain(all, m); chain != nil {
			chains[pk] = chain
		}
	}
	return all, chains, nil
}

// chain is who admitted m, who admitted that, up to A; nil when it does not lead there.
func (e *engine) chain(all map[[32]byte]*member, m *member) (chain [][32]byte) {
	for by := m.By; len(chain) < maxChain; {
		chain = append(chain, by)
		if by == [32]byte(e.token.Share) {
			return chain
		}
		next := all[by]
		if next == nil || next.Role < secret.Write {
			return nil
		}
		by = next.By
	}
	return nil
}

// Members lists the nodes of a share with who admitted them, and those seen that are not listed.
func (n *Node) Members(_ context.Context, name string) ([]api.MemberInfo, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	list := []api.MemberInfo{}
	if e.forest == nil {
		return nil, fail(bt.NotFound, "a store cannot read who the members of %s are", e.row.Name)
	}
	v, _ := e.look()
	all, chains, err := e.members(v.Root)
	if err != nil {
		return nil, err
	}
	for pk, chain := range chains {
		m := all[pk]
		i := api.MemberInfo{Node: hex.EncodeToString(pk[:]), Label: m.Label, Role: m.Role.String(), How: cmp.Or(m.How, howCreate), Listed: true, Self: pk == e.pk}
		for _, by := range chain {
			i.By = append(i.By, hex.EncodeToString(by[:]))
		}
		list = append(list, i)
	}
	if chains[e.pk] == nil {
		list = append(list, api.MemberInfo{Node: hex.EncodeToString(e.pk[:]), Label: n.label, Role: e.token.Role.String(), By: []string{}, How: howToken, Self: true})
	}
	if e.net != nil {
		for _, p := range e.net.all() {
			if chains[p.pk] == nil {
				list = append(list, api.MemberInfo{Node: hex.EncodeToString(p.pk[:]), Label: p.conn.Hello().Name, By: []string{}, How: howToken})
			}
		}
	}
	slices.SortFunc(list, func(a, b api.MemberInfo) int { return strings.Compare(a.Node, b.Node) })
	return list, nil
}

// Admit lists a node that is connected and came by a token, or lets one in that waits with an invite. This node must be a
// listed writer, or have the admin secret. What the node is listed as it gets of the next keys.
func (n *Node) Admit(ctx context.Context, name, node, as string) error {
	e, err := n.find(name)
	if err != nil {
		return err
	}
	if err := e.mayAdmit(); err != nil {
		return err
	}
	if bound, err := e.approve(ctx, node); bound != nil || err != nil {
		return err
	}
	p, err := e.connected(node)
	if err != nil {
		return err
	}
	role, err := e.roleFor(p, as)
	if err != nil {
		return err
	}
	h := p.conn.Hello()
	m := member{PK: p.pk, Label: h.Name, Role: role, Box: h.Box, SigJ: h.SigJ[:], How: howToken}
	e.vouch(&m)
	return e.do(ctx, func() error {
		if err := e.letIn(&m); err != nil {
			return err
		}
		ev := e.listing(&m)
		there, err := e.forest.Find(e.row.State.Root.Meta, m.path())
		for i := range there.Entries {
			ev.RemoveAt, ev.Remove = m.path(), append(ev.Remove, there.Entries[i].Dot)
		}
		if err != nil {
			return err
		}
		return e.commitEvents([]index.Event{ev})
	})
}

// roleFor is what a node is to be listed as: what a person says, else what it says that it is, but never a writer.
func (e *engine) roleFor(p *peer, as string) (secret.Role, error) {
	if as == "" {
		e.net.mu.Lock()
		defer e.net.mu.Unlock()
		if p.hasState && len(p.state.Sum) == 0 {
			return secret.Store, nil
		}
		return secret.Read, nil
	}
	role, err := secret.ParseRole(as)
	if err != nil || role == secret.Admin {
		return 0, fail(bt.Usage, "a member is listed as read, write or store, and not %q", as)
	}
	if role > e.token.Role {
		return 0, fail(codeDenied, "this node has the %s secret of %s, and cannot let others have that of %s", e.token.Role, e.row.Name, role)
	}
	return role, nil
}

// connected is the peer whose key begins so.
func (e *engine) connected(node string) (found *peer, err error) {
	if e.net != nil && len(node) >= 4 {
		for _, p := range e.net.all() {
			if strings.HasPrefix(hex.EncodeToString(p.pk[:]), strings.ToLower(node)) {
				if found != nil && !bytes.Equal(found.pk[:], p.pk[:]) {
					return nil, fail(bt.NotFound, "several connected nodes have keys that begin with %s", node)
				}
				found = p
			}
		}
	}
	if found == nil {
		return nil, fail(bt.NotFound, "no connected node has a key that begins with %q", node)
	}
	return found, nil
}

// Codes of the command line that package bt does not give.
const (
	codeDenied bt.Code = "denied"
	codeHeld   bt.Code = "held"
)
