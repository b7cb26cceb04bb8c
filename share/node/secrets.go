package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/secret"
	"shoal/share/vault"
)

var _ api.Secrets = (*Node)(nil)

// A keyring is what the node has of the store of secrets: its own key, and the password for what it adds, where lock is on.
type keyring struct {
	vault *vault.Vault
	seed  secret.NodeSeed // set before the first engine is made

	mu       sync.Mutex // guards what follows
	password string
	locked   bool
	invites  map[[32]byte]secret.Invite // by the hash of their codes
	tokens   []secret.Token             // of shares, of all epochs
}

// keep makes secrets durable that the node needs from now on.
func (k *keyring) keep(ctx context.Context, e ...vault.Entry) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked {
		return vault.ErrLocked
	}
	return k.vault.Keep(ctx, k.password, e...)
}

// closed reports whether secrets cannot be read or kept now.
func (k *keyring) closed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.locked
}

// keepInvite makes the code of an invite durable, before its row.
func (k *keyring) keepInvite(ctx context.Context, v *db.Invite, code secret.Invite) error {
	e := vault.Entry{Label: "invite to " + v.Label, Secret: vault.OfInvite(code), Added: v.Added, Note: "for the role " + v.Role + ", until " + v.Expires.UTC().Format(time.RFC3339),
		Tags: []string{vault.TagNode}}
	if err := k.keep(ctx, e); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.learn([]vault.Entry{e})
	return nil
}

// learn notes the codes of invites; the caller holds mu.
func (k *keyring) learn(list []vault.Entry) {
	if k.invites == nil {
		k.invites = map[[32]byte]secret.Invite{}
	}
	for _, e := range list {
		if e.Secret.Kind == vault.Share && !slices.Contains(k.tokens, e.Secret.Token) {
			k.tokens = append(k.tokens, e.Secret.Token)
		}
		if e.Secret.Kind == vault.Invite {
			k.invites[sha256.Sum256(e.Secret.Invite.Code[:])] = e.Secret.Invite
		}
	}
}

// invite is the code of an invite, by its hash.
func (k *keyring) invite(id [32]byte) (code secret.Invite, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	code, ok = k.invites[id]
	return code, ok
}

// dropInvite forgets the code of an invite.
func (k *keyring) dropInvite(ctx context.Context, id [32]byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	code, ok := k.invites[id]
	if !ok {
		return nil
	}
	delete(k.invites, id)
	return k.vault.Drop(ctx, k.password, vault.OfInvite(code))
}

// dropToken forgets the token of a share that came by a link, which is gone: nobody gave it to this node to keep.
func (n *Node) dropToken(ctx context.Context, e *engine) {
	if e.link == nil {
		return
	}
	n.secrets.mu.Lock()
	defer n.secrets.mu.Unlock()
	for _, t := range slices.Clone(n.secrets.tokens) {
		if t.Share != e.token.Share || t.Role != e.token.Role {
			continue
		}
		if err := n.secrets.vault.Drop(ctx, n.secrets.password, vault.OfToken(t)); err != nil && ctx.Err() == nil {
			n.log.Warn("the secret of a link that is gone is still kept", "share", e.row.Name, "why", err)
		}
	}
	n.secrets.tokens = slices.DeleteFunc(n.secrets.tokens, func(t secret.Token) bool { return t.Share == e.token.Share && t.Role == e.token.Role })
}

// keepToken makes the token of a share durable, before its row: what the row has of it is which it is.
func (n *Node) keepToken(ctx context.Context, row *db.Share, t secret.Token) error {
	row.Ref = refOf(t)
	label, added := row.Name, row.Added
	if t.Epoch > 0 {
		label, added = fmt.Sprintf("%s, keys %d", row.Name, t.Epoch+1), n.now()
	}
	e := vault.Entry{Label: label, Secret: vault.OfToken(t), Added: added}
	if parseLink(row.Options) != nil {
		e.Tags = []string{vault.TagNode}
	}
	if err := n.secrets.keep(ctx, e); err != nil {
		return err
	}
	n.secrets.mu.Lock()
	defer n.secrets.mu.Unlock()
	n.secrets.learn([]vault.Entry{e})
	return nil
}

