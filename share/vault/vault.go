// Package vault is the one store of every secret of a machine: tokens of shares of any role, invites that are outstanding,
// the key of the node (docs/shares.md §1.2). Nothing else keeps one; the node's database says only which it needs.
//
// A [Vault] is files in the state folder, all of mode 0600:
//
//	secrets.json   everything, in plain text, as long as there is no master password
//	secrets.age    everything, under the master password
//	secrets.keys   with a password, but lock off: what the node needs, so that it starts without a person
//	secrets.lock   held while one of them is changed
//
// As long as secrets.json is there, it is the store: a change to or from another form counts when that name comes or goes.
// What the node adds while lock is off stands in secrets.keys alone, until the password is given for something.
//
// Lists of secrets are written for other programs, and read back, by [Encode] and [Decode].
package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

const (
	nameJSON = "secrets.json"
	nameAge  = "secrets.age"
	nameKeys = "secrets.keys"
	nameLock = "secrets.lock"
)

// A Form is how a store is kept.
type Form uint8

// The forms.
const (
	Open   Form = iota // no master password
	Cached             // a password, and a copy of what the node needs that wants none: lock off
	Locked             // a password, and nothing without it: lock on
)

// A Vault is the store of a state folder. Its methods may be called concurrently, also by several processes.
type Vault struct {
	dir  string
	work int          // of scrypt, as a power of two
	step func(string) // told of each step of a change, for tests
}

// At is the store of a state folder, which need not be there yet.
func At(dir string) *Vault { return AtCost(dir, workFactor) }

// AtCost is At, where a guess at the password costs 2 to the power of work. For simulations.
func AtCost(dir string, work int) *Vault {
	return &Vault{dir: dir, work: work, step: func(string) {}}
}

func (v *Vault) path(name string) string { return filepath.Join(v.dir, name) }

