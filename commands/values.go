package commands

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoal/bt"
)

// formatSize is a size in the largest unit that shows it exactly.
func formatSize(n int64) string {
	units := []string{"", "K", "M", "G", "T", "P"}
	i := 0
	for ; n != 0 && n%1024 == 0 && i < len(units)-1; i++ {
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + units[i]
}

// A sizeValue is a flag for bytes.
type sizeValue int64

func (v *sizeValue) String() string { return formatSize(int64(*v)) }
func (v *sizeValue) Type() string   { return "SIZE" }

func (v *sizeValue) Set(s string) error {
	n, err := bt.ParseSize(s)
	if err != nil {
		return err
	}
	*v = sizeValue(n)
	return nil
}

// A rateValue is a flag for bytes a second; 0 is no limit.
type rateValue int64

func (v *rateValue) String() string { return formatSize(int64(*v)) }
func (v *rateValue) Type() string   { return "RATE" }

func (v *rateValue) Set(s string) error {
	n, err := bt.ParseRate(s)
	if err != nil {
		return err
	}
	*v = rateValue(n)
	return nil
}

// parseDuration reads 90s, 10m, 1h30m or 2d; a number alone is seconds.
func parseDuration(s string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is no duration such as 90s, 10m, 1h30m or 2d", s)
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	var days time.Duration
	if before, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, wrong
		}
		if days, s = time.Duration(n)*24*time.Hour, after; s == "" {
			return days, nil
		}
	}
	rest, err := time.ParseDuration(s)
	if err != nil || rest < 0 || strings.HasPrefix(s, "+") || rest > math.MaxInt64-days {
		return 0, wrong
	}
	return days + rest, nil
}

// A durationValue is a flag for a time span; 0 is none.
type durationValue time.Duration

func (v *durationValue) Type() string { return "DUR" }

// String is 0, not 0s, for no limit: help shows no default then, where "give up after 0s" would be a lie.
func (v *durationValue) String() string {
	if *v == 0 {
		return "0"
	}
	return formatDuration(time.Duration(*v))
}

func (v *durationValue) Set(s string) error {
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	*v = durationValue(d)
	return nil
}

// formatDuration drops the zero parts that time.Duration shows: 5m, not 5m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// A pieceSizeValue is a flag for a piece length in bytes; 0 is auto.
type pieceSizeValue int64

func (v *pieceSizeValue) Type() string { return "SIZE" }

func (v *pieceSizeValue) String() string {
	if *v == 0 {
		return "auto"
	}
	return formatSize(int64(*v))
}

func (v *pieceSizeValue) Set(s string) error {
	if s == "auto" {
		*v = 0
		return nil
	}
	n, err := bt.ParseSize(s)
	if err != nil || n <= 0 {
		return fmt.Errorf("%q is neither auto nor a size such as 256K or 1M", s)
	}
	*v = pieceSizeValue(n)
	return nil
}

// An optionalText is a flag that tells an empty text from none.
type optionalText struct{ value *string }

func (v *optionalText) Type() string { return "string" }

func (v *optionalText) String() string {
	if v.value == nil {
		return ""
	}
	return *v.value
}

func (v *optionalText) Set(s string) error {
	v.value = &s
	return nil
}

// An optionalBool is a flag that tells false from nothing.
type optionalBool struct{ value *bool }

func (v *optionalBool) Type() string { return "bool" }

func (v *optionalBool) String() string {
	if v.value == nil {
		return ""
	}
	return strconv.FormatBool(*v.value)
}

func (v *optionalBool) Set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", s)
	}
	v.value = &b
	return nil
}

// A choice is a flag that takes one of a few words.
type choice[S ~string] struct {
	value *S
	words []S
}

// newChoice makes a flag of words, the first being the default.
func newChoice[S ~string](value *S, words ...S) *choice[S] {
	*value = words[0]
	return &choice[S]{value, words}
}

func (c *choice[S]) String() string {
	if c.value == nil { // pflag looks at the zero value, to know what a default looks like
		return ""
	}
	return string(*c.value)
}

func (c *choice[S]) Type() string { return "string" }

// list is the words as plain strings, without the empty one that stands for not given.
func (c *choice[S]) list() (words []string) {
	for _, w := range c.words {
		if w != "" {
			words = append(words, string(w))
		}
	}
	return words
}

func (c *choice[S]) Set(s string) error {
	if !slices.Contains(c.words, S(s)) {
		return errors.New("want " + strings.Join(c.list(), ", "))
	}
	*c.value = S(s)
	return nil
}