// tokenAt is a token of an epoch of a share: of the strongest role that is known.
func (k *keyring) tokenAt(share secret.ShareID, epoch uint16) (best secret.Token, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.tokens {
		if t.Share == share && t.Role == secret.Admin {
			t, err := t.AtEpoch(epoch)
			return t, err == nil
		}
		if t.Share == share && t.Epoch == epoch && t.Role > best.Role {
			best, ok = t, true
		}
	}
	return best, ok
}

// refOf is how the database says which token a share has.
func refOf(t secret.Token) string { return fmt.Sprintf("%v/%d", t.Role, t.Epoch) }

// roleOf is the role in a ref; that of a token which stands in its place is not told.
func roleOf(ref string) string {
	word, _, _ := strings.Cut(ref, "/")
	role, err := secret.ParseRole(word)
	if err != nil {
		return ""
	}
	return role.String()
}

// epochOf is the epoch in a ref.
func epochOf(ref string) uint16 {
	_, n, _ := strings.Cut(ref, "/")
	epoch, err := strconv.ParseUint(n, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(epoch)
}

// tokenOf is the token that a row means.
func tokenOf(list []vault.Entry, row *db.Share) (secret.Token, bool) {
	if t, err := secret.ParseToken(row.Ref); err == nil {
		return t, true // of a database that was not brought up to date yet
	}
	for _, e := range list {
		t := e.Secret.Token
		if e.Secret.Kind != vault.Share || t.Share != row.ID {
			continue
		}
		// An admin token is that of all epochs: the row says in which the share is here.
		if t.Role == secret.Admin && roleOf(row.Ref) == t.Role.String() {
			t, err := t.AtEpoch(epochOf(row.Ref))
			return t, err == nil
		}
		if refOf(t) == row.Ref {
			return t, true
		}
	}
	return secret.Token{}, false
}

// closed is the error of a share whose secret is not open.
func closed(name string) error {
	return &bt.Error{Code: api.Denied, Err: fmt.Errorf("the secret of share %s is not open here", name), Advice: vault.ErrLocked.Advice}
}

// sleeping are the shares whose secrets are not open.
func (n *Node) sleeping() []db.Share {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.dormant)
}

func closedInfo(row *db.Share) api.ShareInfo {
	return api.ShareInfo{Name: row.Name, ID: row.ID.String(), Role: roleOf(row.Ref), Dir: row.Dir, State: api.StateLocked, Paused: row.Paused, Epoch: int(epochOf(row.Ref)),
		Config: parseConfig(row.Options), Added: row.Added}
}

func (n *Node) closedResults() (all []api.SyncResult) {
	for _, row := range n.sleeping() {
		all = append(all, api.SyncResult{Name: row.Name, Code: string(api.Denied), Message: closed(row.Name).Error(), Hint: vault.ErrLocked.Advice})
	}
	return all
}

// loadSecrets opens the secrets, if they can be, and the shares with them. A new node gets its key.
func (n *Node) loadSecrets(ctx context.Context, ask func(context.Context) (string, error)) error {
	form, err := n.secrets.vault.Form()
	if err != nil {
		return err
	}
	if form == vault.Locked {
		password := ""
		if ask != nil {
			if password, err = ask(ctx); err != nil {
				return err
			}
		}
		if password == "" {
			n.secrets.locked = true
			return nil
		}
		n.secrets.password = password
	}
	if n.lock != nil { // else nothing may be changed
		if err := n.moveSecrets(ctx); err != nil {
			return err
		}
	}
	return n.wake(ctx, n.secrets.password)
}

