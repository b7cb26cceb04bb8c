// Package rules is what the owner of a node allows a share to cost it.
package rules

import (
	"errors"
	"fmt"

	"github.com/BurntSushi/toml"

	"shoal/bt"
)

// Limits are what a share may cost a node; the zero value limits nothing.
type Limits struct {
	Up, Down int64 // bytes a second to and from all peers together; 0 = any
	Storage  int64 // bytes of the share and its archive; 0 = any
}

const (
	// MaxFile is how many bytes a file of limits may have.
	MaxFile = 64 << 10
	// MinRate is the least rate, in bytes a second: below it peers would take the node for dead.
	MinRate = 32 << 10
)

// ParseLimits reads a file of limits (docs/shares.md §11): TOML with a table [limits] of up, down and storage, each a
// number of bytes or a text such as "500K/s" or "20G". What it does not know is an error, as a limit that is misspelt would
// be none.
func ParseLimits(text []byte) (l Limits, err error) {
	if len(text) > MaxFile {
		return l, fmt.Errorf("it has more than %d bytes", MaxFile)
	}
	var file struct {
		Limits struct {
			Up      any `toml:"up"`
			Down    any `toml:"down"`
			Storage any `toml:"storage"`
		} `toml:"limits"`
	}
	meta, err := toml.Decode(string(text), &file)
	if err != nil {
		if at := (toml.ParseError{}); errors.As(err, &at) {
			return l, fmt.Errorf("line %d: %s", at.Position.Line, at.Message)
		}
		return l, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return l, fmt.Errorf("%s is no limit: [limits] has up, down and storage", unknown[0])
	}
	if l.Up, err = rate("up", file.Limits.Up); err != nil {
		return Limits{}, err
	}
	if l.Down, err = rate("down", file.Limits.Down); err != nil {
		return Limits{}, err
	}
	if l.Storage, err = amount("storage", file.Limits.Storage, bt.ParseSize); err != nil {
		return Limits{}, err
	}
	return l, nil
}

func rate(name string, value any) (int64, error) {
	n, err := amount(name, value, bt.ParseRate)
	if err == nil && n > 0 && n < MinRate {
		err = fmt.Errorf("%s: %d bytes a second are too few: want 32K/s, or more", name, n)
	}
	return n, err
}

// amount is a number of bytes, as TOML has it.
func amount(name string, value any, parse func(string) (int64, error)) (int64, error) {
	switch v := value.(type) {
	case nil:
		return 0, nil
	case int64:
		if v < 0 {
			return 0, fmt.Errorf("%s: it is negative", name)
		}
		return v, nil
	case string:
		n, err := parse(v)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		return n, nil
	}
	return 0, fmt.Errorf("%s: want a number of bytes, or a text such as \"500K\"", name)
}
