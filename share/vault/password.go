package vault

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"shoal/bt"
	"shoal/share/api"
)

// TagNode is the tag of what the node itself has put into the store, for links and invites, and takes out again.
const TagNode = "node"

// A Change is a new master password, or a new lock, or both.
type Change struct {
	Old  string            // the password so far; not looked at where there is none
	New  string            // "" = as it is; there must be one then
	Lock bool              // on: nothing is kept that opens without the password
	Used func(Secret) bool // with lock off, what the node needs, beside its key and what it has put there itself
}

// Secure changes how the store is kept. The old password opens it until the new one does; a crash at any moment leaves one
// of both.
func (v *Vault) Secure(ctx context.Context, c Change) error {
	return v.locked(ctx, func(form Form) error {
		if c.New == "" && form == Open {
			return api.Errorf(bt.Usage, "there is no master password yet, and none was given")
		}
		list, err := v.read(form, c.Old)
		if err != nil {
			return err
		}
		if form == Open {
			if err := v.setAside(); err != nil {
				return err
			}
		}
		// Also where the password stays as it is: what was added without it comes in.
		password := c.New
		if password == "" {
			password = c.Old
		}
		if err := v.write(Locked, password, list); err != nil {
			return err
		}
		if c.Lock {
			err = v.drop(nameKeys)
		} else {
			err = v.writeKeys(slices.DeleteFunc(list, func(e Entry) bool {
				return e.Secret.Kind != Node && !slices.Contains(e.Tags, TagNode) && !c.Used(e.Secret)
			}))
		}
		if err != nil || form != Open {
			return err
		}
		return v.drop(nameJSON)
	})
}

// setAside moves a secrets.age away that does not count: a change that was cut short left it, or somebody put it there.
func (v *Vault) setAside() error {
	err := os.Rename(v.path(nameAge), v.path(nameAge+".old"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return wrap("writing secrets", err)
}