// Unlock opens the secrets with the master password.
func (n *Node) Unlock(ctx context.Context, password string) error {
	form, err := n.secrets.vault.Form()
	if err != nil {
		return err
	}
	if form != vault.Locked {
		password = ""
	}
	return n.wake(ctx, password)
}

// wake opens the shares that can be opened, now that there is a password for them, where they want one.
func (n *Node) wake(ctx context.Context, password string) error {
	n.secrets.mu.Lock()
	defer n.secrets.mu.Unlock()
	list, err := n.secrets.vault.Needed()
	if errors.Is(err, vault.ErrLocked) {
		list, err = n.secrets.vault.Read(password)
	}
	if err != nil {
		return err
	}
	n.secrets.password, n.secrets.locked = password, false
	n.secrets.learn(list)
	if err := n.ownKey(ctx, list); err != nil {
		return err
	}
	var left []db.Share
	var open []*engine
	for _, row := range n.sleeping() {
		token, ok := tokenOf(list, &row)
		if !ok {
			n.log.Error("the secret of a share is not in the store: import it, or add it", "share", row.Name)
			left = append(left, row)
			continue
		}
		e, err := newEngine(n, row, token)
		if err != nil {
			return ioError("opening share "+row.Name, err)
		}
		open = append(open, e)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	if n.running {
		defer n.invites.start()
	}
	n.dormant = left
	for _, e := range open {
		n.engines[e.row.Name] = e
		if n.running {
			e.start()
		}
	}
	return nil
}

// ownKey finds the node's key, or makes one; the caller holds mu of the keyring.
func (n *Node) ownKey(ctx context.Context, list []vault.Entry) error {
	if n.secrets.seed != (secret.NodeSeed{}) {
		return nil
	}
	for _, e := range list {
		if e.Secret.Kind == vault.Node {
			n.secrets.seed = e.Secret.Seed
			return nil
		}
	}
	seed, err := secret.NewNodeSeed(n.random)
	if err != nil {
		return err
	}
	n.secrets.seed = seed
	if n.lock == nil {
		return nil // who only looks around needs none for long
	}
	return n.secrets.vault.Keep(ctx, n.secrets.password, nodeKey(seed, n))
}

func nodeKey(seed secret.NodeSeed, n *Node) vault.Entry {
	return vault.Entry{Label: "node key", Secret: vault.OfSeed(seed), Added: n.now(), Note: "what other machines know this one by"}
}

// moveSecrets brings into the store what an older version kept in the database, and wipes it there.
func (n *Node) moveSecrets(ctx context.Context) error {
	var old []vault.Entry
	refs := map[int64]string{}
	for i, row := range n.dormant {
		token, err := secret.ParseToken(row.Ref)
		if err != nil {
			continue // it is a ref
		}
		old = append(old, vault.Entry{Label: row.Name, Secret: vault.OfToken(token), Added: row.Added})
		n.dormant[i].Ref = refOf(token)
		refs[row.N] = n.dormant[i].Ref
	}
	var seed []byte
	err := n.db.View(ctx, func(t *db.Tx) (err error) { seed, err = t.Value("seed"); return err })
	if err != nil {
		return ioError("reading the node's state", err)
	}
	if len(seed) == 32 {
		old = append(old, nodeKey(secret.NodeSeed(seed), n))
	}
	if len(old)+len(seed) == 0 {
		return nil
	}
	if err := n.secrets.keep(ctx, old...); err != nil {
		return err
	}
	err = n.db.Update(ctx, func(t *db.Tx) error {
		for n, ref := range refs {
			if err := t.SetRef(n, ref); err != nil {
				return err
			}
		}
		return t.SetValue("seed", []byte("moved")) // until it is wiped
	})
	if err == nil {
		err = n.db.Scrub(ctx)
	}
	if err == nil {
		err = n.db.Update(ctx, func(t *db.Tx) error { return t.SetValue("seed", nil) })
	}
	if err != nil {
		return ioError("moving secrets out of the database", err)
	}
	n.log.Info("secrets have moved from the database to their store", "count", len(old))
	return nil
}
