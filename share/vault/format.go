package vault

import (
	"bytes"
	"strings"

	"shoal/bt"
	"shoal/share/api"
)

// A Format is that of a file of secrets for other programs.
type Format string

// The formats.
const (
	Age  Format = "age"  // opens with age, and holds what JSON does
	KDBX Format = "kdbx" // opens with KeePassXC, and others of that family
	JSON Format = "json"
	CSV  Format = "csv"
)

// Sealed reports whether a file of that format wants a password.
func (f Format) Sealed() bool { return f == Age || f == KDBX }

// FormatOf is the format that a file's content shows.
func FormatOf(b []byte) Format {
	switch text := bytes.TrimSpace(b); {
	case bytes.HasPrefix(b, []byte("age-encryption.org/")), bytes.HasPrefix(b, []byte(armorStart)):
		return Age
	case bytes.HasPrefix(b, kdbxMagic):
		return KDBX
	case bytes.HasPrefix(text, []byte("[")):
		return JSON
	}
	return CSV
}

// FormatNamed is the format that a file's name asks for; age where it asks for none.
func FormatNamed(name string) Format {
	for _, f := range []Format{KDBX, JSON, CSV} {
		if strings.HasSuffix(strings.ToLower(name), "."+string(f)) {
			return f
		}
	}
	return Age
}

// Encode writes a list for another program. The password is that of the file.
func Encode(f Format, list []Entry, password string) ([]byte, error) {
	return encode(f, list, password, workFactor)
}

func encode(f Format, list []Entry, password string, work int) ([]byte, error) {
	switch f {
	case Age:
		b, err := encodeJSON(list)
		if err != nil {
			return nil, err
		}
		return sealAge(password, b, work)
	case KDBX:
		return encodeKDBX(list, password)
	case JSON:
		return encodeJSON(list)
	case CSV:
		return encodeCSV(list)
	}
	return nil, api.Errorf(bt.Usage, "there is no format %q", f)
}

// Decode reads what Encode wrote, perhaps after another program changed it. Entries of a kdbx or csv file that are no secrets
// of shoal are passed over.
func Decode(b []byte, password string) ([]Entry, error) {
	switch FormatOf(b) {
	case Age:
		plain, err := openAge(password, b)
		if err != nil {
			return nil, err
		}
		return decodeJSON(plain)
	case KDBX:
		return decodeKDBX(b, password)
	case JSON:
		return decodeJSON(b)
	}
	return decodeCSV(b)
}