func (v *Vault) has(name string) (bool, error) {
	_, err := os.Lstat(v.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, wrap("looking for secrets", err)
}

// Form is how the store is kept now.
func (v *Vault) Form() (Form, error) {
	var has [3]bool
	for i, name := range []string{nameJSON, nameAge, nameKeys} {
		var err error
		if has[i], err = v.has(name); err != nil {
			return 0, err
		}
	}
	switch {
	case has[0] || !has[1]:
		return Open, nil
	case has[2]:
		return Cached, nil
	}
	return Locked, nil
}

// ErrLocked says that nothing can be read without the master password.
var ErrLocked = &bt.Error{Code: api.Denied, Err: errors.New("the secrets are locked"), Advice: "\"shoal secrets unlock\" opens them for the node that runs; SHOAL_PASSWORD or --password-file for one command"}

// Needed is what the node can have without a password: everything, or what is cached. [ErrLocked] when that is nothing.
func (v *Vault) Needed() (list []Entry, err error) {
	err = v.steady(func(form Form) error {
		switch form {
		case Open:
			list, err = v.readPlain(nameJSON)
		case Cached:
			list, err = v.readPlain(nameKeys)
		default:
			err = ErrLocked
		}
		return err
	})
	return list, err
}

// Read is everything. The password is not looked at where there is none; [api.Denied] of a wrong one.
func (v *Vault) Read(password string) (list []Entry, err error) {
	err = v.steady(func(form Form) error {
		list, err = v.read(form, password)
		return err
	})
	return list, err
}

// steady runs f, which reads; again where the form of the store changed under it.
func (v *Vault) steady(f func(Form) error) error {
	for try := 0; ; try++ {
		form, err := v.Form()
		if err == nil {
			err = f(form)
		}
		if try < 3 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return err
	}
}

func (v *Vault) read(form Form, password string) ([]Entry, error) {
	if form == Open {
		return v.readPlain(nameJSON)
	}
	sealed, err := readFile(v.path(nameAge))
	if err != nil {
		return nil, err
	}
	b, err := openAge(password, sealed)
	if err != nil {
		return nil, err
	}
	list, err := decodeJSON(b)
	if err != nil || form == Locked {
		return list, err
	}
	late, err := v.readPlain(nameKeys) // what was added since
	if err != nil {
		return nil, err
	}
	list, _, err = Merge(list, late)
	return list, err
}

func (v *Vault) readPlain(name string) ([]Entry, error) {
	b, err := readFile(v.path(name))
	if errors.Is(err, fs.ErrNotExist) && name == nameJSON {
		return nil, nil // nothing was ever kept
	}
	if err != nil {
		return nil, err
	}
	return decodeJSON(b)
}

// write makes list what the store holds, in the form that it has.
func (v *Vault) write(form Form, password string, list []Entry) error {
	b, err := encodeJSON(list)
	if err != nil {
		return err
	}
	if form == Open {
		return v.put(nameJSON, b)
	}
	sealed, err := sealAge(password, b, v.work)
	if err != nil {
		return err
	}
	return v.put(nameAge, sealed)
}

func (v *Vault) writeKeys(list []Entry) error {
	b, err := encodeJSON(list)
	if err != nil {
		return err
	}
	return v.put(nameKeys, b)
}

// Update changes the store: f gets everything, and says what it is to be. When f fails, nothing has changed.
func (v *Vault) Update(ctx context.Context, password string, f func([]Entry) ([]Entry, error)) error {
	return v.locked(ctx, func(form Form) error {
		list, err := v.read(form, password)
		if err != nil {
			return err
		}
		if list, err = f(list); err != nil {
			return err
		}
		if form == Cached { // what goes, goes from both
			keys, err := v.readPlain(nameKeys)
			if err != nil {
				return err
			}
			kept := slices.DeleteFunc(keys, func(k Entry) bool { return !has(list, k.Secret) })
			if err := v.writeKeys(kept); err != nil {
				return err
			}
		}
		return v.write(form, password, list)
	})
}

func has(list []Entry, s Secret) bool {
	return slices.ContainsFunc(list, func(e Entry) bool { return e.Secret.Is(s) })
}

// Keep adds what the node needs from now on, if it is not there. The password is looked at only where lock is on.
func (v *Vault) Keep(ctx context.Context, password string, more ...Entry) error {
	return v.locked(ctx, func(form Form) error {
		list, err := v.needed(form, password)
		if err != nil {
			return err
		}
		hints := 0
		for _, e := range more {
			if i := slices.IndexFunc(list, func(o Entry) bool { return o.Secret.Is(e.Secret) }); i >= 0 && e.Secret.Token.Epoch > list[i].Secret.Token.Epoch {
				hints++
			}
		}
		list, done, err := Merge(list, more)
		if err != nil {
			return err
		}
		changed := hints > 0
		for _, m := range done {
			if m.What == Refused || m.What == LeftOut {
				return api.Errorf(bt.Exists, "another secret that says to be the %s secret of this share is here, as %q", m.Entry.Secret.Role(), m.Entry.Label)
			}
			changed = changed || m.What == Added
		}
		if !changed {
			return nil
		}
		return v.writeNeeded(form, password, list)
	})
}

// needed is where the node's own changes are made: lock off, in what opens without the password.
func (v *Vault) needed(form Form, password string) ([]Entry, error) {
	if form == Cached {
		return v.readPlain(nameKeys)
	}
	return v.read(form, password)
}

func (v *Vault) writeNeeded(form Form, password string, list []Entry) error {
	if form == Cached {
		return v.writeKeys(list)
	}
	return v.write(form, password, list)
}

// Drop removes what the node itself has put there (TagNode) and needs no more: with lock off, from what opens without the
// password. What the store has of it under the password stays there, and so does what a person has added.
func (v *Vault) Drop(ctx context.Context, password string, gone Secret) error {
	return v.locked(ctx, func(form Form) error {
		list, err := v.needed(form, password)
		if err != nil {
			return err
		}
		rest := slices.DeleteFunc(slices.Clone(list), func(e Entry) bool { return e.Secret.Is(gone) && slices.Contains(e.Tags, TagNode) })
		if len(rest) == len(list) {
			return nil
		}
		return v.writeNeeded(form, password, rest)
	})
}

// lockWait is how long a change waits for that of another process.
const lockWait = 30 * time.Second

// locked runs f while nobody else changes the store.
func (v *Vault) locked(ctx context.Context, f func(Form) error) error {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return wrap("keeping secrets", err)
	}
	lock, err := os.OpenFile(v.path(nameLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return wrap("keeping secrets", err)
	}
	defer lock.Close()
	for until := time.Now().Add(lockWait); ; {
		err := bt.Flock(lock)
		if err == nil {
			break
		}
		if !errors.Is(err, bt.ErrLocked) {
			return wrap("keeping secrets", err)
		}
		if time.Now().After(until) {
			return api.Errorf(bt.Busy, "another shoal is changing the secrets in %s", v.dir)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
	form, err := v.Form()
	if err != nil {
		return err
	}
	return f(form)
}

// wrap is an error of the machine.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return &bt.Error{Code: bt.CodeOf(err), Err: fmt.Errorf("%s: %w", what, err)}
}
