package index

import (
	"crypto/ed25519"
	"unicode/utf8"

	"shoal/bt/bencode"
	"shoal/share/secret"
)

// MaxRecipients is how many keys get the next epoch of an export (docs/shares.md §8).
const MaxRecipients = 12

// An ExportRecord is the value of the meta entry "export/<hex eid>": what the nodes of a share know of an export.
type ExportRecord struct {
	Path  string // natural, of what is exported; "" = all
	Label string // UTF-8, at most MaxLabel bytes
	Epoch uint16 // of the export
	Cert  []byte // of that epoch
	Store secret.Token
	Write []byte // sealed for writers: the write secret
	To    []Recipient
}

// A Recipient is who gets the next epoch of an export: a node, or a share.
type Recipient struct {
	Label string
	Role  secret.Role
	Box   [32]byte // X25519
}

// Encode is the value of the entry. Errors wrap [ErrLimit] when it would be too long.
func (r *ExportRecord) Encode() ([]byte, error) {
	if r.Path != "" && checkPath(r.Path) != nil || len(r.Label) > MaxLabel || len(r.To) > MaxRecipients {
		return nil, overLimit("an export of %q", r.Path)
	}
	pair := func(b []byte, key string, v []byte) []byte {
		return bencode.AppendString(bencode.AppendString(b, key), v)
	}
	b := pair([]byte{'d'}, "cert", r.Cert)
	b = bencode.AppendInt(bencode.AppendString(b, "e"), int64(r.Epoch))
	b = pair(b, "label", []byte(r.Label))
	b = pair(b, "path", []byte(r.Path))
	b = pair(b, "store", []byte(r.Store.Text()))
	b = pair(b, "sw", r.Write)
	b = append(bencode.AppendString(b, "to"), 'l')
	for _, to := range r.To {
		b = pair(append(b, 'd'), "box", to.Box[:])
		b = pair(b, "label", []byte(to.Label))
		b = append(pair(b, "role", []byte(to.Role.String())), 'e')
	}
	if b = append(b, 'e', 'e'); len(b) > MaxValue {
		return nil, overLimit("an export whose entry has %d bytes", len(b))
	}
	return b, nil
}

// ParseExport reads the value of such an entry. Unknown keys are passed over. Errors wrap [ErrInvalid]. Whether the
// certificate is one of the export's own id is checked, whether the share may have such an export cannot be.
func ParseExport(value []byte) (r ExportRecord, err error) {
	bad := func(what string) (ExportRecord, error) { return ExportRecord{}, invalid("an export %s", what) }
	if len(value) > MaxValue {
		return bad("that is too long")
	}
	v, err := bencode.Parse(value, bencode.Limits{Depth: 6, Size: MaxValue})
	if err != nil {
		return bad("that is no bencode")
	}
	epoch, ok := v.Get("e").Int64()
	if !ok || epoch < 0 || epoch > 1<<16-1 {
		return bad("without an epoch")
	}
	r = ExportRecord{Path: string(v.Get("path").Bytes()), Label: string(v.Get("label").Bytes()), Epoch: uint16(epoch),
		Cert: v.Get("cert").Bytes(), Write: v.Get("sw").Bytes()}
	if r.Path != "" && checkPath(r.Path) != nil || len(r.Label) > MaxLabel || !utf8.ValidString(r.Label) {
		return bad("of no path")
	}
	if r.Store, err = secret.ParseToken(string(v.Get("store").Bytes())); err != nil || r.Store.Role != secret.Store || r.Store.Epoch != r.Epoch {
		return bad("without a store token")
	}
	if len(r.Cert) != ed25519.SignatureSize || len(r.Write) != 32+secret.Overhead {
		return bad("without its secrets")
	}
	for _, item := range v.Get("to").Items() {
		box, label := item.Get("box").Bytes(), item.Get("label").Bytes()
		role, err := secret.ParseRole(string(item.Get("role").Bytes()))
		if err != nil || len(box) != 32 || len(label) > MaxLabel || !utf8.Valid(label) || len(r.To) == MaxRecipients {
			return bad("to somebody unknown")
		}
		r.To = append(r.To, Recipient{string(label), role, [32]byte(box)})
	}
	return r, nil
}

// checkPath checks a natural path.
func checkPath(p string) error {
	if depthOf(p) > MaxDepth {
		return errPaths
	}
	for name := range names(p) {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return nil
}
