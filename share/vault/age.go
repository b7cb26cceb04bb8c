package vault

import (
	"bytes"
	"errors"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"

	"shoal/bt"
	"shoal/share/api"
)

// Work factors of scrypt: powers of two.
const (
	workFactor    = 18 // 256 MiB, a second
	maxWorkFactor = 20 // 1 GiB: a file cannot ask for more
)

// maxFile bounds files of secrets, in bytes, sealed and open.
const maxFile = 32 << 20

const armorStart = "-----BEGIN AGE ENCRYPTED FILE-----"

// errPassword is that of a wrong password. It does not tell how wrong.
func errPassword() error { return api.Errorf(api.Denied, "the password is wrong") }

// sealAge encrypts to a password, as "age -p" does.
func sealAge(password string, b []byte, work int) ([]byte, error) {
	to, err := age.NewScryptRecipient(password)
	if err != nil {
		return nil, api.Errorf(bt.Usage, "a password cannot be empty")
	}
	to.SetWorkFactor(work)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err == nil {
		if _, err = w.Write(b); err == nil {
			err = w.Close()
		}
	}
	return out.Bytes(), err
}

// openAge decrypts what sealAge, or "age -p", sealed, in armor or without.
func openAge(password string, b []byte) ([]byte, error) {
	id, err := age.NewScryptIdentity(password)
	if err != nil {
		return nil, errPassword() // it is empty
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	var in io.Reader = bytes.NewReader(b)
	if bytes.HasPrefix(b, []byte(armorStart)) {
		in = armor.NewReader(in)
	}
	r, err := age.Decrypt(in, id)
	var no *age.NoIdentityMatchError
	if errors.As(err, &no) {
		return nil, errPassword()
	}
	if err == nil {
		var out []byte
		if out, err = io.ReadAll(io.LimitReader(r, maxFile+1)); err == nil && len(out) <= maxFile {
			return out, nil
		}
	}
	return nil, api.Errorf(bt.BadInput, "reading secrets: the file is damaged, or not encrypted by a password")
}
